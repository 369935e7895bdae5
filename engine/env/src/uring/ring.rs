//! The ring itself, and the slots that keep what the kernel works on alive. The only unsafe code of this backend.
//!
//! The kernel is handed raw addresses of buffers and the numbers of open files. Both are owned by a *slot* from before
//! the submission until the last completion of the operation has been reaped, and nothing else can free them: waiters
//! may drop, the environment may drop (the reactor then reaps what is in flight before it ends), and the slots are
//! private to this file. Moving a slot moves the [`crate::Buf`] handle and not its bytes.
//!
//! `user_data` of a request is twice its slot's number, plus one for the sync linked behind a write.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{Fd, FsyncFlags};
use io_uring::{IoUring, Probe, opcode};
use rustix::io::Errno;

use crate::os::{Handle, Operation, Request};
use crate::{ErrorKind, Io, IoError, Result, SyncMode};

/// Operations in flight, at most. More wait in the reactor's backlog.
const SLOTS: usize = 128;
/// Room for two requests of every slot and the doorbell's, so that pushing never finds the queue full.
const ENTRIES: u32 = 512;
/// Longest transfer of one request in bytes, as Linux has it (MAX_RW_COUNT). Longer ones come back short.
const TRANSFER_MAX: usize = 0x7fff_f000;
/// The doorbell's `user_data`.
const DOORBELL: u64 = u64::MAX;

const _: () = assert!(2 * SLOTS < ENTRIES as usize);

/// A ring and what it is doing.
pub(super) struct Ring {
    ring: IoUring,
    slots: Vec<Option<InFlight>>,
    free: Vec<usize>,
    /// Where the kernel puts the doorbell's counter; boxed, so that it stays where it is.
    doorbell: Box<[u8; 8]>,
    listening: bool,
}

/// An operation with the kernel.
struct InFlight {
    operation: Operation,
    /// Completions still to come.
    outstanding: u8,
    /// Result of the operation, and of the sync linked behind it.
    results: [i32; 2],
}

impl Ring {
    /// Sets up a ring and sends a request that does nothing through it.
    pub(super) fn open() -> Result<Ring> {
        const OPERATION: &str = "set up io_uring";
        let failed = |error: std::io::Error| IoError::from_errno(error.raw_os_error().unwrap_or(0), OPERATION);
        let ring = IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(ENTRIES);
        let ring = match ring {
            // Older kernels do not know these modes and work without.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => IoUring::new(ENTRIES),
            ring => ring,
        };
        let mut ring = Ring {
            ring: ring.map_err(failed)?,
            slots: (0..SLOTS).map(|_| None).collect(),
            free: (0..SLOTS).rev().collect(),
            doorbell: Box::new([0; 8]),
            listening: false,
        };
        let mut probe = Probe::new();
        ring.ring.submitter().register_probe(&mut probe).map_err(failed)?;
        for code in [opcode::Read::CODE, opcode::Write::CODE, opcode::Fsync::CODE] {
            if !probe.is_supported(code) {
                return Err(IoError::new(ErrorKind::Unsupported, OPERATION));
            }
        }
        ring.submit(&opcode::Nop::new().build());
        ring.ring.submit_and_wait(1).map_err(failed)?;
        let answer = ring.ring.completion().next().map(|completion| completion.result());
        match answer {
            Some(0) => Ok(ring),
            Some(result) => Err(IoError::from_errno(-result, OPERATION)),
            None => Err(IoError::new(ErrorKind::Unsupported, OPERATION)),
        }
    }

    /// Whether another operation may be pushed.
    pub(super) fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    /// Whether the kernel has nothing of ours.
    pub(super) fn is_idle(&self) -> bool {
        self.free.len() == SLOTS && !self.listening
    }

    /// Has the next `submit_and_wait` end when the doorbell rings.
    pub(super) fn listen(&mut self, doorbell: BorrowedFd<'_>) {
        if !self.listening {
            self.listening = true;
            let read = opcode::Read::new(Fd(doorbell.as_raw_fd()), self.doorbell.as_mut_ptr(), 8).offset(u64::MAX);
            self.submit(&read.build().user_data(DOORBELL));
        }
    }

