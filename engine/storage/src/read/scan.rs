//! Scans: the rows of a range at a timestamp, in order.

use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use helios_env::sync::Arc;

use super::Merge;
use super::source::{LevelCursor, MemtableCursor, Source};
use crate::snapshot::Snapshot;
use crate::table::Bounds;
use crate::tree::{LEVELS, Tree};
use crate::{CommitTs, Direction, Entry, KeyRange, Result, Space, Version};

/// Versions stepped over before a scan that yields nothing lets other tasks run.
const STEPS_MAX: usize = 4096;
/// Keys are copied out of blocks into pieces of this size, one allocation each.
const ARENA_BYTES: usize = 4096;

/// A walk over one space's keys in order. Holds what it reads: files and memtables stay until it is dropped.
pub struct Scan {
    tree: Arc<Tree>,
    merge: Merge,
    direction: Direction,
    at: CommitTs,
    with_deleted: bool,
    /// Forwards, the key whose version was decided; what follows of it is older.
    decided: Vec<u8>,
    has_decided: bool,
    /// Backwards, the newest visible version so far of the key being walked over.
    candidate: Option<(Bytes, Version)>,
    arena: BytesMut,
    is_done: bool,
    /// Held when the scan was asked to read at [`CommitTs::NEWEST`].
    pin: Option<Snapshot>,
}

impl Scan {
    pub(crate) fn new(tree: Arc<Tree>, space: Space, range: KeyRange, direction: Direction, at: CommitTs) -> Scan {
        let pin = (at == CommitTs::NEWEST).then(|| tree.snapshots.pin());
        let at = pin.as_ref().map_or(at, Snapshot::commit_ts);
        let is_done = range.is_empty();
        let sources = if is_done { Vec::new() } else { sources(&tree, space, &range, direction, at) };
        Scan {
            tree,
            merge: Merge::new(sources, direction),
            direction,
            at,
            with_deleted: false,
            decided: Vec::new(),
            has_decided: false,
            candidate: None,
            arena: BytesMut::new(),
            is_done,
            pin,
        }
    }

    /// Also yield [`crate::Value::Deleted`] and [`crate::Value::Moved`] versions.
    #[must_use]
    pub fn with_deleted(mut self) -> Scan {
        self.with_deleted = true;
        self
    }

    /// Appends at least one and at most `max` entries to `out` and returns `true`, or appends nothing and returns
    /// `false` when the range is exhausted. Ready at once while everything needed is in memory.
    pub fn poll_next_rows(&mut self, cx: &mut Context<'_>, max: usize, out: &mut Vec<Entry>) -> Poll<Result<bool>> {
        let before = out.len();
        let mut steps = 0;
        while !self.is_done && out.len() - before < max {
            match self.merge.poll_ready(cx)? {
                // What is there already is handed out; the next call waits.
                Poll::Pending if out.len() > before => break,
                Poll::Pending => return Poll::Pending,
                Poll::Ready(true) => match self.direction {
                    Direction::Forward => self.step_forward(out)?,
                    Direction::Backward => self.step_backward(out)?,
                },
                Poll::Ready(false) => {
                    self.is_done = true;
                    self.emit_candidate(out);
                }
            }
            steps += 1;
            if steps == STEPS_MAX && out.len() == before {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        if self.pin.is_none() {
            self.tree.snapshots.check_readable(self.at)?;
        }
        Poll::Ready(Ok(out.len() > before))
    }

    /// [`Scan::poll_next_rows`] as a future.
    pub async fn next_rows(&mut self, max: usize, out: &mut Vec<Entry>) -> Result<bool> {
        std::future::poll_fn(|cx| self.poll_next_rows(cx, max, out)).await
    }

    /// Newest first: the first version at or below the timestamp decides the key.
    fn step_forward(&mut self, out: &mut Vec<Entry>) -> Result<()> {
        let front = self.merge.front();
        let (key, commit_ts) = front.entry().expect("a ready merge stands on an entry");
        if commit_ts <= self.at && !(self.has_decided && self.decided == key) {
            self.has_decided = true;
            self.decided.clear();
            self.decided.extend_from_slice(key);
            if self.with_deleted || front.is_live() {
                let version = front.version()?;
                if self.arena.capacity() < key.len() {
                    self.arena.reserve(ARENA_BYTES.max(key.len()));
                }
                out.push(Entry { key: front.key(&mut self.arena), version });
            }
        }
        self.merge.advance()
    }

    /// Oldest first: the last version at or below the timestamp decides the key, once another key follows.
    fn step_backward(&mut self, out: &mut Vec<Entry>) -> Result<()> {
        let front = self.merge.front();
        let (key, commit_ts) = front.entry().expect("a ready merge stands on an entry");
        if self.candidate.as_ref().is_some_and(|(candidate, _)| candidate != key) {
            self.emit_candidate(out);
            return Ok(());
        }
        if commit_ts <= self.at {
            let version = front.version()?;
            let key = match self.candidate.take() {
                Some((key, _)) => key,
                None => {
                    if self.arena.capacity() < key.len() {
                        self.arena.reserve(ARENA_BYTES.max(key.len()));
                    }
                    front.key(&mut self.arena)
                }
            };
            self.candidate = Some((key, version));
        }
        self.merge.advance()
    }

    fn emit_candidate(&mut self, out: &mut Vec<Entry>) {
        if let Some((key, version)) = self.candidate.take()
            && (self.with_deleted || version.value.is_live())
        {
            out.push(Entry { key, version });
        }
    }
}

fn sources(tree: &Arc<Tree>, space: Space, range: &KeyRange, direction: Direction, at: CommitTs) -> Vec<Source> {
    let state = tree.state();
    let mut sources = Vec::new();
    for memtable in std::iter::once(&state.active).chain(&state.immutable) {
        if memtable.bytes() > 0 {
            let cursor = MemtableCursor::new(memtable.clone(), space, range.clone(), direction, at);
            sources.push(Source::Memtable(cursor));
        }
    }
    let bounds = range.encoded(space);
    let mut add = |tables: Vec<_>| {
        if !tables.is_empty() {
            let cursor = LevelCursor::new(tables.into_iter(), direction, bounds.clone(), true, Space::ENCODED_LEN);
            sources.push(Source::Level(cursor));
        }
    };
    let meets = |file: &&crate::tree::LevelFile| meets(&bounds, &file.summary().smallest, &file.summary().largest);
    for file in state.levels.level0().iter().filter(meets) {
        add(vec![file.table.clone()]);
    }
    for level in 1..LEVELS {
        add(state.levels.level(level).iter().filter(meets).map(|file| file.table.clone()).collect());
    }
    sources
}

fn meets(bounds: &Bounds, smallest: &[u8], largest: &[u8]) -> bool {
    bounds.is_above_lower(largest) && bounds.is_below_upper(smallest)
}
