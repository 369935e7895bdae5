//! `helios sim swarm`: everything that there is, in turn, for as long as one likes.
//!
//! Each turn gives every workload some seeds that it has not had yet, and the scripts other crash images. The first failure
//! ends it at once; what was seen is written down as JSON, for the report.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use helios_sim::{Swarm, SwarmReport, Workload, swarm};
use helios_workloads::script::{Sweep, SweepReport, Totals, sweep};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

/// Arguments of `helios sim swarm`.
#[derive(clap::Args)]
pub(super) struct SwarmArguments {
    /// End after so many seconds.
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
    // Before the first turn: an hour is lost where there is nowhere to write.
    let json = match arguments.json.as_deref().map(|path| File::create(path).map_err(|error| (path, error))).transpose()
    {
        Ok(json) => json,
        Err((path, error)) => return unwritable(path, &error),
    };
    let begun = Instant::now();
    let mut turns = Turns::new(arguments, begun);
    let has_failed = turns.live();
    turns.progress.finish_and_clear();
    let Turns { workloads, scripts, .. } = turns;
    let seen: Vec<SwarmReport> = workloads.into_iter().filter_map(|(_, seen)| seen).collect();
    seen.iter().for_each(|report| print!("{report}"));
    println!("{scripts}");
    let has_failed = has_failed || !seen.iter().all(super::is_as_it_should_be);
    println!("{} in {} s", if has_failed { "FAILED" } else { "nothing found" }, begun.elapsed().as_secs());
    if let (Some(mut file), Some(path)) = (json, &arguments.json)
        && let Err(error) = file.write_all(as_json(&seen, &scripts, begun.elapsed()).as_bytes())
    {
        return unwritable(path, &error);
    }
    if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn unwritable(path: &Path, error: &std::io::Error) -> ExitCode {
    eprintln!("helios: could not write \"{}\": {error}", path.display());
    ExitCode::from(2)
}

/// Turns until time is over or something is found.
struct Turns<'a> {
    arguments: &'a SwarmArguments,
    begun: Instant,
    jobs: usize,
    progress: ProgressBar,
    /// Each with what was seen of it so far.
    workloads: Vec<(Box<dyn Workload>, Option<SwarmReport>)>,
    scripts: Scripts,
}

impl Turns<'_> {
    fn new(arguments: &SwarmArguments, begun: Instant) -> Turns<'_> {
        let progress = ProgressBar::new(arguments.seconds);
        let style = ProgressStyle::with_template("{elapsed} {wide_bar} {msg}");
        progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Turns {
            arguments,
            begun,
            jobs: arguments.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
            progress,
            workloads: helios_workloads::all().into_iter().map(|workload| (workload, None)).collect(),
            scripts: Scripts::default(),
        }
    }

    fn left(&self) -> Duration {
        Duration::from_secs(self.arguments.seconds).saturating_sub(self.begun.elapsed())
    }

    /// Whether something was found.
    fn live(&mut self) -> bool {
        for turn in 0.. {
            let first = self.arguments.from + turn * self.arguments.seeds_per_turn;
            if (0..self.workloads.len()).any(|index| self.live_workload(turn, first, index))
                || self.sweep_scripts(turn, first)
            {
                return true;
            }
            if self.left().is_zero() {
                break;
            }
        }
        false
    }

    fn live_workload(&mut self, turn: u64, first: u64, index: usize) -> bool {
        let time_max = Some(self.left());
        let (workload, total) = &mut self.workloads[index];
        self.progress.set_position(self.begun.elapsed().as_secs());
        self.progress.set_message(format!("turn {turn}: {}", workload.name()));
        let seeds = first..first + self.arguments.seeds_per_turn;
        let config = Swarm { jobs: self.jobs, time_max, ..Swarm::new("swarm", seeds) };
        let report = swarm(&config, workload.as_ref());
        let has_failed = !report.failures.is_empty();
        match total {
            Some(total) => total.merge(report),
            None => *total = Some(report),
        }
        has_failed
    }

    fn sweep_scripts(&mut self, turn: u64, seed: u64) -> bool {
        self.progress.set_message(format!("turn {turn}: scripts"));
        let config = Sweep {
            jobs: self.jobs,
            seed,
            images_per_statement: self.arguments.images_per_statement,
            time_max: Some(self.left()),
            ..Sweep::default()
        };
        let report = sweep(&config, &|_| self.progress.set_position(self.begun.elapsed().as_secs()));
        self.scripts.add(&report)
    }
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
    let Scripts { turns, statements, events, images, recoveries, violations } = scripts;
    let report = json!({
        "seconds": elapsed.as_secs(),
        "workloads": seen.iter().map(SwarmReport::figures).collect::<Vec<_>>(),
        "scripts": {
            "turns": turns, "statements": statements, "events": events, "images": images, "recoveries": recoveries,
            "violations": violations,
        },
        "marks": marks,
    });
    serde_json::to_string_pretty(&report).expect("maps with text for keys") + "\n"
}
