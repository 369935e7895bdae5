//! Transactions: PostgreSQL's READ COMMITTED and REPEATABLE READ over a multiversion store.
//!
//! ```text
//!   Transactions ─┬─ begin ──▶ Transaction ── statement ──▶ Statement (snapshot, command)
//!                 │               │   reads:  own write set (earlier commands) over storage at the snapshot
//!                 │               │   writes: lock the key, then buffer in the write set
//!                 │               └─ commit: one WriteBatch ▶ log ▶ publish ▶ release
//!                 ├─ LockTable    explicit row locks and table locks, FIFO queues
//!                 ├─ writers      the write sets in flight: a buffered write *is* an exclusive lock on its key
//!                 └─ Sequences    values outside transactions
//! ```
//!
//! What holds at every moment:
//!
//! * A key is in at most one write set in flight. A write set is cleared only after its commit was published (or
//!   rolled back), so whoever waited for it finds the newest version in storage.
//! * A lock is released only at the end of its transaction, or by ROLLBACK TO a savepoint older than it.
//! * A wait ends: by the holder's end, by deadlock detection, by a timeout, or because the waiter was dropped; a
//!   dropped waiter leaves nothing in any queue.
//! * From the moment a commit is enqueued the log decides its outcome. Dropping the committer stops only the waiting:
//!   a task of its own then releases the locks.

mod error;
mod lock_table;
mod mode;
mod scan;
mod sequences;
mod transaction;
mod write_set;

pub use error::{Error, Result};
pub use mode::{RowLockMode, TableLockMode, Wait};
pub use scan::TransactionScan;
pub use sequences::{SequenceLimits, Sequences};
pub use transaction::{
    CommandId, CommitOptions, Inserted, IsolationLevel, RowLock, SavepointId, Statement, Transaction,
    TransactionOptions, Transactions,
};
