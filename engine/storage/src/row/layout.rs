//! Layouts, and where the columns of a row lie under one.

use crate::coding::{Reader, Sink};

/// Global number of a layout; never reused, below 2^31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LayoutId(pub u32);

/// Set in a row's first word when its ends take four bytes each.
pub(super) const WIDE: u32 = 1 << 31;
/// Bytes of the first word.
pub(super) const WORD: usize = 4;

/// How a column is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PhysicalType {
    /// One byte, 0 or 1.
    Bool,
    /// Two bytes.
    Int16,
    /// Four bytes.
    Int32,
    /// Eight bytes.
    Int64,
    /// Sixteen bytes.
    Int128,
    /// IEEE 754 single.
    Float32,
    /// IEEE 754 double.
    Float64,
    /// Any number of bytes.
    Bytes,
}

impl PhysicalType {
    /// Bytes in the fixed-width section; `None` for a variable column.
    pub const fn width(self) -> Option<usize> {
        match self {
            PhysicalType::Bool => Some(1),
            PhysicalType::Int16 => Some(2),
            PhysicalType::Int32 | PhysicalType::Float32 => Some(4),
            PhysicalType::Int64 | PhysicalType::Float64 => Some(8),
            PhysicalType::Int128 => Some(16),
            PhysicalType::Bytes => None,
        }
    }

    const ALL: [PhysicalType; 8] = [
        PhysicalType::Bool,
        PhysicalType::Int16,
        PhysicalType::Int32,
        PhysicalType::Int64,
        PhysicalType::Int128,
        PhysicalType::Float32,
        PhysicalType::Float64,
        PhysicalType::Bytes,
    ];
}

/// The columns of a row as physical types. Immutable: ALTER TABLE makes a new one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    id: LayoutId,
    columns: Vec<PhysicalType>,
    /// For a fixed column its offset in the row; for a variable one its number among them.
    slots: Vec<u32>,
    /// Where the ends begin.
    ends: u32,
    variable: u32,
}

impl Layout {
    /// The layout of this number with these columns.
    ///
    /// # Panics
    /// If the number is not below 2^31.
    pub fn new(id: LayoutId, columns: Vec<PhysicalType>) -> Layout {
        assert!(id.0 & WIDE == 0, "layout ids are below 2^31");
        let mut offset = (WORD + columns.len().div_ceil(8)) as u32;
        let mut variable = 0;
        let mut slots = Vec::with_capacity(columns.len());
        for column in &columns {
            match column.width() {
                Some(width) => {
                    slots.push(offset);
                    offset += width as u32;
                }
                None => {
                    slots.push(variable);
                    variable += 1;
                }
            }
        }
        Layout { id, columns, slots, ends: offset, variable }
    }

    /// Its number.
    pub fn id(&self) -> LayoutId {
        self.id
    }

    /// Its columns, in order.
    pub fn columns(&self) -> &[PhysicalType] {
        &self.columns
    }

    pub(super) fn slot(&self, column: usize) -> usize {
        self.slots[column] as usize
    }

    pub(super) fn ends(&self) -> usize {
        self.ends as usize
    }

    pub(super) fn variable_columns(&self) -> usize {
        self.variable as usize
    }

    /// Appends the layout to a log record or a manifest edit.
    pub(crate) fn encode(&self, out: &mut impl Sink) {
        out.put_varint(u64::from(self.id.0));
        out.put_varint(self.columns.len() as u64);
        for column in &self.columns {
            out.put_u8(*column as u8);
        }
    }

    /// The reverse of [`Layout::encode`].
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Layout> {
        let id = u32::try_from(reader.varint()?).ok().filter(|id| id & WIDE == 0)?;
        let count = reader.varint_usize()?;
        let columns = reader.take(count)?;
        let columns = columns.iter().map(|&tag| PhysicalType::ALL.get(usize::from(tag)).copied());
        Some(Layout::new(LayoutId(id), columns.collect::<Option<Vec<_>>>()?))
    }
}
