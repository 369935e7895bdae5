//! The operators that look at one batch at a time: sources without tables, Filter, Project, Append.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use helios_types::{Datum, Oid, PgError, Result};

use super::Operator;
use crate::execute::batch::{BATCH_ROWS, Batch};
use crate::execute::context::ExecutionContext;
use crate::execute::expression::Evaluator;
use crate::plan::{ParamSet, PlanNode, Scalar};

/// One row without columns.
pub(super) struct OneRow {
    done: bool,
}

impl OneRow {
    pub(super) fn new() -> OneRow {
        OneRow { done: false }
    }
}

impl Operator for OneRow {
    fn poll_next(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        let first = !std::mem::replace(&mut self.done, true);
        Poll::Ready(Ok(first.then(|| Batch::new(Vec::new(), 1))))
    }

    fn rescan(&mut self, _changed: &ParamSet) {
        self.done = false;
    }
}

/// No rows.
pub(super) struct NoRows;

impl Operator for NoRows {
    fn poll_next(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        Poll::Ready(Ok(None))
    }

    fn rescan(&mut self, _changed: &ParamSet) {}
}

/// Rows of expressions. Rows of constants become columns at once; others are evaluated one by one, as they are asked
/// for.
pub(super) struct Values {
    node: Arc<PlanNode>,
    context: Arc<ExecutionContext>,
    types: Vec<Oid>,
    next: usize,
    current: Option<Evaluator>,
    gathered: Vec<Vec<Datum>>,
    failed: Option<PgError>,
}

impl Values {
    pub(super) fn new(node: &Arc<PlanNode>, _rows: &[Vec<Scalar>], context: &Arc<ExecutionContext>) -> Values {
        Values {
            node: node.clone(),
            context: context.clone(),
            types: node.types(),
            next: 0,
            current: None,
            gathered: Vec::new(),
            failed: None,
        }
    }
}

impl Operator for Values {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        let crate::plan::NodeKind::Values(rows) = &self.node.kind else { unreachable!("made for a Values node") };
        let row_batch = Batch::new(Vec::new(), 1);
        while self.failed.is_none() && self.next < rows.len() && self.gathered.len() < BATCH_ROWS {
            let row = &rows[self.next];
            if self.current.is_none()
                && let Some(constants) = row.iter().map(|value| value.expr.as_const().cloned()).collect()
            {
                self.gathered.push(constants);
                self.next += 1;
                continue;
            }
            let evaluator = self
                .current
                .get_or_insert_with(|| Evaluator::new(&self.context, row.iter().map(|value| value.program.clone())));
            let evaluated = ready!(evaluator.poll_project(cx, &row_batch))?;
            self.current = None;
            self.next += 1;
            match evaluated.error {
                Some(error) => self.failed = Some(error),
                None => self.gathered.push(evaluated.columns.iter().map(|column| column.get(0)).collect()),
            }
        }
        if self.gathered.is_empty() {
            return Poll::Ready(self.failed.take().map_or(Ok(None), Err));
        }
        Poll::Ready(Ok(Some(Batch::of_rows(&self.types, &std::mem::take(&mut self.gathered)))))
    }

    fn rescan(&mut self, _changed: &ParamSet) {
        self.next = 0;
        self.current = None;
        self.gathered.clear();
        self.failed = None;
    }
}

/// The rows that all conditions hold for.
pub(super) struct Filter {
    input: Box<dyn Operator>,
    conditions: Evaluator,
    context: Arc<ExecutionContext>,
    current: Option<Batch>,
    failed: Option<PgError>,
    removed: usize,
}

impl Filter {
    pub(super) fn new(input: Box<dyn Operator>, conditions: &[Scalar], context: &Arc<ExecutionContext>) -> Filter {
        let conditions = Evaluator::new(context, conditions.iter().map(|condition| condition.program.clone()));
        Filter { input, conditions, context: context.clone(), current: None, failed: None, removed: 0 }
    }
}

