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

use helios_types::{Bitmap, Column, ColumnData, Datum, Oid, Result};

use crate::expr::ExprType;
use crate::session::SessionContext;

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

/// The running states of one aggregate call, for many groups at once.
///
/// FILTER, DISTINCT and ORDER BY are the executor's business: it hands over the rows that count, once each, in order.
/// NULL arguments are handed over too: an aggregate over a strict transition function passes over the rows where any
/// argument is NULL by itself.
pub trait Accumulator: Send {
    /// Makes room for the groups `0..groups`; those that were there stay.
    fn resize(&mut self, groups: usize);

    /// Adds `groups.len()` rows: row `i` of every column goes to the group `groups[i]`. `args` is empty for `count(*)`.
    fn update(&mut self, context: &FunctionContext<'_>, groups: &[u32], args: &[&Column]) -> Result<()>;

    /// Adds `rows` rows, all to the group `group`: the ungrouped case, where a tight loop is worth having.
    fn update_one(&mut self, context: &FunctionContext<'_>, group: u32, args: &[&Column], rows: usize) -> Result<()> {
        self.update(context, &vec![group; rows], args)
    }

    /// The aggregate's value for a group, which keeps its state: a window function goes on adding. `direct` are the
    /// direct arguments of an ordered-set aggregate.
    fn finish(&mut self, context: &FunctionContext<'_>, group: usize, direct: &[Datum]) -> Result<Datum>;

    /// About how many bytes the states occupy.
    fn memory(&self) -> usize;
}

/// Makes the states of an aggregate call; argument and result types are in the context.
pub type Aggregate = fn(&FunctionContext<'_>) -> Result<Box<dyn Accumulator>>;
