//! The simulator is itself tested: by broken engines.
//!
//! `patches/` holds mistakes that a competent engineer makes: a sync that is skipped, two steps in the wrong order, a short
//! write that is taken for a whole one, a lock that goes too early. Each is a unified diff over the engine, never a switch in
//! it, under a few lines that say what is broken and which promise dies. A simulation that does not notice is a hole in the
//! simulation: it is closed there, by a workload, an oracle, a fault or a knob.
//!
//! ```text
//!   tracked files ──copy──▶ target/mutants/tree ──git apply──▶ build ──▶ simulations, cheapest first ──▶ caught?
//!                                  ▲                                                  │
//!                                  └──────────────── copied back ─────────────────────┘
//! ```
//!
//! A mutant is **caught** when a swarm finds a violation: the simulator says so itself, in its
//! figures (`SwarmReport::figures` of `helios-sim`). Everything else is a survivor, and fails: one that no simulation notices,
//! one that runs into the runner's time limit, one that does not compile, and one that no longer applies (whoever changes the
//! code renews the patch).

pub mod mutant;
pub mod report;
pub mod simulation;
pub mod tree;
