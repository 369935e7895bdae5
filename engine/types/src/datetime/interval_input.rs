//! The input function of interval: `1 year 2 mons`, `1-2`, `3 4:05:06`, `@ 1 hour ago`, `P1Y2M3DT4H`, `infinity`.
//!
//! Tokens are read from right to left, so that a unit is known before its number. An unlabelled rightmost number is in
//! the unit that the type modifier ends with, seconds if there is none; a number before a time is days.

use super::clock::parse_clock;
use super::decode::mask;
use super::tokens::{
    DateWord, Fault, Kind, Token, Unit, date_word, leading_i32, leading_i64, parse_fraction, tokenize, unit_word,
};
use super::{
    IntervalStyle, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, interval_apply_typmod,
    interval_fields,
};
use crate::io::InputContext;
use crate::{Interval, PgError, Result, SqlState, TypeMod};

/// Bytes that an interval's tokens may take.
const INTERVAL_BYTES_MAX: usize = 256;

const WEEK: u32 = 1 << 24;
const DECADE: u32 = 1 << 25;
const CENTURY: u32 = 1 << 26;
const MILLENNIUM: u32 = 1 << 27;
const HOUR: u32 = 1 << 10;
const MINUTE: u32 = 1 << 11;
const SECOND: u32 = 1 << 12;
const MILLISECOND: u32 = 1 << 13;
const MICROSECOND: u32 = 1 << 14;
const ANY_SECOND: u32 = SECOND | MILLISECOND | MICROSECOND;

type Decoded<T> = std::result::Result<T, Fault>;

/// Reads an interval. The modifier says what unlabelled numbers mean and which fields are kept.
pub fn parse_interval(text: &str, typmod: TypeMod, context: &InputContext<'_>) -> Result<Interval> {
    let fields = if typmod < 0 { interval_fields::ALL } else { typmod >> 16 & interval_fields::ALL };
    let decoded = tokenize(text, INTERVAL_BYTES_MAX)
        .and_then(|tokens| decode(&tokens, fields, context.style.interval_style))
        .or_else(
            |fault| if matches!(fault, Fault::BadFormat) { super::interval_iso::decode(text) } else { Err(fault) },
        );
    let interval = match decoded {
        Ok(Decoding::Infinite(interval)) => interval,
        Ok(Decoding::Sum(sum)) => sum.into_interval()?,
        Err(Fault::FieldOverflow) => {
            return Err(PgError::new(
                SqlState::INTERVAL_FIELD_OVERFLOW,
                format!("interval field value out of range: \"{text}\""),
            ));
        }
        Err(fault) => return Err(fault.into_error("interval", text)),
    };
    interval_apply_typmod(interval, typmod)
}

pub(super) enum Decoding {
    Infinite(Interval),
    Sum(Sum),
}

/// An interval being added up. Every step checks for overflow.
#[derive(Default)]
pub(super) struct Sum {
    years: i32,
    months: i32,
    days: i32,
    micros: i64,
}

impl Sum {
    pub(super) fn add_micros(&mut self, value: i64, fraction: f64, scale: i64) -> Decoded<()> {
        let whole = value.checked_mul(scale).and_then(|whole| self.micros.checked_add(whole));
        self.micros = whole.ok_or(Fault::FieldOverflow)?;
        self.add_fraction(fraction, scale)
    }

    /// A fraction of a unit of so many microseconds, rounded to the nearest.
    pub(super) fn add_fraction(&mut self, fraction: f64, scale: i64) -> Decoded<()> {
        if fraction == 0.0 {
            return Ok(());
        }
        let scaled = fraction * scale as f64;
        let mut micros = scaled as i64;
        let rest = scaled - micros as f64;
        if rest > 0.5 {
            micros += 1;
        } else if rest < -0.5 {
            micros -= 1;
        }
        self.micros = self.micros.checked_add(micros).ok_or(Fault::FieldOverflow)?;
        Ok(())
    }

    pub(super) fn add_days(&mut self, value: i64, scale: i32) -> Decoded<()> {
        let days = i32::try_from(value).ok().and_then(|value| value.checked_mul(scale));
        self.days = days.and_then(|days| self.days.checked_add(days)).ok_or(Fault::FieldOverflow)?;
        Ok(())
    }

    /// A fraction of a unit of so many days.
    pub(super) fn add_fraction_of_days(&mut self, fraction: f64, scale: i32) -> Decoded<()> {
        if fraction == 0.0 {
            return Ok(());
        }
        let scaled = fraction * f64::from(scale);
        let days = scaled as i32;
        self.days = self.days.checked_add(days).ok_or(Fault::FieldOverflow)?;
        self.add_fraction(scaled - f64::from(days), MICROS_PER_DAY)
    }

