//! Figures, taken side by side.
//!
//! `bench-smoke` (`just bench-smoke`) runs the same small workloads on HeliosDB, embedded and over the wire, on PostgreSQL
//! 18 and on SQLite, in one run on one machine, and prints that machine with them: a figure without its machine is none.
//! The contenders take turns, so that a busy moment of the machine falls on all of them, and the median of the turns
//! counts. Everybody commits durably: PostgreSQL as it is installed, SQLite with a write-ahead log and `synchronous = FULL`.
//!
//! `cargo bench -p helios-benches --features micro` has criterion's view of a point read and a commit.

#[cfg(feature = "peers")]
pub mod contender;
#[cfg(feature = "peers")]
pub mod machine;
