//! extract and date_part: one field of a date, time or interval.
//!
//! extract gives numerics, whose scale tells the field (`second` has six decimals), date_part gives double precision. A
//! field that swings (hour, month, ..) of an infinite value is NULL, one that grows (year, epoch, ..) is infinite.

use super::tokens::{DateWord, Unit, date_word, unit_word};
use super::{
    JULIAN_DAY_OF_EPOCH, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, TimeZone,
    UNIX_EPOCH_DAYS, civil_from_days, date_is_finite, day_of_week, day_of_year, iso_week, split_timestamp,
    timestamp_is_finite,
};
use crate::{Interval, Numeric, Oid, PgError, Result, SqlState, TimeTz, format_type, oid};

/// What can be extracted, or truncated to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Field {
    Microseconds,
    Milliseconds,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    Julian,
    IsoYear,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Epoch,
    TimeZone,
    TimeZoneHour,
    TimeZoneMinute,
}

impl Field {
    /// A field by its name, in any case.
    pub fn parse(name: &str) -> Option<Field> {
        if let Some(unit) = Field::parse_unit(name) {
            return Some(unit);
        }
        let name = name.to_ascii_lowercase();
        Some(match name.as_str() {
            "dow" => Field::DayOfWeek,
            "doy" => Field::DayOfYear,
            "isodow" => Field::IsoDayOfWeek,
            "isoyear" => Field::IsoYear,
            _ => match date_word(&name)? {
                DateWord::Epoch => Field::Epoch,
                DateWord::Julian => Field::Julian,
                _ => return None,
            },
        })
    }

    /// A unit by its name, in any case: a field that may be truncated to.
    pub(super) fn parse_unit(name: &str) -> Option<Field> {
        unit_word(&name.to_ascii_lowercase()).map(|unit| match unit {
            Unit::Microsecond => Field::Microseconds,
            Unit::Millisecond => Field::Milliseconds,
            Unit::Second => Field::Second,
            Unit::Minute => Field::Minute,
            Unit::Hour => Field::Hour,
            Unit::Day => Field::Day,
            Unit::Week => Field::Week,
            Unit::Month => Field::Month,
            Unit::Quarter => Field::Quarter,
            Unit::Year => Field::Year,
            Unit::Decade => Field::Decade,
            Unit::Century => Field::Century,
            Unit::Millennium => Field::Millennium,
            Unit::Zone => Field::TimeZone,
            Unit::ZoneHour => Field::TimeZoneHour,
            Unit::ZoneMinute => Field::TimeZoneMinute,
        })
    }

    /// Whether an infinite date's or timestamp's field is infinite, not NULL.
    fn grows(self) -> bool {
        matches!(
            self,
            Field::Year
                | Field::Decade
                | Field::Century
                | Field::Millennium
                | Field::Julian
                | Field::IsoYear
                | Field::Epoch
        )
    }

    fn is_zone(self) -> bool {
        matches!(self, Field::TimeZone | Field::TimeZoneHour | Field::TimeZoneMinute)
    }

    fn is_time(self) -> bool {
        matches!(self, Field::Microseconds | Field::Milliseconds | Field::Second | Field::Minute | Field::Hour)
    }
}

/// 0A000 for a field that the type has not, 22023 for no field at all.
pub(super) fn unit_error(field: Option<Field>, name: &str, type_oid: Oid) -> PgError {
    let name = name.to_ascii_lowercase();
    let type_name = format_type(type_oid, -1);
    match field {
        Some(_) => {
            PgError::new(SqlState::FEATURE_NOT_SUPPORTED, format!("unit \"{name}\" not supported for type {type_name}"))
        }
        None => PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("unit \"{name}\" not recognized for type {type_name}"),
        ),
    }
}

