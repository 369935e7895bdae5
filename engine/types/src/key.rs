//! Memcomparable keys: bytes that sort as the values do.
//!
//! ```text
//!   NULLS LAST   1 | encoding of the value, or 2 for NULL            DESC: the bytes of the value inverted
//!   NULLS FIRST  0 for NULL, or 1 | encoding of the value
//!
//!   bool, ints    big-endian, sign bit flipped
//!   floats        big-endian IEEE, all bits inverted when negative, else the sign bit set; -0 is 0, NaN the greatest
//!   text, bytea   bytes, 0x00 as 0x00 0xFF, closed by 0x00 0x01: shorter sorts first, composites concatenate
//!   bpchar        as text, without its trailing blanks
//!   numeric       class, weight in base 10000, digits + 1, closed by 0: trailing zeros do not count, 1.0 is 1.00
//!   interval      its length as one number of microseconds (a month is 30 days), as PostgreSQL compares them
//!   arrays, rows  element by element, each with a marker, closed by 0; then an array's dimensions
//!   oidvector     its length, then as an array
//!   timetz        the time in UTC, then the zone
//!   "char"        its byte
//! ```
//!
//! Each encoding is self-delimiting, so that the encodings of several values concatenate to a key that sorts as the
//! tuple does. [`decode`] gives some types' values back, [`skip`] steps over any.

mod decode;

use num_bigint::Sign;

pub use decode::{decode, is_invertible, skip};

use crate::numeric::View;
use crate::{Array, Column, ColumnData, Datum, Interval, Numeric, Oid, PgError, Result, TimeTz, oid};

const NULL_FIRST: u8 = 0;
const PRESENT: u8 = 1;
const NULL_LAST: u8 = 2;

/// Appends a value of type `type_oid` to a key.
///
/// # Errors
///
/// 0A000 for a type that has no order here.
pub fn encode(type_oid: Oid, value: &Datum, descending: bool, nulls_first: bool, out: &mut Vec<u8>) -> Result<()> {
    if value.is_null() {
        out.push(if nulls_first { NULL_FIRST } else { NULL_LAST });
        return Ok(());
    }
    out.push(PRESENT);
    let start = out.len();
    encode_value(type_oid, value, out)?;
    if descending {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
    Ok(())
}

/// Appends a row of a column, as [`encode`] does its value.
///
/// # Errors
///
/// 0A000 for a type that has no order here.
pub fn encode_row(
    type_oid: Oid,
    column: &Column,
    row: usize,
    descending: bool,
    nulls_first: bool,
    out: &mut Vec<u8>,
) -> Result<()> {
    if column.is_null(row) {
        return encode(type_oid, &Datum::Null, descending, nulls_first, out);
    }
    let start = out.len() + 1;
    match &column.data {
        ColumnData::Text(values) if type_oid == oid::BPCHAR => {
            out.push(PRESENT);
            encode_bytes(crate::compare::without_blanks(values.get(row)), out);
        }
        ColumnData::Text(values) if type_oid != oid::CHAR => {
            out.push(PRESENT);
            encode_bytes(values.get(row), out);
        }
        ColumnData::Bytes(values) => {
            out.push(PRESENT);
            encode_bytes(values.get(row), out);
        }
        // The others make a value without allocating.
        _ => return encode(type_oid, &column.get(row), descending, nulls_first, out),
    }
    if descending {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
    Ok(())
}

fn encode_value(type_oid: Oid, value: &Datum, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Datum::Null => return Err(PgError::internal("NULL has a marker, not a value")),
        Datum::Bool(value) => out.push(u8::from(*value)),
        Datum::I16(value) => out.extend_from_slice(&(value.cast_unsigned() ^ (1 << 15)).to_be_bytes()),
        Datum::I32(value) => out.extend_from_slice(&(value.cast_unsigned() ^ (1 << 31)).to_be_bytes()),
        Datum::I64(value) if type_oid == oid::XID8 => out.extend_from_slice(&value.to_be_bytes()),
        Datum::I64(value) => encode_i64(*value, out),
        Datum::U32(value) => out.extend_from_slice(&value.to_be_bytes()),
        Datum::F32(value) => {
            let bits = if value.is_nan() { f32::NAN.to_bits() & !(1 << 31) } else { (value + 0.0).to_bits() };
            let key = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
            out.extend_from_slice(&key.to_be_bytes());
        }
        Datum::F64(value) => {
            let bits = if value.is_nan() { f64::NAN.to_bits() & !(1 << 63) } else { (value + 0.0).to_bits() };
            let key = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
            out.extend_from_slice(&key.to_be_bytes());
        }
        Datum::Numeric(value) => encode_numeric(value, out),
        Datum::Text(value) if type_oid == oid::BPCHAR => encode_bytes(value.trim_end_matches(' ').as_bytes(), out),
        Datum::Text(value) if type_oid == oid::CHAR => out.push(crate::io::char_byte(value)),
        Datum::Text(value) => encode_bytes(value.as_bytes(), out),
        Datum::Bytes(value) => encode_bytes(value, out),
        Datum::Interval(value) => encode_interval(*value, out),
        Datum::TimeTz(value) => encode_timetz(*value, out),
        Datum::Uuid(value) => out.extend_from_slice(value),
        Datum::Array(array) => {
            if type_oid == oid::OIDVECTOR {
                out.extend_from_slice(&(array.elements.len() as u32).to_be_bytes());
            }
            encode_array(array, out)?;
        }
        Datum::Record(record) => {
            for (field_type, field) in record.types.iter().zip(&record.values) {
                encode(*field_type, field, false, false, out)?;
            }
            out.push(0);
        }
    }
    Ok(())
}

fn encode_i64(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&(value.cast_unsigned() ^ (1 << 63)).to_be_bytes());
}

fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 2);
    for part in bytes.split_inclusive(|byte| *byte == 0) {
        out.extend_from_slice(part);
        if part.last() == Some(&0) {
            out.push(0xFF);
        }
    }
    out.extend_from_slice(&[0, 1]);
}

/// Total microseconds in 128 bits, as PostgreSQL's `interval_cmp_value`.
pub(crate) fn interval_span(interval: Interval) -> i128 {
    let days = i128::from(interval.months) * 30 + i128::from(interval.days);
    days * 86_400_000_000 + i128::from(interval.micros)
}

fn encode_interval(interval: Interval, out: &mut Vec<u8>) {
    out.extend_from_slice(&(interval_span(interval).cast_unsigned() ^ (1 << 127)).to_be_bytes());
}

/// The moment in UTC first, then the zone.
fn encode_timetz(value: TimeTz, out: &mut Vec<u8>) {
    encode_i64(value.micros + i64::from(value.zone) * 1_000_000, out);
    out.extend_from_slice(&(value.zone.cast_unsigned() ^ (1 << 31)).to_be_bytes());
}

/// Class of a numeric below zero.
const NUMERIC_NEGATIVE: u8 = 2;
/// Class of a numeric above zero.
const NUMERIC_POSITIVE: u8 = 4;

/// Classes in sort order; negative numbers are the encoding of their magnitude, inverted.
fn encode_numeric(value: &Numeric, out: &mut Vec<u8>) {
    const NEGATIVE_INFINITY: u8 = 1;
    const ZERO: u8 = 3;
    const INFINITY: u8 = 5;
    const NAN: u8 = 6;
    let negative = match value.view() {
        View::Special(special) => {
            out.push(match special {
                crate::numeric::Special::NegativeInfinity => NEGATIVE_INFINITY,
                crate::numeric::Special::Infinity => INFINITY,
                crate::numeric::Special::NaN => NAN,
            });
            return;
        }
        View::Small(0, _) => {
            out.push(ZERO);
            return;
        }
        View::Small(coefficient, _) => coefficient < 0,
        View::Big(coefficient, _) => coefficient.sign() == Sign::Minus,
    };
    out.push(if negative { NUMERIC_NEGATIVE } else { NUMERIC_POSITIVE });
    let start = out.len();
    let (digits, weight) = value.base_10000();
    out.extend_from_slice(&(weight.cast_unsigned() ^ (1 << 31)).to_be_bytes());
    for digit in digits {
        // At least 1, so that the closing 0 sorts a prefix first.
        out.extend_from_slice(&(digit.cast_unsigned() + 1).to_be_bytes());
    }
    out.extend_from_slice(&[0, 0]);
    if negative {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}

/// Elements in order, then the shape: PostgreSQL compares contents first, then the number of elements and dimensions.
fn encode_array(array: &Array, out: &mut Vec<u8>) -> Result<()> {
    for element in &array.elements {
        encode(array.element_type, element, false, false, out)?;
    }
    out.push(0);
    out.push(u8::try_from(array.dimensions.len()).unwrap_or(u8::MAX));
    for (length, _) in &array.dimensions {
        out.extend_from_slice(&length.to_be_bytes());
    }
    for (_, lower) in &array.dimensions {
        out.extend_from_slice(&(lower.cast_unsigned() ^ (1 << 31)).to_be_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
