//! The simulations that look for mutants, from the cheapest to build to the dearest.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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
    /// SQL.
    Database,
}

/// A test that runs one swarm.
struct Swarm {
    test: &'static str,
    seeds: u64,
}

impl Simulation {
    /// In the order in which they are tried.
    pub const ALL: [Simulation; 5] =
        [Simulation::Storage, Simulation::Rot, Simulation::Damage, Simulation::Transactions, Simulation::Database];

    /// Its name in patches and tables.
    pub fn name(self) -> &'static str {
        match self {
            Simulation::Storage => "storage",
            Simulation::Rot => "rot",
            Simulation::Damage => "damage",
            Simulation::Transactions => "transactions",
            Simulation::Database => "database",
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
            Simulation::Database => ["helios-sim", "database"],
        }
    }

    fn swarms(self) -> &'static [Swarm] {
        match self {
            Simulation::Storage => &[Swarm { test: "commits_survive_what_the_world_does", seeds: 800 }],
            Simulation::Rot => &[Swarm { test: "rotten_disks_are_reported_and_never_believed", seeds: 2_000 }],
            Simulation::Damage => &[Swarm { test: "one_damaged_byte_anywhere", seeds: 1 }],
            Simulation::Transactions => &[Swarm { test: "transactions_are_isolated_and_locks_are_kept", seeds: 1_500 }],
            Simulation::Database => &[
                Swarm { test: "swarms::operations_are_what_the_model_says", seeds: 300 },
                Swarm { test: "swarms::the_bank_neither_makes_nor_loses_money", seeds: 300 },
                Swarm { test: "swarms::definitions_are_there_as_a_whole_or_not_at_all", seeds: 300 },
            ],
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

    /// Builds it over the tree, and runs its swarms until one finds a violation. An error says why there is no answer.
    pub fn look(self, tree: &Tree, name: &str, time_max: Duration) -> io::Result<Option<Caught>> {
        let executable = self.build(tree)?;
        for swarm in self.swarms() {
            let figures = self.run(tree, &executable, swarm, name, time_max)?;
            if let Some(failure) = figures["failures"].get(0) {
                return Ok(Some(Caught::new(self, &figures, failure)));
            }
        }
        Ok(None)
    }

    /// The figures of one swarm.
    fn run(self, tree: &Tree, executable: &Path, swarm: &Swarm, name: &str, time_max: Duration) -> io::Result<Value> {
        let log = tree.logs.join(format!("{name}-{}.txt", self.name()));
        let figures = tree.logs.join("figures.jsonl");
        match std::fs::remove_file(&figures) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
        let printed = File::create(&log)?;
        let mut child = Command::new(executable)
            .args([swarm.test, "--exact", "--nocapture"])
            .current_dir(&tree.directory)
            .env("CARGO_TARGET_DIR", &tree.build)
            .env("HELIOS_SEEDS", swarm.seeds.to_string())
            .env("HELIOS_SIM_FIGURES", &figures)
            .stdin(Stdio::null())
            .stderr(printed.try_clone()?)
            .stdout(printed)
            .spawn()?;
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if begun.elapsed() > time_max {
                child.kill()?;
                child.wait()?;
                return Err(io::Error::other(format!("{} ran for {} s", swarm.test, time_max.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        if self == Simulation::Damage {
            return Ok(of_one_run(swarm, status.success(), &std::fs::read_to_string(&log)?, begun.elapsed()));
        }
        let text = std::fs::read_to_string(&figures).unwrap_or_default();
        let last = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
        last.ok_or_else(|| {
            io::Error::other(format!("{} ended with {status} and no figures, see {}", swarm.test, log.display()))
        })
    }
}

/// The figures of a test that has no seeds: it looks at everything once.
fn of_one_run(swarm: &Swarm, succeeded: bool, log: &str, elapsed: Duration) -> Value {
    let message = log.lines().skip_while(|line| !line.contains("panicked at")).nth(1).unwrap_or("it failed");
    let failure = json!({ "seeds": 1, "seconds": elapsed.as_secs_f64(), "violation": message });
    let failures = if succeeded { Vec::new() } else { vec![failure] };
    json!({ "workload": swarm.test, "failures": failures })
}
