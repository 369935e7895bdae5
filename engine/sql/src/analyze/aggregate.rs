//! Aggregate calls: the query level that one belongs to, and whether that level's clause may have it.

use std::ops::ControlFlow;

use helios_catalog::facts::{self, Proc};
use helios_types::{Oid, PgError, Result, SqlState};

use super::clause::strip_implicit_coercions;
use super::context::{ExprContext, Refusal};
use super::expression::SRF_HINT;
use super::walk::{Descend, walk};
use super::{Analyzer, at, error, inner, place, position};
use crate::expr::{Aggregate, AggregateOrder, Expr, ExprKind, ExprType};
use crate::parse::protobuf::{self as pb, node::Node};

/// What a search of an aggregate's arguments finds.
#[derive(Default)]
struct Levels {
    var: Option<u32>,
    aggregate: Option<(u32, Option<u32>)>,
}

impl Analyzer<'_> {
    /// `transformAggregateCall`: `args` are coerced; those of an ordered-set aggregate end with its sort keys.
    pub(super) fn aggregate_call(
        &mut self,
        call: &pb::FuncCall,
        proc: &Proc,
        mut args: Vec<Expr>,
        filter: Option<Expr>,
        result: Oid,
    ) -> Result<Expr> {
        let ordered_set = facts::aggregates().by_oid(proc.oid).is_some_and(|row| row.kind != b'n');
        let mut direct_args = Vec::new();
        let mut order_by = Vec::new();
        if ordered_set {
            let sorted = args.split_off(args.len().saturating_sub(call.agg_order.len()));
            direct_args = std::mem::replace(&mut args, sorted);
            for (arg, node) in args.iter_mut().zip(&call.agg_order) {
                self.unknown_to_text(arg)?;
                let order = self.aggregate_order(node, arg.ty.oid)?;
                order_by.push(AggregateOrder { expr: arg.clone(), order });
            }
        } else {
            for node in &call.agg_order {
                let item = self.aggregate_sort_key(node, &mut args)?;
                if !order_by.iter().any(|other: &AggregateOrder| other.expr == item.expr) {
                    order_by.push(item);
                }
            }
            if call.agg_distinct {
                self.check_distinct_aggregate(&args, &order_by)?;
            }
        }
        let mut aggregate = Aggregate {
            function: proc.oid,
            direct_args,
            args,
            star: call.agg_star,
            distinct: call.agg_distinct,
            order_by,
            filter,
            input_collation: Oid::NONE,
            levels_up: 0,
        };
        aggregate.levels_up = self.aggregate_level(&aggregate)?;
        self.enter_aggregate(aggregate.levels_up, false, call.location)?;
        Ok(Expr {
            kind: ExprKind::Aggregate(Box::new(aggregate)),
            ty: ExprType::new(result),
            location: place(call.location),
        })
    }

    /// ORDER BY inside a call; an item that equals an argument takes its coerced form.
    fn aggregate_sort_key(&mut self, node: &pb::Node, args: &mut [Expr]) -> Result<AggregateOrder> {
        let Node::SortBy(sort_by) = inner(node)? else {
            return Err(PgError::internal("ORDER BY without sort keys"));
        };
        let key = sort_by.node.as_deref().ok_or_else(|| PgError::internal("a sort key without a value"))?;
        let mut expr = self.transform_expr(inner(key)?, ExprContext::OrderBy)?;
        if let Some(arg) = args.iter_mut().find(|arg| *strip_implicit_coercions(arg) == expr) {
            self.unknown_to_text(arg)?;
            expr = arg.clone();
        }
        self.unknown_to_text(&mut expr)?;
        let order = self.aggregate_order(node, expr.ty.oid)?;
        Ok(AggregateOrder { expr, order })
    }

    fn aggregate_order(&self, node: &pb::Node, type_oid: Oid) -> Result<crate::expr::SortOrder> {
        let Node::SortBy(sort_by) = inner(node)? else {
            return Err(PgError::internal("ORDER BY without sort keys"));
        };
        let key = sort_by.node.as_deref().and_then(|key| key.node.as_ref());
        let spot = at(sort_by.location).or_else(|| super::clause::raw_place(key?));
        let (order, operator) = self.sort_order(sort_by, type_oid, spot)?;
        if !operator.is_none() {
            return Err(PgError::unsupported("ORDER BY USING in an aggregate").at(spot));
        }
        Ok(order)
    }

    fn check_distinct_aggregate(&mut self, args: &[Expr], order_by: &[AggregateOrder]) -> Result<()> {
        if let Some(item) = order_by.iter().find(|item| !args.contains(&item.expr)) {
            let message = "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list";
            return Err(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message)
                .at(super::location::expr_position(&item.expr)));
        }
        for arg in args {
            let spot = super::location::expr_position(arg);
            self.check_groupable(arg, spot)?;
            if self.lookup().ordering_operators(arg.ty.oid).is_none() && arg.ty.oid != helios_types::oid::UNKNOWN {
                let message =
                    format!("could not identify an ordering operator for type {}", self.format_type(arg.ty.oid, -1));
                return Err(error(SqlState::UNDEFINED_FUNCTION, message)
                    .with_detail("Aggregates with DISTINCT must be able to sort their inputs.")
                    .at(spot));
            }
        }
        Ok(())
    }

    /// The level of the innermost query that the arguments refer to (`check_agg_arguments`).
    fn aggregate_level(&self, aggregate: &Aggregate) -> Result<u32> {
        let mut levels = Levels::default();
        let order = aggregate.order_by.iter().map(|item| &item.expr);
        for part in aggregate.args.iter().chain(order).chain(&aggregate.filter) {
            search_levels(part, &mut levels)?;
        }
        let level = match (levels.var, levels.aggregate) {
            (None, None) => 0,
            (Some(var), None) => var,
            (None, Some((inner, _))) => inner,
            (Some(var), Some((inner, _))) => var.min(inner),
        };
        let nested = |spot: Option<u32>| {
            PgError::new(SqlState::GROUPING_ERROR, "aggregate function calls cannot be nested").at(position(spot))
        };
        if let Some((inner, spot)) = levels.aggregate
            && inner == level
        {
            return Err(nested(spot));
        }
        let mut direct = Levels::default();
        for part in &aggregate.direct_args {
            search_levels(part, &mut direct)?;
        }
        if direct.var.is_some_and(|var| var < level) {
            let message = "outer-level aggregate cannot contain a lower-level variable in its direct arguments";
            return Err(PgError::new(SqlState::GROUPING_ERROR, message));
        }
        match direct.aggregate {
            Some((inner, spot)) if inner <= level => Err(nested(spot)),
            _ => Ok(level),
        }
    }

    /// Notes an aggregate (or GROUPING) at its level, where it must be allowed (`check_agglevels_and_constraints`).
    fn enter_aggregate(&mut self, levels_up: u32, grouping: bool, location: i32) -> Result<()> {
        let index = self.levels.len() - 1 - levels_up as usize;
        self.levels[index].has_aggregates = true;
        let context = self.levels[index].context;
        let message = match context.aggregate_refusal(grouping) {
            Refusal::Allowed => return Ok(()),
            Refusal::Message(message) => message.to_owned(),
            Refusal::Clause => {
                let what = if grouping { "grouping operations" } else { "aggregate functions" };
                format!("{what} are not allowed in {}", context.name())
            }
        };
        Err(error(SqlState::GROUPING_ERROR, message).at(at(location)))
    }

    /// `GROUPING(...)`: its arguments are matched with GROUP BY when that is known ([`Analyzer::check_aggregates`]).
    pub(super) fn grouping_func(&mut self, grouping: &pb::GroupingFunc) -> Result<Expr> {
        if grouping.args.len() > 31 {
            let message = "GROUPING must have fewer than 32 arguments";
            return Err(PgError::new(SqlState::TOO_MANY_ARGUMENTS, message).at(at(grouping.location)));
        }
        let context = self.current().context;
        let args = grouping.args.iter().map(|arg| self.transform_expr(inner(arg)?, context));
        let args = args.collect::<Result<Vec<Expr>>>()?;
        let mut levels = Levels::default();
        for arg in &args {
            search_levels(arg, &mut levels)?;
        }
        let level = levels.var.unwrap_or(0);
        if level > 0 {
            return Err(PgError::unsupported("GROUPING of an outer query's columns").at(at(grouping.location)));
        }
        self.enter_aggregate(level, true, grouping.location)?;
        let level = self.level();
        level.grouping_calls.push((args, at(grouping.location)));
        let call = level.grouping_calls.len() - 1;
        Ok(Expr {
            kind: ExprKind::Grouping(vec![call]),
            ty: ExprType::new(helios_types::oid::INT4),
            location: place(grouping.location),
        })
    }
}

