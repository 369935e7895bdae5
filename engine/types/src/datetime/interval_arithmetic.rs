//! Intervals with intervals, numbers and type modifiers.

use super::{
    MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, interval_fields, overflow, round_micros,
};
use crate::key::interval_span;
use crate::{Interval, PgError, Result, SqlState, TypeMod};

fn out_of_range() -> PgError {
    overflow("interval out of range")
}

/// The interval unless it happens to be one of the infinities.
fn finite(interval: Interval) -> Result<Interval> {
    if interval.is_finite() { Ok(interval) } else { Err(out_of_range()) }
}

/// The interval cut to the fields and rounded to the precision of a type modifier.
pub fn interval_apply_typmod(interval: Interval, typmod: TypeMod) -> Result<Interval> {
    use interval_fields::{ALL, DAY, HOUR, MINUTE, MONTH, NO_PRECISION, SECOND, YEAR};
    if typmod < 0 || !interval.is_finite() {
        return Ok(interval);
    }
    let Interval { mut months, mut days, mut micros } = interval;
    let fields = typmod >> 16 & ALL;
    if fields != ALL {
        if fields & (DAY | HOUR | MINUTE | SECOND) == 0 {
            (days, micros) = (0, 0);
            if fields == YEAR {
                months = months / 12 * 12;
            }
            debug_assert!(fields & (YEAR | MONTH) != 0);
        } else if fields & SECOND == 0 {
            micros = if fields & MINUTE != 0 {
                micros / MICROS_PER_MINUTE * MICROS_PER_MINUTE
            } else if fields & HOUR != 0 {
                micros / MICROS_PER_HOUR * MICROS_PER_HOUR
            } else {
                0
            };
        }
    }
    let precision = typmod & NO_PRECISION;
    if precision != NO_PRECISION {
        let half = [500_000, 50_000, 5_000, 500, 50, 5, 0][precision.clamp(0, 6) as usize];
        if micros.unsigned_abs() > (i64::MAX - half) as u64 {
            return Err(out_of_range());
        }
        micros = round_micros(micros, precision);
    }
    Ok(Interval { months, days, micros })
}

/// `-interval`.
pub fn negate_interval(interval: Interval) -> Result<Interval> {
    match interval {
        Interval::INFINITY => return Ok(Interval::NEGATIVE_INFINITY),
        Interval::NEGATIVE_INFINITY => return Ok(Interval::INFINITY),
        _ => {}
    }
    let negated = || {
        Some(Interval {
            months: interval.months.checked_neg()?,
            days: interval.days.checked_neg()?,
            micros: interval.micros.checked_neg()?,
        })
    };
    negated().ok_or_else(out_of_range).and_then(finite)
}

/// `interval + interval`.
pub fn interval_plus(left: Interval, right: Interval) -> Result<Interval> {
    match (left.is_finite(), right.is_finite()) {
        (false, false) if left != right => return Err(out_of_range()),
        (false, _) => return Ok(left),
        (true, false) => return Ok(right),
        (true, true) => {}
    }
    let sum = || {
        Some(Interval {
            months: left.months.checked_add(right.months)?,
            days: left.days.checked_add(right.days)?,
            micros: left.micros.checked_add(right.micros)?,
        })
    };
    sum().ok_or_else(out_of_range).and_then(finite)
}

/// `interval - interval`.
pub fn interval_minus(left: Interval, right: Interval) -> Result<Interval> {
    match (left.is_finite(), right.is_finite()) {
        (false, false) if left == right => return Err(out_of_range()),
        (false, _) => return Ok(left),
        (true, false) => return negate_interval(right),
        (true, true) => {}
    }
    let difference = || {
        Some(Interval {
            months: left.months.checked_sub(right.months)?,
            days: left.days.checked_sub(right.days)?,
            micros: left.micros.checked_sub(right.micros)?,
        })
    };
    difference().ok_or_else(out_of_range).and_then(finite)
}

/// Six decimals, half to even.
fn round_six(value: f64) -> f64 {
    (value * 1e6).round_ties_even() / 1e6
}

fn to_i32(value: f64) -> Result<i32> {
    if value >= f64::from(i32::MIN) && value < -f64::from(i32::MIN) { Ok(value as i32) } else { Err(out_of_range()) }
}

fn to_i64(value: f64) -> Result<i64> {
    if value >= i64::MIN as f64 && value < -(i64::MIN as f64) { Ok(value as i64) } else { Err(out_of_range()) }
}

