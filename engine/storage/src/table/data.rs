//! Data blocks: versions in order, keys compressed against their predecessor.
//!
//! ```text
//!   ┌─────────┬─────────┬───┬──────────────────────┬───────┐
//!   │ base ts │ entries │ … │ restart offsets, u32 │ count │
//!   └─────────┴─────────┴───┴──────────────────────┴───────┘
//!   entry: shared | unshared | flags | ts - base (zigzag) | [ts - birth] | payload len | key tail | payload
//! ```
//!
//! Every sixteenth entry is a *restart*: its key is stored whole, so that a lookup finds its sixteenth by binary search
//! and a backward scan has somewhere to begin. A lookup decodes no keys: it remembers how many bytes the target has
//! in common with the entry before and compares from there.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::coding::{Reader, Sink};
use crate::{CommitTs, Value, Version};

const RESTART_INTERVAL: usize = 16;

const ROW: u8 = 0;
const DELETED: u8 = 1;
const MOVED: u8 = 2;
const KIND_MASK: u8 = 3;
/// The birth is the commit timestamp itself.
const OWN_BIRTH: u8 = 4;

/// Kind of `value` and whether the birth follows, as both blocks and log records write it.
pub(crate) fn flags_of(value: &Value, own_birth: bool) -> u8 {
    let kind = match value {
        Value::Row(_) => ROW,
        Value::Deleted => DELETED,
        Value::Moved { .. } => MOVED,
    };
    kind | if own_birth { OWN_BIRTH } else { 0 }
}

/// Whether `flags` say that the birth is the commit timestamp.
pub(crate) fn has_own_birth(flags: u8) -> bool {
    flags & OWN_BIRTH != 0
}

/// The value of this kind; `None` for flags that nobody writes.
pub(crate) fn value_of(flags: u8, payload: Bytes) -> Option<Value> {
    match flags & KIND_MASK {
        ROW => Some(Value::Row(payload)),
        DELETED if payload.is_empty() => Some(Value::Deleted),
        MOVED => Some(Value::Moved { to: payload }),
        _ => None,
    }
}

fn zigzag(delta: i64) -> u64 {
    ((delta << 1) ^ (delta >> 63)) as u64
}

fn unzigzag(coded: u64) -> i64 {
    (coded >> 1) as i64 ^ -((coded & 1) as i64)
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let words = a.chunks_exact(8).zip(b.chunks_exact(8)).take_while(|(a, b)| a == b).count() * 8;
    words + a[words..].iter().zip(&b[words..]).take_while(|(a, b)| a == b).count()
}

/// Builds one block after the other.
#[derive(Debug, Default)]
pub(crate) struct DataBuilder {
    bytes: Vec<u8>,
    restarts: Vec<u32>,
    last_key: Vec<u8>,
    base_ts: u64,
    entries: usize,
}

impl DataBuilder {
    /// Appends a version; the caller keeps the order.
    pub(crate) fn add(&mut self, key: &[u8], version: &Version) {
        let ts = version.commit_ts.0;
        if self.entries == 0 {
            self.base_ts = ts;
            self.bytes.put_u64(ts);
        }
        let shared = if self.entries.is_multiple_of(RESTART_INTERVAL) {
            self.restarts.push(self.bytes.len() as u32);
            0
        } else {
            common_prefix(&self.last_key, key)
        };
        let own_birth = version.birth == version.commit_ts;
        let payload = version.value.payload();
        let out = &mut self.bytes;
        out.put_varint(shared as u64);
        out.put_varint((key.len() - shared) as u64);
        out.put_u8(flags_of(&version.value, own_birth));
        out.put_varint(zigzag(ts.wrapping_sub(self.base_ts) as i64));
        if !own_birth {
            out.put_varint(zigzag(ts.wrapping_sub(version.birth.0) as i64));
        }
        out.put_varint(payload.len() as u64);
        out.put(&key[shared..]);
        out.put(payload);
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(&key[shared..]);
        self.entries += 1;
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + self.restarts.len() * 4 + 4
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Key of the newest entry.
    pub(crate) fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    /// Closes the block and hands its payload to `write`; the builder is empty again.
    pub(crate) fn finish<T>(&mut self, write: impl FnOnce(&[u8], &[u8]) -> T) -> T {
        for restart in &self.restarts {
            self.bytes.extend_from_slice(&restart.to_le_bytes());
        }
        self.bytes.put_u32(self.restarts.len() as u32);
        let result = write(&self.bytes, &self.last_key);
        self.bytes.clear();
        self.restarts.clear();
        self.entries = 0;
        result
    }
}

/// Outcome of a lookup in one block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The newest version at the timestamp.
    Version(Version),
    /// There is none.
    Absent,
    /// The block ends before the answer: it is in the next one.
    Beyond,
}

