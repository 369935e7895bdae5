//! One operation on an open file, and the system calls that perform it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicBool;

use rustix::fs::FallocateFlags;
use rustix::io::{Errno, retry_on_intr};

use crate::{Buf, Completer, Io, IoError, Result, SyncMode};

/// Zeros written at a time where the file system cannot allocate.
const ZEROS: usize = 1 << 20;

/// An open file descriptor and what it is called.
pub(crate) struct Handle {
    fd: OwnedFd,
    path: Box<str>,
    /// The file system can read from the cache without blocking, as far as known.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there is no RWF_NOWAIT"))]
    can_read_cached: AtomicBool,
}

impl Handle {
    /// An open file; with O_DIRECT if `direct`, so that its reads never come from the cache.
    pub(crate) fn new(fd: OwnedFd, path: &str, direct: bool) -> Handle {
        Handle { fd, path: path.into(), can_read_cached: AtomicBool::new(!direct) }
    }

    /// An error of `operation` on this file.
    pub(crate) fn error(&self, errno: i32, operation: &'static str) -> IoError {
        IoError::from_errno(errno, operation).at(&self.path)
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn len(&self) -> Result<u64> {
        let stat = rustix::fs::fstat(&self.fd).map_err(|errno| self.error(errno_of(errno), "stat"))?;
        Ok(u64::try_from(stat.st_size).expect("a file's length is not negative"))
    }

    /// Reads if everything asked for is cached, so that this thread cannot block.
    #[cfg(target_os = "linux")]
    pub(crate) fn read_cached(&self, offset: u64, buf: &mut [u8]) -> bool {
        use std::sync::atomic::Ordering;

        use rustix::io::{IoSliceMut, ReadWriteFlags, preadv2};

        if !self.can_read_cached.load(Ordering::Relaxed) {
            return false;
        }
        let wanted = buf.len();
        match preadv2(&self.fd, &mut [IoSliceMut::new(buf)], offset, ReadWriteFlags::NOWAIT) {
            Ok(count) => count == wanted,
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                self.can_read_cached.store(false, Ordering::Relaxed);
                false
            }
            // Not cached, or something that the real read will report.
            Err(_) => false,
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn read_cached(&self, _offset: u64, _buf: &mut [u8]) -> bool {
        false
    }

    fn read(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        retry_on_intr(|| rustix::io::pread(&self.fd, &mut *buf, offset))
            .map_err(|errno| self.error(errno_of(errno), "read"))
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> Result<usize> {
        retry_on_intr(|| rustix::io::pwrite(&self.fd, bytes, offset))
            .map_err(|errno| self.error(errno_of(errno), "write"))
    }

    /// Once, whatever the outcome: after a failed sync the kernel may have dropped what was to be written.
    fn sync(&self, mode: SyncMode) -> Result<()> {
        sync_fd(self.fd.as_fd(), mode).map_err(|errno| self.error(errno_of(errno), "sync"))
    }

    fn allocate(&self, len: u64) -> Result<()> {
        if len == 0 {
            return Ok(());
        }
        match retry_on_intr(|| rustix::fs::fallocate(&self.fd, FallocateFlags::empty(), 0, len)) {
            // Darwin's reservation does not change the length.
            Ok(()) if cfg!(target_vendor = "apple") && self.len()? < len => self.truncate(len),
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP) => self.write_zeros(len),
            Err(errno) => Err(self.error(errno_of(errno), "allocate")),
        }
    }

    /// Allocation by hand: extending with a hole would promise space that may not be there.
    fn write_zeros(&self, len: u64) -> Result<()> {
        let zeros = Buf::zeroed(ZEROS);
        let mut at = self.len()?;
        // On a direct file all of this is aligned, as its lengths are.
        while at < len {
            let count = usize::try_from(len - at).map_or(ZEROS, |rest| rest.min(ZEROS));
            at += match self.write(at, &zeros[..count])? {
                0 => return Err(IoError::write_zero().at(&self.path)),
                count => count as u64,
            };
        }
        Ok(())
    }

    fn truncate(&self, len: u64) -> Result<()> {
        retry_on_intr(|| rustix::fs::ftruncate(&self.fd, len)).map_err(|errno| self.error(errno_of(errno), "truncate"))
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Makes what was written to `fd` durable, through the device's own cache too.
pub(super) fn sync_fd(fd: BorrowedFd<'_>, mode: SyncMode) -> rustix::io::Result<()> {
    #[cfg(target_vendor = "apple")]
    {
        let _both_are_the_same = mode;
        rustix::fs::fcntl_fullfsync(fd)
    }
    #[cfg(not(target_vendor = "apple"))]
    match mode {
        SyncMode::Data => rustix::fs::fdatasync(fd),
        SyncMode::All => rustix::fs::fsync(fd),
    }
}

/// The number of a system call's error.
pub(super) fn errno_of(errno: Errno) -> i32 {
    errno.raw_os_error()
}

/// What is to be done, with what, and who is told.
pub(crate) enum Request {
    Read { offset: u64, buf: Buf, done: Completer<Io> },
    Write { offset: u64, buf: Buf, and_sync: bool, done: Completer<Io> },
    Sync { mode: SyncMode, done: Completer<Result<()>> },
    Allocate { len: u64, done: Completer<Result<()>> },
    Truncate { len: u64, done: Completer<Result<()>> },
}

/// A request and the file that it is for, which stays open until the operation is over.
pub(crate) struct Operation {
    pub(crate) handle: std::sync::Arc<Handle>,
    pub(crate) request: Request,
}

impl Operation {
    /// Performs and completes the operation on this thread.
    pub(crate) fn perform(self) {
        let file = self.handle;
        match self.request {
            Request::Read { offset, mut buf, done } => {
                let result = file.read(offset, &mut buf);
                done.complete(Io { result, buf });
            }
            Request::Write { offset, buf, and_sync, done } => {
                let mut result = file.write(offset, &buf);
                if and_sync && result == Ok(buf.len()) {
                    result = file.sync(SyncMode::Data).map(|()| buf.len());
                }
                done.complete(Io { result, buf });
            }
            Request::Sync { mode, done } => {
                done.complete(file.sync(mode));
            }
            Request::Allocate { len, done } => {
                done.complete(file.allocate(len));
            }
            Request::Truncate { len, done } => {
                done.complete(file.truncate(len));
            }
        }
    }
}
