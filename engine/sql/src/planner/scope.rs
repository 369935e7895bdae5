//! Names of columns across query levels.
//!
//! Analysis numbers range table entries per query and counts levels upwards. Here every entry of the statement has one
//! number, so that expressions can be moved between queries. [`Planner::resolve`] rewrites an expression of a query:
//! Vars of its own level get their statement-wide entry, Vars of outer levels become parameters, aliases (join columns,
//! pulled-up subqueries, whole rows) are replaced, subqueries inside are planned,
//! and what is constant is folded.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use helios_types::{Datum, Oid, PgError, Result, oid};

use super::{Planner, column, exec_param};
use crate::analyze::{children_mut, for_each_expr_mut};
use crate::expr::{CoercionForm, Expr, ExprKind, ExprType, FuncExpr, SqlValue, Var, system_column};
use crate::plan::RelationName;
use crate::query::{Query, RangeTblEntry, RteKind};

/// `pg_proc.oid` of `current_schema()`.
const CURRENT_SCHEMA: Oid = Oid(1402);

/// A query level.
pub(super) struct Scope {
    /// Statement-wide number of the query's first range table entry.
    pub(super) base: usize,
    /// What the entries' columns stand for, where that is not the columns themselves.
    aliases: RefCell<Vec<Option<Rc<Vec<Expr>>>>>,
    pub(super) entries: Vec<RangeTblEntry>,
    pub(super) ctes: RefCell<Vec<CteBinding>>,
    pub(super) parent: Option<Rc<Scope>>,
}

/// What a WITH query has become.
#[derive(Clone)]
pub(super) enum CteBinding {
    /// Planned again wherever it is read.
    Inline(Arc<Query>),
    /// Run once: index into the plan's WITH queries.
    Shared(usize),
    /// Being planned: a reference is to its own last rows.
    WorkTable { table: usize, signal: usize },
}

impl Scope {
    /// The scope `levels` above.
    pub(super) fn ancestor(self: &Rc<Scope>, levels: u32) -> Result<Rc<Scope>> {
        let mut scope = self.clone();
        for _ in 0..levels {
            let parent = scope.parent.clone();
            scope = parent.ok_or_else(|| PgError::internal("a column of a query level that is not there"))?;
        }
        Ok(scope)
    }

    pub(super) fn set_alias(&self, rte: usize, exprs: Vec<Expr>) {
        self.aliases.borrow_mut()[rte] = Some(Rc::new(exprs));
    }

    pub(super) fn has_alias(&self, rte: usize) -> bool {
        self.aliases.borrow()[rte].is_some()
    }

    fn alias(&self, rte: usize) -> Option<Rc<Vec<Expr>>> {
        self.aliases.borrow()[rte].clone()
    }

    /// The columns of an entry as statement-wide Vars.
    pub(super) fn entry_columns(&self, rte: usize) -> Vec<Expr> {
        let entry = &self.entries[rte];
        let var = |index: usize| Var { rte: self.base + rte, column: index as i32, levels_up: 0 };
        entry.columns.iter().enumerate().map(|(index, found)| column(var(index), found.ty)).collect()
    }
}

