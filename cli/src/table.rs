//! Results as psql prints them: aligned columns, `(n rows)`.

use helios_types::oid;
use heliosdb::{Batch, ColumnDescription, Result, RowEncoder};

/// Rows collected for printing.
pub(crate) struct Table {
    names: Vec<String>,
    right: Vec<bool>,
    rows: Vec<Vec<Option<String>>>,
}

impl Table {
    /// Without rows yet.
    pub(crate) fn new(columns: &[ColumnDescription]) -> Table {
        let is_number = |column: &ColumnDescription| {
            matches!(
                column.type_oid,
                oid::INT2 | oid::INT4 | oid::INT8 | oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC | oid::OID | oid::XID
            )
        };
        Table {
            names: columns.iter().map(|column| column.name.clone()).collect(),
            right: columns.iter().map(is_number).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds the rows of a batch.
    pub(crate) fn push(&mut self, batch: &Batch, encoder: &RowEncoder) -> Result<()> {
        let mut value = Vec::new();
        for row in 0..batch.rows() {
            let mut cells = Vec::with_capacity(self.names.len());
            for column in 0..self.names.len() {
                value.clear();
                let there = encoder.value(batch, row, column, &mut value)?;
                cells.push(there.then(|| String::from_utf8_lossy(&value).into_owned()));
            }
            self.rows.push(cells);
        }
        Ok(())
    }

    /// As psql's aligned format.
    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        let width = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
        let mut widths: Vec<usize> = self.names.iter().map(|name| width(name)).collect();
        for row in &self.rows {
            for (known, cell) in widths.iter_mut().zip(row) {
                *known = (*known).max(cell.as_deref().map_or(0, width));
            }
        }
        let header: Vec<String> =
            self.names.iter().zip(&widths).map(|(name, width)| format!(" {} ", centred(name, *width))).collect();
        out.push_str(header.join("|").trim_end());
        out.push('\n');
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
        out.push_str(&rule.join("+"));
        out.push('\n');
        for row in &self.rows {
            self.render_row(row, &widths, &mut out);
        }
        let count = self.rows.len();
        out.push_str(&format!("({count} row{})\n", if count == 1 { "" } else { "s" }));
        out
    }

    /// A row of several lines goes on with `+` behind the cell, as in psql.
    fn render_row(&self, row: &[Option<String>], widths: &[usize], out: &mut String) {
        let cells: Vec<Vec<&str>> =
            row.iter().map(|cell| cell.as_deref().map_or(vec![""], |text| text.split('\n').collect())).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1);
        for line in 0..height {
            let mut text = String::new();
            for (column, cell) in cells.iter().enumerate() {
                if column > 0 {
                    text.push('|');
                }
                let part = cell.get(line).copied().unwrap_or("");
                let padding = " ".repeat(widths[column].saturating_sub(part.chars().count()));
                let (before, after) = if self.right[column] { (padding.as_str(), "") } else { ("", padding.as_str()) };
                let mark = if line + 1 < cell.len() { '+' } else { ' ' };
                text.push_str(&format!(" {before}{part}{after}{mark}"));
            }
            out.push_str(text.trim_end());
            out.push('\n');
        }
    }
}

fn centred(text: &str, width: usize) -> String {
    let space = width.saturating_sub(text.chars().count());
    format!("{}{text}{}", " ".repeat(space / 2), " ".repeat(space - space / 2))
}