impl Operator for Filter {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        loop {
            let batch = match self.current.take() {
                Some(batch) => batch,
                None => match ready!(self.input.poll_next(cx))? {
                    Some(batch) => batch,
                    None => return Poll::Ready(Ok(None)),
                },
            };
            let filtered = match self.conditions.poll_filter(cx, &batch) {
                Poll::Ready(filtered) => filtered?,
                Poll::Pending => {
                    self.current = Some(batch);
                    return Poll::Pending;
                }
            };
            self.context.cancel.check()?;
            if let Some(error) = filtered.error {
                if filtered.rows.is_empty() {
                    return Poll::Ready(Err(error));
                }
                self.failed = Some(error);
            }
            self.removed += batch.rows() - filtered.rows.len();
            if filtered.rows.len() == batch.rows() {
                return Poll::Ready(Ok(Some(batch)));
            }
            if !filtered.rows.is_empty() {
                return Poll::Ready(Ok(Some(batch.gather(&filtered.rows))));
            }
        }
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.current = None;
        self.failed = None;
        self.conditions.rescan(changed);
        self.input.rescan(changed);
    }

    fn take_removed(&mut self) -> usize {
        std::mem::take(&mut self.removed)
    }
}

/// All rows or none, by conditions without columns.
pub(super) struct OneTimeFilter {
    input: Box<dyn Operator>,
    conditions: Evaluator,
    passed: Option<bool>,
}

impl OneTimeFilter {
    pub(super) fn new(
        input: Box<dyn Operator>,
        conditions: &[Scalar],
        context: &Arc<ExecutionContext>,
    ) -> OneTimeFilter {
        let conditions = Evaluator::new(context, conditions.iter().map(|condition| condition.program.clone()));
        OneTimeFilter { input, conditions, passed: None }
    }
}

impl Operator for OneTimeFilter {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        let passed = match self.passed {
            Some(passed) => passed,
            None => {
                let filtered = ready!(self.conditions.poll_filter(cx, &Batch::new(Vec::new(), 1)))?;
                if let Some(error) = filtered.error {
                    return Poll::Ready(Err(error));
                }
                *self.passed.insert(!filtered.rows.is_empty())
            }
        };
        if passed { self.input.poll_next(cx) } else { Poll::Ready(Ok(None)) }
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.passed = None;
        self.conditions.rescan(changed);
        self.input.rescan(changed);
    }

    fn expect_rows(&mut self, rows: usize) {
        self.input.expect_rows(rows);
    }
}

/// Computed columns.
pub(super) struct Project {
    input: Box<dyn Operator>,
    targets: Evaluator,
    current: Option<Batch>,
    failed: Option<PgError>,
}

impl Project {
    pub(super) fn new(input: Box<dyn Operator>, targets: &[Scalar], context: &Arc<ExecutionContext>) -> Project {
        let targets = Evaluator::new(context, targets.iter().map(|target| target.program.clone()));
        Project { input, targets, current: None, failed: None }
    }
}

impl Operator for Project {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        let batch = match self.current.take() {
            Some(batch) => batch,
            None => match ready!(self.input.poll_next(cx))? {
                Some(batch) => batch,
                None => return Poll::Ready(Ok(None)),
            },
        };
        let evaluated = match self.targets.poll_project(cx, &batch) {
            Poll::Ready(evaluated) => evaluated?,
            Poll::Pending => {
                self.current = Some(batch);
                return Poll::Pending;
            }
        };
        if let Some(error) = evaluated.error {
            if evaluated.rows == 0 {
                return Poll::Ready(Err(error));
            }
            self.failed = Some(error);
        }
        Poll::Ready(Ok(Some(Batch::new(evaluated.columns, evaluated.rows))))
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.current = None;
        self.failed = None;
        self.targets.rescan(changed);
        self.input.rescan(changed);
    }

    fn expect_rows(&mut self, rows: usize) {
        self.input.expect_rows(rows);
    }
}

/// The rows of one input after the other.
pub(super) struct Append {
    inputs: VecDeque<Box<dyn Operator>>,
    done: usize,
}

impl Append {
    pub(super) fn new(inputs: Vec<Box<dyn Operator>>) -> Append {
        Append { inputs: inputs.into(), done: 0 }
    }
}

impl Operator for Append {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        while let Some(input) = self.inputs.get_mut(self.done) {
            if let Some(batch) = ready!(input.poll_next(cx))? {
                return Poll::Ready(Ok(Some(batch)));
            }
            self.done += 1;
        }
        Poll::Ready(Ok(None))
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.done = 0;
        self.inputs.iter_mut().for_each(|input| input.rescan(changed));
    }

    fn expect_rows(&mut self, rows: usize) {
        self.inputs.iter_mut().for_each(|input| input.expect_rows(rows));
    }
}
