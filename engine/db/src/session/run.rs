//! What runs: a script or a portal, a reply at a time.

use std::sync::Arc;

use helios_sql::parse::protobuf::node::Node;
use helios_types::{PgError, Result};

use super::guard::guarded;
use super::portal::{Portal, Step};
use super::reply::Reply;
use super::source::{Source, StatementRef, failed_block, is_exit};
use super::{Block, Session};

/// What [`Session::next`] goes on with.
pub(super) enum Run {
    /// Nothing.
    Idle,
    /// A script that has not been parsed yet.
    Text(Arc<str>),
    /// A script.
    Script(Script),
    /// A portal of the extended protocol.
    Portal {
        /// Its name.
        name: String,
        /// Rows that may still be returned; `None` for all.
        remaining: Option<usize>,
    },
}

impl Run {
    /// Whether there is nothing to go on with.
    fn is_over(&self) -> bool {
        match self {
            Run::Idle => true,
            Run::Script(script) => script.current.is_none() && script.next == script.source.len(),
            Run::Text(_) | Run::Portal { .. } => false,
        }
    }
}

/// A script under way.
pub(super) struct Script {
    source: Arc<Source>,
    next: usize,
    current: Option<Portal>,
}

impl Session {
    /// Begins a script: statements in PostgreSQL's simple protocol. [`Session::next`] runs it.
    pub fn query(&mut self, sql: &str) {
        let text: Arc<str> = sql.into();
        // As the protocol says, a script does away with the unnamed statement and portal.
        self.statements.remove("");
        self.portals.remove("");
        self.arrive(&text);
        self.run = Run::Text(text);
    }

    /// Runs a little further. `None`: done, and the client is to speak next.
    ///
    /// # Errors
    ///
    /// The statement's; the transaction has failed then, and nothing is left to run.
    pub async fn next(&mut self) -> Result<Option<Reply>> {
        if self.run.is_over() {
            // Nothing is left that could be cancelled: what has committed has, however late somebody asks.
            if !matches!(std::mem::replace(&mut self.run, Run::Idle), Run::Idle) {
                self.report_idle();
            }
            return Ok(None);
        }
        let (env, activity, deadline) = (self.database.env().clone(), self.activity.clone(), self.deadline);
        let reply = guarded(&env, &activity, deadline, self.advance()).await;
        match &reply {
            Err(_) => self.fail(),
            Ok(None) => self.report_idle(),
            Ok(Some(_)) => {}
        }
        reply
    }

    async fn advance(&mut self) -> Result<Option<Reply>> {
        match std::mem::replace(&mut self.run, Run::Idle) {
            Run::Idle => Ok(None),
            Run::Text(text) => {
                let source = self.parse(&text)?;
                self.notices.extend(source.notices.iter().cloned());
                self.in_script = source.len() > 1;
                if source.len() == 0 {
                    return Ok(Some(Reply::Empty));
                }
                self.advance_script(Script { source, next: 0, current: None }).await
            }
            Run::Script(script) => self.advance_script(script).await,
            Run::Portal { name, remaining } => self.advance_portal(name, remaining).await,
        }
    }

    async fn advance_script(&mut self, mut script: Script) -> Result<Option<Reply>> {
        let mut portal = match script.current.take() {
            Some(portal) => portal,
            None if script.next == script.source.len() => return Ok(None),
            None => {
                let statement = StatementRef::new(&script.source, script.next);
                script.next += 1;
                if self.block == Block::Failed && !is_exit(statement.node()) {
                    return Err(failed_block());
                }
                let mut portal = self.open(statement).await?;
                // Locks are taken, and utilities have run, before a result is described.
                self.begin_portal(&mut portal).await?;
                if let Some(columns) = portal.columns() {
                    let columns = columns.clone();
                    script.current = Some(portal);
                    self.run = Run::Script(script);
                    return Ok(Some(Reply::Columns(columns)));
                }
                portal
            }
        };
        let is_control = matches!(portal.node(), Node::TransactionStmt(_));
        let reply = match self.step(&mut portal, None).await? {
            Step::Rows(batch) => {
                script.current = Some(portal);
                Reply::Rows(batch)
            }
            Step::Complete(tag) => {
                drop(portal);
                let last = script.next == script.source.len();
                if last && !is_control {
                    self.end_implicit().await?;
                }
                Reply::Complete(tag)
            }
            Step::Copy(reply) => {
                script.current = Some(portal);
                reply
            }
        };
        self.run = Run::Script(script);
        Ok(Some(reply))
    }

    async fn advance_portal(&mut self, name: String, remaining: Option<usize>) -> Result<Option<Reply>> {
        if remaining == Some(0) {
            self.run = Run::Idle;
            return Ok(Some(Reply::Suspended));
        }
        let mut portal = self.portals.remove(&name).ok_or_else(|| PgError::internal("the running portal is gone"))?;
        if portal.is_empty_statement() {
            self.portals.insert(name, portal);
            return Ok(Some(Reply::Empty));
        }
        if self.block == Block::Failed && !is_exit(portal.node()) {
            return Err(failed_block());
        }
        let step = self.step(&mut portal, remaining).await?;
        let (reply, remaining, done) = match step {
            Step::Rows(batch) => {
                let remaining = remaining.map(|remaining| remaining.saturating_sub(batch.rows()));
                (Reply::Rows(batch), remaining, false)
            }
            Step::Complete(tag) => (Reply::Complete(tag), remaining, true),
            Step::Copy(reply) => (reply, remaining, false),
        };
        // COMMIT and ROLLBACK have done away with every portal, this one too.
        if self.active.is_some() || !done {
            self.portals.insert(name.clone(), portal);
        }
        if !done {
            self.run = Run::Portal { name, remaining };
        }
        Ok(Some(reply))
    }

    /// Commits an implicit transaction.
    pub(super) async fn end_implicit(&mut self) -> Result<()> {
        if matches!(self.block, Block::Idle | Block::Implicit) {
            self.commit().await?;
        }
        Ok(())
    }
}
