//! What can go wrong on the storage floor.
//!
//! Three families, told apart because the floor above must treat them differently:
//!
//! * the commit did not happen and the next one may ([`Error::Full`], [`Error::Closed`]);
//! * nobody knows until the database is reopened ([`Error::Poisoned`], and [`Error::Io`] on a commit);
//! * the directory cannot be believed ([`Error::Corruption`], [`Error::Foreign`], [`Error::UnsupportedFormat`]).

use std::borrow::Cow;

use helios_env::IoError;

use crate::CommitTs;

/// Result of a storage operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed storage operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file's contents are not what was written.
    #[error("file \"{file}\" is damaged at offset {offset}: {what}")]
    Corruption {
        /// Path below the data directory.
        file: Box<str>,
        /// Byte offset of the damage, or of the block that holds it.
        offset: u64,
        /// What did not hold.
        what: Cow<'static, str>,
    },
    /// The environment failed an operation.
    #[error(transparent)]
    Io(#[from] IoError),
    /// An earlier failure made it unknowable what is durable; reopen the database. What was published stays readable.
    #[error("the database must be reopened: an earlier write or sync failed ({cause})")]
    Poisoned {
        /// The failure that did it.
        cause: Box<str>,
    },
    /// There is no space left. The commit did not happen, and never will; after space returns the next one may.
    #[error("no space left in the data directory: {cause}")]
    Full {
        /// The failed operation.
        cause: Box<str>,
    },
    /// The storage was closed.
    #[error("the database is closed")]
    Closed,
    /// Something in the directory is not ours.
    #[error("\"{path}\" does not belong to a HeliosDB data directory: {what}")]
    Foreign {
        /// Path below the data directory, or the directory itself.
        path: Box<str>,
        /// Why it is refused.
        what: Cow<'static, str>,
    },
    /// A file was written by another version of the format.
    #[error("file \"{file}\" has format version {found}, this program reads version {supported}")]
    UnsupportedFormat {
        /// Path below the data directory.
        file: Box<str>,
        /// The version found.
        found: u32,
        /// The version known.
        supported: u32,
    },
    /// Another process holds the directory.
    #[error("data directory \"{directory}\" is in use by another process")]
    Locked {
        /// The directory.
        directory: Box<str>,
    },
    /// A read at a timestamp whose versions may be gone: it was not pinned by a [`crate::Snapshot`].
    #[error("snapshot {at} is too old: versions below {oldest} may be gone")]
    SnapshotTooOld {
        /// The timestamp asked for.
        at: CommitTs,
        /// The oldest timestamp that can still be read.
        oldest: CommitTs,
    },
    /// The batch breaks a limit of the format.
    #[error("{0}")]
    Invalid(Cow<'static, str>),
}

impl Error {
    /// Damage in `file` at `offset`.
    pub(crate) fn corruption(file: &str, offset: u64, what: impl Into<Cow<'static, str>>) -> Error {
        Error::Corruption { file: file.into(), offset, what: what.into() }
    }
}
