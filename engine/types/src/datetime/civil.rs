//! The calendar: years, months and days against a count of days; clock fields against microseconds.
//!
//! Years are astronomical: 0 is 1 BC, -1 is 2 BC. Days count from 2000-01-01.

use super::{
    DATE_INFINITY, DATE_NEGATIVE_INFINITY, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND,
    TIMESTAMP_INFINITY, TIMESTAMP_NEGATIVE_INFINITY, overflow,
};
use crate::{PgError, Result, SqlState, TypeMod};

/// Days from 1970-01-01 to 2000-01-01.
pub const UNIX_EPOCH_DAYS: i64 = 10_957;
/// The Julian day of 2000-01-01.
pub const JULIAN_DAY_OF_EPOCH: i64 = 2_451_545;
/// First day that a date may be: 4713-11-24 BC, Julian day 0.
pub const DATE_MIN: i32 = -2_451_545;
/// Last day that a date may be: 5874897-12-31.
pub const DATE_MAX: i32 = 2_145_031_948;
/// First microsecond that a timestamp may be: 4713-11-24 BC.
pub const TIMESTAMP_MIN: i64 = -211_813_488_000_000_000;
/// Last microsecond that a timestamp may be: 294276-12-31 23:59:59.999999.
pub const TIMESTAMP_MAX: i64 = 9_223_371_331_199_999_999;

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Astronomical year.
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// 0 to 24.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
    /// 0 to 999999.
    pub micros: u32,
}

/// Days since 2000-01-01 of any year, month and day; the month must be valid, the day may be any number.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March end with the leap day.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468 - UNIX_EPOCH_DAYS
}

/// The calendar day of a count of days since 2000-01-01.
pub fn civil_from_days(days: i64) -> Civil {
    let shifted = days + UNIX_EPOCH_DAYS + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    Civil { year: year as i32, month: month as u32, day: day as u32 }
}

/// Whether an astronomical year has a leap day.
pub fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The number of days of a month (1 to 12).
pub fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 => 28 + u32::from(is_leap_year(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// 0 for Sunday to 6 for Saturday.
pub fn day_of_week(days: i64) -> i64 {
    (days + 6).rem_euclid(7)
}

/// 1 to 366.
pub fn day_of_year(civil: Civil) -> i64 {
    days_from_civil(i64::from(civil.year), i64::from(civil.month), i64::from(civil.day))
        - days_from_civil(i64::from(civil.year), 1, 1)
        + 1
}

/// The ISO 8601 year and week of a day.
pub fn iso_week(days: i64) -> (i64, i64) {
    // The week belongs to the year of its Thursday.
    let monday_based = (days + 5).rem_euclid(7);
    let thursday = civil_from_days(days - monday_based + 3);
    let year = i64::from(thursday.year);
    (year, (day_of_year(thursday) - 1) / 7 + 1)
}

/// The Monday that ISO 8601's week of a year begins with, in days since 2000-01-01.
pub fn iso_week_start(year: i64, week: i64) -> i64 {
    let fourth_of_january = days_from_civil(year, 1, 4);
    fourth_of_january - (fourth_of_january + 5).rem_euclid(7) + (week - 1) * 7
}

/// The clock of a number of microseconds since midnight.
pub fn clock_from_micros(micros: i64) -> Clock {
    Clock {
        hour: (micros / MICROS_PER_HOUR) as u32,
        minute: (micros / MICROS_PER_MINUTE % 60) as u32,
        second: (micros / MICROS_PER_SECOND % 60) as u32,
        micros: (micros % MICROS_PER_SECOND) as u32,
    }
}

/// Microseconds since midnight of a clock.
pub fn micros_from_clock(hour: i64, minute: i64, second: i64, micros: i64) -> i64 {
    hour * MICROS_PER_HOUR + minute * MICROS_PER_MINUTE + second * MICROS_PER_SECOND + micros
}

/// Day and microseconds since its midnight of a finite timestamp.
pub fn split_timestamp(timestamp: i64) -> (i64, i64) {
    (timestamp.div_euclid(MICROS_PER_DAY), timestamp.rem_euclid(MICROS_PER_DAY))
}

/// The timestamp of a day and microseconds since its midnight, where it is in range.
pub fn join_timestamp(days: i64, micros: i64) -> Option<i64> {
    let timestamp = days.checked_mul(MICROS_PER_DAY)?.checked_add(micros)?;
    (TIMESTAMP_MIN..=TIMESTAMP_MAX).contains(&timestamp).then_some(timestamp)
}

/// Whether a date is neither infinity.
pub fn date_is_finite(date: i32) -> bool {
    date != DATE_INFINITY && date != DATE_NEGATIVE_INFINITY
}

/// Whether a timestamp is neither infinity.
pub fn timestamp_is_finite(timestamp: i64) -> bool {
    timestamp != TIMESTAMP_INFINITY && timestamp != TIMESTAMP_NEGATIVE_INFINITY
}

/// The date if it is in range, or 22008 `date out of range`.
pub fn check_date(date: i32) -> Result<i32> {
    if !date_is_finite(date) || (DATE_MIN..=DATE_MAX).contains(&date) {
        Ok(date)
    } else {
        Err(overflow("date out of range"))
    }
}

/// The timestamp if it is in range, or 22008 `timestamp out of range`.
pub fn check_timestamp(timestamp: i64) -> Result<i64> {
    if !timestamp_is_finite(timestamp) || (TIMESTAMP_MIN..=TIMESTAMP_MAX).contains(&timestamp) {
        Ok(timestamp)
    } else {
        Err(overflow("timestamp out of range"))
    }
}

/// The time of day if it is in range, or 22008 `time out of range`.
pub fn check_time(micros: i64) -> Result<i64> {
    if (0..=MICROS_PER_DAY).contains(&micros) { Ok(micros) } else { Err(overflow("time out of range")) }
}

/// A zone displacement in seconds if it is in range, or 22009.
pub fn check_zone_displacement(seconds: i32) -> Result<i32> {
    if seconds > -16 * 3600 && seconds < 16 * 3600 {
        Ok(seconds)
    } else {
        Err(PgError::new(SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE, "time zone displacement out of range"))
    }
}

/// Microseconds rounded half away from zero to a number of digits (0 to 6).
pub(crate) fn round_micros(micros: i64, digits: i32) -> i64 {
    if !(0..6).contains(&digits) {
        return micros;
    }
    let unit = 10i64.pow(6 - digits as u32);
    let rounded = (micros.abs() + unit / 2) / unit * unit;
    if micros < 0 { -rounded } else { rounded }
}

/// A timestamp rounded to the precision of a type modifier.
pub fn round_timestamp(timestamp: i64, typmod: TypeMod) -> i64 {
    if timestamp_is_finite(timestamp) { round_micros(timestamp, typmod) } else { timestamp }
}

/// A time of day rounded to the precision of a type modifier.
pub fn round_time(micros: i64, typmod: TypeMod) -> i64 {
    round_micros(micros, typmod)
}
