//! Expressions: one raw node after the other (`transformExprRecurse`).

use helios_types::{Oid, PgError, Result, SqlState, oid};

use super::coerce::{CoercionContext, select_common_typmod};
use super::context::ExprContext;
use super::location::{expr_location, expr_position};
use super::{Analyzer, at, error, inner, place, string_of};
use crate::expr::{BoolOp, BoolTest, CoercionForm, Expr, ExprKind, ExprType, SqlValue};
use crate::parse::protobuf::{self as pb, node::Node};

pub(super) const BOOL: ExprType = ExprType::new(oid::BOOL);

/// Advice given where a set-returning call is refused.
pub(super) const SRF_HINT: &str = "You might be able to move the set-returning function into a LATERAL FROM item.";

impl Analyzer<'_> {
    /// An expression of a clause (`transformExpr`).
    pub(super) fn transform_expr(&mut self, node: &Node, context: ExprContext) -> Result<Expr> {
        self.in_context(context, |a| a.expr_node(node))
    }

    /// A part of an expression.
    pub(super) fn expr(&mut self, node: &pb::Node) -> Result<Expr> {
        self.expr_node(inner(node)?)
    }

    /// A part of an expression that the grammar promises.
    pub(super) fn expr_of(&mut self, node: Option<&pb::Node>) -> Result<Expr> {
        self.expr(node.ok_or_else(|| PgError::internal("an expression lacks an operand"))?)
    }

    pub(super) fn exprs(&mut self, nodes: &[pb::Node]) -> Result<Vec<Expr>> {
        nodes.iter().map(|node| self.expr(node)).collect()
    }

    pub(super) fn expr_node(&mut self, node: &Node) -> Result<Expr> {
        crate::parse::on_grown_stack(|| self.expr_node_here(node))
    }

    fn expr_node_here(&mut self, node: &Node) -> Result<Expr> {
        match node {
            Node::ColumnRef(column) => self.column_ref(column),
            Node::ParamRef(param) => self.param_ref(param),
            Node::AConst(constant) => self.constant(constant),
            Node::AIndirection(indirection) => self.indirection(indirection),
            Node::AArrayExpr(array) => self.array_expr(array, None),
            Node::TypeCast(cast) => self.type_cast(cast),
            Node::CollateClause(clause) => self.collate_clause(clause),
            Node::AExpr(operation) => self.a_expr(operation),
            Node::BoolExpr(bool_expr) => self.bool_expr(bool_expr),
            Node::FuncCall(call) => self.func_call(call),
            Node::GroupingFunc(grouping) => self.grouping_func(grouping),
            Node::SubLink(link) => self.sub_link(link),
            Node::CaseExpr(case) => self.case_expr(case),
            Node::RowExpr(row) => self.row_expr(row, false),
            Node::CoalesceExpr(coalesce) => self.coalesce_expr(coalesce),
            Node::MinMaxExpr(min_max) => self.min_max_expr(min_max),
            Node::SqlvalueFunction(value) => sql_value(value),
            Node::NullTest(test) => self.null_test(test),
            Node::BooleanTest(test) => self.boolean_test(test),
            Node::SetToDefault(default) => {
                Err(PgError::new(SqlState::SYNTAX_ERROR, "DEFAULT is not allowed in this context")
                    .at(at(default.location)))
            }
            Node::CurrentOfExpr(_) => Err(PgError::unsupported("WHERE CURRENT OF")),
            Node::XmlExpr(_) | Node::XmlSerialize(_) => Err(PgError::unsupported("an XML expression")),
            Node::JsonIsPredicate(_) => Err(PgError::unsupported("IS JSON")),
            Node::JsonFuncExpr(_)
            | Node::JsonObjectConstructor(_)
            | Node::JsonArrayConstructor(_)
            | Node::JsonArrayQueryConstructor(_)
            | Node::JsonObjectAgg(_)
            | Node::JsonArrayAgg(_)
            | Node::JsonParseExpr(_)
            | Node::JsonScalarExpr(_)
            | Node::JsonSerializeExpr(_) => Err(PgError::unsupported("an SQL/JSON function")),
            Node::MergeSupportFunc(_) => Err(PgError::unsupported("MERGE")),
            Node::MultiAssignRef(_) => Err(PgError::internal("a multi-assignment outside UPDATE SET")),
            other => Err(PgError::internal(format!("no expression: {other:?}"))),
        }
    }

    /// `x::t`, `CAST(x AS t)`.
    fn type_cast(&mut self, cast: &pb::TypeCast) -> Result<Expr> {
        let name = cast.type_name.as_ref().ok_or_else(|| PgError::internal("a cast without a type"))?;
        let (target, typmod) = self.type_name(name)?;
        let arg = cast.arg.as_deref().ok_or_else(|| PgError::internal("a cast of nothing"))?;
        let expr = match inner(arg)? {
            // The elements are told their type, so that an empty array has one.
            Node::AArrayExpr(array) => match self.element_type(self.base_type(target)) {
                Some(element) => self.array_expr(array, Some((self.base_type(target), element, typmod)))?,
                None => self.expr(arg)?,
            },
            _ => self.expr(arg)?,
        };
        let location = if cast.location >= 0 { cast.location } else { name.location };
        let (source, own_place) = (expr.ty.oid, expr_location(&expr));
        let coerced = self.coerce_to_target_type(
            expr,
            target,
            typmod,
            CoercionContext::Explicit,
            CoercionForm::Explicit,
            place(location),
        )?;
        coerced.ok_or_else(|| {
            let message =
                format!("cannot cast type {} to {}", self.format_type(source, -1), self.format_type(target, -1));
            error(SqlState::CANNOT_COERCE, message).at(at(location).or(super::position(own_place)))
        })
    }

    /// `x COLLATE c`.
    fn collate_clause(&mut self, clause: &pb::CollateClause) -> Result<Expr> {
        let arg = self.expr_of(clause.arg.as_deref())?;
        if arg.ty.oid != oid::UNKNOWN && self.type_collation(arg.ty.oid).is_none() {
            let message = format!("collations are not supported by type {}", self.format_type(arg.ty.oid, -1));
            return Err(error(SqlState::DATATYPE_MISMATCH, message).at(at(clause.location)));
        }
        let collation = self.collation_by_name(&clause.collname, clause.location)?;
        let ty = ExprType { collation, ..arg.ty };
        Ok(Expr { kind: ExprKind::Collate(Box::new(arg)), ty, location: place(clause.location) })
    }

    /// AND, OR, NOT.
    fn bool_expr(&mut self, bool_expr: &pb::BoolExpr) -> Result<Expr> {
        let (op, name) = match bool_expr.boolop() {
            pb::BoolExprType::AndExpr => (BoolOp::And, "AND"),
            pb::BoolExprType::OrExpr => (BoolOp::Or, "OR"),
            pb::BoolExprType::NotExpr => (BoolOp::Not, "NOT"),
            pb::BoolExprType::Undefined => return Err(PgError::internal("a boolean operation without operator")),
        };
        let mut args = Vec::with_capacity(bool_expr.args.len());
        for arg in &bool_expr.args {
            let arg = self.expr(arg)?;
            args.push(self.coerce_to_boolean(arg, name)?);
        }
        Ok(Expr { kind: ExprKind::Bool(op, args), ty: BOOL, location: place(bool_expr.location) })
    }

    /// CASE. The conditions of `CASE x WHEN y` are `x = y`, x being a [`ExprKind::CaseTestExpr`].
    fn case_expr(&mut self, case: &pb::CaseExpr) -> Result<Expr> {
        let srf_calls = self.level().srf_calls;
        let arg = match case.arg.as_deref() {
            None => None,
            Some(arg) => {
                let mut arg = self.expr(arg)?;
                if arg.ty.oid == oid::UNKNOWN {
                    arg = self.coerce_to_common_type(arg, oid::TEXT, "CASE")?;
                }
                self.assign_collations(&mut arg)?;
                Some(arg)
            }
        };
        let mut conditions = Vec::with_capacity(case.args.len());
        let mut results = Vec::with_capacity(case.args.len() + 1);
        for node in &case.args {
            let Node::CaseWhen(when) = inner(node)? else {
                return Err(PgError::internal("a CASE without WHEN"));
            };
            let mut condition = self.expr_of(when.expr.as_deref())?;
            if let Some(arg) = &arg {
                let test = Expr { kind: ExprKind::CaseTestExpr, ty: arg.ty, location: None };
                condition = self.make_operator_by_name("=", test, condition, when.location)?;
            }
            conditions.push(self.coerce_to_boolean(condition, "CASE/WHEN")?);
            results.push(self.expr_of(when.result.as_deref())?);
        }
        let default = match case.defresult.as_deref() {
            Some(default) => self.expr(default)?,
            None => Expr::null(ExprType::new(oid::UNKNOWN)),
        };
        let deciding: Vec<&Expr> = std::iter::once(&default).chain(&results).collect();
        let common = self.select_common_type(&deciding, "CASE")?;
        let default = self.coerce_to_common_type(default, common, "CASE/ELSE")?;
        let results = results.into_iter().map(|result| self.coerce_to_common_type(result, common, "CASE/WHEN"));
        let results = results.collect::<Result<Vec<Expr>>>()?;
        self.refuse_srf_since(srf_calls, "CASE")?;
        let outcomes: Vec<&Expr> = std::iter::once(&default).chain(&results).collect();
        let ty = ExprType { oid: common, typmod: select_common_typmod(&outcomes, common), collation: Oid::NONE };
        let kind = ExprKind::Case {
            arg: arg.map(Box::new),
            whens: conditions.into_iter().zip(results).collect(),
            default: Box::new(default),
        };
        Ok(Expr { kind, ty, location: place(case.location) })
    }

    fn coalesce_expr(&mut self, coalesce: &pb::CoalesceExpr) -> Result<Expr> {
        let srf_calls = self.level().srf_calls;
        let (args, ty) = self.args_of_common_type(&coalesce.args, "COALESCE")?;
        self.refuse_srf_since(srf_calls, "COALESCE")?;
        Ok(Expr { kind: ExprKind::Coalesce(args), ty, location: place(coalesce.location) })
    }

    fn min_max_expr(&mut self, min_max: &pb::MinMaxExpr) -> Result<Expr> {
        let (greatest, name) = match min_max.op() {
            pb::MinMaxOp::IsGreatest => (true, "GREATEST"),
            pb::MinMaxOp::IsLeast => (false, "LEAST"),
            pb::MinMaxOp::Undefined => return Err(PgError::internal("GREATEST or LEAST?")),
        };
        let (args, ty) = self.args_of_common_type(&min_max.args, name)?;
        Ok(Expr { kind: ExprKind::MinMax { greatest, args }, ty, location: place(min_max.location) })
    }

    fn args_of_common_type(&mut self, args: &[pb::Node], name: &str) -> Result<(Vec<Expr>, ExprType)> {
        let args = self.exprs(args)?;
        let common = self.select_common_type(&args.iter().collect::<Vec<_>>(), name)?;
        let args = args.into_iter().map(|arg| self.coerce_to_common_type(arg, common, name));
        let args = args.collect::<Result<Vec<Expr>>>()?;
        let typmod = select_common_typmod(&args.iter().collect::<Vec<_>>(), common);
        Ok((args, ExprType { oid: common, typmod, collation: Oid::NONE }))
    }

    /// Refuses set-returning calls since `srf_calls` were counted.
    pub(super) fn refuse_srf_since(&mut self, srf_calls: usize, construct: &str) -> Result<()> {
        if self.level().srf_calls == srf_calls {
            return Ok(());
        }
        let message = format!("set-returning functions are not allowed in {construct}");
        let place = super::position(self.level().last_srf);
        Err(error(SqlState::FEATURE_NOT_SUPPORTED, message).with_hint(SRF_HINT).at(place))
    }

    fn null_test(&mut self, test: &pb::NullTest) -> Result<Expr> {
        let arg = self.expr_of(test.arg.as_deref())?;
        let negated = match test.nulltesttype() {
            pb::NullTestType::IsNull => false,
            pb::NullTestType::IsNotNull => true,
            pb::NullTestType::Undefined => return Err(PgError::internal("a null test of no kind")),
        };
        let row = self.is_row_type(arg.ty.oid);
        let kind = ExprKind::NullTest { arg: Box::new(arg), negated, row };
        Ok(Expr { kind, ty: BOOL, location: place(test.location) })
    }

    fn boolean_test(&mut self, test: &pb::BooleanTest) -> Result<Expr> {
        use pb::BoolTestType;
        let (kind, name) = match test.booltesttype() {
            BoolTestType::IsTrue => (BoolTest::IsTrue, "IS TRUE"),
            BoolTestType::IsNotTrue => (BoolTest::IsNotTrue, "IS NOT TRUE"),
            BoolTestType::IsFalse => (BoolTest::IsFalse, "IS FALSE"),
            BoolTestType::IsNotFalse => (BoolTest::IsNotFalse, "IS NOT FALSE"),
            BoolTestType::IsUnknown => (BoolTest::IsUnknown, "IS UNKNOWN"),
            BoolTestType::IsNotUnknown => (BoolTest::IsNotUnknown, "IS NOT UNKNOWN"),
            BoolTestType::Undefined => return Err(PgError::internal("a boolean test of no kind")),
        };
        let arg = self.expr_of(test.arg.as_deref())?;
        let arg = self.coerce_to_boolean(arg, name)?;
        Ok(Expr { kind: ExprKind::BooleanTest(Box::new(arg), kind), ty: BOOL, location: place(test.location) })
    }

    /// `x.field`, `x[i]`, and chains of them (`transformIndirection`).
    fn indirection(&mut self, indirection: &pb::AIndirection) -> Result<Expr> {
        let mut result = self.expr_of(indirection.arg.as_deref())?;
        let place = expr_position(&result);
        let mut subscripts: Vec<&pb::AIndices> = Vec::new();
        for node in &indirection.indirection {
            match inner(node)? {
                Node::AIndices(indices) => subscripts.push(indices),
                Node::AStar(_) => {
                    let message = "row expansion via \"*\" is not supported here";
                    return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(place));
                }
                _ => {
                    result = self.subscript(result, &std::mem::take(&mut subscripts))?;
                    result = self.field_selection(result, string_of(node)?, place)?;
                }
            }
        }
        self.subscript(result, &subscripts)
    }

    /// A clause that must be a boolean (`transformWhereClause`).
    pub(super) fn where_clause(&mut self, node: &pb::Node, context: ExprContext, name: &str) -> Result<Expr> {
        let expr = self.transform_expr(inner(node)?, context)?;
        self.coerce_to_boolean(expr, name)
    }
}

