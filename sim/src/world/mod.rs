//! A world: nodes with disks and tasks, a clock, and the choices that decide everything else.
//!
//! ```text
//!   World::new(config) ── env() ──> the program under test, running in run(future)
//!      │                                   │
//!      │            crash (asked for, or   │  tasks are no longer polled, I/O is disabled,
//!      │            at the k-th change)    │  then everything is dropped
//!      │                                   ▼
//!      │                          Err(Stop::Crashed)
//!      │                                   │  what was not durable is kept, lost or torn
//!      └────────────── env() ──────────────┘  a new incarnation, on the disk that is left
//! ```

mod config;
mod running;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use helios_env::sync::Mutex;
use helios_env::{BoxFuture, Env, Instant, Rng, SplitMix64};

pub use config::WorldConfig;
pub use running::Stop;
use running::{Limits, SimSpawn, WorldEnded, run};

use crate::cancel::Cancellable;
use crate::choices::Choices;
use crate::core::{Core, CrashKind, CrashRequest, Incarnation, PlannedCrash};
use crate::disk::{DeviceProfile, DiskImage, Mount, SimDisk, Timing};
use crate::executor::{Executor, NodeId};
use crate::faults::{FaultCounts, FaultKind, Faults};
use crate::marks::{Buggify, Marks, ProbeState, SimProbe};
use crate::network::{Network, SimNet};
use crate::timeline::{SimClock, Timeline};
use crate::trace::{Entry, Event, Trace};
use crate::violation::Violation;

/// See the [module](self). Dropping it ends all its nodes: their tasks are dropped with their I/O disabled.
pub struct World(Arc<Inner>);

/// A world as its own tasks and workloads hold it: everything but running it.
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

struct Inner {
    core: Arc<Core>,
    nodes: Mutex<Vec<Node>>,
    incarnations: AtomicU64,
    config: Limits,
    rng_seed: u64,
}

struct Node {
    disk: SimDisk,
    incarnation: Arc<Incarnation>,
    program: Option<Program>,
}

/// What a machine runs when it starts.
type Program = Arc<dyn Fn(Env) -> BoxFuture<'static, ()> + Send + Sync>;

impl World {
    /// A world with one node, number 0.
    pub fn new(config: WorldConfig) -> World {
        let rng_seed = config.choices.seed("rng");
        let core = Arc::new(Core {
            choices: config.choices,
            executor: Arc::new(Executor::default()),
            timeline: Timeline::default(),
            network: Network::default(),
            trace: Trace::new(config.trace),
            probe: ProbeState::default(),
            buggify: Mutex::new(config.buggify),
            faults: Mutex::new(config.faults),
            counts: Mutex::new(FaultCounts::default()),
            crashes: Mutex::new(Vec::new()),
            running: AtomicBool::new(false),
            crash_at_poll: Mutex::new(None),
        });
        let limits = Limits { polls_max: config.polls_max, time_limit: config.time_limit };
        let inner =
            Inner { core, nodes: Mutex::new(Vec::new()), incarnations: AtomicU64::new(0), config: limits, rng_seed };
        let world = World(Arc::new(inner));
        world.add_node(&config.image, config.profile, config.timing);
        world
    }

    /// A world decided by a seed, otherwise as [`WorldConfig::new`] makes it.
    pub fn seeded(seed: u64) -> World {
        World::new(WorldConfig::seeded(seed))
    }

    /// Another machine with a disk of its own; its number.
    pub fn add_node(&self, image: &DiskImage, profile: DeviceProfile, timing: Timing) -> usize {
        let mut nodes = self.0.nodes.lock();
        let number = nodes.len();
        let disk = SimDisk::new(format!("node {number}"), image, profile, timing);
        if self.0.core.trace.is_full() {
            let core = Arc::downgrade(&self.0.core);
            disk.record(Arc::new(move |event| {
                if let Some(core) = core.upgrade() {
                    core.record(Event::Disk { node: number, event });
                }
            }));
        }
        let incarnation = Arc::new(Incarnation::new(self.0.next_incarnation(), number));
        self.0.core.network.begin(&incarnation);
        nodes.push(Node { disk, incarnation, program: None });
        number
    }

    /// The environment of node 0, as it lives now.
    pub fn env(&self) -> Env {
        self.env_of(0)
    }

    /// The environment of a node, as it lives now.
    pub fn env_of(&self, node: usize) -> Env {
        self.0.env_of(node)
    }

