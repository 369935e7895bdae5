//! CREATE VIEW, and what views are made of.
//!
//! A view is kept as its query's text in PostgreSQL's own form, with every name outside of `pg_catalog` qualified. Each
//! statement that reads the view analyzes the text again. What the query reads, and which columns of it, is what the
//! view depends on; what other views read in their turn is theirs.

use std::collections::BTreeSet;

use helios_catalog::CatalogSnapshot;
use helios_catalog::facts::PG_CATALOG;
use helios_catalog::model::{Column, Relation, View};
use helios_catalog::resolve::Lookup;
use helios_txn::TableLockMode;
use helios_types::io::Style;
use helios_types::{Datum, Oid, PgError, Result, SqlState, oid};

use super::create_table::definition::check_column_type;
use super::sequence::range;
use super::{DdlContext, next_oid, next_oid_pair};
use crate::analyze::{
    AnalyzeContext, ParamTypes, analyze_statement, for_each_expr, name_list, output_columns, own_expressions,
};
use crate::deparse::Deparser;
use crate::expr::{Expr, ExprKind, Var};
use crate::parse::protobuf::node::Node;
use crate::parse::protobuf::{self as pb, ViewCheckOption};
use crate::query::{Command, Query, RteColumn, RteKind};
use crate::session::SessionContext;

/// CREATE VIEW.
pub(super) async fn create(statement: &pb::ViewStmt, ctx: &mut DdlContext<'_>) -> Result<()> {
    let name = range(statement.view.as_ref())?;
    refuse_options(statement)?;
    let query = analyze_under_locks(statement, ctx).await?;
    if query.ctes.iter().any(|cte| cte.query.command != Command::Select) {
        let message = "views must not contain data-modifying statements in WITH";
        return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    if name.relpersistence == "u" {
        let message = "views cannot be unlogged because they do not have storage";
        return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
    }
    let columns = view_columns(&query, &name_list(&statement.aliases)?, ctx)?;
    let query_text = text(&query, &columns, ctx.snapshot(), &[PG_CATALOG]);
    let depends_on = References::of(&query, ctx.snapshot()).relations.into_iter().collect();
    let schema = ctx.lock_creation_schema(name, false).await?;
    if statement.replace
        && let Some(found) = ctx.snapshot().relation_in(schema, &name.relname).map(|found| found.oid())
    {
        ctx.lock(found, TableLockMode::AccessExclusive).await?;
        let old = match ctx.snapshot().relation(found) {
            Some(Relation::View(view)) => view.clone(),
            Some(other) => {
                let message = format!("\"{}\" is not a view", other.name());
                return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
            None => return Err(PgError::internal("a view went while it was replaced")),
        };
        ctx.check_relation_owner(found)?;
        check_replacement(&old, &columns, ctx)?;
        let new = View { columns, query: query_text, depends_on, ..View::clone(&old) };
        ctx.catalog.put(ctx.transaction, ctx.statement, new);
        return Ok(());
    }
    let view = View {
        oid: next_oid(ctx.transaction.sequences())?,
        row_type: next_oid_pair(ctx.transaction.sequences())?,
        schema,
        name: name.relname.clone(),
        owner: ctx.session.user_oid,
        columns,
        query: query_text,
        depends_on,
    };
    ctx.claim_relation(schema, &view.name, view.oid).await?;
    ctx.catalog.put(ctx.transaction, ctx.statement, view);
    Ok(())
}

fn refuse_options(statement: &pb::ViewStmt) -> Result<()> {
    if !matches!(statement.with_check_option(), ViewCheckOption::NoCheckOption | ViewCheckOption::Undefined) {
        return Err(PgError::unsupported("WITH CHECK OPTION"));
    }
    for option in &statement.options {
        let Some(Node::DefElem(option)) = &option.node else { continue };
        return match option.defname.as_str() {
            known @ ("security_barrier" | "security_invoker" | "check_option") => {
                Err(PgError::unsupported(format_args!("the view option {known}")))
            }
            unknown => {
                let message = format!("unrecognized parameter \"{unknown}\"");
                Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message))
            }
        };
    }
    Ok(())
}

