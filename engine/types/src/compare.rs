//! Order, equality and hash of values, as the default operator classes of their types have them.
//!
//! Text sorts by its bytes (collations "C" and builtin C.UTF-8 agree on that), bpchar without its trailing blanks, NaN
//! above every number and equal to itself, intervals by their length with months of 30 days, arrays and records element
//! by element with NULLs last and equal, oidvectors by their length first.

use std::cmp::Ordering;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::io::char_byte;
use crate::key::interval_span;
use crate::{Array, Column, ColumnData, Datum, Interval, Oid, Record, TimeTz, oid};

/// How two values of one type compare. NULL is above everything and equal to itself, as in ORDER BY.
pub fn compare(type_oid: Oid, left: &Datum, right: &Datum) -> Ordering {
    match (left, right) {
        (Datum::Null, Datum::Null) => Ordering::Equal,
        (Datum::Null, _) => Ordering::Greater,
        (_, Datum::Null) => Ordering::Less,
        (Datum::Bool(left), Datum::Bool(right)) => left.cmp(right),
        (Datum::I16(left), Datum::I16(right)) => left.cmp(right),
        (Datum::I32(left), Datum::I32(right)) => left.cmp(right),
        (Datum::I64(left), Datum::I64(right)) if type_oid == oid::XID8 => {
            left.cast_unsigned().cmp(&right.cast_unsigned())
        }
        (Datum::I64(left), Datum::I64(right)) => left.cmp(right),
        (Datum::U32(left), Datum::U32(right)) => left.cmp(right),
        (Datum::F32(left), Datum::F32(right)) => compare_floats(f64::from(*left), f64::from(*right)),
        (Datum::F64(left), Datum::F64(right)) => compare_floats(*left, *right),
        (Datum::Numeric(left), Datum::Numeric(right)) => left.cmp(right),
        (Datum::Text(left), Datum::Text(right)) if type_oid == oid::BPCHAR => {
            left.trim_end_matches(' ').as_bytes().cmp(right.trim_end_matches(' ').as_bytes())
        }
        (Datum::Text(left), Datum::Text(right)) if type_oid == oid::CHAR => char_byte(left).cmp(&char_byte(right)),
        (Datum::Text(left), Datum::Text(right)) => left.as_bytes().cmp(right.as_bytes()),
        (Datum::Bytes(left), Datum::Bytes(right)) => left.cmp(right),
        (Datum::Interval(left), Datum::Interval(right)) => compare_intervals(*left, *right),
        (Datum::TimeTz(left), Datum::TimeTz(right)) => timetz_key(*left).cmp(&timetz_key(*right)),
        (Datum::Uuid(left), Datum::Uuid(right)) => left.cmp(right),
        (Datum::Array(left), Datum::Array(right)) if type_oid == oid::OIDVECTOR => {
            left.elements.len().cmp(&right.elements.len()).then_with(|| compare_arrays(left, right))
        }
        (Datum::Array(left), Datum::Array(right)) => compare_arrays(left, right),
        (Datum::Record(left), Datum::Record(right)) => compare_records(left, right),
        _ => unreachable!("two values of type {type_oid} have one physical form: {left:?}, {right:?}"),
    }
}

