//! What all parts of one world share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

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
    /// A crash that is due after so many polls.
    pub(crate) crash_at_poll: Mutex<Option<(u64, CrashRequest)>>,
}

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
        let happens = self.draw(kind.name(), &[kind]).is_some();
        if happens {
            self.fired(kind);
        }
        happens
    }

    /// Which of `kinds` happens now, if any. One decision, and none when all are switched off. It does not count as
    /// fired before it had an effect.
    pub(crate) fn draw(&self, site: &'static str, kinds: &[FaultKind]) -> Option<FaultKind> {
        const MOST: usize = 8;
        let mut weights = [0; MOST];
        {
            let faults = self.faults.lock();
            for (weight, kind) in weights[1..].iter_mut().zip(kinds) {
                *weight = faults.ppm(*kind);
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

    /// Counts a step of the outermost run; the crash that was to come at it.
    pub(crate) fn crash_due(&self) -> Option<CrashRequest> {
        let mut due = self.crash_at_poll.lock();
        match &mut *due {
            None => None,
            Some((0, _)) => due.take().map(|(_, request)| request),
            Some((polls, _)) => {
                *polls -= 1;
                None
            }
        }
    }

    /// Ends a node's life at once as far as its I/O is concerned; the run loop does the rest.
    pub(crate) fn request_crash(&self, incarnation: &Incarnation, kind: CrashKind) {
        if !incarnation.is_dead() {
            incarnation.end();
            self.crashes.lock().push(CrashRequest { node: incarnation.node, kind });
        }
    }
}
