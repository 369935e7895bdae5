//! Rows by the values of some columns: the table behind grouping, DISTINCT, set operations, hash joins and IN.
//!
//! ```text
//!   columns ──key──▶ bytes (or one integer) ──KeyTable──▶ number of the key, counted from 0 in order of appearance
//! ```
//!
//! Two values have the same key bytes when the type's equality holds: 1.0 and 1.00, 0 and -0, `'a'` and `'a  '` as
//! char(n). What is kept per key (aggregates' states, chains of rows) its owner keeps in vectors by that number.

mod key;
mod table;

pub(crate) use key::of_row;
pub(crate) use table::{KeyTable, NO_KEY};
