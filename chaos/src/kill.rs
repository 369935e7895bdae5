//! kill -9 under load, again and again, on one data directory.
//!
//! ```text
//!   round:  load for a random while ─▶ SIGKILL ─▶ [restart, SIGKILL during recovery] ─▶ restart, first answer timed
//!           ─▶ audit ─▶ SIGTERM or SIGKILL ─▶ helios verify ─▶ restart, and the next round
//! ```

use std::path::Path;
use std::time::{Duration, Instant};

use helios_env::{Rng, SplitMix64};

use crate::bank::{self, Size, Teller};
use crate::process::{Binary, Server};

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Kills.
    pub rounds: usize,
    /// Clients at a time.
    pub clients: usize,
    /// The bank's size.
    pub size: Size,
    /// Determines moments and transfers.
    pub seed: u64,
    /// Longest time of load before a kill.
    pub load_max: Duration,
    /// Longest time from restart to the first answer.
    pub answer_max: Duration,
}

/// Times from the start of a process to its first answer, sorted.
#[derive(Debug)]
pub struct Restarts(pub Vec<Duration>);

/// Carries the plan out, telling every round.
///
/// # Errors
///
/// With what did not hold.
pub fn run(binary: &Binary, directory: &Path, plan: Plan) -> Result<Restarts, String> {
    let root = SplitMix64::new(plan.seed);
    let moments = root.fork("moments");
    let up_to = |most: Duration| most.mul_f64((moments.next_u64() % 1_000_000) as f64 / 1e6);
    let mut tellers: Vec<_> = (0..plan.clients as i32).map(|client| Teller::new(client, plan.size, &root)).collect();
    let mut server = binary.serve(directory).listening()?;
    let mut client = server.connect().map_err(|error| error.to_string())?;
    bank::create(&mut client, plan.size).map_err(|error| format!("the bank's tables: {error:?}"))?;
    drop(client);

    let mut answers = Vec::new();
    for round in 1..=plan.rounds {
        let address = server.address();
        let took = bank::load(&mut tellers, address, up_to(plan.load_max), || server.kill())?;
        let acknowledged = bank::acknowledged(&tellers);
        let killed_again = round % 4 == 0;
        if killed_again {
            let starting = binary.serve(directory);
            std::thread::sleep(up_to(Duration::from_millis(100)));
            starting.kill();
        }
        let (restarted, answer) = answered(binary, directory)?;
        answers.push(answer);
        let mut client = restarted.connect().map_err(|error| error.to_string())?;
        let audit = bank::audit(&mut client, &mut tellers)?;
        drop(client);
        let graceful = round % 2 == 0;
        if graceful {
            let (status, said) = restarted.terminate()?;
            if !status.success() {
                return Err(format!("SIGTERM ended it with {status}:\n{}", said.join("\n")));
            }
        } else {
            restarted.kill();
        }
        binary.verify(directory)?;
        println!(
            "round {round:2}: killed after {:4} ms{}, {acknowledged} acknowledged, {} in the history, of those without \
             an answer {} there and {} not; first answer after {:3} ms; verified after {}",
            took.as_millis(),
            if killed_again { " and while it recovered" } else { "" },
            audit.transfers,
            audit.survived,
            audit.vanished,
            answer.as_millis(),
            if graceful { "SIGTERM" } else { "SIGKILL" },
        );
        server = answered(binary, directory)?.0;
    }
    answers.sort();
    if let Some(slowest) = answers.last().filter(|slowest| **slowest > plan.answer_max) {
        return Err(format!("a restart took {} ms to its first answer", slowest.as_millis()));
    }
    Ok(Restarts(answers))
}

/// Starts a server and waits for the first answer out of the bank: the server, and how long it took since the start of
/// its process.
fn answered(binary: &Binary, directory: &Path) -> Result<(Server, Duration), String> {
    let server = binary.serve(directory).listening()?;
    let answer = server.connect().and_then(|mut client| client.query_one("SELECT balance FROM branches LIMIT 1", &[]));
    let took = Instant::now() - server.begin();
    match answer {
        Ok(_) => Ok((server, took)),
        Err(error) => Err(format!("the first answer after a restart is {error:?}")),
    }
}

impl std::fmt::Display for Restarts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [Some(min), Some(median), Some(max)] =
            [self.0.first(), self.0.get(self.0.len() / 2), self.0.last()].map(|time| time.map(Duration::as_millis))
        else {
            return write!(f, "no restarts");
        };
        write!(f, "restart to first answer: min {min} ms, median {median} ms, max {max} ms")
    }
}
