//! `to_date` and `to_timestamp`: text to dates by a template.
//!
//! Reading is lenient unless FX stands first: spaces are skipped, punctuation matches punctuation, a number takes as many
//! digits as there are when what follows cannot be a digit. What was read is collected in [`Fields`] and then
//! made a date: a year of the Gregorian or the ISO calendar, with month and day, day of year, week, or Julian day.

use helios_types::datetime::{
    TimeZone, ZoneSpec, check_date, civil_from_days, days_from_civil, days_in_month, is_leap_year, iso_week_start,
    join_timestamp,
};
use helios_types::{Datum, PgError, Result, SqlState};

use super::datetime::{Calendar, DAYS, Item, MONTHS, Pattern, ROMAN_MONTHS, compiled};
use super::{Literal, Node, is_separator};
use crate::functions::arguments::text_at;
use crate::functions::{Entry, FunctionContext, Implementation};

#[cold]
fn invalid(message: impl Into<String>) -> PgError {
    PgError::new(SqlState::INVALID_DATETIME_FORMAT, message.into())
}

#[cold]
fn invalid_value(text: &str, name: &str) -> PgError {
    invalid(format!("invalid value \"{text}\" for \"{name}\""))
}

/// `date/time field value out of range: "..."`.
#[cold]
fn out_of_range(text: &str) -> PgError {
    PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("date/time field value out of range: \"{text}\""))
}

/// What a text said. As in PostgreSQL 0 means "not said".
#[derive(Default)]
struct Fields {
    calendar: Option<Calendar>,
    hour: i32,
    pm: i32,
    twelve_hours: bool,
    minute: i32,
    second: i32,
    second_of_day: i32,
    /// From Sunday, 1.
    day_of_week: i32,
    day: i32,
    day_of_year: i32,
    month: i32,
    millisecond: i32,
    microsecond: i32,
    year: i32,
    bc: i32,
    week: i32,
    week_of_month: i32,
    century: i32,
    julian: i32,
    year_digits: u32,
    fraction_digits: Option<u32>,
    zone_sign: i32,
    zone_hour: i32,
    zone_minute: i32,
    zone: Option<ZoneSpec>,
}

/// Reads a text by a template.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    exact: bool,
    /// Characters skipped beyond what the template says.
    extra: i32,
    fields: Fields,
}

/// Skips TH behind a number.
fn skip_ordinal(reader: &mut Reader<'_>, pattern: &Pattern) {
    if pattern.ordinal.is_some() {
        (0..2).for_each(|_| reader.skip_char());
    }
}

