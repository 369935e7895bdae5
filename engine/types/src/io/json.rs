//! Validation of json text, with PostgreSQL's wording of what is wrong and where.
//!
//! The parser keeps its own stack of open brackets, so that nesting costs heap and not call depth.

use crate::{PgError, Result, SqlState};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Token {
    String,
    Number,
    Word,
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    Colon,
    Comma,
    End,
}

/// What the grammar waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    /// After `[`.
    ValueOrClose,
    /// After `{`.
    KeyOrClose,
    /// After `,` in an object.
    Key,
    Colon,
    /// After a value in an array.
    CommaOrBracket,
    /// After a value in an object.
    CommaOrBrace,
    End,
}

struct Lexer<'a> {
    text: &'a str,
    /// Where the current token starts and ends.
    start: usize,
    end: usize,
    line: usize,
    line_start: usize,
    at_end: bool,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Token> {
        let bytes = self.text.as_bytes();
        let mut at = self.end;
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = bytes.get(at) {
            at += 1;
            if *byte == b'\n' {
                self.line += 1;
                self.line_start = at;
            }
        }
        self.start = at;
        self.end = at + 1;
        let Some(first) = bytes.get(at) else {
            self.end = at;
            self.at_end = true;
            return Ok(Token::End);
        };
        Ok(match first {
            b'{' => Token::OpenBrace,
            b'}' => Token::CloseBrace,
            b'[' => Token::OpenBracket,
            b']' => Token::CloseBracket,
            b':' => Token::Colon,
            b',' => Token::Comma,
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => return self.number(),
            _ => {
                let word = bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
                if word == 0 {
                    return Err(self.invalid_token());
                }
                self.end = at + word;
                match &self.text[at..self.end] {
                    "true" | "false" | "null" => Token::Word,
                    _ => return Err(self.invalid_token()),
                }
            }
        })
    }

    fn number(&mut self) -> Result<Token> {
        let bytes = self.text.as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut at = self.start + usize::from(bytes[self.start] == b'-');
        let mut valid = true;
        match bytes.get(at) {
            Some(b'0') => at += 1,
            Some(b'1'..=b'9') => at += digits(at),
            _ => valid = false,
        }
        if bytes.get(at) == Some(&b'.') {
            at += 1;
            let count = digits(at);
            valid &= count > 0;
            at += count;
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            at += 1;
            at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
            let count = digits(at);
            valid &= count > 0;
            at += count;
        }
        let junk = bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
        self.end = at + junk;
        if valid && junk == 0 { Ok(Token::Number) } else { Err(self.invalid_token()) }
    }

    fn string(&mut self) -> Result<Token> {
        let bytes = self.text.as_bytes();
        let mut at = self.start + 1;
        loop {
            match bytes.get(at) {
                None => {
                    self.end = bytes.len();
                    return Err(self.invalid_token());
                }
                Some(b'"') => {
                    self.end = at + 1;
                    return Ok(Token::String);
                }
                Some(byte @ 0..=0x1f) => {
                    self.end = at;
                    return Err(self.error(format!("Character with value 0x{byte:02x} must be escaped.")));
                }
                Some(b'\\') => match bytes.get(at + 1) {
                    None => {
                        self.end = bytes.len();
                        return Err(self.invalid_token());
                    }
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                    Some(b'u') => {
                        at += 2;
                        for _ in 0..4 {
                            match bytes.get(at) {
                                None => {
                                    self.end = bytes.len();
                                    return Err(self.invalid_token());
                                }
                                Some(byte) if byte.is_ascii_hexdigit() => at += 1,
                                Some(_) => {
                                    self.end = self.character_end(at);
                                    let detail = "\"\\u\" must be followed by four hexadecimal digits.";
                                    return Err(self.error(detail.to_string()));
                                }
                            }
                        }
                    }
                    Some(_) => {
                        self.end = self.character_end(at + 1);
                        let detail = format!("Escape sequence \"{}\" is invalid.", &self.text[at..self.end]);
                        return Err(self.error(detail));
                    }
                },
                Some(_) => at += 1,
            }
        }
    }

    fn character_end(&self, at: usize) -> usize {
        at + self.text[at..].chars().next().map_or(0, char::len_utf8)
    }

    fn token(&self) -> &str {
        &self.text[self.start..self.end]
    }

    fn invalid_token(&self) -> PgError {
        self.error(format!("Token \"{}\" is invalid.", self.token()))
    }

    /// The error with the part of the line that led to it.
    fn error(&self, detail: String) -> PgError {
        let mut from = self.line_start;
        while self.end.saturating_sub(from) >= 50 {
            from = self.character_end(from);
        }
        if from - self.line_start <= 3 {
            from = self.line_start;
        }
        let prefix = if from > self.line_start { "..." } else { "" };
        let more = !self.at_end && !matches!(self.text.as_bytes().get(self.end), None | Some(b'\n' | b'\r'));
        let suffix = if more { "..." } else { "" };
        let shown = &self.text[from..self.end.max(from)];
        PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json")
            .with_detail(detail)
            .with_context(format!("JSON data, line {}: {prefix}{shown}{suffix}", self.line))
    }

    fn unexpected(&self, token: Token, expect: Expect) -> PgError {
        if token == Token::End {
            return self.error("The input string ended unexpectedly.".to_string());
        }
        let expected = match expect {
            Expect::Value | Expect::ValueOrClose => "JSON value",
            Expect::KeyOrClose => "string or \"}\"",
            Expect::Key => "string",
            Expect::Colon => "\":\"",
            Expect::CommaOrBracket => "\",\" or \"]\"",
            Expect::CommaOrBrace => "\",\" or \"}\"",
            Expect::End => "end of input",
        };
        self.error(format!("Expected {expected}, but found \"{}\".", self.token()))
    }
}

/// Whether `text` is JSON (RFC 8259), as PostgreSQL's json type accepts it.
pub fn validate(text: &str) -> Result<()> {
    let mut lexer = Lexer { text, start: 0, end: 0, line: 1, line_start: 0, at_end: false };
    // One entry an open bracket: whether it is an object's.
    let mut open: Vec<bool> = Vec::new();
    let mut expect = Expect::Value;
    loop {
        let token = lexer.next()?;
        let after_value = match open.last() {
            None => Expect::End,
            Some(true) => Expect::CommaOrBrace,
            Some(false) => Expect::CommaOrBracket,
        };
        expect = match (expect, token) {
            (Expect::Value | Expect::ValueOrClose, Token::String | Token::Number | Token::Word) => after_value,
            (Expect::Value | Expect::ValueOrClose, Token::OpenBrace) => {
                open.push(true);
                Expect::KeyOrClose
            }
            (Expect::Value | Expect::ValueOrClose, Token::OpenBracket) => {
                open.push(false);
                Expect::ValueOrClose
            }
            (Expect::ValueOrClose | Expect::CommaOrBracket, Token::CloseBracket)
            | (Expect::KeyOrClose | Expect::CommaOrBrace, Token::CloseBrace) => {
                open.pop();
                match open.last() {
                    None => Expect::End,
                    Some(true) => Expect::CommaOrBrace,
                    Some(false) => Expect::CommaOrBracket,
                }
            }
            (Expect::KeyOrClose | Expect::Key, Token::String) => Expect::Colon,
            (Expect::Colon, Token::Colon) => Expect::Value,
            (Expect::CommaOrBracket, Token::Comma) => Expect::Value,
            (Expect::CommaOrBrace, Token::Comma) => Expect::Key,
            (Expect::End, Token::End) => return Ok(()),
            (expect, token) => return Err(lexer.unexpected(token, expect)),
        };
    }
}
