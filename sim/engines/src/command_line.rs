//! The command line of both builds: prints what each engine survives, as a Markdown table; progress goes to the
//! standard error.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use helios_sim::{Bundle, render, replay};

use crate::{Effort, EngineReport, Life, engines, examine, markdown};

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
    #[arg(long, default_value = "")]
    engine: String,
    /// Only this fault, as the table calls it.
    #[arg(long, default_value = "")]
    fault: String,
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

/// What `main` does.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Some(Command::Replay { bundle }) => replay_bundle(bundle),
        None => table(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn table(arguments: &Arguments) -> std::io::Result<()> {
    let effort = Effort {
        fault: arguments.fault.clone(),
        ..Effort::usual(arguments.seeds).within(Duration::from_secs(arguments.seconds))
    };
    let mut reports: Vec<EngineReport> = match &arguments.with {
        Some(path) => serde_json::from_slice(&std::fs::read(path)?)?,
        None => Vec::new(),
    };
    for engine in engines() {
        if format!("{} {}", engine.name(), engine.version()).contains(&arguments.engine) {
            reports.push(examine(engine.as_ref(), &effort, &mut |done| eprintln!("{done}")));
        }
    }
    println!("{}", markdown(&reports));
    for path in &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&reports)?)?;
    }
    Ok(())
}

fn replay_bundle(directory: &std::path::Path) -> std::io::Result<()> {
    let bundle = Bundle::read(directory)?;
    let engines = engines();
    let life = Life::named(&engines, &bundle.workload)
        .ok_or_else(|| std::io::Error::other(format!("no workload is called \"{}\"", bundle.workload)))?;
    let lived = replay(&life, &bundle, true);
    print!("{}", render(&lived.trace));
    match lived.result {
        Ok(stats) => println!("nothing went wrong: {stats:?}"),
        Err(violation) => println!("{violation}"),
    }
    Ok(())
}