fn is_space(char: char) -> bool {
    char.is_ascii_whitespace() || char == '\u{b}'
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_char(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
            self.extra += 1;
        }
    }

    fn read(&mut self, nodes: &[Node<Pattern>], zone: &TimeZone) -> Result<()> {
        for (index, node) in nodes.iter().enumerate() {
            if self.rest().is_empty() {
                break;
            }
            let is_exact = matches!(node, Node::Pattern(Pattern { item: Item::Exact, .. }));
            if !self.exact && !is_exact && (matches!(node, Node::Pattern(_)) || index == 0) {
                self.skip_spaces();
            }
            match node {
                Node::Literal(Literal::Space(_) | Literal::Separator(_)) => {
                    if self.exact {
                        self.skip_char();
                    } else {
                        self.extra -= 1;
                        if self.peek().is_some_and(|char| is_space(char) || is_separator(char)) {
                            self.at += 1;
                            self.extra += 1;
                        }
                    }
                }
                Node::Literal(Literal::Char(_)) => {
                    if !self.exact && self.extra > 0 {
                        self.extra -= 1;
                    } else {
                        self.skip_char();
                    }
                }
                Node::Pattern(pattern) => {
                    self.pattern(pattern, nodes.get(index + 1), zone)?;
                    if !self.exact {
                        self.extra = 0;
                        self.skip_spaces();
                    }
                }
            }
        }
        Ok(())
    }

    /// Digits, and how many characters they took. A width is exact where a digit may follow.
    fn integer(&mut self, pattern: &Pattern, width: usize, next: Option<&Node<Pattern>>) -> Result<(i32, usize)> {
        let begin = self.at;
        self.at += self.rest().len() - self.rest().trim_start_matches(is_space).len();
        let from = self.at;
        let field: String = self.rest().chars().take(width).collect();
        let number = |text: &str| {
            let end = text
                .char_indices()
                .find(|(place, char)| !(char.is_ascii_digit() || (*place == 0 && matches!(char, '+' | '-'))))
                .map_or(text.len(), |(place, _)| place);
            let end = if text[..end].ends_with(|char: char| char.is_ascii_digit()) { end } else { 0 };
            (text[..end].parse::<i64>(), end)
        };
        let separated = pattern.ordinal.is_some()
            || match next {
                None => true,
                Some(Node::Pattern(next)) => !next.item.is_digits(),
                Some(Node::Literal(literal)) => !literal.char().is_ascii_digit(),
            };
        let (value, used) = if pattern.fill || separated {
            number(self.rest())
        } else {
            let left = self.rest().len();
            let hint = "If your source string is not fixed-width, try using the \"FM\" modifier.";
            if left < width {
                return Err(invalid(format!("source string too short for \"{}\" formatting field", pattern.name))
                    .with_detail(format!("Field requires {width} characters, but only {left} remain."))
                    .with_hint(hint));
            }
            let (value, used) = number(&field);
            if used > 0 && used < width {
                return Err(invalid_value(&field, pattern.name)
                    .with_detail(format!("Field requires {width} characters, but only {used} could be parsed."))
                    .with_hint(hint));
            }
            (value, used)
        };
        if used == 0 {
            return Err(invalid_value(&field, pattern.name).with_detail("Value must be an integer."));
        }
        self.at = from + used;
        let value = value.ok().and_then(|value| i32::try_from(value).ok()).ok_or_else(|| {
            PgError::new(
                SqlState::DATETIME_FIELD_OVERFLOW,
                format!("value for \"{}\" in source string is out of range", pattern.name),
            )
            .with_detail(format!("Value must be in the range {} to {}.", i32::MIN, i32::MAX))
        })?;
        Ok((value, self.at - begin))
    }

    /// One of some names, in any case: its place.
    fn name(&mut self, pattern: &Pattern, names: &[&str]) -> Result<i32> {
        let rest = self.rest();
        let found =
            names.iter().position(|name| rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)));
        match found {
            Some(place) => {
                self.at += names[place].len();
                Ok(place as i32)
            }
            None => {
                let word = rest.split(is_space).next().unwrap_or_default();
                Err(invalid_value(word, pattern.name)
                    .with_detail("The given value did not match any of the allowed values for this field."))
            }
        }
    }

    /// Sign and hour of a zone's displacement.
    fn zone_hour(&mut self, pattern: &Pattern, next: Option<&Node<Pattern>>) -> Result<()> {
        match self.peek() {
            Some(sign @ ('+' | '-' | ' ')) => {
                self.fields.zone_sign = if sign == '-' { -1 } else { 1 };
                self.at += 1;
            }
            _ => {
                let skipped_minus = self.extra > 0 && self.text[..self.at].ends_with('-');
                self.fields.zone_sign = if skipped_minus { -1 } else { 1 };
            }
        }
        let (hour, _) = self.integer(pattern, 2, next)?;
        set(&mut self.fields.zone_hour, hour, pattern)
    }

    fn pattern(&mut self, pattern: &Pattern, next: Option<&Node<Pattern>>, zone: &TimeZone) -> Result<()> {
        let calendar = pattern.item.calendar();
        if calendar != Calendar::None {
            match self.fields.calendar {
                None => self.fields.calendar = Some(calendar),
                Some(before) if before == calendar => {}
                Some(_) => {
                    return Err(invalid("invalid combination of date conventions")
                        .with_hint("Do not mix Gregorian and ISO week date conventions in a formatting template."));
                }
            }
        }
        macro_rules! number {
            ($field:ident, $width:expr) => {{
                let (value, _) = self.integer(pattern, $width, next)?;
                set(&mut self.fields.$field, value, pattern)?;
                skip_ordinal(self, pattern);
            }};
        }
        match pattern.item {
            Item::Exact => self.exact = true,
            Item::Meridiem => {
                let names: &[&str] = if pattern.name.contains('.') { &["a.m.", "p.m."] } else { &["am", "pm"] };
                let pm = self.name(pattern, names)?;
                set(&mut self.fields.pm, pm, pattern)?;
                self.fields.twelve_hours = true;
            }
            Item::Era => {
                let names: &[&str] = if pattern.name.contains('.') { &["a.d.", "b.c."] } else { &["ad", "bc"] };
                let bc = self.name(pattern, names)?;
                set(&mut self.fields.bc, bc, pattern)?;
            }
            Item::Hour12 => {
                number!(hour, 2);
                self.fields.twelve_hours = true;
            }
            Item::Hour24 => number!(hour, 2),
            Item::Minute => number!(minute, 2),
            Item::Second => number!(second, 2),
            Item::Millisecond => {
                let (value, width) = self.integer(pattern, 3, next)?;
                set(&mut self.fields.millisecond, value, pattern)?;
                self.fields.millisecond *= [1, 100, 10].get(width).copied().unwrap_or(1);
                skip_ordinal(self, pattern);
            }
            Item::Fraction(_) | Item::Microsecond => {
                let digits = match pattern.item {
                    Item::Fraction(digits) => {
                        self.fields.fraction_digits = Some(digits);
                        digits as usize
                    }
                    _ => 6,
                };
                let (value, width) = self.integer(pattern, digits, next)?;
                set(&mut self.fields.microsecond, value, pattern)?;
                self.fields.microsecond *= [1, 100_000, 10_000, 1000, 100, 10].get(width).copied().unwrap_or(1);
                skip_ordinal(self, pattern);
            }
            Item::SecondOfDay => number!(second_of_day, pattern.name.len()),
            Item::Zone => {
                let word: String = self.rest().chars().take_while(char::is_ascii_alphabetic).collect();
                let known = (1..=word.len()).rev().find_map(|length| {
                    ZoneSpec::abbreviation(&word[..length].to_ascii_lowercase(), zone).map(|spec| (spec, length))
                });
                if let Some((spec, length)) = known {
                    self.fields.zone = Some(spec);
                    self.fields.zone_sign = 0;
                    self.at += length;
                } else if !word.is_empty() {
                    return Err(invalid_value(self.rest(), pattern.name)
                        .with_detail("Time zone abbreviation is not recognized."));
                } else {
                    self.zone_offset(pattern, next)?;
                }
            }
            Item::ZoneOffset => self.zone_offset(pattern, next)?,
            Item::ZoneHour => self.zone_hour(pattern, next)?,
            Item::ZoneMinute => {
                if self.fields.zone_sign == 0 {
                    self.fields.zone_sign = 1;
                }
                let (minute, _) = self.integer(pattern, 2, next)?;
                set(&mut self.fields.zone_minute, minute, pattern)?;
            }
            Item::MonthName => {
                let month = self.name(pattern, &MONTHS)? + 1;
                set(&mut self.fields.month, month, pattern)?;
            }
            Item::MonthShort => {
                let month = self.name(pattern, &MONTHS.map(|name| &name[..3]))? + 1;
                set(&mut self.fields.month, month, pattern)?;
            }
            Item::Month => number!(month, 2),
            Item::DayName => {
                let day = self.name(pattern, &DAYS)?;
                set(&mut self.fields.day_of_week, day, pattern)?;
                self.fields.day_of_week += 1;
            }
            Item::DayShort => {
                let day = self.name(pattern, &DAYS.map(|name| &name[..3]))?;
                set(&mut self.fields.day_of_week, day, pattern)?;
                self.fields.day_of_week += 1;
            }
            Item::DayOfYear | Item::IsoDayOfYear => number!(day_of_year, 3),
            Item::DayOfMonth => number!(day, 2),
            Item::DayOfWeek => number!(day_of_week, 1),
            Item::IsoDayOfWeek => {
                let (day, _) = self.integer(pattern, 1, next)?;
                set(&mut self.fields.day_of_week, day, pattern)?;
                self.fields.day_of_week += 1;
                if self.fields.day_of_week > 7 {
                    self.fields.day_of_week = 1;
                }
                skip_ordinal(self, pattern);
            }
            Item::WeekOfYear | Item::IsoWeek => number!(week, 2),
            Item::WeekOfMonth => number!(week_of_month, 1),
            // A quarter is read and not used: which day would it be?
            Item::Quarter => {
                self.integer(pattern, 1, next)?;
                skip_ordinal(self, pattern);
            }
            Item::Century => number!(century, 2),
            Item::CommaYear => {
                let rest = self.rest();
                let thousands: String = rest.chars().take_while(char::is_ascii_digit).collect();
                let behind = rest[thousands.len()..].strip_prefix(',').unwrap_or_default();
                let years: String = behind.chars().take_while(char::is_ascii_digit).take(3).collect();
                let (Ok(high), Ok(low)) = (thousands.parse::<i32>(), years.parse::<i32>()) else {
                    return Err(invalid(format!("invalid value \"{rest}\" for \"{}\"", pattern.name)));
                };
                self.at += thousands.len() + 1 + years.len();
                let year = high.checked_mul(1000).and_then(|year| year.checked_add(low)).ok_or_else(|| {
                    PgError::new(
                        SqlState::DATETIME_FIELD_OVERFLOW,
                        format!("value for \"{}\" in source string is out of range", pattern.name),
                    )
                })?;
                set(&mut self.fields.year, year, pattern)?;
                self.fields.year_digits = 4;
                skip_ordinal(self, pattern);
            }
            Item::Year(digits) | Item::IsoYear(digits) => {
                let (mut year, width) = self.integer(pattern, digits as usize, next)?;
                set(&mut self.fields.year, year, pattern)?;
                if digits < 4 && width < 4 {
                    year = near_2020(year);
                }
                self.fields.year = year;
                self.fields.year_digits = digits;
                skip_ordinal(self, pattern);
            }
            Item::Roman => {
                let place = self.name(pattern, &ROMAN_MONTHS)?;
                set(&mut self.fields.month, 12 - place, pattern)?;
            }
            Item::Julian => number!(julian, 1),
        }
        Ok(())
    }

    fn zone_offset(&mut self, pattern: &Pattern, next: Option<&Node<Pattern>>) -> Result<()> {
        self.zone_hour(pattern, next)?;
        if self.peek() == Some(':') {
            self.at += 1;
            let (minute, _) = self.integer(pattern, 2, next)?;
            set(&mut self.fields.zone_minute, minute, pattern)?;
        }
        Ok(())
    }
}