fn parse(name: &str, type_oid: Oid, supported: impl Fn(Field) -> bool) -> Result<Field> {
    let field = Field::parse(name);
    field.filter(|field| supported(*field)).ok_or_else(|| {
        // Words like "now" are known where a date is, though no field.
        let reserved = matches!(
            date_word(&name.to_ascii_lowercase()),
            Some(
                DateWord::Early
                    | DateWord::Late
                    | DateWord::Now
                    | DateWord::Today
                    | DateWord::Tomorrow
                    | DateWord::Yesterday
                    | DateWord::Zulu
            )
        );
        let dated = matches!(type_oid, oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ);
        unit_error(field.or((reserved && dated).then_some(Field::Epoch)), name, type_oid)
    })
}

fn infinity(positive: bool) -> Numeric {
    if positive { Numeric::INFINITY } else { Numeric::NEGATIVE_INFINITY }
}

fn integer(value: i64) -> Numeric {
    Numeric::new(value, 0)
}

/// A field of the time of day.
fn time_field(field: Field, micros: i64) -> Numeric {
    let of_minute = micros % MICROS_PER_MINUTE;
    match field {
        Field::Microseconds => integer(of_minute),
        Field::Milliseconds => Numeric::new(of_minute, 3),
        Field::Second => Numeric::new(of_minute, 6),
        Field::Minute => integer(micros / MICROS_PER_MINUTE % 60),
        _ => integer(micros / MICROS_PER_HOUR),
    }
}

/// A field of a calendar day.
fn day_field(field: Field, days: i64) -> i64 {
    let civil = civil_from_days(days);
    let (year, month) = (i64::from(civil.year), i64::from(civil.month));
    // There is no year 0: 1 BC is -1.
    let without_zero = |year: i64| if year > 0 { year } else { year - 1 };
    let span = |span: i64| if year > 0 { (year + span - 1) / span } else { -((span - 1 - (year - 1)) / span) };
    match field {
        Field::Day => i64::from(civil.day),
        Field::Week => iso_week(days).1,
        Field::Month => month,
        Field::Quarter => (month - 1) / 3 + 1,
        Field::Year => without_zero(year),
        Field::Decade if year >= 0 => year / 10,
        Field::Decade => -((8 - (year - 1)) / 10),
        Field::Century => span(100),
        Field::Millennium => span(1000),
        Field::Julian => days + JULIAN_DAY_OF_EPOCH,
        Field::IsoYear => without_zero(iso_week(days).0),
        Field::DayOfWeek => day_of_week(days),
        Field::IsoDayOfWeek => (day_of_week(days) + 6) % 7 + 1,
        Field::DayOfYear => day_of_year(civil),
        Field::Epoch => (days + UNIX_EPOCH_DAYS) * 86_400,
        other => unreachable!("{other:?} is no field of a day"),
    }
}

/// A field of a displacement in seconds east.
fn zone_field(field: Field, seconds: i64) -> Numeric {
    integer(match field {
        Field::TimeZone => seconds,
        Field::TimeZoneHour => seconds / 3600,
        _ => seconds / 60 % 60,
    })
}

/// A field of a finite local timestamp, but for zones and epoch.
fn timestamp_field(field: Field, local: i64) -> Result<Numeric> {
    let (days, micros) = split_timestamp(local);
    if field.is_time() {
        return Ok(time_field(field, micros));
    }
    if field == Field::Julian {
        let fraction = integer(micros).divide(&integer(MICROS_PER_DAY))?;
        return integer(day_field(field, days)).add(&fraction);
    }
    Ok(integer(day_field(field, days)))
}

/// Seconds since 1970-01-01 with six decimals.
fn epoch(timestamp: i64) -> Numeric {
    let micros = i128::from(timestamp) + i128::from(UNIX_EPOCH_DAYS) * i128::from(MICROS_PER_DAY);
    Numeric::from_i128(micros, 6)
}

/// `extract(field from timestamp)`; `None` is NULL.
pub fn extract_timestamp(name: &str, timestamp: i64) -> Result<Option<Numeric>> {
    let infinite = !timestamp_is_finite(timestamp);
    let field = parse(name, oid::TIMESTAMP, |field| infinite || !field.is_zone())?;
    if infinite {
        return Ok(field.grows().then(|| infinity(timestamp > 0)));
    }
    match field {
        Field::Epoch => Ok(Some(epoch(timestamp))),
        _ => timestamp_field(field, timestamp).map(Some),
    }
}

