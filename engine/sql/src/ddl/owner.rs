//! OWNER TO and SET SCHEMA.

use helios_catalog::model::{Index, Object, Relation, Schema, Sequence, Table, View};
use helios_txn::TableLockMode;
use helios_types::{Oid, PgError, Result, SqlState};

use super::alter_table::check_kind;
use super::locks::relation_of;
use super::rename::lock_named;
use super::restate::{lock_mentioning, restate};
use super::sequence::range;
use super::unsupported::object_name;
use super::{DdlContext, NameSpace};
use crate::analyze::string_of;
use crate::parse::protobuf::{self as pb, ObjectType, RoleSpecType};
use crate::parse::{Notice, Severity};

/// ALTER ... OWNER TO of what is no relation; the command tag.
pub(super) async fn alter_owner(statement: &pb::AlterOwnerStmt, ctx: &mut DdlContext<'_>) -> Result<String> {
    let kind = statement.object_type();
    let tag = format!("ALTER {}", object_name(kind));
    let name = match (kind, &statement.object) {
        (ObjectType::ObjectSchema, Some(name)) => string_of(name)?,
        _ => return Err(PgError::unsupported(format_args!("{tag} ... OWNER TO"))),
    };
    let owner = new_owner(ctx, statement.newowner.as_ref())?;
    let find = |catalog: &helios_catalog::CatalogSnapshot, _: &[Oid]| catalog.lookup_schema(name).map(Some);
    let found = ctx.lock_found(TableLockMode::AccessExclusive, find).await?;
    let Some(schema) = found.and_then(|oid| ctx.snapshot().schema(oid)).cloned() else {
        return Err(PgError::unsupported("another owner of a schema of the system"));
    };
    if schema.owner != owner {
        ctx.check_owner(schema.owner, "schema", name)?;
        check_may_give(ctx, owner)?;
        ctx.catalog.put(ctx.transaction, ctx.statement, Schema { owner, ..Schema::clone(&schema) });
    }
    Ok(tag)
}

/// OWNER TO of a locked relation, and of the sequences that its columns own (`ATExecChangeOwner`).
pub(super) async fn change_owner(ctx: &mut DdlContext<'_>, oid: Oid, role: Option<&pb::RoleSpec>) -> Result<()> {
    let owner = new_owner(ctx, role)?;
    let found = relation_of(ctx.snapshot(), oid)?;
    if let Relation::Index(index) = found {
        let message = format!("cannot change owner of index \"{}\"", index.name);
        ctx.notices.push(Notice {
            severity: Severity::Warning,
            code: SqlState::WRONG_OBJECT_TYPE,
            message,
            detail: None,
            hint: Some("Change the ownership of the index's table instead.".to_owned()),
            position: None,
        });
        return Ok(());
    }
    if let Relation::Sequence(sequence) = found
        && let Some(refusal) = linked(ctx, sequence, &format!("cannot change owner of sequence \"{}\"", sequence.name))
    {
        return Err(refusal);
    }
    let (was, schema) = match found {
        Relation::Table(table) => (table.owner, table.schema),
        Relation::View(view) => (view.owner, view.schema),
        Relation::Sequence(sequence) => (sequence.owner, sequence.schema),
        Relation::Index(_) | Relation::System(_) => return Err(PgError::internal("an owner of what has none")),
    };
    if was == owner {
        return Ok(());
    }
    check_may_give(ctx, owner)?;
    let is_superuser = ctx.is_superuser();
    if !is_superuser && ctx.snapshot().schema(schema).is_none_or(|schema| schema.owner != owner) {
        let name = ctx.snapshot().schema_name(schema).unwrap_or_default();
        let message = format!("permission denied for schema {name}");
        return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
    }
    let changed: Object = match relation_of(ctx.snapshot(), oid)? {
        Relation::Table(table) => Table { owner, ..Table::clone(table) }.into(),
        Relation::View(view) => View { owner, ..View::clone(view) }.into(),
        Relation::Sequence(sequence) => Sequence { owner, ..Sequence::clone(sequence) }.into(),
        Relation::Index(_) | Relation::System(_) => return Ok(()),
    };
    ctx.catalog.put(ctx.transaction, ctx.statement, changed);
    for sequence in lock_owned(ctx, oid).await? {
        let Some(found) = ctx.snapshot().sequence(sequence) else { continue };
        let changed = Sequence { owner, ..Sequence::clone(found) };
        ctx.catalog.put(ctx.transaction, ctx.statement, changed);
    }
    Ok(())
}

/// The sequences that a table's columns own, locked.
async fn lock_owned(ctx: &mut DdlContext<'_>, table: Oid) -> Result<Vec<Oid>> {
    let owned = ctx.snapshot().sequences().filter(|known| known.owned_by.is_some_and(|(owner, _)| owner == table.0));
    let owned: Vec<Oid> = owned.map(|known| known.oid).collect();
    for &sequence in &owned {
        ctx.lock(sequence, TableLockMode::AccessExclusive).await?;
    }
    Ok(owned)
}

