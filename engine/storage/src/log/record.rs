//! Records: what a batch of the log is made of.
//!
//! ```text
//!   kind u8 | len u32 | payload                       numbers below are varints unless a width is given
//!
//!   1 commit     xid | commit ts | catalog version | n | write ×n | m | (branch, storage id) ×m dropped
//!     write      flags u8 | [branch | storage id] | [birth] | key len | key | payload len | payload
//!   2 sequences  n | (id, reserved up to i64, is called u8) ×n | m | id ×m dropped
//!   3 layout     id | n | type u8 ×n
//!   4 prepare, 5 commit prepared, 6 abort prepared, 7 attach: reserved
//!   8 seal       nothing: the log was closed in order
//! ```
//!
//! The log is logical: row images under their keys, with branch, catalog version and commit timestamp, so that a change
//! feed or a replica reads the same records that recovery does. All records of one transaction are in one batch, hence
//! there or not there together.

use bytes::Bytes;
use helios_env::Buf;

use crate::coding::{Reader, Sink};
use crate::row::Layout;
use crate::table::{flags_of, has_own_birth, value_of};
use crate::{CommitTs, SequenceReservation, Space, Version, WriteBatch};

const COMMIT: u8 = 1;
const SEQUENCES: u8 = 2;
const LAYOUT: u8 = 3;
const SEAL: u8 = 8;

/// In a write's flags: it is in the same space as the write before.
const SAME_SPACE: u8 = 8;

/// A decoded record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Commit(CommitRecord),
    Sequences { reserved: Vec<SequenceReservation>, dropped: Vec<u64> },
    Layout(Layout),
    Seal,
}

/// What a transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommitRecord {
    pub(crate) xid: u64,
    pub(crate) commit_ts: CommitTs,
    pub(crate) catalog_version: u64,
    pub(crate) writes: Vec<(Space, Bytes, Version)>,
    pub(crate) dropped_spaces: Vec<Space>,
}

/// Appends one record; `payload` appends its payload.
fn put_record(out: &mut Buf, kind: u8, payload: impl FnOnce(&mut Buf)) {
    out.put_u8(kind);
    let len_at = out.len();
    out.put_u32(0);
    payload(out);
    let len = u32::try_from(out.len() - len_at - 4).expect("the size of a batch was checked when it was enqueued");
    out[len_at..len_at + 4].copy_from_slice(&len.to_le_bytes());
}

fn put_space(out: &mut Buf, space: Space) {
    out.put_varint(u64::from(space.branch.0));
    out.put_varint(space.storage.0);
}

fn read_space(reader: &mut Reader<'_>) -> Option<Space> {
    Some(Space::new(u32::try_from(reader.varint()?).ok()?, reader.varint()?))
}

/// Appends the records of one transaction, which gets `commit_ts` if it needs a timestamp; returns how many there are.
pub(crate) fn encode_transaction(batch: &WriteBatch, commit_ts: CommitTs, out: &mut Buf) -> u32 {
    let mut records = 0;
    for layout in &batch.layouts {
        put_record(out, LAYOUT, |out| layout.encode(out));
        records += 1;
    }
    if !batch.sequences.is_empty() || !batch.dropped_sequences.is_empty() {
        put_record(out, SEQUENCES, |out| {
            out.put_varint(batch.sequences.len() as u64);
            for sequence in &batch.sequences {
                put_sequence(out, sequence);
            }
            out.put_varint(batch.dropped_sequences.len() as u64);
            batch.dropped_sequences.iter().for_each(|&id| out.put_varint(id));
        });
        records += 1;
    }
    if batch.needs_timestamp() {
        put_record(out, COMMIT, |out| put_commit(batch, commit_ts, out));
        records += 1;
    }
    records
}

/// Appends a sequence's reservation; the manifest writes them alike.
pub(crate) fn put_sequence(out: &mut impl Sink, sequence: &SequenceReservation) {
    out.put_varint(sequence.sequence_id);
    out.put_u64(sequence.reserved_up_to as u64);
    out.put_u8(u8::from(sequence.is_called));
}

/// The reverse of [`put_sequence`].
pub(crate) fn read_sequence(reader: &mut Reader<'_>) -> Option<SequenceReservation> {
    Some(SequenceReservation {
        sequence_id: reader.varint()?,
        reserved_up_to: reader.u64()? as i64,
        is_called: reader.u8()? != 0,
    })
}

/// Appends the record that closes the log in order.
pub(crate) fn encode_seal(out: &mut Buf) -> u32 {
    put_record(out, SEAL, |_| ());
    1
}

fn put_commit(batch: &WriteBatch, commit_ts: CommitTs, out: &mut Buf) {
    out.put_varint(batch.xid);
    out.put_varint(commit_ts.0);
    out.put_varint(batch.catalog_version);
    out.put_varint(batch.writes.len() as u64);
    let mut last = None;
    for write in &batch.writes {
        let same = last == Some(write.space);
        last = Some(write.space);
        out.put_u8(flags_of(&write.value, write.is_insert) | if same { SAME_SPACE } else { 0 });
        if !same {
            put_space(out, write.space);
        }
        if !write.is_insert {
            out.put_varint(write.birth.0);
        }
        out.put_bytes(&write.key);
        out.put_bytes(write.value.payload());
    }
    out.put_varint(batch.dropped_spaces.len() as u64);
    batch.dropped_spaces.iter().for_each(|&space| put_space(out, space));
}

