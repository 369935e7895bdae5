//! INSERT, UPDATE, DELETE.
//!
//! ```text
//!   input batch ──▶ values / SET (by columns) ──▶ per row:  lock ─▶ (newer? re-check, compute again)
//!                                                           constraints ─▶ row and index entries ─▶ RETURNING
//! ```
//!
//! Rows are written one after the other, as PostgreSQL writes them: a unique key that two rows of one statement share
//! is an error at the second. The statement's own command number hides its writes from its own reads.
//!
//! A batch is worked off by one future, which owns the [`Writer`] meanwhile; dropping it leaves a half-written
//! statement in the transaction's write set, which whoever cancelled rolls back.

mod conflict;
mod lock;
mod row;
mod update;

use std::sync::Arc;
use std::task::{Context, Poll};

use helios_env::BoxFuture;
use helios_env::sync::Ordering;
use helios_types::{ColumnBuilder, Datum, PgError, Result};

use super::batch::Batch;
use super::context::ExecutionContext;
use super::expression::Evaluator;
use super::operator::Operator;
use super::table_access::Tables;
use crate::plan::{ConflictPlan, ModifyAction, ModifyTable, NodeKind, ParamSet, PlanNode, Scalar};
use crate::table::{InsertOutcome, TableAccess, unique_violation};

pub(crate) use lock::LockRowsOperator;
use row::{NewRows, RowChecks};

/// A running ModifyTable node.
pub(crate) struct ModifyOperator {
    input: Option<Box<dyn Operator>>,
    state: State,
}

enum State {
    /// Waiting for the input's next batch.
    Idle(Box<Writer>),
    Writing(BoxFuture<'static, (Box<Writer>, Result<Option<Batch>>)>),
    Done,
}

/// What writing rows needs.
pub(super) struct Writer {
    node: Arc<PlanNode>,
    context: Arc<ExecutionContext>,
    tables: Arc<Tables>,
    access: Arc<TableAccess>,
    checks: RowChecks,
    /// SET, or DO UPDATE's SET.
    set: Evaluator,
    /// WHERE, for a row that changed meanwhile.
    recheck: Evaluator,
    /// WHERE of DO UPDATE.
    conflict_conditions: Evaluator,
    returning: Evaluator,
    /// Whether what is written is what the command tag counts.
    sets_tag: bool,
}

fn evaluator(context: &Arc<ExecutionContext>, scalars: &[Scalar]) -> Evaluator {
    Evaluator::new(context, scalars.iter().map(|scalar| scalar.program.clone()))
}

fn pairs(context: &Arc<ExecutionContext>, scalars: &[(i16, Scalar)]) -> Evaluator {
    Evaluator::new(context, scalars.iter().map(|(_, scalar)| scalar.program.clone()))
}

impl ModifyOperator {
    pub(crate) fn new(
        node: &Arc<PlanNode>,
        input: Option<Box<dyn Operator>>,
        context: &Arc<ExecutionContext>,
    ) -> Result<ModifyOperator> {
        Ok(ModifyOperator { input, state: State::Idle(Box::new(Writer::new(node, context)?)) })
    }
}

impl Operator for ModifyOperator {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Poll::Ready(Ok(None)),
                State::Idle(mut writer) => {
                    let polled = match &mut self.input {
                        None => Poll::Ready(Ok(None)),
                        Some(input) => input.poll_next(cx),
                    };
                    let batch = match polled {
                        Poll::Pending => {
                            self.state = State::Idle(writer);
                            return Poll::Pending;
                        }
                        Poll::Ready(batch) => batch?,
                    };
                    let Some(batch) = batch else { return Poll::Ready(Ok(None)) };
                    self.state = State::Writing(Box::pin(async move {
                        let written = writer.write(&batch).await;
                        (writer, written)
                    }));
                }
                State::Writing(mut writing) => match writing.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.state = State::Writing(writing);
                        return Poll::Pending;
                    }
                    Poll::Ready((writer, written)) => {
                        let returned = written?;
                        self.state = State::Idle(writer);
                        if let Some(returned) = returned {
                            return Poll::Ready(Ok(Some(returned)));
                        }
                    }
                },
            }
        }
    }

    fn rescan(&mut self, _changed: &ParamSet) {
        // What writes is run once: it stands at the top, or in a WITH query, and neither is run again.
        self.state = State::Done;
    }
}

