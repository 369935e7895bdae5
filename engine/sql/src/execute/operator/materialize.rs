//! Rows that are kept to be given again: Materialize, WITH queries, work tables.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use helios_types::Result;

use super::{Operator, build};
use crate::execute::batch::Batch;
use crate::execute::context::ExecutionContext;
use crate::execute::hashing::KeyTable;
use crate::execute::memory::{MemoryBudget, Reservation};
use crate::plan::{ParamSet, PlanNode};

/// Batches as they came.
pub(crate) struct KeptBatches {
    batches: Vec<Batch>,
    memory: Reservation,
}

impl KeptBatches {
    pub(crate) fn new(budget: &Arc<MemoryBudget>) -> KeptBatches {
        KeptBatches { batches: Vec::new(), memory: Reservation::new(budget) }
    }

    fn push(&mut self, batch: Batch) -> Result<()> {
        self.memory.grow(batch.memory())?;
        self.batches.push(batch);
        Ok(())
    }

    fn clear(&mut self) {
        self.batches.clear();
        self.memory.clear();
    }
}

/// Keeps the rows of its input as they pass, and gives them again after a rescan.
pub(super) struct Materialize {
    input: Box<dyn Operator>,
    depends: ParamSet,
    kept: KeptBatches,
    complete: bool,
    next: usize,
}

impl Materialize {
    pub(super) fn new(input: Box<dyn Operator>, node: &PlanNode, context: &ExecutionContext) -> Materialize {
        Materialize {
            input,
            depends: node.depends.clone(),
            kept: KeptBatches::new(&context.memory),
            complete: false,
            next: 0,
        }
    }
}

impl Operator for Materialize {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        if let Some(batch) = self.kept.batches.get(self.next) {
            self.next += 1;
            return Poll::Ready(Ok(Some(batch.clone())));
        }
        if self.complete {
            return Poll::Ready(Ok(None));
        }
        let Some(batch) = ready!(self.input.poll_next(cx))? else {
            self.complete = true;
            return Poll::Ready(Ok(None));
        };
        self.kept.push(batch.clone())?;
        self.next += 1;
        Poll::Ready(Ok(Some(batch)))
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.next = 0;
        if self.depends.intersects(changed) {
            self.kept.clear();
            self.complete = false;
            self.input.rescan(changed);
        }
    }
}

/// A WITH query that is run once, as far as its readers ask.
pub(crate) struct CteState {
    /// Absent until somebody reads.
    operator: Option<Box<dyn Operator>>,
    kept: KeptBatches,
    complete: bool,
}

impl CteState {
    pub(crate) fn new(budget: &Arc<MemoryBudget>) -> CteState {
        CteState { operator: None, kept: KeptBatches::new(budget), complete: false }
    }

    /// Whether all rows were computed.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// What computes it, taken out: it refers to the context that holds this state, and nothing of such a circle is ever
    /// dropped by itself.
    pub(crate) fn take_operator(&mut self) -> Option<Box<dyn Operator>> {
        self.operator.take()
    }

    /// The batch at a position; `None` behind the last.
    pub(crate) fn poll_batch(
        &mut self,
        cte: usize,
        at: usize,
        context: &Arc<ExecutionContext>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Batch>>> {
        loop {
            if let Some(batch) = self.kept.batches.get(at) {
                return Poll::Ready(Ok(Some(batch.clone())));
            }
            if self.complete {
                return Poll::Ready(Ok(None));
            }
            let operator = match &mut self.operator {
                Some(operator) => operator,
                vacant => vacant.insert(build(&context.plan.ctes[cte].root, context)?),
            };
            match ready!(operator.poll_next(cx))? {
                Some(batch) => self.kept.push(batch)?,
                None => self.complete = true,
            }
        }
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.kept.clear();
        self.complete = false;
        if let Some(operator) = &mut self.operator {
            operator.rescan(changed);
        }
    }
}

/// Reads a WITH query.
pub(super) struct CteScan {
    context: Arc<ExecutionContext>,
    cte: usize,
    next: usize,
}

impl CteScan {
    pub(super) fn new(cte: usize, context: &Arc<ExecutionContext>) -> CteScan {
        CteScan { context: context.clone(), cte, next: 0 }
    }
}

impl Operator for CteScan {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        let batch = ready!(self.context.ctes[self.cte].lock().poll_batch(self.cte, self.next, &self.context, cx))?;
        self.next += 1;
        Poll::Ready(Ok(batch))
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.next = 0;
        // Several readers may say so: whoever comes first empties it, and nobody has read on meanwhile.
        if self.context.plan.ctes[self.cte].root.depends.intersects(changed) {
            self.context.ctes[self.cte].lock().rescan(changed);
        }
    }
}

