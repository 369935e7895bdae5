//! Randomness in named streams.

use std::sync::Arc;

use crate::sync::Mutex;

/// A stream of random numbers. Forks are independent of one another and of how much was drawn before: a new draw in
/// one place reshuffles nothing elsewhere.
pub trait Rng: Send + Sync {
    /// The stream of this name: in the simulator the same for the same name and root; in production, where all
    /// numbers come from the operating system and are fit for keys, a fresh one.
    fn fork(&self, name: &str) -> Arc<dyn Rng>;
    /// 64 uniform bits.
    fn next_u64(&self) -> u64;
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): tiny, splittable by
/// name, good enough for everything but cryptography.
pub struct SplitMix64 {
    seed: u64,
    state: Mutex<u64>,
}

impl SplitMix64 {
    /// The stream that `seed` determines.
    pub fn new(seed: u64) -> SplitMix64 {
        SplitMix64 { seed, state: Mutex::new(seed) }
    }

    /// One step from `state`: the new state and the output.
    pub fn step(state: u64) -> (u64, u64) {
        let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (state, z ^ (z >> 31))
    }
}

impl Rng for SplitMix64 {
    fn fork(&self, name: &str) -> Arc<dyn Rng> {
        let mut seed = self.seed;
        for byte in name.bytes() {
            seed = SplitMix64::step(seed ^ u64::from(byte)).1;
        }
        Arc::new(SplitMix64::new(seed))
    }

    fn next_u64(&self) -> u64 {
        let mut state = self.state.lock();
        let (next, output) = SplitMix64::step(*state);
        *state = next;
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference implementation's first outputs for the seed 1234567 (Vigna, splitmix64.c).
    #[test]
    fn gives_the_published_numbers() {
        let rng = SplitMix64::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_fork_depends_on_its_name_alone() {
        let (a, b) = (SplitMix64::new(1), SplitMix64::new(1));
        a.next_u64();
        assert_eq!(a.fork("log").next_u64(), b.fork("log").next_u64());
        assert_ne!(a.fork("log").next_u64(), a.fork("cache").next_u64());
        assert_ne!(a.fork("ab").fork("c").next_u64(), a.fork("a").fork("bd").next_u64());
        assert_ne!(SplitMix64::new(2).fork("log").next_u64(), a.fork("log").next_u64());
    }
}
