//! Making a failure small: delta debugging over its decision log.
//!
//! The log is the list of everything that went differently from the dullest possible run. Answers are put back to
//! zero, dropped, and made smaller, in large pieces first (Zeller and Hildebrandt's ddmin), as long as the run still
//! fails. What a candidate run really decided replaces the log, so that answers nobody asked for disappear.
//!
//! A life of thousands of decisions is chaotic: put one piece of it back, and whatever follows is another life. So before
//! anything is taken out in order, the log is *thinned*: all of a site at once, and then a random part of everything.
//! Each is another life, with fewer things in it, and most mistakes show in many of those. Lives get shorter by it, too,
//! which is what makes the rest fast.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use helios_env::SplitMix64;

use crate::choices::{Decision, DecisionLog};

/// A smaller log that still fails.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest found.
    pub log: DecisionLog,
    /// Decisions other than zero, before and after.
    pub interesting: [usize; 2],
    /// All decisions, before and after.
    pub decisions: [usize; 2],
    /// Runs made.
    pub runs: u64,
    /// Real time.
    pub elapsed: Duration,
}

impl std::fmt::Display for Shrunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ([i, j], [n, m]) = (self.interesting, self.decisions);
        let seconds = self.elapsed.as_secs_f64();
        write!(f, "{i} of {n} decisions before, {j} of {m} after, {} runs in {seconds:.2} s", self.runs)
    }
}

/// Shrinks `log` for at most `time`. `run` replays a candidate and, if it fails, returns what it decided.
pub fn shrink(log: &DecisionLog, time: Duration, run: impl FnMut(&DecisionLog) -> Option<DecisionLog>) -> Shrunk {
    let begun = Instant::now();
    let mut search = Search { best: log.clone(), run, runs: 0, deadline: begun + time, lots: 0 };
    loop {
        let before = search.size();
        search.thin();
        search.cut_tail();
        search.pieces(|piece| piece.iter_mut().for_each(|d| d.value = 0));
        search.drop_pieces();
        search.smaller_values();
        if search.size() == before || search.is_over() {
            break;
        }
    }
    Shrunk {
        interesting: [log.interesting(), search.best.interesting()],
        decisions: [log.decisions.len(), search.best.decisions.len()],
        log: search.best,
        runs: search.runs,
        elapsed: begun.elapsed(),
    }
}

struct Search<Run> {
    best: DecisionLog,
    run: Run,
    runs: u64,
    deadline: Instant,
    /// State of the generator that thins.
    lots: u64,
}

/// Eighths of the decisions that a thinned log keeps, and how often each is tried before the next.
const KEPT: [u64; 5] = [1, 2, 4, 6, 7];
const THINNINGS: u32 = 12;
/// A site with no more decisions than this is left alone in every other attempt: which faults there are and how large
/// things are is decided once, and counts for the whole life.
const RARE: usize = 16;

impl<Run: FnMut(&DecisionLog) -> Option<DecisionLog>> Search<Run> {
    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// What is to become small: first the decisions that are not zero, then their sum, then all decisions.
    fn size(&self) -> (usize, u64, usize) {
        size(&self.best)
    }

    /// Adopts the candidate if it still fails and is smaller.
    fn attempt(&mut self, candidate: &DecisionLog) -> bool {
        if self.is_over() {
            return false;
        }
        self.runs += 1;
        match (self.run)(candidate) {
            Some(decided) if size(&decided) < self.size() => {
                self.best = decided;
                true
            }
            _ => false,
        }
    }

    /// Puts whole sites back to zero, and then random parts of what is left, as long as that helps.
    fn thin(&mut self) {
        let sites: BTreeSet<_> = self.best.decisions.iter().map(|decision| decision.site.clone()).collect();
        for site in sites {
            let of_site = |decision: &Decision| decision.site == site;
            self.attempt_without(|decision, _| of_site(decision));
        }
        let mut failed = [0; KEPT.len()];
        while !self.is_over() && self.best.interesting() > KEPT.len() {
            let Some(at) = failed.iter().position(|failed| *failed < THINNINGS) else { return };
            let rare = if failed[at] % 2 == 0 { self.rare_sites() } else { BTreeSet::new() };
            if self.attempt_without(|decision, lot| lot % 8 >= KEPT[at] && !rare.contains(&decision.site)) {
                failed = [0; KEPT.len()];
            } else {
                failed[at] += 1;
            }
        }
    }

