//! The engine: a tree, a log and a manifest, and the work that moves data from one to the next.
//!
//! ```text
//!   commit ──▶ log ──▶ memtable ──flush──▶ level 0 ──compaction──▶ level 1 ──compaction──▶ ...
//!                                  │                     │
//!                                  └──── manifest edit ──┴──── then obsolete segments and files go
//! ```
//!
//! Flush and compaction each take turns with themselves, and share the manifest. Both write complete files, sync them and
//! their directory, make the edit durable, and only then change what readers see; a crash anywhere leaves either files
//! that no manifest names, which the next open removes, or a finished step. Whatever they do runs in tasks of the
//! engine's own: a caller who asks for a flush and goes away cancels nothing halfway.

mod close;
mod collect;
mod compact;
mod flush;
mod open;
mod output;
mod pick;
mod verify;

use helios_env::sync::{Arc, AsyncMutex, AtomicBool, AtomicU64, Mutex, Ordering};
use helios_env::{ErrorKind, Task, pending};

pub use open::RecoveryReport;
pub(crate) use open::open;
pub use verify::VerifyReport;

use crate::directory::TABLE_DIRECTORY;
use crate::log::{Log, LogProgress, Segments};
use crate::manifest::{Edit, EditError, Manifest};
use crate::table::table_path;
use crate::tree::Tree;
use crate::{Error, Result};

/// See the module's documentation.
pub(crate) struct Engine {
    pub(crate) tree: Arc<Tree>,
    pub(crate) log: Arc<Log>,
    pub(crate) progress: Arc<LogProgress>,
    pub(crate) segments: Arc<Segments>,
    manifest: AsyncMutex<Box<Manifest>>,
    flush_turn: AsyncMutex<()>,
    compaction_turn: AsyncMutex<()>,
    /// Where the last compaction of each level ended.
    cursors: Mutex<pick::Cursors>,
    /// Files of edits of which it is not known whether a recovery would see them.
    undecided: Mutex<Vec<u64>>,
    /// The last compaction failed, and none has succeeded since.
    compaction_is_stuck: AtomicBool,
    workers: Mutex<Vec<Task>>,
    pub(crate) counters: Counters,
}

/// What the engine has done since it was opened.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) flushes: AtomicU64,
    pub(crate) compactions: AtomicU64,
    pub(crate) moves: AtomicU64,
    pub(crate) table_bytes_written: AtomicU64,
}

impl Engine {
    /// Runs `work` in a task of its own and waits for it: once begun, it ends, whether anybody waits or not.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        name: &'static str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let (completer, result) = pending();
        let task = self.tree.env.spawn(name, async move {
            // Whether anybody still waits makes no difference.
            completer.complete(work.await);
        });
        drop(task);
        result.await
    }

    /// Starts the background work.
    fn start_workers(self: &Arc<Self>) {
        if !self.tree.options.background {
            return;
        }
        let flusher = self.clone();
        let compactor = self.clone();
        let env = &self.tree.env;
        *self.workers.lock() = vec![
            env.spawn("storage-flush", async move { flusher.flush_in_background().await }),
            env.spawn("storage-compact", async move { compactor.compact_in_background().await }),
        ];
    }

    /// Waits until the background work has ended; [`Tree::stop`] was called.
    async fn join_workers(&self) {
        let workers = std::mem::take(&mut *self.workers.lock());
        for worker in workers {
            worker.await;
        }
    }

    /// Makes an edit durable. On success the caller changes the tree accordingly; on failure the files that the edit adds
    /// are this function's to deal with.
    async fn apply_edit(&self, edit: &Edit) -> Result<()> {
        let mut manifest = self.manifest.lock().await;
        let follows = manifest.state().version;
        match manifest.apply(follows, edit).await {
            Ok(()) => {
                drop(manifest);
                let decided = std::mem::take(&mut *self.undecided.lock());
                self.remove_tables(&decided).await;
                Ok(())
            }
            Err(EditError::NoSpace(error)) => {
                let moved = |file: &u64| edit.removed.contains(file);
                let added = edit.added.iter().map(|file| file.summary.id);
                self.undecided.lock().extend(added.filter(|file| !moved(file)));
                Err(full(&error))
            }
            Err(EditError::Fatal(error)) => Err(self.poison(error.into())),
            Err(EditError::Refused(what)) => Err(self.poison(Error::corruption("manifest", 0, what))),
        }
    }

    fn poison(&self, error: Error) -> Error {
        self.tree.poison(&error);
        error
    }

    /// Removes files that left the tree and that nobody reads any more.
    pub(crate) async fn sweep(&self) {
        let dead = self.tree.tables.graveyard.take();
        self.remove_tables(&dead).await;
    }

    async fn remove_tables(&self, files: &[u64]) {
        for &file in files {
            let path = table_path(file);
            if let Err(error) = self.tree.env.disk.remove(&path).await
                && error.kind() != ErrorKind::NotFound
            {
                tracing::warn!(%error, path, "a file that is no longer needed stays until the next start");
            }
        }
    }

    /// Makes the directory entries of new files durable.
    async fn sync_tables(&self) -> Result<()> {
        // A failed sync is final, of a directory too: a retry that succeeds means nothing.
        self.tree.env.disk.sync_dir(TABLE_DIRECTORY).await.map_err(|error| self.poison(error.into()))
    }

    fn note_written(&self, files: &[crate::table::TableSummary]) {
        let bytes = files.iter().map(|file| file.bytes).sum();
        self.counters.table_bytes_written.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// How an environment's error on a table looks to the layers above: want of space is told apart.
fn table_error(error: helios_env::IoError) -> Error {
    match error.kind() {
        ErrorKind::NoSpace => full(&error),
        _ => Error::Io(error),
    }
}

fn full(error: &helios_env::IoError) -> Error {
    Error::Full { cause: error.to_string().into() }
}
