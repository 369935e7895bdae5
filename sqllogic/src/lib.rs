//! Scripts whose answers were recorded from PostgreSQL 18, and what runs them.
//!
//! A script (`scripts/**/*.slt`, in the `sqllogictest` crate's form) is a list of statements with what PostgreSQL answered:
//! rows as text, the count of rows changed, or the error with its SQLSTATE, message, detail, hint and position. Nobody
//! types an expectation: [`record`] writes them from the reference server, and the same scripts are run there again
//! in CI, so that none can be tuned to the engine.
//!
//! ```text
//!                    ┌─▶ Peer::embedded   a session of a database in memory
//!   script ─▶ run ───┼─▶ Peer::wire       a connection to a server in this process
//!             │      └─▶ Peer::wire       a connection to PostgreSQL 18
//!             ▼
//!         Outcome: statements passed, statements, each failure ─▶ ratchet: may rise, may not fall
//! ```
//!
//! A failing statement does not end its script: the rest is run and counted. Each script gets a database of its own.
//! Whoever has another use for the statements of a script takes them as [`steps`]: the simulator cuts them off.
//! Corpora of others are run in place, found by `HELIOS_CORPORA`: see [`corpora`].

pub mod corpora;
pub mod peer;
pub mod place;
pub mod ratchet;
pub mod record;
pub mod script;
pub mod served;
pub mod steps;
