//! Tasks.
//!
//! The engine owns no runtime. Its futures are `Send`, are polled by whoever wants their result, and wake through
//! ordinary wakers; what must go on while nobody asks (flushes, compaction) is spawned here. On the real backends that
//! means a few threads, in the simulator an entry in a list from which the seed picks.
//!
//! What is done by the future that wants the result is cheapest: in [`Spawn::block_on`] it costs neither a thread nor a
//! wake-up. What is spawned must not block, and must be told to stop: a task that owns an [`crate::Env`] keeps all of
//! the environment alive. A task that panics ends there; the panic is reported in the log, the task counts as ended,
//! and whoever needs to know its outcome learns it from what it left, not from the [`Task`].

use std::pin::Pin;

use crate::Pending;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A spawned task: awaiting it waits for its end; dropping it lets the task run on.
pub type Task = Pending<()>;

/// Where the engine's background work runs.
pub trait Spawn: Send + Sync {
    /// Starts a task. `name` appears in traces and in deadlock reports.
    fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>) -> Task;
    /// Lets other ready tasks run.
    fn yield_now(&self) -> Pending<()>;
    /// Runs CPU-heavy work off the I/O path; inline in the simulator.
    fn offload(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> Pending<()>;
    /// Runs `future` to its end on the calling thread, driving completions meanwhile.
    fn block_on(&self, future: Pin<&mut (dyn Future<Output = ()> + Send)>);
}
