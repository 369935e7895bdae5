//! `just chaos-kill`: kill -9 at random moments under load. See [`helios_chaos::kill`].

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Parser;
use helios_chaos::bank::Size;
use helios_chaos::kill::{Plan, run};
use helios_chaos::process::Binary;

/// Kills `helios serve` under load, and holds it to what it acknowledged.
#[derive(Parser)]
struct Arguments {
    /// Kills.
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Clients at a time.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Accounts in the bank.
    #[arg(long, default_value_t = 100_000)]
    accounts: u32,
    /// Longest time of load before a kill.
    #[arg(long, default_value_t = 3000, value_name = "MS")]
    load_ms: u64,
    /// Longest time that a restart may take to its first answer.
    #[arg(long, default_value_t = 1000, value_name = "MS")]
    answer_ms: u64,
    /// Determines moments and transfers; random when it is not given.
    #[arg(long)]
    seed: Option<u64>,
    /// The helios binary; the one beside this program when it is not given.
    #[arg(long)]
    helios: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let binary = match arguments.helios.map_or_else(Binary::beside_this_one, |path| Ok(Binary::at(path))) {
        Ok(binary) => binary,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
    let seed = arguments.seed.unwrap_or_else(now);
    let plan = Plan {
        rounds: arguments.rounds,
        clients: arguments.clients,
        size: Size { accounts: arguments.accounts },
        seed,
        load_max: Duration::from_millis(arguments.load_ms),
        answer_max: Duration::from_millis(arguments.answer_ms),
    };
    let mut directory = tempfile::tempdir().expect("the temporary directory is writable");
    println!("seed {seed}: {} rounds, {} clients, {} accounts", plan.rounds, plan.clients, plan.size.accounts);
    match run(&binary, directory.path(), plan) {
        Ok(restarts) => {
            println!("{restarts}");
            println!("{} kills, nothing lost, nothing twice", plan.rounds);
            ExitCode::SUCCESS
        }
        Err(error) => {
            directory.disable_cleanup(true);
            eprintln!("{error}");
            eprintln!("seed {seed}; the data directory is left in {}", directory.path().display());
            ExitCode::FAILURE
        }
    }
}
