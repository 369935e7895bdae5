//! Patterns of dates and times, and `to_char` of timestamps and intervals.

use helios_types::datetime::{
    civil_from_days, clock_from_micros, day_of_week, day_of_year, iso_week, split_timestamp, timestamp_is_finite,
};
use helios_types::{Datum, Interval, PgError, Result, SqlState};

use super::{Node, ordinal, split};
use crate::functions::arguments::{i64_at, interval_at, text_at};
use crate::functions::{CallCache, Entry, Implementation};
use std::sync::Arc;

/// What a pattern stands for. Spelling (capitals, dots) is in [`Pattern::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Meridiem,
    Era,
    Century,
    DayName,
    DayShort,
    DayOfYear,
    DayOfMonth,
    DayOfWeek,
    /// Digits of the fraction of a second.
    Fraction(u32),
    Exact,
    Hour24,
    Hour12,
    IsoDayOfYear,
    IsoDayOfWeek,
    IsoWeek,
    /// Digits shown.
    IsoYear(u32),
    Julian,
    Minute,
    Month,
    MonthName,
    MonthShort,
    Millisecond,
    Microsecond,
    ZoneOffset,
    ZoneHour,
    ZoneMinute,
    Zone,
    Quarter,
    Roman,
    SecondOfDay,
    Second,
    WeekOfYear,
    WeekOfMonth,
    CommaYear,
    /// Digits shown.
    Year(u32),
}

/// The calendars that patterns belong to; they do not mix in input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calendar {
    None,
    Gregorian,
    Iso,
}

/// A pattern with its modifiers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pattern {
    pub(super) item: Item,
    /// As written.
    pub(super) name: &'static str,
    /// FM: no padding.
    pub(super) fill: bool,
    /// TM: names in the session's language (which is English), without padding.
    pub(super) translated: bool,
    /// TH (`true`) or th.
    pub(super) ordinal: Option<bool>,
}

/// The patterns, those that are prefixes of others behind them. Each is known in capitals and in lower case; names of
/// months and days capitalized too.
const PATTERNS: &[(&str, &str, Item)] = &[
    ("A.D.", "a.d.", Item::Era),
    ("A.M.", "a.m.", Item::Meridiem),
    ("AD", "ad", Item::Era),
    ("AM", "am", Item::Meridiem),
    ("B.C.", "b.c.", Item::Era),
    ("BC", "bc", Item::Era),
    ("CC", "cc", Item::Century),
    ("DAY", "day", Item::DayName),
    ("DDD", "ddd", Item::DayOfYear),
    ("DD", "dd", Item::DayOfMonth),
    ("DY", "dy", Item::DayShort),
    ("Day", "Day", Item::DayName),
    ("Dy", "Dy", Item::DayShort),
    ("D", "d", Item::DayOfWeek),
    ("FF1", "ff1", Item::Fraction(1)),
    ("FF2", "ff2", Item::Fraction(2)),
    ("FF3", "ff3", Item::Fraction(3)),
    ("FF4", "ff4", Item::Fraction(4)),
    ("FF5", "ff5", Item::Fraction(5)),
    ("FF6", "ff6", Item::Fraction(6)),
    ("FX", "fx", Item::Exact),
    ("HH24", "hh24", Item::Hour24),
    ("HH12", "hh12", Item::Hour12),
    ("HH", "hh", Item::Hour12),
    ("IDDD", "iddd", Item::IsoDayOfYear),
    ("ID", "id", Item::IsoDayOfWeek),
    ("IW", "iw", Item::IsoWeek),
    ("IYYY", "iyyy", Item::IsoYear(4)),
    ("IYY", "iyy", Item::IsoYear(3)),
    ("IY", "iy", Item::IsoYear(2)),
    ("I", "i", Item::IsoYear(1)),
    ("J", "j", Item::Julian),
    ("MI", "mi", Item::Minute),
    ("MM", "mm", Item::Month),
    ("MONTH", "month", Item::MonthName),
    ("MON", "mon", Item::MonthShort),
    ("MS", "ms", Item::Millisecond),
    ("Month", "Month", Item::MonthName),
    ("Mon", "Mon", Item::MonthShort),
    ("OF", "of", Item::ZoneOffset),
    ("P.M.", "p.m.", Item::Meridiem),
    ("PM", "pm", Item::Meridiem),
    ("Q", "q", Item::Quarter),
    ("RM", "rm", Item::Roman),
    ("SSSSS", "sssss", Item::SecondOfDay),
    ("SSSS", "ssss", Item::SecondOfDay),
    ("SS", "ss", Item::Second),
    ("TZH", "tzh", Item::ZoneHour),
    ("TZM", "tzm", Item::ZoneMinute),
    ("TZ", "tz", Item::Zone),
    ("US", "us", Item::Microsecond),
    ("WW", "ww", Item::WeekOfYear),
    ("W", "w", Item::WeekOfMonth),
    ("Y,YYY", "y,yyy", Item::CommaYear),
    ("YYYY", "yyyy", Item::Year(4)),
    ("YYY", "yyy", Item::Year(3)),
    ("YY", "yy", Item::Year(2)),
    ("Y", "y", Item::Year(1)),
];