impl Writer {
    fn new(node: &Arc<PlanNode>, context: &Arc<ExecutionContext>) -> Result<Writer> {
        let plan = plan_of(node);
        let tables =
            context.tables.clone().ok_or_else(|| PgError::internal("writing a table without a transaction"))?;
        let indexes = plan.indexes.iter().map(|index| index.index.clone());
        let access = Arc::new(TableAccess::new(plan.table.clone(), indexes)?);
        let none: &[Scalar] = &[];
        let (set, recheck, conditions) = match &plan.action {
            ModifyAction::Insert { on_conflict, .. } => {
                match on_conflict.as_ref().and_then(|conflict| conflict.update.as_ref()) {
                    None => (evaluator(context, none), none, none),
                    Some(update) => (pairs(context, &update.set), none, &update.conditions[..]),
                }
            }
            ModifyAction::Update { set, recheck, .. } => (pairs(context, set), &recheck[..], none),
            ModifyAction::Delete { recheck, .. } => (evaluator(context, none), &recheck[..], none),
        };
        Ok(Writer {
            checks: RowChecks::new(plan, context),
            set,
            recheck: evaluator(context, recheck),
            conflict_conditions: evaluator(context, conditions),
            returning: evaluator(context, &plan.returning),
            sets_tag: is_statement(&context.plan.root, node),
            node: node.clone(),
            context: context.clone(),
            tables,
            access,
        })
    }

    fn plan(&self) -> &ModifyTable {
        plan_of(&self.node)
    }

    /// Writes what a batch asks for; the rows that RETURNING gives.
    async fn write(&mut self, batch: &Batch) -> Result<Option<Batch>> {
        self.context.cancel.check()?;
        if batch.rows() == 0 {
            return Ok(None);
        }
        let node = self.node.clone();
        let plan = plan_of(&node);
        let mut returned = Returned::new(plan);
        let written = match &plan.action {
            ModifyAction::Insert { columns, on_conflict, .. } => {
                self.insert(batch, columns, on_conflict.as_ref(), &mut returned).await?
            }
            ModifyAction::Update { key, columns, set, .. } => {
                self.update(batch, *key, columns, set, &mut returned).await?
            }
            ModifyAction::Delete { key, columns, .. } => self.delete(batch, *key, columns, &mut returned).await?,
        };
        if self.sets_tag {
            self.context.processed.fetch_add(written, Ordering::Relaxed);
        }
        if plan.returning.is_empty() {
            return Ok(None);
        }
        let rows = returned.finish();
        let evaluated = std::future::poll_fn(|cx| self.returning.poll_project(cx, &rows)).await?;
        match evaluated.error {
            Some(error) => Err(error),
            None => Ok(Some(Batch::new(evaluated.columns, evaluated.rows))),
        }
    }

    async fn insert(
        &mut self,
        batch: &Batch,
        columns: &[i16],
        on_conflict: Option<&ConflictPlan>,
        returned: &mut Returned,
    ) -> Result<u64> {
        let mut rows = NewRows::of_input(&self.access.table, columns, batch);
        self.checks.generate(&mut rows).await?;
        let checked = self.checks.check(&rows).await?;
        let mut written = 0;
        for at in 0..rows.len() {
            let values = rows.values(at);
            checked.row(at, &self.checks, values, &self.context.session)?;
            let expressions = checked.expressions(at);
            match on_conflict {
                None => {
                    let tables = &self.tables;
                    let outcome = self
                        .access
                        .insert(&tables.transaction, &tables.statement, &tables.row_ids, values, expressions)
                        .await?;
                    self.unique(outcome)?;
                    returned.add(values, None, (None, Some(values)));
                    written += 1;
                }
                Some(conflict) => {
                    if let Some((stored, before)) = self.insert_or_update(values, expressions, conflict).await? {
                        returned.add(&stored, None, (before.as_deref(), Some(&stored)));
                        written += 1;
                    }
                }
            }
        }
        Ok(written)
    }

