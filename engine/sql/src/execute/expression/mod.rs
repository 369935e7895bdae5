//! Expressions, compiled and evaluated.
//!
//! ```text
//!   Expr ──compile──▶ Program ──▶ Evaluator.poll(batch) ──▶ columns
//!   (Vars, OIDs)      (slots,     pure programs: all rows at once
//!                     functions)  suspending ones: row by row, may wait
//! ```
//!
//! A [`Program`] is immutable and shared by all executions of a plan; an [`Evaluator`] belongs to one operator of one
//! execution and keeps what is computed once (uncorrelated subqueries) and what is under way (a suspended row).
//!
//! PostgreSQL evaluates a row's expressions before it looks at the next row. That shows when one fails: with LIMIT 1 a
//! division by zero in the second row is never seen. So a failure gives the rows before it first, then the error: see
//! [`Evaluated`].

mod call;
mod compile;
mod evaluator;
mod hashed_set;
mod operation;
mod program;
mod row;
mod sql_value;
mod subscript;
mod suspend;
mod vector;

#[cfg(test)]
mod tests;

use helios_types::{Datum, Oid, PgError, Result, SqlState, io};

pub use compile::compile;
pub use evaluator::{Evaluated, Evaluator, Filtered};
pub use program::Program;
pub(crate) use vector::true_bits;

use crate::expr::ExprType;
use crate::session::SessionContext;
use hashed_set::HashedSet;

/// What evaluation knows beside the row.
#[derive(Clone, Copy)]
pub struct EvalContext<'a> {
    /// Whose statement it is.
    pub session: &'a SessionContext,
    /// `$n`.
    pub params: &'a [Datum],
    /// Values that other parts of the plan provide.
    pub exec_params: &'a [Datum],
    /// What was computed once.
    pub(crate) hoisted: &'a [HoistedValue],
}

/// The result of a subplan that is run once.
#[derive(Debug, Default)]
pub(crate) enum HoistedValue {
    /// Not run yet.
    #[default]
    Missing,
    Scalar(Datum),
    Set(Box<HashedSet>),
}

impl<'a> EvalContext<'a> {
    /// Evaluation outside of any plan, as constant folding does it.
    pub fn constant(session: &'a SessionContext) -> EvalContext<'a> {
        EvalContext { session, params: &[], exec_params: &[], hoisted: &[] }
    }

    fn param(&self, index: usize) -> Result<Datum> {
        self.params.get(index).cloned().ok_or_else(|| {
            PgError::new(SqlState::UNDEFINED_OBJECT, format!("no value found for parameter {}", index + 1))
        })
    }

    fn hoisted_value(&self, index: usize) -> Result<Datum> {
        match &self.hoisted[index] {
            HoistedValue::Scalar(value) => Ok(value.clone()),
            other => Err(PgError::internal(format_args!("the value of a subplan is {other:?}"))),
        }
    }

    fn hoisted_set(&self, index: usize) -> Result<&HashedSet> {
        match &self.hoisted[index] {
            HoistedValue::Set(set) => Ok(set),
            other => Err(PgError::internal(format_args!("the rows of a subplan are {other:?}"))),
        }
    }

    fn coerce_via_io(&self, value: &Datum, from: Oid, to: ExprType) -> Result<Datum> {
        match value {
            Datum::Null => Ok(Datum::Null),
            value => {
                let style = &self.session.style;
                let mut text = String::new();
                io::output(from, value, style, &mut text);
                io::input(to.oid, to.typmod, &text, &io::InputContext::new(style, self.session.now()))
            }
        }
    }
}

impl Program {
    /// The value for a row of Datums. Only for programs that neither wait nor have subplans.
    pub fn eval_row(&self, row: &[Datum], context: &EvalContext<'_>) -> Result<Datum> {
        row::eval(&self.root, row::RowInput::Values(row), &mut row::CaseValues::new(), context)
    }
}