impl Item {
    /// Whether the pattern is digits only: the next one's digits must then be told apart by width.
    pub(super) fn is_digits(self) -> bool {
        !matches!(
            self,
            Item::Meridiem
                | Item::Era
                | Item::DayName
                | Item::DayShort
                | Item::Exact
                | Item::MonthName
                | Item::MonthShort
                | Item::ZoneOffset
                | Item::ZoneHour
                | Item::Zone
                | Item::Roman
        )
    }

    pub(super) fn calendar(self) -> Calendar {
        match self {
            Item::IsoDayOfYear | Item::IsoDayOfWeek | Item::IsoWeek | Item::IsoYear(_) => Calendar::Iso,
            Item::DayOfYear
            | Item::DayOfMonth
            | Item::DayOfWeek
            | Item::Month
            | Item::MonthName
            | Item::MonthShort
            | Item::Roman
            | Item::WeekOfYear
            | Item::WeekOfMonth
            | Item::CommaYear
            | Item::Year(_) => Calendar::Gregorian,
            _ => Calendar::None,
        }
    }
}

/// The nodes of a template, from the call site when it is the same as before.
pub(super) fn compiled(cache: &CallCache, template: &str) -> Arc<Vec<Node<Pattern>>> {
    let made = cache.get_or_make(template, || Ok::<_, std::convert::Infallible>(nodes(template)));
    match made {
        Ok(nodes) => nodes,
        Err(never) => match never {},
    }
}

