//! Intervals with intervals, numbers and type modifiers.

use super::{MICROS_PER_HOUR, MICROS_PER_MINUTE, interval_fields, overflow, round_micros};
use crate::{Interval, Result, TypeMod};

fn out_of_range() -> crate::PgError {
    overflow("interval out of range")
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
        if micros.unsigned_abs() > (i64::MAX - 1_000_000) as u64 {
            return Err(out_of_range());
        }
        micros = round_micros(micros, precision);
    }
    Ok(Interval { months, days, micros })
}
