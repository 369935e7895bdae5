//! What a manifest says, and how a change to it is written.
//!
//! A body is a list of fields: `tag u8 | length varint | contents`. A base is the edit that leads from nothing to its state.

use std::collections::BTreeMap;

use crate::coding::{Reader, Sink};
use crate::log::{Lsn, put_sequence, read_sequence};
use crate::row::{Layout, LayoutId};
use crate::table::TableSummary;
use crate::{CommitTs, SequenceReservation, Space};

const ADDED: u8 = 1;
const REMOVED: u8 = 2;
const FLUSHED_LSN: u8 = 3;
const NEXT_FILE: u8 = 4;
const LAST_COMMIT: u8 = 5;
const LAST_XID: u8 = 6;
const CATALOG_VERSION: u8 = 7;
const SEQUENCE: u8 = 8;
const SEQUENCE_DROPPED: u8 = 9;
const LAYOUT: u8 = 10;
const SPACE_DROPPED: u8 = 11;
const SPACE_FORGOTTEN: u8 = 12;
const NEWEST_SEGMENT: u8 = 13;

/// A file of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileRecord {
    /// Its level; 0 is the newest.
    pub(crate) level: u8,
    /// Order within level 0: a higher rank is newer.
    pub(crate) rank: u64,
    /// It holds nothing of spaces that were dropped at or below this.
    pub(crate) collected: CommitTs,
    pub(crate) summary: TableSummary,
}

/// A space that was dropped by the commit at this timestamp.
pub(crate) type DroppedSpace = (Space, CommitTs);

/// A change. Fields that are `None` or empty change nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) added: Vec<FileRecord>,
    /// Numbers of files that leave the tree; a file both removed and added moves.
    pub(crate) removed: Vec<u64>,
    /// Everything in the log below is in files.
    pub(crate) flushed_lsn: Option<Lsn>,
    /// The newest segment of the log: it, or a newer one, must be there at the next open.
    pub(crate) newest_segment: Option<u64>,
    /// No file has had this number, or a higher one.
    pub(crate) next_file: Option<u64>,
    pub(crate) last_commit: Option<CommitTs>,
    pub(crate) last_xid: Option<u64>,
    pub(crate) catalog_version: Option<u64>,
    pub(crate) sequences: Vec<SequenceReservation>,
    pub(crate) dropped_sequences: Vec<u64>,
    pub(crate) layouts: Vec<Layout>,
    pub(crate) dropped_spaces: Vec<DroppedSpace>,
    /// Dropped spaces of which no file holds anything any more.
    pub(crate) forgotten_spaces: Vec<Space>,
}

fn put_field(out: &mut Vec<u8>, tag: u8, contents: impl FnOnce(&mut Vec<u8>)) {
    let mut field = Vec::new();
    contents(&mut field);
    out.put_u8(tag);
    out.put_bytes(&field);
}

fn put_number(out: &mut Vec<u8>, tag: u8, number: Option<u64>) {
    if let Some(number) = number {
        put_field(out, tag, |out| out.put_varint(number));
    }
}

