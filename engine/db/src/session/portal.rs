//! Portals: statements bound to values, ready to run or running.

use std::collections::VecDeque;
use std::sync::Arc;

use helios_sql::execute::{Batch, Execution};
use helios_sql::parse::protobuf::node::Node;
use helios_sql::query::Command;
use helios_types::{Datum, PgError, Result, SqlState};

use super::Session;
use super::copy::CopyOut;
use super::extended::Prepared;
use super::reply::{ColumnDescription, CopySpec, Format, Reply};
use super::source::StatementRef;
use super::statement::{command_tag, is_planned};
use crate::doors::StatementDoors;

/// A statement bound to values.
pub(super) struct Portal {
    prepared: Arc<Prepared>,
    pub(super) params: Vec<Datum>,
    pub(super) formats: Arc<[Format]>,
    /// How many savepoints there were when it was made.
    depth: usize,
    /// Rows given since it was last executed.
    pub(super) given: u64,
    state: State,
}

/// How far it is.
pub(super) enum State {
    /// Not begun.
    Ready,
    /// A plan under way.
    Running(Execution, Arc<StatementDoors>),
    /// COPY TO STDOUT.
    CopyOut(Box<CopyOut>),
    /// COPY FROM STDIN: what is to be said about it, then the wait for its data.
    CopyIn(Option<CopySpec>),
    /// Rows that are there already.
    Rows(VecDeque<Batch>, String),
    /// Done; it may have been one that returns rows, which returns none then.
    Done,
}

/// What a step gave.
pub(super) enum Step {
    Rows(Batch),
    Complete(String),
    Copy(Reply),
}

impl Portal {
    pub(super) fn new(prepared: Arc<Prepared>, params: Vec<Datum>, formats: Arc<[Format]>, depth: usize) -> Portal {
        Portal { prepared, params, formats, depth, given: 0, state: State::Ready }
    }

    pub(super) fn is_empty_statement(&self) -> bool {
        self.prepared.statement.is_none()
    }

    /// Its statement's tree.
    pub(super) fn node(&self) -> &Node {
        self.prepared.statement.as_ref().expect("asked of portals with a statement only").node()
    }

    /// Whether it has given everything.
    pub(super) fn is_exhausted(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The text of its statement.
    pub(super) fn text(&self) -> Arc<str> {
        self.prepared.statement.as_ref().map_or_else(|| Arc::from(""), |statement| statement.source.text.clone())
    }

    pub(super) fn columns(&self) -> Option<&Arc<[ColumnDescription]>> {
        self.prepared.columns.as_ref()
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }
}

impl Session {
    /// A portal for a statement of a script.
    pub(super) async fn open(&mut self, statement: StatementRef) -> Result<Portal> {
        let prepared = self.analyze(Some(statement), &[], false)?;
        let formats = vec![Format::Text; prepared.columns.as_ref().map_or(0, |columns| columns.len())].into();
        Ok(Portal::new(Arc::new(prepared), Vec::new(), formats, self.depth()))
    }

    /// How many savepoints there are.
    pub(super) fn depth(&self) -> usize {
        self.active.as_ref().map_or(0, super::block::Active::depth)
    }

    /// Begins a portal that has not begun.
    pub(super) async fn begin_portal(&mut self, portal: &mut Portal) -> Result<()> {
        if matches!(portal.state, State::Ready) {
            portal.state = self.start(portal).await?;
        }
        Ok(())
    }

    /// Runs a portal a little further, for at most `limit` rows.
    pub(super) async fn step(&mut self, portal: &mut Portal, limit: Option<usize>) -> Result<Step> {
        self.begin_portal(portal).await?;
        let returns_rows = portal.columns().is_some();
        match &mut portal.state {
            State::Running(..) => self.pull(portal, limit).await,
            State::CopyOut(copy) => {
                let step = self.copy_out_step(copy).await?;
                if matches!(step, Step::Complete(_)) {
                    portal.state = State::Done;
                }
                Ok(step)
            }
            State::CopyIn(spec) => match (spec.take(), self.copied.take()) {
                (Some(spec), _) => Ok(Step::Copy(Reply::CopyIn(spec))),
                (None, Some(rows)) => {
                    portal.state = State::Done;
                    Ok(Step::Complete(format!("COPY {rows}")))
                }
                (None, None) => Err(PgError::new(SqlState::PROTOCOL_VIOLATION, "COPY FROM STDIN waits for its data")),
            },
            State::Rows(batches, tag) => match batches.pop_front() {
                None => {
                    let tag = std::mem::take(tag);
                    portal.state = State::Done;
                    Ok(Step::Complete(tag))
                }
                Some(batch) => match limit {
                    Some(limit) if limit < batch.rows() => {
                        batches.push_front(batch.slice(limit, batch.rows() - limit));
                        Ok(Step::Rows(batch.slice(0, limit)))
                    }
                    _ => Ok(Step::Rows(batch)),
                },
            },
            State::Done if returns_rows => Ok(Step::Complete("SELECT 0".to_owned())),
            State::Done | State::Ready => {
                Err(PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, "portal cannot be run"))
            }
        }
    }

    /// Pulls the next rows of a plan.
    async fn pull(&mut self, portal: &mut Portal, limit: Option<usize>) -> Result<Step> {
        let State::Running(execution, doors) = &mut portal.state else {
            return Err(PgError::internal("a portal that is not running was pulled"));
        };
        let returns_rows = portal.prepared.columns.is_some();
        loop {
            let batch = execution.fetch(limit.unwrap_or(usize::MAX)).await?;
            self.take_over(doors)?;
            match batch {
                Some(batch) if returns_rows => {
                    portal.given += batch.rows() as u64;
                    return Ok(Step::Rows(batch));
                }
                Some(_) => {}
                None => {
                    let command = execution.plan().command;
                    // A SELECT counts the rows of this call only.
                    let rows = match command {
                        Command::Select => portal.given,
                        _ => execution.processed(),
                    };
                    portal.state = State::Done;
                    return Ok(Step::Complete(command_tag(command, rows)));
                }
            }
        }
    }

    async fn start(&mut self, portal: &mut Portal) -> Result<State> {
        let prepared = portal.prepared.clone();
        match &prepared.statement {
            Some(statement) if is_planned(statement.node()) => {
                let params = std::mem::take(&mut portal.params);
                let columns = prepared.columns.as_ref();
                let (execution, doors) = self.start_plan(statement, params, &prepared.params, columns).await?;
                Ok(State::Running(execution, doors))
            }
            Some(statement) if matches!(statement.node(), Node::ExecuteStmt(_)) => {
                let Node::ExecuteStmt(execute) = statement.node() else { unreachable!("it was looked at") };
                let params = self.execute_params(execute, statement).await?;
                let inner = self.executed(execute)?;
                // What PREPARE kept is no EXECUTE: one level deep only.
                portal.prepared = Arc::new(Prepared { columns: prepared.columns.clone(), ..Prepared::clone(&inner) });
                portal.params = params;
                Box::pin(self.start(portal)).await
            }
            Some(statement) => {
                let params = std::mem::take(&mut portal.params);
                self.utility(statement, params, &prepared.params).await
            }
            None => Err(PgError::internal("a portal without a statement was run")),
        }
    }
}
