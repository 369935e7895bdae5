//! ORDER BY, DISTINCT and LIMIT: items found in the target list by position, name or expression, or added to it.

use helios_catalog::facts;
use helios_catalog::resolve::OrderingOperators;
use helios_types::{Oid, PgError, Result, SqlState, oid};

use super::context::ExprContext;
use super::location::expr_position;
use super::walk::{find, level_var};
use super::{Analyzer, at, error, inner, name_list, position, string_of};
use crate::expr::{Expr, ExprKind, SortOrder};
use crate::parse::protobuf::{self as pb, a_const::Val, node::Node};
use crate::query::{Distinct, SortClause, TargetEntry};

/// How the items of a clause are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// Positions and output names first.
    Sql92,
    /// Expressions only.
    Sql99,
}

impl Analyzer<'_> {
    /// ORDER BY (`transformSortClause`).
    pub(super) fn sort_clause(
        &mut self,
        items: &[pb::Node],
        list: &mut Vec<TargetEntry>,
        context: ExprContext,
        rules: Rules,
    ) -> Result<Vec<SortClause>> {
        let mut sort: Vec<SortClause> = Vec::with_capacity(items.len());
        for node in items {
            let Node::SortBy(sort_by) = inner(node)? else {
                return Err(PgError::internal("ORDER BY without sort keys"));
            };
            let key = sort_by.node.as_deref().ok_or_else(|| PgError::internal("a sort key without a value"))?;
            let target = self.find_target(inner(key)?, list, context, rules)?;
            let place = at(sort_by.location).or_else(|| raw_place(inner(key).ok()?));
            self.unknown_to_text(&mut list[target].expr)?;
            let (order, operator) = self.sort_order(sort_by, list[target].expr.ty.oid, place)?;
            if !sort.iter().any(|other| other.target == target && other.operator == operator) {
                sort.push(SortClause { target, order, operator, collation: Oid::NONE });
            }
        }
        Ok(sort)
    }

    /// Direction, and the operator when USING named one that is not the type's own.
    pub(super) fn sort_order(
        &self,
        sort_by: &pb::SortBy,
        type_oid: Oid,
        place: Option<usize>,
    ) -> Result<(SortOrder, Oid)> {
        let (descending, operator) = match sort_by.sortby_dir() {
            pb::SortByDir::SortbyUsing => self.sort_using(sort_by, type_oid, place)?,
            direction => {
                self.ordering(type_oid).map_err(|refusal| refusal.at(place))?;
                (direction == pb::SortByDir::SortbyDesc, Oid::NONE)
            }
        };
        let nulls_first = match sort_by.sortby_nulls() {
            pb::SortByNulls::SortbyNullsFirst => true,
            pb::SortByNulls::SortbyNullsLast => false,
            _ => descending,
        };
        Ok((SortOrder { descending, nulls_first }, operator))
    }

    fn sort_using(&self, sort_by: &pb::SortBy, type_oid: Oid, place: Option<usize>) -> Result<(bool, Oid)> {
        let path = name_list(&sort_by.use_op)?;
        let (schema, name) = match path.as_slice() {
            [name] => (None, *name),
            [schema, name] => (Some(*schema), *name),
            _ => return Err(PgError::internal("USING without an operator")),
        };
        let found = self.lookup().binary_operator(schema, name, type_oid, type_oid).map_err(|e| e.at(place))?;
        let operator = found.operator.oid;
        if let Some(own) = self.lookup().ordering_operators(type_oid) {
            if operator == own.less {
                return Ok((false, Oid::NONE));
            }
            if operator == own.greater {
                return Ok((true, Oid::NONE));
            }
        }
        let strategy = facts::family_operators()
            .of_operator(operator)
            .find(|row| {
                row.method == facts::BTREE && matches!(row.strategy, facts::strategy::LESS | facts::strategy::GREATER)
            })
            .map(|row| row.strategy);
        match strategy {
            Some(strategy) => Ok((strategy == facts::strategy::GREATER, operator)),
            None => {
                let message = format!("operator {} is not a valid ordering operator", path.join("."));
                Err(error(SqlState::WRONG_OBJECT_TYPE, message)
                    .with_hint("Ordering operators must be \"<\" or \">\" members of btree operator families.")
                    .at(place))
            }
        }
    }

    /// The operators that sort a type, or 42883.
    pub(super) fn ordering(&self, type_oid: Oid) -> Result<OrderingOperators> {
        self.lookup().ordering_operators_or_error(type_oid)
    }

    /// The target entry that an item of ORDER BY, GROUP BY or DISTINCT ON means; a new one if need be.
    pub(super) fn find_target(
        &mut self,
        node: &Node,
        list: &mut Vec<TargetEntry>,
        context: ExprContext,
        rules: Rules,
    ) -> Result<usize> {
        if rules == Rules::Sql92
            && let Some(found) = self.find_target_sql92(node, list, context)?
        {
            return Ok(found);
        }
        let expr = self.transform_expr(node, context)?;
        // The item takes the type that an equal output column has been given.
        if let Some(found) = list.iter().position(|target| *strip_implicit_coercions(&target.expr) == expr) {
            return Ok(found);
        }
        let name = "?column?".to_owned();
        list.push(TargetEntry { expr, name, junk: true, attnum: 0, table: Oid::NONE });
        Ok(list.len() - 1)
    }

    /// An item that is an output column's name or position (`findTargetlistEntrySQL92`).
    fn find_target_sql92(&mut self, node: &Node, list: &[TargetEntry], context: ExprContext) -> Result<Option<usize>> {
        let visible = || list.iter().enumerate().filter(|(_, target)| !target.junk);
        if let Node::ColumnRef(column) = node
            && let [only] = column.fields.as_slice()
            && let Some(Node::String(_)) = &only.node
        {
            let name = string_of(only)?;
            // GROUP BY prefers a column of FROM to an output column.
            let hidden = context == ExprContext::GroupBy && self.column_by_name(name, true, column.location)?.is_some();
            if hidden {
                return Ok(None);
            }
            let mut matching = visible().filter(|(_, target)| target.name == name);
            let Some((found, first)) = matching.next() else { return Ok(None) };
            if matching.any(|(_, other)| other.expr != first.expr) {
                let message = format!("{} \"{name}\" is ambiguous", context.name());
                return Err(error(SqlState::AMBIGUOUS_COLUMN, message).at(at(column.location)));
            }
            self.check_target_reference(first, context)?;
            return Ok(Some(found));
        }
        if let Node::AConst(constant) = node {
            let Some(Val::Ival(wanted)) = &constant.val else {
                let message = format!("non-integer constant in {}", context.name());
                return Err(error(SqlState::SYNTAX_ERROR, message).at(at(constant.location)));
            };
            let index = usize::try_from(wanted.ival).ok().and_then(|wanted| wanted.checked_sub(1));
            return match index.and_then(|index| visible().nth(index)) {
                Some((found, target)) => {
                    self.check_target_reference(target, context)?;
                    Ok(Some(found))
                }
                None => {
                    let message = format!("{} position {} is not in select list", context.name(), wanted.ival);
                    Err(error(SqlState::INVALID_COLUMN_REFERENCE, message).at(at(constant.location)))
                }
            };
        }
        Ok(None)
    }

    /// GROUP BY may not name an output column that aggregates.
    fn check_target_reference(&self, target: &TargetEntry, context: ExprContext) -> Result<()> {
        if context != ExprContext::GroupBy {
            return Ok(());
        }
        let own_aggregate = |part: &Expr| matches!(&part.kind, ExprKind::Aggregate(agg) if agg.levels_up == 0);
        if let Some(found) = find(&target.expr, &own_aggregate) {
            let message = "aggregate functions are not allowed in GROUP BY";
            return Err(PgError::new(SqlState::GROUPING_ERROR, message).at(position(found.location)));
        }
        if let Some(found) = find(&target.expr, &|part| matches!(part.kind, ExprKind::Window(_))) {
            let message = "window functions are not allowed in GROUP BY";
            return Err(PgError::new(SqlState::WINDOWING_ERROR, message).at(position(found.location)));
        }
        Ok(())
    }

    /// DISTINCT.
    pub(super) fn distinct(&mut self, list: &mut [TargetEntry], sort: &[SortClause]) -> Result<Distinct> {
        if let Some(hidden) = sort.iter().map(|item| &list[item.target]).find(|target| target.junk) {
            let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
            return Err(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(expr_position(&hidden.expr)));
        }
        if list.iter().all(|target| target.junk) {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "SELECT DISTINCT must have at least one column"));
        }
        for target in list.iter_mut().filter(|target| !target.junk) {
            self.unknown_to_text(&mut target.expr)?;
            self.check_groupable(&target.expr, expr_position(&target.expr))?;
        }
        Ok(Distinct::All)
    }

    /// DISTINCT ON.
    pub(super) fn distinct_on(
        &mut self,
        items: &[pb::Node],
        list: &mut Vec<TargetEntry>,
        sort: &[SortClause],
    ) -> Result<Distinct> {
        let mut targets = Vec::with_capacity(items.len());
        for node in items {
            let node = inner(node)?;
            targets.push((self.find_target(node, list, ExprContext::DistinctOn, Rules::Sql92)?, raw_place(node)));
        }
        let mismatch = |place: Option<usize>| {
            let message = "SELECT DISTINCT ON expressions must match initial ORDER BY expressions";
            PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(place)
        };
        let mut keys: Vec<SortClause> = Vec::new();
        let mut skipped = false;
        for item in sort {
            match targets.iter().find(|(target, _)| *target == item.target) {
                Some((_, place)) if skipped => return Err(mismatch(*place)),
                Some(_) => keys.push(*item),
                None => skipped = true,
            }
        }
        for (target, place) in targets {
            if keys.iter().any(|key| key.target == target) {
                continue;
            }
            if skipped {
                return Err(mismatch(place));
            }
            keys.push(self.group_item(list, target, place)?);
        }
        Ok(Distinct::On(keys))
    }

    /// A target to group by, with its type's own notion of equality.
    pub(super) fn group_item(
        &mut self,
        list: &mut [TargetEntry],
        target: usize,
        place: Option<usize>,
    ) -> Result<SortClause> {
        self.unknown_to_text(&mut list[target].expr)?;
        self.check_groupable(&list[target].expr, place)?;
        let order = SortOrder { descending: false, nulls_first: false };
        Ok(SortClause { target, order, operator: Oid::NONE, collation: Oid::NONE })
    }

    pub(super) fn check_groupable(&self, expr: &Expr, place: Option<usize>) -> Result<()> {
        self.lookup().equality_operator(expr.ty.oid).map(|_| ()).map_err(|refusal| refusal.at(place))
    }

    /// LIMIT and OFFSET (`transformLimitClause`).
    pub(super) fn limit_clause(
        &mut self,
        node: Option<&pb::Node>,
        context: ExprContext,
        with_ties: bool,
    ) -> Result<Option<Expr>> {
        let Some(node) = node else { return Ok(None) };
        let node = inner(node)?;
        let expr = self.transform_expr(node, context)?;
        let expr = self.coerce_to_specific_type(expr, oid::INT8, context.name())?;
        self.check_var_free(&expr, context.name())?;
        if context == ExprContext::Limit && with_ties && matches!(node, Node::AConst(constant) if constant.isnull) {
            return Err(PgError::new(
                SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE,
                "row count cannot be null in FETCH FIRST ... WITH TIES clause",
            ));
        }
        Ok(Some(expr))
    }

    /// Refuses columns of this query (`checkExprIsVarFree`).
    pub(super) fn check_var_free(&self, expr: &Expr, construct: &str) -> Result<()> {
        match level_var(expr, 0) {
            None => Ok(()),
            Some(place) => {
                let message = format!("argument of {construct} must not contain variables");
                Err(error(SqlState::INVALID_COLUMN_REFERENCE, message).at(position(place)))
            }
        }
    }
}

