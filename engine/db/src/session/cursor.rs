//! SQL's own prepared statements and cursors: PREPARE, EXECUTE, DEALLOCATE, DECLARE, FETCH, MOVE, CLOSE.
//!
//! They share their names with the extended protocol's statements and portals, as in PostgreSQL.

use std::collections::VecDeque;
use std::sync::Arc;

use helios_catalog::CatalogSnapshot;
use helios_sql::analyze::{AnalyzeContext, ParamTypes, transform_type_name};
use helios_sql::parse::protobuf as pb;
use helios_sql::parse::protobuf::node::Node;
use helios_types::{Datum, Oid, PgError, Result, SqlState};

use super::extended::Prepared;
use super::portal::{Portal, State, Step};
use super::reply::{ColumnDescription, Format};
use super::source::{Source, StatementRef};
use super::{Block, Session};

impl Session {
    /// PREPARE.
    pub(super) fn prepare_statement(
        &mut self,
        prepare: &pb::PrepareStmt,
        statement: &StatementRef,
    ) -> Result<&'static str> {
        if self.statements.contains_key(&prepare.name) {
            let message = format!("prepared statement \"{}\" already exists", prepare.name);
            return Err(PgError::new(SqlState::DUPLICATE_PREPARED_STATEMENT, message));
        }
        let types = self.type_names(&prepare.argtypes, &statement.source.text)?;
        let inner = statement.inner()?;
        let prepared = self.analyze(Some(inner), &types, true)?;
        self.statements.insert(prepare.name.clone(), Arc::new(prepared));
        Ok("PREPARE")
    }

    fn type_names(&mut self, names: &[pb::Node], source: &str) -> Result<Vec<Oid>> {
        let catalog = self.newest_catalog();
        let search_path = self.search_path(&catalog);
        let context = AnalyzeContext {
            catalog: &catalog,
            search_path: &search_path,
            session: &self.context,
            params: ParamTypes::none(),
            source,
        };
        let one = |name: &pb::Node| match &name.node {
            Some(Node::TypeName(name)) => Ok(transform_type_name(name, &context)?.0),
            _ => Err(PgError::internal("a type name was expected")),
        };
        names.iter().map(one).collect()
    }

    /// DEALLOCATE.
    pub(super) fn deallocate(&mut self, statement: &pb::DeallocateStmt) -> Result<&'static str> {
        if statement.isall {
            self.statements.clear();
            return Ok("DEALLOCATE ALL");
        }
        self.prepared(&statement.name)?;
        self.statements.remove(&statement.name);
        Ok("DEALLOCATE")
    }

    /// The statement that EXECUTE runs.
    pub(super) fn executed(&self, execute: &pb::ExecuteStmt) -> Result<Arc<Prepared>> {
        self.prepared(&execute.name)
    }

    /// The values that EXECUTE gives: constants and expressions of constants, computed by a query of their own.
    pub(super) async fn execute_params(
        &mut self,
        execute: &pb::ExecuteStmt,
        statement: &StatementRef,
    ) -> Result<Vec<Datum>> {
        let prepared = self.executed(execute)?;
        let wanted = prepared.params().to_vec();
        if wanted.len() != execute.params.len() {
            let message = format!("wrong number of parameters for prepared statement \"{}\"", execute.name);
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message).with_detail(format!(
                "Expected {} parameters but got {}.",
                wanted.len(),
                execute.params.len()
            )));
        }
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let select = params_query(execute, &wanted, &self.newest_catalog())?;
        let inner = Source::made(statement.source.text.clone(), select);
        let prepared = Arc::new(self.analyze(Some(inner), &[], false)?);
        let mut portal = Portal::new(prepared, Vec::new(), Arc::from([]), self.depth());
        let mut row = None;
        loop {
            match Box::pin(self.step(&mut portal, None)).await? {
                Step::Rows(batch) => row = Some(batch.row(0)),
                Step::Complete(_) => break,
                Step::Copy(_) => return Err(PgError::internal("a SELECT copies")),
            }
        }
        row.ok_or_else(|| PgError::internal("a SELECT without FROM has a row"))
    }

    /// DECLARE.
    pub(super) fn declare_cursor(
        &mut self,
        declare: &pb::DeclareCursorStmt,
        statement: &StatementRef,
    ) -> Result<&'static str> {
        const SCROLL: i32 = 2;
        const HOLD: i32 = 32;
        if declare.options & HOLD != 0 {
            return Err(PgError::unsupported("DECLARE CURSOR WITH HOLD"));
        }
        if declare.options & SCROLL != 0 {
            return Err(PgError::unsupported("DECLARE SCROLL CURSOR"));
        }
        if self.block != Block::Begun {
            return Err(PgError::new(
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                "DECLARE CURSOR can only be used in transaction blocks",
            ));
        }
        if self.portals.contains_key(&declare.portalname) {
            let message = format!("cursor \"{}\" already exists", declare.portalname);
            return Err(PgError::new(SqlState::DUPLICATE_CURSOR, message));
        }
        let inner = statement.inner()?;
        let prepared = self.analyze(Some(inner), &[], false)?;
        let formats = vec![Format::Text; prepared.columns().map_or(0, |columns| columns.len())];
        let portal = Portal::new(Arc::new(prepared), Vec::new(), formats.into(), self.depth());
        self.portals.insert(declare.portalname.clone(), portal);
        Ok("DECLARE CURSOR")
    }

    fn cursor_missing(name: &str) -> PgError {
        PgError::new(SqlState::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
    }

    /// The columns of FETCH.
    pub(super) fn fetch_columns(&mut self, fetch: &pb::FetchStmt) -> Result<Option<Arc<[ColumnDescription]>>> {
        if fetch.ismove {
            return Ok(None);
        }
        let portal = self.portals.get(&fetch.portalname);
        Ok(portal.ok_or_else(|| Session::cursor_missing(&fetch.portalname))?.columns().cloned())
    }

    /// FETCH and MOVE, forward.
    pub(super) async fn fetch_cursor(&mut self, fetch: &pb::FetchStmt) -> Result<State> {
        let word = if fetch.ismove { "MOVE" } else { "FETCH" };
        let count = match fetch.direction() {
            pb::FetchDirection::FetchForward if fetch.how_many > 0 => {
                usize::try_from(fetch.how_many).unwrap_or(usize::MAX)
            }
            _ => return Err(PgError::unsupported(format!("{word} in another direction than forward"))),
        };
        let name = &fetch.portalname;
        let mut portal = self.portals.remove(name).ok_or_else(|| Session::cursor_missing(name))?;
        let mut rows = 0;
        let mut batches = VecDeque::new();
        while rows < count && !portal.is_exhausted() {
            match Box::pin(self.step(&mut portal, Some(count - rows))).await? {
                Step::Rows(batch) => {
                    rows += batch.rows();
                    batches.push_back(batch);
                }
                Step::Complete(_) => break,
                Step::Copy(_) => return Err(PgError::internal("a cursor copies")),
            }
        }
        self.portals.insert(name.clone(), portal);
        if fetch.ismove {
            batches.clear();
        }
        Ok(State::Rows(batches, format!("{word} {rows}")))
    }

    /// CLOSE.
    pub(super) fn close_cursor(&mut self, name: &str) -> Result<&'static str> {
        if name.is_empty() {
            self.portals.clear();
            return Ok("CLOSE CURSOR ALL");
        }
        self.portals.remove(name).ok_or_else(|| Session::cursor_missing(name))?;
        Ok("CLOSE CURSOR")
    }
}