fn nodes(template: &str) -> Vec<Node<Pattern>> {
    let pattern = |text: &str| -> std::result::Result<(Option<Pattern>, usize), std::convert::Infallible> {
        let prefix = ["FM", "fm", "TM", "tm"].into_iter().find(|prefix| text.starts_with(prefix));
        let behind = &text[prefix.map_or(0, str::len)..];
        let found = PATTERNS.iter().find_map(|(upper, lower, item)| {
            [upper, lower].into_iter().find(|name| behind.starts_with(**name)).map(|name| (*name, *item))
        });
        let Some((name, item)) = found else {
            // A modifier before something else is nothing, and is left out.
            return Ok((None, prefix.map_or(0, str::len)));
        };
        let mut pattern = Pattern {
            item,
            name,
            fill: matches!(prefix, Some("FM" | "fm")),
            translated: matches!(prefix, Some("TM" | "tm")),
            ordinal: None,
        };
        let mut length = prefix.map_or(0, str::len) + name.len();
        match text.get(length..length + 2) {
            Some("TH") => pattern.ordinal = Some(true),
            Some("th") => pattern.ordinal = Some(false),
            Some("SP") => length += 2,
            _ => {}
        }
        if pattern.ordinal.is_some() {
            length += 2;
        }
        Ok((Some(pattern), length))
    };
    match split(template, pattern) {
        Ok(nodes) => nodes,
        Err(never) => match never {},
    }
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
/// From December back to January, as PostgreSQL lists them.
pub(super) const ROMAN_MONTHS: [&str; 12] = ["XII", "XI", "X", "IX", "VIII", "VII", "VI", "V", "IV", "III", "II", "I"];

/// What a template shows: a timestamp's fields or an interval's.
struct Shown {
    interval: bool,
    year: i64,
    month: i64,
    day: i64,
    day_of_year: i64,
    /// From Sunday, 0.
    day_of_week: i64,
    /// Days since 2000-01-01.
    days: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    /// Seconds east of UTC and the zone's abbreviation; none without zone.
    zone: Option<(i32, String)>,
}

#[cold]
fn invalid_for_interval() -> PgError {
    PgError::new(SqlState::INVALID_DATETIME_FORMAT, "invalid format specification for an interval value")
        .with_hint("Intervals are not tied to specific calendar dates.")
}

/// The name in the spelling of the pattern.
fn spelled(name: &str, pattern: &Pattern) -> String {
    if pattern.name.chars().all(|char| !char.is_ascii_lowercase()) {
        name.to_ascii_uppercase()
    } else if pattern.name.starts_with(|char: char| char.is_ascii_uppercase()) {
        name.to_owned()
    } else {
        name.to_ascii_lowercase()
    }
}

impl Shown {
    fn render(&self, nodes: &[Node<Pattern>]) -> Result<String> {
        let mut out = String::new();
        for node in nodes {
            match node {
                Node::Literal(literal) => out.push(literal.char()),
                Node::Pattern(pattern) => self.pattern(pattern, &mut out)?,
            }
        }
        Ok(out)
    }

    /// Year as people count it: no year 0.
    fn adjusted(&self, year: i64) -> i64 {
        if self.interval || year > 0 { year } else { 1 - year }
    }

    fn pattern(&self, pattern: &Pattern, out: &mut String) -> Result<()> {
        let calendar_only = matches!(
            pattern.item,
            Item::Zone
                | Item::ZoneHour
                | Item::ZoneMinute
                | Item::ZoneOffset
                | Item::Era
                | Item::MonthName
                | Item::MonthShort
                | Item::DayName
                | Item::DayShort
                | Item::DayOfWeek
                | Item::IsoDayOfWeek
        );
        if self.interval && calendar_only {
            return Err(invalid_for_interval());
        }
        // A number, zero-padded to a width unless FM.
        let number = |value: i64, width: usize, out: &mut String| {
            let width = if pattern.fill { 0 } else { width };
            let digits = format!("{value:0width$}");
            out.push_str(&digits);
            if let Some(upper) = pattern.ordinal {
                out.push_str(ordinal(&digits, upper));
            }
        };
        // The same with a place more when it is negative.
        let signed = |value: i64, width: usize, out: &mut String| {
            number(value, width + usize::from(value < 0), out);
        };
        let padded = |name: String, width: usize, out: &mut String| {
            let width = if pattern.fill || pattern.translated { 0 } else { width };
            out.push_str(&format!("{name:width$}"));
        };
        match pattern.item {
            Item::Exact => {}
            Item::Meridiem => {
                let name = if self.hour.rem_euclid(24) >= 12 { "P.M." } else { "A.M." };
                let name = if pattern.name.contains('.') { name.to_owned() } else { name.replace('.', "") };
                let lower = pattern.name.starts_with(|char: char| char.is_ascii_lowercase());
                out.push_str(&if lower { name.to_ascii_lowercase() } else { name });
            }
            Item::Era => {
                let name = if self.year <= 0 { "B.C." } else { "A.D." };
                let name = if pattern.name.contains('.') { name.to_owned() } else { name.replace('.', "") };
                let lower = pattern.name.starts_with(|char: char| char.is_ascii_lowercase());
                out.push_str(&if lower { name.to_ascii_lowercase() } else { name });
            }
            Item::Hour12 => {
                let hour = if self.hour % 12 == 0 { 12 } else { self.hour % 12 };
                // The width goes by the hour before the remainder is taken.
                let width = if self.hour < 0 { 3 } else { 2 };
                number(hour, width, out);
            }
            Item::Hour24 => signed(self.hour, 2, out),
            Item::Minute => signed(self.minute, 2, out),
            Item::Second => signed(self.second, 2, out),
            Item::Fraction(digits) => self.fraction(digits, pattern, out),
            Item::Millisecond => self.fraction(3, pattern, out),
            Item::Microsecond => self.fraction(6, pattern, out),
            Item::SecondOfDay => number(self.hour * 3600 + self.minute * 60 + self.second, 0, out),
            Item::Zone => {
                if let Some((_, abbreviation)) = &self.zone {
                    let lower = pattern.name.starts_with('t');
                    out.push_str(&if lower { abbreviation.to_ascii_lowercase() } else { abbreviation.clone() });
                }
            }
            Item::ZoneHour | Item::ZoneMinute | Item::ZoneOffset => {
                let east = self.zone.as_ref().map_or(0, |(seconds, _)| *seconds);
                let (sign, hours, minutes) =
                    (if east >= 0 { '+' } else { '-' }, east.abs() / 3600, east.abs() % 3600 / 60);
                match pattern.item {
                    Item::ZoneHour => out.push_str(&format!("{sign}{hours:02}")),
                    Item::ZoneMinute => out.push_str(&format!("{minutes:02}")),
                    _ => {
                        let width = if pattern.fill { 0 } else { 2 };
                        out.push_str(&format!("{sign}{hours:0width$}"));
                        if east.abs() % 3600 != 0 {
                            out.push_str(&format!(":{minutes:02}"));
                        }
                    }
                }
            }
            Item::MonthName => padded(spelled(MONTHS[self.month as usize - 1], pattern), 9, out),
            Item::MonthShort => out.push_str(&spelled(&MONTHS[self.month as usize - 1][..3], pattern)),
            Item::DayName => padded(spelled(DAYS[self.day_of_week as usize], pattern), 9, out),
            Item::DayShort => out.push_str(&spelled(&DAYS[self.day_of_week as usize][..3], pattern)),
            Item::Month => signed(self.month, 2, out),
            Item::DayOfMonth => number(self.day, 2, out),
            Item::DayOfYear => number(self.day_of_year, 3, out),
            Item::IsoDayOfYear => {
                let (year, _) = iso_week(self.days);
                number(self.days - helios_types::datetime::iso_week_start(year, 1) + 1, 3, out);
            }
            Item::DayOfWeek => number(self.day_of_week + 1, 0, out),
            Item::IsoDayOfWeek => number(if self.day_of_week == 0 { 7 } else { self.day_of_week }, 0, out),
            Item::WeekOfYear => number((self.day_of_year - 1) / 7 + 1, 2, out),
            Item::IsoWeek => number(iso_week(self.days).1, 2, out),
            Item::WeekOfMonth => number((self.day - 1) / 7 + 1, 0, out),
            Item::Quarter => {
                if self.month != 0 {
                    number((self.month - 1) / 3 + 1, 0, out);
                }
            }
            Item::Century => {
                let century = match self.year {
                    year if self.interval => year / 100,
                    year if year > 0 => (year - 1) / 100 + 1,
                    year => year / 100 - 1,
                };
                signed(century, if century.abs() <= 99 { 2 } else { 0 }, out);
            }
            Item::CommaYear => {
                let year = self.adjusted(self.year);
                let thousands = year / 1000;
                let digits = format!("{thousands},{:03}", year - thousands * 1000);
                out.push_str(&digits);
                if let Some(upper) = pattern.ordinal {
                    out.push_str(ordinal(&digits, upper));
                }
            }
            Item::Year(digits) => self.shown_year(self.adjusted(self.year), digits, &number, out),
            Item::IsoYear(digits) => self.shown_year(self.adjusted(iso_week(self.days).0), digits, &number, out),
            Item::Roman => {
                if self.month != 0 || self.year != 0 {
                    let place = match self.month {
                        0 if self.year >= 0 => 0,
                        0 => 11,
                        month if month < 0 => -month - 1,
                        month => 12 - month,
                    };
                    let name = ROMAN_MONTHS[place as usize];
                    let lower = pattern.name.starts_with('r');
                    let width = if pattern.fill { 0 } else { 4 };
                    let name = if lower { name.to_ascii_lowercase() } else { name.to_owned() };
                    out.push_str(&format!("{name:width$}"));
                }
            }
            Item::Julian => number(self.days + 2_451_545, 0, out),
        }
        Ok(())
    }

    /// All of a year, or its last digits. The place for a sign is there when the calendar year is negative.
    fn shown_year(&self, year: i64, digits: u32, number: &dyn Fn(i64, usize, &mut String), out: &mut String) {
        let shown = if digits == 4 { year } else { year % 10i64.pow(digits) };
        let sign = digits > 1 && self.adjusted(self.year) < 0;
        number(shown, digits as usize + usize::from(sign), out);
    }

    fn fraction(&self, digits: u32, pattern: &Pattern, out: &mut String) {
        let value = self.micros / 10i64.pow(6 - digits);
        let width = digits as usize;
        let shown = format!("{value:0width$}");
        out.push_str(&shown);
        if let Some(upper) = pattern.ordinal {
            out.push_str(ordinal(&shown, upper));
        }
    }
}

fn of_timestamp(local: i64, zone: Option<(i32, String)>) -> Shown {
    let (days, micros) = split_timestamp(local);
    let (civil, clock) = (civil_from_days(days), clock_from_micros(micros));
    Shown {
        interval: false,
        year: i64::from(civil.year),
        month: i64::from(civil.month),
        day: i64::from(civil.day),
        day_of_year: day_of_year(civil),
        day_of_week: day_of_week(days),
        days,
        hour: i64::from(clock.hour),
        minute: i64::from(clock.minute),
        second: i64::from(clock.second),
        micros: i64::from(clock.micros),
        zone,
    }
}

fn of_interval(interval: Interval) -> Shown {
    let (year, month) = (i64::from(interval.months / 12), i64::from(interval.months % 12));
    let day = i64::from(interval.days);
    let days = helios_types::datetime::days_from_civil(year, month, day);
    Shown {
        interval: true,
        year,
        month,
        day,
        day_of_year: (year * 12 + month) * 30 + day,
        day_of_week: 0,
        days,
        hour: interval.micros / 3_600_000_000,
        minute: interval.micros / 60_000_000 % 60,
        second: interval.micros / 1_000_000 % 60,
        micros: interval.micros % 1_000_000,
        zone: None,
    }
}

fn to_char(cache: &CallCache, template: &str, shown: impl FnOnce() -> Shown) -> Result<Datum> {
    if template.is_empty() {
        return Ok(Datum::Null);
    }
    shown().render(&compiled(cache, template)).map(Datum::text)
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[Entry] = &[
    (
        "timestamp_to_char",
        Implementation::Scalar(|ctx, args| {
            let timestamp = i64_at(args, 0);
            if !timestamp_is_finite(timestamp) {
                return Ok(Datum::Null);
            }
            to_char(ctx.cache, text_at(args, 1), || of_timestamp(timestamp, None))
        }),
    ),
    (
        "timestamptz_to_char",
        Implementation::Scalar(|ctx, args| {
            let timestamp = i64_at(args, 0);
            if !timestamp_is_finite(timestamp) {
                return Ok(Datum::Null);
            }
            let offset = ctx.session.style.time_zone.at(timestamp);
            let local = timestamp + i64::from(offset.seconds) * 1_000_000;
            to_char(ctx.cache, text_at(args, 1), || of_timestamp(local, Some((offset.seconds, offset.abbreviation))))
        }),
    ),
    (
        "interval_to_char",
        Implementation::Scalar(|ctx, args| {
            let interval = interval_at(args, 0);
            if !interval.is_finite() {
                return Ok(Datum::Null);
            }
            to_char(ctx.cache, text_at(args, 1), || of_interval(interval))
        }),
    ),
];
