//! `helios sim swarm`: everything that there is, in turn, for as long as one likes.
//!
//! Each turn gives every workload some seeds that it has not had yet, and the scripts other crash images. The first failure
//! ends it; what was seen is written down as JSON, for the report.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use helios_sim::{Swarm, SwarmReport, swarm};
use helios_workloads::script::{Sweep, SweepReport, Totals, sweep};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

/// Arguments of `helios sim swarm`.
#[derive(clap::Args)]
pub(super) struct SwarmArguments {
    /// How long.
    #[arg(long, default_value_t = 3_600, value_name = "S")]
    seconds: u64,
    /// The first seed of every workload.
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    from: u64,
    /// Threads; the number of processors when it is not said.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Seeds of each workload in a turn.
    #[arg(long, default_value_t = 32, value_name = "N")]
    seeds_per_turn: u64,
    /// Crash images of each statement in a turn.
    #[arg(long, default_value_t = 4, value_name = "N")]
    images_per_statement: usize,
    /// Where to write what was seen.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(super) fn run(arguments: &SwarmArguments) -> ExitCode {
    let begun = Instant::now();
    let deadline = begun + Duration::from_secs(arguments.seconds);
    let jobs = arguments.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let progress = ProgressBar::new(arguments.seconds);
    let style = ProgressStyle::with_template("{elapsed} {wide_bar} {msg}");
    progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let workloads = helios_workloads::all();
    let mut seen: Vec<Option<SwarmReport>> = workloads.iter().map(|_| None).collect();
    let mut scripts = Scripts::default();
    let left = || deadline.saturating_duration_since(Instant::now());
    let mut failed = false;
    for turn in 0.. {
        let first = arguments.from + turn * arguments.seeds_per_turn;
        for (workload, total) in workloads.iter().zip(&mut seen) {
            progress.set_position(begun.elapsed().as_secs());
            progress.set_message(format!("turn {turn}: {}", workload.name()));
            let seeds = first..first + arguments.seeds_per_turn;
            let config = Swarm { jobs, time_max: Some(left()), ..Swarm::new("swarm", seeds) };
            let report = swarm(&config, workload.as_ref());
            failed |= !report.failures.is_empty();
            match total {
                Some(total) => total.merge(report),
                None => *total = Some(report),
            }
        }
        progress.set_message(format!("turn {turn}: scripts"));
        let config = Sweep {
            jobs,
            seed: first,
            images_per_statement: arguments.images_per_statement,
            time_max: Some(left()),
            ..Sweep::default()
        };
        let report = sweep(&config, &|_| progress.set_position(begun.elapsed().as_secs()));
        failed |= scripts.add(&report);
        if failed || left().is_zero() {
            break;
        }
    }
    progress.finish_and_clear();
    let seen: Vec<SwarmReport> = seen.into_iter().flatten().collect();
    seen.iter().for_each(|report| print!("{report}"));
    println!("{scripts}");
    println!("{} in {} s", if failed { "FAILED" } else { "nothing found" }, begun.elapsed().as_secs());
    if let Some(file) = &arguments.json
        && let Err(error) = std::fs::write(file, as_json(&seen, &scripts, begun.elapsed()))
    {
        eprintln!("helios: could not write \"{}\": {error}", file.display());
        return ExitCode::from(2);
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Sums over turns.
#[derive(Default)]
struct Scripts {
    turns: u64,
    statements: usize,
    events: u64,
    images: u64,
    recoveries: u64,
    violations: usize,
}

impl Scripts {
    /// Whether something was found.
    fn add(&mut self, report: &SweepReport) -> bool {
        let Totals { statements, explored, violations, .. } = report.totals();
        self.turns += 1;
        self.statements += statements;
        self.events += explored.events;
        self.images += explored.images;
        self.recoveries += explored.recoveries;
        self.violations += violations;
        if !report.is_clean() {
            print!("{report}");
        }
        !report.is_clean()
    }
}

impl std::fmt::Display for Scripts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Scripts { turns, statements, events, images, recoveries, violations } = self;
        write!(
            f,
            "scripts: {turns} turns, {statements} statements, {events} events, {images} images, {recoveries} recoveries \
             crashed, {violations} violations"
        )
    }
}

fn as_json(seen: &[SwarmReport], scripts: &Scripts, elapsed: Duration) -> String {
    let mut marks = Map::new();
    for (mark, hits) in seen.iter().flat_map(|report| report.marks.iter()) {
        let before = marks.get(mark).and_then(Value::as_u64).unwrap_or(0);
        marks.insert(mark.to_owned(), json!(before + hits));
    }
    let workload = |report: &SwarmReport| {
        let faults: Map<String, Value> =
            report.faults.fired().map(|(kind, count)| (kind.name().to_owned(), json!(count))).collect();
        json!({
            "name": report.workload, "seeds": report.seeds, "commits": report.commits, "crashes": report.crashes,
            "commits_median": report.commits_median, "checks": report.checks, "io_events": report.io_events,
            "faults": faults, "violations": report.failures.len(),
        })
    };
    let Scripts { turns, statements, events, images, recoveries, violations } = scripts;
    let report = json!({
        "seconds": elapsed.as_secs(),
        "workloads": seen.iter().map(workload).collect::<Vec<_>>(),
        "scripts": {
            "turns": turns, "statements": statements, "events": events, "images": images, "recoveries": recoveries,
            "violations": violations,
        },
        "marks": marks,
    });
    serde_json::to_string_pretty(&report).expect("maps with text for keys") + "\n"
}
