//! Index blocks: for every block below, its last key and where it is.
//!
//! ```text
//!   ┌───────┬─────────────────┬─────────┬───┐     entry: key len | key | handle [| filter's handle]
//!   │ count │ offsets, u32 ×n │ entry 0 │ … │
//!   └───────┴─────────────────┴─────────┴───┘     the filter's only in the top index; length 0 when there is none
//! ```

use bytes::Bytes;

use super::frame::Handle;
use crate::coding::{Reader, Sink};

/// Builds one index block after the other.
#[derive(Debug, Default)]
pub(crate) struct IndexBuilder {
    offsets: Vec<u32>,
    entries: Vec<u8>,
}

impl IndexBuilder {
    /// The next block, whose last key is `last_key`.
    pub(crate) fn add(&mut self, last_key: &[u8], handle: Handle, filter: Option<Handle>) {
        self.offsets.push(self.entries.len() as u32);
        self.entries.put_bytes(last_key);
        handle.encode(&mut self.entries);
        if let Some(filter) = filter {
            filter.encode(&mut self.entries);
        }
    }

    pub(crate) fn len(&self) -> usize {
        4 + self.offsets.len() * 4 + self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// The payload; the builder is empty again.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(self.len());
        let first = 4 + self.offsets.len() as u32 * 4;
        payload.put_u32(self.offsets.len() as u32);
        self.offsets.drain(..).for_each(|offset| payload.put_u32(first + offset));
        payload.append(&mut self.entries);
        payload
    }
}

/// An index block, checked and unpacked.
#[derive(Clone, Debug)]
pub(crate) struct IndexBlock {
    payload: Bytes,
    count: usize,
    top: bool,
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexEntry<'a> {
    pub(crate) last_key: &'a [u8],
    pub(crate) handle: Handle,
    pub(crate) filter: Option<Handle>,
}

impl IndexBlock {
    /// `None` when the payload is no index block.
    pub(crate) fn parse(payload: Bytes, top: bool) -> Option<IndexBlock> {
        let count = Reader::new(&payload).u32()? as usize;
        (count > 0 && count.checked_mul(4)?.checked_add(4)? <= payload.len()).then_some(IndexBlock {
            payload,
            count,
            top,
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The entry number `at`; `None` when it is malformed.
    #[inline]
    pub(crate) fn entry(&self, at: usize) -> Option<IndexEntry<'_>> {
        let offset = Reader::at(&self.payload, 4 + at * 4).u32()? as usize;
        let mut reader = Reader::at(&self.payload, offset);
        let last_key = reader.bytes()?;
        let handle = Handle::decode(&mut reader)?;
        let filter = if self.top { Some(Handle::decode(&mut reader)?).filter(|filter| filter.len > 0) } else { None };
        Some(IndexEntry { last_key, handle, filter })
    }

    /// The first block whose last key is not below `key`, which is `count` when there is none; `None` when the index
    /// is malformed.
    pub(crate) fn seek(&self, key: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.entry(middle)?.last_key < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Some(low)
    }
}
