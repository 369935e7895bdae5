//! CREATE TABLE, and the table of CREATE TABLE AS.
//!
//! ```text
//!   CreateStmt ──definition──▶ Definition ──build──▶ sequences, Table, key indexes
//!                (types, NULL,               (names claimed, expressions analyzed
//!                 one constraint each)        over the finished columns)
//! ```

pub(super) mod build;
pub(super) mod definition;
mod like;

use std::sync::Arc;

use helios_catalog::model::Table;
use helios_types::{Oid, PgError, Result, SqlState, oid};

use self::build::build_table;
use self::definition::{ColumnSpec, Definition, check_column_type, check_tablespace};
use self::like::LikeSource;
use super::DdlContext;
use super::locks::position;
use super::options::{Kind, read_options};
use super::sequence::range;
use crate::analyze::name_list;
use crate::parse::protobuf::node::Node;
use crate::parse::protobuf::{self as pb, OnCommitAction};
use crate::query::RteColumn;

/// CREATE TABLE.
pub(super) async fn create(statement: &pb::CreateStmt, ctx: &mut DdlContext<'_>) -> Result<()> {
    let name = range(statement.relation.as_ref())?;
    let schema = ctx.lock_creation_schema(name, true).await?;
    if statement.if_not_exists && skip_existing(ctx, schema, &name.relname) {
        return Ok(());
    }
    let location = position(name.location);
    if statement.partspec.is_some() {
        return Err(PgError::unsupported("PARTITION BY").at(location));
    }
    if statement.partbound.is_some() {
        return Err(PgError::unsupported("PARTITION OF").at(location));
    }
    if !statement.inh_relations.is_empty() {
        return Err(PgError::unsupported("INHERITS").at(location));
    }
    if statement.of_typename.is_some() {
        return Err(PgError::unsupported("CREATE TABLE OF").at(location));
    }
    if !matches!(statement.oncommit(), OnCommitAction::OncommitNoop | OnCommitAction::Undefined) {
        let message = "ON COMMIT can only be used on temporary tables";
        return Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message));
    }
    check_storage(&statement.access_method, &statement.tablespacename, &statement.options)?;
    let mut sources = Vec::new();
    for element in &statement.table_elts {
        if let Some(Node::TableLikeClause(clause)) = &element.node {
            sources.push(LikeSource::read(clause, ctx).await?);
        }
    }
    let mut definition = Definition::default();
    {
        let mut remaining = sources.iter();
        let analysis = ctx.analysis();
        for element in &statement.table_elts {
            match &element.node {
                Some(Node::ColumnDef(column)) => definition.add_column(column, &name.relname, &analysis)?,
                Some(Node::Constraint(constraint)) => definition.add_constraint(constraint, &name.relname)?,
                Some(Node::TableLikeClause(_)) => {
                    remaining.next().map_or(Ok(()), |source| source.add_to(&mut definition))?;
                }
                _ => return Err(PgError::internal("an element of CREATE TABLE that is none")),
            }
        }
    }
    let made = build_table(ctx, schema, &name.relname, definition).await?;
    for source in &sources {
        source.finish(&made, ctx).await?;
    }
    Ok(())
}

/// Makes the table that CREATE TABLE AS or SELECT INTO fills: `columns` are those of the query. `None` when it exists
/// and IF NOT EXISTS was said: then the query is not run.
///
/// # Errors
///
/// PostgreSQL's; 0A000 for what is not supported.
pub async fn create_table_as(
    into: &pb::IntoClause,
    if_not_exists: bool,
    columns: &[RteColumn],
    ctx: &mut DdlContext<'_>,
) -> Result<Option<Arc<Table>>> {
    ctx.refresh();
    let name = range(into.rel.as_ref())?;
    let schema = ctx.lock_creation_schema(name, false).await?;
    if ctx.snapshot().relation_in(schema, &name.relname).is_some() {
        if if_not_exists && skip_existing(ctx, schema, &name.relname) {
            return Ok(None);
        }
        let message = format!("relation \"{}\" already exists", name.relname);
        return Err(PgError::new(SqlState::DUPLICATE_TABLE, message));
    }
    if !matches!(into.on_commit(), OnCommitAction::OncommitNoop | OnCommitAction::Undefined) {
        let message = "ON COMMIT can only be used on temporary tables";
        return Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message));
    }
    check_storage(&into.access_method, &into.table_space_name, &into.options)?;
    let names = name_list(&into.col_names)?;
    if names.len() > columns.len() {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "too many column names were specified"));
    }
    let mut definition = Definition::default();
    for (index, column) in columns.iter().enumerate() {
        let name = names.get(index).copied().unwrap_or(&column.name);
        let type_oid = if column.ty.oid == oid::UNKNOWN { oid::TEXT } else { column.ty.oid };
        check_column_type(name, type_oid, &ctx.analysis())?;
        if definition.columns.iter().any(|known| known.name == name) {
            let message = format!("column \"{name}\" specified more than once");
            return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
        }
        definition.columns.push(ColumnSpec {
            name,
            type_oid,
            typmod: column.ty.typmod,
            collation: column.ty.collation,
            not_null: false,
            default: None,
            generated: None,
            identity: None,
            serial: false,
        });
    }
    build_table(ctx, schema, &name.relname, definition).await.map(Some)
}

/// IF NOT EXISTS: whether there is such a relation; then a NOTICE says so.
pub(super) fn skip_existing(ctx: &mut DdlContext<'_>, schema: Oid, name: &str) -> bool {
    let exists = ctx.snapshot().relation_in(schema, name).is_some();
    if exists {
        ctx.notice(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists, skipping"));
    }
    exists
}

/// USING, TABLESPACE and WITH.
fn check_storage(access_method: &str, tablespace: &str, options: &[pb::Node]) -> Result<()> {
    if !matches!(access_method, "" | "heap") {
        let message = format!("access method \"{access_method}\" does not exist");
        return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
    }
    check_tablespace(tablespace)?;
    read_options(options, Kind::Table).map(|_| ())
}
