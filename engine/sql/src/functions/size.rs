//! Sizes in bytes for people: `20 GB` and back.
//!
//! Each unit is 1024 of the one before. A size is shown in the first unit in which it has few enough digits, rounded to
//! the nearest whole; the last division leaves one bit for that, so that nothing is rounded twice.

use helios_types::{Numeric, PgError, Result, SqlState};

use super::Entry;
use super::strings::{string, value};

/// A unit: its name, the size in it from which on the next one is used, and the power of two that it is.
///
/// But for bytes, sizes come here in halves of the unit and are then rounded.
struct Unit {
    name: &'static str,
    limit: i64,
    halves: bool,
    bits: u32,
}

const fn unit(name: &'static str, limit: i64, halves: bool, bits: u32) -> Unit {
    Unit { name, limit, halves, bits }
}

const UNITS: [Unit; 6] = [
    unit("bytes", 10 * 1024, false, 0),
    unit("kB", 20 * 1024 - 1, true, 10),
    unit("MB", 20 * 1024 - 1, true, 20),
    unit("GB", 20 * 1024 - 1, true, 30),
    unit("TB", 20 * 1024 - 1, true, 40),
    unit("PB", 20 * 1024 - 1, true, 50),
];

/// By which power of two a size in one unit (or its halves) is divided for the next.
fn step(unit: &Unit, next: &Unit) -> u32 {
    next.bits - unit.bits - u32::from(next.halves) + u32::from(unit.halves)
}

fn pretty(mut size: i64, out: &mut String) {
    for (index, unit) in UNITS.iter().enumerate() {
        match UNITS.get(index + 1) {
            Some(next) if size.unsigned_abs() >= unit.limit.unsigned_abs() => size /= 1 << step(unit, next),
            _ => {
                let shown = if unit.halves { (size + if size < 0 { -1 } else { 1 }) / 2 } else { size };
                out.push_str(&format!("{shown} {}", unit.name));
                return;
            }
        }
    }
}

fn pretty_numeric(size: &Numeric, out: &mut String) -> Result<()> {
    let mut size = size.clone();
    for (index, unit) in UNITS.iter().enumerate() {
        match UNITS.get(index + 1) {
            Some(next) if size.abs() >= Numeric::new(unit.limit, 0) => {
                size = size.divide_truncated(&Numeric::new(1 << step(unit, next), 0))?;
            }
            _ => {
                if unit.halves {
                    let away = if size.is_negative() { -1 } else { 1 };
                    size = size.add(&Numeric::new(away, 0))?.divide_truncated(&Numeric::new(2, 0))?;
                }
                out.push_str(&format!("{size} {}", unit.name));
                break;
            }
        }
    }
    Ok(())
}

fn invalid_size(text: &str) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("invalid size: \"{text}\""))
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// Length of the number that a text begins with; `None` if it begins with none. An `e` without digits is not part of
/// it.
fn number_length(text: &str) -> Option<usize> {
    let mut length = usize::from(text.starts_with(['-', '+']));
    let whole = digits(&text[length..]);
    length += whole;
    let mut any = whole > 0;
    if text[length..].starts_with('.') {
        let fraction = digits(&text[length + 1..]);
        length += 1 + fraction;
        any |= fraction > 0;
    }
    if let Some(exponent) = text[length..].strip_prefix(['e', 'E']) {
        let sign = usize::from(exponent.starts_with(['-', '+']));
        let power = digits(&exponent[sign..]);
        if power > 0 {
            length += 1 + sign + power;
        }
    }
    any.then_some(length)
}

const SPACE: [char; 6] = [' ', '\t', '\n', '\r', '\x0b', '\x0c'];

fn bytes(text: &str) -> Result<i64> {
    let rest = text.trim_start_matches(SPACE);
    let length = number_length(rest).ok_or_else(|| invalid_size(text))?;
    let (number, unit_name) = (Numeric::parse(&rest[..length])?, rest[length..].trim_matches(SPACE));
    if unit_name.is_empty() {
        return number.to_i64();
    }
    let known = UNITS.iter().find(|unit| unit.name.eq_ignore_ascii_case(unit_name));
    let bits = match known {
        Some(unit) => unit.bits,
        None if unit_name.eq_ignore_ascii_case("B") => 0,
        None => {
            return Err(invalid_size(text)
                .with_detail(format!("Invalid size unit: \"{unit_name}\"."))
                .with_hint("Valid units are \"bytes\", \"B\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\"."));
        }
    };
    Numeric::new(1 << bits, 0).multiply(&number)?.to_i64()
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    string!("pg_size_pretty", |_, size: i64; out| {
        pretty(size, out);
        Ok(())
    }),
    string!("pg_size_pretty_numeric", |_, size: &Numeric; out| { pretty_numeric(size, out) }),
    value!("pg_size_bytes", |_, text: &str| -> i64 { bytes(text) }),
]];
