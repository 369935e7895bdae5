//! Joins by looking at the inner side again for every outer row.
//!
//! ```text
//!   outer row ──params──▶ inner rescan ──▶ inner batches ──condition──▶ rows that join
//! ```
//!
//! The inner side is an index look-up by the outer row's values, a lateral subquery, or a Materialize. Rows of several
//! outer rows are gathered into one batch; the first batches are small, because whoever looks for one row only should
//! not have to pay for a thousand.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use helios_types::{Column, Datum, Oid, PgError, Result};

use super::Operator;
use super::function_scan::concatenate;
use crate::execute::batch::{BATCH_ROWS, Batch};
use crate::execute::context::ExecutionContext;
use crate::execute::expression::Evaluator;
use crate::plan::{NestLoop, ParamSet};
use crate::query::JoinKind;

/// Rows of the first batch that is given.
const FIRST_BATCH_ROWS: usize = 8;

/// A running nested loop.
pub(super) struct NestLoopOperator {
    context: Arc<ExecutionContext>,
    kind: JoinKind,
    outer: Box<dyn Operator>,
    inner: Box<dyn Operator>,
    params: Vec<(usize, usize)>,
    changed: ParamSet,
    condition: Evaluator,
    projection: Vec<usize>,
    outer_width: usize,
    inner_types: Vec<Oid>,
    outer_batch: Option<Batch>,
    outer_row: usize,
    /// Whether the inner side is running for the current outer row.
    in_row: bool,
    matched: bool,
    /// The inner rows whose condition is being evaluated, beside the outer row.
    candidates: Option<Batch>,
    gathered: Vec<Batch>,
    gathered_rows: usize,
    wanted_rows: usize,
    failed: Option<PgError>,
    done: bool,
}

impl NestLoopOperator {
    pub(super) fn new(
        join: &NestLoop,
        outer: Box<dyn Operator>,
        inner: Box<dyn Operator>,
        context: &Arc<ExecutionContext>,
    ) -> NestLoopOperator {
        NestLoopOperator {
            context: context.clone(),
            kind: join.kind,
            outer,
            inner,
            changed: join.params.iter().map(|(param, _)| *param).collect(),
            params: join.params.clone(),
            condition: Evaluator::new(context, join.condition.iter().map(|scalar| scalar.program.clone())),
            projection: join.projection.clone(),
            outer_width: join.outer.output.len(),
            inner_types: join.inner.types(),
            outer_batch: None,
            outer_row: 0,
            in_row: false,
            matched: false,
            candidates: None,
            gathered: Vec::new(),
            gathered_rows: 0,
            wanted_rows: FIRST_BATCH_ROWS,
            failed: None,
            done: false,
        }
    }

