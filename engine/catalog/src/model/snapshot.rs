//! The catalog at one moment.
//!
//! A snapshot is a handful of ordered maps behind `Arc`s. [`CatalogSnapshot::apply`] copies the maps that a change
//! touches (pointers and short names: some microseconds for hundreds of objects) and shares the others and every
//! descriptor. Maps are ordered so that listings, and with them simulations, are the same in every run.

use std::collections::BTreeMap;
use std::sync::Arc;

use helios_types::Oid;

use super::user_types::{array_type, row_type};
use super::{Change, Comment, Database, Index, Object, ObjectKey, ObjectKind, Role, Schema, Sequence, Table, View};
use crate::facts::Type;

/// What users created, as of one version. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CatalogSnapshot {
    version: u64,
    objects: Arc<BTreeMap<ObjectKey, Object>>,
    /// Tables, indexes, sequences and views share one space of names: schema, name.
    relation_names: Arc<BTreeMap<(Oid, Arc<str>), ObjectKey>>,
    schema_names: Arc<BTreeMap<Arc<str>, Oid>>,
    role_names: Arc<BTreeMap<Arc<str>, Oid>>,
    database_names: Arc<BTreeMap<Arc<str>, Oid>>,
    types: Arc<BTreeMap<Oid, Arc<Type>>>,
    type_names: Arc<BTreeMap<(Oid, Arc<str>), Oid>>,
    /// By class, object and sub-id.
    comments: Arc<BTreeMap<(Oid, Oid, i32), Oid>>,
}

/// An object that stands or falls with another.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Dependent {
    Index(Arc<Index>),
    /// Owned by a column of the table: `attnum`.
    Sequence(Arc<Sequence>, i16),
    View(Arc<View>),
}

impl CatalogSnapshot {
    /// Without any object, not even those of a new database: what stored rows are applied to.
    pub fn empty() -> CatalogSnapshot {
        CatalogSnapshot::default()
    }

    /// A new database's.
    pub fn initial() -> CatalogSnapshot {
        CatalogSnapshot::empty().apply(&super::initial_changes())
    }

    /// How many times changes were applied: grows with every [`CatalogSnapshot::apply`].
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The same snapshot under another version number: that of the commit that published it.
    #[must_use]
    pub fn with_version(mut self, version: u64) -> CatalogSnapshot {
        self.version = version;
        self
    }

    /// The snapshot after these changes. Names must be free: that is for DDL to have checked.
    #[must_use]
    pub fn apply(&self, changes: &[Change]) -> CatalogSnapshot {
        let mut next = self.clone();
        next.version += 1;
        for change in changes {
            if let Some(old) = Arc::make_mut(&mut next.objects).remove(&change.key()) {
                next.forget_names(&old);
            }
            if let Change::Put(object) = change {
                next.add_names(object);
                Arc::make_mut(&mut next.objects).insert(object.key(), object.clone());
            }
        }
        next
    }

    fn add_names(&mut self, object: &Object) {
        let key = object.key();
        match object {
            Object::Schema(schema) => {
                Arc::make_mut(&mut self.schema_names).insert(schema.name.as_str().into(), schema.oid);
            }
            Object::Role(role) => {
                Arc::make_mut(&mut self.role_names).insert(role.name.as_str().into(), role.oid);
            }
            Object::Database(database) => {
                Arc::make_mut(&mut self.database_names).insert(database.name.as_str().into(), database.oid);
            }
            Object::Comment(comment) => {
                let place = (comment.class, comment.object, comment.sub_id);
                Arc::make_mut(&mut self.comments).insert(place, comment.oid);
            }
            Object::Table(_) | Object::Index(_) | Object::Sequence(_) | Object::View(_) => {
                if let Some((schema, name)) = relation_name(object) {
                    Arc::make_mut(&mut self.relation_names).insert((schema, name.into()), key);
                    if let Some(oid) = row_type_of(object) {
                        self.add_types(row_type(oid, key.oid, schema, name));
                    }
                }
            }
        }
    }

    fn add_types(&mut self, row: Type) {
        let array = array_type(&row, |name| self.type_by_name(row.namespace, name).is_some());
        let types = Arc::make_mut(&mut self.types);
        let names = Arc::make_mut(&mut self.type_names);
        for new in [row, array] {
            names.insert((new.namespace, new.name.as_ref().into()), new.oid);
            types.insert(new.oid, Arc::new(new));
        }
    }

    fn forget_names(&mut self, object: &Object) {
        match object {
            Object::Schema(schema) => {
                Arc::make_mut(&mut self.schema_names).remove(schema.name.as_str());
            }
            Object::Role(role) => {
                Arc::make_mut(&mut self.role_names).remove(role.name.as_str());
            }
            Object::Database(database) => {
                Arc::make_mut(&mut self.database_names).remove(database.name.as_str());
            }
            Object::Comment(comment) => {
                Arc::make_mut(&mut self.comments).remove(&(comment.class, comment.object, comment.sub_id));
            }
            Object::Table(_) | Object::Index(_) | Object::Sequence(_) | Object::View(_) => {
                if let Some((schema, name)) = relation_name(object) {
                    Arc::make_mut(&mut self.relation_names).remove(&(schema, Arc::from(name)));
                }
                if let Some(oid) = row_type_of(object) {
                    for gone in [oid, super::user_types::array_of(oid)] {
                        if let Some(old) = Arc::make_mut(&mut self.types).remove(&gone) {
                            Arc::make_mut(&mut self.type_names).remove(&(old.namespace, Arc::from(old.name.as_ref())));
                        }
                    }
                }
            }
        }
    }

