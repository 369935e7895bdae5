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

/// `pg_class.oid` of `pg_collation`.
const PG_COLLATION: Oid = Oid(3456);
/// `pg_class.oid` of `pg_database`.
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
/// row, no `*` and no `pg_attribute`. psql 15 reads `pg_database.daticulocale` (for `\l`) and
/// `pg_collation.colliculocale` (for `\dO`), which PostgreSQL 17 renamed to `datlocale` and `colllocale`.
pub fn hidden_columns(relation: Oid) -> &'static [SystemColumn] {
    const fn text(name: &'static str) -> SystemColumn {
        let collation = oid::DEFAULT_COLLATION;
        SystemColumn { name, type_oid: oid::TEXT, modifier: -1, collation, not_null: false }
    }
    static DATABASE: [SystemColumn; 1] = [text("daticulocale")];
    static COLLATION: [SystemColumn; 1] = [text("colliculocale")];
    match relation {
        PG_DATABASE => &DATABASE,
        PG_COLLATION => &COLLATION,
        _ => &[],
    }
}
