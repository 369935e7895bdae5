//! The tree: memtables above files, and the snapshot of both that every read works on.
//!
//! ```text
//!   active memtable          ◀─ the log's driver applies commits here
//!   immutable memtables      newest first, waiting to be flushed
//!   level 0                  one flush each, newest first; ranges overlap
//!   level 1                  sorted, disjoint ranges
//!   level 2 ...              each ten times larger
//! ```
//!
//! For one key, everything in a higher place is newer than everything in a lower one, so the first version at or below
//! the timestamp that a walk from the top meets is the answer.
//!
//! A [`TreeState`] is an immutable list of these parts. Readers take a reference and keep whatever they need alive;
//! rotation, flush and compaction replace the state as a whole. Commits go into the active memtable in place, invisible
//! until their timestamp is published.

mod levels;
mod lookup;

use std::collections::BTreeMap;

use helios_env::Env;
use helios_env::sync::{Arc, AtomicBool, AtomicU64, Mutex, Notify, Ordering, RwLock, WaitQueue};

pub(crate) use levels::{LEVELS, LevelFile, Levels};
pub(crate) use lookup::{Progress, Search};

use crate::directory::DirectoryLock;
use crate::log::Lsn;
use crate::memtable::Memtable;
use crate::row::{Layout, LayoutId};
use crate::snapshot::Snapshots;
use crate::table::TableContext;
use crate::{Error, Options, Result, SequenceReservation, WriteBatch};

/// The parts that a read consults.
#[derive(Clone)]
pub(crate) struct TreeState {
    pub(crate) active: Arc<Memtable>,
    /// Newest first.
    pub(crate) immutable: Vec<Arc<Memtable>>,
    pub(crate) levels: Arc<Levels>,
}

/// What the log says besides rows, as of the newest commit applied.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) sequences: BTreeMap<u64, SequenceReservation>,
    pub(crate) layouts: BTreeMap<LayoutId, Layout>,
    pub(crate) last_xid: u64,
    pub(crate) catalog_version: u64,
}

impl Facts {
    /// Takes over what a batch says.
    pub(crate) fn apply(&mut self, batch: &WriteBatch) {
        for layout in &batch.layouts {
            self.layouts.insert(layout.id(), layout.clone());
        }
        for sequence in &batch.sequences {
            self.sequences.insert(sequence.sequence_id, *sequence);
        }
        for sequence in &batch.dropped_sequences {
            self.sequences.remove(sequence);
        }
        self.last_xid = self.last_xid.max(batch.xid);
        self.catalog_version = self.catalog_version.max(batch.catalog_version);
    }
}

/// Everything that the parts of an open storage share.
pub(crate) struct Tree {
    pub(crate) env: Env,
    pub(crate) options: Arc<Options>,
    pub(crate) database: u128,
    pub(crate) tables: TableContext,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) facts: Mutex<Facts>,
    state: RwLock<Arc<TreeState>>,
    /// The next file's number.
    pub(crate) next_file: AtomicU64,
    /// The next flush's rank in level 0.
    pub(crate) next_rank: AtomicU64,
    poison: Mutex<Option<Error>>,
    is_poisoned: AtomicBool,
    /// Why the last flush failed, while it has not succeeded since.
    flush_trouble: Mutex<Option<Error>>,
    stopping: AtomicBool,
    pub(crate) flush_wanted: Notify,
    /// Woken whenever a flush or a compaction ended, well or badly.
    pub(crate) progress: WaitQueue,
    /// Held as long as anything may write to the directory.
    pub(crate) lock: Mutex<Option<Arc<DirectoryLock>>>,
}

impl Tree {
    pub(crate) fn new(
        env: Env,
        options: Arc<Options>,
        tables: TableContext,
        snapshots: Arc<Snapshots>,
        state: TreeState,
        lock: Arc<DirectoryLock>,
    ) -> Tree {
        let next_rank = state.levels.level0().first().map_or(0, |file| file.rank + 1);
        Tree {
            env,
            options,
            database: tables.database,
            tables,
            snapshots,
            facts: Mutex::default(),
            state: RwLock::new(Arc::new(state)),
            next_file: AtomicU64::new(0),
            next_rank: AtomicU64::new(next_rank),
            poison: Mutex::new(None),
            is_poisoned: AtomicBool::new(false),
            flush_trouble: Mutex::new(None),
            stopping: AtomicBool::new(false),
            flush_wanted: Notify::new(),
            progress: WaitQueue::new(),
            lock: Mutex::new(Some(lock)),
        }
    }

    /// The parts as of now.
    #[inline]
    pub(crate) fn state(&self) -> Arc<TreeState> {
        self.state.read().clone()
    }

    /// Replaces the parts.
    pub(crate) fn change_state<T>(&self, change: impl FnOnce(&mut TreeState) -> T) -> T {
        let mut state = self.state.write();
        let mut changed = TreeState::clone(&state);
        let result = change(&mut changed);
        let old = std::mem::replace(&mut *state, Arc::new(changed));
        drop(state);
        // Outside the lock: the last reference to a file may go with it.
        drop(old);
        result
    }

    /// Begins a new active memtable at this position of the log, unless the active one is empty.
    pub(crate) fn rotate(&self, position: Lsn) {
        let rotated = self.change_state(|state| {
            if state.active.is_untouched() {
                return false;
            }
            state.active.set_log_end(position);
            let full = std::mem::replace(&mut state.active, Arc::new(Memtable::starting_at(position)));
            state.immutable.insert(0, full);
            true
        });
        if rotated {
            self.flush_wanted.notify();
        }
    }

    /// A file number that was never used.
    pub(crate) fn new_file_id(&self) -> u64 {
        self.next_file.fetch_add(1, Ordering::Relaxed)
    }

    /// From now on nothing is written any more: what is durable is unknown.
    pub(crate) fn poison(&self, error: &Error) {
        let cause = match error {
            Error::Poisoned { cause } => cause.clone(),
            other => other.to_string().into(),
        };
        tracing::error!(%cause, "the database must be reopened");
        self.poison.lock().get_or_insert(Error::Poisoned { cause });
        self.is_poisoned.store(true, Ordering::Release);
        self.env.sometimes("storage: poisoned");
        self.progress.wake_all();
        self.flush_wanted.notify();
        self.want_compaction();
    }

    /// Fails when the storage was poisoned.
    pub(crate) fn check_health(&self) -> Result<()> {
        if !self.is_poisoned.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(self.poison.lock().clone().expect("the poison is set before the flag"))
    }

    /// Notes how the newest flush ended.
    pub(crate) fn note_flush(&self, outcome: &Result<()>) {
        *self.flush_trouble.lock() = outcome.as_ref().err().cloned();
        self.progress.wake_all();
    }

    /// Why flushing fails at the moment, if it does.
    pub(crate) fn flush_trouble(&self) -> Option<Error> {
        self.flush_trouble.lock().clone()
    }

    /// Tells the compaction to look whether there is anything to do.
    pub(crate) fn want_compaction(&self) {
        self.tables.graveyard.arrivals.notify();
    }

    /// Asks the background tasks to end.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.flush_wanted.notify();
        self.want_compaction();
        self.progress.wake_all();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}
