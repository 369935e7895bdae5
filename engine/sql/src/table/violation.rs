//! The errors of constraints, with PostgreSQL's texts.

use helios_catalog::model::{Index, Table};
use helios_catalog::system::index_key_text;
use helios_types::io::Style;
use helios_types::{Datum, Oid, PgError, SqlState};

/// Bytes of a value that an error shows (PostgreSQL cuts at 64).
const SHOWN_BYTES_MAX: usize = 64;

/// `(1, x, null)`: the row that failed, values in attnum order, long ones cut.
pub fn failing_row(table: &Table, values: &[Datum], style: &Style) -> String {
    let mut text = String::from("(");
    let live = table.columns.iter().zip(values).filter(|(column, _)| !column.dropped);
    for (index, (column, value)) in live.enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        show(column.type_oid, value, style, Some(SHOWN_BYTES_MAX), &mut text);
    }
    text.push(')');
    text
}

fn show(type_oid: Oid, value: &Datum, style: &Style, limit: Option<usize>, out: &mut String) {
    if value.is_null() {
        out.push_str("null");
        return;
    }
    let start = out.len();
    helios_types::io::output(type_oid, value, style, out);
    if let Some(limit) = limit
        && out.len() - start > limit
    {
        let mut end = start + limit;
        while !out.is_char_boundary(end) {
            end -= 1;
        }
        out.truncate(end);
        out.push_str("...");
    }
}

/// 23502.
pub fn not_null_violation(table: &Table, schema: &str, column: &str, values: &[Datum], style: &Style) -> PgError {
    PgError::new(
        SqlState::NOT_NULL_VIOLATION,
        format!("null value in column \"{column}\" of relation \"{}\" violates not-null constraint", table.name),
    )
    .with_detail(format!("Failing row contains {}.", failing_row(table, values, style)))
    .with_schema(schema)
    .with_table(table.name.as_str())
    .with_column(column)
}

/// 23505.
pub fn unique_violation(table: &Table, schema: &str, index: &Index, key_values: &[Datum], style: &Style) -> PgError {
    let mut names = String::new();
    let mut values = String::new();
    for (key, value) in index.keys.iter().zip(key_values) {
        if !names.is_empty() {
            names.push_str(", ");
            values.push_str(", ");
        }
        names.push_str(&index_key_text(table, key, true));
        show(key.type_oid, value, style, None, &mut values);
    }
    PgError::new(
        SqlState::UNIQUE_VIOLATION,
        format!("duplicate key value violates unique constraint \"{}\"", index.name),
    )
    .with_detail(format!("Key ({names})=({values}) already exists."))
    .with_schema(schema)
    .with_table(table.name.as_str())
    .with_constraint(index.name.as_str())
}
