//! Window functions.
//!
//! The input comes sorted by partition and order. All of it is kept; a partition at a time, each call's column is
//! computed over the partition's rows:
//!
//! ```text
//!   rows of a partition      0  1  2  3  4  5
//!   peers (equal order)      └──┘  │  └─────┘
//!   frame of row 3           [  ── │ ─────  )      start and end per row, then EXCLUDE takes rows out
//! ```

mod frame;
mod function;

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use helios_types::{Column, Datum, Oid, PgError, Result, compare_rows};

use self::frame::Frames;
use super::Operator;
use crate::execute::batch::{BATCH_ROWS, Batch, ColumnRef};
use crate::execute::context::ExecutionContext;
use crate::execute::expression::Evaluator;
use crate::execute::row_store::RowStore;
use crate::plan::{NodeKind, ParamSet, PlanNode, Window};

/// A running Window node.
pub(super) struct WindowOperator {
    node: Arc<PlanNode>,
    context: Arc<ExecutionContext>,
    input: Box<dyn Operator>,
    offsets: Evaluator,
    offset_values: Option<(Option<Datum>, Option<Datum>)>,
    rows: RowStore,
    consumed: bool,
    /// The partition whose rows are being given: its first row, the row behind its last, its calls' columns.
    partition: Option<(usize, usize, Vec<ColumnRef>)>,
    next: usize,
}

fn window(node: &PlanNode) -> &Window {
    match &node.kind {
        NodeKind::Window(window) => window,
        _ => unreachable!("made for a Window node"),
    }
}

/// The rows of one partition.
pub(super) struct Partition<'a> {
    pub(super) columns: &'a [Column],
    /// First row.
    pub(super) from: usize,
    /// Number of rows.
    pub(super) len: usize,
    /// For each row, the first of its peers and the row behind the last.
    pub(super) peers: Vec<(u32, u32)>,
}

impl Partition<'_> {
    /// A value of a row, counted from the partition's first.
    pub(super) fn value(&self, column: usize, row: usize) -> Datum {
        self.columns[column].get(self.from + row)
    }
}

impl WindowOperator {
    pub(super) fn new(
        node: &Arc<PlanNode>,
        input: Box<dyn Operator>,
        context: &Arc<ExecutionContext>,
    ) -> WindowOperator {
        let plan = window(node);
        let offsets = plan.start_offset.iter().chain(&plan.end_offset).map(|offset| offset.program.clone());
        WindowOperator {
            node: node.clone(),
            context: context.clone(),
            input,
            offsets: Evaluator::new(context, offsets),
            offset_values: None,
            rows: RowStore::new(&plan.input.types(), &context.memory),
            consumed: false,
            partition: None,
            next: 0,
        }
    }

    fn poll_offsets(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.offset_values.is_none() {
            let evaluated = ready!(self.offsets.poll_project(cx, &Batch::new(Vec::new(), 1)))?;
            if let Some(error) = evaluated.error {
                return Poll::Ready(Err(error));
            }
            let plan = window(&self.node);
            let mut values = evaluated.columns.iter().map(|column| column.get(0));
            let start = plan.start_offset.as_ref().and_then(|_| values.next());
            let end = plan.end_offset.as_ref().and_then(|_| values.next());
            self.offset_values = Some((start, end));
        }
        Poll::Ready(Ok(()))
    }

    /// Whether two kept rows are equal in some columns.
    fn equal(&self, columns: impl Iterator<Item = usize>, a: usize, b: usize, types: &[Oid]) -> bool {
        let kept = self.rows.columns();
        columns.into_iter().all(|column| compare_rows(types[column], &kept[column], a, &kept[column], b).is_eq())
    }

    /// Computes the calls of the partition that begins at a row.
    fn compute(&mut self, from: usize) -> Result<()> {
        self.context.cancel.check()?;
        let plan = window(&self.node);
        let types = plan.input.types();
        let mut to = from + 1;
        while to < self.rows.len() && self.equal(plan.partition.iter().copied(), from, to, &types) {
            to += 1;
        }
        let mut peers = Vec::with_capacity(to - from);
        let mut first = from;
        while first < to {
            let mut last = first + 1;
            let order = || plan.order.iter().map(|key| key.column);
            while last < to && self.equal(order(), first, last, &types) {
                last += 1;
            }
            peers.resize(last - from, ((first - from) as u32, (last - from) as u32));
            first = last;
        }
        let partition = Partition { columns: self.rows.columns(), from, len: to - from, peers };
        let (start, end) = self.offset_values.clone().ok_or_else(|| PgError::internal("no frame offsets"))?;
        let frames = Frames::new(plan, &partition, start, end, &self.context)?;
        let columns = plan
            .calls
            .iter()
            .map(|call| Ok(Arc::new(function::compute(call, &partition, &frames, &self.context)?)))
            .collect::<Result<_>>()?;
        self.partition = Some((from, to, columns));
        Ok(())
    }
}

impl Operator for WindowOperator {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        while !self.consumed {
            match ready!(self.input.poll_next(cx))? {
                Some(batch) => {
                    self.context.cancel.check()?;
                    self.rows.append(&batch, 0)?;
                }
                None => self.consumed = true,
            }
        }
        if self.rows.len() == 0 {
            return Poll::Ready(Ok(None));
        }
        ready!(self.poll_offsets(cx))?;
        // Small partitions share a batch.
        let mut gathered = Vec::new();
        let mut rows = 0;
        while rows < BATCH_ROWS && self.next < self.rows.len() {
            if self.partition.as_ref().is_none_or(|(_, to, _)| *to == self.next) {
                self.compute(self.next)?;
            }
            let Some((from, to, calls)) = &self.partition else { break };
            let len = (to - self.next).min(BATCH_ROWS - rows);
            let kept = self.rows.columns().iter().map(|column| Arc::new(column.slice(self.next, len)));
            let computed = calls.iter().map(|column| Arc::new(column.slice(self.next - from, len)));
            gathered.push(Batch::new(kept.chain(computed).collect(), len));
            self.next += len;
            rows += len;
        }
        if gathered.is_empty() {
            return Poll::Ready(Ok(None));
        }
        Poll::Ready(Ok(Some(super::function_scan::concatenate(gathered, rows))))
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.next = 0;
        self.partition = None;
        self.offset_values = None;
        self.offsets.rescan(changed);
        if self.consumed && !self.node.depends.intersects(changed) {
            return;
        }
        self.rows.clear();
        self.consumed = false;
        self.input.rescan(changed);
    }
}
