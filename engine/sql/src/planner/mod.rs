//! From a [`Query`] to a [`Plan`].
//!
//! ```text
//!   Query ─▶ scope       every Var gets the number of its range table entry in the whole statement; join aliases and
//!            │           simple subqueries are replaced by what they stand for; outer references become parameters
//!            │           (fold: and what is constant becomes its value)
//!            ▼
//!            from        FROM and WHERE: a list of units (tables, subqueries, outer joins) and of conditions, each
//!            │           condition as low as it may go; EXISTS and IN become semi and anti joins
//!            ▼
//!            join        the order of the units and how each pair is joined, by cost
//!            access      how each table is read: whole, by key, by an index
//!            ▼
//!            select      groups, windows, set-returning functions, DISTINCT, ORDER BY, LIMIT
//!            modify      INSERT, UPDATE, DELETE around it
//! ```
//!
//! Numbers of range table entries are unique in a statement, and with them Vars: a plan node can be put anywhere.
//!
//! A correlated subquery and a LATERAL one read outer columns as executor parameters. Which outer column a parameter
//! stands for is known once for the whole statement ([`Planner::outer_values`]); whoever runs the inner side (a nested
//! loop, or the expression that holds the subquery) hands in those whose columns it has, and the others are handed in
//! further up.

mod access;
mod cost;
mod cte;
mod fold;
mod from;
mod join;
mod locking;
mod modify;
mod node;
mod scope;
mod select;
mod set_operation;
mod subquery;
mod window;

use std::rc::Rc;
use std::sync::Arc;

use helios_catalog::model::Table;
use helios_env::hash::HashMap;
use helios_txn::TableLockMode;
use helios_types::{Oid, PgError, Result};

use crate::expr::{Expr, ExprKind, ExprType, Var};
use crate::plan::{Cte, Plan, PlanCatalog, PlanNode, RelationName, ResultColumn, Subplan};
use crate::query::{Command, Query};
use crate::session::SessionContext;
use scope::Scope;

/// Plans a statement. What fails when constants are folded is no failure of planning: see [`Plan::failure`].
///
/// # Errors
///
/// 0A000 for what cannot be planned, named.
pub fn plan_statement(query: &Query, catalog: &dyn PlanCatalog, session: &SessionContext) -> Result<Plan> {
    let mut planner = Planner::new(catalog, session);
    let root = planner.query(query, None)?;
    let columns = result_columns(query);
    let writes = query.command != Command::Select || planner.writes;
    let mut locks: Vec<_> = planner.locks.into_iter().collect();
    locks.sort_by_key(|(oid, _)| *oid);
    let mut dependencies = query.dependencies.clone();
    dependencies.extend(locks.iter().map(|(oid, _)| *oid));
    dependencies.sort_unstable();
    dependencies.dedup();
    Ok(Plan {
        root,
        subplans: planner.subplans,
        ctes: planner.ctes,
        exec_params: planner.exec_params,
        work_tables: planner.work_tables,
        command: query.command,
        columns,
        locks,
        writes,
        dependencies,
        relations: planner.relations,
        failure: planner.failure,
    })
}

fn result_columns(query: &Query) -> Vec<ResultColumn> {
    let targets = if query.command == Command::Select { &query.target_list } else { &query.returning };
    targets
        .iter()
        .filter(|target| !target.junk)
        .map(|target| ResultColumn {
            name: target.name.clone(),
            ty: target.expr.ty,
            table: target.table,
            attnum: if target.table.is_none() { 0 } else { target.attnum },
        })
        .collect()
}

/// What an executor parameter stands for.
struct OuterValue {
    /// A column, or an aggregate.
    expr: Expr,
    /// The query that aggregates.
    aggregated_in: Option<Rc<Scope>>,
    param: usize,
}

