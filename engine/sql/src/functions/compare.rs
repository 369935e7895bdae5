//! Comparison of the types whose order is not that of numbers or bytes: dates and times, intervals, uuids, arrays and
//! records.
//!
//! A date beside a timestamp is its midnight, in the session's time zone when the timestamp has one; a date too far
//! away to be a timestamp is still nearer than infinity.

use std::cmp::Ordering;

use helios_types::datetime::{TimeZone, date_to_comparable_timestamp};
use helios_types::{Datum, Interval, Oid, compare, compare_intervals, oid};

use super::bytes::compare as compare_bytes;
use super::native::{comparisons, map};
use super::{Entry, FunctionContext, Implementation};

/// A local timestamp in a zone as the instant that it is.
fn instant(local: i128, zone: &TimeZone) -> i128 {
    match i64::try_from(local) {
        Ok(near) if near != i64::MIN && near != i64::MAX => local - i128::from(zone.seconds_at_local(near)) * 1_000_000,
        _ => local,
    }
}

/// The seven comparisons of values that are first made comparable in the session's zone.
macro_rules! zoned {
    ($prefix:literal, $suffix:literal, |$a:ident: $A:ty, $b:ident: $B:ty, $zone:ident| $left:expr, $right:expr) => {
        &[
            zoned!(@ concat!($prefix, "_eq_", $suffix), bool, |$a: $A, $b: $B, $zone| $left == $right),
            zoned!(@ concat!($prefix, "_ne_", $suffix), bool, |$a: $A, $b: $B, $zone| $left != $right),
            zoned!(@ concat!($prefix, "_lt_", $suffix), bool, |$a: $A, $b: $B, $zone| $left < $right),
            zoned!(@ concat!($prefix, "_le_", $suffix), bool, |$a: $A, $b: $B, $zone| $left <= $right),
            zoned!(@ concat!($prefix, "_gt_", $suffix), bool, |$a: $A, $b: $B, $zone| $left > $right),
            zoned!(@ concat!($prefix, "_ge_", $suffix), bool, |$a: $A, $b: $B, $zone| $left >= $right),
            zoned!(@ concat!($prefix, "_cmp_", $suffix), i32, |$a: $A, $b: $B, $zone| $left.cmp(&$right) as i32),
        ]
    };
    (@ $name:expr, $R:ty, |$a:ident: $A:ty, $b:ident: $B:ty, $zone:ident| $body:expr) => {
        super::strings::value!($name, |ctx, $a: $A, $b: $B| -> $R {
            let $zone = &ctx.session.style.time_zone;
            let _ = $zone;
            Ok($body)
        })
    };
}

/// The seven comparisons of a type by a function that orders two values.
macro_rules! ordered {
    ($T:ty, $order:expr, $eq:literal, $ne:literal, $lt:literal, $le:literal, $gt:literal, $ge:literal $(, $cmp:literal)?) => {
        &[
            map!($eq, |a: $T, b: $T| -> bool { $order(a, b).is_eq() }),
            map!($ne, |a: $T, b: $T| -> bool { $order(a, b).is_ne() }),
            map!($lt, |a: $T, b: $T| -> bool { $order(a, b).is_lt() }),
            map!($le, |a: $T, b: $T| -> bool { $order(a, b).is_le() }),
            map!($gt, |a: $T, b: $T| -> bool { $order(a, b).is_gt() }),
            map!($ge, |a: $T, b: $T| -> bool { $order(a, b).is_ge() }),
            $(map!($cmp, |a: $T, b: $T| -> i32 { $order(a, b) as i32 }),)?
        ]
    };
}

fn same<T: Ord>(a: T, b: T) -> Ordering {
    a.cmp(&b)
}

/// An entry of the general comparison, row by row.
macro_rules! general {
    ($name:literal, $of:expr, |$order:ident| $answer:expr) => {
        (
            $name,
            Implementation::Scalar(|ctx, args| {
                let $order = compare($of(ctx), &args[0], &args[1]);
                Ok($answer)
            }),
        )
    };
}

