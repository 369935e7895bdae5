//! Every decision that the world leaves open, made in one place.
//!
//! A simulated world is a deterministic program with holes in it: which ready task runs, how long a write takes,
//! whether it fails, which unsynced sector survives the power cut. Each hole is one call of [`Choices::pick`], which
//! names the place that asks (the *site*) and how many answers there are. Who answers is a [`Source`]:
//!
//! ```text
//!   seeded      random, from one number              swarm testing
//!   replay      from a recorded log                  reproducing and shrinking a failure
//!   exhaustive  every sequence of answers in turn    bounded model checking
//!   bytes       from a fuzzer's input                coverage-guided fuzzing
//! ```
//!
//! so that these four are one engine. Every decision is recorded in a [`DecisionLog`]. **The log, not the seed, is the
//! unit of replay**: a seed stops meaning anything once somebody adds a draw; a log is matched site by site, and a
//! new site leaves the others alone.
//!
//! Answer 0 is by convention the dull one: no fault, the oldest task first, the shortest latency, the write kept.
//! Shrinking therefore means turning answers into zeros, and a replay that runs out of recorded answers runs on
//! quietly. Questions with one possible answer are not asked, and not recorded.

mod exhaustive;
mod log;
mod sources;

use std::sync::Arc;

use helios_env::sync::Mutex;

pub use exhaustive::{Enumeration, enumerate};
pub use log::{Decision, DecisionLog, LogError};
pub use sources::{Bytes, Replay, Seeded};

/// Parts per million, the unit of every probability here.
pub const MILLION: u32 = 1_000_000;

/// Answers questions; see the [module](self).
pub trait Source: Send {
    /// An answer below `n` (which is at least 2) to the question asked at `site`. With `weights`, one per answer,
    /// an answer of weight zero is never given; a source that draws lots draws in their proportion.
    fn pick(&mut self, site: &'static str, n: u32, weights: Option<&[u32]>) -> u32;

    /// How often a recorded answer was missing or out of range.
    fn divergences(&self) -> u64 {
        0
    }
}

/// The handle through which the whole world asks; clones share the source and the log.
#[derive(Clone)]
pub struct Choices(Arc<Mutex<State>>);

struct State {
    source: Box<dyn Source>,
    log: Vec<Decision>,
}

impl Choices {
    /// Answers from any source.
    pub fn new(source: impl Source + 'static) -> Choices {
        Choices(Arc::new(Mutex::new(State { source: Box::new(source), log: Vec::new() })))
    }

    /// Random answers determined by `seed`.
    pub fn seeded(seed: u64) -> Choices {
        Choices::new(Seeded::new(seed))
    }

    /// Recorded answers, zeros when they run out.
    pub fn replay(log: &DecisionLog) -> Choices {
        Choices::new(Replay::new(log))
    }

    /// Answers taken from a fuzzer's bytes, zeros when they run out.
    pub fn bytes(bytes: &[u8]) -> Choices {
        Choices::new(Bytes::new(bytes))
    }

    /// One of `n` equally likely answers.
    ///
    /// # Panics
    /// When `n` is zero or above `u32::MAX`.
    pub fn pick(&self, site: &'static str, n: usize) -> usize {
        assert!(n > 0, "a question at {site} without an answer");
        if n == 1 {
            return 0;
        }
        let n = u32::try_from(n).expect("fewer than 2^32 answers");
        self.0.lock().decide(site, n, None) as usize
    }

    /// One of `weights.len()` answers, each as likely as its weight says. At least one weight is not zero; when
    /// just one is, its answer is given without being asked for.
    pub fn pick_weighted(&self, site: &'static str, weights: &[u32]) -> usize {
        let mut possible = weights.iter().enumerate().filter(|(_, w)| **w > 0).map(|(i, _)| i);
        let first = possible.next().expect("some answer has a weight");
        if possible.next().is_none() {
            return first;
        }
        let n = u32::try_from(weights.len()).expect("fewer than 2^32 answers");
        self.0.lock().decide(site, n, Some(weights)) as usize
    }

