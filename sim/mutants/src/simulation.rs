//! The simulations that look for mutants, and for anything at all in the engine as it is.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::report::Caught;
use crate::tree::Tree;

/// A floor of the engine in the simulated world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simulation {
    /// Commits of several clients; nothing but the storage is built.
    Storage,
    /// The same on disks that rot.
    Rot,
    /// A bit flipped in every byte of every file, one after the other.
    Damage,
    /// Transactions, locks, sequences.
    Transactions,
}

/// What a simulation saw.
#[derive(Debug)]
pub struct Look {
    /// Lives that it lived; `None`: it has no seeds.
    pub seeds: Option<u64>,
    /// How long that took, without building.
    pub seconds: f64,
    /// A violation.
    pub caught: Option<Caught>,
    /// How the test that ran it ended, if not well.
    pub failed: Option<String>,
}

/// What the damage test prints when a byte has broken a promise, before the byte and its file.
const DAMAGE_FOUND: &str = "damage found: ";

impl Simulation {
    /// In the order in which they are tried, after the one that is expected to see a mutant.
    pub const ALL: [Simulation; 4] =
        [Simulation::Storage, Simulation::Rot, Simulation::Damage, Simulation::Transactions];

    /// Its name in patches and tables.
    pub fn name(self) -> &'static str {
        match self {
            Simulation::Storage => "storage",
            Simulation::Rot => "rot",
            Simulation::Damage => "damage",
            Simulation::Transactions => "transactions",
        }
    }

    /// The simulation of that name.
    pub fn named(name: &str) -> Option<Simulation> {
        Simulation::ALL.into_iter().find(|simulation| simulation.name() == name)
    }

    /// Crate and test target.
    fn target(self) -> [&'static str; 2] {
        match self {
            Simulation::Storage | Simulation::Rot => ["helios-storage", "simulation"],
            Simulation::Damage => ["helios-storage", "damage"],
            Simulation::Transactions => ["helios-txn", "simulation"],
        }
    }

    /// The test that runs it, and how many seeds it may take.
    fn test(self) -> (&'static str, u64) {
        match self {
            Simulation::Storage => ("commits_survive_what_the_world_does", 800),
            Simulation::Rot => ("rotten_disks_are_reported_and_never_believed", 2_000),
            Simulation::Damage => ("one_damaged_byte_anywhere", 1),
            Simulation::Transactions => ("transactions_are_isolated_and_locks_are_kept", 1_500),
        }
    }

    /// Builds it over the tree as it is; the test's executable.
    fn build(self, tree: &Tree) -> io::Result<PathBuf> {
        let [package, target] = self.target();
        let built = Command::new("cargo")
            .args(["test", "--quiet", "--no-run", "--message-format=json", "-p", package, "--test", target])
            .current_dir(&tree.directory)
            .env("CARGO_TARGET_DIR", &tree.build)
            // A few lines change at a time, and nobody debugs a mutant.
            .env("CARGO_INCREMENTAL", "1")
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .stderr(File::create(tree.logs.join("build.txt"))?)
            .output()?;
        let messages = String::from_utf8_lossy(&built.stdout);
        let messages: Vec<Value> = messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if !built.status.success() {
            let error = messages.iter().find(|message| message["message"]["level"] == "error");
            let error = error.and_then(|error| error["message"]["message"].as_str()).unwrap_or("see logs/build.txt");
            return Err(io::Error::other(format!("it does not compile: {error}")));
        }
        let executable = messages.iter().rev().find_map(|message| message["executable"].as_str());
        executable.map(PathBuf::from).ok_or_else(|| io::Error::other("cargo names no executable"))
    }

    /// Builds it over the tree, and runs it until it finds a violation. An error says why there is no answer.
    pub fn look(self, tree: &Tree, name: &str, time_max: Duration) -> io::Result<Look> {
        let executable = self.build(tree)?;
        let (log, figures) = (tree.logs.join(format!("{name}-{}.txt", self.name())), tree.logs.join("figures.jsonl"));
        match std::fs::remove_file(&figures) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
        let begun = Instant::now();
        let status = self.run(tree, &executable, [&log, &figures], time_max)?;
        let failed =
            (!status.success()).then(|| format!("{} ended with {status}, see {}", self.test().0, log.display()));
        if self == Simulation::Damage {
            let found = damage(&std::fs::read_to_string(&log)?).filter(|_| status.code() == Some(PANICKED));
            return self.without_seeds(found, failed, begun.elapsed().as_secs_f64());
        }
        let text = std::fs::read_to_string(&figures).unwrap_or_default();
        let figures: Option<Value> = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
        let Some(figures) = figures else {
            return Err(io::Error::other(failed.unwrap_or_default() + ", and there are no figures"));
        };
        let caught = figures["failures"].get(0).map(|failure| Caught::new(self, &figures, failure));
        // Two runs that differ are a fault of the simulation; no promise was seen broken.
        if let Some(caught) = caught.as_ref().filter(|caught| caught.violation.starts_with("not deterministic")) {
            return Err(io::Error::other(caught.violation.clone()));
        }
        let seconds = figures["seconds"].as_f64().unwrap_or_default();
        Ok(Look { seeds: figures["seeds"].as_u64(), seconds, caught, failed })
    }

    /// What the damage test saw. That it failed says nothing: it must have been a damaged byte that broke a promise.
    fn without_seeds(self, found: Option<String>, failed: Option<String>, seconds: f64) -> io::Result<Look> {
        match (found, failed) {
            (None, Some(failed)) => Err(io::Error::other(failed)),
            (found, failed) => {
                let failure = found.map(|violation| json!({ "seconds": seconds, "violation": violation }));
                let figures = json!({ "workload": self.test().0 });
                let caught = failure.map(|failure| Caught::new(self, &figures, &failure));
                Ok(Look { seeds: None, seconds, caught, failed })
            }
        }
    }

    /// How the test ended.
    fn run(
        self,
        tree: &Tree,
        executable: &Path,
        [log, figures]: [&Path; 2],
        time_max: Duration,
    ) -> io::Result<ExitStatus> {
        let (test, seeds) = self.test();
        let printed = File::create(log)?;
        let mut child = Command::new(executable)
            .args([test, "--exact", "--nocapture"])
            .current_dir(&tree.directory)
            .env("CARGO_TARGET_DIR", &tree.build)
            .env("HELIOS_SEEDS", seeds.to_string())
            .env("HELIOS_SIM_FIGURES", figures)
            .stdin(Stdio::null())
            .stderr(printed.try_clone()?)
            .stdout(printed)
            .spawn()?;
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if begun.elapsed() > time_max {
                child.kill()?;
                child.wait()?;
                return Err(io::Error::other(format!("{test} ran for {} s", time_max.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The exit code of a test program in which a test has panicked. A signal and a lack of memory have others.
const PANICKED: i32 = 101;

/// The byte that broke a promise, and how, of what the damage test printed.
fn damage(log: &str) -> Option<String> {
    let byte = log.lines().find_map(|line| line.split_once(DAMAGE_FOUND))?.1;
    let message = log.lines().skip_while(|line| !line.contains("panicked at")).nth(1).unwrap_or("it panicked");
    Some(if message.contains(byte) { message.to_owned() } else { format!("{byte}: {message}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_found_where_a_byte_is_named() {
        let log = "thread 'x' panicked at engine/storage/tests/damage.rs:88:32:\nassertion failed: left == right\n\
                   damage found: byte 7 of wal/1.wal\n";
        assert_eq!(damage(log).as_deref(), Some("byte 7 of wal/1.wal: assertion failed: left == right"));
        let own = "thread 'x' panicked at x.rs:1:1:\nbyte 7 of wal/1.wal: no\ndamage found: byte 7 of wal/1.wal\n";
        assert_eq!(damage(own).as_deref(), Some("byte 7 of wal/1.wal: no"));
        assert_eq!(damage("thread 'x' panicked at x.rs:1:1:\ncalled `Option::unwrap()` on a `None` value\n"), None);
    }
}
