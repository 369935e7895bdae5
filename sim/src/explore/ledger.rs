//! What a program has promised so far.

use std::sync::Arc;

use helios_env::SplitMix64;
use helios_env::sync::Mutex;

/// What the outside world has been told. A script and its oracle share it: the script writes an acknowledgement down
/// when it is given (and, before it asks for something, that it asks), the oracle demands what stands there.
pub struct Ledger<S>(Arc<Mutex<Page<S>>>);

/// The ledger at one moment.
pub(super) struct Page<S> {
    pub(super) state: Arc<S>,
    /// Another state has another version.
    pub(super) version: u64,
    /// Told apart from other histories that began with the same page.
    line: u64,
    /// The part of the script that runs.
    pub(super) stage: u64,
}

impl<S> Clone for Ledger<S> {
    fn clone(&self) -> Ledger<S> {
        Ledger(self.0.clone())
    }
}

impl<S> Clone for Page<S> {
    fn clone(&self) -> Page<S> {
        Page { state: self.state.clone(), version: self.version, line: self.line, stage: self.stage }
    }
}

impl<S: Clone> Ledger<S> {
    /// A ledger that begins with `state`.
    pub fn new(state: S) -> Ledger<S> {
        Ledger(Arc::new(Mutex::new(Page { state: Arc::new(state), version: 0, line: 0, stage: 0 })))
    }

    /// What stands there now.
    pub fn get(&self) -> Arc<S> {
        self.0.lock().state.clone()
    }

    /// Writes something down.
    pub fn update<T>(&self, change: impl FnOnce(&mut S) -> T) -> T {
        let mut page = self.0.lock();
        page.version = SplitMix64::step(page.version ^ page.line).1;
        change(Arc::make_mut(&mut page.state))
    }

    /// A part of the script begins, one of its statements, say: [`super::Explore::stage_images_max`] is a bound for each.
    pub fn enter(&self, stage: u64) {
        self.0.lock().stage = stage;
    }

    pub(super) fn page(&self) -> Page<S> {
        self.0.lock().clone()
    }

    /// A ledger that goes on from a page, on a line of history of its own, called `id`.
    pub(super) fn resume(page: &Page<S>, id: u64) -> Ledger<S> {
        Ledger(Arc::new(Mutex::new(Page { line: id, ..page.clone() })))
    }
}
