//! The expressions of one operator in one execution.
//!
//! ```text
//!   poll_project / poll_filter (batch)
//!      │ all programs pure, everything hoisted is there ──▶ columns, at once
//!      └ else a future owns the batch and the runtime ──▶ ... ──▶ columns, and the runtime back
//! ```
//!
//! One future runs per batch, not per call. It is dropped with the operator: nothing that it holds outlives it.

use std::sync::Arc;
use std::task::{Context, Poll};

use helios_env::BoxFuture;
use helios_types::{Bitmap, ColumnBuilder, Datum, PgError, Result};

use super::program::Program;
use super::row::{self, CaseValues, RowInput};
use super::suspend::{self, SubplanState};
use super::vector::{self, Frame};
use super::{EvalContext, HoistedValue};
use crate::execute::batch::{Batch, ColumnRef};
use crate::execute::context::ExecutionContext;
use crate::plan::ParamSet;

/// What evaluating a projection gave: the rows before the first one that failed, and its error.
#[derive(Debug)]
pub struct Evaluated {
    /// A column per program.
    pub columns: Vec<ColumnRef>,
    /// Rows evaluated.
    pub rows: usize,
    /// Why there are no more.
    pub error: Option<PgError>,
}

/// What evaluating conditions gave.
#[derive(Debug)]
pub struct Filtered {
    /// The rows where all conditions are true.
    pub rows: Vec<u32>,
    /// Why the rows behind were not looked at.
    pub error: Option<PgError>,
}

/// What the evaluation of some programs keeps between batches.
#[derive(Default)]
pub(crate) struct Runtime {
    pub(crate) programs: Vec<ProgramRuntime>,
}

/// What one program keeps between batches.
#[derive(Default)]
pub(crate) struct ProgramRuntime {
    pub(crate) hoisted: Vec<HoistedValue>,
    pub(crate) subplans: Vec<Option<SubplanState>>,
}

type Running<T> = BoxFuture<'static, (Box<Runtime>, Result<T>)>;

/// The expressions of one operator in one execution.
pub struct Evaluator {
    context: Arc<ExecutionContext>,
    programs: Arc<[Arc<Program>]>,
    /// Absent while a future has it.
    runtime: Option<Box<Runtime>>,
    projecting: Option<Running<Evaluated>>,
    filtering: Option<Running<Filtered>>,
    suspending: bool,
    hoisting: bool,
}

impl Evaluator {
    /// The programs, over batches of the layout that they were compiled for.
    pub fn new(context: &Arc<ExecutionContext>, programs: impl IntoIterator<Item = Arc<Program>>) -> Evaluator {
        let programs: Arc<[Arc<Program>]> = programs.into_iter().collect();
        let runtime = Runtime {
            programs: programs
                .iter()
                .map(|program| ProgramRuntime {
                    hoisted: program.hoisted.iter().map(|_| HoistedValue::Missing).collect(),
                    subplans: (0..program.subplans).map(|_| None).collect(),
                })
                .collect(),
        };
        Evaluator {
            context: context.clone(),
            runtime: Some(Box::new(runtime)),
            projecting: None,
            filtering: None,
            suspending: programs.iter().any(|program| program.suspending),
            hoisting: programs.iter().any(|program| !program.hoisted.is_empty()),
            programs,
        }
    }

    /// Whether there is nothing to evaluate.
    pub fn is_empty(&self) -> bool {
        self.programs.is_empty()
    }

    /// Forgets what depended on values that have changed, and whatever is under way.
    pub fn rescan(&mut self, changed: &ParamSet) {
        if self.projecting.take().is_some() | self.filtering.take().is_some() || self.runtime.is_none() {
            let programs = self.programs.clone();
            *self = Evaluator::new(&self.context, programs.iter().cloned());
            return;
        }
        let runtime = self.runtime.as_mut().expect("checked above");
        for (program, state) in self.programs.iter().zip(&mut runtime.programs) {
            for (hoisted, value) in program.hoisted.iter().zip(&mut state.hoisted) {
                if self.context.plan.subplans[hoisted.plan].depends.intersects(changed) {
                    *value = HoistedValue::Missing;
                }
            }
            for subplan in state.subplans.iter_mut().flatten() {
                subplan.invalidate(&self.context, changed);
            }
        }
    }

