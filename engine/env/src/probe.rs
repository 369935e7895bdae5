//! The simulator's hooks inside the engine.
//!
//! Two questions that only the engine can answer are asked through them. *May this be perturbed?* A memtable may be
//! flushed before it is full and a batch may be cut short; at such a site the engine asks [`crate::Env::buggify`], and
//! in a simulation the seed answers, so that rare paths become common. *Was this reached?* A state worth testing is
//! marked by [`crate::Env::sometimes`], and a swarm of simulations that never reaches a mark has failed. In production
//! there is no probe, and both are one branch.

/// Implemented by the simulator only; see [`crate::Env::buggify`] and [`crate::Env::sometimes`].
pub trait Probe: Send + Sync {
    /// Whether to perturb legal behaviour at `site` now.
    fn buggify(&self, site: &'static str) -> bool;
    /// Records that the engine reached the state `mark`.
    fn sometimes(&self, mark: &'static str);
    /// Whether memory that is asked for now is refused, as if the limit were reached.
    fn refuse_memory(&self) -> bool {
        false
    }
}
