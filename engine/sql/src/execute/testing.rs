//! What the tests of expressions, operators and plans share: expressions by operator names, a session, a way to run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use helios_catalog::facts;
use helios_env::sync::Mutex;
use helios_env::{BoxFuture, Env, Timestamp};
use helios_types::{Datum, Oid, PgError, Result, oid};

use super::batch::Batch;
use super::cancel::CancelToken;
use super::context::{CatalogFunctions, Doors, ExecutionContext, Sequences, Setting, SystemRelations};
use super::memory::MemoryBudget;
use super::operator::{Operator, build};
use crate::expr::{CoercionForm, Expr, ExprKind, ExprType, FuncExpr, Var};
use crate::plan::{Cost, NodeKind, ParamSet, Plan, PlanNode, Scalar};
use crate::query::Command;
use crate::session::SessionContext;

/// A session of user `postgres`.
pub(crate) fn session() -> SessionContext {
    let env = Env::memory().expect("an environment in memory");
    SessionContext {
        database: "postgres".into(),
        database_oid: Oid(5),
        user: "postgres".into(),
        user_oid: Oid(10),
        session_user: "postgres".into(),
        backend_pid: 1,
        settings: Arc::new(BTreeMap::new()),
        style: Arc::default(),
        transaction_timestamp: Timestamp(1_700_000_000_000_000),
        statement_timestamp: Timestamp(1_700_000_000_000_000),
        clock: env.clock.clone(),
        rng: env.rng.clone(),
        random: Arc::default(),
    }
}

/// Doors behind which is nothing but a sequence that counts.
#[derive(Default)]
pub(crate) struct Counting(Mutex<i64>);

impl Sequences for Counting {
    fn next(&self, _sequence: Oid) -> BoxFuture<'_, Result<i64>> {
        Box::pin(async {
            *self.0.lock() += 1;
            Ok(*self.0.lock())
        })
    }
    fn current(&self, _sequence: Oid) -> Result<i64> {
        Ok(*self.0.lock())
    }
    fn last(&self) -> Result<i64> {
        Ok(*self.0.lock())
    }
    fn set(&self, _sequence: Oid, value: i64, _is_called: bool) -> BoxFuture<'_, Result<i64>> {
        *self.0.lock() = value;
        Box::pin(async move { Ok(value) })
    }
}

impl CatalogFunctions for Counting {
    fn call<'a>(&'a self, source: &'a str, _args: &'a [Datum], _ty: ExprType) -> BoxFuture<'a, Result<Datum>> {
        Box::pin(async move { Err(PgError::unsupported(source)) })
    }
    fn schema_name(&self, _schema: Oid) -> String {
        "public".to_owned()
    }
}

impl SystemRelations for Counting {
    fn scan<'a>(&'a self, relation: Oid, _columns: &'a [usize]) -> BoxFuture<'a, Result<Vec<Batch>>> {
        Box::pin(async move { Err(PgError::unsupported(format_args!("relation {relation}"))) })
    }
}

/// A plan around a root.
pub(crate) fn plan(root: Arc<PlanNode>) -> Plan {
    Plan {
        root,
        subplans: Vec::new(),
        ctes: Vec::new(),
        exec_params: 8,
        work_tables: 4,
        command: Command::Select,
        columns: Vec::new(),
        locks: Vec::new(),
        writes: false,
        dependencies: Vec::new(),
        relations: Vec::new(),
        failure: None,
    }
}

/// An execution of a plan.
pub(crate) fn context(plan: Plan, memory_bytes: usize) -> Arc<ExecutionContext> {
    let doors = Arc::new(Counting::default());
    let setting = Setting {
        session: session(),
        params: Vec::new(),
        memory: MemoryBudget::new(memory_bytes),
        cancel: CancelToken::default(),
        doors: Doors { sequences: doors.clone(), functions: doors.clone(), relations: doors },
        tables: None,
    };
    ExecutionContext::new(Arc::new(plan), setting)
}

/// All rows of an operator; whatever it waits for must come by itself.
pub(crate) fn drain(operator: &mut dyn Operator) -> Result<Vec<Vec<Datum>>> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut rows = Vec::new();
    loop {
        match operator.poll_next(&mut cx) {
            Poll::Ready(Ok(Some(batch))) => rows.extend((0..batch.rows()).map(|row| batch.row(row))),
            Poll::Ready(Ok(None)) => return Ok(rows),
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => panic!("nothing in a test waits"),
        }
    }
}

/// All rows of a plan.
pub(crate) fn run(root: PlanNode) -> Result<Vec<Vec<Datum>>> {
    run_plan(plan(Arc::new(root)))
}

