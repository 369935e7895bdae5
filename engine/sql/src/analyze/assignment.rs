//! Values on their way into a table's columns: coerced for assignment, put into array elements, and merged when several
//! go into one column.

use std::sync::Arc;

use helios_catalog::model::{Column, Identity, Table};
use helios_types::{Oid, PgError, Result, SqlState};

use super::coerce::CoercionContext;
use super::context::ExprContext;
use super::location::expr_position;
use super::lookup::Relation;
use super::namespace::NamespaceItem;
use super::range_table::Alias;
use super::{Analyzer, at, error, inner};
use crate::expr::{CoercionForm, Expr, ExprKind, ExprType};
use crate::parse::protobuf::{self as pb, node::Node};
use crate::query::TargetEntry;

/// Advice given where a value does not fit a column.
const CAST_HINT: &str = "You will need to rewrite or cast the expression.";

/// A column that a statement assigns to.
pub(super) struct Target<'r> {
    pub(super) column: Column,
    pub(super) indirection: &'r [pb::Node],
    pub(super) location: i32,
}

/// A column's type.
pub(super) fn column_type(column: &Column) -> ExprType {
    ExprType { oid: column.type_oid, typmod: column.typmod, collation: column.collation }
}

impl Analyzer<'_> {
    /// The table that a statement changes, as the first entry of the level's range table (`setTargetTable`).
    pub(super) fn set_target(&mut self, range_var: &pb::RangeVar, verb: &str) -> Result<(Arc<Table>, NamespaceItem)> {
        use helios_catalog::model::Relation as Named;
        let named = self.named_relation(range_var)?;
        let refuse_kind = |message: String| Err(error(SqlState::WRONG_OBJECT_TYPE, message));
        let table = match named {
            Named::Table(table) => table.clone(),
            Named::Sequence(sequence) => return refuse_kind(format!("cannot change sequence \"{}\"", sequence.name)),
            Named::View(view) => {
                let what = format!("{verb} on view \"{}\"", view.name);
                return Err(PgError::unsupported(what).at(at(range_var.location)));
            }
            Named::System(system) if system.kind != b'i' => {
                let message = format!("permission denied: \"{}\" is a system catalog", system.name);
                return Err(error(SqlState::INSUFFICIENT_PRIVILEGE, message));
            }
            Named::Index(_) | Named::System(_) => {
                let message = format!("cannot open relation \"{}\"", named.name());
                return Err(error(SqlState::WRONG_OBJECT_TYPE, message)
                    .with_detail("This operation is not supported for indexes.")
                    .at(at(range_var.location)));
            }
        };
        let alias = Alias::of(range_var.alias.as_ref())?;
        let item = self.add_relation(Relation::Table(table.clone()), alias)?;
        self.level().target = Some(item.clone());
        Ok((table, item))
    }

    /// A live column of the target by name.
    pub(super) fn target_column(&self, table: &Table, name: &str) -> Option<Column> {
        table.column(name).cloned()
    }

    /// A value for a column, or for a part of it (`transformAssignedExpr`).
    pub(super) fn assigned_expr(&mut self, mut value: Expr, context: ExprContext, target: &Target<'_>) -> Result<Expr> {
        let column = &target.column;
        let ty = column_type(column);
        if matches!(value.kind, ExprKind::SetToDefault) {
            value.ty = ty;
            if let Some(first) = target.indirection.first() {
                let message = match inner(first)? {
                    Node::AIndices(_) => "cannot set an array element to DEFAULT",
                    _ => "cannot set a subfield to DEFAULT",
                };
                return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(at(target.location)));
            }
            return Ok(value);
        }
        if !target.indirection.is_empty() {
            let base = if context == ExprContext::InsertTarget {
                Expr::null(ty)
            } else {
                self.target_var(column, target.location)?
            };
            return self.assign_part(base, value, target);
        }
        let (source, place) = (value.ty.oid, expr_position(&value));
        let assignment = (CoercionContext::Assignment, CoercionForm::Implicit);
        self.coerce_to_target_type(value, ty.oid, ty.typmod, assignment.0, assignment.1, None)?.ok_or_else(|| {
            let message = format!(
                "column \"{}\" is of type {} but expression is of type {}",
                column.name,
                self.format_type(ty.oid, -1),
                self.format_type(source, -1)
            );
            error(SqlState::DATATYPE_MISMATCH, message).with_hint(CAST_HINT).at(place)
        })
    }

    /// The old value of a target's column.
    fn target_var(&self, column: &Column, location: i32) -> Result<Expr> {
        let item = self.current().target.as_ref().ok_or_else(|| PgError::internal("an assignment without a target"))?;
        let entry = &self.current().range_table[item.rte];
        let index = entry.columns.iter().position(|candidate| candidate.attnum == column.attnum);
        let index = index.ok_or_else(|| PgError::internal("a target column that is not in its table"))?;
        Ok(item.columns[index].reference(0, location))
    }

    /// `SET a[i] = value` (`transformAssignmentSubscripts`).
    fn assign_part(&mut self, base: Expr, value: Expr, target: &Target<'_>) -> Result<Expr> {
        let mut subscripts = Vec::with_capacity(target.indirection.len());
        for node in target.indirection {
            match inner(node)? {
                Node::AIndices(indices) => subscripts.push(indices.as_ref()),
                _ => {
                    let what = "assignment to a field of a composite column";
                    return Err(PgError::unsupported(what).at(at(target.location)));
                }
            }
        }
        let column = &target.column;
        let (container, element) = self.container_types(column.type_oid, at(target.location))?;
        let (indexes, slice) = self.subscript_indexes(&subscripts)?;
        let needed = if slice { container } else { element };
        let source = value.ty.oid;
        let assignment = (CoercionContext::Assignment, CoercionForm::Implicit);
        let coerced = self.coerce_to_target_type(value, needed, column.typmod, assignment.0, assignment.1, None)?;
        let value = coerced.ok_or_else(|| {
            let message = format!(
                "subscripted assignment to \"{}\" requires type {} but expression is of type {}",
                column.name,
                self.format_type(needed, -1),
                self.format_type(source, -1)
            );
            error(SqlState::DATATYPE_MISMATCH, message).with_hint(CAST_HINT).at(at(target.location))
        })?;
        let location = base.location;
        let kind = ExprKind::SubscriptAssign { arg: Box::new(base), indexes, slice, value: Box::new(value) };
        Ok(Expr { kind, ty: ExprType { oid: container, ..column_type(column) }, location })
    }
}

