//! `record [--accept] FILES...`: writes what the reference PostgreSQL answers into scripts. See [`helios_sqllogic::record`].

use std::path::Path;
use std::process::ExitCode;

use helios_sqllogic::place::Place;
use helios_sqllogic::record::record;

fn main() -> ExitCode {
    let place = match Place::reference() {
        Ok(place) => place,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(64);
        }
    };
    let mut status = ExitCode::SUCCESS;
    let (flags, paths): (Vec<_>, Vec<_>) = std::env::args_os().skip(1).partition(|argument| argument == "--accept");
    for path in paths {
        match record(Path::new(&path), &place, !flags.is_empty()) {
            Ok(path) => println!("recorded {}", path.display()),
            Err(error) => {
                eprintln!("{error}\n");
                status = ExitCode::FAILURE;
            }
        }
    }
    status
}
