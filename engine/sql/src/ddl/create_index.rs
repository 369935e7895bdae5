//! CREATE INDEX (`DefineIndex`).
//!
//! The table is locked against writers, in SHARE mode, so the rows that are indexed are all there are: those that
//! others have committed and those that this transaction has written. CONCURRENTLY does the same, under the same lock:
//! it promises its caller less than it keeps.
//!
//! A table's descriptor lists its indexes, and SHARE locks do not exclude one another. So that no index is lost when
//! two are made on one table at a time, whoever makes one first locks the table's row type, which nobody else locks.
//! It does so before it locks the table: while it waits, it keeps nobody from writing.

use std::sync::Arc;

use helios_catalog::facts::{self, BTREE, OperatorClass, PG_CATALOG};
use helios_catalog::model::{Index, IndexKey, Relation, Table};
use helios_catalog::resolve::Lookup;
use helios_txn::TableLockMode;
use helios_types::{Oid, PgError, Result, SqlState, oid};

use super::create_table::build::{KEYS_MAX, default_opclass};
use super::create_table::definition::{SYSTEM_COLUMNS, check_tablespace};
use super::locks::{not_supported_for, relation_of, schema_of};
use super::names::{NAME_BYTES_MAX, clip, index_name_addition};
use super::options::{Kind, read_options};
use super::sequence::range;
use super::stored::{expression_text, refuse_named_relations};
use super::{DdlContext, next_oid, next_storage};
use crate::analyze::{ExpressionUse, analyze_expression, figure_index_column_name, name_list, transform_collation};
use crate::expr::{Expr, ExprKind};
use crate::parse::protobuf::node::Node;
use crate::parse::protobuf::{self as pb, SortByDir, SortByNulls};

