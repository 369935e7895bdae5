//! Looking one key up in a file, without waiting.

use bytes::Bytes;
use helios_env::sync::Arc;
use smallvec::SmallVec;

use super::{BlockKind, Found, Handle, Table, filter};
use crate::{CommitTs, Result, Version};

/// Blocks that a lookup had to read. It keeps them until it is done, so that it ends even if the cache keeps nothing.
#[derive(Default)]
pub(crate) struct HeldBlocks(SmallVec<[(u64, u64, Bytes); 4]>);

impl HeldBlocks {
    pub(crate) fn hold(&mut self, table: &Table, handle: Handle, block: Bytes) {
        self.0.push((table.id(), handle.offset, block));
    }

    #[inline]
    fn get(&self, table: &Table, handle: Handle) -> Option<Bytes> {
        let held = self.0.iter().find(|(file, offset, _)| (*file, *offset) == (table.id(), handle.offset));
        held.map(|(_, _, block)| block.clone()).or_else(|| table.cached(handle))
    }
}

/// An encoded key, and its hash once a filter has asked for it.
pub(crate) struct Target<'a> {
    pub(crate) key: &'a [u8],
    hash: Option<u64>,
}

impl<'a> Target<'a> {
    pub(crate) fn new(key: &'a [u8]) -> Target<'a> {
        Target { key, hash: None }
    }

    fn hash(&mut self) -> u64 {
        *self.hash.get_or_insert_with(|| filter::key_hash(self.key))
    }
}

/// Outcome of a lookup in one file.
pub(crate) enum TableFound {
    /// The newest version at the timestamp.
    Version(Version),
    /// The file has none.
    Absent,
    /// This block must be read first.
    Needs(Handle, BlockKind),
}

impl Table {
    /// The newest version of the target at `at`, from blocks in memory.
    pub(crate) fn find(
        self: &Arc<Self>,
        target: &mut Target<'_>,
        at: CommitTs,
        held: &HeldBlocks,
    ) -> Result<TableFound> {
        let malformed = || self.damaged(Handle::default(), "the top index is malformed");
        let mut partition = self.top().seek(target.key).ok_or_else(malformed)?;
        while partition < self.top().count() {
            let top = self.top().entry(partition).ok_or_else(malformed)?;
            if let Some(handle) = top.filter {
                let Some(payload) = held.get(self, handle) else {
                    return Ok(TableFound::Needs(handle, BlockKind::Filter));
                };
                if !filter::may_contain(&payload, target.hash()) {
                    return Ok(TableFound::Absent);
                }
            }
            let Some(payload) = held.get(self, top.handle) else {
                return Ok(TableFound::Needs(top.handle, BlockKind::Index));
            };
            let index = self.index_block(top.handle, payload)?;
            let malformed = || self.damaged(top.handle, "an index block is malformed");
            let mut slot = index.seek(target.key).ok_or_else(malformed)?;
            while slot < index.count() {
                let entry = index.entry(slot).ok_or_else(malformed)?;
                let Some(payload) = held.get(self, entry.handle) else {
                    return Ok(TableFound::Needs(entry.handle, BlockKind::Data));
                };
                let block = self.data_block(entry.handle, payload)?;
                let found = block.find(target.key, at);
                match found.ok_or_else(|| self.damaged(entry.handle, "a data block is malformed"))? {
                    Found::Version(version) => return Ok(TableFound::Version(version)),
                    Found::Absent => return Ok(TableFound::Absent),
                    // The block ends with younger versions of the key: older ones follow.
                    Found::Beyond => slot += 1,
                }
            }
            partition += 1;
        }
        Ok(TableFound::Absent)
    }
}