    /// Goes on until there is a batch's worth of rows, or no more.
    fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // A parameter stands for a column wherever it is read: somebody above may have handed in another row's value
        // since this operator was left.
        if let (true, Some(batch)) = (self.in_row, &self.outer_batch) {
            self.hand_in(batch);
        }
        while !self.done && self.gathered_rows < self.wanted_rows {
            if !self.in_row {
                if !ready!(self.poll_outer_row(cx))? {
                    self.done = true;
                    break;
                }
                continue;
            }
            let candidates = match self.candidates.take() {
                Some(candidates) => candidates,
                None => match ready!(self.inner.poll_next(cx))? {
                    Some(inner) => self.beside_outer(&inner),
                    None => {
                        self.end_row();
                        continue;
                    }
                },
            };
            self.context.cancel.check()?;
            let accepted = if self.condition.is_empty() {
                candidates
            } else {
                let filtered = match self.condition.poll_filter(cx, &candidates) {
                    Poll::Ready(filtered) => filtered?,
                    Poll::Pending => {
                        self.candidates = Some(candidates);
                        return Poll::Pending;
                    }
                };
                let decided = matches!(self.kind, JoinKind::Semi | JoinKind::Anti) && !filtered.rows.is_empty();
                if let (Some(error), false) = (filtered.error, decided) {
                    self.gather_rows(&candidates.gather(&filtered.rows));
                    return Poll::Ready(Err(error));
                }
                if filtered.rows.len() == candidates.rows() { candidates } else { candidates.gather(&filtered.rows) }
            };
            if accepted.rows() > 0 {
                self.matched = true;
                match self.kind {
                    JoinKind::Semi | JoinKind::Anti => self.end_row(),
                    _ => self.gather_rows(&accepted),
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Hands the current outer row's values to the inner side.
    fn hand_in(&self, batch: &Batch) {
        if self.params.is_empty() {
            return;
        }
        let mut exec_params = self.context.exec_params.lock();
        for (param, column) in &self.params {
            exec_params[*param] = batch.column(*column).get(self.outer_row);
        }
    }

    /// Moves on to the next outer row and starts the inner side for it; `false` at the end.
    fn poll_outer_row(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool>> {
        loop {
            if let Some(batch) = &self.outer_batch
                && self.outer_row < batch.rows()
            {
                self.hand_in(batch);
                self.inner.rescan(&self.changed);
                self.in_row = true;
                self.matched = false;
                return Poll::Ready(Ok(true));
            }
            self.outer_batch = ready!(self.outer.poll_next(cx))?;
            self.outer_row = 0;
            if self.outer_batch.is_none() {
                return Poll::Ready(Ok(false));
            }
        }
    }

    /// Inner rows with the current outer row before each.
    fn beside_outer(&self, inner: &Batch) -> Batch {
        let outer = self.outer_batch.as_ref().expect("there is a current outer row");
        let repeated = vec![self.outer_row as u32; inner.rows()];
        outer.gather(&repeated).with_columns(inner.columns().iter().cloned())
    }

    fn gather_rows(&mut self, rows: &Batch) {
        if rows.rows() > 0 {
            let columns = self.projection.iter().map(|column| rows.column(*column).clone()).collect();
            self.gathered.push(Batch::new(columns, rows.rows()));
            self.gathered_rows += rows.rows();
        }
    }

    /// The inner side has no more for the current outer row.
    fn end_row(&mut self) {
        let alone = match self.kind {
            JoinKind::Left | JoinKind::Anti => !self.matched,
            JoinKind::Semi => self.matched,
            _ => false,
        };
        if alone {
            let outer = self.outer_batch.as_ref().expect("there is a current outer row");
            let columns = self.projection.iter().map(|column| match column.checked_sub(self.outer_width) {
                None => Arc::new(outer.column(*column).slice(self.outer_row, 1)),
                Some(column) => Arc::new(Column::constant(self.inner_types[column], &Datum::Null, 1)),
            });
            self.gathered.push(Batch::new(columns.collect(), 1));
            self.gathered_rows += 1;
        }
        self.in_row = false;
        self.outer_row += 1;
    }

    /// What was gathered, as one batch.
    fn take_gathered(&mut self) -> Option<Batch> {
        let rows = std::mem::take(&mut self.gathered_rows);
        let batches = std::mem::take(&mut self.gathered);
        self.wanted_rows = (self.wanted_rows * 4).min(BATCH_ROWS);
        (!batches.is_empty()).then(|| concatenate(batches, rows))
    }
}

impl Operator for NestLoopOperator {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        if let Err(error) = ready!(self.poll_gather(cx)) {
            if self.gathered_rows == 0 {
                return Poll::Ready(Err(error));
            }
            // What was joined before the failure comes first.
            self.failed = Some(error);
        }
        Poll::Ready(Ok(self.take_gathered()))
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.condition.rescan(changed);
        self.outer_batch = None;
        self.outer_row = 0;
        self.in_row = false;
        self.candidates = None;
        self.gathered.clear();
        self.gathered_rows = 0;
        self.wanted_rows = FIRST_BATCH_ROWS;
        self.failed = None;
        self.done = false;
        self.outer.rescan(changed);
        // The inner side starts again with every outer row, but must learn what else has changed.
        self.inner.rescan(changed);
    }
}