/// CREATE INDEX.
pub(super) async fn create(statement: &pb::IndexStmt, ctx: &mut DdlContext<'_>) -> Result<()> {
    if statement.concurrent && ctx.in_block {
        let message = "CREATE INDEX CONCURRENTLY cannot run inside a transaction block";
        return Err(PgError::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
    }
    let table = lock_table(range(statement.relation.as_ref())?, ctx).await?;
    let predicate = match statement.where_clause.as_deref().and_then(|clause| clause.node.as_ref()) {
        Some(raw) => Some(analyze_expression(raw, Some(&table), ExpressionUse::IndexPredicate, &ctx.analysis())?.expr),
        None => None,
    };
    let elements = elements(&statement.index_params)?;
    let included = elements_of_include(&statement.index_including_params)?;
    check_method(statement, elements.len() + included.len())?;
    let mut keys = Vec::with_capacity(elements.len());
    for element in &elements {
        keys.push(key(element, &table, ctx)?);
    }
    let include = included.iter().map(|element| included_column(element, &table)).collect::<Result<Vec<i16>>>()?;
    let predicate = match predicate {
        Some(expr) => {
            refuse_named_relations(&expr)?;
            Some(expression_text(&expr, &table, ctx.snapshot()))
        }
        None => None,
    };
    let mut index = Index {
        oid: next_oid(ctx.transaction.sequences())?,
        table: table.oid,
        schema: table.schema,
        name: String::new(),
        storage: next_storage(ctx.transaction.sequences())?,
        unique: statement.unique,
        primary: false,
        nulls_not_distinct: statement.nulls_not_distinct,
        keys,
        include,
        predicate,
    };
    if !claim_index_name(statement, &elements, &included, &mut index, &table, ctx).await? {
        return Ok(());
    }
    store(index, &table, ctx).await
}

/// Fills the index and makes it known.
async fn store(index: Index, table: &Arc<Table>, ctx: &mut DdlContext<'_>) -> Result<()> {
    let index = Arc::new(index);
    ctx.build_index(table, &index).await?;
    let mut table = Table::clone(table);
    table.indexes.push(index.oid);
    ctx.catalog.put(ctx.transaction, ctx.statement, table);
    ctx.catalog.put(ctx.transaction, ctx.statement, Index::clone(&index));
    Ok(())
}

/// Locks the table that an index is made on: see the module's documentation.
async fn lock_table(name: &pb::RangeVar, ctx: &mut DdlContext<'_>) -> Result<Arc<Table>> {
    loop {
        ctx.check_database(name)?;
        let row_type = ctx
            .lock_found(TableLockMode::Exclusive, |catalog, path| {
                Ok(match catalog.find_relation(path, schema_of(name), &name.relname) {
                    Some(Relation::Table(table)) => Some(table.row_type),
                    _ => None,
                })
            })
            .await?;
        let found = ctx.lock_existing_relation(name, TableLockMode::Share).await?;
        ctx.check_relation_owner(found)?;
        match relation_of(ctx.snapshot(), found)? {
            Relation::Table(table) if Some(table.row_type) == row_type => return Ok(table.clone()),
            // Another table got the name while it was locked.
            Relation::Table(_) => {}
            other => {
                let message = format!("cannot create index on relation \"{}\"", other.name());
                return Err(
                    PgError::new(SqlState::WRONG_OBJECT_TYPE, message).with_detail(not_supported_for(other.kind()))
                );
            }
        }
    }
}

fn elements(nodes: &[pb::Node]) -> Result<Vec<&pb::IndexElem>> {
    nodes
        .iter()
        .map(|node| match &node.node {
            Some(Node::IndexElem(element)) => Ok(&**element),
            _ => Err(PgError::internal("an index element that is none")),
        })
        .collect()
}

/// INCLUDE's columns, which are nothing but columns.
fn elements_of_include(nodes: &[pb::Node]) -> Result<Vec<&pb::IndexElem>> {
    let found = elements(nodes)?;
    let refuse = |what: &str| {
        Err(PgError::new(SqlState::INVALID_OBJECT_DEFINITION, format!("including column does not support {what}")))
    };
    for element in &found {
        if !element.collation.is_empty() {
            return refuse("a collation");
        }
        if !element.opclass.is_empty() {
            return refuse("an operator class");
        }
        if !matches!(element.ordering(), SortByDir::SortbyDefault | SortByDir::Undefined) {
            return refuse("ASC/DESC options");
        }
        if !matches!(element.nulls_ordering(), SortByNulls::SortbyNullsDefault | SortByNulls::Undefined) {
            return refuse("NULLS FIRST/LAST options");
        }
    }
    Ok(found)
}

/// What may be said of an index as a whole.
fn check_method(statement: &pb::IndexStmt, columns: usize) -> Result<()> {
    if columns > KEYS_MAX {
        let message = format!("cannot use more than {KEYS_MAX} columns in an index");
        return Err(PgError::new(SqlState::TOO_MANY_COLUMNS, message));
    }
    check_tablespace(&statement.table_space)?;
    match statement.access_method.as_str() {
        "" | "btree" => {}
        known @ ("hash" | "gist" | "gin" | "spgist" | "brin") => {
            return Err(PgError::unsupported(format_args!("access method {known}")));
        }
        unknown => {
            let message = format!("access method \"{unknown}\" does not exist");
            return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
        }
    }
    if !statement.exclude_op_names.is_empty() {
        return Err(PgError::unsupported("EXCLUDE"));
    }
    read_options(&statement.options, Kind::Index).map(|_| ())
}

/// A key of an index (`ComputeIndexAttrs`).
fn key(element: &pb::IndexElem, table: &Arc<Table>, ctx: &DdlContext<'_>) -> Result<IndexKey> {
    let (attnum, expression, ty) = match element.expr.as_deref().and_then(|expr| expr.node.as_ref()) {
        None => {
            let column = column(&element.name, table)?;
            (column.attnum, None, (column.type_oid, column.collation))
        }
        Some(raw) => {
            let expr = analyze_expression(raw, Some(table), ExpressionUse::IndexExpression, &ctx.analysis())?.expr;
            match plain_column(&expr, table) {
                // `(a)` is the column a.
                Some(column) => (column.attnum, None, (column.type_oid, expr.ty.collation)),
                None => {
                    refuse_named_relations(&expr)?;
                    let text = expression_text(&expr, table, ctx.snapshot());
                    (0, Some(text), (expr.ty.oid, expr.ty.collation))
                }
            }
        }
    };
    let (type_oid, own_collation) = ty;
    let collation = key_collation(element, type_oid, own_collation, ctx)?;
    let opclass = match name_list(&element.opclass)?.as_slice() {
        [] => default_opclass(ctx, type_oid)?,
        name => named_opclass(name, type_oid, ctx)?,
    };
    if !element.opclassopts.is_empty() {
        let class = facts::operator_classes().by_oid(opclass).map_or("", |class| class.name);
        let message = format!("operator class {class} has no options");
        return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    let descending = element.ordering() == SortByDir::SortbyDesc;
    let nulls_first = match element.nulls_ordering() {
        SortByNulls::SortbyNullsFirst => true,
        SortByNulls::SortbyNullsLast => false,
        SortByNulls::SortbyNullsDefault | SortByNulls::Undefined => descending,
    };
    Ok(IndexKey { attnum, expression, type_oid, collation, opclass, descending, nulls_first })
}

fn column<'t>(name: &str, table: &'t Table) -> Result<&'t helios_catalog::model::Column> {
    table.column(name).ok_or_else(|| {
        if SYSTEM_COLUMNS.contains(&name) {
            let message = "index creation on system columns is not supported";
            return PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message);
        }
        PgError::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"))
    })
}

fn plain_column<'t>(expr: &Expr, table: &'t Table) -> Option<&'t helios_catalog::model::Column> {
    let ExprKind::Var(var) = &expr.kind else { return None };
    table.live_columns().nth(usize::try_from(var.column).ok()?)
}

