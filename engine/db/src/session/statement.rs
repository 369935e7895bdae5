//! Statements with a plan: analyzed, planned, locked, begun.
//!
//! ```text
//!   newest catalog (and the transaction's own changes) ──▶ analyze ──▶ plan ──▶ lock the plan's tables
//!        ▲                                                                              │
//!        └──────────────── the catalog has changed meanwhile ◀──────────────────────────┤
//!                                                                                       ▼
//!                                                              snapshot, command number, execution
//! ```
//!
//! Analysis and plan are kept with the text, for whoever comes with the same text under the same catalog, search path
//! and settings that change what a literal means. A transaction that has changed the catalog keeps nothing and takes
//! nothing.

use std::sync::Arc;

use helios_catalog::CatalogSnapshot;
use helios_sql::analyze::{AnalyzeContext, ParamTypes, analyze_statement};
use helios_sql::execute::context::Setting;
use helios_sql::execute::{Execution, MemoryBudget, PlanFigures, Tables};
use helios_sql::parse::NodeRef;
use helios_sql::parse::protobuf::node::Node;
use helios_sql::plan::Plan;
use helios_sql::planner::plan_statement;
use helios_sql::query::Command;
use helios_txn::Wait;
use helios_types::{Datum, Oid, PgError, Result, SqlState};

use super::Session;
use super::create_as::into_of;
use super::reply::ColumnDescription;
use super::source::StatementRef;
use crate::doors::StatementDoors;
use crate::plan_catalog::{Horizon, SnapshotCatalog};

/// What a plan was made under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlanKey {
    /// Version of the committed catalog.
    version: u64,
    /// Who, where, and the settings that analysis depends on.
    environment: Arc<str>,
    /// Types of parameters that were given.
    types: Vec<Oid>,
    /// Whether further parameters may be inferred.
    inferred: bool,
}

/// A planned statement.
#[derive(Debug)]
pub(crate) struct Planned {
    key: PlanKey,
    pub(super) plan: Arc<Plan>,
    /// Types of all parameters.
    pub(super) params: Vec<Oid>,
    pub(super) columns: Option<Arc<[ColumnDescription]>>,
}

/// Settings that change what a statement means once its text is known.
const MEANINGFUL: [&str; 6] =
    ["search_path", "datestyle", "intervalstyle", "timezone", "extra_float_digits", "bytea_output"];

/// Whether a statement has a plan.
pub(super) fn is_planned(node: &Node) -> bool {
    match node {
        Node::SelectStmt(select) => into_of(select).is_none(),
        Node::InsertStmt(_) | Node::UpdateStmt(_) | Node::DeleteStmt(_) | Node::MergeStmt(_) => true,
        _ => false,
    }
}

/// Whether a literal in the text may mean another thing each time (`'now'::timestamp` is read when it is analyzed).
fn has_moving_literal(text: &str) -> bool {
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let word = &rest[start..];
        let end = word.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        let moving = ["now", "today", "tomorrow", "yesterday"].iter().any(|moving| word.eq_ignore_ascii_case(moving));
        if moving && !after.starts_with('(') {
            return true;
        }
        rest = after;
    }
    false
}

impl Session {
    /// What plans depend on, as one text.
    pub(super) fn plan_environment(&mut self) -> Arc<str> {
        if let Some((settings, environment)) = &self.environment
            && Arc::ptr_eq(settings, &self.context.settings)
        {
            return environment.clone();
        }
        let mut text = format!("{}/{}", self.context.database, self.context.user);
        for name in MEANINGFUL {
            text.push('/');
            text.push_str(self.settings.get(name).unwrap_or_default());
        }
        let environment: Arc<str> = text.into();
        self.environment = Some((self.context.settings.clone(), environment.clone()));
        environment
    }

    /// The newest catalog, with the transaction's own changes.
    pub(super) fn newest_catalog(&mut self) -> CatalogSnapshot {
        let newest = self.database.catalog();
        match &mut self.active {
            None => newest,
            Some(active) => {
                active.catalog.refresh(&newest);
                active.catalog.snapshot().clone()
            }
        }
    }

    /// The schemas that names are looked up in.
    pub(super) fn search_path(&self, catalog: &CatalogSnapshot) -> Vec<Oid> {
        catalog.search_path(self.settings.get("search_path").unwrap_or_default(), &self.context.user)
    }

