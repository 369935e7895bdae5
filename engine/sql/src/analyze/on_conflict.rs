//! ON CONFLICT: the unique indexes that a conflict may be on, found by columns, expressions or constraint.

use std::sync::Arc;

use helios_catalog::facts;
use helios_catalog::model::{ConstraintKind, Index, Table};
use helios_types::{Oid, PgError, Result, SqlState};

use super::context::ExprContext;
use super::stored::{ExpressionUse, analyze_stored_text};
use super::{Analyzer, at, error, inner, name_list};
use crate::expr::{BoolOp, Expr, ExprKind};
use crate::parse::protobuf::{self as pb, node::Node};
use crate::query::{OnConflict, OnConflictUpdate, RangeTblEntry, RteKind};

/// An element of ON CONFLICT's target list.
struct Element {
    expr: Expr,
    collation: Option<Oid>,
    opclass: Option<Oid>,
}

impl Analyzer<'_> {
    /// `transformOnConflictClause`.
    pub(super) fn on_conflict_clause(
        &mut self,
        clause: &pb::OnConflictClause,
        table: &Arc<Table>,
    ) -> Result<OnConflict> {
        let update = match clause.action() {
            pb::OnConflictAction::OnconflictUpdate => true,
            pb::OnConflictAction::OnconflictNothing => false,
            _ => return Err(PgError::internal("ON CONFLICT without an action")),
        };
        let excluded = if update { Some(self.add_excluded(table)?) } else { None };
        let arbiters = match clause.infer.as_deref() {
            Some(infer) => self.arbiters(infer, table)?,
            None if update => {
                let message = "ON CONFLICT DO UPDATE requires inference specification or constraint name";
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message)
                    .with_hint("For example, ON CONFLICT (column_name).")
                    .at(at(clause.location)));
            }
            None => Vec::new(),
        };
        let Some(excluded) = excluded else { return Ok(OnConflict { arbiters, update: None }) };
        let visible_before = self.level().namespace.len();
        let rte = excluded.rte;
        self.show(excluded, true, true);
        let set = self.set_list(&clause.target_list, table)?;
        let qual = match clause.where_clause.as_deref() {
            Some(qual) => Some(self.where_clause(qual, ExprContext::Where, "WHERE")?),
            None => None,
        };
        self.level().namespace.truncate(visible_before);
        Ok(OnConflict { arbiters, update: Some(OnConflictUpdate { set, qual, excluded: rte }) })
    }

    fn add_excluded(&mut self, table: &Arc<Table>) -> Result<super::namespace::NamespaceItem> {
        let target = self.current().target.as_ref().map(|target| target.rte);
        let target = target.ok_or_else(|| PgError::internal("ON CONFLICT without a target"))?;
        let mut columns = self.current().range_table[target].columns.clone();
        // The target's alias does not rename the proposed row's columns.
        for (column, own) in columns.iter_mut().zip(table.live_columns()) {
            column.name.clone_from(&own.name);
        }
        Ok(self.add_entry(RangeTblEntry {
            kind: RteKind::Excluded,
            alias: "excluded".to_owned(),
            columns,
            lateral: false,
            view: Oid::NONE,
        }))
    }

    /// The indexes that the conflict target means (`transformOnConflictArbiter`, `infer_arbiter_indexes`).
    fn arbiters(&mut self, infer: &pb::InferClause, table: &Arc<Table>) -> Result<Vec<Oid>> {
        if !infer.conname.is_empty() {
            return constraint_index(table, &infer.conname).map(|index| vec![index]);
        }
        let elements = self.inference_elements(infer)?;
        let predicate = match infer.where_clause.as_deref() {
            Some(node) => {
                let mut predicate = self.transform_expr(inner(node)?, ExprContext::IndexPredicate)?;
                self.assign_collations(&mut predicate)?;
                Some(predicate)
            }
            None => None,
        };
        let mut arbiters = Vec::new();
        for &index in &table.indexes {
            let Some(index) = self.catalog.index(index).cloned() else { continue };
            if index.unique && self.index_matches(&index, table, &elements, predicate.as_ref())? {
                arbiters.push(index.oid);
            }
        }
        if arbiters.is_empty() {
            let message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
            return Err(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
        }
        Ok(arbiters)
    }

    /// `resolve_unique_index_expr`.
    fn inference_elements(&mut self, infer: &pb::InferClause) -> Result<Vec<Element>> {
        let refuse = |message: &'static str| {
            Err(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message).at(at(infer.location)))
        };
        let mut elements = Vec::with_capacity(infer.index_elems.len());
        for node in &infer.index_elems {
            let Node::IndexElem(element) = inner(node)? else {
                return Err(PgError::internal("ON CONFLICT without index elements"));
            };
            if !matches!(element.ordering(), pb::SortByDir::SortbyDefault | pb::SortByDir::Undefined) {
                return refuse("ASC/DESC is not allowed in ON CONFLICT clause");
            }
            if !matches!(element.nulls_ordering(), pb::SortByNulls::SortbyNullsDefault | pb::SortByNulls::Undefined) {
                return refuse("NULLS FIRST/LAST is not allowed in ON CONFLICT clause");
            }
            if !element.opclassopts.is_empty() {
                return refuse("operator class options are not allowed in ON CONFLICT clause");
            }
            let mut expr = match element.expr.as_deref() {
                Some(expr) => self.transform_expr(inner(expr)?, ExprContext::IndexExpression)?,
                None => {
                    let name = pb::Node { node: Some(Node::String(pb::String { sval: element.name.clone() })) };
                    let column = pb::ColumnRef { fields: vec![name], location: infer.location };
                    self.transform_expr(&Node::ColumnRef(column), ExprContext::IndexExpression)?
                }
            };
            self.assign_collations(&mut expr)?;
            let collation = match element.collation.as_slice() {
                [] => None,
                name => Some(self.collation_by_name(name, infer.location)?),
            };
            let opclass = match element.opclass.as_slice() {
                [] => None,
                name => Some(btree_operator_class(&name_list(name)?)?),
            };
            elements.push(Element { expr, collation, opclass });
        }
        Ok(elements)
    }

    fn index_matches(
        &mut self,
        index: &Index,
        table: &Arc<Table>,
        elements: &[Element],
        predicate: Option<&Expr>,
    ) -> Result<bool> {
        let target = self.current().target.as_ref().map_or(0, |target| target.rte);
        let entry_columns = self.current().range_table[target].columns.clone();
        // Expressions are analyzed as if the table were the only entry; here it is the target.
        let mut keys = Vec::with_capacity(index.keys.len());
        for key in &index.keys {
            keys.push(match &key.expression {
                None => (Some(key.attnum), None, key),
                Some(text) => {
                    let mut expr = self.index_expression(text, table, ExpressionUse::IndexExpression)?;
                    retarget(&mut expr, target);
                    (None, Some(expr), key)
                }
            });
        }
        let attnum_of = |expr: &Expr| match &expr.kind {
            ExprKind::Var(var) if var.rte == target => {
                usize::try_from(var.column).ok().and_then(|column| entry_columns.get(column)).map(|c| c.attnum)
            }
            _ => None,
        };
        let wanted: Vec<i16> = elements.iter().filter_map(|element| attnum_of(&element.expr)).collect();
        let indexed: Vec<i16> = keys.iter().filter_map(|(attnum, _, _)| *attnum).collect();
        let same_columns = wanted.iter().all(|attnum| indexed.contains(attnum))
            && indexed.iter().all(|attnum| wanted.contains(attnum));
        if !same_columns {
            return Ok(false);
        }
        let key_fits = |element: &Element| {
            let attnum = attnum_of(&element.expr);
            keys.iter().any(|(key_attnum, key_expr, key)| {
                let same = match (attnum, key_expr) {
                    (Some(attnum), None) => *key_attnum == Some(attnum),
                    (None, Some(expr)) => *expr == element.expr,
                    _ => false,
                };
                same && element.collation.is_none_or(|collation| collation == key.collation)
                    && element.opclass.is_none_or(|opclass| opclass == key.opclass)
            })
        };
        if !elements.iter().all(key_fits) {
            return Ok(false);
        }
        let covered = |expr: &Expr| elements.iter().any(|element| element.expr == *expr);
        if !keys.iter().filter_map(|(_, expr, _)| expr.as_ref()).all(covered) {
            return Ok(false);
        }
        match &index.predicate {
            None => Ok(true),
            Some(text) => {
                let mut needed = self.index_expression(text, table, ExpressionUse::IndexPredicate)?;
                retarget(&mut needed, target);
                Ok(predicate.is_some_and(|given| implies(given, &needed)))
            }
        }
    }

    fn index_expression(&mut self, text: &str, table: &Arc<Table>, usage: ExpressionUse<'_>) -> Result<Expr> {
        analyze_stored_text(text, Some(table), usage, self.catalog, self.session).map(|(expr, _)| expr)
    }
}

