//! Making an environment: which backend, and how it is chosen.

use std::path::Path;
use std::sync::Arc;

use crate::memory::MemoryDisk;
use crate::runtime::{Runtime, SystemClock, SystemRng};
use crate::{Disk, Env, Result};

/// What stands behind an [`Env`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// io_uring, past the page cache where files ask for it. Linux only.
    Uring,
    /// `pread` and `pwrite` through the page cache.
    Portable,
    /// No disk at all.
    Memory,
}

impl Env {
    /// The directory `path`, through the best backend that works here. It is created when it is missing.
    pub fn open_directory(path: impl AsRef<Path>) -> Result<(Env, Backend)> {
        Ok((Env::portable(path)?, Backend::Portable))
    }

    /// The directory `path` through plain system calls. It is created when it is missing.
    pub fn portable(path: impl AsRef<Path>) -> Result<Env> {
        Env::with_disk(Arc::new(crate::portable::open(path.as_ref())?))
    }

    /// A disk in memory, empty, and gone with the last handle.
    pub fn memory() -> Result<Env> {
        Env::with_disk(Arc::new(MemoryDisk::default()))
    }

    /// `disk` in the company of the machine's clock, random numbers and threads.
    fn with_disk(disk: Arc<dyn Disk>) -> Result<Env> {
        Ok(Env {
            disk,
            clock: Arc::new(SystemClock::start()?),
            rng: Arc::new(SystemRng::open()?),
            spawn: Arc::new(Runtime::start()?),
            probe: None,
        })
    }
}
