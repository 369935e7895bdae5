//! Every sequence of answers, one run each: bounded model checking by depth-first search.
//!
//! The search keeps the path of the run under way, as pairs of (answer, answers possible). A run follows the path and
//! extends it with zeros; the next run increments the last answer that can still grow and forgets what came behind
//! it. No state is copied: the program is simply run again, as often as there are leaves. (The idea is TigerBeetle's
//! exhaustigen, and before it QuickCheck's cousin SmallCheck.)

use std::sync::Arc;

use helios_env::sync::Mutex;

use super::{Choices, Source, sources::dullest};

/// What an [`enumerate`] visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enumeration {
    /// Runs made.
    pub runs: u64,
    /// Whether every sequence of answers was visited.
    pub complete: bool,
}

/// Calls `run` once for every sequence of answers, at most `runs_max` times, and stops at its first error. Questions
/// with more than `branch_max` answers (a generator's seed, say) are answered with the dullest.
pub fn enumerate<E>(
    runs_max: u64,
    branch_max: u32,
    mut run: impl FnMut(&Choices) -> Result<(), E>,
) -> Result<Enumeration, E> {
    let path = Arc::new(Mutex::new(Path { steps: Vec::new(), depth: 0 }));
    let mut runs = 0;
    loop {
        if runs == runs_max {
            return Ok(Enumeration { runs, complete: false });
        }
        path.lock().depth = 0;
        run(&Choices::new(Walk { path: path.clone(), branch_max }))?;
        runs += 1;
        if !path.lock().advance() {
            return Ok(Enumeration { runs, complete: true });
        }
    }
}

struct Path {
    steps: Vec<Step>,
    depth: usize,
}

/// One question on the path: the answers possible, and which of them is being tried.
struct Step {
    answers: Vec<u32>,
    tried: usize,
}

impl Path {
    /// Moves to the next leaf; false when there is none.
    fn advance(&mut self) -> bool {
        // A shorter run than the one before leaves steps that it never reached.
        self.steps.truncate(self.depth);
        while let Some(last) = self.steps.last_mut() {
            if last.tried + 1 < last.answers.len() {
                last.tried += 1;
                return true;
            }
            self.steps.pop();
        }
        false
    }
}

struct Walk {
    path: Arc<Mutex<Path>>,
    branch_max: u32,
}

impl Source for Walk {
    fn pick(&mut self, site: &'static str, n: u32, weights: Option<&[u32]>) -> u32 {
        if n > self.branch_max {
            return dullest(weights);
        }
        let mut path = self.path.lock();
        let depth = path.depth;
        path.depth += 1;
        if depth == path.steps.len() {
            let answers = (0..n).filter(|a| weights.is_none_or(|w| w[*a as usize] > 0)).collect();
            path.steps.push(Step { answers, tried: 0 });
        }
        let step = &path.steps[depth];
        let answer = step.answers[step.tried];
        assert!(answer < n, "the program asked another question at {site} although nothing before it changed");
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sequence_is_visited_once() {
        let mut seen = Vec::new();
        let enumeration = enumerate::<()>(1_000, 256, |choices| {
            let a = choices.pick("a", 3);
            // The number of questions depends on the answers.
            let rest: Vec<usize> = (0..a).map(|_| choices.pick("b", 2)).collect();
            seen.push((a, rest));
            Ok(())
        });
        assert_eq!(enumeration, Ok(Enumeration { runs: 1 + 2 + 4, complete: true }));
        let mut distinct = seen.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), seen.len());
    }

    #[test]
    fn impossible_answers_are_not_visited_and_the_bound_holds() {
        let enumeration = enumerate::<()>(1_000, 256, |choices| {
            assert_ne!(choices.pick_weighted("a", &[1, 0, 1]), 1);
            choices.seed("generator");
            Ok(())
        });
        assert_eq!(enumeration, Ok(Enumeration { runs: 2, complete: true }));
        let bounded = enumerate::<()>(5, 256, |choices| {
            choices.pick("a", 10);
            Ok(())
        });
        assert_eq!(bounded, Ok(Enumeration { runs: 5, complete: false }));
    }
}
