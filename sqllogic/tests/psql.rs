//! What a person types into psql, answered as PostgreSQL 18 answers.
//!
//! `psql/commands.out` was recorded from PostgreSQL 18 with the psql that its first line names; psql's own queries and
//! layout change from version to version, so another psql is held to PostgreSQL itself, where `HELIOS_REFERENCE_URI` names
//! one. Where psql is missing a word says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use helios_sqllogic::place::{Place, Room};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("psql").join(name)
}

/// The major version of the psql on the path, as `psql 15`.
fn version() -> Option<String> {
    let output = Command::new("psql").arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(format!("psql {}", number.split('.').next()?))
}

/// What psql prints, errors in line with the rest: a shell brings both into one stream.
fn psql(place: &Place, arguments: &str) -> String {
    let room = place.room().expect("a database");
    let uri = match &room {
        Room::Served(served) => served.uri(),
        Room::Postgres { uri, .. } => uri.clone(),
        Room::Embedded(_) => unreachable!("psql needs a server"),
    };
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec psql -X -q -d \"$0\" {arguments} 2>&1"), &uri]).current_dir(file(""));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C.UTF-8");
    let output = command.output().expect("a shell and psql");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn session(place: &Place) -> String {
    psql(place, "-a -f commands.sql")
}

/// The first lines that differ, for a person to read.
fn first_difference(expected: &str, found: &str) -> Option<String> {
    let (expected, found): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let at = expected
        .iter()
        .zip(&found)
        .position(|(a, b)| a != b)
        .or_else(|| (expected.len() != found.len()).then_some(expected.len().min(found.len())))?;
    let from = at.saturating_sub(12);
    let around = |lines: &[&str]| lines[from.min(lines.len())..(at + 8).min(lines.len())].join("\n");
    Some(format!("from line {at} on\n--- PostgreSQL 18\n{}\n--- here\n{}", around(&expected), around(&found)))
}

fn assert_same(expected: &str, found: &str) {
    if let Some(difference) = first_difference(expected, found) {
        panic!("{difference}");
    }
}

#[test]
fn psql_shows_what_it_shows_of_postgresql() {
    let Some(version) = version() else {
        println!("skipped: psql is not here");
        return;
    };
    let found = session(&Place::Wire);
    match Place::reference() {
        Ok(reference) => {
            let expected = session(&reference);
            if std::env::var_os("HELIOS_PSQL_RECORD").is_some() {
                std::fs::write(file("commands.out"), format!("{version}\n{expected}")).expect("a file of this project");
            }
            assert_same(&expected, &found);
        }
        Err(reason) => {
            let recorded = std::fs::read_to_string(file("commands.out")).expect("a file of this project");
            match recorded.split_once('\n') {
                Some((with, expected)) if with == version => assert_same(expected, &found),
                _ => println!("skipped: the answers are those of another psql than {version}, and {reason}"),
            }
        }
    }
}

/// psql 15 and 16 ask PostgreSQL 18 for columns that it no longer has; here they are answered.
#[test]
fn psql_lists_databases() {
    if version().is_none() {
        println!("skipped: psql is not here");
        return;
    }
    let listed = psql(&Place::Wire, "-At -c '\\l'");
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split('|').next()).collect();
    assert_eq!(names, ["postgres", "template0", "template1"], "{listed}");
}
