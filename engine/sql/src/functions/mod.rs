//! PostgreSQL's builtins, bound by their `prosrc` symbol.
//!
//! The catalog facts say which function a call means (`pg_proc.oid`); this registry says what runs. A function that the
//! facts know and the registry does not resolves, then fails with 0A000 naming itself.
//!
//! ```text
//!   FuncExpr.function ──facts──▶ prosrc ("int4pl") ──registry──▶ Implementation
//!                                                                 ├ Scalar: one row, Datums
//!                                                                 ├ Kernel: a batch of columns
//!                                                                 ├ Set: many rows
//!                                                                 └ Suspending: may wait (nextval, pg_sleep, ...)
//! ```
//!
//! Strictness is the caller's business: an implementation of a strict function never sees a NULL argument (kernels are
//! told which rows to skip). What a function needs to know about its session it finds in the [`FunctionContext`].
//!
//! Every topic is a module with a table of its own; [`lookup`] searches all of them. A name occurs once (a test sees to
//! it). Aggregates have a registry of their own, [`aggregates`]; window functions, which need the executor's partitions and
//! frames, live there.

pub mod aggregates;
mod arguments;
mod array;
mod array_text;
mod boolean;
mod bytea;
mod bytes;
mod cache;
mod case;
mod cast;
mod compare;
mod datetime;
mod digest;
mod encode;
mod errors;
mod float;
mod format;
mod hash;
mod identifier;
mod in_range;
mod int;
mod math;
mod native;
mod numeric;
mod pattern;
mod random;
mod regex;
mod regexp;
mod send;
mod series;
mod size;
mod strings;
mod suspending;
mod system;
mod template;
mod text;
mod unicode;

#[cfg(test)]
mod tests;

use helios_env::hash::HashMap;
use helios_env::sync::OnceLock;
use helios_types::{Bitmap, Column, ColumnData, Datum, Oid, Result};

use crate::expr::ExprType;
use crate::session::SessionContext;

pub use aggregates::{Accumulator, Aggregate};
pub use cache::CallCache;
pub use system::{since_2000, sql_value};

/// What a call knows beside its arguments.
#[derive(Clone, Copy)]
pub struct FunctionContext<'a> {
    /// Whose call it is: settings, user, time, randomness.
    pub session: &'a SessionContext,
    /// The collation to use (`inputcollid`).
    pub collation: Oid,
    /// Types of the arguments as the call site has them (polymorphic functions look here).
    pub arg_types: &'a [Oid],
    /// Type of the result.
    pub result: ExprType,
    /// Whether the last argument is the array of a call with the word VARIADIC.
    pub variadic: bool,
    /// What the call site keeps between calls: compiled patterns and the like. One per call in a plan (PostgreSQL's
    /// `fn_extra`); nothing is lost but time when it is fresh.
    pub cache: &'a CallCache,
}

/// One row: Datums in, a Datum out.
pub type Scalar = fn(&FunctionContext<'_>, &[Datum]) -> Result<Datum>;

/// A batch: `args` are columns of `rows` values each; rows set in `skip` must not be looked at (their result is
/// unspecified; the caller makes it NULL). Used only for strict functions that never return NULL.
pub type Kernel = fn(&FunctionContext<'_>, args: &[&Column], skip: Option<&Bitmap>, rows: usize) -> Result<ColumnData>;

/// A set-returning function: calls back once per row with the row's columns; the callback's error ends it.
pub type Set = fn(&FunctionContext<'_>, &[Datum], emit: &mut dyn FnMut(&[Datum]) -> Result<()>) -> Result<()>;

/// What runs when a function is called.
#[derive(Clone, Copy)]
pub enum Implementation {
    /// Row by row.
    Scalar(Scalar),
    /// Batch by batch, with the row form for short circuits.
    Kernel(Scalar, Kernel),
    /// Many rows.
    Set(Set),
    /// May wait or touch the database: the executor's suspending interpreter knows it by this number.
    Suspending(Suspending),
}

/// Functions that wait, run SQL or read the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Suspending {
    Nextval,
    Currval,
    Lastval,
    Setval,
    Sleep,
    /// Catalog look-ups: `pg_get_indexdef`, `regclass` input, `pg_table_is_visible`, ... by `prosrc`.
    Catalog(&'static str),
}

/// A bound function: `prosrc` and what runs.
type Entry = (&'static str, Implementation);

/// The tables of all topics.
const TOPICS: &[&[&[Entry]]] = &[
    boolean::FUNCTIONS,
    bytea::FUNCTIONS,
    bytes::FUNCTIONS,
    case::FUNCTIONS,
    digest::FUNCTIONS,
    encode::FUNCTIONS,
    float::FUNCTIONS,
    int::FUNCTIONS,
    math::FUNCTIONS,
    pattern::FUNCTIONS,
    regexp::FUNCTIONS,
    cast::FUNCTIONS,
    compare::FUNCTIONS,
    hash::FUNCTIONS,
    numeric::FUNCTIONS,
    array::FUNCTIONS,
    array_text::FUNCTIONS,
    format::FUNCTIONS,
    random::FUNCTIONS,
    series::FUNCTIONS,
    suspending::FUNCTIONS,
    system::FUNCTIONS,
    datetime::FUNCTIONS,
    in_range::FUNCTIONS,
    template::FUNCTIONS,
    text::FUNCTIONS,
    identifier::FUNCTIONS,
    send::FUNCTIONS,
    size::FUNCTIONS,
    unicode::FUNCTIONS,
];

/// Every bound function.
pub fn bound() -> impl Iterator<Item = (&'static str, Implementation)> {
    TOPICS.iter().flat_map(|topic| topic.iter()).flat_map(|table| table.iter()).copied()
}

/// The implementation behind a builtin's `prosrc`, if it is bound.
pub fn lookup(prosrc: &str) -> Option<Implementation> {
    // Made once from constants and never changed: not state.
    static REGISTRY: OnceLock<HashMap<&'static str, Implementation>> = OnceLock::new();
    REGISTRY.get_or_init(|| bound().collect()).get(prosrc).copied()
}

/// The implementation of a builtin function: most by `prosrc`; those that PostgreSQL has written in SQL, whose `prosrc`
/// says nothing, by `pg_proc.oid`.
pub fn bind(function: Oid, prosrc: &str) -> Option<Implementation> {
    let written_in_sql = SQL_TOPICS.iter().flat_map(|topic| topic.iter()).find(|(oid, _)| *oid == function.0);
    match written_in_sql {
        Some((_, implementation)) => Some(*implementation),
        None => lookup(prosrc),
    }
}

/// The tables of functions that PostgreSQL has written in SQL, by `pg_proc.oid`.
const SQL_TOPICS: &[&[(u32, Implementation)]] = &[
    datetime::SQL_FUNCTIONS,
    format::SQL_FUNCTIONS,
    numeric::SQL_FUNCTIONS,
    regexp::SQL_FUNCTIONS,
    suspending::SQL_FUNCTIONS,
    text::SQL_FUNCTIONS,
];