    pub(super) fn add_months(&mut self, value: i64) -> Decoded<()> {
        let months = i32::try_from(value).ok().and_then(|value| self.months.checked_add(value));
        self.months = months.ok_or(Fault::FieldOverflow)?;
        Ok(())
    }

    pub(super) fn add_years(&mut self, value: i64, fraction: f64, scale: i32) -> Decoded<()> {
        let years = i32::try_from(value).ok().and_then(|value| value.checked_mul(scale));
        self.years = years.and_then(|years| self.years.checked_add(years)).ok_or(Fault::FieldOverflow)?;
        let months = (fraction * f64::from(scale) * 12.0).round_ties_even() as i32;
        self.months = self.months.checked_add(months).ok_or(Fault::FieldOverflow)?;
        Ok(())
    }

    fn negate(&mut self) -> Decoded<()> {
        let negated = || {
            Some(Sum {
                years: self.years.checked_neg()?,
                months: self.months.checked_neg()?,
                days: self.days.checked_neg()?,
                micros: self.micros.checked_neg()?,
            })
        };
        *self = negated().ok_or(Fault::FieldOverflow)?;
        Ok(())
    }

    fn into_interval(self) -> Result<Interval> {
        let months = i64::from(self.years) * 12 + i64::from(self.months);
        let months = i32::try_from(months).map_err(|_| super::overflow("interval out of range"))?;
        let interval = Interval { months, days: self.days, micros: self.micros };
        if interval.is_finite() { Ok(interval) } else { Err(super::overflow("interval out of range")) }
    }
}

fn decode(tokens: &[Token], fields: i32, style: IntervalStyle) -> Decoded<Decoding> {
    // The standard's '-1 2:03' is negative throughout; with other signs each part has its own.
    let negative_first = tokens.first().is_some_and(|token| token.text.starts_with('-'));
    let all_negative = style == IntervalStyle::SqlStandard
        && negative_first
        && !tokens[1..].iter().any(|token| token.text.starts_with(['-', '+']));
    let mut sum = Sum::default();
    let mut infinite = None;
    let (mut ago, mut seen, mut unit, mut unit_waits) = (false, 0, None, false);
    for (index, token) in tokens.iter().enumerate().rev() {
        let is_last = index + 1 == tokens.len();
        let mut set = 0;
        match token.kind {
            Kind::Time | Kind::Signed if is_clock(token, fields) => {
                let unsigned = token.text.trim_start_matches(['-', '+']);
                let mut micros = clock_micros(unsigned, fields)?;
                if token.text.starts_with('-') || (all_negative && micros > 0) {
                    micros = -micros;
                }
                sum.micros = micros;
                set = mask::TIME;
                (unit, unit_waits) = (Some(Unit::Day), false);
            }
            Kind::Time | Kind::Signed | Kind::Date | Kind::Number => {
                let chosen = *unit.get_or_insert_with(|| rightmost_unit(fields));
                (set, unit) = number(&mut sum, &token.text, chosen, all_negative)?;
                unit_waits = false;
            }
            Kind::Word | Kind::SignedWord => {
                if unit_waits {
                    return Err(Fault::BadFormat);
                }
                match (token.text.as_str(), unit_word(&token.text)) {
                    // A number right before it would need a unit: give it one that no number may have.
                    ("ago", _) if is_last => (ago, unit) = (true, Some(Unit::Quarter)),
                    ("ago", _) => return Err(Fault::BadFormat),
                    (_, Some(found)) => (unit, unit_waits) = (Some(found), true),
                    (word, None) => match date_word(word) {
                        Some(DateWord::Ignored) => unit = None,
                        Some(found @ (DateWord::Late | DateWord::Early)) if is_last => {
                            let late = found == DateWord::Late;
                            infinite = Some(if late { Interval::INFINITY } else { Interval::NEGATIVE_INFINITY });
                            set = mask::DATE | mask::TIME;
                            unit = Some(Unit::Quarter);
                        }
                        _ => return Err(Fault::BadFormat),
                    },
                }
            }
        }
        if seen & set != 0 {
            return Err(Fault::BadFormat);
        }
        seen |= set;
    }
    if seen == 0 || unit_waits {
        return Err(Fault::BadFormat);
    }
    if ago {
        sum.negate()?;
    }
    Ok(match infinite {
        Some(interval) => Decoding::Infinite(interval),
        None => Decoding::Sum(sum),
    })
}

