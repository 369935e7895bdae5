//! The `helios` binary: one program for a person at a terminal, a server, and a look under the bonnet.
//!
//! Exit status: 0 when everything went well, 1 when a statement, a check or a server failed, 2 for wrong arguments.

mod serve;
mod sim;
mod sql;
mod table;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A PostgreSQL-compatible database that is proved by simulation before it is trusted with a disk.
#[derive(Parser)]
#[command(name = "helios", version, propagate_version = true, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run SQL: from a file, from -c, from standard input, or typed at a prompt.
    Sql(sql::SqlArguments),
    /// Serve PostgreSQL clients (psql, any driver) over TCP.
    Serve(serve::ServeArguments),
    /// Read a whole data directory and report whatever does not hold: checksums, key order, indexes against tables.
    Verify(verify::VerifyArguments),
    /// Run the whole database in simulated worlds that fail, and replay what went wrong.
    Sim(sim::SimArguments),
}

/// The data directory, wherever a command takes one.
#[derive(clap::Args)]
struct DataDirectory {
    /// The directory of the database; created when it is missing.
    #[arg(long, alias = "database", env = "HELIOSDB_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    // A simulated disk fails all the time, and what comes of it is in the report.
    let usual = if matches!(command, Command::Sim(_)) { "off" } else { "warn,helios_env=info,helios=info" };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(usual));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    match command {
        Command::Sql(arguments) => sql::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Sim(arguments) => sim::run(&arguments),
    }
}
