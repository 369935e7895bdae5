//! Appending batches: position, chain, rotation, and what to do when there is no room.

use std::time::Duration;

use helios_env::sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering, Weak};
use helios_env::{Buf, Env, File, IoError, SyncMode, Task};

use super::batch::{self, BatchHeader};
use super::segment::{self, CreateError, Prepared, SegmentHeader};
use super::{Lsn, Segments};
use crate::checksum::FileIdentity;
use crate::directory::DirectoryLock;
use crate::io::{is_out_of_space, write_range};
use crate::{Error, Options};

/// How often voiding a failed batch is attempted while there is no space, and the shortest and longest pause between
/// attempts: for a minute in all. The batch's commits wait, since nobody can tell them yet that they did not happen.
const VOID_ATTEMPTS: u32 = 68;
const VOID_PAUSE: Duration = Duration::from_millis(5);
const VOID_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Why an append failed.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// There was no room. The batch is not in the log and never will be.
    Full(IoError),
    /// What is in the log, or durable, is unknown.
    Fatal(IoError),
}

impl From<CreateError> for AppendError {
    fn from(error: CreateError) -> AppendError {
        match error {
            CreateError::NoSpace(error) => AppendError::Full(error),
            CreateError::Fatal(error) => AppendError::Fatal(error),
        }
    }
}

/// What others may know of the log's end.
#[derive(Debug, Default)]
pub(crate) struct LogProgress {
    durable: AtomicU64,
    written: AtomicU64,
    batches: AtomicU64,
    syncs: AtomicU64,
    bytes: AtomicU64,
}

impl LogProgress {
    /// A log that ends at `position`, all of it durable.
    pub(super) fn at(position: Lsn) -> LogProgress {
        let progress = LogProgress::default();
        progress.durable.store(position.0, Ordering::Release);
        progress.written.store(position.0, Ordering::Release);
        progress
    }

    /// Everything below is durable.
    pub(crate) fn durable(&self) -> Lsn {
        Lsn(self.durable.load(Ordering::Acquire))
    }

    /// Where the next batch goes.
    pub(crate) fn written(&self) -> Lsn {
        Lsn(self.written.load(Ordering::Acquire))
    }

    /// Batches, syncs and bytes (headers and padding included) since the open.
    pub(crate) fn counters(&self) -> (u64, u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.batches), load(&self.syncs), load(&self.bytes))
    }
}

/// A file for the next segment, prepared in the background so that rotation finds its space reserved.
#[derive(Default)]
pub(crate) struct Spare {
    prepared: Mutex<Option<Prepared>>,
    /// A task prepares it.
    is_coming: AtomicBool,
}

/// The log's end.
pub(crate) struct LogWriter {
    pub(super) env: Env,
    pub(super) options: Arc<Options>,
    pub(super) database: u128,
    pub(super) incarnation: u64,
    /// The newest segment, and the position of its first batch.
    pub(super) file: Arc<dyn File>,
    pub(super) segment: u64,
    pub(super) start: Lsn,
    /// Bytes of the file that are reserved.
    pub(super) capacity: u64,
    pub(super) position: Lsn,
    /// Checksum of the newest batch.
    pub(super) previous: u64,
    pub(super) next_segment: Arc<AtomicU64>,
    pub(super) segments: Arc<Segments>,
    pub(super) progress: Arc<LogProgress>,
    pub(super) spare: Arc<Spare>,
    /// The task that prepares the spare.
    pub(super) preparing: Option<Task>,
    pub(super) lock: Weak<DirectoryLock>,
}

impl LogWriter {
    /// Where the next batch goes.
    pub(crate) fn position(&self) -> Lsn {
        self.position
    }

    /// Whether batches were written that no sync covers.
    pub(crate) fn is_unsynced(&self) -> bool {
        self.progress.durable() < self.position
    }

    pub(crate) fn progress(&self) -> &Arc<LogProgress> {
        &self.progress
    }

    pub(crate) fn segments(&self) -> &Arc<Segments> {
        &self.segments
    }

    fn block(&self) -> usize {
        self.options.log_block_bytes
    }

    fn offset_of(&self, position: Lsn) -> u64 {
        self.block() as u64 + (position.0 - self.start.0)
    }

    /// Completes and writes the batch begun in `buf`; with `sync`, it and everything before is durable afterwards.
    /// The buffer comes back.
    pub(crate) async fn append(
        &mut self,
        mut buf: Buf,
        records: u32,
        first_ts: u64,
        sync: bool,
    ) -> (Result<(), AppendError>, Buf) {
        let padded = (buf.len() as u64).next_multiple_of(self.block() as u64);
        if self.offset_of(self.position) + padded > self.capacity
            && let Err(error) = self.rotate(padded).await
        {
            return (Err(error), buf);
        }
        let header = BatchHeader {
            previous: self.previous,
            incarnation: self.incarnation,
            lsn: self.position,
            durable_lsn: self.progress.durable(),
            wall: self.env.clock.wall().0,
            first_ts,
            records,
        };
        let sum = batch::finish(&mut buf, &header, self.block());
        let offset = self.offset_of(self.position);
        let written = write_range(&*self.file, offset, buf, self.block(), sync).await;
        if let Err(error) = written.result {
            let error = error.at(&self.path());
            let failure = if is_out_of_space(&error) {
                self.void(offset).await.map_or_else(AppendError::Fatal, |()| AppendError::Full(error))
            } else {
                AppendError::Fatal(error)
            };
            return (Err(failure), written.buf);
        }
        self.previous = sum;
        self.position.0 += padded;
        self.progress.written.store(self.position.0, Ordering::Release);
        self.progress.batches.fetch_add(1, Ordering::Relaxed);
        self.progress.bytes.fetch_add(padded, Ordering::Relaxed);
        if sync {
            self.note_sync();
        }
        (Ok(()), written.buf)
    }

