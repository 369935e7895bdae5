//! Where an expression stands in the text: PostgreSQL's `exprLocation`, the leftmost place of its parts.

use super::position;
use crate::expr::{Expr, ExprKind, SubLink};

/// The leftmost place of two, unknown ones aside.
fn leftmost(a: Option<u32>, b: Option<u32>) -> Option<u32> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn leftmost_of<'e>(own: Option<u32>, parts: impl IntoIterator<Item = &'e Expr>) -> Option<u32> {
    parts.into_iter().fold(own, |place, part| leftmost(place, expr_location(part)))
}

/// The place that an error about the expression points to.
pub(super) fn expr_location(expr: &Expr) -> Option<u32> {
    crate::parse::on_grown_stack(|| match &expr.kind {
        ExprKind::Func(call) | ExprKind::SetReturning(call) => leftmost_of(expr.location, &call.args),
        ExprKind::DistinctFrom { func, .. } | ExprKind::NullIf(func) => leftmost_of(expr.location, &func.args),
        ExprKind::ScalarArrayOp { func, .. } => leftmost_of(expr.location, &func.args),
        ExprKind::Bool(_, args) => leftmost_of(expr.location, args.first()),
        ExprKind::SubLink(link) => leftmost(sub_link_test(link), expr.location),
        ExprKind::Relabel(arg, _)
        | ExprKind::CoerceViaIo(arg, _)
        | ExprKind::Collate(arg)
        | ExprKind::Subscript { arg, .. }
        | ExprKind::Field(arg, _)
        | ExprKind::BooleanTest(arg, _)
        | ExprKind::NullTest { arg, .. }
        | ExprKind::ArrayCoerce { arg, .. }
        | ExprKind::ApplyTypmod { arg, .. } => leftmost(expr.location, expr_location(arg)),
        _ => expr.location,
    })
}

fn sub_link_test(link: &SubLink) -> Option<u32> {
    link.left.first().and_then(expr_location)
}

/// [`expr_location`] as an error's position.
pub(super) fn expr_position(expr: &Expr) -> Option<usize> {
    position(expr_location(expr))
}
