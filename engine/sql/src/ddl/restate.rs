//! Texts that name what has been renamed.
//!
//! PostgreSQL keeps expressions and the queries of views as trees of OIDs, which names do not matter to. Here they are
//! text: whoever gives a relation, a column or a schema another name has all text that mentions it written anew, as it is
//! understood under the old names, with the new ones.
//!
//! ```text
//!   text ──analyzed in the catalog before──▶ expression, query ──deparsed in the catalog now──▶ text
//! ```
//!
//! The objects whose text changes are locked first, so that nobody else replaces their descriptors meanwhile; the lock
//! does not get in the way of queries.

use std::sync::Arc;

use helios_catalog::CatalogSnapshot;
use helios_catalog::facts::PG_CATALOG;
use helios_catalog::model::{ConstraintKind, Index, Table, View};
use helios_txn::TableLockMode;
use helios_types::io::Style;
use helios_types::{Oid, Result};

use super::DdlContext;
use super::stored::{expression_text, used_columns};
use crate::analyze::{ExpressionUse, analyze_expression_text, analyze_view, for_each_query_mut};
use crate::deparse::Deparser;
use crate::query::{FromItem, Query, RangeTblEntry, RteKind};

/// Locks every object with a text that names one of some relations; the catalog as it is then.
pub(super) async fn lock_mentioning(ctx: &mut DdlContext<'_>, relations: &[Oid]) -> Result<CatalogSnapshot> {
    let mut locked: Vec<Oid> = Vec::new();
    loop {
        let catalog = ctx.snapshot();
        let views = catalog.views().filter(|view| reads(view, relations)).map(|view| view.oid);
        let tables = catalog.tables().filter(|table| draws(table, relations)).map(|table| table.oid);
        let mut wanted: Vec<Oid> = views.chain(tables).filter(|oid| !locked.contains(oid)).collect();
        if wanted.is_empty() {
            return Ok(catalog.clone());
        }
        wanted.sort();
        for oid in wanted {
            ctx.lock(oid, TableLockMode::ShareUpdateExclusive).await?;
            locked.push(oid);
        }
    }
}

fn reads(view: &View, relations: &[Oid]) -> bool {
    view.depends_on.iter().any(|relation| relations.contains(relation))
}

/// Whether a default of a table draws from one of the sequences.
fn draws(table: &Table, sequences: &[Oid]) -> bool {
    table
        .live_columns()
        .any(|column| column.default.is_some() && column.sequence.is_some_and(|sequence| sequences.contains(&sequence)))
}

/// Writes anew what names one of some relations, which the catalog has under their new names already. `before`:
/// [`lock_mentioning`]'s.
pub(super) fn restate(ctx: &mut DdlContext<'_>, before: &CatalogSnapshot, relations: &[Oid]) -> Result<()> {
    for table in before.tables().filter(|table| draws(table, relations)) {
        restate_defaults(ctx, before, table, relations)?;
    }
    for view in before.views().filter(|view| reads(view, relations)) {
        restate_view(ctx, before, view)?;
    }
    Ok(())
}

fn restate_defaults(
    ctx: &mut DdlContext<'_>,
    before: &CatalogSnapshot,
    table: &Arc<Table>,
    sequences: &[Oid],
) -> Result<()> {
    let Some(now) = ctx.snapshot().table(table.oid) else { return Ok(()) };
    let mut new = Table::clone(now);
    for column in new.columns.iter_mut().filter(|column| !column.dropped) {
        if !column.sequence.is_some_and(|sequence| sequences.contains(&sequence)) {
            continue;
        }
        let Some(text) = &column.default else { continue };
        let usage = ExpressionUse::Default(column);
        let analyzed = analyze_expression_text(text, None, usage, before, ctx.session)?;
        column.default = Some(expression_text(&analyzed.expr, table, ctx.snapshot()));
    }
    ctx.catalog.put(ctx.transaction, ctx.statement, new);
    Ok(())
}

/// Writes a view's query anew, in which something has another name.
pub(super) fn restate_view(ctx: &mut DdlContext<'_>, before: &CatalogSnapshot, old: &View) -> Result<()> {
    let Some(now) = ctx.snapshot().view(old.oid) else { return Ok(()) };
    let mut new = View::clone(now);
    let mut query = analyze_view(old, before, ctx.session)?;
    for_each_query_mut(&mut query, &mut |query| rename_entries(query, before, ctx.snapshot()));
    // Its output columns may have been renamed.
    let outputs = query.target_list.iter_mut().filter(|target| !target.junk);
    for (target, column) in outputs.zip(&new.columns) {
        target.name.clone_from(&column.name);
    }
    new.query = Deparser::new(ctx.snapshot(), &[PG_CATALOG], &Style::default()).query(&query);
    ctx.catalog.put(ctx.transaction, ctx.statement, new);
    Ok(())
}

