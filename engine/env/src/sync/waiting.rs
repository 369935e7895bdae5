//! Condition queues: [`WaitQueue`] and [`Notify`].
//!
//! A waiter is a [`Pending`] whose value is a *baton*. Waking one waiter hands it a baton; a waiter that sees it is
//! awake and the baton is spent. A waiter that is dropped with the baton unseen (cancelled between being woken and
//! being polled) drops the baton, whose `Drop` runs on to the next waiter. So a wake-up meant for one is seen by one,
//! which a plain flag per waiter could not promise.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use super::Mutex;
use crate::{Completer, Pending, pending};

/// Waiters between two sweeps for abandoned ones, at least.
const SWEEP_MIN: usize = 32;

#[derive(Default)]
struct Queue {
    waiters: VecDeque<Completer<Baton>>,
    /// Length at which abandoned waiters are swept out; doubles with the live ones, so that sweeping costs O(1) each.
    sweep_at: usize,
    /// A notification that found nobody ([`Notify`] only).
    stored: bool,
}

impl Queue {
    fn push(&mut self, waiter: Completer<Baton>) {
        if self.waiters.len() >= self.sweep_at.max(SWEEP_MIN) {
            self.waiters.retain(|waiter| !waiter.is_abandoned());
            self.sweep_at = self.waiters.len() * 2;
        }
        self.waiters.push_back(waiter);
    }
}

/// One wake-up, on its way to one waiter.
struct Baton {
    /// Where to run on when dropped unseen; empty once seen, or when everyone is woken anyway.
    next: Weak<Mutex<Queue>>,
    /// Whether the wake-up is stored when nobody waits.
    keep: bool,
}

impl Drop for Baton {
    fn drop(&mut self) {
        if let Some(queue) = self.next.upgrade() {
            wake_one(&queue, self.keep);
        }
    }
}

/// Wakes the first live waiter. Says whether there was one.
fn wake_one(queue: &Arc<Mutex<Queue>>, keep: bool) -> bool {
    loop {
        let waiter = {
            let mut queue = queue.lock();
            match queue.waiters.pop_front() {
                Some(waiter) => waiter,
                None => {
                    queue.stored |= keep;
                    return false;
                }
            }
        };
        // Should the waiter go away between the question and the answer, then the baton runs on by itself.
        if !waiter.is_abandoned() {
            waiter.complete(Baton { next: Arc::downgrade(queue), keep });
            return true;
        }
    }
}

/// Waits for a turn; made by [`WaitQueue::wait`] and [`Notify::notified`]. It stands in the queue from its creation,
/// not from its first poll.
#[must_use = "a wait that is dropped leaves the queue"]
pub struct Wait(Pending<Baton>);

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match Pin::new(&mut self.0).poll(cx) {
            Poll::Ready(mut baton) => {
                baton.next = Weak::new();
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Waiters in order of arrival. A wake-up that finds nobody is gone, as with a condition variable: look at the
/// condition after [`WaitQueue::wait`] was called and before it is awaited.
///
/// ```
/// # use helios_env::sync::WaitQueue;
/// # async fn example(queue: WaitQueue, condition: impl Fn() -> bool) {
/// loop {
///     let turn = queue.wait();
///     if condition() {
///         break;
///     }
///     turn.await;
/// }
/// # }
/// ```
#[derive(Default)]
pub struct WaitQueue(Arc<Mutex<Queue>>);

impl WaitQueue {
    /// An empty queue.
    pub fn new() -> WaitQueue {
        WaitQueue::default()
    }

    /// Stands in the queue, from now on.
    pub fn wait(&self) -> Wait {
        let (completer, wait) = pending();
        self.0.lock().push(completer);
        Wait(wait)
    }

    /// Wakes whoever has waited longest. Says whether there was anyone.
    pub fn wake_one(&self) -> bool {
        wake_one(&self.0, false)
    }

    /// Wakes everyone who waits now, in order of arrival.
    pub fn wake_all(&self) {
        let waiters = std::mem::take(&mut self.0.lock().waiters);
        for waiter in waiters {
            waiter.complete(Baton { next: Weak::new(), keep: false });
        }
    }
}

/// "There is work", for a loop that does it: a notification that finds nobody waiting is kept, once, and the next
/// [`Notify::notified`] returns at once. Two notifications before the loop looks are one.
#[derive(Default)]
pub struct Notify(Arc<Mutex<Queue>>);

impl Notify {
    /// Nobody waits and nothing is stored.
    pub fn new() -> Notify {
        Notify::default()
    }

    /// Completes with the next notification, or with the stored one.
    pub fn notified(&self) -> Wait {
        let mut queue = self.0.lock();
        if std::mem::take(&mut queue.stored) {
            return Wait(Pending::ready(Baton { next: Arc::downgrade(&self.0), keep: true }));
        }
        let (completer, wait) = pending();
        queue.push(completer);
        Wait(wait)
    }

    /// Wakes whoever has waited longest, or stores the notification.
    pub fn notify(&self) {
        wake_one(&self.0, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pending::testing::poll_once;

    #[test]
    fn wakes_in_order_of_arrival() {
        let queue = WaitQueue::new();
        let (mut a, mut b, mut c) = (queue.wait(), queue.wait(), queue.wait());
        assert!(queue.wake_one());
        assert!(poll_once(&mut a).is_ready());
        assert!(poll_once(&mut b).is_pending());
        queue.wake_all();
        assert!(poll_once(&mut b).is_ready());
        assert!(poll_once(&mut c).is_ready());
        assert!(!queue.wake_one());
        assert!(poll_once(&mut queue.wait()).is_pending(), "a condition queue stores nothing");
    }

    #[test]
    fn a_wake_up_passes_over_those_who_left() {
        let queue = WaitQueue::new();
        let (a, mut b) = (queue.wait(), queue.wait());
        drop(a);
        assert!(queue.wake_one());
        assert!(poll_once(&mut b).is_ready());
    }

    #[test]
    fn a_wake_up_unseen_runs_on_to_the_next() {
        let queue = WaitQueue::new();
        let (a, b, mut c) = (queue.wait(), queue.wait(), queue.wait());
        assert!(queue.wake_one());
        drop(a);
        drop(b);
        assert!(poll_once(&mut c).is_ready());
        let (a, mut b) = (queue.wait(), queue.wait());
        assert!(queue.wake_one());
        let mut a = a;
        assert!(poll_once(&mut a).is_ready());
        drop(a);
        assert!(poll_once(&mut b).is_pending(), "a wake-up that was seen is spent");
    }

    #[test]
    fn a_notification_that_finds_nobody_is_kept_once() {
        let notify = Notify::new();
        notify.notify();
        notify.notify();
        assert!(poll_once(&mut notify.notified()).is_ready());
        let mut later = notify.notified();
        assert!(poll_once(&mut later).is_pending());
        notify.notify();
        drop(later);
        assert!(poll_once(&mut notify.notified()).is_ready(), "dropped unseen, so stored again");
        notify.notify();
        drop(notify.notified());
        assert!(poll_once(&mut notify.notified()).is_ready(), "the stored one too");
    }

    #[test]
    fn those_who_left_do_not_pile_up() {
        let queue = WaitQueue::new();
        let stays: Vec<Wait> = (0..5).map(|_| queue.wait()).collect();
        for _ in 0..10_000 {
            drop(queue.wait());
        }
        assert!(queue.0.lock().waiters.len() <= 2 * SWEEP_MIN);
        queue.wake_all();
        for mut wait in stays {
            assert!(poll_once(&mut wait).is_ready());
        }
    }
}
