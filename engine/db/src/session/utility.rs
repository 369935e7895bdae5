//! Statements that have no plan: transaction control, settings, and so on.

use std::sync::Arc;

use helios_sql::parse::protobuf as pb;
use helios_sql::parse::protobuf::node::Node;
use helios_types::{PgError, Result};

use super::Session;
use super::portal::State;
use super::reply::ColumnDescription;
use super::source::StatementRef;

fn done(tag: impl Into<String>) -> State {
    State::Rows(std::collections::VecDeque::new(), tag.into())
}

impl Session {
    /// The columns that a statement without a plan returns, if it does.
    pub(super) fn utility_columns(&mut self, node: &Node) -> Result<Option<Arc<[ColumnDescription]>>> {
        match node {
            Node::VariableShowStmt(show) => self.show_columns(&show.name).map(Some),
            _ => Ok(None),
        }
    }

    /// Runs a statement without a plan.
    pub(super) async fn utility(&mut self, statement: &StatementRef) -> Result<State> {
        match statement.node() {
            Node::TransactionStmt(statement) => self.transaction_control(statement).await.map(done),
            Node::VariableSetStmt(statement) => {
                self.transaction()?;
                self.set_variable(statement).map(done)
            }
            Node::VariableShowStmt(statement) => self.show_variable(&statement.name),
            Node::DiscardStmt(statement) => {
                let target = pb::DiscardMode::try_from(statement.target).unwrap_or_default();
                self.discard(target).map(done)
            }
            node => Err(PgError::unsupported(statement_name(node))),
        }
    }
}

/// What a statement is called in an error.
pub(super) fn statement_name(node: &Node) -> &'static str {
    match node {
        Node::SelectStmt(_) => "SELECT",
        Node::InsertStmt(_) => "INSERT",
        Node::UpdateStmt(_) => "UPDATE",
        Node::DeleteStmt(_) => "DELETE",
        Node::MergeStmt(_) => "MERGE",
        Node::CopyStmt(_) => "COPY",
        Node::ListenStmt(_) => "LISTEN",
        Node::UnlistenStmt(_) => "UNLISTEN",
        Node::NotifyStmt(_) => "NOTIFY",
        Node::DoStmt(_) => "DO",
        Node::CallStmt(_) => "CALL",
        _ => "this statement",
    }
}
