//! Cutting a script into statements, and telling whether typed input is finished.
//!
//! The parser itself splits at semicolons, but it needs the whole text to be right. A shell reads as one types and a
//! script runner wants to run what comes before an error, so both need a scanner that understands just enough: quotes
//! (`'..'`, `E'..\'..'`, `".."`, `$tag$..$tag$`), comments (`--`, nested `/* */`), parentheses, and the one place where
//! semicolons stand inside a statement without parentheses, `CREATE FUNCTION ... BEGIN ATOMIC ...; ...; END`. These are
//! the rules by which psql cuts its input.

use std::ops::Range;

/// What the end of a text lies inside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Incomplete {
    /// A statement that has not met its semicolon.
    Statement,
    SingleQuote,
    DoubleQuote,
    DollarQuote,
    Comment,
    Parenthesis,
    /// `BEGIN ATOMIC` without its `END`.
    Body,
}

/// The byte ranges of the statements of `sql`, without semicolons, surrounding white space and empty statements. The
/// last one need not have a semicolon.
pub fn split(sql: &str) -> Vec<Range<usize>> {
    Splitter::new(sql).run().0
}

/// What more `sql` needs to be a whole number of statements; `None` when it is one (or nothing but white space).
pub fn incomplete(sql: &str) -> Option<Incomplete> {
    Splitter::new(sql).run().1
}

struct Splitter<'a> {
    bytes: &'a [u8],
    at: usize,
    /// First and past-the-last byte of the tokens of the current statement.
    extent: Option<Range<usize>>,
    parentheses: usize,
    /// Depth of BEGIN ... END in a routine's body.
    body_depth: usize,
    /// How many words the statement had, and whether they began CREATE [OR REPLACE] FUNCTION|PROCEDURE.
    words: usize,
    prefix: Prefix,
}

/// How far a statement has matched `CREATE [OR REPLACE] {FUNCTION | PROCEDURE}`.
#[derive(Clone, Copy, PartialEq)]
enum Prefix {
    Start,
    Create,
    Or,
    Replace,
    Routine,
    Other,
}

impl Prefix {
    fn after(self, word: &[u8]) -> Prefix {
        let is = |expected: &str| word.eq_ignore_ascii_case(expected.as_bytes());
        match self {
            Prefix::Start if is("create") => Prefix::Create,
            Prefix::Create if is("or") => Prefix::Or,
            Prefix::Or if is("replace") => Prefix::Replace,
            Prefix::Create | Prefix::Replace if is("function") || is("procedure") => Prefix::Routine,
            Prefix::Routine => Prefix::Routine,
            _ => Prefix::Other,
        }
    }
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

impl<'a> Splitter<'a> {
    fn new(sql: &'a str) -> Splitter<'a> {
        Splitter {
            bytes: sql.as_bytes(),
            at: 0,
            extent: None,
            parentheses: 0,
            body_depth: 0,
            words: 0,
            prefix: Prefix::Start,
        }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn run(mut self) -> (Vec<Range<usize>>, Option<Incomplete>) {
        let mut statements = Vec::new();
        while self.at < self.bytes.len() {
            let start = self.at;
            let outcome = match (self.peek(0), self.peek(1)) {
                (byte, _) if byte.is_ascii_whitespace() || byte == 0x0b => {
                    self.at += 1;
                    continue;
                }
                (b'-', b'-') => {
                    self.skip_line();
                    continue;
                }
                (b'/', b'*') => {
                    if self.skip_comment() {
                        continue;
                    }
                    return (self.finish(statements), Some(Incomplete::Comment));
                }
                (b';', _) if self.parentheses == 0 && self.body_depth == 0 => {
                    statements.extend(self.extent.take());
                    (self.words, self.prefix) = (0, Prefix::Start);
                    self.at += 1;
                    continue;
                }
                (b'\'', _) => self.quoted(b'\'', false).then_some(()).ok_or(Incomplete::SingleQuote),
                (b'e' | b'E', b'\'') => {
                    self.at += 1;
                    self.quoted(b'\'', true).then_some(()).ok_or(Incomplete::SingleQuote)
                }
                (b'"', _) => self.quoted(b'"', false).then_some(()).ok_or(Incomplete::DoubleQuote),
                (b'$', _) => self.dollar().then_some(()).ok_or(Incomplete::DollarQuote),
                (byte, _) => {
                    self.other(byte);
                    Ok(())
                }
            };
            let first = self.extent.as_ref().map_or(start, |extent| extent.start);
            self.extent = Some(first..self.at);
            if let Err(inside) = outcome {
                return (self.finish(statements), Some(inside));
            }
        }
        let inside = match self.extent {
            None => None,
            Some(_) if self.parentheses > 0 => Some(Incomplete::Parenthesis),
            Some(_) if self.body_depth > 0 => Some(Incomplete::Body),
            Some(_) => Some(Incomplete::Statement),
        };
        (self.finish(statements), inside)
    }

    fn finish(&self, mut statements: Vec<Range<usize>>) -> Vec<Range<usize>> {
        statements.extend(self.extent.clone());
        statements
    }

    fn skip_line(&mut self) {
        while self.at < self.bytes.len() && !matches!(self.peek(0), b'\n' | b'\r') {
            self.at += 1;
        }
    }

    /// Skips a comment with the comments in it; false when it does not end.
    fn skip_comment(&mut self) -> bool {
        let mut depth = 0;
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => (depth, self.at) = (depth + 1, self.at + 2),
                (b'*', b'/') => (depth, self.at) = (depth - 1, self.at + 2),
                _ => self.at += 1,
            }
            if depth == 0 {
                return true;
            }
        }
        false
    }

