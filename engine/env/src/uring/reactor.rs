//! The thread that owns the ring, and the inbox through which it gets its work.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::event::EventfdFlags;
use rustix::io::Errno;

use super::ring::Ring;
use crate::os::Operation;
use crate::{ErrorKind, IoError, Result};

/// How long to wait before asking again when the kernel has no memory for a request.
const STARVED: Duration = Duration::from_millis(1);

/// A handle on the reactor's thread, which ends when this drops, after every operation in flight.
pub(super) struct Reactor {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    inbox: Mutex<Inbox>,
    doorbell: OwnedFd,
}

#[derive(Default)]
struct Inbox {
    operations: VecDeque<Operation>,
    /// The reactor waits in the kernel, or is about to: whoever adds something rings.
    asleep: bool,
    closed: bool,
}

impl Shared {
    fn ring_doorbell(&self) {
        // It can only fail when the counter is about to overflow, and then it has been rung.
        let _rung = rustix::io::write(&self.doorbell, &1_u64.to_ne_bytes());
    }
}

impl Reactor {
    /// Starts the thread and its ring, and has the ring do something, to see that it is allowed to.
    pub(super) fn start() -> Result<Reactor> {
        let failed = |errno: Errno| IoError::from_errno(errno.raw_os_error(), "create an eventfd");
        let doorbell = rustix::event::eventfd(0, EventfdFlags::CLOEXEC).map_err(failed)?;
        let shared = Arc::new(Shared { inbox: Mutex::default(), doorbell });
        let (started, starts) = std::sync::mpsc::channel();
        let of_thread = shared.clone();
        // The ring is created on its thread: the kernel remembers who the single issuer is.
        let run = move || match Ring::open() {
            Ok(ring) => {
                // Nobody listens only if the starting thread is gone, and then the inbox is closed.
                let _listening = started.send(Ok(()));
                of_thread.run(ring);
            }
            Err(error) => {
                let _listening = started.send(Err(error));
            }
        };
        let thread = std::thread::Builder::new()
            .name("helios-uring".to_owned())
            .spawn(run)
            .map_err(|error| IoError::from_errno(error.raw_os_error().unwrap_or(0), "start a thread"))?;
        let reactor = Reactor { shared, thread: Some(thread) };
        match starts.recv() {
            Ok(result) => result.map(|()| reactor),
            Err(_) => Err(IoError::new(ErrorKind::Other, "start io_uring")),
        }
    }

    pub(super) fn start_operation(&self, operation: Operation) {
        let mut inbox = self.shared.inbox.lock();
        inbox.operations.push_back(operation);
        let asleep = std::mem::take(&mut inbox.asleep);
        drop(inbox);
        if asleep {
            self.shared.ring_doorbell();
        }
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        self.shared.inbox.lock().closed = true;
        self.shared.ring_doorbell();
        crate::runtime::pool::join(self.thread.take().into_iter().collect());
    }
}

impl Shared {
    fn run(&self, mut ring: Ring) {
        let mut backlog = VecDeque::new();
        loop {
            let mut inbox = self.inbox.lock();
            inbox.asleep = false;
            backlog.append(&mut inbox.operations);
            let closed = inbox.closed;
            drop(inbox);

            if !closed {
                ring.listen(self.doorbell.as_fd());
            }
            while ring.has_room()
                && let Some(operation) = backlog.pop_front()
            {
                ring.push(operation);
            }
            if closed && backlog.is_empty() && ring.is_idle() {
                return;
            }

            let mut inbox = self.inbox.lock();
            if !inbox.operations.is_empty() && ring.has_room() {
                continue;
            }
            inbox.asleep = true;
            drop(inbox);
            match ring.submit_and_wait() {
                Ok(()) | Err(Errno::INTR) => {}
                // Out of memory, or completions to be reaped first.
                Err(Errno::AGAIN | Errno::BUSY | Errno::NOMEM) => std::thread::sleep(STARVED),
                Err(errno) => {
                    // No such error is documented for what we ask. The operations are with the kernel or still queued;
                    // giving up on them would free buffers that the kernel may write to.
                    tracing::error!(%errno, "io_uring_enter failed: trying again");
                    std::thread::sleep(100 * STARVED);
                }
            }
            for operation in ring.reap() {
                backlog.push_front(operation);
            }
        }
    }
}
