//! Batches: the unit that is written, synced and chained.
//!
//! ```text
//!    0 magic u32          32 lsn u64                64 first commit ts u64
//!    4 reserved u32       40 durable lsn u64        72 records u32
//!    8 checksum u64       48 wall clock i64         76 body length u32
//!   16 previous u64       56 epoch u64              80 body, then zeros up to the next block
//!   24 incarnation u64
//! ```
//!
//! The checksum covers bytes 16 up to the end of the body. `previous` is the checksum of the batch before, or what the
//! segment's header says for its first one. `epoch` is 0: it fences writers once the log is replicated.

use helios_env::Buf;

use super::Lsn;
use crate::checksum::checksum;
use crate::coding::{Reader, Sink};

/// Bytes in front of the body.
pub(super) const BATCH_HEADER_LEN: usize = 80;
const MAGIC: u32 = u32::from_le_bytes(*b"HBAT");
const CHECKSUM_AT: usize = 8;
const COVERED_FROM: usize = 16;

/// A batch's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchHeader {
    pub(super) previous: u64,
    pub(super) incarnation: u64,
    pub(super) lsn: Lsn,
    pub(super) durable_lsn: Lsn,
    pub(super) wall: i64,
    pub(super) first_ts: u64,
    pub(super) records: u32,
}

/// Room for a header, then the body is appended.
pub(super) fn begin(out: &mut Buf) {
    out.clear();
    out.resize(BATCH_HEADER_LEN);
}

/// Completes the batch whose body `out` holds, and pads it to a multiple of `block`. Returns its checksum.
pub(super) fn finish(out: &mut Buf, header: &BatchHeader, block: usize) -> u64 {
    let body_len = u32::try_from(out.len() - BATCH_HEADER_LEN).expect("a batch's size was checked before");
    let mut bytes = Vec::with_capacity(BATCH_HEADER_LEN);
    bytes.put_u32(MAGIC);
    bytes.put_u32(0);
    bytes.put_u64(0);
    bytes.put_u64(header.previous);
    bytes.put_u64(header.incarnation);
    bytes.put_u64(header.lsn.0);
    bytes.put_u64(header.durable_lsn.0);
    bytes.put_u64(header.wall as u64);
    bytes.put_u64(0);
    bytes.put_u64(header.first_ts);
    bytes.put_u32(header.records);
    bytes.put_u32(body_len);
    out[..BATCH_HEADER_LEN].copy_from_slice(&bytes);
    let sum = checksum(&out[COVERED_FROM..]);
    out[CHECKSUM_AT..COVERED_FROM].copy_from_slice(&sum.to_le_bytes());
    out.resize(out.len().next_multiple_of(block));
    sum
}

/// An intact batch.
#[derive(Debug)]
pub(super) struct FoundBatch<'a> {
    pub(super) header: BatchHeader,
    pub(super) checksum: u64,
    pub(super) body: &'a [u8],
}

impl FoundBatch<'_> {
    /// Its length in the file.
    pub(super) fn padded_len(&self, block: usize) -> u64 {
        ((BATCH_HEADER_LEN + self.body.len()) as u64).next_multiple_of(block as u64)
    }
}

/// The batch at the front of `bytes`, if an intact one is there.
pub(super) fn find(bytes: &[u8]) -> Option<FoundBatch<'_>> {
    let mut reader = Reader::new(bytes);
    if reader.u32()? != MAGIC || reader.u32()? != 0 {
        return None;
    }
    let sum = reader.u64()?;
    let mut header = BatchHeader {
        previous: reader.u64()?,
        incarnation: reader.u64()?,
        lsn: Lsn(reader.u64()?),
        durable_lsn: Lsn(reader.u64()?),
        wall: reader.u64()? as i64,
        first_ts: 0,
        records: 0,
    };
    let _epoch = reader.u64()?;
    header.first_ts = reader.u64()?;
    header.records = reader.u32()?;
    let body_len = reader.u32()? as usize;
    let body = reader.take(body_len)?;
    let intact = checksum(&bytes[COVERED_FROM..BATCH_HEADER_LEN + body_len]) == sum;
    intact.then_some(FoundBatch { header, checksum: sum, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_intact_or_not_there() {
        let header = BatchHeader {
            previous: 1,
            incarnation: 2,
            lsn: Lsn(512),
            durable_lsn: Lsn(3),
            wall: -4,
            first_ts: 5,
            records: 6,
        };
        let mut out = Buf::new();
        begin(&mut out);
        out.put(b"body");
        let sum = finish(&mut out, &header, 512);
        assert_eq!(out.len(), 512);
        let found = find(&out).unwrap();
        assert_eq!((found.header, found.checksum, found.body), (header, sum, &b"body"[..]));
        assert_eq!(found.padded_len(512), 512);
        for at in 0..BATCH_HEADER_LEN + 4 {
            out[at] ^= 0x10;
            assert!(find(&out).is_none(), "byte {at}");
            out[at] ^= 0x10;
        }
        assert!(find(&out[..83]).is_none());
        assert!(find(&[0; 512]).is_none());
    }
}
