//! Range scans that merge the transaction's own writes with storage.
//!
//! Storage yields the committed rows of the snapshot in key order; the write set yields its own visible versions in the
//! same order, a chunk at a time (it may grow meanwhile, but only by versions that this statement does not see). Where
//! both have a key the own version wins; an own deletion hides the committed row.

use std::collections::VecDeque;
use std::ops::Bound;
use std::task::{Context, Poll};

use bytes::Bytes;
use helios_env::sync::Arc;
use helios_storage::{Direction, Entry, KeyRange, Scan, Space, Value};

use crate::error::Result;
use crate::lock_table::Owner;
use crate::transaction::{Statement, own_version};
use crate::write_set::OwnVersion;

/// Own keys fetched at a time.
const CHUNK: usize = 256;

/// Rows of a key range, in key order, as one statement sees them.
pub struct TransactionScan {
    storage: Scan,
    /// Committed rows fetched and not yet merged.
    committed: VecDeque<Entry>,
    committed_done: bool,
    own: Option<OwnKeys>,
    buffer: Vec<Entry>,
    // Keeps the snapshot pinned for as long as the scan lives.
    statement: Statement,
}

struct OwnKeys {
    owner: Arc<Owner>,
    space: Space,
    range: KeyRange,
    backward: bool,
    chunk: VecDeque<(Bytes, OwnVersion)>,
    last: Option<Bytes>,
    done: bool,
}

impl TransactionScan {
    pub(crate) fn new(
        storage: Scan,
        owner: Option<Arc<Owner>>,
        statement: Statement,
        space: Space,
        range: KeyRange,
        direction: Direction,
    ) -> TransactionScan {
        let own = owner.map(|owner| OwnKeys {
            owner,
            space,
            range,
            backward: direction == Direction::Backward,
            chunk: VecDeque::new(),
            last: None,
            done: false,
        });
        TransactionScan {
            storage,
            committed: VecDeque::new(),
            committed_done: false,
            own,
            buffer: Vec::new(),
            statement,
        }
    }

    /// Appends at most `max` rows to `out`; `false` when there are no more.
    pub fn poll_next_rows(&mut self, cx: &mut Context<'_>, max: usize, out: &mut Vec<Entry>) -> Poll<Result<bool>> {
        let Some(own) = &mut self.own else {
            return self.storage.poll_next_rows(cx, max, out).map_err(Into::into);
        };
        let start = out.len();
        while out.len() - start < max {
            if self.committed.is_empty() && !self.committed_done {
                match self.storage.poll_next_rows(cx, max, &mut self.buffer) {
                    Poll::Ready(more) => {
                        self.committed_done = !more?;
                        self.committed.extend(self.buffer.drain(..));
                        continue;
                    }
                    Poll::Pending if out.len() > start => return Poll::Ready(Ok(true)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            let own_next = own.peek(&self.statement);
            let order = match (own_next, self.committed.front()) {
                (None, None) => return Poll::Ready(Ok(false)),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(key), Some(entry)) => {
                    let order = key.cmp(&entry.key);
                    if own.backward { order.reverse() } else { order }
                }
            };
            if order.is_gt() {
                out.extend(self.committed.pop_front());
                continue;
            }
            if order.is_eq() {
                self.committed.pop_front();
            }
            let (key, version) = own.chunk.pop_front().expect("peeked");
            if matches!(version.value, Value::Row(_)) {
                out.push(Entry { key, version: own_version(&version) });
            }
        }
        Poll::Ready(Ok(true))
    }

    /// [`TransactionScan::poll_next_rows`] as a future.
    pub async fn next_rows(&mut self, max: usize, out: &mut Vec<Entry>) -> Result<bool> {
        std::future::poll_fn(|cx| self.poll_next_rows(cx, max, out)).await
    }
}

impl OwnKeys {
    fn peek(&mut self, statement: &Statement) -> Option<&Bytes> {
        if self.chunk.is_empty() && !self.done {
            let mut fetched = Vec::new();
            let (mut low, mut high) = (as_slice(&self.range.start), as_slice(&self.range.end));
            if let Some(last) = &self.last {
                if self.backward { high = Bound::Excluded(last) } else { low = Bound::Excluded(last) }
            }
            let set = self.owner.write_set.lock();
            set.visible_range(self.space, (low, high), self.backward, statement.command, CHUNK, &mut fetched);
            drop(set);
            self.done = fetched.len() < CHUNK;
            self.last = fetched.last().map(|(key, _)| key.clone());
            self.chunk.extend(fetched);
        }
        self.chunk.front().map(|(key, _)| key)
    }
}

fn as_slice(bound: &Bound<Bytes>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key),
        Bound::Excluded(key) => Bound::Excluded(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}