    /// A column per program, for the rows of a batch. Called again with the same batch after `Pending`.
    pub fn poll_project(&mut self, cx: &mut Context<'_>, batch: &Batch) -> Poll<Result<Evaluated>> {
        if self.is_immediate() {
            let runtime = self.runtime.as_deref().expect("checked");
            return Poll::Ready(Ok(project(&self.programs, batch, runtime, &self.context)));
        }
        let future = match &mut self.projecting {
            Some(future) => future,
            vacant => {
                let mut runtime = self.runtime.take().expect("a failed evaluation is not continued");
                let (programs, batch, context) = (self.programs.clone(), batch.clone(), self.context.clone());
                vacant.insert(Box::pin(async move {
                    let result = project_suspending(&programs, &batch, &mut runtime, &context).await;
                    (runtime, result)
                }))
            }
        };
        let (runtime, result) = std::task::ready!(future.as_mut().poll(cx));
        self.projecting = None;
        self.runtime = Some(runtime);
        Poll::Ready(result)
    }

    /// The rows of a batch for which every program is true. Called again with the same batch after `Pending`.
    pub fn poll_filter(&mut self, cx: &mut Context<'_>, batch: &Batch) -> Poll<Result<Filtered>> {
        if self.is_immediate() {
            let runtime = self.runtime.as_deref().expect("checked");
            return Poll::Ready(Ok(filter(&self.programs, batch, None, runtime, &self.context)));
        }
        let future = match &mut self.filtering {
            Some(future) => future,
            vacant => {
                let mut runtime = self.runtime.take().expect("a failed evaluation is not continued");
                let (programs, batch, context) = (self.programs.clone(), batch.clone(), self.context.clone());
                vacant.insert(Box::pin(async move {
                    let result = filter_suspending(&programs, &batch, &mut runtime, &context).await;
                    (runtime, result)
                }))
            }
        };
        let (runtime, result) = std::task::ready!(future.as_mut().poll(cx));
        self.filtering = None;
        self.runtime = Some(runtime);
        Poll::Ready(result)
    }

    /// The values for a single row, waiting where that must be.
    pub async fn row(&mut self, batch: &Batch) -> Result<Vec<Datum>> {
        let evaluated = std::future::poll_fn(|cx| self.poll_project(cx, batch)).await?;
        match evaluated.error {
            Some(error) => Err(error),
            None => Ok(evaluated.columns.iter().map(|column| column.get(0)).collect()),
        }
    }

    /// Whether all conditions hold for a single row, waiting where that must be.
    pub async fn holds(&mut self, batch: &Batch) -> Result<bool> {
        let filtered = std::future::poll_fn(|cx| self.poll_filter(cx, batch)).await?;
        match filtered.error {
            Some(error) => Err(error),
            None => Ok(!filtered.rows.is_empty()),
        }
    }

    /// Whether nothing has to wait.
    fn is_immediate(&self) -> bool {
        let Some(runtime) = &self.runtime else { return false };
        let mut hoisted = runtime.programs.iter().flat_map(|program| &program.hoisted);
        !(self.suspending || self.hoisting && hoisted.any(HoistedValue::is_missing))
    }
}

impl HoistedValue {
    fn is_missing(&self) -> bool {
        matches!(self, HoistedValue::Missing)
    }
}

