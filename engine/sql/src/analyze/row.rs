//! `ROW(...)` and comparisons of rows.

use helios_types::{PgError, Result, SqlState, oid};

use super::expression::BOOL;
use super::operator::unequal_rows;
use super::target_list::ENTRIES_MAX;
use super::{Analyzer, at, error, place};
use crate::expr::{BoolOp, Expr, ExprKind, ExprType, RowCompareOp};
use crate::parse::protobuf as pb;

impl Analyzer<'_> {
    /// `ROW(a, t.*, ...)`; DEFAULT only where an assignment takes it apart.
    pub(super) fn row_expr(&mut self, row: &pb::RowExpr, allow_default: bool) -> Result<Expr> {
        let context = self.current().context;
        let fields = self.expression_list(&row.args, context, allow_default)?;
        if fields.len() > ENTRIES_MAX {
            let message = format!("ROW expressions can have at most {ENTRIES_MAX} entries");
            return Err(error(SqlState::TOO_MANY_COLUMNS, message).at(at(row.location)));
        }
        Ok(Expr { kind: ExprKind::Row(fields), ty: ExprType::new(oid::RECORD), location: place(row.location) })
    }

    /// `(a, b) op (c, d)` (`make_row_comparison_op`).
    pub(super) fn row_comparison(
        &mut self,
        name: &[&str],
        left: Vec<Expr>,
        right: Vec<Expr>,
        location: i32,
    ) -> Result<Expr> {
        if left.len() != right.len() {
            return Err(unequal_rows(location));
        }
        if left.is_empty() {
            let message = "cannot compare rows of zero length";
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(at(location)));
        }
        let mut pairs = Vec::with_capacity(left.len());
        for (l, r) in left.into_iter().zip(right) {
            let pair = self.make_operator(name, Some(l), r, location)?;
            if pair.ty.oid != oid::BOOL {
                let message = format!(
                    "row comparison operator must yield type boolean, not type {}",
                    self.format_type(pair.ty.oid, -1)
                );
                return Err(error(SqlState::DATATYPE_MISMATCH, message).at(at(location)));
            }
            if matches!(pair.kind, ExprKind::SetReturning(_)) {
                let message = "row comparison operator must not return a set";
                return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).at(at(location)));
            }
            pairs.push(pair);
        }
        if pairs.len() == 1 {
            return Ok(pairs.pop().expect("there is one"));
        }
        let bool_of = |op, pairs| Expr { kind: ExprKind::Bool(op, pairs), ty: BOOL, location: place(location) };
        let op = match *name.last().expect("an operator has a name") {
            "=" => return Ok(bool_of(BoolOp::And, pairs)),
            "<>" => return Ok(bool_of(BoolOp::Or, pairs)),
            "<" => RowCompareOp::Lt,
            "<=" => RowCompareOp::Le,
            ">=" => RowCompareOp::Ge,
            ">" => RowCompareOp::Gt,
            other => {
                let message = format!("could not determine interpretation of row comparison operator {other}");
                return Err(error(SqlState::FEATURE_NOT_SUPPORTED, message)
                    .with_hint("Row comparison operators must be associated with btree operator families.")
                    .at(at(location)));
            }
        };
        let mut columns = Vec::with_capacity(pairs.len());
        for pair in pairs {
            match pair.kind {
                ExprKind::Func(call) => columns.push(call),
                _ => return Err(PgError::internal("a row comparison of no operators")),
            }
        }
        Ok(Expr { kind: ExprKind::RowCompare { op, columns }, ty: BOOL, location: place(location) })
    }
}