    /// Every object, by kind and OID.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    /// An object by its key.
    pub fn object(&self, kind: ObjectKind, oid: Oid) -> Option<&Object> {
        self.objects.get(&ObjectKey { kind, oid })
    }

    pub(super) fn relation_key(&self, schema: Oid, name: &str) -> Option<ObjectKey> {
        self.relation_names.get(&(schema, Arc::from(name))).copied()
    }

    pub(super) fn user_schema(&self, name: &str) -> Option<Oid> {
        self.schema_names.get(name).copied()
    }

    /// A user's role by name; the predefined ones are facts ([`crate::facts::roles`]).
    pub fn role_by_name(&self, name: &str) -> Option<&Arc<Role>> {
        self.role(*self.role_names.get(name)?)
    }

    /// A database by name.
    pub fn database_by_name(&self, name: &str) -> Option<&Arc<Database>> {
        self.database(*self.database_names.get(name)?)
    }

    /// The comment on an object: `class` is the catalog that it is in, `sub_id` a column's attnum or 0.
    pub fn comment_on(&self, class: Oid, object: Oid, sub_id: i32) -> Option<&Arc<Comment>> {
        self.comment(*self.comments.get(&(class, object, sub_id))?)
    }

    /// Types of users' relations: row types and their arrays, in the order of OIDs.
    pub fn user_types(&self) -> impl Iterator<Item = &Type> {
        self.types.values().map(Arc::as_ref)
    }

    /// A type, built in or of a user's relation.
    pub fn type_by_oid(&self, oid: Oid) -> Option<&Type> {
        if oid.0 < super::FIRST_USER_OID {
            crate::facts::types().by_oid(oid)
        } else {
            self.types.get(&oid).map(Arc::as_ref)
        }
    }

    /// A type by schema and name.
    pub fn type_by_name(&self, schema: Oid, name: &str) -> Option<&Type> {
        match self.type_names.get(&(schema, Arc::from(name))) {
            Some(oid) => self.type_by_oid(*oid),
            None => crate::facts::types().by_name(schema, name),
        }
    }

    /// What depends on a table or view: its indexes, the sequences that its columns own, the views that read it.
    pub fn dependents(&self, relation: Oid) -> Vec<Dependent> {
        let dependent = |object: &Object| match object {
            Object::Index(index) if index.table == relation => Some(Dependent::Index(index.clone())),
            Object::Sequence(sequence) => match sequence.owned_by {
                Some((table, attnum)) if table == relation.0 => Some(Dependent::Sequence(sequence.clone(), attnum)),
                _ => None,
            },
            Object::View(view) if view.depends_on.contains(&relation) => Some(Dependent::View(view.clone())),
            _ => None,
        };
        self.objects().filter_map(dependent).collect()
    }

    /// Whether a schema has relations.
    pub fn schema_is_empty(&self, schema: Oid) -> bool {
        self.relations_in(schema).next().is_none()
    }

    /// The relations of a schema, by name.
    pub fn relations_in(&self, schema: Oid) -> impl Iterator<Item = (&str, ObjectKey)> {
        let from = (schema, Arc::from(""));
        let names = self.relation_names.range(from..).take_while(move |((owner, _), _)| *owner == schema);
        names.map(|((_, name), key)| (name.as_ref(), *key))
    }
}

macro_rules! typed {
    ($($one:ident, $all:ident: $kind:ident, $what:literal;)*) => {
        impl CatalogSnapshot {
            $(
                #[doc = concat!("A ", $what, " by OID.")]
                pub fn $one(&self, oid: Oid) -> Option<&Arc<$kind>> {
                    match self.object(ObjectKind::$kind, oid) {
                        Some(Object::$kind(found)) => Some(found),
                        _ => None,
                    }
                }

                #[doc = concat!("Every ", $what, ", in the order of OIDs.")]
                pub fn $all(&self) -> impl Iterator<Item = &Arc<$kind>> {
                    let key = |oid| ObjectKey { kind: ObjectKind::$kind, oid };
                    let objects = self.objects.range(key(Oid(0))..=key(Oid(u32::MAX)));
                    objects.filter_map(|(_, object)| match object {
                        Object::$kind(found) => Some(found),
                        _ => None,
                    })
                }
            )*
        }
    };
}

typed! {
    schema, schemas: Schema, "user's schema";
    table, tables: Table, "table";
    index, indexes: Index, "index";
    sequence, sequences: Sequence, "sequence";
    view, views: View, "view";
    role, roles: Role, "user's role";
    database, databases: Database, "database";
    comment, comments: Comment, "comment";
}

/// Schema and name of an object that is a relation.
fn relation_name(object: &Object) -> Option<(Oid, &str)> {
    match object {
        Object::Table(table) => Some((table.schema, &table.name)),
        Object::Index(index) => Some((index.schema, &index.name)),
        Object::Sequence(sequence) => Some((sequence.schema, &sequence.name)),
        Object::View(view) => Some((view.schema, &view.name)),
        Object::Schema(_) | Object::Role(_) | Object::Database(_) | Object::Comment(_) => None,
    }
}

fn row_type_of(object: &Object) -> Option<Oid> {
    match object {
        Object::Table(table) => Some(table.row_type),
        Object::View(view) => Some(view.row_type),
        _ => None,
    }
}