/// A block, checked and unpacked.
#[derive(Clone, Debug)]
pub(crate) struct DataBlock {
    payload: Bytes,
    base_ts: u64,
    /// Where the entries end and the restarts begin.
    entries_end: usize,
    restarts: usize,
}

/// One entry as it is stored.
struct Raw {
    shared: usize,
    tail: (usize, usize),
    flags: u8,
    ts: u64,
    birth: u64,
    payload: (usize, usize),
    next: usize,
}

impl DataBlock {
    /// `None` when the payload is no data block.
    pub(crate) fn parse(payload: Bytes) -> Option<DataBlock> {
        let base_ts = Reader::new(&payload).u64()?;
        let count_at = payload.len().checked_sub(4)?;
        let restarts = Reader::at(&payload, count_at).u32()? as usize;
        let entries_end = count_at.checked_sub(restarts.checked_mul(4)?)?;
        (restarts > 0 && entries_end > 8).then_some(DataBlock { payload, base_ts, entries_end, restarts })
    }

    /// How many intervals, each beginning at a restart.
    pub(crate) fn intervals(&self) -> usize {
        self.restarts
    }

    fn restart(&self, interval: usize) -> Option<usize> {
        if interval == self.restarts {
            return Some(self.entries_end);
        }
        let at = Reader::at(&self.payload, self.entries_end + interval * 4).u32()? as usize;
        (at < self.entries_end).then_some(at)
    }

    #[inline]
    fn raw(&self, at: usize) -> Option<Raw> {
        let mut reader = Reader::at(&self.payload[..self.entries_end], at);
        let shared = reader.varint_usize()?;
        let unshared = reader.varint_usize()?;
        let flags = reader.u8()?;
        let ts = self.base_ts.wrapping_add(unzigzag(reader.varint()?) as u64);
        let birth = if has_own_birth(flags) { ts } else { ts.wrapping_sub(unzigzag(reader.varint()?) as u64) };
        let payload_len = reader.varint_usize()?;
        let tail = (reader.position(), reader.position().checked_add(unshared)?);
        reader.take(unshared)?;
        let payload = (reader.position(), reader.position().checked_add(payload_len)?);
        reader.take(payload_len)?;
        Some(Raw { shared, tail, flags, ts, birth, payload, next: reader.position() })
    }

    fn version(&self, raw: &Raw) -> Option<Version> {
        let payload = self.payload.slice(raw.payload.0..raw.payload.1);
        let value = value_of(raw.flags, payload)?;
        Some(Version { commit_ts: CommitTs(raw.ts), birth: CommitTs(raw.birth), value })
    }

