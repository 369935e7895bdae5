//! Intervals to text, in the four styles.

use super::encode::write_fraction;
use super::{IntervalStyle, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND};
use crate::Interval;
use crate::io::{Style, write_i64, write_padded};

/// An interval's parts as they are shown. All time parts have the same sign.
struct Parts {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    seconds: i64,
    micros: i64,
}

impl Parts {
    fn of(interval: &Interval) -> Parts {
        let micros = interval.micros;
        Parts {
            years: i64::from(interval.months / 12),
            months: i64::from(interval.months % 12),
            days: i64::from(interval.days),
            hours: micros / MICROS_PER_HOUR,
            minutes: micros / MICROS_PER_MINUTE % 60,
            seconds: micros / MICROS_PER_SECOND % 60,
            micros: micros % MICROS_PER_SECOND,
        }
    }

    fn time_is_negative(&self) -> bool {
        self.hours < 0 || self.minutes < 0 || self.seconds < 0 || self.micros < 0
    }

    fn has_time(&self) -> bool {
        self.hours != 0 || self.minutes != 0 || self.seconds != 0 || self.micros != 0
    }

    /// Seconds and fraction without sign.
    fn write_seconds(&self, width: usize, out: &mut Vec<u8>) {
        write_padded(self.seconds.unsigned_abs(), width, out);
        write_fraction(self.micros.unsigned_abs() as u32, out);
    }
}

/// Appends an interval.
pub fn write_interval(interval: &Interval, style: &Style, out: &mut Vec<u8>) {
    if *interval == Interval::INFINITY {
        return out.extend_from_slice(b"infinity");
    }
    if *interval == Interval::NEGATIVE_INFINITY {
        return out.extend_from_slice(b"-infinity");
    }
    let parts = Parts::of(interval);
    match style.interval_style {
        IntervalStyle::Postgres => write_postgres(&parts, out),
        IntervalStyle::PostgresVerbose => write_verbose(&parts, out),
        IntervalStyle::SqlStandard => write_sql_standard(parts, out),
        IntervalStyle::Iso8601 => write_iso_8601(&parts, out),
    }
}

/// `1 year -2 mons +3 days -04:05:06`
fn write_postgres(parts: &Parts, out: &mut Vec<u8>) {
    let (mut first, mut after_negative) = (true, false);
    for (value, unit) in [(parts.years, "year"), (parts.months, "mon"), (parts.days, "day")] {
        if value == 0 {
            continue;
        }
        if !first {
            out.push(b' ');
        }
        if after_negative && value > 0 {
            out.push(b'+');
        }
        write_i64(value, out);
        out.push(b' ');
        out.extend_from_slice(unit.as_bytes());
        if value != 1 {
            out.push(b's');
        }
        (first, after_negative) = (false, value < 0);
    }
    if first || parts.has_time() {
        if !first {
            out.push(b' ');
        }
        if parts.time_is_negative() {
            out.push(b'-');
        } else if after_negative {
            out.push(b'+');
        }
        write_padded(parts.hours.unsigned_abs(), 2, out);
        out.push(b':');
        write_padded(parts.minutes.unsigned_abs(), 2, out);
        out.push(b':');
        parts.write_seconds(2, out);
    }
}

/// `@ 1 year 2 mons -3 days 4 hours 5 mins 6 secs ago`
fn write_verbose(parts: &Parts, out: &mut Vec<u8>) {
    out.push(b'@');
    // The sign of the first part goes into a final "ago".
    let (mut first, mut ago) = (true, false);
    let units = [
        (parts.years, "year"),
        (parts.months, "mon"),
        (parts.days, "day"),
        (parts.hours, "hour"),
        (parts.minutes, "min"),
    ];
    for (value, unit) in units {
        if value == 0 {
            continue;
        }
        let shown = if first {
            ago = value < 0;
            value.abs()
        } else if ago {
            -value
        } else {
            value
        };
        out.push(b' ');
        write_i64(shown, out);
        out.push(b' ');
        out.extend_from_slice(unit.as_bytes());
        if shown != 1 {
            out.push(b's');
        }
        first = false;
    }
    if parts.seconds != 0 || parts.micros != 0 {
        out.push(b' ');
        if parts.seconds < 0 || (parts.seconds == 0 && parts.micros < 0) {
            if first {
                ago = true;
            } else if !ago {
                out.push(b'-');
            }
        } else if ago {
            out.push(b'-');
        }
        parts.write_seconds(1, out);
        out.extend_from_slice(b" sec");
        if parts.seconds.abs() != 1 || parts.micros != 0 {
            out.push(b's');
        }
        first = false;
    }
    if first {
        out.extend_from_slice(b" 0");
    }
    if ago {
        out.extend_from_slice(b" ago");
    }
}

/// `P1Y2M3DT4H5M6S`
fn write_iso_8601(parts: &Parts, out: &mut Vec<u8>) {
    let date = [(parts.years, b'Y'), (parts.months, b'M'), (parts.days, b'D')];
    if !parts.has_time() && date.iter().all(|(value, _)| *value == 0) {
        return out.extend_from_slice(b"PT0S");
    }
    let part = |(value, unit): (i64, u8), out: &mut Vec<u8>| {
        if value != 0 {
            write_i64(value, out);
            out.push(unit);
        }
    };
    out.push(b'P');
    date.into_iter().for_each(|each| part(each, out));
    if parts.has_time() {
        out.push(b'T');
        part((parts.hours, b'H'), out);
        part((parts.minutes, b'M'), out);
        if parts.seconds != 0 || parts.micros != 0 {
            if parts.seconds < 0 || parts.micros < 0 {
                out.push(b'-');
            }
            parts.write_seconds(1, out);
            out.push(b'S');
        }
    }
}

/// `1-2`, `3 4:05:06`, or with all signs `+1-2 -3 +4:05:06` where the standard has no form.
fn write_sql_standard(parts: Parts, out: &mut Vec<u8>) {
    let all = [parts.years, parts.months, parts.days, parts.hours, parts.minutes, parts.seconds, parts.micros];
    let (negative, positive) = (all.iter().any(|value| *value < 0), all.iter().any(|value| *value > 0));
    let has_months = parts.years != 0 || parts.months != 0;
    let has_days_or_time = parts.days != 0 || parts.has_time();
    if !negative && !positive {
        return out.push(b'0');
    }
    let sign = |negative: bool| if negative { b'-' } else { b'+' };
    let time = |width: usize, out: &mut Vec<u8>| {
        write_padded(parts.hours.unsigned_abs(), width, out);
        out.push(b':');
        write_padded(parts.minutes.unsigned_abs(), 2, out);
        out.push(b':');
        parts.write_seconds(2, out);
    };
    let months = |out: &mut Vec<u8>| {
        write_padded(parts.years.unsigned_abs(), 1, out);
        out.push(b'-');
        write_padded(parts.months.unsigned_abs(), 1, out);
    };
    if (negative && positive) || (has_months && has_days_or_time) {
        out.push(sign(parts.years < 0 || parts.months < 0));
        months(out);
        out.extend_from_slice(&[b' ', sign(parts.days < 0)]);
        write_padded(parts.days.unsigned_abs(), 1, out);
        out.extend_from_slice(&[b' ', sign(parts.time_is_negative())]);
        return time(1, out);
    }
    if negative {
        out.push(b'-');
    }
    if has_months {
        return months(out);
    }
    if parts.days != 0 {
        write_padded(parts.days.unsigned_abs(), 1, out);
        out.push(b' ');
    }
    time(1, out);
}
