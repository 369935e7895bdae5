//! Operators: `a op b`, `op ANY (array)`, IN, BETWEEN, LIKE, IS DISTINCT FROM, NULLIF.

use helios_catalog::facts::Operator;
use helios_catalog::resolve::OperatorCall;
use helios_types::{Oid, PgError, Result, SqlState, oid};

use super::coerce::select_common_typmod;
use super::expression::BOOL;
use super::walk::contains_level_var;
use super::{Analyzer, at, error, inner, name_list, place};
use crate::expr::{BoolOp, CoercionForm, Expr, ExprKind, ExprType, FuncExpr};
use crate::parse::protobuf::{self as pb, node::Node};

impl Analyzer<'_> {
    /// An operation of any kind (`A_Expr`).
    pub(super) fn a_expr(&mut self, operation: &pb::AExpr) -> Result<Expr> {
        use pb::AExprKind as Kind;
        match operation.kind() {
            Kind::AexprOp | Kind::AexprLike | Kind::AexprIlike | Kind::AexprSimilar => self.operation(operation),
            Kind::AexprOpAny => self.array_operation(operation, true),
            Kind::AexprOpAll => self.array_operation(operation, false),
            Kind::AexprDistinct | Kind::AexprNotDistinct => self.distinct_from(operation),
            Kind::AexprNullif => self.null_if(operation),
            Kind::AexprIn => self.in_list(operation),
            Kind::AexprBetween | Kind::AexprNotBetween | Kind::AexprBetweenSym | Kind::AexprNotBetweenSym => {
                self.between(operation)
            }
            Kind::Undefined => Err(PgError::internal("an operation of no kind")),
        }
    }

    /// `a op b`, `op b` (`transformAExprOp`).
    fn operation(&mut self, operation: &pb::AExpr) -> Result<Expr> {
        let location = operation.location;
        let name = name_list(&operation.name)?;
        let right_node = operation.rexpr.as_deref();
        if let (Some(left), Some(right)) = (operation.lexpr.as_deref(), right_node) {
            match (inner(left)?, inner(right)?) {
                (Node::RowExpr(_), Node::SubLink(link)) if link.sub_link_type() == pb::SubLinkType::ExprSublink => {
                    return self.row_compare_link(link, left, &operation.name, location);
                }
                (Node::RowExpr(l), Node::RowExpr(r)) => {
                    let (l, r) = (self.exprs(&l.args)?, self.exprs(&r.args)?);
                    return self.row_comparison(&name, l, r, location);
                }
                (constant, other) | (other, constant)
                    if name == ["="]
                        && (is_null_constant(constant) || is_null_constant(other))
                        && self.session.setting("transform_null_equals") == Some("on") =>
                {
                    let arg = if is_null_constant(constant) { other } else { constant };
                    return self.null_test_of(arg, false, location);
                }
                _ => {}
            }
        }
        let left = operation.lexpr.as_deref().map(|left| self.expr(left)).transpose()?;
        let Some(right) = right_node else {
            return Err(
                PgError::new(SqlState::UNDEFINED_FUNCTION, "postfix operators are not supported").at(at(location))
            );
        };
        let right = self.expr(right)?;
        self.make_operator(&name, left, right, location)
    }

    /// `arg IS NULL`, made of something else.
    fn null_test_of(&mut self, arg: &Node, negated: bool, location: i32) -> Result<Expr> {
        let arg = Box::new(self.expr_node(arg)?);
        Ok(Expr { kind: ExprKind::NullTest { arg, negated, row: false }, ty: BOOL, location: place(location) })
    }

    /// An operator of this plain name on two analyzed values.
    pub(super) fn make_operator_by_name(&mut self, name: &str, left: Expr, right: Expr, location: i32) -> Result<Expr> {
        self.make_operator(&[name], Some(left), right, location)
    }

    /// The operator that a name means for these operands, and the operands coerced to what it takes (`make_op`).
    pub(super) fn make_operator(
        &mut self,
        name: &[&str],
        left: Option<Expr>,
        right: Expr,
        location: i32,
    ) -> Result<Expr> {
        let srf_calls = self.level().srf_calls;
        let args: Vec<Expr> = left.into_iter().chain([right]).collect();
        let (call, result) = self.operator_call(name, args, location)?;
        let expr = Expr { kind: ExprKind::Func(call), ty: ExprType::new(result), location: place(location) };
        self.mark_if_srf(expr, srf_calls)
    }

    /// An operator call and its result type.
    fn operator_call(&mut self, name: &[&str], args: Vec<Expr>, location: i32) -> Result<(FuncExpr, Oid)> {
        let types: Vec<Oid> = args.iter().map(|arg| arg.ty.oid).collect();
        let found = self.resolve_operator(name, &types, location)?;
        let args = self.make_function_arguments(args, &found.arg_types)?;
        Ok((self.operator_func(found.operator, args), found.result))
    }

    fn operator_func(&mut self, operator: &Operator, args: Vec<Expr>) -> FuncExpr {
        self.dependencies.insert(operator.function);
        FuncExpr {
            function: operator.function,
            operator: operator.oid,
            args,
            input_collation: Oid::NONE,
            variadic: false,
            form: CoercionForm::Call,
        }
    }

    /// What an operator's name means for operands of these types.
    fn resolve_operator(&self, name: &[&str], types: &[Oid], location: i32) -> Result<OperatorCall> {
        let (schema, name) = match name {
            [name] => (None, *name),
            [schema, name] => (Some(*schema), *name),
            _ => {
                let message = format!("improper qualified name (too many dotted names): {}", name.join("."));
                return Err(error(SqlState::SYNTAX_ERROR, message).at(at(location)));
            }
        };
        let found = match types {
            [right] => self.lookup().prefix_operator(schema, name, *right),
            [left, right] => self.lookup().binary_operator(schema, name, *left, *right),
            _ => return Err(PgError::internal("an operator of more than two operands")),
        };
        // Polymorphism complains of no place.
        let polymorphism = |refusal: &PgError| refusal.code() == SqlState::DATATYPE_MISMATCH;
        found.map_err(|refusal| if polymorphism(&refusal) { refusal } else { refusal.at(at(location)) })
    }

    /// `a op ANY (array)`, `a op ALL (array)`.
    fn array_operation(&mut self, operation: &pb::AExpr, any: bool) -> Result<Expr> {
        let left = self.expr_of(operation.lexpr.as_deref())?;
        let right = self.expr_of(operation.rexpr.as_deref())?;
        self.make_scalar_array_op(&name_list(&operation.name)?, any, left, right, operation.location)
    }

    /// `make_scalar_array_op`.
    fn make_scalar_array_op(
        &mut self,
        name: &[&str],
        any: bool,
        left: Expr,
        right: Expr,
        location: i32,
    ) -> Result<Expr> {
        let wrong = |message: &'static str| PgError::new(SqlState::WRONG_OBJECT_TYPE, message).at(at(location));
        let array = right.ty.oid;
        let element = if array == oid::UNKNOWN {
            oid::UNKNOWN
        } else {
            self.element_type(self.base_type(array))
                .ok_or_else(|| wrong("op ANY/ALL (array) requires array on right side"))?
        };
        let found = self.resolve_operator(name, &[left.ty.oid, element], location)?;
        if found.result != oid::BOOL {
            return Err(wrong("op ANY/ALL (array) requires operator to yield boolean"));
        }
        if self.returns_set(found.operator.function) {
            return Err(wrong("op ANY/ALL (array) requires operator not to return a set"));
        }
        let declared = [
            found.arg_types[0],
            self.lookup().array_type_or_error(found.arg_types[1]).map_err(|refusal| refusal.at(at(location)))?,
        ];
        let args = self.make_function_arguments(vec![left, right], &declared)?;
        let call = self.operator_func(found.operator, args);
        let kind = ExprKind::ScalarArrayOp { func: Box::new(call), any };
        Ok(Expr { kind, ty: BOOL, location: place(location) })
    }

    /// IN (list): an array where the values have a common type and no column of this query, else ORs
    /// (`transformAExprIn`).
    fn in_list(&mut self, operation: &pb::AExpr) -> Result<Expr> {
        let location = operation.location;
        let name = name_list(&operation.name)?;
        let any = name != ["<>"];
        let left = self.expr_of(operation.lexpr.as_deref())?;
        let Some(Node::List(list)) = operation.rexpr.as_deref().and_then(|node| node.node.as_ref()) else {
            return Err(PgError::internal("IN without a list"));
        };
        let all = self.exprs(&list.items)?;
        let mut result = None;
        let mut rest = all;
        if let Some((element, array)) = self.in_list_type(&left, &rest) {
            let (constants, variables) = rest.into_iter().partition(|value| !contains_level_var(value, 0));
            result = Some(self.in_array(&name, any, &left, constants, (element, array), location)?);
            rest = variables;
        }
        for right in rest {
            let comparison = match (&left.kind, right.kind) {
                (ExprKind::Row(l), ExprKind::Row(r)) => self.row_comparison(&name, l.clone(), r, location)?,
                (_, kind) => {
                    let right = Expr { kind, ty: right.ty, location: right.location };
                    self.make_operator(&name, Some(left.clone()), right, location)?
                }
            };
            let comparison = self.coerce_to_boolean(comparison, "IN")?;
            result = Some(match result {
                None => comparison,
                Some(before) => {
                    let op = if any { BoolOp::Or } else { BoolOp::And };
                    Expr { kind: ExprKind::Bool(op, vec![before, comparison]), ty: BOOL, location: place(location) }
                }
            });
        }
        result.ok_or_else(|| PgError::internal("IN with an empty list"))
    }

    /// Element and array type of what in a list does not depend on a row of this query; `None` when that is less than
    /// two values or has no common type.
    fn in_list_type(&self, left: &Expr, values: &[Expr]) -> Option<(Oid, Oid)> {
        let constants = values.iter().filter(|value| !contains_level_var(value, 0));
        let deciding: Vec<&Expr> = std::iter::once(left).chain(constants).collect();
        if deciding.len() <= 2 {
            return None;
        }
        let common = self.try_select_common_type(&deciding)?;
        if common == oid::RECORD || !self.verify_common_type(common, &deciding) {
            return None;
        }
        Some((common, self.array_type(common)?))
    }

    fn in_array(
        &mut self,
        name: &[&str],
        any: bool,
        left: &Expr,
        values: Vec<Expr>,
        (element, array): (Oid, Oid),
        location: i32,
    ) -> Result<Expr> {
        let elements = values.into_iter().map(|value| self.coerce_to_common_type(value, element, "IN"));
        let elements = elements.collect::<Result<Vec<Expr>>>()?;
        let typmod = select_common_typmod(&elements.iter().collect::<Vec<_>>(), element);
        let array = Expr {
            kind: ExprKind::Array { elements, multidimensional: false },
            ty: ExprType { oid: array, typmod, collation: Oid::NONE },
            location: None,
        };
        self.make_scalar_array_op(name, any, left.clone(), array, location)
    }

    /// BETWEEN as comparisons; its operand is analyzed once per use, as PostgreSQL does.
    fn between(&mut self, operation: &pb::AExpr) -> Result<Expr> {
        use pb::AExprKind as Kind;
        let location = operation.location;
        let Some(Node::List(bounds)) = operation.rexpr.as_deref().and_then(|node| node.node.as_ref()) else {
            return Err(PgError::internal("BETWEEN without bounds"));
        };
        let [low, high] = bounds.items.as_slice() else {
            return Err(PgError::internal("BETWEEN without two bounds"));
        };
        let operand = operation.lexpr.as_deref();
        let mut compare = |op: &str, bound: &pb::Node| -> Result<Expr> {
            let left = self.expr_of(operand)?;
            let right = self.expr(bound)?;
            let comparison = self.make_operator_by_name(op, left, right, location)?;
            self.coerce_to_boolean(comparison, "AND")
        };
        let combine = |op, args| Expr { kind: ExprKind::Bool(op, args), ty: BOOL, location: place(location) };
        Ok(match operation.kind() {
            Kind::AexprBetween => combine(BoolOp::And, vec![compare(">=", low)?, compare("<=", high)?]),
            Kind::AexprNotBetween => combine(BoolOp::Or, vec![compare("<", low)?, compare(">", high)?]),
            Kind::AexprBetweenSym => {
                let forward = combine(BoolOp::And, vec![compare(">=", low)?, compare("<=", high)?]);
                let backward = combine(BoolOp::And, vec![compare(">=", high)?, compare("<=", low)?]);
                combine(BoolOp::Or, vec![forward, backward])
            }
            _ => {
                let forward = combine(BoolOp::Or, vec![compare("<", low)?, compare(">", high)?]);
                let backward = combine(BoolOp::Or, vec![compare("<", high)?, compare(">", low)?]);
                combine(BoolOp::And, vec![forward, backward])
            }
        })
    }

    /// IS [NOT] DISTINCT FROM.
    fn distinct_from(&mut self, operation: &pb::AExpr) -> Result<Expr> {
        let location = operation.location;
        let negated = operation.kind() == pb::AExprKind::AexprNotDistinct;
        let hole = || PgError::internal("IS DISTINCT FROM without operands");
        let left = inner(operation.lexpr.as_deref().ok_or_else(hole)?)?;
        let right = inner(operation.rexpr.as_deref().ok_or_else(hole)?)?;
        if is_null_constant(right) {
            return self.null_test_of(left, !negated, location);
        }
        if is_null_constant(left) {
            return self.null_test_of(right, !negated, location);
        }
        let name = name_list(&operation.name)?;
        let (left, right) = (self.expr_node(left)?, self.expr_node(right)?);
        let (ExprKind::Row(l), ExprKind::Row(r)) = (&left.kind, &right.kind) else {
            return self.make_distinct(&name, left, right, negated, location);
        };
        if l.len() != r.len() {
            return Err(unequal_rows(location));
        }
        let mut parts = Vec::with_capacity(l.len());
        for (l, r) in l.iter().zip(r) {
            parts.push(self.make_distinct(&name, l.clone(), r.clone(), negated, location)?);
        }
        Ok(match parts.len() {
            0 => Expr::constant(helios_types::Datum::Bool(negated), BOOL),
            1 => parts.pop().expect("there is one"),
            // Distinct when any pair is; not distinct when no pair is.
            _ => {
                let op = if negated { BoolOp::And } else { BoolOp::Or };
                Expr { kind: ExprKind::Bool(op, parts), ty: BOOL, location: place(location) }
            }
        })
    }

    fn make_distinct(&mut self, name: &[&str], left: Expr, right: Expr, negated: bool, at_raw: i32) -> Result<Expr> {
        let (call, result) = self.operator_call(name, vec![left, right], at_raw)?;
        if result != oid::BOOL {
            let message = "IS DISTINCT FROM requires = operator to yield boolean";
            return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).at(at(at_raw)));
        }
        if self.returns_set(call.function) {
            let message = "IS DISTINCT FROM must not return a set";
            return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).at(at(at_raw)));
        }
        let kind = ExprKind::DistinctFrom { func: Box::new(call), negated };
        Ok(Expr { kind, ty: BOOL, location: place(at_raw) })
    }

    /// NULLIF(a, b).
    fn null_if(&mut self, operation: &pb::AExpr) -> Result<Expr> {
        let location = operation.location;
        let left = self.expr_of(operation.lexpr.as_deref())?;
        let right = self.expr_of(operation.rexpr.as_deref())?;
        let (call, result) = self.operator_call(&name_list(&operation.name)?, vec![left, right], location)?;
        if result != oid::BOOL {
            let message = "NULLIF requires = operator to yield boolean";
            return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).at(at(location)));
        }
        if self.returns_set(call.function) {
            let message = "NULLIF must not return a set";
            return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).at(at(location)));
        }
        let ty = ExprType { collation: Oid::NONE, ..call.args[0].ty };
        Ok(Expr { kind: ExprKind::NullIf(Box::new(call)), ty, location: place(location) })
    }
}

/// 42601 for rows of different length.
pub(super) fn unequal_rows(location: i32) -> PgError {
    PgError::new(SqlState::SYNTAX_ERROR, "unequal number of entries in row expressions").at(at(location))
}

/// Whether a raw node is the literal NULL.
fn is_null_constant(node: &Node) -> bool {
    matches!(node, Node::AConst(constant) if constant.isnull)
}
