//! Query memory: reserved before it is used, given back when its owner is dropped.
//!
//! ```text
//!   MemoryBudget (server) ◀── MemoryBudget (session) ◀── MemoryBudget (statement) ◀── Reservation (an operator's)
//! ```
//!
//! An operator that keeps rows owns a [`Reservation`] and grows it before it keeps more. A budget that is exhausted
//! refuses with 53200; an operator that can spill sees the refusal first ([`Reservation::try_grow`]) and may make room.

use std::sync::Arc;

use helios_env::Probe;
use helios_env::sync::{AtomicUsize, Ordering};
use helios_types::{PgError, Result, SqlState};

/// Reservations are made in steps of at least this many bytes, so that small growth costs no atomic.
const STEP_BYTES: usize = 64 * 1024;

/// A limit on memory, possibly inside a larger one.
pub struct MemoryBudget {
    limit_bytes: usize,
    used_bytes: AtomicUsize,
    parent: Option<Arc<MemoryBudget>>,
    /// The simulator's, which refuses memory that there is.
    probe: Option<Arc<dyn Probe>>,
}

impl MemoryBudget {
    /// A budget of its own.
    pub fn new(limit_bytes: usize) -> Arc<MemoryBudget> {
        MemoryBudget::probed(limit_bytes, None)
    }

    /// A budget of its own, which the simulator may declare exhausted at any time.
    pub fn probed(limit_bytes: usize, probe: Option<Arc<dyn Probe>>) -> Arc<MemoryBudget> {
        Arc::new(MemoryBudget { limit_bytes, used_bytes: AtomicUsize::new(0), parent: None, probe })
    }

    /// A budget inside this one.
    pub fn child(self: &Arc<MemoryBudget>, limit_bytes: usize) -> Arc<MemoryBudget> {
        Arc::new(MemoryBudget { limit_bytes, used_bytes: AtomicUsize::new(0), parent: Some(self.clone()), probe: None })
    }

    /// Bytes reserved now.
    pub fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Reserves, here and in every budget around; `false`, and nothing reserved, when one of them has no room.
    fn reserve(&self, bytes: usize) -> bool {
        let reserved = self.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|used| *used <= self.limit_bytes)
        });
        if reserved.is_err() {
            return false;
        }
        if self.parent.as_ref().is_some_and(|parent| !parent.reserve(bytes)) {
            self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        true
    }

    /// Whether a simulation has memory refused now that there would be.
    fn is_refused(&self) -> bool {
        match (&self.probe, &self.parent) {
            (Some(probe), _) => probe.refuse_memory(),
            (None, Some(parent)) => parent.is_refused(),
            (None, None) => false,
        }
    }

    fn release(&self, bytes: usize) {
        let before = self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(before >= bytes, "released more than was reserved");
        if let Some(parent) = &self.parent {
            parent.release(bytes);
        }
    }
}

impl std::fmt::Debug for MemoryBudget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemoryBudget({} of {} bytes)", self.used_bytes(), self.limit_bytes)
    }
}

/// An owner's share of a budget.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<MemoryBudget>,
    reserved_bytes: usize,
    needed_bytes: usize,
}

impl Reservation {
    /// Nothing yet.
    pub fn new(budget: &Arc<MemoryBudget>) -> Reservation {
        Reservation { budget: budget.clone(), reserved_bytes: 0, needed_bytes: 0 }
    }

    /// Makes the share at least `bytes` in all; `false` when there is no room.
    #[must_use]
    pub fn try_resize(&mut self, bytes: usize) -> bool {
        self.needed_bytes = bytes;
        if bytes <= self.reserved_bytes {
            if self.reserved_bytes - bytes > STEP_BYTES * 2 {
                self.budget.release(self.reserved_bytes - bytes);
                self.reserved_bytes = bytes;
            }
            return true;
        }
        if self.budget.is_refused() {
            return false;
        }
        let exact = bytes - self.reserved_bytes;
        for more in [exact.max(STEP_BYTES), exact] {
            if self.budget.reserve(more) {
                self.reserved_bytes += more;
                return true;
            }
        }
        false
    }

    /// Makes the share larger; `false` when there is no room.
    #[must_use]
    pub fn try_grow(&mut self, bytes: usize) -> bool {
        let before = self.needed_bytes;
        let grown = self.try_resize(before + bytes);
        if !grown {
            self.needed_bytes = before;
        }
        grown
    }

    /// Makes the share at least `bytes` in all, or fails with 53200.
    pub fn resize(&mut self, bytes: usize) -> Result<()> {
        if self.try_resize(bytes) { Ok(()) } else { Err(out_of_memory(bytes)) }
    }

    /// Makes the share larger, or fails with 53200.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        if self.try_grow(bytes) { Ok(()) } else { Err(out_of_memory(bytes)) }
    }

    /// Gives everything back.
    pub fn clear(&mut self) {
        self.budget.release(self.reserved_bytes);
        self.reserved_bytes = 0;
        self.needed_bytes = 0;
    }

    /// Bytes asked for so far.
    pub fn bytes(&self) -> usize {
        self.needed_bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.clear();
    }
}

fn out_of_memory(bytes: usize) -> PgError {
    PgError::new(SqlState::OUT_OF_MEMORY, "out of memory")
        .with_detail(format!("Failed on request of size {bytes} in memory context \"ExecutorState\"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_given_back_when_its_owner_goes() {
        let server = MemoryBudget::new(1 << 20);
        let statement = server.child(1 << 19);
        let mut share = Reservation::new(&statement);
        share.resize(100_000).expect("there is room");
        assert!(server.used_bytes() >= 100_000);
        drop(share);
        assert_eq!((server.used_bytes(), statement.used_bytes()), (0, 0));
    }

    #[test]
    fn no_room_is_an_error_and_reserves_nothing() {
        let server = MemoryBudget::new(1000);
        let statement = server.child(1 << 20);
        let mut share = Reservation::new(&statement);
        share.grow(900).expect("there is room");
        let error = share.grow(200).expect_err("there is no room");
        assert_eq!(error.code(), SqlState::OUT_OF_MEMORY);
        assert_eq!((server.used_bytes(), statement.used_bytes()), (900, 900));
        share.grow(100).expect("what was refused was not counted");
    }
}
