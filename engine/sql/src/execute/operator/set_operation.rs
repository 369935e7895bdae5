//! INTERSECT and EXCEPT by hash, and Unique over sorted rows.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use helios_types::{Oid, Result, compare_rows};

use super::Operator;
use crate::execute::batch::{BATCH_ROWS, Batch};
use crate::execute::context::ExecutionContext;
use crate::execute::hashing::{KeyTable, NO_KEY};
use crate::execute::memory::Reservation;
use crate::execute::row_store::RowStore;
use crate::plan::{ParamSet, PlanNode};
use crate::query::SetOp;

/// INTERSECT [ALL], EXCEPT [ALL].
///
/// The left input's distinct rows are numbered and counted, the right input counts against them; then each goes out as
/// often as the operation says.
pub(super) struct SetOperation {
    left: Box<dyn Operator>,
    right: Box<dyn Operator>,
    op: SetOp,
    all: bool,
    table: KeyTable,
    table_memory: Reservation,
    distinct: RowStore,
    counts: Vec<(u64, u64)>,
    stage: Stage,
    numbers: Vec<u32>,
    context: Arc<ExecutionContext>,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Left,
    Right,
    /// The next distinct row, and how often it went out already.
    Output(usize, u64),
}

impl SetOperation {
    pub(super) fn new(
        left: Box<dyn Operator>,
        right: Box<dyn Operator>,
        (op, all): (SetOp, bool),
        node: &PlanNode,
        context: &Arc<ExecutionContext>,
    ) -> SetOperation {
        let types = node.types();
        SetOperation {
            left,
            right,
            op,
            all,
            table: KeyTable::new(&types, true),
            table_memory: Reservation::new(&context.memory),
            distinct: RowStore::new(&types, &context.memory),
            counts: Vec::new(),
            stage: Stage::Left,
            numbers: Vec::new(),
            context: context.clone(),
        }
    }

    fn add_left(&mut self, batch: &Batch) -> Result<()> {
        self.table.insert(batch.columns(), batch.rows(), &mut self.numbers);
        self.table_memory.resize(self.table.memory())?;
        let mut fresh = Vec::new();
        for (row, number) in self.numbers.iter().enumerate() {
            if *number as usize == self.counts.len() {
                self.counts.push((0, 0));
                fresh.push(row as u32);
            }
            self.counts[*number as usize].0 += 1;
        }
        if fresh.is_empty() { Ok(()) } else { self.distinct.append(&batch.gather(&fresh), fresh.len() * 16) }
    }

    fn add_right(&mut self, batch: &Batch) {
        self.table.find(batch.columns(), batch.rows(), &mut self.numbers);
        for number in self.numbers.iter().filter(|number| **number != NO_KEY) {
            self.counts[*number as usize].1 += 1;
        }
    }

    /// How often a distinct row goes out.
    fn copies(&self, (left, right): (u64, u64)) -> u64 {
        match (self.op, self.all) {
            (SetOp::Intersect, false) => u64::from(right > 0),
            (SetOp::Intersect, true) => left.min(right),
            (SetOp::Except, false) => u64::from(right == 0),
            (SetOp::Except, true) => left.saturating_sub(right),
            (SetOp::Union, _) => unreachable!("UNION is planned as Append"),
        }
    }
}

impl Operator for SetOperation {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        loop {
            match self.stage {
                Stage::Left => match ready!(self.left.poll_next(cx))? {
                    Some(batch) => self.add_left(&batch)?,
                    None => self.stage = Stage::Right,
                },
                Stage::Right if self.counts.is_empty() => self.stage = Stage::Output(0, 0),
                Stage::Right => match ready!(self.right.poll_next(cx))? {
                    Some(batch) => self.add_right(&batch),
                    None => self.stage = Stage::Output(0, 0),
                },
                Stage::Output(mut next, mut given) => {
                    let mut rows = Vec::new();
                    while next < self.counts.len() && rows.len() < BATCH_ROWS {
                        if given < self.copies(self.counts[next]) {
                            rows.push(next as u32);
                            given += 1;
                        } else {
                            (next, given) = (next + 1, 0);
                        }
                    }
                    self.stage = Stage::Output(next, given);
                    if rows.is_empty() {
                        return Poll::Ready(Ok(None));
                    }
                    return Poll::Ready(Ok(Some(self.distinct.gather(&rows))));
                }
            }
            self.context.cancel.check()?;
        }
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.table.clear();
        self.table_memory.clear();
        self.distinct.clear();
        self.counts.clear();
        self.stage = Stage::Left;
        self.left.rescan(changed);
        self.right.rescan(changed);
    }
}

/// The first of each run of rows that are equal in some columns.
pub(super) struct Unique {
    input: Box<dyn Operator>,
    keys: Vec<(usize, Oid)>,
    last: Option<Batch>,
}

impl Unique {
    pub(super) fn new(input: Box<dyn Operator>, keys: &[usize], types: &[Oid]) -> Unique {
        Unique { input, keys: keys.iter().map(|key| (*key, types[*key])).collect(), last: None }
    }

    fn equal(&self, a: (&Batch, usize), b: (&Batch, usize)) -> bool {
        self.keys
            .iter()
            .all(|(column, oid)| compare_rows(*oid, a.0.column(*column), a.1, b.0.column(*column), b.1).is_eq())
    }
}

impl Operator for Unique {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        loop {
            let Some(batch) = ready!(self.input.poll_next(cx))? else { return Poll::Ready(Ok(None)) };
            if batch.rows() == 0 {
                continue;
            }
            let mut rows = Vec::new();
            for row in 0..batch.rows() {
                let repeated = match row {
                    0 => self.last.as_ref().is_some_and(|last| self.equal((last, 0), (&batch, 0))),
                    row => self.equal((&batch, row - 1), (&batch, row)),
                };
                if !repeated {
                    rows.push(row as u32);
                }
            }
            self.last = Some(batch.slice(batch.rows() - 1, 1));
            if rows.len() == batch.rows() {
                return Poll::Ready(Ok(Some(batch)));
            }
            if !rows.is_empty() {
                return Poll::Ready(Ok(Some(batch.gather(&rows))));
            }
        }
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.last = None;
        self.input.rescan(changed);
    }
}
