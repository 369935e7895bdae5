//! What the fuzz targets share.
//!
//! A target takes bytes from libFuzzer, does with them what a stranger could, and panics when a promise is broken. Each
//! file in `fuzz_targets/` says which promise. `fuzz/run` builds them all and runs them for a while.
//!
//! ```text
//!   bytes of a client        wire ──▶ Conversation ─┐
//!   text of a client         sql ───▶ Session ──────┴──▶ a database in memory     ([session])
//!   damage to a directory    log, sstable, manifest ──▶ Storage in a World        ([directory])
//!   values                   values, keys ──▶ helios-types                        ([value])
//!   choices                  choices ──▶ a World of its own
//! ```
//!
//! An input is a function of its bytes alone: the worlds are seeded, the databases new every time. What is left to the
//! clock is when a statement that takes too long is cancelled.

pub mod directory;
pub mod session;
pub mod value;
