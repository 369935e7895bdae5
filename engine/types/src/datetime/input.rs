//! The input functions of date, time, timetz, timestamp and timestamptz.

use super::decode::{Decoder, Outcome};
use super::tokens::{Fault, tokenize};
use super::{
    DATE_INFINITY, DATE_MAX, DATE_MIN, DATE_NEGATIVE_INFINITY, MICROS_PER_SECOND, TIMESTAMP_INFINITY,
    TIMESTAMP_NEGATIVE_INFINITY, UNIX_EPOCH_DAYS, days_from_civil, days_in_month, join_timestamp, micros_from_clock,
};
use crate::io::InputContext;
use crate::{PgError, Result, SqlState, TimeTz};

/// Bytes that a date's or time's tokens may take (PostgreSQL's MAXDATELEN).
const DATE_BYTES_MAX: usize = 128;
/// The same for timestamps.
const TIMESTAMP_BYTES_MAX: usize = 152;

fn out_of_range(type_name: &str, text: &str) -> PgError {
    PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, format!("{type_name} out of range: \"{text}\""))
}

/// Reads a date.
pub fn parse_date(text: &str, context: &InputContext<'_>) -> Result<i32> {
    if let Some((days, [])) = iso_date(text.as_bytes()) {
        return Ok(days as i32);
    }
    let decoded = tokenize(text, DATE_BYTES_MAX).and_then(|tokens| Decoder::new(context).decode(&tokens, false));
    let (outcome, fields, _) = decoded.map_err(|fault| fault.into_error("date", text))?;
    match outcome {
        Outcome::Early => Ok(DATE_NEGATIVE_INFINITY),
        Outcome::Late => Ok(DATE_INFINITY),
        Outcome::Epoch => Ok(-UNIX_EPOCH_DAYS as i32),
        Outcome::Fields => {
            let days = fields.days();
            if (i64::from(DATE_MIN)..=i64::from(DATE_MAX)).contains(&days) {
                Ok(days as i32)
            } else {
                Err(out_of_range("date", text))
            }
        }
    }
}

/// Reads a time of day.
pub fn parse_time(text: &str, context: &InputContext<'_>) -> Result<i64> {
    let decoded = tokenize(text, DATE_BYTES_MAX).and_then(|tokens| Decoder::new(context).decode_time(&tokens));
    let (fields, _) = decoded.map_err(|fault| fault.into_error("time", text))?;
    Ok(fields.time())
}

/// Reads a time of day with its zone.
pub fn parse_timetz(text: &str, context: &InputContext<'_>) -> Result<TimeTz> {
    let decoded = tokenize(text, DATE_BYTES_MAX).and_then(|tokens| Decoder::new(context).decode_time(&tokens));
    let (fields, east) = decoded.map_err(|fault| fault.into_error("time with time zone", text))?;
    Ok(TimeTz { micros: fields.time(), zone: -east })
}

/// Reads a timestamp; a zone in the text is read and ignored.
pub fn parse_timestamp(text: &str, context: &InputContext<'_>) -> Result<i64> {
    if let Some((local, None)) = iso_timestamp(text.as_bytes()) {
        return Ok(local);
    }
    let (outcome, local, _) =
        decode_timestamp(text, context, false).map_err(|fault| fault.into_error("timestamp", text))?;
    special_or(outcome, local, text)
}

/// Reads a timestamptz; without a zone in the text, in the session's.
pub fn parse_timestamptz(text: &str, context: &InputContext<'_>) -> Result<i64> {
    let (outcome, local, east) = match iso_timestamp(text.as_bytes()) {
        Some((local, Some(east))) => (Outcome::Fields, Some(local), east),
        Some((local, None)) => (Outcome::Fields, Some(local), context.style.time_zone.seconds_at_local(local)),
        None => {
            decode_timestamp(text, context, true).map_err(|fault| fault.into_error("timestamp with time zone", text))?
        }
    };
    // In range before and after the zone is taken off.
    let moment = local.and_then(|local| {
        let moment = local.checked_sub(i64::from(east) * MICROS_PER_SECOND)?;
        join_timestamp(0, moment)
    });
    special_or(outcome, moment, text)
}

fn decode_timestamp(
    text: &str,
    context: &InputContext<'_>,
    with_zone: bool,
) -> std::result::Result<(Outcome, Option<i64>, i32), Fault> {
    let tokens = tokenize(text, TIMESTAMP_BYTES_MAX)?;
    let (outcome, fields, east) = Decoder::new(context).decode(&tokens, with_zone)?;
    let local = if with_zone { fields.local() } else { join_timestamp(fields.days(), fields.time()) };
    Ok((outcome, local, east))
}

fn special_or(outcome: Outcome, timestamp: Option<i64>, text: &str) -> Result<i64> {
    match outcome {
        Outcome::Early => Ok(TIMESTAMP_NEGATIVE_INFINITY),
        Outcome::Late => Ok(TIMESTAMP_INFINITY),
        Outcome::Epoch => Ok(-UNIX_EPOCH_DAYS * super::MICROS_PER_DAY),
        Outcome::Fields => timestamp.ok_or_else(|| out_of_range("timestamp", text)),
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

/// Exactly `YYYY-MM-DD` at the front: nearly every date there is. `None` for anything unusual.
fn iso_date(text: &[u8]) -> Option<(i64, &[u8])> {
    let (date, rest) = text.split_first_chunk::<10>()?;
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&date[..4])?, digits(&date[5..7])?, digits(&date[8..])?);
    if year == 0 || !(1..=12).contains(&month) || day == 0 || day > i64::from(days_in_month(year, month as u32)) {
        return None;
    }
    Some((days_from_civil(year, month, day), rest))
}

/// Exactly `YYYY-MM-DD`, then perhaps ` HH:MM:SS`, then perhaps `.ffffff`, then perhaps `+HH` or `+HH:MM`.
fn iso_timestamp(text: &[u8]) -> Option<(i64, Option<i32>)> {
    let (days, rest) = iso_date(text)?;
    let [b' ' | b'T', rest @ ..] = rest else {
        return if rest.is_empty() { Some((join_timestamp(days, 0)?, None)) } else { None };
    };
    let (time, mut rest) = rest.split_first_chunk::<8>()?;
    if time[2] != b':' || time[5] != b':' {
        return None;
    }
    let (hour, minute, second) = (digits(&time[..2])?, digits(&time[3..5])?, digits(&time[6..])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut micros = 0;
    if let [b'.', after @ ..] = rest {
        let count = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 || count > 6 {
            return None;
        }
        micros = digits(&after[..count])? * 10i64.pow(6 - count as u32);
        rest = &after[count..];
    }
    let local = join_timestamp(days, micros_from_clock(hour, minute, second, micros))?;
    let (sign, magnitude) = match rest {
        [] => return Some((local, None)),
        [sign @ (b'+' | b'-'), a, b] => (sign, digits(&[*a, *b])? * 3600),
        [sign @ (b'+' | b'-'), a, b, b':', c, d] => {
            let minutes = digits(&[*c, *d]).filter(|minutes| *minutes < 60)?;
            (sign, digits(&[*a, *b])? * 3600 + minutes * 60)
        }
        _ => return None,
    };
    if magnitude >= 16 * 3600 {
        return None;
    }
    Some((local, Some(if *sign == b'-' { -magnitude as i32 } else { magnitude as i32 })))
}