    /// What tasks and workloads may ask of the world while it runs.
    pub fn handle(&self) -> Handle {
        Handle(self.0.clone())
    }

    /// Starts `program` on a node now, and again after each of its crashes: what a machine runs when it boots.
    pub fn on_boot<F: Future<Output = ()> + Send + 'static>(
        &self,
        node: usize,
        program: impl Fn(Env) -> F + Send + Sync + 'static,
    ) {
        self.0.nodes.lock()[node].program = Some(Arc::new(move |env| Box::pin(program(env))));
        self.0.boot(node);
    }

    /// Runs `future` as a task of node 0 until it ends or node 0 does. Other tasks of the world run meanwhile, and go
    /// on in the next run.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> Result<T, Stop> {
        self.run_on(0, future)
    }

    /// Runs `future` as a task of a node.
    pub fn run_on<T>(&self, node: usize, future: impl Future<Output = T>) -> Result<T, Stop> {
        let mut output = None;
        let end = {
            let main = pin!(async { output = Some(future.await) });
            // A crash inside a synchronous call unwinds to here; the world is in order, only that stack is gone.
            let outer = self.0.core.running.swap(true, Relaxed);
            let end = catch_unwind(AssertUnwindSafe(|| self.0.run(node, main)));
            self.0.core.running.store(outer, Relaxed);
            end
        };
        match end {
            Ok(Ok(())) => Ok(output.expect("the run ends when its future has")),
            Ok(Err(Stop::Crashed(kind))) => Err(self.0.restart(node, kind)),
            Ok(Err(stop)) => Err(stop),
            Err(payload) if payload.is::<WorldEnded>() => {
                let kind = self.0.core.crashes.lock().iter().find(|c| c.node == node).map(|c| c.kind);
                Err(self.0.restart(node, kind.expect("the world of a synchronous call ends by a crash")))
            }
            Err(payload) => resume_unwind(payload),
        }
    }

    /// Runs a session of a program on node 0, to its end or to a crash. After it the power fails now and then, and always
    /// where the session says that only a restart of the machine helps (`false`).
    ///
    /// # Errors
    /// What the session fails with, and a world that hangs.
    pub fn session<E: From<Violation>>(&self, session: impl Future<Output = Result<bool, E>>) -> Result<(), E> {
        let goes_on = match self.run(session) {
            Ok(outcome) => outcome?,
            Err(Stop::Crashed(_)) => true,
            Err(stop) => return Err(Violation::from(stop).into()),
        };
        if !goes_on || self.knob("cut the power between sessions", &[false, true]) {
            self.crash(CrashKind::Power);
        }
        Ok(())
    }

    /// Runs synchronous code that waits with [`Env::block_on`]; a crash ends it.
    pub fn run_sync<T>(&self, work: impl FnOnce() -> T) -> Result<T, Stop> {
        self.run(async { work() })
    }

    /// Runs until nothing is ready and nothing is going to happen within `time`.
    pub fn settle(&self, time: Duration) -> Result<(), Stop> {
        let end = self.now() + time;
        let env = self.env();
        self.run(async move { env.clock.sleep_until(end).await })
    }

    /// Crashes node 0 now, between two runs.
    pub fn crash(&self, kind: CrashKind) {
        self.crash_node(0, kind);
    }

    /// Crashes a node now, between two runs.
    pub fn crash_node(&self, node: usize, kind: CrashKind) {
        self.0.core.crashes.lock().retain(|request| request.node != node);
        self.0.incarnation(node).end();
        let _stop = self.0.restart(node, kind);
    }

    /// Puts another image in the disk of a node and starts the node anew.
    pub fn reset_disk(&self, node: usize, image: &DiskImage) {
        self.0.incarnation(node).end();
        self.0.end_tasks(node);
        self.disk_of(node).replace(image);
        self.0.core.network.crash(&self.0.core, node, CrashKind::Power);
        self.0.begin(node);
    }
}

