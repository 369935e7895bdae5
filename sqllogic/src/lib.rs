//! helios-sqllogic.
