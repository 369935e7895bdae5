//! Making plan nodes: what each depends on and costs.

use std::sync::Arc;

use helios_types::{Oid, Result};

use super::Planner;
use super::cost;
use crate::analyze::for_each_expr;
use crate::expr::{Expr, ExprKind, SortOrder};
use crate::plan::{Cost, KeyBound, ModifyAction, NodeKind, ParamSet, PlanNode, Scalar, SetTarget, SortKey, TableScan};

impl Planner<'_> {
    /// A node of this kind.
    pub(super) fn node(&self, kind: NodeKind, output: Vec<Expr>, cost: Cost) -> Arc<PlanNode> {
        let depends = self.depends(&kind);
        Arc::new(PlanNode { kind, output, cost, depends })
    }

    /// The executor parameters that an expression reads and that are set outside of it.
    pub(super) fn params_of(&self, expr: &Expr, into: &mut ParamSet) {
        for_each_expr(expr, &mut |part| match &part.kind {
            ExprKind::ExecParam(param) => into.insert(*param),
            ExprKind::SubPlan(plan) => {
                let mut inner = self.subplans[plan.index].depends.clone();
                plan.params.iter().for_each(|(param, _)| inner.remove(*param));
                into.union(&inner);
            }
            _ => {}
        });
        // Parameters that stand for a subquery's own columns are set by the expression itself.
        for_each_expr(expr, &mut |part| {
            if let ExprKind::SubPlan(plan) = &part.kind {
                plan.columns.iter().for_each(|param| into.remove(*param));
            }
        });
    }

    fn depends(&self, kind: &NodeKind) -> ParamSet {
        let mut set = ParamSet::default();
        let scalar = |scalar: &Scalar, set: &mut ParamSet| self.params_of(&scalar.expr, set);
        let mut inner_set = Vec::new();
        match kind {
            NodeKind::Result
            | NodeKind::Empty
            | NodeKind::SystemScan { .. }
            | NodeKind::SubqueryScan { .. }
            | NodeKind::Materialize { .. }
            | NodeKind::Sort { .. }
            | NodeKind::Unique { .. }
            | NodeKind::SetOp { .. }
            | NodeKind::Append { .. } => {}
            NodeKind::Values(rows) => rows.iter().flatten().for_each(|value| scalar(value, &mut set)),
            NodeKind::SeqScan(scan) => scan.filter.iter().for_each(|filter| scalar(filter, &mut set)),
            NodeKind::IndexScan(scan) => {
                scan.scan.filter.iter().for_each(|filter| scalar(filter, &mut set));
                let bounds = [&scan.lower, &scan.upper];
                let bounds = bounds.into_iter().flatten().map(|(bound, _)| bound).chain(&scan.equal);
                bounds.for_each(|bound| scalar(&bound.value, &mut set));
            }
            NodeKind::FunctionScan { functions, .. } => {
                functions.iter().flat_map(|function| &function.args).for_each(|arg| scalar(arg, &mut set));
            }
            NodeKind::CteScan { cte, .. } => set.union(&self.ctes[*cte].root.depends),
            NodeKind::WorkTableScan { .. } => {}
            NodeKind::RecursiveUnion { signal, .. } => inner_set.push(*signal),
            NodeKind::NestLoop(join) => {
                join.condition.iter().for_each(|condition| scalar(condition, &mut set));
                inner_set.extend(join.params.iter().map(|(param, _)| *param));
            }
            NodeKind::HashJoin(join) => {
                let all = join.outer_keys.iter().chain(&join.inner_keys).chain(&join.residual);
                all.for_each(|part| scalar(part, &mut set));
            }
            NodeKind::Aggregate(aggregation) => {
                aggregation.calls.iter().flat_map(|call| &call.direct).for_each(|direct| scalar(direct, &mut set));
            }
            NodeKind::Window(window) => {
                window.start_offset.iter().chain(&window.end_offset).for_each(|offset| scalar(offset, &mut set));
            }
            NodeKind::Limit { limit, offset, .. } => limit.iter().chain(offset).for_each(|part| scalar(part, &mut set)),
            NodeKind::Project { targets, .. } => targets.iter().for_each(|target| scalar(target, &mut set)),
            NodeKind::ProjectSet { targets, .. } => {
                for target in targets {
                    match target {
                        SetTarget::Scalar(target) => scalar(target, &mut set),
                        SetTarget::Set(call) => call.args.iter().for_each(|arg| scalar(arg, &mut set)),
                    }
                }
            }
            NodeKind::Filter { conditions, .. } | NodeKind::OneTimeFilter { conditions, .. } => {
                conditions.iter().for_each(|condition| scalar(condition, &mut set));
            }
            NodeKind::LockRows(lock) => {
                lock.recheck.iter().for_each(|condition| scalar(condition, &mut set));
                lock.recompute.iter().for_each(|(_, value)| scalar(value, &mut set));
            }
            NodeKind::ModifyTable(modify) => {
                modify.returning.iter().for_each(|value| scalar(value, &mut set));
                match &modify.action {
                    ModifyAction::Insert { on_conflict, .. } => {
                        if let Some(update) = on_conflict.as_ref().and_then(|plan| plan.update.as_ref()) {
                            update.set.iter().for_each(|(_, value)| scalar(value, &mut set));
                            update.conditions.iter().for_each(|value| scalar(value, &mut set));
                        }
                    }
                    ModifyAction::Update { set: values, recheck, .. } => {
                        values.iter().for_each(|(_, value)| scalar(value, &mut set));
                        recheck.iter().for_each(|value| scalar(value, &mut set));
                    }
                    ModifyAction::Delete { recheck, .. } => recheck.iter().for_each(|value| scalar(value, &mut set)),
                }
            }
        }
        for child in kind.children() {
            set.union(&child.depends);
        }
        inner_set.into_iter().for_each(|param| set.remove(param));
        set
    }

    /// Keeps the rows that all conditions hold for. Conditions without columns are looked at once.
    pub(super) fn filter(&self, input: Arc<PlanNode>, conditions: &[Expr]) -> Result<Arc<PlanNode>> {
        let (rows, once): (Vec<&Expr>, Vec<&Expr>) =
            conditions.iter().partition(|condition| has_columns(condition) || cost::is_volatile(condition));
        let mut node = input;
        if !rows.is_empty() {
            let scalars = scalars(rows.iter().copied(), &node.output)?;
            let selectivity: f64 = rows.iter().map(|condition| cost::selectivity(condition)).product();
            let estimate = Cost {
                rows: (node.cost.rows * selectivity).max(1.0),
                total: node.cost.total + node.cost.rows * cost::CPU_OPERATOR * rows.len() as f64,
                ..node.cost
            };
            let output = node.output.clone();
            node = self.node(NodeKind::Filter { input: node, conditions: scalars }, output, estimate);
        }
        if !once.is_empty() {
            let scalars = scalars(once, &[])?;
            let (output, estimate) = (node.output.clone(), node.cost);
            node = self.node(NodeKind::OneTimeFilter { input: node, conditions: scalars }, output, estimate);
        }
        Ok(node)
    }

    /// Computes these columns. Nothing is done when they are the input's already.
    pub(super) fn project(&self, input: Arc<PlanNode>, targets: &[Expr]) -> Result<Arc<PlanNode>> {
        if input.output == targets {
            return Ok(input);
        }
        let scalars = scalars(targets, &input.output)?;
        let estimate = Cost {
            total: input.cost.total + input.cost.rows * cost::CPU_OPERATOR * targets.len() as f64 * 0.1,
            width: cost::width(targets),
            ..input.cost
        };
        Ok(self.node(NodeKind::Project { input, targets: scalars }, targets.to_vec(), estimate))
    }

    /// Adds those columns that are not there yet.
    pub(super) fn project_more(&self, input: Arc<PlanNode>, more: &[Expr]) -> Result<Arc<PlanNode>> {
        let mut targets = input.output.clone();
        for expr in more {
            if !targets.contains(expr) {
                targets.push(expr.clone());
            }
        }
        self.project(input, &targets)
    }

    /// Sorts by columns.
    pub(super) fn sort(&self, input: Arc<PlanNode>, keys: Vec<SortKey>) -> Arc<PlanNode> {
        if keys.is_empty() {
            return input;
        }
        let rows = input.cost.rows.max(2.0);
        let total = input.cost.total + rows * rows.log2() * 2.0 * cost::CPU_OPERATOR;
        let estimate = Cost { startup: total, total: total + rows * cost::CPU_OPERATOR, ..input.cost };
        let output = input.output.clone();
        self.node(NodeKind::Sort { input, keys }, output, estimate)
    }

    /// Keeps rows, so that they can be read again.
    pub(super) fn materialize(&self, input: Arc<PlanNode>) -> Arc<PlanNode> {
        if matches!(input.kind, NodeKind::Materialize { .. } | NodeKind::CteScan { .. } | NodeKind::Values(_)) {
            return input;
        }
        let (output, estimate) = (input.output.clone(), input.cost);
        self.node(NodeKind::Materialize { input }, output, estimate)
    }
}