    /// Skips a quoted token. A doubled quote reads as two tokens side by side, which comes to the same.
    fn quoted(&mut self, quote: u8, backslashes: bool) -> bool {
        self.at += 1;
        while self.at < self.bytes.len() {
            match self.peek(0) {
                b'\\' if backslashes => self.at += 2,
                // In an E string a doubled quote is not the end: what follows still has backslash escapes.
                byte if byte == quote && backslashes && self.peek(1) == quote => self.at += 2,
                byte => {
                    self.at += 1;
                    if byte == quote {
                        return true;
                    }
                }
            }
        }
        self.at = self.bytes.len();
        false
    }

    /// Skips `$tag$ .. $tag$`, or `$1`, or a lone dollar sign.
    fn dollar(&mut self) -> bool {
        let mut end = self.at + 1;
        while self.bytes.get(end).is_some_and(|&byte| is_word(byte) && byte != b'$') {
            end += 1;
        }
        let starts_like_a_word = end == self.at + 1 || is_word_start(self.bytes[self.at + 1]);
        if self.bytes.get(end) != Some(&b'$') || !starts_like_a_word {
            self.at += 1;
            return true;
        }
        let tag = &self.bytes[self.at..=end];
        let body = &self.bytes[end + 1..];
        match body.windows(tag.len()).position(|window| window == tag) {
            Some(length) => {
                self.at = end + 1 + length + tag.len();
                true
            }
            None => {
                self.at = self.bytes.len();
                false
            }
        }
    }

    fn other(&mut self, byte: u8) {
        if !is_word_start(byte) {
            match byte {
                b'(' => self.parentheses += 1,
                b')' => self.parentheses = self.parentheses.saturating_sub(1),
                _ => {}
            }
            // A digit run takes its trailing word characters with it only as far as the scanner would: not needed here.
            self.at += 1;
            return;
        }
        let start = self.at;
        while self.at < self.bytes.len() && is_word(self.bytes[self.at]) {
            self.at += 1;
        }
        let word = &self.bytes[start..self.at];
        self.words += 1;
        if self.words <= 4 {
            self.prefix = self.prefix.after(word);
        }
        if self.prefix == Prefix::Routine && self.parentheses == 0 {
            let is = |expected: &str| word.eq_ignore_ascii_case(expected.as_bytes());
            if is("begin") || (is("case") && self.body_depth > 0) {
                self.body_depth += 1;
            } else if is("end") {
                self.body_depth = self.body_depth.saturating_sub(1);
            }
        }
    }
}
