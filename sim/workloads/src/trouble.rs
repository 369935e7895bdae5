//! What a client makes of an error.
//!
//! A statement that fails is no news: it was refused, and the oracle knows that nothing of it happened. A failing store
//! ends the session: whatever was being committed is decided by what the next opening shows. Everything else is a broken
//! promise, with the statement that met it.

use helios_sim::Violation;
use heliosdb::{Error, SqlState};

/// Why a client could not go on as planned.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The statement failed, as statements may; its transaction is to be rolled back.
    Refused(Error),
    /// Its future was dropped: nobody heard the outcome.
    Left,
    /// The store refuses to go on until it is opened again.
    Stopped(Error),
    /// The database says that the disk has damaged what it holds.
    Damage(Error),
    /// A promise was broken.
    Violation(Violation),
}

/// Codes with which any statement may be refused without anything being wrong.
const REFUSALS: [SqlState; 8] = [
    SqlState::SERIALIZATION_FAILURE,
    SqlState::DEADLOCK_DETECTED,
    SqlState::LOCK_NOT_AVAILABLE,
    SqlState::QUERY_CANCELED,
    SqlState::UNIQUE_VIOLATION,
    SqlState::CHECK_VIOLATION,
    SqlState::DISK_FULL,
    SqlState::OUT_OF_MEMORY,
];

impl Trouble {
    /// What `error` means to whoever ran `what`.
    pub(crate) fn of(error: Error, what: &str) -> Trouble {
        match error.code() {
            code if REFUSALS.contains(&code) => Trouble::Refused(error),
            // Only a statement that defines something may be unknown: the others are what the workloads are made of.
            SqlState::FEATURE_NOT_SUPPORTED
                if ["CREATE", "ALTER", "DROP", "TRUNCATE"].iter().any(|word| what.starts_with(word)) =>
            {
                Trouble::Refused(error)
            }
            SqlState::IO_ERROR | SqlState::ADMIN_SHUTDOWN => Trouble::Stopped(error),
            SqlState::DATA_CORRUPTED => Trouble::Damage(error),
            _ => Trouble::Violation(Violation::from(error).with(format!("from {what}"))),
        }
    }

    /// Whether the statement was refused with this code.
    pub(crate) fn is(&self, code: SqlState) -> bool {
        matches!(self, Trouble::Refused(error) if error.code() == code)
    }
}

impl From<Violation> for Trouble {
    fn from(violation: Violation) -> Trouble {
        Trouble::Violation(violation)
    }
}

impl From<Trouble> for Violation {
    fn from(trouble: Trouble) -> Violation {
        let of = |error: Error, what: &str| Violation::new(format!("{what}: {} {}", error.code(), error.message()));
        match trouble {
            Trouble::Refused(error) => of(error, "a statement that must succeed was refused"),
            Trouble::Left => Violation::new("a statement that must succeed was left"),
            Trouble::Stopped(error) => of(error, "the store stopped for no reason"),
            Trouble::Damage(error) => of(error, "damage is reported on a disk that makes none"),
            Trouble::Violation(violation) => violation,
        }
    }
}
