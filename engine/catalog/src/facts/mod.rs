//! PostgreSQL 18's built-in catalog, as read from a running server.
//!
//! `engine/catalog/facts/generate` (`just catalog-facts`) asks a PostgreSQL 18 for the rows that initdb made and writes
//! them into `.tsv` files, which are compiled into the binary as text, about 1 MB. Each file is parsed when it is first
//! asked for, at most once in a process, into a table with the indexes that look-ups need; the texts in it are slices of
//! the binary. Nothing here ever changes, so the tables are the one kind of global that the engine has.
//!
//! | file | function | found by |
//! |---|---|---|
//! | `types.tsv`, `ranges.tsv`, `collations.tsv` | [`types`], [`ranges`], [`collations`] | OID, schema and name |
//! | `procs.tsv`, `aggregates.tsv`, `languages.tsv` | [`procs`], [`aggregates`], [`languages`] | OID, name |
//! | `operators.tsv`, `casts.tsv` | [`operators`], [`casts`] | OID, name, types |
//! | `access_methods.tsv`, `operator_*.tsv`, `family_*.tsv` | [`operator_classes`], [`family_operators`], ... | OID, family, operator |
//! | `relations.tsv`, `attributes.tsv`, `indexes.tsv`, ... | [`relations`], [`attributes`], ... | OID, schema and name |
//! | `settings.tsv` | [`settings`] | name |
//! | the rest | [`descriptions`], [`roles`], ... | order |

mod indexing;
mod keywords;
mod operators;
mod other;
mod procs;
mod relations;
mod settings;
mod table;
mod types;

pub use indexing::*;
pub use keywords::*;
pub use operators::*;
pub use other::*;
pub use procs::*;
pub use relations::*;
pub use settings::*;
pub use table::Table;
pub use types::*;

#[cfg(test)]
mod tests;
