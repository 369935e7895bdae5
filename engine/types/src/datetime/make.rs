//! make_date and its kin, and to_timestamp of a number.

use super::clock::parse_displacement;
use super::tokens::Fault;
use super::{
    DATE_MAX, DATE_MIN, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, TIMESTAMP_INFINITY,
    TIMESTAMP_NEGATIVE_INFINITY, TimeZone, UNIX_EPOCH_DAYS, ZoneSpec, days_from_civil, days_in_month, join_timestamp,
    overflow, timestamp_at_zone, timestamp_to_timestamptz,
};
use crate::{Interval, PgError, Result, SqlState};

fn out_of_range(message: String) -> PgError {
    PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
}

/// Days since 2000-01-01 of a valid day; negative years are BC.
fn valid_day(year: i32, month: i32, day: i32) -> Result<i64> {
    let astronomical = if year < 0 { i64::from(year) + 1 } else { i64::from(year) };
    let valid = year != 0
        && year != i32::MIN
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && day as u32 <= days_in_month(astronomical, month as u32);
    if !valid {
        return Err(out_of_range(format!("date field value out of range: {year}-{month:02}-{day:02}")));
    }
    Ok(days_from_civil(astronomical, i64::from(month), i64::from(day)))
}

/// `make_date(year, month, day)`; negative years are BC.
pub fn make_date(year: i32, month: i32, day: i32) -> Result<i32> {
    // PostgreSQL shows the astronomical year here.
    let shown = if year < 0 && year != i32::MIN { year + 1 } else { year };
    let days = valid_day(year, month, day)
        .map_err(|_| out_of_range(format!("date field value out of range: {shown}-{month:02}-{day:02}")))?;
    if days < i64::from(DATE_MIN) || days > i64::from(DATE_MAX) {
        return Err(out_of_range(format!("date out of range: {shown}-{month:02}-{day:02}")));
    }
    Ok(days as i32)
}

/// C's `%02g` of seconds.
fn shown_seconds(seconds: f64) -> String {
    if seconds.is_infinite() {
        return if seconds > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let mut text = Vec::new();
    crate::io::write_general(seconds, 6, &mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    if text.len() < 2 { format!("0{text}") } else { text }
}

/// `make_time(hour, minute, second)`.
pub fn make_time(hour: i32, minute: i32, second: f64) -> Result<i64> {
    let micros = (second * MICROS_PER_SECOND as f64).round_ties_even();
    let valid = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0.0..=60.0).contains(&second);
    let time = i64::from(hour) * MICROS_PER_HOUR + i64::from(minute) * MICROS_PER_MINUTE + micros as i64;
    if !valid || time > MICROS_PER_DAY {
        let seconds = shown_seconds(second);
        return Err(out_of_range(format!("time field value out of range: {hour}:{minute:02}:{seconds}")));
    }
    Ok(time)
}

/// `make_timestamp(year, month, day, hour, minute, second)`.
pub fn make_timestamp(year: i32, month: i32, day: i32, hour: i32, minute: i32, second: f64) -> Result<i64> {
    let days = valid_day(year, month, day)?;
    // Where Julian days can be counted in 32 bits: from November 4714 BC to May 5874898.
    let astronomical = if year < 0 { year + 1 } else { year };
    if (astronomical, month) < (-4713, 11) || (astronomical, month) >= (5_874_898, 6) {
        return Err(out_of_range(format!("date out of range: {year}-{month:02}-{day:02}")));
    }
    let time = make_time(hour, minute, second)?;
    join_timestamp(days, time).ok_or_else(|| {
        let seconds = shown_seconds(second);
        out_of_range(format!("timestamp out of range: {year}-{month:02}-{day:02} {hour}:{minute:02}:{seconds}"))
    })
}

/// `make_timestamptz` in the session's zone: of what make_timestamp gives.
pub fn make_timestamptz(timestamp: i64, zone: &TimeZone) -> Result<i64> {
    timestamp_to_timestamptz(timestamp, zone)
}

/// `make_timestamptz` with a zone's text: a signed displacement, a name or an abbreviation.
pub fn make_timestamptz_at(timestamp: i64, zone: &str, session: &TimeZone) -> Result<i64> {
    let invalid = |message: String| PgError::new(SqlState::INVALID_PARAMETER_VALUE, message);
    if zone.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(invalid(format!("invalid input syntax for type numeric time zone: \"{zone}\""))
            .with_hint("Numeric time zones must have \"-\" or \"+\" as first character."));
    }
    let spec = match parse_displacement(zone) {
        Ok(seconds) => ZoneSpec::Fixed(seconds, false),
        Err(Fault::DisplacementOverflow) => {
            return Err(invalid(format!("numeric time zone \"{zone}\" out of range")));
        }
        Err(_) => ZoneSpec::parse(zone, session)?,
    };
    timestamp_at_zone(timestamp, &spec)
}

/// `make_interval(years, months, weeks, days, hours, mins, secs)`.
pub fn make_interval(
    years: i32,
    months: i32,
    weeks: i32,
    days: i32,
    hours: i32,
    minutes: i32,
    seconds: f64,
) -> Result<Interval> {
    let made = || {
        let micros = (seconds * MICROS_PER_SECOND as f64).round_ties_even();
        if !(micros >= i64::MIN as f64 && micros < -(i64::MIN as f64)) {
            return None;
        }
        let time = i64::from(hours) * MICROS_PER_HOUR + i64::from(minutes) * MICROS_PER_MINUTE;
        let interval = Interval {
            months: years.checked_mul(12)?.checked_add(months)?,
            days: weeks.checked_mul(7)?.checked_add(days)?,
            micros: time.checked_add(micros as i64)?,
        };
        interval.is_finite().then_some(interval)
    };
    made().ok_or_else(|| overflow("interval out of range"))
}

/// `to_timestamp(double precision)`: seconds since 1970-01-01 UTC.
pub fn timestamptz_from_epoch(seconds: f64) -> Result<i64> {
    if seconds.is_nan() {
        return Err(overflow("timestamp cannot be NaN"));
    }
    if seconds.is_infinite() {
        return Ok(if seconds > 0.0 { TIMESTAMP_INFINITY } else { TIMESTAMP_NEGATIVE_INFINITY });
    }
    let refuse = || {
        let mut text = Vec::new();
        crate::io::write_general(seconds, 6, &mut text);
        out_of_range(format!("timestamp out of range: \"{}\"", String::from_utf8_lossy(&text)))
    };
    let micros = (seconds - (UNIX_EPOCH_DAYS * 86_400) as f64) * MICROS_PER_SECOND as f64;
    let micros = micros.round_ties_even();
    if micros.abs() >= 9.3e18 {
        return Err(refuse());
    }
    join_timestamp(0, micros as i64).ok_or_else(refuse)
}
