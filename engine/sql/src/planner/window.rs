//! Window functions: one node per window, over input sorted for it.

use std::rc::Rc;
use std::sync::Arc;

use helios_catalog::facts::ProcKind;
use helios_types::{Oid, PgError, Result};

use super::Planner;
use super::cost::CPU_OPERATOR;
use super::node::{position, sort_key};
use super::scope::Scope;
use crate::analyze::for_each_expr;
use crate::expr::{Expr, ExprKind, SortOrder, WindowCall};
use crate::plan::catalog::proc;
use crate::plan::{Cost, NodeKind, PlanNode, Scalar, SortKey, Window, WindowFunction, WindowKind};
use crate::query::{FrameBound, Query};

impl Planner<'_> {
    /// Computes the window functions that `targets` call.
    pub(super) fn windows(
        &mut self,
        mut node: Arc<PlanNode>,
        query: &Query,
        targets: &[Expr],
        scope: &Rc<Scope>,
    ) -> Result<Arc<PlanNode>> {
        let mut calls: Vec<(Expr, WindowCall)> = Vec::new();
        for target in targets {
            for_each_expr(target, &mut |part| {
                if let ExprKind::Window(call) = &part.kind
                    && !calls.iter().any(|(known, _)| known == part)
                {
                    calls.push((part.clone(), (**call).clone()));
                }
            });
        }
        for (number, clause) in query.windows.iter().enumerate() {
            let mine: Vec<&(Expr, WindowCall)> = calls.iter().filter(|(_, call)| call.window == number).collect();
            if mine.is_empty() {
                continue;
            }
            let partition = self.resolve_all(&clause.partition_by, scope)?;
            let order: Result<Vec<(Expr, SortOrder)>> =
                clause.order_by.iter().map(|(expr, order)| Ok((self.resolve(expr, scope)?, *order))).collect();
            let order = order?;
            let mut columns: Vec<Expr> = partition.iter().chain(order.iter().map(|(expr, _)| expr)).cloned().collect();
            for (_, call) in &mine {
                columns.extend(call.args.iter().chain(&call.filter).cloned());
            }
            node = self.project_more(node, &columns)?;
            let ascending = SortOrder { descending: false, nulls_first: false };
            let mut keys: Vec<SortKey> = Vec::new();
            let all =
                partition.iter().map(|expr| (expr, ascending)).chain(order.iter().map(|(expr, order)| (expr, *order)));
            for (expr, order) in all {
                let key = sort_key(&node.output, expr, order, Oid::NONE)?;
                if !keys.iter().any(|known| known.column == key.column) {
                    keys.push(key);
                }
            }
            node = self.sort(node, keys);
            let mut functions = Vec::with_capacity(mine.len());
            for (expr, call) in &mine {
                functions.push(window_function(expr, call, &node.output)?);
            }
            let partition: Result<Vec<usize>> = partition.iter().map(|expr| position(&node.output, expr)).collect();
            let order: Result<Vec<SortKey>> =
                order.iter().map(|(expr, order)| sort_key(&node.output, expr, *order, Oid::NONE)).collect();
            let offset = |planner: &mut Self, bound: &FrameBound| match bound {
                FrameBound::Preceding(offset) | FrameBound::Following(offset) => {
                    let offset = planner.resolve(offset, scope)?;
                    Scalar::new(offset, &[]).map(Some)
                }
                _ => Ok(None),
            };
            let window = Window {
                partition: partition?,
                order: order?,
                frame: clause.frame.clone(),
                start_offset: offset(self, &clause.frame.start)?,
                end_offset: offset(self, &clause.frame.end)?,
                calls: functions,
                input: node.clone(),
            };
            let output: Vec<Expr> =
                node.output.iter().cloned().chain(mine.iter().map(|(expr, _)| expr.clone())).collect();
            let cost = Cost { total: node.cost.total + node.cost.rows * CPU_OPERATOR * mine.len() as f64, ..node.cost };
            node = self.node(NodeKind::Window(window), output, cost);
        }
        Ok(node)
    }
}

fn window_function(expr: &Expr, call: &WindowCall, input: &[Expr]) -> Result<WindowFunction> {
    let found = proc(call.function)?;
    let kind = if found.kind == ProcKind::Aggregate {
        let factory = crate::functions::aggregates::lookup(found.name, &found.arg_types)
            .ok_or_else(|| PgError::unsupported(format_args!("aggregate {}", found.name)))?;
        WindowKind::Aggregate(factory)
    } else {
        WindowKind::Builtin(found.source)
    };
    let args: Result<Vec<usize>> = call.args.iter().map(|arg| position(input, arg)).collect();
    Ok(WindowFunction {
        expr: expr.clone(),
        kind,
        args: args?,
        arg_types: call.args.iter().map(|arg| arg.ty.oid).collect(),
        filter: call.filter.as_ref().map(|filter| position(input, filter)).transpose()?,
        ty: expr.ty,
        collation: call.input_collation,
    })
}
