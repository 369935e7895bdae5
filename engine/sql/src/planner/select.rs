//! SELECT above FROM and WHERE.
//!
//! ```text
//!   FROM, WHERE ─▶ [project keys and arguments ─▶ aggregate ─▶ HAVING] ─▶ [sort ─▶ window]* ─▶ target list
//!               ─▶ [set-returning functions] ─▶ [DISTINCT] ─▶ [sort] ─▶ [lock rows] ─▶ [limit] ─▶ drop junk
//! ```

use std::rc::Rc;
use std::sync::Arc;

use helios_env::hash::HashSet;
use helios_types::{Oid, PgError, Result};

use super::cost::{CPU_OPERATOR, CPU_TUPLE, FUNCTION_ROWS, width};
use super::from::{FromWhere, Tree, vars_of};
use super::node::{position, scalars, sort_key};
use super::scope::Scope;
use super::{Planner, from};
use crate::analyze::{children, for_each_expr};
use crate::expr::{Aggregate, Expr, ExprKind, SortOrder, Var};
use crate::plan::catalog::proc;
use crate::plan::{
    AggregateCall, AggregateStrategy, Aggregation, Cost, FunctionCall, NodeKind, PlanNode, Scalar, SetTarget, SortKey,
};
use crate::query::{Distinct, Query, SortClause};

