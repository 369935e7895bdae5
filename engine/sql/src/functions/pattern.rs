//! LIKE and ILIKE, and the translation of SIMILAR TO patterns into regular expressions.
//!
//! A pattern is compiled into pieces once and kept at the call site; the shapes that queries are made of (`abc`,
//! `abc%`, `%abc`, `%abc%`) are recognised and matched by comparing bytes. UTF-8 lets literals be compared as bytes; only
//! `_` must step over a whole character. ILIKE lowercases both sides first, as PostgreSQL does.

use std::sync::Arc;

use helios_types::{ColumnData, Datum, PgError, Result, SqlState};

use super::bytes::byte_column;
use super::native::counts;
use super::strings::{Argument, binary, string};
use super::{CallCache, Entry, Implementation, case};

/// A piece of a compiled pattern.
#[derive(Debug, PartialEq)]
enum Piece {
    /// These bytes.
    Literal(Vec<u8>),
    /// `_`: one character.
    One,
    /// `%`: any characters.
    Many,
    /// An escape character without a character behind it; an error once matching gets there.
    DanglingEscape,
}

/// A compiled LIKE pattern.
#[derive(Debug)]
enum Like {
    Exact(Vec<u8>),
    Prefix(Vec<u8>),
    Suffix(Vec<u8>),
    Contains(Vec<u8>),
    General(Vec<Piece>),
}

impl Like {
    fn compile(pattern: &[u8]) -> Like {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut bytes = pattern.iter();
        while let Some(byte) = bytes.next() {
            let literal = match byte {
                b'%' => {
                    if pieces.last() != Some(&Piece::Many) {
                        pieces.push(Piece::Many);
                    }
                    continue;
                }
                b'_' => {
                    pieces.push(Piece::One);
                    continue;
                }
                b'\\' => match bytes.next() {
                    Some(escaped) => *escaped,
                    None => {
                        pieces.push(Piece::DanglingEscape);
                        continue;
                    }
                },
                _ => *byte,
            };
            match pieces.last_mut() {
                Some(Piece::Literal(run)) => run.push(literal),
                _ => pieces.push(Piece::Literal(vec![literal])),
            }
        }
        match pieces.as_mut_slice() {
            [] => Like::Exact(Vec::new()),
            [Piece::Literal(all)] => Like::Exact(std::mem::take(all)),
            [Piece::Literal(head), Piece::Many] => Like::Prefix(std::mem::take(head)),
            [Piece::Many, Piece::Literal(tail)] => Like::Suffix(std::mem::take(tail)),
            [Piece::Many] => Like::Prefix(Vec::new()),
            [Piece::Many, Piece::Literal(inside), Piece::Many] => Like::Contains(std::mem::take(inside)),
            _ => Like::General(pieces),
        }
    }

    /// `step` is how long the character at the beginning of some bytes is.
    fn matches(&self, text: &[u8], step: fn(&[u8]) -> usize) -> Result<bool> {
        Ok(match self {
            Like::Exact(all) => text == all.as_slice(),
            Like::Prefix(head) => text.starts_with(head),
            Like::Suffix(tail) => text.ends_with(tail),
            Like::Contains(inside) => contains(text, inside),
            Like::General(pieces) => return general(pieces, text, step),
        })
    }
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    let Some((first, rest)) = wanted.split_first() else { return true };
    let mut from = text;
    while let Some(at) = from.iter().position(|byte| byte == first) {
        from = &from[at + 1..];
        if from.starts_with(rest) {
            return true;
        }
    }
    false
}

