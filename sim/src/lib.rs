//! helios-sim.
