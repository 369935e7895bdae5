//! The contents of a file in memory: extents of 64 KiB, absent where nothing was ever written.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::{Buf, ErrorKind, File, Io, IoError, Pending, Result, SyncMode};

/// Bytes of one extent.
const EXTENT: usize = 64 << 10;
/// The longest file, in bytes; as ext4's.
const LEN_MAX: u64 = 16 << 40;

/// What a file holds, shared by its directory entry and its handles.
#[derive(Default)]
pub(super) struct Contents(RwLock<Extents>);

#[derive(Default)]
struct Extents {
    len: u64,
    /// By number: extent `n` begins at byte `n * EXTENT`. An absent one is zeros; so is everything behind `len`.
    present: BTreeMap<u64, Box<[u8]>>,
}

/// The pieces of `[offset, offset + len)` by extent: its number, where in it, where in the whole, how many bytes.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let within = (at % EXTENT as u64) as usize;
        let count = (EXTENT - within).min(len - done);
        let piece = (at / EXTENT as u64, within, done, count);
        done += count;
        Some(piece)
    })
}

impl Extents {
    fn read(&self, offset: u64, bytes: &mut [u8]) -> usize {
        let available = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = bytes.len().min(available);
        for (number, within, done, count) in pieces(offset, count) {
            let target = &mut bytes[done..done + count];
            match self.present.get(&number) {
                Some(extent) => target.copy_from_slice(&extent[within..within + count]),
                None => target.fill(0),
            }
        }
        count
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        for (number, within, done, count) in pieces(offset, bytes.len()) {
            let extent = self.present.entry(number).or_insert_with(|| vec![0; EXTENT].into_boxed_slice());
            extent[within..within + count].copy_from_slice(&bytes[done..done + count]);
        }
        if !bytes.is_empty() {
            self.len = self.len.max(offset + bytes.len() as u64);
        }
    }

    fn set_len(&mut self, len: u64) {
        if len < self.len {
            let (number, within) = (len / EXTENT as u64, (len % EXTENT as u64) as usize);
            let mut cut = self.present.split_off(&number);
            if within > 0
                && let Some(mut extent) = cut.remove(&number)
            {
                extent[within..].fill(0);
                self.present.insert(number, extent);
            }
        }
        self.len = len;
    }
}

/// An open file.
pub(super) struct MemoryFile {
    path: Box<str>,
    writable: bool,
    contents: Arc<Contents>,
}

impl MemoryFile {
    pub(super) fn new(path: &str, writable: bool, contents: Arc<Contents>) -> MemoryFile {
        MemoryFile { path: path.into(), writable, contents }
    }

    /// Whether the file may be changed, and may be as long as `end`.
    fn check(&self, end: Option<u64>, operation: &'static str) -> Result<()> {
        let kind = match end {
            _ if !self.writable => ErrorKind::PermissionDenied,
            Some(end) if end <= LEN_MAX => return Ok(()),
            _ => ErrorKind::Invalid,
        };
        Err(IoError::new(kind, operation).at(&self.path))
    }

    fn write(&self, offset: u64, buf: Buf) -> Pending<Io> {
        let result = self.check(offset.checked_add(buf.len() as u64), "write").map(|()| {
            self.contents.0.write().write(offset, &buf);
            buf.len()
        });
        Pending::ready(Io { result, buf })
    }
}

impl File for MemoryFile {
    fn read_at(&self, offset: u64, mut buf: Buf) -> Pending<Io> {
        let count = self.contents.0.read().read(offset, &mut buf);
        Pending::ready(Io { result: Ok(count), buf })
    }

    fn write_at(&self, offset: u64, buf: Buf) -> Pending<Io> {
        self.write(offset, buf)
    }

    fn write_at_and_sync(&self, offset: u64, buf: Buf) -> Pending<Io> {
        self.write(offset, buf)
    }

    fn sync(&self, _mode: SyncMode) -> Pending<Result<()>> {
        Pending::ready(Ok(()))
    }

    fn allocate(&self, len: u64) -> Pending<Result<()>> {
        Pending::ready(self.check(Some(len), "allocate").map(|()| {
            let mut extents = self.contents.0.write();
            extents.len = extents.len.max(len);
        }))
    }

    fn truncate(&self, len: u64) -> Pending<Result<()>> {
        Pending::ready(self.check(Some(len), "truncate").map(|()| self.contents.0.write().set_len(len)))
    }

    fn len(&self) -> Pending<Result<u64>> {
        Pending::ready(Ok(self.contents.0.read().len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_leaves_zeros_behind() {
        let mut extents = Extents::default();
        extents.write(EXTENT as u64 - 2, &[1, 2, 3, 4]);
        assert_eq!(extents.len, EXTENT as u64 + 2);
        extents.set_len(EXTENT as u64 - 1);
        assert_eq!(extents.present.len(), 1);
        extents.set_len(EXTENT as u64 + 2);
        let mut bytes = [9; 6];
        assert_eq!(extents.read(EXTENT as u64 - 2, &mut bytes), 4);
        assert_eq!(bytes, [1, 0, 0, 0, 9, 9]);
        extents.set_len(0);
        assert!(extents.present.is_empty());
    }
}
