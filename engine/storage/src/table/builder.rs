//! Writing an SSTable: add versions in order, write out what has accumulated now and then, finish.

use bytes::Bytes;
use helios_env::sync::Arc;
use helios_env::{Buf, Env, File, IoError, OpenOptions, SyncMode};

use super::data::DataBuilder;
use super::filter;
use super::frame::{self, BlockKind, FRAME_LEN, Handle};
use super::index::IndexBuilder;
use super::reader::{FOOTER_LEN, encode_footer, table_path};
use super::{FILE_ALIGNMENT, TABLE_FORMAT};
use crate::checksum::FileIdentity;
use crate::coding::{Reader, Sink};
use crate::io::write_range;
use crate::{CommitTs, Options, Version};

/// The file is written in pieces of about this size.
const WRITE_BYTES: usize = 256 << 10;

/// What is known about a finished file: kept in its properties, and by the manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TableSummary {
    /// The file's number.
    pub(crate) id: u64,
    /// Its length.
    pub(crate) bytes: u64,
    /// First and last encoded key.
    pub(crate) smallest: Bytes,
    pub(crate) largest: Bytes,
    /// Versions, and how many of them are deletions.
    pub(crate) entries: u64,
    pub(crate) deletions: u64,
    /// Oldest and newest commit.
    pub(crate) min_ts: CommitTs,
    pub(crate) max_ts: CommitTs,
}

impl TableSummary {
    pub(crate) fn encode(&self, out: &mut impl Sink) {
        for number in [self.id, self.bytes, self.entries, self.deletions, self.min_ts.0, self.max_ts.0] {
            out.put_varint(number);
        }
        out.put_bytes(&self.smallest);
        out.put_bytes(&self.largest);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<TableSummary> {
        Some(TableSummary {
            id: reader.varint()?,
            bytes: reader.varint()?,
            entries: reader.varint()?,
            deletions: reader.varint()?,
            min_ts: CommitTs(reader.varint()?),
            max_ts: CommitTs(reader.varint()?),
            smallest: Bytes::copy_from_slice(reader.bytes()?),
            largest: Bytes::copy_from_slice(reader.bytes()?),
        })
    }

    /// Whether `key` may be in the file.
    pub(crate) fn covers(&self, key: &[u8]) -> bool {
        self.smallest <= key && key <= &self.largest[..]
    }

    /// Whether the two files' key ranges have a key in common.
    pub(crate) fn overlaps(&self, smallest: &[u8], largest: &[u8]) -> bool {
        self.smallest <= largest && smallest <= &self.largest[..]
    }
}

/// An SSTable being written.
pub(crate) struct TableWriter {
    file: Arc<dyn File>,
    identity: FileIdentity,
    block_bytes: usize,
    index_block_bytes: usize,
    compress: bool,
    filters: bool,
    wall: i64,
    /// Framed blocks that are not written yet, and the offset where they begin.
    out: Buf,
    written: u64,
    data: DataBuilder,
    index: IndexBuilder,
    top: IndexBuilder,
    hashes: Vec<u64>,
    summary: TableSummary,
}

impl TableWriter {
    /// Creates the file.
    pub(crate) async fn create(env: &Env, options: &Options, identity: FileIdentity) -> Result<TableWriter, IoError> {
        let open = OpenOptions::create_new().direct(options.direct_io);
        let file = env.disk.open(&table_path(identity.file), open).await?;
        Ok(TableWriter {
            file,
            identity,
            block_bytes: options.block_bytes,
            index_block_bytes: options.index_block_bytes,
            compress: options.compress,
            filters: options.filters,
            wall: env.clock.wall().0,
            out: Buf::new(),
            written: 0,
            data: DataBuilder::default(),
            index: IndexBuilder::default(),
            top: IndexBuilder::default(),
            hashes: Vec::new(),
            summary: TableSummary { id: identity.file, min_ts: CommitTs(u64::MAX), ..TableSummary::default() },
        })
    }

    /// Bytes so far, roughly.
    pub(crate) fn estimated_bytes(&self) -> u64 {
        self.written + (self.out.len() + self.data.len()) as u64
    }

    /// The newest key; empty before the first.
    pub(crate) fn last_key(&self) -> &[u8] {
        self.data.last_key()
    }

    /// Appends a version. Keys ascend, versions of one key descend.
    pub(crate) fn add(&mut self, key: &[u8], version: &Version) {
        let first = self.summary.entries == 0;
        if first {
            self.summary.smallest = Bytes::copy_from_slice(key);
        }
        if first || self.data.last_key() != key {
            debug_assert!(first || self.data.last_key() < key, "keys are added in ascending order");
            // Cut before the new key only if it begins a new block anyway: a key's versions may cross blocks.
            if self.data.len() >= self.block_bytes {
                self.cut_block();
            }
            if self.filters {
                self.hashes.push(filter::key_hash(key));
            }
        } else if self.data.len() >= self.block_bytes {
            self.cut_block();
            if self.filters && self.hashes.is_empty() {
                // The partition was closed as well: the key continues in the next one and must be found there too.
                self.hashes.push(filter::key_hash(key));
            }
        }
        self.data.add(key, version);
        self.summary.entries += 1;
        self.summary.deletions += u64::from(!version.value.is_live());
        self.summary.min_ts = self.summary.min_ts.min(version.commit_ts);
        self.summary.max_ts = self.summary.max_ts.max(version.commit_ts);
    }

