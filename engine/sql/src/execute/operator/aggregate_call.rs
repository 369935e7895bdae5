//! One aggregate call of a grouping: FILTER, DISTINCT and ORDER BY, before its states are fed.
//!
//! DISTINCT of an aggregate that does not care about order is a table of (group, arguments) that were seen. Where the
//! order matters (it was asked for, or a DISTINCT `array_agg` sorts as PostgreSQL's does) the rows are kept, sorted by
//! group and order, and fed at the end.

use std::sync::Arc;

use helios_types::{Bitmap, Column, ColumnData, Datum, Oid, Result, oid};

use super::sort::KeyArena;
use crate::execute::batch::{BATCH_ROWS, Batch, ColumnRef};
use crate::execute::context::ExecutionContext;
use crate::execute::expression::true_bits;
use crate::execute::hashing::KeyTable;
use crate::execute::memory::Reservation;
use crate::execute::row_store::RowStore;
use crate::expr::SortOrder;
use crate::functions::aggregates::{Accumulator, Groups, Input};
use crate::functions::{CallCache, FunctionContext};
use crate::plan::{AggregateCall, SortKey};

/// The states of one call, and what is kept to feed them later.
pub(super) struct CallState {
    accumulator: Box<dyn Accumulator>,
    cache: CallCache,
    /// DISTINCT: (group, arguments) that were seen. Without groups the group is left out.
    seen: Option<Seen>,
    kept: Option<Kept>,
}

struct Seen {
    table: KeyTable,
    with_group: bool,
    memory: Reservation,
    numbers: Vec<u32>,
}

/// Rows to feed in order: the arguments, then the columns that they are sorted by.
struct Kept {
    rows: RowStore,
    groups: Vec<u32>,
    keys: Vec<SortKey>,
    sources: Vec<usize>,
}

/// Aggregates whose value does not depend on the order of distinct values.
fn ignores_order(name: &str) -> bool {
    matches!(
        name,
        "count" | "sum" | "avg" | "min" | "max" | "bool_and" | "bool_or" | "every" | "bit_and" | "bit_or" | "bit_xor"
    )
}

impl CallState {
    pub(super) fn new(call: &AggregateCall, input_types: &[Oid], context: &ExecutionContext) -> Result<CallState> {
        let cache = CallCache::default();
        let accumulator = (call.factory)(&function_context(call, &cache, context))?;
        let ordered = !call.order.is_empty() || (call.distinct && !ignores_order(call.name));
        let kept = ordered.then(|| {
            let mut sources = call.args.clone();
            sources.extend(call.order.iter().map(|key| key.column));
            let mut keys: Vec<SortKey> = call
                .order
                .iter()
                .enumerate()
                .map(|(index, key)| SortKey { column: call.args.len() + index, ..key.clone() })
                .collect();
            if call.distinct {
                let order = SortOrder { descending: false, nulls_first: false };
                keys.extend(call.args.iter().zip(&call.arg_types).enumerate().map(|(column, (_, oid))| SortKey {
                    column,
                    ty: crate::expr::ExprType::new(*oid),
                    order,
                }));
            }
            let types: Vec<Oid> = sources.iter().map(|source| input_types[*source]).collect();
            Kept { rows: RowStore::new(&types, &context.memory), groups: Vec::new(), keys, sources }
        });
        Ok(CallState { accumulator, cache, seen: None, kept })
    }

    pub(super) fn resize(&mut self, groups: usize) {
        self.accumulator.resize(groups);
    }

    pub(super) fn memory(&self) -> usize {
        self.accumulator.memory() + self.seen.as_ref().map_or(0, |seen| seen.table.memory())
    }

    /// Adds rows that all belong to group 0.
    pub(super) fn add_to_one(&mut self, call: &AggregateCall, batch: &Batch, context: &ExecutionContext) -> Result<()> {
        self.add_rows(call, batch, Groups::One { group: 0, rows: batch.rows() }, context)
    }

    /// Adds rows to their groups.
    pub(super) fn add(
        &mut self,
        call: &AggregateCall,
        batch: &Batch,
        groups: &[u32],
        context: &ExecutionContext,
    ) -> Result<()> {
        self.add_rows(call, batch, Groups::Each(groups), context)
    }

    fn add_rows(
        &mut self,
        call: &AggregateCall,
        batch: &Batch,
        groups: Groups<'_>,
        context: &ExecutionContext,
    ) -> Result<()> {
        let mut skip = call.filter.map(|filter| {
            let mut skip = true_bits(batch.column(filter));
            skip.invert();
            skip
        });
        if call.distinct {
            self.skip_seen(call, batch, groups, &mut skip, context)?;
        }
        if let Some(kept) = &mut self.kept {
            return kept.add(batch, groups, skip.as_ref());
        }
        let args: smallvec::SmallVec<[&Column; 4]> = call.args.iter().map(|arg| &**batch.column(*arg)).collect();
        let input = Input { groups, args: &args, skip: skip.as_ref() };
        self.accumulator.feed(&function_context(call, &self.cache, context), &input)
    }

