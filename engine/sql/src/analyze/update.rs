//! UPDATE, and the SET lists that ON CONFLICT shares with it.

use std::sync::Arc;

use helios_catalog::model::Table;
use helios_types::{PgError, Result, SqlState, oid};

use super::assignment::{Target, assign, merge_assignments, refuse_own_value};
use super::clause::raw_place;
use super::context::ExprContext;
use super::select::blank_query;
use super::{Analyzer, at, error, inner, place};
use crate::expr::{Expr, ExprKind, ExprType, SubLink, SubLinkKind};
use crate::parse::protobuf::{self as pb, node::Node};
use crate::query::{Command, FromItem, Query, TargetEntry};

impl Analyzer<'_> {
    /// UPDATE as a query of the current level (`transformUpdateStmt`).
    pub(super) fn update_statement(&mut self, update: &pb::UpdateStmt) -> Result<Query> {
        let mut query = blank_query(Command::Update);
        self.with_clause(update.with_clause.as_ref(), &mut query)?;
        let relation = update.relation.as_ref().ok_or_else(|| PgError::internal("UPDATE of nothing"))?;
        let table = self.start_change(relation, "UPDATE", &update.from_clause, &mut query)?;
        if let Some(qual) = update.where_clause.as_deref() {
            query.qual = Some(self.where_clause(qual, ExprContext::Where, "WHERE")?);
        }
        self.returning_clause(update.returning_clause.as_ref(), &mut query)?;
        query.target_list = self.set_list(&update.target_list, &table)?;
        self.take_level(&mut query);
        self.assign_query_collations(&mut query)?;
        Ok(query)
    }

    /// Target and FROM of UPDATE and DELETE. Subqueries in FROM do not see the target.
    pub(super) fn start_change(
        &mut self,
        relation: &pb::RangeVar,
        verb: &str,
        from: &[pb::Node],
        query: &mut Query,
    ) -> Result<Arc<Table>> {
        let (table, item) = self.set_target(relation, verb)?;
        let rte = item.rte;
        query.result_relation = Some(rte);
        query.from.push(FromItem::Rte(rte));
        self.show(item, true, true);
        super::namespace::set_lateral(&mut self.level().namespace, true, false);
        let items = self.from_clause(from)?;
        super::namespace::set_lateral(&mut self.level().namespace, false, true);
        query.from.extend(items);
        Ok(table)
    }

    /// SET (`transformUpdateTargetList`, `rewriteTargetListIU`): one entry per assigned column, in the table's order.
    pub(super) fn set_list(&mut self, items: &[pb::Node], table: &Table) -> Result<Vec<TargetEntry>> {
        let values = self.set_values(items)?;
        let mut list = Vec::with_capacity(items.len());
        for (node, value) in items.iter().zip(values) {
            let Node::ResTarget(item) = inner(node)? else {
                return Err(PgError::internal("SET without targets"));
            };
            let Some(column) = self.target_column(table, &item.name) else {
                let message = format!("column \"{}\" of relation \"{}\" does not exist", item.name, table.name);
                let missing = error(SqlState::UNDEFINED_COLUMN, message).at(at(item.location));
                let own_name = self.current().target.as_ref().is_some_and(|target| target.name == item.name);
                return Err(if own_name && !item.indirection.is_empty() {
                    missing.with_hint("SET target columns cannot be qualified with the relation name.")
                } else {
                    missing
                });
            };
            let target = Target { column, indirection: &item.indirection, location: item.location };
            let expr = self.assigned_expr(value, ExprContext::UpdateTarget, &target)?;
            list.push(assign(&target.column, expr));
        }
        let mut list = merge_assignments(list)?;
        list.sort_by_key(|entry| entry.attnum);
        let mut complete = Vec::with_capacity(list.len());
        for mut entry in list {
            let column = table.column_by_attnum(entry.attnum).ok_or_else(|| PgError::internal("an unknown column"))?;
            if matches!(entry.expr.kind, ExprKind::SetToDefault) {
                // A generated column is computed again anyway.
                if column.generated.is_some() {
                    continue;
                }
                entry.expr = self.default_or_null(column)?;
            } else if let Some(refusal) = refuse_own_value(column, false) {
                return Err(refusal);
            }
            complete.push(entry);
        }
        Ok(complete)
    }

    /// The values of SET, one per item.
    fn set_values(&mut self, items: &[pb::Node]) -> Result<Vec<Expr>> {
        let mut values = Vec::with_capacity(items.len());
        let mut row: Vec<Expr> = Vec::new();
        for node in items {
            let Node::ResTarget(item) = inner(node)? else {
                return Err(PgError::internal("SET without targets"));
            };
            let value = inner(item.val.as_deref().ok_or_else(|| PgError::internal("SET without a value"))?)?;
            values.push(match value {
                Node::SetToDefault(default) => Expr {
                    kind: ExprKind::SetToDefault,
                    ty: ExprType::new(oid::UNKNOWN),
                    location: place(default.location),
                },
                Node::MultiAssignRef(multi) => {
                    if multi.colno == 1 {
                        row = self.in_context(ExprContext::UpdateSource, |a| a.multi_assign(multi))?;
                        row.reverse();
                    }
                    row.pop().ok_or_else(|| PgError::internal("a multi-assignment without a value"))?
                }
                value => self.transform_expr(value, ExprContext::UpdateSource)?,
            });
        }
        Ok(values)
    }

    /// The values of `SET (a, b) = ...` (`transformMultiAssignRef`).
    fn multi_assign(&mut self, multi: &pb::MultiAssignRef) -> Result<Vec<Expr>> {
        let source = multi.source.as_deref().ok_or_else(|| PgError::internal("a multi-assignment of nothing"))?;
        let wanted = usize::try_from(multi.ncolumns).unwrap_or(0);
        let mismatch = |location: i32| {
            let message = "number of columns does not match number of values";
            PgError::new(SqlState::SYNTAX_ERROR, message).at(at(location))
        };
        match inner(source)? {
            Node::SubLink(link) if link.sub_link_type() == pb::SubLinkType::ExprSublink => {
                let query = Arc::new(self.sub_link_query(link)?);
                let visible = query.target_list.iter().filter(|target| !target.junk);
                let columns: Vec<(ExprType, Option<u32>)> =
                    visible.map(|target| (target.expr.ty, super::location::expr_location(&target.expr))).collect();
                if columns.len() != wanted {
                    return Err(mismatch(link.location));
                }
                let number = self.level().multi_assignments;
                self.level().multi_assignments += 1;
                let field = |(index, (ty, location)): (usize, (ExprType, Option<u32>))| {
                    let link_node = SubLink {
                        kind: SubLinkKind::MultiExpr(number),
                        test: None,
                        left: Vec::new(),
                        query: query.clone(),
                    };
                    let record = Expr {
                        kind: ExprKind::SubLink(Box::new(link_node)),
                        ty: ExprType::new(oid::RECORD),
                        location: None,
                    };
                    let kind = ExprKind::Field(Box::new(record), index);
                    Expr { kind, ty, location }
                };
                Ok(columns.into_iter().enumerate().map(field).collect())
            }
            Node::RowExpr(row) => {
                let values = self.row_expr(row, true)?;
                match values.kind {
                    ExprKind::Row(fields) if fields.len() == wanted => Ok(fields),
                    _ => Err(mismatch(row.location)),
                }
            }
            other => {
                let message = "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression";
                Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(raw_place(other)))
            }
        }
    }
}