/// CURRENT_DATE and its kin.
fn sql_value(value: &pb::SqlValueFunction) -> Result<Expr> {
    use pb::SqlValueFunctionOp as Op;
    let (kind, type_oid) = match value.op() {
        Op::SvfopCurrentDate => (SqlValue::CurrentDate, oid::DATE),
        Op::SvfopCurrentTime | Op::SvfopCurrentTimeN => (SqlValue::CurrentTime, oid::TIMETZ),
        Op::SvfopCurrentTimestamp | Op::SvfopCurrentTimestampN => (SqlValue::CurrentTimestamp, oid::TIMESTAMPTZ),
        Op::SvfopLocaltime | Op::SvfopLocaltimeN => (SqlValue::LocalTime, oid::TIME),
        Op::SvfopLocaltimestamp | Op::SvfopLocaltimestampN => (SqlValue::LocalTimestamp, oid::TIMESTAMP),
        Op::SvfopCurrentRole => (SqlValue::CurrentRole, oid::NAME),
        Op::SvfopCurrentUser => (SqlValue::CurrentUser, oid::NAME),
        Op::SvfopUser => (SqlValue::User, oid::NAME),
        Op::SvfopSessionUser => (SqlValue::SessionUser, oid::NAME),
        Op::SvfopCurrentCatalog => (SqlValue::CurrentCatalog, oid::NAME),
        Op::SvfopCurrentSchema => (SqlValue::CurrentSchema, oid::NAME),
        Op::SqlvalueFunctionOpUndefined => return Err(PgError::internal("an SQL value of no kind")),
    };
    // A precision above six is cut to six, as PostgreSQL does (with a warning there).
    let typmod = if value.typmod > 6 { 6 } else { value.typmod };
    let collation = if type_oid == oid::NAME { oid::C_COLLATION } else { Oid::NONE };
    let ty = ExprType { oid: type_oid, typmod, collation };
    Ok(Expr { kind: ExprKind::SqlValue(kind), ty, location: place(value.location) })
}
