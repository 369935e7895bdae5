//! Text form of numerics.

use std::fmt::Write as _;

use num_bigint::BigInt;

use super::{MAX_SCALE, Numeric, Special, View, decimal_digits, decimal_weight, overflow, power_of_ten};
use crate::{PgError, Result, SqlState};

fn invalid(text: &str) -> PgError {
    PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("invalid input syntax for type numeric: \"{text}\""))
}

/// Digits of a radix with single underscores between digits, appended to `digits`; the rest of the text.
/// `None` where an underscore stands without a digit after it.
fn take_digits<'a>(mut text: &'a [u8], radix: u32, digits: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let count = text.iter().take_while(|byte| (**byte as char).is_digit(radix)).count();
        digits.extend_from_slice(&text[..count]);
        text = &text[count..];
        match text {
            [b'_', next, ..] if count > 0 && (*next as char).is_digit(radix) => text = &text[1..],
            [b'_', ..] => return None,
            _ => return Some(text),
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

impl std::str::FromStr for Numeric {
    type Err = PgError;

    fn from_str(text: &str) -> Result<Numeric> {
        Numeric::parse(text)
    }
}

impl Numeric {
    /// PostgreSQL's `numeric_in` without a type modifier: decimal with an optional exponent, `0x`, `0o` and `0b` integers,
    /// underscores between digits, `NaN`, `inf`, `infinity`.
    pub fn parse(text: &str) -> Result<Numeric> {
        let bytes = text.as_bytes();
        // The fast path: up to 18 plain digits.
        if let Some(small) = parse_plain(bytes) {
            return Ok(small);
        }
        let start = bytes.iter().position(|byte| !is_space(*byte)).unwrap_or(bytes.len());
        let end = bytes.iter().rposition(|byte| !is_space(*byte)).map_or(start, |last| last + 1);
        let trimmed = &bytes[start..end.max(start)];
        let (negative, body) = match trimmed {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        match body {
            [b'0', b'x' | b'X', digits @ ..] => parse_radix(digits, 16, negative).ok_or_else(|| invalid(text))?,
            [b'0', b'o' | b'O', digits @ ..] => parse_radix(digits, 8, negative).ok_or_else(|| invalid(text))?,
            [b'0', b'b' | b'B', digits @ ..] => parse_radix(digits, 2, negative).ok_or_else(|| invalid(text))?,
            [b'0'..=b'9' | b'.', ..] => parse_decimal(body, negative).ok_or_else(|| invalid(text))?,
            _ if body.eq_ignore_ascii_case(b"nan") && body.len() == trimmed.len() => Ok(Numeric::NAN),
            _ if body.eq_ignore_ascii_case(b"inf") || body.eq_ignore_ascii_case(b"infinity") => {
                Ok(if negative { Numeric::NEGATIVE_INFINITY } else { Numeric::INFINITY })
            }
            _ => Err(invalid(text)),
        }
    }

    /// Appends the text form.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        match self.view() {
            View::Special(Special::NaN) => out.extend_from_slice(b"NaN"),
            View::Special(Special::Infinity) => out.extend_from_slice(b"Infinity"),
            View::Special(Special::NegativeInfinity) => out.extend_from_slice(b"-Infinity"),
            View::Small(coefficient, scale) => {
                let mut buffer = [0u8; 20];
                let mut at = buffer.len();
                let mut rest = coefficient.unsigned_abs();
                while rest > 0 {
                    at -= 1;
                    buffer[at] = b'0' + (rest % 10) as u8;
                    rest /= 10;
                }
                write_point(coefficient < 0, &buffer[at..], scale, out);
            }
            View::Big(coefficient, scale) => {
                let digits = coefficient.magnitude().to_str_radix(10);
                write_point(coefficient.sign() == num_bigint::Sign::Minus, digits.as_bytes(), scale, out);
            }
        }
    }
}

