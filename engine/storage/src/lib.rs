//! helios-storage.
