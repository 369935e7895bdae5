//! Snapshots: a pinned timestamp. Nothing is copied, nothing is written.
//!
//! Versions are dropped only below the *horizon*, the oldest pin or, without one, the newest published commit. Taking
//! the horizon and taking a pin exclude one another, so a pin is never taken below a horizon that a compaction
//! already uses: whoever reads the published timestamp and pins it does so under the registry's lock.
//!
//! ```text
//!   commits   1 ─ 2 ─ 3 ─ 4 ─ 5 ─ 6 ─ 7   published = 7
//!                 pin       pin            horizon   = 2: of each key, the newest version <= 2 and all above stay
//! ```
//!
//! A read at a timestamp that nobody pinned may find its versions gone. That is noticed, not answered wrongly: every
//! dropper first raises `dropped_below`, and a read below that mark must prove that its timestamp is pinned.

use std::collections::BTreeMap;

use helios_env::sync::{Arc, AtomicU64, Mutex, Ordering};

use crate::{CommitTs, Error, Result};

/// The registry of pinned timestamps, and the published one.
#[derive(Debug)]
pub(crate) struct Snapshots {
    pins: Mutex<BTreeMap<CommitTs, usize>>,
    published: AtomicU64,
    dropped_below: AtomicU64,
}

impl Snapshots {
    /// A registry whose newest commit is `published`.
    pub(crate) fn new(published: CommitTs) -> Arc<Snapshots> {
        Arc::new(Snapshots {
            pins: Mutex::new(BTreeMap::new()),
            published: AtomicU64::new(published.0),
            dropped_below: AtomicU64::new(0),
        })
    }

    /// The newest commit that readers may see.
    pub(crate) fn published(&self) -> CommitTs {
        CommitTs(self.published.load(Ordering::Acquire))
    }

    /// Lets readers see everything up to `commit_ts`; its writes are applied already.
    pub(crate) fn publish(&self, commit_ts: CommitTs) {
        let before = self.published.swap(commit_ts.0, Ordering::Release);
        assert!(before <= commit_ts.0, "timestamps are published in order: {before} then {commit_ts}");
    }

    /// Pins the newest published timestamp.
    pub(crate) fn pin(self: &Arc<Self>) -> Snapshot {
        let mut pins = self.pins.lock();
        let at = self.published();
        *pins.entry(at).or_default() += 1;
        drop(pins);
        Snapshot { registry: self.clone(), at }
    }

    /// The timestamp below which only the newest version of a key is needed. From here on unpinned reads below it
    /// are refused.
    pub(crate) fn raise_horizon(&self) -> CommitTs {
        let pins = self.pins.lock();
        let horizon = pins.keys().next().copied().unwrap_or_else(|| self.published());
        self.dropped_below.fetch_max(horizon.0, Ordering::AcqRel);
        horizon
    }

    /// Called after reading at `at`: whether everything that the read should have seen was still there.
    #[inline]
    pub(crate) fn check_readable(&self, at: CommitTs) -> Result<()> {
        let oldest = self.dropped_below.load(Ordering::Acquire);
        if at.0 >= oldest {
            return Ok(());
        }
        self.check_pinned(at, CommitTs(oldest))
    }

    #[cold]
    fn check_pinned(&self, at: CommitTs, oldest: CommitTs) -> Result<()> {
        if self.pins.lock().contains_key(&at) { Ok(()) } else { Err(Error::SnapshotTooOld { at, oldest }) }
    }

    /// How many timestamps are pinned, and the oldest of them.
    pub(crate) fn pinned(&self) -> (usize, Option<CommitTs>) {
        let pins = self.pins.lock();
        (pins.values().sum(), pins.keys().next().copied())
    }
}

/// A pinned timestamp: everything that was visible at it stays readable until the last clone is dropped.
#[derive(Debug)]
pub struct Snapshot {
    registry: Arc<Snapshots>,
    at: CommitTs,
}

impl Snapshot {
    /// The timestamp.
    pub fn commit_ts(&self) -> CommitTs {
        self.at
    }
}

impl Clone for Snapshot {
    fn clone(&self) -> Snapshot {
        *self.registry.pins.lock().get_mut(&self.at).expect("a snapshot's timestamp is pinned while it lives") += 1;
        Snapshot { registry: self.registry.clone(), at: self.at }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let mut pins = self.registry.pins.lock();
        let count = pins.get_mut(&self.at).expect("a snapshot's timestamp is pinned while it lives");
        *count -= 1;
        if *count == 0 {
            pins.remove(&self.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_horizon_is_the_oldest_pin() {
        let registry = Snapshots::new(CommitTs(5));
        assert_eq!(registry.raise_horizon(), CommitTs(5));
        let five = registry.pin();
        registry.publish(CommitTs(9));
        let nine = registry.pin();
        let again = five.clone();
        drop(five);
        assert_eq!(registry.raise_horizon(), CommitTs(5));
        assert_eq!(registry.pinned(), (2, Some(CommitTs(5))));
        drop(again);
        assert_eq!(registry.raise_horizon(), CommitTs(9));
        drop(nine);
        assert_eq!(registry.pinned(), (0, None));
    }

    #[test]
    fn an_unpinned_read_below_the_horizon_is_refused() {
        let registry = Snapshots::new(CommitTs(5));
        let five = registry.pin();
        registry.publish(CommitTs(9));
        assert_eq!(registry.raise_horizon(), CommitTs(5));
        drop(five);
        assert_eq!(registry.raise_horizon(), CommitTs(9));
        assert_eq!(
            registry.check_readable(CommitTs(5)),
            Err(Error::SnapshotTooOld { at: CommitTs(5), oldest: CommitTs(9) })
        );
        assert_eq!(registry.check_readable(CommitTs(9)), Ok(()));
    }
}
