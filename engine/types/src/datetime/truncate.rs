//! date_trunc and date_bin.

use super::extract::{Field, unit_error};
use super::{
    Civil, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, TimeZone, check_timestamp,
    civil_from_days, days_from_civil, overflow, split_timestamp, timestamp_is_finite,
};
use crate::{Interval, Oid, PgError, Result, SqlState, oid};

fn interval_out_of_range() -> PgError {
    overflow("interval out of range")
}

/// The first year of the millennium, century or decade of an astronomical year.
fn first_year(field: Field, year: i64) -> i64 {
    // Centuries begin with their year 1; there is no year 0, and before it counting goes backwards.
    let first_of = |span: i64| {
        if year > 0 {
            (year + span - 1) / span * span - (span - 1)
        } else {
            -((span - 1 - (year - 1)) / span) * span + 1
        }
    };
    match field {
        Field::Millennium => first_of(1000),
        Field::Century => first_of(100),
        Field::Decade if year > 0 => year / 10 * 10,
        Field::Decade => -((8 - (year - 1)) / 10) * 10,
        _ => year,
    }
}

/// The day that a field of a day begins with; `None` for fields of the time of day.
fn truncate_days(field: Field, days: i64) -> Option<i64> {
    let Civil { year, month, .. } = civil_from_days(days);
    let (year, month) = (i64::from(year), i64::from(month));
    Some(match field {
        Field::Millennium | Field::Century | Field::Decade | Field::Year => {
            days_from_civil(first_year(field, year), 1, 1)
        }
        Field::Quarter => days_from_civil(year, (month - 1) / 3 * 3 + 1, 1),
        Field::Month => days_from_civil(year, month, 1),
        Field::Week => days - (days + 5).rem_euclid(7),
        Field::Day => days,
        _ => return None,
    })
}

/// How long a field of the time of day is, in microseconds.
fn time_unit(field: Field) -> Option<i64> {
    Some(match field {
        Field::Hour => MICROS_PER_HOUR,
        Field::Minute => MICROS_PER_MINUTE,
        Field::Second => MICROS_PER_SECOND,
        Field::Milliseconds => 1000,
        Field::Microseconds => 1,
        _ => return None,
    })
}

fn field_of(name: &str, type_oid: Oid) -> Result<Field> {
    let field = Field::parse_unit(name);
    match field {
        Some(field) if time_unit(field).is_some() || truncate_days(field, 0).is_some() => Ok(field),
        _ => Err(unit_error(field, name, type_oid)),
    }
}

/// `date_trunc(text, timestamp)`.
pub fn timestamp_trunc(field: &str, timestamp: i64) -> Result<i64> {
    let field = field_of(field, oid::TIMESTAMP)?;
    if !timestamp_is_finite(timestamp) {
        return Ok(timestamp);
    }
    let (days, micros) = split_timestamp(timestamp);
    let local = match truncate_days(field, days) {
        Some(days) => days * MICROS_PER_DAY,
        None => {
            let unit = time_unit(field).expect("a field of the day or of its time");
            days * MICROS_PER_DAY + micros / unit * unit
        }
    };
    check_timestamp(local)
}

/// `date_trunc(text, timestamptz)` in a zone.
pub fn timestamptz_trunc(field: &str, timestamp: i64, zone: &TimeZone) -> Result<i64> {
    timestamptz_trunc_at(field, timestamp, |at| zone.seconds_at(at), |local| zone.seconds_at_local(local))
}

/// `date_trunc(text, timestamptz, text)`: in a zone given by name or abbreviation.
pub fn timestamptz_trunc_zone(field: &str, timestamp: i64, zone: &super::ZoneSpec) -> Result<i64> {
    timestamptz_trunc_at(field, timestamp, |at| zone.seconds_at(at), |local| zone.seconds_at_local(local))
}

fn timestamptz_trunc_at(
    field: &str,
    timestamp: i64,
    seconds_at: impl Fn(i64) -> i32,
    seconds_at_local: impl Fn(i64) -> i32,
) -> Result<i64> {
    let field = field_of(field, oid::TIMESTAMPTZ)?;
    if !timestamp_is_finite(timestamp) {
        return Ok(timestamp);
    }
    let displacement = i64::from(seconds_at(timestamp)) * MICROS_PER_SECOND;
    let (days, micros) = split_timestamp(timestamp + displacement);
    let moment = match truncate_days(field, days) {
        // Another day may have another displacement; a time of the same day keeps it.
        Some(days) => {
            let local = days * MICROS_PER_DAY;
            local - i64::from(seconds_at_local(local)) * MICROS_PER_SECOND
        }
        None => {
            let unit = time_unit(field).expect("a field of the day or of its time");
            days * MICROS_PER_DAY + micros / unit * unit - displacement
        }
    };
    check_timestamp(moment)
}

/// `date_trunc(text, interval)`.
pub fn interval_trunc(name: &str, interval: Interval) -> Result<Interval> {
    let field = field_of(name, oid::INTERVAL)?;
    if field == Field::Week {
        return Err(unit_error(Some(field), name, oid::INTERVAL).with_detail("Months usually have fractional weeks."));
    }
    if !interval.is_finite() {
        return Ok(interval);
    }
    let Interval { months, days, micros } = interval;
    let months_of = |span: i32| Interval { months: months / span * span, days: 0, micros: 0 };
    Ok(match field {
        Field::Millennium => months_of(12_000),
        Field::Century => months_of(1200),
        Field::Decade => months_of(120),
        Field::Year => months_of(12),
        Field::Quarter => months_of(3),
        Field::Month => months_of(1),
        Field::Day => Interval { months, days, micros: 0 },
        _ => {
            let unit = time_unit(field).expect("a field of the time of day");
            Interval { months, days, micros: micros / unit * unit }
        }
    })
}

/// `date_bin(stride, timestamp, origin)`, for timestamptz too.
pub fn date_bin(stride: Interval, timestamp: i64, origin: i64) -> Result<i64> {
    if !timestamp_is_finite(timestamp) {
        return Ok(timestamp);
    }
    if !timestamp_is_finite(origin) {
        return Err(overflow("origin out of range"));
    }
    if !stride.is_finite() {
        return Err(overflow("timestamps cannot be binned into infinite intervals"));
    }
    if stride.months != 0 {
        return Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "timestamps cannot be binned into intervals containing months or years",
        ));
    }
    let days = i64::from(stride.days).checked_mul(MICROS_PER_DAY);
    let stride = days.and_then(|days| days.checked_add(stride.micros)).ok_or_else(interval_out_of_range)?;
    if stride <= 0 {
        return Err(overflow("stride must be greater than zero"));
    }
    let difference = timestamp.checked_sub(origin).ok_or_else(interval_out_of_range)?;
    let beyond = difference % stride;
    let binned = origin.checked_add(difference - beyond);
    // Before the origin, division has rounded up.
    let binned = if beyond < 0 { binned.and_then(|binned| binned.checked_sub(stride)) } else { binned };
    binned.ok_or_else(|| overflow("timestamp out of range")).and_then(check_timestamp)
}
