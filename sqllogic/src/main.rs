//! Runs scripts and says how many of their statements answer as recorded.
//!
//! ```text
//! helios-sqllogic [--engine embedded|wire|postgres] [--sqlite] [--ratchet] [--quiet] [FILES or folders...]
//! ```
//!
//! Without files it runs this project's scripts, held to `ratchet.tsv` (or, with `--ratchet`, writing it). With files it
//! shows every failure. The exit status is 0 when nothing failed or nothing fell below the ratchet.

use std::path::PathBuf;
use std::process::ExitCode;

use helios_sqllogic::place::Place;
use helios_sqllogic::script::{Dialect, Outcome, directory, files, run};
use helios_sqllogic::{corpora, ratchet};

struct Options {
    place: Place,
    dialect: Dialect,
    ratchet: bool,
    quiet: bool,
    paths: Vec<PathBuf>,
}

fn options() -> Result<Options, String> {
    let (mut engine, mut dialect, mut ratchet, mut quiet, mut paths) =
        ("embedded".to_owned(), Dialect::Ours, false, false, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--engine" => engine = arguments.next().ok_or("--engine needs a name")?,
            "--sqlite" => dialect = Dialect::Sqlite,
            "--ratchet" => ratchet = true,
            "--quiet" => quiet = true,
            option if option.starts_with('-') => return Err(format!("no such option: {option}")),
            path => paths.push(PathBuf::from(path)),
        }
    }
    Ok(Options { place: Place::named(&engine)?, dialect, ratchet, quiet, paths })
}

fn main() -> ExitCode {
    let outcome = options().map_err(|error| (64, error)).and_then(|options| {
        let all = options.paths.is_empty();
        match (all, options.dialect) {
            (true, Dialect::Sqlite) => sqlite(options).map_err(|error| (1, error)),
            (true, Dialect::Ours) => held(&options).map_err(|error| (1, error)),
            (false, _) => shown(&options).map_err(|error| (1, error)),
        }
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err((status, error)) => {
            eprintln!("{error}");
            ExitCode::from(status)
        }
    }
}

/// SQLite's sample, where it is.
fn sqlite(mut options: Options) -> Result<bool, String> {
    let Some(paths) = corpora::sqlite(&["select1.test", "select2.test", "select3.test"]) else {
        println!("skipped: SQLite's scripts are not here (HELIOS_CORPORA)");
        return Ok(true);
    };
    options.paths = paths;
    shown(&options)
}

/// Files named by hand: all that fails is shown.
fn shown(options: &Options) -> Result<bool, String> {
    let mut sum = Outcome::default();
    let mut failed = false;
    for path in files(&options.paths) {
        match run(&path, options.dialect, &options.place) {
            Ok(outcome) => {
                println!("{:>6} of {:>6}  {}", outcome.passed, outcome.total, path.display());
                for failure in outcome.failures.iter().filter(|_| !options.quiet) {
                    println!("{}:{}: {}\n", path.display(), failure.line, failure.report);
                }
                failed |= outcome.passed < outcome.total;
                sum.passed += outcome.passed;
                sum.total += outcome.total;
            }
            Err(error) => {
                println!("{error}");
                failed = true;
            }
        }
    }
    println!("{:>6} of {:>6}  in all", sum.passed, sum.total);
    Ok(!failed)
}

/// This project's scripts: none may do worse than it did.
fn held(options: &Options) -> Result<bool, String> {
    let report = ratchet::hold(&options.place, &files(&[directory()]), options.ratchet)?;
    print!("{report}");
    Ok(report.fallen.is_empty())
}
