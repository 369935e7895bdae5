//! helios-workloads.
