//! The nodes that write and lock rows.
//!
//! A node below them carries, beside the columns that are needed, a last `bytea` column per target: the row's key in its
//! table's key space. What is written is computed here and not below, because a row that was changed by somebody else
//! meanwhile is computed again from its newest version (READ COMMITTED's re-check).
//!
//! A *table row* as a layout is the table's live columns, as Vars of its range table entry.

use std::sync::Arc;

use helios_catalog::model::{Index, Table};

use super::{PlanNode, Scalar};
use crate::query::{LockStrength, LockWait};

/// Locks the rows of its input.
#[derive(Debug)]
pub struct LockRows {
    /// Whose rows; the output is the same.
    pub input: Arc<PlanNode>,
    /// Which tables' rows, and how.
    pub marks: Vec<LockMark>,
    /// The conditions that a row which changed meanwhile must still meet, over the input.
    pub recheck: Vec<Scalar>,
    /// Columns of the input that are computed from others, to be computed again.
    pub recompute: Vec<(usize, Scalar)>,
}

/// A table whose rows are locked.
#[derive(Debug)]
pub struct LockMark {
    /// The table.
    pub table: Arc<Table>,
    /// Entry of the range table.
    pub rte: usize,
    /// Column of the input with the row's key.
    pub key: usize,
    /// Columns of the input that are the row's: column and attnum.
    pub columns: Vec<(usize, i16)>,
    /// How strongly.
    pub strength: LockStrength,
    /// What to do when it is locked already.
    pub wait: LockWait,
}

/// INSERT, UPDATE, DELETE.
#[derive(Debug)]
pub struct ModifyTable {
    /// Where the values or the target rows come from.
    pub input: Option<Arc<PlanNode>>,
    /// Entry of the range table that is written.
    pub rte: usize,
    /// The table.
    pub table: Arc<Table>,
    /// Its indexes, the primary key's first.
    pub indexes: Vec<IndexPlan>,
    /// NOT NULL and CHECK of the new row.
    pub checks: Vec<CheckPlan>,
    /// What is done.
    pub action: ModifyAction,
    /// RETURNING, over the new row (the old one for DELETE), then the input's columns, then the rows before and after,
    /// if it mentions them; empty when absent.
    pub returning: Vec<Scalar>,
    /// Whether RETURNING mentions the row before.
    pub returning_old: bool,
    /// Whether RETURNING mentions the row after.
    pub returning_new: bool,
}

/// What is done.
#[derive(Debug)]
pub enum ModifyAction {
    /// INSERT.
    Insert {
        /// The attnum that each column of the input is for. Others are NULL.
        columns: Vec<i16>,
        /// Generated columns: attnum and expression, over the table row.
        generated: Vec<(i16, Scalar)>,
        /// ON CONFLICT.
        on_conflict: Option<ConflictPlan>,
    },
    /// UPDATE.
    Update {
        /// Column of the input with the row's key.
        key: usize,
        /// Columns of the input that are the row's: column and attnum.
        columns: Vec<(usize, i16)>,
        /// The new values, over the input.
        set: Vec<(i16, Scalar)>,
        /// Generated columns: attnum and expression, over the table row.
        generated: Vec<(i16, Scalar)>,
        /// WHERE, over the input, for a row that changed meanwhile.
        recheck: Vec<Scalar>,
    },
    /// DELETE.
    Delete {
        /// Column of the input with the row's key.
        key: usize,
        /// Columns of the input that are the row's: column and attnum.
        columns: Vec<(usize, i16)>,
        /// WHERE, over the input, for a row that changed meanwhile.
        recheck: Vec<Scalar>,
    },
}

/// ON CONFLICT.
#[derive(Debug)]
pub struct ConflictPlan {
    /// Indexes (into [`ModifyTable::indexes`]) whose conflicts are handled.
    pub arbiters: Vec<usize>,
    /// DO UPDATE; `None` is DO NOTHING.
    pub update: Option<ConflictUpdate>,
}

/// ON CONFLICT DO UPDATE. Its layout is the existing table row, then the proposed one (`excluded`).
#[derive(Debug)]
pub struct ConflictUpdate {
    /// The new values, by attnum.
    pub set: Vec<(i16, Scalar)>,
    /// WHERE.
    pub conditions: Vec<Scalar>,
    /// Generated columns: attnum and expression, over the table row.
    pub generated: Vec<(i16, Scalar)>,
}

/// An index that is kept up to date.
#[derive(Debug)]
pub struct IndexPlan {
    /// The index.
    pub index: Arc<Index>,
    /// Its key columns, over the table row.
    pub keys: Vec<Scalar>,
    /// WHERE, over the table row.
    pub predicate: Option<Scalar>,
}

/// A CHECK constraint.
#[derive(Debug)]
pub struct CheckPlan {
    /// Its name.
    pub name: String,
    /// Must not be false, over the table row.
    pub condition: Scalar,
}
