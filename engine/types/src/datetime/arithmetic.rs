//! Dates and times with intervals, with each other, and between zones.
//!
//! An interval is added month first, then days, then time: months keep the day unless the month is too short for it, days
//! keep the clock (across changes to summer time too), time is exact.

use super::{
    Civil, DATE_INFINITY, DATE_MAX, DATE_MIN, DATE_NEGATIVE_INFINITY, MICROS_PER_DAY, MICROS_PER_SECOND,
    TIMESTAMP_INFINITY, TIMESTAMP_MAX, TIMESTAMP_NEGATIVE_INFINITY, TimeZone, ZoneSpec, check_timestamp,
    civil_from_days, clock_from_micros, date_is_finite, days_from_civil, days_in_month, join_timestamp, justify_hours,
    overflow, split_timestamp, timestamp_is_finite,
};
use crate::{Interval, PgError, Result, SqlState, TimeTz};

fn timestamp_out_of_range() -> PgError {
    overflow("timestamp out of range")
}

/// The day so many months later, the last of its month if that is shorter.
fn add_months(days: i64, months: i32) -> Option<i64> {
    let civil = civil_from_days(days);
    let month = i64::from(civil.month) - 1 + i64::from(months);
    i32::try_from(month + 1).ok()?;
    let (year, month) = (i64::from(civil.year) + month.div_euclid(12), month.rem_euclid(12) as u32 + 1);
    let day = civil.day.min(days_in_month(year, month));
    Some(days_from_civil(year, i64::from(month), i64::from(day)))
}

/// What an infinite interval or timestamp makes of a sum; `None` when both are finite.
fn infinite_sum(timestamp: i64, interval: Interval) -> Result<Option<i64>> {
    let infinity = match interval {
        Interval::INFINITY => TIMESTAMP_INFINITY,
        Interval::NEGATIVE_INFINITY => TIMESTAMP_NEGATIVE_INFINITY,
        _ if timestamp_is_finite(timestamp) => return Ok(None),
        _ => return Ok(Some(timestamp)),
    };
    if !timestamp_is_finite(timestamp) && timestamp != infinity {
        return Err(timestamp_out_of_range());
    }
    Ok(Some(infinity))
}

/// `timestamp + interval`.
pub fn timestamp_plus_interval(timestamp: i64, interval: Interval) -> Result<i64> {
    plus_interval(timestamp, interval, Some, |timestamp| timestamp)
}

/// `timestamptz + interval`: months and days by the zone's clock.
pub fn timestamptz_plus_interval(timestamp: i64, interval: Interval, zone: &TimeZone) -> Result<i64> {
    plus_interval(
        timestamp,
        interval,
        |local| local.checked_sub(i64::from(zone.seconds_at_local(local)) * MICROS_PER_SECOND),
        |timestamp| timestamp + i64::from(zone.seconds_at(timestamp)) * MICROS_PER_SECOND,
    )
}

/// Adds an interval where `local` gives a timestamp's local time and `moment` the way back.
fn plus_interval(
    timestamp: i64,
    interval: Interval,
    moment: impl Fn(i64) -> Option<i64>,
    local: impl Fn(i64) -> i64,
) -> Result<i64> {
    if let Some(result) = infinite_sum(timestamp, interval)? {
        return Ok(result);
    }
    let mut timestamp = timestamp;
    let join = |days: i64, micros: i64| {
        let local = days.checked_mul(MICROS_PER_DAY).and_then(|start| start.checked_add(micros));
        local.and_then(&moment).and_then(|moment| join_timestamp(0, moment)).ok_or_else(timestamp_out_of_range)
    };
    if interval.months != 0 {
        let (days, micros) = split_timestamp(local(timestamp));
        let days = add_months(days, interval.months).ok_or_else(timestamp_out_of_range)?;
        timestamp = join(days, micros)?;
    }
    if interval.days != 0 {
        let (days, micros) = split_timestamp(local(timestamp));
        let days = days + i64::from(interval.days);
        if days < i64::from(DATE_MIN) {
            return Err(timestamp_out_of_range());
        }
        timestamp = join(days, micros)?;
    }
    let sum = timestamp.checked_add(interval.micros).and_then(|sum| join_timestamp(0, sum));
    sum.ok_or_else(timestamp_out_of_range)
}

/// `-interval` for a subtraction; what cannot be negated is out of the timestamp's range.
fn negated(interval: Interval) -> Result<Interval> {
    super::negate_interval(interval)
}

/// `timestamp - interval`.
pub fn timestamp_minus_interval(timestamp: i64, interval: Interval) -> Result<i64> {
    timestamp_plus_interval(timestamp, negated(interval)?)
}

/// `timestamptz - interval`.
pub fn timestamptz_minus_interval(timestamp: i64, interval: Interval, zone: &TimeZone) -> Result<i64> {
    timestamptz_plus_interval(timestamp, negated(interval)?, zone)
}

