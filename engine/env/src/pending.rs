//! One concrete future for everything that completes later: I/O, timers, lock waits.
//!
//! A [`Pending`] is either ready at birth, at no cost, or backed by a one-shot slot shared with a [`Completer`].
//! Dropping the `Pending` stops the waiting; what was being waited for goes on, and its result is dropped with the
//! slot. So a result that must not get lost (a permit, a lock) is a value that gives itself back when dropped.
//! Dropping the `Completer` without completing is a bug in a backend, except at shutdown: the waiter then stays
//! pending for ever, and is forgotten by the slot, so that a task waiting for nothing is freed.
//!
//! ```text
//!            complete(v)              poll
//!  Waiting ─────────────▶ Done(v) ───────────▶ Taken
//!     │ │ drop(Completer)
//!     │ └───────────────▶ Orphaned
//!     └─ drop(Pending) ─▶ Abandoned   (from any state)
//! ```

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::sync::Mutex;

/// The result of an operation that may still be under way.
#[must_use = "nothing is known about the operation before this is awaited"]
pub struct Pending<T>(Repr<T>);

enum Repr<T> {
    Ready(Option<T>),
    Slot(Arc<Slot<T>>),
}

/// The other end of a [`Pending`]: whoever holds it completes the operation, once.
pub struct Completer<T>(Arc<Slot<T>>);

impl<T> Drop for Completer<T> {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        if let State::Waiting(_) = &*state {
            // The waker may own the waiting task, which owns the slot: dropped outside the lock, and cutting the cycle.
            let _waker = std::mem::replace(&mut *state, State::Orphaned);
            drop(state);
        }
    }
}

struct Slot<T>(Mutex<State<T>>);

enum State<T> {
    Waiting(Option<Waker>),
    Done(T),
    Taken,
    /// The `Completer` was dropped: nothing will ever come.
    Orphaned,
    /// The `Pending` was dropped: nobody wants the result.
    Abandoned,
}

/// A pending operation and its completer.
pub fn pending<T>() -> (Completer<T>, Pending<T>) {
    let slot = Arc::new(Slot(Mutex::new(State::Waiting(None))));
    (Completer(slot.clone()), Pending(Repr::Slot(slot)))
}

impl<T> Pending<T> {
    /// An operation that is done already.
    pub fn ready(value: T) -> Pending<T> {
        Pending(Repr::Ready(Some(value)))
    }
}

impl<T> Completer<T> {
    /// Hands over the result and wakes the waiter. Says whether there was one; if not, `value` was dropped.
    pub fn complete(self, value: T) -> bool {
        let mut state = self.0.0.lock();
        match std::mem::replace(&mut *state, State::Taken) {
            State::Waiting(waker) => {
                *state = State::Done(value);
                drop(state);
                if let Some(waker) = waker {
                    waker.wake();
                }
                true
            }
            State::Abandoned => {
                *state = State::Abandoned;
                drop(state);
                drop(value);
                false
            }
            State::Done(_) | State::Taken | State::Orphaned => unreachable!("a completer completes once"),
        }
    }

    /// Whether the waiter is gone, so that nobody will see the result.
    pub fn is_abandoned(&self) -> bool {
        matches!(*self.0.0.lock(), State::Abandoned)
    }
}

impl<T> Unpin for Pending<T> {}

impl<T> Future for Pending<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match &mut self.get_mut().0 {
            Repr::Ready(value) => Poll::Ready(value.take().expect("a Pending is not polled after it was ready")),
            Repr::Slot(slot) => {
                let mut state = slot.0.lock();
                match std::mem::replace(&mut *state, State::Taken) {
                    State::Done(value) => Poll::Ready(value),
                    State::Waiting(old) => {
                        let waker = match old {
                            Some(old) if old.will_wake(cx.waker()) => old,
                            _ => cx.waker().clone(),
                        };
                        *state = State::Waiting(Some(waker));
                        drop(state);
                        crate::runtime::here::awaited_by(cx.waker());
                        Poll::Pending
                    }
                    State::Orphaned => {
                        *state = State::Orphaned;
                        Poll::Pending
                    }
                    State::Taken | State::Abandoned => unreachable!("a Pending is not polled after it was ready"),
                }
            }
        }
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if let Repr::Slot(slot) = &self.0 {
            // A result that arrived unseen is dropped outside the lock.
            let _unseen = std::mem::replace(&mut *slot.0.lock(), State::Abandoned);
        }
    }
}

impl<T> std::fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pending")
    }
}

impl<T> std::fmt::Debug for Completer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Completer")
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// One poll that wakes nobody.
    pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::testing::poll_once;
    use super::*;

    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notices when it is dropped.
    struct Droppable(Arc<AtomicUsize>);

    impl Drop for Droppable {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn ready_at_birth() {
        assert_eq!(poll_once(&mut Pending::ready(7)), Poll::Ready(7));
    }

    #[test]
    fn completion_wakes_the_last_waker_once() {
        let (first, second) = (Arc::new(Counter(AtomicUsize::new(0))), Arc::new(Counter(AtomicUsize::new(0))));
        let (completer, mut pending) = pending();
        for counter in [&first, &second, &second] {
            let waker = Waker::from(counter.clone());
            assert!(Pin::new(&mut pending).poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert!(completer.complete(1));
        assert_eq!((first.0.load(Ordering::Relaxed), second.0.load(Ordering::Relaxed)), (0, 1));
        assert_eq!(poll_once(&mut pending), Poll::Ready(1));
    }

    #[test]
    fn dropped_before_completion_the_result_is_dropped_and_told() {
        let drops = Arc::new(AtomicUsize::new(0));
        let (completer, pending) = pending();
        drop(pending);
        assert!(completer.is_abandoned());
        assert!(!completer.complete(Droppable(drops.clone())));
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn dropped_after_completion_the_result_is_dropped_once() {
        let drops = Arc::new(AtomicUsize::new(0));
        let (completer, pending) = pending();
        assert!(completer.complete(Droppable(drops.clone())));
        assert_eq!(drops.load(Ordering::Relaxed), 0);
        drop(pending);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn an_orphan_pends_for_ever_and_holds_no_waker() {
        let counter = Arc::new(Counter(AtomicUsize::new(0)));
        let (completer, mut pending) = pending::<()>();
        let waker = Waker::from(counter.clone());
        assert!(Pin::new(&mut pending).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(completer);
        assert!(Pin::new(&mut pending).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        assert_eq!(Arc::strong_count(&counter), 1, "the slot let go of the waker");
        assert_eq!(counter.0.load(Ordering::Relaxed), 0);
    }
}