    /// Fails when a unique index has the key already.
    fn unique(&self, outcome: InsertOutcome) -> Result<()> {
        match outcome {
            InsertOutcome::Inserted { .. } => Ok(()),
            InsertOutcome::Conflict { index, key_values, .. } => {
                let (table, style) = (&self.plan().table, &self.context.session.style);
                Err(unique_violation(table, self.checks.schema(), &index, &key_values, style))
            }
        }
    }
}

fn plan_of(node: &PlanNode) -> &ModifyTable {
    match &node.kind {
        NodeKind::ModifyTable(modify) => modify,
        _ => unreachable!("made for a ModifyTable node"),
    }
}

/// Whether a node belongs to the statement itself, not to one of its WITH queries.
fn is_statement(root: &Arc<PlanNode>, node: &Arc<PlanNode>) -> bool {
    Arc::ptr_eq(root, node) || root.children().iter().any(|child| is_statement(child, node))
}

/// The rows that RETURNING is computed over: a table row, then the input's columns, then the row before and the row after.
pub(super) struct Returned {
    wanted: bool,
    table: Vec<ColumnBuilder>,
    /// Indexes of live columns.
    live: Vec<usize>,
    input: Option<Vec<ColumnBuilder>>,
    old: Option<Vec<ColumnBuilder>>,
    new: Option<Vec<ColumnBuilder>>,
    rows: usize,
}

impl Returned {
    fn new(plan: &ModifyTable) -> Returned {
        let table = &plan.table;
        let live: Vec<usize> = (0..table.columns.len()).filter(|index| !table.columns[*index].dropped).collect();
        let builder = |oid| ColumnBuilder::new(oid, 16);
        let input = match (&plan.action, &plan.input) {
            (ModifyAction::Insert { .. }, _) | (_, None) => None,
            (_, Some(input)) => Some(input.types().into_iter().map(builder).collect()),
        };
        let row = || live.iter().map(|index| builder(table.columns[*index].type_oid)).collect();
        Returned {
            wanted: !plan.returning.is_empty(),
            table: row(),
            old: plan.returning_old.then(row),
            new: plan.returning_new.then(row),
            live,
            input,
            rows: 0,
        }
    }

    /// A row that was written; its values by attnum - 1, where it came from, and what it was before and is after.
    fn add(
        &mut self,
        values: &[Datum],
        input: Option<(&Batch, usize)>,
        (old, new): (Option<&[Datum]>, Option<&[Datum]>),
    ) {
        if !self.wanted {
            return;
        }
        for (builder, index) in self.table.iter_mut().zip(&self.live) {
            builder.push(&values[*index]);
        }
        if let (Some(builders), Some((batch, row))) = (&mut self.input, input) {
            builders.iter_mut().zip(batch.columns()).for_each(|(builder, column)| builder.push_row(column, row));
        }
        for (builders, row) in [(&mut self.old, old), (&mut self.new, new)] {
            for (builder, index) in builders.iter_mut().flatten().zip(&self.live) {
                match row {
                    Some(row) => builder.push(&row[*index]),
                    None => builder.push_null(),
                }
            }
        }
        self.rows += 1;
    }

    fn finish(self) -> Batch {
        let beside = self.old.unwrap_or_default().into_iter().chain(self.new.unwrap_or_default());
        let columns = self.table.into_iter().chain(self.input.unwrap_or_default()).chain(beside);
        Batch::new(columns.map(|column| Arc::new(column.finish())).collect(), self.rows)
    }
}
