//! Walking over a file, forwards or backwards, one version at a time.
//!
//! A cursor is polled until it stands on an entry ([`TableCursor::poll_ready`]), read, and moved on without waiting
//! ([`TableCursor::advance`]). It holds the blocks it stands on, so a cache of any size, even none, lets it progress.
//! Backwards the order is the exact reverse: keys descend and the versions of one key come oldest first.

use std::ops::Bound;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use helios_env::sync::Arc;

use super::data::{EntryRef, Interval};
use super::reader::BlockRead;
use super::{BlockKind, DataBlock, Handle, IndexBlock, Table};
use crate::{CommitTs, Direction, Result, Version};

/// Bounds of a walk, as encoded keys.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) lower: Bound<Bytes>,
    pub(crate) upper: Bound<Bytes>,
}

impl Bounds {
    pub(crate) const ALL: Bounds = Bounds { lower: Bound::Unbounded, upper: Bound::Unbounded };

    pub(crate) fn is_above_lower(&self, key: &[u8]) -> bool {
        match &self.lower {
            Bound::Unbounded => true,
            Bound::Included(lower) => key >= &lower[..],
            Bound::Excluded(lower) => key > &lower[..],
        }
    }

    pub(crate) fn is_below_upper(&self, key: &[u8]) -> bool {
        match &self.upper {
            Bound::Unbounded => true,
            Bound::Included(upper) => key <= &upper[..],
            Bound::Excluded(upper) => key < &upper[..],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Find the first partition.
    Seek,
    /// Load the index block of the current partition.
    Index,
    /// Load the data block of the current slot.
    Data,
    /// Standing on an entry.
    Ready,
    Done,
}

/// See the module's documentation.
pub(crate) struct TableCursor {
    table: Arc<Table>,
    direction: Direction,
    bounds: Bounds,
    fill_cache: bool,
    step: Step,
    /// Until the first entry within bounds was found, blocks are entered by search instead of at their edge.
    seeking: bool,
    loading: Option<BlockRead>,
    partition: usize,
    index: Option<IndexBlock>,
    slot: usize,
    handle: Handle,
    block: Option<DataBlock>,
    interval_number: usize,
    interval: Interval,
    at: usize,
    /// Every entry of the block is within the far bound.
    block_is_within: bool,
}

impl TableCursor {
    /// A cursor before its first entry.
    pub(crate) fn new(table: Arc<Table>, direction: Direction, bounds: Bounds, fill_cache: bool) -> TableCursor {
        TableCursor {
            table,
            direction,
            bounds,
            fill_cache,
            step: Step::Seek,
            seeking: true,
            loading: None,
            partition: 0,
            index: None,
            slot: 0,
            handle: Handle::default(),
            block: None,
            interval_number: 0,
            interval: Interval::default(),
            at: 0,
            block_is_within: false,
        }
    }

    /// Ready once the cursor stands on an entry or is at its end.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            match self.step {
                Step::Ready => {
                    if !self.is_out_of_bounds()? {
                        return Poll::Ready(Ok(()));
                    }
                }
                Step::Done => return Poll::Ready(Ok(())),
                Step::Seek => {
                    let found = self.search(self.table.top());
                    self.enter_partition(found.ok_or_else(|| self.table.damaged(Handle::default(), MALFORMED))?);
                }
                Step::Index => ready!(self.poll_index(cx))?,
                Step::Data => ready!(self.poll_data(cx))?,
            }
        }
    }

    /// The entry that the cursor stands on; `None` at the end.
    #[inline]
    pub(crate) fn entry(&self) -> Option<EntryRef<'_>> {
        (self.step == Step::Ready).then(|| self.interval.entry(self.at))
    }

    /// The version of the entry.
    pub(crate) fn version(&self) -> Result<Version> {
        let block = self.block.as_ref().expect("a cursor that stands on an entry holds its block");
        let version = block.decoded_version(&self.interval.entry(self.at));
        version.ok_or_else(|| self.table.damaged(self.handle, MALFORMED))
    }

    /// Moves on; [`TableCursor::poll_ready`] must be polled before the next look.
    pub(crate) fn advance(&mut self) -> Result<()> {
        let intervals = self.block.as_ref().map_or(0, DataBlock::intervals);
        match self.direction {
            Direction::Forward if self.at + 1 < self.interval.len() => self.at += 1,
            Direction::Backward if self.at > 0 => self.at -= 1,
            Direction::Forward if self.interval_number + 1 < intervals => {
                self.decode(self.interval_number + 1)?;
            }
            Direction::Backward if self.interval_number > 0 => self.decode(self.interval_number - 1)?,
            _ => self.leave_block(),
        }
        Ok(())
    }

    /// Whether the entry is out of bounds; moves on where it lies before the walk's start, ends where behind its end.
    fn is_out_of_bounds(&mut self) -> Result<bool> {
        let key = self.interval.entry(self.at).key;
        if self.seeking {
            let before = match self.direction {
                Direction::Forward => !self.bounds.is_above_lower(key),
                Direction::Backward => !self.bounds.is_below_upper(key),
            };
            if before {
                self.advance()?;
                return Ok(true);
            }
            self.seeking = false;
        }
        if self.block_is_within {
            return Ok(false);
        }
        let within = match self.direction {
            Direction::Forward => self.bounds.is_below_upper(key),
            Direction::Backward => self.bounds.is_above_lower(key),
        };
        if !within {
            self.step = Step::Done;
        }
        Ok(!within)
    }

    /// The entry of `index` under which the walk begins, which is `count` when it begins behind all.
    fn search(&self, index: &IndexBlock) -> Option<usize> {
        match (self.direction, &self.bounds.lower, &self.bounds.upper) {
            (Direction::Forward, Bound::Unbounded, _) => Some(0),
            (Direction::Forward, Bound::Included(key) | Bound::Excluded(key), _) => index.seek(key),
            (Direction::Backward, _, bound) => {
                let last = index.count() - 1;
                let mut at = match bound {
                    Bound::Unbounded => last,
                    Bound::Included(key) | Bound::Excluded(key) => index.seek(key)?.min(last),
                };
                // Older versions of the bound itself may follow in the next blocks.
                if let Bound::Included(key) = bound {
                    while at < last && index.entry(at)?.last_key <= &key[..] {
                        at += 1;
                    }
                }
                Some(at)
            }
        }
    }

    fn enter_partition(&mut self, partition: usize) {
        self.partition = partition;
        self.step = if partition < self.table.top().count() { Step::Index } else { Step::Done };
    }

    fn poll_index(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let entry = self.table.top().entry(self.partition);
        let handle = entry.ok_or_else(|| self.table.damaged(Handle::default(), MALFORMED))?.handle;
        let payload = ready!(self.poll_block(cx, handle, BlockKind::Index))?;
        let index = self.table.index_block(handle, payload)?;
        let slot = match (self.seeking, self.direction) {
            (true, _) => self.search(&index).ok_or_else(|| self.table.damaged(handle, MALFORMED))?,
            (false, Direction::Forward) => 0,
            (false, Direction::Backward) => index.count() - 1,
        };
        self.index = Some(index);
        self.enter_slot(slot);
        Poll::Ready(Ok(()))
    }

    fn enter_slot(&mut self, slot: usize) {
        let count = self.index.as_ref().map_or(0, IndexBlock::count);
        self.slot = slot;
        self.step = if slot < count { Step::Data } else { Step::Done };
        if slot >= count {
            // The search ran off this partition's end: every key of it lies before the walk.
            self.enter_partition(self.partition + 1);
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let index = self.index.as_ref().expect("a slot is entered under an index block");
        let entry = index.entry(self.slot).ok_or_else(|| self.table.damaged(self.handle, MALFORMED))?;
        let handle = entry.handle;
        let within = self.direction == Direction::Forward && self.bounds.is_below_upper(entry.last_key);
        let payload = ready!(self.poll_block(cx, handle, BlockKind::Data))?;
        let block = self.table.data_block(handle, payload)?;
        let last = block.intervals() - 1;
        let first = match (self.seeking, self.direction, &self.bounds.lower, &self.bounds.upper) {
            (true, Direction::Forward, Bound::Included(key) | Bound::Excluded(key), _) => {
                block.interval_of(key, CommitTs::NEWEST)
            }
            (true, Direction::Backward, _, Bound::Included(key)) => block.interval_of(key, CommitTs::ZERO),
            (true, Direction::Backward, _, Bound::Excluded(key)) => block.interval_of(key, CommitTs::NEWEST),
            (_, Direction::Forward, ..) => Some(0),
            (_, Direction::Backward, ..) => Some(last),
        };
        let first = first.ok_or_else(|| self.table.damaged(handle, MALFORMED))?;
        self.handle = handle;
        self.block = Some(block);
        self.block_is_within = within;
        self.decode(first)?;
        self.step = Step::Ready;
        Poll::Ready(Ok(()))
    }

    fn decode(&mut self, interval: usize) -> Result<()> {
        let block = self.block.as_ref().expect("an interval is decoded from a block");
        let decoded = block.decode_interval(interval, &mut self.interval);
        decoded.ok_or_else(|| self.table.damaged(self.handle, MALFORMED))?;
        self.interval_number = interval;
        self.at = match self.direction {
            Direction::Forward => 0,
            Direction::Backward => self.interval.len() - 1,
        };
        Ok(())
    }

    fn leave_block(&mut self) {
        self.block = None;
        match self.direction {
            Direction::Forward => self.enter_slot(self.slot + 1),
            Direction::Backward if self.slot > 0 => self.enter_slot(self.slot - 1),
            Direction::Backward if self.partition > 0 => self.enter_partition(self.partition - 1),
            Direction::Backward => self.step = Step::Done,
        }
    }

    fn poll_block(&mut self, cx: &mut Context<'_>, handle: Handle, kind: BlockKind) -> Poll<Result<Bytes>> {
        let reading = match &mut self.loading {
            Some(reading) => reading,
            None => {
                if let Some(payload) = self.table.cached(handle) {
                    return Poll::Ready(Ok(payload));
                }
                self.loading.insert(self.table.read(handle, kind, self.fill_cache))
            }
        };
        let payload = ready!(Pin::new(reading).poll(cx));
        self.loading = None;
        Poll::Ready(payload)
    }
}

const MALFORMED: &str = "a block is malformed";
