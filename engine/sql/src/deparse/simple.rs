//! Whether an expression needs parentheses inside another, when only needed ones are printed (`isSimpleNode`).

use helios_catalog::facts;

use crate::expr::{BoolOp, CoercionForm, Expr, ExprKind, FuncExpr};

/// What an expression looks like when it is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A word, a call, something in brackets: nothing can tear it apart.
    Closed,
    /// `a.b`.
    Field,
    /// A cast that may not be shown: what is below it counts.
    Coercion,
    /// An operation.
    Operator,
    /// A test, subquery or the like.
    Test,
    Bool(BoolOp),
    Other,
}

fn shape(expr: &Expr) -> Shape {
    match &expr.kind {
        ExprKind::Func(call) | ExprKind::SetReturning(call) if !call.operator.is_none() => Shape::Operator,
        ExprKind::Var(_)
        | ExprKind::Const(_)
        | ExprKind::Param(_)
        | ExprKind::ExecParam(_)
        | ExprKind::SetToDefault
        | ExprKind::Func(_)
        | ExprKind::SetReturning(_)
        | ExprKind::Subscript { .. }
        | ExprKind::Array { .. }
        | ExprKind::Row(_)
        | ExprKind::Coalesce(_)
        | ExprKind::MinMax { .. }
        | ExprKind::SqlValue(_)
        | ExprKind::NextValue(_)
        | ExprKind::NullIf(_)
        | ExprKind::Aggregate(_)
        | ExprKind::Grouping(_)
        | ExprKind::Window(_)
        | ExprKind::ApplyTypmod { .. }
        | ExprKind::Case { .. } => Shape::Closed,
        ExprKind::Field(..) => Shape::Field,
        ExprKind::Relabel(..) | ExprKind::CoerceViaIo(..) | ExprKind::ArrayCoerce { .. } => Shape::Coercion,
        ExprKind::SubLink(_)
        | ExprKind::NullTest { .. }
        | ExprKind::BooleanTest(..)
        | ExprKind::DistinctFrom { .. } => Shape::Test,
        ExprKind::Bool(op, _) => Shape::Bool(*op),
        _ => Shape::Other,
    }
}

/// Whether `expr` can stand inside `parent` without parentheses.
pub(super) fn is_simple(expr: &Expr, parent: &Expr) -> bool {
    match shape(expr) {
        Shape::Closed => true,
        Shape::Field => shape(parent) != Shape::Field,
        Shape::Coercion => match &expr.kind {
            ExprKind::Relabel(arg, _) | ExprKind::CoerceViaIo(arg, _) | ExprKind::ArrayCoerce { arg, .. } => {
                is_simple(arg, expr)
            }
            _ => false,
        },
        Shape::Operator if shape(parent) == Shape::Operator => operator_binds(expr, parent),
        Shape::Operator | Shape::Test => encloses(parent) || matches!(parent.kind, ExprKind::Bool(..)),
        Shape::Bool(op) => match shape(parent) {
            Shape::Bool(outer) => match op {
                BoolOp::Not | BoolOp::And => matches!(outer, BoolOp::And | BoolOp::Or),
                BoolOp::Or => outer == BoolOp::Or,
            },
            _ => encloses(parent),
        },
        Shape::Other => false,
    }
}

/// Whether a parent separates its parts by itself: brackets, commas.
fn encloses(parent: &Expr) -> bool {
    match &parent.kind {
        ExprKind::Func(call) | ExprKind::SetReturning(call) => {
            call.operator.is_none() && call.form == CoercionForm::Call
        }
        ExprKind::Subscript { .. }
        | ExprKind::Array { .. }
        | ExprKind::Row(_)
        | ExprKind::Coalesce(_)
        | ExprKind::MinMax { .. }
        | ExprKind::NullIf(_)
        | ExprKind::Aggregate(_)
        | ExprKind::Grouping(_)
        | ExprKind::Window(_)
        | ExprKind::Case { .. } => true,
        _ => false,
    }
}

/// Precedence of the arithmetic operators; `None` for all others.
fn priority(call: &FuncExpr) -> Option<u8> {
    if call.args.len() != 2 {
        return None;
    }
    match facts::operators().by_oid(call.operator)?.name {
        "+" | "-" => Some(0),
        "*" | "/" | "%" => Some(1),
        _ => None,
    }
}

fn operator_binds(expr: &Expr, parent: &Expr) -> bool {
    let (ExprKind::Func(inner), ExprKind::Func(outer)) = (&expr.kind, &parent.kind) else { return false };
    match (priority(inner), priority(outer)) {
        (Some(inner_priority), Some(outer_priority)) if inner_priority != outer_priority => {
            inner_priority > outer_priority
        }
        // `(a - b) - c` is `a - b - c`.
        (Some(_), Some(_)) => outer.args.first().is_some_and(|first| std::ptr::eq(first, expr)),
        _ => false,
    }
}
