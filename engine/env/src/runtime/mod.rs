//! The executor behind the real backends: [`Spawn`] with threads and no third-party runtime.
//!
//! ```text
//!   caller's thread                     worker threads, started when first needed
//!  ┌───────────────────┐     ┌───────────────┐  ┌──────────────┐  ┌─────────────┐
//!  │ block_on(future)  │     │ helios-task-N │  │ helios-cpu-N │  │ helios-timer│
//!  │  poll             │     │  spawned      │  │  offloaded   │  │ sleep_until │
//!  │  run what it left │     │  tasks        │  │  closures    │  │             │
//!  │  park             │     └───────────────┘  └──────────────┘  └─────────────┘
//!  └───────────────────┘
//! ```
//!
//! * A thread in [`Spawn::block_on`] polls its own future only, and does the future's last operation itself ([`here`])
//!   instead of handing it to a thread and waiting: a durable write costs a write and a sync, and no wake-ups.
//! * A spawned task runs on a worker and must not block it. Its operations run elsewhere (the reactor, the file pool).
//! * Wakers are ordinary: a future of this environment may be awaited in any runtime, by any executor.
//!
//! Shutdown: the threads end when the last handle on the environment drops, and are joined then, unless that happens
//! on one of them. Tasks still suspended are forgotten. A task that owns an [`crate::Env`] keeps the environment alive,
//! so whoever spawns one that runs for ever must also be able to tell it to stop.

mod clock;
pub(crate) mod here;
pub(crate) mod pool;
mod random;
mod task;
mod timer;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread::Thread;

pub(crate) use clock::SystemClock;
pub(crate) use random::SystemRng;

use crate::{BoxFuture, Completer, Pending, Result, Spawn, Task, pending};
use here::{Deferred, Here};
use pool::{Pool, available_threads};
use task::Ready;

/// Workers for tasks: they wait more than they work.
const TASK_THREADS_MAX: usize = 4;

/// Worker threads for tasks and for CPU-heavy work.
pub(crate) struct Runtime {
    tasks: Pool<Ready>,
    cpu: Pool<CpuWork>,
}

/// An offloaded closure.
struct CpuWork {
    name: &'static str,
    work: Box<dyn FnOnce() + Send>,
    done: Completer<()>,
}

impl pool::Job for CpuWork {
    fn run(self) {
        task::survive_panic("offloaded work", self.name, self.work);
        self.done.complete(());
    }
}

impl Runtime {
    /// Starts with one task thread, so that a task can always run; the others come when there is work for them.
    pub(crate) fn start() -> Result<Runtime> {
        let tasks = Pool::new("helios-task", available_threads().clamp(2, TASK_THREADS_MAX));
        tasks.start_one()?;
        Ok(Runtime { tasks, cpu: Pool::new("helios-cpu", available_threads()) })
    }
}

impl Spawn for Runtime {
    fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>) -> Task {
        let (completer, task) = pending();
        task::start(name, future, completer, &self.tasks);
        task
    }

    fn yield_now(&self) -> Pending<()> {
        let (completer, pending) = pending();
        here::defer(Box::new(Yield { completer, tasks: self.tasks.sender() }));
        pending
    }

    fn offload(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> Pending<()> {
        let (done, pending) = pending();
        if let Err(work) = self.cpu.push(CpuWork { name, work, done }) {
            // The operating system grants no thread: do it here.
            pool::Job::run(work);
        }
        pending
    }

    fn block_on(&self, mut future: Pin<&mut (dyn Future<Output = ()> + Send)>) {
        let parker = Arc::new(Parker { notified: AtomicBool::new(false), thread: std::thread::current() });
        let waker = Waker::from(parker.clone());
        let mut cx = Context::from_waker(&waker);
        let here = Here::enter(&waker);
        while future.as_mut().poll(&mut cx).is_pending() {
            while !parker.notified.swap(false, Ordering::Acquire) {
                match here.take() {
                    Some(operation) => operation.perform_here(),
                    None => std::thread::park(),
                }
            }
            // Woken by something else, the future goes on; what it started must not wait for its next pause.
            if let Some(operation) = here.take() {
                operation.hand_over();
            }
        }
    }
}

/// Wakes a thread in `block_on`.
struct Parker {
    notified: AtomicBool,
    thread: Thread,
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.notified.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

/// A yield: completed behind everything that is ready now.
struct Yield {
    completer: Completer<()>,
    tasks: pool::Sender<Ready>,
}

impl Deferred for Yield {
    fn perform_here(self: Box<Self>) {
        std::thread::yield_now();
        self.completer.complete(());
    }

    fn hand_over(self: Box<Self>) {
        let Yield { completer, tasks } = *self;
        // Refused only at shutdown, when nobody waits any more.
        let _refused = tasks.push(Ready::Yield(completer));
    }
}

#[cfg(test)]
mod tests;