/// Digits without leading zeros (none for zero) with a point `scale` digits from the end.
fn write_point(negative: bool, digits: &[u8], scale: u16, out: &mut Vec<u8>) {
    let scale = usize::from(scale);
    if negative {
        out.push(b'-');
    }
    if digits.len() > scale {
        out.extend_from_slice(&digits[..digits.len() - scale]);
    } else {
        out.push(b'0');
    }
    if scale > 0 {
        out.push(b'.');
        out.extend(std::iter::repeat_n(b'0', scale.saturating_sub(digits.len())));
        out.extend_from_slice(&digits[digits.len().saturating_sub(scale)..]);
    }
}

/// `-123.45` and nothing more.
fn parse_plain(text: &[u8]) -> Option<Numeric> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || digits.len() > 18 || !digits[0].is_ascii_digit() {
        return None;
    }
    let mut coefficient = 0i64;
    let mut point = None;
    for (index, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => coefficient = coefficient * 10 + i64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(index),
            _ => return None,
        }
    }
    let scale = point.map_or(0, |point| digits.len() - point - 1);
    Some(Numeric::new(if negative { -coefficient } else { coefficient }, scale as u16))
}

fn parse_radix(text: &[u8], radix: u32, negative: bool) -> Option<Result<Numeric>> {
    // An underscore may follow the prefix.
    let text = match text {
        [b'_', rest @ ..] => rest,
        rest => rest,
    };
    let mut digits = Vec::new();
    let rest = take_digits(text, radix, &mut digits)?;
    if digits.is_empty() || !rest.is_empty() {
        return None;
    }
    let value = BigInt::parse_bytes(&digits, radix)?;
    Some(Numeric::checked(if negative { -value } else { value }, 0))
}

fn parse_decimal(text: &[u8], negative: bool) -> Option<Result<Numeric>> {
    let mut digits = Vec::with_capacity(text.len());
    let mut rest = text;
    if rest[0] != b'.' {
        rest = take_digits(rest, 10, &mut digits)?;
    }
    let integral = digits.len();
    if let [b'.', after @ ..] = rest {
        rest = after;
        if rest.first().is_some_and(|byte| byte.is_ascii_digit()) {
            rest = take_digits(rest, 10, &mut digits)?;
        }
    }
    if digits.is_empty() {
        return None;
    }
    let mut scale = (digits.len() - integral) as i64;
    if let [b'e' | b'E', after @ ..] = rest {
        let (minus, after) = match after {
            [b'-', after @ ..] => (true, after),
            [b'+', after @ ..] => (false, after),
            after => (false, after),
        };
        let mut exponent = Vec::new();
        rest = take_digits(after, 10, &mut exponent)?;
        if exponent.is_empty() {
            return None;
        }
        let value = exponent.iter().fold(0i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(1 << 40));
        if value >= i64::from(i32::MAX / 2) {
            return Some(Err(overflow()));
        }
        scale += if minus { value } else { -value };
    }
    if !rest.is_empty() {
        return None;
    }
    let mut coefficient = BigInt::parse_bytes(&digits, 10)?;
    if negative {
        coefficient = -coefficient;
    }
    let zero = coefficient.sign() == num_bigint::Sign::NoSign;
    if scale > i64::from(MAX_SCALE) {
        return Some(Err(overflow()));
    }
    if scale < 0 {
        let beyond = decimal_weight(decimal_digits(&coefficient), 0) as i64 - scale;
        if !zero && beyond / 4 > i64::from(super::MAX_WEIGHT) {
            return Some(Err(overflow()));
        }
        let coefficient = if zero { coefficient } else { coefficient * power_of_ten(-scale as u32) };
        return Some(Numeric::checked(coefficient, 0));
    }
    Some(Numeric::checked(coefficient, scale as u16))
}

impl std::fmt::Display for Numeric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = Vec::with_capacity(24);
        self.write_text(&mut text);
        for byte in text {
            f.write_char(char::from(byte))?;
        }
        Ok(())
    }
}