    /// True with a probability of `ppm` parts per million; 0 and 1,000,000 ask nothing.
    pub fn chance(&self, site: &'static str, ppm: u32) -> bool {
        let ppm = ppm.min(MILLION);
        self.pick_weighted(site, &[MILLION - ppm, ppm]) == 1
    }

    /// A number between `low` and `high`, both included; `low` is the dull answer.
    pub fn between(&self, site: &'static str, low: u64, high: u64) -> u64 {
        assert!(low <= high, "an empty range at {site}");
        let span = usize::try_from(high - low).expect("the range fits") + 1;
        low + self.pick(site, span) as u64
    }

    /// 64 bits for a generator that the world does not control (recorded as two decisions).
    pub fn seed(&self, site: &'static str) -> u64 {
        let word = u32::MAX as usize;
        (self.pick(site, word) as u64) << 32 | self.pick(site, word) as u64
    }

    /// What has been decided so far.
    pub fn log(&self) -> DecisionLog {
        DecisionLog { decisions: self.0.lock().log.clone() }
    }

    /// How many decisions there have been.
    pub fn decisions(&self) -> usize {
        self.0.lock().log.len()
    }

    /// How often a replayed log had no fitting answer: zero when the program is the one that was recorded.
    pub fn divergences(&self) -> u64 {
        self.0.lock().source.divergences()
    }
}

impl State {
    fn decide(&mut self, site: &'static str, n: u32, weights: Option<&[u32]>) -> u32 {
        let value = self.source.pick(site, n, weights);
        assert!(value < n, "the source answered {value} of {n} at {site}");
        self.log.push(Decision { site: site.into(), n, value });
        value
    }
}

impl std::fmt::Debug for Choices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Choices({} decisions)", self.decisions())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(choices: &Choices) -> Vec<usize> {
        (0..50)
            .map(|i| if i % 3 == 0 { choices.pick("a", 7) } else { choices.pick_weighted("b", &[5, 0, 1]) })
            .collect()
    }

    #[test]
    fn a_seed_determines_the_answers_and_a_log_repeats_them() {
        let first = Choices::seeded(11);
        let answers = draw(&first);
        assert_eq!(answers, draw(&Choices::seeded(11)));
        assert_ne!(answers, draw(&Choices::seeded(12)));
        let replayed = Choices::replay(&first.log());
        assert_eq!(answers, draw(&replayed));
        assert_eq!(replayed.divergences(), 0);
        assert_eq!(replayed.log(), first.log());
    }

    #[test]
    fn a_new_site_leaves_a_replay_of_the_others_alone() {
        let first = Choices::seeded(3);
        let answers = draw(&first);
        let replayed = Choices::replay(&first.log());
        assert_eq!(replayed.pick("new", 10), 0);
        assert_eq!(answers, draw(&replayed));
        assert_eq!(replayed.divergences(), 1);
    }

    #[test]
    fn one_possible_answer_is_no_decision() {
        let choices = Choices::seeded(1);
        assert_eq!(choices.pick("a", 1), 0);
        assert_eq!(choices.pick_weighted("b", &[0, 9, 0]), 1);
        assert!(!choices.chance("c", 0));
        assert!(choices.chance("c", MILLION));
        assert_eq!(choices.decisions(), 0);
    }

    #[test]
    fn weights_are_kept() {
        let choices = Choices::seeded(5);
        let hits = (0..100_000).filter(|_| choices.chance("x", 100_000)).count();
        assert!((9_000..11_000).contains(&hits), "{hits}");
    }

    #[test]
    fn bytes_decide_and_then_zeros() {
        let choices = Choices::bytes(&[9, 2]);
        assert_eq!((0..4).map(|_| choices.pick("a", 4)).collect::<Vec<_>>(), [1, 2, 0, 0]);
    }
}
