//! Whether a value lies within an offset of another: what RANGE frames of window functions are made of.
//!
//! `in_range(value, base, offset, sub, less)` is `value <= base ± offset` (`less`) or `>=`; `sub` says which sign. A sum
//! that overflows is beyond every value.

use helios_types::datetime as dt;
use helios_types::{Datum, Interval, Numeric, PgError, Result, SqlState, TimeTz, compare, oid};

use super::arguments::{bool_at, f32_at, f64_at, i16_at, i32_at, i64_at, interval_at, numeric_at};
use super::datetime::timetz_at;
use super::{Entry, FunctionContext, Implementation};

#[cold]
fn invalid_size() -> PgError {
    PgError::new(
        SqlState::INVALID_PRECEDING_OR_FOLLOWING_SIZE,
        "invalid preceding or following size in window function",
    )
}

/// Which way and which side: the last two arguments.
fn direction(args: &[Datum]) -> (bool, bool) {
    (bool_at(args, 3), bool_at(args, 4))
}

fn side<T: PartialOrd>(value: T, bound: T, less: bool) -> Datum {
    Datum::Bool(if less { value <= bound } else { value >= bound })
}

fn integers(value: i64, base: i64, offset: i64, (sub, less): (bool, bool)) -> Result<Datum> {
    if offset < 0 {
        return Err(invalid_size());
    }
    let base = i128::from(base);
    let bound = if sub { base - i128::from(offset) } else { base + i128::from(offset) };
    Ok(side(i128::from(value), bound, less))
}

fn floats(value: f64, base: f64, offset: f64, (sub, less): (bool, bool)) -> Result<Datum> {
    if offset.is_nan() || offset < 0.0 {
        return Err(invalid_size());
    }
    if value.is_nan() {
        return Ok(Datum::Bool(base.is_nan() || !less));
    }
    if base.is_nan() {
        return Ok(Datum::Bool(less));
    }
    // From an infinity an infinite way back reaches everything.
    if offset.is_infinite() && base.is_infinite() && (base > 0.0) == sub {
        return Ok(Datum::Bool(true));
    }
    Ok(side(value, if sub { base - offset } else { base + offset }, less))
}

fn numerics(value: &Numeric, base: &Numeric, offset: &Numeric, (sub, less): (bool, bool)) -> Result<Datum> {
    if offset.is_nan() || offset.is_negative() {
        return Err(invalid_size());
    }
    if value.is_nan() {
        return Ok(Datum::Bool(base.is_nan() || !less));
    }
    if base.is_nan() {
        return Ok(Datum::Bool(less));
    }
    if !offset.is_finite() && !base.is_finite() && base.is_negative() != sub {
        return Ok(Datum::Bool(true));
    }
    let bound = if sub { base.subtract(offset)? } else { base.add(offset)? };
    Ok(side(value, &bound, less))
}

/// The common beginning of the intervals' forms.
fn offset_at(args: &[Datum]) -> Result<Interval> {
    let offset = interval_at(args, 2);
    if helios_types::compare_intervals(offset, Interval::default()).is_lt() {
        return Err(invalid_size());
    }
    Ok(offset)
}

/// Of timestamps: dates too, by their midnights.
fn timestamps(
    args: &[Datum],
    value: i64,
    base: i64,
    plus: impl Fn(i64, Interval) -> Result<i64>,
    minus: impl Fn(i64, Interval) -> Result<i64>,
) -> Result<Datum> {
    let offset = offset_at(args)?;
    let (sub, less) = direction(args);
    if !offset.is_finite() && base == if sub { i64::MAX } else { i64::MIN } {
        return Ok(Datum::Bool(true));
    }
    Ok(side(value, if sub { minus(base, offset)? } else { plus(base, offset)? }, less))
}

fn dates(_: &FunctionContext<'_>, args: &[Datum]) -> Result<Datum> {
    let midnight = |position: usize| dt::date_to_timestamp(i32_at(args, position));
    timestamps(args, midnight(0)?, midnight(1)?, dt::timestamp_plus_interval, dt::timestamp_minus_interval)
}

