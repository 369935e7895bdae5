//! The columns of system relations.

use helios_types::{Oid, TypeMod, oid};

use crate::facts;

/// A column of a system relation.
#[derive(Clone, Debug, PartialEq)]
pub struct SystemColumn {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub type_oid: Oid,
    /// Its type modifier.
    pub modifier: TypeMod,
    /// Its collation.
    pub collation: Oid,
    /// NOT NULL.
    pub not_null: bool,
}

/// `pg_database`.
pub(super) const PG_DATABASE: Oid = Oid(1262);

/// The columns of a system relation that `*` stands for: exactly PostgreSQL 18's.
pub fn columns(relation: Oid) -> Vec<SystemColumn> {
    let column = |row: &facts::Attribute| SystemColumn {
        name: row.name,
        type_oid: row.type_oid,
        modifier: row.modifier,
        collation: row.collation,
        not_null: row.not_null,
    };
    facts::attributes().of(relation).iter().map(column).collect()
}

/// Columns that older clients ask for and PostgreSQL 18 does not have. They can be named, are always NULL, and are in no
/// row, no `*` and no `pg_attribute`. The one there is: `pg_database.daticulocale`, which psql 15's `\l` reads
/// (PostgreSQL 17 renamed it to `datlocale`).
pub fn hidden_columns(relation: Oid) -> &'static [SystemColumn] {
    static DATABASE: [SystemColumn; 1] = [SystemColumn {
        name: "daticulocale",
        type_oid: oid::TEXT,
        modifier: -1,
        collation: helios_types::oid::DEFAULT_COLLATION,
        not_null: false,
    }];
    if relation == PG_DATABASE { &DATABASE } else { &[] }
}
