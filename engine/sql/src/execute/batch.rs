//! A batch: up to [`BATCH_ROWS`] rows as columns, what operators hand to one another.
//!
//! Columns are shared, so that passing one on costs a reference count. A batch carries no selection vector: whoever
//! drops rows gathers the columns that go on, which are few, and everything behind it runs over dense values.

use std::sync::Arc;

use helios_types::{Column, Datum, Oid};

/// Rows of a full batch.
pub const BATCH_ROWS: usize = 1024;

/// A shared column.
pub type ColumnRef = Arc<Column>;

/// Some rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    columns: Vec<ColumnRef>,
    rows: usize,
}

impl Batch {
    /// Rows of these columns, which are all `rows` long. There may be no columns at all.
    pub fn new(columns: Vec<ColumnRef>, rows: usize) -> Batch {
        debug_assert!(columns.iter().all(|column| column.len() == rows), "every column of a batch has its rows");
        Batch { columns, rows }
    }

    /// A single row.
    pub fn of_row(types: &[Oid], row: &[Datum]) -> Batch {
        debug_assert_eq!(types.len(), row.len());
        let columns = types.iter().zip(row).map(|(oid, value)| Arc::new(Column::constant(*oid, value, 1))).collect();
        Batch::new(columns, 1)
    }

    /// Rows of Datums, for tests and for sources that compute row by row.
    pub fn of_rows(types: &[Oid], rows: &[Vec<Datum>]) -> Batch {
        let columns = types
            .iter()
            .enumerate()
            .map(|(index, oid)| Arc::new(Column::from_datums(*oid, rows.iter().map(|row| &row[index]))))
            .collect();
        Batch::new(columns, rows.len())
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns.
    pub fn columns(&self) -> &[ColumnRef] {
        &self.columns
    }

    /// A column.
    pub fn column(&self, index: usize) -> &ColumnRef {
        &self.columns[index]
    }

    /// The columns, given away.
    pub fn into_columns(self) -> Vec<ColumnRef> {
        self.columns
    }

    /// One row as Datums.
    pub fn row(&self, row: usize) -> Vec<Datum> {
        self.columns.iter().map(|column| column.get(row)).collect()
    }

    /// The rows at these positions, in this order.
    #[must_use]
    pub fn gather(&self, rows: &[u32]) -> Batch {
        Batch { columns: self.columns.iter().map(|column| Arc::new(column.gather(rows))).collect(), rows: rows.len() }
    }

    /// Rows `from .. from + len`.
    #[must_use]
    pub fn slice(&self, from: usize, len: usize) -> Batch {
        if from == 0 && len == self.rows {
            return self.clone();
        }
        Batch { columns: self.columns.iter().map(|column| Arc::new(column.slice(from, len))).collect(), rows: len }
    }

    /// The same rows with more columns behind.
    #[must_use]
    pub fn with_columns(&self, more: impl IntoIterator<Item = ColumnRef>) -> Batch {
        let mut columns = Vec::with_capacity(self.columns.len() + 4);
        columns.extend_from_slice(&self.columns);
        columns.extend(more);
        Batch::new(columns, self.rows)
    }

    /// About how many bytes it occupies.
    pub fn memory(&self) -> usize {
        self.columns.iter().map(|column| column.memory()).sum()
    }
}