    /// DISTINCT: marks the rows whose arguments their group has seen.
    fn skip_seen(
        &mut self,
        call: &AggregateCall,
        batch: &Batch,
        groups: Groups<'_>,
        skip: &mut Option<Bitmap>,
        context: &ExecutionContext,
    ) -> Result<()> {
        let with_group = matches!(groups, Groups::Each(_));
        let seen = self.seen.get_or_insert_with(|| {
            let mut types = call.arg_types.clone();
            if with_group {
                types.push(oid::INT8);
            }
            let table = KeyTable::new(&types, true);
            Seen { table, with_group, memory: Reservation::new(&context.memory), numbers: Vec::new() }
        });
        // Rows that FILTER leaves out must not count as seen.
        let candidates: Option<Vec<u32>> =
            skip.as_ref().map(|skip| (0..batch.rows() as u32).filter(|row| !skip.get(*row as usize)).collect());
        let mut columns: Vec<ColumnRef> = call.args.iter().map(|arg| batch.column(*arg).clone()).collect();
        if let (Groups::Each(groups), true) = (groups, seen.with_group) {
            let data = ColumnData::I64(groups.iter().map(|group| i64::from(*group)).collect());
            columns.push(Arc::new(Column { data, nulls: None }));
        }
        let mut rows = batch.rows();
        if let Some(candidates) = &candidates {
            rows = candidates.len();
            columns.iter_mut().for_each(|column| *column = Arc::new(column.gather(candidates)));
        }
        let mut next = seen.table.len() as u32;
        seen.table.insert(&columns, rows, &mut seen.numbers);
        seen.memory.resize(seen.table.memory())?;
        let mut repeated = Bitmap::new(batch.rows(), true);
        for (index, number) in seen.numbers.iter().enumerate() {
            if *number == next {
                next += 1;
                repeated.set(candidates.as_ref().map_or(index, |candidates| candidates[index] as usize), false);
            }
        }
        *skip = Some(repeated);
        Ok(())
    }

    /// Feeds the rows that were kept, in order.
    pub(super) fn feed_kept(&mut self, call: &AggregateCall, context: &ExecutionContext) -> Result<()> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let all = kept.rows.gather(&(0..kept.rows.len() as u32).collect::<Vec<_>>());
        let mut arena = KeyArena::default();
        for row in 0..all.rows() {
            arena.push(&all, row, &kept.keys)?;
        }
        let mut order = arena.sorted();
        order.sort_by_key(|row| kept.groups[*row as usize]);
        let function_context = function_context(call, &self.cache, context);
        for rows in order.chunks(BATCH_ROWS) {
            context.cancel.check()?;
            let groups: Vec<u32> = rows.iter().map(|row| kept.groups[*row as usize]).collect();
            let columns: Vec<Column> = (0..call.args.len()).map(|arg| all.column(arg).gather(rows)).collect();
            let args: smallvec::SmallVec<[&Column; 4]> = columns.iter().collect();
            self.accumulator
                .feed(&function_context, &Input { groups: Groups::Each(&groups), args: &args, skip: None })?;
        }
        kept.rows.clear();
        kept.groups.clear();
        Ok(())
    }

    /// The value of a group.
    pub(super) fn finish(
        &mut self,
        call: &AggregateCall,
        group: usize,
        direct: &[Datum],
        context: &ExecutionContext,
    ) -> Result<Datum> {
        self.accumulator.finish(&function_context(call, &self.cache, context), group, direct)
    }
}

impl Kept {
    fn add(&mut self, batch: &Batch, groups: Groups<'_>, skip: Option<&Bitmap>) -> Result<()> {
        let columns = self.sources.iter().map(|source| batch.column(*source).clone()).collect();
        let mut rows = Batch::new(columns, batch.rows());
        let group = |row: usize| match groups {
            Groups::One { group, .. } => group,
            Groups::Each(groups) => groups[row],
        };
        match skip {
            None => self.groups.extend((0..batch.rows()).map(group)),
            Some(skip) => {
                let wanted: Vec<u32> = (0..batch.rows() as u32).filter(|row| !skip.get(*row as usize)).collect();
                self.groups.extend(wanted.iter().map(|row| group(*row as usize)));
                rows = rows.gather(&wanted);
            }
        }
        self.rows.append(&rows, rows.rows() * 16)
    }
}

/// What an aggregate's implementation is told.
fn function_context<'a>(
    call: &'a AggregateCall,
    cache: &'a CallCache,
    context: &'a ExecutionContext,
) -> FunctionContext<'a> {
    FunctionContext {
        session: &context.session,
        collation: call.collation,
        arg_types: &call.arg_types,
        result: call.ty,
        variadic: false,
        cache,
    }
}
