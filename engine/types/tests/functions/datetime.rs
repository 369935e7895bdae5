//! Functions of dates, times and intervals.

use helios_types::datetime::*;
use helios_types::io::Style;
use helios_types::{Datum, Interval, Numeric, Oid, Result, TimeTz, oid};

fn text(datum: &Datum) -> &str {
    match datum {
        Datum::Text(value) => value,
        other => panic!("{other:?} is no text"),
    }
}

fn stamp(datum: &Datum) -> i64 {
    match datum {
        Datum::I64(value) => *value,
        other => panic!("{other:?} is no timestamp"),
    }
}

fn int(datum: &Datum) -> i32 {
    match datum {
        Datum::I32(value) => *value,
        other => panic!("{other:?} is no date"),
    }
}

fn real(datum: &Datum) -> f64 {
    match datum {
        Datum::F64(value) => *value,
        other => panic!("{other:?} is no double"),
    }
}

fn span(datum: &Datum) -> Interval {
    match datum {
        Datum::Interval(value) => *value,
        other => panic!("{other:?} is no interval"),
    }
}

fn timetz(datum: &Datum) -> TimeTz {
    match datum {
        Datum::TimeTz(value) => *value,
        other => panic!("{other:?} is no timetz"),
    }
}

/// Calls a function; `None` if it is not one of these.
pub(super) fn call(name: &str, types: &[&str], arguments: &[Datum], style: &Style) -> Option<Result<(Oid, Datum)>> {
    let zone = &style.time_zone;
    let a = |index: usize| &arguments[index];
    let last = *types.last().expect("an argument");
    let with_zone = last.starts_with("timestamptz") || types.contains(&"timestamptz");
    let numeric =
        |value: Result<Option<Numeric>>| value.map(|value| (oid::NUMERIC, value.map_or(Datum::Null, Datum::Numeric)));
    let part = |value: Result<Option<f64>>| value.map(|value| (oid::FLOAT8, value.map_or(Datum::Null, Datum::F64)));
    let interval = |value: Result<Interval>| value.map(|value| (oid::INTERVAL, Datum::Interval(value)));
    let timestamp = |value: Result<i64>| value.map(|value| (oid::TIMESTAMP, Datum::I64(value)));
    let timestamptz = |value: Result<i64>| value.map(|value| (oid::TIMESTAMPTZ, Datum::I64(value)));
    let date = |value: Result<i32>| value.map(|value| (oid::DATE, Datum::I32(value)));
    let time = |value: Result<i64>| value.map(|value| (oid::TIME, Datum::I64(value)));
    let extract = || match last {
        "timestamp" => extract_timestamp(text(a(0)), stamp(a(1))),
        "timestamptz" => extract_timestamptz(text(a(0)), stamp(a(1)), zone),
        "date" => extract_date(text(a(0)), int(a(1))),
        "time" => extract_time(text(a(0)), stamp(a(1))).map(Some),
        "timetz" => extract_timetz(text(a(0)), timetz(a(1))).map(Some),
        _ => extract_interval(text(a(0)), span(a(1))),
    };
    let spec = |name: &str| ZoneSpec::parse(name, zone);
    Some(match name {
        "timestamp_pl_interval" => timestamp(timestamp_plus_interval(stamp(a(0)), span(a(1)))),
        "timestamp_mi_interval" => timestamp(timestamp_minus_interval(stamp(a(0)), span(a(1)))),
        "timestamptz_pl_interval" => timestamptz(timestamptz_plus_interval(stamp(a(0)), span(a(1)), zone)),
        "timestamptz_mi_interval" => timestamptz(timestamptz_minus_interval(stamp(a(0)), span(a(1)), zone)),
        "timestamp_mi" | "timestamptz_mi" => interval(timestamp_difference(stamp(a(0)), stamp(a(1)))),
        "age" if with_zone => interval(age_in_zone(stamp(a(0)), stamp(a(1)), zone)),
        "age" => interval(age(stamp(a(0)), stamp(a(1)))),
        "date_pli" => date(date_plus_days(int(a(0)), int(a(1)))),
        "date_mii" => date(date_minus_days(int(a(0)), int(a(1)))),
        "date_mi" => date_difference(int(a(0)), int(a(1))).map(|days| (oid::INT4, Datum::I32(days))),
        "date_pl_interval" => timestamp(date_plus_interval(int(a(0)), span(a(1)))),
        "date_mi_interval" => timestamp(date_minus_interval(int(a(0)), span(a(1)))),
        "datetime_pl" => timestamp(date_plus_time(int(a(0)), stamp(a(1)))),
        "datetimetz_pl" => timestamptz(date_plus_timetz(int(a(0)), timetz(a(1)))),
        "time_pl_interval" => time(time_plus_interval(stamp(a(0)), span(a(1)))),
        "time_mi_interval" => time(time_minus_interval(stamp(a(0)), span(a(1)))),
        "time_mi_time" => interval(Ok(time_difference(stamp(a(0)), stamp(a(1))))),
        "timetz_pl_interval" => {
            timetz_plus_interval(timetz(a(0)), span(a(1))).map(|value| (oid::TIMETZ, Datum::TimeTz(value)))
        }
        "interval_pl" => interval(interval_plus(span(a(0)), span(a(1)))),
        "interval_mi" => interval(interval_minus(span(a(0)), span(a(1)))),
        "interval_um" => interval(negate_interval(span(a(0)))),
        "interval_mul" => interval(interval_times(span(a(0)), real(a(1)))),
        "interval_div" => interval(interval_divided(span(a(0)), real(a(1)))),
        "justify_hours" => interval(justify_hours(span(a(0)))),
        "justify_days" => interval(justify_days(span(a(0)))),
        "justify_interval" => interval(justify_interval(span(a(0)))),
        "date_trunc" if types.len() == 3 => {
            timestamptz(spec(text(a(2))).and_then(|spec| timestamptz_trunc_zone(text(a(0)), stamp(a(1)), &spec)))
        }
        "date_trunc" => match last {
            "timestamp" => timestamp(timestamp_trunc(text(a(0)), stamp(a(1)))),
            "timestamptz" => timestamptz(timestamptz_trunc(text(a(0)), stamp(a(1)), zone)),
            _ => interval(interval_trunc(text(a(0)), span(a(1)))),
        },
        "date_bin" => timestamp(date_bin(span(a(0)), stamp(a(1)), stamp(a(2)))),
        "extract" => numeric(extract()),
        "date_part" => part(match last {
            "timestamp" => date_part_timestamp(text(a(0)), stamp(a(1))),
            "timestamptz" => date_part_timestamptz(text(a(0)), stamp(a(1)), zone),
            "date" => date_to_timestamp(int(a(1))).and_then(|at| date_part_timestamp(text(a(0)), at)),
            "time" => date_part_time(text(a(0)), stamp(a(1))).map(Some),
            "timetz" => date_part_timetz(text(a(0)), timetz(a(1))).map(Some),
            _ => date_part_interval(text(a(0)), span(a(1))),
        }),
        "make_date" => date(make_date(int(a(0)), int(a(1)), int(a(2)))),
        "make_time" => time(make_time(int(a(0)), int(a(1)), real(a(2)))),
        "make_timestamp" => {
            timestamp(make_timestamp(int(a(0)), int(a(1)), int(a(2)), int(a(3)), int(a(4)), real(a(5))))
        }
        "make_timestamptz" => {
            timestamptz(make_timestamp(int(a(0)), int(a(1)), int(a(2)), int(a(3)), int(a(4)), real(a(5))).and_then(
                |local| match arguments.get(6) {
                    Some(name) => make_timestamptz_at(local, text(name), zone),
                    None => make_timestamptz(local, zone),
                },
            ))
        }
        "make_interval" => {
            let i: Vec<i32> = arguments[..6].iter().map(int).collect();
            interval(make_interval(i[0], i[1], i[2], i[3], i[4], i[5], real(a(6))))
        }
        "to_timestamp" => timestamptz(timestamptz_from_epoch(real(a(0)))),
        "timezone" => match (types[0], last) {
            ("text", "timestamp") => timestamptz(timestamp_at_zone_named(stamp(a(1)), text(a(0)), zone)),
            ("text", "timestamptz") => timestamp(timestamptz_at_zone_named(stamp(a(1)), text(a(0)), zone)),
            (_, "timestamp") => {
                timestamptz(interval_to_zone(span(a(0))).and_then(|spec| timestamp_at_zone(stamp(a(1)), &spec)))
            }
            _ => timestamp(interval_to_zone(span(a(0))).and_then(|spec| timestamptz_at_zone(stamp(a(1)), &spec))),
        },
        "timestamp" if last == "date" => timestamp(date_to_timestamp(int(a(0)))),
        "timestamp" => timestamp(timestamptz_to_timestamp(stamp(a(0)), zone)),
        "timestamptz" if last == "date" => timestamptz(date_to_timestamptz(int(a(0)), zone)),
        "timestamptz" => timestamptz(timestamp_to_timestamptz(stamp(a(0)), zone)),
        "date" if last == "timestamp" => date(Ok(timestamp_to_date(stamp(a(0))))),
        "date" => date(Ok(timestamptz_to_date(stamp(a(0)), zone))),
        "time" if last == "interval" => time(interval_to_time(span(a(0)))),
        "time" if last == "timestamp" => {
            Ok((oid::TIME, timestamp_to_time(stamp(a(0))).map_or(Datum::Null, Datum::I64)))
        }
        "time" => Ok((oid::TIME, timestamptz_to_time(stamp(a(0)), zone).map_or(Datum::Null, Datum::I64))),
        "timetz" => Ok((oid::TIMETZ, timestamptz_to_timetz(stamp(a(0)), zone).map_or(Datum::Null, Datum::TimeTz))),
        _ => return None,
    })
}
