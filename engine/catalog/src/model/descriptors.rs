//! Descriptors of the objects that users create.
//!
//! Each is an immutable value behind an `Arc`, identified by its OID, stored as one row (key: [`ObjectKey`]) in the
//! catalog's own key space. DDL makes new descriptors; a statement keeps the ones it was analyzed with.
//!
//! Expressions (defaults, checks, index expressions) are kept as SQL text in the canonical form that was analyzed when
//! they were created, with every name qualified; they are analyzed again, against the same names, when used.

use std::sync::Arc;

use helios_types::{Oid, TypeMod};
use serde::{Deserialize, Serialize};

/// Number of an MVCC key space: global, never reused, new after TRUNCATE and for every index.
pub type StorageId = u64;

/// What identifies a stored object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// Its kind.
    pub kind: ObjectKind,
    /// Its OID.
    #[serde(with = "oid_serde")]
    pub oid: Oid,
}

/// Kinds of object. The numbers are stored: never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
#[repr(u8)]
pub enum ObjectKind {
    Schema = 1,
    Table = 2,
    Index = 3,
    Sequence = 4,
    Role = 5,
    Database = 6,
    Comment = 7,
    View = 8,
}

/// A stored object, shared by every snapshot that has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Object {
    Schema(Arc<Schema>),
    Table(Arc<Table>),
    Index(Arc<Index>),
    Sequence(Arc<Sequence>),
    Role(Arc<Role>),
    Database(Arc<Database>),
    Comment(Arc<Comment>),
    View(Arc<View>),
}

impl Object {
    /// What identifies it.
    pub fn key(&self) -> ObjectKey {
        let (kind, oid) = match self {
            Object::Schema(schema) => (ObjectKind::Schema, schema.oid),
            Object::Table(table) => (ObjectKind::Table, table.oid),
            Object::Index(index) => (ObjectKind::Index, index.oid),
            Object::Sequence(sequence) => (ObjectKind::Sequence, sequence.oid),
            Object::Role(role) => (ObjectKind::Role, role.oid),
            Object::Database(database) => (ObjectKind::Database, database.oid),
            Object::Comment(comment) => (ObjectKind::Comment, comment.oid),
            Object::View(view) => (ObjectKind::View, view.oid),
        };
        ObjectKey { kind, oid }
    }
}

macro_rules! into_object {
    ($($kind:ident)*) => {
        $(
            impl From<$kind> for Object {
                fn from(descriptor: $kind) -> Object {
                    Object::$kind(Arc::new(descriptor))
                }
            }
        )*
    };
}

into_object! { Schema Table Index Sequence Role Database Comment View }

/// CREATE SCHEMA.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// `pg_namespace.oid`.
    #[serde(with = "oid_serde")]
    pub oid: Oid,
    /// Its name.
    pub name: String,
    /// Owner's role OID.
    #[serde(with = "oid_serde")]
    pub owner: Oid,
}

/// CREATE TABLE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// `pg_class.oid`.
    #[serde(with = "oid_serde")]
    pub oid: Oid,
    /// OID of the row type in `pg_type`; the array type's is one more.
    #[serde(with = "oid_serde")]
    pub row_type: Oid,
    /// Its schema.
    #[serde(with = "oid_serde")]
    pub schema: Oid,
    /// Its name.
    pub name: String,
    /// Owner's role OID.
    #[serde(with = "oid_serde")]
    pub owner: Oid,
    /// Where its rows are.
    pub storage: StorageId,
    /// Every column ever added, by attnum - 1; dropped ones stay as tombstones.
    pub columns: Vec<Column>,
    /// How its rows may be laid out: the last one is what new rows use.
    pub layouts: Vec<TableLayout>,
    /// CHECK, PRIMARY KEY, UNIQUE and NOT NULL constraints.
    pub constraints: Vec<Constraint>,
    /// Its indexes' OIDs, the primary key's first.
    #[serde(with = "oids_serde")]
    pub indexes: Vec<Oid>,
    /// The columns (attnums) of the primary key, in key order: they are the row's key. Empty: the key is a hidden
    /// 64-bit row id, drawn in insertion order.
    pub primary_key: Vec<i16>,
}

