//! Locks, atomics, and ways to wait that do not block.
//!
//! The first half re-exports what protects a few instructions: locks and atomics. Engine crates take them from here, so
//! that a model checker's can stand in for them. They block the thread, and are never held across an `await`.
//!
//! The second half waits by suspending the future, which is all that the simulator's only thread can do:
//!
//! | type | to wait for |
//! |---|---|
//! | [`Notify`] | "there is work": one waiter, and a notification that comes early is kept |
//! | [`WaitQueue`] | "look again": many waiters, woken in order or all at once |
//! | [`Semaphore`] | a share of something bounded |
//! | [`AsyncMutex`] | exclusive use of a value across awaits |
//!
//! All of them are first come, first served, so that the order of events depends on nothing but the order of calls, and
//! nobody starves. All of them survive a waiter that is dropped at any moment: what it was handed in the meantime goes
//! to the next one. They are built on [`crate::pending`] and contain no unsafe code.

mod semaphore;
mod waiting;

pub use std::sync::atomic::{self, AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub use std::sync::{Arc, OnceLock, Weak};

pub use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use semaphore::{Acquire, AsyncMutex, AsyncMutexGuard, Permit, Semaphore};
pub use waiting::{Notify, Wait, WaitQueue};
