//! The same seed is the same world: in one process, and in another.

use std::process::Command;

use helios_sim::{Choices, TraceLevel, live};

use crate::store::{Bug, Puts};

const CHILD: &str = "HELIOS_SIM_DETERMINISM_CHILD";

fn hash(seed: u64) -> u64 {
    live(&Puts::new(Bug::None), Choices::seeded(seed), TraceLevel::Hash).trace_hash
}

#[test]
fn one_seed_is_one_trace_in_one_process() {
    let hashes: Vec<u64> = (0..30).map(hash).collect();
    assert_eq!(hashes, (0..30).map(hash).collect::<Vec<_>>());
    let mut distinct = hashes.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), hashes.len());
}

#[test]
fn one_seed_is_one_trace_in_two_processes() {
    let line = |seed: u64| format!("trace of seed {seed}: {:016x}", hash(seed));
    if std::env::var_os(CHILD).is_some() {
        (0..10).for_each(|seed| println!("{}", line(seed)));
        return;
    }
    let output = Command::new(std::env::current_exe().expect("a test has an executable"))
        .args(["--exact", "determinism::one_seed_is_one_trace_in_two_processes", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("it runs already");
    let text = String::from_utf8_lossy(&output.stdout);
    for seed in 0..10 {
        assert!(text.contains(&line(seed)), "seed {seed} differs in another process:\n{text}");
    }
}
