//! Target lists: `*` expanded, columns named, their origins noted.

use helios_types::{PgError, Result, SqlState, oid};

use super::coerce::CoercionContext;
use super::column_ref::dotted;
use super::context::ExprContext;
use super::namespace::NamespaceItem;
use super::walk::find;
use super::{Analyzer, at, error, inner, string_of};
use crate::expr::{CoercionForm, Expr, ExprKind, SubLinkKind, Var, system_column};
use crate::parse::protobuf::{self as pb, node::Node};
use crate::query::{RteKind, TargetEntry};
use helios_types::Oid;

/// Entries that a row or a target list may have (`MaxTupleAttributeNumber`).
pub(super) const ENTRIES_MAX: usize = 1664;

/// A visible output column.
pub(super) fn entry(expr: Expr, name: impl Into<String>) -> TargetEntry {
    TargetEntry { expr, name: name.into(), junk: false, attnum: 0, table: Oid::NONE }
}

impl Analyzer<'_> {
    /// A SELECT's or RETURNING's list (`transformTargetList`).
    pub(super) fn target_list(&mut self, targets: &[pb::Node], context: ExprContext) -> Result<Vec<TargetEntry>> {
        let mut list = Vec::with_capacity(targets.len());
        for node in targets {
            let Node::ResTarget(target) = inner(node)? else {
                return Err(PgError::internal("a target list without targets"));
            };
            let value = target.val.as_deref().ok_or_else(|| PgError::internal("a target without a value"))?;
            if let Some(expanded) = self.in_context(context, |a| a.expand_star(inner(value)?))? {
                list.extend(expanded.into_iter().map(|(name, expr)| entry(expr, name)));
                continue;
            }
            let expr = self.transform_expr(inner(value)?, context)?;
            let name =
                if target.name.is_empty() { figure_target_name(inner(value)?, &expr) } else { target.name.clone() };
            list.push(entry(expr, name));
        }
        if list.len() > ENTRIES_MAX {
            let message = format!("target lists can have at most {ENTRIES_MAX} entries");
            return Err(error(SqlState::TOO_MANY_COLUMNS, message));
        }
        Ok(list)
    }

    /// Values of a ROW or VALUES, `t.*` expanded (`transformExpressionList`).
    pub(super) fn expression_list(
        &mut self,
        nodes: &[pb::Node],
        context: ExprContext,
        allow_default: bool,
    ) -> Result<Vec<Expr>> {
        let mut list = Vec::with_capacity(nodes.len());
        for node in nodes {
            let node = inner(node)?;
            if let Node::SetToDefault(default) = node
                && allow_default
            {
                let ty = crate::expr::ExprType::new(oid::UNKNOWN);
                list.push(Expr { kind: ExprKind::SetToDefault, ty, location: super::place(default.location) });
                continue;
            }
            match self.in_context(context, |a| a.expand_star(node))? {
                Some(expanded) => list.extend(expanded.into_iter().map(|(_, expr)| expr)),
                None => list.push(self.transform_expr(node, context)?),
            }
        }
        Ok(list)
    }

    /// `*`, `t.*`, `(composite).*` as columns; `None` for anything else.
    fn expand_star(&mut self, node: &Node) -> Result<Option<Vec<(String, Expr)>>> {
        match node {
            Node::ColumnRef(column) => match column.fields.split_last() {
                Some((last, qualifiers)) if matches!(last.node, Some(Node::AStar(_))) => {
                    self.expand_column_star(column, qualifiers).map(Some)
                }
                _ => Ok(None),
            },
            Node::AIndirection(indirection) => match indirection.indirection.split_last() {
                Some((last, rest)) if matches!(last.node, Some(Node::AStar(_))) => {
                    let value = if rest.is_empty() {
                        self.expr_of(indirection.arg.as_deref())?
                    } else {
                        let arg = indirection.arg.clone();
                        let shorter = pb::AIndirection { arg, indirection: rest.to_vec() };
                        self.expr_node(&Node::AIndirection(Box::new(shorter)))?
                    };
                    self.expand_row(&value).map(Some)
                }
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn expand_column_star(&mut self, column: &pb::ColumnRef, qualifiers: &[pb::Node]) -> Result<Vec<(String, Expr)>> {
        let location = column.location;
        let (schema, relation) = match qualifiers {
            [] => return self.expand_all(location),
            [relation] => (None, string_of(relation)?),
            [schema, relation] => (Some(string_of(schema)?), string_of(relation)?),
            [catalog, schema, relation] => {
                if string_of(catalog)? != &*self.session.database {
                    let message = format!("cross-database references are not implemented: {}", dotted(&column.fields)?);
                    return Err(error(SqlState::FEATURE_NOT_SUPPORTED, message).at(at(location)));
                }
                (Some(string_of(schema)?), string_of(relation)?)
            }
            _ => {
                let message = format!("improper qualified name (too many dotted names): {}", dotted(&column.fields)?);
                return Err(error(SqlState::SYNTAX_ERROR, message).at(at(location)));
            }
        };
        match self.find_name(schema, relation, location)? {
            Some((item, levels_up)) => Ok(item_columns(item, levels_up, location)),
            None => Err(self.missing_relation(schema, relation, location)),
        }
    }

    /// `*` (`ExpandAllTables`).
    fn expand_all(&mut self, location: i32) -> Result<Vec<(String, Expr)>> {
        let visible: Vec<&NamespaceItem> = self.current().namespace.iter().filter(|item| item.cols_visible).collect();
        if visible.is_empty() {
            let message = "SELECT * with no tables specified is not valid";
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message).at(at(location)));
        }
        Ok(visible.into_iter().flat_map(|item| item_columns(item, 0, location)).collect())
    }

    /// The fields of a composite value (`ExpandRowReference`).
    fn expand_row(&mut self, value: &Expr) -> Result<Vec<(String, Expr)>> {
        if let ExprKind::Var(var) = &value.kind
            && var.column == system_column::WHOLE_ROW
        {
            let entry = &self.levels[self.levels.len() - 1 - var.levels_up as usize].range_table[var.rte];
            let column = |(index, column): (i32, &crate::query::RteColumn)| {
                let kind = ExprKind::Var(Var { column: index, ..*var });
                (column.name.clone(), Expr { kind, ty: column.ty, location: value.location })
            };
            return Ok((0..).zip(&entry.columns).map(column).collect());
        }
        let Some(columns) = self.composite_columns(value) else {
            let position = super::location::expr_position(value);
            if value.ty.oid == oid::RECORD {
                return Err(PgError::unsupported("expansion of an anonymous record").at(position));
            }
            let message = format!("type {} is not composite", self.format_type(value.ty.oid, -1));
            return Err(error(SqlState::WRONG_OBJECT_TYPE, message));
        };
        let fields = columns.into_iter().enumerate().map(|(index, (name, ty))| {
            let kind = ExprKind::Field(Box::new(value.clone()), index);
            (name, Expr { kind, ty, location: value.location })
        });
        Ok(fields.collect())
    }

    /// Unknown literals among output columns are texts (`resolveTargetListUnknowns`).
    pub(super) fn resolve_unknowns(&mut self, list: &mut [TargetEntry]) -> Result<()> {
        for entry in list.iter_mut().filter(|entry| entry.expr.ty.oid == oid::UNKNOWN) {
            self.unknown_to_text(&mut entry.expr)?;
        }
        Ok(())
    }

    /// An unknown literal or parameter becomes a text.
    pub(super) fn unknown_to_text(&mut self, expr: &mut Expr) -> Result<()> {
        if expr.ty.oid == oid::UNKNOWN {
            let unknown = std::mem::replace(expr, Expr::null(expr.ty));
            let implicit = (CoercionContext::Implicit, CoercionForm::Implicit);
            *expr = self.coerce_type(unknown, oid::TEXT, -1, implicit.0, implicit.1, None)?;
        }
        Ok(())
    }

    /// Notes which tables' columns the output plainly is (`markTargetListOrigins`).
    pub(super) fn mark_origins(&self, list: &mut [TargetEntry]) {
        for entry in list {
            if let ExprKind::Var(var) = &entry.expr.kind
                && let Some((table, attnum)) = self.origin(*var, self.levels.len() - 1)
            {
                (entry.table, entry.attnum) = (table, attnum);
            }
        }
    }

    /// The table and attnum behind a Var of the level with this index.
    fn origin(&self, var: Var, level: usize) -> Option<(Oid, i16)> {
        let level = level.checked_sub(var.levels_up as usize)?;
        let entry = self.levels[level].range_table.get(var.rte)?;
        let relation = match &entry.kind {
            RteKind::Relation { table, .. } => Some(table.oid),
            RteKind::System { oid } => Some(*oid),
            RteKind::Subquery(_) if !entry.view.is_none() => Some(entry.view),
            // RETURNING's `old` and `new`.
            RteKind::Excluded => {
                let target = self.levels[level].target.as_ref().map(|target| target.rte);
                match target.map(|rte| &self.levels[level].range_table[rte].kind) {
                    Some(RteKind::Relation { table, .. }) => Some(table.oid),
                    _ => None,
                }
            }
            _ => None,
        };
        match (relation, var.column) {
            (Some(relation), system_column::WHOLE_ROW) => return Some((relation, 0)),
            (Some(relation), system) if system < 0 => return Some((relation, i16::try_from(system).ok()?)),
            _ => {}
        }
        let column = usize::try_from(var.column).ok()?;
        match &entry.kind {
            RteKind::Relation { table, .. } => Some((table.oid, entry.columns.get(column)?.attnum)),
            RteKind::System { oid } => Some((*oid, entry.columns.get(column)?.attnum)),
            RteKind::Excluded => Some((relation?, entry.columns.get(column)?.attnum)),
            RteKind::Subquery(_) if !entry.view.is_none() => Some((entry.view, entry.columns.get(column)?.attnum)),
            RteKind::Subquery(query) => {
                let target = query.target_list.iter().filter(|target| !target.junk).nth(column)?;
                (!target.table.is_none()).then_some((target.table, target.attnum))
            }
            RteKind::Join { join_columns } => match &join_columns.get(column)?.kind {
                ExprKind::Var(inner) => self.origin(Var { levels_up: 0, ..*inner }, level),
                _ => None,
            },
            RteKind::Cte { levels_up, index, self_reference: false, .. } => {
                let slot = self.levels.get(level.checked_sub(*levels_up as usize)?)?.ctes.get(*index)?;
                let list = match slot.cte.query.command {
                    crate::query::Command::Select => &slot.cte.query.target_list,
                    _ => &slot.cte.query.returning,
                };
                let target = list.iter().filter(|target| !target.junk).nth(column)?;
                (!target.table.is_none()).then_some((target.table, target.attnum))
            }
            _ => None,
        }
    }
}

