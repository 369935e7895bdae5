//! The storage floor: a multiversion, ordered, durable key-value store.
#![warn(missing_docs)]

mod batch;
mod cache;
mod checksum;
mod coding;
mod error;
mod io;
mod key;
mod memtable;
mod options;
pub mod row;
mod scan;
mod snapshot;
mod storage;
mod table;

pub use batch::{Durability, Entry, Lookup, SequenceReservation, Value, Version, Write, WriteBatch};
pub use error::{Error, Result};
pub use key::{BranchId, CommitTs, Direction, KeyRange, Space, StorageId};
pub use options::Options;
pub use scan::Scan;
pub use snapshot::Snapshot;
pub use storage::{Committing, RecoveryReport, Stats, Storage, VerifyReport};
