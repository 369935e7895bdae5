//! Spaces, timestamps and key ranges: how the one ordered key space of the database is divided.
//!
//! Every key of the database lives in one order:
//!
//! ```text
//!   branch u32 | storage id u64 | user key (any bytes)   | !commit_ts u64
//!   └────────── Space ────────┘   └ compares as bytes ┘    └ newest first
//! ```
//!
//! A user key may be a prefix of another one, so the timestamp cannot simply be appended and the whole compared as
//! bytes: `"a"` at some timestamp would fall between versions of `"a\0.."`. Everything here therefore compares the
//! user key first, by its length-aware byte order, and the timestamp only among versions of the same key.

use std::fmt;
use std::ops::{Bound, RangeBounds};

use bytes::Bytes;

use crate::table::Bounds;

/// A branch of the database; 0 holds databases, branches and roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BranchId(pub u32);

/// The key space of one table or one index. Global, never reused, and new after TRUNCATE, a rewrite and CREATE INDEX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StorageId(pub u64);

/// A table's or an index's key space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Space {
    /// The branch.
    pub branch: BranchId,
    /// The table or index within it.
    pub storage: StorageId,
}

impl Space {
    /// Bytes that a space takes in front of an encoded key.
    pub const ENCODED_LEN: usize = 12;

    /// A space from its two numbers.
    pub const fn new(branch: u32, storage: u64) -> Space {
        Space { branch: BranchId(branch), storage: StorageId(storage) }
    }

    /// The prefix that every key of this space begins with on disk; compares as the space does.
    pub fn encode(self) -> [u8; Space::ENCODED_LEN] {
        let mut bytes = [0; Space::ENCODED_LEN];
        bytes[..4].copy_from_slice(&self.branch.0.to_be_bytes());
        bytes[4..].copy_from_slice(&self.storage.0.to_be_bytes());
        bytes
    }

    /// The space behind this one; `None` for the last.
    pub(crate) fn successor(self) -> Option<Space> {
        match self.storage.0.checked_add(1) {
            Some(storage) => Some(Space::new(self.branch.0, storage)),
            None => self.branch.0.checked_add(1).map(|branch| Space::new(branch, 0)),
        }
    }

    /// Splits an encoded key into its space and user key; `None` when it is too short to be one.
    pub fn decode(encoded: &[u8]) -> Option<(Space, &[u8])> {
        let (branch, rest) = encoded.split_first_chunk::<4>()?;
        let (storage, key) = rest.split_first_chunk::<8>()?;
        Some((Space::new(u32::from_be_bytes(*branch), u64::from_be_bytes(*storage)), key))
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.branch.0, self.storage.0)
    }
}

/// A point in the order of commits. A counter from the oracle, never wall time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CommitTs(pub u64);

impl CommitTs {
    /// Before the first commit.
    pub const ZERO: CommitTs = CommitTs(0);
    /// In a read: whatever is the newest published commit when the read happens. Needs no snapshot.
    pub const NEWEST: CommitTs = CommitTs(u64::MAX);

    /// The timestamp behind this one.
    #[must_use]
    pub fn next(self) -> CommitTs {
        CommitTs(self.0 + 1)
    }
}

impl fmt::Display for CommitTs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The way a scan walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Ascending keys.
    Forward,
    /// Descending keys.
    Backward,
}

/// A range of user keys within one space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRange {
    /// Lower bound.
    pub start: Bound<Bytes>,
    /// Upper bound.
    pub end: Bound<Bytes>,
}

impl KeyRange {
    /// Every key.
    pub const fn all() -> KeyRange {
        KeyRange { start: Bound::Unbounded, end: Bound::Unbounded }
    }

    /// From any range of keys, as `KeyRange::new(a..b)`.
    pub fn new(range: impl RangeBounds<Bytes>) -> KeyRange {
        KeyRange { start: range.start_bound().cloned(), end: range.end_bound().cloned() }
    }

    /// Exactly one key.
    pub fn point(key: Bytes) -> KeyRange {
        KeyRange { start: Bound::Included(key.clone()), end: Bound::Included(key) }
    }

    /// Every key that begins with `prefix`.
    pub fn prefix(prefix: Bytes) -> KeyRange {
        let end = match prefix.iter().rposition(|&byte| byte != u8::MAX) {
            None => Bound::Unbounded,
            Some(last) => {
                let mut end = prefix[..=last].to_vec();
                end[last] += 1;
                Bound::Excluded(end.into())
            }
        };
        KeyRange { start: Bound::Included(prefix), end }
    }

    /// The same range over encoded keys of `space`.
    pub(crate) fn encoded(&self, space: Space) -> Bounds {
        let encode = |key: &Bytes| Bytes::from([&space.encode()[..], key].concat());
        let lower = match self.start.as_ref().map(encode) {
            Bound::Unbounded => Bound::Included(Bytes::copy_from_slice(&space.encode())),
            bound => bound,
        };
        let upper = match self.end.as_ref().map(encode) {
            Bound::Unbounded => match space.successor() {
                Some(next) => Bound::Excluded(Bytes::copy_from_slice(&next.encode())),
                None => Bound::Unbounded,
            },
            bound => bound,
        };
        Bounds { lower, upper }
    }

    /// Whether `key` lies within.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.is_above_start(key) && self.is_below_end(key)
    }

    /// Whether `key` is not below the range.
    pub fn is_above_start(&self, key: &[u8]) -> bool {
        match &self.start {
            Bound::Unbounded => true,
            Bound::Included(start) => key >= &start[..],
            Bound::Excluded(start) => key > &start[..],
        }
    }

    /// Whether `key` is not above the range.
    pub fn is_below_end(&self, key: &[u8]) -> bool {
        match &self.end {
            Bound::Unbounded => true,
            Bound::Included(end) => key <= &end[..],
            Bound::Excluded(end) => key < &end[..],
        }
    }

    /// Whether no key can lie within.
    pub fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Unbounded, Bound::Excluded(end)) => end.is_empty(),
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            // Between `start` and `end` both excluded there may still be no key ("a" and "a\0"); harmless.
            (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => {
                start >= end
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_range_ends_behind_its_last_key() {
        let range = KeyRange::prefix(Bytes::from_static(b"a\xff"));
        assert!(range.contains(b"a\xff"));
        assert!(range.contains(b"a\xff\xff\xff"));
        assert!(!range.contains(b"b"));
        assert!(!range.contains(b"a\xfe\xff"));
        assert!(KeyRange::prefix(Bytes::from_static(b"\xff\xff")).contains(b"\xff\xff\x01"));
        assert_eq!(KeyRange::prefix(Bytes::new()).end, Bound::Unbounded);
    }

    #[test]
    fn spaces_compare_on_disk_as_in_memory() {
        let (low, high) = (Space::new(1, u64::MAX), Space::new(2, 0));
        assert!(low < high && low.encode() < high.encode());
        assert_eq!(Space::decode(&[&low.encode()[..], b"key"].concat()), Some((low, &b"key"[..])));
        assert_eq!(Space::decode(b"short"), None);
    }

    #[test]
    fn empty_ranges_are_seen_to_be_empty() {
        let key = |s: &'static str| Bytes::from_static(s.as_bytes());
        assert!(KeyRange::new(key("b")..key("a")).is_empty());
        assert!(KeyRange::new(key("a")..key("a")).is_empty());
        assert!(!KeyRange::new(key("a")..=key("a")).is_empty());
        assert!(!KeyRange::all().is_empty());
    }
}