/// An item's columns, as `t.*` has them.
fn item_columns(item: &NamespaceItem, levels_up: u32, location: i32) -> Vec<(String, Expr)> {
    item.columns.iter().map(|column| (column.name.clone(), column.reference(levels_up, location))).collect()
}

/// The name of an output column without AS, given the analyzed value too: a subquery's name is its column's.
fn figure_target_name(node: &Node, expr: &Expr) -> String {
    figure(node, Some(expr)).0.unwrap_or_else(|| "?column?".to_owned())
}

/// The name that a column computed by this expression has (`FigureColname`).
pub(super) fn figure_column_name(node: &Node) -> String {
    figure(node, None).0.unwrap_or_else(|| "?column?".to_owned())
}

/// The name of an index's expression column (`FigureIndexColname`); `None` when it has none of its own.
pub fn figure_index_column_name(node: &Node) -> Option<String> {
    figure(node, None).0
}

/// A name and how good it is: 2 is the expression's own, 1 that of its type, 0 none.
fn figure(node: &Node, expr: Option<&Expr>) -> (Option<String>, u8) {
    let strong = |name: &str| (Some(name.to_owned()), 2);
    let none = (None, 0);
    let last_string = |nodes: &[pb::Node]| {
        nodes.iter().rev().find_map(|node| match &node.node {
            Some(Node::String(string)) => Some(string.sval.clone()),
            _ => None,
        })
    };
    let of = |node: &Option<Box<pb::Node>>| match node.as_deref().and_then(|node| node.node.as_ref()) {
        Some(node) => figure(node, expr),
        None => (None, 0),
    };
    match node {
        Node::ColumnRef(column) => last_string(&column.fields).map_or(none, |name| (Some(name), 2)),
        Node::AIndirection(indirection) => match last_string(&indirection.indirection) {
            Some(name) => (Some(name), 2),
            None => of(&indirection.arg),
        },
        Node::FuncCall(call) => last_string(&call.funcname).map_or(none, |name| (Some(name), 2)),
        Node::AExpr(operation) if operation.kind() == pb::AExprKind::AexprNullif => strong("nullif"),
        Node::TypeCast(cast) => match (of(&cast.arg), &cast.type_name) {
            ((_, 0 | 1), Some(name)) => last_string(&name.names).map_or(none, |name| (Some(name), 1)),
            (found, _) => found,
        },
        Node::CollateClause(clause) => of(&clause.arg),
        Node::GroupingFunc(_) => strong("grouping"),
        Node::SubLink(link) => match link.sub_link_type() {
            pb::SubLinkType::ExistsSublink => strong("exists"),
            pb::SubLinkType::ArraySublink => strong("array"),
            pb::SubLinkType::ExprSublink => expr.and_then(sub_query_name).map_or(none, |name| (Some(name), 2)),
            _ => none,
        },
        Node::CaseExpr(case) => match of(&case.defresult) {
            (_, 0 | 1) => (Some("case".to_owned()), 1),
            found => found,
        },
        Node::AArrayExpr(_) => strong("array"),
        Node::RowExpr(_) => strong("row"),
        Node::CoalesceExpr(_) => strong("coalesce"),
        Node::MinMaxExpr(min_max) => match min_max.op() {
            pb::MinMaxOp::IsLeast => strong("least"),
            _ => strong("greatest"),
        },
        Node::SqlvalueFunction(value) => strong(sql_value_name(value.op())),
        _ => none,
    }
}

