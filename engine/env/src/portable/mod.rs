//! The portable backend: `pread` and `pwrite`, on the caller's thread or on a small pool of threads.
//!
//! It is used where io_uring is missing or forbidden (macOS, old kernels, the default seccomp profile of containers).
//! What it costs depends on who asks:
//!
//! | caller | cached read | other operations |
//! |---|---|---|
//! | in `block_on` | one system call | its own system calls |
//! | elsewhere | one system call (Linux: RWF_NOWAIT) | a hop to a pool thread and one back |
//!
//! [`crate::OpenOptions::direct`] is accepted and goes through the page cache.

use std::path::Path;
use std::sync::Arc;

use crate::Result;
use crate::os::{Lane, Operation, OsDisk, Work};
use crate::runtime::pool::{Job, Pool};

/// Threads that wait for the disk: more operations in flight than this would not make it faster.
const FILE_THREADS_MAX: usize = 8;

/// A pool of threads for blocking file operations, with its first thread started.
pub(crate) fn start_file_pool() -> Result<Arc<Pool<Work>>> {
    let pool = Pool::new("helios-file", FILE_THREADS_MAX);
    pool.start_one()?;
    Ok(Arc::new(pool))
}

/// The disk at `path`, on plain system calls.
pub(crate) fn open(path: &Path) -> Result<OsDisk> {
    let pool = start_file_pool()?;
    OsDisk::open(path, pool.clone(), Arc::new(PoolLane(pool)))
}

/// File operations on the pool's threads.
struct PoolLane(Arc<Pool<Work>>);

impl Lane for PoolLane {
    fn start(&self, operation: Operation) {
        if let Err(work) = self.0.push(Work::File(operation)) {
            work.run();
        }
    }

    fn bypasses_cache(&self) -> bool {
        false
    }
}
