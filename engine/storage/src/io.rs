//! Reading and writing whole ranges, over an environment whose reads and writes may be short.
//!
//! A read that fails with a device error is tried again a few times: buses have bad moments, and nothing was promised
//! yet. A write is never tried again by itself: who may repeat it, and what its failure means, depends on the file.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use helios_env::sync::Arc;
use helios_env::{ALIGNMENT, Buf, ErrorKind, File, Io, IoError, Pending};

/// How often a failing read is attempted.
const READ_ATTEMPTS: u32 = 5;
/// How often an interrupted write is attempted.
const WRITE_ATTEMPTS: u32 = 100;

/// Reads a range of a file; fewer bytes come back only where the file ends.
pub(crate) struct ReadRange {
    file: Arc<dyn File>,
    offset: u64,
    wanted: usize,
    /// What arrived so far, when one read was not enough.
    arrived: Buf,
    attempts: u32,
    direct: bool,
    io: Pending<Io>,
}

impl ReadRange {
    /// Starts the read. Under `direct`, offset and length must be aligned, and every read issued is.
    pub(crate) fn new(file: Arc<dyn File>, offset: u64, wanted: usize, direct: bool) -> ReadRange {
        let io = file.read_at(offset, Buf::zeroed(wanted));
        ReadRange { file, offset, wanted, arrived: Buf::new(), attempts: 0, direct, io }
    }

    fn again(&mut self) {
        let rest = self.wanted - self.arrived.len();
        self.io = self.file.read_at(self.offset + self.arrived.len() as u64, Buf::zeroed(rest));
    }
}

impl Future for ReadRange {
    type Output = Result<Buf, IoError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let read = self.get_mut();
        loop {
            let Io { result, mut buf } = ready!(Pin::new(&mut read.io).poll(cx));
            match result {
                Err(error) => {
                    read.attempts += 1;
                    let transient = matches!(error.kind(), ErrorKind::Device | ErrorKind::Interrupted);
                    if !transient || read.attempts == READ_ATTEMPTS {
                        return Poll::Ready(Err(error));
                    }
                    read.again();
                }
                Ok(0) => return Poll::Ready(Ok(std::mem::take(&mut read.arrived))),
                Ok(n) => {
                    let n = n.min(buf.len());
                    if n == buf.len() && read.arrived.is_empty() {
                        return Poll::Ready(Ok(buf));
                    }
                    let arrived = read.arrived.len() + n;
                    if arrived >= read.wanted {
                        read.arrived.extend_from_slice(&buf[..n]);
                        return Poll::Ready(Ok(std::mem::take(&mut read.arrived)));
                    }
                    // The next read must begin aligned again, unless the file ends here.
                    let usable = if read.direct { n - n % ALIGNMENT } else { n };
                    if usable == 0 {
                        read.attempts += 1;
                        if read.attempts == READ_ATTEMPTS {
                            buf.truncate(n);
                            read.arrived.extend_from_slice(&buf);
                            return Poll::Ready(Ok(std::mem::take(&mut read.arrived)));
                        }
                    }
                    read.arrived.extend_from_slice(&buf[..usable]);
                    read.again();
                }
            }
        }
    }
}

/// What became of a write.
pub(crate) struct Written {
    /// `Ok` when every byte was written (and synced, if asked).
    pub(crate) result: Result<(), IoError>,
    /// The buffer, to be used again.
    pub(crate) buf: Buf,
}

/// Writes all of `buf` at `offset`, and syncs the contents if asked. After a short write it goes on at the last
/// multiple of `block` before the bytes that are missing.
pub(crate) async fn write_range(file: &dyn File, offset: u64, buf: Buf, block: usize, sync: bool) -> Written {
    let total = buf.len();
    let mut whole = buf;
    let mut rest: Option<Buf> = None;
    let mut done = 0;
    let mut attempts = 0;
    loop {
        let part = match rest.take() {
            Some(part) => part,
            None => std::mem::take(&mut whole),
        };
        let len = part.len();
        let at = offset + done as u64;
        let Io { result, buf: part } =
            if sync { file.write_at_and_sync(at, part).await } else { file.write_at(at, part).await };
        if len == total {
            whole = part;
        }
        match result {
            Ok(n) if n >= len => return Written { result: Ok(()), buf: whole },
            Ok(n) => {
                let usable = n - n % block;
                attempts += u32::from(usable == 0);
                done += usable;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => attempts += 1,
            Err(error) => return Written { result: Err(error), buf: whole },
        }
        if attempts == WRITE_ATTEMPTS {
            return Written { result: Err(IoError::write_zero()), buf: whole };
        }
        if done > 0 {
            rest = Some(Buf::from(&whole[done..]));
        }
    }
}

/// Whether a failed write says that there was no room, so that nothing is unknown but where it stopped. A sync that
/// fails so is a failed sync.
pub(crate) fn is_out_of_space(error: &IoError) -> bool {
    error.kind() == ErrorKind::NoSpace && !error.operation().contains("sync")
}
