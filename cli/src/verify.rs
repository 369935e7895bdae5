//! `helios verify`.

use std::process::ExitCode;

use heliosdb::{Config, Database};

use crate::DataDirectory;

/// Arguments of `helios verify`.
#[derive(clap::Args)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    directory: DataDirectory,
}

pub(crate) fn run(arguments: &VerifyArguments) -> ExitCode {
    let Some(directory) = &arguments.directory.data_dir else {
        eprintln!("helios: verify needs a directory: --data-dir DIR, or HELIOSDB_DATA_DIR");
        return ExitCode::from(2);
    };
    let mut config = Config::from(directory.clone());
    config.storage = Some(helios_storage::Options { must_exist: true, ..helios_storage::Options::default() });
    let database = match Database::open(config) {
        Ok(database) => database,
        Err(error) => {
            eprintln!("helios: could not open \"{}\": {}", directory.display(), error.message());
            return ExitCode::FAILURE;
        }
    };
    let env = database.env().clone();
    let problems = env.block_on(async {
        let problems = database.verify().await;
        let _ = database.close().await;
        problems
    });
    match problems {
        Ok(report) if report.problems.is_empty() => {
            println!("{report}");
            println!("clean");
            ExitCode::SUCCESS
        }
        Ok(report) => {
            println!("{report}");
            for problem in &report.problems {
                println!("PROBLEM: {problem}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("helios: {}", error.message());
            ExitCode::FAILURE
        }
    }
}
