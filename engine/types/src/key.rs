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
//!   arrays, rows  element by element, each with a marker, closed by 0
//! ```
//!
//! Each encoding is self-delimiting, so that the encodings of several values concatenate to a key that sorts as the
//! tuple does. Encodings are not invertible in general; rows hold every column anyway.

use num_bigint::Sign;

use crate::numeric::View;
use crate::{Array, Datum, Interval, Numeric, Oid, PgError, Result, TimeTz, oid};

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

fn encode_value(type_oid: Oid, value: &Datum, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Datum::Null => return Err(PgError::internal("NULL has a marker, not a value")),
        Datum::Bool(value) => out.push(u8::from(*value)),
        Datum::I16(value) => out.extend_from_slice(&(value.cast_unsigned() ^ (1 << 15)).to_be_bytes()),
        Datum::I32(value) => out.extend_from_slice(&(value.cast_unsigned() ^ (1 << 31)).to_be_bytes()),
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
        Datum::Text(value) => encode_bytes(value.as_bytes(), out),
        Datum::Bytes(value) => encode_bytes(value, out),
        Datum::Interval(value) => encode_interval(*value, out),
        Datum::TimeTz(value) => encode_timetz(*value, out),
        Datum::Uuid(value) => out.extend_from_slice(value),
        Datum::Array(array) => encode_array(array, out)?,
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

/// Classes in sort order; negative numbers are the encoding of their magnitude, inverted.
fn encode_numeric(value: &Numeric, out: &mut Vec<u8>) {
    const NEGATIVE_INFINITY: u8 = 1;
    const NEGATIVE: u8 = 2;
    const ZERO: u8 = 3;
    const POSITIVE: u8 = 4;
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
    out.push(if negative { NEGATIVE } else { POSITIVE });
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
    for (length, lower) in &array.dimensions {
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&(lower.cast_unsigned() ^ (1 << 31)).to_be_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compare::compare;

    fn key(type_oid: Oid, value: &Datum) -> Vec<u8> {
        let mut out = Vec::new();
        encode(type_oid, value, false, false, &mut out).unwrap();
        out
    }

    fn agree(type_oid: Oid, left: &Datum, right: &Datum) {
        let order = compare(type_oid, left, right);
        assert_eq!(key(type_oid, left).cmp(&key(type_oid, right)), order, "{left:?} {right:?}");
        let (mut down_left, mut down_right) = (Vec::new(), Vec::new());
        encode(type_oid, left, true, true, &mut down_left).unwrap();
        encode(type_oid, right, true, true, &mut down_right).unwrap();
        assert_eq!(down_left.cmp(&down_right), order.reverse(), "descending {left:?} {right:?}");
    }

    proptest! {
        #[test]
        fn integers(a: i64, b: i64) {
            agree(oid::INT8, &Datum::I64(a), &Datum::I64(b));
            agree(oid::INT4, &Datum::I32(a as i32), &Datum::I32(b as i32));
            agree(oid::INT2, &Datum::I16(a as i16), &Datum::I16(b as i16));
        }

        #[test]
        fn floats(a in prop::num::f64::ANY, b in prop::num::f64::ANY) {
            agree(oid::FLOAT8, &Datum::F64(a), &Datum::F64(b));
            agree(oid::FLOAT4, &Datum::F32(a as f32), &Datum::F32(b as f32));
        }

        #[test]
        fn strings(a in ".{0,6}", b in ".{0,6}") {
            agree(oid::TEXT, &Datum::text(a.as_str()), &Datum::text(b.as_str()));
        }

        #[test]
        fn bytes(a in prop::collection::vec(0u8..3, 0..5), b in prop::collection::vec(0u8..3, 0..5)) {
            agree(oid::BYTEA, &Datum::Bytes(a.into()), &Datum::Bytes(b.into()));
        }

        #[test]
        fn numerics(a in -99_999i64..99_999, s in 0u16..7, b in -99_999i64..99_999, t in 0u16..7) {
            agree(oid::NUMERIC, &Datum::Numeric(Numeric::new(a, s)), &Datum::Numeric(Numeric::new(b, t)));
        }

        #[test]
        fn tuples(a in ".{0,3}", b: i32, c in ".{0,3}", d: i32) {
            let tuple = |text: &str, number: i32| {
                let mut out = key(oid::TEXT, &Datum::text(text));
                encode(oid::INT4, &Datum::I32(number), false, false, &mut out).unwrap();
                out
            };
            prop_assert_eq!(tuple(&a, b).cmp(&tuple(&c, d)), (a.as_bytes(), b).cmp(&(c.as_bytes(), d)));
        }
    }

    #[test]
    fn zeros_and_scales_are_one_key() {
        assert_eq!(key(oid::FLOAT8, &Datum::F64(0.0)), key(oid::FLOAT8, &Datum::F64(-0.0)));
        let one = key(oid::NUMERIC, &Datum::Numeric(Numeric::new(10, 1)));
        assert_eq!(one, key(oid::NUMERIC, &Datum::Numeric(Numeric::new(100, 2))));
    }

    #[test]
    fn nulls_go_where_they_are_told() {
        let one = Datum::I32(1);
        for (descending, nulls_first) in [(false, false), (false, true), (true, false), (true, true)] {
            let (mut null, mut value) = (Vec::new(), Vec::new());
            encode(oid::INT4, &Datum::Null, descending, nulls_first, &mut null).unwrap();
            encode(oid::INT4, &one, descending, nulls_first, &mut value).unwrap();
            assert_eq!(null < value, nulls_first);
        }
    }
}
