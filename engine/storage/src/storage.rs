//! The face of the floor.

use helios_env::Env;
use helios_env::sync::{Arc, Ordering};

use crate::batch::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use crate::engine::{self, Engine, RecoveryReport, VerifyReport};
use crate::log::{Committing, Request};
use crate::read::Scan;
use crate::row::Layout;
use crate::snapshot::Snapshot;
use crate::tree::{LEVELS, Progress, Search};
use crate::{
    CommitTs, Direction, Durability, Error, KeyRange, Lookup, Options, Result, SequenceReservation, Space, Version,
    WriteBatch,
};

/// A batch is refused above this size in the log.
const BATCH_BYTES_MAX: usize = 2 << 30;

/// A multiversion, ordered, durable key-value store. Cheap to clone: every clone is the same storage.
///
/// When the last clone is dropped the background work ends by itself; only [`Storage::close`] waits for that, and only
/// after it can the directory be opened again with certainty.
#[derive(Clone)]
pub struct Storage {
    handle: Arc<Handle>,
}

/// Stops the engine's background tasks when the last clone of a [`Storage`] goes.
struct Handle(Arc<Engine>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.log.close();
        self.0.tree.stop();
    }
}

/// Counters and sizes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The newest published commit.
    pub last_commit: CommitTs,
    /// Bytes in the active memtable and in those waiting for their flush, and how many wait.
    pub memtable_bytes: usize,
    /// See `memtable_bytes`.
    pub immutable_memtables: usize,
    /// Files and bytes per level.
    pub levels: Vec<(usize, u64)>,
    /// Bytes in the block cache, lookups that found their block, and those that did not.
    pub cache_bytes: u64,
    /// See `cache_bytes`.
    pub cache_hits: u64,
    /// See `cache_bytes`.
    pub cache_misses: u64,
    /// Segments of the log.
    pub log_segments: usize,
    /// Batches and bytes appended to the log, and syncs of it, since the open.
    pub log_batches: u64,
    /// See `log_batches`.
    pub log_bytes: u64,
    /// See `log_batches`.
    pub log_syncs: u64,
    /// Position up to which the log is durable, and the one where the next batch goes.
    pub log_durable: u64,
    /// See `log_durable`.
    pub log_written: u64,
    /// Flushes and compactions since the open; files moved without being written; bytes of files written.
    pub flushes: u64,
    /// See `flushes`.
    pub compactions: u64,
    /// See `flushes`.
    pub moves: u64,
    /// See `flushes`.
    pub table_bytes_written: u64,
    /// Snapshots that exist, and the oldest timestamp among them.
    pub snapshots: usize,
    /// See `snapshots`.
    pub oldest_snapshot: Option<CommitTs>,
}

impl Storage {
    /// Opens the database in the environment's directory, creating it when the directory is empty, and recovers
    /// what the log holds.
    pub async fn open(env: Env, options: Options) -> Result<(Storage, RecoveryReport)> {
        // In a task of its own: an open that its caller abandons ends in order, and lets go of the directory.
        let (completer, opened) = helios_env::pending();
        let (task_env, name) = (env.clone(), "storage-open");
        drop(env.spawn(name, async move {
            let opened = engine::open(task_env, options).await;
            completer.complete(opened.map(|(engine, report)| (Storage { handle: Arc::new(Handle(engine)) }, report)));
        }));
        opened.await
    }

    fn engine(&self) -> &Arc<Engine> {
        &self.handle.0
    }

    /// Whether commits can still succeed.
    ///
    /// # Errors
    ///
    /// [`Error::Poisoned`] once a sync, or a write of log or manifest, has failed.
    pub fn check_health(&self) -> Result<()> {
        self.engine().tree.check_health()
    }

    /// Pins the newest published timestamp.
    pub fn snapshot(&self) -> Snapshot {
        self.engine().tree.snapshots.pin()
    }

    /// The newest published commit.
    pub fn last_commit(&self) -> CommitTs {
        self.engine().tree.snapshots.published()
    }

    /// The newest version of `key` at `at` (deletions included), if that can be told without reading a file. `at` is
    /// pinned by a [`Snapshot`] meanwhile, or is [`CommitTs::NEWEST`].
    pub fn try_get(&self, space: Space, key: &[u8], at: CommitTs) -> Result<Lookup> {
        Ok(match Search::begin(&self.engine().tree, space, key, at)? {
            Err(version) => Lookup::Found(version),
            Ok(mut search) => match search.go_on()? {
                Progress::Done(found) => found.map_or(Lookup::Absent, Lookup::Found),
                Progress::Needs(..) => Lookup::NeedsIo,
            },
        })
    }

    /// The newest version of `key` at `at`, deletions included; see [`Storage::try_get`].
    pub async fn get(&self, space: Space, key: &[u8], at: CommitTs) -> Result<Option<Version>> {
        match Search::begin(&self.engine().tree, space, key, at)? {
            Err(version) => Ok(Some(version)),
            Ok(search) => search.finish().await,
        }
    }

    /// Walks `range` at `at`, which must be pinned while the scan lives, or [`CommitTs::NEWEST`].
    pub fn scan(&self, space: Space, range: KeyRange, direction: Direction, at: CommitTs) -> Scan {
        Scan::new(self.engine().tree.clone(), space, range, direction, at)
    }

