//! What goes in and what comes out: writes, versions, entries.
//!
//! A [`WriteBatch`] is one transaction's effect: it becomes one record of the log, gets one commit timestamp, and is
//! there after a crash in full or not at all. A [`Version`] is what one commit left under a key.

use bytes::Bytes;

use crate::row::Layout;
use crate::{CommitTs, Space};

/// When a commit is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// After the log is durable: an acknowledged commit survives any crash.
    #[default]
    Sync,
    /// Before: a crash may take the newest commits back, always a suffix of the order of commits. A sync follows
    /// within [`crate::Options::async_sync_delay`].
    Async,
}

/// What a commit left under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A row, or the payload of an index entry. Opaque here; see [`crate::row`] for the encoding used above.
    Row(Bytes),
    /// The key was deleted.
    Deleted,
    /// The row lives on under another key of the same space (a key-changing UPDATE).
    Moved {
        /// The new user key.
        to: Bytes,
    },
}

impl Value {
    /// The row, when there is one.
    pub fn row(&self) -> Option<&Bytes> {
        match self {
            Value::Row(row) => Some(row),
            Value::Deleted | Value::Moved { .. } => None,
        }
    }

    /// Whether a reader finds a row here.
    pub fn is_live(&self) -> bool {
        matches!(self, Value::Row(_))
    }

    /// The bytes that it carries: the row, or the new key.
    pub(crate) fn payload(&self) -> &[u8] {
        match self {
            Value::Row(bytes) | Value::Moved { to: bytes } => bytes,
            Value::Deleted => &[],
        }
    }
}

/// One version of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The commit that wrote it.
    pub commit_ts: CommitTs,
    /// The commit of the INSERT that began this row: two versions of a key with different births are different rows.
    pub birth: CommitTs,
    /// What it holds.
    pub value: Value,
}

/// A key and the version of it that a scan's snapshot sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The user key.
    pub key: Bytes,
    /// Its version.
    pub version: Version,
}

/// The answer of a read that may not wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The newest version at the timestamp, deletions included.
    Found(Version),
    /// The key has no version at the timestamp.
    Absent,
    /// A block would have to be read: ask [`crate::Storage::get`].
    NeedsIo,
}

/// One write of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Where.
    pub space: Space,
    /// The user key.
    pub key: Bytes,
    /// What to leave there.
    pub value: Value,
    /// This write begins a row: its birth is the batch's own commit timestamp, and `birth` is ignored.
    pub is_insert: bool,
    /// Birth of the row that this write changes, deletes or moves here.
    pub birth: CommitTs,
}

/// A sequence may have handed out values up to this one: after a crash it goes on behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceReservation {
    /// Global number of the sequence, never reused.
    pub sequence_id: u64,
    /// The last value covered.
    pub reserved_up_to: i64,
    /// Whether `reserved_up_to` itself may have been handed out, as PostgreSQL's `is_called`.
    pub is_called: bool,
}

/// Everything that one transaction leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteBatch {
    /// The transaction's 64-bit id.
    pub xid: u64,
    /// Version of the catalog that the transaction ran under; readers of the log decode its rows by it.
    pub catalog_version: u64,
    /// At most one write per key.
    pub writes: Vec<Write>,
    /// Spaces that nobody reads after this commit (DROP, TRUNCATE): their contents go once no snapshot needs them.
    pub dropped_spaces: Vec<Space>,
    /// Sequence values reserved.
    pub sequences: Vec<SequenceReservation>,
    /// Sequences that no longer exist.
    pub dropped_sequences: Vec<u64>,
    /// Row layouts used for the first time by this or by later batches.
    pub layouts: Vec<Layout>,
}

impl WriteBatch {
    /// Whether it changes what readers see, and so needs a commit timestamp.
    pub fn needs_timestamp(&self) -> bool {
        !self.writes.is_empty() || !self.dropped_spaces.is_empty()
    }
}

/// Keys are not longer than this: indexes hold them whole.
pub(crate) const KEY_BYTES_MAX: usize = 1 << 16;
/// Rows are not longer than this, which is PostgreSQL's limit too.
pub(crate) const VALUE_BYTES_MAX: usize = 1 << 30;