/// Calls back with what evaluation of a program may look at. Nothing may wait inside.
pub(crate) fn with_env<T>(
    context: &ExecutionContext,
    hoisted: &[HoistedValue],
    work: impl FnOnce(&EvalContext<'_>) -> T,
) -> T {
    let exec_params = context.exec_params.lock();
    work(&EvalContext { session: &context.session, params: &context.params, exec_params: &exec_params, hoisted })
}

fn project(programs: &[Arc<Program>], batch: &Batch, runtime: &Runtime, context: &ExecutionContext) -> Evaluated {
    let mut columns = Vec::with_capacity(programs.len());
    for (program, state) in programs.iter().zip(&runtime.programs) {
        let frame = Frame::new(batch.columns(), batch.rows(), None);
        match with_env(context, &state.hoisted, |env| vector::eval(&program.root, &frame, env)) {
            Ok(column) => columns.push(column),
            Err(error) => return project_before_failure(programs, batch, runtime, context, error),
        }
    }
    Evaluated { columns, rows: batch.rows(), error: None }
}

/// Some row failed: finds the first one and evaluates those before it.
#[cold]
fn project_before_failure(
    programs: &[Arc<Program>],
    batch: &Batch,
    runtime: &Runtime,
    context: &ExecutionContext,
    error: PgError,
) -> Evaluated {
    for at in 0..batch.rows() {
        for (program, state) in programs.iter().zip(&runtime.programs) {
            let input = RowInput::Batch(batch.columns(), at);
            let value =
                with_env(context, &state.hoisted, |env| row::eval(&program.root, input, &mut CaseValues::new(), env));
            if let Err(error) = value {
                let mut before =
                    if at == 0 { empty(programs) } else { project(programs, &batch.slice(0, at), runtime, context) };
                before.error = Some(error);
                return before;
            }
        }
    }
    // The rows alone do not fail: a kernel complains about a row that it was told to skip, or about its batch.
    let mut none = empty(programs);
    none.error = Some(error);
    none
}

fn empty(programs: &[Arc<Program>]) -> Evaluated {
    let columns = programs.iter().map(|program| Arc::new(helios_types::Column::empty(program.ty.oid))).collect();
    Evaluated { columns, rows: 0, error: None }
}

/// The rows among `candidates` (all when `None`) for which every program is true.
fn filter(
    programs: &[Arc<Program>],
    batch: &Batch,
    candidates: Option<Vec<u32>>,
    runtime: &Runtime,
    context: &ExecutionContext,
) -> Filtered {
    let mut rows = candidates.unwrap_or_else(|| (0..batch.rows() as u32).collect());
    for (program, state) in programs.iter().zip(&runtime.programs) {
        if rows.is_empty() {
            break;
        }
        let kept = with_env(context, &state.hoisted, |env| filter_one(program, batch, &rows, env));
        match kept {
            Ok(kept) => rows = kept,
            Err(error) => return filter_before_failure(programs, batch, runtime, context, error),
        }
    }
    Filtered { rows, error: None }
}

fn filter_one(program: &Program, batch: &Batch, rows: &[u32], env: &EvalContext<'_>) -> Result<Vec<u32>> {
    let skip = (rows.len() < batch.rows() && !program.root.infallible()).then(|| {
        let mut skip = Bitmap::new(batch.rows(), true);
        rows.iter().for_each(|row| skip.set(*row as usize, false));
        skip
    });
    let frame = Frame::new(batch.columns(), batch.rows(), skip);
    let column = vector::eval(&program.root, &frame, env)?;
    Ok(vector::true_rows(&column, rows))
}

/// Some row failed: finds the first one, in the order of rows, and keeps what passed before it.
#[cold]
fn filter_before_failure(
    programs: &[Arc<Program>],
    batch: &Batch,
    runtime: &Runtime,
    context: &ExecutionContext,
    error: PgError,
) -> Filtered {
    let mut rows = Vec::new();
    'rows: for at in 0..batch.rows() {
        for (program, state) in programs.iter().zip(&runtime.programs) {
            let input = RowInput::Batch(batch.columns(), at);
            let value =
                with_env(context, &state.hoisted, |env| row::eval(&program.root, input, &mut CaseValues::new(), env));
            match value {
                Ok(Datum::Bool(true)) => {}
                Ok(_) => continue 'rows,
                Err(error) => return Filtered { rows, error: Some(error) },
            }
        }
        rows.push(at as u32);
    }
    Filtered { rows, error: Some(error) }
}

/// Runs what is hoisted and missing.
async fn hoist(programs: &[Arc<Program>], runtime: &mut Runtime, context: &Arc<ExecutionContext>) -> Result<()> {
    for (program, state) in programs.iter().zip(&mut runtime.programs) {
        for (hoisted, value) in program.hoisted.iter().zip(&mut state.hoisted) {
            if value.is_missing() {
                *value = suspend::run_hoisted(hoisted, context).await?;
            }
        }
    }
    Ok(())
}

