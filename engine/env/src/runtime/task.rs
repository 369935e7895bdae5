//! Spawned tasks: a future, and where it stands.
//!
//! ```text
//!            wake                run                  ready
//!   Idle ──────────▶ Queued ──────────▶ Running ─────────────────▶ Done
//!    ▲                 ▲                 │  │ wake
//!    │     pending     │     pending     │  ▼
//!    └─────────────────┼─────────────────┘ Woken
//!                      └────────────────────┘
//! ```
//!
//! Between polls a task is owned by its wakers alone, or by the queue. A task that nothing will wake any more is thus
//! freed by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

use super::pool::{Job, Pool, Sender};
use crate::{BoxFuture, Completer};

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const RUNNING: u8 = 2;
const WOKEN: u8 = 3;
const DONE: u8 = 4;

/// What task threads take from their queue.
pub(super) enum Ready {
    Task(Arc<Task>),
    /// Somebody let the others run first; now they did.
    Yield(Completer<()>),
}

impl Job for Ready {
    fn run(self) {
        match self {
            Ready::Task(task) => task.run(),
            Ready::Yield(completer) => {
                completer.complete(());
            }
        }
    }
}

pub(super) struct Task {
    name: &'static str,
    state: AtomicU8,
    /// Locked by whoever runs the task, which the state makes one thread: never contended.
    running: Mutex<Option<Running>>,
    queue: Sender<Ready>,
}

struct Running {
    future: BoxFuture<'static, ()>,
    done: Completer<()>,
}

/// Queues a new task.
pub(super) fn start(name: &'static str, future: BoxFuture<'static, ()>, done: Completer<()>, pool: &Pool<Ready>) {
    let task = Arc::new(Task {
        name,
        state: AtomicU8::new(QUEUED),
        running: Mutex::new(Some(Running { future, done })),
        queue: pool.sender(),
    });
    // Refused only when the pool has no thread, and it started with one.
    let _refused = pool.push(Ready::Task(task));
}

impl Task {
    fn enqueue(self: Arc<Self>) {
        let queue = self.queue.clone();
        // Refused at shutdown: then nobody holds the task any more, and it is dropped here.
        let _refused = queue.push(Ready::Task(self));
    }

    fn run(self: Arc<Self>) {
        self.state.store(RUNNING, Ordering::Release);
        let waker = Waker::from(self.clone());
        let mut slot = self.running.lock();
        let Some(running) = slot.as_mut() else { return };
        let mut poll = Poll::Ready(());
        survive_panic("task", self.name, || poll = running.future.as_mut().poll(&mut Context::from_waker(&waker)));
        if poll.is_ready() {
            self.state.store(DONE, Ordering::Release);
            let ended = slot.take();
            drop(slot);
            if let Some(Running { future, done }) = ended {
                survive_panic("task", self.name, || drop(future));
                done.complete(());
            }
            return;
        }
        drop(slot);
        if self.state.compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire).is_err() {
            self.state.store(QUEUED, Ordering::Release);
            self.enqueue();
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let woken = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| match state {
            IDLE => Some(QUEUED),
            RUNNING => Some(WOKEN),
            _ => None,
        });
        if woken == Ok(IDLE) {
            self.enqueue();
        }
    }
}

/// Runs `work`; a panic in it is reported and ends there. The panic hook has printed the message and the place.
pub(super) fn survive_panic(what: &'static str, name: &'static str, work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        tracing::error!(name, "{what} panicked");
    }
}
