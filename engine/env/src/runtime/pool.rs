//! Threads that take jobs from one queue.
//!
//! Threads start when there are more jobs than idle threads, up to a bound, and stay until the pool is dropped. Then
//! jobs still queued are run or dropped, as [`Job::MUST_RUN`] says, and the threads are joined; except the one on which
//! the pool is dropped (the last handle on an environment may well be let go by one of its own threads), which ends by
//! itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::{IoError, Result};

/// What a [`Pool`] runs.
pub(crate) trait Job: Send + 'static {
    /// Whether jobs still queued at shutdown are run to their end (I/O) or dropped (everything else).
    const MUST_RUN: bool = false;

    fn run(self);
}

/// Threads and their queue.
pub(crate) struct Pool<J: Job>(Sender<J>);

/// Puts jobs into a pool's queue without keeping the pool alive.
pub(crate) struct Sender<J: Job>(Arc<Shared<J>>);

impl<J: Job> Clone for Sender<J> {
    fn clone(&self) -> Self {
        Sender(self.0.clone())
    }
}

struct Shared<J> {
    name: &'static str,
    threads_max: usize,
    queue: Mutex<Queue<J>>,
    arrived: Condvar,
}

struct Queue<J> {
    jobs: VecDeque<J>,
    /// Threads that wait for a job, including those notified and not yet awake.
    idle: usize,
    threads: Vec<JoinHandle<()>>,
    closed: bool,
}

/// Threads that can make progress at the same time on this machine.
pub(crate) fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

impl<J: Job> Pool<J> {
    /// A pool without threads; they come with the first jobs.
    pub(crate) fn new(name: &'static str, threads_max: usize) -> Pool<J> {
        let queue = Queue { jobs: VecDeque::new(), idle: 0, threads: Vec::new(), closed: false };
        Pool(Sender(Arc::new(Shared { name, threads_max, queue: Mutex::new(queue), arrived: Condvar::new() })))
    }

    /// Starts the first thread now: afterwards [`Pool::push`] cannot fail.
    pub(crate) fn start_one(&self) -> Result<()> {
        let shared = &self.0.0;
        shared.start_thread(&mut shared.queue.lock())
    }

    /// Queues a job. Gives it back when there is no thread and none can be started.
    pub(crate) fn push(&self, job: J) -> std::result::Result<(), J> {
        self.0.push(job)
    }

    pub(crate) fn sender(&self) -> Sender<J> {
        self.0.clone()
    }
}

impl<J: Job> Sender<J> {
    /// Queues a job. Gives it back when the pool is closed, or when there is no thread and none can be started.
    pub(crate) fn push(&self, job: J) -> std::result::Result<(), J> {
        let shared = &self.0;
        let mut queue = shared.queue.lock();
        if queue.closed {
            return Err(job);
        }
        queue.jobs.push_back(job);
        if queue.jobs.len() <= queue.idle {
            shared.arrived.notify_one();
        } else if queue.threads.len() < shared.threads_max {
            if let Err(error) = shared.start_thread(&mut queue) {
                if queue.threads.is_empty() {
                    return queue.jobs.pop_back().map_or(Ok(()), Err);
                }
                tracing::warn!(pool = shared.name, %error, "going on with fewer threads");
            }
        } else if queue.idle > 0 {
            shared.arrived.notify_one();
        }
        Ok(())
    }
}

impl<J: Job> Shared<J> {
    fn start_thread(self: &Arc<Self>, queue: &mut Queue<J>) -> Result<()> {
        let shared = self.clone();
        let started = std::thread::Builder::new()
            .name(format!("{}-{}", self.name, queue.threads.len()))
            .spawn(move || shared.work())
            .map_err(|error| IoError::from_errno(error.raw_os_error().unwrap_or(0), "start a thread"))?;
        queue.threads.push(started);
        Ok(())
    }

    fn work(&self) {
        loop {
            let job = {
                let mut queue = self.queue.lock();
                loop {
                    if let Some(job) = queue.jobs.pop_front() {
                        break job;
                    }
                    if queue.closed {
                        return;
                    }
                    queue.idle += 1;
                    self.arrived.wait(&mut queue);
                    queue.idle -= 1;
                }
            };
            job.run();
        }
    }
}

impl<J: Job> Drop for Pool<J> {
    fn drop(&mut self) {
        let shared = &self.0.0;
        let mut queue = shared.queue.lock();
        queue.closed = true;
        let dropped = if J::MUST_RUN { VecDeque::new() } else { std::mem::take(&mut queue.jobs) };
        let threads = std::mem::take(&mut queue.threads);
        drop(queue);
        // Outside the lock: a dropped task may wake others, which push here and are refused.
        drop(dropped);
        shared.arrived.notify_all();
        join(threads);
    }
}

/// Waits for threads that were told to end, except for the calling one.
pub(crate) fn join(threads: Vec<JoinHandle<()>>) {
    let this = std::thread::current().id();
    for thread in threads {
        if thread.thread().id() != this && thread.join().is_err() {
            // Jobs that may panic are caught; this is a bug in the thread's own loop, and its message is out already.
            tracing::error!("a thread of the environment panicked");
        }
    }
}
