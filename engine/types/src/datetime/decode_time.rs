//! Tokens to a time of day. A date is accepted only where it decides a zone's displacement.

use super::ZoneSpec;
use super::decode::{Decoder, Fields, Prefix, mask};
use super::tokens::{DateWord, Fault, Kind, Token, date_word};

type Decoded<T> = std::result::Result<T, Fault>;

impl Decoder<'_> {
    /// Reads all tokens as a time of day: its fields, and the seconds east of UTC.
    pub(super) fn decode_time(mut self, tokens: &[Token]) -> Decoded<(Fields, i32)> {
        let last_is_date = tokens.last().is_some_and(|token| token.kind == Kind::Date);
        let second_is_time = tokens.get(1).is_some_and(|token| token.kind == Kind::Time);
        for (index, token) in tokens.iter().enumerate() {
            let leading = index == 0 && tokens.len() >= 2;
            let seen = self.seen | mask::DATE;
            let set = match token.kind {
                Kind::Date if leading && (last_is_date || second_is_time) => self.delimited_date(&token.text)?,
                Kind::Date if token.starts_with_digit() => {
                    if self.seen & mask::TIME == mask::TIME {
                        return Err(Fault::BadFormat);
                    }
                    self.time_with_displacement(&token.text, seen)?
                }
                Kind::Date => self.zone_name(&token.text).ok_or_else(|| Fault::BadZone(token.text.clone()))?,
                Kind::Time => {
                    self.time_prefix()?;
                    self.time_token(&token.text)?
                }
                Kind::Signed => {
                    self.displacement = super::clock::parse_displacement(&token.text)?;
                    mask::ZONE
                }
                Kind::Number if self.prefix.is_some() => self.prefixed_number(&token.text)?,
                Kind::Number => match token.text.find('.') {
                    Some(_) if leading && last_is_date => self.delimited_date(&token.text)?,
                    Some(point) if point > 2 => self.number_field(&token.text, seen)?,
                    Some(_) => return Err(Fault::BadFormat),
                    None if token.text.len() > 4 => self.number_field(&token.text, seen)?,
                    None => self.number(&token.text, false, seen)?,
                },
                Kind::Word | Kind::SignedWord => {
                    if let Some(set) = self.zone_abbreviation(&token.text) {
                        set
                    } else {
                        match date_word(&token.text) {
                            Some(DateWord::Ignored) => continue,
                            Some(word) => self.time_word(word)?,
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
        self.validate_date()?;
        self.apply_meridian()?;
        if self.fields.time_overflows() {
            return Err(Fault::FieldOverflow);
        }
        if self.seen & mask::TIME != mask::TIME {
            return Err(Fault::BadFormat);
        }
        self.resolve_zone()?;
        Ok((self.fields, self.displacement))
    }

    fn time_word(&mut self, word: DateWord) -> Decoded<u32> {
        Ok(match word {
            DateWord::Now => {
                let (_, micros, _) = self.now();
                self.fields.set_time(micros);
                mask::TIME
            }
            DateWord::Zulu => {
                self.fields.set_time(0);
                mask::TIME | mask::ZONE
            }
            DateWord::DaylightModifier => {
                self.displacement += 3600;
                mask::DAYLIGHT_MODIFIER | mask::DAYLIGHT
            }
            DateWord::IsoTime => {
                if self.prefix.is_some() {
                    return Err(Fault::BadFormat);
                }
                self.prefix = Some(Prefix::Time);
                0
            }
            DateWord::Month(_) | DateWord::WeekDay => return Err(Fault::BadFormat),
            _ => self.shared_word(word)?,
        })
    }

    /// Finds the displacement of a named zone, of the session's if none was named; today's where there is no date.
    fn resolve_zone(&mut self) -> Decoded<()> {
        if self.seen & mask::ZONE != 0 && self.zone.is_none() {
            return Ok(());
        }
        if self.seen & mask::DAYLIGHT_MODIFIER != 0 {
            return Err(Fault::BadFormat);
        }
        let date = self.seen & mask::DATE;
        if let Some(ZoneSpec::Zone(zone)) = &self.zone {
            if let Some(seconds) = zone.fixed_seconds() {
                self.displacement = seconds;
                return Ok(());
            }
            if date != mask::DATE {
                return Err(Fault::BadFormat);
            }
        }
        let days = match date {
            0 => self.now().0,
            mask::DATE => self.fields.days(),
            _ => return Err(Fault::BadFormat),
        };
        let mut at = self.fields.clone();
        at.set_date(days);
        let Some(local) = at.local() else { return Ok(()) };
        self.displacement = match &self.zone {
            Some(zone) => zone.seconds_at_local(local),
            None => self.context.style.time_zone.seconds_at_local(local),
        };
        Ok(())
    }
}
