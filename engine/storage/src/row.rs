//! Rows: columns as physical types under an immutable layout.

/// Global number of a layout; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LayoutId(pub u32);

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

/// The columns of a row as physical types. Immutable: ALTER TABLE makes a new one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Its number.
    pub id: LayoutId,
    /// Its columns, in order.
    pub columns: Vec<PhysicalType>,
}
