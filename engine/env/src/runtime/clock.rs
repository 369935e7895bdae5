//! The machine's clocks.

use std::time::{SystemTime, UNIX_EPOCH};

use super::timer::Timer;
use crate::{Clock, Instant, Pending, Result, Timestamp};

/// Monotonic time since its creation, the system's wall time, and a timer thread.
pub(crate) struct SystemClock {
    timer: Timer,
}

impl SystemClock {
    pub(crate) fn start() -> Result<SystemClock> {
        Ok(SystemClock { timer: Timer::start()? })
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Instant {
        self.timer.now()
    }

    fn wall(&self) -> Timestamp {
        let micros = |duration: std::time::Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Timestamp(match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => micros(since),
            Err(before) => -micros(before.duration()),
        })
    }

    fn sleep_until(&self, deadline: Instant) -> Pending<()> {
        self.timer.sleep_until(deadline)
    }
}
