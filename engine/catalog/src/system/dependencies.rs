//! `pg_depend`: what stands or falls with what, for users' objects.
//!
//! The rows that initdb records for its own objects (information_schema, mostly) are left out: nobody can drop those.

use helios_types::Oid;

use super::attributes::{attribute_default_oid, column_default, live_columns};
use super::relations::{PG_ATTRDEF, PG_CLASS, PG_CONSTRAINT, PG_NAMESPACE, PG_REWRITE, rule_oid};
use super::value::{Letter, row};
use super::{Row, Source};
use crate::model::{ConstraintKind, Table};

/// `pg_class.oid` of `pg_type`.
const PG_TYPE: Oid = Oid(1247);

/// An object, or a part of it.
#[derive(Clone, Copy)]
struct Place(Oid, Oid, i32);

/// How strongly something depends.
#[derive(Clone, Copy)]
enum Dependency {
    /// Dropping the other needs CASCADE.
    Normal,
    /// It is dropped with the other.
    Auto,
    /// It is part of the other.
    Internal,
}

fn depends(what: Place, on: Place, dependency: Dependency) -> Row {
    let letter = match dependency {
        Dependency::Normal => b'n',
        Dependency::Auto => b'a',
        Dependency::Internal => b'i',
    };
    row![what.0, what.1, what.2, on.0, on.1, on.2, Letter(letter)]
}

pub(super) fn pg_depend(source: &Source<'_>) -> Vec<Row> {
    let catalog = source.catalog;
    let class = |oid: Oid| Place(PG_CLASS, oid, 0);
    let column = |table: Oid, attnum: i16| Place(PG_CLASS, table, i32::from(attnum));
    let mut rows = Vec::new();
    for relation in catalog
        .tables()
        .map(|t| (t.oid, t.row_type, t.schema))
        .chain(catalog.views().map(|v| (v.oid, v.row_type, v.schema)))
    {
        let (oid, row_type, schema) = relation;
        rows.push(depends(Place(PG_TYPE, row_type, 0), class(oid), Dependency::Internal));
        rows.push(depends(Place(PG_TYPE, Oid(row_type.0 + 1), 0), Place(PG_TYPE, row_type, 0), Dependency::Internal));
        rows.push(depends(class(oid), Place(PG_NAMESPACE, schema, 0), Dependency::Normal));
    }
    for table in catalog.tables() {
        constraints(source, table, &mut rows);
    }
    for index in catalog.indexes() {
        let owner = catalog.table(index.table).and_then(|table| constraint_of(table, index.oid));
        match owner {
            Some(constraint) => {
                rows.push(depends(class(index.oid), Place(PG_CONSTRAINT, constraint, 0), Dependency::Internal));
            }
            None => {
                let columns = index.keys.iter().map(|key| key.attnum).chain(index.include.iter().copied());
                for attnum in columns.filter(|&attnum| attnum != 0) {
                    rows.push(depends(class(index.oid), column(index.table, attnum), Dependency::Auto));
                }
                if index.keys.iter().all(|key| key.attnum == 0) {
                    rows.push(depends(class(index.oid), class(index.table), Dependency::Auto));
                }
            }
        }
    }
    for (table, owned) in live_columns(source) {
        if column_default(owned).is_none() {
            continue;
        }
        let default = Place(PG_ATTRDEF, attribute_default_oid(table.oid, owned.attnum), 0);
        let strength = if owned.generated.is_some() { Dependency::Internal } else { Dependency::Auto };
        rows.push(depends(default, column(table.oid, owned.attnum), strength));
        if let Some(sequence) = owned.sequence {
            rows.push(depends(default, class(sequence), Dependency::Normal));
        }
    }
    for sequence in catalog.sequences() {
        rows.push(depends(class(sequence.oid), Place(PG_NAMESPACE, sequence.schema, 0), Dependency::Normal));
        if let Some((table, attnum)) = sequence.owned_by {
            let kind = if sequence.identity { Dependency::Internal } else { Dependency::Auto };
            rows.push(depends(class(sequence.oid), column(Oid(table), attnum), kind));
        }
    }
    for view in catalog.views() {
        let rule = Place(PG_REWRITE, rule_oid(view.oid), 0);
        rows.push(depends(rule, class(view.oid), Dependency::Internal));
        for &read in &view.depends_on {
            rows.push(depends(rule, class(read), Dependency::Normal));
        }
    }
    rows
}

fn constraints(source: &Source<'_>, table: &Table, rows: &mut Vec<Row>) {
    for constraint in &table.constraints {
        let columns: Vec<i16> = match &constraint.kind {
            ConstraintKind::Check { columns, .. } => columns.clone(),
            ConstraintKind::NotNull { column } => vec![*column],
            ConstraintKind::PrimaryKey { index } | ConstraintKind::Unique { index } => {
                let keys = source.catalog.index(*index).map(|index| index.keys.iter().map(|key| key.attnum).collect());
                keys.unwrap_or_default()
            }
        };
        let this = Place(PG_CONSTRAINT, constraint.oid, 0);
        for attnum in &columns {
            let on = Place(PG_CLASS, table.oid, i32::from(*attnum));
            rows.push(depends(this, on, Dependency::Auto));
            // The expression's own use of the column.
            if matches!(constraint.kind, ConstraintKind::Check { .. }) {
                rows.push(depends(this, on, Dependency::Normal));
            }
        }
        if columns.is_empty() {
            rows.push(depends(this, Place(PG_CLASS, table.oid, 0), Dependency::Auto));
        }
    }
}

/// The PRIMARY KEY or UNIQUE constraint that an index is behind.
pub(super) fn constraint_of(table: &Table, index: Oid) -> Option<Oid> {
    let behind = |kind: &ConstraintKind| match kind {
        ConstraintKind::PrimaryKey { index: own } | ConstraintKind::Unique { index: own } => *own == index,
        ConstraintKind::Check { .. } | ConstraintKind::NotNull { .. } => false,
    };
    table.constraints.iter().find(|constraint| behind(&constraint.kind)).map(|constraint| constraint.oid)
}
