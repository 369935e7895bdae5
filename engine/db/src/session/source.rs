//! Statement texts, parsed.

use std::sync::Arc;

use helios_env::sync::Mutex;
use helios_sql::parse::protobuf::node::Node;
use helios_sql::parse::{Notice, ParseOptions, RawStatement, Severity, parse_with, protobuf as pb};
use helios_types::{PgError, Result, SqlState};

use super::statement::Planned;

/// A source text and its statements.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) text: Arc<str>,
    trees: Vec<Tree>,
    /// What the parser had to say.
    pub(crate) notices: Vec<Notice>,
    /// Plans of each statement and of the one inside it, under different circumstances.
    plans: Vec<[Mutex<Vec<Arc<Planned>>>; 2]>,
}

#[derive(Debug)]
enum Tree {
    Parsed(Box<RawStatement>),
    Made(Box<Node>),
}

impl Source {
    pub(crate) fn parse(text: &str) -> Result<Arc<Source>> {
        let parsed = parse_with(text, ParseOptions::default())?;
        let plans = parsed.statements.iter().map(|_| <[_; 2]>::default()).collect();
        let trees = parsed.statements.into_iter().map(|statement| Tree::Parsed(Box::new(statement))).collect();
        Ok(Arc::new(Source { text: text.into(), trees, notices: parsed.notices, plans }))
    }

    /// A statement that was not parsed but put together from the parts of another one.
    pub(super) fn made(text: Arc<str>, node: Node) -> StatementRef {
        let source = Source {
            text,
            trees: vec![Tree::Made(Box::new(node))],
            notices: Vec::new(),
            plans: vec![<[_; 2]>::default()],
        };
        StatementRef::new(&Arc::new(source), 0)
    }

    /// How many statements there are.
    pub(crate) fn len(&self) -> usize {
        self.trees.len()
    }
}

/// One statement of a source text, or the one inside it (of PREPARE, EXPLAIN, COPY, DECLARE).
#[derive(Clone, Debug)]
pub(crate) struct StatementRef {
    pub(crate) source: Arc<Source>,
    index: usize,
    inner: bool,
}

impl StatementRef {
    pub(super) fn new(source: &Arc<Source>, index: usize) -> StatementRef {
        StatementRef { source: source.clone(), index, inner: false }
    }

    /// The statement inside this one.
    pub(super) fn inner(&self) -> Result<StatementRef> {
        if self.inner || inner_node(self.node()).is_none() {
            return Err(PgError::internal("there is no statement inside this one"));
        }
        Ok(StatementRef { inner: true, ..self.clone() })
    }

    pub(super) fn plans(&self) -> &Mutex<Vec<Arc<Planned>>> {
        &self.source.plans[self.index][usize::from(self.inner)]
    }

    /// Its raw tree.
    pub(crate) fn node(&self) -> &Node {
        let outer = match &self.source.trees[self.index] {
            Tree::Parsed(statement) => statement.node(),
            Tree::Made(node) => node,
        };
        if self.inner { inner_node(outer).expect("it was there when this was made") } else { outer }
    }
}

/// The statement inside another one.
fn inner_node(node: &Node) -> Option<&Node> {
    let query = match node {
        Node::PrepareStmt(prepare) => prepare.query.as_deref(),
        Node::DeclareCursorStmt(declare) => declare.query.as_deref(),
        Node::CopyStmt(copy) => copy.query.as_deref(),
        Node::ExplainStmt(explain) => explain.query.as_deref(),
        Node::CreateTableAsStmt(create) => create.query.as_deref(),
        _ => None,
    };
    query?.node.as_ref()
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
