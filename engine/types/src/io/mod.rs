//! Text and binary forms of values, in and out.
//!
//! ```text
//!            input(type, typmod, text, context)                 receive(type, typmod, bytes)
//!   text  ───────────────────────────────────▶  Datum  ◀───────────────────────────────────  bytes
//!         ◀───────────────────────────────────         ───────────────────────────────────▶
//!            output(type, datum, style, out)                        send(type, datum, out)
//! ```
//!
//! The forms are PostgreSQL's, to the letter: syntax that is accepted, text that is printed, SQLSTATE and wording of
//! errors, layout of the binary protocol. What a session may change about them is in [`Style`]; what reading depends
//! on besides (the transaction's timestamp for `now`, user-defined types) is in [`InputContext`].
//!
//! [`output_column`] and [`send_column`] print straight from a column's row into a wire buffer, without a [`Datum`]
//! and without allocating for the fixed-size types.
//!
//! Types whose text form needs the catalog (regclass and its kin) print and read their numbers here; names are the
//! business of the floor that knows them. Domains must be resolved to their base type by the caller.

mod array;
mod binary;
mod boolean;
mod bytea;
mod float;
mod integer;
pub mod json;
mod output;
mod record;
mod string;
mod tid;
mod uuid;

use std::sync::Arc;

pub(crate) use binary::Reader;
pub use binary::{checked_text, receive, receive_record, send, send_column};
pub use boolean::parse_word as parse_boolean_word;
pub use bytea::parse_hex;
pub(crate) use float::write_general;
pub(crate) use integer::{write_i64, write_padded, write_u64};
pub use output::{output, output_column, write};
pub use string::{NAME_BYTES_MAX, char_byte, char_text, truncate_name};

use crate::datetime::{self, DateOrder, DateStyle, IntervalStyle, TimeZone};
use crate::{Datum, Numeric, Oid, PgError, Result, SqlState, TypeMod, apply_typmod, oid};

/// How bytea prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ByteaOutput {
    /// `\x0a0b`
    #[default]
    Hex,
    /// `\012\013`
    Escape,
}

/// The session settings that text forms depend on.
#[derive(Clone, Debug)]
pub struct Style {
    /// The format half of `DateStyle`.
    pub date_style: DateStyle,
    /// The order half of `DateStyle`.
    pub date_order: DateOrder,
    /// `IntervalStyle`.
    pub interval_style: IntervalStyle,
    /// `TimeZone`.
    pub time_zone: TimeZone,
    /// `extra_float_digits`: above 0 floats print the shortest digits that read back the same.
    pub extra_float_digits: i32,
    /// `bytea_output`.
    pub bytea_output: ByteaOutput,
}

impl Default for Style {
    /// PostgreSQL's defaults, in UTC.
    fn default() -> Style {
        Style {
            date_style: DateStyle::Iso,
            date_order: DateOrder::Mdy,
            interval_style: IntervalStyle::Postgres,
            time_zone: TimeZone::utc(),
            extra_float_digits: 1,
            bytea_output: ByteaOutput::Hex,
        }
    }
}

/// What reading text needs to know about types that are not built in.
pub trait TypeSource {
    /// The element type of an array type.
    fn array_element(&self, type_oid: Oid) -> Option<Oid>;
    /// Types and type modifiers of a composite type's live columns.
    fn composite(&self, type_oid: Oid) -> Option<Arc<[(Oid, TypeMod)]>>;
}

/// The built-in types only.
#[derive(Clone, Copy, Debug)]
pub struct BuiltInTypes;

impl TypeSource for BuiltInTypes {
    fn array_element(&self, type_oid: Oid) -> Option<Oid> {
        oid::array_element(type_oid)
    }

    fn composite(&self, _type_oid: Oid) -> Option<Arc<[(Oid, TypeMod)]>> {
        None
    }
}

/// What reading text depends on.
#[derive(Clone, Copy)]
pub struct InputContext<'a> {
    /// The session's settings.
    pub style: &'a Style,
    /// The transaction's timestamp, in microseconds since 2000-01-01 UTC: what `now` and `today` mean.
    pub now: i64,
    /// The types that are not built in.
    pub types: &'a dyn TypeSource,
}

