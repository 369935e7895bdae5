//! Reading rows in place.

use std::ops::Range;

use super::layout::{WIDE, WORD};
use super::{Layout, LayoutId, PhysicalType};

/// One column of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ColumnValue<'a> {
    /// The row is older than the column.
    Absent,
    /// NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// Two bytes.
    Int16(i16),
    /// Four bytes.
    Int32(i32),
    /// Eight bytes.
    Int64(i64),
    /// Sixteen bytes.
    Int128(i128),
    /// Single precision.
    Float32(f32),
    /// Double precision.
    Float64(f64),
    /// Any number of bytes.
    Bytes(&'a [u8]),
}

/// Bytes that are no row of the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The row is of another layout.
    #[error("the row has layout {found:?}, not {expected:?}")]
    OtherLayout {
        /// The layout that the row names.
        found: LayoutId,
        /// The layout asked for.
        expected: LayoutId,
    },
    /// The row is shorter than its layout requires, or its ends do not ascend.
    #[error("the row is malformed")]
    Malformed,
}

/// A row, read in place.
#[derive(Clone, Copy, Debug)]
pub struct RowRef<'a> {
    layout: &'a Layout,
    bytes: &'a [u8],
    /// Width of one end.
    width: usize,
}

impl<'a> RowRef<'a> {
    /// The layout that a row names; `None` when the bytes are too short to be a row.
    pub fn layout_id(bytes: &[u8]) -> Option<LayoutId> {
        Some(LayoutId(u32::from_le_bytes(*bytes.first_chunk()?) & !WIDE))
    }

    /// A row of `layout`. Checks lengths, so that [`RowRef::column`] cannot fail.
    pub fn new(layout: &'a Layout, bytes: &'a [u8]) -> Result<RowRef<'a>, RowError> {
        let word = u32::from_le_bytes(*bytes.first_chunk().ok_or(RowError::Malformed)?);
        let found = LayoutId(word & !WIDE);
        if found != layout.id() {
            return Err(RowError::OtherLayout { found, expected: layout.id() });
        }
        let row = RowRef { layout, bytes, width: if word & WIDE == 0 { 2 } else { 4 } };
        let ends = layout.ends() + layout.variable_columns() * row.width;
        if bytes.len() < ends {
            return Err(RowError::Malformed);
        }
        let mut last = 0;
        for number in 0..layout.variable_columns() {
            let end = row.end(number);
            if end < last {
                return Err(RowError::Malformed);
            }
            last = end;
        }
        if ends + last == bytes.len() { Ok(row) } else { Err(RowError::Malformed) }
    }

    /// Whether `column` is NULL; not so for one that is absent.
    pub fn is_null(&self, column: usize) -> bool {
        column < self.layout.columns().len() && self.bytes[WORD + column / 8] & (1 << (column % 8)) != 0
    }

    /// The value of `column`.
    pub fn column(&self, column: usize) -> ColumnValue<'a> {
        let Some(kind) = self.layout.columns().get(column) else { return ColumnValue::Absent };
        if self.is_null(column) {
            return ColumnValue::Null;
        }
        let slot = self.layout.slot(column);
        match kind {
            PhysicalType::Bool => ColumnValue::Bool(self.bytes[slot] != 0),
            PhysicalType::Int16 => ColumnValue::Int16(i16::from_le_bytes(self.fixed(slot))),
            PhysicalType::Int32 => ColumnValue::Int32(i32::from_le_bytes(self.fixed(slot))),
            PhysicalType::Int64 => ColumnValue::Int64(i64::from_le_bytes(self.fixed(slot))),
            PhysicalType::Int128 => ColumnValue::Int128(i128::from_le_bytes(self.fixed(slot))),
            PhysicalType::Float32 => ColumnValue::Float32(f32::from_le_bytes(self.fixed(slot))),
            PhysicalType::Float64 => ColumnValue::Float64(f64::from_le_bytes(self.fixed(slot))),
            PhysicalType::Bytes => ColumnValue::Bytes(&self.bytes[self.variable(slot)]),
        }
    }

    /// Where the bytes of a variable column lie in the row, so that they can be sliced out without a copy; `None`
    /// when it is NULL, absent or of fixed width.
    pub fn bytes_range(&self, column: usize) -> Option<Range<usize>> {
        let variable = self.layout.columns().get(column) == Some(&PhysicalType::Bytes) && !self.is_null(column);
        variable.then(|| self.variable(self.layout.slot(column)))
    }

    fn fixed<const N: usize>(&self, slot: usize) -> [u8; N] {
        *self.bytes[slot..].first_chunk().expect("the length was checked against the layout")
    }

    fn variable(&self, number: usize) -> Range<usize> {
        let section = self.layout.ends() + self.layout.variable_columns() * self.width;
        let start = if number == 0 { 0 } else { self.end(number - 1) };
        section + start..section + self.end(number)
    }

    fn end(&self, number: usize) -> usize {
        let at = self.layout.ends() + number * self.width;
        if self.width == 2 {
            usize::from(u16::from_le_bytes(self.fixed(at)))
        } else {
            u32::from_le_bytes(self.fixed(at)) as usize
        }
    }
}
