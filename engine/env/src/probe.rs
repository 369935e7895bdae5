//! The simulator's hooks inside the engine.

/// Implemented by the simulator only; see [`crate::Env::buggify`] and [`crate::Env::sometimes`].
pub trait Probe: Send + Sync {
    /// Whether to perturb legal behaviour at `site` now.
    fn buggify(&self, site: &'static str) -> bool;
    /// Records that the engine reached the state `mark`.
    fn sometimes(&self, mark: &'static str);
}