/// Several assignments to parts of one column become one, in order; two to the whole are an error
/// (`process_matched_tle`).
pub(super) fn merge_assignments(list: Vec<TargetEntry>) -> Result<Vec<TargetEntry>> {
    let mut merged: Vec<TargetEntry> = Vec::with_capacity(list.len());
    for mut entry in list {
        let Some(earlier) = merged.iter_mut().find(|other| other.attnum == entry.attnum) else {
            merged.push(entry);
            continue;
        };
        let parts = matches!(earlier.expr.kind, ExprKind::SubscriptAssign { .. })
            && matches!(entry.expr.kind, ExprKind::SubscriptAssign { .. });
        if !parts {
            let message = format!("multiple assignments to same column \"{}\"", entry.name);
            return Err(error(SqlState::SYNTAX_ERROR, message));
        }
        let before = std::mem::replace(&mut earlier.expr, Expr::null(entry.expr.ty));
        if let ExprKind::SubscriptAssign { arg, .. } = &mut entry.expr.kind {
            **arg = before;
        }
        earlier.expr = entry.expr;
    }
    Ok(merged)
}

/// The refusal of a value other than DEFAULT for a column that generates its own, if that is what it is.
pub(super) fn refuse_own_value(column: &Column, insert: bool) -> Option<PgError> {
    let name = &column.name;
    let detail = if column.generated.is_some() {
        format!("Column \"{name}\" is a generated column.")
    } else if column.identity == Some(Identity::Always) {
        format!("Column \"{name}\" is an identity column defined as GENERATED ALWAYS.")
    } else {
        return None;
    };
    if !insert {
        let message = format!("column \"{name}\" can only be updated to DEFAULT");
        return Some(error(SqlState::GENERATED_ALWAYS, message).with_detail(detail));
    }
    let refusal =
        error(SqlState::GENERATED_ALWAYS, format!("cannot insert a non-DEFAULT value into column \"{name}\""))
            .with_detail(detail);
    Some(if column.generated.is_some() {
        refusal
    } else {
        refusal.with_hint("Use OVERRIDING SYSTEM VALUE to override.")
    })
}

/// An entry that assigns a value to a column.
pub(super) fn assign(column: &Column, expr: Expr) -> TargetEntry {
    TargetEntry { expr, name: column.name.clone(), junk: false, attnum: column.attnum, table: Oid::NONE }
}
