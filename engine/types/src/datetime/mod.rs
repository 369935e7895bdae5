//! date, time, timetz, timestamp, timestamptz and interval.
//!
//! The representation is PostgreSQL's: days and microseconds since 2000-01-01 in the proleptic Gregorian calendar,
//! with the extreme values of the integer standing for the infinities. An interval is months, days and microseconds,
//! which do not convert into one another.
//!
//! ```text
//!   text ──▶ tokens ──▶ decode ──▶ Fields (year, month, ..) ──▶ civil ──▶ days, microseconds
//!            (digits, words,       + zone displacement          calendar
//!             signs)                                            arithmetic
//! ```
//!
//! PostgreSQL's reading of dates is famously liberal (`January 8, 1999`, `19990108`, `J2451187`, `08-Jan-99 pst`) and
//! the order in which fields are looked at decides what is accepted; `tokens` and `decode` follow the same
//! steps as its `src/backend/utils/adt/datetime.c` describes, so that the same text means the same thing or fails with
//! the same error.
//!
//! Zones come from the bundled tz database through `jiff`; see [`TimeZone`].

mod arithmetic;
mod civil;
mod clock;
mod decode;
mod decode_number;
mod decode_time;
mod encode;
mod extract;
mod input;
mod interval_arithmetic;
mod interval_input;
mod interval_iso;
mod interval_output;
mod make;
mod tokens;
mod truncate;
mod zone;

pub use arithmetic::*;
pub use civil::*;
pub use encode::{write_date, write_time, write_timestamp, write_timestamptz, write_timetz};
pub use extract::{
    Field, date_part_interval, date_part_time, date_part_timestamp, date_part_timestamptz, date_part_timetz,
    extract_date, extract_interval, extract_time, extract_timestamp, extract_timestamptz, extract_timetz,
};
pub use input::{parse_date, parse_time, parse_timestamp, parse_timestamptz, parse_timetz};
pub use interval_arithmetic::*;
pub use interval_input::parse_interval;
pub use interval_output::write_interval;
pub use make::*;
pub use truncate::*;
pub use zone::{TimeZone, ZoneOffset, ZoneSpec};

use crate::{Interval, PgError, SqlState};

/// Microseconds in a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds in a minute.
pub const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;
/// Microseconds in an hour.
pub const MICROS_PER_HOUR: i64 = 60 * MICROS_PER_MINUTE;
/// Microseconds in a day.
pub const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

/// A timestamp or timestamptz before all others.
pub const TIMESTAMP_NEGATIVE_INFINITY: i64 = i64::MIN;
/// A timestamp or timestamptz after all others.
pub const TIMESTAMP_INFINITY: i64 = i64::MAX;
/// A date before all others.
pub const DATE_NEGATIVE_INFINITY: i32 = i32::MIN;
/// A date after all others.
pub const DATE_INFINITY: i32 = i32::MAX;

/// The format half of the setting DateStyle: how dates print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DateStyle {
    /// `1997-12-17 07:37:16-08`
    #[default]
    Iso,
    /// `12/17/1997 07:37:16.00 PST`
    Sql,
    /// `Wed Dec 17 07:37:16 1997 PST`
    Postgres,
    /// `17.12.1997 07:37:16.00 PST`
    German,
}

/// The order half of DateStyle: how ambiguous dates are read (and, for some formats, printed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DateOrder {
    /// month, day, year
    #[default]
    Mdy,
    /// day, month, year
    Dmy,
    /// year, month, day
    Ymd,
}

/// The setting IntervalStyle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IntervalStyle {
    /// `1 year 2 mons 3 days 04:05:06`
    #[default]
    Postgres,
    /// `@ 1 year 2 mons 3 days 4 hours 5 mins 6 secs`
    PostgresVerbose,
    /// `+1-2 +3 +4:05:06`
    SqlStandard,
    /// `P1Y2M3DT4H5M6S`
    Iso8601,
}

impl Interval {
    /// The interval longer than all others.
    pub const INFINITY: Interval = Interval { months: i32::MAX, days: i32::MAX, micros: i64::MAX };
    /// The interval shorter than all others.
    pub const NEGATIVE_INFINITY: Interval = Interval { months: i32::MIN, days: i32::MIN, micros: i64::MIN };

    /// Whether this is neither infinity.
    pub fn is_finite(&self) -> bool {
        *self != Interval::INFINITY && *self != Interval::NEGATIVE_INFINITY
    }
}

pub(crate) fn overflow(message: &'static str) -> PgError {
    PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, message)
}

/// The masks of an interval's type modifier.
pub mod interval_fields {
    /// month
    pub const MONTH: i32 = 1 << 1;
    /// year
    pub const YEAR: i32 = 1 << 2;
    /// day
    pub const DAY: i32 = 1 << 3;
    /// hour
    pub const HOUR: i32 = 1 << 10;
    /// minute
    pub const MINUTE: i32 = 1 << 11;
    /// second
    pub const SECOND: i32 = 1 << 12;
    /// No restriction of fields.
    pub const ALL: i32 = 0x7fff;
    /// No restriction of the seconds' fraction.
    pub const NO_PRECISION: i32 = 0xffff;

    /// How the fields read in a declaration, with a blank in front; `None` for masks that none can make.
    pub fn name(mask: i32) -> Option<&'static str> {
        const DAY_HOUR: i32 = DAY | HOUR;
        const DAY_MINUTE: i32 = DAY | HOUR | MINUTE;
        const DAY_SECOND: i32 = DAY | HOUR | MINUTE | SECOND;
        const YEAR_MONTH: i32 = YEAR | MONTH;
        const HOUR_MINUTE: i32 = HOUR | MINUTE;
        const HOUR_SECOND: i32 = HOUR | MINUTE | SECOND;
        const MINUTE_SECOND: i32 = MINUTE | SECOND;
        Some(match mask {
            YEAR => " year",
            MONTH => " month",
            YEAR_MONTH => " year to month",
            DAY => " day",
            HOUR => " hour",
            MINUTE => " minute",
            SECOND => " second",
            DAY_HOUR => " day to hour",
            DAY_MINUTE => " day to minute",
            DAY_SECOND => " day to second",
            HOUR_MINUTE => " hour to minute",
            HOUR_SECOND => " hour to second",
            MINUTE_SECOND => " minute to second",
            ALL => "",
            _ => return None,
        })
    }
}
