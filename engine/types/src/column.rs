//! Many values of one type: the unit of work of the executor.

use std::sync::Arc;

use crate::{Datum, Interval, Numeric, Oid, oid};

/// The physical class of a type: which [`ColumnData`] and [`Datum`] variant carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Physical {
    /// bool
    Bool,
    /// int2
    I16,
    /// int4, date
    I32,
    /// int8, time, timestamp, timestamptz
    I64,
    /// oid and its kin
    U32,
    /// float4
    F32,
    /// float8
    F64,
    /// numeric
    Numeric,
    /// text and its kin
    Text,
    /// bytea
    Bytes,
    /// interval
    Interval,
    /// uuid
    Uuid,
    /// everything else, one [`Datum`] a value
    Any,
}

impl Physical {
    /// The physical class of a type. Types that are not built in (enums, domains over others, composites, arrays)
    /// are `Any`.
    pub fn of(type_oid: Oid) -> Physical {
        match type_oid {
            oid::BOOL => Physical::Bool,
            oid::INT2 => Physical::I16,
            oid::INT4 | oid::DATE => Physical::I32,
            oid::INT8 | oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::XID8 => Physical::I64,
            oid::OID
            | oid::XID
            | oid::CID
            | oid::REGPROC
            | oid::REGPROCEDURE
            | oid::REGOPER
            | oid::REGOPERATOR
            | oid::REGCLASS
            | oid::REGTYPE
            | oid::REGROLE
            | oid::REGNAMESPACE
            | oid::REGCONFIG
            | oid::REGDICTIONARY
            | oid::REGCOLLATION => Physical::U32,
            oid::FLOAT4 => Physical::F32,
            oid::FLOAT8 => Physical::F64,
            oid::NUMERIC => Physical::Numeric,
            oid::TEXT
            | oid::VARCHAR
            | oid::BPCHAR
            | oid::NAME
            | oid::CHAR
            | oid::UNKNOWN
            | oid::CSTRING
            | oid::JSON
            | oid::PG_NODE_TREE => Physical::Text,
            oid::BYTEA => Physical::Bytes,
            oid::INTERVAL => Physical::Interval,
            oid::UUID => Physical::Uuid,
            _ => Physical::Any,
        }
    }
}

/// One bit a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    words: Vec<u64>,
    len: usize,
}

impl Bitmap {
    /// `len` bits, all `value`.
    pub fn new(len: usize, value: bool) -> Bitmap {
        let mut bitmap = Bitmap { words: vec![if value { u64::MAX } else { 0 }; len.div_ceil(64)], len };
        bitmap.clear_tail();
        bitmap
    }

    fn clear_tail(&mut self) {
        if !self.len.is_multiple_of(64)
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << (self.len % 64)) - 1;
        }
    }

    /// Number of bits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bit of row `row`.
    #[inline]
    pub fn get(&self, row: usize) -> bool {
        debug_assert!(row < self.len);
        self.words[row / 64] >> (row % 64) & 1 == 1
    }

    /// Sets the bit of row `row`.
    #[inline]
    pub fn set(&mut self, row: usize, value: bool) {
        debug_assert!(row < self.len);
        let bit = 1u64 << (row % 64);
        if value { self.words[row / 64] |= bit } else { self.words[row / 64] &= !bit }
    }

    /// Appends a bit.
    pub fn push(&mut self, value: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        self.len += 1;
        self.set(self.len - 1, value);
    }

    /// Sets every bit that is set in another bitmap of the same length.
    pub fn union(&mut self, other: &Bitmap) {
        assert_eq!(self.len, other.len, "bitmaps of the same rows");
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// Makes ones zeros and zeros ones.
    pub fn invert(&mut self) {
        self.words.iter_mut().for_each(|word| *word = !*word);
        self.clear_tail();
    }

    /// How many bits are one.
    pub fn count_ones(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The words, least significant bit first; bits behind the length are zero.
    pub fn words(&self) -> &[u64] {
        &self.words
    }
}

/// Strings or byte strings, back to back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteColumn {
    /// `len + 1` offsets into `bytes`.
    pub offsets: Vec<u32>,
    /// The contents. For text columns every slice between two offsets is valid UTF-8.
    pub bytes: Vec<u8>,
}

impl Default for ByteColumn {
    fn default() -> Self {
        ByteColumn { offsets: vec![0], bytes: Vec::new() }
    }
}

impl ByteColumn {
    /// Appends a value.
    pub fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.offsets.push(u32::try_from(self.bytes.len()).expect("a batch's strings are smaller than 4 GiB"));
    }

    /// The value of row `row`.
    #[inline]
    pub fn get(&self, row: usize) -> &[u8] {
        &self.bytes[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    /// The value of row `row` as text.
    #[inline]
    pub fn get_str(&self, row: usize) -> &str {
        std::str::from_utf8(self.get(row)).expect("text columns hold valid UTF-8")
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The values of a column, by physical class. The value at a NULL row is unspecified.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum ColumnData {
    Bool(Vec<bool>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U32(Vec<u32>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Numeric(Vec<Numeric>),
    Text(ByteColumn),
    Bytes(ByteColumn),
    Interval(Vec<Interval>),
    Uuid(Vec<[u8; 16]>),
    Any(Vec<Datum>),
}

/// Values of one type and which of them are NULL.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The values.
    pub data: ColumnData,
    /// One bit a row, set where the row is NULL; `None` when no row is.
    pub nulls: Option<Bitmap>,
}

macro_rules! each_data {
    ($value:expr, $vector:ident => $fixed:expr, $bytes:ident => $variable:expr) => {
        match $value {
            ColumnData::Bool($vector) => $fixed,
            ColumnData::I16($vector) => $fixed,
            ColumnData::I32($vector) => $fixed,
            ColumnData::I64($vector) => $fixed,
            ColumnData::U32($vector) => $fixed,
            ColumnData::F32($vector) => $fixed,
            ColumnData::F64($vector) => $fixed,
            ColumnData::Numeric($vector) => $fixed,
            ColumnData::Interval($vector) => $fixed,
            ColumnData::Uuid($vector) => $fixed,
            ColumnData::Any($vector) => $fixed,
            ColumnData::Text($bytes) | ColumnData::Bytes($bytes) => $variable,
        }
    };
}

impl Column {
    /// Number of rows.
    pub fn len(&self) -> usize {
        each_data!(&self.data, vector => vector.len(), bytes => bytes.len())
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the row is NULL.
    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.get(row))
    }

    /// The value of a row.
    pub fn get(&self, row: usize) -> Datum {
        if self.is_null(row) {
            return Datum::Null;
        }
        match &self.data {
            ColumnData::Bool(values) => Datum::Bool(values[row]),
            ColumnData::I16(values) => Datum::I16(values[row]),
            ColumnData::I32(values) => Datum::I32(values[row]),
            ColumnData::I64(values) => Datum::I64(values[row]),
            ColumnData::U32(values) => Datum::U32(values[row]),
            ColumnData::F32(values) => Datum::F32(values[row]),
            ColumnData::F64(values) => Datum::F64(values[row]),
            ColumnData::Numeric(values) => Datum::Numeric(values[row].clone()),
            ColumnData::Text(values) => Datum::Text(Arc::from(values.get_str(row))),
            ColumnData::Bytes(values) => Datum::Bytes(Arc::from(values.get(row))),
            ColumnData::Interval(values) => Datum::Interval(values[row]),
            ColumnData::Uuid(values) => Datum::Uuid(values[row]),
            ColumnData::Any(values) => values[row].clone(),
        }
    }
}
