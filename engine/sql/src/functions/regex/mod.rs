//! Regular expressions as PostgreSQL means them.
//!
//! Three engines share the work:
//!
//! ```text
//!   text ─▶ does it match? where does the first match begin?    automaton library (literals, lazy DFA)   [automaton]
//!           where does the match that begins here end?          NFA simulation, longest or shortest      [nfa]
//!           what did each parenthesis match?                    the tree of the expression               [tree]
//! ```
//!
//! The library's own idea of a match is Perl's (the first alternative wins), and PostgreSQL's is not (the longest match
//! wins), but both agree on whether and where a match begins. Expressions that the library does not have (looking
//! around, word boundaries by PostgreSQL's idea of a word, back references) are simulated from the beginning.

mod automaton;
mod class;
mod nfa;
mod parse;
mod tree;

use std::fmt;

use helios_types::Result;

pub(super) use parse::{Flavor, Options};

use tree::{Dissection, Tree};

/// A compiled expression.
pub(super) struct Regex {
    automaton: Option<regex_automata::meta::Regex>,
    tree: Tree,
    groups: usize,
    fold: bool,
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Regex")
    }
}

/// A match: the whole span first, then the parentheses', in characters.
pub(super) type Match = Vec<Option<(usize, usize)>>;

/// A text that is searched: its characters, and where each begins.
pub(super) struct Subject<'t> {
    /// The text.
    pub(super) text: &'t str,
    chars: Vec<char>,
}

impl<'t> Subject<'t> {
    pub(super) fn new(text: &'t str) -> Subject<'t> {
        Subject { text, chars: text.chars().collect() }
    }

    /// Number of characters.
    pub(super) fn len(&self) -> usize {
        self.chars.len()
    }

    /// Byte offset of a character.
    pub(super) fn offset(&self, char: usize) -> usize {
        if self.chars.len() == self.text.len() {
            char
        } else {
            self.chars[..char].iter().map(|char| char.len_utf8()).sum()
        }
    }

    /// The text of a span of characters.
    pub(super) fn slice(&self, span: (usize, usize)) -> &'t str {
        let start = self.offset(span.0);
        let length: usize = if self.chars.len() == self.text.len() {
            span.1 - span.0
        } else {
            self.chars[span.0..span.1].iter().map(|char| char.len_utf8()).sum()
        };
        &self.text[start..start + length]
    }
}

impl Regex {
    /// Compiles an expression. Fails with 2201B and PostgreSQL's reason.
    pub(super) fn new(pattern: &str, options: Options) -> Result<Regex> {
        let (node, options, groups) = parse::parse(pattern, options)?;
        let mut captured = vec![None; groups + 1];
        tree::collect_captured(&node, &mut captured);
        let tree = tree::build(&node, &captured)?;
        Ok(Regex { automaton: automaton::build(&node), tree, groups, fold: options.fold })
    }

    /// Number of capturing parentheses.
    pub(super) fn groups(&self) -> usize {
        self.groups
    }

    /// Whether the text has a match.
    pub(super) fn is_match(&self, text: &str) -> bool {
        match &self.automaton {
            Some(automaton) => automaton.is_match(text),
            None => {
                let subject = Subject::new(text);
                if !self.tree.program.occurs(&subject.chars, 0) {
                    return false;
                }
                !self.tree.has_backref() || self.find(&subject, 0).is_some()
            }
        }
    }

    /// The first match that begins at a character or behind it, with the parentheses' matches when asked.
    fn search(&self, subject: &Subject<'_>, from: usize, captures: bool) -> Option<Match> {
        let text = subject.chars.as_slice();
        let mut start = match &self.automaton {
            Some(automaton) => {
                let bytes = subject.offset(from)..subject.text.len();
                let found = automaton.find(regex_automata::Input::new(subject.text).range(bytes))?;
                from + super::text::char_count(&subject.text[subject.offset(from)..found.start()])
            }
            None if !self.tree.program.occurs(text, from) => return None,
            None => from,
        };
        let mut dissection = Dissection { text, fold: self.fold, captures: vec![None; self.groups + 1] };
        let (tree, program) = (&self.tree, &self.tree.program);
        while start <= text.len() {
            if tree.has_backref() {
                let mut ends = Vec::new();
                program.ends(text, start, text.len(), |end| {
                    ends.push(end);
                    true
                });
                if !tree.prefers_shorter() {
                    ends.reverse();
                }
                for end in ends {
                    dissection.captures.fill(None);
                    if dissection.dissect(tree, start, end) {
                        dissection.captures[0] = Some((start, end));
                        return Some(dissection.captures);
                    }
                }
            } else {
                let end = if tree.prefers_shorter() {
                    program.shortest(text, start, text.len())
                } else {
                    program.longest(text, start, text.len())
                };
                if let Some(end) = end {
                    if captures {
                        dissection.dissect(tree, start, end);
                    }
                    dissection.captures[0] = Some((start, end));
                    return Some(dissection.captures);
                }
            }
            start += 1;
        }
        None
    }

    /// The first match that begins at a character or behind it, with what the parentheses matched.
    pub(super) fn captures(&self, subject: &Subject<'_>, from: usize) -> Option<Match> {
        self.search(subject, from, true)
    }

    /// The span of the first match that begins at a character or behind it.
    pub(super) fn find(&self, subject: &Subject<'_>, from: usize) -> Option<(usize, usize)> {
        self.search(subject, from, false).and_then(|spans| spans[0])
    }
}
