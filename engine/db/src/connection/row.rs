//! Rows of a result.

use std::sync::Arc;

use helios_sql::execute::Batch;
use helios_types::{Datum, PgError, Result, SqlState};

use super::value::FromSql;
use crate::session::ColumnDescription;

/// The rows of a query, in order.
#[derive(Debug)]
pub struct Rows {
    columns: Arc<[ColumnDescription]>,
    batches: std::vec::IntoIter<Batch>,
    current: Option<(Batch, usize)>,
}

impl Rows {
    pub(super) fn new(columns: Arc<[ColumnDescription]>, batches: Vec<Batch>) -> Rows {
        Rows { columns, batches: batches.into_iter(), current: None }
    }

    /// The columns.
    pub fn columns(&self) -> &[ColumnDescription] {
        &self.columns
    }

    /// The columns' names.
    pub fn column_names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            if let Some((batch, at)) = &mut self.current
                && *at < batch.rows()
            {
                let values = batch.row(*at);
                *at += 1;
                return Some(Row { columns: self.columns.clone(), values });
            }
            self.current = Some((self.batches.next()?, 0));
        }
    }
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    columns: Arc<[ColumnDescription]>,
    values: Vec<Datum>,
}

impl Row {
    /// The value of a column, by position (from 0) or by name.
    ///
    /// # Errors
    ///
    /// 42703 when there is no such column; 42846 when its value does not fit the type asked for.
    pub fn get<I: RowIndex, T: FromSql>(&self, index: I) -> Result<T> {
        let index = index.position(self)?;
        let column = &self.columns[index];
        T::from_datum(column.type_oid, &self.values[index]).map_err(|error| match error.column() {
            Some(_) => error,
            None => error.with_column(column.name.as_str()),
        })
    }

    /// How many columns there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no columns.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The columns.
    pub fn columns(&self) -> &[ColumnDescription] {
        &self.columns
    }
}

/// What says which column is meant.
pub trait RowIndex {
    /// Its position.
    fn position(&self, row: &Row) -> Result<usize>;
}

impl RowIndex for usize {
    fn position(&self, row: &Row) -> Result<usize> {
        if *self < row.values.len() {
            return Ok(*self);
        }
        let message = format!("there is no column {self} in a row of {}", row.values.len());
        Err(PgError::new(SqlState::UNDEFINED_COLUMN, message))
    }
}

impl RowIndex for &str {
    fn position(&self, row: &Row) -> Result<usize> {
        let found = row.columns.iter().position(|column| column.name == *self);
        let found = found.or_else(|| row.columns.iter().position(|column| column.name.eq_ignore_ascii_case(self)));
        found.ok_or_else(|| {
            PgError::new(SqlState::UNDEFINED_COLUMN, format!("there is no column named \"{self}\" in the row"))
        })
    }
}