/// `extract(field from timestamptz)` in a zone; `None` is NULL.
pub fn extract_timestamptz(name: &str, timestamp: i64, zone: &TimeZone) -> Result<Option<Numeric>> {
    let field = parse(name, oid::TIMESTAMPTZ, |_| true)?;
    if !timestamp_is_finite(timestamp) {
        return Ok(field.grows().then(|| infinity(timestamp > 0)));
    }
    let seconds = i64::from(zone.seconds_at(timestamp));
    match field {
        Field::Epoch => Ok(Some(epoch(timestamp))),
        _ if field.is_zone() => Ok(Some(zone_field(field, seconds))),
        _ => timestamp_field(field, timestamp + seconds * MICROS_PER_SECOND).map(Some),
    }
}

/// `extract(field from date)`; `None` is NULL.
pub fn extract_date(name: &str, date: i32) -> Result<Option<Numeric>> {
    let field = parse(name, oid::DATE, |field| !field.is_zone() && !field.is_time())?;
    if !date_is_finite(date) {
        return Ok(field.grows().then(|| infinity(date > 0)));
    }
    Ok(Some(integer(day_field(field, i64::from(date)))))
}

/// `extract(field from time)`.
pub fn extract_time(name: &str, time: i64) -> Result<Numeric> {
    let field = parse(name, oid::TIME, |field| field.is_time() || field == Field::Epoch)?;
    Ok(if field == Field::Epoch { Numeric::new(time, 6) } else { time_field(field, time) })
}

/// `extract(field from timetz)`.
pub fn extract_timetz(name: &str, time: TimeTz) -> Result<Numeric> {
    let field = parse(name, oid::TIMETZ, |field| field.is_time() || field.is_zone() || field == Field::Epoch)?;
    Ok(match field {
        Field::Epoch => Numeric::new(time.micros + i64::from(time.zone) * MICROS_PER_SECOND, 6),
        _ if field.is_zone() => zone_field(field, -i64::from(time.zone)),
        _ => time_field(field, time.micros),
    })
}

/// `extract(field from interval)`; `None` is NULL.
pub fn extract_interval(name: &str, interval: Interval) -> Result<Option<Numeric>> {
    let field = parse(name, oid::INTERVAL, |field| {
        !field.is_zone()
            && !matches!(
                field,
                Field::Julian | Field::IsoYear | Field::DayOfWeek | Field::IsoDayOfWeek | Field::DayOfYear
            )
    })?;
    if !interval.is_finite() {
        let grows = field.grows() || matches!(field, Field::Hour | Field::Day);
        return Ok(grows.then(|| infinity(interval.micros > 0)));
    }
    let (years, months) = (i64::from(interval.months / 12), i64::from(interval.months % 12));
    Ok(Some(match field {
        Field::Day => integer(i64::from(interval.days)),
        Field::Week => integer(i64::from(interval.days / 7)),
        Field::Month => integer(months),
        // A negative interval's is the negative of the positive one's.
        Field::Quarter if interval.months >= 0 => integer(months / 3 + 1),
        Field::Quarter => integer(-(-months / 3 + 1)),
        Field::Year => integer(years),
        Field::Decade => integer(years / 10),
        Field::Century => integer(years / 100),
        Field::Millennium => integer(years / 1000),
        Field::Epoch => {
            // A year has 365.25 days, a month 30: in quarters of a day.
            let quarters = 1461 * years + 120 * months + 4 * i64::from(interval.days);
            let micros = i128::from(quarters) * i128::from(MICROS_PER_DAY / 4) + i128::from(interval.micros);
            Numeric::from_i128(micros, 6)
        }
        _ => time_field(field, interval.micros),
    }))
}

