//! Dates, times and intervals: arithmetic, casts, parts, zones.
//!
//! The calendar itself is [`helios_types::datetime`]; here its functions get their `prosrc` names, in the session's time
//! zone where PostgreSQL looks at it.

use helios_types::datetime::{self as dt, TimeZone, ZoneSpec};
use helios_types::{Datum, Interval, Numeric, Result, TimeTz, compare, oid};

use super::arguments::{f64_at, i32_at, i64_at, interval_at, text_at};
use super::errors::invalid_parameter;
use super::native::{fallible, map, mismatch};
use super::series::zero_step;
use super::strings::value;
use super::{Entry, FunctionContext, Implementation};

fn zone<'a>(ctx: &FunctionContext<'a>) -> &'a TimeZone {
    &ctx.session.style.time_zone
}

/// The timetz argument at this position.
pub(super) fn timetz_at(args: &[Datum], position: usize) -> TimeTz {
    match &args[position] {
        Datum::TimeTz(value) => *value,
        other => mismatch("TimeTz", other),
    }
}

fn numeric(value: Option<Numeric>) -> Datum {
    value.map_or(Datum::Null, Datum::Numeric)
}

fn float(value: Option<f64>) -> Datum {
    value.map_or(Datum::Null, Datum::F64)
}

fn time(value: Option<i64>) -> Datum {
    value.map_or(Datum::Null, Datum::I64)
}

/// An entry that computes one row.
macro_rules! row {
    ($name:literal, |$ctx:tt, $args:ident| $body:expr) => {
        ($name, Implementation::Scalar(|$ctx, $args| Ok($body)))
    };
}

/// `date_bin(stride, source, origin)`.
fn bin(args: &[Datum]) -> Result<Datum> {
    dt::date_bin(interval_at(args, 0), i64_at(args, 1), i64_at(args, 2)).map(Datum::I64)
}

fn make_timestamp(args: &[Datum]) -> Result<i64> {
    dt::make_timestamp(
        i32_at(args, 0),
        i32_at(args, 1),
        i32_at(args, 2),
        i32_at(args, 3),
        i32_at(args, 4),
        f64_at(args, 5),
    )
}

/// Midnight of the session's day: what `age(x)` counts to.
fn today(ctx: &FunctionContext<'_>) -> i32 {
    dt::timestamptz_to_date(ctx.session.now(), zone(ctx))
}

/// SQL's OVERLAPS of two periods given by their ends in either order. An end may be NULL, and the answer too.
fn overlaps(type_oid: helios_types::Oid, args: &[Datum]) -> Datum {
    let less = |a: &Datum, b: &Datum| compare(type_oid, a, b).is_lt();
    let ordered = |start: &Datum, end: &Datum| {
        if start.is_null() {
            (end.clone(), Datum::Null)
        } else if !end.is_null() && less(end, start) {
            (end.clone(), start.clone())
        } else {
            (start.clone(), end.clone())
        }
    };
    let (first_start, first_end) = ordered(&args[0], &args[1]);
    let (second_start, second_end) = ordered(&args[2], &args[3]);
    if first_start.is_null() || second_start.is_null() {
        return Datum::Null;
    }
    // The one that starts later must start before the other ends.
    let within = |start: &Datum, other_end: &Datum, own_end: &Datum| {
        if other_end.is_null() {
            return Datum::Null;
        }
        if less(start, other_end) {
            return Datum::Bool(true);
        }
        if own_end.is_null() { Datum::Null } else { Datum::Bool(false) }
    };
    if less(&second_start, &first_start) {
        within(&first_start, &second_end, &first_end)
    } else if less(&first_start, &second_start) {
        within(&second_start, &first_end, &second_end)
    } else if first_end.is_null() || second_end.is_null() {
        Datum::Null
    } else {
        Datum::Bool(true)
    }
}

