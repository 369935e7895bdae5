//! The SQL text of indexes and constraints: `pg_get_indexdef`, `pg_get_constraintdef`.

use std::fmt::Write;

use crate::facts::{self, quote_identifier, quote_qualified};
use crate::model::{Constraint, ConstraintKind, Index, IndexKey, Table};
use crate::resolve::Lookup;

/// `CREATE [UNIQUE] INDEX ...`. With `qualified`, the table's name carries its schema always, else only when the search
/// path does not find it (what `pg_get_indexdef(oid, 0, true)` does).
pub fn index_definition(lookup: &Lookup<'_>, index: &Index, qualified: bool) -> String {
    let Some(table) = lookup.catalog.table(index.table) else { return String::new() };
    let unique = if index.unique { "UNIQUE " } else { "" };
    let visible = !qualified && lookup.catalog.is_visible(lookup.search_path, table.oid);
    let on = if visible {
        quote_identifier(&table.name).into_owned()
    } else {
        quote_qualified(lookup.catalog.schema_name(table.schema).unwrap_or(""), &table.name)
    };
    let keys: Vec<String> = index.keys.iter().map(|key| key_definition(lookup, table, key, !qualified)).collect();
    let name = quote_identifier(&index.name);
    let mut text = format!("CREATE {unique}INDEX {name} ON {on} USING btree ({})", keys.join(", "));
    if !index.include.is_empty() {
        let _ = write!(text, " INCLUDE ({})", column_list(table, &index.include));
    }
    if index.nulls_not_distinct {
        text.push_str(" NULLS NOT DISTINCT");
    }
    if let Some(predicate) = &index.predicate {
        let predicate = if qualified { predicate } else { without_parentheses(predicate) };
        let _ = write!(text, " WHERE {predicate}");
    }
    text
}

/// The `number`-th column of an index, counted from 1: its name or expression alone.
pub fn index_column_definition(lookup: &Lookup<'_>, index: &Index, number: usize, pretty: bool) -> Option<String> {
    let table = lookup.catalog.table(index.table)?;
    match index.keys.get(number.checked_sub(1)?) {
        Some(key) => Some(index_key_text(table, key, pretty)),
        None => Some(column_list(table, index.include.get(number - 1 - index.keys.len()..)?.get(..1)?)),
    }
}

/// `CHECK (...)`, `PRIMARY KEY (...)`, ...
/// Stored conditions have parentheses of their own around an operation; in the `pretty` form they have not.
pub fn constraint_definition(lookup: &Lookup<'_>, table: &Table, constraint: &Constraint, pretty: bool) -> String {
    let by_index = |word: &str, index| {
        let Some(index) = lookup.catalog.index(index) else { return String::new() };
        let nulls = if index.nulls_not_distinct { " NULLS NOT DISTINCT" } else { "" };
        let keys: Vec<i16> = index.keys.iter().map(|key| key.attnum).collect();
        let mut text = format!("{word}{nulls} ({})", column_list(table, &keys));
        if !index.include.is_empty() {
            let _ = write!(text, " INCLUDE ({})", column_list(table, &index.include));
        }
        text
    };
    match &constraint.kind {
        ConstraintKind::Check { expression, .. } if pretty => {
            format!("CHECK ({})", without_parentheses(expression))
        }
        ConstraintKind::Check { expression, .. } => format!("CHECK ({expression})"),
        ConstraintKind::NotNull { column } => format!("NOT NULL {}", column_list(table, &[*column])),
        ConstraintKind::PrimaryKey { index } => by_index("PRIMARY KEY", *index),
        ConstraintKind::Unique { index } => by_index("UNIQUE", *index),
    }
}

fn column_list(table: &Table, columns: &[i16]) -> String {
    let name =
        |&attnum: &i16| table.column_by_attnum(attnum).map_or("".into(), |column| quote_identifier(&column.name));
    columns.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// A key of an index: a column's name, or an expression, in parentheses unless it is a plain call. Stored expressions
/// have parentheses of their own around an operation; in the `pretty` form they have not.
pub fn index_key_text(table: &Table, key: &IndexKey, pretty: bool) -> String {
    match &key.expression {
        None => column_list(table, &[key.attnum]),
        Some(expression) if called_function(expression).is_some() => expression.clone(),
        Some(expression) if pretty => format!("({})", without_parentheses(expression)),
        Some(expression) => format!("({expression})"),
    }
}

/// An expression without the parentheses around the whole of it.
fn without_parentheses(text: &str) -> &str {
    let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { return text };
    let (mut depth, mut quote) = (0usize, None);
    for byte in inner.bytes() {
        match (quote, byte) {
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (None, b'(') => depth += 1,
            (None, b')') => match depth.checked_sub(1) {
                Some(left) => depth = left,
                // The first parenthesis closes before the end.
                None => return text,
            },
            _ => {}
        }
    }
    inner
}

fn key_definition(lookup: &Lookup<'_>, table: &Table, key: &IndexKey, pretty: bool) -> String {
    let mut text = index_key_text(table, key, pretty);
    let own_collation = match table.column_by_attnum(key.attnum) {
        Some(column) if key.expression.is_none() => column.collation,
        _ => lookup.type_by_oid(key.type_oid).map_or(helios_types::Oid::NONE, |row| row.collation),
    };
    if !key.collation.is_none()
        && key.collation != own_collation
        && let Some(collation) = facts::collations().by_oid(key.collation)
    {
        let _ = write!(text, " COLLATE {}", quote_identifier(collation.name));
    }
    let default = lookup.default_operator_class(facts::BTREE, key.type_oid).map(|class| class.oid);
    if default != Some(key.opclass)
        && let Some(class) = facts::operator_classes().by_oid(key.opclass)
    {
        let _ = write!(text, " {}", quote_identifier(class.name));
    }
    text.push_str(match (key.descending, key.nulls_first) {
        (false, false) => "",
        (false, true) => " NULLS FIRST",
        (true, true) => " DESC",
        (true, false) => " DESC NULLS LAST",
    });
    text
}

/// A stored expression as it is shown: names in `'schema.name'::regclass` that the search path finds are bare.
pub fn visible_expression(lookup: &Lookup<'_>, text: &str) -> String {
    const SUFFIX: &str = "'::regclass";
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(end) = rest.find(SUFFIX) {
        let Some(start) = rest[..end].rfind('\'') else { break };
        let name = &rest[start + 1..end];
        let parts = crate::functions::parse_qualified_name(name).unwrap_or_default();
        let bare = match parts.as_slice() {
            [schema, relation] => lookup
                .catalog
                .find_relation(lookup.search_path, Some(schema), relation)
                .filter(|found| lookup.catalog.is_visible(lookup.search_path, found.oid()))
                .map(|found| quote_identifier(found.name()).replace('\'', "''")),
            _ => None,
        };
        shown.push_str(&rest[..=start]);
        shown.push_str(bare.as_deref().unwrap_or(name));
        shown.push_str(SUFFIX);
        rest = &rest[end + SUFFIX.len()..];
    }
    shown.push_str(rest);
    shown
}

/// The function's name, when SQL text is one call: a name, and parentheses that close at the very end.
pub(super) fn called_function(text: &str) -> Option<&str> {
    let open = text.find('(')?;
    let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'"');
    if open == 0 || !text[..open].bytes().all(name) {
        return None;
    }
    let (mut depth, mut quoted) = (0usize, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return (at + 1 == text.len()).then_some(&text[..open]);
                }
            }
            _ => {}
        }
    }
    None
}
