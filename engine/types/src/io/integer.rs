//! Text form of the integer types: decimal, `0x`, `0o` and `0b`, with underscores between digits.

use super::{invalid_syntax, is_space, trim, value_out_of_range};
use crate::{Datum, Oid, PgError, Result, oid};

enum Fault {
    Syntax,
    Range,
}

/// Reads a signed integer whose magnitude is at most `limit` (one more when negative).
///
/// PostgreSQL reports the first thing that it meets: too many digits before the junk behind them.
fn parse_signed(text: &str, limit: u64) -> std::result::Result<i64, Fault> {
    let bytes = text.as_bytes();
    let start = bytes.iter().position(|byte| !is_space(*byte)).ok_or(Fault::Syntax)?;
    let (negative, digits) = match &bytes[start..] {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (radix, mut rest, mut after_digit) = match digits {
        [b'0', b'x' | b'X', rest @ ..] => (16u64, rest, true),
        [b'0', b'o' | b'O', rest @ ..] => (8, rest, true),
        [b'0', b'b' | b'B', rest @ ..] => (2, rest, true),
        rest => (10, rest, false),
    };
    let mut value = 0u64;
    let mut any = false;
    while let [byte, more @ ..] = rest {
        if let Some(digit) = char::from(*byte).to_digit(radix as u32) {
            if value > (limit + 1) / radix {
                return Err(Fault::Range);
            }
            value = value * radix + u64::from(digit);
            (any, after_digit) = (true, true);
        } else if *byte == b'_' {
            // One underscore, between digits (or behind the prefix).
            let next_is_digit = more.first().is_some_and(|next| char::from(*next).is_digit(radix as u32));
            if !after_digit || !next_is_digit {
                return Err(Fault::Syntax);
            }
            after_digit = false;
        } else {
            break;
        }
        rest = more;
    }
    if !any || !rest.iter().all(|byte| is_space(*byte)) {
        return Err(Fault::Syntax);
    }
    if value > limit + u64::from(negative) {
        return Err(Fault::Range);
    }
    Ok(if negative { (value as i64).wrapping_neg() } else { value as i64 })
}

/// Up to nine plain digits: nearly every integer there is.
#[inline]
fn parse_plain(text: &str) -> Option<i32> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    let mut value = 0i32;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i32::from(byte - b'0');
    }
    Some(if negative { -value } else { value })
}

fn parse<T: TryFrom<i64>>(type_name: &str, limit: u64, text: &str) -> Result<T> {
    let value = match parse_plain(text) {
        Some(value) => i64::from(value),
        None => match parse_signed(text, limit) {
            Ok(value) => value,
            Err(Fault::Syntax) => return Err(invalid_syntax(type_name, text)),
            Err(Fault::Range) => return Err(value_out_of_range(type_name, text)),
        },
    };
    T::try_from(value).map_err(|_| value_out_of_range(type_name, text))
}

/// int2
pub(crate) fn parse_i16(text: &str) -> Result<i16> {
    parse("smallint", i16::MAX as u64, text)
}

/// int4
pub(crate) fn parse_i32(text: &str) -> Result<i32> {
    parse("integer", i32::MAX as u64, text)
}

/// int8
pub(crate) fn parse_i64(text: &str) -> Result<i64> {
    parse("bigint", i64::MAX as u64, text)
}

/// oid, xid, cid: what C's `strtoul` with base 0 reads, so that `010` is 8 and `-1` the greatest.
pub(crate) fn parse_u32(type_name: &str, text: &str) -> Result<u32> {
    let value = parse_unsigned(type_name, text)?;
    // PostgreSQL takes 32 bits with or without sign extension.
    let narrow = value as u32;
    if u64::from(narrow) == value || i64::from(narrow as i32) == value as i64 {
        Ok(narrow)
    } else {
        Err(value_out_of_range(type_name, text))
    }
}

/// xid8
pub(crate) fn parse_u64(type_name: &str, text: &str) -> Result<u64> {
    parse_unsigned(type_name, text)
}

fn parse_unsigned(type_name: &str, text: &str) -> Result<u64> {
    let trimmed = trim(text);
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', _, ..] => (8, digits),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| char::from(byte).is_digit(radix)) {
        return Err(invalid_syntax(type_name, text));
    }
    let value = u64::from_str_radix(digits, radix).map_err(|_| value_out_of_range(type_name, text))?;
    Ok(if negative { value.wrapping_neg() } else { value })
}

/// The reg* types where the text is a number or `-`.
pub(crate) fn parse_registered(text: &str) -> Result<Datum> {
    if text == "-" {
        return Ok(Datum::U32(0));
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return parse_u32("oid", text).map(Datum::U32);
    }
    Err(PgError::unsupported("looking up an object's name while reading a value of this type"))
}

/// Whether a type is one of regclass and its kin.
#[inline]
pub(crate) fn is_registered(type_oid: Oid) -> bool {
    matches!(
        type_oid,
        oid::REGPROC
            | oid::REGPROCEDURE
            | oid::REGOPER
            | oid::REGOPERATOR
            | oid::REGCLASS
            | oid::REGTYPE
            | oid::REGROLE
            | oid::REGNAMESPACE
            | oid::REGCONFIG
            | oid::REGDICTIONARY
            | oid::REGCOLLATION
    )
}

/// Appends an integer's decimal digits without allocating.
#[inline]
pub(crate) fn write_i64(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    write_u64(value.unsigned_abs(), out);
}

/// Appends an unsigned integer's decimal digits without allocating.
#[inline]
pub(crate) fn write_u64(mut value: u64, out: &mut Vec<u8>) {
    const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
                                5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
    let mut buffer = [0u8; 20];
    let mut at = buffer.len();
    while value >= 100 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if value >= 10 {
        let pair = value as usize * 2;
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    } else {
        at -= 1;
        buffer[at] = b'0' + value as u8;
    }
    out.extend_from_slice(&buffer[at..]);
}

/// Appends at least `width` digits, zeros in front.
#[inline]
pub(crate) fn write_padded(value: u64, width: usize, out: &mut Vec<u8>) {
    let digits = value.checked_ilog10().map_or(1, |log| log as usize + 1);
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(digits)));
    write_u64(value, out);
}
