//! Seeded, replayed and fuzzed answers.

use std::collections::VecDeque;

use helios_env::SplitMix64;
use helios_env::hash::HashMap;

use super::{DecisionLog, Source};

/// Random answers from one seed.
pub struct Seeded {
    state: u64,
}

impl Seeded {
    /// The answers that `seed` determines.
    pub fn new(seed: u64) -> Seeded {
        // One step separates neighbouring seeds.
        Seeded { state: SplitMix64::step(seed).1 }
    }

    /// Uniform below `n`, by Lemire's multiplication (the bias is below 2^-32).
    fn below(&mut self, n: u64) -> u64 {
        let (state, bits) = SplitMix64::step(self.state);
        self.state = state;
        ((u128::from(bits) * u128::from(n)) >> 64) as u64
    }
}

impl Source for Seeded {
    fn pick(&mut self, _site: &'static str, n: u32, weights: Option<&[u32]>) -> u32 {
        let Some(weights) = weights else { return self.below(u64::from(n)) as u32 };
        let total = weights.iter().map(|w| u64::from(*w)).sum();
        let mut lot = self.below(total);
        for (answer, weight) in (0..).zip(weights) {
            match lot.checked_sub(u64::from(*weight)) {
                None => return answer,
                Some(rest) => lot = rest,
            }
        }
        unreachable!("the lot is below the sum of the weights")
    }
}

/// Recorded answers, matched site by site: the third answer recorded at a site goes to the third question there,
/// however many questions were added or removed elsewhere.
pub struct Replay {
    recorded: HashMap<Box<str>, VecDeque<u32>>,
    after: Option<Seeded>,
    divergences: u64,
}

impl Replay {
    /// Zeros after the recorded answers.
    pub fn new(log: &DecisionLog) -> Replay {
        let mut recorded: HashMap<Box<str>, VecDeque<u32>> = HashMap::default();
        for decision in &log.decisions {
            match recorded.get_mut(&*decision.site) {
                Some(answers) => answers.push_back(decision.value),
                None => {
                    recorded.insert((*decision.site).into(), VecDeque::from([decision.value]));
                }
            }
        }
        Replay { recorded, after: None, divergences: 0 }
    }

    /// Random answers after the recorded ones.
    pub fn then_seeded(log: &DecisionLog, seed: u64) -> Replay {
        Replay { after: Some(Seeded::new(seed)), ..Replay::new(log) }
    }
}

impl Source for Replay {
    fn pick(&mut self, site: &'static str, n: u32, weights: Option<&[u32]>) -> u32 {
        let possible = |value: u32| value < n && weights.is_none_or(|w| w[value as usize] > 0);
        match self.recorded.get_mut(site).and_then(VecDeque::pop_front) {
            Some(value) if possible(value) => return value,
            _ => self.divergences += 1,
        }
        match &mut self.after {
            Some(seeded) => seeded.pick(site, n, weights),
            None => dullest(weights),
        }
    }

    fn divergences(&self) -> u64 {
        self.divergences
    }
}

/// Answers from a fuzzer's input: a byte for up to 256 answers, two or four for more.
pub struct Bytes {
    bytes: VecDeque<u8>,
}

impl Bytes {
    /// Zeros after `bytes`.
    pub fn new(bytes: &[u8]) -> Bytes {
        Bytes { bytes: bytes.iter().copied().collect() }
    }
}

impl Source for Bytes {
    fn pick(&mut self, _site: &'static str, n: u32, weights: Option<&[u32]>) -> u32 {
        let width = match n {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        };
        let mut number = 0;
        for _ in 0..width {
            let Some(byte) = self.bytes.pop_front() else { return dullest(weights) };
            number = number << 8 | u32::from(byte);
        }
        let answer = number % n;
        match weights {
            Some(weights) if weights[answer as usize] == 0 => dullest(Some(weights)),
            _ => answer,
        }
    }
}

/// The first answer that is possible.
pub(super) fn dullest(weights: Option<&[u32]>) -> u32 {
    weights.and_then(|w| w.iter().position(|w| *w > 0)).map_or(0, |i| i as u32)
}
