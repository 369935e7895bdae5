//! One client: commits, looks, and snapshots that it keeps for a while. What it does is drawn from the world's choices,
//! the dull answer first, so that a failure shrinks to the few commits that make it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use helios_env::sync::Mutex;
use helios_sim::{Handle, Violation};
use helios_storage::{
    CommitTs, Durability, Error, SequenceReservation, Snapshot, Space, Storage, Value, Write, WriteBatch,
};

use super::oracle::{Attempt, Happened, Outcome};
use super::{KEYS, MARKERS, ROWS, SCRATCH, Shared, Trouble, look, look_at};

/// A snapshot that is kept, and what it showed when it was taken.
type Kept = Mutex<Option<(Snapshot, Happened)>>;

pub(super) struct Client {
    pub(super) storage: Storage,
    pub(super) oracle: Shared,
    pub(super) world: Handle,
    pub(super) number: u64,
    pub(super) verdict: Arc<Mutex<Result<(), Violation>>>,
    pub(super) kept: Kept,
}

impl Client {
    fn below(&self, n: u64) -> u64 {
        self.world.choices().pick("client", n as usize) as u64
    }

    /// Steps until told to stop, or until the storage wants to be reopened.
    pub(super) async fn run(&self, steps: u64) {
        for _ in 0..steps {
            if self.verdict.lock().is_err() {
                return;
            }
            let outcome = match self.below(16) {
                0 => Ok(true),
                1 => look(&self.storage, &self.oracle, false).await.map(|_| true),
                2 => self.keep_or_look_again().await.map(|()| true),
                _ => self.transaction().await,
            };
            match outcome {
                Ok(true) => (),
                Ok(false) => return,
                Err(trouble) if trouble.is_damage() && self.oracle.lock().disk_rots => return,
                Err(trouble) => {
                    let violation = Violation::from(trouble);
                    let mut verdict = self.verdict.lock();
                    if verdict.is_ok() {
                        *verdict = Err(violation.with(format!("seen by client {}", self.number)));
                    }
                    return;
                }
            }
        }
    }

    /// A snapshot shows the same as long as it is kept.
    async fn keep_or_look_again(&self) -> Result<(), Trouble> {
        let kept = self.kept.lock().take();
        let Some((snapshot, before)) = kept else {
            let snapshot = self.storage.snapshot();
            let happened = look_at(&self.storage, &snapshot, &self.oracle, false).await?;
            *self.kept.lock() = Some((snapshot, happened));
            return Ok(());
        };
        let again = look_at(&self.storage, &snapshot, &self.oracle, false).await?;
        if again != before {
            let at = snapshot.commit_ts();
            return Err(Violation::new(format!("the snapshot at {at} shows other transactions than before")).into());
        }
        if self.below(4) > 0 {
            *self.kept.lock() = Some((snapshot, before));
        }
        Ok(())
    }

    /// `false` once the storage wants to be reopened.
    async fn transaction(&self) -> Result<bool, Trouble> {
        let durability = if self.below(4) == 3 { Durability::Async } else { Durability::Sync };
        let (id, batch) = self.attempt();
        let commit = self.storage.enqueue_commit(batch, durability);
        let outcome = self.world.cancellable("cancel commit", commit).await;
        let settle = |outcome| self.oracle.lock().settle(id, outcome);
        match outcome {
            // Whether it happens, the log decides; we may learn it from a recovery.
            Err(_) => Ok(true),
            Ok(Ok(commit_ts)) => {
                settle(Outcome::Acknowledged(commit_ts, durability));
                let marker = self.storage.get(MARKERS, &id.to_be_bytes(), CommitTs::NEWEST).await?;
                match marker {
                    Some(version) if version.commit_ts == commit_ts => Ok(true),
                    other => Err(Violation::new(format!("commit {id} at {commit_ts} reads back as {other:?}")).into()),
                }
            }
            Ok(Err(Error::Full { .. })) => {
                settle(Outcome::Never);
                Ok(true)
            }
            Ok(Err(Error::Closed)) => {
                settle(Outcome::Never);
                Ok(false)
            }
            Ok(Err(Error::Poisoned { .. })) if self.oracle.lock().may_stop => Ok(false),
            Ok(Err(error)) => Err(error.into()),
        }
    }

    fn attempt(&self) -> (u64, WriteBatch) {
        let writes: BTreeMap<u8, Option<usize>> = (0..self.below(5))
            .map(|_| (self.below(KEYS) as u8, (self.below(4) < 3).then(|| self.below(150) as usize)))
            .collect();
        let id = self.oracle.lock().begin(writes.clone(), self.number);
        let write = |space, key: &[u8], value: Value| Write {
            space,
            key: Bytes::copy_from_slice(key),
            value,
            is_insert: true,
            birth: CommitTs::ZERO,
        };
        let mut batch = WriteBatch { xid: id, ..WriteBatch::default() };
        batch.writes.push(write(MARKERS, &id.to_be_bytes(), Value::Row(Bytes::new())));
        for (key, padding) in writes {
            let value = padding.map_or(Value::Deleted, |padding| Value::Row(Attempt::value(id, padding)));
            batch.writes.push(write(ROWS, &[key], value));
        }
        if Attempt::fills_scratch(id) {
            let scratch = Space::new(1, SCRATCH + id);
            batch.writes.push(write(scratch, b"scratch", Value::Row(Attempt::value(id, 300))));
        }
        batch.dropped_spaces.extend(Attempt::drops_scratch_of(id).map(|other| Space::new(1, SCRATCH + other)));
        let (sequence_id, reserved_up_to) = (self.number, id as i64);
        batch.sequences.push(SequenceReservation { sequence_id, reserved_up_to, is_called: true });
        (id, batch)
    }
}
