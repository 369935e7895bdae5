//! Two drivers that people use, each with thirty ordinary operations on a server in this process.
//!
//! What they need is fetched by pip and npm into `target/drivers`; where Python, Node or a package is not to be had, a
//! word says so and the test passes. `HELIOS_REFERENCE_URI` has the same operations run on PostgreSQL 18 as well.

use std::path::{Path, PathBuf};
use std::process::Command;

use helios_sqllogic::place::{Place, Room};

fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("drivers").join(name);
    std::fs::create_dir_all(&path).expect("a folder below target");
    path
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("drivers").join(name)
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// A Python with psycopg 3.
fn python() -> Result<PathBuf, &'static str> {
    let environment = folder("python");
    let python = environment.join("bin/python");
    let ready = |python: &Path| succeeds(Command::new(python).args(["-c", "import psycopg"]));
    if ready(&python) {
        return Ok(python);
    }
    if !succeeds(Command::new("python3").args(["-m", "venv"]).arg(&environment)) {
        return Err("Python 3 with venv is not here");
    }
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "psycopg[binary]>=3.2,<4"];
    if succeeds(Command::new(&python).args(install)) && ready(&python) {
        Ok(python)
    } else {
        Err("psycopg 3 could not be installed")
    }
}

/// A folder whose `node_modules` has `pg`.
fn node() -> Result<PathBuf, &'static str> {
    let folder = folder("node");
    if folder.join("node_modules/pg/package.json").exists() {
        return Ok(folder);
    }
    if !succeeds(Command::new("node").arg("--version")) {
        return Err("Node is not here");
    }
    std::fs::write(folder.join("package.json"), "{\"private\": true}\n").expect("a file below target");
    let install = ["install", "--silent", "--no-audit", "--no-fund", "pg@8"];
    if succeeds(Command::new("npm").args(install).current_dir(&folder)) {
        Ok(folder)
    } else {
        Err("node-postgres could not be installed")
    }
}

/// Runs the operations wherever they can be run.
fn everywhere(mut operations: impl FnMut(&str) -> Command) {
    for place in [Ok(Place::Wire), Place::reference()].into_iter().flatten() {
        let room = place.room().expect("a database");
        let uri = match &room {
            Room::Served(served) => served.uri(),
            Room::Postgres { uri, .. } => uri.clone(),
            Room::Embedded(_) => unreachable!("neither place is in this process only"),
        };
        let output = operations(&uri).output().expect("it ran a moment ago");
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        println!("{place:?}\n{}", text[0]);
        assert!(output.status.success(), "{place:?}: {}\n{}{}", output.status, text[0], text[1]);
    }
}

#[test]
fn psycopg_runs_thirty_operations() {
    match python() {
        Err(reason) => println!("skipped: {reason}"),
        Ok(python) => everywhere(|uri| {
            let mut command = Command::new(&python);
            command.arg(script("psycopg_ops.py")).arg(uri);
            command
        }),
    }
}

#[test]
fn node_postgres_runs_thirty_operations() {
    match node() {
        Err(reason) => println!("skipped: {reason}"),
        Ok(folder) => everywhere(|uri| {
            let mut command = Command::new("node");
            command.arg(script("node_ops.mjs")).arg(uri).current_dir(&folder);
            command
        }),
    }
}
