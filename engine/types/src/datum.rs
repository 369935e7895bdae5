//! One value.

use std::sync::Arc;

use crate::{Numeric, Oid};

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
/// | `TimeTz` | timetz |
/// | `Record` | composite values |
///
/// A value of type void is an empty `Text`.
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
    TimeTz(TimeTz),
    /// See the table above.
    Record(Arc<Record>),
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

/// PostgreSQL's timetz: a time of day and the zone it was said in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeTz {
    /// Microseconds since midnight, local to the zone.
    pub micros: i64,
    /// Seconds *west* of UTC, as PostgreSQL stores it: `+01` is -3600.
    pub zone: i32,
}

/// A composite value. Like PostgreSQL's, it carries the types of its fields, so that an anonymous record can be
/// printed, sent and compared without a catalog.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Type of each field.
    pub types: Arc<[Oid]>,
    /// The fields.
    pub values: Vec<Datum>,
}

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

    /// A composite value of these types and fields.
    pub fn record(types: impl Into<Arc<[Oid]>>, values: Vec<Datum>) -> Datum {
        let types = types.into();
        assert_eq!(types.len(), values.len(), "a record has one type a field");
        Datum::Record(Arc::new(Record { types, values }))
    }

    /// Bytes that the value keeps outside of itself.
    pub fn heap_memory(&self) -> usize {
        match self {
            Datum::Text(text) => text.len() + 16,
            Datum::Bytes(bytes) => bytes.len() + 16,
            Datum::Numeric(numeric) => numeric.heap_memory(),
            Datum::Array(array) => size_of::<Array>() + array.dimensions.len() * 8 + memory_of(&array.elements),
            Datum::Record(record) => size_of::<Record>() + memory_of(&record.values),
            _ => 0,
        }
    }
}

fn memory_of(values: &[Datum]) -> usize {
    values.iter().map(|value| size_of::<Datum>() + value.heap_memory()).sum()
}

impl Array {
    /// A one-dimensional array with lower bound 1; the empty array when there are no elements.
    pub fn vector(element_type: Oid, elements: Vec<Datum>) -> Array {
        let length = i32::try_from(elements.len()).expect("an array has fewer than 2^31 elements");
        let dimensions = if length == 0 { Vec::new() } else { vec![(length, 1)] };
        Array { element_type, dimensions, elements }
    }
}
