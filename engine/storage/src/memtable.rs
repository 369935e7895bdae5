//! The memtable: what the log holds and no SSTable does yet, in key order.
//!
//! ```text
//!   space 0/17 ── "alice" ── [ts 3: row] [ts 9: row]      versions of a key: a short vector, newest last
//!             └── "bob"   ── [ts 4: row] [ts 7: deleted]
//!   space 0/18 ── ...
//! ```
//!
//! An ordered map of ordered maps. One writer (the log's driver, in log order) and any number of readers share it
//! under a reader-writer lock that is held for one key or one small run of keys, never across an await. A B-tree
//! rather than a skip list: lookups touch a third of the cache lines, and its shape depends on the keys alone.
//!
//! Versions chain per key, so a scan steps over a hot row's history in one step; and a chain that grew is pruned to
//! what the horizon still needs, so a hot row does not fill the memtable.
//!
//! Beside the rows it keeps what else the log said meanwhile (sequences, layouts, dropped spaces), because that too must
//! reach the manifest when the rows reach a file: the log before it is removed then.

use std::collections::{BTreeMap, btree_map};
use std::ops::Bound;

use bytes::Bytes;
use helios_env::sync::{AtomicU64, AtomicUsize, Mutex, Ordering, RwLock};
use smallvec::SmallVec;

use crate::log::Lsn;
use crate::row::Layout;
use crate::snapshot::Snapshots;
use crate::{CommitTs, Direction, Entry, KeyRange, SequenceReservation, Space, Version, WriteBatch};

/// Versions of one key, oldest first.
pub(crate) type Chain = SmallVec<[Version; 1]>;

type Keys = BTreeMap<Bytes, Chain>;

/// Memory that a version is charged besides its key and payload.
const VERSION_OVERHEAD_BYTES: usize = 80;
/// A chain is pruned when its length reaches this, and again whenever it has grown by as much.
const PRUNE_LENGTH: usize = 8;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Memtable {
    spaces: RwLock<BTreeMap<Space, Keys>>,
    bytes: AtomicUsize,
    notes: Mutex<Notes>,
    /// It holds everything in the log from here on, and, once it is full, up to there.
    log_start: AtomicU64,
    log_end: AtomicU64,
}

/// What the log said besides rows while a memtable was active.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// The newest reservation of each sequence; `None` when it was dropped.
    pub(crate) sequences: BTreeMap<u64, Option<SequenceReservation>>,
    pub(crate) layouts: Vec<Layout>,
    pub(crate) dropped_spaces: Vec<(Space, CommitTs)>,
    pub(crate) last_xid: u64,
    pub(crate) catalog_version: u64,
    pub(crate) last_commit: CommitTs,
    /// Transactions, sequence reservations and the like that were noted.
    pub(crate) batches: u64,
}

impl Memtable {
    /// Memory held, in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether nothing of the log was ever noted here.
    pub(crate) fn is_untouched(&self) -> bool {
        self.notes.lock().batches == 0
    }

    /// Notes what a batch says besides its rows. `commit_ts` is the batch's, or that of the commit before it.
    pub(crate) fn note(&self, batch: &WriteBatch, commit_ts: CommitTs) {
        let mut notes = self.notes.lock();
        notes.batches += 1;
        notes.last_xid = notes.last_xid.max(batch.xid);
        notes.catalog_version = notes.catalog_version.max(batch.catalog_version);
        notes.last_commit = notes.last_commit.max(commit_ts);
        notes.layouts.extend_from_slice(&batch.layouts);
        notes.sequences.extend(batch.sequences.iter().map(|sequence| (sequence.sequence_id, Some(*sequence))));
        notes.sequences.extend(batch.dropped_sequences.iter().map(|&sequence| (sequence, None)));
        notes.dropped_spaces.extend(batch.dropped_spaces.iter().map(|&space| (space, commit_ts)));
    }

    /// What was noted.
    pub(crate) fn notes(&self) -> Notes {
        self.notes.lock().clone()
    }

    /// An empty memtable for what the log holds from `position` on.
    pub(crate) fn starting_at(position: Lsn) -> Memtable {
        Memtable { log_start: AtomicU64::new(position.0), ..Memtable::default() }
    }

    /// Where in the log its contents begin.
    pub(crate) fn log_start(&self) -> Lsn {
        Lsn(self.log_start.load(Ordering::Acquire))
    }