/// The difference of two timestamps of which one is infinite; `None` when both are finite.
fn infinite_difference(left: i64, right: i64) -> Result<Option<Interval>> {
    if timestamp_is_finite(left) && timestamp_is_finite(right) {
        return Ok(None);
    }
    if left == right {
        return Err(overflow("interval out of range"));
    }
    Ok(Some(if left > right { Interval::INFINITY } else { Interval::NEGATIVE_INFINITY }))
}

/// `timestamp - timestamp` (or of two timestamptz): days and time.
pub fn timestamp_difference(left: i64, right: i64) -> Result<Interval> {
    if let Some(infinite) = infinite_difference(left, right)? {
        return Ok(infinite);
    }
    let micros = left.checked_sub(right).ok_or_else(|| overflow("interval out of range"))?;
    justify_hours(Interval { months: 0, days: 0, micros })
}

/// `age(timestamp, timestamp)`: years, months and days as a person would count them.
pub fn age(left: i64, right: i64) -> Result<Interval> {
    if let Some(infinite) = infinite_difference(left, right)? {
        return Ok(infinite);
    }
    // The later one minus the earlier one, field by field.
    let (sign, later, earlier) = if left < right { (-1, right, left) } else { (1, left, right) };
    let ((later_days, later_micros), (earlier_days, earlier_micros)) =
        (split_timestamp(later), split_timestamp(earlier));
    let (later, earlier) = (civil_from_days(later_days), civil_from_days(earlier_days));
    let mut micros = later_micros - earlier_micros;
    let mut days = i64::from(later.day) - i64::from(earlier.day);
    let mut months =
        (i64::from(later.year) - i64::from(earlier.year)) * 12 + i64::from(later.month) - i64::from(earlier.month);
    if micros < 0 {
        micros += MICROS_PER_DAY;
        days -= 1;
    }
    // A borrowed month is as long as the one that the earlier date is in.
    while days < 0 {
        days += i64::from(days_in_month(i64::from(earlier.year), earlier.month));
        months -= 1;
    }
    Ok(Interval { months: (sign * months) as i32, days: (sign * days) as i32, micros: sign * micros })
}

/// `age(timestamptz, timestamptz)`: as the zone's clock shows them.
pub fn age_in_zone(left: i64, right: i64, zone: &TimeZone) -> Result<Interval> {
    if let Some(infinite) = infinite_difference(left, right)? {
        return Ok(infinite);
    }
    // Which one is later is decided by the moments, not by the clock.
    let local = |timestamp: i64| timestamp + i64::from(zone.seconds_at(timestamp)) * MICROS_PER_SECOND;
    if (left < right) == (local(left) < local(right)) {
        return age(local(left), local(right));
    }
    let micros = local(left) - local(right);
    justify_hours(Interval { months: 0, days: 0, micros })
}

/// `date + integer`.
pub fn date_plus_days(date: i32, days: i32) -> Result<i32> {
    if !date_is_finite(date) {
        return Ok(date);
    }
    let sum = date.checked_add(days).filter(|sum| (DATE_MIN..=DATE_MAX).contains(sum));
    sum.ok_or_else(|| overflow("date out of range"))
}

/// `date - integer`.
pub fn date_minus_days(date: i32, days: i32) -> Result<i32> {
    if !date_is_finite(date) {
        return Ok(date);
    }
    let difference = date.checked_sub(days).filter(|difference| (DATE_MIN..=DATE_MAX).contains(difference));
    difference.ok_or_else(|| overflow("date out of range"))
}

/// `date - date`, in days.
pub fn date_difference(left: i32, right: i32) -> Result<i32> {
    if !date_is_finite(left) || !date_is_finite(right) {
        return Err(overflow("cannot subtract infinite dates"));
    }
    Ok(left - right)
}

/// `date + interval`: a timestamp.
pub fn date_plus_interval(date: i32, interval: Interval) -> Result<i64> {
    timestamp_plus_interval(date_to_timestamp(date)?, interval)
}

/// `date - interval`: a timestamp.
pub fn date_minus_interval(date: i32, interval: Interval) -> Result<i64> {
    timestamp_minus_interval(date_to_timestamp(date)?, interval)
}

/// `date + time`: a timestamp.
pub fn date_plus_time(date: i32, time: i64) -> Result<i64> {
    let midnight = date_to_timestamp(date)?;
    if timestamp_is_finite(midnight) { check_timestamp(midnight + time) } else { Ok(midnight) }
}

/// `date + timetz`: a timestamptz.
pub fn date_plus_timetz(date: i32, time: TimeTz) -> Result<i64> {
    let midnight = date_to_timestamp(date)?;
    if !timestamp_is_finite(midnight) {
        return Ok(midnight);
    }
    check_timestamp(midnight.saturating_add(time.micros + i64::from(time.zone) * MICROS_PER_SECOND))
}

