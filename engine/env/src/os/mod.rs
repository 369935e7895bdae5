//! What the two backends on a real disk share: directory operations, files, and the system calls.
//!
//! ```text
//!    OsDisk ─ open, rename, list, ... ─▶ file pool's threads
//!       │
//!    OsFile ─ len, cached reads ───────▶ at once, on the calling thread
//!       └──── everything else ─────────▶ Operation ──┬─▶ the caller itself, when in block_on
//!                                                    └─▶ Lane: the file pool (portable) or the ring (io_uring)
//! ```
//!
//! The backends differ in their [`Lane`] alone: who carries out an operation that the calling thread cannot wait for.

mod directory;
mod disk;
mod file;
mod operation;

pub(crate) use disk::OsDisk;
pub(crate) use operation::{Handle, Operation, Request};

use crate::runtime::pool::Job;

/// Carries out operations, away from the calling thread.
pub(crate) trait Lane: Send + Sync {
    /// Starts `operation`; it will be completed, however it ends.
    fn start(&self, operation: Operation);

    /// Whether files may be opened with O_DIRECT.
    fn bypasses_cache(&self) -> bool;
}

/// What the threads of a file pool do.
pub(crate) enum Work {
    /// Reads, writes, syncs.
    File(Operation),
    /// Anything in a directory.
    Directory(Box<dyn FnOnce() + Send>),
}

impl Job for Work {
    /// An operation that was started takes place, even if nobody waits for it any more.
    const MUST_RUN: bool = true;

    fn run(self) {
        match self {
            Work::File(operation) => operation.perform(),
            Work::Directory(work) => work(),
        }
    }
}
