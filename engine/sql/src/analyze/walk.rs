//! Walking over expressions and queries.
//!
//! [`children`] and [`children_mut`] know every node kind, so that no other walk has to. Subqueries are not children of
//! an expression: who wants them asks [`walk`], which counts query levels on the way down.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::expr::{Expr, ExprKind};
use crate::parse::on_grown_stack;
use crate::query::{FrameBound, FromItem, Query, RteKind};

macro_rules! expression_children {
    ($(#[$doc:meta])* $name:ident, $expr:ty, $iter:ident, $deref:ident, $opt:ident, [$($mutable:tt)?]) => {
        $(#[$doc])*
        pub fn $name<'e>(expr: $expr, visit: &mut dyn FnMut($expr)) {
            match &$($mutable)? expr.kind {
                ExprKind::Const(_)
                | ExprKind::Var(_)
                | ExprKind::Param(_)
                | ExprKind::ExecParam(_)
                | ExprKind::CaseTestExpr
                | ExprKind::Grouping(_)
                | ExprKind::SqlValue(_)
                | ExprKind::SetToDefault
                | ExprKind::NextValue(_) => {}
                ExprKind::Func(call) | ExprKind::SetReturning(call) => call.args.$iter().for_each(visit),
                ExprKind::DistinctFrom { func, .. } | ExprKind::NullIf(func) | ExprKind::ScalarArrayOp { func, .. } => {
                    func.args.$iter().for_each(visit);
                }
                ExprKind::Bool(_, args)
                | ExprKind::Coalesce(args)
                | ExprKind::MinMax { args, .. }
                | ExprKind::Array { elements: args, .. }
                | ExprKind::Row(args) => args.$iter().for_each(visit),
                ExprKind::Case { arg, whens, default } => {
                    if let Some(arg) = arg.$deref() {
                        visit(arg);
                    }
                    for (condition, result) in whens {
                        visit(condition);
                        visit(result);
                    }
                    visit(default);
                }
                ExprKind::NullTest { arg, .. }
                | ExprKind::BooleanTest(arg, _)
                | ExprKind::Relabel(arg, _)
                | ExprKind::CoerceViaIo(arg, _)
                | ExprKind::Collate(arg)
                | ExprKind::Field(arg, _)
                | ExprKind::ApplyTypmod { arg, .. } => visit(arg),
                ExprKind::ArrayCoerce { arg, element } => {
                    visit(arg);
                    visit(element);
                }
                ExprKind::Subscript { arg, indexes, .. } => {
                    visit(arg);
                    for (lower, upper) in indexes {
                        lower.$iter().for_each(&mut *visit);
                        upper.$iter().for_each(&mut *visit);
                    }
                }
                ExprKind::SubscriptAssign { arg, indexes, value, .. } => {
                    visit(arg);
                    for (lower, upper) in indexes {
                        lower.$iter().for_each(&mut *visit);
                        upper.$iter().for_each(&mut *visit);
                    }
                    visit(value);
                }
                ExprKind::RowCompare { columns, .. } => {
                    for column in columns {
                        column.args.$iter().for_each(&mut *visit);
                    }
                }
                ExprKind::Aggregate(aggregate) => {
                    let aggregate = &$($mutable)? **aggregate;
                    aggregate.direct_args.$iter().for_each(&mut *visit);
                    aggregate.args.$iter().for_each(&mut *visit);
                    for item in &$($mutable)? aggregate.order_by {
                        visit(&$($mutable)? item.expr);
                    }
                    aggregate.filter.$iter().for_each(visit);
                }
                ExprKind::Window(call) => {
                    let call = &$($mutable)? **call;
                    call.args.$iter().for_each(&mut *visit);
                    call.filter.$iter().for_each(visit);
                }
                ExprKind::SubLink(link) => {
                    let link = &$($mutable)? **link;
                    link.test.$iter().for_each(&mut *visit);
                    link.left.$iter().for_each(visit);
                }
                ExprKind::SubPlan(plan) => {
                    let plan = &$($mutable)? **plan;
                    plan.test.$iter().for_each(&mut *visit);
                    plan.left.$iter().for_each(&mut *visit);
                    for (_, param) in &$($mutable)? plan.params {
                        visit(param);
                    }
                }
            }
        }
    };
}

expression_children! {
    /// Calls `visit` with each direct part of an expression, in the order of the text as far as there is one.
    children, &'e Expr, iter, as_deref, as_ref, []
}

expression_children! {
    /// Calls `visit` with each direct part of an expression, to be changed.
    children_mut, &'e mut Expr, iter_mut, as_deref_mut, as_mut, [mut]
}

/// Calls `visit` with the expression and all its parts, outside in, not entering subqueries.
pub fn for_each_expr<'e>(expr: &'e Expr, visit: &mut dyn FnMut(&'e Expr)) {
    on_grown_stack(|| {
        visit(expr);
        children(expr, &mut |child| for_each_expr(child, visit));
    });
}

/// Calls `change` with all parts of the expression and then the expression itself, not entering subqueries.
pub fn for_each_expr_mut(expr: &mut Expr, change: &mut dyn FnMut(&mut Expr)) {
    on_grown_stack(|| {
        children_mut(expr, &mut |child| for_each_expr_mut(child, change));
        change(expr);
    });
}

/// What a [`walk`] does next.
pub enum Descend {
    /// Looks into the parts of this expression, and into its subquery one level further down.
    Into,
    /// Leaves this expression alone.
    Over,
}

/// Walks over an expression and the subqueries in it, outside in. `visit` is told how many query levels below the
/// expression's own it is, and may break off with a result.
pub fn walk<B>(
    expr: &Expr,
    depth: u32,
    visit: &mut dyn FnMut(&Expr, u32) -> ControlFlow<B, Descend>,
) -> ControlFlow<B> {
    on_grown_stack(|| {
        if let Descend::Over = visit(expr, depth)? {
            return ControlFlow::Continue(());
        }
        let mut outcome = ControlFlow::Continue(());
        children(expr, &mut |child| {
            if outcome.is_continue() {
                outcome = walk(child, depth, visit);
            }
        });
        outcome?;
        match &expr.kind {
            ExprKind::SubLink(link) => walk_query(&link.query, depth + 1, visit),
            _ => ControlFlow::Continue(()),
        }
    })
}

/// Walks over every expression of a query, `depth` being the query's own level.
pub fn walk_query<B>(
    query: &Query,
    depth: u32,
    visit: &mut dyn FnMut(&Expr, u32) -> ControlFlow<B, Descend>,
) -> ControlFlow<B> {
    on_grown_stack(|| {
        for cte in &query.ctes {
            walk_query(&cte.query, depth + 1, visit)?;
        }
        for entry in &query.range_table {
            match &entry.kind {
                RteKind::Subquery(subquery) => walk_query(subquery, depth + 1, visit)?,
                RteKind::Functions { functions, .. } => {
                    for arg in functions.iter().flat_map(|function| &function.call.args) {
                        walk(arg, depth, visit)?;
                    }
                }
                RteKind::Values(rows) => {
                    for value in rows.iter().flatten() {
                        walk(value, depth, visit)?;
                    }
                }
                RteKind::Join { join_columns } => {
                    for column in join_columns {
                        walk(column, depth, visit)?;
                    }
                }
                RteKind::Relation { .. }
                | RteKind::System { .. }
                | RteKind::Cte { .. }
                | RteKind::Excluded
                | RteKind::Result => {}
            }
        }
        let mut outcome = ControlFlow::Continue(());
        own_expressions(query, &mut |expr| {
            if outcome.is_continue() {
                outcome = walk(expr, depth, visit);
            }
        });
        outcome
    })
}

/// Calls `visit` with the expressions of a query's clauses: not with those of its range table.
pub fn own_expressions<'q>(query: &'q Query, visit: &mut dyn FnMut(&'q Expr)) {
    for item in &query.from {
        join_conditions(item, visit);
    }
    query.qual.iter().for_each(&mut *visit);
    query.target_list.iter().for_each(|entry| visit(&entry.expr));
    query.returning.iter().for_each(|entry| visit(&entry.expr));
    query.having.iter().for_each(&mut *visit);
    for window in &query.windows {
        window.partition_by.iter().for_each(&mut *visit);
        window.order_by.iter().for_each(|(expr, _)| visit(expr));
        for bound in [&window.frame.start, &window.frame.end] {
            if let FrameBound::Preceding(offset) | FrameBound::Following(offset) = bound {
                visit(offset);
            }
        }
    }
    query.limit.iter().for_each(&mut *visit);
    query.offset.iter().for_each(&mut *visit);
    if let Some(update) = query.on_conflict.as_ref().and_then(|conflict| conflict.update.as_ref()) {
        update.set.iter().for_each(|entry| visit(&entry.expr));
        update.qual.iter().for_each(visit);
    }
}

/// [`own_expressions`], to be changed.
pub fn own_expressions_mut(query: &mut Query, visit: &mut dyn FnMut(&mut Expr)) {
    for item in &mut query.from {
        join_conditions_mut(item, visit);
    }
    query.qual.iter_mut().for_each(&mut *visit);
    query.target_list.iter_mut().for_each(|entry| visit(&mut entry.expr));
    query.returning.iter_mut().for_each(|entry| visit(&mut entry.expr));
    query.having.iter_mut().for_each(&mut *visit);
    for window in &mut query.windows {
        window.partition_by.iter_mut().for_each(&mut *visit);
        window.order_by.iter_mut().for_each(|(expr, _)| visit(expr));
        for bound in [&mut window.frame.start, &mut window.frame.end] {
            if let FrameBound::Preceding(offset) | FrameBound::Following(offset) = bound {
                visit(offset);
            }
        }
    }
    query.limit.iter_mut().for_each(&mut *visit);
    query.offset.iter_mut().for_each(&mut *visit);
    if let Some(update) = query.on_conflict.as_mut().and_then(|conflict| conflict.update.as_mut()) {
        update.set.iter_mut().for_each(|entry| visit(&mut entry.expr));
        update.qual.iter_mut().for_each(visit);
    }
}

fn join_conditions<'q>(item: &'q FromItem, visit: &mut dyn FnMut(&'q Expr)) {
    on_grown_stack(|| {
        if let FromItem::Join(join) = item {
            join_conditions(&join.left, visit);
            join_conditions(&join.right, visit);
            join.on.iter().for_each(visit);
        }
    });
}

fn join_conditions_mut(item: &mut FromItem, visit: &mut dyn FnMut(&mut Expr)) {
    on_grown_stack(|| {
        if let FromItem::Join(join) = item {
            join_conditions_mut(&mut join.left, visit);
            join_conditions_mut(&mut join.right, visit);
            join.on.iter_mut().for_each(visit);
        }
    });
}

/// Calls `change` with every expression in a query and in the queries inside it, parts before wholes.
pub fn for_each_query_expr_mut(query: &mut Query, change: &mut dyn FnMut(&mut Expr)) {
    on_grown_stack(|| {
        for cte in &mut query.ctes {
            for_each_query_expr_mut(Arc::make_mut(&mut cte.query), change);
        }
        for entry in &mut query.range_table {
            match &mut entry.kind {
                RteKind::Subquery(subquery) => for_each_query_expr_mut(Arc::make_mut(subquery), change),
                RteKind::Functions { functions, .. } => {
                    for arg in functions.iter_mut().flat_map(|function| &mut function.call.args) {
                        for_each_deep_mut(arg, change);
                    }
                }
                RteKind::Values(rows) => {
                    rows.iter_mut().flatten().for_each(|value| for_each_deep_mut(value, change));
                }
                RteKind::Join { join_columns } => {
                    join_columns.iter_mut().for_each(|column| for_each_deep_mut(column, change));
                }
                RteKind::Relation { .. }
                | RteKind::System { .. }
                | RteKind::Cte { .. }
                | RteKind::Excluded
                | RteKind::Result => {}
            }
        }
        own_expressions_mut(query, &mut |expr| for_each_deep_mut(expr, change));
    });
}

fn for_each_deep_mut(expr: &mut Expr, change: &mut dyn FnMut(&mut Expr)) {
    for_each_expr_mut(expr, &mut |part| {
        if let ExprKind::SubLink(link) = &mut part.kind {
            for_each_query_expr_mut(Arc::make_mut(&mut link.query), change);
        }
        change(part);
    });
}

/// Calls `change` with a query and with every one inside it, inner ones first.
pub fn for_each_query_mut(query: &mut Query, change: &mut dyn FnMut(&mut Query)) {
    on_grown_stack(|| {
        for cte in &mut query.ctes {
            for_each_query_mut(Arc::make_mut(&mut cte.query), change);
        }
        let in_expression = |expr: &mut Expr, change: &mut dyn FnMut(&mut Query)| {
            for_each_expr_mut(expr, &mut |part| {
                if let ExprKind::SubLink(link) = &mut part.kind {
                    for_each_query_mut(Arc::make_mut(&mut link.query), change);
                }
            });
        };
        for entry in &mut query.range_table {
            match &mut entry.kind {
                RteKind::Subquery(subquery) => for_each_query_mut(Arc::make_mut(subquery), change),
                RteKind::Functions { functions, .. } => {
                    for arg in functions.iter_mut().flat_map(|function| &mut function.call.args) {
                        in_expression(arg, change);
                    }
                }
                RteKind::Values(rows) => rows.iter_mut().flatten().for_each(|value| in_expression(value, change)),
                RteKind::Join { .. }
                | RteKind::Relation { .. }
                | RteKind::System { .. }
                | RteKind::Cte { .. }
                | RteKind::Excluded
                | RteKind::Result => {}
            }
        }
        own_expressions_mut(query, &mut |expr| in_expression(expr, change));
        change(query);
    });
}

/// Lets a query stand `deeper` levels further down: what in it refers to levels above it counts that many more.
pub fn shift_query_levels(query: &mut Query, deeper: u32) {
    shift_query(query, deeper, 0);
}

/// `depth` is how far the query is below the one that moves.
fn shift_query(query: &mut Query, deeper: u32, depth: u32) {
    on_grown_stack(|| {
        for cte in &mut query.ctes {
            shift_query(Arc::make_mut(&mut cte.query), deeper, depth + 1);
        }
        for entry in &mut query.range_table {
            match &mut entry.kind {
                RteKind::Subquery(subquery) => shift_query(Arc::make_mut(subquery), deeper, depth + 1),
                RteKind::Cte { levels_up, .. } if *levels_up > depth => *levels_up += deeper,
                RteKind::Functions { functions, .. } => {
                    for arg in functions.iter_mut().flat_map(|function| &mut function.call.args) {
                        shift_expr(arg, deeper, depth);
                    }
                }
                RteKind::Values(rows) => {
                    for value in rows.iter_mut().flatten() {
                        shift_expr(value, deeper, depth);
                    }
                }
                RteKind::Join { join_columns } => {
                    for column in join_columns {
                        shift_expr(column, deeper, depth);
                    }
                }
                RteKind::Cte { .. }
                | RteKind::Relation { .. }
                | RteKind::System { .. }
                | RteKind::Excluded
                | RteKind::Result => {}
            }
        }
        own_expressions_mut(query, &mut |expr| shift_expr(expr, deeper, depth));
    });
}

fn shift_expr(expr: &mut Expr, deeper: u32, depth: u32) {
    for_each_expr_mut(expr, &mut |part| match &mut part.kind {
        ExprKind::Var(var) if var.levels_up > depth => var.levels_up += deeper,
        ExprKind::Aggregate(aggregate) if aggregate.levels_up > depth => aggregate.levels_up += deeper,
        ExprKind::SubLink(link) => shift_query(Arc::make_mut(&mut link.query), deeper, depth + 1),
        _ => {}
    });
}

/// Whether the expression has a Var of the query `level` levels up (`contain_vars_of_level`).
pub(super) fn contains_level_var(expr: &Expr, level: u32) -> bool {
    level_var(expr, level).is_some()
}

/// The place of the first Var of that level; `Some(None)` when it has no place.
pub(super) fn level_var(expr: &Expr, level: u32) -> Option<Option<u32>> {
    walk(expr, level, &mut |part, depth| match &part.kind {
        ExprKind::Var(var) if var.levels_up == depth => ControlFlow::Break(part.location),
        _ => ControlFlow::Continue(Descend::Into),
    })
    .break_value()
}

/// The first part of the expression, subqueries apart, that `is` says; the expression itself included.
pub(super) fn find<'e>(expr: &'e Expr, is: &dyn Fn(&Expr) -> bool) -> Option<&'e Expr> {
    let mut found = None;
    for_each_expr(expr, &mut |part| {
        if found.is_none() && is(part) {
            found = Some(part);
        }
    });
    found
}
