//! Casts among the string types, "char", and length coercions.
//!
//! Casts of numbers are beside the numbers' other functions ([`super::int`], [`super::float`], [`super::numeric`]), those
//! of dates and times beside theirs.

use helios_types::datetime::timestamp_is_finite;
use helios_types::{Datum, PgError, Result, SqlState, apply_typmod, io, oid};

use super::arguments::{bool_at, i32_at, i64_at, text_at};
use super::errors::invalid_parameter;
use super::strings::{string, value};
use super::{Entry, Implementation};

/// Rounds a timestamp; infinite ones whatever the precision.
fn timestamp_scale(args: &[Datum]) -> Result<Datum> {
    let (timestamp, typmod) = (i64_at(args, 0), i32_at(args, 1));
    if timestamp_is_finite(timestamp) && typmod != -1 && !(0..=6).contains(&typmod) {
        return Err(invalid_parameter(format!("timestamp({typmod}) precision must be between 0 and 6")));
    }
    apply_typmod(oid::TIMESTAMP, typmod, args[0].clone(), true)
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    string!("text_name", |_, text: &str; out| { out.push_str(io::truncate_name(text)); Ok(()) }),
    string!("name_text", |_, name: &str; out| { out.push_str(name); Ok(()) }),
    string!("bpchar_name", |_, text: &str; out| {
        out.push_str(io::truncate_name(text.trim_end_matches(' ')).trim_end_matches(' '));
        Ok(())
    }),
    string!("name_bpchar", |_, name: &str; out| { out.push_str(name); Ok(()) }),
    string!("char_text", |_, char: &str; out| { out.push_str(char); Ok(()) }),
    string!("char_bpchar", |_, char: &str; out| { out.push_str(char); Ok(()) }),
    (
        "text_char",
        Implementation::Scalar(|ctx, args| {
            io::input(oid::CHAR, -1, text_at(args, 0), &io::InputContext::new(&ctx.session.style, ctx.session.now()))
        }),
    ),
    value!("chartoi4", |_, char: &str| -> i32 { Ok(i32::from(io::char_byte(char) as i8)) }),
    (
        "i4tochar",
        Implementation::Scalar(|_, args| {
            let value = i32_at(args, 0);
            let byte = i8::try_from(value)
                .map_err(|_| PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "\"char\" out of range"))?;
            Ok(Datum::text(io::char_text(byte as u8)))
        }),
    ),
    string!("nameconcatoid", |_, name: &str, number: u32; out| {
        let suffix = format!("_{number}");
        let room = io::NAME_BYTES_MAX - suffix.len();
        out.push_str(&name[..name.floor_char_boundary(room.min(name.len()))]);
        out.push_str(&suffix);
        Ok(())
    }),
    // Length coercions: value, type modifier, whether the cast is explicit.
    (
        "varchar",
        Implementation::Scalar(|_, args| {
            apply_typmod(oid::VARCHAR, i32_at(args, 1), args[0].clone(), bool_at(args, 2))
        }),
    ),
    (
        "bpchar",
        Implementation::Scalar(|_, args| apply_typmod(oid::BPCHAR, i32_at(args, 1), args[0].clone(), bool_at(args, 2))),
    ),
    ("timestamp_scale", Implementation::Scalar(|_, args| timestamp_scale(args))),
    ("timestamptz_scale", Implementation::Scalar(|_, args| timestamp_scale(args))),
    ("time_scale", Implementation::Scalar(|_, args| apply_typmod(oid::TIME, i32_at(args, 1), args[0].clone(), true))),
    (
        "timetz_scale",
        Implementation::Scalar(|_, args| apply_typmod(oid::TIMETZ, i32_at(args, 1), args[0].clone(), true)),
    ),
    (
        "interval_scale",
        Implementation::Scalar(|_, args| apply_typmod(oid::INTERVAL, i32_at(args, 1), args[0].clone(), true)),
    ),
]];
