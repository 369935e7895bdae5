//! What all parts of one world share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use helios_env::sync::Mutex;

use crate::choices::{Choices, MILLION};
use crate::executor::{Executor, NodeId};
use crate::faults::{FaultCounts, FaultKind, Faults};
use crate::marks::{Buggify, ProbeState};
use crate::network::Network;
use crate::timeline::Timeline;
use crate::trace::{Event, Trace};

pub(crate) struct Core {
    pub(crate) choices: Choices,
    pub(crate) executor: Arc<Executor>,
    pub(crate) timeline: Timeline,
    pub(crate) network: Network,
    pub(crate) trace: Trace,
    pub(crate) probe: ProbeState,
    pub(crate) buggify: Mutex<Buggify>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) counts: Mutex<FaultCounts>,
    /// Crashes asked for and not yet carried out.
    pub(crate) crashes: Mutex<Vec<CrashRequest>>,
    /// Whether a run is under way, so that a crash has somewhere to unwind to.
    pub(crate) running: AtomicBool,
    pub(crate) crash_at_poll: Mutex<Option<PlannedCrash>>,
}

/// A crash that is due after so many polls, and then as soon as the disk is exposed, but not later than so many more.
pub(crate) struct PlannedCrash {
    pub(crate) polls: u64,
    pub(crate) patience: u64,
    pub(crate) request: CrashRequest,
}

/// How long a process stands still: not so long that a life of thousands of operations consists of it.
const PAUSES: [Duration; 3] = [Duration::from_millis(2), Duration::from_millis(100), Duration::from_secs(2)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CrashRequest {
    pub(crate) node: NodeId,
    pub(crate) kind: CrashKind,
}

/// How a node ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashKind {
    /// The power fails: unsynced changes are at the mercy of the disk.
    Power,
    /// The process is killed: the page cache survives, so the next process may *read* what is not durable.
    Process,
}

/// One life of a node, from start to crash.
pub(crate) struct Incarnation {
    pub(crate) number: u64,
    pub(crate) node: NodeId,
    dead: AtomicBool,
}

impl Incarnation {
    pub(crate) fn new(number: u64, node: NodeId) -> Incarnation {
        Incarnation { number, node, dead: AtomicBool::new(false) }
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Relaxed)
    }

    pub(crate) fn end(&self) {
        self.dead.store(true, Relaxed);
    }
}

impl Core {
    pub(crate) fn record(&self, event: Event) {
        self.trace.record(self.timeline.now(), event);
    }

    /// Records what only a full trace holds; otherwise it costs nothing.
    pub(crate) fn record_detail(&self, event: impl FnOnce() -> Event) {
        if self.trace.is_full() {
            self.record(event());
        }
    }

    pub(crate) fn fired(&self, kind: FaultKind) {
        self.counts.lock().fire(kind);
        self.record(Event::Fault(kind));
    }

    /// Whether `kind` happens now; it then counts as fired.
    pub(crate) fn fault(&self, kind: FaultKind) -> bool {
        self.fires(kind, self.draw(kind.name(), &[kind]))
    }

    /// The same for an operation on the file at `path`.
    pub(crate) fn fault_at(&self, kind: FaultKind, path: &str) -> bool {
        self.fires(kind, self.draw_at(kind.name(), &[kind], path))
    }

    fn fires(&self, kind: FaultKind, drawn: Option<FaultKind>) -> bool {
        if drawn.is_some() {
            self.fired(kind);
        }
        drawn.is_some()
    }

    /// Which of `kinds` happens now, if any. One decision, and none when all are switched off. It does not count as
    /// fired before it had an effect.
    pub(crate) fn draw(&self, site: &'static str, kinds: &[FaultKind]) -> Option<FaultKind> {
        self.draw_by(site, kinds, Faults::ppm)
    }

    /// The same for an operation on the file at `path`.
    pub(crate) fn draw_at(&self, site: &'static str, kinds: &[FaultKind], path: &str) -> Option<FaultKind> {
        self.draw_by(site, kinds, |faults, kind| faults.ppm_at(kind, path))
    }

    /// The same with a probability of the caller's, in parts per million.
    pub(crate) fn draw_by(
        &self,
        site: &'static str,
        kinds: &[FaultKind],
        ppm: impl Fn(&Faults, FaultKind) -> u32,
    ) -> Option<FaultKind> {
        const MOST: usize = 8;
        let mut weights = [0; MOST];
        {
            let faults = self.faults.lock();
            for (weight, kind) in weights[1..].iter_mut().zip(kinds) {
                *weight = ppm(&faults, *kind);
            }
        }
        let sum: u32 = weights.iter().sum();
        if sum == 0 {
            return None;
        }
        weights[0] = MILLION.saturating_sub(sum);
        let answer = self.choices.pick_weighted(site, &weights[..=kinds.len()]);
        answer.checked_sub(1).map(|index| kinds[index])
    }

    /// A place where the process may be stopped for a while, as by SIGSTOP; its I/O goes on.
    pub(crate) fn perhaps_pause(self: &Arc<Self>, node: NodeId) {
        if self.fault(FaultKind::ProcessPause) {
            let time = PAUSES[self.choices.pick("pause.time", PAUSES.len())];
            self.pause(node, time);
        }
    }

    /// Stops polling a node's tasks for some time.
    pub(crate) fn pause(self: &Arc<Self>, node: NodeId, time: Duration) {
        let executor = self.executor.clone();
        executor.pause(node);
        self.timeline.schedule(time, Box::new(move || executor.resume(node)));
    }

    /// Counts a step of the outermost run; the crash that was to come at it. One that waits for a disk to be exposed asks
    /// `is_exposed` about its node.
    pub(crate) fn crash_due(&self, is_exposed: impl Fn(NodeId) -> bool) -> Option<CrashRequest> {
        let mut due = self.crash_at_poll.lock();
        let PlannedCrash { polls, patience, request } = due.as_mut()?;
        if *polls > 0 {
            *polls -= 1;
            return None;
        }
        if *patience > 0 && !is_exposed(request.node) {
            *patience -= 1;
            return None;
        }
        due.take().map(|planned| planned.request)
    }

    /// Ends a node's life at once as far as its I/O is concerned; the run loop does the rest.
    pub(crate) fn request_crash(&self, incarnation: &Incarnation, kind: CrashKind) {
        if !incarnation.is_dead() {
            incarnation.end();
            self.crashes.lock().push(CrashRequest { node: incarnation.node, kind });
        }
    }
}
