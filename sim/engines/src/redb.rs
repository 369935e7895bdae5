//! redb, through its `StorageBackend`.
//!
//! The backend is a file of the simulated disk. It does what redb's own `FileBackend` does with a real one: reads and
//! writes in full however short the single steps are, `set_len` as a truncation, `sync_data` as an fdatasync.
//!
//! A new database is made under another name, renamed, and the directory synced: a backend has no directory, and so redb
//! cannot do it. It could be made in its place if a crash in the middle of `create` did not leave a file that neither
//! `create` nor `open` takes ("magic number mismatch", 4.1 and 4.2). No transaction is lost in it, since none was
//! possible, and nothing is promised of it; so it is kept out of the comparison.
//!
//! What redb promises is in its design document ("Assumptions about underlying media") and in the documentation of
//! `Durability` and `StorageError`. It makes no use of threads, clocks or random numbers, so it runs here as it is.
//!
//! Cargo takes two versions of a crate into one build only when they are incompatible, and 4.1 and 4.2 are not. So this
//! crate builds with either: the workspace's lockfile has 4.2.0, the one of the package in `redb-4.1/` has 4.1.0.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use helios_env::{Buf, ErrorKind, File, OpenOptions, SyncMode, read_full, write_full};
use helios_sim::{Blocking, FaultKind};
use redb::{
    Builder, Database, Durability, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, TableError,
};

use crate::engine::{Engine, EngineError, Lasting, Promise, Result, Store, Write};

/// The version that this build has.
#[cfg(feature = "redb-4-1")]
const VERSION: &str = "4.1.0";
#[cfg(not(feature = "redb-4-1"))]
const VERSION: &str = "4.2.0";

/// A type that 4.1 does not have: the build fails where it would claim to be 4.2 and is not.
#[cfg(not(feature = "redb-4-1"))]
type _SinceFourTwo = redb::OwnedAccessGuard<u16>;

/// redb, of the version that this build has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Redb;

/// The database's file.
const PATH: &str = "database.redb";

/// The same while it is made.
const UNFINISHED_PATH: &str = "database.redb.new";

/// One file, as a backend sees it.
#[derive(Clone)]
struct Medium {
    world: Arc<Blocking>,
    file: Arc<dyn File>,
}

impl std::fmt::Debug for Medium {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Medium").finish_non_exhaustive()
    }
}

fn io_error(error: helios_env::IoError) -> io::Error {
    if error.errno() > 0 { io::Error::from_raw_os_error(error.errno()) } else { io::Error::other(error) }
}

impl Medium {
    /// The file at `path`, its entry durable; `None` if there is none.
    fn existing(world: &Arc<Blocking>, path: &'static str) -> Result<Option<Medium>> {
        let disk = world.env().disk.clone();
        let file = world.wait(async move {
            match disk.open(path, OpenOptions { write: true, ..OpenOptions::default() }).await {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                // It may have been renamed just before a crash, and its entry be in the cache alone.
                Ok(file) => disk.sync_dir("").await.map(|()| Some(file)),
                Err(error) => Err(error),
            }
        });
        let file = file.map_err(EngineError::refused)?.map_err(EngineError::refused)?;
        Ok(file.map(|file| Medium { world: world.clone(), file }))
    }

    /// A new file that is not the database yet.
    fn unfinished(world: &Arc<Blocking>) -> Result<Medium> {
        let disk = world.env().disk.clone();
        let file = world.wait(async move {
            match disk.remove(UNFINISHED_PATH).await {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => disk.open(UNFINISHED_PATH, OpenOptions::create_new()).await,
            }
        });
        let file = file.map_err(EngineError::refused)?.map_err(EngineError::refused)?;
        Ok(Medium { world: world.clone(), file })
    }

    /// It becomes the database.
    fn finish(self) -> Result<()> {
        let disk = self.world.env().disk.clone();
        let renamed = self.world.wait(async {
            self.file.sync(SyncMode::All).await?;
            disk.rename(UNFINISHED_PATH, PATH).await?;
            disk.sync_dir("").await
        });
        renamed.map_err(EngineError::refused)?.map_err(EngineError::refused)
    }

    fn len(&self) -> io::Result<u64> {
        self.world.wait(self.file.len())?.map_err(io_error)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let read = self.world.wait(read_full(&*self.file, offset, Buf::zeroed(out.len())))?;
        if read.result.map_err(io_error)? < out.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.copy_from_slice(&read.buf);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.world.wait(self.file.truncate(len))?.map_err(io_error)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.world.wait(self.file.sync(SyncMode::Data))?.map_err(io_error)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.world.wait(write_full(&*self.file, offset, Buf::from(data)))?.0.map_err(io_error)
    }
}

