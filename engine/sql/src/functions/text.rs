//! Character strings: lengths, parts, padding, trimming, replacing.
//!
//! Positions and lengths count characters (code points). PostgreSQL's limits are kept: a string above 1 GB is refused
//! (54000) where PostgreSQL refuses it.

use helios_types::{Datum, PgError, Result, SqlState};

use super::arguments::{bytes_at, i32_at, text_at};
use super::errors::invalid_parameter;
use super::strings::{string, value};
use super::{Entry, Implementation};

/// The longest string that PostgreSQL allocates.
const BYTES_MAX: usize = 0x3fff_ffff - 4;

#[cold]
fn too_large() -> PgError {
    PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "requested length too large")
}

#[cold]
fn negative_length() -> PgError {
    PgError::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed")
}

/// Number of characters.
#[inline]
pub(super) fn char_count(text: &str) -> usize {
    // Every byte but UTF-8's continuation bytes begins a character; this loop vectorises.
    text.bytes().filter(|byte| (*byte as i8) >= -0x40).count()
}

/// Byte offset of a character, the length when there are fewer.
#[inline]
pub(super) fn byte_offset(text: &str, chars: usize) -> usize {
    if text.is_ascii() {
        return chars.min(text.len());
    }
    text.char_indices().nth(chars).map_or(text.len(), |(offset, _)| offset)
}

/// SQL's substring: from a position counted from 1, which may lie outside, and a length; `None` is to the end.
pub(super) fn substring(text: &str, start: i32, length: Option<i32>) -> Result<&str> {
    let (start, end) = span(start, length)?;
    let from = byte_offset(text, start);
    let rest = &text[from..];
    Ok(match end {
        Some(end) => &rest[..byte_offset(rest, end - start)],
        None => rest,
    })
}

/// The zero-based part that SQL's start and length mean: start and end, the end open when it is far away.
pub(super) fn span(start: i32, length: Option<i32>) -> Result<(usize, Option<usize>)> {
    let first = i64::from(start).max(1) - 1;
    let Some(length) = length else { return Ok((first as usize, None)) };
    let end = i64::from(start) + i64::from(length);
    if end > i64::from(i32::MAX) {
        return Ok((first as usize, None));
    }
    if length < 0 {
        return Err(negative_length());
    }
    Ok((first as usize, Some(end.max(1).max(first + 1) as usize - 1)))
}

/// Where SQL's overlay cuts: end of the prefix and beginning of the suffix, as positions from 1.
pub(super) fn overlay_cuts(start: i32, length: i32) -> Result<(i32, i32)> {
    if start <= 0 {
        return Err(negative_length());
    }
    let suffix = start
        .checked_add(length)
        .ok_or_else(|| PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?;
    Ok((start - 1, suffix))
}

fn overlay(text: &str, replacement: &str, start: i32, length: i32, out: &mut String) -> Result<()> {
    let (prefix, suffix) = overlay_cuts(start, length)?;
    out.push_str(substring(text, 1, Some(prefix))?);
    out.push_str(replacement);
    out.push_str(substring(text, suffix, None)?);
    Ok(())
}

/// What `left(text, n)` keeps: `n` characters, or all but the last `-n`.
fn left(text: &str, n: i32) -> &str {
    let keep = if n >= 0 { n as usize } else { char_count(text).saturating_sub(n.unsigned_abs() as usize) };
    &text[..byte_offset(text, keep)]
}

/// What `right(text, n)` keeps: the last `n` characters, or all but the first `-n`.
fn right(text: &str, n: i32) -> &str {
    let skip = if n >= 0 { char_count(text).saturating_sub(n as usize) } else { n.unsigned_abs() as usize };
    &text[byte_offset(text, skip)..]
}

/// The characters that pad a string of `text`'s length to `length`: how much of the text stays, and how often which
/// parts of the fill follow.
fn padding<'a>(text: &'a str, length: i32, fill: &str) -> Result<(&'a str, usize)> {
    let length = length.max(0) as usize;
    if length * 4 > BYTES_MAX {
        return Err(too_large());
    }
    let kept = &text[..byte_offset(text, length)];
    let missing = if fill.is_empty() { 0 } else { length - char_count(kept) };
    Ok((kept, missing))
}

fn push_cycle(fill: &str, count: usize, out: &mut String) {
    fill.chars().cycle().take(count).for_each(|char| out.push(char));
}

