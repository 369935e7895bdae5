//! Tasks.

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