    /// Sites with few decisions that are not zero.
    fn rare_sites(&self) -> BTreeSet<Cow<'static, str>> {
        let mut counts: BTreeMap<&Cow<'static, str>, usize> = BTreeMap::new();
        for decision in self.best.decisions.iter().filter(|decision| decision.value != 0) {
            *counts.entry(&decision.site).or_default() += 1;
        }
        counts.into_iter().filter(|(_, count)| *count <= RARE).map(|(site, _)| site.clone()).collect()
    }

    /// Puts back to zero whatever `goes`, which is told a random number for each decision.
    fn attempt_without(&mut self, goes: impl Fn(&Decision, u64) -> bool) -> bool {
        let mut candidate = self.best.clone();
        let mut changed = false;
        for decision in candidate.decisions.iter_mut().filter(|decision| decision.value != 0) {
            let (state, lot) = SplitMix64::step(self.lots);
            self.lots = state;
            if goes(decision, lot >> 32) {
                (decision.value, changed) = (0, true);
            }
        }
        changed && self.attempt(&candidate)
    }

    /// Finds a short prefix after which everything may be zero.
    fn cut_tail(&mut self) {
        let (mut low, mut high) = (0, self.best.decisions.len());
        while low < high && !self.is_over() {
            let middle = low.midpoint(high);
            let candidate = DecisionLog { decisions: self.best.decisions[..middle].to_vec() };
            if self.attempt(&candidate) {
                high = middle.min(self.best.decisions.len());
            } else {
                low = middle + 1;
            }
        }
    }

    /// Changes pieces of the log, halving their size, for as long as that helps.
    fn pieces(&mut self, change: impl Fn(&mut [Decision])) {
        let mut size = (self.best.decisions.len() / 2).max(1);
        loop {
            let mut start = 0;
            while start < self.best.decisions.len() && !self.is_over() {
                let end = (start + size).min(self.best.decisions.len());
                if self.best.decisions[start..end].iter().any(|d| d.value != 0) {
                    let mut candidate = self.best.clone();
                    change(&mut candidate.decisions[start..end]);
                    self.attempt(&candidate);
                }
                start = end;
            }
            if size == 1 {
                return;
            }
            size /= 2;
        }
    }

    /// Drops pieces, so that later answers of the same site move up.
    fn drop_pieces(&mut self) {
        let mut size = (self.best.decisions.len() / 2).max(1);
        while size > 0 {
            let mut start = 0;
            while start < self.best.decisions.len() && !self.is_over() {
                let end = (start + size).min(self.best.decisions.len());
                let mut candidate = self.best.clone();
                candidate.decisions.drain(start..end);
                if !self.attempt(&candidate) {
                    start = end;
                }
            }
            // Dropping single decisions of a long log takes long and helps little.
            size = if size > self.best.decisions.len() / 64 { size / 2 } else { 0 };
        }
    }

    fn smaller_values(&mut self) {
        let mut index = 0;
        while index < self.best.decisions.len() && !self.is_over() {
            let value = self.best.decisions[index].value;
            let smaller = [1, value / 2, value.saturating_sub(1)];
            let adopted = smaller.into_iter().filter(|v| *v < value && *v > 0).any(|v| {
                let mut candidate = self.best.clone();
                candidate.decisions[index].value = v;
                self.attempt(&candidate)
            });
            index += usize::from(!adopted);
        }
    }
}

fn size(log: &DecisionLog) -> (usize, u64, usize) {
    let sum = log.decisions.iter().map(|d| u64::from(d.value)).sum();
    (log.interesting(), sum, log.decisions.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choices::Choices;

    /// Fails when some x below 100 is at least 50, and fifty questions later so is a y.
    fn program(choices: &Choices) -> bool {
        let x = (0..50).any(|_| choices.pick("x", 100) >= 50);
        let y = (0..50).any(|_| choices.pick("y", 100) >= 90);
        x && y
    }

    #[test]
    fn two_decisions_are_left_at_their_smallest() {
        let run = |log: &DecisionLog| {
            let choices = Choices::replay(log);
            program(&choices).then(|| choices.log())
        };
        let choices = Choices::seeded(3);
        assert!(program(&choices));
        let shrunk = shrink(&choices.log(), Duration::from_secs(20), run);
        let left: Vec<u32> = shrunk.log.decisions.iter().map(|d| d.value).filter(|v| *v > 0).collect();
        assert_eq!(left, [50, 90], "{shrunk}");
        assert_eq!(shrunk.log.decisions.len(), 2, "{shrunk}");
    }
}
