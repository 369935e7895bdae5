//! One thread that completes sleeps when they are due.
//!
//! Most sleeps of a database are timeouts that never fire: the wait they guard ends first, and the sleep is dropped.
//! Setting one takes a lock and a heap insertion, and wakes the thread only if the sleep is the next one due. Dropped
//! ones are swept out whenever the heap has doubled, so a long timeout on a short wait does not pile up.

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::{Completer, Instant, IoError, Pending, Result, pending};

/// Sleeps between two sweeps for dropped ones, at least.
const SWEEP_MIN: usize = 1024;

pub(super) struct Timer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    origin: std::time::Instant,
    schedule: Mutex<Schedule>,
    changed: Condvar,
}

#[derive(Default)]
struct Schedule {
    sleeps: BinaryHeap<Sleep>,
    /// Sleeps ever set; equal deadlines complete in the order of setting.
    set: u64,
    sweep_at: usize,
    closed: bool,
}

struct Sleep {
    deadline: Instant,
    number: u64,
    completer: Completer<()>,
}

impl Shared {
    fn now(&self) -> Instant {
        Instant(u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn run(&self) {
        let mut schedule = self.schedule.lock();
        while !schedule.closed {
            let now = self.now();
            match schedule.sleeps.peek().map(|next| next.deadline) {
                None => self.changed.wait(&mut schedule),
                Some(deadline) if deadline > now => {
                    // A far deadline is approached in steps: the operating system's clock may not reach that far.
                    let step = deadline.since(now).min(Duration::from_secs(3600));
                    self.changed.wait_for(&mut schedule, step);
                }
                Some(_) => {
                    let due = schedule.sleeps.pop().expect("peeked at it");
                    parking_lot::MutexGuard::unlocked(&mut schedule, || due.completer.complete(()));
                }
            }
        }
    }
}

impl Timer {
    pub(super) fn start() -> Result<Timer> {
        let shared =
            Arc::new(Shared { origin: std::time::Instant::now(), schedule: Mutex::default(), changed: Condvar::new() });
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new()
            .name("helios-timer".to_owned())
            .spawn(move || of_thread.run())
            .map_err(|error| IoError::from_errno(error.raw_os_error().unwrap_or(0), "start a thread"))?;
        Ok(Timer { shared, thread: Some(thread) })
    }

    /// Time since the timer was started.
    pub(super) fn now(&self) -> Instant {
        self.shared.now()
    }

    pub(super) fn sleep_until(&self, deadline: Instant) -> Pending<()> {
        if deadline <= self.now() {
            return Pending::ready(());
        }
        let (completer, pending) = pending();
        let mut schedule = self.shared.schedule.lock();
        if schedule.sleeps.len() >= schedule.sweep_at.max(SWEEP_MIN) {
            schedule.sleeps.retain(|sleep| !sleep.completer.is_abandoned());
            schedule.sweep_at = schedule.sleeps.len() * 2;
        }
        let is_next = schedule.sleeps.peek().is_none_or(|next| deadline < next.deadline);
        schedule.set += 1;
        let number = schedule.set;
        schedule.sleeps.push(Sleep { deadline, number, completer });
        drop(schedule);
        if is_next {
            self.shared.changed.notify_one();
        }
        pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let mut schedule = self.shared.schedule.lock();
        schedule.closed = true;
        let forgotten = std::mem::take(&mut schedule.sleeps);
        drop(schedule);
        // Outside the lock: letting go of a waiter may drop its task, and with it anything at all.
        drop(forgotten);
        self.shared.changed.notify_one();
        super::pool::join(self.thread.take().into_iter().collect());
    }
}

/// The heap's greatest is the next one due.
impl Ord for Sleep {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.deadline, other.number).cmp(&(self.deadline, self.number))
    }
}

impl PartialOrd for Sleep {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Sleep {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Sleep {}