impl Edit {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for &file in &self.removed {
            put_number(&mut out, REMOVED, Some(file));
        }
        for file in &self.added {
            put_field(&mut out, ADDED, |out| {
                out.put_u8(file.level);
                out.put_varint(file.rank);
                out.put_varint(file.collected.0);
                file.summary.encode(out);
            });
        }
        put_number(&mut out, FLUSHED_LSN, self.flushed_lsn.map(|lsn| lsn.0));
        put_number(&mut out, NEWEST_SEGMENT, self.newest_segment);
        put_number(&mut out, NEXT_FILE, self.next_file);
        put_number(&mut out, LAST_COMMIT, self.last_commit.map(|ts| ts.0));
        put_number(&mut out, LAST_XID, self.last_xid);
        put_number(&mut out, CATALOG_VERSION, self.catalog_version);
        for sequence in &self.sequences {
            put_field(&mut out, SEQUENCE, |out| put_sequence(out, sequence));
        }
        for &sequence in &self.dropped_sequences {
            put_number(&mut out, SEQUENCE_DROPPED, Some(sequence));
        }
        for layout in &self.layouts {
            put_field(&mut out, LAYOUT, |out| layout.encode(out));
        }
        for (space, commit_ts) in &self.dropped_spaces {
            put_field(&mut out, SPACE_DROPPED, |out| {
                out.put(&space.encode());
                out.put_varint(commit_ts.0);
            });
        }
        for space in &self.forgotten_spaces {
            put_field(&mut out, SPACE_FORGOTTEN, |out| out.put(&space.encode()));
        }
        out
    }

    /// The reverse of [`Edit::encode`]; `None` for a malformed or unknown field.
    pub(crate) fn decode(body: &[u8]) -> Option<Edit> {
        let mut edit = Edit::default();
        let mut reader = Reader::new(body);
        while !reader.is_at_end() {
            let tag = reader.u8()?;
            let mut field = Reader::new(reader.bytes()?);
            match tag {
                ADDED => {
                    let (level, rank, collected) = (field.u8()?, field.varint()?, CommitTs(field.varint()?));
                    let summary = TableSummary::decode(&mut field)?;
                    edit.added.push(FileRecord { level, rank, collected, summary });
                }
                REMOVED => edit.removed.push(field.varint()?),
                FLUSHED_LSN => edit.flushed_lsn = Some(Lsn(field.varint()?)),
                NEWEST_SEGMENT => edit.newest_segment = Some(field.varint()?),
                NEXT_FILE => edit.next_file = Some(field.varint()?),
                LAST_COMMIT => edit.last_commit = Some(CommitTs(field.varint()?)),
                LAST_XID => edit.last_xid = Some(field.varint()?),
                CATALOG_VERSION => edit.catalog_version = Some(field.varint()?),
                SEQUENCE => edit.sequences.push(read_sequence(&mut field)?),
                SEQUENCE_DROPPED => edit.dropped_sequences.push(field.varint()?),
                LAYOUT => edit.layouts.push(Layout::decode(&mut field)?),
                SPACE_DROPPED => {
                    let (space, _) = Space::decode(field.take(Space::ENCODED_LEN)?)?;
                    edit.dropped_spaces.push((space, CommitTs(field.varint()?)));
                }
                SPACE_FORGOTTEN => edit.forgotten_spaces.push(Space::decode(field.take(Space::ENCODED_LEN)?)?.0),
                _ => return None,
            }
            if !field.is_at_end() {
                return None;
            }
        }
        Some(edit)
    }
}

/// Everything that a manifest says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ManifestState {
    /// Counts edits.
    pub(crate) version: u64,
    pub(crate) files: BTreeMap<u64, FileRecord>,
    pub(crate) flushed_lsn: Lsn,
    pub(crate) newest_segment: u64,
    pub(crate) next_file: u64,
    pub(crate) last_commit: CommitTs,
    pub(crate) last_xid: u64,
    pub(crate) catalog_version: u64,
    pub(crate) sequences: BTreeMap<u64, SequenceReservation>,
    pub(crate) layouts: BTreeMap<LayoutId, Layout>,
    pub(crate) dropped_spaces: BTreeMap<Space, CommitTs>,
}