fn trim_set<'a>(text: &'a str, set: &str, left: bool, right: bool) -> &'a str {
    let mut text = text;
    if let (Some(only), true) = (set.bytes().next(), set.len() == 1) {
        let only = only as char;
        if left {
            text = text.trim_start_matches(only);
        }
        return if right { text.trim_end_matches(only) } else { text };
    }
    let within = |char: char| set.contains(char);
    if left {
        text = text.trim_start_matches(within);
    }
    if right {
        text = text.trim_end_matches(within);
    }
    text
}

fn replace(text: &str, from: &str, to: &str, out: &mut String) {
    if from.is_empty() {
        return out.push_str(text);
    }
    let mut parts = text.split(from);
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str(to);
        out.push_str(part);
    }
}

/// Characters of `from` become those of `to` at the same place, or vanish.
fn translate(text: &str, from: &str, to: &str, out: &mut String) {
    for char in text.chars() {
        match from.chars().position(|candidate| candidate == char) {
            None => out.push(char),
            Some(place) => out.extend(to.chars().nth(place)),
        }
    }
}

/// The field at a position counted from 1, or from the end when negative; nothing when there is none.
pub(super) fn split_part<'a>(text: &'a str, delimiter: &str, field: i32) -> Result<&'a str> {
    if field == 0 {
        return Err(invalid_parameter("field position must not be zero"));
    }
    if text.is_empty() {
        return Ok("");
    }
    if delimiter.is_empty() {
        return Ok(if field == 1 || field == -1 { text } else { "" });
    }
    Ok(if field > 0 {
        text.split(delimiter).nth(field as usize - 1).unwrap_or_default()
    } else {
        // Fields are cut from the left even when they are counted from the right.
        let count = text.split(delimiter).count();
        match count.checked_sub(field.unsigned_abs() as usize) {
            Some(place) => text.split(delimiter).nth(place).unwrap_or_default(),
            None => "",
        }
    })
}

fn chr(code: i32) -> Result<char> {
    if code < 0 {
        return Err(invalid_parameter("character number must be positive"));
    }
    if code == 0 {
        return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "null character not permitted"));
    }
    let refuse = |what| {
        PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("requested character {what} for encoding: {code}"))
    };
    if code > 0x10_ffff {
        return Err(refuse("too large"));
    }
    char::from_u32(code as u32).ok_or_else(|| refuse("not valid"))
}

fn repeat(text: &str, count: i32, out: &mut String) -> Result<()> {
    let count = count.max(0) as usize;
    if text.len() * count > BYTES_MAX {
        return Err(too_large());
    }
    out.reserve(text.len() * count);
    (0..count).for_each(|_| out.push_str(text));
    Ok(())
}

/// Appends an integer in a base of 2, 8 or 16.
fn push_base(value: u64, bits: u32, out: &mut String) {
    let digits = (64 - value.leading_zeros()).div_ceil(bits).max(1);
    for place in (0..digits).rev() {
        let digit = (value >> (place * bits)) as u32 & ((1 << bits) - 1);
        out.push(char::from_digit(digit, 1 << bits).expect("a digit of the base"));
    }
}

fn length(count: usize) -> Result<i32> {
    i32::try_from(count).map_err(|_| PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))
}

