//! [`Semaphore`] and [`AsyncMutex`].
//!
//! A permit is a value that releases itself when dropped, and it travels to its waiter inside the waiter's
//! [`Pending`]. So a waiter that is dropped at the very moment when it is served loses nothing: the permit is dropped
//! with the slot and goes to the next in line. The line is strict: nobody overtakes a large request that waits.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Mutex;
use crate::{Completer, Pending, pending};

struct State {
    available: usize,
    line: VecDeque<(usize, Completer<Permit>)>,
}

struct Shared(Mutex<State>);

impl Shared {
    /// Takes `released` back and serves the line from its front as far as it goes.
    fn serve(self: &Arc<Self>, released: usize) {
        let mut served = Vec::new();
        {
            let mut state = self.0.lock();
            state.available += released;
            while let Some((permits, waiter)) = state.line.front() {
                let permits = *permits;
                if waiter.is_abandoned() {
                    state.line.pop_front();
                } else if permits <= state.available {
                    state.available -= permits;
                    served.extend(state.line.pop_front());
                } else {
                    break;
                }
            }
        }
        for (permits, waiter) in served {
            // Gone in the meantime? Then the permit is dropped, which serves the line again.
            waiter.complete(Permit { shared: self.clone(), permits });
        }
    }
}

/// Counts what may be used at the same time; first come, first served.
pub struct Semaphore(Arc<Shared>);

impl Semaphore {
    /// A semaphore that hands out `permits`.
    pub fn new(permits: usize) -> Semaphore {
        Semaphore(Arc::new(Shared(Mutex::new(State { available: permits, line: VecDeque::new() }))))
    }

    /// Waits in line for `permits` at once. More than there are will never come.
    pub fn acquire(&self, permits: usize) -> Acquire {
        let wait = match self.try_acquire(permits) {
            Some(permit) => Pending::ready(permit),
            None => {
                let (completer, wait) = pending();
                self.0.0.lock().line.push_back((permits, completer));
                // Permits may have come back since they were refused.
                self.0.serve(0);
                wait
            }
        };
        Acquire { wait: Some(wait), shared: self.0.clone() }
    }

    /// `permits` at once, if nobody has to wait for them.
    pub fn try_acquire(&self, permits: usize) -> Option<Permit> {
        let mut state = self.0.0.lock();
        let line_is_empty = state.line.iter().all(|(_, waiter)| waiter.is_abandoned());
        if !line_is_empty || state.available < permits {
            return None;
        }
        state.available -= permits;
        Some(Permit { shared: self.0.clone(), permits })
    }

    /// Permits that nobody holds.
    pub fn available(&self) -> usize {
        self.0.0.lock().available
    }

    /// Adds permits for good.
    pub fn add(&self, permits: usize) {
        self.0.serve(permits);
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        // Whoever still waits will never be served; let go of their wakers, which may own the waiting tasks.
        let line = std::mem::take(&mut self.0.0.lock().line);
        drop(line);
    }
}

/// Waits for a [`Permit`]. It stands in line from its creation, not from its first poll.
#[must_use = "dropping it leaves the line"]
pub struct Acquire {
    /// `None` once served.
    wait: Option<Pending<Permit>>,
    shared: Arc<Shared>,
}

impl Future for Acquire {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit> {
        let wait = self.wait.as_mut().expect("not polled after it was ready");
        match Pin::new(wait).poll(cx) {
            Poll::Ready(permit) => {
                self.wait = None;
                Poll::Ready(permit)
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        if let Some(wait) = self.wait.take() {
            drop(wait);
            // A large request that leaves may let smaller ones pass.
            self.shared.serve(0);
        }
    }
}

/// A share of a [`Semaphore`], given back when dropped.
#[must_use = "dropping it gives it back"]
pub struct Permit {
    shared: Arc<Shared>,
    permits: usize,
}

impl Permit {
    /// Permits held.
    pub fn permits(&self) -> usize {
        self.permits
    }

