//! TRUNCATE: tables and their indexes begin again in new key spaces.

use helios_catalog::model::{Index, Relation, Table};
use helios_txn::TableLockMode;
use helios_types::{Oid, PgError, Result, SqlState};

use super::DdlContext;
use super::locks::relation_of;
use super::{next_storage, sequence};
use crate::parse::protobuf as pb;
use crate::parse::protobuf::node::Node;
use crate::table::space;

/// TRUNCATE. CASCADE is about foreign keys, of which there are none.
pub(super) async fn truncate(statement: &pb::TruncateStmt, ctx: &mut DdlContext<'_>) -> Result<()> {
    let mut tables: Vec<Oid> = Vec::new();
    for relation in &statement.relations {
        let Some(Node::RangeVar(name)) = &relation.node else {
            return Err(PgError::internal("TRUNCATE of what is no relation"));
        };
        let oid = ctx.lock_existing_relation(name, TableLockMode::AccessExclusive).await?;
        let found = relation_of(ctx.snapshot(), oid)?;
        match found {
            Relation::Table(_) => ctx.check_relation_owner(oid)?,
            Relation::System(system) if system.kind == b'r' => ctx.check_relation_owner(oid)?,
            _ => {
                let message = format!("\"{}\" is not a table", found.name());
                return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
        }
        if !tables.contains(&oid) {
            tables.push(oid);
        }
    }
    for oid in tables {
        truncate_table(ctx, oid)?;
        if statement.restart_seqs {
            let owned: Vec<_> =
                ctx.snapshot().sequences().filter(|s| s.owned_by.is_some_and(|(t, _)| t == oid.0)).cloned().collect();
            for found in owned {
                ctx.lock(found.oid, TableLockMode::ShareRowExclusive).await?;
                sequence::restart(ctx, &found)?;
            }
        }
    }
    Ok(())
}

fn truncate_table(ctx: &mut DdlContext<'_>, oid: Oid) -> Result<()> {
    let Some(table) = ctx.snapshot().table(oid).cloned() else { return Ok(()) };
    let mut new = Table::clone(&table);
    ctx.catalog.drop_space(space(table.storage));
    new.storage = next_storage(ctx.transaction.sequences())?;
    for &index in &table.indexes {
        let Some(index) = ctx.snapshot().index(index).cloned() else { continue };
        let mut renewed = Index::clone(&index);
        if index.primary {
            renewed.storage = new.storage;
        } else {
            ctx.catalog.drop_space(space(index.storage));
            renewed.storage = next_storage(ctx.transaction.sequences())?;
        }
        ctx.catalog.put(ctx.transaction, ctx.statement, renewed);
    }
    ctx.catalog.put(ctx.transaction, ctx.statement, new);
    Ok(())
}