/// The comparisons of a type whose values are kept as Datums.
macro_rules! generals {
    ($of:expr, $eq:literal, $ne:literal, $lt:literal, $le:literal, $gt:literal, $ge:literal, $cmp:literal,
     $($larger:literal, $smaller:literal)?) => {
        &[
            general!($eq, $of, |order| Datum::Bool(order.is_eq())),
            general!($ne, $of, |order| Datum::Bool(order.is_ne())),
            general!($lt, $of, |order| Datum::Bool(order.is_lt())),
            general!($le, $of, |order| Datum::Bool(order.is_le())),
            general!($gt, $of, |order| Datum::Bool(order.is_gt())),
            general!($ge, $of, |order| Datum::Bool(order.is_ge())),
            general!($cmp, $of, |order| Datum::I32(order as i32)),
            $(
                ($larger, Implementation::Scalar(|ctx, args| {
                    Ok(args[usize::from(compare($of(ctx), &args[0], &args[1]).is_le())].clone())
                })),
                ($smaller, Implementation::Scalar(|ctx, args| {
                    Ok(args[usize::from(compare($of(ctx), &args[0], &args[1]).is_ge())].clone())
                })),
            )?
        ]
    };
}

fn first_type(ctx: &FunctionContext<'_>) -> Oid {
    ctx.arg_types[0]
}

fn timetz(_: &FunctionContext<'_>) -> Oid {
    oid::TIMETZ
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[
    comparisons!("date_", |a: i32, b: i32| a, b),
    comparisons!("time_", |a: i64, b: i64| a, b),
    comparisons!("timestamp_", |a: i64, b: i64| a, b),
    ordered!([u8; 16], same, "uuid_eq", "uuid_ne", "uuid_lt", "uuid_le", "uuid_gt", "uuid_ge"),
    ordered!(
        Interval,
        compare_intervals,
        "interval_eq",
        "interval_ne",
        "interval_lt",
        "interval_le",
        "interval_gt",
        "interval_ge",
        "interval_cmp"
    ),
    generals!(
        timetz,
        "timetz_eq",
        "timetz_ne",
        "timetz_lt",
        "timetz_le",
        "timetz_gt",
        "timetz_ge",
        "timetz_cmp",
        "timetz_larger",
        "timetz_smaller"
    ),
    generals!(
        first_type,
        "array_eq",
        "array_ne",
        "array_lt",
        "array_le",
        "array_gt",
        "array_ge",
        "btarraycmp",
        "array_larger",
        "array_smaller"
    ),
    generals!(
        first_type,
        "record_eq",
        "record_ne",
        "record_lt",
        "record_le",
        "record_gt",
        "record_ge",
        "btrecordcmp",
        "record_larger",
        "record_smaller"
    ),
    generals!(
        first_type,
        "oidvectoreq",
        "oidvectorne",
        "oidvectorlt",
        "oidvectorle",
        "oidvectorgt",
        "oidvectorge",
        "btoidvectorcmp",
    ),
    zoned!("date", "timestamp", |a: i32, b: i64, _zone| date_to_comparable_timestamp(a), i128::from(b)),
    zoned!("timestamp", "date", |a: i64, b: i32, _zone| i128::from(a), date_to_comparable_timestamp(b)),
    zoned!("date", "timestamptz", |a: i32, b: i64, zone| instant(date_to_comparable_timestamp(a), zone), i128::from(b)),
    zoned!("timestamptz", "date", |a: i64, b: i32, zone| i128::from(a), instant(date_to_comparable_timestamp(b), zone)),
    zoned!("timestamp", "timestamptz", |a: i64, b: i64, zone| instant(i128::from(a), zone), i128::from(b)),
    zoned!("timestamptz", "timestamp", |a: i64, b: i64, zone| i128::from(a), instant(i128::from(b), zone)),
    &[
        map!("uuid_cmp", |a: [u8; 16], b: [u8; 16]| -> i32 { compare_bytes(&a, &b) }),
        map!("date_cmp", |a: i32, b: i32| -> i32 { a.cmp(&b) as i32 }),
        map!("time_cmp", |a: i64, b: i64| -> i32 { a.cmp(&b) as i32 }),
        map!("timestamp_cmp", |a: i64, b: i64| -> i32 { a.cmp(&b) as i32 }),
        map!("date_larger", |a: i32, b: i32| -> i32 { a.max(b) }),
        map!("date_smaller", |a: i32, b: i32| -> i32 { a.min(b) }),
        map!("time_larger", |a: i64, b: i64| -> i64 { a.max(b) }),
        map!("time_smaller", |a: i64, b: i64| -> i64 { a.min(b) }),
        map!("timestamp_larger", |a: i64, b: i64| -> i64 { a.max(b) }),
        map!("timestamp_smaller", |a: i64, b: i64| -> i64 { a.min(b) }),
        map!("interval_larger", |a: Interval, b: Interval| -> Interval {
            if compare_intervals(a, b).is_gt() { a } else { b }
        }),
        map!("interval_smaller", |a: Interval, b: Interval| -> Interval {
            if compare_intervals(a, b).is_lt() { a } else { b }
        }),
    ],
];
