//! Statements that have no plan: transaction control, settings, DDL, and so on.

use std::sync::Arc;

use helios_catalog::model::Table;
use helios_sql::ddl::{self, DdlContext};
use helios_sql::parse::protobuf as pb;
use helios_sql::parse::protobuf::node::Node;
use helios_sql::query::RteColumn;
use helios_txn::Wait;
use helios_types::{Datum, Oid, PgError, Result, SqlState};

use super::create_as::TableFromQuery;
use super::explain::explain_column;
use super::portal::State;
use super::reply::ColumnDescription;
use super::source::StatementRef;
use super::statement::read_only;
use super::{Block, Session};

/// A statement that is done, with this tag.
pub(super) fn done(tag: impl Into<String>) -> State {
    State::Rows(std::collections::VecDeque::new(), tag.into())
}

/// What is to be done to the catalog.
pub(super) enum Work<'w> {
    /// A statement.
    Statement(&'w Node),
    /// The table of CREATE TABLE AS, with IF NOT EXISTS or without, and its query's columns.
    TableOf(&'w pb::IntoClause, bool, &'w [RteColumn]),
}

/// What was done.
pub(super) enum Changed {
    /// A statement, with this tag.
    Tag(String),
    /// A table was made, unless there was one.
    Table(Option<Arc<Table>>),
}

impl Session {
    /// The columns that a statement without a plan returns, if it does.
    pub(super) fn utility_columns(&mut self, node: &Node) -> Result<Option<Arc<[ColumnDescription]>>> {
        match node {
            Node::VariableShowStmt(show) => self.show_columns(&show.name).map(Some),
            Node::ExplainStmt(explain) => Ok(Some([explain_column(explain)].into())),
            Node::FetchStmt(fetch) => self.fetch_columns(fetch),
            Node::ExecuteStmt(execute) => Ok(self.executed(execute)?.columns().cloned()),
            _ => Ok(None),
        }
    }

    /// Runs a statement without a plan.
    pub(super) async fn utility(
        &mut self,
        statement: &StatementRef,
        params: Vec<Datum>,
        types: &[Oid],
    ) -> Result<State> {
        let node = statement.node();
        match node {
            Node::TransactionStmt(control) => return self.transaction_control(control).await.map(done),
            Node::VariableShowStmt(show) => return self.show_variable(&show.name),
            Node::DiscardStmt(discard) => {
                let target = pb::DiscardMode::try_from(discard.target).unwrap_or_default();
                return self.discard(target).map(done);
            }
            Node::DeallocateStmt(deallocate) => return self.deallocate(deallocate).map(done),
            _ => {}
        }
        self.transaction()?;
        if let Some(from_query) = TableFromQuery::of(statement)? {
            return Box::pin(self.create_table_as(statement, from_query, params, types)).await;
        }
        match node {
            Node::ExplainStmt(explain) => Box::pin(self.explain(explain, statement, params, types)).await,
            Node::VariableSetStmt(set) => self.set_variable(set).map(done),
            Node::PrepareStmt(prepare) => self.prepare_statement(prepare, statement).map(done),
            Node::DeclareCursorStmt(declare) => self.declare_cursor(declare, statement).map(done),
            Node::FetchStmt(fetch) => Box::pin(self.fetch_cursor(fetch)).await,
            Node::ClosePortalStmt(close) => self.close_cursor(&close.portalname).map(done),
            Node::CopyStmt(copy) => Box::pin(self.copy(copy, statement)).await,
            Node::LockStmt(lock) => self.lock_tables(lock).await.map(done),
            Node::VacuumStmt(vacuum) => Box::pin(self.vacuum(vacuum)).await.map(done),
            Node::CheckPointStmt(_) => {
                self.database.checkpoint().await?;
                Ok(done("CHECKPOINT"))
            }
            Node::ConstraintsSetStmt(_) => Ok(done("SET CONSTRAINTS")),
            node if ddl::is_ddl(node) => Box::pin(self.ddl(statement)).await.map(done),
            node => Err(PgError::unsupported(statement_name(node))),
        }
    }

    async fn ddl(&mut self, statement: &StatementRef) -> Result<String> {
        let node = statement.node();
        match self.change_catalog(Work::Statement(node), &statement.source.text, ddl_name(node)).await? {
            Changed::Tag(tag) => Ok(tag),
            Changed::Table(_) => Err(PgError::internal("a statement made a table for a query")),
        }
    }

