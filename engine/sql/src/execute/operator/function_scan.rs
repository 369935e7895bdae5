//! Set-returning functions: in FROM, and in target lists.
//!
//! A function calls back once per row. Its rows are collected, with memory reserved as they come, and given a batch at a
//! time.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use helios_types::{Column, ColumnBuilder, Datum, Oid, PgError, Result};

use super::Operator;
use crate::execute::batch::{BATCH_ROWS, Batch, ColumnRef};
use crate::execute::context::ExecutionContext;
use crate::execute::expression::Evaluator;
use crate::execute::memory::Reservation;
use crate::functions::{self, CallCache, FunctionContext, Implementation};
use crate::plan::{FunctionCall, NodeKind, ParamSet, PlanNode, SetTarget, catalog};

/// What a call of a function gave: columns of as many rows.
struct Rows {
    columns: Vec<Column>,
    rows: usize,
}

/// Rows between two reservations.
const RESERVE_ROWS: usize = 4096;

/// Calls a function and collects its rows.
fn call(
    function: &FunctionCall,
    args: &[Datum],
    cache: &CallCache,
    context: &ExecutionContext,
    memory: &mut Reservation,
) -> Result<Rows> {
    let types: Vec<Oid> = function.columns.iter().map(|column| column.oid).collect();
    let mut builders: Vec<ColumnBuilder> = types.iter().map(|oid| ColumnBuilder::new(*oid, 16)).collect();
    let proc = catalog::proc(function.call.function)?;
    if proc.strict && args.iter().any(Datum::is_null) {
        // A strict set-returning function gives no rows, any other function a NULL.
        if !function.returns_set {
            builders.iter_mut().for_each(ColumnBuilder::push_null);
        }
    } else {
        let arg_types: Vec<Oid> = function.call.args.iter().map(|arg| arg.ty.oid).collect();
        let function_context = FunctionContext {
            session: &context.session,
            collation: function.call.input_collation,
            arg_types: &arg_types,
            result: function.ty,
            variadic: function.call.variadic,
            cache,
        };
        let mut rows = 0usize;
        let mut emit = |row: &[Datum]| -> Result<()> {
            rows += 1;
            if rows.is_multiple_of(RESERVE_ROWS) {
                context.cancel.check()?;
                let width: usize = row.iter().map(|value| 8 + value.heap_memory()).sum();
                memory.grow(width * RESERVE_ROWS)?;
            }
            push_row(&mut builders, row);
            Ok(())
        };
        match functions::bind(proc.oid, proc.source) {
            Some(Implementation::Set(set)) => set(&function_context, args, &mut emit)?,
            Some(Implementation::Scalar(scalar) | Implementation::Kernel(scalar, _)) => {
                emit(&[scalar(&function_context, args)?])?;
            }
            _ => return Err(PgError::unsupported(format_args!("function {}", catalog::signature(proc)))),
        }
    }
    let columns: Vec<Column> = builders.into_iter().map(ColumnBuilder::finish).collect();
    let rows = columns.first().map_or(0, Column::len);
    Ok(Rows { columns, rows })
}

/// Appends a row: of single values, or of a composite that is spread over the columns.
fn push_row(builders: &mut [ColumnBuilder], row: &[Datum]) {
    let fields = match row {
        [Datum::Record(record)] if builders.len() > 1 => &record.values[..],
        [Datum::Null] if builders.len() > 1 => return builders.iter_mut().for_each(ColumnBuilder::push_null),
        row => row,
    };
    builders.iter_mut().zip(fields).for_each(|(builder, value)| builder.push(value));
}

/// Functions in FROM, side by side; a shorter one is filled up with NULLs.
pub(super) struct FunctionScan {
    node: Arc<PlanNode>,
    context: Arc<ExecutionContext>,
    args: Vec<Evaluator>,
    caches: Vec<CallCache>,
    values: Vec<Vec<Datum>>,
    result: Option<Batch>,
    next: usize,
    memory: Reservation,
}

fn functions_of(node: &PlanNode) -> (&[FunctionCall], bool) {
    match &node.kind {
        NodeKind::FunctionScan { functions, ordinality, .. } => (functions, *ordinality),
        _ => unreachable!("made for a FunctionScan node"),
    }
}

impl FunctionScan {
    pub(super) fn new(node: &Arc<PlanNode>, context: &Arc<ExecutionContext>) -> FunctionScan {
        let (functions, _) = functions_of(node);
        FunctionScan {
            node: node.clone(),
            context: context.clone(),
            args: functions
                .iter()
                .map(|function| Evaluator::new(context, function.args.iter().map(|arg| arg.program.clone())))
                .collect(),
            caches: functions.iter().map(|_| CallCache::default()).collect(),
            values: Vec::new(),
            result: None,
            next: 0,
            memory: Reservation::new(&context.memory),
        }
    }