/// Scales each part, carrying fractions of months into days of a thirtieth and fractions of days into time.
fn scaled(interval: Interval, scale: impl Fn(f64) -> f64) -> Result<Interval> {
    const SECONDS_PER_DAY: f64 = 86_400.0;
    let (exact_months, exact_days) = (scale(f64::from(interval.months)), scale(f64::from(interval.days)));
    let (months, mut days) = (to_i32(exact_months)?, to_i32(exact_days)?);
    let days_of_months = round_six((exact_months - f64::from(months)) * 30.0);
    let mut seconds =
        round_six((exact_days - f64::from(days) + days_of_months - days_of_months.trunc()) * SECONDS_PER_DAY);
    if seconds.abs() >= SECONDS_PER_DAY {
        let whole = (seconds / SECONDS_PER_DAY) as i32;
        days = days.checked_add(whole).ok_or_else(out_of_range)?;
        seconds -= f64::from(whole) * SECONDS_PER_DAY;
    }
    days = days.checked_add(days_of_months as i32).ok_or_else(out_of_range)?;
    let micros = (scale(interval.micros as f64) + seconds * MICROS_PER_SECOND as f64).round_ties_even();
    finite(Interval { months, days, micros: to_i64(micros)? })
}

/// `interval * double precision`.
pub fn interval_times(interval: Interval, factor: f64) -> Result<Interval> {
    if factor.is_nan() {
        return Err(out_of_range());
    }
    if !interval.is_finite() {
        return match factor {
            0.0 => Err(out_of_range()),
            _ if factor < 0.0 => negate_interval(interval),
            _ => Ok(interval),
        };
    }
    if factor.is_infinite() {
        let sign = interval_span(interval).signum();
        return match sign as f64 * factor {
            product if product.is_nan() => Err(out_of_range()),
            product if product < 0.0 => Ok(Interval::NEGATIVE_INFINITY),
            _ => Ok(Interval::INFINITY),
        };
    }
    scaled(interval, |part| part * factor)
}

/// `interval / double precision`.
pub fn interval_divided(interval: Interval, divisor: f64) -> Result<Interval> {
    if divisor == 0.0 {
        return Err(PgError::new(SqlState::DIVISION_BY_ZERO, "division by zero"));
    }
    if divisor.is_nan() {
        return Err(out_of_range());
    }
    if !interval.is_finite() {
        return match divisor {
            _ if divisor.is_infinite() => Err(out_of_range()),
            _ if divisor < 0.0 => negate_interval(interval),
            _ => Ok(interval),
        };
    }
    scaled(interval, |part| part / divisor)
}

/// `justify_hours(interval)`: 24 hours are a day.
pub fn justify_hours(interval: Interval) -> Result<Interval> {
    if !interval.is_finite() {
        return Ok(interval);
    }
    let Interval { months, mut days, mut micros } = interval;
    days = days.checked_add((micros / MICROS_PER_DAY) as i32).ok_or_else(out_of_range)?;
    micros %= MICROS_PER_DAY;
    (days, micros) = same_sign(days, micros);
    Ok(Interval { months, days, micros })
}

/// Days and time of one sign.
fn same_sign(days: i32, micros: i64) -> (i32, i64) {
    if days > 0 && micros < 0 {
        (days - 1, micros + MICROS_PER_DAY)
    } else if days < 0 && micros > 0 {
        (days + 1, micros - MICROS_PER_DAY)
    } else {
        (days, micros)
    }
}

/// `justify_days(interval)`: 30 days are a month.
pub fn justify_days(interval: Interval) -> Result<Interval> {
    if !interval.is_finite() {
        return Ok(interval);
    }
    let Interval { mut months, mut days, micros } = interval;
    months = months.checked_add(days / 30).ok_or_else(out_of_range)?;
    days %= 30;
    if months > 0 && days < 0 {
        (months, days) = (months - 1, days + 30);
    } else if months < 0 && days > 0 {
        (months, days) = (months + 1, days - 30);
    }
    Ok(Interval { months, days, micros })
}

/// `justify_interval(interval)`: both, and one sign.
pub fn justify_interval(interval: Interval) -> Result<Interval> {
    if !interval.is_finite() {
        return Ok(interval);
    }
    let Interval { mut months, mut days, mut micros } = interval;
    // Days first where that may keep the next step in range.
    if (days > 0 && micros > 0) || (days < 0 && micros < 0) {
        months = months.checked_add(days / 30).ok_or_else(out_of_range)?;
        days %= 30;
    }
    days += (micros / MICROS_PER_DAY) as i32;
    micros %= MICROS_PER_DAY;
    months = months.checked_add(days / 30).ok_or_else(out_of_range)?;
    days %= 30;
    if months > 0 && (days < 0 || (days == 0 && micros < 0)) {
        (months, days) = (months - 1, days + 30);
    } else if months < 0 && (days > 0 || (days == 0 && micros > 0)) {
        (months, days) = (months + 1, days - 30);
    }
    (days, micros) = same_sign(days, micros);
    Ok(Interval { months, days, micros })
}
