//! The storage floor: a multiversion, ordered, durable key-value store.
//!
//! Everything above it, tables and indexes, the catalog, sequences, is keys and values here:
//!
//! ```text
//!   branch u32 | storage id u64 | user key | !commit_ts u64   ──▶   row | deleted | moved to
//! ```
//!
//! A commit is one record of the log ([`WriteBatch`]), durable before it is acknowledged, and gets a timestamp in the
//! order of the log. A read happens at a timestamp ([`Snapshot`]) and sees exactly the commits up to it. That is all
//! that the transaction floor needs: conflicts, locks and visibility of own writes are its business.
//!
//! ```text
//!              Storage ── commit ──▶ log (wal/)          one batch, one write, one sync, many commits
//!                 │                    │ applies, publishes
//!                 │                    ▼
//!              reads ──────────────▶ tree: memtables      ordered maps
//!                 │                    │ flush
//!                 └────────────────▶ tables (sst/)        immutable, checksummed, filtered, cached
//!                                      ▲ compaction
//!              manifest (manifest/) ───┘ says which tables are the tree, and how much of the log they hold
//! ```
//!
//! The parts, each with its essay: `log` (group commit, recovery), `memtable`, `table` (SSTables), `tree` (what a read
//! consults), `read` (merging and scans), `engine` (flush, compaction, opening, verification), `manifest`, [`row`]
//! (how rows are encoded), `snapshot` (pins and the horizon). Byte layouts are in `docs/format/`.
//!
//! Nothing here touches the operating system: files, time and tasks come from [`helios_env::Env`], so the same code runs
//! on a disk, in memory, and in a simulated world that tears writes and fails syncs.
//!
//! # Failures
//!
//! * No space: the commit fails with [`Error::Full`] and certainly did not happen; the next one may succeed.
//! * A failed sync, or a failed write of log or manifest: [`Error::Poisoned`] for this and every later commit, until the
//!   database is reopened. What was published stays readable.
//! * Damage: [`Error::Corruption`] naming file and offset, for the reads that meet it; in the log below what was durable,
//!   or in the manifest, for the open.
#![warn(missing_docs)]

mod batch;
mod cache;
mod checksum;
mod coding;
#[doc(hidden)]
pub mod decoders;
mod directory;
mod engine;
mod error;
mod io;
mod key;
mod log;
mod manifest;
mod memtable;
mod options;
mod read;
pub mod row;
mod snapshot;
mod storage;
mod table;
mod tree;

pub use batch::{Durability, Entry, Lookup, SequenceReservation, Value, Version, Write, WriteBatch};
pub use engine::{RecoveryReport, VerifyReport};
pub use error::{Error, Result};
pub use key::{BranchId, CommitTs, Direction, KeyRange, Space, StorageId};
pub use log::{Committing, TornTail};
pub use options::Options;
pub use read::Scan;
pub use snapshot::Snapshot;
pub use storage::{Stats, Storage};