/// Compiled expressions over a layout.
pub(super) fn scalars<'e>(exprs: impl IntoIterator<Item = &'e Expr>, layout: &[Expr]) -> Result<Vec<Scalar>> {
    exprs.into_iter().map(|expr| Scalar::new(expr.clone(), layout)).collect()
}

/// Where an expression is among columns.
pub(super) fn position(layout: &[Expr], expr: &Expr) -> Result<usize> {
    layout
        .iter()
        .position(|column| column == expr)
        .ok_or_else(|| helios_types::PgError::internal(format_args!("{:?} is not computed below", expr.kind)))
}

/// A sort key on an expression that is a column of the layout.
pub(super) fn sort_key(layout: &[Expr], expr: &Expr, order: SortOrder, collation: Oid) -> Result<SortKey> {
    let mut ty = expr.ty;
    if !collation.is_none() {
        ty.collation = collation;
    }
    Ok(SortKey { column: position(layout, expr)?, ty, order })
}

/// Whether an expression reads columns of its own level.
pub(super) fn has_columns(expr: &Expr) -> bool {
    let mut found = false;
    for_each_expr(expr, &mut |part| found |= matches!(part.kind, ExprKind::Var(_) | ExprKind::Aggregate(_)));
    found
}

/// A bound of an index scan: a value without columns.
pub(super) fn key_bound(value: &Expr, any: bool) -> Result<KeyBound> {
    Ok(KeyBound { value: Scalar::new(value.clone(), &[])?, any })
}

/// What a table scan yields: its columns, then the row's key.
pub(super) fn scan_output(scan: &TableScan, columns: &[Expr], row_key: Option<Expr>) -> Vec<Expr> {
    debug_assert_eq!(scan.columns.len(), columns.len());
    columns.iter().cloned().chain(row_key).collect()
}
