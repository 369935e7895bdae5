//! The decoders behind the checksums, for fuzz targets alone.
//!
//! Damage is met by checksums first, so that what lies behind them sees damaged bytes only in the rarest of cases: a
//! collision, a bug of the writer, bad memory. It must be refused there too, by `None` and never by a panic. These
//! functions take bytes to each of those decoders and ask what they answer. No promise of compatibility is made for
//! them.

use bytes::Bytes;

use crate::CommitTs;
use crate::coding::Reader;
use crate::log::decode_body;
use crate::manifest::{Edit, ManifestState};
use crate::row::{Layout, RowRef};
use crate::table::{DataBlock, IndexBlock, check_filter, is_well_formed_filter, scan_block};

/// The body of a batch of the log; whether it is one.
pub fn log_batch(body: &[u8], records: u32) -> bool {
    decode_body(&Bytes::copy_from_slice(body), records).is_some()
}

/// The body of a manifest's record; whether it is one. What is, is written and read back as the same change, and has
/// a state behind it when it may follow the empty one.
///
/// # Panics
///
/// When that is not so.
pub fn manifest_record(body: &[u8]) -> bool {
    let Some(edit) = Edit::decode(body) else { return false };
    assert_eq!(Edit::decode(&edit.encode()).as_ref(), Some(&edit), "an edit reads back as another one");
    let mut state = ManifestState::default();
    if state.check(&edit).is_ok() {
        state.apply(&edit);
        let mut again = ManifestState::default();
        again.apply(&state.as_edit());
        assert_eq!(again, state, "a base leads to another state than its own");
    }
    true
}

/// The payload of a block of entries: walked, and `key` looked for; whether it is one throughout.
pub fn data_block(payload: &[u8], key: &[u8]) -> bool {
    let Some(block) = DataBlock::parse(Bytes::copy_from_slice(payload)) else { return false };
    let _found = block.find(key, CommitTs::NEWEST);
    let mut keys = Vec::new();
    let is_whole = scan_block(&block, &mut |key, _, _| keys.push(key.to_vec())).is_some();
    for key in &keys {
        let _found = block.find(key, CommitTs::NEWEST);
    }
    is_whole
}

/// The payload of an index block, or of the top index: walked, and `key` looked for; whether it is one throughout.
pub fn index_block(payload: &[u8], top: bool, key: &[u8]) -> bool {
    let Some(block) = IndexBlock::parse(Bytes::copy_from_slice(payload), top) else { return false };
    let _slot = block.seek(key);
    (0..block.count()).all(|at| block.entry(at).is_some())
}

/// The payload of a filter block, asked for `key`; whether it is one.
pub fn filter_block(payload: &[u8], key: &[u8]) -> bool {
    let payload = Bytes::copy_from_slice(payload);
    let is_one = is_well_formed_filter(&payload);
    if is_one {
        let _maybe = check_filter(&payload, key);
    }
    is_one
}

/// A row of a layout (as the log writes one): every column read; whether both are what they claim to be.
pub fn row(layout: &[u8], row: &[u8]) -> bool {
    let Some(layout) = Layout::decode(&mut Reader::new(layout)) else { return false };
    let Ok(row) = RowRef::new(&layout, row) else { return false };
    for column in 0..=layout.columns().len() {
        let (_value, _range) = (row.column(column), row.bytes_range(column));
    }
    true
}
