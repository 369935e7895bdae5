//! SSTables: immutable, sorted files of versions.
//!
//! ```text
//!   sst/00000000000000a7.sst
//!   ┌──────┬──────┬───┬────────┬───────┬──────┬───┬────────┬───────┬─────┬────────────┬─────┬────────┐
//!   │ data │ data │ … │ filter │ index │ data │ … │ filter │ index │ top │ properties │ pad │ footer │
//!   └──────┴──────┴───┴────────┴───────┴──────┴───┴────────┴───────┴─────┴────────────┴─────┴────────┘
//!   └─────────── partition ────────────┘└──── partition ───────────┘              length a multiple of 4096
//! ```
//!
//! A *partition* is a run of data blocks under one index block and one binary fuse filter over their user keys. The
//! *top* index names the partitions; it and the properties are read when the file is opened and stay in memory.
//! Everything else goes through the block cache.
//!
//! Every block is framed ([`frame`]): a checksum seeded by database, file and offset, the kind of block, its codec, and
//! room for an encryption key's number. A file never holds two branches' keys, so neither does a block.
//!
//! Keys here are *encoded keys*, space and user key ([`crate::Space::encode`]); entries ascend by encoded key, then
//! descend by commit timestamp. All versions of one key are in one file, though not always in one block.

mod builder;
mod cursor;
mod data;
mod filter;
mod find;
mod frame;
mod index;
mod reader;

pub(crate) use builder::{TableSummary, TableWriter};
pub(crate) use cursor::{Bounds, TableCursor};
pub(crate) use data::{DataBlock, Found, flags_of, has_own_birth, scan_block, value_of};
pub(crate) use filter::{check_filter, is_well_formed as is_well_formed_filter};
pub(crate) use find::{HeldBlocks, TableFound, Target};
pub(crate) use frame::{BlockKind, Handle};
pub(crate) use index::IndexBlock;
pub(crate) use reader::{Table, TableContext, table_path};

/// Format version of SSTables, in every footer.
pub(crate) const TABLE_FORMAT: u32 = 1;
/// Files are a multiple of this long, so that direct I/O can read all of them.
pub(crate) const FILE_ALIGNMENT: u64 = 4096;

#[cfg(test)]
mod tests;
