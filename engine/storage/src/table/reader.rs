//! Reading an SSTable: opening it, and getting at its blocks through the cache.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use helios_env::sync::{Arc, AtomicBool, Mutex, Notify, Ordering};
use helios_env::{Disk, File, OpenOptions};

use super::builder::decode_properties;
use super::data::DataBlock;
use super::filter;
use super::frame::{self, BlockKind, Handle};
use super::index::IndexBlock;
use super::{FILE_ALIGNMENT, TABLE_FORMAT, TableSummary};
use crate::cache::BlockCache;
use crate::checksum::FileIdentity;
use crate::coding::{Reader, Sink};
use crate::io::ReadRange;
use crate::{Error, Result};

/// Bytes of a footer.
pub(super) const FOOTER_LEN: usize = 64;
const MAGIC: &[u8; 8] = b"HELIOSST";

/// Path of the file with this number.
pub(crate) fn table_path(id: u64) -> String {
    format!("sst/{id:016x}.sst")
}

/// The last bytes of a file: magic, format version, file number, where the top index and the properties are, checksum.
pub(super) fn encode_footer(identity: FileIdentity, offset: u64, top: Handle, properties: Handle) -> Vec<u8> {
    let mut footer = Vec::with_capacity(FOOTER_LEN);
    footer.put(MAGIC);
    footer.put_u32(TABLE_FORMAT);
    footer.put_u32(0);
    footer.put_u64(identity.file);
    top.encode(&mut footer);
    properties.encode(&mut footer);
    footer.put_u64(0);
    let sum = identity.checksum(offset, &footer);
    footer.put_u64(sum);
    debug_assert_eq!(footer.len(), FOOTER_LEN);
    footer
}

/// An open file. Shared by every version of the tree that contains it; when the last one is gone and the file was
/// marked obsolete, its number goes to the graveyard, from where it is removed.
pub(crate) struct Table {
    pub(crate) summary: TableSummary,
    identity: FileIdentity,
    path: Box<str>,
    file: Arc<dyn File>,
    direct: bool,
    cache: Arc<BlockCache>,
    top: IndexBlock,
    obsolete: AtomicBool,
    graveyard: Arc<Graveyard>,
}

/// What opening files needs to know.
#[derive(Clone)]
pub(crate) struct TableContext {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) database: u128,
    pub(crate) direct: bool,
    pub(crate) cache: Arc<BlockCache>,
    pub(crate) graveyard: Arc<Graveyard>,
}

/// Files that left the tree and that nobody reads any more.
#[derive(Default)]
pub(crate) struct Graveyard {
    files: Mutex<Vec<u64>>,
    /// Told whenever a file arrives.
    pub(crate) arrivals: Notify,
}

impl Graveyard {
    /// Takes the numbers of the files to remove.
    pub(crate) fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.files.lock())
    }
}

impl Table {
    /// Opens the file that the manifest describes, and checks that it is that file.
    pub(crate) async fn open(context: &TableContext, summary: TableSummary) -> Result<Arc<Table>> {
        let identity = FileIdentity { database: context.database, file: summary.id };
        let path = table_path(summary.id);
        let options = OpenOptions::read().direct(context.direct);
        let file = context.disk.open(&path, options).await.map_err(|error| error.at(&path))?;
        let len = file.len().await.map_err(|error| error.at(&path))?;
        if len != summary.bytes || len < FILE_ALIGNMENT {
            let what = format!("the file is {len} bytes long, the manifest says {}", summary.bytes);
            return Err(Error::corruption(&path, len.min(summary.bytes), what));
        }
        let tail_at = len - FILE_ALIGNMENT;
        let tail = ReadRange::new(file.clone(), tail_at, FILE_ALIGNMENT as usize, context.direct);
        let tail = tail.await.map_err(|error| error.at(&path))?;
        if tail.len() < FILE_ALIGNMENT as usize {
            return Err(Error::corruption(&path, tail_at, "the file ends early"));
        }
        let (top, properties) = decode_footer(identity, &path, len, &tail[tail.len() - FOOTER_LEN..])?;
        let read = |handle, kind| read_block(file.clone(), identity, &path, handle, kind, context.direct);
        let payload = read(properties, BlockKind::Properties).await?;
        match decode_properties(&payload) {
            Some((found, _)) if found == summary => (),
            _ => {
                let what = "the file's properties are not those that the manifest says";
                return Err(Error::corruption(&path, properties.offset, what));
            }
        }
        let payload = read(top, BlockKind::Top).await?;
        let top = IndexBlock::parse(payload, true)
            .ok_or_else(|| Error::corruption(&path, top.offset, "the top index is malformed"))?;
        Ok(Arc::new(Table {
            summary,
            identity,
            path: path.into(),
            file,
            direct: context.direct,
            cache: context.cache.clone(),
            top,
            obsolete: AtomicBool::new(false),
            graveyard: context.graveyard.clone(),
        }))
    }

    /// The file's number.
    pub(crate) fn id(&self) -> u64 {
        self.summary.id
    }

    pub(crate) fn top(&self) -> &IndexBlock {
        &self.top
    }

    /// The file leaves the tree: once nobody reads it any more it may be removed.
    pub(crate) fn mark_obsolete(&self) {
        self.obsolete.store(true, Ordering::Release);
    }

