//! Segments: the files of the log, and the list of those that exist.
//!
//! ```text
//!    0 magic "HELIOLOG"    40 incarnation u64      80 epoch u64
//!    8 format u32          48 start lsn u64        88 capacity u64
//!   12 block u32           56 previous u64         96 checksum u64
//!   16 database u128       64 durable lsn u64     104 zeros up to the first block's end
//!   32 segment u64         72 wall clock i64
//! ```
//!
//! A segment is made under a temporary name, filled as far as it must be, synced, renamed, and the directory synced: a
//! file called `.wal` has a durable header, and everything below the `durable lsn` that it states was durable when it
//! appeared. It is at least `capacity` bytes long, unless its last batch seals the log: a shorter one was cut. Numbers are
//! never used twice.

use std::collections::VecDeque;

use helios_env::sync::{Arc, Mutex};
use helios_env::{Buf, Env, ErrorKind, File, IoError, OpenOptions, SyncMode};

use super::{LOG_DIRECTORY, LOG_FORMAT, Lsn};
use crate::checksum::FileIdentity;
use crate::coding::{Reader, Sink};
use crate::io::write_range;
use crate::{Error, Options, Result};

const MAGIC: &[u8; 8] = b"HELIOLOG";
const CHECKSUM_AT: usize = 96;
/// The smallest and the largest block that a header may state.
pub(super) const BLOCKS: std::ops::RangeInclusive<u32> = 512..=1 << 20;

/// A name in the log's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentName {
    /// Part of the log.
    Segment(u64),
    /// Being prepared when the process ended: not part of the log.
    Unfinished(u64),
}

impl SegmentName {
    /// `None` for a name that this program never writes.
    pub(crate) fn parse(name: &str) -> Option<SegmentName> {
        let (stem, kind) = name.rsplit_once('.')?;
        let id = crate::directory::parse_number(stem)?;
        match kind {
            "wal" => Some(SegmentName::Segment(id)),
            "new" => Some(SegmentName::Unfinished(id)),
            _ => None,
        }
    }

    pub(crate) fn path(self) -> String {
        match self {
            SegmentName::Segment(id) => format!("{LOG_DIRECTORY}/{id:016x}.wal"),
            SegmentName::Unfinished(id) => format!("{LOG_DIRECTORY}/{id:016x}.new"),
        }
    }
}

/// A segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) block: u32,
    pub(super) incarnation: u64,
    pub(super) start_lsn: Lsn,
    pub(super) previous: u64,
    pub(super) durable_lsn: Lsn,
    pub(super) wall: i64,
    /// Bytes reserved for the file; 0 where that is not possible.
    pub(super) capacity: u64,
}

impl SegmentHeader {
    /// The header's block.
    pub(super) fn encode(&self, identity: FileIdentity) -> Buf {
        let mut out = Buf::with_capacity(self.block as usize);
        out.put(MAGIC);
        out.put_u32(LOG_FORMAT);
        out.put_u32(self.block);
        out.put(&identity.database.to_le_bytes());
        for number in [identity.file, self.incarnation, self.start_lsn.0, self.previous, self.durable_lsn.0] {
            out.put_u64(number);
        }
        out.put_u64(self.wall as u64);
        out.put_u64(0);
        out.put_u64(self.capacity);
        let sum = identity.checksum(0, &out);
        out.put_u64(sum);
        out.resize(self.block as usize);
        out
    }

