//! Bytes as the choices of a simulated world.
//!
//! The swarm of the storage floor draws its worlds at random. Here the fuzzer decides instead, and is told which code
//! each decision has reached: when the process is killed, what a torn write leaves, which sync fails. The workload and its
//! oracle are those of the swarm; no decision may lead to a violation.
#![no_main]

use helios_sim::{Choices, TraceLevel, live};
use libfuzzer_sys::fuzz_target;

#[path = "../../engine/storage/tests/simulation/commits/mod.rs"]
mod commits;

fuzz_target!(|input: &[u8]| {
    let [kind, choices @ ..] = input else { return };
    let workload = commits::Commits { disk_rots: kind % 2 == 1 };
    if let Err(violation) = live(&workload, Choices::bytes(choices), TraceLevel::Hash).result {
        panic!("{violation}");
    }
});
