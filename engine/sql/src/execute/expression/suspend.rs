//! One row at a time, waiting where that must be: nextval, pg_sleep, look-ups in the catalog, correlated subqueries.
//!
//! Only the nodes on the way to something that waits are walked here, each in a future of its own; everything below
//! that does not wait is evaluated by the row walker. AND, OR, CASE and COALESCE are as lazy as anywhere.

use std::sync::Arc;
use std::task::Context;

use helios_env::BoxFuture;
use helios_types::datetime::timestamptz_plus_interval;
use helios_types::{Array, Datum, Oid, PgError, Result, SqlState};
use smallvec::SmallVec;

use super::HoistedValue;
use super::evaluator::{ProgramRuntime, with_env};
use super::hashed_set::HashedSet;
use super::program::{Hoisted, Node, Suspend, SuspendKind};
use super::row::{self, CaseValues, RowInput, bind};
use crate::execute::batch::{Batch, ColumnRef};
use crate::execute::context::ExecutionContext;
use crate::execute::operator::{Operator, build};
use crate::expr::{ExprType, SubLinkKind};
use crate::functions::{Suspending, since_2000};
use crate::plan::ParamSet;
use crate::session::SessionContext;

/// A row of a batch.
type Row<'a> = (&'a [ColumnRef], usize);

/// A subplan that is run per row.
pub(crate) struct SubplanState {
    plan: usize,
    operator: Box<dyn Operator>,
    /// Whether rows were taken since it was made or started again.
    used: bool,
    /// The value, when there are no outer values that it depends on.
    cached: Option<Datum>,
    /// The rows, when they are looked up by hash.
    set: Option<HashedSet>,
}

impl SubplanState {
    /// Forgets what depended on values that have changed.
    pub(crate) fn invalidate(&mut self, context: &ExecutionContext, changed: &ParamSet) {
        if context.plan.subplans[self.plan].depends.intersects(changed) {
            self.cached = None;
            self.set = None;
            self.operator.rescan(changed);
            self.used = false;
        }
    }

    fn new(plan: usize, context: &Arc<ExecutionContext>) -> Result<SubplanState> {
        let operator = build(&context.plan.subplans[plan].root, context)?;
        Ok(SubplanState { plan, operator, used: false, cached: None, set: None })
    }

    fn restart(&mut self, changed: &ParamSet) {
        if self.used {
            self.operator.rescan(changed);
        }
        self.used = true;
    }