    /// The header at the front of a segment.
    pub(super) fn decode(identity: FileIdentity, path: &str, bytes: &[u8]) -> Result<SegmentHeader> {
        let damaged = |what: &'static str| Error::corruption(path, 0, what);
        let mut reader = Reader::new(bytes);
        let mut fields = || {
            let (magic, format, block) = (reader.take(8)?, reader.u32()?, reader.u32()?);
            let (database, file) = (reader.take(16)?, reader.u64()?);
            let mut header = SegmentHeader {
                block,
                incarnation: reader.u64()?,
                start_lsn: Lsn(reader.u64()?),
                previous: reader.u64()?,
                durable_lsn: Lsn(reader.u64()?),
                wall: reader.u64()? as i64,
                capacity: 0,
            };
            let _epoch = reader.u64()?;
            header.capacity = reader.u64()?;
            Some((magic, format, database, file, header, reader.u64()?))
        };
        let (magic, format, database, file, header, sum) =
            fields().ok_or_else(|| damaged("the segment is too short for a header"))?;
        if magic != MAGIC {
            return Err(damaged("this is no log segment: the magic number is missing"));
        }
        if format > LOG_FORMAT {
            return Err(Error::UnsupportedFormat { file: path.into(), found: format, supported: LOG_FORMAT });
        }
        if database != identity.database.to_le_bytes() {
            return Err(Error::Foreign { path: path.into(), what: "the segment belongs to another database".into() });
        }
        if sum != identity.checksum(0, &bytes[..CHECKSUM_AT]) || file != identity.file || format != LOG_FORMAT {
            return Err(damaged("the segment's header is damaged"));
        }
        if !BLOCKS.contains(&header.block) || !header.block.is_power_of_two() {
            return Err(damaged("the segment's header states an impossible block size"));
        }
        Ok(header)
    }
}

/// Why a segment could not be made.
pub(super) enum CreateError {
    /// It certainly is not part of the log; there was no space for it.
    NoSpace(IoError),
    /// Whether it is part of the log is unknown, or the device failed.
    Fatal(IoError),
}

/// A prepared file: space is reserved, nothing is written.
pub(super) struct Prepared {
    /// Number in its temporary name. Its number as a segment is given when it is installed, so that segments are
    /// numbered in the order in which they are used, however long a preparation took.
    pub(super) temporary: u64,
    pub(super) file: Arc<dyn File>,
    pub(super) capacity: u64,
    /// Whether the file is that long already; otherwise it grows as it is written.
    pub(super) is_reserved: bool,
}

impl Prepared {
    /// What the header says of the file's length.
    pub(super) fn reserved(&self) -> u64 {
        if self.is_reserved { self.capacity } else { 0 }
    }
}

/// Creates a file of `capacity` bytes under a temporary name.
pub(super) async fn prepare(env: &Env, options: &Options, temporary: u64, capacity: u64) -> Result<Prepared, IoError> {
    let path = SegmentName::Unfinished(temporary).path();
    let file = env.disk.open(&path, OpenOptions::create_new().direct(options.direct_io)).await?;
    match file.allocate(capacity).await {
        Ok(()) => Ok(Prepared { temporary, file, capacity, is_reserved: true }),
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            Ok(Prepared { temporary, file, capacity, is_reserved: false })
        }
        Err(error) => {
            drop(file);
            discard(env, temporary).await;
            Err(error.at(&path))
        }
    }
}

/// Removes a file that never became a segment. If that fails, the next recovery removes it.
pub(super) async fn discard(env: &Env, temporary: u64) {
    let path = SegmentName::Unfinished(temporary).path();
    if let Err(error) = env.disk.remove(&path).await
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(%error, path, "an unused log file stays until the next start");
    }
}

