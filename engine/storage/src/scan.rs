//! Scans: the rows of a range at a timestamp, in order.

use std::task::{Context, Poll};

use helios_env::sync::Arc;

use crate::memtable::Memtable;
use crate::snapshot::Snapshot;
use crate::{CommitTs, Direction, Entry, KeyRange, Result, Space};

/// A walk over one space's keys in order. Holds what it reads: files and memtables stay until it is dropped.
pub struct Scan {
    pub(crate) memtable: Arc<Memtable>,
    pub(crate) space: Space,
    pub(crate) range: KeyRange,
    pub(crate) direction: Direction,
    pub(crate) at: CommitTs,
    pub(crate) with_deleted: bool,
    pub(crate) done: bool,
    /// Held when the scan was asked to read at [`CommitTs::NEWEST`].
    pub(crate) _pin: Option<Snapshot>,
}

impl Scan {
    /// Also yield [`crate::Value::Deleted`] and [`crate::Value::Moved`] versions.
    #[must_use]
    pub fn with_deleted(mut self) -> Scan {
        self.with_deleted = true;
        self
    }

    /// Appends at least one and at most `max` entries to `out` and returns `true`, or appends nothing and returns
    /// `false` when the range is exhausted. Ready at once while everything needed is in memory.
    pub fn poll_next_rows(&mut self, _cx: &mut Context<'_>, max: usize, out: &mut Vec<Entry>) -> Poll<Result<bool>> {
        let mut found = Vec::new();
        let before = out.len();
        while !self.done && out.len() == before {
            let more = self.memtable.collect(self.space, &self.range, self.direction, self.at, max, &mut found);
            self.done = !more;
            if let Some(last) = found.last() {
                let bound = std::ops::Bound::Excluded(last.key.clone());
                match self.direction {
                    Direction::Forward => self.range.start = bound,
                    Direction::Backward => self.range.end = bound,
                }
            }
            out.extend(found.drain(..).filter(|entry| self.with_deleted || entry.version.value.is_live()));
        }
        Poll::Ready(Ok(out.len() > before))
    }

    /// [`Scan::poll_next_rows`] as a future.
    pub async fn next_rows(&mut self, max: usize, out: &mut Vec<Entry>) -> Result<bool> {
        std::future::poll_fn(|cx| self.poll_next_rows(cx, max, out)).await
    }
}
