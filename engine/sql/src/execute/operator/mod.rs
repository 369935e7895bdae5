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

mod aggregate;
mod aggregate_call;
mod basic;
mod function_scan;
mod hash_join;
mod limit;
mod materialize;
mod nest_loop;
mod set_operation;
mod sort;
mod system_scan;
mod window;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::task::{Context, Poll};

use helios_types::Result;

use super::batch::Batch;
use super::context::ExecutionContext;
use super::modify::{LockRowsOperator, ModifyOperator};
use super::table_access::TableScanOperator;
use crate::plan::{NodeKind, ParamSet, PlanNode};

pub(crate) use materialize::CteState;

/// A running plan node.
pub trait Operator: Send {
    /// The next rows; `None` at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>>;

    /// Starts again from the first row. Only what depends on the parameters that `changed` has to be computed again.
    fn rescan(&mut self, changed: &ParamSet);

    /// Promises that at most so many rows will be asked for: a sort need keep no more, a source need not fetch a full
    /// batch. Passed on only where as many rows go in as come out.
    fn expect_rows(&mut self, _rows: usize) {}

    /// How many rows its conditions have kept back since this was last asked: for EXPLAIN ANALYZE.
    fn take_removed(&mut self) -> usize {
        0
    }
}

/// Makes the operators of a plan node and of those below.
pub fn build(node: &Arc<PlanNode>, context: &Arc<ExecutionContext>) -> Result<Box<dyn Operator>> {
    let operator: Box<dyn Operator> = match &node.kind {
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
        NodeKind::Sort { input, keys } => Box::new(sort::Sort::new(build(input, context)?, keys, node, context)),
        NodeKind::Materialize { input } => {
            Box::new(materialize::Materialize::new(build(input, context)?, node, context))
        }
        NodeKind::CteScan { cte, .. } => Box::new(materialize::CteScan::new(*cte, context)),
        NodeKind::WorkTableScan { table, .. } => Box::new(materialize::WorkTableScan::new(*table, context)),
        NodeKind::RecursiveUnion { table, signal, base, recursive, distinct } => {
            let (base, recursive) = (build(base, context)?, build(recursive, context)?);
            Box::new(materialize::RecursiveUnion::new(base, recursive, (*table, *signal), *distinct, node, context))
        }
        NodeKind::HashJoin(join) => {
            let (outer, inner) = (build(&join.outer, context)?, build(&join.inner, context)?);
            Box::new(hash_join::HashJoinOperator::new(join, outer, inner, context))
        }
        NodeKind::NestLoop(join) => {
            let (outer, inner) = (build(&join.outer, context)?, build(&join.inner, context)?);
            Box::new(nest_loop::NestLoopOperator::new(join, outer, inner, context))
        }
        NodeKind::Aggregate(aggregation) => {
            Box::new(aggregate::Aggregate::new(node, build(&aggregation.input, context)?, context)?)
        }
        NodeKind::Window(window) => {
            Box::new(window::WindowOperator::new(node, build(&window.input, context)?, context))
        }
        NodeKind::Unique { input, keys } => {
            Box::new(set_operation::Unique::new(build(input, context)?, keys, &input.types()))
        }
        NodeKind::SetOp { left, right, op, all } => {
            let (left, right) = (build(left, context)?, build(right, context)?);
            Box::new(set_operation::SetOperation::new(left, right, (*op, *all), node, context))
        }
        NodeKind::FunctionScan { .. } => Box::new(function_scan::FunctionScan::new(node, context)),
        NodeKind::ProjectSet { input, .. } => {
            Box::new(function_scan::ProjectSet::new(node, build(input, context)?, context))
        }
        NodeKind::SystemScan { relation, columns, .. } => {
            Box::new(system_scan::SystemScan::new(*relation, columns, context))
        }
        NodeKind::SeqScan(_) | NodeKind::IndexScan(_) => Box::new(TableScanOperator::new(node, context)?),
        NodeKind::LockRows(lock) => Box::new(LockRowsOperator::new(node, build(&lock.input, context)?, context)?),
        NodeKind::ModifyTable(modify) => {
            let input = modify.input.as_ref().map(|input| build(input, context)).transpose()?;
            Box::new(ModifyOperator::new(node, input, context)?)
        }
    };
    Ok(match &context.figures {
        Some(figures) => figures.watch(node, operator),
        None => operator,
    })
}
