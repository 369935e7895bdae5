//! heliosdb.