/// The name of a scalar subquery's column.
fn sub_query_name(expr: &Expr) -> Option<String> {
    let scalar = |part: &Expr| matches!(&part.kind, ExprKind::SubLink(link) if link.kind == SubLinkKind::Scalar);
    match &find(expr, &scalar)?.kind {
        ExprKind::SubLink(link) => link.query.target_list.first().map(|target| target.name.clone()),
        _ => None,
    }
}

fn sql_value_name(op: pb::SqlValueFunctionOp) -> &'static str {
    use pb::SqlValueFunctionOp as Op;
    match op {
        Op::SvfopCurrentDate => "current_date",
        Op::SvfopCurrentTime | Op::SvfopCurrentTimeN => "current_time",
        Op::SvfopCurrentTimestamp | Op::SvfopCurrentTimestampN => "current_timestamp",
        Op::SvfopLocaltime | Op::SvfopLocaltimeN => "localtime",
        Op::SvfopLocaltimestamp | Op::SvfopLocaltimestampN => "localtimestamp",
        Op::SvfopCurrentRole => "current_role",
        Op::SvfopCurrentUser => "current_user",
        Op::SvfopUser => "user",
        Op::SvfopSessionUser => "session_user",
        Op::SvfopCurrentCatalog => "current_catalog",
        Op::SvfopCurrentSchema => "current_schema",
        Op::SqlvalueFunctionOpUndefined => "?column?",
    }
}
