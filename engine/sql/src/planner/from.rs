//! FROM and WHERE: from the tree that was written to units and conditions.
//!
//! Inner joins mean nothing but their conditions: they dissolve into one list of *units* and one list of conditions. An
//! outer join is a unit of its own, into which conditions are pushed where that cannot be seen: those on the preserved
//! side alone. A LEFT JOIN whose nullable side a condition above rejects NULLs of is an inner join.
//!
//! EXISTS and IN conditions become semi joins, NOT EXISTS an anti join; they are applied to the unit that they are
//! about, or at the end.

use std::rc::Rc;
use std::sync::Arc;

use helios_env::hash::HashSet;
use helios_types::{Datum, PgError, Result};

use super::Planner;
use super::join::{JoinSide, Unit};
use super::scope::{CteBinding, Scope};
use crate::analyze::{children, for_each_expr};
use crate::expr::{BoolOp, Expr, ExprKind, Var};
use crate::plan::PlanNode;
use crate::plan::catalog::proc;
use crate::query::{FromItem, JoinKind, Query, RteKind};

/// A set of range table entries (statement-wide numbers).
pub(super) type Rels = HashSet<usize>;

/// A join tree with its conditions resolved.
pub(super) enum Tree {
    /// An entry of the range table.
    Rel(usize),
    /// A join; Inner ones have dissolved except under outer joins.
    Join { kind: JoinKind, left: Box<Tree>, right: Box<Tree>, on: Vec<Expr> },
}

impl Tree {
    pub(super) fn rels(&self, into: &mut Rels) {
        match self {
            Tree::Rel(rte) => {
                into.insert(*rte);
            }
            Tree::Join { left, right, .. } => {
                left.rels(into);
                right.rels(into);
            }
        }
    }
}

/// The columns that an expression reads.
pub(super) fn vars_of(expr: &Expr, into: &mut HashSet<Var>) {
    for_each_expr(expr, &mut |part| {
        if let ExprKind::Var(var) = part.kind {
            into.insert(var);
        }
    });
}

/// The entries that an expression reads columns of.
pub(super) fn rels_of(expr: &Expr) -> Rels {
    let mut rels = Rels::default();
    for_each_expr(expr, &mut |part| {
        if let ExprKind::Var(var) = part.kind {
            rels.insert(var.rte);
        }
    });
    rels
}

/// The conditions that AND brings together.
pub(super) fn conjuncts(expr: &Expr, into: &mut Vec<Expr>) {
    match &expr.kind {
        ExprKind::Bool(BoolOp::And, args) => args.iter().for_each(|arg| conjuncts(arg, into)),
        ExprKind::Const(helios_types::Datum::Bool(true)) => {}
        _ => into.push(expr.clone()),
    }
}

/// FROM and WHERE, ready to be ordered.
pub(super) struct FromWhere {
    pub(super) trees: Vec<Tree>,
    pub(super) conditions: Vec<Expr>,
    pub(super) sides: Vec<JoinSide>,
}

