//! Grouped queries: outside aggregates, only what is grouped by may be used (`parseCheckAggregates`).

use std::ops::ControlFlow;

use helios_types::{PgError, Result, SqlState};

use super::location::expr_position;
use super::walk::{Descend, for_each_expr_mut, own_expressions, own_expressions_mut, walk};
use super::{Analyzer, error, position};
use crate::expr::{Expr, ExprKind, system_column};
use crate::query::{Query, RteKind};

/// What a grouped query may use.
struct Grouping<'q> {
    query: &'q Query,
    /// The grouped expressions, join columns replaced by what they stand for.
    expressions: Vec<Expr>,
    /// Of those the indexes of the ones in every grouping set.
    common: Vec<usize>,
}

impl Analyzer<'_> {
    /// Checks a query that has aggregates, GROUP BY or HAVING.
    pub(super) fn check_aggregates(&mut self, query: &mut Query) -> Result<()> {
        self.resolve_grouping_calls(query)?;
        let grouped: Vec<Expr> = query
            .group_by
            .iter()
            .map(|item| flatten_join_columns(query, &query.target_list[item.target].expr))
            .collect();
        let common: Vec<usize> =
            (0..grouped.len()).filter(|index| query.grouping_sets.iter().all(|set| set.contains(index))).collect();
        // One set that is not empty is a plain GROUP BY.
        if query.grouping_sets.len() == 1 && !query.group_by.is_empty() && !query.grouping_sets[0].is_empty() {
            query.grouping_sets.clear();
        }
        let grouping = Grouping { query, expressions: grouped, common };
        let windows = query.windows.iter();
        let window_keys =
            windows.flat_map(|window| window.partition_by.iter().chain(window.order_by.iter().map(|(key, _)| key)));
        let targets = query.target_list.iter().map(|target| &target.expr);
        for expr in targets.chain(window_keys).chain(&query.having) {
            grouping.check(&flatten_join_columns(query, expr))?;
        }
        let recursive =
            query.range_table.iter().any(|entry| matches!(entry.kind, RteKind::Cte { self_reference: true, .. }));
        if query.has_aggregates && recursive {
            let message = "aggregate functions are not allowed in a recursive query's recursive term";
            let mut place = None;
            own_expressions(query, &mut |expr| {
                let own = |part: &Expr| matches!(&part.kind, ExprKind::Aggregate(agg) if agg.levels_up == 0);
                place = place.or_else(|| super::walk::find(expr, &own).and_then(|found| found.location));
            });
            return Err(PgError::new(SqlState::INVALID_RECURSION, message).at(position(place)));
        }
        Ok(())
    }

    /// GROUPING's arguments as indexes of grouped expressions.
    fn resolve_grouping_calls(&mut self, query: &mut Query) -> Result<()> {
        let calls = std::mem::take(&mut self.level().grouping_calls);
        if calls.is_empty() {
            return Ok(());
        }
        let mut resolved = Vec::with_capacity(calls.len());
        for (mut args, _) in calls {
            let mut indexes = Vec::with_capacity(args.len());
            for arg in &mut args {
                self.assign_collations(arg)?;
                let flat = flatten_join_columns(query, arg);
                let found = query
                    .group_by
                    .iter()
                    .position(|item| flatten_join_columns(query, &query.target_list[item.target].expr) == flat);
                indexes.push(found.ok_or_else(|| {
                    let message = "arguments to GROUPING must be grouping expressions of the associated query level";
                    PgError::new(SqlState::GROUPING_ERROR, message).at(expr_position(arg))
                })?);
            }
            resolved.push(indexes);
        }
        own_expressions_mut(query, &mut |expr| {
            for_each_expr_mut(expr, &mut |part| {
                if let ExprKind::Grouping(args) = &mut part.kind {
                    args.clone_from(&resolved[args[0]]);
                }
            });
        });
        Ok(())
    }
}

