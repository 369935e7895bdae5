//! Text form of float4 and float8.
//!
//! With `extra_float_digits` above 0, PostgreSQL prints the shortest digits that read back as the same value. Its
//! digit search (Ryu) differs in one thing from the usual one: digits that stand exactly on the border between two
//! floats are not taken, though round-to-even would read them back. Otherwise it prints like `%.15g` (`%.6g`), with
//! `extra_float_digits` added to the digits.

use num_bigint::BigUint;

use super::{invalid_syntax, trim};
use crate::{PgError, Result, SqlState};

/// How many decimal digits a type keeps for sure, and so where PostgreSQL turns to scientific notation.
#[derive(Clone, Copy)]
enum Precision {
    Single = 6,
    Double = 15,
}

fn out_of_range(type_name: &str, number: &str) -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("\"{number}\" is out of range for type {type_name}"))
}

/// The special values that C's `strtod` knows.
fn parse_special(word: &str) -> Option<f64> {
    let (negative, word) = match word.as_bytes() {
        [b'-', ..] => (true, &word[1..]),
        [b'+', ..] => (false, &word[1..]),
        _ => (false, word),
    };
    let is_nan = word.get(..3).is_some_and(|head| head.eq_ignore_ascii_case("nan"))
        && (word.len() == 3
            || (word[3..].starts_with('(')
                && word.ends_with(')')
                && word[4..word.len() - 1].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')));
    if is_nan {
        Some(f64::NAN)
    } else if word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("infinity") {
        Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY })
    } else {
        None
    }
}

/// A C99 hexadecimal float, `0x1.8p3`: mantissa digits as an integer, a binary exponent.
fn parse_hexadecimal(word: &str, mantissa_bits: u32, least_exponent: i32) -> Option<f64> {
    let (negative, word) = match word.as_bytes() {
        [b'-', ..] => (true, &word[1..]),
        [b'+', ..] => (false, &word[1..]),
        _ => (false, word),
    };
    let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"))?;
    let (mantissa, exponent) = match digits.find(['p', 'P']) {
        Some(at) => {
            let exponent = &digits[at + 1..];
            let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let magnitude = unsigned.parse::<i32>().unwrap_or(1 << 20).min(1 << 20);
            (&digits[..at], if exponent.starts_with('-') { -magnitude } else { magnitude })
        }
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let hexadecimal = format!("{whole}{fraction}");
    if hexadecimal.is_empty() || !hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let value = BigUint::parse_bytes(hexadecimal.as_bytes(), 16)?;
    if value.bits() == 0 {
        return Some(if negative { -0.0 } else { 0.0 });
    }
    let mut exponent = exponent - 4 * fraction.len() as i32;
    // Bits that the type cannot hold are rounded half to even.
    let top = value.bits() as i32 + exponent;
    let kept = (top - least_exponent).clamp(0, mantissa_bits as i32) as u64;
    let cut = value.bits().saturating_sub(kept);
    let mut rounded = &value >> cut;
    let remainder = &value - (&rounded << cut);
    let half = if cut == 0 { BigUint::from(1u8) } else { BigUint::from(1u8) << (cut - 1) };
    if cut > 0 && (remainder > half || (remainder == half && rounded.bit(0))) {
        rounded += 1u8;
    }
    exponent += cut as i32;
    let magnitude = u64::try_from(rounded).expect("at most 54 bits") as f64;
    // Two steps, as one power of two may be out of range.
    let halfway = exponent.clamp(-2200, 2200) / 2;
    let value = magnitude * 2f64.powi(halfway) * 2f64.powi(exponent.clamp(-2200, 2200) - halfway);
    Some(if negative { -value } else { value })
}

fn is_decimal(word: &str) -> bool {
    let mut rest = word.strip_prefix(['+', '-']).unwrap_or(word).as_bytes();
    let mut digits = 0;
    let skip = |rest: &mut &[u8]| {
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        *rest = &rest[count..];
        count
    };
    digits += skip(&mut rest);
    if let [b'.', after @ ..] = rest {
        rest = after;
        digits += skip(&mut rest);
    }
    if digits == 0 {
        return false;
    }
    if let [b'e' | b'E', after @ ..] = rest {
        rest = match after {
            [b'+' | b'-', more @ ..] => more,
            more => more,
        };
        if skip(&mut rest) == 0 {
            return false;
        }
    }
    rest.is_empty()
}

fn is_nonzero(word: &str) -> bool {
    word.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).any(|byte| matches!(byte, b'1'..=b'9'))
}

/// float8
pub(crate) fn parse_f64(text: &str) -> Result<f64> {
    parse_f64_named(text, "double precision")
}

