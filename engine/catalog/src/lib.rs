//! The catalog: what names mean.
//!
//! Two sources are merged at read time. *Facts* are PostgreSQL 18's own built-in types, functions, operators and
//! casts: read-only data in the binary. The *model* is what users created: immutable descriptors, stored as rows of
//! MVCC tables and kept in memory as versioned snapshots.

pub mod facts;
pub mod model;
pub mod resolve;
pub mod system;

pub use model::CatalogSnapshot;