/// Makes a prepared file segment `id` of the log: writes `front` (the header's block and what follows), syncs, renames.
pub(super) async fn install(
    env: &Env,
    prepared: &Prepared,
    id: u64,
    front: Buf,
    block: usize,
) -> Result<(), CreateError> {
    let temporary = SegmentName::Unfinished(prepared.temporary).path();
    let path = SegmentName::Segment(id).path();
    let written = write_range(&*prepared.file, 0, front, block, true).await;
    if let Err(error) = written.result {
        let error = error.at(&temporary);
        return Err(match error.kind() {
            ErrorKind::NoSpace => CreateError::NoSpace(error),
            _ => CreateError::Fatal(error),
        });
    }
    // Length and allocation too: later batches sync their contents only.
    prepared.file.sync(SyncMode::All).await.map_err(|error| CreateError::Fatal(error.at(&temporary)))?;
    if let Err(error) = env.disk.rename(&temporary, &path).await {
        let visible =
            env.disk.list(LOG_DIRECTORY).await.map_or(true, |names| names.iter().any(|name| path.ends_with(name)));
        return Err(if error.kind() == ErrorKind::NoSpace && !visible {
            CreateError::NoSpace(error)
        } else {
            CreateError::Fatal(error)
        });
    }
    env.disk.sync_dir(LOG_DIRECTORY).await.map_err(CreateError::Fatal)
}

/// The segments that exist, oldest first. Shared by the writer, which appends, and the flush, which removes.
#[derive(Debug, Default)]
pub(crate) struct Segments(Mutex<VecDeque<(u64, Lsn)>>);

impl Segments {
    pub(super) fn push(&self, id: u64, start: Lsn) {
        self.0.lock().push_back((id, start));
    }

    /// The newest one's number.
    pub(crate) fn newest(&self) -> Option<u64> {
        self.0.lock().back().map(|(id, _)| *id)
    }

    /// Their numbers, oldest first.
    pub(crate) fn ids(&self) -> Vec<u64> {
        self.0.lock().iter().map(|(id, _)| *id).collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Removes the segments that end at or below `flushed`; the newest always stays. What cannot be removed now stays
    /// listed and is tried again.
    pub(crate) async fn remove_below(&self, env: &Env, flushed: Lsn) {
        loop {
            let oldest = {
                let segments = self.0.lock();
                match (segments.front(), segments.get(1)) {
                    (Some(&(id, _)), Some(&(_, end))) if end <= flushed => id,
                    _ => return,
                }
            };
            let path = SegmentName::Segment(oldest).path();
            if let Err(error) = env.disk.remove(&path).await
                && error.kind() != ErrorKind::NotFound
            {
                tracing::warn!(%error, path, "a log segment that is no longer needed stays for now");
                return;
            }
            let mut segments = self.0.lock();
            if segments.front().is_some_and(|&(id, _)| id == oldest) {
                segments.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_believed_only_in_its_place() {
        let identity = FileIdentity { database: 5, file: 9 };
        let header = SegmentHeader {
            block: 512,
            incarnation: 3,
            start_lsn: Lsn(1024),
            previous: 7,
            durable_lsn: Lsn(1024),
            wall: 8,
            capacity: 9,
        };
        let mut bytes = header.encode(identity);
        assert_eq!(bytes.len(), 512);
        assert_eq!(SegmentHeader::decode(identity, "x", &bytes), Ok(header));
        let elsewhere = FileIdentity { file: 10, ..identity };
        assert!(matches!(SegmentHeader::decode(elsewhere, "x", &bytes), Err(Error::Corruption { .. })));
        let other = FileIdentity { database: 6, ..identity };
        assert!(matches!(SegmentHeader::decode(other, "x", &bytes), Err(Error::Foreign { .. })));
        for at in 0..104 {
            bytes[at] ^= 1;
            assert!(SegmentHeader::decode(identity, "x", &bytes).is_err(), "byte {at}");
            bytes[at] ^= 1;
        }
        assert!(SegmentHeader::decode(identity, "x", &bytes[..103]).is_err());
    }

    #[test]
    fn names_are_ours_or_nobodys() {
        for name in [SegmentName::Segment(0x1f), SegmentName::Unfinished(u64::MAX)] {
            let path = name.path();
            assert_eq!(SegmentName::parse(path.strip_prefix("wal/").unwrap()), Some(name));
        }
        for name in ["1.wal", "000000000000001F.wal", "0000000000000001.bak", "notes.txt", ""] {
            assert_eq!(SegmentName::parse(name), None, "{name}");
        }
    }
}
