//! Cutting bytes into lines.
//!
//! The first line end decides what a line end is (`\n`, `\r\n` or `\r`); another kind later is an error, because it is
//! more likely a damaged file than meant. In text format a backslash takes the next byte with it, even a newline, and
//! `\.` alone on a line ends the data. In CSV, line ends inside quotes are data.

use helios_types::{PgError, Result};

use super::{CopyOptions, bad_format};

/// What ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    Unknown,
    Newline,
    CarriageReturn,
    Both,
}

/// A line without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Where it is in [`LineReader::bytes`].
    pub(crate) range: std::ops::Range<usize>,
    /// Its number, from 1: the last one, where it has several.
    pub(crate) number: u64,
}

/// Cuts bytes that come in pieces into lines.
#[derive(Debug)]
pub(crate) struct LineReader {
    csv: Option<(u8, u8)>,
    line_end: LineEnd,
    buffer: Vec<u8>,
    /// Where the next line starts.
    start: usize,
    /// How far it has been looked at.
    at: usize,
    in_quotes: bool,
    last_was_escape: bool,
    /// Number of the line that is being read.
    number: u64,
    complete: bool,
    /// `\.` was met: what follows is ignored.
    ended: bool,
}

/// What the bytes at hand hold.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Line { end: usize, next: usize },
    End,
    NeedsMore,
}

impl LineReader {
    pub(crate) fn new(options: &CopyOptions) -> LineReader {
        LineReader {
            csv: options.is_csv().then_some((options.quote, options.escape)),
            line_end: LineEnd::Unknown,
            buffer: Vec::new(),
            start: 0,
            at: 0,
            in_quotes: false,
            last_was_escape: false,
            number: 1,
            complete: false,
            ended: false,
        }
    }

    /// Adds a piece. Lines found before are forgotten.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.forget();
        if !self.ended {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// There is no more.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    /// Number of the line that is being read.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// What the ranges of lines point into.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    fn forget(&mut self) {
        self.buffer.drain(..self.start);
        self.at -= self.start;
        self.start = 0;
    }

    /// The next line; `None` when it is not complete yet, or there is none.
    pub(crate) fn next(&mut self) -> Result<Option<Line>> {
        if self.ended {
            return Ok(None);
        }
        let found = if self.csv.is_some() { self.find_csv()? } else { self.find_text()? };
        match found {
            Found::End => {
                self.ended = true;
                Ok(None)
            }
            Found::NeedsMore if !self.complete || self.start == self.buffer.len() => Ok(None),
            Found::NeedsMore => Ok(Some(self.take(self.buffer.len(), self.buffer.len()))),
            Found::Line { end, next } => Ok(Some(self.take(end, next))),
        }
    }

    fn take(&mut self, end: usize, next: usize) -> Line {
        let line = Line { range: self.start..end, number: self.number };
        self.number += 1;
        (self.start, self.at) = (next, next);
        (self.in_quotes, self.last_was_escape) = (false, false);
        line
    }

    fn find_text(&mut self) -> Result<Found> {
        loop {
            let Some(skip) = self.buffer[self.at..].iter().position(|byte| matches!(byte, b'\n' | b'\r' | b'\\'))
            else {
                self.at = self.buffer.len();
                return Ok(Found::NeedsMore);
            };
            self.at += skip;
            if self.buffer[self.at] != b'\\' {
                if let Some(found) = self.line_end()? {
                    return Ok(found);
                }
                continue;
            }
            match self.buffer.get(self.at + 1) {
                None => return Ok(Found::NeedsMore),
                Some(b'.') => return self.end_marker(),
                Some(_) => self.at += 2,
            }
        }
    }

    fn find_csv(&mut self) -> Result<Found> {
        let (quote, escape) = self.csv.expect("asked of CSV only");
        let escape = (escape != quote).then_some(escape);
        while let Some(&byte) = self.buffer.get(self.at) {
            if self.in_quotes && Some(byte) == escape {
                self.last_was_escape = !self.last_was_escape;
            }
            if byte == quote && !self.last_was_escape {
                self.in_quotes = !self.in_quotes;
            }
            if Some(byte) != escape {
                self.last_was_escape = false;
            }
            match byte {
                b'\n' | b'\r' if !self.in_quotes => {
                    if let Some(found) = self.line_end()? {
                        return Ok(found);
                    }
                }
                _ => {
                    let counted = if self.line_end == LineEnd::Newline { b'\n' } else { b'\r' };
                    self.number += u64::from(self.in_quotes && byte == counted);
                    self.at += 1;
                }
            }
        }
        Ok(Found::NeedsMore)
    }

    /// Looks at the line end at the place that has been reached. `None`: it cannot be, and `at` has moved on.
    fn line_end(&mut self) -> Result<Option<Found>> {
        let end = self.at;
        let quoted = if self.csv.is_some() { ("unquoted", "quoted CSV field") } else { ("literal", "\"\\r\"") };
        if self.buffer[end] == b'\n' {
            if matches!(self.line_end, LineEnd::CarriageReturn | LineEnd::Both) {
                let how = if self.csv.is_some() { "quoted CSV field" } else { "\"\\n\"" };
                return Err(bad_format(format!("{} newline found in data", quoted.0))
                    .with_hint(format!("Use {how} to represent newline.")));
            }
            self.line_end = LineEnd::Newline;
            return Ok(Some(Found::Line { end, next: end + 1 }));
        }
        let wrong = || -> PgError {
            bad_format(format!("{} carriage return found in data", quoted.0))
                .with_hint(format!("Use {} to represent carriage return.", quoted.1))
        };
        if self.line_end == LineEnd::Newline {
            return Err(wrong());
        }
        if self.line_end != LineEnd::CarriageReturn {
            match self.buffer.get(end + 1) {
                Some(b'\n') => {
                    self.line_end = LineEnd::Both;
                    return Ok(Some(Found::Line { end, next: end + 2 }));
                }
                None if !self.complete => return Ok(Some(Found::NeedsMore)),
                _ if self.line_end == LineEnd::Both => return Err(wrong()),
                _ => self.line_end = LineEnd::CarriageReturn,
            }
        }
        Ok(Some(Found::Line { end, next: end + 1 }))
    }

