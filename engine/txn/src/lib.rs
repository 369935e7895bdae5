//! helios-txn.
