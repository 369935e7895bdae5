//! Constraints of tables that are there.

use std::sync::Arc;

use helios_catalog::model::{ConstraintKind, Table};
use helios_types::{Oid, Result};

use super::rewrite::{indexes_of, rewrite};
use crate::ddl::DdlContext;
use crate::ddl::drop::{PG_CONSTRAINT, remove_comments};
use crate::ddl::rows::{Changes, Demands};

/// Removes a constraint from a table that stays. Its index is gone already; without a primary key the rows get hidden
/// keys.
pub(in crate::ddl) async fn remove_constraint(ctx: &mut DdlContext<'_>, table: Oid, constraint: Oid) -> Result<()> {
    let Some(old) = ctx.snapshot().table(table).cloned() else { return Ok(()) };
    let mut new = Table::clone(&old);
    let Some(at) = new.constraints.iter().position(|known| known.oid == constraint) else { return Ok(()) };
    let removed = new.constraints.remove(at);
    remove_comments(ctx, PG_CONSTRAINT, constraint, None);
    match removed.kind {
        ConstraintKind::PrimaryKey { .. } => {
            new.primary_key.clear();
            let indexes = indexes_of(ctx, &new);
            let _: Arc<Table> = rewrite(ctx, &old, new, indexes, &Changes::default(), &Demands::default()).await?;
            return Ok(());
        }
        ConstraintKind::NotNull { column } => {
            for known in new.columns.iter_mut().filter(|known| known.attnum == column) {
                known.not_null = false;
            }
        }
        ConstraintKind::Check { .. } | ConstraintKind::Unique { .. } => {}
    }
    ctx.catalog.put(ctx.transaction, ctx.statement, new);
    Ok(())
}
