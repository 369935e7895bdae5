//! How long an end of a connection has been waiting for what, and what it does about it.

use std::time::Duration;

use helios_env::Instant;

use super::NetworkOptions;

/// What an end has to do because of the time.
pub(super) enum Due {
    /// Give the connection up.
    GiveUp,
    /// Send the oldest of what has no answer again.
    Resend,
    /// Ask the peer whether it is there.
    Probe,
}

/// See the [module](self).
pub(super) struct Patience {
    /// When something of ours was last acknowledged, or began to wait for it.
    progress_at: Instant,
    /// When to send again.
    retry_at: Instant,
    retries: u32,
    /// When anything last arrived.
    heard_at: Instant,
    keepalive: Option<Duration>,
    keepalive_at: Instant,
}

impl Patience {
    pub(super) fn new(now: Instant) -> Patience {
        Patience { progress_at: now, retry_at: now, retries: 0, heard_at: now, keepalive: None, keepalive_at: now }
    }

    pub(super) fn keep_alive(&mut self, idle: Duration, now: Instant) {
        self.keepalive = Some(idle);
        self.heard(now);
    }

    /// Something has arrived.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
        if let Some(idle) = self.keepalive {
            self.keepalive_at = now + idle;
        }
    }

    /// The peer has answered, if not with what was hoped for.
    pub(super) fn answered(&mut self, now: Instant) {
        self.progress_at = now;
    }

    /// Something was acknowledged, or something new is waiting.
    pub(super) fn advanced(&mut self, now: Instant, options: &NetworkOptions) {
        self.progress_at = now;
        self.retries = 0;
        self.retry_at = now + options.retry_after(0);
    }

    /// When [`Patience::due`] has something to say. `waiting`: something of ours has no answer yet.
    pub(super) fn deadline(&self, waiting: bool, options: &NetworkOptions) -> Option<Instant> {
        if waiting {
            return Some(self.retry_at.min(self.progress_at + options.give_up_after));
        }
        let idle = self.keepalive?;
        Some(self.keepalive_at.min(self.heard_at + idle + options.give_up_after))
    }

    /// What is to be done now.
    pub(super) fn due(&mut self, waiting: bool, now: Instant, options: &NetworkOptions) -> Option<Due> {
        if waiting {
            if now >= self.progress_at + options.give_up_after {
                return Some(Due::GiveUp);
            }
            let is_due = now >= self.retry_at;
            if is_due {
                self.retries += 1;
                self.retry_at = now + options.retry_after(self.retries);
            }
            return is_due.then_some(Due::Resend);
        }
        let idle = self.keepalive?;
        if now >= self.heard_at + idle + options.give_up_after {
            return Some(Due::GiveUp);
        }
        let is_due = now >= self.keepalive_at;
        if is_due {
            self.keepalive_at = now + idle.min(Duration::from_secs(1));
        }
        is_due.then_some(Due::Probe)
    }
}