impl Planner<'_> {
    /// Takes FROM and WHERE of a query apart.
    pub(super) fn from_where(&mut self, query: &Query, scope: &Rc<Scope>) -> Result<FromWhere> {
        let mut found = FromWhere { trees: Vec::new(), conditions: Vec::new(), sides: Vec::new() };
        for item in &query.from {
            self.pull_up(item, query, scope, &mut found)?;
        }
        for item in &query.from {
            let tree = self.tree(item, scope, &mut found)?;
            found.trees.extend(tree);
        }
        if let Some(qual) = &query.qual {
            self.where_conditions(qual, scope, &mut found)?;
        }
        Ok(found)
    }

    /// Splits a condition, turning EXISTS and IN into joins.
    pub(super) fn where_conditions(&mut self, qual: &Expr, scope: &Rc<Scope>, found: &mut FromWhere) -> Result<()> {
        let mut written = Vec::new();
        conjuncts(qual, &mut written);
        let before = self.quiet;
        for condition in written {
            if let Some(side) = self.sub_link_join(&condition, scope, found)? {
                found.sides.push(side);
                continue;
            }
            let resolved = self.resolve(&condition, scope)?;
            // What stands behind a condition that never holds is not reached.
            self.quiet |= matches!(resolved.as_const(), Some(Datum::Bool(false)));
            conjuncts(&resolved, &mut found.conditions);
        }
        self.quiet = before;
        Ok(())
    }

    /// Replaces simple subqueries in FROM, unless they are under an outer join, by their contents.
    fn pull_up(&mut self, item: &FromItem, query: &Query, scope: &Rc<Scope>, found: &mut FromWhere) -> Result<()> {
        match item {
            FromItem::Join(join) => {
                if join.kind != JoinKind::Inner {
                    return Ok(());
                }
                self.pull_up(&join.left, query, scope, found)?;
                self.pull_up(&join.right, query, scope, found)
            }
            FromItem::Rte(rte) => {
                let subquery = match &scope.entries[*rte].kind {
                    RteKind::Subquery(subquery) if !scope.entries[*rte].lateral => subquery.clone(),
                    _ => return Ok(()),
                };
                if !is_simple(&subquery) || query.row_marks.iter().any(|mark| mark.rte == *rte) {
                    return Ok(());
                }
                let below = self.open_scope(&subquery, Some(scope))?;
                let contents = self.from_where(&subquery, &below)?;
                // Failures are those of whoever reads the columns.
                let targets = subquery.target_list.iter().filter(|target| !target.junk);
                let columns: Result<Vec<Expr>> =
                    self.quietly(|planner| targets.map(|target| planner.resolve(&target.expr, &below)).collect());
                scope.set_alias(*rte, columns?);
                found.trees.extend(contents.trees);
                found.conditions.extend(contents.conditions);
                found.sides.extend(contents.sides);
                Ok(())
            }
        }
    }

    fn tree(&mut self, item: &FromItem, scope: &Rc<Scope>, found: &mut FromWhere) -> Result<Option<Tree>> {
        match item {
            FromItem::Rte(rte) => Ok((!scope.is_pulled_up(*rte)).then(|| Tree::Rel(scope.base + rte))),
            FromItem::Join(join) => {
                let left = self.tree(&join.left, scope, found)?;
                let right = self.tree(&join.right, scope, found)?;
                let mut on = Vec::new();
                if let Some(condition) = &join.on {
                    let mut written = Vec::new();
                    conjuncts(condition, &mut written);
                    for condition in written {
                        if join.kind == JoinKind::Inner
                            && let Some(side) = self.sub_link_join(&condition, scope, found)?
                        {
                            found.sides.push(side);
                            continue;
                        }
                        let resolved = self.resolve(&condition, scope)?;
                        conjuncts(&resolved, &mut on);
                    }
                }
                match (left, right) {
                    (Some(left), Some(right)) => {
                        Ok(Some(Tree::Join { kind: join.kind, left: Box::new(left), right: Box::new(right), on }))
                    }
                    // A side that was pulled up is in the list already.
                    (left, right) => {
                        found.conditions.extend(on);
                        Ok(left.or(right))
                    }
                }
            }
        }
    }
}

impl Scope {
    fn is_pulled_up(&self, rte: usize) -> bool {
        matches!(self.entries[rte].kind, RteKind::Subquery(_)) && self.has_alias(rte)
    }
}

/// Whether a subquery in FROM is nothing but tables and conditions, so that the outer query can do its work.
fn is_simple(query: &Query) -> bool {
    let plain = query.command == crate::query::Command::Select
        && query.ctes.is_empty()
        && query.group_by.is_empty()
        && query.grouping_sets.is_empty()
        && query.having.is_none()
        && !query.has_aggregates
        && !query.has_target_srfs
        && query.windows.is_empty()
        && query.distinct.is_none()
        && query.order_by.is_empty()
        && query.limit.is_none()
        && query.offset.is_none()
        && query.row_marks.is_empty()
        && query.set_operation.is_none()
        && !query.from.is_empty()
        && query.from.iter().all(is_inner);
    plain
        && query
            .target_list
            .iter()
            .all(|target| !target.junk && !super::cost::is_volatile(&target.expr) && !has_sub_link(&target.expr))
}

fn is_inner(item: &FromItem) -> bool {
    match item {
        FromItem::Rte(_) => true,
        FromItem::Join(join) => join.kind == JoinKind::Inner && is_inner(&join.left) && is_inner(&join.right),
    }
}

pub(super) fn has_sub_link(expr: &Expr) -> bool {
    let mut found = false;
    for_each_expr(expr, &mut |part| found |= matches!(part.kind, ExprKind::SubLink(_)));
    found
}

/// The entries whose columns, all NULL, keep the condition from being true.
pub(super) fn rejects_nulls_of(condition: &Expr, into: &mut Rels) {
    match &condition.kind {
        ExprKind::Func(call) if is_strict(call.function) => {
            call.args.iter().for_each(|arg| strict_rels(arg, into));
        }
        ExprKind::ScalarArrayOp { func, any: true } => {
            if let Some(scalar) = func.args.first() {
                strict_rels(scalar, into);
            }
        }
        ExprKind::NullTest { arg, negated: true, row: false } => strict_rels(arg, into),
        ExprKind::Bool(BoolOp::And, args) => args.iter().for_each(|arg| rejects_nulls_of(arg, into)),
        ExprKind::Bool(BoolOp::Not, args) => {
            if let Some(Expr { kind: ExprKind::Func(call), .. }) = args.first()
                && is_strict(call.function)
            {
                call.args.iter().for_each(|arg| strict_rels(arg, into));
            }
        }
        ExprKind::Bool(BoolOp::Or, args) => {
            let mut common: Option<Rels> = None;
            for arg in args {
                let mut rels = Rels::default();
                rejects_nulls_of(arg, &mut rels);
                common = Some(match common {
                    None => rels,
                    Some(common) => common.intersection(&rels).copied().collect(),
                });
            }
            into.extend(common.unwrap_or_default());
        }
        ExprKind::Var(var) => {
            into.insert(var.rte);
        }
        _ => {}
    }
}

