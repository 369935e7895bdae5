//! What a running statement may use: its transaction, its session, its memory, and doors to what lives above.
//!
//! One [`ExecutionContext`] serves all operators of an execution. It is shared, because operators keep it, and so do
//! the futures of expressions that wait.

use std::sync::Arc;

use helios_catalog::model::Sequence;
use helios_env::BoxFuture;
use helios_env::sync::{AtomicU64, Mutex};
use helios_types::{Datum, Oid, Result};

use super::batch::Batch;
use super::cancel::CancelToken;
use super::figures::PlanFigures;
use super::memory::MemoryBudget;
use super::operator::CteState;
use super::table_access::Tables;
use crate::expr::ExprType;
use crate::plan::Plan;
use crate::session::SessionContext;

/// Sequences, by OID. Values live outside transactions.
pub trait Sequences: Send + Sync {
    /// `nextval`: advances and remembers the value as this session's current one.
    fn next(&self, sequence: Oid) -> BoxFuture<'_, Result<i64>>;
    /// `currval`: what `next` gave this session last.
    fn current(&self, sequence: Oid) -> Result<i64>;
    /// `lastval`: what `next` gave this session last, for any sequence.
    fn last(&self) -> Result<i64>;
    /// `setval`.
    fn set(&self, sequence: Oid, value: i64, is_called: bool) -> BoxFuture<'_, Result<i64>>;
    /// Makes a sequence known that this very statement has created.
    fn admit(&self, sequence: Arc<Sequence>) {
        drop(sequence);
    }
}

/// Functions that look things up in the catalog, or do something to the session, by `prosrc`.
pub trait CatalogFunctions: Send + Sync {
    /// Calls it. Strict ones never see NULL.
    fn call<'a>(&'a self, source: &'a str, args: &'a [Datum], result: ExprType) -> BoxFuture<'a, Result<Datum>>;
    /// A schema's name, for errors.
    fn schema_name(&self, schema: Oid) -> String;
}

/// Relations that are computed: `pg_catalog`, `information_schema`.
pub trait SystemRelations: Send + Sync {
    /// The relation's rows. Of each column only those in `columns` (attnum - 1) are wanted, in that order.
    fn scan<'a>(&'a self, relation: Oid, columns: &'a [usize]) -> BoxFuture<'a, Result<Vec<Batch>>>;
}

/// What lives above the executor.
#[derive(Clone)]
pub struct Doors {
    /// Sequences.
    pub sequences: Arc<dyn Sequences>,
    /// Functions over the catalog.
    pub functions: Arc<dyn CatalogFunctions>,
    /// Computed relations.
    pub relations: Arc<dyn SystemRelations>,
}

/// Everything that the operators of an execution share.
pub struct ExecutionContext {
    /// What is executed.
    pub plan: Arc<Plan>,
    /// Whose statement it is.
    pub session: SessionContext,
    /// `$n`.
    pub params: Vec<Datum>,
    /// The statement's memory.
    pub memory: Arc<MemoryBudget>,
    /// Whether it should end.
    pub cancel: CancelToken,
    /// What lives above.
    pub doors: Doors,
    /// What tables are read and written with; none for a statement without tables.
    pub tables: Option<Arc<Tables>>,
    /// Where figures go, when the execution is watched.
    pub(crate) figures: Option<Arc<PlanFigures>>,
    /// Values that parts of the plan provide to others.
    pub(crate) exec_params: Mutex<Vec<Datum>>,
    /// Rows that the statement itself has written (not those of its WITH queries).
    pub(crate) processed: AtomicU64,
    /// WITH queries that are run once.
    pub(crate) ctes: Vec<Mutex<CteState>>,
    /// What the last round of each recursive query gave.
    pub(crate) work_tables: Vec<Mutex<Vec<Batch>>>,
}

/// What an execution begins with.
pub struct Setting {
    /// Whose statement it is.
    pub session: SessionContext,
    /// `$n`, of the types that the plan was made for.
    pub params: Vec<Datum>,
    /// The statement's memory.
    pub memory: Arc<MemoryBudget>,
    /// Whether it should end.
    pub cancel: CancelToken,
    /// What lives above.
    pub doors: Doors,
    /// What tables are read and written with; none for a statement without tables.
    pub tables: Option<Arc<Tables>>,
}

impl ExecutionContext {
    /// For one execution of a plan.
    pub fn new(plan: Arc<Plan>, setting: Setting) -> Arc<ExecutionContext> {
        ExecutionContext::watched(plan, setting, None)
    }

    /// [`ExecutionContext::new`], with figures to be kept if there is somewhere to keep them.
    pub(super) fn watched(
        plan: Arc<Plan>,
        setting: Setting,
        figures: Option<Arc<PlanFigures>>,
    ) -> Arc<ExecutionContext> {
        let Setting { session, params, memory, cancel, doors, tables } = setting;
        Arc::new(ExecutionContext {
            exec_params: Mutex::new(vec![Datum::Null; plan.exec_params]),
            ctes: plan.ctes.iter().map(|_| Mutex::new(CteState::new(&memory))).collect(),
            work_tables: (0..plan.work_tables).map(|_| Mutex::default()).collect(),
            processed: AtomicU64::new(0),
            plan,
            session,
            params,
            memory,
            cancel,
            doors,
            tables,
            figures,
        })
    }
}

impl std::fmt::Debug for ExecutionContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecutionContext").finish_non_exhaustive()
    }
}
