//! The syntaxes of PostgreSQL's regular expressions: advanced (ARE), extended (ERE), basic (BRE) and literal.
//!
//! What follows Henry Spencer's syntax is in PostgreSQL's documentation, section 9.7.3; the error for each malformed
//! expression is PostgreSQL's.

use std::sync::Arc;

use helios_types::{PgError, Result, SqlState};

use super::class::{Class, Set};

/// How an expression is read and matched: what embedded options and flag letters set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Options {
    /// Which syntax.
    pub(crate) flavor: Flavor,
    /// Case does not matter.
    pub(crate) fold: bool,
    /// White space and comments in the expression are ignored.
    pub(crate) expanded: bool,
    /// `.` and complemented brackets do not match newline.
    pub(crate) newline_stops: bool,
    /// `^` and `$` match at newlines.
    pub(crate) newline_anchors: bool,
}

/// The syntaxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Flavor {
    Advanced,
    Extended,
    Basic,
    Literal,
}

impl Default for Options {
    fn default() -> Options {
        Options { flavor: Flavor::Advanced, fold: false, expanded: false, newline_stops: false, newline_anchors: false }
    }
}

impl Options {
    /// Applies an option letter, as embedded in an expression or given as a flag; `false` when there is no such.
    pub(crate) fn set(&mut self, letter: char) -> bool {
        match letter {
            'b' => self.flavor = Flavor::Basic,
            'c' => self.fold = false,
            'e' => self.flavor = Flavor::Extended,
            'i' => self.fold = true,
            'm' | 'n' => (self.newline_stops, self.newline_anchors) = (true, true),
            'p' => (self.newline_stops, self.newline_anchors) = (true, false),
            'q' => self.flavor = Flavor::Literal,
            's' => (self.newline_stops, self.newline_anchors) = (false, false),
            't' => self.expanded = false,
            'w' => (self.newline_stops, self.newline_anchors) = (false, true),
            'x' => self.expanded = true,
            _ => return false,
        }
        true
    }
}

/// A place without extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Look {
    /// Beginning of the text.
    TextStart,
    /// End of the text.
    TextEnd,
    /// Beginning of a line.
    LineStart,
    /// End of a line.
    LineEnd,
    /// Beginning of a word.
    WordStart,
    /// End of a word.
    WordEnd,
    /// Either.
    WordEdge,
    /// Neither.
    NotWordEdge,
}

/// Which of several lengths a quantifier takes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Preference {
    /// `{m}`: what its operand prefers.
    None,
    Longer,
    Shorter,
}

/// A parsed expression.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Empty,
    Class(Arc<Class>),
    Look(Look),
    /// `(?=x)` and its kin.
    Around {
        ahead: bool,
        negated: bool,
        node: Arc<Node>,
    },
    /// A branch: one after another.
    Concat(Vec<Node>),
    Alternate(Vec<Node>),
    Repeat {
        node: Box<Node>,
        min: u32,
        max: Option<u32>,
        preference: Preference,
    },
    Capture(usize, Box<Node>),
    Backref(usize),
}

/// The highest repetition count.
const DUP_MAX: u32 = 255;
/// Deepest nesting of parentheses.
const DEPTH_MAX: usize = 500;

/// 2201B.
#[cold]
pub(super) fn invalid(what: &str) -> PgError {
    PgError::new(SqlState::INVALID_REGULAR_EXPRESSION, format!("invalid regular expression: {what}"))
}

const PARENTHESES: &str = "parentheses () not balanced";
const BRACKETS: &str = "brackets [] not balanced";
const BRACES: &str = "braces {} not balanced";
const COUNT: &str = "invalid repetition count(s)";
const OPERAND: &str = "quantifier operand invalid";
const ESCAPE: &str = "invalid escape \\ sequence";
const RANGE: &str = "invalid character range";
const BACKREFERENCE: &str = "invalid backreference number";

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
    options: Options,
    /// Capturing parentheses opened so far, and which of them are closed.
    opened: usize,
    closed: Vec<usize>,
    depth: usize,
    around: usize,
}