    /// Commits `batch`: returns its timestamp once it is published, and durable if so asked. A batch without writes and
    /// dropped spaces takes no timestamp; the newest one is returned.
    pub async fn commit(&self, batch: WriteBatch, durability: Durability) -> Result<CommitTs> {
        self.enqueue_commit(batch, durability).await
    }

    /// Hands `batch` to the log, which decides the outcome from here on: dropping the future only stops the waiting.
    /// Batches are logged in the order in which they were enqueued.
    pub fn enqueue_commit(&self, batch: WriteBatch, durability: Durability) -> Committing {
        if let Err(error) = self.engine().tree.check_health() {
            return Committing::ready(Err(error));
        }
        match check_size(&batch) {
            Ok(bytes) => self.engine().log.enqueue(Request::Commit { batch: Box::new(batch), durability }, bytes),
            Err(error) => Committing::ready(Err(error)),
        }
    }

    /// The reservation of a sequence, as of its last commit.
    pub fn sequence(&self, sequence_id: u64) -> Option<SequenceReservation> {
        self.engine().tree.facts.lock().sequences.get(&sequence_id).copied()
    }

    /// Every layout that was ever logged, by number.
    pub fn layouts(&self) -> Vec<Layout> {
        self.engine().tree.facts.lock().layouts.values().cloned().collect()
    }

    /// Makes every acknowledged commit durable, asynchronous ones too.
    pub async fn sync(&self) -> Result<()> {
        self.engine().log.enqueue(Request::Sync, 0).await.map(drop)
    }

    /// Writes every memtable to files.
    pub async fn flush(&self) -> Result<()> {
        self.engine().log.enqueue(Request::Rotate, 0).await?;
        let engine = self.engine().clone();
        self.engine().run("storage-flush-now", async move { engine.flush_immutable().await }).await
    }

    /// Flushes, and merges everything down to one level: of each key one version, where no snapshot needs more.
    pub async fn compact(&self) -> Result<()> {
        self.flush().await?;
        let engine = self.engine().clone();
        self.engine().run("storage-compact-now", async move { engine.compact_everything().await }).await
    }

    /// Flushes, seals the log, ends the background work and lets go of the directory. Commits that were enqueued before
    /// are carried out; later ones fail with [`Error::Closed`].
    pub async fn close(&self) -> Result<()> {
        let engine = self.engine().clone();
        self.engine().run("storage-close", async move { engine.close().await }).await
    }

    /// Reads everything and reports what does not hold. Changes nothing.
    pub async fn verify(&self) -> VerifyReport {
        let engine = self.engine().clone();
        self.engine().run("storage-verify", async move { engine.verify().await }).await
    }

    /// Counters and sizes, as of now.
    pub fn stats(&self) -> Stats {
        let engine = self.engine();
        let state = engine.tree.state();
        let memtables = std::iter::once(&state.active).chain(&state.immutable);
        let cache = &engine.tree.tables.cache;
        let (cache_hits, cache_misses) = cache.hits_and_misses();
        let (log_batches, log_syncs, log_bytes) = engine.progress.counters();
        let (snapshots, oldest_snapshot) = engine.tree.snapshots.pinned();
        let counters = &engine.counters;
        Stats {
            last_commit: self.last_commit(),
            memtable_bytes: memtables.map(|memtable| memtable.bytes()).sum(),
            immutable_memtables: state.immutable.len(),
            levels: (0..LEVELS).map(|level| (state.levels.level(level).len(), state.levels.bytes(level))).collect(),
            cache_bytes: cache.bytes(),
            cache_hits,
            cache_misses,
            log_segments: engine.segments.len(),
            log_batches,
            log_bytes,
            log_syncs,
            log_durable: engine.progress.durable().0,
            log_written: engine.progress.written().0,
            flushes: counters.flushes.load(Ordering::Relaxed),
            compactions: counters.compactions.load(Ordering::Relaxed),
            moves: counters.moves.load(Ordering::Relaxed),
            table_bytes_written: counters.table_bytes_written.load(Ordering::Relaxed),
            snapshots,
            oldest_snapshot,
        }
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").field("last_commit", &self.last_commit()).finish_non_exhaustive()
    }
}

/// The batch's size in the log, roughly; fails when it, or a key or value, is larger than the formats allow.
fn check_size(batch: &WriteBatch) -> Result<usize> {
    let mut bytes = 256;
    for write in &batch.writes {
        let payload = write.value.payload().len();
        if write.key.len() > KEY_BYTES_MAX {
            let what = format!("a key of {} bytes is longer than the maximum of {KEY_BYTES_MAX}", write.key.len());
            return Err(Error::Invalid(what.into()));
        }
        if payload > VALUE_BYTES_MAX {
            let what = format!("a row of {payload} bytes is longer than the maximum of {VALUE_BYTES_MAX}");
            return Err(Error::Invalid(what.into()));
        }
        bytes += 48 + write.key.len() + payload;
    }
    bytes += 32 * (batch.dropped_spaces.len() + batch.sequences.len() + batch.dropped_sequences.len());
    bytes += batch.layouts.iter().map(|layout| 16 + layout.columns().len()).sum::<usize>();
    if bytes > BATCH_BYTES_MAX {
        let what = format!("a transaction of {bytes} bytes is larger than the maximum of {BATCH_BYTES_MAX}");
        return Err(Error::Invalid(what.into()));
    }
    Ok(bytes)
}
