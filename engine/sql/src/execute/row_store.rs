//! Rows that an operator keeps: each column in one piece, so that rows are gathered from it by number.

use std::sync::Arc;

use helios_types::{Column, ColumnData, Oid, PgError, Result, SqlState};

use super::batch::Batch;
use super::memory::{MemoryBudget, Reservation};

/// Kept rows, by number.
pub(crate) struct RowStore {
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
    memory: Reservation,
}

impl RowStore {
    /// No rows of these types.
    pub(crate) fn new(types: &[Oid], budget: &Arc<MemoryBudget>) -> RowStore {
        RowStore {
            columns: types.iter().map(|oid| Column::empty(*oid)).collect(),
            rows: 0,
            bytes: 0,
            memory: Reservation::new(budget),
        }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// The columns.
    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Keeps the rows of a batch, and `extra_bytes` of whatever else its owner keeps for them.
    pub(crate) fn append(&mut self, batch: &Batch, extra_bytes: usize) -> Result<()> {
        self.bytes += batch.memory() + extra_bytes;
        // A growing vector is copied into one of twice its size.
        self.memory.resize(self.bytes * 2)?;
        let rows = self.rows + batch.rows();
        if u32::try_from(rows).is_err() {
            return Err(too_large());
        }
        for (kept, column) in self.columns.iter_mut().zip(batch.columns()) {
            if let (ColumnData::Text(a) | ColumnData::Bytes(a), ColumnData::Text(b) | ColumnData::Bytes(b)) =
                (&kept.data, &column.data)
                && u32::try_from(a.bytes.len() + b.bytes.len()).is_err()
            {
                return Err(too_large());
            }
            kept.append(column);
        }
        self.rows = rows;
        Ok(())
    }

    /// Makes the rows those at these positions, in this order.
    pub(crate) fn retain(&mut self, rows: &[u32]) {
        self.columns.iter_mut().for_each(|column| *column = column.gather(rows));
        self.rows = rows.len();
        self.bytes = self.columns.iter().map(Column::memory).sum();
    }

    /// The rows at these positions.
    pub(crate) fn gather(&self, rows: &[u32]) -> Batch {
        Batch::new(self.columns.iter().map(|column| Arc::new(column.gather(rows))).collect(), rows.len())
    }

    /// Forgets all rows.
    pub(crate) fn clear(&mut self) {
        self.columns.iter_mut().for_each(|column| *column = column.slice(0, 0));
        self.rows = 0;
        self.bytes = 0;
        self.memory.clear();
    }
}

fn too_large() -> PgError {
    PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "an intermediate result is larger than 4 GB in one column")
}