    /// The last interval whose first entry lies before `(key, at)`; the first one when none does.
    pub(crate) fn interval_of(&self, key: &[u8], at: CommitTs) -> Option<usize> {
        let (mut low, mut high) = (0, self.restarts);
        while low < high {
            let middle = usize::midpoint(low, high);
            let raw = self.raw(self.restart(middle)?)?;
            let before = match self.payload[raw.tail.0..raw.tail.1].cmp(key) {
                Ordering::Less => true,
                Ordering::Equal => raw.ts > at.0,
                Ordering::Greater => false,
            };
            if before {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Some(low.saturating_sub(1))
    }

    /// The newest version of `key` at `at`; `None` when the block is malformed.
    pub(crate) fn find(&self, key: &[u8], at: CommitTs) -> Option<Found> {
        let mut position = self.restart(self.interval_of(key, at)?)?;
        // Bytes that `key` has in common with the entry before, which lies before the target.
        let mut common = 0;
        while position < self.entries_end {
            let raw = self.raw(position)?;
            if raw.shared == 0 {
                common = 0;
            }
            let ordering = match raw.shared.cmp(&common) {
                // It shares more with its predecessor than the key does: on the same side of the key.
                Ordering::Greater => Ordering::Less,
                // It rose above its predecessor where that agreed with the key.
                Ordering::Less => Ordering::Greater,
                Ordering::Equal => {
                    let (tail, rest) = (&self.payload[raw.tail.0..raw.tail.1], key.get(common..)?);
                    let more = common_prefix(tail, rest);
                    common += more;
                    tail[more..].cmp(&rest[more..])
                }
            };
            match ordering {
                Ordering::Greater => return Some(Found::Absent),
                Ordering::Equal if raw.ts <= at.0 => return Some(Found::Version(self.version(&raw)?)),
                Ordering::Equal | Ordering::Less => position = raw.next,
            }
        }
        Some(Found::Beyond)
    }

    /// Decodes an interval into `out`, replacing what it held; `None` when the block is malformed.
    pub(crate) fn decode_interval(&self, interval: usize, out: &mut Interval) -> Option<()> {
        out.keys.clear();
        out.entries.clear();
        let (mut position, end) = (self.restart(interval)?, self.restart(interval + 1)?);
        let mut last = 0..0;
        while position < end {
            let raw = self.raw(position)?;
            if raw.shared > last.len() {
                return None;
            }
            let start = out.keys.len();
            out.keys.extend_from_within(last.start..last.start + raw.shared);
            out.keys.extend_from_slice(&self.payload[raw.tail.0..raw.tail.1]);
            last = start..out.keys.len();
            out.entries.push(Decoded {
                key: (start as u32, last.end as u32),
                ts: raw.ts,
                birth: raw.birth,
                flags: raw.flags,
                payload: (raw.payload.0 as u32, raw.payload.1 as u32),
            });
            position = raw.next;
        }
        (position == end && !out.entries.is_empty()).then_some(())
    }

    /// The version of a decoded entry; its payload is a slice of the block.
    pub(crate) fn decoded_version(&self, entry: &EntryRef<'_>) -> Option<Version> {
        let payload = self.payload.slice(entry.decoded.payload.0 as usize..entry.decoded.payload.1 as usize);
        let value = value_of(entry.decoded.flags, payload)?;
        Some(Version { commit_ts: entry.commit_ts(), birth: CommitTs(entry.decoded.birth), value })
    }
}

/// Shows every entry of a block in order: key, timestamp, whether it holds a row. `None` when the block is malformed.
pub(crate) fn scan_block(block: &DataBlock, see: &mut dyn FnMut(&[u8], CommitTs, bool)) -> Option<()> {
    let mut interval = Interval::default();
    for number in 0..block.intervals() {
        block.decode_interval(number, &mut interval)?;
        for at in 0..interval.len() {
            let entry = interval.entry(at);
            block.decoded_version(&entry)?;
            see(entry.key, entry.commit_ts(), entry.is_live());
        }
    }
    Some(())
}

/// The entries between two restarts, with whole keys.
#[derive(Debug, Default)]
pub(crate) struct Interval {
    keys: Vec<u8>,
    entries: Vec<Decoded>,
}

#[derive(Debug)]
struct Decoded {
    key: (u32, u32),
    ts: u64,
    birth: u64,
    flags: u8,
    payload: (u32, u32),
}

impl Interval {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    pub(crate) fn entry(&self, at: usize) -> EntryRef<'_> {
        let decoded = &self.entries[at];
        EntryRef { key: &self.keys[decoded.key.0 as usize..decoded.key.1 as usize], decoded }
    }
}

/// An entry of an [`Interval`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryRef<'a> {
    /// The encoded key.
    pub(crate) key: &'a [u8],
    decoded: &'a Decoded,
}

impl EntryRef<'_> {
    pub(crate) fn commit_ts(&self) -> CommitTs {
        CommitTs(self.decoded.ts)
    }

    pub(crate) fn is_live(&self) -> bool {
        self.decoded.flags & KIND_MASK == ROW
    }
}
