//! Tasks: one thread, and a choice at every step.
//!
//! Any ready task may run next; which one does is a decision like any other (0 is the one that has waited longest, so
//! a shrunk schedule is a queue). A queue alone would hide every race on every seed.
//!
//! A task belongs to a node of the world. When the node crashes its tasks stop being polled, then they are dropped;
//! by then its I/O is disabled, so no destructor can reach the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use helios_env::sync::Mutex;
use helios_env::{BoxFuture, Completer, Task, pending};

use crate::choices::Choices;

/// A node's number in its world.
pub(crate) type NodeId = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskId {
    index: u32,
    generation: u32,
}

#[derive(Default)]
pub(crate) struct Executor(Mutex<State>, Running);

/// One more than the number of the task that is being polled; zero when none is.
#[derive(Default)]
struct Running(AtomicU64);

#[derive(Default)]
struct State {
    /// Tasks so far; their numbers in traces.
    count: u64,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Longest waiting first.
    ready: Vec<TaskId>,
    paused: Vec<NodeId>,
}

struct Slot {
    generation: u32,
    task: Option<Entry>,
}

struct Entry {
    name: &'static str,
    number: u64,
    node: NodeId,
    phase: Phase,
    /// Absent while it is being polled, and always for a task that lives on the stack of `run`.
    future: Option<BoxFuture<'static, ()>>,
    on_stack: bool,
    waker: Waker,
    done: Option<Completer<()>>,
    polls: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Ready,
    Running,
    /// Woken while it was being polled.
    RunningReady,
}

struct TaskWaker {
    executor: Arc<Executor>,
    id: TaskId,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.executor.wake(self.id);
    }
}

/// A task to be polled.
pub(crate) struct Turn {
    pub(crate) id: TaskId,
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    waker: Waker,
    /// Absent for a task on the stack.
    future: Option<BoxFuture<'static, ()>>,
}