/// A row layout of a table: the first so many of its columns, under a global number that rows carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableLayout {
    /// Global number, never reused, below 2^31.
    pub id: u32,
    /// How many of the table's columns (by attnum, dropped ones included) its rows hold.
    pub columns: u16,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Position from 1, never reused.
    pub attnum: i16,
    /// Its name; `........pg.dropped.N........` once dropped.
    pub name: String,
    /// Its type.
    #[serde(with = "oid_serde")]
    pub type_oid: Oid,
    /// Its type modifier.
    pub typmod: TypeMod,
    /// Its collation.
    #[serde(with = "oid_serde")]
    pub collation: Oid,
    /// NOT NULL.
    pub not_null: bool,
    /// DEFAULT, as SQL text.
    pub default: Option<String>,
    /// GENERATED ... AS IDENTITY.
    pub identity: Option<Identity>,
    /// GENERATED ALWAYS AS (expression) STORED, as SQL text.
    pub generated: Option<String>,
    /// The sequence behind serial or identity.
    #[serde(with = "option_oid_serde")]
    pub sequence: Option<Oid>,
    /// Value of this column in rows that were written before it was added, in the type's binary (send) form.
    pub missing: Option<Vec<u8>>,
    /// DROP COLUMN happened.
    pub dropped: bool,
}

/// Kinds of identity column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Identity {
    Always,
    ByDefault,
}

/// A table constraint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Constraint {
    /// `pg_constraint.oid`.
    #[serde(with = "oid_serde")]
    pub oid: Oid,
    /// Its name.
    pub name: String,
    /// What it demands.
    pub kind: ConstraintKind,
}

/// What a constraint demands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ConstraintKind {
    /// A boolean expression, as SQL text, that must not be false.
    Check {
        /// The expression.
        expression: String,
        /// The columns it mentions.
        columns: Vec<i16>,
    },
    /// NOT NULL of one column.
    NotNull {
        /// The column.
        column: i16,
    },
    /// PRIMARY KEY, by its index.
    PrimaryKey {
        /// The index.
        #[serde(with = "oid_serde")]
        index: Oid,
    },
    /// UNIQUE, by its index.
    Unique {
        /// The index.
        #[serde(with = "oid_serde")]
        index: Oid,
    },
}

/// CREATE INDEX, and the indexes behind PRIMARY KEY and UNIQUE.
///
/// The primary key's index has no entries of its own: the table itself is ordered by that key, and `storage` equals
/// the table's. Another index holds, per row, the key `(columns, primary key)` (a unique one, when no column is NULL:
/// `(columns)` with the primary key as the value).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// `pg_class.oid`.
    #[serde(with = "oid_serde")]
    pub oid: Oid,
    /// Its table.
    #[serde(with = "oid_serde")]
    pub table: Oid,
    /// Its schema, always the table's.
    #[serde(with = "oid_serde")]
    pub schema: Oid,
    /// Its name.
    pub name: String,
    /// Where its entries are.
    pub storage: StorageId,
    /// UNIQUE.
    pub unique: bool,
    /// PRIMARY KEY.
    pub primary: bool,
    /// NULLS NOT DISTINCT.
    pub nulls_not_distinct: bool,
    /// The key columns.
    pub keys: Vec<IndexKey>,
    /// INCLUDE columns (attnums).
    pub include: Vec<i16>,
    /// WHERE, as SQL text.
    pub predicate: Option<String>,
}

/// A key column of an index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexKey {
    /// The table's column, or 0 for an expression.
    pub attnum: i16,
    /// The expression, as SQL text.
    pub expression: Option<String>,
    /// Type of the key.
    #[serde(with = "oid_serde")]
    pub type_oid: Oid,
    /// Its collation.
    #[serde(with = "oid_serde")]
    pub collation: Oid,
    /// Operator class.
    #[serde(with = "oid_serde")]
    pub opclass: Oid,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

