//! What a thread in `block_on` does itself.
//!
//! Handing an operation to another thread and being woken by it costs two context switches, often more than the
//! operation. A thread in `block_on` would only sleep meanwhile, so it does the work: an operation started during a
//! poll is put aside, in this thread's one slot, and when the poll ends with the future still pending, the thread
//! performs it. Everything else goes to other threads:
//!
//! * a second operation started in the same poll sends the first one away, so that they overlap;
//! * an operation in the slot when `block_on` returns, or when a nested `block_on` begins, is sent away;
//! * an operation in the slot when a [`crate::Pending`] is polled for somebody else than this `block_on` (by a foreign
//!   executor that blocks inside it, or a combinator with wakers of its own) is sent away;
//! * on a thread that is not in `block_on`, operations are sent away at once.
//!
//! An operation therefore starts at the next await at the latest, and always completes, whoever waits for it. As on any
//! executor, a future that blocks its thread without awaiting (joining a thread that waits for its operation, say) stops
//! what it started.
//!
//! The slot is a thread-local, the only one in the engine: it describes what the thread is doing at this moment, and
//! is empty whenever the thread is outside `block_on`, so it connects nothing to anything.

use std::cell::RefCell;
use std::task::Waker;

/// An operation that has not started, and can be performed by this thread or by another.
pub(crate) trait Deferred: Send {
    /// Performs and completes it, blocking this thread.
    fn perform_here(self: Box<Self>);
    /// Lets another thread, or the kernel, perform and complete it.
    fn hand_over(self: Box<Self>);
}

/// A thread's innermost `block_on`.
struct Slot {
    /// Identity of the waker that it polls with.
    waker: *const (),
    operation: Option<Box<dyn Deferred>>,
}

thread_local! {
    static SLOT: RefCell<Option<Slot>> = const { RefCell::new(None) };
}

/// Starts `operation`: on this thread at the next await when it is in `block_on`, elsewhere at once when not.
pub(crate) fn defer(operation: Box<dyn Deferred>) {
    let mut operation = Some(operation);
    let displaced = SLOT.try_with(|slot| match &mut *slot.borrow_mut() {
        Some(slot) => std::mem::replace(&mut slot.operation, operation.take()),
        None => operation.take(),
    });
    // The slot is gone while the thread ends; then `operation` is still here.
    if let Some(displaced) = displaced.unwrap_or(operation) {
        displaced.hand_over();
    }
}

/// Somebody with this waker waits on this thread: if it is not the thread's `block_on`, the slot is emptied, since the
/// thread may not come back to it in time.
pub(crate) fn awaited_by(waker: &Waker) {
    let operation = SLOT.try_with(|slot| match &mut *slot.borrow_mut() {
        Some(slot) if slot.waker != waker.data() => slot.operation.take(),
        _ => None,
    });
    if let Ok(Some(operation)) = operation {
        operation.hand_over();
    }
}

/// This thread is in `block_on` until this drops.
pub(crate) struct Here {
    /// The `block_on` around this one, if it is nested.
    outer: Option<Slot>,
}

impl Here {
    /// Enters `block_on`, which will poll with `waker`.
    pub(crate) fn enter(waker: &Waker) -> Here {
        let mut outer = SLOT.with(|slot| slot.replace(Some(Slot { waker: waker.data(), operation: None })));
        if let Some(operation) = outer.as_mut().and_then(|outer| outer.operation.take()) {
            operation.hand_over();
        }
        Here { outer }
    }

    /// What the last poll left to do.
    pub(crate) fn take(&self) -> Option<Box<dyn Deferred>> {
        SLOT.with(|slot| slot.borrow_mut().as_mut().and_then(|slot| slot.operation.take()))
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        let ended = SLOT.with(|slot| slot.replace(self.outer.take()));
        if let Some(operation) = ended.and_then(|slot| slot.operation) {
            operation.hand_over();
        }
    }
}
