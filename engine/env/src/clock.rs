//! Time, in types of our own so that `std::time` cannot slip into the engine.
//!
//! There are two clocks, and they must not be confused. [`Clock::monotonic`] measures: timeouts, latencies, the age of
//! a cache entry. [`Clock::wall`] tells the date to people, in `now()` and in logs; it jumps when somebody sets it, so
//! nothing is ordered or decided by it. Commit timestamps are neither: they are counted.

use std::ops::{Add, Sub};
use std::time::Duration;

use crate::Pending;

/// Nanoseconds of monotonic time since an arbitrary origin (boot, or the beginning of a simulated world).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

/// Microseconds of wall time since 1970-01-01 00:00:00 UTC. May jump, forwards or backwards; nothing that must be
/// ordered is ordered by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Instant {
    /// Time since `earlier`, zero when `earlier` is later.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, rhs: Duration) -> Instant {
        Instant(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;
    fn sub(self, rhs: Instant) -> Duration {
        self.since(rhs)
    }
}

/// Monotonic and wall time, and the only way to sleep.
pub trait Clock: Send + Sync {
    /// Never runs backwards.
    fn monotonic(&self) -> Instant;
    /// The calendar's time; may jump.
    fn wall(&self) -> Timestamp;
    /// Completes once [`Clock::monotonic`] has reached `deadline`.
    fn sleep_until(&self, deadline: Instant) -> Pending<()>;
}