/// The timestamp at a date's midnight; 22008 beyond the year 294276.
pub fn date_to_timestamp(date: i32) -> Result<i64> {
    match date {
        DATE_NEGATIVE_INFINITY => Ok(TIMESTAMP_NEGATIVE_INFINITY),
        DATE_INFINITY => Ok(TIMESTAMP_INFINITY),
        _ => join_timestamp(i64::from(date), 0).ok_or_else(|| overflow("date out of range for timestamp")),
    }
}

/// [`date_to_timestamp`] for comparing: a date beyond all timestamps is above them, below infinity.
pub fn date_to_comparable_timestamp(date: i32) -> i128 {
    match date {
        DATE_NEGATIVE_INFINITY => i128::from(TIMESTAMP_NEGATIVE_INFINITY),
        DATE_INFINITY => i128::from(TIMESTAMP_INFINITY),
        _ => {
            let midnight = i128::from(date) * i128::from(MICROS_PER_DAY);
            midnight.min(i128::from(TIMESTAMP_MAX) + 1)
        }
    }
}

/// The timestamptz at a date's midnight in a zone.
pub fn date_to_timestamptz(date: i32, zone: &TimeZone) -> Result<i64> {
    let midnight = date_to_timestamp(date)?;
    if !timestamp_is_finite(midnight) {
        return Ok(midnight);
    }
    let moment = midnight - i64::from(zone.seconds_at_local(midnight)) * MICROS_PER_SECOND;
    check_timestamp(moment).map_err(|_| overflow("date out of range for timestamp"))
}

/// The day of a timestamp.
pub fn timestamp_to_date(timestamp: i64) -> i32 {
    match timestamp {
        TIMESTAMP_NEGATIVE_INFINITY => DATE_NEGATIVE_INFINITY,
        TIMESTAMP_INFINITY => DATE_INFINITY,
        _ => split_timestamp(timestamp).0 as i32,
    }
}

/// The day of a timestamptz in a zone.
pub fn timestamptz_to_date(timestamp: i64, zone: &TimeZone) -> i32 {
    timestamp_to_date(timestamptz_to_local(timestamp, zone))
}

/// Local time in a zone, not checked for range: a moment's last hours may be beyond it.
fn timestamptz_to_local(timestamp: i64, zone: &TimeZone) -> i64 {
    if timestamp_is_finite(timestamp) {
        timestamp + i64::from(zone.seconds_at(timestamp)) * MICROS_PER_SECOND
    } else {
        timestamp
    }
}

/// The time of day of a timestamp; `None` (NULL) for an infinity.
pub fn timestamp_to_time(timestamp: i64) -> Option<i64> {
    timestamp_is_finite(timestamp).then(|| split_timestamp(timestamp).1)
}

/// The time of day of a timestamptz in a zone; `None` (NULL) for an infinity.
pub fn timestamptz_to_time(timestamp: i64, zone: &TimeZone) -> Option<i64> {
    timestamp_to_time(timestamptz_to_local(timestamp, zone))
}

/// The time of day of a timestamptz in a zone, with the zone; `None` (NULL) for an infinity.
pub fn timestamptz_to_timetz(timestamp: i64, zone: &TimeZone) -> Option<TimeTz> {
    let micros = timestamptz_to_time(timestamp, zone)?;
    Some(TimeTz { micros, zone: -zone.seconds_at(timestamp) })
}

/// The cast of timestamp to timestamptz: a local time in a zone to a moment.
pub fn timestamp_to_timestamptz(timestamp: i64, zone: &TimeZone) -> Result<i64> {
    if !timestamp_is_finite(timestamp) {
        return Ok(timestamp);
    }
    let seconds = zone.seconds_at_local(timestamp);
    let moment = timestamp.checked_sub(i64::from(seconds) * MICROS_PER_SECOND).and_then(|at| join_timestamp(0, at));
    moment.ok_or_else(timestamp_out_of_range)
}

/// The cast of timestamptz to timestamp: a moment to a local time in a zone.
pub fn timestamptz_to_timestamp(timestamp: i64, zone: &TimeZone) -> Result<i64> {
    check_timestamp(timestamptz_to_local(timestamp, zone))
}

/// `timestamp AT TIME ZONE zone`: a timestamptz.
pub fn timestamp_at_zone(timestamp: i64, zone: &ZoneSpec) -> Result<i64> {
    if !timestamp_is_finite(timestamp) {
        return Ok(timestamp);
    }
    let moment = timestamp.checked_sub(i64::from(zone.seconds_at_local(timestamp)) * MICROS_PER_SECOND);
    moment.ok_or_else(timestamp_out_of_range).and_then(check_timestamp)
}