/// The refusal of a change to a sequence that its table's columns determine.
fn linked(ctx: &DdlContext<'_>, sequence: &Sequence, message: &str) -> Option<PgError> {
    let (table, _) = sequence.owned_by?;
    let table = ctx.snapshot().relation(Oid(table))?;
    let detail = format!("Sequence \"{}\" is linked to table \"{}\".", sequence.name, table.name());
    Some(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message.to_owned()).with_detail(detail))
}

fn new_owner(ctx: &DdlContext<'_>, role: Option<&pb::RoleSpec>) -> Result<Oid> {
    let role = role.ok_or_else(|| PgError::internal("OWNER TO without a role"))?;
    let missing = |name: &str| PgError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"));
    match role.roletype() {
        RoleSpecType::RolespecCstring => ctx.snapshot().role_oid(&role.rolename).ok_or_else(|| missing(&role.rolename)),
        RoleSpecType::RolespecCurrentUser | RoleSpecType::RolespecCurrentRole => Ok(ctx.session.user_oid),
        RoleSpecType::RolespecSessionUser => {
            let name = &ctx.session.session_user;
            ctx.snapshot().role_oid(name).ok_or_else(|| missing(name))
        }
        RoleSpecType::RolespecPublic => Err(missing("public")),
        RoleSpecType::Undefined => Err(PgError::internal("OWNER TO a role of no kind")),
    }
}

/// Nobody but a superuser gives things to others: roles have no members.
fn check_may_give(ctx: &DdlContext<'_>, owner: Oid) -> Result<()> {
    if owner == ctx.session.user_oid || ctx.is_superuser() {
        return Ok(());
    }
    let name = ctx.snapshot().role_name(owner).unwrap_or_default();
    Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, format!("must be able to SET ROLE \"{name}\"")))
}

/// ALTER ... SET SCHEMA; the command tag.
pub(super) async fn set_schema(statement: &pb::AlterObjectSchemaStmt, ctx: &mut DdlContext<'_>) -> Result<String> {
    let kind = statement.object_type();
    let tag = format!("ALTER {}", object_name(kind));
    if !matches!(kind, ObjectType::ObjectTable | ObjectType::ObjectSequence | ObjectType::ObjectView) {
        return Err(PgError::unsupported(format_args!("{tag} ... SET SCHEMA")));
    }
    let name = range(statement.relation.as_ref())?;
    let Some(oid) = lock_named(ctx, name, statement.missing_ok).await? else { return Ok(tag) };
    check_kind(ctx, oid, kind)?;
    ctx.check_relation_owner(oid)?;
    let found = relation_of(ctx.snapshot(), oid)?;
    if let Relation::Index(index) = found {
        let message = format!("cannot change schema of index \"{}\"", index.name);
        return Err(
            PgError::new(SqlState::WRONG_OBJECT_TYPE, message).with_hint("Change the schema of the table instead.")
        );
    }
    if let Relation::Sequence(sequence) = found
        && let Some(refusal) = linked(ctx, sequence, "cannot move an owned sequence into another schema")
    {
        return Err(refusal);
    }
    let find =
        |catalog: &helios_catalog::CatalogSnapshot, _: &[Oid]| catalog.lookup_schema(&statement.newschema).map(Some);
    let schema = ctx.lock_found(TableLockMode::AccessShare, find).await?;
    let schema = schema.ok_or_else(|| PgError::internal("a schema is neither there nor missing"))?;
    if relation_of(ctx.snapshot(), oid)?.schema() == schema {
        return Ok(tag);
    }
    ctx.check_create_in(schema)?;
    if ctx.snapshot().schema(schema).is_none() {
        return Err(PgError::unsupported("a user's relation in a schema of the system"));
    }
    move_relation(ctx, oid, schema, &statement.newschema).await?;
    Ok(tag)
}

/// Moves a relation with its indexes and the sequences that its columns own.
async fn move_relation(ctx: &mut DdlContext<'_>, oid: Oid, schema: Oid, schema_name: &str) -> Result<()> {
    let mut moved = vec![oid];
    if let Some(table) = ctx.snapshot().table(oid) {
        moved.extend(table.indexes.iter().copied());
    }
    moved.extend(lock_owned(ctx, oid).await?);
    let before = lock_mentioning(ctx, &moved).await?;
    for &oid in &moved {
        let found = relation_of(&before, oid)?;
        if before.relation_in(schema, found.name()).is_some()
            || ctx.claim_name(NameSpace::Relation, schema, found.name(), oid).await?.is_some()
        {
            let message = format!("relation \"{}\" already exists in schema \"{schema_name}\"", found.name());
            return Err(PgError::new(SqlState::DUPLICATE_TABLE, message));
        }
        ctx.free_name(NameSpace::Relation, found.schema(), found.name());
        let changed: Object = match found {
            Relation::Table(table) => Table { schema, ..Table::clone(table) }.into(),
            Relation::View(view) => View { schema, ..View::clone(view) }.into(),
            Relation::Sequence(sequence) => Sequence { schema, ..Sequence::clone(sequence) }.into(),
            Relation::Index(index) => Index { schema, ..Index::clone(index) }.into(),
            Relation::System(_) => return Err(PgError::internal("a system relation is moved")),
        };
        ctx.catalog.put(ctx.transaction, ctx.statement, changed);
    }
    restate(ctx, &before, &moved)
}
