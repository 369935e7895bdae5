//! helios-chaos.
