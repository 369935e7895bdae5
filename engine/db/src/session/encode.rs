//! Rows as bytes: what the values of a result look like to a client.

use std::sync::Arc;

use helios_catalog::resolve::Lookup;
use helios_catalog::system::SystemContext;
use helios_catalog::{CatalogSnapshot, facts, functions};
use helios_sql::execute::Batch;
use helios_types::io::Style;
use helios_types::{Datum, Oid, Result};

use super::Session;
use super::reply::{ColumnDescription, Format};
use crate::doors::is_named_object;

/// Writes values as a client asked for them. Made once per result, by [`Session::encoder`].
pub struct RowEncoder {
    style: Arc<Style>,
    columns: Vec<(Oid, Format)>,
    /// Where names are looked up, when there are values that print as names (`regclass`).
    names: Option<Names>,
}

struct Names {
    catalog: CatalogSnapshot,
    search_path: Vec<Oid>,
    database: Arc<str>,
    user: Oid,
}

impl SystemContext for Names {
    fn database(&self) -> &str {
        &self.database
    }

    fn user(&self) -> Oid {
        self.user
    }

    fn search_path(&self) -> &[Oid] {
        &self.search_path
    }

    fn setting(&self, _name: &str) -> Option<String> {
        None
    }
}

impl Session {
    /// An encoder for rows of these columns, under the settings that hold now. Missing formats are text.
    pub fn encoder(&self, columns: &[ColumnDescription], formats: &[Format]) -> RowEncoder {
        let format = |index: usize| formats.get(index).copied().unwrap_or_default();
        let has_names = columns.iter().any(|column| is_named_object(column.type_oid));
        let names = has_names.then(|| {
            let catalog = match &self.active {
                Some(active) => active.catalog.snapshot().clone(),
                None => self.database.catalog(),
            };
            let search_path = self.search_path(&catalog);
            Names { catalog, search_path, database: self.context.database.clone(), user: self.context.user_oid }
        });
        RowEncoder {
            style: self.style(),
            columns: columns.iter().enumerate().map(|(index, column)| (column.type_oid, format(index))).collect(),
            names,
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
        match (format, &self.names) {
            (Format::Text, Some(names)) if is_named_object(type_oid) => match names.print(type_oid, &values.get(row)) {
                Some(text) => out.extend_from_slice(text?.as_bytes()),
                None => helios_types::io::output_column(type_oid, values, row, &self.style, out),
            },
            (Format::Text, _) => helios_types::io::output_column(type_oid, values, row, &self.style, out),
            (Format::Binary, _) => helios_types::io::send_column(type_oid, values, row, out)?,
        }
        Ok(true)
    }
}

impl Names {
    fn print(&self, type_oid: Oid, value: &Datum) -> Option<Result<String>> {
        let function = facts::procs().by_oid(facts::types().by_oid(type_oid)?.output)?;
        let lookup = Lookup { catalog: &self.catalog, search_path: &self.search_path };
        let printed = functions::call(function.source, std::slice::from_ref(value), &lookup, self)?;
        Some(printed.map(|text| match text {
            Datum::Text(text) => text.to_string(),
            _ => String::new(),
        }))
    }
}