/// The entries whose columns, NULL, make the value NULL.
fn strict_rels(value: &Expr, into: &mut Rels) {
    match &value.kind {
        ExprKind::Var(var) => {
            into.insert(var.rte);
        }
        ExprKind::Func(call) if is_strict(call.function) => call.args.iter().for_each(|arg| strict_rels(arg, into)),
        ExprKind::Relabel(..) | ExprKind::CoerceViaIo(..) | ExprKind::ApplyTypmod { .. } => {
            children(value, &mut |child| strict_rels(child, into));
        }
        _ => {}
    }
}

fn is_strict(function: helios_types::Oid) -> bool {
    proc(function).is_ok_and(|proc| proc.strict)
}

impl Planner<'_> {
    /// Orders and joins what FROM and WHERE hold. `needed`: the columns that are read above.
    pub(super) fn plan_from(&mut self, found: FromWhere, needed: &HashSet<Var>) -> Result<Arc<PlanNode>> {
        let FromWhere { trees, conditions, sides } = found;
        let mut needed = needed.clone();
        for side in &sides {
            side.conditions.iter().for_each(|condition| vars_of(condition, &mut needed));
        }
        let unit = self.inner_list(trees, conditions, sides)?;
        self.plan_unit(unit, &needed)
    }

    /// A list of trees joined by nothing but conditions.
    pub(super) fn inner_list(
        &mut self,
        trees: Vec<Tree>,
        mut conditions: Vec<Expr>,
        sides: Vec<JoinSide>,
    ) -> Result<Unit> {
        let mut pending: Vec<Tree> = trees;
        let mut units = Vec::new();
        let mut flat = Vec::new();
        pending.reverse();
        while let Some(tree) = pending.pop() {
            match tree {
                Tree::Join { kind: JoinKind::Inner, left, right, on } => {
                    conditions.extend(on);
                    pending.push(*right);
                    pending.push(*left);
                }
                other => flat.push(other),
            }
        }
        let mut rejecting = Rels::default();
        conditions.iter().for_each(|condition| rejects_nulls_of(condition, &mut rejecting));
        let mut again = Vec::new();
        for tree in flat {
            match reduce(tree, &rejecting) {
                Tree::Join { kind: JoinKind::Inner, left, right, on } => {
                    conditions.extend(on);
                    again.push(*left);
                    again.push(*right);
                }
                tree => units.push(tree),
            }
        }
        if !again.is_empty() {
            units.extend(again);
            return self.inner_list(units, conditions, sides);
        }
        let mut made = Vec::new();
        for tree in units {
            let mut rels = Rels::default();
            tree.rels(&mut rels);
            // Conditions on one unit alone go down with it.
            let (mine, others): (Vec<Expr>, Vec<Expr>) = conditions.into_iter().partition(|condition| {
                let read = rels_of(condition);
                !read.is_empty() && read.is_subset(&rels)
            });
            conditions = others;
            made.push(self.unit(tree, mine)?);
        }
        Ok(Unit::List { units: made, conditions, sides })
    }
}

/// Outer joins whose nullable side is rejected above are inner ones.
fn reduce(tree: Tree, rejecting: &Rels) -> Tree {
    let Tree::Join { kind, left, right, on } = tree else { return tree };
    let rejected = |side: &Tree| {
        let mut rels = Rels::default();
        side.rels(&mut rels);
        !rels.is_disjoint(rejecting)
    };
    let kind = match kind {
        JoinKind::Left if rejected(&right) => JoinKind::Inner,
        JoinKind::Right if rejected(&left) => JoinKind::Inner,
        JoinKind::Full => match (rejected(&left), rejected(&right)) {
            (true, true) => JoinKind::Inner,
            (true, false) => JoinKind::Left,
            (false, true) => JoinKind::Right,
            (false, false) => JoinKind::Full,
        },
        other => other,
    };
    Tree::Join { kind, left, right, on }
}

/// What a reference to a WITH query has become.
pub(super) fn cte_binding(scope: &Rc<Scope>, levels_up: u32, index: usize) -> Result<CteBinding> {
    let owner = scope.ancestor(levels_up)?;
    let bindings = owner.ctes.borrow();
    bindings.get(index).cloned().ok_or_else(|| PgError::internal("a WITH query that is not there"))
}