fn promise(kind: FaultKind) -> Promise {
    use FaultKind as F;
    match kind {
        F::PowerCut | F::TornWrite | F::LostWrite | F::ReorderedWrite => {
            Promise::Made("design.md: safe in the event of power failure, whatever was written since the last fsync")
        }
        F::ProcessKill => Promise::Made("README: crash-safe by default"),
        F::LostEntry | F::HalfRename => {
            Promise::Made("the backend's: redb has one file, whose entry is made durable for it")
        }
        F::ShortRead | F::ShortWrite => Promise::Made("the backend's: it reads and writes in full"),
        F::ReadError | F::WriteError | F::NoSpace => {
            Promise::Made("StorageError::PreviousIo: the database must be closed and reopened")
        }
        F::SyncError => {
            Promise::NotMade("design.md assumes that writes are durable after an fsync; of one that fails, nothing")
        }
        F::LatencySpike | F::StuckIo | F::ClockJump | F::ClockSkew | F::ClockStop | F::ProcessPause => {
            Promise::Made("it looks at no clock")
        }
        F::BitRot | F::TransitRot | F::LatentSector | F::MisdirectedWrite | F::MisdirectedRead | F::StaleRead => {
            Promise::NotMade("checksums are compared by recovery and check_integrity(), not by reads")
        }
        _ => Promise::NotMade("nothing of the kind reaches it: one caller in one process"),
    }
}

const ROWS: TableDefinition<'static, u16, &'static [u8]> = TableDefinition::new("rows");

/// Smaller than a large value: pages are written back before a commit asks for it.
const CACHE_BYTES: usize = 256 << 10;

impl StorageBackend for Medium {
    fn len(&self) -> io::Result<u64> {
        Medium::len(self)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        Medium::read(self, offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Medium::set_len(self, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Medium::sync_data(self)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        Medium::write(self, offset, data)
    }
}

impl Engine for Redb {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn version(&self) -> String {
        VERSION.to_owned()
    }

    fn durability(&self) -> &'static str {
        "Durability::Immediate (and some Durability::None), one-phase commit with checksums"
    }

    fn promise(&self, kind: FaultKind) -> Promise {
        promise(kind)
    }

    fn lasting(&self, durable: bool) -> Lasting {
        if durable { Lasting::AtOnce } else { Lasting::AfterTheNextThatLasts }
    }

    fn keeps_what_it_shows(&self) -> bool {
        false
    }

    /// `StorageError::PreviousIo`.
    fn refuses_until_reopened(&self, kind: FaultKind) -> bool {
        kind == FaultKind::WriteError
    }

    /// The changelog of 4.2: "commits now flush table root updates in a deterministic order".
    fn is_deterministic(&self) -> bool {
        cfg!(not(feature = "redb-4-1"))
    }

    fn open(&self, world: &Arc<Blocking>) -> Result<Box<dyn Store>> {
        let create = |medium| Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(medium);
        let medium = match Medium::existing(world, PATH)? {
            Some(medium) => medium,
            None => {
                let unfinished = Medium::unfinished(world)?;
                drop(create(unfinished.clone()).map_err(EngineError::refused)?);
                unfinished.finish()?;
                Medium::existing(world, PATH)?.ok_or_else(|| EngineError::refused("the new database has gone"))?
            }
        };
        Ok(Box::new(Open(create(medium).map_err(EngineError::refused)?)))
    }
}

struct Open(Database);

impl Store for Open {
    fn commit(&mut self, writes: &[Write], durable: bool) -> Result<()> {
        let mut transaction = self.0.begin_write().map_err(EngineError::refused)?;
        let durability = if durable { Durability::Immediate } else { Durability::None };
        transaction.set_durability(durability).map_err(EngineError::refused)?;
        {
            let mut table = transaction.open_table(ROWS).map_err(EngineError::refused)?;
            for (key, value) in writes {
                let old = match value {
                    Some(value) => table.insert(key, value.as_slice()),
                    None => table.remove(key),
                };
                drop(old.map_err(EngineError::refused)?);
            }
        }
        transaction.commit().map_err(EngineError::refused)
    }

    fn get(&mut self, key: u16) -> Result<Option<Vec<u8>>> {
        let transaction = self.0.begin_read().map_err(EngineError::refused)?;
        let table = match transaction.open_table(ROWS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            table => table.map_err(EngineError::refused)?,
        };
        let value = table.get(key).map_err(EngineError::refused)?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    fn scan(&mut self) -> Result<BTreeMap<u16, Vec<u8>>> {
        let transaction = self.0.begin_read().map_err(EngineError::refused)?;
        let table = match transaction.open_table(ROWS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(BTreeMap::new()),
            table => table.map_err(EngineError::refused)?,
        };
        let mut rows = BTreeMap::new();
        for row in table.iter().map_err(EngineError::refused)? {
            let (key, value) = row.map_err(EngineError::refused)?;
            rows.insert(key.value(), value.value().to_vec());
        }
        Ok(rows)
    }

    fn close(self: Box<Self>) -> Result<()> {
        drop(self.0);
        Ok(())
    }
}