    fn compute(&mut self) -> Result<Batch> {
        let (functions, ordinality) = functions_of(&self.node);
        let mut columns: Vec<ColumnRef> = Vec::new();
        let mut parts = Vec::new();
        for ((function, values), cache) in functions.iter().zip(&self.values).zip(&self.caches) {
            parts.push(call(function, values, cache, &self.context, &mut self.memory)?);
        }
        let rows = parts.iter().map(|part| part.rows).max().unwrap_or(0);
        for part in parts {
            let missing = rows - part.rows;
            for mut column in part.columns {
                if missing > 0 {
                    let padding: Vec<u32> =
                        (0..rows as u32).map(|row| if (row as usize) < part.rows { row } else { u32::MAX }).collect();
                    column = column.gather_or_null(&padding);
                }
                columns.push(Arc::new(column));
            }
        }
        if ordinality {
            let data = helios_types::ColumnData::I64((1..=rows as i64).collect());
            columns.push(Arc::new(Column { data, nulls: None }));
        }
        Ok(Batch::new(columns, rows))
    }
}

impl Operator for FunctionScan {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        let result = match &self.result {
            Some(result) => result,
            None => {
                let one = Batch::new(Vec::new(), 1);
                while self.values.len() < self.args.len() {
                    let evaluated = ready!(self.args[self.values.len()].poll_project(cx, &one))?;
                    if let Some(error) = evaluated.error {
                        return Poll::Ready(Err(error));
                    }
                    self.values.push(evaluated.columns.iter().map(|column| column.get(0)).collect());
                }
                let result = self.compute()?;
                self.result.insert(result)
            }
        };
        if self.next >= result.rows() {
            return Poll::Ready(Ok(None));
        }
        let len = (result.rows() - self.next).min(BATCH_ROWS);
        let batch = result.slice(self.next, len);
        self.next += len;
        Poll::Ready(Ok(Some(batch)))
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.next = 0;
        if self.node.depends.intersects(changed) {
            self.result = None;
            self.values.clear();
            self.memory.clear();
            self.args.iter_mut().for_each(|args| args.rescan(changed));
        }
    }
}

/// Set-returning functions in a target list. They run in step: each output row takes the next value of each, NULL from
/// those that have ended; plain targets repeat.
pub(super) struct ProjectSet {
    node: Arc<PlanNode>,
    context: Arc<ExecutionContext>,
    input: Box<dyn Operator>,
    /// Plain targets, and the arguments of the others, one after the other.
    values: Evaluator,
    caches: Vec<CallCache>,
    waiting: Option<Batch>,
    current: Option<(Vec<ColumnRef>, usize)>,
    row: usize,
    failed: Option<PgError>,
    memory: Reservation,
    /// Rows of the current input row, and the next one to give.
    open: Option<(Batch, usize)>,
}

fn targets_of(node: &PlanNode) -> &[SetTarget] {
    match &node.kind {
        NodeKind::ProjectSet { targets, .. } => targets,
        _ => unreachable!("made for a ProjectSet node"),
    }
}

impl ProjectSet {
    pub(super) fn new(node: &Arc<PlanNode>, input: Box<dyn Operator>, context: &Arc<ExecutionContext>) -> ProjectSet {
        let programs = targets_of(node).iter().flat_map(|target| match target {
            SetTarget::Scalar(scalar) => vec![scalar.program.clone()],
            SetTarget::Set(function) => function.args.iter().map(|arg| arg.program.clone()).collect(),
        });
        ProjectSet {
            values: Evaluator::new(context, programs),
            caches: targets_of(node).iter().map(|_| CallCache::default()).collect(),
            node: node.clone(),
            context: context.clone(),
            input,
            waiting: None,
            current: None,
            row: 0,
            failed: None,
            memory: Reservation::new(&context.memory),
            open: None,
        }
    }

