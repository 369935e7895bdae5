//! Making an environment: which backend, and how it is chosen.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use crate::memory::MemoryDisk;
use crate::runtime::{Runtime, SystemClock, SystemRng};
use crate::uring::Uring;
use crate::{Disk, Env, ErrorKind, IoError, Result};

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

/// The environment variable that decides for [`Env::open_directory`]: `uring`, `portable`, or `auto`.
pub const BACKEND_VARIABLE: &str = "HELIOS_IO";

impl Env {
    /// The directory `path`, through the best backend that works here. It is created when it is missing.
    ///
    /// That is io_uring, or the portable backend where the kernel has none or forbids it, as the default seccomp
    /// profile of containers does; the log then says so. The environment variable `HELIOS_IO` decides otherwise:
    /// `uring` fails where there is no io_uring, and `portable` does not try.
    pub fn open_directory(path: impl AsRef<Path>) -> Result<(Env, Backend)> {
        Env::open_directory_as(path.as_ref(), &std::env::var_os(BACKEND_VARIABLE).unwrap_or_default())
    }

    fn open_directory_as(path: &Path, wanted: &OsStr) -> Result<(Env, Backend)> {
        let (env, backend, why) = match wanted.to_str() {
            Some("uring") => (Env::io_uring(path)?, Backend::Uring, "as HELIOS_IO says".to_owned()),
            Some("portable") => (Env::portable(path)?, Backend::Portable, "as HELIOS_IO says".to_owned()),
            Some("" | "auto") => match Uring::start() {
                Ok(ring) => (Env::with_disk(ring.open(path)?)?, Backend::Uring, "the kernel has it".to_owned()),
                Err(error) => (Env::portable(path)?, Backend::Portable, error.to_string()),
            },
            _ => {
                let error = IoError::new(ErrorKind::Invalid, "use the backend that HELIOS_IO names,");
                return Err(error.at(&wanted.to_string_lossy()));
            }
        };
        tracing::info!(directory = %env.disk.describe(), ?backend, why, "opened a directory");
        Ok((env, backend))
    }

    /// The directory `path` through io_uring. It is created when it is missing.
    ///
    /// Fails with [`ErrorKind::Unsupported`] or [`ErrorKind::PermissionDenied`] where there is no io_uring for us.
    pub fn io_uring(path: impl AsRef<Path>) -> Result<Env> {
        Env::with_disk(Uring::start()?.open(path.as_ref())?)
    }

    /// The directory `path` through plain system calls. It is created when it is missing.
    pub fn portable(path: impl AsRef<Path>) -> Result<Env> {
        Env::with_disk(crate::portable::open(path.as_ref())?)
    }

    /// A disk in memory, empty, and gone with the last handle.
    pub fn memory() -> Result<Env> {
        Env::with_disk(MemoryDisk::default())
    }

    /// `disk` in the company of the machine's clock, random numbers and threads.
    fn with_disk(disk: impl Disk + 'static) -> Result<Env> {
        Ok(Env {
            disk: Arc::new(disk),
            clock: Arc::new(SystemClock::start()?),
            rng: Arc::new(SystemRng::open()?),
            spawn: Arc::new(Runtime::start()?),
            probe: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(wanted: &str) -> Result<Backend> {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        Env::open_directory_as(directory.path(), OsStr::new(wanted)).map(|(_, backend)| backend)
    }

    #[test]
    fn the_best_backend_is_chosen_unless_one_is_named() {
        let best = if Uring::start().is_ok() { Backend::Uring } else { Backend::Portable };
        assert_eq!(open(""), Ok(best));
        assert_eq!(open("auto"), Ok(best));
        assert_eq!(open("portable"), Ok(Backend::Portable));
        assert_eq!(open("uring").is_ok(), best == Backend::Uring);
        let error = open("floppy").expect_err("there is no such backend");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("HELIOS_IO"), "{error}");
        assert!(error.to_string().contains("floppy"), "{error}");
    }

    #[test]
    fn a_missing_directory_is_created_and_a_file_is_none() {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let deep = directory.path().join("not/there/yet");
        let env = Env::portable(&deep).expect("it is created");
        assert!(deep.is_dir());
        assert_eq!(env.disk.describe(), deep.display().to_string());
        std::fs::write(directory.path().join("file"), "").expect("writable");
        let error = Env::portable(directory.path().join("file")).expect_err("a file is no directory");
        assert_eq!(error.kind(), ErrorKind::Directory);
        assert!(error.path().is_some_and(|path| path.ends_with("file")), "{error}");
    }

    #[test]
    fn two_disks_of_one_process_exclude_each_other() {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let (one, two) = (Env::portable(directory.path()), Env::portable(directory.path()));
        let (one, two) = (one.expect("opens"), two.expect("opens"));
        let held = one.block_on(one.disk.lock("LOCK")).expect("nobody holds it");
        let refused = two.block_on(two.disk.lock("LOCK")).map(|_| ()).expect_err("the other disk holds it");
        assert_eq!(refused.kind(), ErrorKind::Locked);
        drop(held);
        assert!(two.block_on(two.disk.lock("LOCK")).is_ok());
    }
}