/// The character position, from 1, of the first occurrence; 0 when there is none.
fn position(text: &str, wanted: &str) -> Result<i32> {
    text.find(wanted).map_or(Ok(0), |offset| length(char_count(&text[..offset]) + 1))
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    value!("textlen", |_, text: &str| -> i32 { length(char_count(text)) }),
    value!("bpcharlen", |_, text: &str| -> i32 { length(char_count(text.trim_end_matches(' '))) }),
    value!("textoctetlen", |_, bytes: &[u8]| -> i32 { length(bytes.len()) }),
    value!("bpcharoctetlen", |_, bytes: &[u8]| -> i32 { length(bytes.len()) }),
    value!("textpos", |_, text: &str, wanted: &str| -> i32 { position(text, wanted) }),
    value!("ascii", |_, text: &str| -> i32 { Ok(text.chars().next().map_or(0, |char| char as i32)) }),
    string!("chr", |_, code: i32; out| { out.push(chr(code)?); Ok(()) }),
    string!("textcat", |_, a: &str, b: &str; out| { out.push_str(a); out.push_str(b); Ok(()) }),
    string!("text_substr", |_, text: &str, start: i32, length: i32; out| {
        out.push_str(substring(text, start, Some(length))?);
        Ok(())
    }),
    string!("text_substr_no_len", |_, text: &str, start: i32; out| {
        out.push_str(substring(text, start, None)?);
        Ok(())
    }),
    string!("textoverlay", |_, text: &str, new: &str, start: i32, length: i32; out| {
        overlay(text, new, start, length, out)
    }),
    string!("textoverlay_no_len", |_, text: &str, new: &str, start: i32; out| {
        overlay(text, new, start, length(char_count(new))?, out)
    }),
    string!("text_left", |_, text: &str, n: i32; out| { out.push_str(left(text, n)); Ok(()) }),
    string!("text_right", |_, text: &str, n: i32; out| { out.push_str(right(text, n)); Ok(()) }),
    string!("lpad", |_, text: &str, length: i32, fill: &str; out| {
        let (kept, missing) = padding(text, length, fill)?;
        push_cycle(fill, missing, out);
        out.push_str(kept);
        Ok(())
    }),
    string!("rpad", |_, text: &str, length: i32, fill: &str; out| {
        let (kept, missing) = padding(text, length, fill)?;
        out.push_str(kept);
        push_cycle(fill, missing, out);
        Ok(())
    }),
    string!("btrim", |_, text: &str, set: &str; out| { out.push_str(trim_set(text, set, true, true)); Ok(()) }),
    string!("ltrim", |_, text: &str, set: &str; out| { out.push_str(trim_set(text, set, true, false)); Ok(()) }),
    string!("rtrim", |_, text: &str, set: &str; out| { out.push_str(trim_set(text, set, false, true)); Ok(()) }),
    string!("btrim1", |_, text: &str; out| { out.push_str(text.trim_matches(' ')); Ok(()) }),
    string!("ltrim1", |_, text: &str; out| { out.push_str(text.trim_start_matches(' ')); Ok(()) }),
    // Also the cast of bpchar to text.
    string!("rtrim1", |_, text: &str; out| { out.push_str(text.trim_end_matches(' ')); Ok(()) }),
    string!("replace_text", |_, text: &str, from: &str, to: &str; out| { replace(text, from, to, out); Ok(()) }),
    string!("translate", |_, text: &str, from: &str, to: &str; out| { translate(text, from, to, out); Ok(()) }),
    string!("text_reverse", |_, text: &str; out| { out.extend(text.chars().rev()); Ok(()) }),
    string!("repeat", |_, text: &str, count: i32; out| { repeat(text, count, out) }),
    string!("split_part", |_, text: &str, delimiter: &str, field: i32; out| {
        out.push_str(split_part(text, delimiter, field)?);
        Ok(())
    }),
    string!("to_hex32", |_, value: i32; out| { push_base(u64::from(value as u32), 4, out); Ok(()) }),
    string!("to_hex64", |_, value: i64; out| { push_base(value as u64, 4, out); Ok(()) }),
    string!("to_oct32", |_, value: i32; out| { push_base(u64::from(value as u32), 3, out); Ok(()) }),
    string!("to_oct64", |_, value: i64; out| { push_base(value as u64, 3, out); Ok(()) }),
    string!("to_bin32", |_, value: i32; out| { push_base(u64::from(value as u32), 1, out); Ok(()) }),
    string!("to_bin64", |_, value: i64; out| { push_base(value as u64, 1, out); Ok(()) }),
]];

/// SQL-language builtins of this module, by `pg_proc.oid`.
pub(super) const SQL_FUNCTIONS: &[(u32, Implementation)] = &[
    // lpad and rpad with blanks.
    (
        879,
        Implementation::Scalar(|_, args| {
            let (kept, missing) = padding(text_at(args, 0), i32_at(args, 1), " ")?;
            Ok(Datum::text(" ".repeat(missing) + kept))
        }),
    ),
    (
        880,
        Implementation::Scalar(|_, args| {
            let (kept, missing) = padding(text_at(args, 0), i32_at(args, 1), " ")?;
            Ok(Datum::text(kept.to_owned() + &" ".repeat(missing)))
        }),
    ),
    // bit_length of bytea and of text.
    (1810, Implementation::Scalar(|_, args| Ok(Datum::I32(length(bytes_at(args, 0).len() * 8)?)))),
    (1811, Implementation::Scalar(|_, args| Ok(Datum::I32(length(text_at(args, 0).len() * 8)?)))),
];