/// A field that was set already must be set to the same.
fn set(field: &mut i32, value: i32, pattern: &Pattern) -> Result<()> {
    if *field != 0 && *field != value {
        return Err(invalid(format!("conflicting values for \"{}\" field in formatting string", pattern.name))
            .with_detail("This value contradicts a previous setting for the same field type."));
    }
    *field = value;
    Ok(())
}

/// Years of fewer than four digits are the nearest to 2020.
fn near_2020(year: i32) -> i32 {
    match year {
        ..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        _ => year,
    }
}

/// The date and time that fields mean.
struct Made {
    /// Days since 2000-01-01.
    days: i64,
    micros: i64,
}

impl Fields {
    fn make(&self, text: &str) -> Result<Made> {
        let fail = || out_of_range(text);
        let (mut hour, mut minute, mut second) = (0, 0, 0);
        if self.second_of_day != 0 {
            hour = self.second_of_day / 3600;
            minute = self.second_of_day % 3600 / 60;
            second = self.second_of_day % 60;
        }
        let given = |value: i32, field: &mut i32| {
            if value != 0 {
                *field = value;
            }
        };
        given(self.second, &mut second);
        given(self.minute, &mut minute);
        given(self.hour, &mut hour);
        if self.twelve_hours {
            if !(1..=12).contains(&hour) {
                return Err(invalid(format!("hour \"{hour}\" is invalid for the 12-hour clock"))
                    .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."));
            }
            if self.pm != 0 && hour < 12 {
                hour += 12;
            } else if self.pm == 0 && hour == 12 {
                hour = 0;
            }
        }
        let (year, mut month, mut day, mut date_given) = self.date(text)?;
        let mut year = year;
        if let Some((julian_year, julian_month, julian_day)) = self.week_or_julian(year, text)? {
            (year, month, day, date_given) = (julian_year, julian_month, julian_day, true);
        }
        let mut day_of_year = self.day_of_year;
        if self.week != 0 && self.calendar != Some(Calendar::Iso) {
            day_of_year = (self.week.checked_sub(1))
                .and_then(|w| w.checked_mul(7))
                .and_then(|d| d.checked_add(1))
                .ok_or_else(fail)?;
        }
        let mut day_field = self.day;
        if self.week_of_month != 0 {
            day_field = (self.week_of_month.checked_sub(1))
                .and_then(|w| w.checked_mul(7))
                .and_then(|d| d.checked_add(1))
                .ok_or_else(fail)?;
        }
        if day_field != 0 {
            (day, date_given) = (i64::from(day_field), true);
        }
        if self.month != 0 {
            (month, date_given) = (i64::from(self.month), true);
        }
        if day_of_year != 0 && (month <= 1 || day <= 1) {
            if year == 0 && self.bc == 0 {
                return Err(invalid("cannot calculate day of year without year information"));
            }
            date_given = true;
            if self.calendar == Some(Calendar::Iso) {
                let civil = civil_from_days(iso_week_start(year, 1) - 1 + i64::from(day_of_year));
                (year, month, day) = (i64::from(civil.year), i64::from(civil.month), i64::from(civil.day));
            } else {
                (month, day) = split_day_of_year(year, i64::from(day_of_year), month, day);
            }
        }
        let micros = i64::from(self.millisecond) * 1000 + i64::from(self.microsecond);
        if date_given
            && (!(1..=12).contains(&month)
                || !(1..=31).contains(&day)
                || day > i64::from(days_in_month(year, month as u32)))
        {
            return Err(fail());
        }
        if !(0..24).contains(&hour)
            || !(0..60).contains(&minute)
            || !(0..60).contains(&second)
            || !(0..1_000_000).contains(&micros)
        {
            return Err(fail());
        }
        let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        Ok(Made { days: days_from_civil(year, month, day), micros: seconds * 1_000_000 + micros })
    }

    /// Year, and month and day as they are when nothing is said about them; whether a year was said.
    fn date(&self, text: &str) -> Result<(i64, i64, i64, bool)> {
        let century = if self.bc != 0 { -i64::from(self.century) } else { i64::from(self.century) };
        let year = if self.year != 0 {
            if self.century != 0 && self.year_digits <= 2 {
                let low = i64::from(self.year % 100);
                match (low != 0, century >= 0) {
                    (true, true) => low + (century - 1) * 100,
                    (true, false) => (century + 1) * 100 - low + 1,
                    (false, true) => century * 100,
                    (false, false) => century * 100 + 1,
                }
            } else {
                let year = if self.bc != 0 { -i64::from(self.year) } else { i64::from(self.year) };
                if year < 0 { year + 1 } else { year }
            }
        } else if self.century != 0 {
            if century >= 0 { (century - 1) * 100 + 1 } else { century * 100 + 1 }
        } else {
            return Ok((0, 1, 1, false));
        };
        if i32::try_from(year).is_err() {
            return Err(out_of_range(text));
        }
        Ok((year, 1, 1, true))
    }

    /// The day that a Julian number or an ISO week means.
    fn week_or_julian(&self, year: i64, _: &str) -> Result<Option<(i64, i64, i64)>> {
        let days = if self.week != 0 && self.calendar == Some(Calendar::Iso) {
            let monday = iso_week_start(year, i64::from(self.week));
            // From Monday on; Sunday, which is 1, ends the week.
            let offset = match self.day_of_week {
                0 => 0,
                1 => 6,
                day => i64::from(day) - 2,
            };
            monday + offset
        } else if self.julian != 0 {
            i64::from(self.julian) - 2_451_545
        } else {
            return Ok(None);
        };
        let civil = civil_from_days(days);
        Ok(Some((i64::from(civil.year), i64::from(civil.month), i64::from(civil.day))))
    }
}

/// Month and day of a day of the year; those that were said already stay.
fn split_day_of_year(year: i64, day_of_year: i64, month: i64, day: i64) -> (i64, i64) {
    let mut before = 0;
    let mut found = 13;
    for candidate in 1..=12 {
        let length = i64::from(if candidate == 2 {
            if is_leap_year(year) { 29 } else { 28 }
        } else {
            days_in_month(year, candidate)
        });
        if day_of_year <= before + length {
            found = i64::from(candidate);
            break;
        }
        before += length;
    }
    (if month <= 1 { found } else { month }, if day <= 1 { day_of_year - before } else { day })
}

fn read(ctx: &FunctionContext<'_>, args: &[Datum]) -> Result<(Fields, Made)> {
    let (text, template) = (text_at(args, 0), text_at(args, 1));
    let nodes = compiled(ctx.cache, template);
    let mut reader = Reader { text, at: 0, exact: false, extra: 0, fields: Fields::default() };
    reader.read(&nodes, &ctx.session.style.time_zone)?;
    let made = reader.fields.make(text)?;
    Ok((reader.fields, made))
}

fn to_date(ctx: &FunctionContext<'_>, args: &[Datum]) -> Result<Datum> {
    let (_, made) = read(ctx, args)?;
    let text = text_at(args, 0);
    let fail = || PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("date out of range: \"{text}\""));
    let days = i32::try_from(made.days).map_err(|_| fail())?;
    check_date(days).map(Datum::I32).map_err(|_| fail())
}