impl Planner<'_> {
    /// Enters a query: numbers its range table entries and plans its WITH queries.
    pub(super) fn open_scope(&mut self, query: &Query, parent: Option<&Rc<Scope>>) -> Result<Rc<Scope>> {
        let base = self.relations.len();
        for entry in &query.range_table {
            self.relations.push(relation_name(entry));
        }
        let scope = Rc::new(Scope {
            base,
            aliases: RefCell::new(vec![None; query.range_table.len()]),
            entries: query.range_table.clone(),
            ctes: RefCell::default(),
            parent: parent.cloned(),
        });
        self.scopes.push(scope.clone());
        self.plan_ctes(query, &scope)?;
        Ok(scope)
    }

    /// Rewrites an expression of the query that `scope` is of.
    pub(super) fn resolve(&mut self, expr: &Expr, scope: &Rc<Scope>) -> Result<Expr> {
        let mut expr = expr.clone();
        self.resolve_in_place(&mut expr, scope)?;
        self.fold(&mut expr);
        Ok(expr)
    }

    pub(super) fn resolve_all<'e>(
        &mut self,
        exprs: impl IntoIterator<Item = &'e Expr>,
        scope: &Rc<Scope>,
    ) -> Result<Vec<Expr>> {
        exprs.into_iter().map(|expr| self.resolve(expr, scope)).collect()
    }

    fn resolve_in_place(&mut self, expr: &mut Expr, scope: &Rc<Scope>) -> Result<()> {
        if stacker::remaining_stack().is_some_and(|left| left < 128 * 1024) {
            return stacker::grow(4 * 1024 * 1024, || self.resolve_here(expr, scope));
        }
        self.resolve_here(expr, scope)
    }

    fn resolve_here(&mut self, expr: &mut Expr, scope: &Rc<Scope>) -> Result<()> {
        match &expr.kind {
            // It needs the search path, which functions over the catalog know.
            ExprKind::SqlValue(SqlValue::CurrentSchema) => {
                expr.kind = ExprKind::Func(FuncExpr {
                    function: CURRENT_SCHEMA,
                    operator: Oid::NONE,
                    args: Vec::new(),
                    input_collation: Oid::NONE,
                    variadic: false,
                    form: CoercionForm::Call,
                });
                return Ok(());
            }
            ExprKind::Var(var) => {
                *expr = self.resolve_var(*var, expr.ty, scope)?.at(expr.location);
                return Ok(());
            }
            ExprKind::SubLink(link) => {
                let link = link.clone();
                *expr = self.sub_link(&link, expr.ty, scope)?.at(expr.location);
                return Ok(());
            }
            ExprKind::Aggregate(aggregate) if aggregate.levels_up > 0 => {
                *expr = self.outer_aggregate_call(expr, aggregate.levels_up, scope)?;
                return Ok(());
            }
            _ => {}
        }
        let mut outcome = Ok(());
        children_mut(expr, &mut |child| {
            if outcome.is_ok() {
                outcome = self.resolve_in_place(child, scope);
            }
        });
        outcome
    }

    /// An aggregate of an enclosing query is computed there and handed in.
    fn outer_aggregate_call(&mut self, call: &Expr, levels: u32, scope: &Rc<Scope>) -> Result<Expr> {
        let owner = scope.ancestor(levels)?;
        let mut own = call.clone();
        let mut subqueries = false;
        for_each_expr_mut(&mut own, &mut |part| match &mut part.kind {
            ExprKind::Var(var) => var.levels_up = var.levels_up.saturating_sub(levels),
            ExprKind::Aggregate(aggregate) => aggregate.levels_up = aggregate.levels_up.saturating_sub(levels),
            ExprKind::SubLink(_) => subqueries = true,
            _ => {}
        });
        if subqueries {
            return Err(PgError::unsupported("a subquery in an aggregate of an outer query"));
        }
        let own = self.resolve(&own, &owner)?;
        let param = self.outer_aggregate(own, &owner);
        Ok(exec_param(param, call.ty).at(call.location))
    }

    fn resolve_var(&mut self, var: Var, ty: ExprType, scope: &Rc<Scope>) -> Result<Expr> {
        let owner = scope.ancestor(var.levels_up)?;
        let found = self.own_column(var.rte, var.column, ty, &owner)?;
        if var.levels_up == 0 {
            return Ok(found);
        }
        // An outer reference: whatever columns it comes down to are handed in as parameters.
        let mut found = found;
        self.parameterize(&mut found);
        Ok(found)
    }

    /// Replaces every column in an expression by the parameter that stands for it.
    pub(super) fn parameterize(&mut self, expr: &mut Expr) {
        if let ExprKind::Var(var) = expr.kind {
            let param = self.outer_param(var, expr.ty);
            *expr = exec_param(param, expr.ty).at(expr.location);
            return;
        }
        children_mut(expr, &mut |child| self.parameterize(child));
    }

    fn own_column(&mut self, rte: usize, index: i32, ty: ExprType, owner: &Rc<Scope>) -> Result<Expr> {
        let entry = &owner.entries[rte];
        match index {
            system_column::WHOLE_ROW => {
                let fields: Result<Vec<Expr>> = (0..entry.columns.len())
                    .map(|field| self.own_column(rte, field as i32, entry.columns[field].ty, owner))
                    .collect();
                return Ok(Expr { kind: ExprKind::Row(fields?), ty, location: None });
            }
            system_column::TABLEOID => {
                let table = match &entry.kind {
                    RteKind::Relation { table, .. } => table.oid,
                    RteKind::System { oid } => *oid,
                    _ => Oid::NONE,
                };
                return Ok(Expr::constant(Datum::U32(table.0), ExprType::new(oid::OID)));
            }
            index if index < 0 => return Err(PgError::unsupported("this system column")),
            _ => {}
        }
        let index = index as usize;
        if let Some(alias) = owner.alias(rte) {
            return Ok(alias[index].clone());
        }
        if let RteKind::Join { join_columns } = &entry.kind {
            let found = join_columns.get(index).ok_or_else(|| PgError::internal("a join has fewer columns"))?;
            return self.resolve(found, owner);
        }
        Ok(column(Var { rte: owner.base + rte, column: index as i32, levels_up: 0 }, ty))
    }
}

fn relation_name(entry: &RangeTblEntry) -> RelationName {
    let (name, schema) = match &entry.kind {
        RteKind::Relation { table, .. } => (table.name.clone(), table.schema),
        RteKind::System { oid } => match helios_catalog::facts::relations().by_oid(*oid) {
            Some(relation) => (relation.name.to_owned(), relation.namespace),
            None => (entry.alias.clone(), Oid::NONE),
        },
        RteKind::Functions { functions, .. } => {
            let first =
                functions.first().and_then(|function| helios_catalog::facts::procs().by_oid(function.call.function));
            (first.map_or_else(|| entry.alias.clone(), |proc| proc.name.to_owned()), Oid::NONE)
        }
        RteKind::Cte { name, .. } => (name.clone(), Oid::NONE),
        _ => (entry.alias.clone(), Oid::NONE),
    };
    RelationName {
        name,
        schema,
        alias: entry.alias.clone(),
        columns: entry.columns.iter().map(|column| column.name.clone()).collect(),
    }
}