/// Reads what the last round of a recursive query gave.
pub(super) struct WorkTableScan {
    context: Arc<ExecutionContext>,
    table: usize,
    next: usize,
}

impl WorkTableScan {
    pub(super) fn new(table: usize, context: &Arc<ExecutionContext>) -> WorkTableScan {
        WorkTableScan { context: context.clone(), table, next: 0 }
    }
}

impl Operator for WorkTableScan {
    fn poll_next(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        let batch = self.context.work_tables[self.table].lock().get(self.next).cloned();
        self.next += 1;
        Poll::Ready(Ok(batch))
    }

    fn rescan(&mut self, _changed: &ParamSet) {
        self.next = 0;
    }
}

/// WITH RECURSIVE: the base term, then the recursive one over its own last rows until there are none.
pub(super) struct RecursiveUnion {
    context: Arc<ExecutionContext>,
    base: Box<dyn Operator>,
    recursive: Box<dyn Operator>,
    table: usize,
    signal: ParamSet,
    depends: ParamSet,
    /// UNION: what was there already.
    seen: Option<(KeyTable, Reservation)>,
    in_base: bool,
    /// What this round gives: the next one's work table.
    round: KeptBatches,
    round_rows: usize,
    numbers: Vec<u32>,
}

impl RecursiveUnion {
    pub(super) fn new(
        base: Box<dyn Operator>,
        recursive: Box<dyn Operator>,
        (table, signal): (usize, usize),
        distinct: bool,
        node: &PlanNode,
        context: &Arc<ExecutionContext>,
    ) -> RecursiveUnion {
        RecursiveUnion {
            context: context.clone(),
            base,
            recursive,
            table,
            signal: std::iter::once(signal).collect(),
            depends: node.depends.clone(),
            seen: distinct.then(|| (KeyTable::new(&node.types(), true), Reservation::new(&context.memory))),
            in_base: true,
            round: KeptBatches::new(&context.memory),
            round_rows: 0,
            numbers: Vec::new(),
        }
    }

    /// The rows that were not there yet.
    fn fresh(&mut self, batch: Batch) -> Result<Batch> {
        let Some((seen, memory)) = &mut self.seen else { return Ok(batch) };
        let mut next = seen.len() as u32;
        seen.insert(batch.columns(), batch.rows(), &mut self.numbers);
        memory.resize(seen.memory())?;
        let mut rows = Vec::new();
        for (row, number) in self.numbers.iter().enumerate() {
            if *number == next {
                rows.push(row as u32);
                next += 1;
            }
        }
        Ok(if rows.len() == batch.rows() { batch } else { batch.gather(&rows) })
    }
}

impl Operator for RecursiveUnion {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        loop {
            let source = if self.in_base { &mut self.base } else { &mut self.recursive };
            if let Some(batch) = ready!(source.poll_next(cx))? {
                self.context.cancel.check()?;
                let batch = self.fresh(batch)?;
                if batch.rows() == 0 {
                    continue;
                }
                self.round_rows += batch.rows();
                self.round.push(batch.clone())?;
                return Poll::Ready(Ok(Some(batch)));
            }
            if self.round_rows == 0 {
                return Poll::Ready(Ok(None));
            }
            self.in_base = false;
            self.round_rows = 0;
            *self.context.work_tables[self.table].lock() = std::mem::take(&mut self.round.batches);
            self.round.memory.clear();
            self.recursive.rescan(&self.signal);
        }
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.in_base = true;
        self.round.clear();
        self.round_rows = 0;
        if let Some((seen, memory)) = &mut self.seen {
            seen.clear();
            memory.clear();
        }
        self.context.work_tables[self.table].lock().clear();
        self.base.rescan(changed);
        let mut all = changed.clone();
        all.union(&self.signal);
        all.union(&self.depends);
        self.recursive.rescan(&all);
    }
}
