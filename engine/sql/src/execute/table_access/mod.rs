//! Reading tables: key ranges of a table or of an index, as one statement of a transaction sees them.
//!
//! ```text
//!   SeqScan     all keys of the table ──▶ rows
//!   IndexScan   bounds ──range──▶ keys of the table (primary key)         ──▶ rows
//!                              └▶ entries of an index ──row key──▶ get    ──▶ rows
//! ```
//!
//! The operators know the transaction only through [`ScanSource`], so that a table that lives elsewhere is one more
//! source. Rows are decoded column by column, wanted columns only, straight into column builders.
//!
//! Whoever locks or changes rows asks for their *identity* as a last column ([`identity`]): the birth of the row
//! version that was seen, then its key. The birth tells a row that was updated from another one that took its key.

mod cursor;
mod range;
mod scan;

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use helios_storage::{CommitTs, Direction, KeyRange, Space, Value, Version};
use helios_txn::{Statement, Transaction, Wait};
use helios_types::{PgError, Result};

use super::batch::Batch;
use crate::table::{RowIds, TableAccess};

pub(crate) use scan::TableScanOperator;

/// What a statement reads and writes tables with.
pub struct Tables {
    /// The transaction that the statement is part of.
    pub transaction: Arc<Transaction>,
    /// What it sees.
    pub statement: Statement,
    /// Where row keys of tables without a primary key come from; one per transaction.
    pub row_ids: Arc<RowIds>,
}

impl Tables {
    /// Waits for a lock as long as the session is willing to.
    pub(crate) fn wait(&self) -> Wait {
        Wait::Block(self.statement.lock_timeout)
    }
}

/// Some keys of a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Exactly one.
    Point(Bytes),
    /// Those in a range.
    Range(KeyRange),
}

/// What is to be read of a table.
pub struct ScanRequest {
    /// The table.
    pub access: Arc<TableAccess>,
    /// The columns to decode, by attnum.
    pub columns: Vec<i16>,
    /// Whether a last column is each row's identity.
    pub identity: bool,
    /// An index to go through; `keys` are then its own.
    pub index: Option<Space>,
    /// Which keys, one after the other.
    pub keys: Vec<Keys>,
    /// Whether each range is walked up or down.
    pub direction: Direction,
}

/// Where tables are read.
pub trait ScanSource: Send + Sync {
    /// Begins to read.
    fn open(&self, request: ScanRequest) -> Box<dyn ScanCursor>;
}

/// A table being read.
pub trait ScanCursor: Send {
    /// The next rows, at most so many; `None` at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>, rows_max: usize) -> Poll<Result<Option<Batch>>>;
}

impl ScanSource for Arc<Tables> {
    fn open(&self, request: ScanRequest) -> Box<dyn ScanCursor> {
        Box::new(cursor::TableCursor::new(self.clone(), request))
    }
}

/// A row's identity as bytes.
pub(crate) fn identity(key: &[u8], birth: CommitTs, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&birth.0.to_be_bytes());
    out.extend_from_slice(key);
}

/// The key and the version that an identity stands for.
pub(crate) fn identified(identity: &[u8]) -> Result<(Bytes, Version)> {
    let (birth, key) =
        identity.split_first_chunk::<8>().ok_or_else(|| PgError::internal("a row's identity is too short"))?;
    let birth = CommitTs(u64::from_be_bytes(*birth));
    let seen = Version { commit_ts: birth, birth, value: Value::Row(Bytes::new()) };
    Ok((Bytes::copy_from_slice(key), seen))
}
