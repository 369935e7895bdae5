//! SQLite, through its VFS.
//!
//! SQLite runs as it is, on one connection: its files, its time and its random numbers come from the world. A
//! write-ahead log would want memory shared between processes; with `locking_mode=EXCLUSIVE` it keeps its index on the
//! heap, and everything else is as always. What two connections share in a process (the page cache's list, the random
//! numbers) would let worlds that live side by side on several threads disturb one another, so only one of them has
//! SQLite open at a time.
//!
//! What SQLite promises is in its documents on atomic commit, on write-ahead logging, on powersafe overwrite, and on
//! `PRAGMA synchronous`. The last distinguishes what a power cut may roll back: with a rollback journal and
//! `synchronous=FULL` the commit is the journal's removal, whose directory is not synced, so the last transaction may
//! be rolled back, whole; with `EXTRA` it is.

mod files;
mod vfs;

use std::collections::BTreeMap;
use std::sync::Arc;

use helios_env::sync::{Mutex, MutexGuard};
use helios_sim::{Blocking, FaultKind};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::engine::{Engine, EngineError, Lasting, Promise, Result, Store, Write};
use files::Files;
use vfs::Registered;

/// The database's file.
const PATH: &str = "database.sqlite";

/// Smaller than a large transaction: pages are written before its commit.
const CACHE_PAGES: u32 = 16;

/// A checkpoint every few transactions.
const CHECKPOINT_PAGES: u32 = 12;

/// Held while SQLite is open.
static OPEN: Mutex<()> = Mutex::new(());

/// How SQLite makes a transaction atomic, and how durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sqlite {
    /// A rollback journal, removed to commit; `synchronous=FULL`.
    DeleteFull,
    /// The same, with `synchronous=EXTRA`.
    DeleteExtra,
    /// A write-ahead log; `synchronous=FULL`.
    WalFull,
}

impl Sqlite {
    fn journal_mode(self) -> &'static str {
        if self == Sqlite::WalFull { "wal" } else { "delete" }
    }

    fn synchronous(self) -> &'static str {
        if self == Sqlite::DeleteExtra { "EXTRA" } else { "FULL" }
    }

    fn configure(self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch("PRAGMA temp_store=MEMORY")?;
        if self == Sqlite::WalFull {
            connection.execute_batch("PRAGMA locking_mode=EXCLUSIVE")?;
        }
        let mode: String =
            connection.query_row(&format!("PRAGMA journal_mode={}", self.journal_mode()), [], |row| row.get(0))?;
        if mode != self.journal_mode() {
            return Err(rusqlite::Error::InvalidQuery);
        }
        connection.execute_batch(&format!(
            "PRAGMA synchronous={}; PRAGMA cache_size={CACHE_PAGES}; PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES};
             CREATE TABLE IF NOT EXISTS rows (key INTEGER PRIMARY KEY, value BLOB NOT NULL)",
            self.synchronous()
        ))
    }
}

impl Engine for Sqlite {
    fn name(&self) -> &'static str {
        match self {
            Sqlite::DeleteFull => "SQLite, journal, FULL",
            Sqlite::DeleteExtra => "SQLite, journal, EXTRA",
            Sqlite::WalFull => "SQLite, WAL, FULL",
        }
    }

    fn version(&self) -> String {
        rusqlite::version().to_owned()
    }

    fn durability(&self) -> &'static str {
        match self {
            Sqlite::DeleteFull => "journal_mode=DELETE, synchronous=FULL: the last commit may be rolled back, whole",
            Sqlite::DeleteExtra => "journal_mode=DELETE, synchronous=EXTRA: durable",
            Sqlite::WalFull => "journal_mode=WAL, synchronous=FULL, locking_mode=EXCLUSIVE: durable",
        }
    }

    fn promise(&self, kind: FaultKind) -> Promise {
        use FaultKind as F;
        match kind {
            F::PowerCut | F::TornWrite | F::LostWrite | F::ReorderedWrite | F::LostEntry => Promise::Made(
                "atomiccommit.html, wal.html: atomic across power failures, however writes are ordered and cut",
            ),
            F::ProcessKill => Promise::Made("atomiccommit.html: atomic when the program crashes"),
            F::HalfRename => Promise::Made("it renames nothing"),
            F::ShortRead | F::ShortWrite => Promise::Made("the VFS's: it reads and writes in full"),
            F::ReadError | F::WriteError | F::NoSpace => {
                Promise::Made("testing.html, I/O error testing: an error rolls back, and the database stays whole")
            }
            F::SyncError => Promise::NotMade(
                "atomiccommit.html assumes that a sync flushes; of pages that a failed one drops, nothing",
            ),
            F::LatencySpike | F::StuckIo | F::ClockJump | F::ClockSkew | F::ClockStop | F::ProcessPause => {
                Promise::Made("it looks at no clock")
            }
            F::BitRot | F::TransitRot | F::LatentSector | F::MisdirectedWrite | F::MisdirectedRead | F::StaleRead => {
                Promise::NotMade("atomiccommit.html: detecting damage is left to the hardware and the operating system")
            }
            _ => Promise::NotMade("nothing of the kind reaches it: one caller in one process"),
        }
    }

    fn lasting(&self, _durable: bool) -> Lasting {
        if *self == Sqlite::DeleteFull { Lasting::AfterTheNext } else { Lasting::AtOnce }
    }

    fn keeps_what_it_shows(&self) -> bool {
        false
    }

    fn open(&self, world: &Arc<Blocking>) -> Result<Box<dyn Store>> {
        let guard = OPEN.lock();
        let files = Files::new(world);
        vfs::seed_random_numbers(files.seed());
        let vfs = Registered::new(files);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags_and_vfs(PATH, flags, vfs.name()).map_err(EngineError::refused)?;
        let open = Open { connection, _vfs: vfs, _guard: guard };
        self.configure(&open.connection).map_err(EngineError::refused)?;
        Ok(Box::new(open))
    }
}

/// The order of the fields is the order in which they go.
struct Open {
    connection: Connection,
    _vfs: Registered,
    _guard: MutexGuard<'static, ()>,
}

impl Store for Open {
    fn commit(&mut self, writes: &[Write], _durable: bool) -> Result<()> {
        let transaction = self.connection.transaction().map_err(EngineError::refused)?;
        for (key, value) in writes {
            let written = match value {
                Some(value) => transaction
                    .prepare_cached("INSERT OR REPLACE INTO rows VALUES (?, ?)")
                    .and_then(|mut statement| statement.execute(params![key, value])),
                None => transaction
                    .prepare_cached("DELETE FROM rows WHERE key = ?")
                    .and_then(|mut statement| statement.execute(params![key])),
            };
            written.map_err(EngineError::refused)?;
        }
        transaction.commit().map_err(EngineError::refused)
    }

    fn get(&mut self, key: u16) -> Result<Option<Vec<u8>>> {
        let value = self.connection.query_row("SELECT value FROM rows WHERE key = ?", [key], |row| row.get(0));
        value.optional().map_err(EngineError::refused)
    }

    fn scan(&mut self) -> Result<BTreeMap<u16, Vec<u8>>> {
        let mut statement =
            self.connection.prepare_cached("SELECT key, value FROM rows ORDER BY key").map_err(EngineError::refused)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(EngineError::refused)?;
        rows.collect::<rusqlite::Result<_>>().map_err(EngineError::refused)
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Open { connection, _vfs, _guard } = *self;
        match connection.close() {
            Ok(()) => Ok(()),
            // Dropped before the VFS is.
            Err((connection, error)) => {
                drop(connection);
                Err(EngineError::refused(error))
            }
        }
    }
}
