//! Files and directories.
//!
//! A [`Disk`] is one directory tree that a database owns, a [`File`] an open file in it. They are what the operating
//! system offers, reduced to what every backend can promise and the simulator can break:
//!
//! | after | and a crash | the disk holds |
//! |---|---|---|
//! | `write_at`, `truncate`, `allocate` | | any mixture of old and new, sector by sector |
//! | ... then `sync` | | the new contents and length, if the entry is durable |
//! | `open` (creating), `rename`, `remove`, `create_dir`, `remove_dir` | | the old entry or the new one |
//! | ... then `sync_dir` of the directory | | the new one |
//!
//! A file is thus made in four steps: create, write, `sync`, `sync_dir`; and replaced by writing another, syncing it,
//! renaming it over the first, and `sync_dir`.
//!
//! Operations on a file that are in flight together have no order: whoever needs one awaits the first before starting
//! the second. The one pair that everybody needs is a single operation, [`File::write_at_and_sync`].
//!
//! Short I/O is legal because it is real (signals, full disks, limits of one request), and a caller that has never seen
//! it is wrong when it comes. [`read_full`], [`write_full`] and [`write_full_and_sync`] cope.

use std::sync::Arc;

use crate::{Buf, IoError, Pending, Result};

/// How [`Disk::open`] opens a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// Allow [`File::write_at`], [`File::write_at_and_sync`], [`File::truncate`] and [`File::allocate`]; without it they
    /// fail with [`crate::ErrorKind::PermissionDenied`].
    pub write: bool,
    /// Create the file when it is absent.
    pub create: bool,
    /// Fail with [`crate::ErrorKind::AlreadyExists`] when the file is there already; implies `create`.
    pub create_new: bool,
    /// Bypass the page cache where the backend can (O_DIRECT). Offsets, lengths and buffers of such a file must be
    /// multiples of [`crate::ALIGNMENT`]; a backend that cannot bypass accepts the same calls through the cache.
    pub direct: bool,
}

impl OpenOptions {
    /// An existing file, for reading.
    pub const fn read() -> OpenOptions {
        OpenOptions { write: false, create: false, create_new: false, direct: false }
    }

    /// A new file, for writing; it must not exist.
    pub const fn create_new() -> OpenOptions {
        OpenOptions { write: true, create: true, create_new: true, direct: false }
    }

    /// The same with [`OpenOptions::direct`] set to `direct`.
    pub const fn direct(mut self, direct: bool) -> OpenOptions {
        self.direct = direct;
        self
    }
}

/// What [`File::sync`] makes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// The contents and the length (fdatasync).
    Data,
    /// Contents and every attribute (fsync).
    All,
}

/// The outcome of a read or a write: bytes moved, and the buffer back, whatever happened.
#[derive(Debug)]
pub struct Io {
    /// Bytes moved; fewer than asked for is legal (short I/O), and zero on a read means the end of the file. On a file
    /// opened with [`OpenOptions::direct`], short I/O stops at a multiple of [`SECTOR`] or at the end of the file, so
    /// that the rest may be asked for.
    pub result: Result<usize>,
    /// The buffer that was handed in.
    pub buf: Buf,
}

/// The smallest unit that a device moves, in bytes: short I/O on a direct file never cuts one.
pub const SECTOR: usize = 512;

/// An open file. Offsets are bytes from its beginning.
#[expect(clippy::len_without_is_empty, reason = "whoever asks for a length needs the number")]
pub trait File: Send + Sync {
    /// Reads at most `buf.len()` bytes at `offset` into the front of `buf`, whose length stays as it was.
    fn read_at(&self, offset: u64, buf: Buf) -> Pending<Io>;

    /// Writes the bytes of `buf` at `offset`, extending the file when it ends before. They are volatile until a sync.
    fn write_at(&self, offset: u64, buf: Buf) -> Pending<Io>;

    /// [`File::write_at`] and then, only if every byte was written, [`File::sync`] with [`SyncMode::Data`]; one
    /// submission where the backend can link them. `Ok(n)` with `n == buf.len()` means written *and* durable; a
    /// smaller `n` means a short write and no sync.
    fn write_at_and_sync(&self, offset: u64, buf: Buf) -> Pending<Io>;

    /// Makes completed writes durable.
    fn sync(&self, mode: SyncMode) -> Pending<Result<()>>;

    /// Reserves space so that the file is at least `len` bytes long, reading as zeros behind its former end. Never
    /// shortens it.
    fn allocate(&self, len: u64) -> Pending<Result<()>>;

