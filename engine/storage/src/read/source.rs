//! One ordered stream of versions: a memtable, or files with disjoint ranges one after the other.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use helios_env::sync::Arc;

use crate::memtable::Memtable;
use crate::table::{Bounds, Table, TableCursor};
use crate::{CommitTs, Direction, Entry, KeyRange, Result, Space, Version};

/// Entries copied out of a memtable under one hold of its lock, at first and at most.
const CHUNK_MIN: usize = 8;
const CHUNK_MAX: usize = 256;

/// A memtable's keys within a range, each with the one version that the timestamp sees.
pub(crate) struct MemtableCursor {
    memtable: Arc<Memtable>,
    space: Space,
    /// What is not fetched yet.
    rest: KeyRange,
    direction: Direction,
    at: CommitTs,
    chunk: usize,
    fetched: VecDeque<Entry>,
    is_exhausted: bool,
}

impl MemtableCursor {
    pub(crate) fn new(
        memtable: Arc<Memtable>,
        space: Space,
        range: KeyRange,
        direction: Direction,
        at: CommitTs,
    ) -> MemtableCursor {
        let fetched = VecDeque::new();
        let (rest, chunk) = (range, CHUNK_MIN);
        MemtableCursor { memtable, space, rest, direction, at, chunk, fetched, is_exhausted: false }
    }

    fn fetch(&mut self) {
        if !self.fetched.is_empty() || self.is_exhausted {
            return;
        }
        let more =
            self.memtable.collect(self.space, &self.rest, self.direction, self.at, self.chunk, &mut self.fetched);
        self.is_exhausted = !more;
        self.chunk = (self.chunk * 2).min(CHUNK_MAX);
        if let Some(last) = self.fetched.back() {
            let bound = std::ops::Bound::Excluded(last.key.clone());
            match self.direction {
                Direction::Forward => self.rest.start = bound,
                Direction::Backward => self.rest.end = bound,
            }
        }
    }
}

/// Files with disjoint ranges, walked one after the other: a level, or a single file.
pub(crate) struct LevelCursor {
    /// Those not begun yet, the next one at the end.
    waiting: Vec<Arc<Table>>,
    direction: Direction,
    bounds: Bounds,
    fill_cache: bool,
    current: Option<TableCursor>,
    /// Bytes to leave out at the front of every key: a scan knows its space, a compaction does not.
    strip: usize,
}

impl LevelCursor {
    /// A cursor over `tables`, which ascend.
    pub(crate) fn new(
        tables: impl DoubleEndedIterator<Item = Arc<Table>>,
        direction: Direction,
        bounds: Bounds,
        fill_cache: bool,
        strip: usize,
    ) -> LevelCursor {
        let waiting = match direction {
            Direction::Forward => tables.rev().collect(),
            Direction::Backward => tables.collect(),
        };
        LevelCursor { waiting, direction, bounds, fill_cache, current: None, strip }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            if let Some(cursor) = &mut self.current {
                ready!(cursor.poll_ready(cx))?;
                if cursor.entry().is_some() {
                    return Poll::Ready(Ok(()));
                }
            }
            let Some(next) = self.waiting.pop() else {
                self.current = None;
                return Poll::Ready(Ok(()));
            };
            self.current = Some(TableCursor::new(next, self.direction, self.bounds.clone(), self.fill_cache));
        }
    }
}

/// See the module's documentation.
#[expect(clippy::large_enum_variant, reason = "a scan has a handful of sources, and the large one is the common one")]
pub(crate) enum Source {
    Memtable(MemtableCursor),
    Level(LevelCursor),
}

impl Source {
    /// Ready once the source stands on an entry or is at its end.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match self {
            Source::Memtable(cursor) => {
                cursor.fetch();
                Poll::Ready(Ok(()))
            }
            Source::Level(cursor) => cursor.poll_ready(cx),
        }
    }

    /// Key and timestamp of the entry; `None` at the end.
    #[inline]
    pub(crate) fn entry(&self) -> Option<(&[u8], CommitTs)> {
        match self {
            Source::Memtable(cursor) => cursor.fetched.front().map(|entry| (&entry.key[..], entry.version.commit_ts)),
            Source::Level(cursor) => {
                let entry = cursor.current.as_ref()?.entry()?;
                Some((&entry.key[cursor.strip..], entry.commit_ts()))
            }
        }
    }

    /// Whether the entry holds a row. There is one.
    pub(crate) fn is_live(&self) -> bool {
        match self {
            Source::Memtable(cursor) => cursor.fetched.front().is_some_and(|entry| entry.version.value.is_live()),
            Source::Level(cursor) => {
                cursor.current.as_ref().and_then(TableCursor::entry).is_some_and(|entry| entry.is_live())
            }
        }
    }

    /// The entry's key; what must be copied is copied into `arena`. There is an entry.
    pub(crate) fn key(&self, arena: &mut BytesMut) -> Bytes {
        match self {
            Source::Memtable(cursor) => cursor.fetched.front().expect(STANDS).key.clone(),
            Source::Level(_) => {
                let (key, _) = self.entry().expect(STANDS);
                arena.extend_from_slice(key);
                arena.split().freeze()
            }
        }
    }

    /// The entry's version. There is an entry.
    pub(crate) fn version(&self) -> Result<Version> {
        match self {
            Source::Memtable(cursor) => Ok(cursor.fetched.front().expect(STANDS).version.clone()),
            Source::Level(cursor) => cursor.current.as_ref().expect(STANDS).version(),
        }
    }

    /// Moves on; [`Source::poll_ready`] comes before the next look.
    pub(crate) fn advance(&mut self) -> Result<()> {
        match self {
            Source::Memtable(cursor) => {
                cursor.fetched.pop_front();
                Ok(())
            }
            Source::Level(cursor) => cursor.current.as_mut().expect(STANDS).advance(),
        }
    }
}

const STANDS: &str = "the source stands on an entry";
