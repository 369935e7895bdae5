//! The write-ahead log.
//!
//! Every commit is a record of the log before it is anything else. Records travel in *batches*, one write each;
//! batches fill *segments*, preallocated files:
//!
//! ```text
//!   wal/0000000000000003.wal                          wal/0000000000000004.wal
//!   ┌────────┬────────┬──────────────┬────────┬─ ─ ┐  ┌────────┬────────┬─ ─ ─ ─
//!   │ header │ batch  │ batch        │ batch  │    │  │ header │ batch  │
//!   └────────┴────────┴──────────────┴────────┴─ ─ ┘  └────────┴────────┴─ ─ ─ ─
//!            ▲ start lsn                                       ▲ start lsn = end of the last batch before
//! ```
//!
//! A position ([`Lsn`]) counts bytes of batches since the database was made; headers do not count. Every batch begins on
//! a fresh block of the file, so no sector that was ever acknowledged is written again.
//!
//! # What a batch says
//!
//! The log's *incarnation* (new at every open), its own position, the checksum of the batch before it (the *chain*), the
//! clock, and `durable_lsn`: the position that was known durable when it was written. Its own checksum covers all that
//! and the records.
//!
//! # What recovery believes
//!
//! Reading goes batch by batch and stops at the first that is not intact or does not chain, at position P. If an intact
//! later batch of the same incarnation states a `durable_lsn` above P, then something that was durable is damaged:
//! fatal, naming file and offset. Otherwise what follows P is a *torn tail*: it was being written when the end came, and
//! nobody was told that it is safe.
//!
//! What can be *read* is not thereby durable: after a failed sync, or a kill, the page cache may hold what the disk does
//! not. Let D be the highest `durable_lsn` that any readable batch or header states. Everything from D up to P is written
//! again, into a new segment of a new incarnation, and synced, before the first answer. That segment appears by rename
//! when it is complete, and its header says that it continues at D: what older segments hold from D on is superseded.
//!
//! ```text
//!   old segment     ├──────────────── D ──────── P ~~torn~~ ┤
//!   new segment                       ├─ again ─┤ new batches ...
//! ```
//!
//! # When a write fails
//!
//! Out of space: the batch's first block is overwritten with zeros and synced, so that no later recovery can find it;
//! then its commits are told that they did not happen. Where even that finds no space, it is tried again for a minute.
//! Any other failure of a write, and any failure of a sync, poisons the storage: its commits' outcome is unknown until
//! recovery has read the log.

mod batch;
mod driver;
mod queue;
mod record;
mod replay;
mod segment;
mod writer;

pub(crate) use driver::Driver;
pub(crate) use queue::{Log, Request};
pub(crate) use record::{CommitRecord, Record, decode_body, put_sequence, read_sequence};
pub(crate) use replay::{Event, Source, replay};
pub(crate) use segment::{SegmentName, Segments};
pub(crate) use writer::{LogProgress, LogWriter};

pub use queue::Committing;
pub use replay::TornTail;

/// Format version of segments, in every segment's header.
pub(crate) const LOG_FORMAT: u32 = 1;
/// Where segments are.
pub(crate) const LOG_DIRECTORY: &str = "wal";

/// A position in the log: bytes of batches since the database was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Lsn(pub(crate) u64);

impl std::fmt::Display for Lsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
