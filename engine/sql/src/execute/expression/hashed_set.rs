//! The rows of an uncorrelated `IN (SELECT ...)`, looked up by hash, with SQL's three-valued answer.
//!
//! ```text
//!   found                                     true
//!   not found, and no NULL on either side     false
//!   not found, but some row would be equal    NULL
//!     if its NULLs (or ours) were something
//! ```

use std::sync::Arc;

use helios_types::{Bitmap, Column, ColumnData, Datum, Oid, Result};

use crate::execute::batch::{Batch, ColumnRef};
use crate::execute::hashing::{KeyTable, NO_KEY, of_row};
use crate::execute::memory::{MemoryBudget, Reservation};
use crate::expr::ExprType;

/// Rows of an uncorrelated subquery.
#[derive(Debug)]
pub(crate) struct HashedSet {
    types: Vec<Oid>,
    table: KeyTable,
    /// Rows in which something is NULL; with several columns all of them, by key bytes.
    null_rows: Vec<Vec<Option<Vec<u8>>>>,
    /// All rows, when there are several columns, by key bytes: a NULL on the left is compared with each.
    all_rows: Vec<Vec<Option<Vec<u8>>>>,
    empty: bool,
    memory: Reservation,
    numbers: Vec<u32>,
}

impl HashedSet {
    pub(crate) fn new(types: &[ExprType], budget: &Arc<MemoryBudget>) -> HashedSet {
        let types: Vec<Oid> = types.iter().map(|ty| ty.oid).collect();
        HashedSet {
            table: KeyTable::new(&types, false),
            types,
            null_rows: Vec::new(),
            all_rows: Vec::new(),
            empty: true,
            memory: Reservation::new(budget),
            numbers: Vec::new(),
        }
    }

    /// Adds the rows of a batch.
    pub(crate) fn add(&mut self, batch: &Batch) -> Result<()> {
        if batch.rows() == 0 {
            return Ok(());
        }
        self.empty = false;
        let columns = &batch.columns()[..self.types.len()];
        self.memory.resize(self.table.memory() + self.kept_memory() + batch.memory() * 2)?;
        self.table.insert(columns, batch.rows(), &mut self.numbers);
        let several = columns.len() > 1;
        for row in 0..batch.rows() {
            let null = columns.iter().any(|column| column.is_null(row));
            if null && (several || self.null_rows.is_empty()) {
                self.null_rows.push(of_row(columns, row, &self.types));
            }
            if several {
                self.all_rows.push(of_row(columns, row, &self.types));
            }
        }
        self.memory.resize(self.table.memory() + self.kept_memory())
    }

    fn kept_memory(&self) -> usize {
        (self.null_rows.len() + self.all_rows.len()) * self.types.len() * 64
    }

    /// `values IN (rows)`.
    pub(crate) fn contains(&self, values: &[Datum]) -> Result<Datum> {
        let columns: Vec<ColumnRef> =
            self.types.iter().zip(values).map(|(oid, value)| Arc::new(Column::constant(*oid, value, 1))).collect();
        Ok(self.contains_rows(&columns, 1).get(0))
    }

    /// `columns IN (rows)`, for each row.
    pub(crate) fn contains_rows(&self, columns: &[ColumnRef], rows: usize) -> Column {
        let mut numbers = Vec::new();
        self.table.find(columns, rows, &mut numbers);
        let mut nulls = None;
        let mut values = vec![false; rows];
        for (row, value) in values.iter_mut().enumerate() {
            *value = numbers[row] != NO_KEY;
            if !*value && !self.empty && self.is_unknown(columns, row) {
                nulls.get_or_insert_with(|| Bitmap::new(rows, false)).set(row, true);
            }
        }
        Column { data: ColumnData::Bool(values), nulls }
    }

    /// Whether a row that was not found might be equal to one here if NULLs were something.
    fn is_unknown(&self, columns: &[ColumnRef], row: usize) -> bool {
        let null = columns.iter().any(|column| column.is_null(row));
        if columns.len() == 1 {
            return null || !self.null_rows.is_empty();
        }
        let candidates = if null { &self.all_rows } else { &self.null_rows };
        if candidates.is_empty() {
            return false;
        }
        let left = of_row(columns, row, &self.types);
        candidates.iter().any(|candidate| {
            left.iter().zip(candidate).all(|(left, right)| match (left, right) {
                (Some(left), Some(right)) => left == right,
                _ => true,
            })
        })
    }
}
