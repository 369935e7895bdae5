//! The frame around every block.
//!
//! ```text
//!   0         8      9       10         12       16           20        24
//!   ┌─────────┬──────┬───────┬──────────┬────────┬────────────┬─────────┬─────────┐
//!   │checksum │ kind │ codec │ reserved │ key id │ stored len │ raw len │ payload │
//!   └─────────┴──────┴───────┴──────────┴────────┴────────────┴─────────┴─────────┘
//! ```
//!
//! The checksum covers everything behind itself, and the block's place ([`FileIdentity`]). `key id` is 0: nothing is
//! encrypted yet.

use bytes::Bytes;

use crate::checksum::FileIdentity;
use crate::coding::{Reader, Sink};
use crate::{Error, Result};

/// Bytes in front of a payload.
pub(crate) const FRAME_LEN: usize = 24;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BlockKind {
    Data = 1,
    Index = 2,
    Filter = 3,
    Top = 4,
    Properties = 5,
}

const PLAIN: u8 = 0;
const LZ4: u8 = 1;

/// Where a framed block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Handle {
    pub(crate) offset: u64,
    /// Length with the frame; 0 for a block that does not exist.
    pub(crate) len: u32,
}

impl Handle {
    pub(crate) fn encode(self, out: &mut impl Sink) {
        out.put_u64(self.offset);
        out.put_u32(self.len);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Handle> {
        Some(Handle { offset: reader.u64()?, len: reader.u32()? })
    }

    pub(crate) fn end(self) -> u64 {
        self.offset.saturating_add(u64::from(self.len))
    }
}

/// Appends the framed block to `out`, whose end is at `offset` of the file.
pub(crate) fn encode(
    identity: FileIdentity,
    offset: u64,
    kind: BlockKind,
    payload: &[u8],
    compress: bool,
    out: &mut helios_env::Buf,
) -> Handle {
    let packed = if compress { lz4_flex::block::compress(payload) } else { Vec::new() };
    let (codec, stored) = if compress && packed.len() < payload.len() - payload.len() / 8 {
        (LZ4, &packed[..])
    } else {
        (PLAIN, payload)
    };
    let start = out.len();
    out.put_u64(0);
    out.put(&[kind as u8, codec, 0, 0]);
    out.put_u32(0);
    out.put_u32(stored.len() as u32);
    out.put_u32(payload.len() as u32);
    out.put(stored);
    let sum = identity.checksum(offset, &out[start + 8..]);
    out[start..start + 8].copy_from_slice(&sum.to_le_bytes());
    Handle { offset, len: (out.len() - start) as u32 }
}

/// Checks and unpacks a block; `framed` is what the file holds at `handle`.
pub(crate) fn decode(
    identity: FileIdentity,
    path: &str,
    handle: Handle,
    kind: BlockKind,
    framed: &[u8],
) -> Result<Bytes> {
    let damaged = |what: &'static str| Error::corruption(path, handle.offset, what);
    let mut reader = Reader::new(framed);
    let mut header =
        || Some((reader.u64()?, reader.u8()?, reader.u8()?, reader.take(6)?, reader.u32()?, reader.u32()?));
    let (sum, found, codec, _, stored_len, raw_len) = header().ok_or_else(|| damaged("the block is cut short"))?;
    if sum != identity.checksum(handle.offset, &framed[8..]) {
        return Err(damaged("block checksum mismatch"));
    }
    let stored = &framed[FRAME_LEN..];
    if found != kind as u8 || stored.len() != stored_len as usize {
        return Err(damaged("the block is not of the kind or length that its index says"));
    }
    match codec {
        PLAIN => Ok(Bytes::copy_from_slice(stored)),
        LZ4 => match lz4_flex::block::decompress(stored, raw_len as usize) {
            Ok(raw) if raw.len() == raw_len as usize => Ok(raw.into()),
            _ => Err(damaged("the block does not decompress")),
        },
        _ => Err(damaged("unknown block codec")),
    }
}