impl ManifestState {
    /// Why `edit` cannot follow this state, if it cannot.
    pub(crate) fn check(&self, edit: &Edit) -> Result<(), &'static str> {
        if edit.removed.iter().any(|file| !self.files.contains_key(file)) {
            return Err("an edit removes a file that is not there");
        }
        let is_new = |file: &FileRecord| !self.files.contains_key(&file.summary.id);
        if !edit.added.iter().all(|file| is_new(file) || edit.removed.contains(&file.summary.id)) {
            return Err("an edit adds a file that is there already");
        }
        if edit.added.iter().any(|file| file.summary.id == u64::MAX) {
            return Err("an edit adds a file behind whose number there is no other");
        }
        if edit.flushed_lsn.is_some_and(|lsn| lsn < self.flushed_lsn) {
            return Err("an edit moves the flushed position back");
        }
        Ok(())
    }

    /// The state behind `edit`, which was checked.
    pub(crate) fn apply(&mut self, edit: &Edit) {
        self.version += 1;
        for file in &edit.removed {
            self.files.remove(file);
        }
        for file in &edit.added {
            self.next_file = self.next_file.max(file.summary.id + 1);
            self.files.insert(file.summary.id, file.clone());
        }
        self.flushed_lsn = edit.flushed_lsn.unwrap_or(self.flushed_lsn);
        self.newest_segment = self.newest_segment.max(edit.newest_segment.unwrap_or(0));
        self.next_file = self.next_file.max(edit.next_file.unwrap_or(0));
        self.last_commit = self.last_commit.max(edit.last_commit.unwrap_or_default());
        self.last_xid = self.last_xid.max(edit.last_xid.unwrap_or(0));
        self.catalog_version = self.catalog_version.max(edit.catalog_version.unwrap_or(0));
        for sequence in &edit.sequences {
            self.sequences.insert(sequence.sequence_id, *sequence);
        }
        for sequence in &edit.dropped_sequences {
            self.sequences.remove(sequence);
        }
        for layout in &edit.layouts {
            self.layouts.insert(layout.id(), layout.clone());
        }
        self.dropped_spaces.extend(edit.dropped_spaces.iter().copied());
        for space in &edit.forgotten_spaces {
            self.dropped_spaces.remove(space);
        }
    }

    /// The edit that leads from nothing to this state.
    pub(crate) fn as_edit(&self) -> Edit {
        Edit {
            added: self.files.values().cloned().collect(),
            removed: Vec::new(),
            flushed_lsn: Some(self.flushed_lsn),
            newest_segment: Some(self.newest_segment),
            next_file: Some(self.next_file),
            last_commit: Some(self.last_commit),
            last_xid: Some(self.last_xid),
            catalog_version: Some(self.catalog_version),
            sequences: self.sequences.values().copied().collect(),
            dropped_sequences: Vec::new(),
            layouts: self.layouts.values().cloned().collect(),
            dropped_spaces: self.dropped_spaces.iter().map(|(space, commit_ts)| (*space, *commit_ts)).collect(),
            forgotten_spaces: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::row::PhysicalType;

    fn edit() -> Edit {
        let summary = TableSummary {
            id: 12,
            bytes: 4096,
            smallest: Bytes::from_static(b"aaaaaaaaaaaaa"),
            largest: Bytes::from_static(b"b"),
            entries: 9,
            deletions: 1,
            min_ts: CommitTs(3),
            max_ts: CommitTs(8),
        };
        Edit {
            added: vec![FileRecord { level: 2, rank: 7, collected: CommitTs(6), summary }],
            removed: vec![],
            flushed_lsn: Some(Lsn(99)),
            newest_segment: Some(3),
            next_file: Some(13),
            last_commit: Some(CommitTs(8)),
            last_xid: Some(1 << 33),
            catalog_version: Some(2),
            sequences: vec![SequenceReservation { sequence_id: 4, reserved_up_to: -1, is_called: false }],
            dropped_sequences: vec![],
            layouts: vec![Layout::new(LayoutId(1), vec![PhysicalType::Bool])],
            dropped_spaces: vec![(Space::new(1, 2), CommitTs(5))],
            forgotten_spaces: vec![],
        }
    }

    #[test]
    fn a_base_is_the_edit_that_leads_to_its_state() {
        let mut state = ManifestState::default();
        state.apply(&edit());
        let base = Edit::decode(&state.as_edit().encode()).unwrap();
        let mut again = ManifestState::default();
        again.apply(&base);
        assert_eq!(again, state);
        let removal = Edit {
            removed: vec![12],
            dropped_sequences: vec![4],
            forgotten_spaces: vec![Space::new(1, 2)],
            ..Edit::default()
        };
        assert_eq!(Edit::decode(&removal.encode()), Some(removal.clone()));
        assert_eq!(state.check(&removal), Ok(()));
        state.apply(&removal);
        assert!(state.files.is_empty() && state.sequences.is_empty() && state.dropped_spaces.is_empty());
        assert!(state.check(&removal).is_err());
        assert_eq!((state.version, state.next_file), (2, 13));
    }

    #[test]
    fn a_file_whose_number_has_no_successor_is_refused() {
        let mut edit = edit();
        edit.added[0].summary.id = u64::MAX;
        assert!(ManifestState::default().check(&edit).is_err());
    }

    #[test]
    fn damaged_edits_never_panic() {
        let bytes = edit().encode();
        for at in 0..bytes.len() {
            let _edit_or_not = Edit::decode(&bytes[..at]);
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let _edit_or_not = Edit::decode(&damaged);
            }
        }
    }
}