    /// The output rows of an input row.
    fn rows_of(&mut self, values: &[ColumnRef], row: usize) -> Result<Batch> {
        let types = self.node.types();
        let mut parts: Vec<Option<Column>> = Vec::new();
        let mut scalars: Vec<Datum> = Vec::new();
        let mut rows = 0;
        let mut at = 0;
        self.memory.clear();
        for (target, cache) in targets_of(&self.node).iter().zip(&self.caches) {
            match target {
                SetTarget::Scalar(_) => {
                    scalars.push(values[at].get(row));
                    parts.push(None);
                    at += 1;
                }
                SetTarget::Set(function) => {
                    let args: Vec<Datum> =
                        values[at..at + function.args.len()].iter().map(|column| column.get(row)).collect();
                    at += function.args.len();
                    let mut part = call(function, &args, cache, &self.context, &mut self.memory)?;
                    rows = rows.max(part.rows);
                    parts.push(Some(if part.columns.len() == 1 {
                        part.columns.swap_remove(0)
                    } else {
                        as_records(function, &part)
                    }));
                }
            }
        }
        let mut scalars = scalars.into_iter();
        let columns = parts.into_iter().zip(&types).map(|(part, oid)| {
            Arc::new(match part {
                None => Column::constant(*oid, &scalars.next().expect("one value a plain target"), rows),
                Some(column) if column.len() == rows => column,
                Some(column) => {
                    let len = column.len();
                    let place = |row: u32| if (row as usize) < len { row } else { u32::MAX };
                    column.gather_or_null(&(0..rows as u32).map(place).collect::<Vec<_>>())
                }
            })
        });
        Ok(Batch::new(columns.collect(), rows))
    }
}

/// Rows of several columns as composite values.
fn as_records(function: &FunctionCall, rows: &Rows) -> Column {
    let types: Arc<[Oid]> = function.columns.iter().map(|column| column.oid).collect();
    let mut builder = ColumnBuilder::new(function.ty.oid, rows.rows);
    for row in 0..rows.rows {
        let values = rows.columns.iter().map(|column| column.get(row)).collect();
        builder.push(&Datum::record(types.clone(), values));
    }
    builder.finish()
}

impl Operator for ProjectSet {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        let mut gathered: Vec<Batch> = Vec::new();
        let mut rows = 0;
        loop {
            if let Some((open, next)) = &mut self.open {
                let len = (open.rows() - *next).min(BATCH_ROWS - rows);
                gathered.push(open.slice(*next, len));
                *next += len;
                rows += len;
                if *next == open.rows() {
                    self.open = None;
                }
            }
            if rows >= BATCH_ROWS {
                break;
            }
            if let Some((values, len)) = &self.current {
                if self.row < *len {
                    let values = values.clone();
                    self.row += 1;
                    match self.rows_of(&values, self.row - 1) {
                        Ok(open) if open.rows() > 0 => self.open = Some((open, 0)),
                        Ok(_) => {}
                        Err(error) => {
                            self.current = None;
                            self.failed = Some(error);
                        }
                    }
                    continue;
                }
                self.current = None;
            }
            if let Some(error) = self.failed.take() {
                if rows == 0 {
                    return Poll::Ready(Err(error));
                }
                self.failed = Some(error);
                break;
            }
            if rows > 0 && self.waiting.is_none() {
                // What there is goes out before the input is asked for more.
                break;
            }
            let batch = match self.waiting.take() {
                Some(batch) => batch,
                None => match ready!(self.input.poll_next(cx))? {
                    Some(batch) => batch,
                    None => return Poll::Ready(Ok(None)),
                },
            };
            self.context.cancel.check()?;
            match self.values.poll_project(cx, &batch) {
                Poll::Pending => {
                    self.waiting = Some(batch);
                    return Poll::Pending;
                }
                Poll::Ready(evaluated) => {
                    let evaluated = evaluated?;
                    self.failed = evaluated.error;
                    self.row = 0;
                    self.current = Some((evaluated.columns, evaluated.rows));
                }
            }
        }
        Poll::Ready(Ok(Some(concatenate(gathered, rows))))
    }

    fn rescan(&mut self, changed: &ParamSet) {
        self.waiting = None;
        self.current = None;
        self.open = None;
        self.failed = None;
        self.row = 0;
        self.values.rescan(changed);
        self.input.rescan(changed);
    }
}

/// Batches of the same columns as one; there is at least one.
pub(super) fn concatenate(batches: Vec<Batch>, rows: usize) -> Batch {
    let mut batches = batches.into_iter();
    let first = batches.next().expect("there are rows");
    if first.rows() == rows {
        return first;
    }
    let rest: Vec<Batch> = batches.collect();
    let columns = first.into_columns().into_iter().enumerate().map(|(index, column)| {
        let mut column = Arc::unwrap_or_clone(column);
        rest.iter().for_each(|batch| column.append(batch.column(index)));
        Arc::new(column)
    });
    Batch::new(columns.collect(), rows)
}
