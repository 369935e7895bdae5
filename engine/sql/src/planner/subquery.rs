//! Subqueries in expressions: as joins where that is the same, else as subplans.

use std::rc::Rc;

use helios_types::{PgError, Result, oid};

use super::Planner;
use super::from::FromWhere;
use super::join::JoinSide;
use super::scope::Scope;
use crate::analyze::children_mut;
use crate::expr::{BoolOp, Expr, ExprKind, ExprType, SubLink, SubLinkKind, SubPlan};
use crate::plan::catalog::is_plain_equality;
use crate::plan::{ParamSet, Subplan};
use crate::query::{Command, JoinKind, Query};

impl Planner<'_> {
    /// Plans a subquery in an expression of the query that `scope` is of.
    pub(super) fn sub_link(&mut self, link: &SubLink, ty: ExprType, scope: &Rc<Scope>) -> Result<Expr> {
        let left = self.resolve_all(&link.left, scope)?;
        let types: Vec<ExprType> =
            link.query.target_list.iter().filter(|target| !target.junk).map(|target| target.expr.ty).collect();
        let columns: Vec<usize> =
            if link.test.is_some() { types.iter().map(|_| self.new_param()).collect() } else { Vec::new() };
        let test = match &link.test {
            Some(test) => {
                let mut test = test.clone();
                replace_placeholders(&mut test, &|at| columns.get(at).map(|param| ExprKind::ExecParam(*param)));
                Some(self.resolve(&test, scope)?)
            }
            None => None,
        };
        let root = match link.kind {
            // Nobody reads what it selects.
            SubLinkKind::Exists => self.quietly(|planner| planner.query(&link.query, Some(scope)))?,
            _ => self.query(&link.query, Some(scope))?,
        };
        let mut depends = root.depends.clone();
        let mut params = Vec::new();
        let mut stale = ParamSet::default();
        for param in depends.iter() {
            let Some(value) = self.outer_value(param) else { continue };
            let local = match (&value.aggregated_in, &value.expr.kind) {
                (Some(owner), _) => Rc::ptr_eq(owner, scope),
                (None, ExprKind::Var(var)) => self.is_local(var.rte, scope),
                (None, _) => false,
            };
            if local {
                params.push((param, value.expr.clone()));
                stale.insert(param);
            }
        }
        params.sort_by_key(|(param, _)| *param);
        depends.union(&stale);
        let init = depends.is_empty();
        let hashed = link.kind == SubLinkKind::Any
            && params.is_empty()
            && !left.is_empty()
            && left.len() == types.len()
            && test.as_ref().is_some_and(is_equalities);
        let index = self.subplans.len();
        let kind = if init { "InitPlan" } else { "SubPlan" };
        self.subplans.push(Subplan {
            root,
            types: types.clone(),
            depends,
            name: format!("{kind} {}", index + 1),
            init,
        });
        let plan = SubPlan { kind: link.kind.clone(), index, test, left, params, columns, types, hashed };
        Ok(Expr { kind: ExprKind::SubPlan(Box::new(plan)), ty, location: None })
    }

    /// Whether an entry belongs to this query (or to a subquery that was pulled up into it), not to one around it.
    fn is_local(&self, rte: usize, scope: &Rc<Scope>) -> bool {
        if (scope.base..scope.base + scope.entries.len()).contains(&rte) {
            return true;
        }
        // A pulled-up subquery's scope has this one as an ancestor; an enclosing query's has not.
        let owner = self.scopes.iter().find(|owner| (owner.base..owner.base + owner.entries.len()).contains(&rte));
        let mut above = owner.and_then(|owner| owner.parent.clone());
        while let Some(ancestor) = above {
            if Rc::ptr_eq(&ancestor, scope) {
                return true;
            }
            above = ancestor.parent.clone();
        }
        false
    }

    /// A condition of WHERE or ON that is a semi or anti join: EXISTS, NOT EXISTS, IN.
    pub(super) fn sub_link_join(
        &mut self,
        condition: &Expr,
        scope: &Rc<Scope>,
        _found: &FromWhere,
    ) -> Result<Option<JoinSide>> {
        let (link, negated) = match &condition.kind {
            ExprKind::SubLink(link) => (link, false),
            ExprKind::Bool(BoolOp::Not, args) => match args.first().map(|arg| &arg.kind) {
                Some(ExprKind::SubLink(link)) => (link, true),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        match link.kind {
            SubLinkKind::Exists => self.exists_join(&link.query, negated, scope),
            // NOT IN is no anti join: a NULL decides.
            SubLinkKind::Any if !negated => self.in_join(link, scope),
            _ => Ok(None),
        }
    }

    fn exists_join(&mut self, query: &Query, negated: bool, scope: &Rc<Scope>) -> Result<Option<JoinSide>> {
        if !can_be_side(query) || query.has_target_srfs || query.from.is_empty() {
            return Ok(None);
        }
        let below = self.open_scope(query, Some(scope))?;
        let contents = self.from_where(query, &below)?;
        self.side(contents, Vec::new(), if negated { JoinKind::Anti } else { JoinKind::Semi }, scope)
    }

    fn in_join(&mut self, link: &SubLink, scope: &Rc<Scope>) -> Result<Option<JoinSide>> {
        let Some(test) = &link.test else { return Ok(None) };
        if !is_equalities(test) || super::from::has_sub_link(test) {
            return Ok(None);
        }
        let query = &link.query;
        if !can_be_side(query) || query.has_target_srfs || query.from.is_empty() || query.distinct.is_some() {
            return Ok(None);
        }
        if query.target_list.iter().any(|target| super::cost::is_volatile(&target.expr)) {
            return Ok(None);
        }
        let below = self.open_scope(query, Some(scope))?;
        let contents = self.from_where(query, &below)?;
        let outputs: Result<Vec<Expr>> = query
            .target_list
            .iter()
            .filter(|target| !target.junk)
            .map(|target| self.resolve(&target.expr, &below))
            .collect();
        let outputs = outputs?;
        // The placeholders are put in after the outer columns were resolved: theirs are resolved already.
        let mut test = self.resolve(test, scope)?;
        replace_placeholders(&mut test, &|at| outputs.get(at).map(|output| output.kind.clone()));
        let mut conditions = Vec::new();
        super::from::conjuncts(&test, &mut conditions);
        self.side(contents, conditions, JoinKind::Semi, scope)
    }

    /// Makes a side of a subquery's contents: conditions with outer columns become the join's.
    fn side(
        &mut self,
        contents: FromWhere,
        mut joining: Vec<Expr>,
        kind: JoinKind,
        scope: &Rc<Scope>,
    ) -> Result<Option<JoinSide>> {
        let mut own = Vec::new();
        for mut condition in contents.conditions {
            if self.restore_outer(&mut condition, scope) { joining.push(condition) } else { own.push(condition) }
        }
        let mut sides = contents.sides;
        for side in &mut sides {
            for condition in &mut side.conditions {
                // A side of the side must not need what is outside of both.
                if self.restore_outer(&mut condition.clone(), scope) {
                    return Err(PgError::internal("a subquery that should not have become a join has"));
                }
            }
        }
        let unit = self.inner_list(contents.trees, own, sides)?;
        Ok(Some(JoinSide { kind, unit, conditions: joining }))
    }

    /// Turns parameters that stand for the scope's own columns back into those columns; whether there were any.
    fn restore_outer(&self, expr: &mut Expr, scope: &Rc<Scope>) -> bool {
        if let ExprKind::ExecParam(param) = expr.kind {
            if let Some(column) = self.outer_column(param)
                && let ExprKind::Var(var) = column.kind
                && self.is_local(var.rte, scope)
            {
                *expr = column.at(expr.location);
                return true;
            }
            return false;
        }
        let mut any = false;
        children_mut(expr, &mut |child| any |= self.restore_outer(child, scope));
        any
    }
}

/// Whether a subquery's rows are those of its FROM and WHERE, so that a join can ask for them.
fn can_be_side(query: &Query) -> bool {
    query.command == Command::Select
        && query.ctes.is_empty()
        && query.set_operation.is_none()
        && query.group_by.is_empty()
        && query.grouping_sets.is_empty()
        && query.having.is_none()
        && !query.has_aggregates
        && query.windows.is_empty()
        && query.limit.is_none()
        && query.offset.is_none()
        && query.row_marks.is_empty()
        && !correlates_deeply(query)
}

/// Whether outer columns are read anywhere but in the plain conditions of WHERE: then it stays a subplan.
fn correlates_deeply(query: &Query) -> bool {
    use crate::query::{FromItem, RteKind};
    fn outer_join(item: &FromItem) -> bool {
        match item {
            FromItem::Rte(_) => false,
            FromItem::Join(join) => join.kind != JoinKind::Inner || outer_join(&join.left) || outer_join(&join.right),
        }
    }
    let plain_entry =
        |kind: &RteKind| matches!(kind, RteKind::Relation { .. } | RteKind::System { .. } | RteKind::Join { .. });
    let nested = query.qual.as_ref().is_some_and(super::from::has_sub_link);
    nested || query.from.iter().any(outer_join) || !query.range_table.iter().all(|entry| plain_entry(&entry.kind))
}

/// Whether a comparison with a subquery's columns is nothing but equalities of one type.
fn is_equalities(test: &Expr) -> bool {
    match &test.kind {
        ExprKind::Func(call) => test.ty.oid == oid::BOOL && is_plain_equality(call),
        ExprKind::Bool(BoolOp::And, args) => args.iter().all(is_equalities),
        _ => false,
    }
}

/// Replaces the placeholders of a subquery's columns, leaving those of subqueries within alone.
fn replace_placeholders(expr: &mut Expr, replacement: &dyn Fn(usize) -> Option<ExprKind>) {
    match &expr.kind {
        ExprKind::ExecParam(at) => {
            if let Some(kind) = replacement(*at) {
                expr.kind = kind;
            }
        }
        ExprKind::SubLink(_) | ExprKind::SubPlan(_) => {}
        _ => children_mut(expr, &mut |child| replace_placeholders(child, replacement)),
    }
}