    /// Cuts the file to `len` bytes, or extends it with zeros.
    fn truncate(&self, len: u64) -> Pending<Result<()>>;

    /// Length in bytes, as of now.
    fn len(&self) -> Pending<Result<u64>>;
}

/// Holds an advisory lock on a file until dropped.
pub trait FileLock: Send + Sync {}

/// A directory tree that the database owns. Paths are relative to its root, use `/`, and never contain `..`;
/// the root itself is `""`.
pub trait Disk: Send + Sync {
    /// Opens or creates a file; a directory is refused with [`crate::ErrorKind::Directory`].
    fn open(&self, path: &str, options: OpenOptions) -> Pending<Result<Arc<dyn File>>>;
    /// Replaces the file `to`, if there is one, by the file `from`, atomically; durable after [`Disk::sync_dir`] of the directories involved.
    fn rename(&self, from: &str, to: &str) -> Pending<Result<()>>;
    /// Removes a file. Open handles go on working.
    fn remove(&self, path: &str) -> Pending<Result<()>>;
    /// Names (not paths) of the entries of a directory, sorted bytewise.
    fn list(&self, dir: &str) -> Pending<Result<Vec<String>>>;
    /// Creates a directory, and its missing parents; one that exists is no error.
    fn create_dir(&self, dir: &str) -> Pending<Result<()>>;
    /// Removes an empty directory.
    fn remove_dir(&self, dir: &str) -> Pending<Result<()>>;
    /// Makes the entries of `dir` durable: creations, renames and removals in it.
    fn sync_dir(&self, dir: &str) -> Pending<Result<()>>;
    /// Takes an exclusive lock on a file, creating it; [`crate::ErrorKind::Locked`] when another process, or this one, by
    /// whatever [`Disk`], holds it.
    fn lock(&self, path: &str) -> Pending<Result<Box<dyn FileLock>>>;
    /// What a person would call this directory in an error message.
    fn describe(&self) -> String;
}

/// Reads until `buf` is full or the file ends; the result says how many bytes are there.
pub async fn read_full(file: &dyn File, offset: u64, buf: Buf) -> Io {
    let wanted = buf.len();
    let Io { result, mut buf } = file.read_at(offset, buf).await;
    let mut filled = match result {
        Ok(n) => n,
        Err(error) => return Io { result: Err(error), buf },
    };
    while filled < wanted && filled > 0 {
        // Short, or the end? The length tells. Reading on at the end would tell too, but not on a direct file whose
        // length is no multiple of a sector.
        match file.len().await {
            Ok(len) if len <= offset + filled as u64 => break,
            Ok(_) => {}
            Err(error) => return Io { result: Err(error), buf },
        }
        let rest = Buf::zeroed(wanted - filled);
        let Io { result, buf: rest } = file.read_at(offset + filled as u64, rest).await;
        match result {
            Ok(0) => break,
            Ok(n) => {
                buf[filled..filled + n].copy_from_slice(&rest[..n]);
                filled += n;
            }
            Err(error) => return Io { result: Err(error), buf },
        }
    }
    Io { result: Ok(filled), buf }
}

/// Writes all of `buf`, however short the single writes are.
pub async fn write_full(file: &dyn File, offset: u64, buf: Buf) -> (Result<()>, Buf) {
    let total = buf.len();
    let Io { result, buf } = file.write_at(offset, buf).await;
    let mut written = match result {
        Ok(n) => n,
        Err(error) => return (Err(error), buf),
    };
    while written < total {
        let rest = Buf::from(&buf[written..]);
        match file.write_at(offset + written as u64, rest).await.result {
            Ok(0) => return (Err(IoError::write_zero()), buf),
            Ok(n) => written += n,
            Err(error) => return (Err(error), buf),
        }
    }
    (Ok(()), buf)
}

/// Writes all of `buf` and makes it durable: [`File::write_at_and_sync`], and after a short write the rest by hand.
pub async fn write_full_and_sync(file: &dyn File, offset: u64, buf: Buf) -> (Result<()>, Buf) {
    let total = buf.len();
    let Io { result, buf } = file.write_at_and_sync(offset, buf).await;
    let result = match result {
        Ok(written) if written == total => Ok(()),
        Ok(0) => Err(IoError::write_zero()),
        Ok(written) => {
            let rest = Buf::from(&buf[written..]);
            match write_full(file, offset + written as u64, rest).await.0 {
                Ok(()) => file.sync(SyncMode::Data).await,
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    };
    (result, buf)
}
