//! `pg_attribute` and `pg_attrdef`: columns and their defaults.

use helios_types::{Oid, TypeMod, oid};

use super::value::{Letter, Null, row};
use super::{Row, Source};
use crate::facts;
use crate::model::{Column, Identity, Index, Table};

/// The OID of a column's default: defaults have none of their own, so it is derived. It lies above those of objects.
pub fn attribute_default_oid(table: Oid, attnum: i16) -> Oid {
    Oid(0x8000_0000 | (table.0.wrapping_mul(2048).wrapping_add(u32::from(attnum.unsigned_abs())) & 0x7fff_ffff))
}

/// A row of `pg_attribute` before it is one.
struct Attribute<'a> {
    relation: Oid,
    name: &'a str,
    type_oid: Oid,
    number: i16,
    modifier: TypeMod,
    not_null: bool,
    has_default: bool,
    has_missing: bool,
    identity: u8,
    generated: u8,
    dropped: bool,
    collation: Oid,
}

impl Attribute<'_> {
    fn row(self, source: &Source<'_>) -> Row {
        let physical = source.catalog.type_by_oid(self.type_oid);
        let physical = physical.map_or((0, false, b'c', b'p'), |t| (t.length, t.by_value, t.alignment, t.storage));
        self.row_as(physical, 0)
    }

    fn row_as(self, (length, by_value, alignment, storage): (i16, bool, u8, u8), dimensions: i16) -> Row {
        row![
            self.relation,
            self.name,
            self.type_oid,
            length,
            self.number,
            self.modifier,
            dimensions,
            by_value,
            Letter(alignment),
            Letter(storage),
            Letter(0),
            self.not_null,
            self.has_default,
            self.has_missing,
            Letter(self.identity),
            Letter(self.generated),
            self.dropped,
            true,
            0i16,
            self.collation,
            Null,
            Null,
            Null,
            Null,
            Null,
        ]
    }
}

const PLAIN: Attribute<'static> = Attribute {
    relation: Oid::NONE,
    name: "",
    type_oid: Oid::NONE,
    number: 0,
    modifier: -1,
    not_null: false,
    has_default: false,
    has_missing: false,
    identity: 0,
    generated: 0,
    dropped: false,
    collation: Oid::NONE,
};

/// The columns that every table has, by number from -6 to -1.
const SYSTEM_COLUMNS: [(&str, i16, Oid); 6] = [
    ("tableoid", -6, oid::OID),
    ("cmax", -5, oid::CID),
    ("xmax", -4, oid::XID),
    ("cmin", -3, oid::CID),
    ("xmin", -2, oid::XID),
    ("ctid", -1, oid::TID),
];

fn system_columns(source: &Source<'_>, relation: Oid, rows: &mut Vec<Row>) {
    for (name, number, type_oid) in SYSTEM_COLUMNS {
        rows.push(Attribute { relation, name, type_oid, number, not_null: true, ..PLAIN }.row(source));
    }
}

pub(super) fn pg_attribute(source: &Source<'_>) -> Vec<Row> {
    let mut rows = Vec::with_capacity(3_500);
    for relation in facts::relations().all() {
        if relation.kind == b'r' {
            system_columns(source, relation.oid, &mut rows);
        }
        for column in facts::attributes().of(relation.oid) {
            let physical = (column.length, column.by_value, column.alignment, column.storage);
            let attribute = Attribute {
                relation: relation.oid,
                name: column.name,
                type_oid: column.type_oid,
                number: column.number,
                modifier: column.modifier,
                not_null: column.not_null,
                has_default: column.has_default,
                collation: column.collation,
                ..PLAIN
            };
            rows.push(attribute.row_as(physical, column.dimensions));
        }
    }
    for table in source.catalog.tables() {
        system_columns(source, table.oid, &mut rows);
        rows.extend(table.columns.iter().map(|column| column_row(source, table.oid, column)));
    }
    for view in source.catalog.views() {
        rows.extend(view.columns.iter().map(|column| column_row(source, view.oid, column)));
    }
    for index in source.catalog.indexes() {
        index_columns(source, index, &mut rows);
    }
    for sequence in source.catalog.sequences() {
        let relation = sequence.oid;
        system_columns(source, relation, &mut rows);
        for (number, name, type_oid) in
            [(1, "last_value", oid::INT8), (2, "log_cnt", oid::INT8), (3, "is_called", oid::BOOL)]
        {
            rows.push(Attribute { relation, name, type_oid, number, not_null: true, ..PLAIN }.row(source));
        }
    }
    rows
}

