//! I/O errors: an errno, what was attempted, and on what.

use std::fmt;

/// Result of an environment operation.
pub type Result<T> = std::result::Result<T, IoError>;

/// What went wrong, in the classes that the engine tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// ENOENT.
    NotFound,
    /// EEXIST.
    AlreadyExists,
    /// EACCES, EPERM, EROFS.
    PermissionDenied,
    /// ENOSPC, EDQUOT: no bytes were promised; after space returns, the same call may succeed.
    NoSpace,
    /// EIO and its kin: the device failed.
    Device,
    /// Another process owns the directory.
    Locked,
    /// EINTR, EAGAIN: nothing happened, try again.
    Interrupted,
    /// EINVAL: the call broke the contract (alignment, say).
    Invalid,
    /// ENOTEMPTY, ENOTDIR, EISDIR and other shapes of a wrong directory.
    Directory,
    /// EMFILE, ENFILE.
    TooManyOpenFiles,
    /// The operation is not supported here.
    Unsupported,
    /// The world has ended: the simulator crashed, or the environment was shut down.
    Shutdown,
    /// Anything else; look at [`IoError::errno`].
    Other,
}

/// A failed operation on the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoError {
    kind: ErrorKind,
    errno: i32,
    operation: &'static str,
    path: Option<Box<str>>,
}

impl IoError {
    /// From an errno.
    pub fn from_errno(errno: i32, operation: &'static str) -> IoError {
        IoError { kind: kind_of(errno), errno, operation, path: None }
    }

    /// Of a class that has no errno of its own.
    pub fn new(kind: ErrorKind, operation: &'static str) -> IoError {
        IoError { kind, errno: 0, operation, path: None }
    }

    /// A write that made no progress.
    pub fn write_zero() -> IoError {
        IoError::new(ErrorKind::Device, "write")
    }

    /// The same error, naming the file or directory.
    #[must_use]
    pub fn at(mut self, path: &str) -> IoError {
        self.path = Some(path.into());
        self
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The operating system's number, 0 when there is none.
    pub fn errno(&self) -> i32 {
        self.errno
    }

    /// What was attempted, such as `"write"`.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The path concerned, where known.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }
}

fn kind_of(errno: i32) -> ErrorKind {
    match errno {
        libc::ENOENT => ErrorKind::NotFound,
        libc::EEXIST => ErrorKind::AlreadyExists,
        libc::EACCES | libc::EPERM | libc::EROFS => ErrorKind::PermissionDenied,
        libc::ENOSPC | libc::EDQUOT => ErrorKind::NoSpace,
        libc::EIO | libc::ENXIO | libc::ENODEV => ErrorKind::Device,
        libc::EINTR | libc::EAGAIN => ErrorKind::Interrupted,
        libc::EINVAL => ErrorKind::Invalid,
        libc::ENOTEMPTY | libc::ENOTDIR | libc::EISDIR => ErrorKind::Directory,
        libc::EMFILE | libc::ENFILE => ErrorKind::TooManyOpenFiles,
        libc::ENOSYS | libc::EOPNOTSUPP => ErrorKind::Unsupported,
        _ => ErrorKind::Other,
    }
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}", self.operation)?;
        if let Some(path) = &self.path {
            write!(f, " \"{path}\"")?;
        }
        let what = match self.kind {
            ErrorKind::NotFound => "no such file or directory",
            ErrorKind::AlreadyExists => "it exists already",
            ErrorKind::PermissionDenied => "permission denied or read-only file system",
            ErrorKind::NoSpace => "no space left on device",
            ErrorKind::Device => "input/output error",
            ErrorKind::Locked => "another process holds the lock",
            ErrorKind::Interrupted => "interrupted",
            ErrorKind::Invalid => "invalid argument",
            ErrorKind::Directory => "not the right kind of directory entry",
            ErrorKind::TooManyOpenFiles => "too many open files",
            ErrorKind::Unsupported => "not supported by this file system",
            ErrorKind::Shutdown => "the environment was shut down",
            ErrorKind::Other => "unexpected error",
        };
        write!(f, ": {what}")?;
        if self.errno != 0 {
            write!(f, " (errno {})", self.errno)?;
        }
        Ok(())
    }
}

impl std::error::Error for IoError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_where_and_why() {
        let error = IoError::from_errno(libc::ENOSPC, "write").at("wal/7");
        assert_eq!(error.to_string(), "could not write \"wal/7\": no space left on device (errno 28)");
        let error = IoError::new(ErrorKind::Shutdown, "read");
        assert_eq!(error.to_string(), "could not read: the environment was shut down");
    }

    #[test]
    fn sorts_numbers_into_kinds() {
        for (errno, kind) in [
            (libc::ENOENT, ErrorKind::NotFound),
            (libc::EEXIST, ErrorKind::AlreadyExists),
            (libc::EROFS, ErrorKind::PermissionDenied),
            (libc::EDQUOT, ErrorKind::NoSpace),
            (libc::EIO, ErrorKind::Device),
            (libc::EINTR, ErrorKind::Interrupted),
            (libc::EINVAL, ErrorKind::Invalid),
            (libc::ENOTDIR, ErrorKind::Directory),
            (libc::ENFILE, ErrorKind::TooManyOpenFiles),
            (libc::ENOSYS, ErrorKind::Unsupported),
            (libc::EFBIG, ErrorKind::Other),
        ] {
            let error = IoError::from_errno(errno, "test");
            assert_eq!((error.kind(), error.errno()), (kind, errno));
        }
    }
}
