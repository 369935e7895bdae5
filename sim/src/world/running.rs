//! The loop that makes a world go round, and the ways in which it stops.
//!
//! A ready task is polled; when none is ready the next event happens; when there is none the world is deadlocked. The
//! loop nests: synchronous code inside a task waits with [`helios_env::Env::block_on`], which runs it again on the
//! caller's stack. A crash then has nothing to return to, so it unwinds that stack up to the outermost run.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use helios_env::{BoxFuture, Pending, Spawn, Task, pending};

use crate::core::{Core, CrashKind, Incarnation};
use crate::executor::{Executor, NodeId, TaskId};
use crate::trace::Event;

/// Why a run ended before its future did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The node crashed; [`crate::World::env`] is its next incarnation's.
    Crashed(CrashKind),
    /// Nothing is ready and nothing will happen. The tasks that wait.
    Deadlock(Vec<String>),
    /// Tasks run and run and no time passes. The tasks, with their polls, the busiest first.
    Spinning(Vec<String>),
    /// The run took longer than its simulated time limit. The tasks that exist.
    TimeLimit(Vec<String>),
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::Crashed(CrashKind::Power) => f.write_str("the power failed"),
            Stop::Crashed(CrashKind::Process) => f.write_str("the process was killed"),
            Stop::Deadlock(tasks) => write!(f, "deadlock: nothing will ever wake {}", tasks.join(", ")),
            Stop::Spinning(tasks) => write!(f, "spinning while no time passes: {}", tasks.join(", ")),
            Stop::TimeLimit(tasks) => write!(f, "the simulated time limit passed with {}", tasks.join(", ")),
        }
    }
}

impl std::error::Error for Stop {}

#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) polls_max: u64,
    pub(crate) time_limit: Duration,
}

/// Unwinds the stack of a synchronous call whose world has ended.
pub(crate) struct WorldEnded;

/// Polls tasks until `main` is done. `crashed` carries out what crashes it may and says whether one ends this run.
pub(crate) fn run(
    core: &Arc<Core>,
    limits: Limits,
    node: NodeId,
    mut main: Pin<&mut dyn Future<Output = ()>>,
    crashed: impl Fn() -> Option<Stop>,
) -> Result<(), Stop> {
    let executor = &core.executor;
    let id = executor.enter_stack("main", node);
    let _leave = Leave { executor, id };
    let deadline = core.timeline.now() + limits.time_limit;
    let mut polls = 0;
    let mut done = false;
    loop {
        if let Some(stop) = crashed() {
            return Err(stop);
        }
        if done {
            return Ok(());
        }
        if let Some(turn) = executor.next(&core.choices) {
            let task = turn.number;
            core.record(Event::Poll { task, name: turn.name });
            let ended = executor.poll(turn, |context| {
                let poll = main.as_mut().poll(context);
                done = poll.is_ready();
                poll
            });
            if ended {
                core.record_detail(|| Event::End { task });
            }
            polls += 1;
            if polls > limits.polls_max {
                let busiest = executor.names().into_iter().map(|(name, polls)| format!("{name} ({polls} polls)"));
                return Err(Stop::Spinning(busiest.collect()));
            }
        } else if core.timeline.advance(deadline) {
            polls = 0;
        } else {
            let tasks = executor.names().into_iter().map(|(name, _)| name.to_owned()).collect();
            let deadlock = core.timeline.is_empty();
            return Err(if deadlock { Stop::Deadlock(tasks) } else { Stop::TimeLimit(tasks) });
        }
    }
}

/// Unregisters a task on the stack, also when the stack unwinds.
struct Leave<'a> {
    executor: &'a Executor,
    id: TaskId,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.executor.leave(self.id);
    }
}

pub(crate) struct SimSpawn {
    pub(crate) core: Arc<Core>,
    pub(crate) incarnation: Arc<Incarnation>,
    pub(crate) limits: Limits,
}

impl Spawn for SimSpawn {
    fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>) -> Task {
        if self.incarnation.is_dead() {
            return pending().1;
        }
        let node = self.incarnation.node;
        let (number, task) = self.core.executor.spawn(name, node, future);
        self.core.record(Event::Spawn { node, task: number, name });
        task
    }

    fn yield_now(&self) -> Pending<()> {
        let (completer, pending) = pending();
        let executor = &self.core.executor;
        // A task of its own, so that any ready task may come first.
        let done = Box::pin(async move {
            let _awaited = completer.complete(());
        });
        let _task = executor.spawn("yield", self.incarnation.node, done);
        pending
    }

    fn offload(&self, _name: &'static str, work: Box<dyn FnOnce() + Send>) -> Pending<()> {
        work();
        Pending::ready(())
    }

    fn block_on(&self, future: Pin<&mut (dyn Future<Output = ()> + Send)>) {
        // A crash of this very node ends the caller; crashes of others wait for the outer run.
        let node = self.incarnation.node;
        let crashed = || {
            let crashes = self.core.crashes.lock();
            crashes.iter().find(|request| request.node == node).map(|request| Stop::Crashed(request.kind))
        };
        if self.incarnation.is_dead() {
            // It may be done without waiting: destructors of a dead node come here.
            let waker = std::task::Waker::noop();
            if let Poll::Ready(()) = future.poll(&mut std::task::Context::from_waker(waker)) {
                return;
            }
            assert!(!std::thread::panicking(), "a destructor waits for I/O of a world that has ended");
            resume_unwind(Box::new(WorldEnded));
        }
        let nested = self.core.running.load(Relaxed);
        match run(&self.core, self.limits, node, future, crashed) {
            Ok(()) => {}
            Err(Stop::Crashed(_)) if nested => resume_unwind(Box::new(WorldEnded)),
            Err(stop @ Stop::Crashed(_)) => panic!("{stop} inside block_on; World::run_sync survives that"),
            Err(stop) => panic!("{stop}"),
        }
    }
}
