//! ALTER ... RENAME: relations, columns, constraints, schemas.

use helios_catalog::model::{Constraint, ConstraintKind, Index, Relation, Schema, Sequence, Table, View};
use helios_txn::TableLockMode;
use helios_types::{Oid, PgError, Result, SqlState};

use super::alter_table::check_kind;
use super::create_table::build::check_constraint_name_free;
use super::create_table::definition::SYSTEM_COLUMNS;
use super::dependency::constraint_of;
use super::locks::{not_supported_for, relation_of, schema_of};
use super::restate::{lock_mentioning, restate, restate_own, restate_view};
use super::sequence::range;
use super::unsupported::object_name;
use super::{DdlContext, NameSpace};
use crate::parse::protobuf::{self as pb, ObjectType};

/// ALTER ... RENAME; the command tag.
pub(super) async fn rename(statement: &pb::RenameStmt, ctx: &mut DdlContext<'_>) -> Result<String> {
    let kind = statement.rename_type();
    let of = match kind {
        ObjectType::ObjectColumn => statement.relation_type(),
        ObjectType::ObjectTabconstraint => ObjectType::ObjectTable,
        other => other,
    };
    let tag = format!("ALTER {}", object_name(of));
    if kind == ObjectType::ObjectSchema {
        rename_schema(ctx, &statement.subname, &statement.newname).await?;
        return Ok(tag);
    }
    let renames_relation = matches!(
        kind,
        ObjectType::ObjectTable
            | ObjectType::ObjectIndex
            | ObjectType::ObjectSequence
            | ObjectType::ObjectView
            | ObjectType::ObjectMatview
            | ObjectType::ObjectForeignTable
    );
    if !renames_relation && !matches!(kind, ObjectType::ObjectColumn | ObjectType::ObjectTabconstraint) {
        return Err(PgError::unsupported(format_args!("{tag} ... RENAME")));
    }
    let name = range(statement.relation.as_ref())?;
    let Some(oid) = lock_named(ctx, name, statement.missing_ok).await? else { return Ok(tag) };
    // ALTER INDEX t RENAME is taken for any relation.
    if of != ObjectType::ObjectIndex {
        check_kind(ctx, oid, of)?;
    }
    ctx.check_relation_owner(oid)?;
    match kind {
        ObjectType::ObjectColumn => rename_column(ctx, oid, &statement.subname, &statement.newname).await?,
        ObjectType::ObjectTabconstraint => rename_constraint(ctx, oid, &statement.subname, &statement.newname).await?,
        _ => rename_relation(ctx, oid, &statement.newname).await?,
    }
    Ok(tag)
}

/// Locks the relation that a name means, the table of an index first. `None`: there is none, and IF EXISTS was said.
pub(super) async fn lock_named(ctx: &mut DdlContext<'_>, name: &pb::RangeVar, missing_ok: bool) -> Result<Option<Oid>> {
    let schema = schema_of(name);
    ctx.lock_found(TableLockMode::ShareUpdateExclusive, |catalog, path| {
        Ok(match catalog.find_relation(path, schema, &name.relname) {
            Some(Relation::Index(index)) => Some(index.table),
            _ => None,
        })
    })
    .await?;
    let mode = TableLockMode::AccessExclusive;
    if let Some(oid) = ctx.lock_relation(name, mode).await? {
        return Ok(Some(oid));
    }
    if !missing_ok {
        return ctx.lock_existing_relation(name, mode).await.map(Some);
    }
    ctx.notice(SqlState::SUCCESSFUL_COMPLETION, format!("relation \"{}\" does not exist, skipping", name.relname));
    Ok(None)
}

/// Gives a relation that is locked another name.
async fn rename_relation(ctx: &mut DdlContext<'_>, oid: Oid, name: &str) -> Result<()> {
    let before = lock_mentioning(ctx, &[oid]).await?;
    let found = relation_of(&before, oid)?;
    ctx.claim_relation(found.schema(), name, oid).await?;
    ctx.free_name(NameSpace::Relation, found.schema(), found.name());
    let name = name.to_owned();
    match found {
        Relation::Table(table) => {
            ctx.catalog.put(ctx.transaction, ctx.statement, Table { name, ..Table::clone(table) });
        }
        Relation::View(view) => ctx.catalog.put(ctx.transaction, ctx.statement, View { name, ..View::clone(view) }),
        Relation::Sequence(sequence) => {
            ctx.catalog.put(ctx.transaction, ctx.statement, Sequence { name, ..Sequence::clone(sequence) });
        }
        Relation::Index(index) => {
            if let Some(table) = before.table(index.table)
                && let Some(constraint) = constraint_of(table, oid)
            {
                let mut table = Table::clone(table);
                for known in table.constraints.iter_mut().filter(|known| known.oid == constraint) {
                    known.name.clone_from(&name);
                }
                ctx.catalog.put(ctx.transaction, ctx.statement, table);
            }
            ctx.catalog.put(ctx.transaction, ctx.statement, Index { name, ..Index::clone(index) });
        }
        Relation::System(_) => return Err(PgError::internal("a system relation is renamed")),
    }
    restate(ctx, &before, &[oid])
}

