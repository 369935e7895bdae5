//! What can go wrong in a transaction, and its SQLSTATE.

use helios_types::{PgError, SqlState};

/// Result of a transaction's operation.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed operation of a transaction.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// REPEATABLE READ found that a row it must change was changed after its snapshot (40001).
    #[error("could not serialize access due to concurrent {0}")]
    SerializationFailure(&'static str),
    /// Waiting any longer would be for ever (40P01); the text names who waits for whom.
    #[error("deadlock detected")]
    Deadlock {
        /// `Process 1 waits for ... ; blocked by process 2.`, a line per edge of the cycle.
        detail: String,
    },
    /// NOWAIT, or `lock_timeout` ran out (55P03).
    #[error("{0}")]
    LockNotAvailable(String),
    /// The storage floor failed.
    #[error(transparent)]
    Storage(#[from] helios_storage::Error),
    /// A sequence ran out of values (2200H).
    #[error("{0}")]
    SequenceExhausted(String),
}

impl From<Error> for PgError {
    fn from(error: Error) -> PgError {
        let message = error.to_string();
        match error {
            Error::SerializationFailure(_) => PgError::new(SqlState::SERIALIZATION_FAILURE, message),
            Error::Deadlock { detail } => PgError::new(SqlState::DEADLOCK_DETECTED, message)
                .with_detail(detail)
                .with_hint("See server log for query details."),
            Error::LockNotAvailable(_) => PgError::new(SqlState::LOCK_NOT_AVAILABLE, message),
            Error::SequenceExhausted(_) => PgError::new(SqlState::SEQUENCE_GENERATOR_LIMIT_EXCEEDED, message),
            Error::Storage(error) => PgError::new(Error::storage_sqlstate(&error), message),
        }
    }
}

impl Error {
    /// The SQLSTATE of a storage failure.
    pub fn storage_sqlstate(error: &helios_storage::Error) -> SqlState {
        use helios_env::ErrorKind;
        use helios_storage::Error as Storage;
        match error {
            Storage::Corruption { .. } => SqlState::DATA_CORRUPTED,
            Storage::Full { .. } => SqlState::DISK_FULL,
            Storage::Closed => SqlState::ADMIN_SHUTDOWN,
            Storage::Locked { .. } => SqlState::LOCK_FILE_EXISTS,
            Storage::Io(error) if error.kind() == ErrorKind::NoSpace => SqlState::DISK_FULL,
            Storage::Invalid(_) => SqlState::PROGRAM_LIMIT_EXCEEDED,
            _ => SqlState::IO_ERROR,
        }
    }
}