/// Decodes a batch's body; keys and rows are slices of it. `None` when it is malformed.
pub(crate) fn decode_body(body: &Bytes, count: u32) -> Option<Vec<Record>> {
    let mut reader = Reader::new(body);
    let mut records = Vec::new();
    for _ in 0..count {
        let kind = reader.u8()?;
        let len = reader.u32()? as usize;
        let start = reader.position();
        reader.take(len)?;
        records.push(decode_record(kind, &body.slice(start..start + len))?);
    }
    reader.is_at_end().then_some(records)
}

fn decode_record(kind: u8, payload: &Bytes) -> Option<Record> {
    let mut reader = Reader::new(payload);
    let record = match kind {
        COMMIT => Record::Commit(decode_commit(payload, &mut reader)?),
        SEQUENCES => {
            let reserved = (0..reader.varint()?).map(|_| read_sequence(&mut reader)).collect::<Option<_>>()?;
            let dropped = (0..reader.varint()?).map(|_| reader.varint()).collect::<Option<_>>()?;
            Record::Sequences { reserved, dropped }
        }
        LAYOUT => Record::Layout(Layout::decode(&mut reader)?),
        SEAL => Record::Seal,
        _ => return None,
    };
    reader.is_at_end().then_some(record)
}

fn decode_commit(payload: &Bytes, reader: &mut Reader<'_>) -> Option<CommitRecord> {
    let (xid, commit_ts, catalog_version) = (reader.varint()?, CommitTs(reader.varint()?), reader.varint()?);
    let count = reader.varint_usize()?;
    let mut writes = Vec::with_capacity(count.min(payload.len() / 4));
    let mut space = None;
    for _ in 0..count {
        let flags = reader.u8()?;
        if flags & SAME_SPACE == 0 {
            space = Some(read_space(reader)?);
        }
        let birth = if has_own_birth(flags) { commit_ts } else { CommitTs(reader.varint()?) };
        let mut slice = || {
            let len = reader.varint_usize()?;
            let start = reader.position();
            reader.take(len)?;
            Some(payload.slice(start..start + len))
        };
        let (key, row) = (slice()?, slice()?);
        writes.push((space?, key, Version { commit_ts, birth, value: value_of(flags & !SAME_SPACE, row)? }));
    }
    let dropped_spaces = (0..reader.varint()?).map(|_| read_space(reader)).collect::<Option<_>>()?;
    Some(CommitRecord { xid, commit_ts, catalog_version, writes, dropped_spaces })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{LayoutId, PhysicalType};
    use crate::{Value, Write};

    fn batch() -> WriteBatch {
        let write = |storage, key: &'static str, value, is_insert| Write {
            space: Space::new(3, storage),
            key: Bytes::from_static(key.as_bytes()),
            value,
            is_insert,
            birth: CommitTs(4),
        };
        WriteBatch {
            xid: 1 << 40,
            catalog_version: 9,
            writes: vec![
                write(1, "a", Value::Row(Bytes::from_static(b"row")), true),
                write(1, "", Value::Deleted, false),
                write(2, "b", Value::Moved { to: Bytes::from_static(b"c") }, false),
            ],
            dropped_spaces: vec![Space::new(0, u64::MAX)],
            sequences: vec![SequenceReservation { sequence_id: 5, reserved_up_to: -3, is_called: true }],
            dropped_sequences: vec![6],
            layouts: vec![Layout::new(LayoutId(2), vec![PhysicalType::Int64])],
        }
    }

    #[test]
    fn a_transaction_comes_back() {
        let (batch, mut out) = (batch(), Buf::new());
        let count = encode_transaction(&batch, CommitTs(77), &mut out);
        let records = decode_body(&Bytes::copy_from_slice(&out), count).unwrap();
        assert_eq!(records[0], Record::Layout(batch.layouts[0].clone()));
        assert_eq!(records[1], Record::Sequences { reserved: batch.sequences.clone(), dropped: vec![6] });
        let Record::Commit(commit) = &records[2] else { panic!("{records:?}") };
        assert_eq!((commit.xid, commit.commit_ts, commit.catalog_version), (1 << 40, CommitTs(77), 9));
        assert_eq!(commit.dropped_spaces, batch.dropped_spaces);
        for (found, write) in commit.writes.iter().zip(&batch.writes) {
            let birth = if write.is_insert { CommitTs(77) } else { write.birth };
            let version = Version { commit_ts: CommitTs(77), birth, value: write.value.clone() };
            assert_eq!(found, &(write.space, write.key.clone(), version));
        }
    }

    #[test]
    fn damaged_records_never_panic() {
        let mut out = Buf::new();
        let count = encode_transaction(&batch(), CommitTs(77), &mut out);
        for at in 0..out.len() {
            assert_eq!(decode_body(&Bytes::copy_from_slice(&out[..at]), count), None);
            for bit in 0..8 {
                let mut damaged = out.to_vec();
                damaged[at] ^= 1 << bit;
                let _decoded_or_not = decode_body(&damaged.into(), count);
            }
        }
    }
}
