//! The driver: takes what has queued, logs it as one batch, applies it, publishes it, answers.
//!
//! Timestamps are assigned here, in the order of the log. A batch that fails for want of space takes none; they are used
//! by the next one. Publishing comes after applying, so a reader at the published timestamp sees all of a transaction.

use helios_env::sync::{Arc, AtomicBool, Ordering, Weak};
use helios_env::{Buf, Env};

use super::queue::{Queue, Queued};
use super::record::{encode_seal, encode_transaction};
use super::writer::{AppendError, LogWriter};
use super::{Log, Request, batch};
use crate::tree::Tree;
use crate::{CommitTs, Durability, Error, Result, Version, WriteBatch};

/// See the module's documentation.
pub(crate) struct Driver {
    env: Env,
    queue: Arc<Queue>,
    /// For the syncs that follow asynchronous commits.
    log: Weak<Log>,
    writer: LogWriter,
    tree: Arc<Tree>,
    next_ts: CommitTs,
    /// The batch being built; its memory is used again.
    buf: Buf,
    sync_is_coming: Arc<AtomicBool>,
}

impl Driver {
    /// A log that appends to `writer` and applies to `tree`, whose newest commit is the one before `next_ts`.
    pub(crate) fn start(writer: LogWriter, tree: Arc<Tree>, next_ts: CommitTs) -> Arc<Log> {
        let env = tree.env.clone();
        Log::new(env.clone(), |queue, log| {
            let sync_is_coming = Arc::new(AtomicBool::new(false));
            let driver = Driver { env, queue, log, writer, tree, next_ts, buf: Buf::new(), sync_is_coming };
            Box::pin(driver.run())
        })
    }

    async fn run(mut self) {
        let mut group = Vec::new();
        loop {
            let short = self.env.buggify("storage: a log batch of one transaction");
            let bytes_max = if short { 0 } else { self.tree.options.batch_bytes_max };
            self.queue.next_group(&mut group, bytes_max).await;
            if let Err(error) = self.tree.check_health() {
                answer(&mut group, |_| Err(error.clone()));
            } else {
                if let Err(error) = self.make_room().await {
                    // Control requests still do what they can.
                    let (mut refused, rest) = group.drain(..).partition(|queued| queued.is_commit());
                    group = rest;
                    answer(&mut refused, |_| Err(error.clone()));
                }
                if !group.is_empty() {
                    self.log_group(&mut group).await;
                }
            }
            self.queue.group_is_done();
            if self.env.buggify("storage: the log yields between batches") {
                self.env.spawn.yield_now().await;
            }
        }
    }

    /// Waits until the active memtable may take another batch.
    async fn make_room(&mut self) -> Result<()> {
        let early = self.env.buggify("storage: rotate the memtable early");
        loop {
            let turn = self.tree.progress.wait();
            let state = self.tree.state();
            let logged = self.writer.position().0.saturating_sub(state.active.log_start().0);
            let must = state.active.bytes() >= self.tree.options.memtable_bytes
                || logged >= self.tree.options.log_bytes_before_flush;
            let has_room = state.immutable.len() < self.tree.options.immutable_memtables_max;
            drop(state);
            if (must || early) && (has_room || !self.tree.options.background) {
                return self.rotate().await;
            }
            if !must {
                return Ok(());
            }
            self.tree.check_health()?;
            if let Some(trouble) = self.tree.flush_trouble() {
                // Files cannot be written and memory is used up: refuse, rather than wait for what may never come.
                self.tree.flush_wanted.notify();
                return Err(Error::Full { cause: format!("memtables cannot be flushed: {trouble}").into() });
            }
            if self.tree.is_stopping() {
                return Err(Error::Closed);
            }
            self.env.sometimes("storage: commits waited for a flush");
            turn.await;
        }
    }

    /// Begins a new memtable. The log is synced before: a file may not hold what the log might lose.
    async fn rotate(&mut self) -> Result<()> {
        if let Err(error) = self.writer.sync().await {
            let error = AppendError::Fatal(error).into_error();
            self.tree.poison(&error);
            return Err(error);
        }
        self.tree.rotate(self.writer.position());
        Ok(())
    }