/// What both [`World`] and [`Handle`] offer.
macro_rules! shared {
    ($type:ident) => {
        impl $type {
            /// The disk of node 0, from the outside.
            pub fn disk(&self) -> SimDisk {
                self.disk_of(0)
            }

            /// The disk of a node, from the outside.
            pub fn disk_of(&self, node: usize) -> SimDisk {
                self.0.nodes.lock()[node].disk.clone()
            }

            /// The network between the nodes.
            pub fn network(&self) -> SimNet {
                SimNet::new(self.0.core.clone())
            }

            /// Who decides.
            pub fn choices(&self) -> Choices {
                self.0.core.choices.clone()
            }

            /// Simulated time since the beginning.
            pub fn now(&self) -> Instant {
                self.0.core.timeline.now()
            }

            /// What may fail from now on.
            pub fn set_faults(&self, faults: Faults) {
                *self.0.core.faults.lock() = faults;
            }

            /// What may fail.
            pub fn faults(&self) -> Faults {
                self.0.core.faults.lock().clone()
            }

            /// How often the program is perturbed from now on.
            pub fn set_buggify(&self, buggify: Buggify) {
                *self.0.core.buggify.lock() = buggify;
            }

            /// Nothing fails any more, and what was damaged is whole: whatever hangs now hangs by its own fault.
            pub fn heal(&self) {
                self.set_faults(Faults::none());
                self.set_buggify(Buggify::OFF);
                for node in self.0.nodes.lock().iter() {
                    node.disk.heal();
                    node.disk.cancel_crash();
                }
                *self.0.core.crash_at_poll.lock() = None;
                self.0.core.executor.resume_all();
                self.0.core.timeline.heal_wall();
                self.0.core.network.heal();
            }

            /// How often each fault has fired.
            pub fn fault_counts(&self) -> FaultCounts {
                self.0.core.counts.lock().clone()
            }

            /// Which marks were hit.
            pub fn marks(&self) -> Marks {
                self.0.core.probe.marks.lock().clone()
            }

            /// A hash of everything that has happened.
            pub fn trace_hash(&self) -> u64 {
                self.0.core.trace.hash()
            }

            /// How many things have happened.
            pub fn trace_len(&self) -> u64 {
                self.0.core.trace.count()
            }

            /// What has happened, if the world keeps it ([`crate::TraceLevel::Full`]).
            pub fn trace(&self) -> Vec<Entry> {
                self.0.core.trace.entries()
            }

            /// Writes a line into the trace.
            pub fn note(&self, note: impl Into<String>) {
                self.0.core.record(Event::Note(note.into().into_boxed_str()));
            }

            /// Moves the wall clock.
            pub fn jump_clock(&self, microseconds: i64) {
                self.0.core.timeline.jump_wall(microseconds);
                self.0.core.fired(FaultKind::ClockJump);
            }

            /// One of `options`, the same whenever the same is decided: the size of a page, say.
            pub fn knob<T: Copy + std::fmt::Debug>(&self, name: &'static str, options: &[T]) -> T {
                let value = options[self.choices().pick(name, options.len())];
                self.note(format!("knob {name} = {value:?}"));
                value
            }
        }
    };
}

shared!(World);
shared!(Handle);

impl Handle {
    /// The environment of a node, as it lives now.
    pub fn env_of(&self, node: usize) -> Env {
        self.0.env_of(node)
    }

    /// Ends node 0 as soon as the task that runs yields; its I/O is disabled at once.
    pub fn crash(&self, kind: CrashKind) {
        self.crash_node(0, kind);
    }

    /// The same for any node.
    pub fn crash_node(&self, node: usize, kind: CrashKind) {
        self.0.core.request_crash(&self.0.incarnation(node), kind);
    }

    /// A place where the process may die: it does with a probability of `ppm` parts per million.
    pub fn crash_point(&self, site: &'static str, ppm: u32) {
        if self.0.core.choices.chance(site, ppm) {
            let kind = match self.0.core.choices.pick("crash.kind", 2) {
                0 => CrashKind::Power,
                _ => CrashKind::Process,
            };
            self.crash(kind);
        }
    }

    /// Ends a node after so many more polls of the world's tasks: between two steps of the program that no I/O marks.
    pub fn crash_after_polls(&self, node: usize, polls: u64, kind: CrashKind) {
        let request = CrashRequest { node, kind };
        *self.0.core.crash_at_poll.lock() = Some(PlannedCrash { polls, patience: 0, request });
    }

    /// The same, but then at the first moment at which a power cut has something to tear or to leave half done; without
    /// such a moment within `patience` polls, anyway. Most moments have nothing of the kind: a program that syncs what it
    /// writes leaves few openings, and it is in these that it is wrong.
    pub fn crash_when_exposed(&self, node: usize, polls: u64, patience: u64, kind: CrashKind) {
        let request = CrashRequest { node, kind };
        *self.0.core.crash_at_poll.lock() = Some(PlannedCrash { polls, patience, request });
    }

