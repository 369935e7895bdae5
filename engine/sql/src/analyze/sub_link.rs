//! Subqueries in expressions (`transformSubLink`).

use std::sync::Arc;

use helios_types::{PgError, Result, SqlState};

use super::expression::BOOL;
use super::{Analyzer, at, error, inner, name_list, place};
use crate::expr::{Expr, ExprKind, ExprType, FuncExpr, SubLink, SubLinkKind};
use crate::parse::protobuf as pb;
use crate::query::Query;

impl Analyzer<'_> {
    /// `(SELECT ...)`, EXISTS, IN, ANY, ALL, ARRAY.
    pub(super) fn sub_link(&mut self, link: &pb::SubLink) -> Result<Expr> {
        use pb::SubLinkType as Type;
        let query = self.sub_link_query(link)?;
        let location = link.location;
        match link.sub_link_type() {
            Type::ExistsSublink => Ok(self.finish_link(SubLinkKind::Exists, None, query, BOOL, location)),
            Type::ExprSublink => {
                let ty = single_column(&query, location)?;
                Ok(self.finish_link(SubLinkKind::Scalar, None, query, ty, location))
            }
            Type::ArraySublink => {
                let ty = single_column(&query, location)?;
                // An array of arrays is an array of one more dimension.
                let array = match self.element_type(ty.oid) {
                    Some(_) => Some(ty.oid),
                    None => self.array_type(ty.oid),
                };
                let array = array.ok_or_else(|| {
                    let message = format!("could not find array type for data type {}", self.format_type(ty.oid, -1));
                    error(SqlState::UNDEFINED_OBJECT, message).at(at(location))
                })?;
                let ty = ExprType { oid: array, typmod: ty.typmod, collation: ty.collation };
                Ok(self.finish_link(SubLinkKind::Array, None, query, ty, location))
            }
            Type::AnySublink | Type::AllSublink => {
                let kind = if link.sub_link_type() == Type::AnySublink { SubLinkKind::Any } else { SubLinkKind::All };
                let name = if link.oper_name.is_empty() { vec!["="] } else { name_list(&link.oper_name)? };
                let left = link.testexpr.as_deref().ok_or_else(|| PgError::internal("IN without a left side"))?;
                let test = self.link_test(&name, left, &query, location)?;
                Ok(self.finish_link(kind, Some(test), query, BOOL, location))
            }
            other => Err(PgError::internal(format!("a subquery of kind {other:?}"))),
        }
    }

    /// `(a, b) op (SELECT ...)`.
    pub(super) fn row_compare_link(
        &mut self,
        link: &pb::SubLink,
        left: &pb::Node,
        name: &[pb::Node],
        location: i32,
    ) -> Result<Expr> {
        let query = self.sub_link_query(link)?;
        let test = self.link_test(&name_list(name)?, left, &query, location)?;
        Ok(self.finish_link(SubLinkKind::RowCompare, Some(test), query, BOOL, location))
    }

    /// The subquery, where one is allowed.
    pub(super) fn sub_link_query(&mut self, link: &pb::SubLink) -> Result<Query> {
        if let Some(refusal) = self.current().context.sub_link_refusal() {
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, refusal).at(at(link.location)));
        }
        let node = link.subselect.as_deref().ok_or_else(|| PgError::internal("a subquery without a query"))?;
        self.sub_select(inner(node)?)
    }

    /// The comparison of the left side with the subquery's columns, which are [`ExprKind::ExecParam`]s in it.
    fn link_test(&mut self, name: &[&str], left: &pb::Node, query: &Query, location: i32) -> Result<Expr> {
        let left = self.expr(left)?;
        let left = match left.kind {
            ExprKind::Row(fields) => fields,
            _ => vec![left],
        };
        let columns = query.target_list.iter().filter(|entry| !entry.junk).enumerate();
        let right: Vec<Expr> = columns
            .map(|(index, entry)| Expr { kind: ExprKind::ExecParam(index), ty: entry.expr.ty, location: None })
            .collect();
        let mismatch = |message: &'static str| PgError::new(SqlState::SYNTAX_ERROR, message).at(at(location));
        if left.len() < right.len() {
            return Err(mismatch("subquery has too many columns"));
        }
        if left.len() > right.len() {
            return Err(mismatch("subquery has too few columns"));
        }
        self.row_comparison(name, left, right, location)
    }

    fn finish_link(
        &mut self,
        kind: SubLinkKind,
        test: Option<Expr>,
        query: Query,
        ty: ExprType,
        location: i32,
    ) -> Expr {
        let link =
            SubLink { kind, left: test.as_ref().map_or_else(Vec::new, plain_left), test, query: Arc::new(query) };
        Expr { kind: ExprKind::SubLink(Box::new(link)), ty, location: place(location) }
    }
}

/// The left-hand sides of plain comparisons with the subquery's columns, in their order; none when they are not plain.
pub(super) fn plain_left(test: &Expr) -> Vec<Expr> {
    fn left_of(call: &FuncExpr) -> Option<Expr> {
        match call.args.as_slice() {
            [left, right] if matches!(right.kind, ExprKind::ExecParam(_)) => Some(left.clone()),
            _ => None,
        }
    }
    let sides = match &test.kind {
        ExprKind::Func(call) => Some(vec![left_of(call)]),
        ExprKind::Bool(crate::expr::BoolOp::And, parts) => Some(
            parts.iter().map(|part| if let ExprKind::Func(call) = &part.kind { left_of(call) } else { None }).collect(),
        ),
        _ => None,
    };
    sides.and_then(|sides| sides.into_iter().collect::<Option<Vec<Expr>>>()).unwrap_or_default()
}

/// The type of a subquery's only column.
fn single_column(query: &Query, location: i32) -> Result<ExprType> {
    let mut columns = query.target_list.iter().filter(|entry| !entry.junk);
    match (columns.next(), columns.next()) {
        (Some(only), None) => Ok(ExprType { collation: only.expr.ty.collation, ..only.expr.ty }),
        _ => {
            let message = "subquery must return only one column";
            Err(PgError::new(SqlState::SYNTAX_ERROR, message).at(at(location)))
        }
    }
}