/// Lets columns of the only entry be columns of another.
fn retarget(expr: &mut Expr, rte: usize) {
    super::walk::for_each_expr_mut(expr, &mut |part| {
        if let ExprKind::Var(var) = &mut part.kind {
            var.rte = rte;
        }
    });
}

/// Whether each part of the needed condition is a part of the given one.
fn implies(given: &Expr, needed: &Expr) -> bool {
    let given = conjuncts(given);
    conjuncts(needed).iter().all(|part| given.contains(part))
}

fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Bool(BoolOp::And, parts) => parts.iter().flat_map(conjuncts).collect(),
        _ => vec![expr],
    }
}

/// The index behind a constraint.
fn constraint_index(table: &Table, name: &str) -> Result<Oid> {
    let constraint = table.constraints.iter().find(|constraint| constraint.name == name).ok_or_else(|| {
        let message = format!("constraint \"{name}\" for table \"{}\" does not exist", table.name);
        error(SqlState::UNDEFINED_OBJECT, message)
    })?;
    match &constraint.kind {
        ConstraintKind::PrimaryKey { index } | ConstraintKind::Unique { index } => Ok(*index),
        _ => {
            let message = "constraint in ON CONFLICT clause has no associated index";
            Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message))
        }
    }
}

fn btree_operator_class(path: &[&str]) -> Result<Oid> {
    let name = path.last().copied().unwrap_or_default();
    let found = facts::operator_classes().by_name(facts::BTREE, name);
    found.map(|class| class.oid).ok_or_else(|| {
        let message = format!("operator class \"{}\" does not exist for access method \"btree\"", path.join("."));
        error(SqlState::UNDEFINED_OBJECT, message)
    })
}
