//! Views.

use helios_catalog::CatalogSnapshot;
use helios_catalog::model::View;
use helios_types::{Oid, Result};

use crate::analyze::{analyze_view, for_each_expr, own_expressions};
use crate::expr::{Expr, ExprKind, Var, system_column};
use crate::query::{Query, RteKind};
use crate::session::SessionContext;

/// The columns (relation and attnum) that a view's query uses.
pub(super) fn columns_used(
    view: &View,
    catalog: &CatalogSnapshot,
    session: &SessionContext,
) -> Result<Vec<(Oid, i16)>> {
    let query = analyze_view(view, catalog, session)?;
    let mut found = Vec::new();
    used_in_query(&query, &mut Vec::new(), &mut found);
    Ok(found)
}

fn used_in_query<'q>(query: &'q Query, outer: &mut Vec<&'q Query>, found: &mut Vec<(Oid, i16)>) {
    crate::parse::on_grown_stack(|| {
        outer.push(query);
        for cte in &query.ctes {
            used_in_query(&cte.query, outer, found);
        }
        for entry in &query.range_table {
            match &entry.kind {
                // What a view inside uses is that view's business.
                RteKind::Subquery(subquery) if entry.view.is_none() => used_in_query(subquery, outer, found),
                RteKind::Functions { functions, .. } => {
                    for arg in functions.iter().flat_map(|function| &function.call.args) {
                        used_in_expression(arg, outer, found);
                    }
                }
                RteKind::Values(rows) => {
                    for value in rows.iter().flatten() {
                        used_in_expression(value, outer, found);
                    }
                }
                _ => {}
            }
        }
        own_expressions(query, &mut |expr| used_in_expression(expr, outer, found));
        outer.pop();
    });
}

fn used_in_expression<'q>(expr: &'q Expr, outer: &mut Vec<&'q Query>, found: &mut Vec<(Oid, i16)>) {
    for_each_expr(expr, &mut |part| match &part.kind {
        ExprKind::Var(var) => used_by_var(*var, outer, found),
        ExprKind::SubLink(link) => used_in_query(&link.query, outer, found),
        _ => {}
    });
}

fn used_by_var<'q>(var: Var, outer: &mut Vec<&'q Query>, found: &mut Vec<(Oid, i16)>) {
    let above = outer.len().checked_sub(1 + var.levels_up as usize);
    let Some(query) = above.and_then(|level| outer.get(level)).copied() else { return };
    let Some(entry) = query.range_table.get(var.rte) else { return };
    let relation = match &entry.kind {
        RteKind::Relation { table, .. } => table.oid,
        RteKind::Join { join_columns } => {
            // A merged column stands for an expression over both sides.
            let merged = usize::try_from(var.column).ok().and_then(|column| join_columns.get(column));
            if let Some(merged) = merged {
                let inner: Vec<&Query> = outer.drain(outer.len() - var.levels_up as usize..).collect();
                used_in_expression(merged, outer, found);
                outer.extend(inner);
            }
            return;
        }
        _ if !entry.view.is_none() => entry.view,
        _ => return,
    };
    if var.column == system_column::WHOLE_ROW {
        found.extend(entry.columns.iter().map(|column| (relation, column.attnum)));
    } else if let Some(column) = usize::try_from(var.column).ok().and_then(|column| entry.columns.get(column)) {
        found.push((relation, column.attnum));
    }
}
