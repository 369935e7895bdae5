//! The transaction that a session is in: PostgreSQL's block states.
//!
//! ```text
//!             BEGIN                       error
//!   Idle ─────────────────▶ Begun ───────────────────▶ Failed
//!     │ ◀── COMMIT, ROLLBACK ──┘ ◀── ROLLBACK TO ──────┘ │
//!     │ ◀───────────── COMMIT (rolls back), ROLLBACK ────┘
//!     └─ any statement ─▶ Implicit ── end of statement, script or Sync ─▶ Idle
//! ```

use std::sync::Arc;

use helios_catalog::CatalogSnapshot;
use helios_sql::ddl::{CatalogEdit, EditMark};
use helios_sql::table::RowIds;
use helios_storage::Durability;
use helios_txn::{CommitOptions, IsolationLevel, SavepointId, Transaction, TransactionOptions};
use helios_types::{PgError, Result, SqlState};

use crate::database::{Database, Inner};

/// What ReadyForQuery reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Not in a transaction block.
    Idle,
    /// In one.
    InTransaction,
    /// In one that has failed.
    Failed,
}

/// A transaction under way, with what it has changed beside rows.
pub(crate) struct Active {
    pub(crate) transaction: Arc<Transaction>,
    pub(crate) catalog: CatalogEdit,
    /// Row keys of tables without a primary key.
    pub(crate) row_ids: Arc<RowIds>,
    pub(crate) read_only: bool,
    /// Whether a statement has taken a snapshot: the isolation level is settled.
    pub(crate) settled: bool,
    savepoints: Vec<Savepoint>,
}

struct Savepoint {
    name: String,
    id: SavepointId,
    mark: EditMark,
    read_only: bool,
}

/// Modes that BEGIN and SET TRANSACTION choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Modes {
    pub(crate) isolation: IsolationLevel,
    pub(crate) read_only: bool,
}

impl Active {
    pub(crate) fn begin(database: &Database, modes: Modes, options: TransactionOptions) -> Active {
        let transaction = database.transactions().begin(TransactionOptions { isolation: modes.isolation, ..options });
        Active {
            transaction: Arc::new(transaction),
            catalog: CatalogEdit::new(&database.catalog()),
            row_ids: Arc::default(),
            read_only: modes.read_only,
            settled: false,
            savepoints: Vec::new(),
        }
    }

    /// How many savepoints there are.
    pub(crate) fn depth(&self) -> usize {
        self.savepoints.len()
    }

    /// An error: undoes everything since the innermost savepoint, or everything, and lets go of the locks taken since.
    /// How many savepoints there are.
    pub(crate) fn fail(&mut self) -> usize {
        match self.savepoints.last() {
            Some(innermost) => self.transaction.rollback_to(innermost.id),
            None => self.transaction.rollback(),
        }
        self.savepoints.len()
    }

    /// Establishes a savepoint.
    pub(crate) fn savepoint(&mut self, name: &str) {
        self.savepoints.push(Savepoint {
            name: name.to_owned(),
            id: self.transaction.savepoint(),
            mark: self.catalog.mark(),
            read_only: self.read_only,
        });
    }

    fn find(&self, name: &str) -> Result<usize> {
        self.savepoints.iter().rposition(|savepoint| savepoint.name == name).ok_or_else(|| {
            PgError::new(SqlState::INVALID_SAVEPOINT_SPECIFICATION, format!("savepoint \"{name}\" does not exist"))
        })
    }

    /// RELEASE; the savepoint's depth.
    pub(crate) fn release(&mut self, name: &str) -> Result<usize> {
        let depth = self.find(name)?;
        self.transaction.release(self.savepoints[depth].id);
        self.savepoints.truncate(depth);
        Ok(depth)
    }

    /// ROLLBACK TO; the savepoint's depth.
    pub(crate) fn rollback_to(&mut self, name: &str, newest: &CatalogSnapshot) -> Result<usize> {
        let depth = self.find(name)?;
        let savepoint = &self.savepoints[depth];
        self.transaction.rollback_to(savepoint.id);
        self.catalog.rollback_to(savepoint.mark, newest);
        self.read_only = savepoint.read_only;
        self.savepoints.truncate(depth + 1);
        Ok(depth)
    }

    /// Commits; the catalog's changes are published before any lock goes.
    pub(crate) async fn commit(self, database: &Database, durability: Durability) -> Result<()> {
        let outcome = self.catalog.finish();
        let inner: Arc<Inner> = database.inner.clone();
        let changes = outcome.changes;
        let catalog_version = database.catalog().version() + u64::from(!changes.is_empty());
        let publish = (!changes.is_empty())
            .then(|| -> Box<dyn FnOnce() + Send> { Box::new(move || Database::publish(&inner, &changes)) });
        let options = CommitOptions {
            durability,
            catalog_version,
            dropped_spaces: outcome.dropped_spaces,
            dropped_sequences: outcome.dropped_sequences,
            layouts: outcome.layouts,
            on_published: publish,
        };
        self.transaction.commit(options).await?;
        Ok(())
    }
}