    /// The plan of a statement: a kept one if there is one, or made now.
    pub(super) fn plan(&mut self, statement: &StatementRef, types: ParamTypes, inferred: bool) -> Result<Arc<Planned>> {
        let key = PlanKey {
            version: self.database.catalog().version(),
            environment: self.plan_environment(),
            types: types.types().to_vec(),
            inferred,
        };
        let horizon = self.active.as_ref().and_then(|active| active.transaction.fixed_timestamp());
        let may_keep = self.active.as_ref().is_none_or(|active| !active.catalog.is_changed())
            && horizon.is_none_or(|snapshot| !self.database.has_index_after(snapshot));
        if may_keep && let Some(kept) = statement.plans().lock().iter().find(|kept| kept.key == key) {
            return Ok(kept.clone());
        }
        let catalog = self.newest_catalog();
        let search_path = self.search_path(&catalog);
        let mut context = AnalyzeContext {
            catalog: &catalog,
            search_path: &search_path,
            session: &self.context,
            params: types,
            source: &statement.source.text,
        };
        let query = analyze_statement(statement.node(), &mut context)?;
        let params = context.params.types().to_vec();
        let row_counts = self.database.row_counts();
        let horizon = horizon.map(|snapshot| Horizon { database: &self.database, snapshot });
        let plan_catalog = SnapshotCatalog { catalog: &catalog, session: &self.context, row_counts, horizon };
        let plan = Arc::new(plan_statement(&query, &plan_catalog, &self.context)?);
        let columns = describe(&plan, &catalog);
        let planned = Arc::new(Planned { key, plan, params, columns });
        if may_keep && !has_moving_literal(&statement.source.text) {
            let mut plans = statement.plans().lock();
            plans.retain(|old| old.key.version == planned.key.version);
            if plans.len() < 8 {
                plans.push(planned.clone());
            }
        }
        Ok(planned)
    }

    /// Locks what a statement's plan reads and writes, and makes sure that the plan is still right.
    pub(super) async fn plan_under_locks(&mut self, statement: &StatementRef, types: &[Oid]) -> Result<Arc<Planned>> {
        let wait = Wait::Block(self.settings.millis("lock_timeout"));
        loop {
            let planned = self.plan(statement, ParamTypes::fixed(types.to_vec()), false)?;
            let transaction = self.transaction()?.transaction.clone();
            for (table, mode) in &planned.plan.locks {
                // Computed relations need no lock: nobody can drop them.
                transaction
                    .lock_table(table.0, *mode, wait)
                    .await
                    .map_err(|error| PgError::from(error).at(self.table_position(statement, *table)))?;
            }
            if self.database.catalog().version() == planned.key.version {
                return Ok(planned);
            }
        }
    }

    /// Where a statement first names a table: what its lock could not be had for.
    fn table_position(&self, statement: &StatementRef, table: Oid) -> Option<usize> {
        let catalog = self.database.catalog();
        let search_path = self.search_path(&catalog);
        let names = statement.node().nodes();
        let positions = names.into_iter().filter_map(|(node, ..)| match node {
            NodeRef::RangeVar(name) => {
                let schema = (!name.schemaname.is_empty()).then_some(name.schemaname.as_str());
                let found = catalog.lookup_relation(&search_path, schema, &name.relname).ok()?;
                (found.oid() == table).then_some(name.location)
            }
            _ => None,
        });
        positions.filter_map(|location| usize::try_from(location).ok()).min()
    }

