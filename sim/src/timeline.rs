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
    wall: Wall,
}

/// The wall clock: what it showed last, when, and how it goes on from there.
struct Wall {
    /// Microseconds since 1970.
    shown: i64,
    at: Instant,
    /// Microseconds that it moves in a second.
    rate_ppm: i64,
    stands_until: Instant,
}

impl Default for Wall {
    fn default() -> Wall {
        Wall { shown: BEGINNING, at: Instant::default(), rate_ppm: RIGHT_PPM, stands_until: Instant::default() }
    }
}

impl Wall {
    /// Moves the hands to where they are now.
    fn read(&mut self, now: Instant) -> i64 {
        let moves_from = self.at.max(self.stands_until).min(now);
        let elapsed_micros = i64::try_from((now.0 - moves_from.0) / 1_000).expect("a world ends within an aeon");
        self.shown += (i128::from(elapsed_micros) * i128::from(self.rate_ppm) / i128::from(RIGHT_PPM)) as i64;
        // What is less than a microsecond is not lost: it is read again.
        self.at = Instant(now.0 - (now.0 - moves_from.0) % 1_000);
        self.shown
    }
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
        self.0.lock().wall.shown += microseconds;
    }

    /// From now on the wall clock moves so many microseconds in a second.
    fn set_wall_rate(&self, rate_ppm: i64) {
        let mut state = self.0.lock();
        let now = state.now;
        state.wall.read(now);
        state.wall.rate_ppm = rate_ppm;
    }

    fn stop_wall(&self, time: Duration) {
        let mut state = self.0.lock();
        let now = state.now;
        state.wall.read(now);
        state.wall.stands_until = now + time;
    }

    /// The wall clock goes right from here on; what it shows is not put right.
    pub(crate) fn heal_wall(&self) {
        self.set_wall_rate(RIGHT_PPM);
        self.stop_wall(Duration::ZERO);
    }

    fn wall(&self) -> Timestamp {
        let mut state = self.0.lock();
        let now = state.now;
        Timestamp(state.wall.read(now))
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

/// How fast a clock runs that is right, and how fast those run that are not, in microseconds per second.
const RIGHT_PPM: i64 = 1_000_000;
const SKEWS_PPM: [i64; 5] = [1_000_200, 999_800, 1_100_000, 900_000, 500_000];

/// How long a clock stands still.
const STOPS: [Duration; 3] = [Duration::from_millis(10), Duration::from_secs(1), Duration::from_secs(60)];

/// The clock of one incarnation of a node.
pub(crate) struct SimClock {
    pub(crate) core: Arc<Core>,
}

impl Clock for SimClock {
    fn monotonic(&self) -> Instant {
        self.core.timeline.now()
    }

    fn wall(&self) -> Timestamp {
        let Core { timeline, choices, .. } = &*self.core;
        if self.core.fault(FaultKind::ClockJump) {
            let jump = JUMPS_SECONDS[choices.pick("clock.jump", JUMPS_SECONDS.len())];
            timeline.jump_wall(jump * 1_000_000);
        }
        if self.core.fault(FaultKind::ClockSkew) {
            timeline.set_wall_rate(SKEWS_PPM[choices.pick("clock.skew", SKEWS_PPM.len())]);
        }
        if self.core.fault(FaultKind::ClockStop) {
            timeline.stop_wall(STOPS[choices.pick("clock.stop", STOPS.len())]);
        }
        timeline.wall()
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
