//! What things are expected to cost, in PostgreSQL's units (a sequential page read is 1).
//!
//! There are no statistics yet: selectivities are PostgreSQL's defaults, row counts come from storage.

use helios_types::{Datum, oid};

use crate::analyze::for_each_expr;
use crate::expr::{BoolOp, Expr, ExprKind};
use crate::plan::catalog::{Strategy, comparison, proc};

/// Handing a row on.
pub(super) const CPU_TUPLE: f64 = 0.01;
/// An operator or a function on a row.
pub(super) const CPU_OPERATOR: f64 = 0.0025;
/// Finding a key in a table or an index.
pub(super) const LOOKUP: f64 = 0.5;
/// Following an index entry to its row.
pub(super) const FETCH: f64 = 0.3;
/// Rows of a table that nobody has counted.
pub(super) const DEFAULT_ROWS: f64 = 1000.0;
/// Rows of a set-returning function.
pub(super) const FUNCTION_ROWS: f64 = 1000.0;
/// `=` with something unknown.
pub(super) const EQUAL: f64 = 0.005;
/// `<` and its kin.
const INEQUALITY: f64 = 0.333_333_333_333_333_3;
/// Two of them on one column.
pub(super) const RANGE: f64 = 0.005;
/// Anything else.
const UNKNOWN: f64 = 0.25;

/// The share of rows that a condition is expected to hold for.
pub(super) fn selectivity(condition: &Expr) -> f64 {
    match &condition.kind {
        ExprKind::Const(Datum::Bool(true)) => 1.0,
        ExprKind::Const(_) => 0.0,
        ExprKind::Bool(BoolOp::And, args) => args.iter().map(selectivity).product(),
        ExprKind::Bool(BoolOp::Or, args) => 1.0 - args.iter().map(|arg| 1.0 - selectivity(arg)).product::<f64>(),
        ExprKind::Bool(BoolOp::Not, args) => args.first().map_or(UNKNOWN, |arg| 1.0 - selectivity(arg)),
        ExprKind::NullTest { negated, .. } => {
            if *negated {
                0.995
            } else {
                0.005
            }
        }
        ExprKind::Func(call) => match comparison(call.operator).map(|comparison| comparison.strategy) {
            Some(Strategy::Equal) => EQUAL,
            Some(_) => INEQUALITY,
            None => UNKNOWN,
        },
        ExprKind::ScalarArrayOp { func, any: true } => match func.args.get(1).and_then(Expr::as_const) {
            Some(Datum::Array(array)) => (EQUAL * array.elements.len() as f64).min(1.0),
            _ => EQUAL * 10.0,
        },
        ExprKind::SubPlan(_) => 0.5,
        _ => UNKNOWN,
    }
}

/// Whether an expression may give another value each time.
pub(super) fn is_volatile(expr: &Expr) -> bool {
    let mut found = false;
    for_each_expr(expr, &mut |part| {
        found |= match &part.kind {
            ExprKind::Func(call) | ExprKind::SetReturning(call) => is_volatile_function(call.function),
            ExprKind::NextValue(_) => true,
            _ => false,
        }
    });
    found
}

pub(super) fn is_volatile_function(function: helios_types::Oid) -> bool {
    proc(function).is_ok_and(|proc| proc.volatility == helios_catalog::facts::Volatility::Volatile)
}

/// Bytes that a row of these columns takes, as PostgreSQL's type widths have it.
pub(super) fn width(columns: &[Expr]) -> i32 {
    columns
        .iter()
        .map(|column| match column.ty.oid {
            oid::BOOL | oid::CHAR => 1,
            oid::INT2 => 2,
            oid::INT4 | oid::FLOAT4 | oid::DATE | oid::OID => 4,
            oid::INT8 | oid::FLOAT8 | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::TIME => 8,
            oid::INTERVAL | oid::UUID => 16,
            oid::NAME => 64,
            oid::BPCHAR | oid::VARCHAR if column.ty.typmod > 4 => column.ty.typmod - 4,
            _ => 32,
        })
        .sum()
}