/// float8 where errors speak of another type.
fn parse_f64_named(text: &str, type_name: &str) -> Result<f64> {
    let word = trim(text);
    if is_decimal(word) {
        let value: f64 = word.parse().map_err(|_| invalid_syntax(type_name, text))?;
        if value.is_infinite() || (value == 0.0 && is_nonzero(word)) {
            return Err(out_of_range(type_name, word));
        }
        return Ok(value);
    }
    if let Some(value) = parse_special(word) {
        return Ok(value);
    }
    match parse_hexadecimal(word, 53, -1074) {
        Some(value) if value.is_infinite() || (value == 0.0 && !is_hexadecimal_zero(word)) => {
            Err(out_of_range(type_name, word))
        }
        Some(value) => Ok(value),
        None => Err(invalid_syntax(type_name, text)),
    }
}

/// float4
pub(crate) fn parse_f32(text: &str) -> Result<f32> {
    let word = trim(text);
    if is_decimal(word) {
        let value: f32 = word.parse().map_err(|_| invalid_syntax("real", text))?;
        if value.is_infinite() || (value == 0.0 && is_nonzero(word)) {
            return Err(out_of_range("real", word));
        }
        return Ok(value);
    }
    if let Some(value) = parse_special(word) {
        return Ok(value as f32);
    }
    match parse_hexadecimal(word, 24, -149).map(|value| value as f32) {
        Some(value) if value.is_infinite() || (value == 0.0 && !is_hexadecimal_zero(word)) => {
            Err(out_of_range("real", word))
        }
        Some(value) => Ok(value),
        None => Err(invalid_syntax("real", text)),
    }
}

fn is_hexadecimal_zero(word: &str) -> bool {
    let digits = word.trim_start_matches(['+', '-']).get(2..).unwrap_or("");
    digits.bytes().take_while(|byte| !matches!(byte, b'p' | b'P')).all(|byte| matches!(byte, b'0' | b'.'))
}

/// Appends a float8.
pub(crate) fn write_f64(value: f64, extra_float_digits: i32, out: &mut Vec<u8>) {
    if write_special(value, out) {
        return;
    }
    if extra_float_digits <= 0 {
        return write_general(value, (15 + extra_float_digits).max(1) as usize, out);
    }
    if value == value.trunc() && value.abs() < 1e15 && (value != 0.0 || value.is_sign_positive()) {
        return super::integer::write_i64(value as i64, out);
    }
    let mut buffer = ryu::Buffer::new();
    let (mut digits, mut exponent) = digits_of(buffer.format_finite(value.abs()));
    if on_border(&digits, exponent, f64_parts(value)) {
        (digits, exponent) = inside_border(&digits, f64_parts(value), |precision| {
            let text = format!("{:.*e}", precision, value.abs());
            let reads_back = text.parse() == Ok(value.abs());
            (text, reads_back)
        });
    }
    write_digits(value.is_sign_negative(), &digits, exponent, Precision::Double, out);
}

/// Appends a float4.
pub(crate) fn write_f32(value: f32, extra_float_digits: i32, out: &mut Vec<u8>) {
    if write_special(f64::from(value), out) {
        return;
    }
    if extra_float_digits <= 0 {
        return write_general(f64::from(value), (6 + extra_float_digits).max(1) as usize, out);
    }
    let mut buffer = ryu::Buffer::new();
    let (mut digits, mut exponent) = digits_of(buffer.format_finite(value.abs()));
    if on_border(&digits, exponent, f32_parts(value)) {
        (digits, exponent) = inside_border(&digits, f32_parts(value), |precision| {
            let text = format!("{:.*e}", precision, value.abs());
            let reads_back = text.parse() == Ok(value.abs());
            (text, reads_back)
        });
    }
    write_digits(value.is_sign_negative(), &digits, exponent, Precision::Single, out);
}

fn write_special(value: f64, out: &mut Vec<u8>) -> bool {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else {
        return false;
    }
    true
}

/// Significant digits (no zeros at the ends; `0` for zero) and the decimal exponent of the first, out of Rust's forms
/// `123.45`, `1e20` and `1.2e-7`.
fn digits_of(text: &str) -> (Digits, i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().expect("an exponent is an integer");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = Digits::default();
    let mut leading = whole.len() as i32 - 1;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if digits.len == 0 && byte == b'0' {
            leading -= 1;
        } else {
            digits.push(byte);
        }
    }
    while digits.len > 1 && digits[digits.len - 1] == b'0' {
        digits.len -= 1;
    }
    if digits.len == 0 {
        digits.push(b'0');
        return (digits, 0);
    }
    (digits, leading + exponent)
}

