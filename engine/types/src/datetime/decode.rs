//! Tokens to the fields of a date and time.
//!
//! Tokens are looked at from left to right. Each says which fields it sets; setting one twice is an error, and what is
//! already set decides what an unlabelled number means: with no date yet it begins one (three digits and more are a
//! year, else the DateStyle's order tells), after a date it is a run-together time.

use super::clock::parse_displacement;
use super::tokens::{DateWord, Fault, Kind, Token, date_word, leading_i32, parse_fraction};
use super::{
    JULIAN_DAY_OF_EPOCH, MICROS_PER_DAY, MICROS_PER_SECOND, TimeZone, ZoneSpec, civil_from_days, clock_from_micros,
    days_from_civil, split_timestamp,
};
use crate::io::InputContext;

/// Sets of fields, one bit each.
pub(super) mod mask {
    pub(in super::super) const MONTH: u32 = 1 << 1;
    pub(in super::super) const YEAR: u32 = 1 << 2;
    pub(in super::super) const DAY: u32 = 1 << 3;
    pub(in super::super) const ZONE: u32 = 1 << 5;
    pub(in super::super) const DAYLIGHT: u32 = 1 << 6;
    pub(in super::super) const DYNAMIC_ZONE: u32 = 1 << 7;
    pub(in super::super) const MERIDIAN: u32 = 1 << 9;
    pub(in super::super) const DATE: u32 = YEAR | MONTH | DAY;
    pub(in super::super) const TIME: u32 = 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14;
    pub(in super::super) const DAY_OF_YEAR: u32 = 1 << 15;
    pub(in super::super) const WEEK_DAY: u32 = 1 << 16;
    pub(in super::super) const ERA: u32 = 1 << 18;
    pub(in super::super) const DAYLIGHT_MODIFIER: u32 = 1 << 28;
}

/// What a label before a number announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    Julian,
    Time,
    Other,
}

/// A date and time being read. Numbers are as written until [`Decoder::validate_date`].
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) day_of_year: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) micros: i64,
}

impl Fields {
    /// Days since 2000-01-01.
    pub(super) fn days(&self) -> i64 {
        days_from_civil(self.year, self.month, self.day)
    }

    /// Microseconds since midnight.
    pub(super) fn time(&self) -> i64 {
        super::micros_from_clock(self.hour, self.minute, self.second, self.micros)
    }

    pub(super) fn set_date(&mut self, days: i64) {
        let civil = civil_from_days(days);
        (self.year, self.month, self.day) = (i64::from(civil.year), i64::from(civil.month), i64::from(civil.day));
    }

    pub(super) fn set_time(&mut self, micros: i64) {
        let clock = clock_from_micros(micros);
        (self.hour, self.minute) = (i64::from(clock.hour), i64::from(clock.minute));
        (self.second, self.micros) = (i64::from(clock.second), i64::from(clock.micros));
    }

    /// Whether the time of day is beyond 24:00:00.
    pub(super) fn time_overflows(&self) -> bool {
        !(0..=24).contains(&self.hour)
            || !(0..60).contains(&self.minute)
            || !(0..=60).contains(&self.second)
            || !(0..=MICROS_PER_SECOND).contains(&self.micros)
            || self.time() > MICROS_PER_DAY
    }

    /// Microseconds since 2000-01-01 00:00 local; `None` where 64 bits cannot hold them.
    pub(super) fn local(&self) -> Option<i64> {
        self.days().checked_mul(MICROS_PER_DAY)?.checked_add(self.time())
    }
}

/// What a text turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The fields say.
    Fields,
    /// 1970-01-01 UTC.
    Epoch,
    /// -infinity
    Early,
    /// infinity
    Late,
}

/// The state while tokens are read.
pub(super) struct Decoder<'a> {
    pub(super) context: &'a InputContext<'a>,
    pub(super) fields: Fields,
    /// Fields set so far.
    pub(super) seen: u32,
    /// Seconds east of UTC, if a token said them.
    pub(super) displacement: i32,
    pub(super) zone: Option<ZoneSpec>,
    pub(super) prefix: Option<Prefix>,
    pub(super) meridian: Option<DateWord>,
    pub(super) before_christ: bool,
    pub(super) two_digit_year: bool,
    pub(super) julian: bool,
    pub(super) text_month: bool,
}

type Decoded<T> = std::result::Result<T, Fault>;

