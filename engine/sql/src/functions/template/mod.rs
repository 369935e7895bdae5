//! Formatting templates: `to_char`, `to_number`, `to_date`, `to_timestamp`.
//!
//! A template is a row of patterns (`YYYY`, `HH24`, `999.99`, ...) with text between. The rules are Oracle's as
//! PostgreSQL has them (`src/backend/utils/adt/formatting.c`): what is padded where, and how lenient reading is, follows
//! from them step by step.
//!
//! * [`number`]: numbers to text and back.
//! * [`datetime`]: timestamps and intervals to text.
//! * [`parse`]: text to dates and timestamps.

mod datetime;
mod number;
mod parse;

use super::Entry;

/// The ordinal suffix of a number's digits: `st`, `nd`, `rd`, `th`.
fn ordinal(digits: &str, upper: bool) -> &'static str {
    let mut from_end = digits.bytes().rev();
    let last = from_end.next();
    let teen = from_end.next() == Some(b'1');
    match (last, upper) {
        (Some(b'1'), false) if !teen => "st",
        (Some(b'1'), true) if !teen => "ST",
        (Some(b'2'), false) if !teen => "nd",
        (Some(b'2'), true) if !teen => "ND",
        (Some(b'3'), false) if !teen => "rd",
        (Some(b'3'), true) if !teen => "RD",
        (_, false) => "th",
        (_, true) => "TH",
    }
}

/// What stands in a template between patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Literal {
    /// A character that is copied.
    Char(char),
    /// Punctuation, outside of quotes.
    Separator(char),
    /// White space, outside of quotes.
    Space(char),
}

/// A node of a template.
#[derive(Clone, Debug)]
enum Node<P> {
    Pattern(P),
    Literal(Literal),
}

/// ASCII punctuation.
fn is_separator(char: char) -> bool {
    char.is_ascii_punctuation()
}

/// Splits a template. `pattern` looks for a pattern at the beginning of what is left and says how much it took; what it
/// takes without finding a pattern is left out, and the character behind it is taken as it stands.
fn split<P, E>(
    template: &str,
    mut pattern: impl FnMut(&str) -> Result<(Option<P>, usize), E>,
) -> Result<Vec<Node<P>>, E> {
    let mut nodes = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let (found, length) = pattern(rest)?;
        rest = &rest[length..];
        if let Some(found) = found {
            nodes.push(Node::Pattern(found));
            continue;
        }
        let Some(first) = rest.chars().next() else { break };
        if first == '"' {
            let mut chars = rest[1..].chars();
            while let Some(char) = chars.next() {
                match char {
                    '"' => break,
                    // A backslash quotes what follows it, if anything does.
                    '\\' => nodes.push(Node::Literal(Literal::Char(chars.next().unwrap_or('\\')))),
                    _ => nodes.push(Node::Literal(Literal::Char(char))),
                }
            }
            rest = chars.as_str();
            continue;
        }
        // Outside of quotes a backslash matters only before a quote.
        let char = if rest.starts_with("\\\"") {
            rest = &rest[1..];
            '"'
        } else {
            first
        };
        nodes.push(Node::Literal(if is_separator(char) {
            Literal::Separator(char)
        } else if char.is_ascii_whitespace() || char == '\u{b}' {
            Literal::Space(char)
        } else {
            Literal::Char(char)
        }));
        rest = &rest[char.len_utf8()..];
    }
    Ok(nodes)
}

impl Literal {
    fn char(&self) -> char {
        match self {
            Literal::Char(char) | Literal::Separator(char) | Literal::Space(char) => *char,
        }
    }
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[datetime::FUNCTIONS, number::FUNCTIONS, parse::FUNCTIONS];
