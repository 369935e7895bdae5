//! What a DDL statement works with, and how it claims names.

use std::sync::Arc;

use bytes::Bytes;
use helios_catalog::CatalogSnapshot;
use helios_txn::{Inserted, Statement, Transaction, Wait};
use helios_types::{Oid, PgError, Result, SqlState};

use super::{CatalogEdit, NAMES};
use crate::analyze::{AnalyzeContext, ParamTypes};
use crate::execute::{CancelToken, Doors, MemoryBudget};
use crate::parse::{Notice, Severity};
use crate::session::SessionContext;
use crate::table::RowIds;

/// What a DDL statement works with.
pub struct DdlContext<'a> {
    /// The transaction that it is part of.
    pub transaction: &'a Transaction,
    /// Its snapshot and command number.
    pub statement: &'a Statement,
    /// The catalog, with this transaction's changes.
    pub catalog: &'a mut CatalogEdit,
    /// The newest committed catalog, asked for again whenever a lock was waited for.
    pub newest: &'a (dyn Fn() -> CatalogSnapshot + Send + Sync),
    /// Whose statement it is.
    pub session: &'a SessionContext,
    /// Schemas to look names up in.
    pub search_path: &'a [Oid],
    /// The statement's source text, which locations point into.
    pub source: &'a str,
    /// NOTICEs and WARNINGs for the client.
    pub notices: &'a mut Vec<Notice>,
    /// Hidden row ids of this transaction: the same ones that its INSERTs draw from.
    pub row_ids: &'a RowIds,
    /// How to wait for locks (`lock_timeout`).
    pub wait: Wait,
    /// Whether the statement is inside a transaction block, where some statements may not run.
    pub in_block: bool,
    /// What expressions may call: defaults and checks are evaluated here.
    pub doors: Doors,
    /// The statement's memory.
    pub memory: Arc<MemoryBudget>,
    /// Whether it should end.
    pub cancel: CancelToken,
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
    /// What names mean now.
    pub fn snapshot(&self) -> &CatalogSnapshot {
        self.catalog.snapshot()
    }

    /// For analyzing a part of the statement.
    pub(super) fn analysis(&self) -> AnalyzeContext<'_> {
        AnalyzeContext {
            catalog: self.catalog.snapshot(),
            search_path: self.search_path,
            session: self.session,
            params: ParamTypes::none(),
            source: self.source,
        }
    }

    /// Claims a name, waiting for transactions that are about to take or to free it. The OID of its holder if it is
    /// taken.
    pub async fn claim_name(&self, kind: NameSpace, schema: Oid, name: &str, oid: Oid) -> Result<Option<Oid>> {
        let row = oid.0.to_be_bytes().to_vec().into();
        let key = name_key(kind, schema, name);
        match self.transaction.claim(self.statement, NAMES, key, row).await? {
            Inserted::Done => Ok(None),
            Inserted::Exists(version) => {
                let holder = version.value.row().and_then(|row| row.first_chunk::<4>().copied());
                Ok(Some(holder.map_or(Oid::NONE, |bytes| Oid(u32::from_be_bytes(bytes)))))
            }
        }
    }

    /// Claims a relation's name.
    ///
    /// # Errors
    ///
    /// 42P07 when it is taken.
    pub async fn claim_relation(&self, schema: Oid, name: &str, oid: Oid) -> Result<()> {
        if self.snapshot().relation_in(schema, name).is_some()
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

    /// Says something to the client that is no error.
    pub(super) fn notice(&mut self, code: SqlState, message: String) {
        self.notice_with_detail(code, message, None);
    }

    pub(super) fn notice_with_detail(&mut self, code: SqlState, message: String, detail: Option<String>) {
        let severity = Severity::Notice;
        self.notices.push(Notice { severity, code, message, detail, hint: None, position: None });
    }
}

/// Claims a name of a new database's first objects, when nobody else can be there.
pub fn claim_initial_name(transaction: &Transaction, statement: &Statement, kind: NameSpace, name: &str, oid: Oid) {
    let row = oid.0.to_be_bytes().to_vec().into();
    transaction.put(statement, NAMES, name_key(kind, Oid::NONE, name), row, false);
}

fn name_key(kind: NameSpace, schema: Oid, name: &str) -> Bytes {
    let mut key = Vec::with_capacity(5 + name.len());
    key.push(kind as u8);
    key.extend_from_slice(&schema.0.to_be_bytes());
    key.extend_from_slice(name.as_bytes());
    key.into()
}
