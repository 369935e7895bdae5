//! Lock modes and what conflicts with what.
//!
//! Table modes are PostgreSQL's eight (`lockdefs.h`), row modes its four (`lockoptions.h`). Both fit one small integer,
//! so that one queue serves both: a mode is a bit, and [`Mode::conflicts`] is the mask of the modes that it excludes.

/// PostgreSQL's table lock modes, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableLockMode {
    /// SELECT.
    AccessShare,
    /// SELECT FOR UPDATE and its kin.
    RowShare,
    /// INSERT, UPDATE, DELETE.
    RowExclusive,
    /// ANALYZE, CREATE INDEX CONCURRENTLY.
    ShareUpdateExclusive,
    /// CREATE INDEX.
    Share,
    /// CREATE TRIGGER.
    ShareRowExclusive,
    /// REFRESH MATERIALIZED VIEW CONCURRENTLY.
    Exclusive,
    /// DROP, TRUNCATE, most of ALTER TABLE.
    AccessExclusive,
}

/// PostgreSQL's row lock modes, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowLockMode {
    /// FOR KEY SHARE: the key may not change.
    KeyShare,
    /// FOR SHARE: nothing may change.
    Share,
    /// FOR NO KEY UPDATE, and UPDATE that leaves the key alone.
    NoKeyUpdate,
    /// FOR UPDATE, DELETE, and UPDATE that changes the key.
    Update,
}

impl RowLockMode {
    /// All of them, weakest first.
    pub(crate) const ALL: [RowLockMode; 4] =
        [RowLockMode::KeyShare, RowLockMode::Share, RowLockMode::NoKeyUpdate, RowLockMode::Update];
}

/// What to do when a lock is not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Wait for it, at most this long (`lock_timeout`; `None` is for ever).
    Block(Option<std::time::Duration>),
    /// Fail at once (NOWAIT).
    Error,
    /// Give up at once, without an error (SKIP LOCKED).
    Skip,
}

/// A table or row mode inside the lock table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode {
    pub(crate) bit: u16,
    pub(crate) conflicts: u16,
}

const TABLE_CONFLICTS: [u16; 8] = {
    const ACCESS_SHARE: u16 = 1;
    const ROW_SHARE: u16 = 2;
    const ROW_EXCLUSIVE: u16 = 4;
    const SHARE_UPDATE_EXCLUSIVE: u16 = 8;
    const SHARE: u16 = 16;
    const SHARE_ROW_EXCLUSIVE: u16 = 32;
    const EXCLUSIVE: u16 = 64;
    const ACCESS_EXCLUSIVE: u16 = 128;
    [
        ACCESS_EXCLUSIVE,
        EXCLUSIVE | ACCESS_EXCLUSIVE,
        SHARE | SHARE_ROW_EXCLUSIVE | EXCLUSIVE | ACCESS_EXCLUSIVE,
        SHARE_UPDATE_EXCLUSIVE | SHARE | SHARE_ROW_EXCLUSIVE | EXCLUSIVE | ACCESS_EXCLUSIVE,
        ROW_EXCLUSIVE | SHARE_UPDATE_EXCLUSIVE | SHARE_ROW_EXCLUSIVE | EXCLUSIVE | ACCESS_EXCLUSIVE,
        ROW_EXCLUSIVE | SHARE_UPDATE_EXCLUSIVE | SHARE | SHARE_ROW_EXCLUSIVE | EXCLUSIVE | ACCESS_EXCLUSIVE,
        ROW_SHARE | ROW_EXCLUSIVE | SHARE_UPDATE_EXCLUSIVE | SHARE | SHARE_ROW_EXCLUSIVE | EXCLUSIVE | ACCESS_EXCLUSIVE,
        ACCESS_SHARE
            | ROW_SHARE
            | ROW_EXCLUSIVE
            | SHARE_UPDATE_EXCLUSIVE
            | SHARE
            | SHARE_ROW_EXCLUSIVE
            | EXCLUSIVE
            | ACCESS_EXCLUSIVE,
    ]
};

// Bit 0 KeyShare, 1 Share, 2 NoKeyUpdate, 3 Update.
const ROW_CONFLICTS: [u16; 4] = [0b1000, 0b1100, 0b1110, 0b1111];

impl From<TableLockMode> for Mode {
    fn from(mode: TableLockMode) -> Mode {
        Mode { bit: 1 << mode as u16, conflicts: TABLE_CONFLICTS[mode as usize] }
    }
}

impl From<RowLockMode> for Mode {
    fn from(mode: RowLockMode) -> Mode {
        Mode { bit: 1 << mode as u16, conflicts: ROW_CONFLICTS[mode as usize] }
    }
}

impl TableLockMode {
    /// The name in `pg_locks.mode`.
    pub fn name(self) -> &'static str {
        match self {
            TableLockMode::AccessShare => "AccessShareLock",
            TableLockMode::RowShare => "RowShareLock",
            TableLockMode::RowExclusive => "RowExclusiveLock",
            TableLockMode::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            TableLockMode::Share => "ShareLock",
            TableLockMode::ShareRowExclusive => "ShareRowExclusiveLock",
            TableLockMode::Exclusive => "ExclusiveLock",
            TableLockMode::AccessExclusive => "AccessExclusiveLock",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_are_symmetric() {
        for table in [&TABLE_CONFLICTS[..], &ROW_CONFLICTS[..]] {
            for (i, mask) in table.iter().enumerate() {
                for (j, other) in table.iter().enumerate() {
                    assert_eq!(mask >> j & 1, other >> i & 1, "modes {i} and {j}");
                }
            }
        }
    }
}
