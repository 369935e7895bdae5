//! Rows as bytes: what the values of a result look like to a client.

use std::sync::Arc;

use helios_sql::execute::Batch;
use helios_types::io::Style;
use helios_types::{Oid, Result};

use super::Session;
use super::reply::{ColumnDescription, Format};

/// Writes values as a client asked for them. Made once per result, by [`Session::encoder`].
pub struct RowEncoder {
    style: Arc<Style>,
    columns: Vec<(Oid, Format)>,
}

impl Session {
    /// An encoder for rows of these columns, under the settings that hold now. Missing formats are text.
    pub fn encoder(&self, columns: &[ColumnDescription], formats: &[Format]) -> RowEncoder {
        let format = |index: usize| formats.get(index).copied().unwrap_or_default();
        RowEncoder {
            style: self.style(),
            columns: columns.iter().enumerate().map(|(index, column)| (column.type_oid, format(index))).collect(),
        }
    }
}

impl RowEncoder {
    /// Appends the value of a row's column to `out`; `false`, and nothing appended, when it is NULL.
    ///
    /// # Errors
    ///
    /// When the type has no binary form here.
    pub fn value(&self, batch: &Batch, row: usize, column: usize, out: &mut Vec<u8>) -> Result<bool> {
        let values = batch.column(column);
        if values.is_null(row) {
            return Ok(false);
        }
        let (type_oid, format) = self.columns[column];
        match format {
            Format::Text => helios_types::io::output_column(type_oid, values, row, &self.style, out),
            Format::Binary => helios_types::io::send_column(type_oid, values, row, out)?,
        }
        Ok(true)
    }
}
