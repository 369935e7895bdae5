//! The same seed is the same life of the whole database: in one process, and in another.

use std::process::Command;

use helios_sim::{Choices, TraceLevel, live};

const CHILD: &str = "HELIOS_SIM_DATABASE_CHILD";

/// A line for each workload and seed.
fn traces() -> Vec<String> {
    let seeds = 1..4u64;
    let line = |name: &str, seed: u64, hash: u64| format!("{name}, seed {seed}: {hash:016x}");
    helios_workloads::all()
        .iter()
        .flat_map(|workload| {
            seeds.clone().map(|seed| {
                let life = live(workload.as_ref(), Choices::seeded(seed), TraceLevel::Hash);
                line(workload.name(), seed, life.trace_hash)
            })
        })
        .collect()
}

#[test]
fn one_seed_is_one_trace_in_two_processes() {
    let mine = traces();
    if std::env::var_os(CHILD).is_some() {
        mine.iter().for_each(|line| println!("{line}"));
        return;
    }
    assert_eq!(mine, traces(), "two lives in one process");
    let output = Command::new(std::env::current_exe().expect("a test has an executable"))
        .args(["--exact", "determinism::one_seed_is_one_trace_in_two_processes", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("it runs already");
    let text = String::from_utf8_lossy(&output.stdout);
    for line in mine {
        assert!(text.contains(&line), "another process disagrees with \"{line}\":\n{text}");
    }
}
