//! Type modifiers: the `(10,2)` of numeric(10,2). What they do to a value, and their own text.
//!
//! | type | modifier |
//! |---|---|
//! | varchar(n), char(n) | `n + 4` |
//! | numeric(p, s) | `((p << 16) \| (s & 0x7ff)) + 4` |
//! | time(p), timetz(p), timestamp(p), timestamptz(p) | `p` |
//! | interval fields (p) | `(mask of fields << 16) \| p`, 0x7fff for all fields, 0xffff for no precision |
//!
//! An array's modifier is its elements'.

use std::borrow::Cow;
use std::sync::Arc;

use crate::datetime::interval_fields;
use crate::numeric::precision_and_scale;
use crate::{Array, Datum, Oid, PgError, Result, SqlState, TimeTz, TypeMod, datetime, oid};

/// Longest declarable varchar or char.
const CHARACTERS_MAX: i32 = 10_485_760;

/// The value as one of the type with this modifier: cut, padded or rounded as PostgreSQL's length-coercion function
/// does. An explicit cast cuts strings silently; assignment does so only when blanks alone are lost.
pub fn apply_typmod(type_oid: Oid, typmod: TypeMod, datum: Datum, explicit: bool) -> Result<Datum> {
    if typmod < 0 {
        return Ok(datum);
    }
    Ok(match (type_oid, datum) {
        (oid::VARCHAR, Datum::Text(text)) if typmod >= 4 => {
            match fit(&text, (typmod - 4) as usize, explicit, "character varying")? {
                None => Datum::Text(text),
                Some(cut) => Datum::text(cut),
            }
        }
        (oid::BPCHAR, Datum::Text(text)) if typmod >= 4 => {
            let characters = (typmod - 4) as usize;
            match fit(&text, characters, explicit, "character")? {
                Some(cut) => Datum::text(cut),
                None => match characters - text.chars().count() {
                    0 => Datum::Text(text),
                    missing => Datum::text(format!("{text}{}", " ".repeat(missing))),
                },
            }
        }
        (oid::NUMERIC, Datum::Numeric(value)) => Datum::Numeric(value.apply_typmod(typmod)?),
        (oid::TIMESTAMP | oid::TIMESTAMPTZ, Datum::I64(value)) => Datum::I64(datetime::round_timestamp(value, typmod)),
        (oid::TIME, Datum::I64(value)) => Datum::I64(datetime::round_time(value, typmod)),
        (oid::TIMETZ, Datum::TimeTz(value)) => {
            Datum::TimeTz(TimeTz { micros: datetime::round_time(value.micros, typmod), ..value })
        }
        (oid::INTERVAL, Datum::Interval(value)) => Datum::Interval(datetime::interval_apply_typmod(value, typmod)?),
        (_, Datum::Array(array)) if takes_typmod(array.element_type) => {
            let element = array.element_type;
            let elements = array
                .elements
                .iter()
                .map(|value| apply_typmod(element, typmod, value.clone(), explicit))
                .collect::<Result<_>>()?;
            Datum::Array(Arc::new(Array { element_type: element, dimensions: array.dimensions.clone(), elements }))
        }
        (_, datum) => datum,
    })
}

/// Whether the type has modifiers at all.
pub fn takes_typmod(type_oid: Oid) -> bool {
    matches!(
        type_oid,
        oid::VARCHAR
            | oid::BPCHAR
            | oid::NUMERIC
            | oid::TIME
            | oid::TIMETZ
            | oid::TIMESTAMP
            | oid::TIMESTAMPTZ
            | oid::INTERVAL
            | oid::BIT
            | oid::VARBIT
    )
}

/// The first `characters` of a text that has more; `None` when it has not.
fn fit<'a>(text: &'a str, characters: usize, explicit: bool, type_name: &str) -> Result<Option<&'a str>> {
    if text.len() <= characters {
        return Ok(None);
    }
    let Some((cut, _)) = text.char_indices().nth(characters) else { return Ok(None) };
    if !explicit && text[cut..].bytes().any(|byte| byte != b' ') {
        return Err(PgError::new(
            SqlState::STRING_DATA_RIGHT_TRUNCATION,
            format!("value too long for type {type_name}({characters})"),
        ));
    }
    Ok(Some(&text[..cut]))
}

