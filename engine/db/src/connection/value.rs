//! Rust values as SQL values and back.
//!
//! A parameter has the type that the statement gives it; [`ToSql`] makes a value of that type, or refuses. A string
//! goes into any type, as a literal does: dates, numbers, uuids and so on. [`FromSql`] reads a column's value; any value
//! can be read as a [`String`], in PostgreSQL's text form.

use helios_types::io::{InputContext, Style};
use helios_types::{Datum, Numeric, Oid, PgError, Result, SqlState, oid};

/// A value of any of the types that Rust has a word for.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Value {
    Null,
    Bool(bool),
    I64(i64),
    F64(f64),
    Text(String),
    Bytes(Vec<u8>),
    Uuid([u8; 16]),
}

/// Days since 2000-01-01: a date without a calendar library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(pub i32);

/// Microseconds since 2000-01-01 00:00 (UTC, for timestamptz): a timestamp without a calendar library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// What can be a parameter.
pub trait ToSql: Sync {
    /// The value, as one of this type.
    ///
    /// # Errors
    ///
    /// When it does not fit the type.
    fn to_datum(&self, type_oid: Oid) -> Result<Datum>;
}

/// What can be read from a row.
pub trait FromSql: Sized {
    /// The value of this type.
    ///
    /// # Errors
    ///
    /// When it does not fit.
    fn from_datum(type_oid: Oid, value: &Datum) -> Result<Self>;
}

fn type_name(type_oid: Oid) -> String {
    helios_types::format_type(type_oid, -1)
}

fn cannot_give(what: &str, type_oid: Oid) -> PgError {
    PgError::new(SqlState::CANNOT_COERCE, format!("cannot use {what} as a parameter of type {}", type_name(type_oid)))
}

fn cannot_read(type_oid: Oid, value: &Datum, what: &str) -> PgError {
    let from = if value.is_null() { "NULL".to_owned() } else { format!("a value of type {}", type_name(type_oid)) };
    PgError::new(SqlState::CANNOT_COERCE, format!("cannot read {from} as {what}"))
}

fn out_of_range(type_oid: Oid) -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{} out of range", type_name(type_oid)))
}

fn text_input(text: &str, type_oid: Oid) -> Result<Datum> {
    let style = Style::default();
    helios_types::io::input(type_oid, -1, text, &InputContext::new(&style, 0))
}

fn is_text(type_oid: Oid) -> bool {
    matches!(type_oid, oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::UNKNOWN | oid::JSON)
}

fn integer(value: i64, type_oid: Oid) -> Result<Datum> {
    let outside = |_| out_of_range(type_oid);
    Ok(match type_oid {
        oid::INT2 => Datum::I16(i16::try_from(value).map_err(outside)?),
        oid::INT4 => Datum::I32(i32::try_from(value).map_err(outside)?),
        oid::INT8 => Datum::I64(value),
        oid::OID => Datum::U32(u32::try_from(value).map_err(outside)?),
        oid::NUMERIC => Datum::Numeric(Numeric::parse(&value.to_string())?),
        #[allow(clippy::cast_precision_loss)]
        oid::FLOAT4 => Datum::F32(value as f32),
        #[allow(clippy::cast_precision_loss)]
        oid::FLOAT8 => Datum::F64(value as f64),
        _ if is_text(type_oid) => Datum::text(value.to_string()),
        _ => return Err(cannot_give("an integer", type_oid)),
    })
}

macro_rules! integers {
    ($($of:ty),*) => {
        $(
            impl ToSql for $of {
                fn to_datum(&self, type_oid: Oid) -> Result<Datum> {
                    integer(i64::from(*self), type_oid)
                }
            }
            impl FromSql for $of {
                fn from_datum(type_oid: Oid, value: &Datum) -> Result<Self> {
                    let wide: i64 = match value {
                        Datum::I16(value) => i64::from(*value),
                        Datum::I32(value) if type_oid != oid::DATE => i64::from(*value),
                        Datum::I64(value) if matches!(type_oid, oid::INT8 | oid::XID8) => *value,
                        Datum::U32(value) => i64::from(*value),
                        _ => return Err(cannot_read(type_oid, value, stringify!($of))),
                    };
                    <$of>::try_from(wide).map_err(|_| out_of_range(type_oid))
                }
            }
        )*
    };
}

