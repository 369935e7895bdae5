//! The `helios` binary.
fn main() {}
