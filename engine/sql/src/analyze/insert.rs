//! INSERT.

use std::sync::Arc;

use helios_catalog::model::{Column, Identity, Table};
use helios_types::{Oid, PgError, Result, SqlState, oid};

use super::assignment::{Target, assign, merge_assignments, refuse_own_value};
use super::context::ExprContext;
use super::location::expr_position;
use super::select::{Unknowns, blank_query};
use super::walk::contains_level_var;
use super::{Analyzer, at, error, inner};
use crate::expr::{Expr, ExprKind, ExprType, Var};
use crate::parse::protobuf::{self as pb, node::Node};
use crate::query::{Command, FromItem, Query, RangeTblEntry, RteKind, TargetEntry};

/// OVERRIDING {USER | SYSTEM} VALUE.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overriding {
    Nothing,
    UserValue,
    SystemValue,
}

impl Analyzer<'_> {
    /// INSERT as a query of the current level (`transformInsertStmt`).
    pub(super) fn insert_statement(&mut self, insert: &pb::InsertStmt) -> Result<Query> {
        let mut query = blank_query(Command::Insert);
        self.with_clause(insert.with_clause.as_ref(), &mut query)?;
        let overriding = match insert.r#override() {
            pb::OverridingKind::OverridingUserValue => Overriding::UserValue,
            pb::OverridingKind::OverridingSystemValue => Overriding::SystemValue,
            _ => Overriding::Nothing,
        };
        let relation = insert.relation.as_ref().ok_or_else(|| PgError::internal("INSERT into nothing"))?;
        let (table, item) = self.set_target(relation, "INSERT")?;
        query.result_relation = Some(item.rte);
        let targets = insert_targets(&table, &insert.cols)?;
        let values = self.insert_source(insert, &targets, &mut query)?;
        let mut list = Vec::with_capacity(values.len());
        for (value, target) in values.into_iter().zip(&targets) {
            list.push(assign(&target.column, value));
        }
        query.target_list = self.fill_insert_list(&table, merge_assignments(list)?, overriding)?;

        if insert.on_conflict_clause.is_some() || insert.returning_clause.is_some() {
            self.level().namespace.clear();
            self.show(item, true, true);
        }
        if let Some(conflict) = insert.on_conflict_clause.as_deref() {
            query.on_conflict = Some(self.on_conflict_clause(conflict, &table)?);
        }
        self.returning_clause(insert.returning_clause.as_ref(), &mut query)?;
        self.take_level(&mut query);
        self.assign_query_collations(&mut query)?;
        Ok(query)
    }

    /// The values, one per target, coerced; what they come from goes into FROM.
    fn insert_source(
        &mut self,
        insert: &pb::InsertStmt,
        targets: &[Target<'_>],
        query: &mut Query,
    ) -> Result<Vec<Expr>> {
        let Some(source) = insert.select_stmt.as_deref() else { return Ok(Vec::new()) };
        let Node::SelectStmt(select) = inner(source)? else {
            return Err(PgError::internal("INSERT from something that is no SELECT"));
        };
        let listed = !insert.cols.is_empty();
        let plain_values = !select.values_lists.is_empty()
            && select.sort_clause.is_empty()
            && select.limit_offset.is_none()
            && select.limit_count.is_none()
            && select.locking_clause.is_empty()
            && select.with_clause.is_none();
        if !plain_values {
            return self.insert_from_query(select, targets, listed, query);
        }
        match select.values_lists.as_slice() {
            [only] => {
                let Node::List(row) = inner(only)? else { return Err(PgError::internal("VALUES without lists")) };
                let row = self.expression_list(&row.items, ExprContext::ValuesSingle, true)?;
                self.insert_row(row, targets, listed, false)
            }
            lists => self.insert_from_values(lists, targets, listed, query),
        }
    }

    fn insert_from_query(
        &mut self,
        select: &pb::SelectStmt,
        targets: &[Target<'_>],
        listed: bool,
        query: &mut Query,
    ) -> Result<Vec<Expr>> {
        let source = self.in_new_level(|a| a.select_statement(select, Unknowns::Keep))?;
        let columns = super::range_table::query_columns(&source);
        let rte = self.current().range_table.len();
        let mut values = Vec::with_capacity(columns.len());
        let outputs = source.target_list.iter().filter(|target| !target.junk);
        for (column, target) in (0..).zip(outputs) {
            let undecided = target.expr.ty.oid == oid::UNKNOWN;
            let literal = matches!(target.expr.kind, ExprKind::Const(_) | ExprKind::Param(_));
            if undecided && literal {
                // Copied up, so that it is read as the column's type.
                values.push(target.expr.clone());
                continue;
            }
            let kind = ExprKind::Var(Var { rte, column, levels_up: 0 });
            let location = super::location::expr_location(&target.expr);
            values.push(Expr { kind, ty: target.expr.ty, location });
        }
        let source = self.settle_unknowns(source)?;
        let kind = RteKind::Subquery(Arc::new(source));
        let alias = "*SELECT*".to_owned();
        self.add_entry(RangeTblEntry { kind, alias, columns, lateral: false, view: Oid::NONE });
        query.from.push(FromItem::Rte(rte));
        self.insert_row(values, targets, listed, false)
    }

    /// Literals that were copied up stay behind as texts, so that no column of the subquery is without a type.
    fn settle_unknowns(&mut self, mut source: Query) -> Result<Query> {
        for target in source.target_list.iter_mut().filter(|target| target.expr.ty.oid == oid::UNKNOWN) {
            if let ExprKind::Const(_) = target.expr.kind {
                self.unknown_to_text(&mut target.expr)?;
            } else if let ExprKind::Param(_) = target.expr.kind {
                target.expr = Expr::null(ExprType::new(oid::TEXT));
            }
        }
        Ok(source)
    }

    /// Several rows of VALUES: an entry of the range table, DEFAULT replaced in each row.
    fn insert_from_values(
        &mut self,
        lists: &[pb::Node],
        targets: &[Target<'_>],
        listed: bool,
        query: &mut Query,
    ) -> Result<Vec<Expr>> {
        let mut rows = Vec::with_capacity(lists.len());
        for row in self.values_rows(lists, ExprContext::Values, true)? {
            let mut row = self.insert_row(row, targets, listed, true)?;
            for value in &mut row {
                self.assign_collations(value)?;
            }
            rows.push(row);
        }
        let width = rows.first().map_or(0, Vec::len);
        let types = (0..width).map(|column| rows[0][column].ty).collect();
        let lateral = rows.iter().flatten().any(|value| contains_level_var(value, 0));
        let item = self.add_values(rows, types, lateral);
        query.from.push(FromItem::Rte(item.rte));
        let values = item.columns.iter().map(|column| column.reference(0, -1)).collect();
        self.insert_row(values, targets, listed, false)
    }

    /// Values as the target columns take them (`transformInsertRow`). With `strip`, those for parts of columns are
    /// coerced but not yet put there.
    fn insert_row(
        &mut self,
        values: Vec<Expr>,
        targets: &[Target<'_>],
        listed: bool,
        strip: bool,
    ) -> Result<Vec<Expr>> {
        if let Some(extra) = values.get(targets.len()) {
            let message = "INSERT has more expressions than target columns";
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message).at(expr_position(extra)));
        }
        if listed && values.len() < targets.len() {
            let message = "INSERT has more target columns than expressions";
            let refusal = PgError::new(SqlState::SYNTAX_ERROR, message).at(at(targets[values.len()].location));
            let row_of_all = match values.as_slice() {
                [Expr { kind: ExprKind::Row(fields), .. }] => fields.len() == targets.len(),
                _ => false,
            };
            return Err(if row_of_all {
                refusal.with_hint("The insertion source is a row expression containing the same number of columns expected by the INSERT. Did you accidentally use extra parentheses?")
            } else {
                refusal
            });
        }
        let mut assigned = Vec::with_capacity(values.len());
        for (value, target) in values.into_iter().zip(targets) {
            let mut value = self.assigned_expr(value, ExprContext::InsertTarget, target)?;
            if strip && let ExprKind::SubscriptAssign { value: part, .. } = value.kind {
                value = *part;
            }
            assigned.push(value);
        }
        Ok(assigned)
    }

    /// One entry per column, in the table's order: defaults filled in, columns checked that generate their own values
    /// (`rewriteTargetListIU`). Generated columns have none: they are computed when the row is complete.
    fn fill_insert_list(
        &mut self,
        table: &Table,
        list: Vec<TargetEntry>,
        overriding: Overriding,
    ) -> Result<Vec<TargetEntry>> {
        let mut given: Vec<Option<TargetEntry>> = list.into_iter().map(Some).collect();
        let mut filled = Vec::with_capacity(table.columns.len());
        for column in table.live_columns() {
            let entry = given.iter_mut().find(|entry| entry.as_ref().is_some_and(|e| e.attnum == column.attnum));
            let entry = entry.and_then(Option::take);
            let default = entry.as_ref().is_none_or(|entry| matches!(entry.expr.kind, ExprKind::SetToDefault));
            let default = default || self.takes_default_anyway(column, entry.as_ref(), overriding)?;
            if column.generated.is_some() {
                continue;
            }
            let expr = match entry {
                Some(entry) if !default => entry.expr,
                entry => {
                    if let Some(entry) = entry {
                        self.blank_values_column(&entry.expr);
                    }
                    self.default_or_null(column)?
                }
            };
            filled.push(assign(column, expr));
        }
        for column in table.live_columns().filter(|column| column.generated.is_none()) {
            self.replace_values_defaults(&filled, column)?;
        }
        Ok(filled)
    }

    /// Whether a value that was given is dropped for the default, or refused.
    fn takes_default_anyway(
        &self,
        column: &Column,
        entry: Option<&TargetEntry>,
        overriding: Overriding,
    ) -> Result<bool> {
        let Some(entry) = entry else { return Ok(true) };
        if matches!(entry.expr.kind, ExprKind::SetToDefault) {
            return Ok(true);
        }
        if column.identity.is_some() && overriding == Overriding::UserValue {
            return Ok(true);
        }
        let allowed = column.generated.is_none()
            && (column.identity != Some(Identity::Always) || overriding == Overriding::SystemValue);
        if allowed {
            return Ok(false);
        }
        // A column of VALUES that is DEFAULT in every row is no value.
        if let Some(rows) = self.values_rows_of(&entry.expr)
            && rows.0.iter().all(|row| matches!(row[rows.1].kind, ExprKind::SetToDefault))
        {
            return Ok(true);
        }
        match refuse_own_value(column, true) {
            Some(refusal) => Err(refusal),
            None => Ok(false),
        }
    }

    /// The rows of VALUES and the column of them that an expression is.
    fn values_rows_of(&self, expr: &Expr) -> Option<(&[Vec<Expr>], usize)> {
        let ExprKind::Var(var) = &expr.kind else { return None };
        match &self.current().range_table.get(var.rte)?.kind {
            RteKind::Values(rows) => Some((rows, usize::try_from(var.column).ok()?)),
            _ => None,
        }
    }

    /// A column of VALUES that nothing reads any more need not be computed.
    fn blank_values_column(&mut self, expr: &Expr) {
        let ExprKind::Var(var) = expr.kind else { return };
        let Ok(column) = usize::try_from(var.column) else { return };
        if let Some(RteKind::Values(rows)) = self.level().range_table.get_mut(var.rte).map(|entry| &mut entry.kind) {
            for row in rows {
                let ty = row[column].ty;
                row[column] = Expr::null(ty);
            }
        }
    }

    /// Replaces DEFAULT in the rows of VALUES by the column's default (`rewriteValuesRTE`).
    fn replace_values_defaults(&mut self, filled: &[TargetEntry], column: &Column) -> Result<()> {
        let Some(entry) = filled.iter().find(|entry| entry.attnum == column.attnum) else { return Ok(()) };
        let (rte, index) = match entry.expr.kind {
            ExprKind::Var(var) if self.values_rows_of(&entry.expr).is_some() => (var.rte, var.column as usize),
            _ => return Ok(()),
        };
        let has_defaults = self
            .values_rows_of(&entry.expr)
            .is_some_and(|(rows, index)| rows.iter().any(|row| matches!(row[index].kind, ExprKind::SetToDefault)));
        if !has_defaults {
            return Ok(());
        }
        let default = self.default_or_null(column)?;
        if let RteKind::Values(rows) = &mut self.level().range_table[rte].kind {
            for row in rows.iter_mut().filter(|row| matches!(row[index].kind, ExprKind::SetToDefault)) {
                row[index] = default.clone();
            }
        }
        Ok(())
    }
}

/// The columns that INSERT names, or all (`checkInsertTargets`).
fn insert_targets<'r>(table: &Table, columns: &'r [pb::Node]) -> Result<Vec<Target<'r>>> {
    if columns.is_empty() {
        let all = table.live_columns().map(|column| Target { column: column.clone(), indirection: &[], location: -1 });
        return Ok(all.collect());
    }
    let mut targets: Vec<Target<'r>> = Vec::with_capacity(columns.len());
    for node in columns {
        let Node::ResTarget(target) = inner(node)? else {
            return Err(PgError::internal("INSERT's columns are no targets"));
        };
        let Some(column) = table.column(&target.name) else {
            let message = format!("column \"{}\" of relation \"{}\" does not exist", target.name, table.name);
            return Err(error(SqlState::UNDEFINED_COLUMN, message).at(at(target.location)));
        };
        let clash = targets.iter().any(|other| {
            other.column.attnum == column.attnum && (other.indirection.is_empty() || target.indirection.is_empty())
        });
        if clash {
            let message = format!("column \"{}\" specified more than once", target.name);
            return Err(error(SqlState::DUPLICATE_COLUMN, message).at(at(target.location)));
        }
        let column = column.clone();
        targets.push(Target { column, indirection: &target.indirection, location: target.location });
    }
    Ok(targets)
}