    fn cut_block(&mut self) {
        if self.data.is_empty() {
            return;
        }
        let offset = self.written + self.out.len() as u64;
        let (identity, compress, out, index) = (self.identity, self.compress, &mut self.out, &mut self.index);
        self.data.finish(|payload, last_key| {
            let handle = frame::encode(identity, offset, BlockKind::Data, payload, compress, out);
            index.add(last_key, handle, None);
        });
        if self.index.len() >= self.index_block_bytes {
            self.cut_partition();
        }
    }

    fn cut_partition(&mut self) {
        if self.index.is_empty() {
            return;
        }
        let filter = if self.filters { filter::build(&mut self.hashes) } else { None };
        self.hashes.clear();
        let filter = filter.map_or(Handle::default(), |payload| self.append(BlockKind::Filter, &payload));
        let payload = self.index.finish();
        let handle = self.append(BlockKind::Index, &payload);
        let last_key = self.data.last_key().to_vec();
        self.top.add(&last_key, handle, Some(filter));
    }

    fn append(&mut self, kind: BlockKind, payload: &[u8]) -> Handle {
        let offset = self.written + self.out.len() as u64;
        frame::encode(self.identity, offset, kind, payload, false, &mut self.out)
    }

    /// Whether enough has accumulated for [`TableWriter::write_out`].
    pub(crate) fn wants_to_write(&self) -> bool {
        self.out.len() >= WRITE_BYTES
    }

    /// Writes the whole aligned part of what has accumulated.
    pub(crate) async fn write_out(&mut self) -> Result<(), IoError> {
        let aligned = self.out.len() - self.out.len() % FILE_ALIGNMENT as usize;
        if aligned == 0 {
            return Ok(());
        }
        let rest = Buf::from(&self.out[aligned..]);
        let mut piece = std::mem::replace(&mut self.out, rest);
        piece.truncate(aligned);
        let done = write_range(&*self.file, self.written, piece, FILE_ALIGNMENT as usize, false).await;
        done.result.map_err(|error| error.at(&table_path(self.identity.file)))?;
        self.written += aligned as u64;
        Ok(())
    }

    /// Completes the file and makes its contents durable; its directory entry is the caller's to sync.
    pub(crate) async fn finish(mut self) -> Result<TableSummary, IoError> {
        assert!(self.summary.entries > 0, "a table holds at least one version");
        self.summary.largest = Bytes::copy_from_slice(self.data.last_key());
        self.cut_block();
        self.cut_partition();
        let payload = self.top.finish();
        let top = self.append(BlockKind::Top, &payload);
        // Framing adds a fixed length and properties a known one, so the file's final length is known before.
        let mut properties = self.properties(0);
        let end = self.written + (self.out.len() + FRAME_LEN + properties.len() + FOOTER_LEN) as u64;
        self.summary.bytes = end.next_multiple_of(FILE_ALIGNMENT);
        properties = self.properties(self.summary.bytes);
        let properties = self.append(BlockKind::Properties, &properties);
        let footer_at = self.summary.bytes - FOOTER_LEN as u64;
        self.out.resize((footer_at - self.written) as usize);
        self.out.put(&encode_footer(self.identity, footer_at, top, properties));
        self.write_out().await?;
        assert!(self.out.is_empty(), "the file is a multiple of its alignment");
        self.file.sync(SyncMode::All).await.map_err(|error| error.at(&table_path(self.identity.file)))?;
        Ok(self.summary)
    }

    /// Fixed width, so that its length does not depend on `bytes`.
    fn properties(&self, bytes: u64) -> Vec<u8> {
        let mut payload = Vec::new();
        payload.put_u32(TABLE_FORMAT);
        payload.put_u64(self.wall as u64);
        payload.put_u64(bytes);
        TableSummary { bytes: 0, ..self.summary.clone() }.encode(&mut payload);
        payload
    }
}

/// The reverse of what the writer stores as properties: the summary, and when the file was made.
pub(super) fn decode_properties(payload: &[u8]) -> Option<(TableSummary, i64)> {
    let mut reader = Reader::new(payload);
    let _format = reader.u32()?;
    let wall = reader.u64()? as i64;
    let bytes = reader.u64()?;
    let summary = TableSummary { bytes, ..TableSummary::decode(&mut reader)? };
    Some((summary, wall))
}