/// Gives a column of a locked table or view another name (`renameatt`).
async fn rename_column(ctx: &mut DdlContext<'_>, oid: Oid, old: &str, new: &str) -> Result<()> {
    let before = lock_mentioning(ctx, &[oid]).await?;
    let found = relation_of(&before, oid)?;
    let columns = match found {
        Relation::Table(table) => &table.columns,
        Relation::View(view) => &view.columns,
        Relation::Index(_) => return Err(PgError::unsupported("ALTER INDEX ... RENAME COLUMN")),
        other => {
            let message = format!("cannot rename columns of relation \"{}\"", other.name());
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message).with_detail(not_supported_for(other.kind())));
        }
    };
    let Some(column) = columns.iter().find(|column| !column.dropped && column.name == old) else {
        if SYSTEM_COLUMNS.contains(&old) {
            let message = format!("cannot rename system column \"{old}\"");
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        return Err(PgError::new(SqlState::UNDEFINED_COLUMN, format!("column \"{old}\" does not exist")));
    };
    if SYSTEM_COLUMNS.contains(&new) {
        let message = format!("column name \"{new}\" conflicts with a system column name");
        return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
    }
    if columns.iter().any(|column| !column.dropped && column.name == new) {
        let message = format!("column \"{new}\" of relation \"{}\" already exists", found.name());
        return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
    }
    let attnum = column.attnum;
    let renamed = |columns: &[helios_catalog::model::Column]| {
        let mut columns = columns.to_vec();
        for column in columns.iter_mut().filter(|column| column.attnum == attnum) {
            new.clone_into(&mut column.name);
        }
        columns
    };
    match found {
        Relation::Table(table) => {
            let changed = Table { columns: renamed(&table.columns), ..Table::clone(table) };
            restate_own(ctx, table, changed, attnum)?;
        }
        Relation::View(view) => {
            let changed = View { columns: renamed(&view.columns), ..View::clone(view) };
            ctx.catalog.put(ctx.transaction, ctx.statement, changed);
            restate_view(ctx, &before, view)?;
        }
        _ => {}
    }
    restate(ctx, &before, &[oid])
}

/// Gives a constraint of a locked table another name; the index behind it too.
async fn rename_constraint(ctx: &mut DdlContext<'_>, oid: Oid, old: &str, new: &str) -> Result<()> {
    let Some(table) = ctx.snapshot().table(oid).cloned() else {
        let found = relation_of(ctx.snapshot(), oid)?;
        let message = format!("constraint \"{old}\" for table \"{}\" does not exist", found.name());
        return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
    };
    let known = |constraint: &&Constraint| constraint.name == old;
    let constraint = table.constraints.iter().find(known).ok_or_else(|| {
        let message = format!("constraint \"{old}\" for table \"{}\" does not exist", table.name);
        PgError::new(SqlState::UNDEFINED_OBJECT, message)
    })?;
    if let ConstraintKind::PrimaryKey { index } | ConstraintKind::Unique { index } = constraint.kind {
        ctx.lock(index, TableLockMode::AccessExclusive).await?;
        if ctx.snapshot().relation_in(table.schema, new).is_none() {
            check_constraint_name_free(&table, new)?;
        }
        return rename_relation(ctx, index, new).await;
    }
    check_constraint_name_free(&table, new)?;
    let mut changed = Table::clone(&table);
    for known in changed.constraints.iter_mut().filter(|known| known.name == old) {
        new.clone_into(&mut known.name);
    }
    ctx.catalog.put(ctx.transaction, ctx.statement, changed);
    Ok(())
}

/// ALTER SCHEMA ... RENAME.
async fn rename_schema(ctx: &mut DdlContext<'_>, old: &str, new: &str) -> Result<()> {
    let found =
        ctx.lock_found(TableLockMode::AccessExclusive, |catalog, _| catalog.lookup_schema(old).map(Some)).await?;
    let Some(schema) = found.and_then(|oid| ctx.snapshot().schema(oid)).cloned() else {
        return Err(PgError::unsupported("renaming a schema of the system"));
    };
    if ctx.snapshot().schema_oid(new).is_some() {
        return Err(PgError::new(SqlState::DUPLICATE_SCHEMA, format!("schema \"{new}\" already exists")));
    }
    ctx.check_owner(schema.owner, "schema", old)?;
    if new.starts_with("pg_") {
        let message = format!("unacceptable schema name \"{new}\"");
        return Err(PgError::new(SqlState::RESERVED_NAME, message)
            .with_detail("The prefix \"pg_\" is reserved for system schemas."));
    }
    let inside: Vec<Oid> = ctx.snapshot().relations_in(schema.oid).map(|(_, key)| key.oid).collect();
    let before = lock_mentioning(ctx, &inside).await?;
    if ctx.claim_name(NameSpace::Schema, Oid::NONE, new, schema.oid).await?.is_some() {
        return Err(PgError::new(SqlState::DUPLICATE_SCHEMA, format!("schema \"{new}\" already exists")));
    }
    ctx.free_name(NameSpace::Schema, Oid::NONE, old);
    let renamed = Schema { name: new.to_owned(), ..Schema::clone(&schema) };
    ctx.catalog.put(ctx.transaction, ctx.statement, renamed);
    restate(ctx, &before, &inside)
}