    async fn next(&mut self) -> Result<Option<Batch>> {
        std::future::poll_fn(|cx: &mut Context<'_>| self.operator.poll_next(cx)).await
    }

    /// The only row; an error when there are two.
    async fn single_row(&mut self) -> Result<Option<Vec<Datum>>> {
        let mut found = None;
        while let Some(batch) = self.next().await? {
            if batch.rows() == 0 {
                continue;
            }
            if batch.rows() > 1 || found.is_some() {
                return Err(PgError::new(
                    SqlState::CARDINALITY_VIOLATION,
                    "more than one row returned by a subquery used as an expression",
                ));
            }
            found = Some(batch.row(0));
        }
        Ok(found)
    }

    async fn exists(&mut self) -> Result<bool> {
        while let Some(batch) = self.next().await? {
            if batch.rows() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn first_column(&mut self) -> Result<Vec<Datum>> {
        let mut values = Vec::new();
        while let Some(batch) = self.next().await? {
            values.extend((0..batch.rows()).map(|row| batch.column(0).get(row)));
        }
        Ok(values)
    }

    /// `left IN (rows)`, the rows being collected once.
    async fn contains(
        &mut self,
        left: &[Datum],
        types: &[ExprType],
        changed: &ParamSet,
        context: &ExecutionContext,
    ) -> Result<Datum> {
        if !changed.is_empty() || self.set.is_none() {
            let mut set = HashedSet::new(types, &context.memory);
            self.restart(changed);
            while let Some(batch) = self.next().await? {
                set.add(&batch)?;
            }
            self.set = Some(set);
        }
        self.set.as_ref().expect("made above").contains(left)
    }

    /// Scalar, EXISTS, ARRAY and multi-assignment.
    async fn value(&mut self, kind: &SubLinkKind, ty: ExprType, context: &ExecutionContext) -> Result<Datum> {
        match kind {
            SubLinkKind::Exists => Ok(Datum::Bool(self.exists().await?)),
            SubLinkKind::Scalar => Ok(self.single_row().await?.map_or(Datum::Null, |mut row| row.swap_remove(0))),
            SubLinkKind::Array => Ok(array_of(self.first_column().await?, context, self.plan)),
            SubLinkKind::MultiExpr(_) => {
                let types: Arc<[Oid]> = context.plan.subplans[self.plan].types.iter().map(|ty| ty.oid).collect();
                let row = self.single_row().await?.unwrap_or_else(|| vec![Datum::Null; types.len()]);
                Ok(Datum::record(types, row))
            }
            other => Err(PgError::internal(format_args!("a {other:?} subquery of type {:?} as a value", ty.oid))),
        }
    }
}

/// `ARRAY(SELECT ...)`: of arrays it makes an array with one more dimension.
fn array_of(values: Vec<Datum>, context: &ExecutionContext, plan: usize) -> Datum {
    let element = context.plan.subplans[plan].types[0].oid;
    if let Some(Datum::Array(first)) = values.first() {
        let element_type = first.element_type;
        let mut dimensions = vec![(values.len() as i32, 1)];
        dimensions.extend(&first.dimensions);
        let elements = values
            .iter()
            .flat_map(|value| match value {
                Datum::Array(array) => array.elements.clone(),
                _ => Vec::new(),
            })
            .collect();
        return Datum::Array(Arc::new(Array { element_type, dimensions, elements }));
    }
    Datum::Array(Arc::new(Array::vector(element, values)))
}

/// Runs a subplan that is needed once.
pub(crate) async fn run_hoisted(hoisted: &Hoisted, context: &Arc<ExecutionContext>) -> Result<HoistedValue> {
    let mut state = SubplanState::new(hoisted.plan, context)?;
    match &hoisted.kind {
        SubLinkKind::Any => {
            let mut set = HashedSet::new(&hoisted.types, &context.memory);
            while let Some(batch) = state.next().await? {
                set.add(&batch)?;
            }
            Ok(HoistedValue::Set(Box::new(set)))
        }
        kind => Ok(HoistedValue::Scalar(state.value(kind, hoisted.types[0], context).await?)),
    }
}

/// Evaluates a node for a row.
pub(crate) fn eval<'a>(
    node: &'a Node,
    row: Row<'a>,
    cases: &'a mut CaseValues,
    state: &'a mut ProgramRuntime,
    context: &'a Arc<ExecutionContext>,
) -> BoxFuture<'a, Result<Datum>> {
    Box::pin(async move {
        if !node.suspends() {
            return without_waiting(node, row, cases, state, context);
        }
        match node {
            Node::And(args) => connective(args, false, row, cases, state, context).await,
            Node::Or(args) => connective(args, true, row, cases, state, context).await,
            Node::Coalesce(args, _) => {
                for arg in args {
                    let value = eval(arg, row, cases, state, context).await?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Ok(Datum::Null)
            }
            Node::Case { test, whens, default, .. } => {
                let mut bound = None;
                if let Some((test, depth)) = test {
                    let value = eval(test, row, cases, state, context).await?;
                    bound = Some((*depth, bind(cases, *depth, value)));
                }
                let mut chosen = default.as_ref();
                for (when, then) in whens {
                    if eval(when, row, cases, state, context).await? == Datum::Bool(true) {
                        chosen = then;
                        break;
                    }
                }
                let value = eval(chosen, row, cases, state, context).await;
                if let Some((depth, outer)) = bound {
                    cases[depth] = outer;
                }
                value
            }
            Node::Apply(apply) => {
                let args = eval_all(&apply.args, row, cases, state, context).await?;
                with_env(context, &state.hoisted, |env| apply.operation.apply(&args, env))
            }
            Node::HashedAny { index, left } => {
                let left = eval_all(left, row, cases, state, context).await?;
                with_env(context, &state.hoisted, |env| env.hoisted_set(*index)?.contains(&left))
            }
            Node::ArrayCoerce { arg, element, depth, element_type, .. } => {
                let Datum::Array(array) = eval(arg, row, cases, state, context).await? else {
                    return Ok(Datum::Null);
                };
                let mut elements = Vec::with_capacity(array.elements.len());
                for value in &array.elements {
                    bind(cases, *depth, value.clone());
                    elements.push(eval(element, row, cases, state, context).await?);
                }
                let dimensions = array.dimensions.clone();
                Ok(Datum::Array(Arc::new(Array { element_type: *element_type, dimensions, elements })))
            }
            Node::Suspend(suspend) => wait(suspend, row, cases, state, context).await,
            _ => Err(PgError::internal("a leaf of an expression cannot wait")),
        }
    })
}

fn without_waiting(
    node: &Node,
    (columns, at): Row<'_>,
    cases: &mut CaseValues,
    state: &ProgramRuntime,
    context: &ExecutionContext,
) -> Result<Datum> {
    with_env(context, &state.hoisted, |env| row::eval(node, RowInput::Batch(columns, at), cases, env))
}

async fn eval_all(
    nodes: &[Node],
    row: Row<'_>,
    cases: &mut CaseValues,
    state: &mut ProgramRuntime,
    context: &Arc<ExecutionContext>,
) -> Result<SmallVec<[Datum; 4]>> {
    let mut values = SmallVec::new();
    for node in nodes {
        values.push(if node.suspends() {
            eval(node, row, cases, state, context).await?
        } else {
            without_waiting(node, row, cases, state, context)?
        });
    }
    Ok(values)
}

async fn connective(
    args: &[Node],
    deciding: bool,
    row: Row<'_>,
    cases: &mut CaseValues,
    state: &mut ProgramRuntime,
    context: &Arc<ExecutionContext>,
) -> Result<Datum> {
    let mut unknown = false;
    for arg in args {
        match eval(arg, row, cases, state, context).await? {
            Datum::Bool(value) if value == deciding => return Ok(Datum::Bool(deciding)),
            Datum::Null => unknown = true,
            _ => {}
        }
    }
    Ok(if unknown { Datum::Null } else { Datum::Bool(!deciding) })
}

async fn wait(
    suspend: &Suspend,
    row: Row<'_>,
    cases: &mut CaseValues,
    state: &mut ProgramRuntime,
    context: &Arc<ExecutionContext>,
) -> Result<Datum> {
    let args = eval_all(&suspend.args, row, cases, state, context).await?;
    match &suspend.kind {
        SuspendKind::NextValue(sequence) => {
            let value = context.doors.sequences.next(*sequence).await?;
            Ok(integer(value, suspend.ty.oid))
        }
        SuspendKind::Function { function, strict } => {
            if *strict && args.iter().any(Datum::is_null) {
                return Ok(Datum::Null);
            }
            call(*function, &args, suspend.ty, context).await
        }
        SuspendKind::SubPlan { state: index, plan, kind, params, columns, test, hashed } => {
            let mut subplan = match state.subplans[*index].take() {
                Some(subplan) => subplan,
                None => SubplanState::new(*plan, context)?,
            };
            let value = match (&subplan.cached, hashed) {
                (_, Some(types)) => {
                    let changed = hand_in(&args[..params.len()], params, context);
                    subplan.contains(&args[params.len()..], types, &changed, context).await
                }
                (Some(value), None) => Ok(value.clone()),
                (None, None) => {
                    let changed = hand_in(&args, params, context);
                    subplan.restart(&changed);
                    match test {
                        None => subplan.value(kind, suspend.ty, context).await,
                        Some(test) => {
                            let compared = Compared { kind, columns, test };
                            compared.value(&mut subplan, row, cases, state, context).await
                        }
                    }
                }
            };
            if params.is_empty()
                && test.is_none()
                && hashed.is_none()
                && let Ok(value) = &value
            {
                subplan.cached = Some(value.clone());
            }
            state.subplans[*index] = Some(subplan);
            value
        }
    }
}

/// Hands outer values to a subplan and says which parameters they are.
fn hand_in(values: &[Datum], params: &[usize], context: &ExecutionContext) -> ParamSet {
    let mut changed = ParamSet::default();
    let mut exec_params = context.exec_params.lock();
    for (param, value) in params.iter().zip(values) {
        changed.insert(*param);
        exec_params[*param] = value.clone();
    }
    changed
}

/// ANY, ALL or a row comparison.
struct Compared<'a> {
    kind: &'a SubLinkKind,
    columns: &'a [usize],
    test: &'a Node,
}

impl Compared<'_> {
    async fn value(
        &self,
        subplan: &mut SubplanState,
        row: Row<'_>,
        cases: &mut CaseValues,
        state: &mut ProgramRuntime,
        context: &Arc<ExecutionContext>,
    ) -> Result<Datum> {
        if *self.kind == SubLinkKind::RowCompare {
            return match subplan.single_row().await? {
                None => Ok(Datum::Null),
                Some(values) => {
                    hand_in(&values, self.columns, context);
                    eval(self.test, row, cases, state, context).await
                }
            };
        }
        let deciding = *self.kind == SubLinkKind::Any;
        let mut unknown = false;
        while let Some(batch) = subplan.next().await? {
            for at in 0..batch.rows() {
                hand_in(&batch.row(at), self.columns, context);
                match eval(self.test, row, cases, state, context).await? {
                    Datum::Bool(value) if value == deciding => return Ok(Datum::Bool(deciding)),
                    Datum::Null => unknown = true,
                    _ => {}
                }
            }
        }
        Ok(if unknown { Datum::Null } else { Datum::Bool(!deciding) })
    }
}

