//! DROP TABLE, VIEW, INDEX, SEQUENCE, SCHEMA.
//!
//! What was named is locked (an index with its table before it), then everything that depends on it is found and locked
//! too; what was found is looked for again until nothing has changed meanwhile.

use helios_catalog::model::{Identity, ObjectKey, ObjectKind, Relation, Table};
use helios_txn::TableLockMode;
use helios_types::{Oid, PgError, Result, SqlState};

use super::dependency::{Address, Target};
use super::sequence::{self, range_var};
use super::unsupported::object_name;
use super::{DdlContext, NameSpace};
use crate::analyze::{name_list, string_of};
use crate::parse::protobuf::node::Node;
use crate::parse::protobuf::{self as pb, DropBehavior, ObjectType};
use crate::table::space;

/// `pg_class.oid` of the catalogs that comments refer to.
pub(super) const PG_CLASS: Oid = Oid(1259);
pub(super) const PG_NAMESPACE: Oid = Oid(2615);
pub(super) const PG_CONSTRAINT: Oid = Oid(2606);
pub(super) const PG_AUTHID: Oid = Oid(1260);
pub(super) const PG_DATABASE: Oid = Oid(1262);

/// DROP; the command tag.
pub(super) async fn drop_objects(statement: &pb::DropStmt, ctx: &mut DdlContext<'_>) -> Result<String> {
    let kind = statement.remove_type();
    let tag = format!("DROP {}", object_name(kind));
    let addresses = match kind {
        ObjectType::ObjectSchema => named_schemas(statement, ctx).await?,
        ObjectType::ObjectTable
        | ObjectType::ObjectIndex
        | ObjectType::ObjectSequence
        | ObjectType::ObjectView
        | ObjectType::ObjectMatview
        | ObjectType::ObjectForeignTable => named_relations(statement, ctx).await?,
        _ => return Err(PgError::unsupported(tag)),
    };
    let cascade = statement.behavior() == DropBehavior::DropCascade;
    drop_addresses(ctx, &addresses, cascade).await?;
    Ok(tag)
}

/// Drops objects that are locked, and what depends on them.
pub(super) async fn drop_addresses(ctx: &mut DdlContext<'_>, originals: &[Address], cascade: bool) -> Result<()> {
    if originals.is_empty() {
        return Ok(());
    }
    let targets = lock_targets(ctx, originals).await?;
    let only = match originals {
        [only] => Some(*only),
        _ => None,
    };
    ctx.report_targets(&targets, cascade, only)?;
    for target in &targets {
        remove(ctx, target.address, &targets).await?;
    }
    Ok(())
}

/// Finds what goes and locks it, until that is all.
pub(super) async fn lock_targets(ctx: &mut DdlContext<'_>, originals: &[Address]) -> Result<Vec<Target>> {
    let mut locked: Vec<Oid> = Vec::new();
    loop {
        let targets = ctx.find_targets(originals)?;
        let mut wanted: Vec<Oid> = targets
            .iter()
            .filter_map(|target| match target.address {
                Address::Relation(oid) => Some(oid),
                Address::Default(table, _) | Address::Constraint(table, _) | Address::Column(table, _) => Some(table),
                Address::Schema(_) => None,
            })
            .filter(|oid| !locked.contains(oid))
            .collect();
        wanted.sort();
        wanted.dedup();
        if wanted.is_empty() {
            return Ok(targets);
        }
        for oid in wanted {
            ctx.lock(oid, TableLockMode::AccessExclusive).await?;
            locked.push(oid);
        }
    }
}

async fn named_schemas(statement: &pb::DropStmt, ctx: &mut DdlContext<'_>) -> Result<Vec<Address>> {
    let mut found = Vec::new();
    for object in &statement.objects {
        let name = string_of(object)?;
        let schema = ctx.lock_found(TableLockMode::AccessExclusive, |catalog, _| Ok(catalog.schema_oid(name))).await?;
        let Some(schema) = schema else {
            let message = format!("schema \"{name}\" does not exist");
            if !statement.missing_ok {
                return Err(PgError::new(SqlState::INVALID_SCHEMA_NAME, message));
            }
            ctx.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{message}, skipping"));
            continue;
        };
        let Some(descriptor) = ctx.snapshot().schema(schema) else {
            let message = format!("cannot drop schema {name} because it is required by the database system");
            return Err(PgError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message));
        };
        ctx.check_owner(descriptor.owner, "schema", name)?;
        found.push(Address::Schema(schema));
    }
    Ok(found)
}