/// What an escape in an expression means.
enum Escape {
    Char(char),
    Named(&'static str, bool),
    Look(Look),
    Backref(usize),
}

/// The tree, the options that the expression's own prefix left, and the number of captures.
pub(super) fn parse(pattern: &str, options: Options) -> Result<(Node, Options, usize)> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut parser = Parser { chars: &chars, at: 0, options, opened: 0, closed: Vec::new(), depth: 0, around: 0 };
    parser.prefix()?;
    let node = if parser.options.flavor == Flavor::Literal {
        let fold = parser.options.fold;
        Node::Concat(chars[parser.at..].iter().map(|char| literal(*char, fold)).collect())
    } else {
        let node = parser.alternation()?;
        if parser.at < chars.len() {
            return Err(invalid(PARENTHESES));
        }
        node
    };
    Ok((node, parser.options, parser.opened))
}

fn literal(char: char, fold: bool) -> Node {
    Node::Class(Arc::new(Class::single(char, fold)))
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn looking_at(&self, text: &str) -> bool {
        let mut rest = self.chars[self.at..].iter();
        text.chars().all(|char| rest.next() == Some(&char))
    }

    fn eat(&mut self, text: &str) -> bool {
        let there = self.looking_at(text);
        if there {
            self.at += text.chars().count();
        }
        there
    }

    fn advanced(&self) -> bool {
        self.options.flavor == Flavor::Advanced
    }

    /// `***:`, `***=` and `(?letters)`.
    fn prefix(&mut self) -> Result<()> {
        if self.options.flavor == Flavor::Literal {
            return Ok(());
        }
        if self.eat("***") {
            if self.eat("=") {
                self.options.flavor = Flavor::Literal;
                return Ok(());
            }
            if !self.eat(":") {
                return Err(invalid(OPERAND));
            }
            self.options.flavor = Flavor::Advanced;
        }
        if self.advanced()
            && self.looking_at("(?")
            && self.chars.get(self.at + 2).is_some_and(char::is_ascii_alphabetic)
        {
            self.at += 2;
            while let Some(letter) = self.peek().filter(char::is_ascii_alphabetic) {
                if !self.options.set(letter) {
                    return Err(invalid("invalid embedded option"));
                }
                self.at += 1;
            }
            if !self.eat(")") {
                return Err(invalid("invalid embedded option"));
            }
        }
        Ok(())
    }

    /// White space and comments that expanded syntax ignores, and `(?#...)`.
    fn skip(&mut self) {
        loop {
            let before = self.at;
            if self.options.expanded {
                while self.peek().is_some_and(char::is_whitespace) {
                    self.at += 1;
                }
                if self.peek() == Some('#') {
                    while self.peek().is_some_and(|char| char != '\n') {
                        self.at += 1;
                    }
                }
            }
            if self.advanced() && self.eat("(?#") {
                while self.peek().is_some_and(|char| char != ')') {
                    self.at += 1;
                }
                self.at = (self.at + 1).min(self.chars.len());
            }
            if self.at == before {
                return;
            }
        }
    }

    fn alternation(&mut self) -> Result<Node> {
        let mut branches = vec![self.branch()?];
        while !self.basic() && self.eat("|") {
            branches.push(self.branch()?);
        }
        Ok(if branches.len() == 1 { branches.remove(0) } else { Node::Alternate(branches) })
    }

    fn branch(&mut self) -> Result<Node> {
        let mut items = Vec::new();
        loop {
            self.skip();
            match self.peek() {
                None => break,
                Some('\\') if self.basic() && self.looking_at("\\)") => break,
                Some(_) if self.basic() => {
                    let first = items.is_empty() || matches!(items.as_slice(), [Node::Look(_)]);
                    items.push(self.basic_quantified(first)?);
                }
                Some('|') => break,
                // Outside of parentheses ERE takes it for itself; elsewhere the caller complains.
                Some(')') if self.depth > 0 || self.advanced() => break,
                _ => items.push(self.quantified()?),
            }
        }
        Ok(match items.len() {
            0 => Node::Empty,
            1 => items.remove(0),
            _ => Node::Concat(items),
        })
    }

    fn basic(&self) -> bool {
        self.options.flavor == Flavor::Basic
    }

    /// An item of a basic expression; `first` after the beginning and after `^`, where `*` is a character.
    fn basic_quantified(&mut self, first: bool) -> Result<Node> {
        let char = self.peek().expect("the caller looked");
        self.at += 1;
        let fold = self.options.fold;
        let end = self.at == self.chars.len() || self.looking_at("\\)");
        let atom = match char {
            '^' if first => {
                return Ok(Node::Look(if self.options.newline_anchors { Look::LineStart } else { Look::TextStart }));
            }
            '$' if end => {
                return Ok(Node::Look(if self.options.newline_anchors { Look::LineEnd } else { Look::TextEnd }));
            }
            '*' if !first => return Err(invalid(OPERAND)),
            '[' | '.' => {
                self.at -= 1;
                let (atom, constraint) = self.atom()?;
                if constraint {
                    return Ok(atom);
                }
                atom
            }
            '\\' => {
                let escaped = self.peek().ok_or_else(|| invalid(ESCAPE))?;
                self.at += 1;
                match escaped {
                    '(' => self.parenthesis()?.0,
                    '<' => return Ok(Node::Look(Look::WordStart)),
                    '>' => return Ok(Node::Look(Look::WordEnd)),
                    '{' => return Err(invalid(OPERAND)),
                    '1'..='9' => {
                        let number = escaped as usize - '0' as usize;
                        if !self.closed.contains(&number) {
                            return Err(invalid(BACKREFERENCE));
                        }
                        Node::Backref(number)
                    }
                    _ => literal(escaped, fold),
                }
            }
            _ => literal(char, fold),
        };
        if self.eat("*") {
            return Ok(Node::Repeat { node: Box::new(atom), min: 0, max: None, preference: Preference::Longer });
        }
        if self.eat("\\{") {
            self.at -= 1;
            return self.bounded(atom);
        }
        Ok(atom)
    }

    fn quantified(&mut self) -> Result<Node> {
        let (atom, constraint) = self.atom()?;
        if constraint {
            return Ok(atom);
        }
        self.skip();
        let (min, max) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') if self.bound_follows() => return self.bounded(atom),
            _ => return Ok(atom),
        };
        self.at += 1;
        let preference = self.greed();
        Ok(Node::Repeat { node: Box::new(atom), min, max, preference })
    }

    /// `{` begins a bound only before a digit.
    fn bound_follows(&self) -> bool {
        let mut at = self.at + 1;
        while self.options.expanded && self.chars.get(at).is_some_and(|char| char.is_whitespace()) {
            at += 1;
        }
        self.chars.get(at).is_some_and(char::is_ascii_digit)
    }

    fn greed(&mut self) -> Preference {
        if self.advanced() && self.eat("?") { Preference::Shorter } else { Preference::Longer }
    }

    fn bounded(&mut self, atom: Node) -> Result<Node> {
        self.at += 1;
        let min = self.count()?;
        self.skip();
        let max = if self.eat(",") {
            self.skip();
            if self.peek().is_some_and(|char| char.is_ascii_digit()) { Some(Some(self.count()?)) } else { Some(None) }
        } else {
            None
        };
        self.skip();
        match self.peek() {
            None => return Err(invalid(BRACES)),
            Some('}') if !self.basic() => self.at += 1,
            Some('\\') if self.basic() && self.looking_at("\\}") => self.at += 2,
            Some(_) => return Err(invalid(COUNT)),
        }
        let preference = self.greed();
        let (max, preference) = match max {
            // A lone count passes its operand's preference through.
            None => (Some(min), Preference::None),
            Some(max) => (max, preference),
        };
        if max.is_some_and(|max| max < min) {
            return Err(invalid(COUNT));
        }
        Ok(Node::Repeat { node: Box::new(atom), min, max, preference })
    }

    fn count(&mut self) -> Result<u32> {
        self.skip();
        let mut value = 0;
        while let Some(digit) = self.peek().and_then(|char| char.to_digit(10)) {
            value = value * 10 + digit;
            if value > DUP_MAX {
                return Err(invalid(COUNT));
            }
            self.at += 1;
        }
        Ok(value)
    }

    /// An atom, or a constraint (`true`), which takes no quantifier.
    fn atom(&mut self) -> Result<(Node, bool)> {
        let char = self.peek().expect("the caller looked");
        self.at += 1;
        let fold = self.options.fold;
        Ok(match char {
            '^' => (Node::Look(if self.options.newline_anchors { Look::LineStart } else { Look::TextStart }), true),
            '$' => (Node::Look(if self.options.newline_anchors { Look::LineEnd } else { Look::TextEnd }), true),
            '*' | '+' | '?' => return Err(invalid(OPERAND)),
            '{' if {
                self.at -= 1;
                let follows = self.bound_follows();
                self.at += 1;
                follows
            } =>
            {
                return Err(invalid(OPERAND));
            }
            '(' => return self.parenthesis(),
            '[' => {
                if self.eat("[:<:]]") {
                    return Ok((Node::Look(Look::WordStart), true));
                }
                if self.eat("[:>:]]") {
                    return Ok((Node::Look(Look::WordEnd), true));
                }
                (self.bracket()?, false)
            }
            '.' => (Node::Class(Arc::new(Class::any(self.options.newline_stops))), false),
            '\\' if self.advanced() => match self.escape(false)? {
                Escape::Char(char) => (literal(char, fold), false),
                Escape::Named(name, complement) => {
                    let mut set = Set::default();
                    set.add_named(name, complement, fold).expect("a known class");
                    (Node::Class(Arc::new(set.finish(false))), false)
                }
                Escape::Look(look) => (Node::Look(look), true),
                Escape::Backref(number) => {
                    if self.around > 0 || !self.closed.contains(&number) {
                        return Err(invalid(BACKREFERENCE));
                    }
                    (Node::Backref(number), false)
                }
            },
            '\\' => {
                let escaped = self.peek().ok_or_else(|| invalid(ESCAPE))?;
                self.at += 1;
                (literal(escaped, fold), false)
            }
            _ => (literal(char, fold), false),
        })
    }

    fn parenthesis(&mut self) -> Result<(Node, bool)> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(invalid("regular expression is too complex"));
        }
        let mut around = None;
        let mut capture = None;
        if self.advanced() && self.eat("?") {
            if self.eat("=") {
                around = Some((true, false));
            } else if self.eat("!") {
                around = Some((true, true));
            } else if self.eat("<=") {
                around = Some((false, false));
            } else if self.eat("<!") {
                around = Some((false, true));
            } else if !self.eat(":") {
                return Err(invalid(OPERAND));
            }
        } else if self.around == 0 {
            self.opened += 1;
            capture = Some(self.opened);
        }
        self.around += usize::from(around.is_some());
        let node = self.alternation()?;
        self.around -= usize::from(around.is_some());
        if !self.eat(if self.basic() { "\\)" } else { ")" }) {
            return Err(invalid(PARENTHESES));
        }
        self.depth -= 1;
        if let Some((ahead, negated)) = around {
            return Ok((Node::Around { ahead, negated, node: Arc::new(node) }, true));
        }
        if let Some(number) = capture {
            self.closed.push(number);
            return Ok((Node::Capture(number, Box::new(node)), false));
        }
        Ok((node, false))
    }

    /// Behind a backslash.
    fn escape(&mut self, in_bracket: bool) -> Result<Escape> {
        let char = self.peek().ok_or_else(|| invalid(ESCAPE))?;
        self.at += 1;
        let escape = match char {
            'a' => Escape::Char('\u{7}'),
            'b' => Escape::Char('\u{8}'),
            'B' => Escape::Char('\\'),
            'c' => {
                let control = self.peek().ok_or_else(|| invalid(ESCAPE))?;
                self.at += 1;
                Escape::Char(char::from((control as u32 & 0o37) as u8))
            }
            'e' => Escape::Char('\u{1b}'),
            'f' => Escape::Char('\u{c}'),
            'n' => Escape::Char('\n'),
            'r' => Escape::Char('\r'),
            't' => Escape::Char('\t'),
            'v' => Escape::Char('\u{b}'),
            'u' => self.coded(16, 4, 4)?,
            'U' => self.coded(16, 8, 8)?,
            'x' => self.coded(16, 1, 255)?,
            'd' | 'D' => Escape::Named("digit", char == 'D'),
            's' | 'S' => Escape::Named("space", char == 'S'),
            'w' | 'W' => Escape::Named("word", char == 'W'),
            'A' => Escape::Look(Look::TextStart),
            'Z' => Escape::Look(Look::TextEnd),
            'm' => Escape::Look(Look::WordStart),
            'M' => Escape::Look(Look::WordEnd),
            'y' => Escape::Look(Look::WordEdge),
            'Y' => Escape::Look(Look::NotWordEdge),
            '0' => {
                self.at -= 1;
                self.octal()?
            }
            '1'..='9' => {
                self.at -= 1;
                let from = self.at;
                let mut value = 0usize;
                while let Some(digit) = self.peek().and_then(|char| char.to_digit(10)) {
                    value = value.saturating_mul(10).saturating_add(digit as usize);
                    self.at += 1;
                }
                if self.at == from + 1 || value <= self.opened {
                    Escape::Backref(value)
                } else {
                    self.at = from;
                    self.octal()?
                }
            }
            _ if char.is_ascii_alphanumeric() => return Err(invalid(ESCAPE)),
            _ => Escape::Char(char),
        };
        if in_bracket && !matches!(escape, Escape::Char(_) | Escape::Named(..)) {
            return Err(invalid(ESCAPE));
        }
        Ok(escape)
    }

    fn coded(&mut self, base: u32, least: usize, most: usize) -> Result<Escape> {
        let from = self.at;
        let mut code = 0u32;
        while self.at - from < most
            && let Some(digit) = self.peek().and_then(|char| char.to_digit(base))
        {
            code = code.saturating_mul(base).saturating_add(digit);
            self.at += 1;
        }
        if self.at - from < least {
            return Err(invalid(ESCAPE));
        }
        char::from_u32(code).map(Escape::Char).ok_or_else(|| invalid(ESCAPE))
    }

    fn octal(&mut self) -> Result<Escape> {
        let from = self.at;
        let Escape::Char(char) = self.coded(8, 1, 3)? else { unreachable!("a coded escape is a character") };
        if char as u32 > 0xff {
            // One digit too many.
            self.at = from + 2;
            return Ok(Escape::Char(char::from((char as u32 >> 3) as u8)));
        }
        Ok(Escape::Char(char))
    }

    /// Behind `[`.
    fn bracket(&mut self) -> Result<Node> {
        let negated = self.eat("^");
        let fold = self.options.fold;
        let mut set = Set::default();
        let first = self.at;
        loop {
            let char = self.peek().ok_or_else(|| invalid(BRACKETS))?;
            if char == ']' && self.at > first {
                self.at += 1;
                break;
            }
            let Some(start) = self.element(&mut set, first)? else { continue };
            let range = self.peek() == Some('-') && self.chars.get(self.at + 1).is_some_and(|next| *next != ']');
            if !range {
                set.add(start, start, fold);
                continue;
            }
            self.at += 1;
            let end = if self.peek() == Some('-') {
                self.at += 1;
                Some('-')
            } else {
                let mut other = Set::default();
                self.element(&mut other, first)?
            };
            match end {
                Some(end) if start <= end => set.add(start, end, fold),
                _ => return Err(invalid(RANGE)),
            }
        }
        if negated && self.options.newline_stops {
            set.add('\n', '\n', false);
        }
        Ok(Node::Class(Arc::new(set.finish(negated))))
    }

    /// An element of a bracket: a character, or a class that is added at once.
    fn element(&mut self, set: &mut Set, first: usize) -> Result<Option<char>> {
        let char = self.peek().ok_or_else(|| invalid(BRACKETS))?;
        if self.looking_at("[:") || self.looking_at("[=") || self.looking_at("[.") {
            return self.named_element(set);
        }
        self.at += 1;
        match char {
            '-' if self.at - 1 > first && self.peek() != Some(']') => Err(invalid(RANGE)),
            '\\' if self.advanced() => match self.escape(true)? {
                Escape::Char(char) => Ok(Some(char)),
                Escape::Named(name, complement) => {
                    set.add_named(name, complement, self.options.fold).expect("a known class");
                    Ok(None)
                }
                Escape::Look(_) | Escape::Backref(_) => unreachable!("refused in brackets"),
            },
            _ => Ok(Some(char)),
        }
    }

    /// `[:name:]`, `[=x=]`, `[.x.]`.
    fn named_element(&mut self, set: &mut Set) -> Result<Option<char>> {
        let kind = self.chars[self.at + 1];
        self.at += 2;
        let from = self.at;
        while !self.looking_at(&format!("{kind}]")) {
            if self.peek().is_none() {
                return Err(invalid(BRACKETS));
            }
            self.at += 1;
        }
        let name = &self.chars[from..self.at];
        self.at += 2;
        if kind == ':' {
            let name: String = name.iter().collect();
            set.add_named(&name, false, self.options.fold).ok_or_else(|| invalid("invalid character class"))?;
            return Ok(None);
        }
        let name: String = name.iter().collect();
        let char = collating_element(&name).ok_or_else(|| invalid("invalid collating element"))?;
        if kind == '=' {
            set.add(char, char, self.options.fold);
            return Ok(None);
        }
        Ok(Some(char))
    }
}