    /// Begins a statement that has a plan.
    pub(super) async fn start_plan(
        &mut self,
        statement: &StatementRef,
        params: Vec<Datum>,
        types: &[Oid],
        columns: Option<&Arc<[ColumnDescription]>>,
    ) -> Result<(Execution, Arc<StatementDoors>)> {
        let planned = self.plan_under_locks(statement, types).await?;
        if !same_types(planned.columns.as_ref(), columns) {
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, "cached plan must not change result type"));
        }
        let plan = planned.plan.clone();
        self.begin_execution(plan, params, statement)
    }

    /// Begins a plan whose tables are locked.
    pub(super) fn begin_execution(
        &mut self,
        plan: Arc<Plan>,
        params: Vec<Datum>,
        statement: &StatementRef,
    ) -> Result<(Execution, Arc<StatementDoors>)> {
        self.begin_watched(plan, params, statement, None)
    }

    /// [`Session::begin_execution`], with figures to be kept if there is somewhere to keep them.
    pub(super) fn begin_watched(
        &mut self,
        plan: Arc<Plan>,
        params: Vec<Datum>,
        statement: &StatementRef,
        figures: Option<Arc<PlanFigures>>,
    ) -> Result<(Execution, Arc<StatementDoors>)> {
        if let Some(failure) = &plan.failure {
            return Err(failure.clone());
        }
        let active = self.transaction()?;
        if plan.writes && active.read_only {
            let what = plan_name(&plan, statement.node());
            return Err(read_only(what));
        }
        active.settled = true;
        let (transaction, row_ids) = (active.transaction.clone(), active.row_ids.clone());
        let lock_timeout = self.settings.millis("lock_timeout");
        let statement = transaction.statement().with_lock_timeout(lock_timeout);
        let tables = Tables { transaction, statement, row_ids };
        let doors = self.doors()?;
        let setting = self.execution_setting(params, &doors, Some(Arc::new(tables)));
        Ok((Execution::watched(plan, setting, figures)?, doors))
    }

    /// What an execution of this session's begins with.
    pub(super) fn execution_setting(
        &self,
        params: Vec<Datum>,
        doors: &Arc<StatementDoors>,
        tables: Option<Arc<Tables>>,
    ) -> Setting {
        let memory: Arc<MemoryBudget> = self.database.memory().child(self.work_memory());
        Setting {
            session: self.context.clone(),
            params,
            memory,
            cancel: self.activity.token().clone(),
            doors: doors.as_doors(),
            tables,
        }
    }

    /// Bytes that one statement may take.
    fn work_memory(&self) -> usize {
        self.database.memory_limit()
    }
}

/// 25006.
pub(crate) fn read_only(what: &str) -> PgError {
    PgError::new(SqlState::READ_ONLY_SQL_TRANSACTION, format!("cannot execute {what} in a read-only transaction"))
}

/// What a statement that writes is called.
fn plan_name(plan: &Plan, node: &Node) -> &'static str {
    match (plan.command, node) {
        (Command::Insert, _) => "INSERT",
        (Command::Update, _) => "UPDATE",
        (Command::Delete, _) => "DELETE",
        (Command::Select, Node::SelectStmt(select)) => {
            let locking = select.locking_clause.first().and_then(|clause| match &clause.node {
                Some(Node::LockingClause(clause)) => Some(clause.strength()),
                _ => None,
            });
            use helios_sql::parse::protobuf::LockClauseStrength as Strength;
            match locking {
                Some(Strength::LcsForupdate) => "SELECT FOR UPDATE",
                Some(Strength::LcsFornokeyupdate) => "SELECT FOR NO KEY UPDATE",
                Some(Strength::LcsForshare) => "SELECT FOR SHARE",
                Some(Strength::LcsForkeyshare) => "SELECT FOR KEY SHARE",
                _ => "SELECT",
            }
        }
        _ => "SELECT",
    }
}

/// The columns of a plan's result; `None` when it returns no rows.
fn describe(plan: &Plan, catalog: &CatalogSnapshot) -> Option<Arc<[ColumnDescription]>> {
    if plan.command != Command::Select && plan.columns.is_empty() {
        return None;
    }
    let column = |column: &helios_sql::plan::ResultColumn| ColumnDescription {
        name: column.name.clone(),
        table: column.table,
        attnum: column.attnum,
        type_oid: column.ty.oid,
        type_size: catalog.type_by_oid(column.ty.oid).map_or(-1, |found| found.length),
        typmod: column.ty.typmod,
    };
    Some(plan.columns.iter().map(column).collect())
}

fn same_types(now: Option<&Arc<[ColumnDescription]>>, before: Option<&Arc<[ColumnDescription]>>) -> bool {
    match (now, before) {
        (None, None) => true,
        (Some(now), Some(before)) => {
            Arc::ptr_eq(now, before)
                || now.len() == before.len()
                    && now.iter().zip(before.iter()).all(|(now, before)| {
                        (now.type_oid, now.typmod, &now.name) == (before.type_oid, before.typmod, &before.name)
                    })
        }
        _ => false,
    }
}

/// The command tag of a statement that is done.
pub(super) fn command_tag(command: Command, rows: u64) -> String {
    match command {
        Command::Select => format!("SELECT {rows}"),
        Command::Insert => format!("INSERT 0 {rows}"),
        Command::Update => format!("UPDATE {rows}"),
        Command::Delete => format!("DELETE {rows}"),
    }
}

#[cfg(test)]
mod tests {
    use super::has_moving_literal;

    #[test]
    fn moving_literals_are_seen() {
        assert!(has_moving_literal("SELECT 'now'::timestamp"));
        assert!(has_moving_literal("SELECT date 'Today'"));
        assert!(!has_moving_literal("SELECT now(), nowhere FROM known"));
    }
}