/// CREATE SEQUENCE. Its value lives outside transactions, under `state`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    /// `pg_class.oid`.
    #[serde(with = "oid_serde")]
    pub oid: Oid,
    /// Its schema.
    #[serde(with = "oid_serde")]
    pub schema: Oid,
    /// Its name.
    pub name: String,
    /// Owner's role OID.
    #[serde(with = "oid_serde")]
    pub owner: Oid,
    /// Identity of the value: new after RESTART and whatever else must be transactional.
    pub state: StorageId,
    /// int2, int4 or int8.
    #[serde(with = "oid_serde")]
    pub type_oid: Oid,
    /// START.
    pub start: i64,
    /// The first value that `state` yields (START, or RESTART WITH).
    pub first: i64,
    /// INCREMENT.
    pub increment: i64,
    /// MINVALUE.
    pub min: i64,
    /// MAXVALUE.
    pub max: i64,
    /// CACHE.
    pub cache: i64,
    /// CYCLE.
    pub cycle: bool,
    /// OWNED BY: table and attnum.
    pub owned_by: Option<(u32, i16)>,
    /// Belongs to an identity column (internal dependency) rather than to a serial one.
    pub identity: bool,
}

/// CREATE VIEW.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// `pg_class.oid`.
    #[serde(with = "oid_serde")]
    pub oid: Oid,
    /// OID of the row type.
    #[serde(with = "oid_serde")]
    pub row_type: Oid,
    /// Its schema.
    #[serde(with = "oid_serde")]
    pub schema: Oid,
    /// Its name.
    pub name: String,
    /// Owner's role OID.
    #[serde(with = "oid_serde")]
    pub owner: Oid,
    /// Its output columns.
    pub columns: Vec<Column>,
    /// The query, as SQL text with every name qualified.
    pub query: String,
    /// OIDs of the relations it reads.
    #[serde(with = "oids_serde")]
    pub depends_on: Vec<Oid>,
}

/// CREATE ROLE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// `pg_authid.oid`.
    #[serde(with = "oid_serde")]
    pub oid: Oid,
    /// Its name.
    pub name: String,
    /// SUPERUSER.
    pub superuser: bool,
    /// LOGIN.
    pub login: bool,
    /// CREATEDB.
    pub create_db: bool,
    /// CREATEROLE.
    pub create_role: bool,
    /// INHERIT.
    pub inherit: bool,
    /// REPLICATION.
    pub replication: bool,
    /// BYPASSRLS.
    pub bypass_rls: bool,
    /// CONNECTION LIMIT, -1 for none.
    pub connection_limit: i32,
    /// `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`; never a plain password.
    pub verifier: Option<String>,
}

/// A database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Database {
    /// `pg_database.oid`.
    #[serde(with = "oid_serde")]
    pub oid: Oid,
    /// Its name.
    pub name: String,
    /// Owner's role OID.
    #[serde(with = "oid_serde")]
    pub owner: Oid,
    /// Whether CREATE DATABASE may copy it.
    pub template: bool,
    /// Whether one may connect to it.
    pub allow_connections: bool,
}

/// COMMENT ON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comment {
    /// The comment's own OID, drawn like any other: what it is stored under.
    #[serde(with = "oid_serde")]
    pub oid: Oid,
    /// The object's OID.
    #[serde(with = "oid_serde")]
    pub object: Oid,
    /// The catalog that the object is in (`pg_class.oid` of that catalog).
    #[serde(with = "oid_serde")]
    pub class: Oid,
    /// Column number, 0 for the object itself.
    pub sub_id: i32,
    /// The text.
    pub text: String,
}

impl Table {
    /// The columns that are there, in attnum order.
    pub fn live_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.dropped)
    }

    /// A column that is there, by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.live_columns().find(|column| column.name == name)
    }

    /// A column by attnum, dropped or not.
    pub fn column_by_attnum(&self, attnum: i16) -> Option<&Column> {
        usize::try_from(attnum).ok()?.checked_sub(1).and_then(|index| self.columns.get(index))
    }
}

mod oid_serde {
    use helios_types::Oid;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(oid: &Oid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(oid.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Oid, D::Error> {
        u32::deserialize(deserializer).map(Oid)
    }
}

mod option_oid_serde {
    use helios_types::Oid;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(oid: &Option<Oid>, serializer: S) -> Result<S::Ok, S::Error> {
        oid.map(|oid| oid.0).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Oid>, D::Error> {
        Ok(Option::<u32>::deserialize(deserializer)?.map(Oid))
    }
}

mod oids_serde {
    use helios_types::Oid;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(oids: &[Oid], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(oids.iter().map(|oid| oid.0))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Oid>, D::Error> {
        Ok(Vec::<u32>::deserialize(deserializer)?.into_iter().map(Oid).collect())
    }
}
