//! An open file of the operating system.

use std::sync::Arc;

use super::{Handle, Lane, Operation, Request};
use crate::runtime::here::{Deferred, defer};
use crate::{Buf, ErrorKind, File, Io, IoError, Pending, Result, SyncMode, pending};

/// A [`File`] whose operations run on the calling thread where that is best, and on a [`Lane`] elsewhere.
pub(super) struct OsFile {
    pub(super) handle: Arc<Handle>,
    pub(super) writable: bool,
    pub(super) lane: Arc<dyn Lane>,
}

/// An operation, and the lane for it should this thread not perform it.
struct OnLane {
    operation: Operation,
    lane: Arc<dyn Lane>,
}

impl Deferred for OnLane {
    fn perform_here(self: Box<Self>) {
        self.operation.perform();
    }

    fn hand_over(self: Box<Self>) {
        let OnLane { operation, lane } = *self;
        lane.start(operation);
    }
}

impl OsFile {
    fn start(&self, request: Request) {
        let operation = Operation { handle: self.handle.clone(), request };
        defer(Box::new(OnLane { operation, lane: self.lane.clone() }));
    }

    /// Whether the file was opened for writing.
    fn check_writable(&self, operation: &'static str) -> Result<()> {
        if self.writable {
            Ok(())
        } else {
            Err(IoError::new(ErrorKind::PermissionDenied, operation).at(self.handle.path()))
        }
    }

    fn write(&self, offset: u64, buf: Buf, and_sync: bool) -> Pending<Io> {
        if let Err(error) = self.check_writable("write") {
            return Pending::ready(Io { result: Err(error), buf });
        }
        let (done, pending) = pending();
        self.start(Request::Write { offset, buf, and_sync, done });
        pending
    }
}

impl File for OsFile {
    fn read_at(&self, offset: u64, mut buf: Buf) -> Pending<Io> {
        if self.handle.read_cached(offset, &mut buf) {
            return Pending::ready(Io { result: Ok(buf.len()), buf });
        }
        let (done, pending) = pending();
        self.start(Request::Read { offset, buf, done });
        pending
    }

    fn write_at(&self, offset: u64, buf: Buf) -> Pending<Io> {
        self.write(offset, buf, false)
    }

    fn write_at_and_sync(&self, offset: u64, buf: Buf) -> Pending<Io> {
        self.write(offset, buf, true)
    }

    fn sync(&self, mode: SyncMode) -> Pending<Result<()>> {
        let (done, pending) = pending();
        self.start(Request::Sync { mode, done });
        pending
    }

    fn allocate(&self, len: u64) -> Pending<Result<()>> {
        if let Err(error) = self.check_writable("allocate") {
            return Pending::ready(Err(error));
        }
        let (done, pending) = pending();
        self.start(Request::Allocate { len, done });
        pending
    }

    fn truncate(&self, len: u64) -> Pending<Result<()>> {
        if let Err(error) = self.check_writable("truncate") {
            return Pending::ready(Err(error));
        }
        let (done, pending) = pending();
        self.start(Request::Truncate { len, done });
        pending
    }

    fn len(&self) -> Pending<Result<u64>> {
        Pending::ready(self.handle.len())
    }
}
