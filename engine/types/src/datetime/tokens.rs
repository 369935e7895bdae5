//! Cuts a date or time text into tokens, and knows the words.
//!
//! A token's kind is decided by its first characters alone:
//!
//! | kind | begins with | examples |
//! |---|---|---|
//! | `Number` | digit or point | `1999`, `20011225`, `2001.360`, `.5` |
//! | `Date` | digits and a delimiter, or letters and one | `1999-01-08`, `8/Jan/1999`, `America/New_York`, `gmt-8` |
//! | `Time` | digits and a colon | `04:05:06.789` |
//! | `Word` | letters | `january`, `pst`, `now` |
//! | `SignedWord` | sign and letters | `-infinity` |
//! | `Signed` | sign and digits | `-08:30`, `+1.5`, `-1-2` |

use crate::{PgError, SqlState};

/// Most tokens that a text may have (PostgreSQL's MAXDATEFIELDS).
const TOKENS_MAX: usize = 25;

/// Why a text is not a date or time.
#[derive(Debug)]
pub(super) enum Fault {
    /// 22007, or 22007 of another form where the caller tries one.
    BadFormat,
    /// 22008
    FieldOverflow,
    /// 22008 with a hint at DateStyle.
    MonthDayOverflow,
    /// 22009
    DisplacementOverflow,
    /// 22023 with the zone's name.
    BadZone(String),
}

impl Fault {
    /// The error, for a text that was read as this type.
    pub(super) fn into_error(self, type_name: &str, text: &str) -> PgError {
        let out_of_range = || {
            PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("date/time field value out of range: \"{text}\""))
        };
        match self {
            Fault::BadFormat => PgError::new(
                SqlState::INVALID_DATETIME_FORMAT,
                format!("invalid input syntax for type {type_name}: \"{text}\""),
            ),
            Fault::FieldOverflow => out_of_range(),
            Fault::MonthDayOverflow => out_of_range().with_hint("Perhaps you need a different \"DateStyle\" setting."),
            Fault::DisplacementOverflow => PgError::new(
                SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
                format!("time zone displacement out of range: \"{text}\""),
            ),
            Fault::BadZone(name) => {
                PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("time zone \"{name}\" not recognized"))
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Date,
    Time,
    Word,
    SignedWord,
    Signed,
}

/// A token: letters are in lower case.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) text: String,
}

impl Token {
    pub(super) fn starts_with_digit(&self) -> bool {
        self.text.as_bytes().first().is_some_and(u8::is_ascii_digit)
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    text: String,
}

impl Cursor<'_> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn take(&mut self) {
        self.text.push(char::from(self.peek().to_ascii_lowercase()));
        self.at += 1;
    }

    fn take_while(&mut self, accept: impl Fn(u8) -> bool) {
        while self.at < self.bytes.len() && accept(self.peek()) {
            self.take();
        }
    }
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

/// Cuts a text into tokens. `bytes_max` is how much room the tokens and a terminator for each may take.
pub(super) fn tokenize(text: &str, bytes_max: usize) -> Result<Vec<Token>, Fault> {
    let mut cursor = Cursor { bytes: text.as_bytes(), at: 0, text: String::new() };
    let mut tokens = Vec::new();
    let mut used = 0;
    while cursor.at < cursor.bytes.len() {
        let first = cursor.peek();
        if crate::io::is_space(first) {
            cursor.at += 1;
            continue;
        }
        if tokens.len() >= TOKENS_MAX {
            return Err(Fault::BadFormat);
        }
        let kind = match first {
            b'0'..=b'9' => numeric_token(&mut cursor),
            b'.' => {
                cursor.take();
                cursor.take_while(is_digit);
                Kind::Number
            }
            b'a'..=b'z' | b'A'..=b'Z' => word_token(&mut cursor),
            b'+' | b'-' => {
                cursor.take();
                while crate::io::is_space(cursor.peek()) {
                    cursor.at += 1;
                }
                if cursor.peek().is_ascii_digit() {
                    cursor.take_while(|byte| is_digit(byte) || matches!(byte, b':' | b'.' | b'-'));
                    Kind::Signed
                } else if cursor.peek().is_ascii_alphabetic() {
                    cursor.take_while(|byte| byte.is_ascii_alphabetic());
                    Kind::SignedWord
                } else {
                    return Err(Fault::BadFormat);
                }
            }
            _ if first.is_ascii_punctuation() => {
                cursor.at += 1;
                continue;
            }
            _ => return Err(Fault::BadFormat),
        };
        used += cursor.text.len() + 1;
        if used > bytes_max {
            return Err(Fault::BadFormat);
        }
        tokens.push(Token { kind, text: std::mem::take(&mut cursor.text) });
    }
    Ok(tokens)
}

fn numeric_token(cursor: &mut Cursor<'_>) -> Kind {
    cursor.take_while(is_digit);
    match cursor.peek() {
        b':' => {
            cursor.take_while(|byte| is_digit(byte) || matches!(byte, b':' | b'.'));
            Kind::Time
        }
        delimiter @ (b'-' | b'/' | b'.') => {
            cursor.take();
            if !cursor.peek().is_ascii_digit() {
                // A month's name within the date.
                cursor.take_while(|byte| byte.is_ascii_alphanumeric() || byte == delimiter);
                return Kind::Date;
            }
            cursor.take_while(is_digit);
            if cursor.peek() == delimiter {
                // Three fields need the same delimiter twice.
                cursor.take_while(|byte| is_digit(byte) || byte == delimiter);
                return Kind::Date;
            }
            if delimiter == b'.' { Kind::Number } else { Kind::Date }
        }
        _ => Kind::Number,
    }
}

