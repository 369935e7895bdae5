//! CREATE TABLE AS and SELECT INTO: a query's rows become a table's.
//!
//! The query is planned and its tables are locked before the new table is made, so that it is analyzed without it. Its
//! rows are written under a command number above the query's: it never meets them.

use std::sync::Arc;

use helios_catalog::model::Table;
use helios_sql::analyze::ParamTypes;
use helios_sql::parse::protobuf as pb;
use helios_sql::parse::protobuf::node::Node;
use helios_sql::query::RteColumn;
use helios_sql::table::{InsertOutcome, TableAccess};
use helios_types::{Datum, Oid, PgError, Result, SqlState};

use super::Session;
use super::portal::State;
use super::source::{Source, StatementRef};
use super::statement::is_planned;
use super::utility::{Changed, Work, done};

/// What fills which table.
pub(super) struct TableFromQuery {
    into: pb::IntoClause,
    if_not_exists: bool,
    tag: &'static str,
    /// The query, or EXECUTE of one.
    pub(super) query: StatementRef,
}

impl TableFromQuery {
    /// Of a statement; `None` for one that is neither CREATE TABLE AS nor SELECT INTO.
    pub(super) fn of(statement: &StatementRef) -> Result<Option<TableFromQuery>> {
        match statement.node() {
            Node::CreateTableAsStmt(create) => {
                if create.objtype() == pb::ObjectType::ObjectMatview {
                    return Err(PgError::unsupported("CREATE MATERIALIZED VIEW"));
                }
                let into = create.into.as_deref().cloned();
                Ok(Some(TableFromQuery {
                    into: into.ok_or_else(|| PgError::internal("CREATE TABLE AS without a table"))?,
                    if_not_exists: create.if_not_exists,
                    tag: "CREATE TABLE AS",
                    query: statement.inner()?,
                }))
            }
            Node::SelectStmt(select) => {
                if into_of(select).is_none() {
                    return Ok(None);
                }
                let mut plain = pb::SelectStmt::clone(select);
                let into = leftmost(&mut plain).into_clause.take();
                let into = into.ok_or_else(|| PgError::internal("INTO is there and not there"))?;
                let node = Node::SelectStmt(Box::new(plain));
                Ok(Some(TableFromQuery {
                    into: *into,
                    if_not_exists: false,
                    tag: "SELECT INTO",
                    query: Source::made(statement.source.text.clone(), node),
                }))
            }
            _ => Ok(None),
        }
    }
}

/// INTO, which stands in the first SELECT of a UNION.
pub(super) fn into_of(select: &pb::SelectStmt) -> Option<&pb::IntoClause> {
    let mut first = select;
    while let Some(left) = &first.larg {
        first = left;
    }
    first.into_clause.as_deref()
}

fn leftmost(select: &mut pb::SelectStmt) -> &mut pb::SelectStmt {
    let mut first = select;
    while first.larg.is_some() {
        first = first.larg.as_deref_mut().expect("it was looked at");
    }
    first
}

impl Session {
    /// The statement with a plan that EXPLAIN, CREATE TABLE AS or SELECT INTO has inside: its parameters are theirs.
    pub(super) fn planned_inside(statement: &StatementRef) -> Result<Option<StatementRef>> {
        let inner = match statement.node() {
            Node::ExplainStmt(_) => statement.inner()?,
            _ => match TableFromQuery::of(statement)? {
                Some(from_query) => from_query.query,
                None => return Ok(None),
            },
        };
        if is_planned(inner.node()) {
            return Ok(Some(inner));
        }
        match TableFromQuery::of(&inner)? {
            Some(from_query) if is_planned(from_query.query.node()) => {
                Ok(Some(Source::made(inner.source.text.clone(), from_query.query.node().clone())))
            }
            _ => Ok(None),
        }
    }

    /// Runs CREATE TABLE AS or SELECT INTO.
    pub(super) async fn create_table_as(
        &mut self,
        statement: &StatementRef,
        from_query: TableFromQuery,
        params: Vec<Datum>,
        types: &[Oid],
    ) -> Result<State> {
        if self.transaction()?.read_only {
            return Err(super::read_only(from_query.tag));
        }
        let (query, params, types) = self.executable(&from_query.query, statement, params, types).await?;
        if !matches!(query.node(), Node::SelectStmt(_)) {
            let message = "prepared statement is not a SELECT";
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
        }
        let planned = self.plan_under_locks(&query, &types).await?;
        let columns: Vec<RteColumn> = planned
            .plan
            .columns
            .iter()
            .map(|column| RteColumn { name: column.name.clone(), ty: column.ty, attnum: 0 })
            .collect();
        let work = Work::TableOf(&from_query.into, from_query.if_not_exists, &columns);
        let Changed::Table(Some(table)) = self.change_catalog(work, &statement.source.text, from_query.tag).await?
        else {
            return Ok(done(from_query.tag));
        };
        if from_query.into.skip_data {
            return Ok(done(from_query.tag));
        }
        let rows = self.fill(table, planned.plan.clone(), params, &query).await?;
        Ok(done(format!("SELECT {rows}")))
    }

    /// The statement that a part of another one stands for: itself, or what EXECUTE runs.
    pub(super) async fn executable(
        &mut self,
        inner: &StatementRef,
        outer: &StatementRef,
        params: Vec<Datum>,
        types: &[Oid],
    ) -> Result<(StatementRef, Vec<Datum>, Vec<Oid>)> {
        let Node::ExecuteStmt(execute) = inner.node() else {
            return Ok((inner.clone(), params, types.to_vec()));
        };
        let params = Box::pin(self.execute_params(execute, outer)).await?;
        let prepared = self.executed(execute)?;
        let statement = prepared.statement.clone().filter(|statement| is_planned(statement.node()));
        let statement =
            statement.ok_or_else(|| PgError::new(SqlState::WRONG_OBJECT_TYPE, "prepared statement is not a SELECT"))?;
        Ok((statement, params, prepared.params().to_vec()))
    }

    /// Runs the query and writes its rows; how many.
    async fn fill(
        &mut self,
        table: Arc<Table>,
        plan: Arc<helios_sql::plan::Plan>,
        params: Vec<Datum>,
        query: &StatementRef,
    ) -> Result<u64> {
        let (mut execution, doors) = self.begin_execution(plan, params, query)?;
        let access = TableAccess::new(table, [])?;
        let active = self.transaction()?;
        let (transaction, row_ids) = (active.transaction.clone(), active.row_ids.clone());
        let statement = transaction.statement();
        while let Some(batch) = execution.next().await? {
            for row in 0..batch.rows() {
                match access.insert(&transaction, &statement, &row_ids, &batch.row(row), &[]).await? {
                    InsertOutcome::Inserted { .. } => {}
                    InsertOutcome::Conflict { .. } => {
                        return Err(PgError::internal("a table without keys has a conflict"));
                    }
                }
            }
            self.take_over(&doors)?;
        }
        Ok(execution.processed())
    }

    /// The parameters that the statement inside another one has.
    pub(super) fn params_inside(
        &mut self,
        statement: &StatementRef,
        types: &[Oid],
        inferred: bool,
    ) -> Result<Option<Vec<Oid>>> {
        let Some(inner) = Session::planned_inside(statement)? else { return Ok(None) };
        let params = if inferred { ParamTypes::inferred(types.to_vec()) } else { ParamTypes::fixed(types.to_vec()) };
        Ok(Some(self.plan(&inner, params, inferred)?.params.clone()))
    }
}
