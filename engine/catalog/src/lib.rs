//! The catalog: what names mean.
//!
//! ```text
//!   facts      PostgreSQL 18's own types, functions, operators, relations: read-only data in the binary
//!   model      what users created: immutable descriptors, stored as rows, held by versioned snapshots
//!      │
//!      ├── resolve     which function, operator or coercion an expression means
//!      ├── system      the rows of pg_catalog and information_schema, computed from both
//!      └── functions   pg_get_indexdef, pg_table_is_visible, to_regclass, ...
//! ```
#![warn(missing_docs)]

pub mod facts;
pub mod functions;
pub mod model;
pub mod resolve;
pub mod system;

pub use model::CatalogSnapshot;
