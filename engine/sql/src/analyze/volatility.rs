//! Whether an expression's value can change: between rows, statements, or never (`contain_mutable_functions` and kin).

use helios_catalog::facts::{self, Volatility};
use helios_types::Oid;

use super::walk::for_each_expr;
use crate::expr::{Expr, ExprKind};

/// `textanycat`.
const TEXT_ANY_CAT: Oid = Oid(2003);
/// `anytextcat`.
const ANY_TEXT_CAT: Oid = Oid(2004);

/// The most volatile function in an expression. Subqueries count as volatile: what they read can change.
pub fn volatility(expr: &Expr) -> Volatility {
    let mut most = Volatility::Immutable;
    for_each_expr(expr, &mut |part| most = most.max(own_volatility(part)));
    most
}

fn own_volatility(part: &Expr) -> Volatility {
    match &part.kind {
        // SQL functions that PostgreSQL inlines: what is left is the cast to text.
        ExprKind::Func(call) if matches!(call.function, TEXT_ANY_CAT | ANY_TEXT_CAT) => {
            let outputs = call.args.iter().filter_map(|arg| facts::types().by_oid(arg.ty.oid));
            outputs.map(|row| function_volatility(row.output)).max().unwrap_or(Volatility::Stable)
        }
        ExprKind::Func(call) | ExprKind::SetReturning(call) => function_volatility(call.function),
        ExprKind::DistinctFrom { func, .. } | ExprKind::NullIf(func) | ExprKind::ScalarArrayOp { func, .. } => {
            function_volatility(func.function)
        }
        ExprKind::RowCompare { columns, .. } => {
            columns.iter().map(|call| function_volatility(call.function)).max().unwrap_or(Volatility::Immutable)
        }
        ExprKind::CoerceViaIo(arg, _) => {
            let of = |type_oid: Oid, input: bool| {
                let row = facts::types().by_oid(type_oid);
                row.map_or(Volatility::Stable, |row| function_volatility(if input { row.input } else { row.output }))
            };
            of(arg.ty.oid, false).max(of(part.ty.oid, true))
        }
        ExprKind::SqlValue(_) => Volatility::Stable,
        ExprKind::NextValue(_) | ExprKind::SubLink(_) | ExprKind::SubPlan(_) => Volatility::Volatile,
        ExprKind::Aggregate(call) => function_volatility(call.function),
        ExprKind::Window(call) => function_volatility(call.function),
        _ => Volatility::Immutable,
    }
}

fn function_volatility(function: Oid) -> Volatility {
    facts::procs().by_oid(function).map_or(Volatility::Volatile, |proc| proc.volatility)
}
