//! Coverage of states: what the program said it reached, and which sites were perturbed.
//!
//! `env.sometimes("recovery found a torn tail")` in a program claims that some world makes this happen. A swarm adds up
//! the hits of its worlds; a mark that is expected and was never hit means that the swarm does not test what it
//! claims to, and fails it.
//!
//! `env.buggify("flush early")` asks whether to do something unusual and legal. Per world a quarter of the sites is
//! enabled, so that each combination comes up; an enabled site says yes now and then.

use std::collections::BTreeMap;
use std::sync::Arc;

use helios_env::Probe;
use helios_env::hash::HashMap;
use helios_env::sync::Mutex;

use crate::core::Core;
use crate::faults::FaultKind;
use crate::trace::Event;

/// Hits by mark.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<&'static str, u64>);

impl Marks {
    /// How often `mark` was hit.
    pub fn hits(&self, mark: &str) -> u64 {
        self.0.get(mark).copied().unwrap_or(0)
    }

    /// All marks that were hit, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().map(|(mark, hits)| (*mark, *hits))
    }

    /// Adds another world's hits.
    pub fn add(&mut self, other: &Marks) {
        for (mark, hits) in other.iter() {
            *self.0.entry(mark).or_default() += hits;
        }
    }

    /// Those of `expected` that were never hit.
    pub fn missing<'a>(&self, expected: &[&'a str]) -> Vec<&'a str> {
        expected.iter().copied().filter(|mark| self.hits(mark) == 0).collect()
    }

    pub(crate) fn hit(&mut self, mark: &'static str) {
        *self.0.entry(mark).or_default() += 1;
    }
}

/// How often [`helios_env::Env::buggify`] says yes, in parts per million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buggify {
    /// The share of sites that are enabled in a world.
    pub enabled_ppm: u32,
    /// The share of questions at an enabled site that are answered with yes.
    pub fires_ppm: u32,
}

impl Buggify {
    /// Never.
    pub const OFF: Buggify = Buggify { enabled_ppm: 0, fires_ppm: 0 };
    /// A quarter of the sites, a quarter of the time (FoundationDB's figures).
    pub const USUAL: Buggify = Buggify { enabled_ppm: 250_000, fires_ppm: 250_000 };
}

#[derive(Default)]
pub(crate) struct ProbeState {
    pub(crate) marks: Mutex<Marks>,
    sites: Mutex<HashMap<&'static str, bool>>,
}

pub(crate) struct SimProbe {
    pub(crate) core: Arc<Core>,
}

impl Probe for SimProbe {
    fn buggify(&self, site: &'static str) -> bool {
        let Buggify { enabled_ppm, fires_ppm } = *self.core.buggify.lock();
        if enabled_ppm == 0 || fires_ppm == 0 {
            return false;
        }
        let choices = &self.core.choices;
        let enabled =
            *self.core.probe.sites.lock().entry(site).or_insert_with(|| choices.chance("buggify.site", enabled_ppm));
        let fires = enabled && choices.chance(site, fires_ppm);
        if fires {
            self.core.record(Event::Buggify(site));
        }
        fires
    }

    fn sometimes(&self, mark: &'static str) {
        self.core.probe.marks.lock().hit(mark);
        self.core.record(Event::Mark(mark));
    }

    fn refuse_memory(&self) -> bool {
        self.core.fault(FaultKind::MemoryLimit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_add_up_and_missing_ones_are_named() {
        let mut a = Marks::default();
        a.hit("x");
        let mut b = Marks::default();
        b.hit("x");
        b.hit("y");
        a.add(&b);
        assert_eq!(a.iter().collect::<Vec<_>>(), [("x", 2), ("y", 1)]);
        assert_eq!(a.missing(&["x", "z"]), ["z"]);
    }
}