/// Analyzes the query and locks what it reads, until that has not changed meanwhile.
async fn analyze_under_locks(statement: &pb::ViewStmt, ctx: &mut DdlContext<'_>) -> Result<Query> {
    let raw = statement.query.as_deref().and_then(|query| query.node.as_ref());
    let raw = raw.ok_or_else(|| PgError::internal("a view without a query"))?;
    if let Node::SelectStmt(select) = raw
        && select.into_clause.is_some()
    {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "views must not contain SELECT INTO"));
    }
    loop {
        let version = ctx.snapshot().version();
        let query = analyze_statement(raw, &mut ctx.analysis())?;
        let relations: Vec<Oid> =
            query.dependencies.iter().copied().filter(|oid| ctx.snapshot().relation(*oid).is_some()).collect();
        for relation in relations {
            ctx.lock(relation, TableLockMode::AccessShare).await?;
        }
        if ctx.snapshot().version() == version {
            return Ok(query);
        }
    }
}

/// The columns of a new view: those of its query, under the names that the statement gives.
fn view_columns(query: &Query, aliases: &[&str], ctx: &DdlContext<'_>) -> Result<Vec<Column>> {
    let found = output_columns(query);
    if aliases.len() > found.len() {
        let message = "CREATE VIEW specifies more column names than columns";
        return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
    }
    if found.is_empty() {
        return Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, "view must have at least one column"));
    }
    let mut columns: Vec<Column> = Vec::with_capacity(found.len());
    for (at, RteColumn { name, ty, .. }) in found.iter().enumerate() {
        let name = aliases.get(at).copied().unwrap_or(name);
        let collatable = ctx.snapshot().type_by_oid(ty.oid).is_some_and(|row| !row.collation.is_none());
        if collatable && ty.collation.is_none() {
            let message = format!("could not determine which collation to use for view column \"{name}\"");
            return Err(PgError::new(SqlState::INDETERMINATE_COLLATION, message)
                .with_hint("Use the COLLATE clause to set the collation explicitly."));
        }
        if columns.iter().any(|known| known.name == name) {
            let message = format!("column \"{name}\" specified more than once");
            return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
        }
        check_view_column(name, ty.oid, &ctx.analysis())?;
        columns.push(Column {
            attnum: i16::try_from(at + 1).map_err(|_| PgError::internal("too many columns"))?,
            name: name.to_owned(),
            type_oid: ty.oid,
            typmod: ty.typmod,
            collation: ty.collation,
            not_null: false,
            default: None,
            identity: None,
            generated: None,
            sequence: None,
            missing: None,
            dropped: false,
        });
    }
    Ok(columns)
}

/// Rows of a relation may be columns of a view, though not of a table.
fn check_view_column(name: &str, type_oid: Oid, context: &AnalyzeContext<'_>) -> Result<()> {
    let lookup = Lookup { catalog: context.catalog, search_path: context.search_path };
    if lookup.is_complex(lookup.element_type(type_oid).unwrap_or(type_oid)) {
        return Ok(());
    }
    check_column_type(name, type_oid, context)
}

/// What CREATE OR REPLACE must leave as it is (`checkViewColumns`).
fn check_replacement(old: &View, new: &[Column], ctx: &DdlContext<'_>) -> Result<()> {
    let wrong = |message: String| PgError::new(SqlState::INVALID_TABLE_DEFINITION, message);
    if new.len() < old.columns.len() {
        return Err(wrong("cannot drop columns from view".to_owned()));
    }
    let lookup = Lookup { catalog: ctx.snapshot(), search_path: ctx.search_path };
    for (old, new) in old.columns.iter().zip(new) {
        if old.name != new.name {
            let message = format!("cannot change name of view column \"{}\" to \"{}\"", old.name, new.name);
            return Err(
                wrong(message).with_hint("Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead.")
            );
        }
        if (old.type_oid, old.typmod) != (new.type_oid, new.typmod) {
            return Err(wrong(format!(
                "cannot change data type of view column \"{}\" from {} to {}",
                old.name,
                lookup.format_type_with(old.type_oid, old.typmod),
                lookup.format_type_with(new.type_oid, new.typmod)
            )));
        }
        if old.collation != new.collation {
            let collation = |oid| helios_catalog::facts::collations().by_oid(oid).map_or("", |row| row.name);
            return Err(wrong(format!(
                "cannot change collation of view column \"{}\" from \"{}\" to \"{}\"",
                old.name,
                collation(old.collation),
                collation(new.collation)
            )));
        }
    }
    Ok(())
}

/// A view's query as text; its output columns get the view's names.
fn text(query: &Query, columns: &[Column], catalog: &CatalogSnapshot, path: &[Oid]) -> String {
    let mut named = query.clone();
    for (target, column) in named.target_list.iter_mut().filter(|target| !target.junk).zip(columns) {
        target.name.clone_from(&column.name);
    }
    Deparser::new(catalog, path, &Style::default()).query(&named)
}

