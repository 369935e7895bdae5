//! One value.

use std::sync::Arc;

use crate::Oid;

/// A value in its physical form. The SQL type is the context's business:
///
/// | variant | SQL types |
/// |---|---|
/// | `Bool` | bool |
/// | `I16` | int2 |
/// | `I32` | int4, date (days since 2000-01-01; `i32::MIN`/`MAX` are -/+infinity) |
/// | `I64` | int8, time, timestamp, timestamptz (microseconds since 2000-01-01; `i64::MIN`/`MAX` are -/+infinity), xid8 |
/// | `U32` | oid, the reg* types, xid, cid |
/// | `F32`, `F64` | float4, float8 |
/// | `Numeric` | numeric |
/// | `Text` | text, varchar, bpchar (blank-padded to its length), name, "char", unknown, cstring, json, pg_node_tree |
/// | `Bytes` | bytea |
/// | `Interval`, `Uuid` | interval, uuid |
/// | `Array` | every array type, int2vector, oidvector |
/// | `Record` | composite values |
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// SQL NULL of any type.
    Null,
    /// See the table above.
    Bool(bool),
    /// See the table above.
    I16(i16),
    /// See the table above.
    I32(i32),
    /// See the table above.
    I64(i64),
    /// See the table above.
    U32(u32),
    /// See the table above.
    F32(f32),
    /// See the table above.
    F64(f64),
    /// See the table above.
    Numeric(Numeric),
    /// See the table above.
    Text(Arc<str>),
    /// See the table above.
    Bytes(Arc<[u8]>),
    /// See the table above.
    Interval(Interval),
    /// See the table above.
    Uuid([u8; 16]),
    /// See the table above.
    Array(Arc<Array>),
    /// See the table above.
    Record(Arc<[Datum]>),
}

/// PostgreSQL's interval: three fields that do not convert into one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Interval {
    /// Months.
    pub months: i32,
    /// Days.
    pub days: i32,
    /// Microseconds.
    pub micros: i64,
}

/// An arbitrary-precision decimal with PostgreSQL's display scale, NaN and infinities.
#[derive(Clone, Debug, PartialEq)]
pub struct Numeric;

/// A PostgreSQL array: any number of dimensions, each with a lower bound, elements in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Type of the elements.
    pub element_type: Oid,
    /// Length and lower bound of each dimension; empty for the empty array.
    pub dimensions: Vec<(i32, i32)>,
    /// The elements.
    pub elements: Vec<Datum>,
}

impl Datum {
    /// Whether this is SQL NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Datum::Null)
    }

    /// A text value.
    pub fn text(text: impl Into<Arc<str>>) -> Datum {
        Datum::Text(text.into())
    }
}