fn word_token(cursor: &mut Cursor<'_>) -> Kind {
    cursor.take_while(|byte| byte.is_ascii_alphabetic());
    // A date with a month's name first, or a zone's name; before a digit or '+', only if it is no other word.
    let compound = match cursor.peek() {
        b'-' | b'/' | b'.' => true,
        b'+' | b'0'..=b'9' => date_word(&cursor.text).is_none(),
        _ => false,
    };
    if !compound {
        return Kind::Word;
    }
    cursor.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'/' | b'_' | b'.' | b':'));
    Kind::Date
}

/// What a word in a date means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateWord {
    Early,
    Late,
    Epoch,
    Now,
    Today,
    Tomorrow,
    Yesterday,
    /// `allballs`: midnight in UTC.
    Zulu,
    Month(i64),
    /// Day of the week: read and not used.
    WeekDay,
    Am,
    Pm,
    Ad,
    Bc,
    /// `dst` after a zone.
    DaylightModifier,
    /// `at`, `on`
    Ignored,
    /// `j`, `jd`, `julian` before a day number.
    Julian,
    /// `t` before a time.
    IsoTime,
    /// Units that mean nothing here.
    OtherUnit,
}

/// Looks a lower-case word up among those of dates.
pub(super) fn date_word(word: &str) -> Option<DateWord> {
    use DateWord::*;
    Some(match word {
        "-infinity" => Early,
        "infinity" | "+infinity" => Late,
        "epoch" => Epoch,
        "now" => Now,
        "today" => Today,
        "tomorrow" => Tomorrow,
        "yesterday" => Yesterday,
        "allballs" => Zulu,
        "jan" | "january" => Month(1),
        "feb" | "february" => Month(2),
        "mar" | "march" => Month(3),
        "apr" | "april" => Month(4),
        "may" => Month(5),
        "jun" | "june" => Month(6),
        "jul" | "july" => Month(7),
        "aug" | "august" => Month(8),
        "sep" | "sept" | "september" => Month(9),
        "oct" | "october" => Month(10),
        "nov" | "november" => Month(11),
        "dec" | "december" => Month(12),
        "sun" | "sunday" | "mon" | "monday" | "tue" | "tues" | "tuesday" | "wed" | "weds" | "wednesday" | "thu"
        | "thur" | "thurs" | "thursday" | "fri" | "friday" | "sat" | "saturday" => WeekDay,
        "am" => Am,
        "pm" => Pm,
        "ad" => Ad,
        "bc" => Bc,
        "dst" => DaylightModifier,
        "at" | "on" => Ignored,
        "j" | "jd" | "julian" => Julian,
        "t" => IsoTime,
        "d" | "dow" | "doy" | "h" | "isodow" | "isoyear" | "m" | "mm" | "s" | "y" => OtherUnit,
        _ => return None,
    })
}

/// The units of intervals and of `extract`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(super) enum Unit {
    Microsecond,
    Millisecond,
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
    /// `timezone`, `timezone_h`, `timezone_m`
    Zone,
    ZoneHour,
    ZoneMinute,
}

/// Looks a lower-case word up among the units. Ten characters count.
pub(super) fn unit_word(word: &str) -> Option<Unit> {
    use Unit::*;
    Some(match word.get(..word.len().min(10))? {
        "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecon" => Microsecond,
        "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecon" => Millisecond,
        "s" | "sec" | "secs" | "second" | "seconds" => Second,
        "m" | "min" | "mins" | "minute" | "minutes" => Minute,
        "h" | "hr" | "hrs" | "hour" | "hours" => Hour,
        "d" | "day" | "days" => Day,
        "w" | "week" | "weeks" => Week,
        "mon" | "mons" | "month" | "months" => Month,
        "qtr" | "quarter" => Quarter,
        "y" | "yr" | "yrs" | "year" | "years" => Year,
        "dec" | "decs" | "decade" | "decades" => Decade,
        "c" | "cent" | "century" | "centuries" => Century,
        "mil" | "mils" | "millennia" | "millennium" => Millennium,
        "timezone" => Zone,
        "timezone_h" => ZoneHour,
        "timezone_m" => ZoneMinute,
        _ => return None,
    })
}

/// The integer at the front, as C's `strtol` reads it, and what follows. No digits are 0. `None` beyond 64 bits.
pub(super) fn leading_i64(text: &str) -> (Option<i64>, &str) {
    let trimmed = text.trim_start_matches(|c: char| c.is_ascii() && crate::io::is_space(c as u8));
    let sign = usize::from(trimmed.starts_with(['+', '-']));
    let digits = trimmed[sign..].bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return (Some(0), text);
    }
    (trimmed[..sign + digits].parse().ok(), &trimmed[sign + digits..])
}

/// [`leading_i64`] within 32 bits.
pub(super) fn leading_i32(text: &str) -> Result<(i64, &str), Fault> {
    match leading_i64(text) {
        (Some(value), rest) if i32::try_from(value).is_ok() => Ok((value, rest)),
        _ => Err(Fault::FieldOverflow),
    }
}

/// A fraction with its point, to the end of the text.
pub(super) fn parse_fraction(text: &str) -> Result<f64, Fault> {
    match text.strip_prefix('.') {
        Some("") => Ok(0.0),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().map_err(|_| Fault::BadFormat),
        _ => Err(Fault::BadFormat),
    }
}

/// [`parse_fraction`] in microseconds.
pub(super) fn parse_fraction_micros(text: &str) -> Result<i64, Fault> {
    Ok((parse_fraction(text)? * 1e6).round_ties_even() as i64)
}