/// `timestamptz AT TIME ZONE zone`: a timestamp.
pub fn timestamptz_at_zone(timestamp: i64, zone: &ZoneSpec) -> Result<i64> {
    if !timestamp_is_finite(timestamp) {
        return Ok(timestamp);
    }
    check_timestamp(timestamp + i64::from(zone.seconds_at(timestamp)) * MICROS_PER_SECOND)
}

/// `timezone(text, timestamp)`: [`timestamp_at_zone`] with a zone's name. That of an infinity is not looked at.
pub fn timestamp_at_zone_named(timestamp: i64, zone: &str, session: &TimeZone) -> Result<i64> {
    if !timestamp_is_finite(timestamp) {
        return Ok(timestamp);
    }
    timestamp_at_zone(timestamp, &ZoneSpec::parse(zone, session)?)
}

/// `timezone(text, timestamptz)`: [`timestamptz_at_zone`] with a zone's name.
pub fn timestamptz_at_zone_named(timestamp: i64, zone: &str, session: &TimeZone) -> Result<i64> {
    if !timestamp_is_finite(timestamp) {
        return Ok(timestamp);
    }
    timestamptz_at_zone(timestamp, &ZoneSpec::parse(zone, session)?)
}

/// The zone that `AT TIME ZONE interval` means.
pub fn interval_to_zone(interval: Interval) -> Result<ZoneSpec> {
    let refuse = |what: &str| {
        let mut text = Vec::new();
        super::write_interval(&interval, &crate::io::Style::default(), &mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("interval time zone \"{text}\" must {what}"))
    };
    if !interval.is_finite() {
        return Err(refuse("be finite"));
    }
    if interval.months != 0 || interval.days != 0 {
        return Err(refuse("not include months or days"));
    }
    Ok(ZoneSpec::Fixed((interval.micros / MICROS_PER_SECOND) as i32, false))
}

/// `timetz AT TIME ZONE zone`, where a zone's displacement is that of the moment `now`.
pub fn timetz_at_zone(time: TimeTz, zone: &ZoneSpec, now: i64) -> TimeTz {
    let west = -zone.seconds_at(now);
    let micros = time.micros + (i64::from(time.zone) - i64::from(west)) * MICROS_PER_SECOND;
    TimeTz { micros: micros.rem_euclid(MICROS_PER_DAY), zone: west }
}

/// The cast of time to timetz: the session's zone, as of the moment `now`.
pub fn time_to_timetz(time: i64, zone: &TimeZone, now: i64) -> TimeTz {
    let (days, _) = split_timestamp(now + i64::from(zone.seconds_at(now)) * MICROS_PER_SECOND);
    TimeTz { micros: time, zone: -zone.seconds_at_local(days * MICROS_PER_DAY + time) }
}

/// `time + interval`, around midnight; the interval's months and days do not count.
pub fn time_plus_interval(time: i64, interval: Interval) -> Result<i64> {
    if !interval.is_finite() {
        return Err(overflow("cannot add infinite interval to time"));
    }
    // PostgreSQL's sum wraps around before it is brought into the day.
    Ok(time.wrapping_add(interval.micros).rem_euclid(MICROS_PER_DAY))
}

/// `time - interval`.
pub fn time_minus_interval(time: i64, interval: Interval) -> Result<i64> {
    if !interval.is_finite() {
        return Err(overflow("cannot subtract infinite interval from time"));
    }
    Ok(time.wrapping_sub(interval.micros).rem_euclid(MICROS_PER_DAY))
}

/// `timetz + interval`.
pub fn timetz_plus_interval(time: TimeTz, interval: Interval) -> Result<TimeTz> {
    Ok(TimeTz { micros: time_plus_interval(time.micros, interval)?, zone: time.zone })
}

/// `timetz - interval`.
pub fn timetz_minus_interval(time: TimeTz, interval: Interval) -> Result<TimeTz> {
    Ok(TimeTz { micros: time_minus_interval(time.micros, interval)?, zone: time.zone })
}

/// `time - time`.
pub fn time_difference(left: i64, right: i64) -> Interval {
    Interval { months: 0, days: 0, micros: left - right }
}

/// The cast of time to interval.
pub fn time_to_interval(time: i64) -> Interval {
    Interval { months: 0, days: 0, micros: time }
}

/// The cast of interval to time: what is left of whole days.
pub fn interval_to_time(interval: Interval) -> Result<i64> {
    if !interval.is_finite() {
        return Err(overflow("cannot convert infinite interval to time"));
    }
    Ok(interval.micros.rem_euclid(MICROS_PER_DAY))
}

/// The calendar day and clock of a finite timestamp.
pub fn broken_down(timestamp: i64) -> (Civil, super::Clock) {
    let (days, micros) = split_timestamp(timestamp);
    (civil_from_days(days), clock_from_micros(micros))
}