/// The expression below implicit coercions.
pub(super) fn strip_implicit_coercions(expr: &Expr) -> &Expr {
    use crate::expr::CoercionForm::Implicit;
    match &expr.kind {
        ExprKind::Func(call) if call.form == Implicit => call.args.first().map_or(expr, strip_implicit_coercions),
        ExprKind::Relabel(arg, Implicit) | ExprKind::CoerceViaIo(arg, Implicit) => strip_implicit_coercions(arg),
        ExprKind::ApplyTypmod { arg, explicit: false } => strip_implicit_coercions(arg),
        _ => expr,
    }
}

/// The place of a raw expression: of its leftmost part that has one (`exprLocation` of raw nodes).
pub(super) fn raw_place(node: &Node) -> Option<usize> {
    let of = |node: &Option<Box<pb::Node>>| node.as_deref().and_then(|n| n.node.as_ref()).and_then(raw_place);
    let leftmost = |a: Option<usize>, b: Option<usize>| match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    match node {
        Node::ColumnRef(n) => at(n.location),
        Node::ParamRef(n) => at(n.location),
        Node::AConst(n) => at(n.location),
        Node::AExpr(n) => leftmost(at(n.location), of(&n.lexpr)),
        Node::FuncCall(n) => {
            let first = n.args.first().and_then(|arg| arg.node.as_ref()).and_then(raw_place);
            leftmost(at(n.location), first)
        }
        Node::TypeCast(n) => {
            let name = n.type_name.as_ref().and_then(|name| at(name.location));
            leftmost(of(&n.arg), leftmost(name, at(n.location)))
        }
        Node::CollateClause(n) => of(&n.arg).or(at(n.location)),
        Node::BoolExpr(n) => {
            let first = n.args.first().and_then(|arg| arg.node.as_ref()).and_then(raw_place);
            leftmost(at(n.location), first)
        }
        Node::SubLink(n) => leftmost(of(&n.testexpr), at(n.location)),
        Node::CaseExpr(n) => at(n.location),
        Node::RowExpr(n) => at(n.location),
        Node::AArrayExpr(n) => at(n.location),
        Node::CoalesceExpr(n) => at(n.location),
        Node::MinMaxExpr(n) => at(n.location),
        Node::SqlvalueFunction(n) => at(n.location),
        Node::NullTest(n) => leftmost(at(n.location), of(&n.arg)),
        Node::BooleanTest(n) => leftmost(at(n.location), of(&n.arg)),
        Node::AIndirection(n) => of(&n.arg),
        Node::GroupingFunc(n) => at(n.location),
        _ => None,
    }
}
