//! UNION, INTERSECT, EXCEPT.

use std::rc::Rc;
use std::sync::Arc;

use helios_types::{PgError, Result};

use super::Planner;
use super::cost::{CPU_OPERATOR, CPU_TUPLE, width};
use super::scope::Scope;
use crate::expr::Expr;
use crate::plan::{AggregateStrategy, Aggregation, Cost, NodeKind, PlanNode};
use crate::query::{Query, RteKind, SetOp, SetOperation};

impl Planner<'_> {
    /// A query that is a set operation, with its ORDER BY and LIMIT.
    pub(super) fn set_operation_query(&mut self, query: &Query, scope: &Rc<Scope>) -> Result<Arc<PlanNode>> {
        let operation = query.set_operation.as_ref().ok_or_else(|| PgError::internal("a set operation without one"))?;
        let targets = self.resolve_all(query.target_list.iter().map(|target| &target.expr), scope)?;
        // The operation's columns are known by the expressions that the target list has for them.
        let columns: Vec<Expr> = targets
            .iter()
            .zip(&query.target_list)
            .filter(|(_, target)| !target.junk)
            .map(|(expr, _)| expr.clone())
            .collect();
        let node = self.operation(operation, query, scope, &columns)?;
        let node = self.project(node, &targets)?;
        self.order_and_limit(node, query, &targets, scope)
    }

    fn operation(
        &mut self,
        operation: &SetOperation,
        query: &Query,
        scope: &Rc<Scope>,
        columns: &[Expr],
    ) -> Result<Arc<PlanNode>> {
        let (op, all, left, right) = match operation {
            SetOperation::Leaf(rte) => {
                let RteKind::Subquery(branch) = &query.range_table[*rte].kind else {
                    return Err(PgError::internal("a branch of a set operation is no subquery"));
                };
                let input = self.query(branch, Some(scope))?;
                let cost = Cost { total: input.cost.total + input.cost.rows * CPU_TUPLE, ..input.cost };
                return Ok(self.node(NodeKind::SubqueryScan { rte: scope.base + rte, input }, columns.to_vec(), cost));
            }
            SetOperation::Node { op, all, left, right, .. } => (*op, *all, left, right),
        };
        if op == SetOp::Union {
            let mut inputs = Vec::new();
            self.union_inputs(operation, all, query, scope, columns, &mut inputs)?;
            let rows: f64 = inputs.iter().map(|input| input.cost.rows).sum();
            let total: f64 = inputs.iter().map(|input| input.cost.total).sum();
            let cost = Cost { total: total + rows * CPU_TUPLE, rows, width: width(columns), ..Cost::default() };
            let node = self.node(NodeKind::Append { inputs }, columns.to_vec(), cost);
            return Ok(if all { node } else { self.distinct_rows(node) });
        }
        let left = self.operation(left, query, scope, columns)?;
        let right = self.operation(right, query, scope, columns)?;
        let cost = Cost {
            startup: right.cost.total,
            total: left.cost.total + right.cost.total + (left.cost.rows + right.cost.rows) * CPU_OPERATOR,
            rows: (left.cost.rows * 0.5).max(1.0),
            width: width(columns),
        };
        Ok(self.node(NodeKind::SetOp { left, right, op, all }, columns.to_vec(), cost))
    }

    /// UNIONs of UNIONs are one list, where the inner ones may keep duplicates that the outer one removes anyway.
    fn union_inputs(
        &mut self,
        operation: &SetOperation,
        all: bool,
        query: &Query,
        scope: &Rc<Scope>,
        columns: &[Expr],
        inputs: &mut Vec<Arc<PlanNode>>,
    ) -> Result<()> {
        match operation {
            SetOperation::Node { op: SetOp::Union, all: inner_all, left, right, .. } if *inner_all == all || !all => {
                self.union_inputs(left, all, query, scope, columns, inputs)?;
                self.union_inputs(right, all, query, scope, columns, inputs)
            }
            other => {
                inputs.push(self.operation(other, query, scope, columns)?);
                Ok(())
            }
        }
    }

    /// Each row once.
    pub(super) fn distinct_rows(&mut self, input: Arc<PlanNode>) -> Arc<PlanNode> {
        let output = input.output.clone();
        let cost = Cost {
            startup: input.cost.total + input.cost.rows * CPU_OPERATOR,
            total: input.cost.total + input.cost.rows * CPU_OPERATOR * 2.0,
            rows: (input.cost.rows * 0.5).max(1.0),
            width: input.cost.width,
        };
        let aggregation = Aggregation {
            strategy: if output.is_empty() { AggregateStrategy::Plain } else { AggregateStrategy::Hashed },
            keys: (0..output.len()).collect(),
            sets: Vec::new(),
            calls: Vec::new(),
            groupings: Vec::new(),
            input,
        };
        self.node(NodeKind::Aggregate(aggregation), output, cost)
    }
}
