//! FROM: items become range table entries, joins, and names in the namespace.

use helios_types::{PgError, Result, SqlState, oid};

use super::context::ExprContext;
use super::location::expr_position;
use super::namespace::{NamespaceItem, check_name_conflicts, set_lateral};
use super::range_table::{Alias, FunctionItem};
use super::walk::contains_level_var;
use super::{Analyzer, at, error, inner};
use crate::expr::{Expr, ExprKind, ExprType};
use crate::parse::protobuf::{self as pb, node::Node};
use crate::query::{Command, FromItem, Query, RangeFunction};

/// An item of FROM, analyzed: where it stands in the join tree, its own columns, and the names that it makes visible.
pub(super) struct Item {
    pub(super) tree: FromItem,
    pub(super) own: NamespaceItem,
    pub(super) namespace: Vec<NamespaceItem>,
}

impl Analyzer<'_> {
    /// FROM (`transformFromClause`): the items join the current level's namespace.
    pub(super) fn from_clause(&mut self, items: &[pb::Node]) -> Result<Vec<FromItem>> {
        let mut list = Vec::with_capacity(items.len());
        for node in items {
            let mut item = self.from_item(node)?;
            check_name_conflicts(&self.current().namespace, &item.namespace)?;
            // Visible to the items after it, but from LATERAL ones only.
            set_lateral(&mut item.namespace, true, true);
            self.level().namespace.append(&mut item.namespace);
            list.push(item.tree);
        }
        set_lateral(&mut self.level().namespace, false, true);
        Ok(list)
    }

    /// One item (`transformFromClauseItem`).
    pub(super) fn from_item(&mut self, node: &pb::Node) -> Result<Item> {
        crate::parse::on_grown_stack(|| match inner(node)? {
            Node::RangeVar(range_var) => {
                check_range_var(range_var)?;
                let item = self.add_range_var(range_var)?;
                Ok(leaf(item))
            }
            Node::RangeSubselect(subselect) => self.range_subselect(subselect).map(leaf),
            Node::RangeFunction(function) => self.range_function(function).map(leaf),
            Node::JoinExpr(join) => self.join(join),
            Node::RangeTableSample(_) => Err(PgError::unsupported("TABLESAMPLE")),
            Node::RangeTableFunc(_) => Err(PgError::unsupported("XMLTABLE")),
            Node::JsonTable(_) => Err(PgError::unsupported("JSON_TABLE")),
            other => Err(PgError::internal(format!("an item of FROM: {other:?}"))),
        })
    }

    /// `(SELECT ...) AS name`.
    fn range_subselect(&mut self, subselect: &pb::RangeSubselect) -> Result<NamespaceItem> {
        let node = subselect.subquery.as_deref().ok_or_else(|| PgError::internal("a subquery without a query"))?;
        let alias = Alias::of(subselect.alias.as_ref())?;
        let saved_lateral = std::mem::replace(&mut self.level().lateral_active, subselect.lateral);
        let query = self.in_context(ExprContext::FromSubselect, |a| a.sub_select(inner(node)?));
        self.level().lateral_active = saved_lateral;
        self.add_subquery(query?, alias, subselect.lateral)
    }

    /// A subquery as a query of a new level, its unknown literals being texts.
    pub(super) fn sub_select(&mut self, node: &Node) -> Result<Query> {
        let Node::SelectStmt(select) = node else {
            return Err(PgError::internal("a subquery that is no SELECT"));
        };
        let query = self.in_new_level(|a| a.select_statement(select, super::select::Unknowns::Text))?;
        if query.command != Command::Select {
            return Err(PgError::internal("a subquery that is no SELECT"));
        }
        Ok(query)
    }

    /// `f(...)`, `ROWS FROM (f(...), ...)`, `unnest(a, b)` (`transformRangeFunction`).
    fn range_function(&mut self, range: &pb::RangeFunction) -> Result<NamespaceItem> {
        let saved_lateral = std::mem::replace(&mut self.level().lateral_active, true);
        let functions = self.range_functions(range);
        self.level().lateral_active = saved_lateral;
        let functions = functions?;
        let depth_free = |item: &FunctionItem<'_>| item.function.call.args.iter().any(|arg| contains_level_var(arg, 0));
        let lateral = range.lateral || functions.iter().any(depth_free);
        let alias = Alias::of(range.alias.as_ref())?;
        self.add_functions(functions, range.ordinality, alias, lateral)
    }

    fn range_functions<'r>(&mut self, range: &'r pb::RangeFunction) -> Result<Vec<FunctionItem<'r>>> {
        let mut raw: Vec<(Node, &'r [pb::Node])> = Vec::new();
        for item in &range.functions {
            let Node::List(pair) = inner(item)? else {
                return Err(PgError::internal("a function of FROM without its pair"));
            };
            let [function, definitions] = pair.items.as_slice() else {
                return Err(PgError::internal("a function of FROM without its pair"));
            };
            let definitions = match &definitions.node {
                Some(Node::List(list)) => list.items.as_slice(),
                _ => &[],
            };
            raw.extend(split_unnest(inner(function)?, definitions)?.into_iter().map(|node| (node, definitions)));
        }
        if !range.coldeflist.is_empty() {
            if raw.len() != 1 {
                let (message, hint) = if range.is_rowsfrom {
                    (
                        "ROWS FROM() with multiple functions cannot have a column definition list",
                        "Put a separate column definition list for each function inside ROWS FROM().",
                    )
                } else {
                    (
                        "UNNEST() with multiple arguments cannot have a column definition list",
                        "Use separate UNNEST() calls inside ROWS FROM(), and attach a column definition list to each one.",
                    )
                };
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message)
                    .with_hint(hint)
                    .at(definition_place(&range.coldeflist)));
            }
            if range.ordinality {
                return Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    "WITH ORDINALITY cannot be used with a column definition list",
                )
                .with_hint("Put the column definition list inside ROWS FROM().")
                .at(definition_place(&range.coldeflist)));
            }
        }
        let mut functions = Vec::with_capacity(raw.len());
        for (node, own_definitions) in raw {
            if !own_definitions.is_empty() && !range.coldeflist.is_empty() {
                let message = "multiple column definition lists are not allowed for the same function";
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message).at(definition_place(&range.coldeflist)));
            }
            let definitions = if own_definitions.is_empty() { &range.coldeflist } else { own_definitions };
            functions.push(self.range_function_item(&node, definitions)?);
        }
        Ok(functions)
    }

    fn range_function_item<'r>(&mut self, node: &Node, definitions: &[pb::Node]) -> Result<FunctionItem<'r>> {
        let name = super::target_list::figure_column_name(node);
        let srf_calls = self.level().srf_calls;
        let mut expr = self.transform_expr(node, ExprContext::FromFunction)?;
        // A set-returning call at the top has checked its own arguments.
        if !matches!(expr.kind, ExprKind::SetReturning(_)) && self.level().srf_calls != srf_calls {
            let message = "set-returning functions must appear at top level of FROM";
            let place = super::position(self.level().last_srf);
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(place));
        }
        self.assign_collations(&mut expr)?;
        let place = expr_position(&expr);
        let Expr { kind, ty, .. } = expr;
        let (call, returns_set) = match kind {
            ExprKind::Func(call) => (call, false),
            ExprKind::SetReturning(call) => (call, true),
            _ => {
                return Err(PgError::unsupported(format!("\"{name}\" as a function in FROM")).at(place));
            }
        };
        let columns = self.function_columns(&call, ty, definitions, &name, place)?;
        let result_name = self.single_out_name(&call);
        let width = columns.as_ref().map_or(1, Vec::len);
        let function = RangeFunction { call, returns_set, ty, columns: width };
        Ok(FunctionItem { function, name, columns, result_name })
    }

    /// The columns of a function's composite result; `None` when it is a scalar.
    fn function_columns(
        &mut self,
        call: &crate::expr::FuncExpr,
        ty: ExprType,
        definitions: &[pb::Node],
        name: &str,
        place: Option<usize>,
    ) -> Result<Option<Vec<(String, ExprType)>>> {
        let described = self.result_columns(call, ty.oid);
        if !definitions.is_empty() {
            let redundant = if described.as_ref().is_some_and(|columns| columns.is_some()) {
                Some(if self.has_out_parameters(call) {
                    "a column definition list is redundant for a function with OUT parameters"
                } else {
                    "a column definition list is redundant for a function returning a named composite type"
                })
            } else if ty.oid != oid::RECORD {
                Some("a column definition list is only allowed for functions returning \"record\"")
            } else {
                None
            };
            if let Some(message) = redundant {
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message).at(definition_place(definitions)));
            }
            return self.column_definitions(definitions).map(Some);
        }
        match described {
            Some(columns) => Ok(columns),
            None if ty.oid == oid::RECORD => Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                "a column definition list is required for functions returning \"record\"",
            )
            .at(place)),
            None => Err(error(
                SqlState::DATATYPE_MISMATCH,
                format!("function \"{name}\" in FROM has unsupported return type {}", self.format_type(ty.oid, -1)),
            )
            .at(place)),
        }
    }

    /// `AS t (a int, b text)` after a function that returns a record.
    fn column_definitions(&mut self, definitions: &[pb::Node]) -> Result<Vec<(String, ExprType)>> {
        let mut columns: Vec<(String, ExprType)> = Vec::with_capacity(definitions.len());
        for node in definitions {
            let Node::ColumnDef(definition) = inner(node)? else {
                return Err(PgError::internal("a column definition list without column definitions"));
            };
            let type_name = definition.type_name.as_ref().ok_or_else(|| PgError::internal("a column without type"))?;
            if type_name.setof {
                let message = format!("column \"{}\" cannot be declared SETOF", definition.colname);
                return Err(error(SqlState::INVALID_TABLE_DEFINITION, message).at(at(definition.location)));
            }
            let (type_oid, typmod) = self.type_name(type_name)?;
            let collation = match &definition.coll_clause {
                Some(clause) => self.collation_by_name(&clause.collname, clause.location)?,
                None => self.type_collation(type_oid),
            };
            if columns.iter().any(|(name, _)| *name == definition.colname) {
                let message = format!("column name \"{}\" specified more than once", definition.colname);
                return Err(error(SqlState::DUPLICATE_COLUMN, message).at(at(definition.location)));
            }
            columns.push((definition.colname.clone(), ExprType { oid: type_oid, typmod, collation }));
        }
        Ok(columns)
    }
}