/// Matches piece by piece; after a failure the last `%` swallows one more character. (An earlier `%` never has to:
/// whatever it could reach, the later one reaches too.)
fn general(pieces: &[Piece], text: &[u8], step: fn(&[u8]) -> usize) -> Result<bool> {
    let (mut piece, mut at) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let matched = match pieces.get(piece) {
            None => at == text.len(),
            Some(Piece::Many) => {
                retry = Some((piece, at));
                true
            }
            Some(Piece::One) if at < text.len() => {
                at += step(&text[at..]);
                true
            }
            Some(Piece::Literal(run)) if text[at..].starts_with(run) => {
                at += run.len();
                true
            }
            Some(Piece::DanglingEscape) if at < text.len() => {
                return Err(PgError::new(
                    SqlState::INVALID_ESCAPE_SEQUENCE,
                    "LIKE pattern must not end with escape character",
                ));
            }
            _ => false,
        };
        if matched {
            if piece == pieces.len() {
                return Ok(true);
            }
            piece += 1;
            continue;
        }
        match &mut retry {
            Some((many, from)) if *from < text.len() => {
                *from += step(&text[*from..]);
                (piece, at) = (*many + 1, *from);
            }
            _ => return Ok(false),
        }
    }
}

/// Length of the UTF-8 character at the beginning.
fn char_step(text: &[u8]) -> usize {
    let length = match text[0] {
        0..=0xbf => 1,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    };
    length.min(text.len())
}

fn byte_step(_: &[u8]) -> usize {
    1
}

/// The compiled pattern, from the call site when it is the same as before.
fn compiled(cache: &CallCache, pattern: &[u8], fold: bool) -> Arc<Like> {
    let make = |pattern: &[u8]| {
        Ok::<Like, std::convert::Infallible>(if fold {
            Like::compile(&lowered(pattern))
        } else {
            Like::compile(pattern)
        })
    };
    let kept = match std::str::from_utf8(pattern) {
        Ok(key) => cache.get_or_make(key, || make(pattern)),
        Err(_) => make(pattern).map(Arc::new),
    };
    match kept {
        Ok(like) => like,
        Err(never) => match never {},
    }
}

fn lowered(text: &[u8]) -> Vec<u8> {
    let mut out = String::new();
    case::lower_text(std::str::from_utf8(text).expect("text is UTF-8"), &mut out);
    out.into_bytes()
}

/// An entry that matches, with the case folded or not, and negated or not.
macro_rules! like {
    ($name:literal, $step:expr, $fold:literal, $negated:literal) => {
        (
            $name,
            Implementation::Kernel(
                |ctx, args| {
                    let (text, pattern) = (<&[u8]>::of_datum(&args[0]), <&[u8]>::of_datum(&args[1]));
                    let like = compiled(ctx.cache, pattern, $fold);
                    let matched = if $fold { like.matches(&lowered(text), $step) } else { like.matches(text, $step) };
                    Ok(Datum::Bool(matched? != $negated))
                },
                |ctx, args, skip, rows| {
                    let (texts, patterns) = (byte_column(args[0]), byte_column(args[1]));
                    let mut last: Option<(&[u8], Arc<Like>)> = None;
                    let one = |row: usize| {
                        if !counts(skip, row) {
                            return Ok(false);
                        }
                        let pattern = patterns.get(row);
                        let like = match &last {
                            Some((kept, like)) if *kept == pattern => like,
                            _ => &last.insert((pattern, compiled(ctx.cache, pattern, $fold))).1,
                        };
                        let text = texts.get(row);
                        let matched =
                            if $fold { like.matches(&lowered(text), $step) } else { like.matches(text, $step) };
                        Ok(matched? != $negated)
                    };
                    Ok(ColumnData::Bool((0..rows).map(one).collect::<Result<Vec<bool>>>()?))
                },
            ),
        )
    };
}

#[cold]
fn invalid_escape_string() -> PgError {
    PgError::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape string")
        .with_hint("Escape string must be empty or one character.")
}

/// The only character of an escape string; `None` when it is empty.
fn escape_char(escape: &str) -> Result<Option<char>> {
    let mut chars = escape.chars();
    match (chars.next(), chars.next()) {
        (first, None) => Ok(first),
        _ => Err(invalid_escape_string()),
    }
}

/// Rewrites a pattern with another escape character into one with backslashes.
fn like_escape(pattern: &str, escape: Option<char>, out: &mut String) {
    let mut escaped = false;
    for char in pattern.chars() {
        if Some(char) == escape && !escaped {
            out.push('\\');
            // A backslash as the escape leaves the pattern as it is.
            escaped = true;
            continue;
        }
        if char == '\\' && !escaped {
            out.push('\\');
        }
        out.push(char);
        escaped = false;
    }
}