/// `SELECT value::type, ...` over the values of EXECUTE.
fn params_query(execute: &pb::ExecuteStmt, wanted: &[Oid], catalog: &CatalogSnapshot) -> Result<Node> {
    let name = |text: &str| pb::Node { node: Some(Node::String(pb::String { sval: text.to_owned() })) };
    let mut targets = Vec::new();
    for (value, type_oid) in execute.params.iter().zip(wanted) {
        let found = catalog.type_by_oid(*type_oid).ok_or_else(|| PgError::internal("a parameter without a type"))?;
        let schema = catalog.schema_name(found.namespace).unwrap_or("pg_catalog");
        let type_name =
            pb::TypeName { names: vec![name(schema), name(&found.name)], typemod: -1, ..pb::TypeName::default() };
        let value = helios_sql::parse::on_grown_stack(|| value.clone());
        let cast = pb::TypeCast { arg: Some(Box::new(value)), type_name: Some(type_name), location: -1 };
        let cast = pb::Node { node: Some(Node::TypeCast(Box::new(cast))) };
        let target = pb::ResTarget { val: Some(Box::new(cast)), location: -1, ..pb::ResTarget::default() };
        targets.push(pb::Node { node: Some(Node::ResTarget(Box::new(target))) });
    }
    let select = pb::SelectStmt {
        target_list: targets,
        limit_option: pb::LimitOption::Default.into(),
        op: pb::SetOperation::SetopNone.into(),
        ..pb::SelectStmt::default()
    };
    Ok(Node::SelectStmt(Box::new(select)))
}