fn leaf(own: NamespaceItem) -> Item {
    Item { tree: FromItem::Rte(own.rte), namespace: vec![own.clone()], own }
}

fn definition_place(definitions: &[pb::Node]) -> Option<usize> {
    match definitions.first()?.node.as_ref()? {
        Node::ColumnDef(definition) => at(definition.location),
        _ => None,
    }
}

/// `unnest(a, b)` is `ROWS FROM (unnest(a), unnest(b))`.
fn split_unnest(node: &Node, definitions: &[pb::Node]) -> Result<Vec<Node>> {
    let Node::FuncCall(call) = node else { return Ok(vec![node.clone()]) };
    let plain = call.agg_order.is_empty()
        && call.agg_filter.is_none()
        && call.over.is_none()
        && !call.agg_star
        && !call.agg_distinct
        && !call.func_variadic
        && definitions.is_empty();
    let [name] = call.funcname.as_slice() else { return Ok(vec![node.clone()]) };
    if !plain || call.args.len() < 2 || super::string_of(name)? != "unnest" {
        return Ok(vec![node.clone()]);
    }
    let schema = pb::Node { node: Some(Node::String(pb::String { sval: "pg_catalog".to_owned() })) };
    let one = |arg: &pb::Node| {
        let mut single = call.as_ref().clone();
        single.funcname = vec![schema.clone(), name.clone()];
        single.args = vec![arg.clone()];
        Node::FuncCall(Box::new(single))
    };
    Ok(call.args.iter().map(one).collect())
}

/// Refuses what a table's name may carry and is not supported.
pub(super) fn check_range_var(range_var: &pb::RangeVar) -> Result<()> {
    if !range_var.catalogname.is_empty() {
        let name = format!("{}.{}.{}", range_var.catalogname, range_var.schemaname, range_var.relname);
        let message = format!("cross-database references are not implemented: \"{name}\"");
        return Err(error(SqlState::FEATURE_NOT_SUPPORTED, message).at(at(range_var.location)));
    }
    Ok(())
}
