//! Simulated time: what will happen, in order, and the clock that jumps from one happening to the next.
//!
//! Nothing takes time but waiting. While any task is ready the clock stands still; when none is, the earliest event
//! (a timer, an I/O completion) is due at once. A world that sleeps for a year is as fast as one that does not.

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use helios_env::sync::Mutex;
use helios_env::{Clock, Instant, Pending, Timestamp, pending};

use crate::core::Core;
use crate::faults::FaultKind;

/// Wall time at the beginning of every world: 2026-01-01 00:00:00 UTC, in microseconds.
const BEGINNING: i64 = 1_767_225_600_000_000;

pub(crate) type Happening = Box<dyn FnOnce() + Send>;

#[derive(Default)]
pub(crate) struct Timeline(Mutex<State>);

#[derive(Default)]
struct State {
    now: Instant,
    seq: u64,
    scheduled: BinaryHeap<Scheduled>,
    wall_offset: i64,
}

struct Scheduled {
    at: Instant,
    seq: u64,
    happen: Happening,
}

impl Scheduled {
    /// The heap gives its greatest first; the earliest, and of those the first scheduled, is the greatest.
    fn key(&self) -> std::cmp::Reverse<(Instant, u64)> {
        std::cmp::Reverse((self.at, self.seq))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Scheduled) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Scheduled) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Scheduled) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Timeline {
    pub(crate) fn now(&self) -> Instant {
        self.0.lock().now
    }

    pub(crate) fn schedule(&self, after: Duration, happen: Happening) {
        let mut state = self.0.lock();
        let at = state.now + after;
        state.push(at, happen);
    }

    pub(crate) fn schedule_at(&self, at: Instant, happen: Happening) {
        self.0.lock().push(at, happen);
    }

    /// Moves to the next event not later than `limit` and lets it happen; false when there is none.
    pub(crate) fn advance(&self, limit: Instant) -> bool {
        let next = {
            let mut state = self.0.lock();
            match state.scheduled.peek() {
                Some(next) if next.at <= limit => {
                    let next = state.scheduled.pop().expect("just seen");
                    state.now = state.now.max(next.at);
                    next
                }
                _ => return false,
            }
        };
        (next.happen)();
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().scheduled.is_empty()
    }

    /// Forgets everything that was going to happen.
    pub(crate) fn clear(&self) -> Vec<Happening> {
        std::mem::take(&mut self.0.lock().scheduled).into_iter().map(|s| s.happen).collect()
    }

    pub(crate) fn jump_wall(&self, microseconds: i64) {
        self.0.lock().wall_offset += microseconds;
    }

    fn wall(&self) -> Timestamp {
        let state = self.0.lock();
        Timestamp(BEGINNING + (state.now.0 / 1_000) as i64 + state.wall_offset)
    }
}

impl State {
    fn push(&mut self, at: Instant, happen: Happening) {
        self.seq += 1;
        let seq = self.seq;
        self.scheduled.push(Scheduled { at, seq, happen });
    }
}

/// How far a clock jump goes, in seconds.
const JUMPS_SECONDS: [i64; 6] = [1, -1, 60, -60, 86_400, -86_400];

/// The clock of one incarnation of a node.
pub(crate) struct SimClock {
    pub(crate) core: Arc<Core>,
}

impl Clock for SimClock {
    fn monotonic(&self) -> Instant {
        self.core.timeline.now()
    }

    fn wall(&self) -> Timestamp {
        if self.core.fault(FaultKind::ClockJump) {
            let jump = JUMPS_SECONDS[self.core.choices.pick("clock.jump", JUMPS_SECONDS.len())];
            self.core.timeline.jump_wall(jump * 1_000_000);
        }
        self.core.timeline.wall()
    }

    fn sleep_until(&self, deadline: Instant) -> Pending<()> {
        if deadline <= self.core.timeline.now() {
            return Pending::ready(());
        }
        let (completer, pending) = pending();
        self.core.timeline.schedule_at(
            deadline,
            Box::new(move || {
                let _awaited = completer.complete(());
            }),
        );
        pending
    }
}
