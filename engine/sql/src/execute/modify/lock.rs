//! SELECT ... FOR UPDATE and its kin.
//!
//! Each row of the input is locked in every marked table. A row that somebody changed since the statement saw it goes
//! on as it is now, if it still meets the conditions; one that is gone, or that SKIP LOCKED passes over, does not.

use std::sync::Arc;
use std::task::{Context, Poll};

use helios_env::BoxFuture;
use helios_txn::{RowLock, RowLockMode, Wait};
use helios_types::{Datum, PgError, Result};

use super::evaluator;
use super::update::refreshed;
use crate::execute::batch::Batch;
use crate::execute::context::ExecutionContext;
use crate::execute::expression::Evaluator;
use crate::execute::operator::Operator;
use crate::execute::table_access::{Tables, identified, identity};
use crate::plan::{LockMark, LockRows, NodeKind, ParamSet, PlanNode};
use crate::query::{LockStrength, LockWait};
use crate::table::TableAccess;

/// A running LockRows node.
pub(crate) struct LockRowsOperator {
    input: Box<dyn Operator>,
    state: State,
}

enum State {
    Idle(Box<Locker>),
    Locking(BoxFuture<'static, (Box<Locker>, Result<Option<Batch>>)>),
    Done,
}

struct Locker {
    node: Arc<PlanNode>,
    context: Arc<ExecutionContext>,
    tables: Arc<Tables>,
    accesses: Vec<TableAccess>,
    recheck: Evaluator,
    recompute: Evaluator,
}

fn plan_of(node: &PlanNode) -> &LockRows {
    match &node.kind {
        NodeKind::LockRows(lock) => lock,
        _ => unreachable!("made for a LockRows node"),
    }
}

impl LockRowsOperator {
    pub(crate) fn new(
        node: &Arc<PlanNode>,
        input: Box<dyn Operator>,
        context: &Arc<ExecutionContext>,
    ) -> Result<LockRowsOperator> {
        let plan = plan_of(node);
        let accesses = plan.marks.iter().map(|mark| TableAccess::new(mark.table.clone(), [])).collect::<Result<_>>()?;
        let recompute = plan.recompute.iter().map(|(_, scalar)| scalar.program.clone());
        let locker = Locker {
            node: node.clone(),
            context: context.clone(),
            tables: context.tables.clone().ok_or_else(|| PgError::internal("locking without a transaction"))?,
            accesses,
            recheck: evaluator(context, &plan.recheck),
            recompute: Evaluator::new(context, recompute),
        };
        Ok(LockRowsOperator { input, state: State::Idle(Box::new(locker)) })
    }
}

impl Operator for LockRowsOperator {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Poll::Ready(Ok(None)),
                State::Idle(mut locker) => {
                    let batch = match self.input.poll_next(cx) {
                        Poll::Pending => {
                            self.state = State::Idle(locker);
                            return Poll::Pending;
                        }
                        Poll::Ready(batch) => batch?,
                    };
                    let Some(batch) = batch else { return Poll::Ready(Ok(None)) };
                    self.state = State::Locking(Box::pin(async move {
                        let locked = locker.lock(&batch).await;
                        (locker, locked)
                    }));
                }
                State::Locking(mut locking) => match locking.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.state = State::Locking(locking);
                        return Poll::Pending;
                    }
                    Poll::Ready((locker, locked)) => {
                        let locked = locked?;
                        self.state = State::Idle(locker);
                        if let Some(batch) = locked {
                            return Poll::Ready(Ok(Some(batch)));
                        }
                    }
                },
            }
        }
    }

    fn rescan(&mut self, _changed: &ParamSet) {
        // Row marks stand at the top of a statement, which is not run again.
        self.state = State::Done;
    }
}