    /// Looks at `\.`.
    fn end_marker(&self) -> Result<Found> {
        let not_alone = || bad_format("end-of-copy marker is not alone on its line");
        let other_style = || bad_format("end-of-copy marker does not match previous newline style");
        let mut rest = self.buffer[self.at + 2..].iter().copied();
        let needs_more = || if self.complete { Err(not_alone()) } else { Ok(Found::NeedsMore) };
        if self.line_end == LineEnd::Both {
            match rest.next() {
                None => return needs_more(),
                Some(b'\n') => return Err(other_style()),
                Some(b'\r') => {}
                Some(_) => return Err(not_alone()),
            }
        }
        let end = match rest.next() {
            None => return needs_more(),
            Some(end @ (b'\n' | b'\r')) => end,
            Some(_) => return Err(not_alone()),
        };
        let expected = match self.line_end {
            LineEnd::Unknown => end,
            LineEnd::Newline | LineEnd::Both => b'\n',
            LineEnd::CarriageReturn => b'\r',
        };
        if end != expected {
            return Err(other_style());
        }
        if self.at != self.start {
            return Err(not_alone());
        }
        Ok(Found::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::CopyFormat;

    /// The lines, then the error if there is one; fed in pieces of this many bytes.
    fn lines(csv: bool, data: &str, piece: usize) -> Vec<String> {
        let mut options = CopyOptions::parse(&[], true).expect("no options");
        if csv {
            options.format = CopyFormat::Csv;
        }
        let mut reader = LineReader::new(&options);
        let mut found = Vec::new();
        let mut drain = |reader: &mut LineReader| loop {
            match reader.next() {
                Ok(None) => return true,
                Ok(Some(line)) => {
                    let text = String::from_utf8_lossy(&reader.bytes()[line.range.clone()]).into_owned();
                    found.push(format!("{}:{text}", line.number));
                }
                Err(error) => {
                    found.push(format!("{}!{}", reader.number(), error.message()));
                    return false;
                }
            }
        };
        for piece in data.as_bytes().chunks(piece) {
            reader.push(piece);
            if !drain(&mut reader) {
                return found;
            }
        }
        reader.complete();
        drain(&mut reader);
        found
    }

    #[track_caller]
    fn check(csv: bool, data: &str, expected: &[&str]) {
        for piece in 1..=data.len().max(1) {
            assert_eq!(lines(csv, data, piece), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn the_first_line_end_decides() {
        check(false, "a\nb\nc", &["1:a", "2:b", "3:c"]);
        check(false, "a\r\nb\r\n", &["1:a", "2:b"]);
        check(false, "a\rb\r", &["1:a", "2:b"]);
        check(false, "a\n\nb", &["1:a", "2:", "3:b"]);
        check(false, "a\nb\rc\n", &["1:a", "2!literal carriage return found in data"]);
        check(false, "a\r\nb\nc\r\n", &["1:a", "2!literal newline found in data"]);
        check(true, "a\nb\rc\n", &["1:a", "2!unquoted carriage return found in data"]);
        check(false, "", &[]);
    }

    #[test]
    fn a_backslash_takes_the_next_byte_with_it() {
        check(false, "a\\\nb\nc\n", &["1:a\\\nb", "2:c"]);
        check(false, "a\\\\\nb\n", &["1:a\\\\", "2:b"]);
        check(true, "a\\\nb\n", &["1:a\\", "2:b"]);
    }

    #[test]
    fn the_end_marker_stands_alone() {
        check(false, "a\n\\.\nrest\n", &["1:a"]);
        check(false, "a\r\n\\.\r\nrest\r\n", &["1:a"]);
        check(false, "a\nb\\.\n", &["1:a", "2!end-of-copy marker is not alone on its line"]);
        check(false, "a\n\\.x\n", &["1:a", "2!end-of-copy marker is not alone on its line"]);
        check(false, "a\n\\.", &["1:a", "2!end-of-copy marker is not alone on its line"]);
        check(false, "a\n\\.\r\n", &["1:a", "2!end-of-copy marker does not match previous newline style"]);
        check(true, "a\n\\.\nb\n", &["1:a", "2:\\.", "3:b"]);
    }

    #[test]
    fn quotes_hide_line_ends() {
        check(true, "a,\"b\nc\"\nd\n", &["1:a,\"b\nc\"", "2:d"]);
        check(true, "x\na,\"b\nc\"\nd\n", &["1:x", "3:a,\"b\nc\"", "4:d"]);
        check(true, "a,\"b\"\"\n\"\n", &["1:a,\"b\"\"\n\""]);
        check(true, "1,\"abc\n", &["1:1,\"abc\n"]);
    }
}