async fn project_suspending(
    programs: &[Arc<Program>],
    batch: &Batch,
    runtime: &mut Runtime,
    context: &Arc<ExecutionContext>,
) -> Result<Evaluated> {
    if batch.rows() == 0 {
        return Ok(empty(programs));
    }
    hoist(programs, runtime, context).await?;
    if programs.iter().all(|program| !program.suspending) {
        return Ok(project(programs, batch, runtime, context));
    }
    // Row by row over everything that waits; what does not wait runs over the rows that were reached.
    let mut builders: Vec<Option<ColumnBuilder>> = programs
        .iter()
        .map(|program| program.suspending.then(|| ColumnBuilder::new(program.ty.oid, batch.rows())))
        .collect();
    let mut failed = None;
    let mut reached = batch.rows();
    'rows: for at in 0..batch.rows() {
        let mut values: smallvec::SmallVec<[Datum; 8]> = smallvec::SmallVec::new();
        for (program, state) in programs.iter().zip(&mut runtime.programs) {
            if !program.suspending {
                continue;
            }
            let mut cases = CaseValues::new();
            match suspend::eval(&program.root, (batch.columns(), at), &mut cases, state, context).await {
                Ok(value) => values.push(value),
                Err(error) => {
                    failed = Some(error);
                    reached = at;
                    break 'rows;
                }
            }
        }
        builders.iter_mut().flatten().zip(&values).for_each(|(builder, value)| builder.push(value));
    }
    let pure: Vec<Arc<Program>> = programs.iter().filter(|program| !program.suspending).cloned().collect();
    let pure_runtime = runtime.take_pure(programs);
    let rest = project(&pure, &batch.slice(0, reached), &pure_runtime, context);
    runtime.put_pure(programs, pure_runtime);
    let mut pure_columns = rest.columns.into_iter();
    let columns = builders
        .into_iter()
        .map(|builder| match builder {
            None => pure_columns.next().expect("one column a pure program"),
            Some(builder) if rest.rows < reached => Arc::new(builder.finish().slice(0, rest.rows)),
            Some(builder) => Arc::new(builder.finish()),
        })
        .collect();
    Ok(Evaluated { columns, rows: rest.rows, error: rest.error.or(failed) })
}

impl Runtime {
    /// Takes the states of the programs that do not wait.
    fn take_pure(&mut self, programs: &[Arc<Program>]) -> Runtime {
        let states = programs.iter().zip(&mut self.programs).filter(|(program, _)| !program.suspending);
        Runtime { programs: states.map(|(_, state)| std::mem::take(state)).collect() }
    }

    /// Puts them back.
    fn put_pure(&mut self, programs: &[Arc<Program>], pure: Runtime) {
        let states = programs.iter().zip(&mut self.programs).filter(|(program, _)| !program.suspending);
        states.zip(pure.programs).for_each(|((_, place), state)| *place = state);
    }
}

async fn filter_suspending(
    programs: &[Arc<Program>],
    batch: &Batch,
    runtime: &mut Runtime,
    context: &Arc<ExecutionContext>,
) -> Result<Filtered> {
    // What does not wait and comes first narrows the rows down at once.
    let pure = programs.iter().take_while(|program| !program.suspending && program.hoisted.is_empty()).count();
    let first = filter(&programs[..pure], batch, None, runtime, context);
    if first.rows.is_empty() {
        return Ok(first);
    }
    hoist(programs, runtime, context).await?;
    let mut rows = Vec::new();
    'rows: for at in &first.rows {
        for (program, state) in programs.iter().zip(&mut runtime.programs).skip(pure) {
            let mut cases = CaseValues::new();
            match suspend::eval(&program.root, (batch.columns(), *at as usize), &mut cases, state, context).await {
                Ok(Datum::Bool(true)) => {}
                Ok(_) => continue 'rows,
                Err(error) => return Ok(Filtered { rows, error: Some(error) }),
            }
        }
        rows.push(*at);
    }
    Ok(Filtered { rows, error: first.error })
}
