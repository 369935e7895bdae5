//! Dates and times to text, in the four output formats.

use super::{
    Civil, Clock, DATE_INFINITY, DATE_NEGATIVE_INFINITY, DateOrder, DateStyle, MICROS_PER_SECOND, TIMESTAMP_INFINITY,
    TIMESTAMP_NEGATIVE_INFINITY, civil_from_days, clock_from_micros, day_of_week, split_timestamp,
};
use crate::TimeTz;
use crate::io::{Style, write_padded, write_u64};

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
const DAYS: [&[u8]; 7] = [b"Sun", b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat"];

#[inline]
fn two(value: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
}

/// The year of its era, at least four digits.
#[inline]
fn year(civil: Civil, out: &mut Vec<u8>) {
    let shown = if civil.year > 0 { civil.year as u32 } else { (1 - civil.year) as u32 };
    if shown < 10_000 {
        two(shown / 100, out);
        two(shown % 100, out);
    } else {
        write_u64(u64::from(shown), out);
    }
}

fn era(civil: Civil, out: &mut Vec<u8>) {
    if civil.year <= 0 {
        out.extend_from_slice(b" BC");
    }
}

/// Fraction of a second without trailing zeros, with its point; nothing for zero.
pub(super) fn write_fraction(micros: u32, out: &mut Vec<u8>) {
    if micros == 0 {
        return;
    }
    out.push(b'.');
    let (mut rest, mut width) = (micros, 6);
    while rest % 10 == 0 {
        rest /= 10;
        width -= 1;
    }
    write_padded(u64::from(rest), width, out);
}

#[inline]
fn clock(clock: Clock, out: &mut Vec<u8>) {
    two(clock.hour, out);
    out.push(b':');
    two(clock.minute, out);
    out.push(b':');
    two(clock.second, out);
    write_fraction(clock.micros, out);
}

/// `+02`, `-03:30`, `+00:19:32`.
fn displacement(seconds_east: i32, out: &mut Vec<u8>) {
    out.push(if seconds_east >= 0 { b'+' } else { b'-' });
    let magnitude = seconds_east.unsigned_abs();
    let (hours, minutes, seconds) = (magnitude / 3600, magnitude / 60 % 60, magnitude % 60);
    write_padded(u64::from(hours), 2, out);
    if minutes > 0 || seconds > 0 {
        out.push(b':');
        two(minutes, out);
    }
    if seconds > 0 {
        out.push(b':');
        two(seconds, out);
    }
}

/// The calendar day alone, in a style; without the era.
fn date(civil: Civil, style: &Style, separators: [u8; 2], out: &mut Vec<u8>) {
    let [sql, german] = separators;
    match style.date_style {
        DateStyle::Iso => {
            year(civil, out);
            out.push(b'-');
            two(civil.month, out);
            out.push(b'-');
            two(civil.day, out);
        }
        DateStyle::German => {
            two(civil.day, out);
            out.push(german);
            two(civil.month, out);
            out.push(german);
            year(civil, out);
        }
        DateStyle::Sql | DateStyle::Postgres => {
            let (first, second) = match style.date_order {
                DateOrder::Dmy => (civil.day, civil.month),
                _ => (civil.month, civil.day),
            };
            let separator = if style.date_style == DateStyle::Sql { sql } else { b'-' };
            two(first, out);
            out.push(separator);
            two(second, out);
            out.push(separator);
            year(civil, out);
        }
    }
}

/// Appends a date.
pub fn write_date(value: i32, style: &Style, out: &mut Vec<u8>) {
    match value {
        DATE_NEGATIVE_INFINITY => out.extend_from_slice(b"-infinity"),
        DATE_INFINITY => out.extend_from_slice(b"infinity"),
        _ => {
            let civil = civil_from_days(i64::from(value));
            date(civil, style, [b'/', b'.'], out);
            era(civil, out);
        }
    }
}

/// Appends a time of day.
pub fn write_time(value: i64, out: &mut Vec<u8>) {
    clock(clock_from_micros(value), out);
}

/// Appends a time of day with its zone.
pub fn write_timetz(value: &TimeTz, _style: &Style, out: &mut Vec<u8>) {
    write_time(value.micros, out);
    displacement(-value.zone, out);
}

/// Appends a timestamp.
pub fn write_timestamp(value: i64, style: &Style, out: &mut Vec<u8>) {
    if !write_infinity(value, out) {
        write_moment(value, None, style, out);
    }
}

/// Appends a timestamptz in the session's zone.
pub fn write_timestamptz(value: i64, style: &Style, out: &mut Vec<u8>) {
    if write_infinity(value, out) {
        return;
    }
    let seconds = style.time_zone.seconds_at(value);
    write_moment(value + i64::from(seconds) * MICROS_PER_SECOND, Some((value, seconds)), style, out);
}

fn write_infinity(value: i64, out: &mut Vec<u8>) -> bool {
    match value {
        TIMESTAMP_NEGATIVE_INFINITY => out.extend_from_slice(b"-infinity"),
        TIMESTAMP_INFINITY => out.extend_from_slice(b"infinity"),
        _ => return false,
    }
    true
}

/// Local time, and for timestamptz the moment and its displacement.
fn write_moment(local: i64, zone: Option<(i64, i32)>, style: &Style, out: &mut Vec<u8>) {
    let (days, micros) = split_timestamp(local);
    let civil = civil_from_days(days);
    let time = clock_from_micros(micros);
    match style.date_style {
        DateStyle::Postgres => {
            out.extend_from_slice(DAYS[day_of_week(days) as usize]);
            out.push(b' ');
            let month = MONTHS[civil.month as usize - 1];
            if style.date_order == DateOrder::Dmy {
                two(civil.day, out);
                out.push(b' ');
                out.extend_from_slice(month);
            } else {
                out.extend_from_slice(month);
                out.push(b' ');
                two(civil.day, out);
            }
            out.push(b' ');
            clock(time, out);
            out.push(b' ');
            year(civil, out);
        }
        _ => {
            date(civil, style, [b'/', b'.'], out);
            out.push(b' ');
            clock(time, out);
        }
    }
    if let Some((moment, seconds)) = zone {
        if style.date_style == DateStyle::Iso {
            displacement(seconds, out);
        } else {
            let abbreviation = style.time_zone.at(moment).abbreviation;
            out.push(b' ');
            out.extend_from_slice(&abbreviation.as_bytes()[..abbreviation.len().min(10)]);
        }
    }
    era(civil, out);
}
