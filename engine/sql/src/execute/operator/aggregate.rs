//! GROUP BY, grouping sets, aggregates.
//!
//! ```text
//!   batch ──keys──▶ KeyTable ──▶ group of each row ──▶ every call's Accumulator
//!                                 new groups: their key values are kept
//! ```
//!
//! Groups go out in the order in which they appeared, so that sorted input gives sorted groups. With grouping sets there
//! is one table and one set of accumulators per set.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use helios_types::{Column, ColumnBuilder, Datum, Oid, PgError, Result};

use super::Operator;
use super::aggregate_call::CallState;
use crate::execute::batch::{BATCH_ROWS, Batch, ColumnRef};
use crate::execute::context::ExecutionContext;
use crate::execute::expression::Evaluator;
use crate::execute::hashing::KeyTable;
use crate::execute::memory::Reservation;
use crate::execute::row_store::RowStore;
use crate::plan::{Aggregation, NodeKind, ParamSet, PlanNode};

/// A running aggregation.
pub(super) struct Aggregate {
    node: Arc<PlanNode>,
    context: Arc<ExecutionContext>,
    input: Box<dyn Operator>,
    sets: Vec<GroupingSet>,
    direct: Evaluator,
    direct_values: Option<Vec<Datum>>,
    memory: Reservation,
    consumed: bool,
    /// The next set and group to give.
    next: (usize, usize),
}

/// The groups of one grouping set.
struct GroupingSet {
    /// Indexes into the aggregation's keys.
    keys: Vec<usize>,
    table: KeyTable,
    values: RowStore,
    calls: Vec<CallState>,
    groups: usize,
    numbers: Vec<u32>,
}

fn aggregation(node: &PlanNode) -> &Aggregation {
    match &node.kind {
        NodeKind::Aggregate(aggregation) => aggregation,
        _ => unreachable!("made for an Aggregate node"),
    }
}

impl GroupingSet {
    fn new(keys: Vec<usize>, plan: &Aggregation, context: &ExecutionContext) -> Result<GroupingSet> {
        let input_types = plan.input.types();
        let types: Vec<Oid> = keys.iter().map(|key| input_types[plan.keys[*key]]).collect();
        let calls = plan.calls.iter().map(|call| CallState::new(call, &input_types, context)).collect::<Result<_>>()?;
        Ok(GroupingSet {
            table: KeyTable::new(&types, true),
            values: RowStore::new(&types, &context.memory),
            keys,
            calls,
            groups: 0,
            numbers: Vec::new(),
        })
    }

    /// Makes the one group that there is without keys.
    fn make_only_group(&mut self) {
        if self.groups == 0 {
            self.groups = 1;
            self.calls.iter_mut().for_each(|call| call.resize(1));
        }
    }

    fn add(&mut self, batch: &Batch, plan: &Aggregation, context: &ExecutionContext) -> Result<()> {
        if self.keys.is_empty() {
            self.make_only_group();
            return plan
                .calls
                .iter()
                .zip(&mut self.calls)
                .try_for_each(|(call, state)| state.add_to_one(call, batch, context));
        }
        let columns: Vec<ColumnRef> = self.keys.iter().map(|key| batch.column(plan.keys[*key]).clone()).collect();
        self.table.insert(&columns, batch.rows(), &mut self.numbers);
        if self.table.len() > self.groups {
            let mut fresh = Vec::with_capacity(self.table.len() - self.groups);
            for (row, number) in self.numbers.iter().enumerate() {
                if *number as usize == self.groups + fresh.len() {
                    fresh.push(row as u32);
                }
            }
            self.groups = self.table.len();
            self.values.append(&Batch::new(columns, batch.rows()).gather(&fresh), 0)?;
            self.calls.iter_mut().for_each(|call| call.resize(self.groups));
        }
        for (call, state) in plan.calls.iter().zip(&mut self.calls) {
            state.add(call, batch, &self.numbers, context)?;
        }
        Ok(())
    }

    fn memory(&self) -> usize {
        self.table.memory() + self.calls.iter().map(CallState::memory).sum::<usize>()
    }
}

impl Aggregate {
    pub(super) fn new(
        node: &Arc<PlanNode>,
        input: Box<dyn Operator>,
        context: &Arc<ExecutionContext>,
    ) -> Result<Aggregate> {
        let plan = aggregation(node);
        let direct = plan.calls.iter().flat_map(|call| &call.direct).map(|scalar| scalar.program.clone());
        Ok(Aggregate {
            node: node.clone(),
            context: context.clone(),
            input,
            sets: Self::empty_sets(plan, context)?,
            direct: Evaluator::new(context, direct),
            direct_values: None,
            memory: Reservation::new(&context.memory),
            consumed: false,
            next: (0, 0),
        })
    }