impl<'a> InputContext<'a> {
    /// A context with the built-in types.
    pub fn new(style: &'a Style, now: i64) -> InputContext<'a> {
        InputContext { style, now, types: &BuiltInTypes }
    }
}

/// 22P02 `invalid input syntax for type T: "TEXT"`.
pub(crate) fn invalid_syntax(type_name: &str, text: &str) -> PgError {
    PgError::new(
        SqlState::INVALID_TEXT_REPRESENTATION,
        format!("invalid input syntax for type {type_name}: \"{text}\""),
    )
}

/// 22003 `value "TEXT" is out of range for type T`.
pub(crate) fn value_out_of_range(type_name: &str, text: &str) -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("value \"{text}\" is out of range for type {type_name}"))
}

/// What C's `isspace` accepts in the C locale.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// `text` without leading and trailing white space.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii() && is_space(c as u8))
}

fn boolean_text(value: bool) -> u8 {
    if value { b't' } else { b'f' }
}

/// Reads a value, as the type's input function does with this type modifier (so a text too long for varchar(3) is an
/// error). A modifier of -1 applies none; for an array it is the elements'.
pub fn input(type_oid: Oid, typmod: TypeMod, text: &str, context: &InputContext<'_>) -> Result<Datum> {
    let datum = match type_oid {
        oid::BOOL => Datum::Bool(boolean::parse(text)?),
        oid::INT2 => Datum::I16(integer::parse_i16(text)?),
        oid::INT4 => Datum::I32(integer::parse_i32(text)?),
        oid::INT8 => Datum::I64(integer::parse_i64(text)?),
        oid::OID => Datum::U32(integer::parse_u32("oid", text)?),
        oid::XID => Datum::U32(integer::parse_u32("xid", text)?),
        oid::CID => Datum::U32(integer::parse_u32("cid", text)?),
        oid::XID8 => Datum::I64(integer::parse_u64("xid8", text)? as i64),
        oid::TID => tid::parse(text)?,
        _ if integer::is_registered(type_oid) => integer::parse_registered(text)?,
        oid::FLOAT4 => Datum::F32(float::parse_f32(text)?),
        oid::FLOAT8 => Datum::F64(float::parse_f64(text)?),
        oid::NUMERIC => Datum::Numeric(Numeric::parse(text)?),
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::UNKNOWN | oid::CSTRING => Datum::text(text),
        oid::VOID => Datum::text(""),
        oid::NAME => Datum::text(string::truncate_name(text)),
        oid::CHAR => Datum::text(string::parse_char(text)),
        oid::BYTEA => Datum::Bytes(bytea::parse(text)?.into()),
        oid::UUID => Datum::Uuid(uuid::parse(text)?),
        oid::JSON => {
            json::validate(text)?;
            Datum::text(text)
        }
        oid::DATE => Datum::I32(datetime::parse_date(text, context)?),
        oid::TIME => Datum::I64(datetime::parse_time(text, context)?),
        oid::TIMETZ => Datum::TimeTz(datetime::parse_timetz(text, context)?),
        oid::TIMESTAMP => Datum::I64(datetime::parse_timestamp(text, context)?),
        oid::TIMESTAMPTZ => Datum::I64(datetime::parse_timestamptz(text, context)?),
        oid::INTERVAL => Datum::Interval(datetime::parse_interval(text, typmod, context)?),
        oid::INT2VECTOR | oid::OIDVECTOR => return array::parse_vector(type_oid, text),
        oid::RECORD => {
            return Err(PgError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "input of anonymous composite types is not implemented",
            ));
        }
        _ => {
            if let Some(element) = context.types.array_element(type_oid) {
                return array::parse(element, typmod, text, context);
            }
            if let Some(fields) = context.types.composite(type_oid) {
                return record::parse(&fields, text, context);
            }
            return Err(PgError::unsupported(format_args!("input of type {}", crate::format_type(type_oid, -1))));
        }
    };
    apply_typmod(type_oid, typmod, datum, false)
}
