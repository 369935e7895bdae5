//! Many worlds, each with its own luck.
//!
//! A swarm runs a [`Workload`] in one world per seed. Each world draws a subset of the faults that the workload can
//! stand, their rates, a disk profile and the timing: a world with everything switched on hides what needs two
//! faults and no third (Groce and others, "Swarm testing", 2012). What it draws are decisions like all others, so they
//! are in the log, replayed with it and shrunk with it.
//!
//! A failure is replayed, shrunk, and left in a [bundle](Bundle) with the one command that runs it again. Now and then
//! a seed is run twice: two traces of one seed that differ are a failure too.

mod bundle;
mod figures;
mod report;
mod shrink;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use helios_env::sync::Mutex;

pub use bundle::{Bundle, failures_directory};
pub use report::{Failure, SwarmReport};
pub use shrink::{Shrunk, shrink};

use crate::choices::{Choices, DecisionLog};
use crate::disk::{DeviceProfile, PowerCut, Timing};
use crate::faults::{Class, FaultCounts, FaultKind, Faults};
use crate::marks::{Buggify, Marks};
use crate::panics;
use crate::trace::{Entry, TraceLevel};
use crate::viewer;
use crate::violation::Violation;
use crate::world::{World, WorldConfig};

/// A program under test, the clients that use it, and the oracle that judges it.
///
/// It draws whatever it varies from [`World::choices`] (which operation comes next, how many clients) or from the
/// environment's random streams, and from nowhere else.
pub trait Workload: Sync {
    /// Its name in bundles and reports.
    fn name(&self) -> &str;

    /// The faults that its oracle can judge. By default the recoverable ones.
    fn faults(&self) -> Vec<FaultKind> {
        FaultKind::ALL.iter().copied().filter(|kind| kind.class() == Class::Recoverable).collect()
    }

    /// Those of its faults that each of its worlds has. The others are drawn.
    fn certain_faults(&self) -> Vec<FaultKind> {
        Vec::new()
    }

    /// The disks that it runs on.
    fn profiles(&self) -> Vec<DeviceProfile> {
        DeviceProfile::HONEST.to_vec()
    }

    /// Whether it uses the network: otherwise no fault of one is drawn for it.
    fn uses_network(&self) -> bool {
        false
    }

    /// Marks that a swarm must hit.
    fn expected_marks(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Lives one life in `world`: usually safety under faults with crashes, then [`World::heal`], then liveness.
    fn run(&self, world: &World) -> Result<Stats, Violation>;
}

/// What a run achieved: a swarm that achieves nothing tests nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Acknowledged transactions.
    pub commits: u64,
    /// Checks that the oracle made.
    pub checks: u64,
}

/// How a swarm is run.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// Its name: failures go to a directory called so.
    pub name: String,
    /// One world each.
    pub seeds: Range<u64>,
    /// No further seeds after this much real time.
    pub time_max: Option<Duration>,
    /// Threads.
    pub jobs: usize,
    /// Every so many seeds, one is run twice and the traces compared; 0 for never.
    pub recheck_every: u64,
    /// Failures after which to stop.
    pub failures_max: usize,
    /// How long to shrink a failure.
    pub shrink_for: Duration,
    /// Where bundles go.
    pub bundles: PathBuf,
    /// What to type to replay a bundle; `{bundle}` stands for its directory.
    pub replay_command: String,
}

impl Swarm {
    /// A swarm that stops at its first failure.
    pub fn new(name: impl Into<String>, seeds: Range<u64>) -> Swarm {
        Swarm {
            name: name.into(),
            seeds,
            time_max: None,
            jobs: 1,
            recheck_every: 32,
            failures_max: 1,
            shrink_for: Duration::from_secs(10),
            bundles: failures_directory(),
            replay_command: "helios sim replay {bundle}".to_owned(),
        }
    }
}

/// One life of a workload.
pub struct Life {
    /// How it ended.
    pub result: Result<Stats, Violation>,
    /// What was decided.
    pub decisions: DecisionLog,
    /// A hash of what happened.
    pub trace_hash: u64,
    /// What happened, if it was kept.
    pub trace: Vec<Entry>,
    /// Faults that fired.
    pub faults: FaultCounts,
    /// Marks that were hit.
    pub marks: Marks,
    /// I/O operations.
    pub io_events: u64,
    /// The disk of node 0 before its last crash.
    pub last_crash: Option<PowerCut>,
}

/// Lives `workload` once, in the world that `choices` decide.
pub fn live(workload: &dyn Workload, choices: Choices, trace: TraceLevel) -> Life {
    let config = draw_world(workload, choices.clone(), trace);
    let world = World::new(config);
    let result = panics::caught(|| workload.run(&world))
        .unwrap_or_else(|message| Err(Violation::new(format!("panicked {message}"))));
    let disk = world.disk();
    Life {
        result,
        decisions: choices.log(),
        trace_hash: world.trace_hash(),
        trace: world.trace(),
        faults: world.fault_counts(),
        marks: world.marks(),
        io_events: disk.io_events(),
        last_crash: disk.last_crash(),
    }
}

/// Rates of a fault that is on, in parts per million of the operations that it applies to.
const RATES: [u32; 4] = [300, 1_000, 5_000, 30_000];