integers!(i16, i32, i64, u32);

impl ToSql for f64 {
    fn to_datum(&self, type_oid: Oid) -> Result<Datum> {
        Ok(match type_oid {
            oid::FLOAT8 => Datum::F64(*self),
            #[allow(clippy::cast_possible_truncation)]
            oid::FLOAT4 => Datum::F32(*self as f32),
            oid::NUMERIC => Datum::Numeric(Numeric::parse(&self.to_string())?),
            _ if is_text(type_oid) => Datum::text(self.to_string()),
            _ => return Err(cannot_give("a float", type_oid)),
        })
    }
}

impl ToSql for f32 {
    fn to_datum(&self, type_oid: Oid) -> Result<Datum> {
        match type_oid {
            oid::FLOAT4 => Ok(Datum::F32(*self)),
            _ => f64::from(*self).to_datum(type_oid),
        }
    }
}

impl FromSql for f64 {
    fn from_datum(type_oid: Oid, value: &Datum) -> Result<Self> {
        match value {
            Datum::F64(value) => Ok(*value),
            Datum::F32(value) => Ok(f64::from(*value)),
            Datum::I16(value) => Ok(f64::from(*value)),
            Datum::I32(value) if type_oid == oid::INT4 => Ok(f64::from(*value)),
            Datum::Numeric(_) => {
                let text = String::from_datum(type_oid, value)?;
                text.parse().map_err(|_| cannot_read(type_oid, value, "f64"))
            }
            _ => Err(cannot_read(type_oid, value, "f64")),
        }
    }
}

impl FromSql for f32 {
    fn from_datum(type_oid: Oid, value: &Datum) -> Result<Self> {
        match value {
            Datum::F32(value) => Ok(*value),
            _ => Err(cannot_read(type_oid, value, "f32")),
        }
    }
}

impl ToSql for bool {
    fn to_datum(&self, type_oid: Oid) -> Result<Datum> {
        match type_oid {
            oid::BOOL => Ok(Datum::Bool(*self)),
            _ if is_text(type_oid) => Ok(Datum::text(if *self { "true" } else { "false" })),
            _ => Err(cannot_give("a bool", type_oid)),
        }
    }
}

impl FromSql for bool {
    fn from_datum(type_oid: Oid, value: &Datum) -> Result<Self> {
        match value {
            Datum::Bool(value) => Ok(*value),
            _ => Err(cannot_read(type_oid, value, "bool")),
        }
    }
}

impl ToSql for str {
    fn to_datum(&self, type_oid: Oid) -> Result<Datum> {
        text_input(self, type_oid)
    }
}

impl ToSql for &str {
    fn to_datum(&self, type_oid: Oid) -> Result<Datum> {
        text_input(self, type_oid)
    }
}

impl ToSql for String {
    fn to_datum(&self, type_oid: Oid) -> Result<Datum> {
        text_input(self, type_oid)
    }
}

impl FromSql for String {
    fn from_datum(type_oid: Oid, value: &Datum) -> Result<Self> {
        match value {
            Datum::Null => Err(cannot_read(type_oid, value, "String")),
            Datum::Text(text) if is_text(type_oid) => Ok(text.to_string()),
            _ => {
                let mut text = String::new();
                helios_types::io::output(type_oid, value, &Style::default(), &mut text);
                Ok(text)
            }
        }
    }
}

impl ToSql for [u8] {
    fn to_datum(&self, type_oid: Oid) -> Result<Datum> {
        match type_oid {
            oid::BYTEA => Ok(Datum::Bytes(self.into())),
            _ => Err(cannot_give("bytes", type_oid)),
        }
    }
}

impl ToSql for &[u8] {
    fn to_datum(&self, type_oid: Oid) -> Result<Datum> {
        (**self).to_datum(type_oid)
    }
}

impl ToSql for Vec<u8> {
    fn to_datum(&self, type_oid: Oid) -> Result<Datum> {
        self.as_slice().to_datum(type_oid)
    }
}

