//! What a running statement may use: its transaction, its session, its memory, and doors to what lives above.
//!
//! One [`ExecutionContext`] serves all operators of an execution. It is shared, because operators keep it, and so do
//! the futures of expressions that wait.

use std::sync::Arc;

use helios_env::BoxFuture;
use helios_env::sync::Mutex;
use helios_types::{Datum, Oid, Result};

use super::batch::Batch;
use super::cancel::CancelToken;
use super::memory::MemoryBudget;
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
}

/// Functions that look things up in the catalog, or do something to the session, by `prosrc`.
pub trait CatalogFunctions: Send + Sync {
    /// Calls it. Strict ones never see NULL.
    fn call<'a>(&'a self, source: &'a str, args: &'a [Datum], result: ExprType) -> BoxFuture<'a, Result<Datum>>;
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
    /// Values that parts of the plan provide to others.
    pub(crate) exec_params: Mutex<Vec<Datum>>,
}

impl std::fmt::Debug for ExecutionContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecutionContext").finish_non_exhaustive()
    }
}
