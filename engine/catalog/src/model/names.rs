//! Looking names up: schemas, the search path, relations.

use std::sync::Arc;

use helios_types::{Oid, PgError, Result, SqlState};

use super::{CatalogSnapshot, Index, Object, ObjectKind, Sequence, Table, View};
use crate::facts;

/// What a relation's name can mean.
#[derive(Clone, Copy, Debug)]
pub enum Relation<'a> {
    /// A user's table.
    Table(&'a Arc<Table>),
    /// A user's index.
    Index(&'a Arc<Index>),
    /// A sequence.
    Sequence(&'a Arc<Sequence>),
    /// A user's view.
    View(&'a Arc<View>),
    /// A relation of pg_catalog or information_schema (tables, views and indexes).
    System(&'static facts::Relation),
}

/// Kinds of relation, as error messages name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum RelationKind {
    Table,
    Index,
    Sequence,
    View,
}

impl RelationKind {
    /// `pg_class.relkind`.
    pub fn letter(self) -> char {
        match self {
            RelationKind::Table => 'r',
            RelationKind::Index => 'i',
            RelationKind::Sequence => 'S',
            RelationKind::View => 'v',
        }
    }

    /// `table`, `index`, ...
    pub fn noun(self) -> &'static str {
        match self {
            RelationKind::Table => "table",
            RelationKind::Index => "index",
            RelationKind::Sequence => "sequence",
            RelationKind::View => "view",
        }
    }
}

impl<'a> Relation<'a> {
    /// `pg_class.oid`.
    pub fn oid(&self) -> Oid {
        match self {
            Relation::Table(table) => table.oid,
            Relation::Index(index) => index.oid,
            Relation::Sequence(sequence) => sequence.oid,
            Relation::View(view) => view.oid,
            Relation::System(relation) => relation.oid,
        }
    }

    /// `pg_class.relname`.
    pub fn name(&self) -> &'a str {
        match self {
            Relation::Table(table) => &table.name,
            Relation::Index(index) => &index.name,
            Relation::Sequence(sequence) => &sequence.name,
            Relation::View(view) => &view.name,
            Relation::System(relation) => relation.name,
        }
    }

    /// Its schema.
    pub fn schema(&self) -> Oid {
        match self {
            Relation::Table(table) => table.schema,
            Relation::Index(index) => index.schema,
            Relation::Sequence(sequence) => sequence.schema,
            Relation::View(view) => view.schema,
            Relation::System(relation) => relation.namespace,
        }
    }

    /// What it is.
    pub fn kind(&self) -> RelationKind {
        match self {
            Relation::Table(_) => RelationKind::Table,
            Relation::Index(_) => RelationKind::Index,
            Relation::Sequence(_) => RelationKind::Sequence,
            Relation::View(_) => RelationKind::View,
            Relation::System(relation) => match relation.kind {
                b'v' => RelationKind::View,
                b'i' => RelationKind::Index,
                _ => RelationKind::Table,
            },
        }
    }
}

impl CatalogSnapshot {
    /// A relation by OID.
    pub fn relation(&self, oid: Oid) -> Option<Relation<'_>> {
        if oid.0 < super::FIRST_USER_OID
            && let Some(system) = facts::relations().by_oid(oid)
        {
            return Some(Relation::System(system));
        }
        [ObjectKind::Table, ObjectKind::Index, ObjectKind::Sequence, ObjectKind::View]
            .into_iter()
            .find_map(|kind| as_relation(self.object(kind, oid)?))
    }

    /// A relation by schema and name.
    pub fn relation_in(&self, schema: Oid, name: &str) -> Option<Relation<'_>> {
        match self.relation_key(schema, name) {
            Some(key) => as_relation(self.object(key.kind, key.oid)?),
            None => facts::relations().by_name(schema, name).map(Relation::System),
        }
    }

    /// The relation that a name means: in its schema when it has one, else in the first schema of the path that has
    /// one of that name. `None` when there is no such schema or relation.
    pub fn find_relation(&self, search_path: &[Oid], schema: Option<&str>, name: &str) -> Option<Relation<'_>> {
        match schema {
            Some(schema) => self.relation_in(self.schema_oid(schema)?, name),
            None => search_path.iter().find_map(|&schema| self.relation_in(schema, name)),
        }
    }

    /// As [`CatalogSnapshot::find_relation`], or PostgreSQL's error for a name in a query.
    ///
    /// # Errors
    ///
    /// 42P01 `relation "x" does not exist`.
    pub fn lookup_relation(&self, search_path: &[Oid], schema: Option<&str>, name: &str) -> Result<Relation<'_>> {
        self.find_relation(search_path, schema, name).ok_or_else(|| {
            let message = match schema {
                Some(schema) => format!("relation \"{schema}.{name}\" does not exist"),
                None => format!("relation \"{name}\" does not exist"),
            };
            PgError::new(SqlState::UNDEFINED_TABLE, message)
        })
    }

    /// A schema's OID by name, built in or a user's.
    pub fn schema_oid(&self, name: &str) -> Option<Oid> {
        self.user_schema(name)
            .or_else(|| facts::namespaces().all().iter().find(|schema| schema.name == name).map(|schema| schema.oid))
    }

    /// A schema's OID by name.
    ///
    /// # Errors
    ///
    /// 3F000 `schema "x" does not exist`.
    pub fn lookup_schema(&self, name: &str) -> Result<Oid> {
        self.schema_oid(name)
            .ok_or_else(|| PgError::new(SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist")))
    }

    /// A schema's name.
    pub fn schema_name(&self, oid: Oid) -> Option<&str> {
        match self.schema(oid) {
            Some(schema) => Some(&schema.name),
            None => facts::namespaces().by_oid(oid).map(|schema| schema.name),
        }
    }

    /// A role's name, a user's or predefined.
    pub fn role_name(&self, oid: Oid) -> Option<&str> {
        match self.role(oid) {
            Some(role) => Some(&role.name),
            None => facts::roles().by_oid(oid).map(|role| role.name),
        }
    }

    /// A role's OID by name, a user's or predefined.
    pub fn role_oid(&self, name: &str) -> Option<Oid> {
        self.role_by_name(name)
            .map(|role| role.oid)
            .or_else(|| facts::roles().all().iter().find(|role| role.name == name).map(|role| role.oid))
    }

    /// The schemas that the setting `search_path` means for a user, in order: `pg_catalog` first unless it is named,
    /// `"$user"` for the schema of the user's name, unknown ones left out.
    pub fn search_path(&self, setting: &str, user: &str) -> Vec<Oid> {
        let mut path = Vec::new();
        for name in parse_identifier_list(setting).unwrap_or_default() {
            let name = if name == "$user" { user } else { &name };
            if let Some(schema) = self.schema_oid(name)
                && !path.contains(&schema)
            {
                path.push(schema);
            }
        }
        if !path.contains(&facts::PG_CATALOG) {
            path.insert(0, facts::PG_CATALOG);
        }
        path
    }

    /// Where CREATE puts what has no schema in its name: the first schema that `search_path` names and that is there.
    ///
    /// # Errors
    ///
    /// 3F000 `no schema has been selected to create in`.
    pub fn creation_schema(&self, setting: &str, user: &str) -> Result<Oid> {
        let names = parse_identifier_list(setting).unwrap_or_default();
        let named = names.iter().map(|name| if name == "$user" { user } else { name.as_str() });
        named
            .into_iter()
            .find_map(|name| self.schema_oid(name))
            .ok_or_else(|| PgError::new(SqlState::INVALID_SCHEMA_NAME, "no schema has been selected to create in"))
    }

    /// Whether an unqualified name finds this very relation (`pg_table_is_visible`).
    pub fn is_visible(&self, search_path: &[Oid], relation: Oid) -> bool {
        self.relation(relation).is_some_and(|relation| {
            self.find_relation(search_path, None, relation.name()).is_some_and(|found| found.oid() == relation.oid())
        })
    }
}

fn as_relation(object: &Object) -> Option<Relation<'_>> {
    match object {
        Object::Table(table) => Some(Relation::Table(table)),
        Object::Index(index) => Some(Relation::Index(index)),
        Object::Sequence(sequence) => Some(Relation::Sequence(sequence)),
        Object::View(view) => Some(Relation::View(view)),
        Object::Schema(_) | Object::Role(_) | Object::Database(_) | Object::Comment(_) => None,
    }
}

/// Splits a list of names as in `search_path`: comma-separated, folded to lower case unless in double quotes. `None`
/// when it is malformed.
pub fn parse_identifier_list(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim_start();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let name;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut collected = String::new();
            let mut characters = quoted.char_indices().peekable();
            rest = loop {
                match characters.next()? {
                    (_, '"') if characters.next_if(|&(_, next)| next == '"').is_some() => collected.push('"'),
                    (at, '"') => break &quoted[at + 1..],
                    (_, other) => collected.push(other),
                }
            };
            name = collected;
        } else {
            let end = rest.find(|c: char| c == ',' || c.is_ascii_whitespace()).unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            name = rest[..end].to_ascii_lowercase();
            rest = &rest[end..];
        }
        names.push(name);
        rest = rest.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None => return rest.is_empty().then_some(names),
        }
    }
}