fn analyze_stored(view: &View, catalog: &CatalogSnapshot, session: &SessionContext) -> Result<Query> {
    let parsed = crate::parse::parse(&view.query)?;
    let statement = parsed.first().ok_or_else(|| PgError::internal("a view without a query"))?;
    let mut context = AnalyzeContext {
        catalog,
        search_path: &[PG_CATALOG],
        session,
        params: ParamTypes::none(),
        source: &view.query,
    };
    analyze_statement(statement.node(), &mut context)
}

/// A view's query as `pg_get_viewdef` shows it: names that the search path finds are bare.
///
/// # Errors
///
/// When something that the view reads is gone.
pub fn view_definition(
    view: &View,
    catalog: &CatalogSnapshot,
    search_path: &[Oid],
    session: &SessionContext,
    pretty: bool,
) -> Result<String> {
    let mut query = analyze_stored(view, catalog, session)?;
    for (target, column) in query.target_list.iter_mut().filter(|target| !target.junk).zip(&view.columns) {
        target.name.clone_from(&column.name);
    }
    let text = Deparser::new(catalog, search_path, &session.style).pretty(pretty).query(&query);
    Ok(format!("{text};"))
}

/// The columns (relation and attnum) that a view's query uses.
pub(super) fn columns_used(
    view: &View,
    catalog: &CatalogSnapshot,
    session: &SessionContext,
) -> Result<Vec<(Oid, i16)>> {
    let query = analyze_stored(view, catalog, session)?;
    Ok(References::of(&query, catalog).columns.into_iter().collect())
}

/// Users' relations that a query reads itself, and the columns of them that it uses.
struct References<'c> {
    catalog: &'c CatalogSnapshot,
    relations: BTreeSet<Oid>,
    columns: BTreeSet<(Oid, i16)>,
}

impl<'c> References<'c> {
    fn of(query: &Query, catalog: &'c CatalogSnapshot) -> References<'c> {
        let mut found = References { catalog, relations: BTreeSet::new(), columns: BTreeSet::new() };
        found.query(query, &[]);
        found
    }

    /// `above`: the queries around this one, outermost first.
    fn query(&mut self, query: &Query, above: &[&Query]) {
        let levels: Vec<&Query> = above.iter().copied().chain([query]).collect();
        for entry in &query.range_table {
            match &entry.kind {
                RteKind::Relation { table, .. } => self.relation(table.oid),
                RteKind::System { oid } => self.relation(*oid),
                RteKind::Subquery(_) if !entry.view.is_none() => self.relation(entry.view),
                RteKind::Subquery(subquery) => self.query(subquery, &levels),
                RteKind::Functions { functions, .. } => {
                    for argument in functions.iter().flat_map(|function| &function.call.args) {
                        self.expression(argument, &levels);
                    }
                }
                RteKind::Values(rows) => {
                    for value in rows.iter().flatten() {
                        self.expression(value, &levels);
                    }
                }
                RteKind::Join { .. } | RteKind::Cte { .. } | RteKind::Excluded | RteKind::Result => {}
            }
        }
        for cte in &query.ctes {
            self.query(&cte.query, &levels);
        }
        own_expressions(query, &mut |expr| self.expression(expr, &levels));
    }

    fn relation(&mut self, oid: Oid) {
        match self.catalog.relation(oid) {
            Some(Relation::System(_)) | None => {}
            Some(_) => {
                self.relations.insert(oid);
            }
        }
    }

    fn expression(&mut self, expr: &Expr, levels: &[&Query]) {
        for_each_expr(expr, &mut |part| match &part.kind {
            ExprKind::Var(var) => self.column(var, levels),
            ExprKind::SubLink(link) => self.query(&link.query, levels),
            ExprKind::Const(Datum::U32(relation)) if part.ty.oid == oid::REGCLASS => self.relation(Oid(*relation)),
            _ => {}
        });
    }

    fn column(&mut self, var: &Var, levels: &[&Query]) {
        let Some(level) = levels.len().checked_sub(1 + var.levels_up as usize) else { return };
        let (Some(entry), Ok(column)) = (levels[level].range_table.get(var.rte), usize::try_from(var.column)) else {
            return;
        };
        let relation = match &entry.kind {
            RteKind::Relation { table, .. } => table.oid,
            RteKind::Subquery(_) if !entry.view.is_none() => entry.view,
            RteKind::Join { join_columns } => {
                if let Some(expr) = join_columns.get(column) {
                    self.expression(expr, &levels[..=level]);
                }
                return;
            }
            _ => return,
        };
        if let Some(column) = entry.columns.get(column) {
            self.columns.insert((relation, column.attnum));
        }
    }
}