/// Gives the entries of a query the names that their relations and columns have now. A column that USING joins by keeps
/// its name in the query, as an alias.
fn rename_entries(query: &mut Query, before: &CatalogSnapshot, now: &CatalogSnapshot) {
    let mut joined = Vec::new();
    query.from.iter().for_each(|item| using_names(item, &mut joined));
    for entry in &mut query.range_table {
        let oid = match &entry.kind {
            RteKind::Relation { table, .. } => table.oid,
            _ if !entry.view.is_none() => entry.view,
            _ => continue,
        };
        let names = |catalog: &CatalogSnapshot| -> Option<(String, Vec<(i16, String)>)> {
            match catalog.table(oid) {
                Some(table) => {
                    let columns = table.live_columns().map(|column| (column.attnum, column.name.clone()));
                    Some((table.name.clone(), columns.collect()))
                }
                None => catalog.view(oid).map(|view| {
                    let columns = view.columns.iter().map(|column| (column.attnum, column.name.clone()));
                    (view.name.clone(), columns.collect())
                }),
            }
        };
        let (Some((old_name, old_columns)), Some((new_name, new_columns))) = (names(before), names(now)) else {
            continue;
        };
        if entry.alias == old_name {
            entry.alias = new_name;
        }
        rename_columns(entry, &old_columns, &new_columns, &joined);
        if let (RteKind::Relation { table, .. }, Some(new)) = (&mut entry.kind, now.table(oid)) {
            *table = new.clone();
        }
    }
}

fn rename_columns(entry: &mut RangeTblEntry, old: &[(i16, String)], new: &[(i16, String)], kept: &[String]) {
    let name_in = |columns: &[(i16, String)], attnum: i16| {
        columns.iter().find(|(known, _)| *known == attnum).map(|(_, name)| name.clone())
    };
    for column in &mut entry.columns {
        let (Some(old), Some(new)) = (name_in(old, column.attnum), name_in(new, column.attnum)) else { continue };
        if column.name == old && !kept.contains(&old) {
            column.name = new;
        }
    }
}

fn using_names(item: &FromItem, names: &mut Vec<String>) {
    if let FromItem::Join(join) = item {
        using_names(&join.left, names);
        using_names(&join.right, names);
        names.extend(join.using.iter().cloned());
    }
}

/// Writes anew the expressions of a table that has a column renamed: checks, generation expressions, and the expressions
/// and predicates of its indexes. `table` is its new form, not stored yet.
pub(super) fn restate_own(ctx: &mut DdlContext<'_>, before: &Arc<Table>, mut table: Table, attnum: i16) -> Result<()> {
    let shape = Arc::new(table.clone());
    let live: Vec<i16> = before.live_columns().map(|column| column.attnum).collect();
    let restated = |ctx: &DdlContext<'_>, text: &str, usage: ExpressionUse<'_>| -> Result<Option<String>> {
        let analyzed = analyze_expression_text(text, Some(before), usage, ctx.snapshot(), ctx.session)?;
        let mentions = used_columns(&analyzed.expr).into_iter().any(|column| live.get(column) == Some(&attnum));
        Ok(mentions.then(|| expression_text(&analyzed.expr, &shape, ctx.snapshot())))
    };
    for constraint in &mut table.constraints {
        if let ConstraintKind::Check { expression, .. } = &mut constraint.kind
            && let Some(text) = restated(ctx, expression, ExpressionUse::Check)?
        {
            *expression = text;
        }
    }
    for column in &mut table.columns {
        let of = column.clone();
        if let Some(expression) = &mut column.generated
            && let Some(text) = restated(ctx, expression, ExpressionUse::Generated(&of))?
        {
            *expression = text;
        }
    }
    let mut indexes = Vec::new();
    for index in table.indexes.iter().filter_map(|&oid| ctx.snapshot().index(oid)) {
        let mut new = Index::clone(index);
        for expression in new.keys.iter_mut().filter_map(|key| key.expression.as_mut()) {
            if let Some(text) = restated(ctx, expression, ExpressionUse::IndexExpression)? {
                *expression = text;
            }
        }
        if let Some(predicate) = &mut new.predicate
            && let Some(text) = restated(ctx, predicate, ExpressionUse::IndexPredicate)?
        {
            *predicate = text;
        }
        if new != **index {
            indexes.push(new);
        }
    }
    ctx.catalog.put(ctx.transaction, ctx.statement, table);
    for index in indexes {
        ctx.catalog.put(ctx.transaction, ctx.statement, index);
    }
    Ok(())
}