impl FromSql for Vec<u8> {
    fn from_datum(type_oid: Oid, value: &Datum) -> Result<Self> {
        match value {
            Datum::Bytes(bytes) => Ok(bytes.to_vec()),
            _ => Err(cannot_read(type_oid, value, "Vec<u8>")),
        }
    }
}

impl ToSql for [u8; 16] {
    fn to_datum(&self, type_oid: Oid) -> Result<Datum> {
        match type_oid {
            oid::UUID => Ok(Datum::Uuid(*self)),
            _ => self.as_slice().to_datum(type_oid),
        }
    }
}

impl FromSql for [u8; 16] {
    fn from_datum(type_oid: Oid, value: &Datum) -> Result<Self> {
        match value {
            Datum::Uuid(uuid) => Ok(*uuid),
            _ => Err(cannot_read(type_oid, value, "[u8; 16]")),
        }
    }
}

impl ToSql for Date {
    fn to_datum(&self, type_oid: Oid) -> Result<Datum> {
        match type_oid {
            oid::DATE => Ok(Datum::I32(self.0)),
            _ => Err(cannot_give("a date", type_oid)),
        }
    }
}

impl FromSql for Date {
    fn from_datum(type_oid: Oid, value: &Datum) -> Result<Self> {
        match value {
            Datum::I32(days) if type_oid == oid::DATE => Ok(Date(*days)),
            _ => Err(cannot_read(type_oid, value, "Date")),
        }
    }
}

impl ToSql for Timestamp {
    fn to_datum(&self, type_oid: Oid) -> Result<Datum> {
        match type_oid {
            oid::TIMESTAMP | oid::TIMESTAMPTZ => Ok(Datum::I64(self.0)),
            _ => Err(cannot_give("a timestamp", type_oid)),
        }
    }
}

impl FromSql for Timestamp {
    fn from_datum(type_oid: Oid, value: &Datum) -> Result<Self> {
        match value {
            Datum::I64(micros) if matches!(type_oid, oid::TIMESTAMP | oid::TIMESTAMPTZ) => Ok(Timestamp(*micros)),
            _ => Err(cannot_read(type_oid, value, "Timestamp")),
        }
    }
}

impl<T: ToSql> ToSql for Option<T> {
    fn to_datum(&self, type_oid: Oid) -> Result<Datum> {
        self.as_ref().map_or(Ok(Datum::Null), |value| value.to_datum(type_oid))
    }
}

impl<T: FromSql> FromSql for Option<T> {
    fn from_datum(type_oid: Oid, value: &Datum) -> Result<Self> {
        if value.is_null() { Ok(None) } else { T::from_datum(type_oid, value).map(Some) }
    }
}

impl ToSql for Value {
    fn to_datum(&self, type_oid: Oid) -> Result<Datum> {
        match self {
            Value::Null => Ok(Datum::Null),
            Value::Bool(value) => value.to_datum(type_oid),
            Value::I64(value) => value.to_datum(type_oid),
            Value::F64(value) => value.to_datum(type_oid),
            Value::Text(value) => value.to_datum(type_oid),
            Value::Bytes(value) => value.to_datum(type_oid),
            Value::Uuid(value) => value.to_datum(type_oid),
        }
    }
}

impl FromSql for Value {
    fn from_datum(type_oid: Oid, value: &Datum) -> Result<Self> {
        Ok(match value {
            Datum::Null => Value::Null,
            Datum::Bool(value) => Value::Bool(*value),
            Datum::F32(value) => Value::F64(f64::from(*value)),
            Datum::F64(value) => Value::F64(*value),
            Datum::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Datum::Uuid(uuid) => Value::Uuid(*uuid),
            Datum::I16(_) | Datum::U32(_) => Value::I64(i64::from_datum(type_oid, value)?),
            Datum::I32(_) if type_oid == oid::INT4 => Value::I64(i64::from_datum(type_oid, value)?),
            Datum::I64(_) if type_oid == oid::INT8 => Value::I64(i64::from_datum(type_oid, value)?),
            _ => Value::Text(String::from_datum(type_oid, value)?),
        })
    }
}