    async fn log_group(&mut self, group: &mut Vec<Queued>) {
        batch::begin(&mut self.buf);
        let (mut records, mut sync, mut ts) = (0, false, self.next_ts);
        for queued in group.iter() {
            match &queued.request {
                Request::Commit { batch, durability } => {
                    records += encode_transaction(batch, ts, &mut self.buf);
                    sync |= *durability == Durability::Sync;
                    if batch.needs_timestamp() {
                        ts = ts.next();
                    }
                }
                Request::Sync => sync = true,
                Request::Rotate => (),
                Request::Seal => {
                    records += encode_seal(&mut self.buf);
                    sync = true;
                }
            }
        }
        let written = if records > 0 {
            let buf = std::mem::take(&mut self.buf);
            let (written, buf) = self.writer.append(buf, records, self.next_ts.0, sync).await;
            self.buf = buf;
            written
        } else if sync {
            self.writer.sync().await.map_err(AppendError::Fatal)
        } else {
            Ok(())
        };
        match written {
            Ok(()) => self.apply_group(group).await,
            Err(error) => {
                let is_fatal = matches!(error, AppendError::Fatal(_));
                let error = error.into_error();
                if is_fatal {
                    self.tree.poison(&error);
                }
                answer(group, |_| Err(error.clone()));
            }
        }
    }

    /// Applies a batch that is in the log, publishes and answers.
    async fn apply_group(&mut self, group: &mut Vec<Queued>) {
        let active = self.tree.state().active.clone();
        let mut rotate = false;
        let mut outcomes = Vec::with_capacity(group.len());
        for queued in group.iter_mut() {
            match &mut queued.request {
                Request::Commit { batch, .. } => outcomes.push(self.apply(&active, std::mem::take(batch))),
                Request::Rotate => {
                    rotate = true;
                    outcomes.push(self.newest());
                }
                Request::Sync | Request::Seal => outcomes.push(self.newest()),
            }
            if self.env.buggify("storage: applying a batch yields") {
                self.env.spawn.yield_now().await;
            }
        }
        if self.env.buggify("storage: publishing is delayed") {
            self.env.spawn.yield_now().await;
        }
        self.tree.snapshots.publish(self.newest());
        if rotate && let Err(error) = self.rotate().await {
            answer(group, |_| Err(error.clone()));
            return;
        }
        if self.writer.is_unsynced() {
            self.schedule_sync();
        }
        if group.iter().any(|queued| matches!(queued.request, Request::Seal)) {
            self.writer.trim().await;
        }
        let mut outcomes = outcomes.into_iter();
        answer(group, |_| Ok(outcomes.next().expect("one outcome per request")));
    }

    fn newest(&self) -> CommitTs {
        CommitTs(self.next_ts.0 - 1)
    }

    /// Applies one transaction, and returns its timestamp.
    fn apply(&mut self, active: &crate::memtable::Memtable, batch: Box<WriteBatch>) -> CommitTs {
        let commit_ts = if batch.needs_timestamp() { self.next_ts } else { self.newest() };
        active.note(&batch, commit_ts);
        self.tree.facts.lock().apply(&batch);
        for write in batch.writes {
            let birth = if write.is_insert { commit_ts } else { write.birth };
            let version = Version { commit_ts, birth, value: write.value };
            active.put(write.space, write.key, version, Some(&self.tree.snapshots));
        }
        self.next_ts = commit_ts.next();
        commit_ts
    }

    /// Asynchronous commits were acknowledged: their sync comes within the promised delay.
    fn schedule_sync(&self) {
        if self.sync_is_coming.swap(true, Ordering::AcqRel) {
            return;
        }
        let (env, coming, log) = (self.env.clone(), self.sync_is_coming.clone(), self.log.clone());
        let delay = self.tree.options.async_sync_delay;
        let task = async move {
            env.sleep(delay).await;
            coming.store(false, Ordering::Release);
            if let Some(log) = log.upgrade()
                && let Err(error) = log.enqueue(Request::Sync, 0).await
            {
                tracing::debug!(%error, "the sync behind asynchronous commits did not happen");
            }
        };
        drop(self.env.spawn("log-sync", task));
    }
}

fn answer(group: &mut Vec<Queued>, mut outcome: impl FnMut(&Queued) -> Result<CommitTs>) {
    for queued in group.drain(..) {
        let outcome = outcome(&queued);
        queued.slot.complete(outcome);
    }
}

impl Queued {
    fn is_commit(&self) -> bool {
        matches!(self.request, Request::Commit { .. })
    }
}
