//! helios-benches.