fn invalid(message: impl Into<Cow<'static, str>>) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// The modifier that a declaration's numbers mean (`[10, 2]` for numeric(10,2); for interval the field mask, then the
/// precision), and the text of a warning where PostgreSQL gives one.
pub fn typmod_in(type_oid: Oid, numbers: &[i32]) -> Result<(TypeMod, Option<String>)> {
    match (type_oid, numbers) {
        (oid::VARCHAR, [length]) => character_typmod("varchar", *length),
        (oid::BPCHAR, [length]) => character_typmod("char", *length),
        (oid::VARCHAR | oid::BPCHAR, _) => Err(invalid("invalid type modifier")),
        (oid::NUMERIC, [precision]) => numeric_typmod(*precision, 0),
        (oid::NUMERIC, [precision, scale]) => numeric_typmod(*precision, *scale),
        (oid::NUMERIC, _) => Err(invalid("invalid NUMERIC type modifier")),
        (oid::TIME, [precision]) => precision_typmod("TIME", "", *precision),
        (oid::TIMETZ, [precision]) => precision_typmod("TIME", " WITH TIME ZONE", *precision),
        (oid::TIMESTAMP, [precision]) => precision_typmod("TIMESTAMP", "", *precision),
        (oid::TIMESTAMPTZ, [precision]) => precision_typmod("TIMESTAMP", " WITH TIME ZONE", *precision),
        (oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ, _) => Err(invalid("invalid type modifier")),
        (oid::INTERVAL, [mask, rest @ ..]) if rest.len() <= 1 => {
            if *mask != interval_fields::ALL && interval_fields::name(*mask).is_none() {
                return Err(invalid("invalid INTERVAL type modifier"));
            }
            match rest {
                [] if *mask == interval_fields::ALL => Ok((-1, None)),
                [precision] => {
                    let (precision, warning) = precision_typmod("INTERVAL", "", *precision)?;
                    Ok((mask << 16 | precision, warning))
                }
                _ => Ok((mask << 16 | interval_fields::NO_PRECISION, None)),
            }
        }
        (oid::INTERVAL, _) => Err(invalid("invalid INTERVAL type modifier")),
        _ => match oid::array_element(type_oid) {
            Some(element) if takes_typmod(element) => typmod_in(element, numbers),
            _ => Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                format!("type modifier is not allowed for type \"{}\"", format_type(type_oid, -1)),
            )),
        },
    }
}

fn character_typmod(name: &str, length: i32) -> Result<(TypeMod, Option<String>)> {
    if length < 1 {
        Err(invalid(format!("length for type {name} must be at least 1")))
    } else if length > CHARACTERS_MAX {
        Err(invalid(format!("length for type {name} cannot exceed {CHARACTERS_MAX}")))
    } else {
        Ok((length + 4, None))
    }
}

fn numeric_typmod(precision: i32, scale: i32) -> Result<(TypeMod, Option<String>)> {
    if !(1..=1000).contains(&precision) {
        return Err(invalid(format!("NUMERIC precision {precision} must be between 1 and 1000")));
    }
    if !(-1000..=1000).contains(&scale) {
        return Err(invalid(format!("NUMERIC scale {scale} must be between -1000 and 1000")));
    }
    Ok(((precision << 16 | (scale & 0x7ff)) + 4, None))
}

fn precision_typmod(name: &str, suffix: &str, precision: i32) -> Result<(TypeMod, Option<String>)> {
    if precision < 0 {
        return Err(invalid(format!("{name}({precision}){suffix} precision must not be negative")));
    }
    if precision > 6 {
        let warning = format!("{name}({precision}){suffix} precision reduced to maximum allowed, 6");
        return Ok((6, Some(warning)));
    }
    Ok((precision, None))
}

/// What follows the type's name: `(10,2)`, `(3) with time zone`, ` day to second(3)`; empty for a modifier of -1.
pub fn typmod_out(type_oid: Oid, typmod: TypeMod) -> String {
    let precision = if typmod < 0 { String::new() } else { format!("({typmod})") };
    match type_oid {
        oid::TIME | oid::TIMESTAMP => format!("{precision} without time zone"),
        oid::TIMETZ | oid::TIMESTAMPTZ => format!("{precision} with time zone"),
        _ if typmod < 0 => String::new(),
        oid::VARCHAR | oid::BPCHAR if typmod > 4 => format!("({})", typmod - 4),
        oid::NUMERIC => match precision_and_scale(typmod) {
            Some((precision, scale)) => format!("({precision},{scale})"),
            None => String::new(),
        },
        oid::INTERVAL => {
            let fields = interval_fields::name(typmod >> 16 & interval_fields::ALL).unwrap_or("");
            match typmod & interval_fields::NO_PRECISION {
                interval_fields::NO_PRECISION => fields.to_string(),
                precision => format!("{fields}({precision})"),
            }
        }
        oid::BIT | oid::VARBIT => precision,
        _ => String::new(),
    }
}

/// The SQL name of a built-in type, `???` for others: `character varying(10)`, `timestamp with time zone`,
/// `integer[]`. A modifier of -1 means that the declaration had none (so `bpchar`, not `character`, which would be
/// `character(1)`).
pub fn format_type(type_oid: Oid, typmod: TypeMod) -> String {
    if type_oid.is_none() {
        return "-".to_string();
    }
    if let Some(element) = oid::array_element(type_oid) {
        return format!("{}[]", format_type(element, typmod));
    }
    match type_oid {
        oid::BPCHAR if typmod < 4 => "bpchar".to_string(),
        oid::BIT if typmod < 0 => "\"bit\"".to_string(),
        oid::TIME | oid::TIMETZ => format!("time{}", typmod_out(type_oid, typmod)),
        oid::TIMESTAMP | oid::TIMESTAMPTZ => format!("timestamp{}", typmod_out(type_oid, typmod)),
        _ => match type_name(type_oid) {
            Some(name) => format!("{name}{}", typmod_out(type_oid, typmod)),
            None => "???".to_string(),
        },
    }
}

/// The SQL name of a built-in type that is not an array, without a modifier.
pub fn type_name(type_oid: Oid) -> Option<&'static str> {
    /// `oid<TAB>name` a line, in order of oid; from `format_type` of PostgreSQL 18.
    const NAMES: &str = include_str!("type_names.tsv");
    NAMES.lines().find_map(|line| {
        let (number, name) = line.split_once('\t')?;
        (number.parse() == Ok(type_oid.0)).then_some(name)
    })
}
