//! A table in another form: its rows move to a new key space, and every index is built anew, because entries hold row
//! keys.

use std::sync::Arc;

use helios_catalog::model::{Index, Table};
use helios_types::Result;

use crate::ddl::create_table::build::add_layout;
use crate::ddl::rows::{Changes, Demands};
use crate::ddl::{DdlContext, next_storage};
use crate::table::{TableAccess, space};

/// Moves the rows of `old`, whose indexes the catalog has, to `new`, and stores it. `indexes` are those of `new` with
/// whatever storage; all get their own.
pub(in crate::ddl) async fn rewrite(
    ctx: &mut DdlContext<'_>,
    old: &Arc<Table>,
    mut new: Table,
    indexes: Vec<Index>,
    changes: &Changes,
    demands: &Demands,
) -> Result<Arc<Table>> {
    let old_access = ctx.access(old)?;
    ctx.catalog.drop_space(old_access.space);
    for index in &old_access.indexes {
        ctx.catalog.drop_space(index.space);
    }
    let ids = ctx.transaction.sequences();
    new.storage = next_storage(ids)?;
    new.layouts.clear();
    for column in &mut new.columns {
        column.missing = None;
    }
    add_layout(ctx, &mut new)?;
    let mut stored = Vec::with_capacity(indexes.len());
    for mut index in indexes {
        index.storage = if index.primary { new.storage } else { next_storage(ctx.transaction.sequences())? };
        stored.push(Arc::new(index));
    }
    let new = Arc::new(new);
    let new_access = TableAccess::new(new.clone(), stored.iter().cloned())?;
    debug_assert_eq!(new_access.space, space(new.storage));
    ctx.copy_rows(&old_access, &new_access, changes, demands).await?;
    ctx.catalog.put(ctx.transaction, ctx.statement, Table::clone(&new));
    for index in stored {
        ctx.catalog.put(ctx.transaction, ctx.statement, Index::clone(&index));
    }
    Ok(new)
}

/// A table's indexes as the catalog has them.
pub(in crate::ddl) fn indexes_of(ctx: &DdlContext<'_>, table: &Table) -> Vec<Index> {
    table.indexes.iter().filter_map(|&oid| ctx.snapshot().index(oid)).map(|index| Index::clone(index)).collect()
}