fn draw_world(workload: &dyn Workload, choices: Choices, trace: TraceLevel) -> WorldConfig {
    let mut faults = Faults::none();
    let certain = workload.certain_faults();
    let applies = |kind: &FaultKind| workload.uses_network() || !kind.is_of_network();
    for kind in workload.faults().into_iter().filter(applies) {
        let is_certain = certain.contains(&kind);
        if FaultKind::SHOWN_BY_CRASHES.contains(&kind) {
            if is_certain || choices.chance("swarm.crash fault", 800_000) {
                faults.set(kind, 1);
            }
        } else if is_certain || choices.chance("swarm.fault", 400_000) {
            faults.set(kind, RATES[choices.pick("swarm.rate", RATES.len())]);
        }
    }
    let mut profiles = workload.profiles();
    let profile = profiles.swap_remove(choices.pick("swarm.profile", profiles.len()));
    let timing = if choices.chance("swarm.timing", 900_000) { Timing::nvme() } else { Timing::Immediate };
    let buggify = if choices.chance("swarm.buggify", 750_000) { Buggify::USUAL } else { Buggify::OFF };
    WorldConfig { faults, profile, timing, buggify, trace, ..WorldConfig::new(choices) }
}

/// Runs a swarm. With `HELIOS_SIM_REPLAY=DIRECTORY` in the process's environment and that bundle being of this
/// workload, runs that life alone instead. With `HELIOS_SIM_FIGURES=FILE`, appends [what it saw](SwarmReport::figures)
/// to that file, a line of JSON for each swarm.
pub fn swarm(config: &Swarm, workload: &dyn Workload) -> SwarmReport {
    if let Some(directory) = std::env::var_os("HELIOS_SIM_REPLAY")
        && let Ok(bundle) = Bundle::read(directory.as_ref())
        && bundle.workload == workload.name()
    {
        return replay_report(workload, &bundle);
    }
    let begun = Instant::now();
    let next = AtomicU64::new(config.seeds.start);
    let report = Mutex::new(SwarmReport::new(workload.name()));
    std::thread::scope(|scope| {
        for _ in 0..config.jobs.max(1) {
            scope.spawn(|| {
                let _quiet = panics::quiet();
                loop {
                    let seed = next.fetch_add(1, Relaxed);
                    let late = config.time_max.is_some_and(|max| begun.elapsed() >= max);
                    if seed >= config.seeds.end || late || report.lock().failures.len() >= config.failures_max {
                        break;
                    }
                    let life = live_checked(config, workload, seed);
                    let failed = life.result.as_ref().err().cloned();
                    let found_after = {
                        let mut report = report.lock();
                        report.add(seed, &life);
                        (report.seeds, begun.elapsed())
                    };
                    if let Some(violation) = failed {
                        let failure = investigate(config, workload, seed, &life, violation);
                        report.lock().failures.push(Failure { found_after, ..failure });
                    }
                }
            });
        }
    });
    let mut report = report.into_inner();
    report.finish(&workload.expected_marks(), begun.elapsed());
    figures::publish(&config.name, &report);
    report
}

/// A life, now and then lived twice.
fn live_checked(config: &Swarm, workload: &dyn Workload, seed: u64) -> Life {
    let mut life = live(workload, Choices::seeded(seed), TraceLevel::Hash);
    if config.recheck_every > 0 && seed.is_multiple_of(config.recheck_every) && life.result.is_ok() {
        let again = live(workload, Choices::seeded(seed), TraceLevel::Hash);
        if again.trace_hash != life.trace_hash {
            life.result = Err(Violation::new(format!(
                "not deterministic: two runs of seed {seed} have the trace hashes {:016x} and {:016x}",
                life.trace_hash, again.trace_hash
            )));
        }
    }
    life
}

fn investigate(config: &Swarm, workload: &dyn Workload, seed: u64, life: &Life, violation: Violation) -> Failure {
    let shrunk = shrink(&life.decisions, config.shrink_for, |candidate| {
        let life = live(workload, Choices::replay(candidate), TraceLevel::Hash);
        life.result.is_err().then_some(life.decisions)
    });
    let minimal = live(workload, Choices::replay(&shrunk.log), TraceLevel::Full);
    let name = format!("{}-{}-{seed}", config.name, workload.name()).replace(' ', "-");
    let directory = config.bundles.join(name);
    let command = config.replay_command.replace("{bundle}", &directory.display().to_string());
    let mut notes = vec![format!("shrunk: {shrunk}")];
    if let Err(violation) = &minimal.result {
        notes.push(format!("the minimal run: {}", violation.message));
    }
    let bundle = Bundle {
        workload: workload.name().to_owned(),
        seed,
        command: command.clone(),
        decisions: life.decisions.clone(),
        minimal: shrunk.log.clone(),
    };
    let page = viewer::html(&bundle, &minimal);
    let contents = bundle::Contents {
        swarm: &config.name,
        workload: workload.name(),
        seed,
        violation: violation.to_string(),
        command: &command,
        notes: &notes,
        decisions: &life.decisions,
        minimal: &shrunk.log,
        trace: &minimal.trace,
        page: &page,
        last_crash: minimal.last_crash.as_ref(),
    };
    let written = contents.write(&directory).map(|()| directory).map_err(|error| error.to_string());
    Failure { seed, violation, found_after: Default::default(), shrunk, command, bundle: written }
}

/// Replays a bundle with the full trace: first all its decisions, or the minimal ones.
pub fn replay(workload: &dyn Workload, bundle: &Bundle, minimal: bool) -> Life {
    let log = if minimal { &bundle.minimal } else { &bundle.decisions };
    live(workload, Choices::replay(log), TraceLevel::Full)
}

fn replay_report(workload: &dyn Workload, bundle: &Bundle) -> SwarmReport {
    let begun = Instant::now();
    let life = replay(workload, bundle, true);
    let mut report = SwarmReport::new(workload.name());
    report.add(bundle.seed, &life);
    print!("{}", crate::trace::render(&life.trace));
    if let Err(violation) = life.result {
        report.failures.push(Failure::replayed(bundle.seed, violation, &bundle.minimal));
    }
    report.finish(&[], begun.elapsed());
    report
}