impl<'a> Decoder<'a> {
    pub(super) fn new(context: &'a InputContext<'a>) -> Decoder<'a> {
        Decoder {
            context,
            fields: Fields::default(),
            seen: 0,
            displacement: 0,
            zone: None,
            prefix: None,
            meridian: None,
            before_christ: false,
            two_digit_year: false,
            julian: false,
            text_month: false,
        }
    }

    /// The transaction's time in the session's zone: days, microseconds, seconds east.
    pub(super) fn now(&self) -> (i64, i64, i32) {
        let seconds = self.context.style.time_zone.seconds_at(self.context.now);
        let (days, micros) = split_timestamp(self.context.now + i64::from(seconds) * MICROS_PER_SECOND);
        (days, micros, seconds)
    }

    /// Notes that these fields are set now.
    pub(super) fn mark(&mut self, fields: u32) -> Decoded<()> {
        if self.seen & fields != 0 {
            return Err(Fault::BadFormat);
        }
        self.seen |= fields;
        Ok(())
    }

    /// Reads all tokens as a date, with or without time and zone. Seconds east of UTC are 0 unless `with_zone`.
    pub(super) fn decode(mut self, tokens: &[Token], with_zone: bool) -> Decoded<(Outcome, Fields, i32)> {
        let mut outcome = Outcome::Fields;
        for token in tokens {
            let set = match token.kind {
                Kind::Date => self.date_token(token)?,
                Kind::Time => {
                    self.time_prefix()?;
                    let set = self.time_token(&token.text)?;
                    if self.fields.time_overflows() {
                        return Err(Fault::FieldOverflow);
                    }
                    set
                }
                Kind::Signed => {
                    self.displacement = parse_displacement(&token.text)?;
                    mask::ZONE
                }
                Kind::Number if self.prefix.is_some() => self.prefixed_number(&token.text)?,
                Kind::Number => self.number_token(&token.text)?,
                Kind::Word | Kind::SignedWord => {
                    if let Some(set) = self.zone_abbreviation(&token.text) {
                        set
                    } else {
                        match date_word(&token.text) {
                            Some(word) => match self.date_word(word, &mut outcome)? {
                                Some(set) => set,
                                None => continue,
                            },
                            None => self.zone_name(&token.text).ok_or(Fault::BadFormat)?,
                        }
                    }
                }
            };
            self.mark(set)?;
        }
        if self.prefix.is_some() {
            return Err(Fault::BadFormat);
        }
        if outcome == Outcome::Fields {
            self.finish(with_zone)?;
        }
        Ok((outcome, self.fields, self.displacement))
    }

    fn finish(&mut self, with_zone: bool) -> Decoded<()> {
        self.validate_date()?;
        self.apply_meridian()?;
        if self.seen & mask::DATE != mask::DATE {
            return Err(Fault::BadFormat);
        }
        let named = self.zone.is_some();
        if self.seen & mask::DAYLIGHT_MODIFIER != 0 && (named || self.seen & mask::ZONE == 0) {
            return Err(Fault::BadFormat);
        }
        if with_zone {
            let local = self.fields.local();
            match (&self.zone, local) {
                (Some(zone), Some(local)) => self.displacement = zone.seconds_at_local(local),
                (None, Some(local)) if self.seen & mask::ZONE == 0 => {
                    self.displacement = self.context.style.time_zone.seconds_at_local(local);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A time may follow `t`, no other label.
    pub(super) fn time_prefix(&mut self) -> Decoded<()> {
        match self.prefix.take() {
            None | Some(Prefix::Time) => Ok(()),
            Some(_) => Err(Fault::BadFormat),
        }
    }

    fn date_token(&mut self, token: &Token) -> Decoded<u32> {
        if self.prefix == Some(Prefix::Julian) {
            // A Julian day with a zone attached: J2451187-08.
            let (day, rest) = leading_i32(&token.text)?;
            self.set_julian(day)?;
            self.displacement = parse_displacement(rest)?;
            self.prefix = None;
            return Ok(mask::DATE | mask::TIME | mask::ZONE);
        }
        let has_month_and_day = self.seen & (mask::MONTH | mask::DAY) == mask::MONTH | mask::DAY;
        if self.prefix.is_none() && !has_month_and_day {
            return self.delimited_date(&token.text);
        }
        if !token.starts_with_digit() && self.prefix.is_none() {
            return self.zone_name(&token.text).ok_or_else(|| Fault::BadZone(token.text.clone()));
        }
        self.time_prefix()?;
        if self.seen & mask::TIME == mask::TIME {
            return Err(Fault::BadFormat);
        }
        self.time_with_displacement(&token.text, self.seen)
    }

    /// A run-together time with a zone: 040506-08.
    pub(super) fn time_with_displacement(&mut self, text: &str, seen: u32) -> Decoded<u32> {
        let at = text.find('-').ok_or(Fault::BadFormat)?;
        self.displacement = parse_displacement(&text[at..])?;
        Ok(self.number_field(&text[..at], seen)? | mask::ZONE)
    }

    pub(super) fn set_julian(&mut self, day: i64) -> Decoded<()> {
        if day < 0 {
            return Err(Fault::FieldOverflow);
        }
        self.fields.set_date(day - JULIAN_DAY_OF_EPOCH);
        self.julian = true;
        Ok(())
    }

    /// A number behind a label.
    pub(super) fn prefixed_number(&mut self, text: &str) -> Decoded<u32> {
        let prefix = self.prefix.take();
        let (value, rest) = leading_i32(text)?;
        if !rest.is_empty() && !rest.starts_with('.') {
            return Err(Fault::BadFormat);
        }
        match prefix {
            Some(Prefix::Julian) => {
                self.set_julian(value)?;
                if rest.is_empty() {
                    return Ok(mask::DATE);
                }
                let micros = parse_fraction(rest)? * MICROS_PER_DAY as f64;
                self.fields.set_time(micros as i64);
                Ok(mask::DATE | mask::TIME)
            }
            Some(Prefix::Time) => {
                let set = self.number_field(text, self.seen | mask::DATE)?;
                if set == mask::TIME { Ok(set) } else { Err(Fault::BadFormat) }
            }
            _ => Err(Fault::BadFormat),
        }
    }

    fn number_token(&mut self, text: &str) -> Decoded<u32> {
        match text.find('.') {
            Some(_) if self.seen & mask::DATE == 0 => return self.delimited_date(text),
            Some(point) if point > 2 => return self.number_field(text, self.seen),
            _ => {}
        }
        let incomplete = self.seen & mask::DATE == 0 || self.seen & mask::TIME == 0;
        if text.len() >= 6 && incomplete {
            return self.number_field(text, self.seen);
        }
        self.number(text, self.text_month, self.seen)
    }

    /// A zone by its abbreviation. No zone is abbreviated like a word of dates, so those need no looking up.
    pub(super) fn zone_abbreviation(&mut self, word: &str) -> Option<u32> {
        if date_word(word).is_some() {
            return None;
        }
        Some(match ZoneSpec::abbreviation(word, &self.context.style.time_zone)? {
            ZoneSpec::Fixed(seconds, daylight) => {
                self.displacement = seconds;
                if daylight { mask::ZONE | mask::DAYLIGHT } else { mask::ZONE }
            }
            spec => {
                self.zone = Some(spec);
                mask::ZONE | mask::DYNAMIC_ZONE
            }
        })
    }

    /// A zone by its full name.
    pub(super) fn zone_name(&mut self, name: &str) -> Option<u32> {
        self.zone = Some(ZoneSpec::Zone(TimeZone::named(name)?));
        Some(mask::ZONE)
    }

    /// A word of the date; `None` for one that is ignored.
    fn date_word(&mut self, word: DateWord, outcome: &mut Outcome) -> Decoded<Option<u32>> {
        Ok(Some(match word {
            DateWord::Ignored => return Ok(None),
            DateWord::Now => {
                let (days, micros, seconds) = self.now();
                self.fields.set_date(days);
                self.fields.set_time(micros);
                self.displacement = seconds;
                mask::DATE | mask::TIME | mask::ZONE
            }
            DateWord::Today | DateWord::Tomorrow | DateWord::Yesterday => {
                let away = match word {
                    DateWord::Tomorrow => 1,
                    DateWord::Yesterday => -1,
                    _ => 0,
                };
                self.fields.set_date(self.now().0 + away);
                mask::DATE
            }
            DateWord::Zulu => {
                self.fields.set_time(0);
                self.displacement = 0;
                mask::TIME | mask::ZONE
            }
            DateWord::Epoch | DateWord::Early | DateWord::Late => {
                *outcome = match word {
                    DateWord::Epoch => Outcome::Epoch,
                    DateWord::Early => Outcome::Early,
                    _ => Outcome::Late,
                };
                mask::DATE | mask::TIME | mask::ZONE
            }
            DateWord::Month(month) => {
                let mut set = mask::MONTH;
                // A number taken for the month was the day.
                if self.seen & mask::MONTH != 0
                    && !self.text_month
                    && self.seen & mask::DAY == 0
                    && (1..=31).contains(&self.fields.month)
                {
                    self.fields.day = self.fields.month;
                    set = mask::DAY;
                }
                self.text_month = true;
                self.fields.month = month;
                set
            }
            DateWord::DaylightModifier => {
                self.displacement += 3600;
                mask::DAYLIGHT_MODIFIER | mask::DAYLIGHT
            }
            DateWord::WeekDay => mask::WEEK_DAY,
            _ => return self.shared_word(word).map(Some),
        }))
    }

    /// A word that means the same in a date and in a time of day.
    pub(super) fn shared_word(&mut self, word: DateWord) -> Decoded<u32> {
        Ok(match word {
            DateWord::Am | DateWord::Pm => {
                self.meridian = Some(word);
                mask::MERIDIAN
            }
            DateWord::Ad | DateWord::Bc => {
                self.before_christ = word == DateWord::Bc;
                mask::ERA
            }
            DateWord::Julian | DateWord::OtherUnit | DateWord::IsoTime => {
                if self.prefix.is_some() {
                    return Err(Fault::BadFormat);
                }
                self.prefix = Some(match word {
                    DateWord::Julian => Prefix::Julian,
                    DateWord::IsoTime => Prefix::Time,
                    _ => Prefix::Other,
                });
                if word == DateWord::IsoTime && self.seen & mask::DATE != mask::DATE {
                    return Err(Fault::BadFormat);
                }
                0
            }
            _ => return Err(Fault::BadFormat),
        })
    }
}