fn to_timestamp(ctx: &FunctionContext<'_>, args: &[Datum]) -> Result<Datum> {
    let (fields, made) = read(ctx, args)?;
    let out = || PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range");
    let local = join_timestamp(made.days, made.micros).ok_or_else(out)?;
    let east = if fields.zone_sign != 0 {
        if !(0..16).contains(&fields.zone_hour) || !(0..60).contains(&fields.zone_minute) {
            return Err(PgError::new(
                SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
                format!("time zone displacement out of range: \"{}\"", text_at(args, 0)),
            ));
        }
        fields.zone_sign * (fields.zone_hour * 60 + fields.zone_minute) * 60
    } else if let Some(spec) = &fields.zone {
        spec.seconds_at_local(local)
    } else {
        ctx.session.style.time_zone.seconds_at_local(local)
    };
    let moment = local.checked_sub(i64::from(east) * 1_000_000).ok_or_else(out)?;
    let moment = helios_types::datetime::check_timestamp(moment).map_err(|_| out())?;
    Ok(Datum::I64(match fields.fraction_digits {
        Some(digits) => helios_types::datetime::round_timestamp(moment, digits as i32),
        None => moment,
    }))
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[Entry] =
    &[("to_date", Implementation::Scalar(to_date)), ("to_timestamp", Implementation::Scalar(to_timestamp))];
