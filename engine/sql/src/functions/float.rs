//! float4 and float8: comparison, arithmetic and casts.
//!
//! PostgreSQL orders NaN above everything and equal to itself. An operation whose result is infinite although no
//! operand was, or zero although no operand was, is an error (22003), not a value.

use std::cmp::Ordering;

use helios_types::{PgError, Result, SqlState};

use super::native::{fallible, map, wrap};
use super::{Entry, errors};

/// `value out of range: overflow`.
#[cold]
pub(super) fn overflow() -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

/// `value out of range: underflow`.
#[cold]
pub(super) fn underflow() -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

/// Total order with NaN last; the zeros are equal.
#[inline]
pub(super) fn compare(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

#[inline]
fn equal(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() & b.is_nan())
}

#[inline]
fn less(a: f64, b: f64) -> bool {
    (a < b) | (b.is_nan() & !a.is_nan())
}

macro_rules! float_comparisons {
    ($prefix:literal, $A:ty, $B:ty) => {
        &[
            map!(concat!($prefix, "eq"), |a: $A, b: $B| -> bool { equal(f64::from(a), f64::from(b)) }),
            map!(concat!($prefix, "ne"), |a: $A, b: $B| -> bool { !equal(f64::from(a), f64::from(b)) }),
            map!(concat!($prefix, "lt"), |a: $A, b: $B| -> bool { less(f64::from(a), f64::from(b)) }),
            map!(concat!($prefix, "le"), |a: $A, b: $B| -> bool { !less(f64::from(b), f64::from(a)) }),
            map!(concat!($prefix, "gt"), |a: $A, b: $B| -> bool { less(f64::from(b), f64::from(a)) }),
            map!(concat!($prefix, "ge"), |a: $A, b: $B| -> bool { !less(f64::from(a), f64::from(b)) }),
            map!(concat!("bt", $prefix, "cmp"), |a: $A, b: $B| -> i32 { compare(f64::from(a), f64::from(b)) as i32 }),
        ]
    };
}

macro_rules! float_arithmetic {
    ($prefix:literal, $A:ty, $B:ty, $R:ty) => {
        &[
            wrap!(
                concat!($prefix, "pl"),
                |a: $A, b: $B| -> $R {
                    let (a, b) = (<$R>::from(a), <$R>::from(b));
                    let sum = a + b;
                    (sum, sum.is_infinite() & !a.is_infinite() & !b.is_infinite())
                },
                overflow
            ),
            wrap!(
                concat!($prefix, "mi"),
                |a: $A, b: $B| -> $R {
                    let (a, b) = (<$R>::from(a), <$R>::from(b));
                    let difference = a - b;
                    (difference, difference.is_infinite() & !a.is_infinite() & !b.is_infinite())
                },
                overflow
            ),
            fallible!(concat!($prefix, "mul"), |a: $A, b: $B| -> $R {
                let (a, b) = (<$R>::from(a), <$R>::from(b));
                let product = a * b;
                if product.is_infinite() && !a.is_infinite() && !b.is_infinite() {
                    return Err(overflow());
                }
                if product == 0.0 && a != 0.0 && b != 0.0 {
                    return Err(underflow());
                }
                Ok(product)
            }),
            fallible!(concat!($prefix, "div"), |a: $A, b: $B| -> $R {
                let (a, b) = (<$R>::from(a), <$R>::from(b));
                if b == 0.0 && !a.is_nan() {
                    return Err(errors::division_by_zero());
                }
                let quotient = a / b;
                if quotient.is_infinite() && !a.is_infinite() {
                    return Err(overflow());
                }
                if quotient == 0.0 && a != 0.0 && !b.is_infinite() {
                    return Err(underflow());
                }
                Ok(quotient)
            }),
        ]
    };
}

macro_rules! float_single {
    ($prefix:literal, $T:ty) => {
        &[
            map!(concat!($prefix, "um"), |a: $T| -> $T { -a }),
            map!(concat!($prefix, "up"), |a: $T| -> $T { a }),
            map!(concat!($prefix, "abs"), |a: $T| -> $T { a.abs() }),
            map!(concat!($prefix, "larger"), |a: $T, b: $T| -> $T {
                if less(f64::from(b), f64::from(a)) { a } else { b }
            }),
            map!(concat!($prefix, "smaller"), |a: $T, b: $T| -> $T {
                if less(f64::from(a), f64::from(b)) { a } else { b }
            }),
        ]
    };
}

#[cold]
fn out_of_range(name: &'static str) -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, name)
}

/// Rounds half to even; NaN and what does not fit fails.
#[inline]
pub(super) fn to_i16(value: f64) -> Result<i16> {
    let rounded = value.round_ties_even();
    if (-32768.0..32768.0).contains(&rounded) { Ok(rounded as i16) } else { Err(out_of_range("smallint out of range")) }
}

/// Rounds half to even; NaN and what does not fit fails.
#[inline]
pub(super) fn to_i32(value: f64) -> Result<i32> {
    let rounded = value.round_ties_even();
    if (-2_147_483_648.0..2_147_483_648.0).contains(&rounded) {
        Ok(rounded as i32)
    } else {
        Err(out_of_range("integer out of range"))
    }
}

/// Rounds half to even; NaN and what does not fit fails.
#[inline]
pub(super) fn to_i64(value: f64) -> Result<i64> {
    let rounded = value.round_ties_even();
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded) {
        Ok(rounded as i64)
    } else {
        Err(out_of_range("bigint out of range"))
    }
}

/// float8 to float4, checked.
pub(super) fn to_f32(value: f64) -> Result<f32> {
    let narrow = value as f32;
    if narrow.is_infinite() && !value.is_infinite() {
        return Err(overflow());
    }
    if narrow == 0.0 && value != 0.0 {
        return Err(underflow());
    }
    Ok(narrow)
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[
    float_comparisons!("float4", f32, f32),
    float_comparisons!("float48", f32, f64),
    float_comparisons!("float84", f64, f32),
    float_comparisons!("float8", f64, f64),
    float_arithmetic!("float4", f32, f32, f32),
    float_arithmetic!("float48", f32, f64, f64),
    float_arithmetic!("float84", f64, f32, f64),
    float_arithmetic!("float8", f64, f64, f64),
    float_single!("float4", f32),
    float_single!("float8", f64),
    &[
        map!("i2tof", |a: i16| -> f32 { f32::from(a) }),
        map!("i4tof", |a: i32| -> f32 { a as f32 }),
        map!("i8tof", |a: i64| -> f32 { a as f32 }),
        map!("i2tod", |a: i16| -> f64 { f64::from(a) }),
        map!("i4tod", |a: i32| -> f64 { f64::from(a) }),
        map!("i8tod", |a: i64| -> f64 { a as f64 }),
        map!("ftod", |a: f32| -> f64 { f64::from(a) }),
        fallible!("dtof", |a: f64| -> f32 { to_f32(a) }),
        fallible!("dtoi2", |a: f64| -> i16 { to_i16(a) }),
        fallible!("dtoi4", |a: f64| -> i32 { to_i32(a) }),
        fallible!("dtoi8", |a: f64| -> i64 { to_i64(a) }),
        fallible!("ftoi2", |a: f32| -> i16 { to_i16(f64::from(a)) }),
        fallible!("ftoi4", |a: f32| -> i32 { to_i32(f64::from(a)) }),
        fallible!("ftoi8", |a: f32| -> i64 { to_i64(f64::from(a)) }),
    ],
];
