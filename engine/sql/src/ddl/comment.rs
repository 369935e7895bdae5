//! COMMENT ON.

use helios_catalog::model::{Comment, Relation};
use helios_txn::TableLockMode;
use helios_types::{Oid, PgError, Result, SqlState};

use super::drop::{PG_AUTHID, PG_CLASS, PG_CONSTRAINT, PG_DATABASE, PG_NAMESPACE, remove_comments};
use super::locks::{not_supported_for, relation_of};
use super::sequence::range_var;
use super::unsupported::object_name;
use super::{DdlContext, next_oid};
use crate::analyze::{name_list, string_of};
use crate::parse::protobuf::node::Node;
use crate::parse::protobuf::{self as pb, ObjectType};
use crate::parse::{Notice, Severity};

/// What a comment is on: the catalog that has it, its OID, and a column's number or 0.
type Place = (Oid, Oid, i32);

/// COMMENT ON.
pub(super) async fn comment(statement: &pb::CommentStmt, ctx: &mut DdlContext<'_>) -> Result<()> {
    let object = statement.object.as_deref().ok_or_else(|| PgError::internal("a comment on nothing"))?;
    let place = match statement.objtype() {
        kind @ (ObjectType::ObjectTable
        | ObjectType::ObjectView
        | ObjectType::ObjectIndex
        | ObjectType::ObjectSequence
        | ObjectType::ObjectMatview
        | ObjectType::ObjectForeignTable) => Some(relation(object, kind, ctx).await?),
        ObjectType::ObjectColumn => Some(column(object, ctx).await?),
        ObjectType::ObjectTabconstraint => Some(constraint(object, ctx).await?),
        ObjectType::ObjectSchema => Some(schema(string_of(object)?, ctx).await?),
        ObjectType::ObjectRole => Some(role(string_of(object)?, ctx)?),
        ObjectType::ObjectDatabase => database(string_of(object)?, ctx)?,
        other => return Err(PgError::unsupported(format_args!("COMMENT ON {}", object_name(other)))),
    };
    let Some((class, object, sub_id)) = place else { return Ok(()) };
    // NULL and the empty string are the same: no comment.
    if statement.comment.is_empty() {
        remove_comments(ctx, class, object, Some(sub_id));
        return Ok(());
    }
    let oid = match ctx.snapshot().comment_on(class, object, sub_id) {
        Some(known) => known.oid,
        None => next_oid(ctx.transaction.sequences())?,
    };
    let comment = Comment { oid, object, class, sub_id, text: statement.comment.clone() };
    ctx.catalog.put(ctx.transaction, ctx.statement, comment);
    Ok(())
}

fn names(object: &pb::Node) -> Result<Vec<&str>> {
    match &object.node {
        Some(Node::List(list)) => name_list(&list.items),
        _ => Err(PgError::internal("COMMENT on an object without a name")),
    }
}

async fn lock(names: &[&str], ctx: &mut DdlContext<'_>) -> Result<Oid> {
    let name = range_var(names)?;
    let oid = ctx.lock_existing_relation(&name, TableLockMode::ShareUpdateExclusive).await?;
    Ok(oid)
}

async fn relation(object: &pb::Node, kind: ObjectType, ctx: &mut DdlContext<'_>) -> Result<Place> {
    let oid = lock(&names(object)?, ctx).await?;
    let found = relation_of(ctx.snapshot(), oid)?;
    let wanted = object_name(kind).to_lowercase();
    if found.kind().noun() != wanted {
        let article = if wanted.starts_with('i') { "an" } else { "a" };
        let message = format!("\"{}\" is not {article} {wanted}", found.name());
        return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
    }
    ctx.check_relation_owner(oid)?;
    Ok((PG_CLASS, oid, 0))
}

async fn column(object: &pb::Node, ctx: &mut DdlContext<'_>) -> Result<Place> {
    let names = names(object)?;
    let Some((column, relation)) = names.split_last().filter(|(_, relation)| !relation.is_empty()) else {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "column name must be qualified"));
    };
    let oid = lock(relation, ctx).await?;
    let found = relation_of(ctx.snapshot(), oid)?;
    let columns = match found {
        Relation::Table(table) => Some(&table.columns),
        Relation::View(view) => Some(&view.columns),
        Relation::Sequence(_) | Relation::Index(_) | Relation::System(_) => None,
    };
    ctx.check_relation_owner(oid)?;
    let Some(columns) = columns else {
        let message = format!("cannot set comment on relation \"{}\"", found.name());
        return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message).with_detail(not_supported_for(found.kind())));
    };
    let known = columns.iter().find(|known| !known.dropped && known.name == **column);
    let known = known.ok_or_else(|| {
        let message = format!("column \"{column}\" of relation \"{}\" does not exist", found.name());
        PgError::new(SqlState::UNDEFINED_COLUMN, message)
    })?;
    Ok((PG_CLASS, oid, i32::from(known.attnum)))
}

async fn constraint(object: &pb::Node, ctx: &mut DdlContext<'_>) -> Result<Place> {
    let names = names(object)?;
    let Some((constraint, relation)) = names.split_last() else {
        return Err(PgError::internal("a constraint without a name"));
    };
    let oid = lock(relation, ctx).await?;
    ctx.check_relation_owner(oid)?;
    let found = relation_of(ctx.snapshot(), oid)?;
    let known = match found {
        Relation::Table(table) => table.constraints.iter().find(|known| known.name == **constraint),
        _ => None,
    };
    let known = known.ok_or_else(|| {
        let message = format!("constraint \"{constraint}\" for table \"{}\" does not exist", found.name());
        PgError::new(SqlState::UNDEFINED_OBJECT, message)
    })?;
    Ok((PG_CONSTRAINT, known.oid, 0))
}

async fn schema(name: &str, ctx: &mut DdlContext<'_>) -> Result<Place> {
    let oid = ctx
        .lock_found(TableLockMode::ShareUpdateExclusive, |catalog, _| catalog.lookup_schema(name).map(Some))
        .await?
        .ok_or_else(|| PgError::internal("a schema is neither there nor missing"))?;
    let owner = ctx.snapshot().schema(oid).map_or(Oid::NONE, |schema| schema.owner);
    ctx.check_owner(owner, "schema", name)?;
    Ok((PG_NAMESPACE, oid, 0))
}

fn role(name: &str, ctx: &DdlContext<'_>) -> Result<Place> {
    let oid = ctx
        .snapshot()
        .role_oid(name)
        .ok_or_else(|| PgError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist")))?;
    let may = ctx.is_superuser()
        || ctx.snapshot().role(ctx.session.user_oid).is_some_and(|role| role.create_role && oid != role.oid);
    if !may {
        let message = "must have CREATEROLE privilege";
        return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
    }
    Ok((PG_AUTHID, oid, 0))
}

/// A database that is not there is only warned of: a dump may be restored under another name.
fn database(name: &str, ctx: &mut DdlContext<'_>) -> Result<Option<Place>> {
    let Some(found) = ctx.snapshot().database_by_name(name).map(|found| (found.oid, found.owner)) else {
        ctx.notices.push(Notice {
            severity: Severity::Warning,
            code: SqlState::INVALID_CATALOG_NAME,
            message: format!("database \"{name}\" does not exist"),
            detail: None,
            hint: None,
            position: None,
        });
        return Ok(None);
    };
    ctx.check_owner(found.1, "database", name)?;
    Ok(Some((PG_DATABASE, found.0, 0)))
}