/// All rows of a plan.
pub(crate) fn run_plan(plan: Plan) -> Result<Vec<Vec<Datum>>> {
    let context = context(plan, 1 << 30);
    let mut operator = build(&context.plan.root, &context)?;
    drain(&mut *operator)
}

/// A node of a plan.
pub(crate) fn node(kind: NodeKind, output: Vec<Expr>) -> PlanNode {
    PlanNode { kind, output, cost: Cost::default(), depends: ParamSet::default() }
}

/// A column of a range table entry.
pub(crate) fn var(rte: usize, column: i32, oid: Oid) -> Expr {
    let kind = ExprKind::Var(Var { rte, column, levels_up: 0 });
    Expr { kind, ty: ExprType::new(oid), location: None }
}

/// An int4 constant.
pub(crate) fn int(value: i32) -> Expr {
    Expr::constant(Datum::I32(value), ExprType::new(oid::INT4))
}

/// A text constant.
pub(crate) fn text(value: &str) -> Expr {
    let collation = oid::DEFAULT_COLLATION;
    Expr::constant(Datum::text(value), ExprType { oid: oid::TEXT, typmod: -1, collation })
}

/// NULL as int4.
pub(crate) fn null() -> Expr {
    Expr::null(ExprType::new(oid::INT4))
}

/// `left op right`.
pub(crate) fn op(name: &str, left: Expr, right: Expr) -> Expr {
    let operator = facts::operators().exact(name, left.ty.oid, right.ty.oid).expect("an operator");
    let call = FuncExpr {
        function: operator.function,
        operator: operator.oid,
        args: vec![left, right],
        input_collation: oid::DEFAULT_COLLATION,
        variadic: false,
        form: CoercionForm::Call,
    };
    Expr { kind: ExprKind::Func(call), ty: ExprType::new(operator.result), location: None }
}

/// The call inside `left op right`.
pub(crate) fn call_of(expr: Expr) -> FuncExpr {
    match expr.kind {
        ExprKind::Func(call) => call,
        other => panic!("not a call: {other:?}"),
    }
}

/// An expression of type boolean.
pub(crate) fn boolean(kind: ExprKind) -> Expr {
    Expr { kind, ty: ExprType::new(oid::BOOL), location: None }
}

/// VALUES: rows of constants, as columns of range table entry `rte`.
pub(crate) fn values(rte: usize, types: &[Oid], rows: &[Vec<Expr>]) -> PlanNode {
    let output = types.iter().enumerate().map(|(index, oid)| var(rte, index as i32, *oid)).collect();
    let rows = rows
        .iter()
        .map(|row| row.iter().map(|value| Scalar::new(value.clone(), &[]).expect("a constant")).collect())
        .collect();
    node(NodeKind::Values(rows), output)
}

/// VALUES of int4 columns; `None` is NULL.
pub(crate) fn ints(rte: usize, rows: &[&[Option<i32>]]) -> PlanNode {
    let width = rows.first().map_or(1, |row| row.len());
    let rows: Vec<Vec<Expr>> =
        rows.iter().map(|row| row.iter().map(|value| value.map_or_else(null, int)).collect()).collect();
    values(rte, &vec![oid::INT4; width], &rows)
}

/// `SELECT targets FROM input`.
pub(crate) fn project(input: PlanNode, targets: Vec<Expr>) -> PlanNode {
    let compiled =
        targets.iter().map(|target| Scalar::new(target.clone(), &input.output).expect("it compiles")).collect();
    node(NodeKind::Project { input: Arc::new(input), targets: compiled }, targets)
}

/// `SELECT * FROM input WHERE conditions`.
pub(crate) fn filter(input: PlanNode, conditions: Vec<Expr>) -> PlanNode {
    let output = input.output.clone();
    let conditions = conditions.into_iter().map(|condition| Scalar::new(condition, &output).expect("it compiles"));
    node(NodeKind::Filter { conditions: conditions.collect(), input: Arc::new(input) }, output)
}

/// Rows of int4 as they come out; NULL is `None`.
pub(crate) fn as_ints(rows: &[Vec<Datum>]) -> Vec<Vec<Option<i64>>> {
    let value = |value: &Datum| match value {
        Datum::Null => None,
        Datum::I16(value) => Some(i64::from(*value)),
        Datum::I32(value) => Some(i64::from(*value)),
        Datum::I64(value) => Some(*value),
        Datum::Bool(value) => Some(i64::from(*value)),
        other => panic!("not an integer: {other:?}"),
    };
    rows.iter().map(|row| row.iter().map(value).collect()).collect()
}
