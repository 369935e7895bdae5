//! What SQLite asks of an operating system, answered by the simulated one: the safe half of the VFS.
//!
//! It does what SQLite's own `os_unix.c` does on Linux, call by call, so that SQLite stands on no firmer ground here
//! than there: short transfers are continued, a read behind the end is zero-filled, a full disk is `SQLITE_FULL`, and
//! the first sync of a new journal or write-ahead log also syncs its directory. One thing is firmer: that directory
//! sync's failure is reported, which `os_unix.c` leaves out.
//!
//! Nothing here unwinds: a node that ends is an I/O error to SQLite, which then gives up on its own; see
//! [`helios_sim::Blocking`].

use std::os::raw::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use helios_env::{Buf, ErrorKind, File, IoError, OpenOptions, Rng, SyncMode, read_full, write_full};
use helios_sim::Blocking;
use rusqlite::ffi;

/// An operation's result, with SQLite's extended code for what went wrong.
pub(super) type Result<T> = std::result::Result<T, c_int>;

/// The directory, the clock and the random numbers.
pub(super) struct Files {
    world: Arc<Blocking>,
    random: Arc<dyn Rng>,
}

/// An open file.
pub(super) struct OpenFile {
    world: Arc<Blocking>,
    file: Arc<dyn File>,
    /// It is new, and its entry has to become durable with its contents.
    sync_directory: AtomicBool,
}

impl Files {
    pub(super) fn new(world: &Arc<Blocking>) -> Files {
        Files { world: world.clone(), random: world.env().rng.fork("sqlite") }
    }

    fn wait<T: Send>(
        &self,
        code: c_int,
        future: impl Future<Output = std::result::Result<T, IoError>> + Send,
    ) -> Result<std::result::Result<T, IoError>> {
        self.world.wait(future).map_err(|_| code)
    }

    /// Opens a file; `flags` are SQLite's. Files without a name (temporary ones) are refused: temporary storage is in
    /// memory.
    pub(super) fn open(&self, name: Option<&str>, flags: c_int) -> Result<OpenFile> {
        let name = name.ok_or(ffi::SQLITE_CANTOPEN)?;
        let options = OpenOptions {
            write: flags & ffi::SQLITE_OPEN_READWRITE != 0,
            create: flags & ffi::SQLITE_OPEN_CREATE != 0,
            create_new: flags & ffi::SQLITE_OPEN_CREATE != 0 && flags & ffi::SQLITE_OPEN_EXCLUSIVE != 0,
            direct: false,
        };
        let journals = ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL;
        let file = self.wait(ffi::SQLITE_IOERR, self.world.env().disk.open(name, options))?;
        Ok(OpenFile {
            world: self.world.clone(),
            file: file.map_err(|_| ffi::SQLITE_CANTOPEN)?,
            sync_directory: AtomicBool::new(options.create && flags & journals != 0),
        })
    }

    /// Removes a file, durably if asked.
    pub(super) fn delete(&self, name: &str, sync_directory: bool) -> Result<()> {
        let disk = &self.world.env().disk;
        match self.wait(ffi::SQLITE_IOERR_DELETE, disk.remove(name))? {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(ffi::SQLITE_IOERR_DELETE_NOENT),
            Err(_) => return Err(ffi::SQLITE_IOERR_DELETE),
        }
        if sync_directory {
            let code = ffi::SQLITE_IOERR_DIR_FSYNC;
            self.wait(code, disk.sync_dir(""))?.map_err(|_| code)?;
        }
        Ok(())
    }

    /// Whether a file is there and not empty: an empty journal is none.
    pub(super) fn exists(&self, name: &str) -> Result<bool> {
        let code = ffi::SQLITE_IOERR_ACCESS;
        let disk = self.world.env().disk.clone();
        let len = async { disk.open(name, OpenOptions::read()).await?.len().await };
        match self.wait(code, len)? {
            Ok(len) => Ok(len > 0),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(_) => Err(code),
        }
    }

    /// Fills `out` from the world's random numbers.
    pub(super) fn random(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.random.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }

    /// A number to seed SQLite's own generator with; never zero, which would mean the operating system's.
    pub(super) fn seed(&self) -> c_int {
        (self.random.next_u64() >> 33) as c_int | 1
    }

    pub(super) fn sleep(&self, time: Duration) {
        let _ended_or_not = self.world.wait(self.world.env().sleep(time));
    }

    /// Milliseconds since noon in Greenwich on November 24, 4714 B.C.
    pub(super) fn julian_milliseconds(&self) -> i64 {
        const UNIX_EPOCH: i64 = 24_405_875 * 8_640_000;
        UNIX_EPOCH + self.world.env().clock.wall().0.div_euclid(1_000)
    }
}

impl OpenFile {
    fn wait<T: Send>(&self, code: c_int, future: impl Future<Output = T> + Send) -> Result<T> {
        self.world.wait(future).map_err(|_| code)
    }

    /// Fills `out`; what lies behind the end of the file is zero, and said to be missing.
    pub(super) fn read(&self, out: &mut [u8], offset: u64) -> Result<()> {
        let code = ffi::SQLITE_IOERR_READ;
        let read = self.wait(code, read_full(&*self.file, offset, Buf::zeroed(out.len())))?;
        let moved = read.result.map_err(|_| code)?;
        out[..moved].copy_from_slice(&read.buf[..moved]);
        out[moved..].fill(0);
        if moved == out.len() { Ok(()) } else { Err(ffi::SQLITE_IOERR_SHORT_READ) }
    }

    pub(super) fn write(&self, data: &[u8], offset: u64) -> Result<()> {
        let code = ffi::SQLITE_IOERR_WRITE;
        let (written, _buf) = self.wait(code, write_full(&*self.file, offset, Buf::from(data)))?;
        written.map_err(|error| if error.kind() == ErrorKind::NoSpace { ffi::SQLITE_FULL } else { code })
    }

    pub(super) fn truncate(&self, len: u64) -> Result<()> {
        let code = ffi::SQLITE_IOERR_TRUNCATE;
        self.wait(code, self.file.truncate(len))?.map_err(|_| code)
    }

    pub(super) fn sync(&self, data_only: bool) -> Result<()> {
        let mode = if data_only { SyncMode::Data } else { SyncMode::All };
        let code = ffi::SQLITE_IOERR_FSYNC;
        self.wait(code, self.file.sync(mode))?.map_err(|_| code)?;
        if self.sync_directory.load(Relaxed) {
            let code = ffi::SQLITE_IOERR_DIR_FSYNC;
            self.wait(code, self.world.env().disk.sync_dir(""))?.map_err(|_| code)?;
            self.sync_directory.store(false, Relaxed);
        }
        Ok(())
    }

    pub(super) fn size(&self) -> Result<i64> {
        let code = ffi::SQLITE_IOERR_FSTAT;
        let len = self.wait(code, self.file.len())?.map_err(|_| code)?;
        i64::try_from(len).map_err(|_| code)
    }
}