/// The regular expression that a SIMILAR TO pattern stands for.
///
/// Two escaped double quotes part the pattern for `SUBSTRING(... SIMILAR ...)`: the first part becomes non-greedy and the
/// middle one the only capture.
fn similar(pattern: &str, escape: Option<char>) -> Result<String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    out.push_str("^(?:");
    let (mut escaped, mut separators) = (false, 0);
    // How deep in brackets, and how far behind the opening one (`]` there is a member): 1, 2 behind `^`, 3 anywhere else.
    let (mut depth, mut place) = (0, 0);
    for char in pattern.chars() {
        if escaped {
            escaped = false;
            if char == '"' && depth == 0 {
                out.push_str(match separators {
                    0 => "){1,1}?(",
                    1 => "){1,1}(?:",
                    _ => {
                        return Err(PgError::new(
                            SqlState(*b"2200C"),
                            "SQL regular expression may not contain more than two escape-double-quote separators",
                        ));
                    }
                });
                separators += 1;
            } else {
                out.push('\\');
                out.push(char);
                if depth > 0 {
                    place = 3;
                }
            }
        } else if Some(char) == escape {
            escaped = true;
        } else if depth > 0 {
            if char == '\\' {
                out.push('\\');
            }
            out.push(char);
            match char {
                ']' if place > 2 => depth -= 1,
                '[' => (depth, place) = (depth + 1, 1),
                '^' => place += 1,
                _ => place = 3,
            }
        } else {
            match char {
                '[' => {
                    out.push(char);
                    (depth, place) = (1, 1);
                }
                '%' => out.push_str(".*"),
                '_' => out.push('.'),
                '(' => out.push_str("(?:"),
                '\\' | '.' | '^' | '$' => {
                    out.push('\\');
                    out.push(char);
                }
                _ => out.push(char),
            }
        }
    }
    out.push_str(")$");
    Ok(out)
}

/// The regular expression of a SIMILAR TO pattern with an escape string.
pub(super) fn similar_with_escape(pattern: &str, escape: &str) -> Result<String> {
    similar(pattern, escape_char(escape)?)
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    like!("textlike", char_step, false, false),
    like!("textnlike", char_step, false, true),
    like!("namelike", char_step, false, false),
    like!("namenlike", char_step, false, true),
    like!("bytealike", byte_step, false, false),
    like!("byteanlike", byte_step, false, true),
    like!("texticlike", char_step, true, false),
    like!("texticnlike", char_step, true, true),
    like!("nameiclike", char_step, true, false),
    like!("nameicnlike", char_step, true, true),
    string!("like_escape", |_, pattern: &str, escape: &str; out| {
        like_escape(pattern, escape_char(escape)?, out);
        Ok(())
    }),
    binary!("like_escape_bytea", |_, pattern: &[u8], escape: &[u8]; out| {
        let escape = match escape {
            [] => None,
            [byte] => Some(*byte),
            _ => return Err(invalid_escape_string()),
        };
        let mut escaped = false;
        for byte in pattern {
            if Some(*byte) == escape && !escaped {
                out.push(b'\\');
                escaped = true;
                continue;
            }
            if *byte == b'\\' && !escaped {
                out.push(b'\\');
            }
            out.push(*byte);
            escaped = false;
        }
        Ok(())
    }),
    string!("similar_to_escape_1", |_, pattern: &str; out| {
        out.push_str(&similar(pattern, Some('\\'))?);
        Ok(())
    }),
    string!("similar_to_escape_2", |_, pattern: &str, escape: &str; out| {
        out.push_str(&similar(pattern, escape_char(escape)?)?);
        Ok(())
    }),
    // Not strict: a NULL escape is the backslash.
    (
        "similar_escape",
        Implementation::Scalar(|_, args| {
            if args[0].is_null() {
                return Ok(Datum::Null);
            }
            let escape = if args[1].is_null() { Some('\\') } else { escape_char(<&str>::of_datum(&args[1]))? };
            similar(<&str>::of_datum(&args[0]), escape).map(Datum::text)
        }),
    ),
]];
