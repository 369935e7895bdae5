//! helios-sql.
