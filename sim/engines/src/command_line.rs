//! The command line of both builds: prints what each engine survives, as a Markdown table; progress goes to the
//! standard error. A broken promise of an engine that should be right ends it with 1, what cannot be done with 2.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};
use helios_sim::{Bundle, render, replay};

use crate::{Effort, Engine, EngineReport, Life, engines, examine, markdown, row_names};

/// How this build is run.
#[cfg(not(feature = "redb-4-1"))]
pub(crate) const RUN: &str = "cargo run -p helios-sim-engines";
/// How this build is run.
#[cfg(feature = "redb-4-1")]
pub(crate) const RUN: &str = "cargo run --manifest-path sim/engines/redb-4.1/Cargo.toml --target-dir target/redb-4.1";

/// What each storage engine survives of the same faults, under the same workload.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Worlds for each fault of each engine.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The most seconds of real time for each exploration and for each fault of each engine.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only engines whose name and version contain this.
    #[arg(long, default_value = "", value_parser = engine_named)]
    engine: String,
    /// Only this row of the table.
    #[arg(long, value_parser = PossibleValuesParser::new(row_names()))]
    fault: Option<String>,
    /// Also write the table as JSON; may be said more than once.
    #[arg(long)]
    json: Vec<PathBuf>,
    /// Put the columns of another run's JSON file in front.
    #[arg(long)]
    with: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Lives a failing life again, and prints what happens in it.
    Replay {
        /// The failure's directory.
        bundle: PathBuf,
    },
}

/// The engines of both builds, so that each of them understands what is meant for the other.
const NAMES: [&str; 6] = [
    "HeliosDB storage",
    "redb 4.1.0",
    "redb 4.2.0",
    "SQLite, journal, FULL",
    "SQLite, journal, EXTRA",
    "SQLite, WAL, FULL",
];

fn full_name(engine: &dyn Engine) -> String {
    format!("{} {}", engine.name(), engine.version())
}

fn engine_named(part: &str) -> Result<String, String> {
    let is_here = engines().iter().any(|engine| full_name(engine.as_ref()).contains(part));
    if is_here || NAMES.iter().any(|name| name.contains(part) || part.starts_with(name)) {
        return Ok(part.to_owned());
    }
    Err(format!("there is no engine \"{part}\"; there are: {}", NAMES.join("; ")))
}

/// What `main` does.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Some(Command::Replay { bundle }) => replay_bundle(bundle),
        None => table(&arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("engines: {error}");
            ExitCode::from(2)
        }
    }
}

/// Prints the table; whether no engine that should be right broke a promise.
fn table(arguments: &Arguments) -> Result<bool, String> {
    let effort = Effort {
        row: arguments.fault.clone(),
        ..Effort::usual(arguments.seeds).within(Duration::from_secs(arguments.seconds))
    };
    let mut reports = arguments.with.as_deref().map_or_else(|| Ok(Vec::new()), read)?;
    let others = reports.len();
    for engine in engines() {
        if full_name(engine.as_ref()).contains(&arguments.engine) {
            reports.push(examine(engine.as_ref(), &effort, &mut |done| eprintln!("{done}")));
        }
    }
    println!("{}", markdown(&reports));
    for path in &arguments.json {
        let text = serde_json::to_string_pretty(&reports).expect("a report is data");
        std::fs::write(path, text).map_err(|error| failed("write", path, error))?;
    }
    // redb 4.1 is here because it is wrong.
    Ok(cfg!(feature = "redb-4-1") || reports[others..].iter().all(|report| report.violations().is_empty()))
}

fn read(path: &Path) -> Result<Vec<EngineReport>, String> {
    let text =
        std::fs::read(path).map_err(|error| failed("read", path, format!("{error}; `just engines` makes it")))?;
    serde_json::from_slice(&text).map_err(|error| failed("read", path, error))
}

fn failed(what: &str, path: &Path, error: impl fmt::Display) -> String {
    format!("could not {what} \"{}\": {error}", path.display())
}

fn replay_bundle(directory: &Path) -> Result<bool, String> {
    let bundle = Bundle::read(directory).map_err(|error| failed("read", directory, error))?;
    let engines = engines();
    let life = Life::named(&engines, &bundle.workload)
        .ok_or_else(|| format!("no workload is called \"{}\"", bundle.workload))?;
    let lived = replay(&life, &bundle, true);
    print!("{}", render(&lived.trace));
    match &lived.result {
        Ok(stats) => println!("nothing went wrong: {stats:?}"),
        Err(violation) => println!("{violation}"),
    }
    Ok(lived.result.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_has_are_refused() {
        for (option, wrong) in [("--engine", "typo"), ("--fault", "typo"), ("--fault", "segment loss")] {
            let error = Arguments::try_parse_from(["engines", option, wrong]).err().expect("nobody is called so");
            assert_eq!(error.exit_code(), 2, "{error}");
        }
        // What a report says is taken, if a shell splits it.
        let command = crate::report::command("SQLite, WAL, FULL 3.50.2", &Effort::usual(7));
        let words = command.split('"').enumerate().flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().collect(),
            _ => vec![part],
        });
        let arguments = Arguments::try_parse_from(words.skip(1)).expect("the words that follow `just`");
        assert_eq!((arguments.seeds, arguments.seconds), (7, 60), "{command}");
        // The other build has it.
        let other = Arguments::try_parse_from(["engines", "--engine", "redb 4.1.0"]).expect("redb-4.1 calls itself so");
        assert_eq!(other.engine, "redb 4.1.0");
    }
}