fn intervals(args: &[Datum]) -> Result<Datum> {
    let offset = offset_at(args)?;
    let (sub, less) = direction(args);
    let base = interval_at(args, 1);
    if !offset.is_finite() && base == if sub { Interval::INFINITY } else { Interval::NEGATIVE_INFINITY } {
        return Ok(Datum::Bool(true));
    }
    let bound = if sub { dt::interval_minus(base, offset)? } else { dt::interval_plus(base, offset)? };
    let order = helios_types::compare_intervals(interval_at(args, 0), bound);
    Ok(Datum::Bool(if less { order.is_le() } else { order.is_ge() }))
}

/// Times of day do not go around midnight here.
fn time_bound(base: i64, args: &[Datum]) -> Result<Option<i64>> {
    let offset = interval_at(args, 2);
    if offset.micros < 0 {
        return Err(invalid_size());
    }
    let (sub, _) = direction(args);
    Ok(if sub { Some(base - offset.micros) } else { base.checked_add(offset.micros) })
}

fn times(args: &[Datum]) -> Result<Datum> {
    let (_, less) = direction(args);
    Ok(match time_bound(i64_at(args, 1), args)? {
        Some(bound) => side(i64_at(args, 0), bound, less),
        None => Datum::Bool(less),
    })
}

fn timetzs(args: &[Datum]) -> Result<Datum> {
    let (_, less) = direction(args);
    let base = timetz_at(args, 1);
    Ok(match time_bound(base.micros, args)? {
        Some(micros) => {
            let bound = Datum::TimeTz(TimeTz { micros, zone: base.zone });
            let order = compare(oid::TIMETZ, &args[0], &bound);
            Datum::Bool(if less { order.is_le() } else { order.is_ge() })
        }
        None => Datum::Bool(less),
    })
}

macro_rules! of_integers {
    ($name:literal, $value:ident, $offset:ident) => {
        (
            $name,
            Implementation::Scalar(|_, args| {
                integers(
                    i64::from($value(args, 0)),
                    i64::from($value(args, 1)),
                    i64::from($offset(args, 2)),
                    direction(args),
                )
            }),
        )
    };
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    of_integers!("in_range_int2_int2", i16_at, i16_at),
    of_integers!("in_range_int2_int4", i16_at, i32_at),
    of_integers!("in_range_int2_int8", i16_at, i64_at),
    of_integers!("in_range_int4_int2", i32_at, i16_at),
    of_integers!("in_range_int4_int4", i32_at, i32_at),
    of_integers!("in_range_int4_int8", i32_at, i64_at),
    of_integers!("in_range_int8_int8", i64_at, i64_at),
    (
        "in_range_float4_float8",
        Implementation::Scalar(|_, args| {
            floats(f64::from(f32_at(args, 0)), f64::from(f32_at(args, 1)), f64_at(args, 2), direction(args))
        }),
    ),
    (
        "in_range_float8_float8",
        Implementation::Scalar(|_, args| floats(f64_at(args, 0), f64_at(args, 1), f64_at(args, 2), direction(args))),
    ),
    (
        "in_range_numeric_numeric",
        Implementation::Scalar(|_, args| {
            numerics(numeric_at(args, 0), numeric_at(args, 1), numeric_at(args, 2), direction(args))
        }),
    ),
    ("in_range_date_interval", Implementation::Scalar(dates)),
    (
        "in_range_timestamp_interval",
        Implementation::Scalar(|_, args| {
            let (value, base) = (i64_at(args, 0), i64_at(args, 1));
            timestamps(args, value, base, dt::timestamp_plus_interval, dt::timestamp_minus_interval)
        }),
    ),
    (
        "in_range_timestamptz_interval",
        Implementation::Scalar(|ctx, args| {
            let zone = &ctx.session.style.time_zone;
            timestamps(
                args,
                i64_at(args, 0),
                i64_at(args, 1),
                |at, by| dt::timestamptz_plus_interval(at, by, zone),
                |at, by| dt::timestamptz_minus_interval(at, by, zone),
            )
        }),
    ),
    ("in_range_interval_interval", Implementation::Scalar(|_, args| intervals(args))),
    ("in_range_time_interval", Implementation::Scalar(|_, args| times(args))),
    ("in_range_timetz_interval", Implementation::Scalar(|_, args| timetzs(args))),
]];
