//! Statements that change the catalog, transactionally.
//!
//! The catalog is rows in MVCC key spaces and, in memory, a [`CatalogSnapshot`]. A transaction that changes it works on
//! a [`CatalogEdit`]: the newest committed catalog with the transaction's own changes on top. Each change is written
//! through the transaction at once, so that COMMIT, ROLLBACK and savepoints treat it like any other write:
//!
//! ```text
//!   CATALOG space   key (kind, oid)              value  descriptor
//!   NAMES space     key (name space, schema, name)  value  oid        inserting waits for whoever takes or frees it
//! ```
//!
//! Names are claimed in a key space of their own because that is what makes two transactions that create the same name
//! wait for one another and the second one fail, as PostgreSQL's unique indexes on its catalogs do.

mod edit;
mod ids;

pub use edit::{CatalogEdit, EditMark, EditOutcome};
pub use ids::{Ids, next_layout, next_oid, next_oid_pair, next_storage};

use helios_storage::{BranchId, Space, StorageId};
use helios_txn::{Inserted, Statement, Transaction};
use helios_types::{Oid, PgError, Result, SqlState};

use crate::session::SessionContext;

/// Where descriptors are stored.
pub const CATALOG: Space = Space { branch: BranchId(0), storage: StorageId(1) };
/// Where names are claimed.
pub const NAMES: Space = Space { branch: BranchId(0), storage: StorageId(2) };

/// What a DDL statement works with.
pub struct DdlContext<'a> {
    /// The transaction that it is part of.
    pub transaction: &'a Transaction,
    /// Its snapshot and command number.
    pub statement: &'a Statement,
    /// The catalog, with this transaction's changes.
    pub catalog: &'a mut CatalogEdit,
    /// Whose statement it is.
    pub session: &'a SessionContext,
    /// Schemas to look names up in.
    pub search_path: &'a [Oid],
    /// The statement's source text, which locations point into.
    pub source: &'a str,
    /// NOTICEs and WARNINGs for the client.
    pub notices: &'a mut Vec<crate::parse::Notice>,
}

/// Kinds of name that must be unique among themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum NameSpace {
    Relation = 1,
    Schema = 2,
    Role = 3,
    Database = 4,
}

impl DdlContext<'_> {
    /// Claims a name, waiting for transactions that are about to take or to free it. The OID of its holder if it is
    /// taken.
    pub async fn claim_name(&self, kind: NameSpace, schema: Oid, name: &str, oid: Oid) -> Result<Option<Oid>> {
        let row = oid.0.to_be_bytes().to_vec().into();
        let key = name_key(kind, schema, name);
        match self.transaction.insert(self.statement, NAMES, key, row).await? {
            Inserted::Done => Ok(None),
            Inserted::Exists(version) => {
                let holder = version.value.row().and_then(|row| row.first_chunk::<4>().copied());
                Ok(Some(holder.map_or(Oid::NONE, |bytes| Oid(u32::from_be_bytes(bytes)))))
            }
        }
    }

    /// Claims a relation's name; 42P07 when it is taken.
    pub async fn claim_relation(&self, schema: Oid, name: &str, oid: Oid) -> Result<()> {
        if self.catalog.snapshot().relation_in(schema, name).is_some()
            || self.claim_name(NameSpace::Relation, schema, name, oid).await?.is_some()
        {
            return Err(PgError::new(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists")));
        }
        Ok(())
    }

    /// Frees a name that an object of the catalog held.
    pub fn free_name(&self, kind: NameSpace, schema: Oid, name: &str) {
        self.transaction.delete_entry(self.statement, NAMES, name_key(kind, schema, name), true);
    }
}

/// Claims a name of a new database's first objects, when nobody else can be there.
pub fn claim_initial_name(transaction: &Transaction, statement: &Statement, kind: NameSpace, name: &str, oid: Oid) {
    let row = oid.0.to_be_bytes().to_vec().into();
    transaction.put(statement, NAMES, name_key(kind, Oid::NONE, name), row, false);
}

fn name_key(kind: NameSpace, schema: Oid, name: &str) -> bytes::Bytes {
    let mut key = Vec::with_capacity(5 + name.len());
    key.push(kind as u8);
    key.extend_from_slice(&schema.0.to_be_bytes());
    key.extend_from_slice(name.as_bytes());
    key.into()
}
