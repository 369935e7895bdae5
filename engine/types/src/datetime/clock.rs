//! Times with colons, and displacements of zones.

use super::MICROS_PER_SECOND;
use super::decode::Fields;
use super::tokens::{Fault, leading_i32, leading_i64, parse_fraction_micros};

type Decoded<T> = std::result::Result<T, Fault>;

/// `hh:mm`, `hh:mm:ss.fff`, and `mm:ss.fff`; with `minutes_first`, two parts are minutes and seconds. The hour may be
/// anything that 64 bits hold.
pub(super) fn parse_clock(text: &str, minutes_first: bool) -> Decoded<Fields> {
    let mut fields = Fields::default();
    let (hour, rest) = leading_i64(text);
    fields.hour = hour.ok_or(Fault::FieldOverflow)?;
    let rest = rest.strip_prefix(':').ok_or(Fault::BadFormat)?;
    let (minute, rest) = leading_i32(rest)?;
    fields.minute = minute;
    let shift = |fields: &mut Fields| -> Decoded<()> {
        if i32::try_from(fields.hour).is_err() {
            return Err(Fault::FieldOverflow);
        }
        (fields.hour, fields.minute, fields.second) = (0, fields.hour, fields.minute);
        Ok(())
    };
    if rest.is_empty() {
        if minutes_first {
            shift(&mut fields)?;
        }
    } else if rest.starts_with('.') {
        fields.micros = parse_fraction_micros(rest)?;
        shift(&mut fields)?;
    } else {
        let rest = rest.strip_prefix(':').ok_or(Fault::BadFormat)?;
        let (second, rest) = leading_i32(rest)?;
        fields.second = second;
        if rest.starts_with('.') {
            fields.micros = parse_fraction_micros(rest)?;
        } else if !rest.is_empty() {
            return Err(Fault::BadFormat);
        }
    }
    if fields.hour < 0
        || !(0..60).contains(&fields.minute)
        || !(0..=60).contains(&fields.second)
        || !(0..=MICROS_PER_SECOND).contains(&fields.micros)
    {
        return Err(Fault::FieldOverflow);
    }
    Ok(fields)
}

/// `+hh`, `+hhmm`, `+hh:mm`, `+hh:mm:ss` in seconds east of UTC.
pub(super) fn parse_displacement(text: &str) -> Decoded<i32> {
    let unsigned = text.strip_prefix(['+', '-']).ok_or(Fault::BadFormat)?;
    let number = |text| leading_i32(text).map_err(|_| Fault::DisplacementOverflow);
    let (mut hours, mut rest) = number(unsigned)?;
    let (mut minutes, mut seconds) = (0, 0);
    if let Some(after) = rest.strip_prefix(':') {
        (minutes, rest) = number(after)?;
        if let Some(after) = rest.strip_prefix(':') {
            (seconds, rest) = number(after)?;
        }
    } else if rest.is_empty() && text.len() > 3 {
        (hours, minutes) = (hours / 100, hours % 100);
    }
    if !(0..=15).contains(&hours) || !(0..60).contains(&minutes) || !(0..60).contains(&seconds) {
        return Err(Fault::DisplacementOverflow);
    }
    if !rest.is_empty() {
        return Err(Fault::BadFormat);
    }
    let east = (hours * 60 + minutes) * 60 + seconds;
    Ok(if text.starts_with('-') { -east as i32 } else { east as i32 })
}
