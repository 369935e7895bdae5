//! A statement under way: a cursor that is pulled, by batches or by so many rows, and can be left and taken up again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use helios_env::sync::Ordering;
use helios_types::{PgError, Result};

use super::batch::Batch;
use super::context::{ExecutionContext, Setting};
use super::figures::PlanFigures;
use super::memory::Reservation;
use super::operator::{Operator, build};
use crate::plan::Plan;
use crate::query::Command;

/// A statement under way.
pub struct Execution {
    context: Arc<ExecutionContext>,
    root: Box<dyn Operator>,
    /// Rows that were computed and not asked for yet.
    rest: VecDeque<Batch>,
    memory: Reservation,
    given: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    /// The statement's own rows are given; WITH queries that write have to be run to their end.
    Finishing(usize, usize),
    Done,
    Failed,
}

impl Execution {
    /// Starts a plan. Nothing runs before it is polled.
    pub fn new(plan: Arc<Plan>, setting: Setting) -> Result<Execution> {
        Execution::watched(plan, setting, None)
    }

    /// [`Execution::new`] of a plan whose nodes' figures are kept: EXPLAIN ANALYZE.
    pub fn watched(plan: Arc<Plan>, setting: Setting, figures: Option<Arc<PlanFigures>>) -> Result<Execution> {
        let context = ExecutionContext::watched(plan, setting, figures);
        let root = build(&context.plan.root, &context)?;
        let memory = Reservation::new(&context.memory);
        Ok(Execution { context, root, rest: VecDeque::new(), memory, given: 0, state: State::Running })
    }

    /// The plan that is run.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.context.plan
    }

    /// The next rows; `None` once the statement has done everything.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        self.poll_fetch(cx, usize::MAX)
    }

    /// The next rows, at most so many; `None` once the statement has done everything.
    pub fn poll_fetch(&mut self, cx: &mut Context<'_>, rows_max: usize) -> Poll<Result<Option<Batch>>> {
        let polled = match self.rest.pop_front() {
            Some(rest) => Ok(Some(rest)),
            None => ready!(self.poll_result(cx)),
        };
        Poll::Ready(match polled {
            Err(error) => {
                self.state = State::Failed;
                Err(error)
            }
            Ok(None) => Ok(None),
            Ok(Some(batch)) => {
                let batch = if batch.rows() > rows_max {
                    self.rest.push_front(batch.slice(rows_max, batch.rows() - rows_max));
                    batch.slice(0, rows_max)
                } else {
                    batch
                };
                self.given += batch.rows() as u64;
                Ok(Some(batch))
            }
        })
    }

    /// [`Execution::poll_fetch`] as a future.
    pub async fn fetch(&mut self, rows_max: usize) -> Result<Option<Batch>> {
        std::future::poll_fn(|cx| self.poll_fetch(cx, rows_max)).await
    }

    /// [`Execution::poll_next`] as a future.
    pub async fn next(&mut self) -> Result<Option<Batch>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next rows. What writes is done in full before its first row is given: a client that fetches some of the rows
    /// that RETURNING gives has made all of the changes.
    fn poll_result(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        if self.context.plan.command == Command::Select {
            return self.poll_batch(cx);
        }
        while let Some(batch) = ready!(self.poll_batch(cx))? {
            self.memory.grow(batch.memory())?;
            self.rest.push_back(batch);
        }
        Poll::Ready(Ok(self.rest.pop_front()))
    }

    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Batch>>> {
        loop {
            match self.state {
                State::Running => {
                    self.context.cancel.check()?;
                    match ready!(self.root.poll_next(cx))? {
                        Some(batch) if batch.rows() > 0 => return Poll::Ready(Ok(Some(batch))),
                        Some(_) => {}
                        None => self.state = State::Finishing(0, 0),
                    }
                }
                State::Finishing(cte, at) => {
                    let Some(plan) = self.context.plan.ctes.get(cte) else {
                        self.state = State::Done;
                        continue;
                    };
                    let mut state = self.context.ctes[cte].lock();
                    if !plan.writes || state.is_complete() {
                        self.state = State::Finishing(cte + 1, 0);
                        continue;
                    }
                    let more = ready!(state.poll_batch(cte, at, &self.context, cx))?.is_some();
                    self.state = if more { State::Finishing(cte, at + 1) } else { State::Finishing(cte + 1, 0) };
                }
                State::Done => return Poll::Ready(Ok(None)),
                State::Failed => return Poll::Ready(Err(PgError::internal("a failed statement was asked for more"))),
            }
        }
    }

    /// What the command tag counts: rows given by a SELECT, rows written by anything else.
    pub fn processed(&self) -> u64 {
        match self.context.plan.command {
            Command::Select => self.given,
            _ => self.context.processed.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        for cte in &self.context.ctes {
            let operator = cte.lock().take_operator();
            drop(operator);
        }
    }
}

impl std::fmt::Debug for Execution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Execution").finish_non_exhaustive()
    }
}
