//! CREATE SCHEMA.
//!
//! Its elements are statements of their own, run in the new schema, by its owner, in an order in which they can refer to
//! one another: sequences, tables, views, indexes (`transformCreateSchemaStmtElements`).

use helios_catalog::model::Schema;
use helios_types::{Oid, PgError, Result, SqlState};

use super::role::role_of_spec;
use super::{DdlContext, NameSpace, create_index, create_table, next_oid, sequence, view};
use crate::parse::protobuf as pb;
use crate::parse::protobuf::node::Node;

/// CREATE SCHEMA.
pub(super) async fn create(statement: &pb::CreateSchemaStmt, ctx: &mut DdlContext<'_>) -> Result<()> {
    let owner = match &statement.authrole {
        Some(spec) => role_of_spec(spec, ctx)?,
        None => (ctx.session.user_oid, ctx.session.user.to_string()),
    };
    let name = if statement.schemaname.is_empty() { owner.1.clone() } else { statement.schemaname.clone() };
    if !ctx.is_superuser() {
        let owns_database =
            ctx.snapshot().database(ctx.session.database_oid).is_some_and(|found| found.owner == ctx.session.user_oid);
        if !owns_database {
            let message = format!("permission denied for database {}", ctx.session.database);
            return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
        }
        if owner.0 != ctx.session.user_oid {
            let message = format!("must be able to SET ROLE \"{}\"", owner.1);
            return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
        }
    }
    if name.starts_with("pg_") {
        return Err(PgError::new(SqlState::RESERVED_NAME, format!("unacceptable schema name \"{name}\""))
            .with_detail("The prefix \"pg_\" is reserved for system schemas."));
    }
    let exists = format!("schema \"{name}\" already exists");
    if statement.if_not_exists && ctx.snapshot().schema_oid(&name).is_some() {
        ctx.notice(SqlState::DUPLICATE_SCHEMA, format!("{exists}, skipping"));
        return Ok(());
    }
    let oid = next_oid(ctx.transaction.sequences())?;
    if ctx.snapshot().schema_oid(&name).is_some()
        || ctx.claim_name(NameSpace::Schema, Oid::NONE, &name, oid).await?.is_some()
    {
        return Err(PgError::new(SqlState::DUPLICATE_SCHEMA, exists));
    }
    let schema = Schema { oid, name: name.clone(), owner: owner.0 };
    ctx.catalog.put(ctx.transaction, ctx.statement, schema);
    create_elements(&statement.schema_elts, (oid, &name), owner, ctx).await
}

/// The order in which an element is made.
fn rank(node: &Node) -> Option<u8> {
    Some(match node {
        Node::CreateSeqStmt(_) => 0,
        Node::CreateStmt(_) => 1,
        Node::ViewStmt(_) => 2,
        Node::IndexStmt(_) => 3,
        _ => return None,
    })
}

async fn create_elements(
    elements: &[pb::Node],
    (oid, name): (Oid, &str),
    owner: (Oid, String),
    ctx: &mut DdlContext<'_>,
) -> Result<()> {
    let mut ordered = Vec::with_capacity(elements.len());
    for element in elements {
        let Some(node) = &element.node else { continue };
        let Some(rank) = rank(node) else {
            return Err(PgError::unsupported("a trigger or grant inside CREATE SCHEMA"));
        };
        let mut node = node.clone();
        let relation = match &mut node {
            Node::CreateSeqStmt(statement) => statement.sequence.as_mut(),
            Node::CreateStmt(statement) => statement.relation.as_mut(),
            Node::ViewStmt(statement) => statement.view.as_mut(),
            Node::IndexStmt(statement) => statement.relation.as_mut(),
            _ => None,
        };
        if let Some(relation) = relation {
            set_schema(relation, name)?;
        }
        ordered.push((rank, node));
    }
    if ordered.is_empty() {
        return Ok(());
    }
    ordered.sort_by_key(|(rank, _)| *rank);
    let mut path = vec![oid];
    path.extend_from_slice(ctx.search_path);
    let mut session = ctx.session.clone();
    (session.user_oid, session.user) = (owner.0, owner.1.into());
    let mut inside = DdlContext {
        transaction: ctx.transaction,
        statement: ctx.statement,
        catalog: &mut *ctx.catalog,
        newest: ctx.newest,
        session: &session,
        search_path: &path,
        source: ctx.source,
        notices: &mut *ctx.notices,
        row_ids: ctx.row_ids,
        wait: ctx.wait,
        in_block: ctx.in_block,
        doors: ctx.doors.clone(),
        memory: ctx.memory.clone(),
        cancel: ctx.cancel.clone(),
    };
    for (_, node) in &ordered {
        match node {
            Node::CreateSeqStmt(statement) => sequence::create(statement, &mut inside).await?,
            Node::CreateStmt(statement) => create_table::create(statement, &mut inside).await?,
            Node::ViewStmt(statement) => view::create(statement, &mut inside).await?,
            Node::IndexStmt(statement) => create_index::create(statement, &mut inside).await?,
            _ => {}
        }
    }
    Ok(())
}

/// An element goes into the new schema, whatever it says (`setSchemaName`).
fn set_schema(relation: &mut pb::RangeVar, schema: &str) -> Result<()> {
    if relation.schemaname.is_empty() {
        schema.clone_into(&mut relation.schemaname);
    } else if relation.schemaname != schema {
        let message = format!(
            "CREATE specifies a schema ({}) different from the one being created ({schema})",
            relation.schemaname
        );
        return Err(PgError::new(SqlState::INVALID_SCHEMA_DEFINITION, message));
    }
    Ok(())
}