/// Up to 40 digits on the stack.
#[derive(Clone, Copy)]
struct Digits {
    bytes: [u8; 40],
    len: usize,
}

impl Default for Digits {
    fn default() -> Digits {
        Digits { bytes: [0; 40], len: 0 }
    }
}

impl Digits {
    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }
}

impl std::ops::Deref for Digits {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Mantissa, binary exponent, and whether the float below is only half as far as the one above.
fn f64_parts(value: f64) -> (u64, i32, bool) {
    let bits = value.to_bits();
    let (fraction, exponent) = (bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i32);
    match exponent {
        0 => (fraction, -1074, false),
        _ => (fraction | 1 << 52, exponent - 1075, fraction == 0 && exponent > 1),
    }
}

fn f32_parts(value: f32) -> (u64, i32, bool) {
    let bits = value.to_bits();
    let (fraction, exponent) = (u64::from(bits & ((1 << 23) - 1)), (bits >> 23 & 0xff) as i32);
    match exponent {
        0 => (fraction, -149, false),
        _ => (fraction | 1 << 23, exponent - 150, fraction == 0 && exponent > 1),
    }
}

/// Whether the digits stand exactly halfway between this float and a neighbour.
fn on_border(digits: &[u8], exponent: i32, (mantissa, binary, below_is_near): (u64, i32, bool)) -> bool {
    // Odd mantissas never own their borders.
    if mantissa == 0 || mantissa % 2 == 1 || digits.len() > 18 {
        return false;
    }
    // Does digits * 10^decimal equal odd * 2^power, for the odd number of a border (at most 55 bits)?
    let decimal = exponent - (digits.len() as i32 - 1);
    if !(-2..=23).contains(&decimal) {
        // 5^24 and more is greater than the odd number; 5^-3 and less leaves more digits than are printed.
        return false;
    }
    let digits = digits.iter().fold(0u128, |value, digit| value * 10 + u128::from(digit - b'0'));
    let equals = |odd: u128, power: i32| {
        if decimal >= 0 {
            let left = digits * 5u128.pow(decimal as u32);
            let twos = left.trailing_zeros() as i32;
            left >> twos == odd && twos + decimal == power
        } else {
            let twos = power - decimal;
            (0..8).contains(&twos) && digits == (odd * 5u128.pow(-decimal as u32)) << twos
        }
    };
    let doubled = 2 * u128::from(mantissa);
    let below = if below_is_near { equals(2 * doubled - 1, binary - 2) } else { equals(doubled - 1, binary - 1) };
    below || equals(doubled + 1, binary - 1)
}

/// More digits than `digits`, the fewest that read back as the value and do not stand on its border. `print` gives
/// the value with so many digits behind the point, and whether it reads back.
fn inside_border(digits: &[u8], parts: (u64, i32, bool), print: impl Fn(usize) -> (String, bool)) -> (Digits, i32) {
    (digits.len()..17)
        .find_map(|precision| {
            let (text, reads_back) = print(precision);
            let (longer, exponent) = digits_of(&text);
            (reads_back && !on_border(&longer, exponent, parts)).then_some((longer, exponent))
        })
        .expect("seventeen digits are always inside")
}

/// Plain notation from 1e-4 up to the type's digits, else scientific with at least two exponent digits.
fn write_digits(negative: bool, digits: &[u8], exponent: i32, precision: Precision, out: &mut Vec<u8>) {
    if negative {
        out.push(b'-');
    }
    let limit = precision as i32;
    write_notation(digits, exponent, limit, out);
}

fn write_notation(digits: &[u8], exponent: i32, limit: i32, out: &mut Vec<u8>) {
    if exponent < -4 || exponent >= limit {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        super::integer::write_padded(u64::from(exponent.unsigned_abs()), 2, out);
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', (-exponent - 1) as usize));
        out.extend_from_slice(digits);
    } else {
        let whole = exponent as usize + 1;
        out.extend_from_slice(&digits[..whole.min(digits.len())]);
        out.extend(std::iter::repeat_n(b'0', whole.saturating_sub(digits.len())));
        if digits.len() > whole {
            out.push(b'.');
            out.extend_from_slice(&digits[whole..]);
        }
    }
}

/// C's `%.{digits}g`.
pub(crate) fn write_general(value: f64, digits: usize, out: &mut Vec<u8>) {
    let text = format!("{:.*e}", digits - 1, value.abs());
    let (significant, exponent) = digits_of(&text);
    if value.is_sign_negative() {
        out.push(b'-');
    }
    write_notation(&significant, exponent, digits as i32, out);
}
