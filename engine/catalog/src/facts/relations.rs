//! `pg_class`, `pg_attribute`, `pg_index`, `pg_constraint` of PostgreSQL's own relations, `pg_namespace`.

use helios_env::sync::OnceLock;
use helios_types::{Oid, TypeMod};

use super::table::{Table, rows};

/// `pg_namespace.oid` of pg_catalog.
pub const PG_CATALOG: Oid = Oid(11);

/// A row of `pg_namespace`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Namespace {
    pub oid: Oid,
    pub name: &'static str,
}

/// The schemas that are built in: pg_catalog, information_schema, pg_toast. `public` belongs to the users' model.
pub fn namespaces() -> &'static Table<Namespace> {
    static TABLE: OnceLock<Table<Namespace>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let parsed = rows("namespaces.tsv", include_str!("../../facts/namespaces.tsv"), |f| Namespace {
            oid: f.oid(),
            name: f.text(),
        });
        Table::new(parsed, |row| row.oid, |row| row.name)
    })
}

/// `pg_namespace.oid` of information_schema.
pub fn information_schema() -> Oid {
    namespaces().range("information_schema", |row| row.name).first().map_or(Oid::NONE, |row| row.oid)
}

/// A row of `pg_class`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Relation {
    pub oid: Oid,
    pub name: &'static str,
    pub namespace: Oid,
    pub row_type: Oid,
    pub access_method: Oid,
    pub has_index: bool,
    pub shared: bool,
    pub persistence: u8,
    /// `r`elation, `v`iew or `i`ndex.
    pub kind: u8,
    pub column_count: i16,
    pub check_count: i16,
    pub has_rules: bool,
    pub replica_identity: u8,
    /// `pg_relation_is_updatable(oid, false)`: bits 4 (UPDATE), 8 (INSERT), 16 (DELETE).
    pub updatable: i32,
    /// `reloptions`, as `name=value`.
    pub options: Option<Box<[&'static str]>>,
}

/// PostgreSQL's own relations.
#[derive(Debug)]
pub struct Relations(Table<Relation>);

impl Relations {
    /// The relation with this OID.
    pub fn by_oid(&self, oid: Oid) -> Option<&Relation> {
        self.0.by_oid(oid)
    }

    /// The relation of this name in this schema.
    pub fn by_name(&self, namespace: Oid, name: &str) -> Option<&Relation> {
        self.0.range(name, |row| row.name).iter().find(|row| row.namespace == namespace)
    }

    /// Every relation, in the order of OIDs.
    pub fn all(&self) -> impl Iterator<Item = &Relation> {
        self.0.by_oids()
    }
}

/// The relations of pg_catalog and information_schema, with the indexes of pg_catalog.
pub fn relations() -> &'static Relations {
    static TABLE: OnceLock<Relations> = OnceLock::new();
    TABLE.get_or_init(|| {
        let parsed = rows("relations.tsv", include_str!("../../facts/relations.tsv"), |f| Relation {
            oid: f.oid(),
            name: f.text(),
            namespace: f.oid(),
            row_type: f.oid(),
            access_method: f.oid(),
            has_index: f.bool(),
            shared: f.bool(),
            persistence: f.letter(),
            kind: f.letter(),
            column_count: f.number(),
            check_count: f.number(),
            has_rules: f.bool(),
            replica_identity: f.letter(),
            updatable: f.number(),
            options: f.texts(),
        });
        Relations(Table::new(parsed, |row| row.oid, |row| row.name))
    })
}

/// A row of `pg_attribute`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Attribute {
    pub relation: Oid,
    pub name: &'static str,
    pub type_oid: Oid,
    pub length: i16,
    /// From 1.
    pub number: i16,
    pub modifier: TypeMod,
    pub dimensions: i16,
    pub by_value: bool,
    pub alignment: u8,
    pub storage: u8,
    pub not_null: bool,
    pub has_default: bool,
    pub collation: Oid,
    /// `pg_column_is_updatable(relation, number, false)`.
    pub updatable: bool,
}

/// The columns of PostgreSQL's own relations.
#[derive(Debug)]
pub struct Attributes(Box<[Attribute]>);

impl Attributes {
    /// The columns of a relation, in order.
    pub fn of(&self, relation: Oid) -> &[Attribute] {
        let start = self.0.partition_point(|row| row.relation < relation);
        let length = self.0[start..].partition_point(|row| row.relation == relation);
        &self.0[start..start + length]
    }

    /// Every column, by relation and number.
    pub fn all(&self) -> &[Attribute] {
        &self.0
    }
}

/// `pg_attribute`.
pub fn attributes() -> &'static Attributes {
    static TABLE: OnceLock<Attributes> = OnceLock::new();
    TABLE.get_or_init(|| {
        Attributes(rows("attributes.tsv", include_str!("../../facts/attributes.tsv"), |f| Attribute {
            relation: f.oid(),
            name: f.text(),
            type_oid: f.oid(),
            length: f.number(),
            number: f.number(),
            modifier: f.number(),
            dimensions: f.number(),
            by_value: f.bool(),
            alignment: f.letter(),
            storage: f.letter(),
            not_null: f.bool(),
            has_default: f.bool(),
            collation: f.oid(),
            updatable: f.bool(),
        }))
    })
}

/// A row of `pg_index`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct SystemIndex {
    pub index: Oid,
    pub relation: Oid,
    pub column_count: i16,
    pub key_count: i16,
    pub unique: bool,
    pub nulls_not_distinct: bool,
    pub primary: bool,
    pub immediate: bool,
    pub keys: Box<[i16]>,
    pub collations: Box<[Oid]>,
    pub classes: Box<[Oid]>,
    pub options: Box<[i16]>,
}

/// `pg_index` of pg_catalog's relations, in the order of indexes.
pub fn indexes() -> &'static [SystemIndex] {
    static TABLE: OnceLock<Box<[SystemIndex]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        rows("indexes.tsv", include_str!("../../facts/indexes.tsv"), |f| SystemIndex {
            index: f.oid(),
            relation: f.oid(),
            column_count: f.number(),
            key_count: f.number(),
            unique: f.bool(),
            nulls_not_distinct: f.bool(),
            primary: f.bool(),
            immediate: f.bool(),
            keys: f.numbers(),
            collations: f.oids(),
            classes: f.oids(),
            options: f.numbers(),
        })
    })
}

/// A row of `pg_constraint`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct SystemConstraint {
    pub oid: Oid,
    pub name: &'static str,
    pub namespace: Oid,
    /// `c`heck, `n`ot null, `p`rimary key or `u`nique.
    pub kind: u8,
    pub relation: Oid,
    pub domain: Oid,
    pub index: Oid,
    pub keys: Box<[i16]>,
    pub definition: &'static str,
}

/// `pg_constraint`, in the order of OIDs.
pub fn constraints() -> &'static [SystemConstraint] {
    static TABLE: OnceLock<Box<[SystemConstraint]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        rows("constraints.tsv", include_str!("../../facts/constraints.tsv"), |f| SystemConstraint {
            oid: f.oid(),
            name: f.text(),
            namespace: f.oid(),
            kind: f.letter(),
            relation: f.oid(),
            domain: f.oid(),
            index: f.oid(),
            keys: f.numbers(),
            definition: f.text(),
        })
    })
}
