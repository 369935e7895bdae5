//! The simulator is itself tested: by broken engines.
//!
//! `patches/` holds mistakes that a competent engineer makes: a sync that is skipped, two steps in the wrong order, a short
//! write that is taken for a whole one, a lock that goes too early. Each is a unified diff over the engine, never a switch in
//! it, under a few lines that say what is broken and which promise dies. A simulation that does not notice is a hole in the
//! simulation: it is closed there, by a workload, an oracle, a fault or a knob.
//!
//! ```text
//!   tracked files ──copy──▶ target/mutants/tree ──git apply──▶ build ──▶ the simulation expected, then others ──▶ caught?
//!                             │    ▲                                                  │
//!                             │    └──────────────── copied back ─────────────────────┘
//!                             └──▶ build ──▶ each of these simulations ──▶ nothing, or there is nothing to say of mutants
//! ```
//!
//! A mutant is **caught** when a swarm finds a violation: the simulator says so itself, in its
//! figures (`SwarmReport::figures` of `helios-sim`); or when the test that damages every byte of every file says which byte
//! broke a promise. That a test failed is not enough. Everything else is a survivor, and fails: one that no simulation
//! notices, one that runs into the runner's time limit, one that only makes two runs of a seed differ, one that does not
//! compile, and one that no longer applies (whoever changes the code renews the patch).
//!
//! What catches a mutant must find nothing in the engine as it is, at all the seeds that a mutant may take: the
//! [`control`].

pub mod control;
pub mod mutant;
pub mod report;
pub mod simulation;
pub mod tree;