fn column_row(source: &Source<'_>, relation: Oid, column: &Column) -> Row {
    // A dropped column has no type any more, but its bytes are still laid out as they were.
    let physical = source.catalog.type_by_oid(column.type_oid);
    let physical = physical.map_or((0, false, b'c', b'p'), |t| (t.length, t.by_value, t.alignment, t.storage));
    let attribute = Attribute {
        relation,
        name: &column.name,
        type_oid: if column.dropped { Oid::NONE } else { column.type_oid },
        number: column.attnum,
        modifier: column.typmod,
        not_null: column.not_null && !column.dropped,
        has_default: column_default(column).is_some() && !column.dropped,
        has_missing: column.missing.is_some() && !column.dropped,
        identity: match column.identity {
            _ if column.dropped => 0,
            Some(Identity::Always) => b'a',
            Some(Identity::ByDefault) => b'd',
            None => 0,
        },
        generated: if column.generated.is_some() && !column.dropped { b's' } else { 0 },
        dropped: column.dropped,
        collation: column.collation,
    };
    attribute.row_as(physical, 0)
}

fn index_columns(source: &Source<'_>, index: &Index, rows: &mut Vec<Row>) {
    let Some(table) = source.catalog.table(index.table) else { return };
    let named = |attnum: i16| table.column_by_attnum(attnum);
    let mut number = 0;
    let mut taken: Vec<String> = Vec::new();
    for key in &index.keys {
        number += 1;
        let (name, modifier) = match (&key.expression, named(key.attnum)) {
            (None, Some(column)) => (column.name.clone(), column.typmod),
            (expression, _) => (expression_name(expression.as_deref().unwrap_or("")).to_owned(), -1),
        };
        let numbered = std::iter::once(name.clone()).chain((1..).map(|nth| format!("{name}{nth}")));
        let name = numbered.into_iter().find(|name| !taken.contains(name)).expect("numbers do not run out");
        taken.push(name.clone());
        let attribute = Attribute {
            relation: index.oid,
            name: &name,
            type_oid: key.type_oid,
            number,
            modifier,
            collation: key.collation,
            ..PLAIN
        };
        rows.push(attribute.row(source));
    }
    for column in index.include.iter().filter_map(|&attnum| named(attnum)) {
        number += 1;
        let attribute = Attribute {
            relation: index.oid,
            name: &column.name,
            type_oid: column.type_oid,
            number,
            modifier: column.typmod,
            collation: column.collation,
            ..PLAIN
        };
        rows.push(attribute.row(source));
    }
}

/// The SQL text of what `pg_attrdef` has for a column: its default or generation expression. Identity columns have
/// none.
pub(super) fn column_default(column: &Column) -> Option<&str> {
    if column.identity.is_some() {
        return None;
    }
    column.generated.as_deref().or(column.default.as_deref())
}

/// Tables and their live columns.
pub(super) fn live_columns<'a>(source: &Source<'a>) -> impl Iterator<Item = (&'a Table, &'a Column)> {
    source.catalog.tables().flat_map(|table| table.live_columns().map(move |column| (&**table, column)))
}

pub(super) fn pg_attrdef(source: &Source<'_>) -> Vec<Row> {
    let default = |(table, column): (&Table, &Column)| {
        let text = column_default(column)?;
        Some(row![attribute_default_oid(table.oid, column.attnum), table.oid, column.attnum, text])
    };
    live_columns(source).filter_map(default).collect()
}

/// What an index's expression column is called: after the function that it calls, else `expr`.
fn expression_name(expression: &str) -> &str {
    let called = super::definition::called_function(expression);
    called.map_or("expr", |name| name.rsplit('.').next().unwrap_or(name).trim_matches('"'))
}