    /// Does something to the catalog. `name` is what a read-only transaction calls it.
    pub(super) async fn change_catalog(&mut self, work: Work<'_>, source: &str, name: &str) -> Result<Changed> {
        let in_block = self.is_in_block();
        let doors = self.doors()?;
        let lock_timeout = self.settings.millis("lock_timeout");
        let (database, session) = (self.database.clone(), self.context.clone());
        let memory = self.database.memory().child(self.database.memory_limit());
        let cancel = self.activity.token().clone();
        let mut notices = Vec::new();
        let active = self.transaction()?;
        if active.read_only {
            return Err(read_only(name));
        }
        active.settled = true;
        let transaction = active.transaction.clone();
        let row_ids = active.row_ids.clone();
        let command = transaction.statement().with_lock_timeout(lock_timeout);
        let newest = move || database.catalog();
        let outcome = {
            let mut context = DdlContext {
                transaction: &transaction,
                statement: &command,
                catalog: &mut active.catalog,
                newest: &newest,
                session: &session,
                search_path: &doors.search_path,
                source,
                notices: &mut notices,
                row_ids: &row_ids,
                wait: Wait::Block(lock_timeout),
                in_block,
                doors: doors.as_doors(),
                memory,
                cancel,
            };
            match work {
                Work::Statement(node) => ddl::execute(node, &mut context).await.map(Changed::Tag),
                Work::TableOf(into, if_not_exists, columns) => {
                    ddl::create_table_as(into, if_not_exists, columns, &mut context).await.map(Changed::Table)
                }
            }
        };
        self.notices.extend(notices);
        self.take_over(&doors)?;
        outcome
    }

    /// Whether a statement runs inside a block, or in a script with others, where some may not.
    pub(super) fn is_in_block(&self) -> bool {
        self.block == Block::Begun || self.in_script
    }

    /// 25001, for statements that must be alone.
    pub(super) fn prevent_in_block(&self, what: &str) -> Result<()> {
        if self.is_in_block() {
            let message = format!("{what} cannot run inside a transaction block");
            return Err(PgError::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
        }
        Ok(())
    }
}

/// The command tag of DDL, for the refusal of a read-only transaction.
fn ddl_name(node: &Node) -> &'static str {
    match node {
        Node::CreateStmt(_) => "CREATE TABLE",
        Node::CreateTableAsStmt(_) => "CREATE TABLE AS",
        Node::IndexStmt(_) => "CREATE INDEX",
        Node::ReindexStmt(_) => "REINDEX",
        Node::ViewStmt(_) => "CREATE VIEW",
        Node::CreateSeqStmt(_) => "CREATE SEQUENCE",
        Node::AlterSeqStmt(_) => "ALTER SEQUENCE",
        Node::CreateSchemaStmt(_) => "CREATE SCHEMA",
        Node::CreateRoleStmt(_) => "CREATE ROLE",
        Node::AlterRoleStmt(_) => "ALTER ROLE",
        Node::DropRoleStmt(_) => "DROP ROLE",
        Node::AlterTableStmt(alter) => altered(alter.objtype()),
        Node::RenameStmt(rename) => match rename.rename_type() {
            pb::ObjectType::ObjectColumn => altered(rename.relation_type()),
            kind => altered(kind),
        },
        Node::AlterObjectSchemaStmt(alter) => altered(alter.object_type()),
        Node::AlterOwnerStmt(alter) => altered(alter.object_type()),
        Node::TruncateStmt(_) => "TRUNCATE TABLE",
        Node::CommentStmt(_) => "COMMENT",
        Node::DropStmt(drop) => match drop.remove_type() {
            pb::ObjectType::ObjectIndex => "DROP INDEX",
            pb::ObjectType::ObjectSequence => "DROP SEQUENCE",
            pb::ObjectType::ObjectView => "DROP VIEW",
            pb::ObjectType::ObjectSchema => "DROP SCHEMA",
            _ => "DROP TABLE",
        },
        _ => "DDL",
    }
}

/// The command tag of ALTER.
fn altered(kind: pb::ObjectType) -> &'static str {
    match kind {
        pb::ObjectType::ObjectIndex => "ALTER INDEX",
        pb::ObjectType::ObjectSequence => "ALTER SEQUENCE",
        pb::ObjectType::ObjectView => "ALTER VIEW",
        pb::ObjectType::ObjectSchema => "ALTER SCHEMA",
        _ => "ALTER TABLE",
    }
}

/// What a statement is called in an error.
fn statement_name(node: &Node) -> &'static str {
    match node {
        Node::MergeStmt(_) => "MERGE",
        Node::ListenStmt(_) => "LISTEN",
        Node::UnlistenStmt(_) => "UNLISTEN",
        Node::NotifyStmt(_) => "NOTIFY",
        Node::DoStmt(_) => "DO",
        Node::CallStmt(_) => "CALL",
        Node::LoadStmt(_) => "LOAD",
        Node::ClusterStmt(_) => "CLUSTER",
        Node::SecLabelStmt(_) => "SECURITY LABEL",
        Node::ExecuteStmt(_) => "EXECUTE",
        _ => "this statement",
    }
}
