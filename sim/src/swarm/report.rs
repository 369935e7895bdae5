//! What a swarm saw.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{Life, Shrunk};
use crate::choices::DecisionLog;
use crate::faults::{FaultCounts, FaultKind};
use crate::marks::Marks;
use crate::violation::Violation;

/// A life that ended badly.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What went wrong.
    pub violation: Violation,
    /// Lives that the swarm had lived by then, this one included, and real time that it had taken.
    pub found_after: (u64, Duration),
    /// The smallest schedule found that still goes wrong.
    pub shrunk: Shrunk,
    /// What to type to see it again.
    pub command: String,
    /// Where its bundle is, or why there is none.
    pub bundle: Result<PathBuf, String>,
}

impl Failure {
    pub(super) fn replayed(seed: u64, violation: Violation, minimal: &DecisionLog) -> Failure {
        let interesting = minimal.interesting();
        let decisions = minimal.decisions.len();
        let shrunk = Shrunk {
            log: minimal.clone(),
            interesting: [interesting; 2],
            decisions: [decisions; 2],
            runs: 0,
            elapsed: Duration::ZERO,
        };
        let bundle = Err("a replay makes no bundle".to_owned());
        Failure { seed, violation, found_after: (1, Duration::ZERO), shrunk, command: String::new(), bundle }
    }
}

/// The sum over all lives of a swarm.
#[derive(Clone, Debug)]
pub struct SwarmReport {
    /// The workload's name.
    pub workload: String,
    /// Lives lived.
    pub seeds: u64,
    /// Acknowledged transactions in all of them.
    pub commits: u64,
    /// The median over lives.
    pub commits_median: u64,
    /// Checks that the oracle made.
    pub checks: u64,
    /// Power cuts and killed processes.
    pub crashes: u64,
    /// I/O operations.
    pub io_events: u64,
    /// Faults by kind.
    pub faults: FaultCounts,
    /// Marks that were hit.
    pub marks: Marks,
    /// Marks that were expected and never hit.
    pub marks_missing: Vec<&'static str>,
    /// Lives that ended badly.
    pub failures: Vec<Failure>,
    /// A hash of all traces; it does not depend on their order.
    pub trace_hash: u64,
    /// Real time.
    pub elapsed: Duration,
    commits_each: Vec<u64>,
}

impl SwarmReport {
    pub(super) fn new(workload: &str) -> SwarmReport {
        SwarmReport {
            workload: workload.to_owned(),
            seeds: 0,
            commits: 0,
            commits_median: 0,
            checks: 0,
            crashes: 0,
            io_events: 0,
            faults: FaultCounts::default(),
            marks: Marks::default(),
            marks_missing: Vec::new(),
            failures: Vec::new(),
            trace_hash: 0,
            elapsed: Duration::ZERO,
            commits_each: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, seed: u64, life: &Life) {
        self.seeds += 1;
        if let Ok(stats) = &life.result {
            self.commits += stats.commits;
            self.checks += stats.checks;
            self.commits_each.push(stats.commits);
        }
        self.crashes += life.faults.of(FaultKind::PowerCut) + life.faults.of(FaultKind::ProcessKill);
        self.io_events += life.io_events;
        self.faults.add(&life.faults);
        self.marks.add(&life.marks);
        self.trace_hash = self.trace_hash.wrapping_add(helios_env::SplitMix64::step(life.trace_hash ^ seed).1);
    }

    pub(super) fn finish(&mut self, expected_marks: &[&'static str], elapsed: Duration) {
        self.elapsed = elapsed;
        self.commits_each.sort_unstable();
        self.commits_median = self.commits_each.get(self.commits_each.len() / 2).copied().unwrap_or(0);
        self.marks_missing = self.marks.missing(expected_marks);
    }

    /// Adds what another swarm of the same workload saw, over other seeds.
    pub fn merge(&mut self, other: SwarmReport) {
        self.seeds += other.seeds;
        self.commits += other.commits;
        self.checks += other.checks;
        self.crashes += other.crashes;
        self.io_events += other.io_events;
        self.faults.add(&other.faults);
        self.marks.add(&other.marks);
        self.failures.extend(other.failures);
        self.trace_hash = self.trace_hash.wrapping_add(other.trace_hash);
        self.commits_each.extend(other.commits_each);
        let elapsed = self.elapsed + other.elapsed;
        let expected: Vec<&'static str> = self.marks_missing.clone();
        self.finish(&expected, elapsed);
    }

    /// Lives per second of real time.
    pub fn seeds_per_second(&self) -> f64 {
        self.seeds as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Whether all lives ended well, something was committed, and all expected marks were hit. A swarm that commits nothing
    /// has tested nothing.
    pub fn is_clean(&self) -> bool {
        self.failures.is_empty() && self.commits > 0 && self.marks_missing.is_empty()
    }

    /// Panics, and says why, unless it [is clean](SwarmReport::is_clean).
    pub fn assert_clean(&self) {
        assert!(self.failures.is_empty(), "{self}");
        assert!(self.commits > 0, "the swarm committed nothing, so it tested nothing\n{self}");
        assert!(self.is_clean(), "never reached: {}\n{self}", self.marks_missing.join(", "));
    }
}

impl fmt::Display for SwarmReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} seeds, {} commits (median {}), {} checks, {} crashes, {} I/O events, {} faults, {} failures; \
             {:.0} seeds/s; traces {:016x}",
            self.workload,
            self.seeds,
            self.commits,
            self.commits_median,
            self.checks,
            self.crashes,
            self.io_events,
            self.faults.total(),
            self.failures.len(),
            self.seeds_per_second(),
            self.trace_hash,
        )?;
        let faults: Vec<String> = self.faults.fired().map(|(kind, n)| format!("{} {n}", kind.name())).collect();
        if !faults.is_empty() {
            writeln!(f, "  faults: {}", faults.join(", "))?;
        }
        let marks: Vec<String> = self.marks.iter().map(|(mark, n)| format!("{mark} {n}")).collect();
        if !marks.is_empty() {
            writeln!(f, "  marks: {}", marks.join(", "))?;
        }
        if self.seeds > 0 && self.commits == 0 {
            writeln!(f, "  nothing was committed, so nothing was tested")?;
        }
        if !self.marks_missing.is_empty() {
            writeln!(f, "  never reached: {}", self.marks_missing.join(", "))?;
        }
        for Failure { seed, violation, found_after: (seeds, time), shrunk, command, bundle } in &self.failures {
            writeln!(f, "  seed {seed}, after {seeds} seeds and {:.1} s: {violation}", time.as_secs_f64())?;
            writeln!(f, "    shrunk: {shrunk}")?;
            match bundle {
                Ok(directory) => writeln!(f, "    bundle: {}\n    replay: {command}", directory.display())?,
                Err(why) => writeln!(f, "    no bundle: {why}")?,
            }
        }
        Ok(())
    }
}
