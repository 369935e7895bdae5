//! `helios serve`.

use std::process::ExitCode;

use helios_server::{AuthMethod, Server, ServerOptions};
use heliosdb::{Config, Database};
use tokio::signal::unix::{SignalKind, signal};

use crate::DataDirectory;

/// Arguments of `helios serve`.
#[derive(clap::Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    directory: DataDirectory,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:5432", value_name = "HOST:PORT")]
    listen: String,
    /// Who needs a password (SCRAM-SHA-256): clients from other machines, everybody, or nobody.
    #[arg(long, value_enum, default_value_t = Auth::TrustLoopback)]
    auth: Auth,
    /// Most connections at a time.
    #[arg(long, default_value_t = 200, value_name = "N")]
    max_connections: usize,
    /// Bytes that memtables, caches and running queries may take together, in mebibytes.
    #[arg(long, default_value_t = 1024, value_name = "MB")]
    memory_limit: u64,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Auth {
    TrustLoopback,
    Scram,
    Trust,
}

pub(crate) fn run(arguments: &ServeArguments) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("helios: could not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: &ServeArguments) -> ExitCode {
    let Some(directory) = &arguments.directory.data_dir else {
        eprintln!("helios: serve needs a directory: --data-dir DIR, or HELIOSDB_DATA_DIR");
        return ExitCode::from(2);
    };
    let config = Config { memory_limit_mb: arguments.memory_limit, ..Config::from(directory.clone()) };
    let database = match Database::open_async(config).await {
        Ok(database) => database,
        Err(error) => {
            eprintln!("helios: could not open \"{}\": {}", directory.display(), error.message());
            if let Some(hint) = error.hint() {
                eprintln!("HINT:  {hint}");
            }
            return ExitCode::FAILURE;
        }
    };
    let options = ServerOptions {
        listen: arguments.listen.clone(),
        auth: match arguments.auth {
            Auth::TrustLoopback => AuthMethod::TrustLoopback,
            Auth::Scram => AuthMethod::Scram,
            Auth::Trust => AuthMethod::Trust,
        },
        connections_max: arguments.max_connections,
    };
    let server = match Server::bind(database.clone(), options).await {
        Ok(server) => server,
        Err(error) => {
            eprintln!("helios: {error}");
            return ExitCode::FAILURE;
        }
    };
    if let Ok(address) = server.local_address() {
        eprintln!("helios: serving \"{}\" on {address}", directory.display());
        eprintln!("helios: connect with: psql -h {} -p {} -U postgres", address.ip(), address.port());
    }
    let served = server.run(told_to_stop()).await;
    let closed = database.close().await;
    match (served, closed) {
        (Ok(()), Ok(())) => {
            eprintln!("helios: stopped");
            ExitCode::SUCCESS
        }
        (Err(error), _) => {
            eprintln!("helios: {error}");
            ExitCode::FAILURE
        }
        (_, Err(error)) => {
            eprintln!("helios: could not close the database: {}", error.message());
            ExitCode::FAILURE
        }
    }
}

/// SIGTERM (service managers, containers) or SIGINT (a person).
async fn told_to_stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
