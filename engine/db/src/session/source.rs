//! Statement texts, parsed.

use std::sync::Arc;

use helios_env::sync::Mutex;
use helios_sql::parse::{Notice, ParseOptions, RawStatement, Severity, parse_with, protobuf as pb};
use helios_types::{PgError, Result, SqlState};

use super::statement::Planned;

/// A source text and its statements.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) text: Arc<str>,
    pub(crate) statements: Vec<RawStatement>,
    /// What the parser had to say.
    pub(crate) notices: Vec<Notice>,
    /// Plans of each statement, under different circumstances.
    plans: Vec<Mutex<Vec<Arc<Planned>>>>,
}

impl Source {
    pub(crate) fn parse(text: &str) -> Result<Arc<Source>> {
        let parsed = parse_with(text, ParseOptions::default())?;
        let plans = parsed.statements.iter().map(|_| Mutex::default()).collect();
        Ok(Arc::new(Source { text: text.into(), statements: parsed.statements, notices: parsed.notices, plans }))
    }
}

/// One statement of a source text.
#[derive(Clone, Debug)]
pub(crate) struct StatementRef {
    pub(crate) source: Arc<Source>,
    pub(crate) index: usize,
}

impl StatementRef {
    pub(super) fn plans(&self) -> &Mutex<Vec<Arc<Planned>>> {
        &self.source.plans[self.index]
    }

    /// Its raw tree.
    pub(crate) fn node(&self) -> &pb::node::Node {
        self.source.statements[self.index].node()
    }
}

/// Whether a statement may run in a transaction that has failed: it ends the transaction, or goes back to a savepoint.
pub(crate) fn is_exit(node: &pb::node::Node) -> bool {
    use pb::TransactionStmtKind as Kind;
    let pb::node::Node::TransactionStmt(statement) = node else { return false };
    matches!(
        statement.kind(),
        Kind::TransStmtCommit | Kind::TransStmtPrepare | Kind::TransStmtRollback | Kind::TransStmtRollbackTo
    )
}

/// 25P02.
pub(crate) fn failed_block() -> PgError {
    PgError::new(
        SqlState::IN_FAILED_SQL_TRANSACTION,
        "current transaction is aborted, commands ignored until end of transaction block",
    )
}

/// A message below ERROR.
pub(crate) fn notice(severity: Severity, code: SqlState, message: impl Into<String>) -> Notice {
    Notice { severity, code, message: message.into(), detail: None, hint: None, position: None }
}