/// Numbers, then NaN.
pub fn compare_floats(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

/// By length, months taken as 30 days and days as 24 hours.
pub fn compare_intervals(left: Interval, right: Interval) -> Ordering {
    interval_span(left).cmp(&interval_span(right))
}

fn timetz_key(value: TimeTz) -> (i64, i32) {
    (value.micros + i64::from(value.zone) * 1_000_000, value.zone)
}

fn compare_arrays(left: &Array, right: &Array) -> Ordering {
    for (a, b) in left.elements.iter().zip(&right.elements) {
        let order = compare(left.element_type, a, b);
        if order.is_ne() {
            return order;
        }
    }
    let lengths = |array: &Array| array.dimensions.iter().map(|(length, _)| *length).collect::<Vec<_>>();
    let bounds = |array: &Array| array.dimensions.iter().map(|(_, lower)| *lower).collect::<Vec<_>>();
    (left.elements.len().cmp(&right.elements.len()))
        .then(left.dimensions.len().cmp(&right.dimensions.len()))
        .then_with(|| lengths(left).cmp(&lengths(right)))
        .then_with(|| bounds(left).cmp(&bounds(right)))
}

fn compare_records(left: &Record, right: &Record) -> Ordering {
    for ((field_type, a), b) in left.types.iter().zip(&left.values).zip(&right.values) {
        let order = compare(*field_type, a, b);
        if order.is_ne() {
            return order;
        }
    }
    left.values.len().cmp(&right.values.len())
}

/// How two rows of columns of one type compare; NULL above everything.
pub fn compare_rows(type_oid: Oid, left: &Column, left_row: usize, right: &Column, right_row: usize) -> Ordering {
    match (left.is_null(left_row), right.is_null(right_row)) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (i, j) = (left_row, right_row);
    match (&left.data, &right.data) {
        (ColumnData::Bool(a), ColumnData::Bool(b)) => a[i].cmp(&b[j]),
        (ColumnData::I16(a), ColumnData::I16(b)) => a[i].cmp(&b[j]),
        (ColumnData::I32(a), ColumnData::I32(b)) => a[i].cmp(&b[j]),
        (ColumnData::I64(a), ColumnData::I64(b)) if type_oid != oid::XID8 => a[i].cmp(&b[j]),
        (ColumnData::U32(a), ColumnData::U32(b)) => a[i].cmp(&b[j]),
        (ColumnData::F32(a), ColumnData::F32(b)) => compare_floats(f64::from(a[i]), f64::from(b[j])),
        (ColumnData::F64(a), ColumnData::F64(b)) => compare_floats(a[i], b[j]),
        (ColumnData::Numeric(a), ColumnData::Numeric(b)) => a[i].cmp(&b[j]),
        (ColumnData::Text(a), ColumnData::Text(b)) if type_oid == oid::BPCHAR => {
            without_blanks(a.get(i)).cmp(without_blanks(b.get(j)))
        }
        (ColumnData::Text(a), ColumnData::Text(b)) if type_oid != oid::CHAR => a.get(i).cmp(b.get(j)),
        (ColumnData::Bytes(a), ColumnData::Bytes(b)) => a.get(i).cmp(b.get(j)),
        (ColumnData::Interval(a), ColumnData::Interval(b)) => compare_intervals(a[i], b[j]),
        (ColumnData::Uuid(a), ColumnData::Uuid(b)) => a[i].cmp(&b[j]),
        _ => compare(type_oid, &left.get(i), &right.get(j)),
    }
}

pub(crate) fn without_blanks(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    &bytes[..end]
}

/// What a NULL hashes to.
const NULL_HASH: u64 = 0x9ae1_6a3b_2f90_404f;

/// Folds the hash of each row of `column` into `hashes`: start with zeros, call once per key column. Equal values (as
/// [`compare`] has them, NULLs included) hash alike.
pub fn hash_column(type_oid: Oid, column: &Column, hashes: &mut [u64]) {
    macro_rules! fold {
        ($values:expr, $bits:expr) => {
            for (row, (hash, value)) in hashes.iter_mut().zip($values).enumerate() {
                *hash = if column.is_null(row) { mix(*hash, NULL_HASH) } else { mix(*hash, $bits(value)) };
            }
        };
    }
    match &column.data {
        ColumnData::Bool(values) => fold!(values, |value: &bool| u64::from(*value)),
        ColumnData::I16(values) => fold!(values, |value: &i16| i64::from(*value).cast_unsigned()),
        ColumnData::I32(values) => fold!(values, |value: &i32| i64::from(*value).cast_unsigned()),
        ColumnData::I64(values) => fold!(values, |value: &i64| value.cast_unsigned()),
        ColumnData::U32(values) => fold!(values, |value: &u32| u64::from(*value)),
        ColumnData::F32(values) => fold!(values, |value: &f32| float_bits(f64::from(*value))),
        ColumnData::F64(values) => fold!(values, |value: &f64| float_bits(*value)),
        ColumnData::Interval(values) => fold!(values, |value: &Interval| interval_bits(*value)),
        ColumnData::Uuid(values) => fold!(values, |value: &[u8; 16]| xxh3_64_with_seed(value, 0)),
        ColumnData::Text(values) | ColumnData::Bytes(values) => {
            let blanks = type_oid == oid::BPCHAR;
            for (row, hash) in hashes.iter_mut().enumerate() {
                if column.is_null(row) {
                    *hash = mix(*hash, NULL_HASH);
                    continue;
                }
                let bytes = values.get(row);
                *hash = mix(*hash, xxh3_64_with_seed(if blanks { without_blanks(bytes) } else { bytes }, 0));
            }
        }
        ColumnData::Numeric(_) | ColumnData::Any(_) => {
            for (row, hash) in hashes.iter_mut().enumerate() {
                *hash = mix(*hash, hash_datum(type_oid, &column.get(row)));
            }
        }
    }
}

/// The hash of one value.
pub fn hash_datum(type_oid: Oid, value: &Datum) -> u64 {
    match value {
        Datum::Null => NULL_HASH,
        Datum::Bool(value) => u64::from(*value),
        Datum::I16(value) => i64::from(*value).cast_unsigned(),
        Datum::I32(value) => i64::from(*value).cast_unsigned(),
        Datum::I64(value) => value.cast_unsigned(),
        Datum::U32(value) => u64::from(*value),
        Datum::F32(value) => float_bits(f64::from(*value)),
        Datum::F64(value) => float_bits(*value),
        Datum::Numeric(value) => {
            use std::hash::BuildHasher;
            helios_env::hash::BuildHasher::default().hash_one(value)
        }
        Datum::Text(value) if type_oid == oid::BPCHAR => xxh3_64_with_seed(value.trim_end_matches(' ').as_bytes(), 0),
        Datum::Text(value) => xxh3_64_with_seed(value.as_bytes(), 0),
        Datum::Bytes(value) => xxh3_64_with_seed(value, 0),
        Datum::Interval(value) => interval_bits(*value),
        Datum::TimeTz(value) => {
            let (utc, zone) = timetz_key(*value);
            mix(utc.cast_unsigned(), i64::from(zone).cast_unsigned())
        }
        Datum::Uuid(value) => xxh3_64_with_seed(value, 0),
        Datum::Array(array) => {
            array.elements.iter().fold(1, |hash, element| mix(hash, hash_datum(array.element_type, element)))
        }
        Datum::Record(record) => {
            let fields = record.types.iter().zip(&record.values);
            fields.fold(2, |hash, (field_type, field)| mix(hash, hash_datum(*field_type, field)))
        }
    }
}

fn float_bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() }
}

#[allow(clippy::cast_possible_truncation)]
fn interval_bits(interval: Interval) -> u64 {
    let span = interval_span(interval).cast_unsigned();
    mix(span as u64, (span >> 64) as u64)
}

/// Multiply-fold of the running hash and the next value (wyhash's mixing step).
#[inline]
fn mix(hash: u64, value: u64) -> u64 {
    let product = u128::from(hash ^ 0x2d35_8dcc_aa6c_78a5) * u128::from(value ^ 0x8bb8_4b93_962e_acc9);
    #[allow(clippy::cast_possible_truncation)]
    {
        (product as u64) ^ ((product >> 64) as u64)
    }
}