    /// Consumes the permits for good: the semaphore shrinks by them.
    pub fn forget(mut self) {
        self.permits = 0;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.permits > 0 {
            self.shared.serve(self.permits);
        }
    }
}

/// A mutex that may be held across awaits; first come, first served. For a few instructions use [`super::Mutex`].
///
/// The value moves into the guard and back, which keeps this free of unsafe code: box what is large.
pub struct AsyncMutex<T> {
    value: Mutex<Option<T>>,
    turn: Semaphore,
}

impl<T> AsyncMutex<T> {
    /// An unlocked mutex around `value`.
    pub fn new(value: T) -> AsyncMutex<T> {
        AsyncMutex { value: Mutex::new(Some(value)), turn: Semaphore::new(1) }
    }

    /// Waits in line for the value.
    pub async fn lock(&self) -> AsyncMutexGuard<'_, T> {
        let permit = self.turn.acquire(1).await;
        self.guard(permit)
    }

    /// The value, if nobody holds it or waits for it.
    pub fn try_lock(&self) -> Option<AsyncMutexGuard<'_, T>> {
        self.turn.try_acquire(1).map(|permit| self.guard(permit))
    }

    fn guard(&self, permit: Permit) -> AsyncMutexGuard<'_, T> {
        let value = self.value.lock().take();
        assert!(value.is_some(), "the only permit says that the value is at home");
        AsyncMutexGuard { value, mutex: self, _permit: permit }
    }
}

/// Holds an [`AsyncMutex`] until dropped.
#[must_use = "dropping it unlocks"]
pub struct AsyncMutexGuard<'a, T> {
    value: Option<T>,
    mutex: &'a AsyncMutex<T>,
    /// Dropped after the value is back home: fields drop after `drop` ran.
    _permit: Permit,
}

impl<T> Deref for AsyncMutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.value.as_ref().expect("the value is here until the guard drops")
    }
}

impl<T> DerefMut for AsyncMutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("the value is here until the guard drops")
    }
}

impl<T> Drop for AsyncMutexGuard<'_, T> {
    fn drop(&mut self) {
        *self.mutex.value.lock() = self.value.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pending::testing::poll_once;

    fn ready<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        match poll_once(future) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    #[test]
    fn serves_first_come_first_served() {
        let semaphore = Semaphore::new(2);
        let first = semaphore.try_acquire(2).expect("two are free");
        let (mut large, mut small) = (semaphore.acquire(2), semaphore.acquire(1));
        assert!(semaphore.try_acquire(1).is_none());
        drop(first);
        let large = ready(&mut large).expect("first in line");
        assert!(ready(&mut small).is_none());
        drop(large);
        let small = ready(&mut small).expect("next in line");
        assert_eq!(semaphore.available(), 1);
        small.forget();
        semaphore.add(1);
        assert_eq!(semaphore.available(), 2);
    }

    #[test]
    fn nobody_overtakes_a_large_request() {
        let semaphore = Semaphore::new(2);
        let one = semaphore.try_acquire(1).expect("free");
        let mut large = semaphore.acquire(2);
        assert!(semaphore.try_acquire(1).is_none(), "one is free, but the line is not empty");
        let mut small = semaphore.acquire(1);
        assert!(ready(&mut large).is_none());
        drop(large);
        assert!(ready(&mut small).is_some(), "the large request left the line");
        drop(one);
    }

    #[test]
    fn a_permit_that_arrives_unseen_goes_back() {
        let semaphore = Semaphore::new(1);
        let held = semaphore.try_acquire(1).expect("free");
        let (unlucky, mut lucky) = (semaphore.acquire(1), semaphore.acquire(1));
        drop(held);
        drop(unlucky);
        assert!(ready(&mut lucky).is_some());
        assert_eq!(semaphore.available(), 1);
    }

    #[test]
    fn a_mutex_excludes_across_awaits() {
        let mutex = AsyncMutex::new(vec![1]);
        let mut guard = mutex.try_lock().expect("free");
        assert!(mutex.try_lock().is_none());
        let mut waiting = Box::pin(mutex.lock());
        assert!(ready(&mut waiting).is_none());
        guard.push(2);
        drop(guard);
        assert_eq!(*ready(&mut waiting).expect("unlocked"), [1, 2]);
        assert!(mutex.try_lock().is_some());
    }
}
