//! Tables as key spaces: how rows are keyed, encoded, indexed and written.
//!
//! ```text
//!   table   storage 7    key                        row
//!           ────────────────────────────────────────────────────────────────────
//!   PK      (1, 'a')     encode(1) encode('a')      every column, PK included
//!   no PK   hidden id    xid u64 | counter u32      every column
//!
//!   index   storage 9    key                        entry
//!           ────────────────────────────────────────────────────────────────────
//!   plain                encode(columns) row key    row key
//!   unique, no NULL      encode(columns)            row key
//!   unique, with NULL    encode(columns) row key    row key
//! ```
//!
//! The primary key's index *is* the table. An entry of another index lives and dies with the row version that it was
//! made from, in the same commit, so that a snapshot sees both or neither. A unique entry's key is the constraint:
//! inserting it waits for whoever is about to take or to free the same key.

mod codec;
mod keys;
mod violation;
mod write;

use std::sync::Arc;

use helios_catalog::model::{Index, Table};
use helios_storage::row::{Layout, LayoutId};
use helios_storage::{BranchId, Space, StorageId};
use helios_types::{Datum, Oid, Result};

pub use codec::{RowDecoder, physical_of};
pub use keys::{KeyPart, decode_entry};
pub use violation::{failing_row, not_null_violation, unique_violation};
pub use write::{InsertOutcome, RowIds};

use codec::column_defaults;

/// A table's access paths: everything that reading and writing its rows needs, derived once from its descriptors.
#[derive(Debug)]
pub struct TableAccess {
    /// The table.
    pub table: Arc<Table>,
    /// Its rows.
    pub space: Space,
    /// Its secondary indexes with their key spaces.
    pub indexes: Vec<IndexAccess>,
    /// The primary key's index, if there is one.
    pub primary: Option<Arc<Index>>,
    layouts: Vec<Layout>,
    missing: Vec<Datum>,
}

/// A secondary index.
#[derive(Debug)]
pub struct IndexAccess {
    /// The index.
    pub index: Arc<Index>,
    /// Its entries.
    pub space: Space,
}

impl TableAccess {
    /// Of a table and all of its indexes.
    ///
    /// # Errors
    ///
    /// When a missing value stored in the catalog cannot be decoded.
    pub fn new(table: Arc<Table>, indexes: impl IntoIterator<Item = Arc<Index>>) -> Result<TableAccess> {
        let mut primary = None;
        let mut secondary = Vec::new();
        for index in indexes {
            if index.primary {
                primary = Some(index);
            } else {
                secondary.push(IndexAccess { space: space(index.storage), index });
            }
        }
        let physical: Vec<_> = table.columns.iter().map(|column| physical_of(column.type_oid)).collect();
        let layouts = table
            .layouts
            .iter()
            .map(|layout| Layout::new(LayoutId(layout.id), physical[..usize::from(layout.columns)].to_vec()))
            .collect();
        let missing = column_defaults(&table)?;
        Ok(TableAccess { space: space(table.storage), indexes: secondary, primary, layouts, missing, table })
    }

    /// The layout that new rows have.
    pub fn layout(&self) -> &Layout {
        self.layouts.last().expect("a table has a layout")
    }

    fn layout_of(&self, id: LayoutId) -> Option<&Layout> {
        // New rows have the last one, and most rows are new.
        self.layouts.iter().rev().find(|layout| layout.id() == id)
    }

    /// Types of all columns ever added, by attnum - 1.
    pub fn column_types(&self) -> impl Iterator<Item = Oid> {
        self.table.columns.iter().map(|column| column.type_oid)
    }
}

/// The key space of a storage id, in the main branch.
pub fn space(storage: helios_catalog::model::StorageId) -> Space {
    Space { branch: BranchId(0), storage: StorageId(storage) }
}