    /// Everything in the log up to here is in this memtable or below it.
    pub(crate) fn log_end(&self) -> Lsn {
        Lsn(self.log_end.load(Ordering::Acquire))
    }

    pub(crate) fn set_log_end(&self, position: Lsn) {
        self.log_end.store(position.0, Ordering::Release);
    }

    /// Adds a version that is newer than every one its key has.
    pub(crate) fn put(&self, space: Space, key: Bytes, version: Version, snapshots: Option<&Snapshots>) {
        let mut spaces = self.spaces.write();
        let mut added = key.len() + cost(&version);
        let mut freed = 0;
        match spaces.entry(space).or_default().entry(key) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(smallvec::smallvec![version]);
            }
            btree_map::Entry::Occupied(mut occupied) => {
                added -= occupied.key().len();
                let chain = occupied.get_mut();
                assert!(
                    chain.last().is_none_or(|newest| newest.commit_ts < version.commit_ts),
                    "versions of a key arrive in the order of their commits"
                );
                chain.push(version);
                if let Some(snapshots) = snapshots
                    && chain.len() % PRUNE_LENGTH == 0
                {
                    freed = prune(chain, snapshots.raise_horizon());
                }
            }
        }
        drop(spaces);
        if added >= freed {
            self.bytes.fetch_add(added - freed, Ordering::Relaxed);
        } else {
            self.bytes.fetch_sub(freed - added, Ordering::Relaxed);
        }
    }

    /// Adds the writes of a commit read from the log: nobody else looks yet.
    pub(crate) fn rebuild(&mut self, writes: Vec<(Space, Bytes, Version)>) {
        let spaces = self.spaces.get_mut();
        let mut bytes = 0;
        for (space, key, version) in writes {
            bytes += key.len() + cost(&version);
            spaces.entry(space).or_default().entry(key).or_default().push(version);
        }
        *self.bytes.get_mut() += bytes;
    }

    /// The newest version of `key` at `at`, deletions included.
    pub(crate) fn get(&self, space: Space, key: &[u8], at: CommitTs) -> Option<Version> {
        let spaces = self.spaces.read();
        visible(spaces.get(&space)?.get(key)?, at).cloned()
    }

    /// As [`Memtable::get`] at the newest published timestamp, which it also returns. Reading it under the lock keeps
    /// a writer from pruning, meanwhile, what that timestamp sees.
    pub(crate) fn get_newest(&self, space: Space, key: &[u8], snapshots: &Snapshots) -> (CommitTs, Option<Version>) {
        let spaces = self.spaces.read();
        let at = snapshots.published();
        let version = spaces.get(&space).and_then(|keys| keys.get(key)).and_then(|chain| visible(chain, at)).cloned();
        (at, version)
    }

    /// Appends to `out` up to `max` keys of `range` in the given direction, each with its newest version at `at`
    /// (deletions included). Returns whether the range may hold more behind them.
    pub(crate) fn collect(
        &self,
        space: Space,
        range: &KeyRange,
        direction: Direction,
        at: CommitTs,
        max: usize,
        out: &mut impl Extend<Entry>,
    ) -> bool {
        if range.is_empty() {
            return false;
        }
        let spaces = self.spaces.read();
        let Some(keys) = spaces.get(&space) else { return false };
        let mut taken = 0;
        let mut take = |(key, chain): (&Bytes, &Chain)| {
            if let Some(version) = visible(chain, at) {
                out.extend([Entry { key: key.clone(), version: version.clone() }]);
                taken += 1;
            }
            taken == max
        };
        let mut range = keys.range::<[u8], _>((as_slice(&range.start), as_slice(&range.end)));
        match direction {
            Direction::Forward => range.any(&mut take),
            Direction::Backward => range.rev().any(&mut take),
        }
    }

    /// Up to `max` keys behind `after` in the order of the whole memtable, with all their versions.
    pub(crate) fn keys_after(&self, after: Option<&(Space, Bytes)>, max: usize) -> Vec<(Space, Bytes, Chain)> {
        let spaces = self.spaces.read();
        let mut found = Vec::new();
        let first = after.map_or(Space::default(), |(space, _)| *space);
        for (space, keys) in spaces.range(first..) {
            let start = match after {
                Some((at, key)) if at == space => Bound::Excluded(&key[..]),
                _ => Bound::Unbounded,
            };
            let rest = keys.range::<[u8], _>((start, Bound::Unbounded));
            found.extend(rest.take(max - found.len()).map(|(key, chain)| (*space, key.clone(), chain.clone())));
            if found.len() == max {
                break;
            }
        }
        found
    }
}