impl Locker {
    /// Locks the rows of a batch; those that remain.
    async fn lock(&mut self, batch: &Batch) -> Result<Option<Batch>> {
        self.context.cancel.check()?;
        let node = self.node.clone();
        let plan = plan_of(&node);
        let mut kept: Vec<Kept> = Vec::with_capacity(batch.rows());
        'rows: for row in 0..batch.rows() {
            let mut fresh: Option<Batch> = None;
            for at in 0..plan.marks.len() {
                match self.lock_one(&plan.marks[at], at, batch, row, &mut fresh).await? {
                    true => {}
                    false => continue 'rows,
                }
            }
            match fresh {
                None => kept.push(Kept::AsSeen(row as u32)),
                Some(fresh) => {
                    if self.recheck.is_empty() || self.recheck.holds(&fresh).await? {
                        kept.push(Kept::Fresh(self.recomputed(plan, fresh).await?));
                    }
                }
            }
        }
        Ok(assemble(batch, kept))
    }

    /// Locks one table's row; `false` when the row does not remain.
    async fn lock_one(
        &mut self,
        mark: &LockMark,
        at: usize,
        batch: &Batch,
        row: usize,
        fresh: &mut Option<Batch>,
    ) -> Result<bool> {
        // The missing side of an outer join has no row to lock.
        let Datum::Bytes(bytes) = batch.column(mark.key).get(row) else { return Ok(true) };
        let (key, seen) = identified(&bytes)?;
        let access = &self.accesses[at];
        let mode = match mark.strength {
            LockStrength::KeyShare => RowLockMode::KeyShare,
            LockStrength::Share => RowLockMode::Share,
            LockStrength::NoKeyUpdate => RowLockMode::NoKeyUpdate,
            LockStrength::Update => RowLockMode::Update,
        };
        let wait = match mark.wait {
            LockWait::Block => self.tables.wait(),
            LockWait::Skip => Wait::Skip,
            LockWait::Error => Wait::Error,
        };
        let (transaction, statement) = (&self.tables.transaction, &self.tables.statement);
        let lock = transaction.lock_row(statement, access.space, &key, &seen, mode, wait).await;
        let lock = lock.map_err(|error| named(error, mark))?;
        match lock {
            RowLock::Current(_) => Ok(true),
            RowLock::Newer { key, version } => {
                let row_bytes = version.value.row().ok_or_else(|| PgError::internal("a locked row is not there"))?;
                let values = access.decode_row(row_bytes)?;
                let mut new_identity = Vec::new();
                identity(&key, version.birth, &mut new_identity);
                let new_identity = Some((mark.key, Datum::Bytes(new_identity.into())));
                let base = fresh.take();
                *fresh = Some(match &base {
                    None => refreshed(batch, row, &mark.columns, &values, new_identity),
                    Some(base) => refreshed(base, 0, &mark.columns, &values, new_identity),
                });
                Ok(true)
            }
            RowLock::Gone | RowLock::Skipped | RowLock::SelfModified => Ok(false),
        }
    }

    /// The row with its computed columns computed again.
    async fn recomputed(&mut self, plan: &LockRows, fresh: Batch) -> Result<Batch> {
        if self.recompute.is_empty() {
            return Ok(fresh);
        }
        let evaluated = std::future::poll_fn(|cx| self.recompute.poll_project(cx, &fresh)).await?;
        if let Some(error) = evaluated.error {
            return Err(error);
        }
        let mut columns = fresh.into_columns();
        for ((column, _), value) in plan.recompute.iter().zip(evaluated.columns) {
            columns[*column] = value;
        }
        Ok(Batch::new(columns, 1))
    }
}

/// A row that remains.
enum Kept {
    AsSeen(u32),
    Fresh(Batch),
}

fn assemble(batch: &Batch, kept: Vec<Kept>) -> Option<Batch> {
    if kept.is_empty() {
        return None;
    }
    let seen: Option<Vec<u32>> =
        kept.iter().map(|row| if let Kept::AsSeen(row) = row { Some(*row) } else { None }).collect();
    if let Some(seen) = seen {
        return Some(if seen.len() == batch.rows() { batch.clone() } else { batch.gather(&seen) });
    }
    let columns = (0..batch.columns().len()).map(|column| {
        let source = batch.column(column);
        let mut builder = helios_types::ColumnBuilder::of_physical(source.data.physical(), kept.len());
        for row in &kept {
            match row {
                Kept::AsSeen(row) => builder.push_row(source, *row as usize),
                Kept::Fresh(fresh) => builder.push_row(fresh.column(column), 0),
            }
        }
        Arc::new(builder.finish())
    });
    Some(Batch::new(columns.collect(), kept.len()))
}

/// NOWAIT names the table whose row it could not lock.
fn named(error: helios_txn::Error, mark: &LockMark) -> PgError {
    match error {
        helios_txn::Error::LockNotAvailable(_) if mark.wait == LockWait::Error => PgError::new(
            helios_types::SqlState::LOCK_NOT_AVAILABLE,
            format!("could not obtain lock on row in relation \"{}\"", mark.table.name),
        ),
        other => other.into(),
    }
}
