//! helios-catalog.
