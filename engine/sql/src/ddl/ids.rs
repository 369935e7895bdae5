//! Numbers that are never given twice: OIDs, storage ids, layout ids.
//!
//! They come from sequences of the engine's own, so that a crash or a rollback loses numbers and never repeats one.

use helios_catalog::model::{FIRST_USER_OID, FIRST_USER_STORAGE, StorageId};
use helios_storage::row::LayoutId;
use helios_txn::{SequenceLimits, Sequences};
use helios_types::{Oid, PgError, Result};

/// The engine's own sequences, by their state ids (all below [`FIRST_USER_STORAGE`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// OIDs of users' objects.
    Oid = 1,
    /// Key spaces and sequence states.
    Storage = 2,
    /// Row layouts.
    Layout = 3,
}

impl Ids {
    fn limits(self) -> SequenceLimits {
        let (first, max) = match self {
            Ids::Oid => (i64::from(FIRST_USER_OID), i64::from(u32::MAX)),
            Ids::Storage => (FIRST_USER_STORAGE.cast_signed(), i64::MAX),
            Ids::Layout => (1, i64::from(i32::MAX)),
        };
        SequenceLimits { state: self as u64, first, increment: 1, min: first, max, cycle: false }
    }

    fn next(self, sequences: &Sequences) -> Result<i64> {
        sequences.next(&self.limits(), "engine ids").map_err(PgError::from)
    }
}

/// An OID for a new object.
pub fn next_oid(sequences: &Sequences) -> Result<Oid> {
    let oid = Ids::Oid.next(sequences)?;
    u32::try_from(oid).map(Oid).map_err(|_| PgError::internal("an OID is out of range"))
}

/// A key space, or a sequence's state.
pub fn next_storage(sequences: &Sequences) -> Result<StorageId> {
    Ok(Ids::Storage.next(sequences)?.cast_unsigned())
}

/// A row layout's number.
pub fn next_layout(sequences: &Sequences) -> Result<LayoutId> {
    let id = Ids::Layout.next(sequences)?;
    u32::try_from(id).map(LayoutId).map_err(|_| PgError::internal("a layout id is out of range"))
}

/// Two consecutive OIDs, of which this is the first: a relation's row type and the array of it.
pub fn next_oid_pair(sequences: &Sequences) -> Result<Oid> {
    let mut first = next_oid(sequences)?;
    loop {
        let second = next_oid(sequences)?;
        if second.0 == first.0 + 1 {
            return Ok(first);
        }
        first = second;
    }
}
