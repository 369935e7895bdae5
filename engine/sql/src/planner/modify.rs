//! INSERT, UPDATE, DELETE.

use std::rc::Rc;
use std::sync::Arc;

use helios_catalog::model::{ConstraintKind, Index, Table};
use helios_env::hash::HashSet;
use helios_txn::TableLockMode;
use helios_types::{PgError, Result, oid};

use super::Planner;
use super::access::row_key;
use super::cost::CPU_TUPLE;
use super::from::{FromWhere, Tree, vars_of};
use super::node::{position, scalars};
use super::scope::Scope;
use crate::analyze::for_each_expr_mut;
use crate::expr::{Expr, ExprKind};
use crate::plan::{
    CheckPlan, ConflictPlan, ConflictUpdate, Cost, IndexPlan, ModifyAction, ModifyTable, NodeKind, PlanNode, Scalar,
};
use crate::query::{Command, FromItem, Query, RteKind};

impl Planner<'_> {
    /// A statement that writes a table.
    pub(super) fn modify(&mut self, query: &Query, scope: &Rc<Scope>) -> Result<Arc<PlanNode>> {
        self.writes = true;
        let target = query.result_relation.ok_or_else(|| PgError::internal("a statement writes no table"))?;
        let RteKind::Relation { table, .. } = &query.range_table[target].kind else {
            return Err(PgError::internal("a statement writes what is no table"));
        };
        let table = table.clone();
        self.lock(&table, TableLockMode::RowExclusive);
        let rte = scope.base + target;
        let row = scope.entry_columns(target);
        let (input, action, below) = match query.command {
            Command::Insert => self.insert(query, scope, &table, &row)?,
            Command::Update => self.update(query, scope, target, &table, &row)?,
            Command::Delete => self.delete(query, scope, target, &row)?,
            Command::Select => return Err(PgError::internal("a SELECT writes no table")),
        };
        let returning = self.resolve_all(query.returning.iter().map(|target| &target.expr), scope)?;
        let rows = query.returning_rows;
        let beside = [rows.old, rows.new].into_iter().flatten().flat_map(|rte| scope.entry_columns(rte));
        let layout: Vec<Expr> = row.iter().cloned().chain(below).chain(beside).collect();
        let indexes = self.index_plans(&table, &row)?;
        let modify = ModifyTable {
            rte,
            indexes,
            checks: if query.command == Command::Delete { Vec::new() } else { self.check_plans(&table, &row)? },
            action,
            returning: scalars(&returning, &layout)?,
            returning_old: rows.old.is_some(),
            returning_new: rows.new.is_some(),
            input,
            table,
        };
        let rows = modify.input.as_ref().map_or(1.0, |input| input.cost.rows);
        let total = modify.input.as_ref().map_or(0.0, |input| input.cost.total) + rows * CPU_TUPLE;
        let cost = Cost { total, rows: if returning.is_empty() { 0.0 } else { rows }, ..Cost::default() };
        Ok(self.node(NodeKind::ModifyTable(Box::new(modify)), returning, cost))
    }

    fn insert(
        &mut self,
        query: &Query,
        scope: &Rc<Scope>,
        table: &Arc<Table>,
        row: &[Expr],
    ) -> Result<(Option<Arc<PlanNode>>, ModifyAction, Vec<Expr>)> {
        let contents = self.from_where(query, scope)?;
        let targets: Vec<_> = query.target_list.iter().filter(|target| !target.junk).collect();
        let values = self.resolve_all(targets.iter().map(|target| &target.expr), scope)?;
        let mut needed = HashSet::default();
        values.iter().for_each(|value| vars_of(value, &mut needed));
        let node = self.plan_from(contents, &needed)?;
        let input = self.target_list(node, &values, query.has_target_srfs)?;
        let on_conflict = self.conflict_plan(query, scope, table, row)?;
        let action = ModifyAction::Insert {
            columns: targets.iter().map(|target| target.attnum).collect(),
            generated: self.generated(table, row)?,
            on_conflict,
        };
        // RETURNING of an INSERT sees the new row alone.
        Ok((Some(input), action, Vec::new()))
    }

    fn conflict_plan(
        &mut self,
        query: &Query,
        scope: &Rc<Scope>,
        table: &Arc<Table>,
        row: &[Expr],
    ) -> Result<Option<ConflictPlan>> {
        let Some(conflict) = &query.on_conflict else { return Ok(None) };
        let unique = |oid: &helios_types::Oid| self.catalog.index(*oid).is_some_and(|index| index.unique);
        let arbiters = table
            .indexes
            .iter()
            .enumerate()
            .filter(|(_, oid)| if conflict.arbiters.is_empty() { unique(oid) } else { conflict.arbiters.contains(oid) })
            .map(|(at, _)| at)
            .collect();
        let update = match &conflict.update {
            None => None,
            Some(update) => {
                let excluded = scope.entry_columns(update.excluded);
                let layout: Vec<Expr> = row.iter().cloned().chain(excluded).collect();
                let mut set = Vec::with_capacity(update.set.len());
                for target in &update.set {
                    let value = self.resolve(&target.expr, scope)?;
                    set.push((target.attnum, Scalar::new(value, &layout)?));
                }
                let mut conditions = Vec::new();
                if let Some(qual) = &update.qual {
                    super::from::conjuncts(&self.resolve(qual, scope)?, &mut conditions);
                }
                let conditions = scalars(&conditions, &layout)?;
                Some(ConflictUpdate { set, conditions, generated: self.generated(table, row)? })
            }
        };
        Ok(Some(ConflictPlan { arbiters, update }))
    }

    fn update(
        &mut self,
        query: &Query,
        scope: &Rc<Scope>,
        target: usize,
        table: &Arc<Table>,
        row: &[Expr],
    ) -> Result<(Option<Arc<PlanNode>>, ModifyAction, Vec<Expr>)> {
        // Subqueries in FROM that dissolve are known before what reads them is resolved.
        let contents = self.from_where(query, scope)?;
        let targets: Vec<_> = query.target_list.iter().filter(|target| !target.junk).collect();
        let values = self.resolve_all(targets.iter().map(|target| &target.expr), scope)?;
        let (node, key, columns, recheck) = self.target_rows(query, scope, contents, target, row, &values)?;
        let mut set = Vec::with_capacity(values.len());
        for (target, value) in targets.iter().zip(values) {
            set.push((target.attnum, Scalar::new(value, &node.output)?));
        }
        let action = ModifyAction::Update { key, columns, set, generated: self.generated(table, row)?, recheck };
        let below = node.output.clone();
        Ok((Some(node), action, below))
    }

    fn delete(
        &mut self,
        query: &Query,
        scope: &Rc<Scope>,
        target: usize,
        row: &[Expr],
    ) -> Result<(Option<Arc<PlanNode>>, ModifyAction, Vec<Expr>)> {
        let contents = self.from_where(query, scope)?;
        let (node, key, columns, recheck) = self.target_rows(query, scope, contents, target, row, &[])?;
        let below = node.output.clone();
        Ok((Some(node), ModifyAction::Delete { key, columns, recheck }, below))
    }

    /// The rows to change: every column of the target table, what else is read, and the target's keys.
    #[allow(clippy::type_complexity)]
    fn target_rows(
        &mut self,
        query: &Query,
        scope: &Rc<Scope>,
        mut contents: FromWhere,
        target: usize,
        row: &[Expr],
        values: &[Expr],
    ) -> Result<(Arc<PlanNode>, usize, Vec<(usize, i16)>, Vec<Scalar>)> {
        let rte = scope.base + target;
        let listed = query.from.iter().any(|item| matches!(item, FromItem::Rte(at) if *at == target));
        if !listed {
            contents.trees.insert(0, Tree::Rel(rte));
        }
        let returning = self.resolve_all(query.returning.iter().map(|target| &target.expr), scope)?;
        let key = row_key(rte);
        let mut needed = HashSet::default();
        row.iter().chain(values).chain(&returning).chain([&key]).for_each(|expr| vars_of(expr, &mut needed));
        let conditions = contents.conditions.clone();
        conditions.iter().for_each(|condition| vars_of(condition, &mut needed));
        let node = self.plan_from(contents, &needed)?;
        let key = position(&node.output, &key)?;
        let mut columns = Vec::with_capacity(row.len());
        for (column, entry) in row.iter().zip(&scope.entries[target].columns) {
            columns.push((position(&node.output, column)?, entry.attnum));
        }
        let readable = |condition: &&Expr| {
            let mut vars = HashSet::default();
            vars_of(condition, &mut vars);
            let has =
                |var| node.output.iter().any(|column| matches!(&column.kind, ExprKind::Var(known) if known == var));
            vars.iter().all(has)
        };
        let recheck = scalars(conditions.iter().filter(readable), &node.output)?;
        Ok((node, key, columns, recheck))
    }

    /// A stored expression over the columns of a table, as an expression over `row`.
    fn stored(&self, table: &Arc<Table>, text: &str, row: &[Expr]) -> Result<Expr> {
        Ok(over_row(self.catalog.table_expression(table, text)?, row))
    }

    fn generated(&self, table: &Arc<Table>, row: &[Expr]) -> Result<Vec<(i16, Scalar)>> {
        let mut found = Vec::new();
        for column in table.live_columns() {
            if let Some(text) = &column.generated {
                let expr = self.catalog.generation_expression(table, column, text)?;
                found.push((column.attnum, Scalar::new(over_row(expr, row), row)?));
            }
        }
        Ok(found)
    }

    fn check_plans(&self, table: &Arc<Table>, row: &[Expr]) -> Result<Vec<CheckPlan>> {
        // PostgreSQL looks at CHECK constraints in the order of their names.
        let mut found = Vec::new();
        for constraint in &table.constraints {
            if let ConstraintKind::Check { expression, .. } = &constraint.kind {
                let condition = Scalar::new(self.stored(table, expression, row)?, row)?;
                found.push(CheckPlan { name: constraint.name.clone(), condition });
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn index_plans(&self, table: &Arc<Table>, row: &[Expr]) -> Result<Vec<IndexPlan>> {
        let live: Vec<i16> = table.live_columns().map(|column| column.attnum).collect();
        let mut found = Vec::with_capacity(table.indexes.len());
        for oid in &table.indexes {
            let index: Arc<Index> = self
                .catalog
                .index(*oid)
                .ok_or_else(|| PgError::internal("a table names an index that is not there"))?;
            let mut keys = Vec::with_capacity(index.keys.len());
            for key in &index.keys {
                let expr = match &key.expression {
                    Some(text) => self.stored(table, text, row)?,
                    None => {
                        let at = live.iter().position(|attnum| *attnum == key.attnum);
                        row[at.ok_or_else(|| PgError::internal("an index is on a dropped column"))?].clone()
                    }
                };
                keys.push(Scalar::new(expr, row)?);
            }
            let predicate = match &index.predicate {
                Some(text) => Some(Scalar::new(self.stored(table, text, row)?, row)?),
                None => None,
            };
            debug_assert!(predicate.as_ref().is_none_or(|found: &Scalar| found.expr.ty.oid == oid::BOOL));
            found.push(IndexPlan { index, keys, predicate });
        }
        Ok(found)
    }
}

/// An expression over the columns of a table, as one over `row`.
fn over_row(mut expr: Expr, row: &[Expr]) -> Expr {
    for_each_expr_mut(&mut expr, &mut |part| {
        if let ExprKind::Var(var) = part.kind {
            *part = row[var.column as usize].clone();
        }
    });
    expr
}