impl Executor {
    /// Starts a task; its number in traces.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        name: &'static str,
        node: NodeId,
        future: BoxFuture<'static, ()>,
    ) -> (u64, Task) {
        let (done, task) = pending();
        (self.enter(name, node, Some(future), Some(done)).1, task)
    }

    /// Registers a task that the caller polls itself, from its own stack.
    pub(crate) fn enter_stack(self: &Arc<Self>, name: &'static str, node: NodeId) -> TaskId {
        self.enter(name, node, None, None).0
    }

    fn enter(
        self: &Arc<Self>,
        name: &'static str,
        node: NodeId,
        future: Option<BoxFuture<'static, ()>>,
        done: Option<Completer<()>>,
    ) -> (TaskId, u64) {
        let mut state = self.0.lock();
        let number = state.count;
        state.count += 1;
        let index = state.free.pop().unwrap_or_else(|| {
            state.slots.push(Slot { generation: 0, task: None });
            u32::try_from(state.slots.len() - 1).expect("fewer than 2^32 tasks")
        });
        let id = TaskId { index, generation: state.slots[index as usize].generation };
        let waker = Waker::from(Arc::new(TaskWaker { executor: self.clone(), id }));
        let on_stack = future.is_none();
        let entry = Entry { name, number, node, phase: Phase::Ready, future, on_stack, waker, done, polls: 0 };
        state.slots[index as usize].task = Some(entry);
        state.ready.push(id);
        (id, number)
    }

    fn wake(&self, id: TaskId) {
        let mut state = self.0.lock();
        let Some(entry) = state.entry(id) else { return };
        match entry.phase {
            Phase::Idle => {
                entry.phase = Phase::Ready;
                state.ready.push(id);
            }
            Phase::Running => entry.phase = Phase::RunningReady,
            Phase::Ready | Phase::RunningReady => {}
        }
    }

    /// Chooses a ready task and takes it out to be polled.
    pub(crate) fn next(&self, choices: &Choices) -> Option<Turn> {
        let mut state = self.0.lock();
        let at = if state.paused.is_empty() {
            if state.ready.is_empty() {
                return None;
            }
            choices.pick("executor.task", state.ready.len())
        } else {
            let running: Vec<usize> = (0..state.ready.len()).filter(|i| !state.is_paused(state.ready[*i])).collect();
            if running.is_empty() {
                return None;
            }
            running[choices.pick("executor.task", running.len())]
        };
        let id = state.ready.remove(at);
        let entry = state.entry(id).expect("a ready task exists");
        entry.phase = Phase::Running;
        entry.polls += 1;
        Some(Turn {
            id,
            number: entry.number,
            name: entry.name,
            waker: entry.waker.clone(),
            future: entry.future.take(),
        })
    }

    /// The number of the task that is being polled.
    pub(crate) fn running(&self) -> Option<u64> {
        self.1.0.load(Relaxed).checked_sub(1)
    }

    /// Polls a task once; whether it has ended. A task on the stack is polled by its caller, through `on_stack`.
    pub(crate) fn poll(&self, turn: Turn, on_stack: impl FnOnce(&mut Context<'_>) -> Poll<()>) -> bool {
        let mut context = Context::from_waker(&turn.waker);
        // Polls nest where a task waits synchronously. A crash may unwind past the second line, and the next poll mends it.
        let outer = self.1.0.swap(turn.number + 1, Relaxed);
        let (future, poll) = match turn.future {
            None => (None, on_stack(&mut context)),
            Some(mut future) => {
                let poll = future.as_mut().poll(&mut context);
                (Some(future), poll)
            }
        };
        self.1.0.store(outer, Relaxed);
        match future {
            None => self.put_back(turn.id, None),
            Some(future) => match poll {
                Poll::Pending => self.put_back(turn.id, Some(future)),
                Poll::Ready(()) => {
                    drop(future);
                    let done = self.leave(turn.id);
                    if let Some(done) = done {
                        done.complete(());
                    }
                }
            },
        }
        poll.is_ready()
    }

    fn put_back(&self, id: TaskId, future: Option<BoxFuture<'static, ()>>) {
        let mut state = self.0.lock();
        let Some(entry) = state.entry(id) else {
            // Cancelled while it ran; its future is dropped outside the lock.
            drop(state);
            drop(future);
            return;
        };
        entry.future = future;
        if entry.phase == Phase::RunningReady {
            entry.phase = Phase::Ready;
            state.ready.push(id);
        } else {
            entry.phase = Phase::Idle;
        }
    }

    /// Forgets a task that has ended.
    pub(crate) fn leave(&self, id: TaskId) -> Option<Completer<()>> {
        let mut state = self.0.lock();
        let entry = state.vacate(id)?;
        drop(state);
        entry.done
    }

    /// Takes all tasks of a node away; the caller drops them. Tasks on the stack stay registered.
    pub(crate) fn take_tasks(&self, node: NodeId) -> Vec<BoxFuture<'static, ()>> {
        let mut state = self.0.lock();
        let mut futures = Vec::new();
        for index in 0..state.slots.len() {
            let generation = state.slots[index].generation;
            let id = TaskId { index: u32::try_from(index).expect("fewer than 2^32 tasks"), generation };
            if state.entry(id).is_some_and(|entry| entry.node == node && !entry.on_stack) {
                futures.extend(state.vacate(id).and_then(|entry| entry.future));
            }
        }
        futures
    }

    pub(crate) fn pause(&self, node: NodeId) {
        self.0.lock().paused.push(node);
    }

    pub(crate) fn resume(&self, node: NodeId) {
        let mut state = self.0.lock();
        if let Some(at) = state.paused.iter().position(|n| *n == node) {
            state.paused.swap_remove(at);
        }
    }

    pub(crate) fn resume_all(&self) {
        self.0.lock().paused.clear();
    }

    /// Names of the tasks that exist, with how often each was polled, the busiest first.
    pub(crate) fn names(&self) -> Vec<(&'static str, u64)> {
        let state = self.0.lock();
        let mut names: Vec<_> = state.slots.iter().filter_map(|s| s.task.as_ref()).map(|t| (t.name, t.polls)).collect();
        names.sort_by_key(|(name, polls)| (std::cmp::Reverse(*polls), *name));
        names
    }
}

impl State {
    fn entry(&mut self, id: TaskId) -> Option<&mut Entry> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation == id.generation { slot.task.as_mut() } else { None }
    }

    fn is_paused(&self, id: TaskId) -> bool {
        self.slots[id.index as usize].task.as_ref().is_some_and(|entry| self.paused.contains(&entry.node))
    }

    fn vacate(&mut self, id: TaskId) -> Option<Entry> {
        self.entry(id)?;
        let slot = &mut self.slots[id.index as usize];
        slot.generation += 1;
        self.free.push(id.index);
        self.ready.retain(|ready| *ready != id);
        slot.task.take()
    }
}