    /// Makes everything written durable.
    pub(crate) async fn sync(&mut self) -> Result<(), IoError> {
        if self.is_unsynced() {
            self.file.sync(SyncMode::Data).await.map_err(|error| error.at(&self.path()))?;
            self.note_sync();
        }
        Ok(())
    }

    fn note_sync(&self) {
        self.progress.durable.store(self.position.0, Ordering::Release);
        self.progress.syncs.fetch_add(1, Ordering::Relaxed);
    }

    fn path(&self) -> String {
        segment::SegmentName::Segment(self.segment).path()
    }

    /// Overwrites the first block of a batch that failed for want of space, so that whatever of it reached the disk can
    /// never be taken for a batch.
    async fn void(&self, offset: u64) -> Result<(), IoError> {
        self.env.sometimes("storage: a log batch was voided for want of space");
        let mut pause = VOID_PAUSE;
        for attempt in 1.. {
            let zeros = Buf::zeroed(self.block());
            let written = write_range(&*self.file, offset, zeros, self.block(), true).await;
            match written.result {
                Err(error) if is_out_of_space(&error) && attempt < VOID_ATTEMPTS => {
                    self.env.sleep(pause).await;
                    pause = (pause * 2).min(VOID_PAUSE_MAX);
                }
                // The sync covered everything before, too; that is recorded with the next one that is asked for.
                result => return result.map_err(|error| error.at(&self.path())),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Goes on in a new segment with room for `needed` bytes. Everything in the old one is durable before.
    async fn rotate(&mut self, needed: u64) -> Result<(), AppendError> {
        self.sync().await.map_err(AppendError::Fatal)?;
        let capacity = self.options.segment_bytes.max(self.block() as u64 + needed);
        let spare = self.spare.prepared.lock().take();
        let prepared = match spare {
            Some(spare) if spare.capacity >= capacity => spare,
            other => {
                if let Some(unfit) = other {
                    segment::discard(&self.env, unfit.temporary).await;
                }
                let temporary = self.next_segment.fetch_add(1, Ordering::Relaxed);
                let capacity = capacity.next_multiple_of(self.block() as u64);
                prepare(&self.env, &self.options, temporary, capacity).await?
            }
        };
        let header = SegmentHeader {
            block: self.block() as u32,
            incarnation: self.incarnation,
            start_lsn: self.position,
            previous: self.previous,
            durable_lsn: self.position,
            wall: self.env.clock.wall().0,
            capacity: prepared.reserved(),
        };
        let id = self.next_segment.fetch_add(1, Ordering::Relaxed);
        let front = header.encode(FileIdentity { database: self.database, file: id });
        if let Err(error) = segment::install(&self.env, &prepared, id, front, self.block()).await {
            segment::discard(&self.env, prepared.temporary).await;
            return Err(error.into());
        }
        self.env.sometimes("storage: the log rotated to a new segment");
        self.segments.push(id, self.position);
        self.file = prepared.file;
        self.segment = id;
        self.start = self.position;
        self.capacity = prepared.capacity;
        self.prepare_spare();
        Ok(())
    }

    /// Reserves the next segment's space in the background. Failing is no matter: rotation does it itself then.
    fn prepare_spare(&mut self) {
        // The task keeps the directory locked while it runs.
        let Some(lock) = self.lock.upgrade() else { return };
        // One at a time: whoever trims waits for that one.
        if self.spare.is_coming.swap(true, Ordering::AcqRel) {
            return;
        }
        let (env, options, spare) = (self.env.clone(), self.options.clone(), self.spare.clone());
        let temporary = self.next_segment.fetch_add(1, Ordering::Relaxed);
        let task = async move {
            let capacity = options.segment_bytes.next_multiple_of(options.log_block_bytes as u64);
            let _lock = lock;
            match segment::prepare(&env, &options, temporary, capacity).await {
                Ok(prepared) => {
                    let unneeded = spare.prepared.lock().replace(prepared);
                    if let Some(unneeded) = unneeded {
                        segment::discard(&env, unneeded.temporary).await;
                    }
                }
                Err(error) => tracing::debug!(%error, "the next log segment could not be prepared ahead"),
            }
            spare.is_coming.store(false, Ordering::Release);
        };
        self.preparing = Some(self.env.spawn("log-spare", task));
    }

    /// Gives back what was reserved and not used: the newest segment ends at its last batch. Called when the log is
    /// closed; failing leaves a longer file, which is as good.
    pub(crate) async fn trim(&mut self) {
        if let Some(preparing) = self.preparing.take() {
            preparing.await;
        }
        let spare = self.spare.prepared.lock().take();
        if let Some(spare) = spare {
            segment::discard(&self.env, spare.temporary).await;
        }
        if let Err(error) = self.file.truncate(self.offset_of(self.position)).await {
            tracing::debug!(%error, "the newest log segment keeps its reserved space");
        }
    }
}

async fn prepare(env: &Env, options: &Options, temporary: u64, capacity: u64) -> Result<Prepared, AppendError> {
    segment::prepare(env, options, temporary, capacity).await.map_err(|error| match error.kind() {
        helios_env::ErrorKind::NoSpace => AppendError::Full(error),
        _ => AppendError::Fatal(error),
    })
}

impl AppendError {
    /// What the commits of the batch are told.
    pub(crate) fn into_error(self) -> Error {
        match self {
            AppendError::Full(error) => Error::Full { cause: error.to_string().into() },
            AppendError::Fatal(error) => Error::Poisoned { cause: error.to_string().into() },
        }
    }
}
