//! Numbers of a date: with delimiters, alone, or run together; and the checks that must wait until all are known.

use super::clock::parse_clock;
use super::decode::{Decoder, mask};
use super::tokens::{DateWord, Fault, date_word, leading_i32, parse_fraction_micros};
use super::{DateOrder, days_from_civil, days_in_month};

type Decoded<T> = std::result::Result<T, Fault>;

impl Decoder<'_> {
    /// A date with delimiters: the month's name first, as it leaves no doubt, then the numbers in order.
    pub(super) fn delimited_date(&mut self, text: &str) -> Decoded<u32> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let length = if digits > 0 { digits } else { rest.bytes().take_while(u8::is_ascii_alphabetic).count() };
            if length == 0 {
                return Err(Fault::BadFormat);
            }
            parts.push(&rest[..length]);
            rest = &rest[length..];
            // Exactly one character goes with the part before it.
            rest = rest.get(1..).unwrap_or("");
        }
        let before = self.seen;
        let mut seen = self.seen;
        let mut set_all = 0;
        let mut text_month = false;
        let is_word = |part: &&str| part.as_bytes()[0].is_ascii_alphabetic();
        for part in parts.iter().copied().filter(|part| is_word(part)) {
            match date_word(part) {
                Some(DateWord::Month(month)) => self.fields.month = month,
                _ => return Err(Fault::BadFormat),
            }
            if seen & mask::MONTH != 0 {
                return Err(Fault::BadFormat);
            }
            text_month = true;
            seen |= mask::MONTH;
            set_all |= mask::MONTH;
        }
        for part in parts.iter().copied().filter(|part| !is_word(part)) {
            let set = self.number(part, text_month, seen)?;
            if seen & set != 0 {
                return Err(Fault::BadFormat);
            }
            seen |= set;
            set_all |= set;
        }
        debug_assert_eq!(before | set_all, seen);
        if seen & !(mask::DAY_OF_YEAR | mask::ZONE) != mask::DATE {
            return Err(Fault::BadFormat);
        }
        Ok(set_all)
    }

    /// A number whose meaning follows from what is set.
    pub(super) fn number(&mut self, text: &str, text_month: bool, seen: u32) -> Decoded<u32> {
        let (value, rest) = leading_i32(text)?;
        if rest.len() == text.len() {
            return Err(Fault::BadFormat);
        }
        if rest.starts_with('.') {
            if text.len() - rest.len() > 2 {
                return self.number_field(text, seen | mask::DATE);
            }
            self.fields.micros = parse_fraction_micros(rest)?;
        } else if !rest.is_empty() {
            return Err(Fault::BadFormat);
        }
        let order = self.context.style.date_order;
        if text.len() == 3 && seen & mask::DATE == mask::YEAR && (1..=366).contains(&value) {
            self.fields.day_of_year = value;
            return Ok(mask::DAY_OF_YEAR | mask::MONTH | mask::DAY);
        }
        const YEAR_MONTH: u32 = mask::YEAR | mask::MONTH;
        const MONTH_DAY: u32 = mask::MONTH | mask::DAY;
        let looks_like_year = text.len() >= 3 || order == DateOrder::Ymd;
        let set = match seen & mask::DATE {
            0 if looks_like_year => mask::YEAR,
            0 if order == DateOrder::Dmy => mask::DAY,
            0 => mask::MONTH,
            mask::YEAR => mask::MONTH,
            mask::MONTH if text_month && looks_like_year => mask::YEAR,
            mask::MONTH => mask::DAY,
            YEAR_MONTH => {
                if text_month && text.len() >= 3 && self.two_digit_year {
                    // What was taken for the year was the day: DD-MON-YYYY in YMD order.
                    self.fields.day = self.fields.year;
                    self.fields.year = value;
                    self.two_digit_year = false;
                    return Ok(mask::DAY);
                }
                mask::DAY
            }
            mask::DAY => mask::MONTH,
            MONTH_DAY => mask::YEAR,
            mask::DATE => return self.number_field(text, seen),
            _ => return Err(Fault::BadFormat),
        };
        match set {
            mask::YEAR => {
                self.fields.year = value;
                self.two_digit_year = text.len() <= 2;
            }
            mask::MONTH => self.fields.month = value,
            _ => self.fields.day = value,
        }
        Ok(set)
    }

    /// Digits run together: a date (yymmdd, yyyymmdd), or after one a time (hhmm, hhmmss.fff).
    pub(super) fn number_field(&mut self, text: &str, seen: u32) -> Decoded<u32> {
        let (digits, fraction) = match text.find('.') {
            Some(at) => (&text[..at], Some(&text[at..])),
            None => (text, None),
        };
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Fault::BadFormat);
        }
        // C's `atoi`: what does not fit 32 bits loses its high bits.
        let number = |digits: &str| i64::from(digits.parse().unwrap_or(i64::MAX) as i32);
        match fraction {
            Some(fraction) => self.fields.micros = parse_fraction_micros(fraction)?,
            None if seen & mask::DATE != mask::DATE && digits.len() >= 6 => {
                let (rest, day) = digits.split_at(digits.len() - 2);
                let (year, month) = rest.split_at(rest.len() - 2);
                self.fields.day = number(day);
                self.fields.month = number(month);
                self.fields.year = number(year);
                if year.len() == 2 {
                    self.two_digit_year = true;
                }
                return Ok(mask::DATE);
            }
            None => {}
        }
        if seen & mask::TIME != mask::TIME && matches!(digits.len(), 4 | 6) {
            self.fields.hour = number(&digits[..2]);
            self.fields.minute = number(&digits[2..4]);
            self.fields.second = if digits.len() == 6 { number(&digits[4..]) } else { 0 };
            return Ok(mask::TIME);
        }
        Err(Fault::BadFormat)
    }

    /// A time with colons.
    pub(super) fn time_token(&mut self, text: &str) -> Decoded<u32> {
        let fields = parse_clock(text, false)?;
        if fields.hour > i64::from(i32::MAX) {
            return Err(Fault::FieldOverflow);
        }
        let (hour, minute) = (fields.hour, fields.minute);
        (self.fields.hour, self.fields.minute) = (hour, minute);
        (self.fields.second, self.fields.micros) = (fields.second, fields.micros);
        Ok(mask::TIME)
    }

    /// Applies era, century and day of the year, and checks the day.
    pub(super) fn validate_date(&mut self) -> Decoded<()> {
        let fields = &mut self.fields;
        if self.seen & mask::YEAR != 0 && !self.julian {
            if self.before_christ {
                if fields.year <= 0 {
                    return Err(Fault::FieldOverflow);
                }
                fields.year = 1 - fields.year;
            } else if self.two_digit_year {
                if fields.year < 0 {
                    return Err(Fault::FieldOverflow);
                }
                fields.year += match fields.year {
                    0..70 => 2000,
                    70..100 => 1900,
                    _ => 0,
                };
            } else if fields.year <= 0 {
                return Err(Fault::FieldOverflow);
            }
        }
        if self.seen & mask::DAY_OF_YEAR != 0 {
            let days = days_from_civil(fields.year, 1, 1) + fields.day_of_year - 1;
            fields.set_date(days);
        }
        if self.seen & mask::MONTH != 0 && !(1..=12).contains(&fields.month) {
            return Err(Fault::MonthDayOverflow);
        }
        if self.seen & mask::DAY != 0 && !(1..=31).contains(&fields.day) {
            return Err(Fault::MonthDayOverflow);
        }
        if self.seen & mask::DATE == mask::DATE
            && fields.day > i64::from(days_in_month(fields.year, fields.month as u32))
        {
            return Err(Fault::FieldOverflow);
        }
        Ok(())
    }

    pub(super) fn apply_meridian(&mut self) -> Decoded<()> {
        let Some(meridian) = self.meridian else { return Ok(()) };
        if self.fields.hour > 12 {
            return Err(Fault::FieldOverflow);
        }
        match (meridian, self.fields.hour) {
            (DateWord::Am, 12) => self.fields.hour = 0,
            (DateWord::Pm, hour) if hour != 12 => self.fields.hour += 12,
            _ => {}
        }
        Ok(())
    }
}