/// Whether a token is a time of day; one with a sign must have a colon and be right, else it is tried as a number.
fn is_clock(token: &Token, fields: i32) -> bool {
    token.kind == Kind::Time || (token.text.contains(':') && clock_micros(&token.text[1..], fields).is_ok())
}

fn clock_micros(text: &str, fields: i32) -> Decoded<i64> {
    let minutes_first = fields == interval_fields::MINUTE | interval_fields::SECOND;
    let clock = parse_clock(text, minutes_first)?;
    let hours = clock.hour.checked_mul(MICROS_PER_HOUR).ok_or(Fault::FieldOverflow)?;
    let rest = clock.minute * MICROS_PER_MINUTE + clock.second * MICROS_PER_SECOND + clock.micros;
    hours.checked_add(rest).ok_or(Fault::FieldOverflow)
}

/// The unit of an unlabelled rightmost number.
fn rightmost_unit(fields: i32) -> Unit {
    if fields == interval_fields::ALL || fields & interval_fields::SECOND != 0 {
        Unit::Second
    } else if fields & interval_fields::MINUTE != 0 {
        Unit::Minute
    } else if fields & interval_fields::HOUR != 0 {
        Unit::Hour
    } else if fields & interval_fields::DAY != 0 {
        Unit::Day
    } else if fields & interval_fields::MONTH != 0 {
        Unit::Month
    } else {
        Unit::Year
    }
}

/// Adds a number of a unit: which fields that sets, and the unit for an unlabelled number to its left.
fn number(sum: &mut Sum, text: &str, unit: Unit, all_negative: bool) -> Decoded<(u32, Option<Unit>)> {
    let (value, rest) = leading_i64(text);
    let mut value = value.ok_or(Fault::FieldOverflow)?;
    let (mut fraction, mut unit) = (0.0, unit);
    if let Some(months) = rest.strip_prefix('-') {
        // years-months
        let (months, rest) = leading_i32(months)?;
        if !(0..12).contains(&months) {
            return Err(Fault::FieldOverflow);
        }
        if !rest.is_empty() {
            return Err(Fault::BadFormat);
        }
        unit = Unit::Month;
        let months = if text.starts_with('-') { -months } else { months };
        value = value.checked_mul(12).and_then(|value| value.checked_add(months)).ok_or(Fault::FieldOverflow)?;
    } else if rest.starts_with('.') {
        fraction = parse_fraction(rest)?;
        if text.starts_with('-') {
            fraction = -fraction;
        }
    } else if !rest.is_empty() {
        return Err(Fault::BadFormat);
    }
    if all_negative {
        (value, fraction) = (value.min(value.wrapping_neg()), -fraction.abs());
    }
    let set = match unit {
        Unit::Microsecond => {
            sum.add_micros(value, fraction, 1)?;
            MICROSECOND
        }
        Unit::Millisecond => {
            sum.add_micros(value, fraction, 1000)?;
            MILLISECOND
        }
        Unit::Second => {
            sum.add_micros(value, fraction, MICROS_PER_SECOND)?;
            if fraction == 0.0 { SECOND } else { ANY_SECOND }
        }
        Unit::Minute => {
            sum.add_micros(value, fraction, MICROS_PER_MINUTE)?;
            MINUTE
        }
        Unit::Hour => {
            sum.add_micros(value, fraction, MICROS_PER_HOUR)?;
            return Ok((HOUR, Some(Unit::Day)));
        }
        Unit::Day => {
            sum.add_days(value, 1)?;
            sum.add_fraction(fraction, MICROS_PER_DAY)?;
            mask::DAY
        }
        Unit::Week => {
            sum.add_days(value, 7)?;
            sum.add_fraction_of_days(fraction, 7)?;
            WEEK
        }
        Unit::Month => {
            sum.add_months(value)?;
            sum.add_fraction_of_days(fraction, 30)?;
            mask::MONTH
        }
        Unit::Year => {
            sum.add_years(value, fraction, 1)?;
            mask::YEAR
        }
        Unit::Decade => {
            sum.add_years(value, fraction, 10)?;
            DECADE
        }
        Unit::Century => {
            sum.add_years(value, fraction, 100)?;
            CENTURY
        }
        Unit::Millennium => {
            sum.add_years(value, fraction, 1000)?;
            MILLENNIUM
        }
        Unit::Quarter | Unit::Zone | Unit::ZoneHour | Unit::ZoneMinute => return Err(Fault::BadFormat),
    };
    Ok((set, Some(unit)))
}
