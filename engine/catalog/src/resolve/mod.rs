//! What an overloaded name means: PostgreSQL's rules for functions, operators, casts and common types.
//!
//! The rules are those of the manual's chapter "Type Conversion", and of `parse_func.c`, `parse_oper.c` and
//! `parse_coerce.c` where the manual is silent. They work on types alone: the analyzer hands in the OIDs of the
//! arguments' types and puts coercions where the answer says.
//!
//! ```text
//!   name, argument types ──► candidates (visible, right number of arguments, names, defaults, VARIADIC)
//!        ──► an exact match? ──► those whose arguments coerce implicitly ──► best by exact matches
//!        ──► by preferred types ──► by category of unknown literals ──► by "all of the known type"
//!        ──► polymorphic parameters made concrete ──► FunctionCall / OperatorCall
//! ```
//!
//! | question | answered by |
//! |---|---|
//! | may this type become that one, and how | [`Lookup::can_coerce`], [`Lookup::coercion_pathway`] |
//! | what are `CASE`, `UNION`, `ARRAY[]` of these types | [`Lookup::select_common_type`] |
//! | which function does this call mean | [`Lookup::function`] |
//! | which operator is this | [`Lookup::binary_operator`], [`Lookup::prefix_operator`] |
//! | how does this type sort, compare, index | [`Lookup::default_operator_class`], [`Lookup::ordering_operators`] |

mod coerce;
mod common_type;
mod format;
mod function;
mod operator;
mod ordering;
mod polymorphic;
mod select;
mod types;

use helios_types::{Oid, PgError, SqlState};

pub use coerce::{CoercionContext, Pathway};
pub use common_type::select_common_typmod;
pub use function::{Argument, ArgumentSource, CallArguments, FunctionCall, FunctionDetail, FunctionName};
pub use operator::OperatorCall;
pub use ordering::OrderingOperators;

use crate::CatalogSnapshot;

/// Where names are looked up: a snapshot of the catalog through a search path.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    /// The objects there are.
    pub catalog: &'a CatalogSnapshot,
    /// Schemas of unqualified names, in order, `pg_catalog` among them.
    pub search_path: &'a [Oid],
}

/// What may go wrong when a name is resolved, as PostgreSQL says it.
fn mismatch(message: String) -> PgError {
    PgError::new(SqlState::DATATYPE_MISMATCH, message)
}

#[cfg(test)]
mod tests;