    fn empty_sets(plan: &Aggregation, context: &ExecutionContext) -> Result<Vec<GroupingSet>> {
        if plan.sets.is_empty() {
            return Ok(vec![GroupingSet::new((0..plan.keys.len()).collect(), plan, context)?]);
        }
        plan.sets.iter().map(|set| GroupingSet::new(set.clone(), plan, context)).collect()
    }

    /// The direct arguments of ordered-set aggregates, which no row changes.
    fn poll_direct(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.direct_values.is_none() {
            let evaluated = ready!(self.direct.poll_project(cx, &Batch::new(Vec::new(), 1)))?;
            if let Some(error) = evaluated.error {
                return Poll::Ready(Err(error));
            }
            self.direct_values = Some(evaluated.columns.iter().map(|column| column.get(0)).collect());
        }
        Poll::Ready(Ok(()))
    }

    fn poll_consume(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let plan = aggregation(&self.node);
        while let Some(batch) = ready!(self.input.poll_next(cx))? {
            self.context.cancel.check()?;
            if batch.rows() == 0 {
                continue;
            }
            for set in &mut self.sets {
                set.add(&batch, plan, &self.context)?;
            }
            self.memory.resize(self.sets.iter().map(GroupingSet::memory).sum())?;
        }
        for set in &mut self.sets {
            // Without keys there is a group even without rows.
            if set.keys.is_empty() {
                set.make_only_group();
            }
            for (call, state) in plan.calls.iter().zip(&mut set.calls) {
                state.feed_kept(call, &self.context)?;
            }
        }
        self.consumed = true;
        Poll::Ready(Ok(()))
    }

    /// The rows of some groups of a set.
    fn output(&mut self, set_index: usize, from: usize, len: usize) -> Result<Batch> {
        let node = self.node.clone();
        let plan = aggregation(&node);
        let types = node.types();
        let set = &mut self.sets[set_index];
        let mut columns: Vec<ColumnRef> = Vec::with_capacity(types.len());
        for (key, oid) in types.iter().take(plan.keys.len()).enumerate() {
            columns.push(Arc::new(match set.keys.iter().position(|own| *own == key) {
                Some(at) => set.values.columns()[at].slice(from, len),
                None => Column::constant(*oid, &Datum::Null, len),
            }));
        }
        let direct = self.direct_values.as_deref().ok_or_else(|| PgError::internal("no direct arguments"))?;
        let mut direct_at = 0;
        for (index, (call, state)) in plan.calls.iter().zip(&mut set.calls).enumerate() {
            let direct = &direct[direct_at..direct_at + call.direct.len()];
            direct_at += call.direct.len();
            let mut builder = ColumnBuilder::new(types[plan.keys.len() + index], len);
            for group in from..from + len {
                builder.push(&state.finish(call, group, direct, &self.context)?);
            }
            columns.push(Arc::new(builder.finish()));
        }
        for grouping in &plan.groupings {
            let bits = grouping.iter().fold(0, |bits, key| bits << 1 | i32::from(!set.keys.contains(key)));
            columns.push(Arc::new(Column::constant(helios_types::oid::INT4, &Datum::I32(bits), len)));
        }
        Ok(Batch::new(columns, len))
    }
}

impl Operator for Aggregate {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        ready!(self.poll_direct(cx))?;
        if !self.consumed {
            ready!(self.poll_consume(cx))?;
        }
        let (mut set, mut group) = self.next;
        while set < self.sets.len() && group >= self.sets[set].groups {
            (set, group) = (set + 1, 0);
        }
        if set == self.sets.len() {
            self.next = (set, 0);
            return Poll::Ready(Ok(None));
        }
        let len = (self.sets[set].groups - group).min(BATCH_ROWS);
        self.next = (set, group + len);
        Poll::Ready(self.output(set, group, len).map(Some))
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.next = (0, 0);
        if self.consumed && !self.node.depends.intersects(changed) {
            return;
        }
        self.consumed = false;
        self.direct_values = None;
        self.direct.rescan(changed);
        self.memory.clear();
        self.input.rescan(changed);
        // Making states failed or succeeded when the operator was made; it does the same again.
        if let Ok(sets) = Self::empty_sets(aggregation(&self.node), &self.context) {
            self.sets = sets;
        }
    }
}