/// POSIX's names of characters; a character names itself.
fn collating_element(name: &str) -> Option<char> {
    let mut chars = name.chars();
    if let (Some(single), None) = (chars.next(), chars.next()) {
        return Some(single);
    }
    const NAMES: &str = "NUL SOH STX ETX EOT ENQ ACK alert backspace tab newline vertical-tab form-feed carriage-return \
        SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC IS4 IS3 IS2 IS1 space exclamation-mark quotation-mark \
        number-sign dollar-sign percent-sign ampersand apostrophe left-parenthesis right-parenthesis asterisk plus-sign \
        comma hyphen period slash zero one two three four five six seven eight nine colon semicolon less-than-sign \
        equals-sign greater-than-sign question-mark commercial-at";
    const AFTER_LETTERS: &str = "left-square-bracket backslash right-square-bracket circumflex underscore grave-accent";
    const LAST: &str = "left-brace vertical-line right-brace tilde DEL";
    const SYNONYMS: [(&str, u8); 20] = [
        ("BEL", 7),
        ("BS", 8),
        ("HT", 9),
        ("LF", 10),
        ("VT", 11),
        ("FF", 12),
        ("CR", 13),
        ("FS", 28),
        ("GS", 29),
        ("RS", 30),
        ("US", 31),
        ("hyphen-minus", b'-'),
        ("full-stop", b'.'),
        ("solidus", b'/'),
        ("reverse-solidus", b'\\'),
        ("circumflex-accent", b'^'),
        ("low-line", b'_'),
        ("left-curly-bracket", b'{'),
        ("right-curly-bracket", b'}'),
        ("asterisk", b'*'),
    ];
    let among = |names: &str, first: u8| {
        names.split_ascii_whitespace().position(|known| known == name).map(|place| char::from(first + place as u8))
    };
    among(NAMES, 0)
        .or_else(|| among(AFTER_LETTERS, b'['))
        .or_else(|| among(LAST, b'{'))
        .or_else(|| SYNONYMS.iter().find(|(known, _)| *known == name).map(|(_, code)| char::from(*code)))
}