    /// Queues an operation, which `submit_and_wait` submits. There must be room.
    pub(super) fn push(&mut self, operation: Operation) {
        let number = self.free.pop().expect("the caller saw that there is room");
        let in_flight = self.slots[number].insert(InFlight { operation, outstanding: 1, results: [0; 2] });
        let (user_data, fd) = (2 * number as u64, Fd(in_flight.operation.handle.as_fd().as_raw_fd()));
        match &mut in_flight.operation.request {
            Request::Read { offset, buf, .. } => {
                let read = opcode::Read::new(fd, buf.as_mut_ptr(), transfer(buf.len())).offset(*offset);
                self.submit(&read.build().user_data(user_data));
            }
            Request::Write { offset, buf, and_sync, .. } => {
                let write = opcode::Write::new(fd, buf.as_ptr(), transfer(buf.len())).offset(*offset);
                let write = write.build().user_data(user_data);
                // What is too long for one request comes back short, and a short write is not synced.
                if *and_sync && buf.len() <= TRANSFER_MAX {
                    in_flight.outstanding = 2;
                    self.submit(&write.flags(Flags::IO_LINK));
                    self.submit(&sync(fd, SyncMode::Data).user_data(user_data + 1));
                } else {
                    self.submit(&write);
                }
            }
            Request::Sync { mode, .. } => {
                let sync = sync(fd, *mode);
                self.submit(&sync.user_data(user_data));
            }
            Request::Allocate { .. } | Request::Truncate { .. } => unreachable!("these take the file pool"),
        }
    }

    fn submit(&mut self, entry: &Entry) {
        // SAFETY: the entry's descriptor and buffer belong to a slot, or are the doorbell's, and stay valid until the
        // completion is reaped: see the module's argument. `ENTRIES` has room for all that may be queued.
        #[allow(unsafe_code)]
        let pushed = unsafe { self.ring.submission().push(entry) };
        pushed.expect("the queue has room for every slot");
    }

    /// Submits what was pushed and waits for a completion.
    pub(super) fn submit_and_wait(&mut self) -> rustix::io::Result<()> {
        match self.ring.submit_and_wait(1) {
            Ok(_) => Ok(()),
            Err(error) => Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
        }
    }

    /// Takes every completion there is and tells the waiters. Returns operations that were interrupted before they did
    /// anything, to be pushed again.
    pub(super) fn reap(&mut self) -> Vec<Operation> {
        let mut interrupted = Vec::new();
        loop {
            let Some(completion) = self.ring.completion().next() else { return interrupted };
            let (user_data, result) = (completion.user_data(), completion.result());
            if user_data == DOORBELL {
                self.listening = false;
                continue;
            }
            let number = usize::try_from(user_data / 2).expect("a slot's number");
            let slot = &mut self.slots[number];
            let in_flight = slot.as_mut().expect("a slot is occupied until its last completion");
            in_flight.results[(user_data % 2) as usize] = result;
            in_flight.outstanding -= 1;
            if in_flight.outstanding == 0 {
                let done = slot.take().expect("it was there a moment ago");
                self.free.push(number);
                interrupted.extend(done.complete());
            }
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // Only a panic drops a busy ring. Closing it does not wait for the kernel, so what the kernel may still write
        // to is given up for good.
        if !self.is_idle() {
            std::mem::forget(std::mem::take(&mut self.slots));
            std::mem::forget(std::mem::take(&mut self.doorbell));
        }
    }
}

impl InFlight {
    /// Tells the waiter how it ended. Gives the operation back if it was interrupted before it did anything.
    fn complete(self) -> Option<Operation> {
        let InFlight { operation: Operation { handle, request }, results: [first, second], .. } = self;
        let is_interrupted = first == -libc::EINTR || first == -libc::EAGAIN;
        match request {
            // Never again, whatever the error: see `File::sync`.
            Request::Sync { done, .. } => {
                done.complete(count(first, &handle, "sync").map(|_| ()));
            }
            request if is_interrupted => return Some(Operation { handle, request }),
            Request::Read { buf, done, .. } => {
                let result = count(first, &handle, "read");
                done.complete(Io { result, buf });
            }
            Request::Write { buf, and_sync, done, .. } => {
                let mut result = count(first, &handle, "write");
                // After a short write the link is cut, and the sync's result is ECANCELED.
                if and_sync && result == Ok(buf.len()) {
                    result = count(second, &handle, "sync").map(|_| buf.len());
                }
                done.complete(Io { result, buf });
            }
            Request::Allocate { .. } | Request::Truncate { .. } => unreachable!("these take the file pool"),
        }
        None
    }
}

/// A completion's result: bytes, or a negated errno.
fn count(result: i32, handle: &Handle, operation: &'static str) -> Result<usize> {
    usize::try_from(result).map_err(|_| handle.error(-result, operation))
}

/// Length of a transfer, as a request has it.
fn transfer(len: usize) -> u32 {
    u32::try_from(len.min(TRANSFER_MAX)).expect("smaller than u32::MAX")
}

fn sync(fd: Fd, mode: SyncMode) -> Entry {
    let flags = match mode {
        SyncMode::Data => FsyncFlags::DATASYNC,
        SyncMode::All => FsyncFlags::empty(),
    };
    opcode::Fsync::new(fd).flags(flags).build()
}