/// The state of planning one statement.
struct Planner<'a> {
    catalog: &'a dyn PlanCatalog,
    session: &'a SessionContext,
    subplans: Vec<Subplan>,
    ctes: Vec<Cte>,
    exec_params: usize,
    work_tables: usize,
    locks: HashMap<Oid, TableLockMode>,
    writes: bool,
    relations: Vec<RelationName>,
    /// What the executor parameters of correlated subqueries stand for.
    outer_values: Vec<OuterValue>,
    scopes: Vec<Rc<Scope>>,
    /// The first failure of folding constants.
    failure: Option<PgError>,
    /// Whether such failures are of no consequence here.
    quiet: bool,
}

impl<'a> Planner<'a> {
    fn new(catalog: &'a dyn PlanCatalog, session: &'a SessionContext) -> Planner<'a> {
        Planner {
            catalog,
            session,
            subplans: Vec::new(),
            ctes: Vec::new(),
            exec_params: 0,
            work_tables: 0,
            locks: HashMap::default(),
            writes: false,
            relations: Vec::new(),
            outer_values: Vec::new(),
            scopes: Vec::new(),
            failure: None,
            quiet: false,
        }
    }

    /// Plans a query within the queries that enclose it. The node's columns are the query's.
    fn query(&mut self, query: &Query, parent: Option<&Rc<Scope>>) -> Result<Arc<PlanNode>> {
        if stacker::remaining_stack().is_some_and(|left| left < 256 * 1024) {
            return stacker::grow(8 * 1024 * 1024, || self.query_on_this_stack(query, parent));
        }
        self.query_on_this_stack(query, parent)
    }

    fn query_on_this_stack(&mut self, query: &Query, parent: Option<&Rc<Scope>>) -> Result<Arc<PlanNode>> {
        let scope = self.open_scope(query, parent)?;
        match query.command {
            Command::Select if query.set_operation.is_some() => self.set_operation_query(query, &scope),
            Command::Select => self.select(query, &scope),
            Command::Insert | Command::Update | Command::Delete => self.modify(query, &scope),
        }
    }

    fn new_param(&mut self) -> usize {
        self.exec_params += 1;
        self.exec_params - 1
    }

    /// The parameter that stands for an outer column.
    fn outer_param(&mut self, var: Var, ty: ExprType) -> usize {
        let same = |known: &&OuterValue| matches!(known.expr.kind, ExprKind::Var(known) if known == var);
        if let Some(known) = self.outer_values.iter().find(same) {
            return known.param;
        }
        let param = self.new_param();
        self.outer_values.push(OuterValue { expr: column(var, ty), aggregated_in: None, param });
        param
    }

    /// The parameter that stands for an aggregate of an enclosing query.
    fn outer_aggregate(&mut self, aggregate: Expr, scope: &Rc<Scope>) -> usize {
        let here = |known: &OuterValue| known.aggregated_in.as_ref().is_some_and(|known| Rc::ptr_eq(known, scope));
        if let Some(known) = self.outer_values.iter().find(|known| here(known) && known.expr == aggregate) {
            return known.param;
        }
        let param = self.new_param();
        self.outer_values.push(OuterValue { expr: aggregate, aggregated_in: Some(scope.clone()), param });
        param
    }

    /// The outer column, or the aggregate of an outer query, that a parameter stands for.
    fn outer_value(&self, param: usize) -> Option<&OuterValue> {
        self.outer_values.iter().find(|known| known.param == param)
    }

    /// The outer column that a parameter stands for.
    fn outer_column(&self, param: usize) -> Option<Expr> {
        self.outer_value(param).filter(|known| known.aggregated_in.is_none()).map(|known| known.expr.clone())
    }

    fn lock(&mut self, table: &Table, mode: TableLockMode) {
        let held = self.locks.entry(table.oid).or_insert(mode);
        *held = (*held).max(mode);
    }
}

fn column(var: Var, ty: ExprType) -> Expr {
    Expr { kind: ExprKind::Var(var), ty, location: None }
}

fn exec_param(param: usize, ty: ExprType) -> Expr {
    Expr { kind: ExprKind::ExecParam(param), ty, location: None }
}
