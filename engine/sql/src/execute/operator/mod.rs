//! Operators: one per plan node, pulled from the root.
//!
//! ```text
//!   poll_next ──▶ Limit ──▶ Project ──▶ HashJoin ─┬─▶ Filter ──▶ SeqScan
//!             ◀── batch                           └─▶ SeqScan          (each ──▶ is a poll_next)
//! ```
//!
//! `poll_next` is a plain method of a trait object: a batch costs one dynamic call per operator and no boxed future.
//! An operator that returns `Pending` is polled again later and continues where it was; it keeps what it had. A batch
//! may have no rows (that is not the end). After the end, or an error, an operator is not polled again before `rescan`.

mod basic;
mod limit;

use std::sync::Arc;
use std::task::{Context, Poll};

use helios_types::{PgError, Result};

use super::batch::Batch;
use super::context::ExecutionContext;
use crate::plan::{NodeKind, ParamSet, PlanNode};

/// A running plan node.
pub trait Operator: Send {
    /// The next rows; `None` at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>>;

    /// Starts again from the first row. Only what depends on the parameters that `changed` has to be computed again.
    fn rescan(&mut self, changed: &ParamSet);

    /// Says that at most so many rows will be asked for, so that a source need not fetch a full batch at first.
    fn expect_rows(&mut self, _rows: usize) {}
}

/// Makes the operators of a plan node and of those below.
pub fn build(node: &Arc<PlanNode>, context: &Arc<ExecutionContext>) -> Result<Box<dyn Operator>> {
    Ok(match &node.kind {
        NodeKind::Result => Box::new(basic::OneRow::new()),
        NodeKind::Empty => Box::new(basic::NoRows),
        NodeKind::Values(rows) => Box::new(basic::Values::new(node, rows, context)),
        NodeKind::Filter { input, conditions } => {
            Box::new(basic::Filter::new(build(input, context)?, conditions, context))
        }
        NodeKind::OneTimeFilter { input, conditions } => {
            Box::new(basic::OneTimeFilter::new(build(input, context)?, conditions, context))
        }
        NodeKind::Project { input, targets } => Box::new(basic::Project::new(build(input, context)?, targets, context)),
        NodeKind::SubqueryScan { input, .. } => build(input, context)?,
        NodeKind::Append { inputs } => {
            let inputs = inputs.iter().map(|input| build(input, context)).collect::<Result<_>>()?;
            Box::new(basic::Append::new(inputs))
        }
        NodeKind::Limit { input, limit, offset, ties } => Box::new(limit::Limit::new(
            build(input, context)?,
            limit.as_ref(),
            offset.as_ref(),
            ties.as_deref(),
            &input.types(),
            context,
        )),
        _ => return Err(PgError::unsupported("this plan")),
    })
}