    /// A block that the cache holds.
    #[inline]
    pub(crate) fn cached(&self, handle: Handle) -> Option<Bytes> {
        self.cache.get(self.id(), handle.offset)
    }

    /// Starts reading a block.
    pub(crate) fn read(self: &Arc<Self>, handle: Handle, kind: BlockKind, fill_cache: bool) -> BlockRead {
        let (range, skip) = aligned(&self.file, handle, self.direct);
        BlockRead { table: self.clone(), handle, kind, fill_cache, range, skip }
    }

    /// Damage in the block at `handle`.
    pub(crate) fn damaged(&self, handle: Handle, what: &'static str) -> Error {
        Error::corruption(&self.path, handle.offset, what)
    }

    pub(crate) fn index_block(&self, handle: Handle, payload: Bytes) -> Result<IndexBlock> {
        IndexBlock::parse(payload, false).ok_or_else(|| self.damaged(handle, "an index block is malformed"))
    }

    pub(crate) fn data_block(&self, handle: Handle, payload: Bytes) -> Result<DataBlock> {
        DataBlock::parse(payload).ok_or_else(|| self.damaged(handle, "a data block is malformed"))
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if self.obsolete.load(Ordering::Acquire) {
            self.graveyard.files.lock().push(self.summary.id);
            self.graveyard.arrivals.notify();
        }
    }
}

fn decode_footer(identity: FileIdentity, path: &str, len: u64, footer: &[u8]) -> Result<(Handle, Handle)> {
    let offset = len - FOOTER_LEN as u64;
    let damaged = |what: &'static str| Error::corruption(path, offset, what);
    let mut reader = Reader::new(footer);
    let mut fields = || {
        let magic = reader.take(8)?;
        let (version, _, file) = (reader.u32()?, reader.u32()?, reader.u64()?);
        let (top, properties) = (Handle::decode(&mut reader)?, Handle::decode(&mut reader)?);
        reader.u64()?;
        Some((magic, version, file, top, properties, reader.u64()?))
    };
    let (magic, version, file, top, properties, sum) = fields().ok_or_else(|| damaged("the footer is cut short"))?;
    if magic != MAGIC {
        return Err(damaged("this is no SSTable: the footer's magic number is missing"));
    }
    if sum != identity.checksum(offset, &footer[..FOOTER_LEN - 8]) {
        // A newer format may check differently; say so rather than cry damage, but only if it claims to be newer.
        if version > TABLE_FORMAT {
            return Err(Error::UnsupportedFormat { file: path.into(), found: version, supported: TABLE_FORMAT });
        }
        return Err(damaged("footer checksum mismatch"));
    }
    if version != TABLE_FORMAT {
        return Err(Error::UnsupportedFormat { file: path.into(), found: version, supported: TABLE_FORMAT });
    }
    if file != identity.file || top.end() > offset || properties.end() > offset {
        return Err(damaged("the footer is that of another file"));
    }
    Ok((top, properties))
}

/// The read that covers a block, and how many bytes of it lie before the block.
fn aligned(file: &Arc<dyn File>, handle: Handle, direct: bool) -> (ReadRange, usize) {
    let (mut start, mut end) = (handle.offset, handle.end());
    if direct {
        start -= start % FILE_ALIGNMENT;
        end = end.next_multiple_of(FILE_ALIGNMENT);
    }
    (ReadRange::new(file.clone(), start, (end - start) as usize, direct), (handle.offset - start) as usize)
}

fn unframe(
    identity: FileIdentity,
    path: &str,
    handle: Handle,
    kind: BlockKind,
    bytes: &[u8],
    skip: usize,
) -> Result<Bytes> {
    let framed = bytes.get(skip..skip + handle.len as usize);
    let framed = framed.ok_or_else(|| Error::corruption(path, handle.offset, "the file ends within a block"))?;
    let payload = frame::decode(identity, path, handle, kind, framed)?;
    if kind == BlockKind::Filter && !filter::is_well_formed(&payload) {
        return Err(Error::corruption(path, handle.offset, "a filter block is malformed"));
    }
    Ok(payload)
}

async fn read_block(
    file: Arc<dyn File>,
    identity: FileIdentity,
    path: &str,
    handle: Handle,
    kind: BlockKind,
    direct: bool,
) -> Result<Bytes> {
    let (range, skip) = aligned(&file, handle, direct);
    let bytes = range.await.map_err(|error| error.at(path))?;
    unframe(identity, path, handle, kind, &bytes, skip)
}

/// A block on its way from the disk into the cache.
pub(crate) struct BlockRead {
    table: Arc<Table>,
    handle: Handle,
    kind: BlockKind,
    fill_cache: bool,
    range: ReadRange,
    skip: usize,
}

impl Future for BlockRead {
    type Output = Result<Bytes>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Bytes>> {
        let read = self.get_mut();
        let table = &read.table;
        let bytes = ready!(Pin::new(&mut read.range).poll(cx)).map_err(|error| error.at(&table.path))?;
        let payload = unframe(table.identity, &table.path, read.handle, read.kind, &bytes, read.skip)?;
        if read.fill_cache {
            table.cache.insert(table.id(), read.handle.offset, payload.clone());
        }
        Poll::Ready(Ok(payload))
    }
}
