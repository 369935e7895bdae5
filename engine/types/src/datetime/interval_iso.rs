//! ISO 8601 durations: `P1Y2M3DT4H5M6S` and the alternative forms `P0001-02-03T04:05:06`, `P00010203T040506`.

use super::interval_input::{Decoding, Sum};
use super::tokens::Fault;
use super::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND};

type Decoded<T> = std::result::Result<T, Fault>;

/// A number at the front: whole part, fraction of the same sign, how many digits the whole part was written with, and what follows.
fn number(text: &str) -> Decoded<(i64, f64, usize, &str)> {
    let bytes = text.as_bytes();
    if !matches!(bytes.first(), Some(b'0'..=b'9' | b'-' | b'.')) {
        return Err(Fault::BadFormat);
    }
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(bytes[0] == b'-');
    let width = digits(sign);
    let mut end = sign + width;
    let mut any = width;
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        any += fraction;
        end += 1 + fraction;
    }
    if any == 0 {
        // C's `strtod` knows these words.
        let word = text[sign..].get(..3).unwrap_or("");
        let infinite = word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan");
        return Err(if infinite { Fault::FieldOverflow } else { Fault::BadFormat });
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits((end + 1 + sign).min(bytes.len()));
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    let value: f64 = text[..end].parse().map_err(|_| Fault::BadFormat)?;
    if value.is_infinite() {
        return Err(Fault::BadFormat);
    }
    if !(-1.0e15..=1.0e15).contains(&value) {
        return Err(Fault::FieldOverflow);
    }
    let whole = value.trunc();
    Ok((whole as i64, value - whole, width, &text[end..]))
}

/// Reads a duration.
pub(super) fn decode(text: &str) -> Decoded<Decoding> {
    let mut sum = Sum::default();
    let mut rest = text.strip_prefix('P').filter(|rest| !rest.is_empty()).ok_or(Fault::BadFormat)?;
    let (mut in_time, mut have_field) = (false, false);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            (in_time, have_field, rest) = (true, false, after);
            continue;
        }
        let (value, fraction, width, after) = number(rest)?;
        let unit = after.as_bytes().first().copied().unwrap_or(0);
        rest = after.get(1..).unwrap_or("");
        if !in_time {
            match unit {
                b'Y' => sum.add_years(value, fraction, 1)?,
                b'M' => {
                    sum.add_months(value)?;
                    sum.add_fraction_of_days(fraction, 30)?;
                }
                b'W' => {
                    sum.add_days(value, 7)?;
                    sum.add_fraction_of_days(fraction, 7)?;
                }
                b'D' => {
                    sum.add_days(value, 1)?;
                    sum.add_fraction(fraction, MICROS_PER_DAY)?;
                }
                b'T' | 0 if width == 8 && !have_field => {
                    sum.add_years(value / 10_000, 0.0, 1)?;
                    sum.add_months(value / 100 % 100)?;
                    sum.add_days(value % 100, 1)?;
                    sum.add_fraction(fraction, MICROS_PER_DAY)?;
                    if unit == 0 {
                        break;
                    }
                    (in_time, have_field) = (true, false);
                    continue;
                }
                b'T' | b'-' | 0 => {
                    if have_field {
                        return Err(Fault::BadFormat);
                    }
                    sum.add_years(value, fraction, 1)?;
                    match unit {
                        0 => break,
                        b'T' => (in_time, have_field) = (true, false),
                        _ => {
                            rest = month_and_day(&mut sum, rest)?;
                            have_field = false;
                        }
                    }
                    continue;
                }
                _ => return Err(Fault::BadFormat),
            }
        } else {
            match unit {
                b'H' => sum.add_micros(value, fraction, MICROS_PER_HOUR)?,
                b'M' => sum.add_micros(value, fraction, MICROS_PER_MINUTE)?,
                b'S' => sum.add_micros(value, fraction, MICROS_PER_SECOND)?,
                0 if width == 6 && !have_field => {
                    sum.add_micros(value / 10_000, 0.0, MICROS_PER_HOUR)?;
                    sum.add_micros(value / 100 % 100, 0.0, MICROS_PER_MINUTE)?;
                    sum.add_micros(value % 100, 0.0, MICROS_PER_SECOND)?;
                    sum.add_fraction(fraction, 1)?;
                    break;
                }
                b':' | 0 => {
                    if have_field {
                        return Err(Fault::BadFormat);
                    }
                    sum.add_micros(value, fraction, MICROS_PER_HOUR)?;
                    if unit != 0 {
                        minute_and_second(&mut sum, rest)?;
                    }
                    break;
                }
                _ => return Err(Fault::BadFormat),
            }
        }
        have_field = true;
    }
    Ok(Decoding::Sum(sum))
}

/// `-MM-DD` after the year, up to the end or the `T`.
fn month_and_day<'a>(sum: &mut Sum, text: &'a str) -> Decoded<&'a str> {
    let (months, fraction, _, rest) = number(text)?;
    sum.add_months(months)?;
    sum.add_fraction_of_days(fraction, 30)?;
    if rest.is_empty() || rest.starts_with('T') {
        return Ok(rest);
    }
    let (days, fraction, _, rest) = number(rest.strip_prefix('-').ok_or(Fault::BadFormat)?)?;
    sum.add_days(days, 1)?;
    sum.add_fraction(fraction, MICROS_PER_DAY)?;
    if rest.is_empty() || rest.starts_with('T') { Ok(rest) } else { Err(Fault::BadFormat) }
}

/// `:MM:SS` after the hour, up to the end.
fn minute_and_second(sum: &mut Sum, text: &str) -> Decoded<()> {
    let (minutes, fraction, _, rest) = number(text)?;
    sum.add_micros(minutes, fraction, MICROS_PER_MINUTE)?;
    if rest.is_empty() {
        return Ok(());
    }
    let (seconds, fraction, _, rest) = number(rest.strip_prefix(':').ok_or(Fault::BadFormat)?)?;
    sum.add_micros(seconds, fraction, MICROS_PER_SECOND)?;
    if rest.is_empty() { Ok(()) } else { Err(Fault::BadFormat) }
}
