//! `just pgbench`: pgbench's own scripts, in every query mode. See [`helios_chaos::pgbench`].

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use helios_chaos::pgbench::{Plan, run, version};
use helios_chaos::process::Binary;

/// Runs pgbench's built-in scripts on `helios serve`.
#[derive(Parser)]
struct Arguments {
    /// Scale: a hundred thousand accounts each.
    #[arg(long, default_value_t = 10)]
    scale: u32,
    /// Clients at a time.
    #[arg(long, default_value_t = 8)]
    clients: u32,
    /// Seconds for each script in each query mode.
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// The helios binary; the one beside this program when it is not given.
    #[arg(long)]
    helios: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some(version) = version() else {
        println!("skipped: there is no pgbench on this machine's PATH");
        return ExitCode::SUCCESS;
    };
    println!("{version}");
    let binary = match arguments.helios.map_or_else(Binary::beside_this_one, |path| Ok(Binary::at(path))) {
        Ok(binary) => binary,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let plan = Plan { scale: arguments.scale, clients: arguments.clients, seconds: arguments.seconds };
    let mut directory = tempfile::tempdir().expect("the temporary directory is writable");
    match run(&binary, directory.path(), plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            directory.disable_cleanup(true);
            eprintln!("{error}");
            eprintln!("the data directory is left in {}", directory.path().display());
            ExitCode::FAILURE
        }
    }
}
