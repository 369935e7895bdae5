//! Knobs. Their defaults suit a laptop; the simulator turns them down until everything happens all the time.

use std::time::Duration;

/// How a [`crate::Storage`] behaves. Nothing here changes the format of files: a directory opens under any options.
#[derive(Clone, Debug)]
pub struct Options {
    /// Refuse to create a database in an empty directory.
    pub must_exist: bool,
    /// Bypass the page cache (O_DIRECT) where the environment can.
    pub direct_io: bool,
    /// A log segment's size in bytes: preallocated, and rotated when the next batch does not fit.
    pub segment_bytes: u64,
    /// Batches of the log begin at multiples of this many bytes: no acknowledged sector is written twice. A power of
    /// two, at least 512, and at least 4096 under `direct_io`.
    pub log_block_bytes: usize,
    /// A group commit takes no further transaction once its batch has this many bytes.
    pub batch_bytes_max: usize,
    /// How long an asynchronous commit may stay volatile.
    pub async_sync_delay: Duration,
    /// A memtable is flushed at this size.
    pub memtable_bytes: usize,
    /// A memtable is flushed, however small, once the log holds this many bytes for it: it bounds the time that a
    /// recovery takes.
    pub log_bytes_before_flush: u64,
    /// Memtables waiting for their flush before commits wait too.
    pub immutable_memtables_max: usize,
    /// Uncompressed size of a data block.
    pub block_bytes: usize,
    /// Uncompressed size of an index block; one filter covers the keys below one.
    pub index_block_bytes: usize,
    /// Compress data blocks with LZ4 where that saves an eighth.
    pub compress: bool,
    /// Keep a binary fuse filter per partition.
    pub filters: bool,
    /// A compaction's output file is closed at this size.
    pub table_bytes: u64,
    /// Files in level 0 that start a compaction.
    pub level0_files: usize,
    /// Files in level 0 at which flushes wait for compaction.
    pub level0_files_max: usize,
    /// Size of level 1; each deeper one is `level_multiplier` times larger.
    pub level1_bytes: u64,
    /// See `level1_bytes`.
    pub level_multiplier: u64,
    /// Hard budget of the block cache in bytes.
    pub cache_bytes: usize,
    /// Flush and compact in the background. Without, only [`crate::Storage::flush`] and [`crate::Storage::compact`]
    /// do, which tests use.
    pub background: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            must_exist: false,
            direct_io: true,
            segment_bytes: 16 << 20,
            log_block_bytes: 4096,
            batch_bytes_max: 1 << 20,
            async_sync_delay: Duration::from_millis(10),
            memtable_bytes: 16 << 20,
            log_bytes_before_flush: 64 << 20,
            immutable_memtables_max: 2,
            block_bytes: 8 << 10,
            index_block_bytes: 16 << 10,
            compress: true,
            filters: true,
            table_bytes: 16 << 20,
            level0_files: 4,
            level0_files_max: 12,
            level1_bytes: 64 << 20,
            level_multiplier: 10,
            cache_bytes: 64 << 20,
            background: true,
        }
    }
}

impl Options {
    /// Sizes so small that segments rotate, memtables flush and levels compact within a handful of commits.
    pub fn tiny() -> Options {
        Options {
            direct_io: false,
            segment_bytes: 8 << 10,
            log_block_bytes: 512,
            batch_bytes_max: 2 << 10,
            async_sync_delay: Duration::from_millis(1),
            memtable_bytes: 4 << 10,
            log_bytes_before_flush: 64 << 10,
            block_bytes: 256,
            index_block_bytes: 256,
            table_bytes: 4 << 10,
            level0_files: 2,
            level0_files_max: 6,
            level1_bytes: 8 << 10,
            level_multiplier: 3,
            cache_bytes: 8 << 10,
            ..Options::default()
        }
    }

    /// Sizes at which everything that large stores do happens within a few commits, and now and then sizes at which it
    /// does not; `draw` says which of those that it is shown (0 and 1 for no and yes). `memtables_bytes`: those of
    /// memtables, which depend on how much a floor writes.
    pub fn drawn(memtables_bytes: [usize; 3], draw: &mut dyn FnMut(&'static str, &[usize]) -> usize) -> Options {
        Options {
            segment_bytes: draw("segment bytes", &[4 << 10, 16 << 10, 64 << 10]) as u64,
            log_block_bytes: draw("log block", &[512, 4096]),
            batch_bytes_max: draw("batch bytes", &[300, 2 << 10, 64 << 10]),
            memtable_bytes: draw("memtable bytes", &memtables_bytes),
            immutable_memtables_max: draw("immutable memtables", &[1, 2]),
            table_bytes: draw("table bytes", &[4 << 10, 16 << 10]) as u64,
            level1_bytes: draw("level 1 bytes", &[8 << 10, 32 << 10]) as u64,
            cache_bytes: draw("cache bytes", &[0, 4 << 10, 1 << 20]),
            compress: draw("compress", &[0, 1]) == 1,
            filters: draw("filters", &[1, 0]) == 1,
            ..Options::tiny()
        }
    }
}