impl Grouping<'_> {
    /// Refuses columns that are neither grouped nor aggregated (`check_ungrouped_columns`).
    fn check(&self, expr: &Expr) -> Result<()> {
        self.check_at(expr, false)
    }

    fn check_at(&self, expr: &Expr, direct_argument: bool) -> Result<()> {
        let outcome = walk(expr, 0, &mut |part, depth| {
            if depth == 0 && self.expressions.contains(part) {
                return ControlFlow::Continue(Descend::Over);
            }
            match &part.kind {
                ExprKind::Aggregate(aggregate) if aggregate.levels_up == depth => {
                    for arg in &aggregate.direct_args {
                        if let Err(refusal) = self.check_at(arg, true) {
                            return ControlFlow::Break(refusal);
                        }
                    }
                    ControlFlow::Continue(Descend::Over)
                }
                ExprKind::Aggregate(aggregate) if aggregate.levels_up > depth => ControlFlow::Continue(Descend::Over),
                ExprKind::Var(var) if var.levels_up == depth => {
                    if self.is_grouped(var.rte, var.column) || self.is_dependent(var.rte) {
                        return ControlFlow::Continue(Descend::Over);
                    }
                    ControlFlow::Break(self.ungrouped(part, var.rte, var.column, depth, direct_argument))
                }
                _ => ControlFlow::Continue(Descend::Into),
            }
        });
        match outcome {
            ControlFlow::Break(refusal) => Err(refusal),
            ControlFlow::Continue(()) => Ok(()),
        }
    }

    fn is_grouped(&self, rte: usize, column: i32) -> bool {
        self.expressions.iter().any(
            |expr| matches!(&expr.kind, ExprKind::Var(var) if (var.rte, var.column, var.levels_up) == (rte, column, 0)),
        )
    }

    /// Whether the table's primary key is grouped, so that each group has one row of it.
    fn is_dependent(&self, rte: usize) -> bool {
        let entry = &self.query.range_table[rte];
        let RteKind::Relation { table, .. } = &entry.kind else { return false };
        let key = table.primary_key.iter();
        let is_common = |attnum: &i16| {
            self.common.iter().any(|&index| match &self.expressions[index].kind {
                ExprKind::Var(var) => {
                    var.rte == rte
                        && var.levels_up == 0
                        && usize::try_from(var.column)
                            .is_ok_and(|column| entry.columns.get(column).is_some_and(|c| c.attnum == *attnum))
                }
                _ => false,
            })
        };
        !table.primary_key.is_empty() && key.into_iter().all(is_common)
    }

    fn ungrouped(&self, part: &Expr, rte: usize, column: i32, depth: u32, direct_argument: bool) -> PgError {
        let entry = &self.query.range_table[rte];
        let name = match usize::try_from(column) {
            Ok(column) => entry.columns.get(column).map_or("?", |column| column.name.as_str()),
            Err(_) if column == system_column::TABLEOID => "tableoid",
            Err(_) => "*",
        };
        let column = format!("\"{}.{name}\"", entry.alias);
        let message = if depth == 0 {
            format!("column {column} must appear in the GROUP BY clause or be used in an aggregate function")
        } else {
            format!("subquery uses ungrouped column {column} from outer query")
        };
        let refusal = error(SqlState::GROUPING_ERROR, message).at(position(part.location));
        if direct_argument && depth == 0 {
            refusal.with_detail("Direct arguments of an ordered-set aggregate must use only grouped columns.")
        } else {
            refusal
        }
    }
}

/// The expression with columns of joins replaced by what they stand for.
fn flatten_join_columns(query: &Query, expr: &Expr) -> Expr {
    let mut flat = expr.clone();
    if query.range_table.iter().any(|entry| matches!(entry.kind, RteKind::Join { .. })) {
        flatten(query, &mut flat);
    }
    flat
}

fn flatten(query: &Query, expr: &mut Expr) {
    for_each_expr_mut(expr, &mut |part| {
        if let ExprKind::Var(var) = &part.kind
            && var.levels_up == 0
            && let RteKind::Join { join_columns } = &query.range_table[var.rte].kind
            && let Some(column) = usize::try_from(var.column).ok().and_then(|column| join_columns.get(column))
        {
            let mut column = column.clone();
            column.location = part.location;
            if let ExprKind::Coalesce(args) = &mut column.kind {
                args.iter_mut().for_each(|arg| arg.location = part.location);
            }
            flatten(query, &mut column);
            *part = column;
        }
    });
}
