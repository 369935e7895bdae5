//! helios-server.
