//! REINDEX: indexes built anew from their tables' rows.
//!
//! An index gets a new key space and the old one goes when the transaction commits. PostgreSQL keeps readers out of the
//! index; they do not lock indexes here, so the table is locked in ACCESS EXCLUSIVE mode. The primary key's index is
//! the table itself: there is nothing to build.

use std::sync::Arc;

use helios_catalog::model::{Index, Relation, Table};
use helios_txn::TableLockMode;
use helios_types::{Oid, PgError, Result, SqlState};

use super::locks::{relation_of, schema_of};
use super::sequence::range;
use super::{DdlContext, next_storage};
use crate::parse::protobuf::node::Node;
use crate::parse::protobuf::{self as pb, ReindexObjectType};
use crate::table::space;

/// REINDEX.
pub(super) async fn reindex(statement: &pb::ReindexStmt, ctx: &mut DdlContext<'_>) -> Result<()> {
    read_options(statement, ctx)?;
    match statement.kind() {
        ReindexObjectType::ReindexObjectIndex => {
            let name = range(statement.relation.as_ref())?;
            let index = lock_index(name, ctx).await?;
            ctx.check_relation_owner(index.oid)?;
            rebuild(&index, ctx).await
        }
        ReindexObjectType::ReindexObjectTable => {
            let name = range(statement.relation.as_ref())?;
            let found = ctx.lock_existing_relation(name, TableLockMode::AccessExclusive).await?;
            ctx.check_relation_owner(found)?;
            let table = match relation_of(ctx.snapshot(), found)? {
                Relation::Table(table) => table.clone(),
                other => {
                    let message = format!("\"{}\" is not a table or materialized view", other.name());
                    return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
                }
            };
            if table.indexes.is_empty() {
                let message = format!("table \"{}\" has no indexes to reindex", table.name);
                ctx.notice(SqlState::SUCCESSFUL_COMPLETION, message);
            }
            rebuild_all(&table, ctx).await
        }
        ReindexObjectType::ReindexObjectSchema => {
            refuse_in_block(ctx, "REINDEX SCHEMA")?;
            let schema = ctx.snapshot().lookup_schema(&statement.name)?;
            if let Some(descriptor) = ctx.snapshot().schema(schema) {
                ctx.check_owner(descriptor.owner, "schema", &statement.name)?;
            }
            rebuild_tables(ctx, Some(schema)).await
        }
        ReindexObjectType::ReindexObjectDatabase => {
            refuse_in_block(ctx, "REINDEX DATABASE")?;
            if !statement.name.is_empty() && *statement.name != *ctx.session.database {
                let message = "can only reindex the currently open database";
                return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            rebuild_tables(ctx, None).await
        }
        // The catalogs have no indexes of their own.
        ReindexObjectType::ReindexObjectSystem => refuse_in_block(ctx, "REINDEX SYSTEM"),
        ReindexObjectType::Undefined => Err(PgError::internal("REINDEX of nothing")),
    }
}

/// VERBOSE says nothing more here, and CONCURRENTLY promises less than is kept.
fn read_options(statement: &pb::ReindexStmt, ctx: &DdlContext<'_>) -> Result<()> {
    for option in &statement.params {
        let Some(Node::DefElem(option)) = &option.node else { continue };
        match option.defname.as_str() {
            "verbose" => {}
            "concurrently" => refuse_in_block(ctx, "REINDEX CONCURRENTLY")?,
            "tablespace" => return Err(PgError::unsupported("REINDEX (TABLESPACE)")),
            other => {
                let message = format!("unrecognized REINDEX option \"{other}\"");
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message).at(usize::try_from(option.location).ok()));
            }
        }
    }
    Ok(())
}

fn refuse_in_block(ctx: &DdlContext<'_>, what: &str) -> Result<()> {
    if ctx.in_block {
        let message = format!("{what} cannot run inside a transaction block");
        return Err(PgError::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
    }
    Ok(())
}

/// Locks the table of an index, then finds the index again.
async fn lock_index(name: &pb::RangeVar, ctx: &mut DdlContext<'_>) -> Result<Arc<Index>> {
    ctx.check_database(name)?;
    let schema = schema_of(name);
    let table = ctx
        .lock_found(TableLockMode::AccessExclusive, |catalog, path| {
            Ok(match catalog.find_relation(path, schema, &name.relname) {
                Some(Relation::Index(index)) => Some(index.table),
                _ => None,
            })
        })
        .await?;
    let found = ctx.snapshot().lookup_relation(ctx.search_path, schema, &name.relname)?;
    match found {
        Relation::Index(index) if Some(index.table) == table => Ok(index.clone()),
        other => {
            let message = format!("\"{}\" is not an index", other.name());
            Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message))
        }
    }
}

/// The tables of a schema, or all.
async fn rebuild_tables(ctx: &mut DdlContext<'_>, schema: Option<Oid>) -> Result<()> {
    let tables = ctx.snapshot().tables().filter(|table| schema.is_none_or(|schema| table.schema == schema));
    let tables: Vec<Oid> = tables.map(|table| table.oid).collect();
    for oid in tables {
        ctx.lock(oid, TableLockMode::AccessExclusive).await?;
        // It may be gone by now.
        if let Some(table) = ctx.snapshot().table(oid).cloned()
            && ctx.check_relation_owner(oid).is_ok()
        {
            rebuild_all(&table, ctx).await?;
        }
    }
    Ok(())
}

async fn rebuild_all(table: &Table, ctx: &mut DdlContext<'_>) -> Result<()> {
    for oid in &table.indexes {
        if let Some(index) = ctx.snapshot().index(*oid).cloned() {
            rebuild(&index, ctx).await?;
        }
    }
    Ok(())
}

/// Builds one index anew. Its table is locked.
async fn rebuild(index: &Arc<Index>, ctx: &mut DdlContext<'_>) -> Result<()> {
    if index.primary {
        return Ok(());
    }
    let Some(table) = ctx.snapshot().table(index.table).cloned() else {
        return Err(PgError::internal("an index without its table"));
    };
    let storage = next_storage(ctx.transaction.sequences())?;
    let new = Arc::new(Index { storage, ..Index::clone(index) });
    ctx.build_index(&table, &new).await?;
    ctx.catalog.drop_space(space(index.storage));
    ctx.catalog.put(ctx.transaction, ctx.statement, Index::clone(&new));
    Ok(())
}