fn cost(version: &Version) -> usize {
    VERSION_OVERHEAD_BYTES + version.value.payload().len()
}

fn visible(chain: &Chain, at: CommitTs) -> Option<&Version> {
    chain.iter().rev().find(|version| version.commit_ts <= at)
}

/// Drops what no snapshot at or above `horizon` sees; returns the memory that it held.
fn prune(chain: &mut Chain, horizon: CommitTs) -> usize {
    let Some(needed) = chain.iter().rposition(|version| version.commit_ts <= horizon) else { return 0 };
    chain.drain(..needed).map(|version| cost(&version)).sum()
}

fn as_slice(bound: &Bound<Bytes>) -> Bound<&[u8]> {
    match bound {
        Bound::Unbounded => Bound::Unbounded,
        Bound::Included(key) => Bound::Included(key),
        Bound::Excluded(key) => Bound::Excluded(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    const SPACE: Space = Space::new(0, 1);

    fn row(ts: u64, value: &'static str) -> Version {
        Version {
            commit_ts: CommitTs(ts),
            birth: CommitTs(ts),
            value: Value::Row(Bytes::from_static(value.as_bytes())),
        }
    }

    fn put(table: &Memtable, key: &'static str, version: Version) {
        table.put(SPACE, Bytes::from_static(key.as_bytes()), version, None);
    }

    #[test]
    fn a_reader_sees_the_newest_version_at_its_timestamp() {
        let table = Memtable::default();
        put(&table, "a", row(3, "three"));
        put(&table, "a", row(7, "seven"));
        assert_eq!(table.get(SPACE, b"a", CommitTs(2)), None);
        assert_eq!(table.get(SPACE, b"a", CommitTs(6)), Some(row(3, "three")));
        assert_eq!(table.get(SPACE, b"a", CommitTs(7)), Some(row(7, "seven")));
        assert_eq!(table.get(Space::new(0, 2), b"a", CommitTs(7)), None);
    }

    #[test]
    fn collect_walks_both_ways_and_stops_at_max() {
        let table = Memtable::default();
        for (key, ts) in [("a", 1), ("b", 2), ("c", 9), ("d", 3)] {
            put(&table, key, row(ts, "x"));
        }
        let walk = |direction, max| {
            let mut out = Vec::new();
            let more = table.collect(SPACE, &KeyRange::all(), direction, CommitTs(5), max, &mut out);
            (out.into_iter().map(|entry| String::from_utf8(entry.key.to_vec()).unwrap()).collect::<Vec<_>>(), more)
        };
        assert_eq!(walk(Direction::Forward, 9), (vec!["a".into(), "b".into(), "d".into()], false));
        assert_eq!(walk(Direction::Backward, 2), (vec!["d".into(), "b".into()], true));
    }

    #[test]
    fn a_hot_row_does_not_fill_the_memtable() {
        let table = Memtable::default();
        let snapshots = Snapshots::new(CommitTs(0));
        let early = {
            snapshots.publish(CommitTs(1));
            snapshots.pin()
        };
        for ts in 1..=1000 {
            table.put(SPACE, Bytes::from_static(b"hot"), row(ts, "x"), Some(&snapshots));
            snapshots.publish(CommitTs(ts));
        }
        assert_eq!(table.get(SPACE, b"hot", early.commit_ts()), Some(row(1, "x")));
        drop(early);
        for ts in 1001..=2000 {
            table.put(SPACE, Bytes::from_static(b"hot"), row(ts, "x"), Some(&snapshots));
            snapshots.publish(CommitTs(ts));
        }
        assert!(table.bytes() < 2000, "{} bytes", table.bytes());
    }

    #[test]
    fn keys_after_resumes_across_spaces() {
        let table = Memtable::default();
        put(&table, "a", row(1, "x"));
        put(&table, "b", row(2, "x"));
        table.put(Space::new(1, 1), Bytes::from_static(b"a"), row(3, "x"), None);
        let mut seen = Vec::new();
        let mut after = None;
        while let [(space, key, _), ..] = &table.keys_after(after.as_ref(), 1)[..] {
            seen.push((*space, key.clone()));
            after = Some((*space, key.clone()));
        }
        let expected = [(SPACE, "a"), (SPACE, "b"), (Space::new(1, 1), "a")];
        assert_eq!(seen, expected.map(|(space, key)| (space, Bytes::from(key))));
    }
}