fn key_collation(element: &pb::IndexElem, type_oid: Oid, own: Oid, ctx: &DdlContext<'_>) -> Result<Oid> {
    let collation =
        if element.collation.is_empty() { own } else { transform_collation(&element.collation, -1, &ctx.analysis())? };
    let collatable = ctx.snapshot().type_by_oid(type_oid).is_some_and(|row| !row.collation.is_none());
    match (collatable, collation.is_none()) {
        (true, true) => {
            let message = "could not determine which collation to use for index expression";
            Err(PgError::new(SqlState::INDETERMINATE_COLLATION, message)
                .with_hint("Use the COLLATE clause to set the collation explicitly."))
        }
        (false, false) => {
            let shown = Lookup { catalog: ctx.snapshot(), search_path: ctx.search_path }.format_type(type_oid);
            let message = format!("collations are not supported by type {shown}");
            Err(PgError::new(SqlState::DATATYPE_MISMATCH, message))
        }
        _ => Ok(collation),
    }
}

/// An operator class by its name (`ResolveOpClass`).
fn named_opclass(name: &[&str], type_oid: Oid, ctx: &DdlContext<'_>) -> Result<Oid> {
    let (schema, class) = match name {
        [class] => (None, *class),
        [schema, class] => (Some(*schema), *class),
        _ => return Err(PgError::new(SqlState::SYNTAX_ERROR, "improper qualified name (too many dotted names)")),
    };
    let in_catalog = match schema {
        Some(schema) => ctx.snapshot().lookup_schema(schema)? == PG_CATALOG,
        None => true,
    };
    let found: Option<&OperatorClass> = facts::operator_classes().by_name(BTREE, class).filter(|_| in_catalog);
    let found = found.ok_or_else(|| {
        let shown = name.join(".");
        let message = format!("operator class \"{shown}\" does not exist for access method \"btree\"");
        PgError::new(SqlState::UNDEFINED_OBJECT, message)
    })?;
    let lookup = Lookup { catalog: ctx.snapshot(), search_path: ctx.search_path };
    if !lookup.is_binary_coercible(type_oid, found.input) && !fits_polymorphic(found.input, type_oid, &lookup) {
        let message =
            format!("operator class \"{}\" does not accept data type {}", name.join("."), lookup.format_type(type_oid));
        return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message));
    }
    Ok(found.oid)
}

fn fits_polymorphic(input: Oid, type_oid: Oid, lookup: &Lookup<'_>) -> bool {
    input == oid::ANYARRAY && lookup.element_type(type_oid).is_some()
}

fn included_column(element: &pb::IndexElem, table: &Table) -> Result<i16> {
    if element.expr.is_some() {
        return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, "expressions are not supported in included columns"));
    }
    Ok(column(&element.name, table)?.attnum)
}

/// Gives the index the name that was said or one that is made up. `false` when the name is taken and IF NOT EXISTS was
/// said.
async fn claim_index_name(
    statement: &pb::IndexStmt,
    elements: &[&pb::IndexElem],
    included: &[&pb::IndexElem],
    index: &mut Index,
    table: &Table,
    ctx: &mut DdlContext<'_>,
) -> Result<bool> {
    let schema = table.schema;
    ctx.check_create_in(schema)?;
    if statement.idxname.is_empty() {
        let names = column_names(elements.iter().chain(included).copied());
        let addition = index_name_addition(names.iter().map(String::as_str));
        let parts = (table.name.as_str(), Some(addition.as_str()), "idx");
        index.name = ctx.claim_new_relation(parts, schema, index.oid, false).await?;
        return Ok(true);
    }
    let name = &statement.idxname;
    if statement.if_not_exists && ctx.snapshot().relation_in(schema, name).is_some() {
        ctx.notice(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists, skipping"));
        return Ok(false);
    }
    ctx.claim_relation(schema, name, index.oid).await?;
    index.name.clone_from(name);
    Ok(true)
}

/// The names of an index's columns, each its own (`ChooseIndexColumnNames`).
fn column_names<'e>(elements: impl Iterator<Item = &'e pb::IndexElem>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for element in elements {
        let figured = element.expr.as_deref().and_then(|expr| expr.node.as_ref()).map(figure_index_column_name);
        let original = match figured {
            _ if !element.indexcolname.is_empty() => element.indexcolname.clone(),
            Some(found) => found.unwrap_or_else(|| "expr".to_owned()),
            None => element.name.clone(),
        };
        let mut name = original.clone();
        for nth in 1u32.. {
            if !names.contains(&name) {
                break;
            }
            let suffix = nth.to_string();
            name = format!("{}{suffix}", clip(&original, NAME_BYTES_MAX - suffix.len()));
        }
        names.push(name);
    }
    names
}