async fn named_relations(statement: &pb::DropStmt, ctx: &mut DdlContext<'_>) -> Result<Vec<Address>> {
    let kind = statement.remove_type();
    if statement.concurrent {
        if ctx.in_block {
            let message = "DROP INDEX CONCURRENTLY cannot run inside a transaction block";
            return Err(PgError::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
        }
        if statement.objects.len() > 1 {
            let message = "DROP INDEX CONCURRENTLY does not support dropping multiple objects";
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        if statement.behavior() == DropBehavior::DropCascade {
            let message = "DROP INDEX CONCURRENTLY does not support CASCADE";
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
    }
    let mut found = Vec::new();
    for object in &statement.objects {
        let Some(Node::List(list)) = &object.node else {
            return Err(PgError::internal("DROP of an object without a name"));
        };
        let name = range_var(&name_list(&list.items)?)?;
        if kind == ObjectType::ObjectIndex {
            lock_table_of_index(ctx, &name).await?;
        }
        let Some(oid) = ctx.lock_relation(&name, TableLockMode::AccessExclusive).await? else {
            missing(ctx, &name, kind, statement.missing_ok)?;
            continue;
        };
        check_kind(ctx, oid, kind)?;
        ctx.check_relation_owner(oid)?;
        if !found.contains(&Address::Relation(oid)) {
            found.push(Address::Relation(oid));
        }
    }
    Ok(found)
}

async fn lock_table_of_index(ctx: &mut DdlContext<'_>, name: &pb::RangeVar) -> Result<()> {
    let schema = super::locks::schema_of(name);
    ctx.lock_found(TableLockMode::AccessExclusive, |catalog, path| {
        Ok(match catalog.find_relation(path, schema, &name.relname) {
            Some(Relation::Index(index)) => Some(index.table),
            _ => None,
        })
    })
    .await?;
    Ok(())
}

/// The error or NOTICE about a relation that is not there (`DropErrorMsgNonExistent`).
fn missing(ctx: &mut DdlContext<'_>, name: &pb::RangeVar, kind: ObjectType, missing_ok: bool) -> Result<()> {
    let schema_is_missing = !name.schemaname.is_empty() && ctx.snapshot().schema_oid(&name.schemaname).is_none();
    let (code, message) = if schema_is_missing {
        (SqlState::INVALID_SCHEMA_NAME, format!("schema \"{}\" does not exist", name.schemaname))
    } else {
        let code = match kind {
            ObjectType::ObjectIndex => SqlState::UNDEFINED_OBJECT,
            _ => SqlState::UNDEFINED_TABLE,
        };
        (code, format!("{} \"{}\" does not exist", object_name(kind).to_lowercase(), name.relname))
    };
    if !missing_ok {
        return Err(PgError::new(code, message));
    }
    ctx.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{message}, skipping"));
    Ok(())
}

/// Refuses a relation of another kind, and says how it is dropped (`DropErrorMsgWrongType`).
fn check_kind(ctx: &DdlContext<'_>, oid: Oid, kind: ObjectType) -> Result<()> {
    let found = super::locks::relation_of(ctx.snapshot(), oid)?;
    let noun = found.kind().noun();
    let wanted = object_name(kind).to_lowercase();
    if noun == wanted {
        return Ok(());
    }
    let with_article = |noun: &str| if noun.starts_with('i') { format!("an {noun}") } else { format!("a {noun}") };
    Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not {}", found.name(), with_article(&wanted)))
        .with_hint(format!("Use DROP {} to remove {}.", noun.to_uppercase(), with_article(noun))))
}

/// Removes one object. What it is part of is left as it is when that goes too.
async fn remove(ctx: &mut DdlContext<'_>, address: Address, targets: &[Target]) -> Result<()> {
    let goes = |oid: Oid| targets.iter().any(|target| target.address == Address::Relation(oid));
    match address {
        Address::Schema(schema) => {
            let name = ctx.snapshot().schema(schema).map(|schema| schema.name.clone()).unwrap_or_default();
            ctx.free_name(NameSpace::Schema, Oid::NONE, &name);
            remove_key(ctx, ObjectKind::Schema, schema);
            remove_comments(ctx, PG_NAMESPACE, schema, None);
        }
        Address::Relation(oid) => remove_relation(ctx, oid, &goes),
        Address::Default(table, attnum) if !goes(table) => {
            edit_column(ctx, table, attnum, |column| {
                column.default = None;
                column.sequence = None;
            });
        }
        Address::Constraint(table, constraint) if !goes(table) => {
            super::alter_table::remove_constraint(ctx, table, constraint).await?;
        }
        Address::Constraint(_, constraint) => remove_comments(ctx, PG_CONSTRAINT, constraint, None),
        Address::Column(table, attnum) if !goes(table) => {
            edit_column(ctx, table, attnum, |column| {
                column.name = format!("........pg.dropped.{attnum}........");
                column.dropped = true;
                column.not_null = false;
                column.default = None;
                column.generated = None;
                column.identity = None::<Identity>;
                column.sequence = None;
                column.missing = None;
            });
            remove_comments(ctx, PG_CLASS, table, Some(i32::from(attnum)));
        }
        Address::Default(..) | Address::Column(..) => {}
    }
    Ok(())
}

fn remove_relation(ctx: &mut DdlContext<'_>, oid: Oid, goes: &dyn Fn(Oid) -> bool) {
    let catalog = ctx.snapshot().clone();
    match catalog.relation(oid) {
        Some(Relation::Table(table)) => {
            ctx.catalog.drop_space(space(table.storage));
            ctx.free_name(NameSpace::Relation, table.schema, &table.name);
            remove_key(ctx, ObjectKind::Table, oid);
        }
        Some(Relation::Index(index)) => {
            if !index.primary {
                ctx.catalog.drop_space(space(index.storage));
            }
            ctx.free_name(NameSpace::Relation, index.schema, &index.name);
            remove_key(ctx, ObjectKind::Index, oid);
            if !goes(index.table)
                && let Some(table) = catalog.table(index.table)
            {
                let mut table = Table::clone(table);
                table.indexes.retain(|&known| known != oid);
                ctx.catalog.put(ctx.transaction, ctx.statement, table);
            }
        }
        Some(Relation::Sequence(found)) => sequence::remove(ctx, found),
        Some(Relation::View(view)) => {
            ctx.free_name(NameSpace::Relation, view.schema, &view.name);
            remove_key(ctx, ObjectKind::View, oid);
        }
        Some(Relation::System(_)) | None => return,
    }
    remove_comments(ctx, PG_CLASS, oid, None);
}

pub(super) fn remove_key(ctx: &mut DdlContext<'_>, kind: ObjectKind, oid: Oid) {
    ctx.catalog.remove(ctx.transaction, ctx.statement, ObjectKey { kind, oid });
}

/// Removes the comments on an object, or on one column of it.
pub(super) fn remove_comments(ctx: &mut DdlContext<'_>, class: Oid, object: Oid, sub_id: Option<i32>) {
    let about = |comment: &&std::sync::Arc<helios_catalog::model::Comment>| {
        comment.class == class && comment.object == object && sub_id.is_none_or(|sub_id| sub_id == comment.sub_id)
    };
    let gone: Vec<Oid> = ctx.snapshot().comments().filter(about).map(|comment| comment.oid).collect();
    for oid in gone {
        remove_key(ctx, ObjectKind::Comment, oid);
    }
}

/// Stores a table with one column changed.
pub(super) fn edit_column(
    ctx: &mut DdlContext<'_>,
    table: Oid,
    attnum: i16,
    edit: impl FnOnce(&mut helios_catalog::model::Column),
) {
    let Some(table) = ctx.snapshot().table(table) else { return };
    let mut table = Table::clone(table);
    if let Some(column) = table.columns.iter_mut().find(|column| column.attnum == attnum) {
        edit(column);
    }
    ctx.catalog.put(ctx.transaction, ctx.statement, table);
}