/// date_part computes seconds in floating point, with its errors: whole seconds plus a fraction.
fn seconds_part(field: Field, micros: i64) -> Option<f64> {
    let of_minute = micros % MICROS_PER_MINUTE;
    let (seconds, fraction) = ((of_minute / MICROS_PER_SECOND) as f64, (of_minute % MICROS_PER_SECOND) as f64);
    match field {
        Field::Second => Some(seconds + fraction / 1e6),
        Field::Milliseconds => Some(seconds * 1000.0 + fraction / 1000.0),
        _ => None,
    }
}

fn timestamp_part(name: &str, timestamp: i64, local: i64, extracted: Option<Numeric>) -> Option<f64> {
    let extracted = extracted?;
    let (days, micros) = split_timestamp(local);
    let field = Field::parse(name).filter(|_| timestamp_is_finite(timestamp));
    Some(match field {
        Some(field @ (Field::Second | Field::Milliseconds)) => seconds_part(field, micros)?,
        Some(Field::Julian) => {
            let seconds = (micros / MICROS_PER_SECOND) as f64 + (micros % MICROS_PER_SECOND) as f64 / 1e6;
            (days + JULIAN_DAY_OF_EPOCH) as f64 + seconds / 86_400.0
        }
        Some(Field::Epoch) => {
            let epoch = -UNIX_EPOCH_DAYS * MICROS_PER_DAY;
            match timestamp.checked_sub(epoch) {
                Some(micros) => micros as f64 / 1e6,
                None => (timestamp as f64 - epoch as f64) / 1e6,
            }
        }
        _ => extracted.to_f64_lossy(),
    })
}

/// `date_part(text, timestamp)`; `None` is NULL.
pub fn date_part_timestamp(name: &str, timestamp: i64) -> Result<Option<f64>> {
    extract_timestamp(name, timestamp).map(|extracted| timestamp_part(name, timestamp, timestamp, extracted))
}

/// `date_part(text, timestamptz)` in a zone; `None` is NULL.
pub fn date_part_timestamptz(name: &str, timestamp: i64, zone: &TimeZone) -> Result<Option<f64>> {
    let extracted = extract_timestamptz(name, timestamp, zone)?;
    let local = timestamp.saturating_add(i64::from(zone.seconds_at(timestamp)) * MICROS_PER_SECOND);
    Ok(timestamp_part(name, timestamp, local, extracted))
}

/// `date_part(text, time)`.
pub fn date_part_time(name: &str, time: i64) -> Result<f64> {
    let extracted = extract_time(name, time)?;
    Ok(match Field::parse(name) {
        Some(Field::Epoch) => time as f64 / 1e6,
        Some(field) => seconds_part(field, time).unwrap_or_else(|| extracted.to_f64_lossy()),
        None => extracted.to_f64_lossy(),
    })
}

/// `date_part(text, timetz)`.
pub fn date_part_timetz(name: &str, time: TimeTz) -> Result<f64> {
    let extracted = extract_timetz(name, time)?;
    Ok(match Field::parse(name) {
        Some(Field::Epoch) => time.micros as f64 / 1e6 + f64::from(time.zone),
        Some(field) => seconds_part(field, time.micros).unwrap_or_else(|| extracted.to_f64_lossy()),
        None => extracted.to_f64_lossy(),
    })
}

/// `date_part(text, interval)`; `None` is NULL.
pub fn date_part_interval(name: &str, interval: Interval) -> Result<Option<f64>> {
    let Some(extracted) = extract_interval(name, interval)? else { return Ok(None) };
    if !interval.is_finite() {
        return Ok(Some(extracted.to_f64_lossy()));
    }
    Ok(Some(match Field::parse(name) {
        Some(Field::Epoch) => {
            let years = 365.25 * 86_400.0 * f64::from(interval.months / 12);
            let months = 30.0 * 86_400.0 * f64::from(interval.months % 12);
            interval.micros as f64 / 1e6 + years + months + 86_400.0 * f64::from(interval.days)
        }
        Some(field) => seconds_part(field, interval.micros).unwrap_or_else(|| extracted.to_f64_lossy()),
        None => extracted.to_f64_lossy(),
    }))
}
