//! `helios sim scripts`: SQL scripts, cut off before every change that they make to the disk.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use helios_workloads::script::{ScriptReport, Sweep, sweep};
use indicatif::{ProgressBar, ProgressStyle};

/// Arguments of `helios sim scripts`.
#[derive(clap::Args)]
pub(super) struct ScriptsArguments {
    /// Scripts, or directories of them: `.slt`, or `.test` for SQLite's; those of sqllogic/ when none is named.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Crash images of each statement; where there are more, a sample.
    #[arg(long, default_value_t = 400, value_name = "N")]
    images_per_statement: usize,
    /// How often a recovery is crashed in turn, at most three times.
    #[arg(long, default_value_t = 3, value_name = "N")]
    depth: u32,
    /// At how many points each recovery is crashed, other ones each time.
    #[arg(long, default_value_t = 1, value_name = "N")]
    recovery_points: usize,
    /// Decides which images are looked at where there are more.
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    seed: u64,
    /// Only the statement at this line.
    #[arg(long, value_name = "LINE", requires = "paths")]
    line: Option<u32>,
    /// Threads; the number of processors when it is not said.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Look at no further images after so many seconds.
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,
    /// Also list the statements that are not supported, and those that answer otherwise than PostgreSQL.
    #[arg(long)]
    list: bool,
}

pub(super) fn run(arguments: &ScriptsArguments) -> ExitCode {
    let defaults = Sweep::default();
    let config = Sweep {
        paths: if arguments.paths.is_empty() { defaults.paths.clone() } else { arguments.paths.clone() },
        images_per_statement: arguments.images_per_statement,
        depth: arguments.depth,
        recovery_points: arguments.recovery_points,
        seed: arguments.seed,
        line: arguments.line,
        jobs: arguments.jobs.unwrap_or(defaults.jobs),
        time_max: arguments.seconds.map(Duration::from_secs),
        ..defaults
    };
    let scripts = config.scripts();
    if scripts == 0 {
        let paths: Vec<String> = config.paths.iter().map(|path| format!("\"{}\"", path.display())).collect();
        eprintln!("helios: no script (.slt, .test) in {}", paths.join(", "));
        return ExitCode::from(2);
    }
    let progress = ProgressBar::new(scripts as u64);
    let style = ProgressStyle::with_template("{pos} of {len} scripts {wide_bar} {elapsed}");
    progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    progress.tick();
    let see = |report: &ScriptReport| {
        progress.suspend(|| show(report, arguments.list));
        progress.inc(1);
    };
    let report = sweep(&config, &see);
    progress.finish_and_clear();
    print!("{report}");
    let left = scripts.saturating_sub(report.scripts.len() + report.unreadable.len());
    if left > 0 {
        println!("{left} of {scripts} scripts were not looked at: out of time");
    }
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(report: &ScriptReport, list: bool) {
    println!("{report}");
    if list {
        let unsupported = report.unsupported.iter().map(|deviation| ("not supported", deviation));
        for (what, deviation) in unsupported.chain(report.deviating.iter().map(|deviation| ("otherwise", deviation))) {
            println!("  line {}, {what}: {}\n    {}", deviation.line, deviation.sql, deviation.answer);
        }
    }
}
