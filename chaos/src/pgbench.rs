//! pgbench, the program that everybody measures PostgreSQL with, on our server.
//!
//! `pgbench -i`, then every built-in script in every query mode, several clients each. It is a check and not a
//! measurement: no client may meet an error, and afterwards what the accounts, tellers and branches hold is what the
//! history says. The figures that pgbench prints are passed on as they are.

use std::path::Path;
use std::process::Command;

use crate::process::{Binary, Server};

/// pgbench's built-in scripts.
const SCRIPTS: [&str; 3] = ["tpcb-like", "simple-update", "select-only"];
/// The ways in which it sends a query.
const MODES: [&str; 3] = ["simple", "extended", "prepared"];

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// `-s`: a hundred thousand accounts each.
    pub scale: u32,
    /// `-c`.
    pub clients: u32,
    /// `-T`, for each script in each mode.
    pub seconds: u32,
}

/// pgbench's version; `None` where there is no pgbench.
#[must_use]
pub fn version() -> Option<String> {
    let output = Command::new("pgbench").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Carries the plan out on a new database in `directory`, telling every run.
///
/// # Errors
///
/// With what failed or does not agree.
pub fn run(binary: &Binary, directory: &Path, plan: Plan) -> Result<(), String> {
    let server = binary.serve(directory).listening()?;
    let begin = std::time::Instant::now();
    pgbench(&server, &["-i", "-q", "-s", &plan.scale.to_string()])?;
    println!("pgbench -i -s {}: {:.1} s", plan.scale, begin.elapsed().as_secs_f64());
    let (clients, seconds) = (plan.clients.to_string(), plan.seconds.to_string());
    for script in SCRIPTS {
        for mode in MODES {
            let said = pgbench(&server, &["-n", "-c", &clients, "-j", "2", "-T", &seconds, "-M", mode, "-b", script])?;
            let line = |of: &str| said.lines().find(|line| line.starts_with(of)).unwrap_or("").trim().to_owned();
            let failed = line("number of failed transactions");
            if !failed.starts_with("number of failed transactions: 0 ") {
                return Err(format!("{script}, {mode}: {failed}\n{said}"));
            }
            println!("{script:13} {mode:8} {}, {}", line("tps"), line("latency average"));
            agree(&server, script == SCRIPTS[0])?;
        }
    }
    let (status, said) = server.terminate()?;
    if !status.success() {
        return Err(format!("SIGTERM ended it with {status}:\n{}", said.join("\n")));
    }
    binary.verify(directory)?;
    println!("no errors, the sums agree, helios verify is clean");
    Ok(())
}

fn pgbench(server: &Server, arguments: &[&str]) -> Result<String, String> {
    let address = server.address();
    let output = Command::new("pgbench")
        .args(arguments)
        .args(["-h", &address.ip().to_string(), "-p", &address.port().to_string(), "-U", "postgres", "postgres"])
        .output()
        .map_err(|error| format!("pgbench cannot be started: {error}"))?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() || said.contains("ERROR") || said.contains("aborted") {
        return Err(format!("pgbench {}: {}\n{said}", arguments.join(" "), output.status));
    }
    Ok(said)
}

/// The balances are what the history adds up to. All four while only `tpcb-like` ran; `simple-update` moves money into
/// accounts alone, and from then on the history is held against the accounts, and tellers against branches.
fn agree(server: &Server, all: bool) -> Result<(), String> {
    let sums = "SELECT (SELECT sum(abalance)::bigint FROM pgbench_accounts),
                       (SELECT coalesce(sum(delta), 0)::bigint FROM pgbench_history),
                       (SELECT sum(tbalance)::bigint FROM pgbench_tellers),
                       (SELECT sum(bbalance)::bigint FROM pgbench_branches)";
    let row =
        server.connect().and_then(|mut client| client.query_one(sums, &[])).map_err(|error| format!("{error:?}"))?;
    let sums: Vec<i64> = (0..4).map(|column| row.get(column)).collect();
    if sums[0] == sums[1] && sums[2] == sums[3] && (!all || sums[1] == sums[2]) {
        return Ok(());
    }
    Err(format!("the sums differ: accounts, history, tellers, branches = {sums:?}"))
}
