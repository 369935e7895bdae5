//! What users created: descriptors, the snapshots that hold them, and how they are stored.
//!
//! ```text
//!   catalog key space (MVCC rows)          memory
//!   ┌───────────────────────────┐  decode  ┌─────────────────┐ apply(&[Change]) ┌─────────────────┐
//!   │ (kind, oid) -> descriptor │ ───────► │ CatalogSnapshot │ ───────────────► │ CatalogSnapshot │
//!   └───────────────────────────┘          │   version 7     │                  │   version 8     │
//!                                          └─────────────────┘                  └─────────────────┘
//! ```
//!
//! A [`CatalogSnapshot`] never changes. DDL computes [`Change`]s, applies them to the snapshot that it sees (so that the
//! transaction's next statement sees them) and writes them as rows; when the transaction commits, everyone's next
//! statement gets a snapshot with the changes. Snapshots share every descriptor that did not change.

mod change;
mod descriptors;
mod initial;
mod names;
mod snapshot;
#[cfg(test)]
mod tests;
mod user_types;

pub use change::Change;
pub use descriptors::*;
pub use initial::{FIRST_USER_OID, FIRST_USER_STORAGE, POSTGRES_ROLE, PUBLIC_SCHEMA, initial_changes};
pub use names::{Relation, RelationKind, parse_identifier_list};
pub use snapshot::{CatalogSnapshot, Dependent};