impl Planner<'_> {
    /// A SELECT that is no set operation.
    pub(super) fn select(&mut self, query: &Query, scope: &Rc<Scope>) -> Result<Arc<PlanNode>> {
        let contents = self.from_where(query, scope)?;
        let targets = self.resolve_all(query.target_list.iter().map(|target| &target.expr), scope)?;
        let having = match &query.having {
            Some(having) => {
                let mut conditions = Vec::new();
                from::conjuncts(&self.resolve(having, scope)?, &mut conditions);
                conditions
            }
            None => Vec::new(),
        };
        let mut needed = HashSet::default();
        targets.iter().chain(&having).for_each(|expr| vars_of(expr, &mut needed));
        for clause in &query.windows {
            let parts = clause.partition_by.iter().chain(clause.order_by.iter().map(|(expr, _)| expr));
            for expr in parts {
                let resolved = self.resolve(expr, scope)?;
                vars_of(&resolved, &mut needed);
            }
        }
        let grouped = query.has_aggregates || !query.group_by.is_empty() || !query.grouping_sets.is_empty();
        if !query.row_marks.is_empty() {
            return self.locking_select(query, scope, contents, &targets, needed);
        }
        let mut node = match self.ordered_input(query, &targets, &contents, &needed, grouped)? {
            Some(node) => node,
            None => self.plan_from(contents, &needed)?,
        };
        if grouped {
            node = self.group(node, query, &targets, &having)?;
        }
        if !query.windows.is_empty() {
            node = self.windows(node, query, &targets, scope)?;
        }
        node = self.target_list(node, &targets, query.has_target_srfs)?;
        match &query.distinct {
            None => {}
            Some(Distinct::All) => node = self.distinct(node, query, &targets)?,
            Some(Distinct::On(keys)) => return self.distinct_on(node, query, keys, &targets, scope),
        }
        self.order_and_limit(node, query, &targets, scope)
    }

    /// FROM of one table read in the order asked for, if nothing in between undoes the order.
    fn ordered_input(
        &mut self,
        query: &Query,
        targets: &[Expr],
        contents: &FromWhere,
        needed: &HashSet<Var>,
        grouped: bool,
    ) -> Result<Option<Arc<PlanNode>>> {
        let [Tree::Rel(rte)] = contents.trees.as_slice() else { return Ok(None) };
        let plain = !grouped
            && query.windows.is_empty()
            && query.distinct.is_none()
            && !query.has_target_srfs
            && contents.sides.is_empty();
        if !plain || query.order_by.is_empty() {
            return Ok(None);
        }
        let order: Vec<(Expr, SortOrder)> =
            query.order_by.iter().map(|key| (targets[key.target].clone(), key.order)).collect();
        self.ordered_scan(*rte, &contents.conditions, needed, &order, query.limit.is_some())
    }

    /// Groups and aggregates.
    fn group(
        &mut self,
        input: Arc<PlanNode>,
        query: &Query,
        targets: &[Expr],
        having: &[Expr],
    ) -> Result<Arc<PlanNode>> {
        let mut keys: Vec<Expr> = Vec::new();
        let mut key_of_clause = Vec::new();
        for clause in &query.group_by {
            let expr = &targets[clause.target];
            let at = keys.iter().position(|known| known == expr).unwrap_or_else(|| {
                keys.push(expr.clone());
                keys.len() - 1
            });
            key_of_clause.push(at);
        }
        if query.grouping_sets.is_empty() && !keys.is_empty() {
            // Columns that a primary key among the keys decides are keys too: they split no group.
            let mut dependent = Vec::new();
            targets.iter().chain(having).for_each(|expr| ungrouped(expr, &keys, &mut dependent));
            keys.extend(dependent);
        }
        let mut aggregates: Vec<(Expr, Aggregate)> = Vec::new();
        let mut groupings: Vec<(Expr, Vec<usize>)> = Vec::new();
        for expr in targets.iter().chain(having) {
            for_each_expr(expr, &mut |part| match &part.kind {
                ExprKind::Aggregate(aggregate) if !aggregates.iter().any(|(known, _)| known == part) => {
                    aggregates.push((part.clone(), (**aggregate).clone()));
                }
                ExprKind::Grouping(clauses) if !groupings.iter().any(|(known, _)| known == part) => {
                    groupings.push((part.clone(), clauses.iter().map(|at| key_of_clause[*at]).collect()));
                }
                _ => {}
            });
        }
        let mut columns: Vec<Expr> = keys.clone();
        let mut add = |expr: &Expr| {
            if !columns.contains(expr) {
                columns.push(expr.clone());
            }
        };
        for (_, aggregate) in &aggregates {
            aggregate.args.iter().chain(&aggregate.filter).for_each(&mut add);
            aggregate.order_by.iter().for_each(|item| add(&item.expr));
        }
        let input = self.project(input, &columns)?;
        let mut calls = Vec::with_capacity(aggregates.len());
        for (expr, aggregate) in &aggregates {
            calls.push(aggregate_call(expr, aggregate, &input.output)?);
        }
        let key_columns: Result<Vec<usize>> = keys.iter().map(|key| position(&input.output, key)).collect();
        let sets: Vec<Vec<usize>> = query
            .grouping_sets
            .iter()
            .map(|set| {
                let mut set: Vec<usize> = set.iter().map(|at| key_of_clause[*at]).collect();
                set.sort_unstable();
                set.dedup();
                set
            })
            .collect();
        let rows = if keys.is_empty() && sets.is_empty() {
            1.0
        } else {
            (input.cost.rows / 10.0).clamp(1.0, 200.0_f64.max(input.cost.rows / 10.0))
        };
        let output: Vec<Expr> = keys
            .iter()
            .cloned()
            .chain(aggregates.iter().map(|(expr, _)| expr.clone()))
            .chain(groupings.iter().map(|(expr, _)| expr.clone()))
            .collect();
        let total = input.cost.total + input.cost.rows * CPU_OPERATOR * (1 + calls.len()) as f64;
        let cost = Cost { startup: total, total: total + rows * CPU_TUPLE, rows, width: width(&output) };
        let strategy =
            if keys.is_empty() && sets.is_empty() { AggregateStrategy::Plain } else { AggregateStrategy::Hashed };
        let aggregation = Aggregation {
            input,
            strategy,
            keys: key_columns?,
            sets,
            calls,
            groupings: groupings.into_iter().map(|(_, keys)| keys).collect(),
        };
        let node = self.node(NodeKind::Aggregate(aggregation), output, cost);
        self.filter(node, having)
    }

    /// The target list, with set-returning functions if there are any.
    pub(super) fn target_list(
        &mut self,
        input: Arc<PlanNode>,
        targets: &[Expr],
        has_srfs: bool,
    ) -> Result<Arc<PlanNode>> {
        let is_set = |expr: &Expr| matches!(expr.kind, ExprKind::SetReturning(_));
        if !has_srfs {
            return self.project(input, targets);
        }
        // Calls within expressions are computed below, and those within the arguments of calls further below.
        let mut nested: Vec<Expr> = Vec::new();
        for target in targets {
            let mut visit = |part: &Expr| {
                if is_set(part) && part != target && !nested.contains(part) {
                    nested.push(part.clone());
                }
            };
            for_each_expr(target, &mut |part| visit(part));
        }
        if nested.is_empty() {
            return self.project_set(input, targets);
        }
        // What is called at the same depth runs in step: the deepest first.
        let depth = |expr: &Expr| set_depth(expr);
        let top = nested.iter().chain(targets).map(depth).max().unwrap_or(0);
        let mut node = input;
        for level in 1..=top {
            let calls: Vec<Expr> = nested
                .iter()
                .chain(targets.iter().filter(|target| is_set(target)))
                .filter(|call| depth(call) == level)
                .cloned()
                .collect();
            let mut columns = node.output.clone();
            for call in calls {
                if !columns.contains(&call) {
                    columns.push(call);
                }
            }
            node = self.project_set(node, &columns)?;
        }
        self.project(node, targets)
    }

    fn project_set(&mut self, input: Arc<PlanNode>, targets: &[Expr]) -> Result<Arc<PlanNode>> {
        let mut set_targets = Vec::with_capacity(targets.len());
        for target in targets {
            set_targets.push(match &target.kind {
                ExprKind::SetReturning(call) if !input.output.contains(target) => SetTarget::Set(FunctionCall {
                    args: scalars(&call.args, &input.output)?,
                    call: call.clone(),
                    returns_set: true,
                    ty: target.ty,
                    columns: vec![target.ty],
                }),
                _ => SetTarget::Scalar(Scalar::new(target.clone(), &input.output)?),
            });
        }
        let rows = input.cost.rows * FUNCTION_ROWS;
        let cost = Cost {
            total: input.cost.total + rows * CPU_TUPLE,
            rows,
            width: width(targets),
            startup: input.cost.startup,
        };
        Ok(self.node(NodeKind::ProjectSet { input, targets: set_targets }, targets.to_vec(), cost))
    }

    /// DISTINCT: over all columns that are not junk (ORDER BY may name no others).
    fn distinct(&mut self, node: Arc<PlanNode>, query: &Query, targets: &[Expr]) -> Result<Arc<PlanNode>> {
        let kept: Vec<Expr> = shown(query, targets);
        let node = self.project(node, &kept)?;
        Ok(self.distinct_rows(node))
    }

    fn distinct_on(
        &mut self,
        node: Arc<PlanNode>,
        query: &Query,
        on: &[SortClause],
        targets: &[Expr],
        scope: &Rc<Scope>,
    ) -> Result<Arc<PlanNode>> {
        let mut keys = self.sort_keys(&node, query, targets)?;
        let mut compared = Vec::new();
        for clause in on {
            let key = sort_key(&node.output, &targets[clause.target], clause.order, clause.collation)?;
            compared.push(key.column);
            if !keys.iter().any(|known| known.column == key.column) {
                keys.push(key);
            }
        }
        // DISTINCT ON's columns lead, as ORDER BY's leading ones must be among them.
        let (mut leading, rest): (Vec<SortKey>, Vec<SortKey>) =
            keys.into_iter().partition(|key| compared.contains(&key.column));
        leading.extend(rest);
        let node = self.sort(node, leading);
        let cost = Cost { rows: (node.cost.rows * 0.5).max(1.0), ..node.cost };
        let output = node.output.clone();
        let node = self.node(NodeKind::Unique { input: node, keys: compared }, output, cost);
        let node = self.limit(node, query, targets, scope)?;
        self.project(node, &shown(query, targets))
    }

    fn sort_keys(&self, node: &PlanNode, query: &Query, targets: &[Expr]) -> Result<Vec<SortKey>> {
        let mut keys: Vec<SortKey> = Vec::new();
        for clause in &query.order_by {
            let key = sort_key(&node.output, &targets[clause.target], clause.order, clause.collation)?;
            if !keys.iter().any(|known| known.column == key.column) {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    /// ORDER BY, LIMIT, and away with the junk.
    pub(super) fn order_and_limit(
        &mut self,
        mut node: Arc<PlanNode>,
        query: &Query,
        targets: &[Expr],
        scope: &Rc<Scope>,
    ) -> Result<Arc<PlanNode>> {
        if !is_ordered(&node, query, targets) {
            let keys = self.sort_keys(&node, query, targets)?;
            node = self.sort(node, keys);
        }
        node = self.limit(node, query, targets, scope)?;
        self.project(node, &shown(query, targets))
    }

    pub(super) fn limit(
        &mut self,
        node: Arc<PlanNode>,
        query: &Query,
        targets: &[Expr],
        scope: &Rc<Scope>,
    ) -> Result<Arc<PlanNode>> {
        if query.limit.is_none() && query.offset.is_none() {
            return Ok(node);
        }
        let mut scalar = |expr: &Option<Expr>| match expr {
            Some(expr) => Scalar::new(self.resolve(expr, scope)?, &[]).map(Some),
            None => Ok(None),
        };
        let (limit, offset) = (scalar(&query.limit)?, scalar(&query.offset)?);
        let ties = if query.with_ties {
            let keys = self.sort_keys(&node, query, targets)?;
            Some(keys.into_iter().map(|key| key.column).collect())
        } else {
            None
        };
        let count = |part: &Option<Scalar>| part.as_ref().and_then(|scalar| scalar.expr.as_const().cloned());
        let rows = match count(&limit) {
            Some(helios_types::Datum::I64(rows)) => (rows as f64).min(node.cost.rows).max(1.0),
            _ => node.cost.rows,
        };
        let share = rows / node.cost.rows.max(1.0);
        let total = node.cost.startup + (node.cost.total - node.cost.startup) * share;
        let cost = Cost { total, rows, ..node.cost };
        let output = node.output.clone();
        Ok(self.node(NodeKind::Limit { input: node, limit, offset, ties }, output, cost))
    }
}

/// The target list without its junk.
pub(super) fn shown(query: &Query, targets: &[Expr]) -> Vec<Expr> {
    targets.iter().zip(&query.target_list).filter(|(_, target)| !target.junk).map(|(expr, _)| expr.clone()).collect()
}

/// Whether rows come in the order of ORDER BY already, because an index was read in it.
fn is_ordered(node: &PlanNode, query: &Query, targets: &[Expr]) -> bool {
    query.order_by.is_empty() || node_is_ordered_for(node, query, targets)
}

fn node_is_ordered_for(node: &PlanNode, query: &Query, targets: &[Expr]) -> bool {
    match &node.kind {
        NodeKind::Project { input, .. } | NodeKind::Filter { input, .. } | NodeKind::OneTimeFilter { input, .. } => {
            node_is_ordered_for(input, query, targets)
        }
        NodeKind::IndexScan(scan) => {
            let keys: Vec<Option<Var>> = scan
                .index
                .keys
                .iter()
                .map(|key| {
                    let at = scan.scan.columns.iter().position(|attnum| *attnum == key.attnum)?;
                    match &node.output[at].kind {
                        ExprKind::Var(var) => Some(*var),
                        _ => None,
                    }
                })
                .collect();
            if scan.equal.iter().any(|bound| bound.any) {
                return false;
            }
            let fixed = &keys[..scan.equal.len()];
            let mut at = scan.equal.len();
            query.order_by.iter().all(|clause| {
                let ExprKind::Var(var) = targets[clause.target].kind else { return false };
                if fixed.contains(&Some(var)) {
                    return true;
                }
                let (Some(key), Some(definition)) = (keys.get(at), scan.index.keys.get(at)) else { return false };
                at += 1;
                *key == Some(var)
                    && (definition.descending != scan.backward) == clause.order.descending
                    && (definition.nulls_first != scan.backward) == clause.order.nulls_first
            })
        }
        _ => false,
    }
}

/// How many set-returning calls are nested in an expression.
fn set_depth(expr: &Expr) -> usize {
    let mut below = 0;
    crate::analyze::children(expr, &mut |child| below = below.max(set_depth(child)));
    below + usize::from(matches!(expr.kind, ExprKind::SetReturning(_)))
}

fn aggregate_call(expr: &Expr, aggregate: &Aggregate, input: &[Expr]) -> Result<AggregateCall> {
    let found = proc(aggregate.function)?;
    let factory = crate::functions::aggregates::lookup(found.name, &found.arg_types)
        .ok_or_else(|| PgError::unsupported(format_args!("aggregate {}", crate::plan::catalog::signature(found))))?;
    let args: Result<Vec<usize>> = aggregate.args.iter().map(|arg| position(input, arg)).collect();
    let order: Result<Vec<SortKey>> =
        aggregate.order_by.iter().map(|item| sort_key(input, &item.expr, item.order, Oid::NONE)).collect();
    Ok(AggregateCall {
        expr: expr.clone(),
        factory,
        args: args?,
        arg_types: aggregate.args.iter().map(|arg| arg.ty.oid).collect(),
        direct: scalars(&aggregate.direct_args, &[])?,
        filter: aggregate.filter.as_ref().map(|filter| position(input, filter)).transpose()?,
        distinct: aggregate.distinct,
        order: order?,
        ty: expr.ty,
        collation: aggregate.input_collation,
        name: found.name,
    })
}

/// The columns outside of aggregates that are no part of a key.
fn ungrouped(expr: &Expr, keys: &[Expr], found: &mut Vec<Expr>) {
    match &expr.kind {
        _ if keys.contains(expr) => {}
        ExprKind::Aggregate(_) | ExprKind::Grouping(_) => {}
        ExprKind::Var(_) => {
            if !found.contains(expr) {
                found.push(expr.clone());
            }
        }
        _ => children(expr, &mut |child| ungrouped(child, keys, found)),
    }
}