    /// Stops polling a node's tasks for some time, as SIGSTOP does; its I/O goes on.
    pub fn pause(&self, node: usize, time: Duration) {
        self.0.core.fired(FaultKind::ProcessPause);
        self.0.core.pause(node, time);
    }

    /// `future`, which is dropped at each of its waits with the probability of [`FaultKind::Cancellation`].
    pub fn cancellable<F: Future>(&self, site: &'static str, future: F) -> Cancellable<F> {
        Cancellable::new(self.0.core.clone(), site, future)
    }
}

impl Inner {
    fn next_incarnation(&self) -> u64 {
        self.incarnations.fetch_add(1, Relaxed)
    }

    fn incarnation(&self, node: NodeId) -> Arc<Incarnation> {
        self.nodes.lock()[node].incarnation.clone()
    }

    fn env_of(&self, node: NodeId) -> Env {
        let nodes = self.nodes.lock();
        let Node { disk, incarnation, .. } = &nodes[node];
        let core = self.core.clone();
        let mount = Mount { core: core.clone(), disk: disk.0.clone(), incarnation: incarnation.clone() };
        let limits = self.config;
        // Each incarnation draws from streams of its own.
        let root = SplitMix64::new(self.rng_seed).fork("incarnation").fork(&incarnation.number.to_string());
        Env {
            disk: mount.into_disk(),
            clock: Arc::new(SimClock { core: core.clone() }),
            rng: root,
            spawn: Arc::new(SimSpawn { core: core.clone(), incarnation: incarnation.clone(), limits }),
            probe: Some(Arc::new(SimProbe { core })),
        }
    }

    fn run(&self, node: NodeId, main: Pin<&mut dyn Future<Output = ()>>) -> Result<(), Stop> {
        run(&self.core, self.config, node, main, || {
            let is_exposed = |node: NodeId| self.nodes.lock()[node].disk.is_exposed();
            if let Some(CrashRequest { node, kind }) = self.core.crash_due(is_exposed) {
                self.core.request_crash(&self.incarnation(node), kind);
            }
            loop {
                let CrashRequest { node: crashed, kind } = self.core.crashes.lock().first().copied()?;
                if crashed == node {
                    return Some(Stop::Crashed(kind));
                }
                let _stop = self.restart(crashed, kind);
            }
        })
    }

    /// Drops what a dead node leaves behind.
    fn end_tasks(&self, node: NodeId) {
        drop(self.core.executor.take_tasks(node));
    }

    fn begin(&self, node: NodeId) {
        let incarnation = Arc::new(Incarnation::new(self.next_incarnation(), node));
        self.core.network.begin(&incarnation);
        self.nodes.lock()[node].incarnation = incarnation;
        self.core.executor.resume(node);
        self.boot(node);
    }

    fn boot(&self, node: NodeId) {
        let program = self.nodes.lock()[node].program.clone();
        if let Some(program) = program {
            let env = self.env_of(node);
            let _task = env.spawn.spawn("boot", program(env.clone()));
        }
    }

    /// The node is dead: drops its tasks, decides what is on its disk, and lets it live again.
    fn restart(&self, node: NodeId, kind: CrashKind) -> Stop {
        let core = &self.core;
        core.crashes.lock().retain(|request| request.node != node);
        self.end_tasks(node);
        let disk = self.nodes.lock()[node].disk.clone();
        let crash = core.faults.lock().crash();
        let mut counts = FaultCounts::default();
        let (fault, [changes, kept]) = match kind {
            CrashKind::Power => (
                FaultKind::PowerCut,
                disk.resolve_power_cut(crash, &core.choices, &mut counts, |event| core.record(event)),
            ),
            CrashKind::Process => (FaultKind::ProcessKill, disk.survive_process(&core.choices)),
        };
        counts.fire(fault);
        core.counts.lock().add(&counts);
        core.record(Event::Crash { node, kind: fault, changes, kept });
        core.network.crash(core, node, kind);
        self.begin(node);
        Stop::Crashed(kind)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let nodes = self.0.nodes.lock().len();
        for node in 0..nodes {
            self.0.incarnation(node).end();
            self.0.end_tasks(node);
        }
        // What was going to happen refers to disks and tasks, and they to the world.
        drop(self.0.core.timeline.clear());
    }
}
