//! The text under which expressions are kept.
//!
//! Stored text is analyzed again with `pg_catalog` alone as search path, so whatever else it names carries its schema:
//! sequences and other relations in `'name'::regclass`.

use std::sync::Arc;

use helios_catalog::CatalogSnapshot;
use helios_catalog::facts::{PG_CATALOG, quote_qualified};
use helios_catalog::model::Table;
use helios_types::io::Style;
use helios_types::{Datum, Oid, PgError, Result, oid};

use crate::analyze::{ExpressionUse, analyze_expression_text, for_each_expr};
use crate::deparse::Deparser;
use crate::expr::{Expr, ExprKind, Var};
use crate::parse::protobuf::a_const::Val;
use crate::parse::protobuf::node::Node;
use crate::parse::protobuf::{self as pb};
use crate::session::SessionContext;

/// The relations that an analyzed expression names as `regclass` constants.
pub(super) fn named_relations(expr: &Expr) -> Vec<Oid> {
    let mut found = Vec::new();
    for_each_expr(expr, &mut |part| {
        if let (ExprKind::Const(Datum::U32(relation)), oid::REGCLASS) = (&part.kind, part.ty.oid) {
            found.push(Oid(*relation));
        }
    });
    found
}

/// The columns (positions among a table's live ones) that an analyzed expression uses, in order of appearance.
pub(super) fn used_columns(expr: &Expr) -> Vec<usize> {
    let mut found = Vec::new();
    for_each_expr(expr, &mut |part| {
        if let ExprKind::Var(Var { column, levels_up: 0, .. }) = part.kind
            && let Ok(column) = usize::try_from(column)
            && !found.contains(&column)
        {
            found.push(column);
        }
    });
    found
}

/// An expression over a table as text to be stored: as PostgreSQL prints it, names outside of `pg_catalog` qualified.
pub(super) fn expression_text(expr: &Expr, table: &Arc<Table>, catalog: &CatalogSnapshot) -> String {
    let style = Style::default();
    Deparser::new(catalog, &[PG_CATALOG], &style).table_expression(expr, Some(table))
}

/// A stored expression of a table as `pg_get_expr` shows it: names that the search path finds are bare; `pretty` leaves
/// idle parentheses out.
///
/// # Errors
///
/// When something that the expression names is gone.
pub fn expression_definition(
    stored: &str,
    table: &Arc<Table>,
    catalog: &CatalogSnapshot,
    search_path: &[Oid],
    session: &SessionContext,
    pretty: bool,
) -> Result<String> {
    let analyzed = analyze_expression_text(stored, Some(table), ExpressionUse::AlterColumn, catalog, session)?;
    let deparser = Deparser::new(catalog, search_path, &session.style).pretty(pretty);
    Ok(deparser.table_expression(&analyzed.expr, Some(table)))
}

/// An expression of a table as text to be stored. Of relations it may name the sequence of a plain `nextval`.
pub(super) fn stored_expression(
    raw: &Node,
    expr: &Expr,
    table: &Arc<Table>,
    catalog: &CatalogSnapshot,
) -> Result<String> {
    stored_text(raw, expr, catalog)?;
    Ok(expression_text(expr, table, catalog))
}

/// Refuses an expression that names relations: nothing would know of the dependency.
pub(super) fn refuse_named_relations(expr: &Expr) -> Result<()> {
    match named_relations(expr).as_slice() {
        [] => Ok(()),
        _ => Err(PgError::unsupported("a relation's name inside an index")),
    }
}

/// An expression as text to be stored. `expr` is what it was analyzed to.
pub(super) fn stored_text(raw: &Node, expr: &Expr, catalog: &CatalogSnapshot) -> Result<String> {
    let mut raw = raw.clone();
    let mut named = named_relations(expr);
    qualify(&mut raw, &mut named, catalog);
    if named.iter().any(|&relation| !relation.is_none()) {
        return Err(PgError::unsupported("a relation's name inside a stored expression, but as argument of nextval"));
    }
    let target = pb::ResTarget { val: Some(Box::new(pb::Node { node: Some(raw) })), ..pb::ResTarget::default() };
    let select = pb::SelectStmt {
        target_list: vec![pb::Node { node: Some(Node::ResTarget(Box::new(target))) }],
        limit_option: pb::LimitOption::Default as i32,
        op: pb::SetOperation::SetopNone as i32,
        ..pb::SelectStmt::default()
    };
    let text = deparse(Node::SelectStmt(Box::new(select)))?;
    let text = text.strip_prefix("SELECT ").ok_or_else(|| PgError::internal("a deparsed SELECT begins otherwise"))?;
    Ok(text.to_owned())
}

/// A raw statement as text.
pub(super) fn deparse(statement: Node) -> Result<String> {
    let raw = pb::RawStmt { stmt: Some(Box::new(pb::Node { node: Some(statement) })), ..pb::RawStmt::default() };
    pg_query::deparse(&pb::ParseResult { version: 180_000, stmts: vec![raw] }, pg_query::DeparseOptions::default())
        .map_err(PgError::internal)
}

/// Gives the sequence in `nextval('s')` its schema.
fn qualify(raw: &mut Node, named: &mut Vec<Oid>, catalog: &CatalogSnapshot) {
    let Node::FuncCall(call) = raw else { return };
    let argument = call.args.first_mut().and_then(|arg| arg.node.as_mut());
    let constant = match argument {
        Some(Node::AConst(constant)) => constant,
        Some(Node::TypeCast(cast)) => match cast.arg.as_mut().and_then(|arg| arg.node.as_mut()) {
            Some(Node::AConst(constant)) => constant,
            _ => return,
        },
        _ => return,
    };
    let (Some(Val::Sval(text)), [relation]) = (&mut constant.val, named.as_slice()) else { return };
    let Some(found) = catalog.relation(*relation) else { return };
    let schema = catalog.schema_name(found.schema()).unwrap_or_default();
    text.sval = quote_qualified(schema, found.name());
    named.clear();
}