/// The smallest levels of the Vars and aggregates in an argument, and a refusal of what cannot be in one.
fn search_levels(expr: &Expr, levels: &mut Levels) -> Result<()> {
    let found = walk(expr, 0, &mut |part, depth| {
        match &part.kind {
            ExprKind::Var(var) => {
                if let Some(level) = var.levels_up.checked_sub(depth) {
                    levels.var = Some(levels.var.map_or(level, |known| known.min(level)));
                }
            }
            ExprKind::Aggregate(aggregate) => {
                if let Some(level) = aggregate.levels_up.checked_sub(depth)
                    && levels.aggregate.is_none_or(|(known, _)| level < known)
                {
                    levels.aggregate = Some((level, part.location));
                }
            }
            ExprKind::Window(_) if depth == 0 => {
                let message = "aggregate function calls cannot contain window function calls";
                return ControlFlow::Break(PgError::new(SqlState::GROUPING_ERROR, message).at(position(part.location)));
            }
            ExprKind::SetReturning(_) if depth == 0 => {
                let message = "aggregate function calls cannot contain set-returning function calls";
                return ControlFlow::Break(
                    PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                        .with_hint(SRF_HINT)
                        .at(super::location::expr_position(part)),
                );
            }
            _ => {}
        }
        ControlFlow::Continue(Descend::Into)
    });
    match found {
        ControlFlow::Break(refusal) => Err(refusal),
        ControlFlow::Continue(()) => Ok(()),
    }
}