/// How `period + interval` is computed, for the forms of OVERLAPS that SQL functions rewrite.
type Plus = fn(&FunctionContext<'_>, &Datum, &Datum) -> Result<Datum>;

/// OVERLAPS where the periods in `lengths` are given by start and length.
fn overlaps_lengths(
    ctx: &FunctionContext<'_>,
    type_oid: helios_types::Oid,
    args: &[Datum],
    lengths: [bool; 2],
    plus: Plus,
) -> Result<Datum> {
    let mut ends = args.to_vec();
    for (period, by_length) in lengths.into_iter().enumerate() {
        if by_length {
            let (start, length) = (&args[period * 2], &args[period * 2 + 1]);
            ends[period * 2 + 1] =
                if start.is_null() || length.is_null() { Datum::Null } else { plus(ctx, start, length)? };
        }
    }
    Ok(overlaps(type_oid, &ends))
}

const TIMESTAMP_PLUS: Plus = |_, start, length| {
    let args = [start.clone(), length.clone()];
    dt::timestamp_plus_interval(i64_at(&args, 0), interval_at(&args, 1)).map(Datum::I64)
};

const TIMESTAMPTZ_PLUS: Plus = |ctx, start, length| {
    let args = [start.clone(), length.clone()];
    dt::timestamptz_plus_interval(i64_at(&args, 0), interval_at(&args, 1), zone(ctx)).map(Datum::I64)
};

const TIME_PLUS: Plus = |_, start, length| {
    let args = [start.clone(), length.clone()];
    dt::time_plus_interval(i64_at(&args, 0), interval_at(&args, 1)).map(Datum::I64)
};

/// generate_series of timestamps.
fn series(args: &[Datum], plus: impl Fn(i64, Interval) -> Result<i64>, emit: super::series::Emit<'_>) -> Result<()> {
    let (mut at, stop, step) = (i64_at(args, 0), i64_at(args, 1), interval_at(args, 2));
    let direction = helios_types::compare_intervals(step, Interval::default());
    if direction.is_eq() {
        return Err(zero_step());
    }
    if !step.is_finite() {
        return Err(invalid_parameter("step size cannot be infinite"));
    }
    while if direction.is_gt() { at <= stop } else { at >= stop } {
        emit(&[Datum::I64(at)])?;
        at = plus(at, step)?;
    }
    Ok(())
}

/// The zone that a name means, for functions that compute in it.
fn named_zone(name: &str) -> Result<TimeZone> {
    TimeZone::named(name).ok_or_else(|| invalid_parameter(format!("time zone \"{name}\" not recognized")))
}

/// `timezone(zone, timetz)`.
fn timetz_in(ctx: &FunctionContext<'_>, time: TimeTz, spec: &ZoneSpec) -> Datum {
    Datum::TimeTz(dt::timetz_at_zone(time, spec, ctx.session.now()))
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[
    // Arithmetic.
    &[
        fallible!("date_mi", |a: i32, b: i32| -> i32 { dt::date_difference(a, b) }),
        fallible!("date_pli", |date: i32, days: i32| -> i32 { dt::date_plus_days(date, days) }),
        fallible!("date_mii", |date: i32, days: i32| -> i32 { dt::date_minus_days(date, days) }),
        fallible!("date_pl_interval", |date: i32, by: Interval| -> i64 { dt::date_plus_interval(date, by) }),
        fallible!("date_mi_interval", |date: i32, by: Interval| -> i64 { dt::date_minus_interval(date, by) }),
        fallible!("datetime_timestamp", |date: i32, time: i64| -> i64 { dt::date_plus_time(date, time) }),
        (
            "datetimetz_timestamptz",
            Implementation::Scalar(|_, args| dt::date_plus_timetz(i32_at(args, 0), timetz_at(args, 1)).map(Datum::I64)),
        ),
        fallible!("timestamp_mi", |a: i64, b: i64| -> Interval { dt::timestamp_difference(a, b) }),
        fallible!("timestamp_pl_interval", |at: i64, by: Interval| -> i64 { dt::timestamp_plus_interval(at, by) }),
        fallible!("timestamp_mi_interval", |at: i64, by: Interval| -> i64 { dt::timestamp_minus_interval(at, by) }),
        value!("timestamptz_pl_interval", |ctx, at: i64, by: Interval| -> i64 {
            dt::timestamptz_plus_interval(at, by, zone(ctx))
        }),
        value!("timestamptz_mi_interval", |ctx, at: i64, by: Interval| -> i64 {
            dt::timestamptz_minus_interval(at, by, zone(ctx))
        }),
        value!("timestamptz_pl_interval_at_zone", |_, at: i64, by: Interval, name: &str| -> i64 {
            dt::timestamptz_plus_interval(at, by, &named_zone(name)?)
        }),
        value!("timestamptz_mi_interval_at_zone", |_, at: i64, by: Interval, name: &str| -> i64 {
            dt::timestamptz_minus_interval(at, by, &named_zone(name)?)
        }),
        fallible!("timestamp_age", |a: i64, b: i64| -> Interval { dt::age(a, b) }),
        value!("timestamptz_age", |ctx, a: i64, b: i64| -> Interval { dt::age_in_zone(a, b, zone(ctx)) }),
        fallible!("time_pl_interval", |at: i64, by: Interval| -> i64 { dt::time_plus_interval(at, by) }),
        fallible!("time_mi_interval", |at: i64, by: Interval| -> i64 { dt::time_minus_interval(at, by) }),
        map!("time_mi_time", |a: i64, b: i64| -> Interval { dt::time_difference(a, b) }),
        (
            "timetz_pl_interval",
            Implementation::Scalar(|_, args| {
                dt::timetz_plus_interval(timetz_at(args, 0), interval_at(args, 1)).map(Datum::TimeTz)
            }),
        ),
        (
            "timetz_mi_interval",
            Implementation::Scalar(|_, args| {
                dt::timetz_minus_interval(timetz_at(args, 0), interval_at(args, 1)).map(Datum::TimeTz)
            }),
        ),
        fallible!("interval_um", |a: Interval| -> Interval { dt::negate_interval(a) }),
        fallible!("interval_pl", |a: Interval, b: Interval| -> Interval { dt::interval_plus(a, b) }),
        fallible!("interval_mi", |a: Interval, b: Interval| -> Interval { dt::interval_minus(a, b) }),
        fallible!("interval_mul", |a: Interval, factor: f64| -> Interval { dt::interval_times(a, factor) }),
        fallible!("mul_d_interval", |factor: f64, a: Interval| -> Interval { dt::interval_times(a, factor) }),
        fallible!("interval_div", |a: Interval, divisor: f64| -> Interval { dt::interval_divided(a, divisor) }),
        fallible!("interval_justify_hours", |a: Interval| -> Interval { dt::justify_hours(a) }),
        fallible!("interval_justify_days", |a: Interval| -> Interval { dt::justify_days(a) }),
        fallible!("interval_justify_interval", |a: Interval| -> Interval { dt::justify_interval(a) }),
        map!("date_finite", |date: i32| -> bool { dt::date_is_finite(date) }),
        map!("timestamp_finite", |at: i64| -> bool { dt::timestamp_is_finite(at) }),
        map!("interval_finite", |a: Interval| -> bool { a.is_finite() }),
        row!("overlaps_time", |_, args| overlaps(oid::TIME, args)),
        row!("overlaps_timetz", |_, args| overlaps(oid::TIMETZ, args)),
        row!("overlaps_timestamp", |_, args| overlaps(oid::TIMESTAMP, args)),
    ],
    // Casts.
    &[
        fallible!("date_timestamp", |date: i32| -> i64 { dt::date_to_timestamp(date) }),
        value!("date_timestamptz", |ctx, date: i32| -> i64 { dt::date_to_timestamptz(date, zone(ctx)) }),
        map!("timestamp_date", |at: i64| -> i32 { dt::timestamp_to_date(at) }),
        value!("timestamptz_date", |ctx, at: i64| -> i32 { Ok(dt::timestamptz_to_date(at, zone(ctx))) }),
        value!("timestamp_timestamptz", |ctx, at: i64| -> i64 { dt::timestamp_to_timestamptz(at, zone(ctx)) }),
        value!("timestamptz_timestamp", |ctx, at: i64| -> i64 { dt::timestamptz_to_timestamp(at, zone(ctx)) }),
        row!("timestamp_time", |_, args| time(dt::timestamp_to_time(i64_at(args, 0)))),
        row!("timestamptz_time", |ctx, args| time(dt::timestamptz_to_time(i64_at(args, 0), zone(ctx)))),
        row!("timestamptz_timetz", |ctx, args| {
            dt::timestamptz_to_timetz(i64_at(args, 0), zone(ctx)).map_or(Datum::Null, Datum::TimeTz)
        }),
        map!("time_interval", |time: i64| -> Interval { dt::time_to_interval(time) }),
        fallible!("interval_time", |a: Interval| -> i64 { dt::interval_to_time(a) }),
        row!("time_timetz", |ctx, args| {
            Datum::TimeTz(dt::time_to_timetz(i64_at(args, 0), zone(ctx), ctx.session.now()))
        }),
        row!("timetz_time", |_, args| Datum::I64(timetz_at(args, 0).micros)),
        fallible!("float8_timestamptz", |seconds: f64| -> i64 { dt::timestamptz_from_epoch(seconds) }),
    ],
    // Zones.
    &[
        value!("timestamp_zone", |ctx, name: &str, at: i64| -> i64 {
            dt::timestamp_at_zone_named(at, name, zone(ctx))
        }),
        value!("timestamptz_zone", |ctx, name: &str, at: i64| -> i64 {
            dt::timestamptz_at_zone_named(at, name, zone(ctx))
        }),
        fallible!("timestamp_izone", |offset: Interval, at: i64| -> i64 {
            if dt::timestamp_is_finite(at) { dt::timestamp_at_zone(at, &dt::interval_to_zone(offset)?) } else { Ok(at) }
        }),
        fallible!("timestamptz_izone", |offset: Interval, at: i64| -> i64 {
            if dt::timestamp_is_finite(at) {
                dt::timestamptz_at_zone(at, &dt::interval_to_zone(offset)?)
            } else {
                Ok(at)
            }
        }),
        value!("timestamp_at_local", |ctx, at: i64| -> i64 { dt::timestamp_to_timestamptz(at, zone(ctx)) }),
        value!("timestamptz_at_local", |ctx, at: i64| -> i64 { dt::timestamptz_to_timestamp(at, zone(ctx)) }),
        (
            "timetz_zone",
            Implementation::Scalar(|ctx, args| {
                let spec = ZoneSpec::parse(text_at(args, 0), zone(ctx))?;
                Ok(timetz_in(ctx, timetz_at(args, 1), &spec))
            }),
        ),
        (
            "timetz_izone",
            Implementation::Scalar(|ctx, args| {
                Ok(timetz_in(ctx, timetz_at(args, 1), &dt::interval_to_zone(interval_at(args, 0))?))
            }),
        ),
        (
            "timetz_at_local",
            Implementation::Scalar(|ctx, args| {
                let spec = ZoneSpec::parse(zone(ctx).name(), zone(ctx))?;
                Ok(timetz_in(ctx, timetz_at(args, 0), &spec))
            }),
        ),
    ],
    // Parts.
    &[
        row!("extract_date", |_, args| numeric(dt::extract_date(text_at(args, 0), i32_at(args, 1))?)),
        row!("extract_time", |_, args| Datum::Numeric(dt::extract_time(text_at(args, 0), i64_at(args, 1))?)),
        row!("extract_timetz", |_, args| Datum::Numeric(dt::extract_timetz(text_at(args, 0), timetz_at(args, 1))?)),
        row!("extract_timestamp", |_, args| numeric(dt::extract_timestamp(text_at(args, 0), i64_at(args, 1))?)),
        row!("extract_timestamptz", |ctx, args| {
            numeric(dt::extract_timestamptz(text_at(args, 0), i64_at(args, 1), zone(ctx))?)
        }),
        row!("extract_interval", |_, args| numeric(dt::extract_interval(text_at(args, 0), interval_at(args, 1))?)),
        row!("time_part", |_, args| Datum::F64(dt::date_part_time(text_at(args, 0), i64_at(args, 1))?)),
        row!("timetz_part", |_, args| Datum::F64(dt::date_part_timetz(text_at(args, 0), timetz_at(args, 1))?)),
        row!("timestamp_part", |_, args| float(dt::date_part_timestamp(text_at(args, 0), i64_at(args, 1))?)),
        row!("timestamptz_part", |ctx, args| {
            float(dt::date_part_timestamptz(text_at(args, 0), i64_at(args, 1), zone(ctx))?)
        }),
        row!("interval_part", |_, args| float(dt::date_part_interval(text_at(args, 0), interval_at(args, 1))?)),
        value!("timestamp_trunc", |_, field: &str, at: i64| -> i64 { dt::timestamp_trunc(field, at) }),
        value!("timestamptz_trunc", |ctx, field: &str, at: i64| -> i64 { dt::timestamptz_trunc(field, at, zone(ctx)) }),
        value!("timestamptz_trunc_zone", |ctx, field: &str, at: i64, name: &str| -> i64 {
            dt::timestamptz_trunc_zone(field, at, &ZoneSpec::parse(name, zone(ctx))?)
        }),
        value!("interval_trunc", |_, field: &str, a: Interval| -> Interval { dt::interval_trunc(field, a) }),
        ("timestamp_bin", Implementation::Scalar(|_, args| bin(args))),
        ("timestamptz_bin", Implementation::Scalar(|_, args| bin(args))),
    ],
    // Made of parts.
    &[
        (
            "make_date",
            Implementation::Scalar(|_, args| {
                dt::make_date(i32_at(args, 0), i32_at(args, 1), i32_at(args, 2)).map(Datum::I32)
            }),
        ),
        (
            "make_time",
            Implementation::Scalar(|_, args| {
                dt::make_time(i32_at(args, 0), i32_at(args, 1), f64_at(args, 2)).map(Datum::I64)
            }),
        ),
        ("make_timestamp", Implementation::Scalar(|_, args| make_timestamp(args).map(Datum::I64))),
        (
            "make_timestamptz",
            Implementation::Scalar(|ctx, args| dt::make_timestamptz(make_timestamp(args)?, zone(ctx)).map(Datum::I64)),
        ),
        (
            "make_timestamptz_at_timezone",
            Implementation::Scalar(|ctx, args| {
                dt::make_timestamptz_at(make_timestamp(args)?, text_at(args, 6), zone(ctx)).map(Datum::I64)
            }),
        ),
        (
            "make_interval",
            Implementation::Scalar(|_, args| {
                dt::make_interval(
                    i32_at(args, 0),
                    i32_at(args, 1),
                    i32_at(args, 2),
                    i32_at(args, 3),
                    i32_at(args, 4),
                    i32_at(args, 5),
                    f64_at(args, 6),
                )
                .map(Datum::Interval)
            }),
        ),
        (
            "generate_series_timestamp",
            Implementation::Set(|_, args, emit| series(args, dt::timestamp_plus_interval, emit)),
        ),
        (
            "generate_series_timestamptz",
            Implementation::Set(|ctx, args, emit| {
                series(args, |at, by| dt::timestamptz_plus_interval(at, by, zone(ctx)), emit)
            }),
        ),
        (
            "generate_series_timestamptz_at_zone",
            Implementation::Set(|_, args, emit| {
                let zone = named_zone(text_at(args, 3))?;
                series(args, |at, by| dt::timestamptz_plus_interval(at, by, &zone), emit)
            }),
        ),
    ],
];

/// SQL-language builtins of this module, by `pg_proc.oid`.
pub(super) const SQL_FUNCTIONS: &[(u32, Implementation)] = &[
    // date_part(text, date): of its midnight.
    (
        1384,
        Implementation::Scalar(|_, args| {
            let midnight = dt::date_to_timestamp(i32_at(args, 1))?;
            Ok(float(dt::date_part_timestamp(text_at(args, 0), midnight)?))
        }),
    ),
    // timestamptz(date, time)
    (
        1176,
        Implementation::Scalar(|ctx, args| {
            let local = dt::date_plus_time(i32_at(args, 0), i64_at(args, 1))?;
            dt::timestamp_to_timestamptz(local, zone(ctx)).map(Datum::I64)
        }),
    ),
    // time + date, timetz + date
    (1296, Implementation::Scalar(|_, args| dt::date_plus_time(i32_at(args, 1), i64_at(args, 0)).map(Datum::I64))),
    (1298, Implementation::Scalar(|_, args| dt::date_plus_timetz(i32_at(args, 1), timetz_at(args, 0)).map(Datum::I64))),
    // age(timestamptz), age(timestamp): from today's midnight.
    (
        1386,
        Implementation::Scalar(|ctx, args| {
            let midnight = dt::date_to_timestamptz(today(ctx), zone(ctx))?;
            dt::age_in_zone(midnight, i64_at(args, 0), zone(ctx)).map(Datum::Interval)
        }),
    ),
    (
        2059,
        Implementation::Scalar(|ctx, args| {
            dt::age(dt::date_to_timestamp(today(ctx))?, i64_at(args, 0)).map(Datum::Interval)
        }),
    ),
    // interval + time, date, timetz, timestamp, timestamptz; integer + date
    (
        1848,
        Implementation::Scalar(|_, args| dt::time_plus_interval(i64_at(args, 1), interval_at(args, 0)).map(Datum::I64)),
    ),
    (
        2546,
        Implementation::Scalar(|_, args| dt::date_plus_interval(i32_at(args, 1), interval_at(args, 0)).map(Datum::I64)),
    ),
    (
        2547,
        Implementation::Scalar(|_, args| {
            dt::timetz_plus_interval(timetz_at(args, 1), interval_at(args, 0)).map(Datum::TimeTz)
        }),
    ),
    (
        2548,
        Implementation::Scalar(|_, args| {
            dt::timestamp_plus_interval(i64_at(args, 1), interval_at(args, 0)).map(Datum::I64)
        }),
    ),
    (
        2549,
        Implementation::Scalar(|ctx, args| {
            dt::timestamptz_plus_interval(i64_at(args, 1), interval_at(args, 0), zone(ctx)).map(Datum::I64)
        }),
    ),
    (2550, Implementation::Scalar(|_, args| dt::date_plus_days(i32_at(args, 1), i32_at(args, 0)).map(Datum::I32))),
    // OVERLAPS with lengths: timestamptz, timestamp, time.
    (
        1305,
        Implementation::Scalar(|ctx, args| {
            overlaps_lengths(ctx, oid::TIMESTAMPTZ, args, [true, true], TIMESTAMPTZ_PLUS)
        }),
    ),
    (
        1306,
        Implementation::Scalar(|ctx, args| {
            overlaps_lengths(ctx, oid::TIMESTAMPTZ, args, [false, true], TIMESTAMPTZ_PLUS)
        }),
    ),
    (
        1307,
        Implementation::Scalar(|ctx, args| {
            overlaps_lengths(ctx, oid::TIMESTAMPTZ, args, [true, false], TIMESTAMPTZ_PLUS)
        }),
    ),
    (
        2042,
        Implementation::Scalar(|ctx, args| overlaps_lengths(ctx, oid::TIMESTAMP, args, [true, true], TIMESTAMP_PLUS)),
    ),
    (
        2043,
        Implementation::Scalar(|ctx, args| overlaps_lengths(ctx, oid::TIMESTAMP, args, [false, true], TIMESTAMP_PLUS)),
    ),
    (
        2044,
        Implementation::Scalar(|ctx, args| overlaps_lengths(ctx, oid::TIMESTAMP, args, [true, false], TIMESTAMP_PLUS)),
    ),
    (1309, Implementation::Scalar(|ctx, args| overlaps_lengths(ctx, oid::TIME, args, [true, true], TIME_PLUS))),
    (1310, Implementation::Scalar(|ctx, args| overlaps_lengths(ctx, oid::TIME, args, [false, true], TIME_PLUS))),
    (1311, Implementation::Scalar(|ctx, args| overlaps_lengths(ctx, oid::TIME, args, [true, false], TIME_PLUS))),
];
