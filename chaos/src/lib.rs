//! Chaos on a real machine: what the simulator cannot show, because there everything is simulated.
//!
//! The simulator proves the engine against worse disks than any machine has, but the process, the kernel, the sockets
//! and the programs of others are absent from it. Here they are the ones that people will meet:
//!
//! ```text
//!   chaos-kill ──spawns──▶ helios serve ◀──TCP── clients, each remembering what was acknowledged
//!        │ SIGKILL at a random moment             (bank: a TPC-B-like load)
//!        └──restarts, audits, helios verify
//!
//!   chaos-pgbench ──▶ helios serve ◀── pgbench -i, then every built-in script in every query mode
//! ```
//!
//! [`process`] runs the `helios` binary; [`bank`] is the load, its memory, and the audit;
//! [`kill`] kills; [`forbid`] takes io_uring away
//! from a process. Randomness is seeded and the seed is printed, but real time is not replayable: a failure leaves its
//! data directory behind instead.

pub mod bank;
pub mod forbid;
pub mod kill;
pub mod pgbench;
pub mod process;
