//! ALTER TABLE.

mod constraints;
mod rewrite;

pub(super) use constraints::remove_constraint;