async fn call(function: Suspending, args: &[Datum], result: ExprType, context: &ExecutionContext) -> Result<Datum> {
    let sequences = &context.doors.sequences;
    match function {
        Suspending::Nextval => Ok(Datum::I64(sequences.next(sequence(&args[0])?).await?)),
        Suspending::Currval => Ok(Datum::I64(sequences.current(sequence(&args[0])?)?)),
        Suspending::Lastval => Ok(Datum::I64(sequences.last()?)),
        Suspending::Setval => {
            let Datum::I64(value) = args[1] else { return Err(PgError::internal("setval takes int8")) };
            let is_called = !matches!(args.get(2), Some(Datum::Bool(false)));
            Ok(Datum::I64(sequences.set(sequence(&args[0])?, value, is_called).await?))
        }
        Suspending::Sleep => {
            let seconds = seconds_to_sleep(&args[0], &context.session)?;
            if seconds > 0.0 {
                let clock = &context.session.clock;
                let duration = std::time::Duration::try_from_secs_f64(seconds).unwrap_or(std::time::Duration::MAX);
                clock.sleep_until(clock.monotonic() + duration).await;
            }
            context.cancel.check()?;
            Ok(Datum::text(""))
        }
        Suspending::Catalog(source) => context.doors.functions.call(source, args, result).await,
    }
}

/// What `pg_sleep`, `pg_sleep_for` and `pg_sleep_until` ask for: seconds, an interval from now, a time.
fn seconds_to_sleep(argument: &Datum, session: &SessionContext) -> Result<f64> {
    let now = since_2000(session.clock.wall());
    let until = match argument {
        Datum::F64(seconds) => return Ok(*seconds),
        Datum::Interval(by) => timestamptz_plus_interval(now, *by, &session.style.time_zone)?,
        Datum::I64(time) => *time,
        other => return Err(PgError::internal(format_args!("{other:?} is no time to sleep"))),
    };
    Ok(until.saturating_sub(now) as f64 / 1e6)
}

fn sequence(argument: &Datum) -> Result<Oid> {
    match argument {
        Datum::U32(oid) => Ok(Oid(*oid)),
        other => Err(PgError::internal(format_args!("{other:?} is not a sequence"))),
    }
}

/// A sequence's value as the column's type, which its limits make sure of.
fn integer(value: i64, oid: Oid) -> Datum {
    match oid {
        helios_types::oid::INT2 => Datum::I16(value as i16),
        helios_types::oid::INT4 => Datum::I32(value as i32),
        _ => Datum::I64(value),
    }
}
