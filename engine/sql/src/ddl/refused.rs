//! What PostgreSQL checks of statements that are refused here.
//!
//! A statement that could not have worked anyway fails as it does in PostgreSQL; only what PostgreSQL would have done
//! is refused with 0A000.

use helios_types::{PgError, Result, SqlState};

use super::DdlContext;
use super::unsupported::statement_name;
use crate::analyze::name_list;
use crate::parse::protobuf as pb;
use crate::parse::protobuf::ObjectType;
use crate::parse::protobuf::node::Node;

/// Checks a statement that [`statement_name`] knows; its command tag if there is nothing to do.
pub(super) fn refuse(node: &Node, ctx: &mut DdlContext<'_>) -> Result<String> {
    let name = statement_name(node).ok_or_else(|| PgError::internal("not a statement that changes the catalog"))?;
    match node {
        Node::CreatedbStmt(create) => {
            outside_of_blocks(name, ctx)?;
            if ctx.snapshot().database_by_name(&create.dbname).is_some() {
                let message = format!("database \"{}\" already exists", create.dbname);
                return Err(PgError::new(SqlState::DUPLICATE_DATABASE, message));
            }
        }
        Node::DropdbStmt(drop) => {
            outside_of_blocks(name, ctx)?;
            if let Err(missing) = check_database(&drop.dbname, ctx) {
                if !drop.missing_ok {
                    return Err(missing);
                }
                ctx.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{}, skipping", missing.message()));
                return Ok(name.to_owned());
            }
            if *drop.dbname == *ctx.session.database {
                return Err(PgError::new(SqlState::OBJECT_IN_USE, "cannot drop the currently open database"));
            }
        }
        Node::AlterDatabaseStmt(alter) => check_database(&alter.dbname, ctx)?,
        Node::AlterDatabaseSetStmt(alter) => check_database(&alter.dbname, ctx)?,
        Node::AlterDatabaseRefreshCollStmt(alter) => check_database(&alter.dbname, ctx)?,
        Node::CreateTableSpaceStmt(_) | Node::DropTableSpaceStmt(_) => outside_of_blocks(name, ctx)?,
        Node::CreateFunctionStmt(create) => check_function(create, ctx)?,
        Node::CreateEnumStmt(create) => check_new_type(&name_list(&create.type_name)?, ctx)?,
        Node::CreateRangeStmt(create) => check_new_type(&name_list(&create.type_name)?, ctx)?,
        Node::CreateDomainStmt(create) => check_new_type(&name_list(&create.domainname)?, ctx)?,
        Node::DefineStmt(define) if define.kind() == ObjectType::ObjectType => {
            check_new_type(&name_list(&define.defnames)?, ctx)?;
        }
        Node::CompositeTypeStmt(create) => {
            let name = create.typevar.as_ref().ok_or_else(|| PgError::internal("a type without a name"))?;
            let parts = [name.schemaname.as_str(), name.relname.as_str()];
            check_new_type(&parts[usize::from(name.schemaname.is_empty())..], ctx)?;
        }
        _ => {}
    }
    Err(PgError::unsupported(name))
}

fn outside_of_blocks(statement: &str, ctx: &DdlContext<'_>) -> Result<()> {
    if ctx.in_block {
        let message = format!("{statement} cannot run inside a transaction block");
        return Err(PgError::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
    }
    Ok(())
}

fn check_database(name: &str, ctx: &DdlContext<'_>) -> Result<()> {
    match ctx.snapshot().database_by_name(name) {
        Some(_) => Ok(()),
        None => Err(PgError::new(SqlState::INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist"))),
    }
}

/// The schema that something new with this name would go into.
fn creation_schema(parts: &[&str], ctx: &DdlContext<'_>) -> Result<helios_types::Oid> {
    match parts {
        [.., schema, _] => ctx.snapshot().lookup_schema(schema),
        _ => {
            let path = ctx.session.setting("search_path").unwrap_or("public");
            ctx.snapshot().creation_schema(path, &ctx.session.user)
        }
    }
}

/// A type's name must be free. An array type that a relation brought along would make room for it.
fn check_new_type(parts: &[&str], ctx: &DdlContext<'_>) -> Result<()> {
    let schema = creation_schema(parts, ctx)?;
    let Some(name) = parts.last() else { return Ok(()) };
    match ctx.snapshot().type_by_name(schema, name) {
        Some(found) if found.category != b'A' => {
            Err(PgError::new(SqlState::DUPLICATE_OBJECT, format!("type \"{name}\" already exists")))
        }
        _ => Ok(()),
    }
}

/// A function's schema and language must be there.
fn check_function(create: &pb::CreateFunctionStmt, ctx: &DdlContext<'_>) -> Result<()> {
    creation_schema(&name_list(&create.funcname)?, ctx)?;
    let language = create.options.iter().find_map(|option| match &option.node {
        Some(Node::DefElem(option)) if option.defname == "language" => option.arg.as_ref()?.node.as_ref(),
        _ => None,
    });
    match language {
        Some(Node::String(language)) => {
            let name = &language.sval;
            if helios_catalog::facts::languages().all().iter().any(|known| known.name == name) {
                return Ok(());
            }
            Err(PgError::new(SqlState::UNDEFINED_OBJECT, format!("language \"{name}\" does not exist")))
        }
        _ => Ok(()),
    }
}
