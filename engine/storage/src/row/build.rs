//! Encoding rows.

use bytes::Bytes;
use smallvec::SmallVec;

use super::layout::{WIDE, WORD};
use super::{ColumnValue, Layout, PhysicalType};

/// Builds rows of one layout, column by column; reusable.
#[derive(Debug)]
pub struct RowBuilder<'a> {
    layout: &'a Layout,
    /// Everything up to the ends.
    front: Vec<u8>,
    ends: SmallVec<[u32; 8]>,
    variable: Vec<u8>,
    column: usize,
}

impl<'a> RowBuilder<'a> {
    /// A builder at the first column.
    pub fn new(layout: &'a Layout) -> RowBuilder<'a> {
        RowBuilder { layout, front: vec![0; layout.ends()], ends: SmallVec::new(), variable: Vec::new(), column: 0 }
    }

    /// The next column's value.
    ///
    /// # Panics
    /// If the layout has no further column, or one of another type.
    pub fn push(&mut self, value: ColumnValue<'_>) {
        let slot = self.layout.slot(self.column);
        let kind = self.layout.columns()[self.column];
        match (kind, value) {
            (_, ColumnValue::Null) => {
                self.front[WORD + self.column / 8] |= 1 << (self.column % 8);
                if kind == PhysicalType::Bytes {
                    self.end_variable();
                }
            }
            (PhysicalType::Bool, ColumnValue::Bool(value)) => self.front[slot] = u8::from(value),
            (PhysicalType::Int16, ColumnValue::Int16(value)) => self.fixed(slot, &value.to_le_bytes()),
            (PhysicalType::Int32, ColumnValue::Int32(value)) => self.fixed(slot, &value.to_le_bytes()),
            (PhysicalType::Int64, ColumnValue::Int64(value)) => self.fixed(slot, &value.to_le_bytes()),
            (PhysicalType::Int128, ColumnValue::Int128(value)) => self.fixed(slot, &value.to_le_bytes()),
            (PhysicalType::Float32, ColumnValue::Float32(value)) => self.fixed(slot, &value.to_le_bytes()),
            (PhysicalType::Float64, ColumnValue::Float64(value)) => self.fixed(slot, &value.to_le_bytes()),
            (PhysicalType::Bytes, ColumnValue::Bytes(value)) => {
                self.variable.extend_from_slice(value);
                self.end_variable();
            }
            (kind, value) => panic!("column {} is stored as {kind:?}, not as {value:?}", self.column),
        }
        self.column += 1;
    }

    /// The row; the builder is at the first column again.
    ///
    /// # Panics
    /// If columns are missing, or the variable section is 4 GiB long.
    pub fn finish(&mut self) -> Bytes {
        assert_eq!(self.column, self.layout.columns().len(), "every column of the layout has a value");
        let wide = self.variable.len() > usize::from(u16::MAX);
        let id = self.layout.id().0 | if wide { WIDE } else { 0 };
        self.front[..WORD].copy_from_slice(&id.to_le_bytes());
        let width = if wide { 4 } else { 2 };
        let mut row = Vec::with_capacity(self.front.len() + self.ends.len() * width + self.variable.len());
        row.extend_from_slice(&self.front);
        for end in &self.ends {
            row.extend_from_slice(&end.to_le_bytes()[..width]);
        }
        row.extend_from_slice(&self.variable);
        self.front.fill(0);
        self.ends.clear();
        self.variable.clear();
        self.column = 0;
        row.into()
    }

    fn fixed(&mut self, slot: usize, bytes: &[u8]) {
        self.front[slot..slot + bytes.len()].copy_from_slice(bytes);
    }

    fn end_variable(&mut self) {
        self.ends.push(u32::try_from(self.variable.len()).expect("a row is shorter than 4 GiB"));
    }
}
