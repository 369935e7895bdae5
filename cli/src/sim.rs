//! `helios sim`: the whole database in the simulated world, as long as one likes.

mod endless;
mod scripts;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use helios_sim::{Bundle, FaultKind, Life, Swarm, SwarmReport, Workload, render, replay, swarm};
use helios_workloads::Focus;
use indicatif::{ProgressBar, ProgressStyle};

/// Arguments of `helios sim`.
#[derive(clap::Args)]
pub(crate) struct SimArguments {
    #[command(subcommand)]
    command: SimCommand,
}

#[derive(clap::Subcommand)]
enum SimCommand {
    /// Live many simulated lives, one per seed: power cuts, kills, torn and lost writes, failing disks, clients that leave.
    /// A failure is shrunk and left in target/sim/failures with the command that replays it.
    Run(RunArguments),
    /// Run SQL scripts with a crash before every change that each of their statements makes to the disk, and crash the
    /// recoveries in turn: what is found is exactly the state before the statement or after it.
    Scripts(scripts::ScriptsArguments),
    /// Everything in turn, for as long as one likes: each workload on new seeds, the scripts with other crashes. The first
    /// failure ends it at once.
    Swarm(endless::SwarmArguments),
    /// Live the life in a failure's directory again, step by step.
    Replay(ReplayArguments),
    /// List the workloads: those that `run` lives by itself, and those of one kind of fault each.
    List,
}

/// Arguments of `helios sim run`.
#[derive(clap::Args)]
struct RunArguments {
    /// The workload, one of `helios sim list`, or all of them but those of one kind of fault each.
    #[arg(long, default_value = "all", value_name = "NAME|all")]
    workload: String,
    /// How many seeds each workload gets.
    #[arg(long, default_value_t = 200, value_name = "S")]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    from: u64,
    /// Threads; the number of processors when it is not said.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Begin no further seeds of a workload after so many seconds.
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,
}

/// Arguments of `helios sim replay`.
#[derive(clap::Args)]
struct ReplayArguments {
    /// The failure's directory, as the swarm printed it.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Replay every decision of the failing run instead of the smallest ones that still fail.
    #[arg(long)]
    full: bool,
    /// Also draw the life as a page for a browser: tasks, disk, what was durable when.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(crate) fn run(arguments: &SimArguments) -> ExitCode {
    match &arguments.command {
        SimCommand::Run(arguments) => run_swarms(arguments),
        SimCommand::Swarm(arguments) => endless::run(arguments),
        SimCommand::Scripts(arguments) => scripts::run(arguments),
        SimCommand::Replay(arguments) => replay_bundle(arguments),
        SimCommand::List => {
            names().iter().for_each(|name| println!("{name}"));
            ExitCode::SUCCESS
        }
    }
}

/// Every workload that can be named.
fn names() -> Vec<String> {
    let focused = FaultKind::ALL.iter().map(|kind| Focus::new(*kind).name().to_owned());
    helios_workloads::all().iter().map(|workload| workload.name().to_owned()).chain(focused).collect()
}

fn unknown(name: &str) -> ExitCode {
    eprintln!("helios: there is no workload \"{name}\"; there are: {}", names().join(", "));
    ExitCode::from(2)
}

fn run_swarms(arguments: &RunArguments) -> ExitCode {
    let workloads = match arguments.workload.as_str() {
        "all" => helios_workloads::all(),
        name => helios_workloads::find(name).into_iter().collect(),
    };
    if workloads.is_empty() {
        return unknown(&arguments.workload);
    }
    let clean = workloads.iter().fold(true, |clean, workload| {
        let report = run_swarm(arguments, workload.as_ref());
        print!("{report}");
        clean && is_as_it_should_be(&report)
    });
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many lives must reach everything that a workload is for; fewer may end before they have committed anything.
const SEEDS_OF_A_SWARM: u64 = 200;

/// Whether every life ended well, and, where there were enough of them, whether they tested anything.
fn is_as_it_should_be(report: &SwarmReport) -> bool {
    report.is_clean() || (report.seeds < SEEDS_OF_A_SWARM && report.failures.is_empty())
}

/// Seeds between two looks at the clock and the progress bar.
const SEEDS_AT_ONCE: u64 = 16;

/// A swarm in pieces, so that there is something to see while it runs.
fn run_swarm(arguments: &RunArguments, workload: &dyn Workload) -> SwarmReport {
    let jobs = arguments.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let end = arguments.from.saturating_add(arguments.seeds);
    let deadline = arguments.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let progress = ProgressBar::new(arguments.seeds).with_prefix(workload.name().to_owned());
    let style = ProgressStyle::with_template("{prefix}: {pos} of {len} seeds {wide_bar} {per_sec}, {eta} left {msg}");
    progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let piece = |first: u64| {
        let time_max = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let seeds = first..first.saturating_add(SEEDS_AT_ONCE.max(jobs as u64)).min(end);
        swarm(&Swarm { jobs, time_max, ..Swarm::new("helios-sim", seeds) }, workload)
    };
    let mut report = piece(arguments.from);
    let mut next = arguments.from + SEEDS_AT_ONCE.max(jobs as u64);
    progress.inc(report.seeds);
    while next < end && report.failures.is_empty() && deadline.is_none_or(|deadline| Instant::now() < deadline) {
        let further = piece(next);
        next += SEEDS_AT_ONCE.max(jobs as u64);
        progress.inc(further.seeds);
        report.merge(further);
        progress.set_message(format!("{} commits, {} crashes", report.commits, report.crashes));
    }
    progress.finish_and_clear();
    report
}

fn replay_bundle(arguments: &ReplayArguments) -> ExitCode {
    let bundle = match Bundle::read(&arguments.directory) {
        Ok(bundle) => bundle,
        Err(error) => {
            eprintln!("helios: could not read \"{}\": {error}", arguments.directory.display());
            return ExitCode::from(2);
        }
    };
    let Some(workload) = helios_workloads::find(&bundle.workload) else { return unknown(&bundle.workload) };
    let life = replay(workload.as_ref(), &bundle, !arguments.full);
    if let Some(file) = &arguments.html
        && let Err(error) = std::fs::write(file, helios_sim::viewer::html(&bundle, &life))
    {
        eprintln!("helios: could not write \"{}\": {error}", file.display());
        return ExitCode::from(2);
    }
    let Life { result, trace, trace_hash, faults, .. } = life;
    print!("{}", render(&trace));
    let fired: Vec<String> = faults.fired().map(|(kind, count)| format!("{} {count}", kind.name())).collect();
    println!("{}, seed {}: trace {trace_hash:016x}; faults: {}", bundle.workload, bundle.seed, fired.join(", "));
    match result {
        Ok(stats) => {
            println!("ended well: {} commits, {} checks", stats.commits, stats.checks);
            ExitCode::SUCCESS
        }
        Err(violation) => {
            println!("VIOLATION: {violation}");
            ExitCode::FAILURE
        }
    }
}
