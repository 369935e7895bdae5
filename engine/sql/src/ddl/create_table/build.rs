//! From what a statement says to descriptors: columns with their sequences and expressions, constraints, key indexes.

use std::sync::Arc;

use helios_catalog::facts::{self, BTREE, quote_qualified};
use helios_catalog::model::{Column, Constraint, ConstraintKind, Index, IndexKey, Sequence, Table, TableLayout};
use helios_catalog::resolve::Lookup;
use helios_storage::row::{Layout, LayoutId};
use helios_types::{Oid, PgError, Result, SqlState};

use super::definition::{CheckSpec, ColumnSpec, Definition, KeySpec, NotNullSpec};
use crate::analyze::{ExpressionUse, analyze_expression};
use crate::ddl::names::{choose_constraint_name, index_name_addition};
use crate::ddl::options::{RelationOptions, read_options};
use crate::ddl::sequence::{SequenceOptions, new_sequence};
use crate::ddl::stored::{stored_expression, used_columns};
use crate::ddl::{DdlContext, next_layout, next_oid, next_oid_pair, next_storage};
use crate::table::physical_of;

/// Most columns that a table can have (`MaxHeapAttributeNumber`).
pub(in crate::ddl) const COLUMNS_MAX: usize = 1600;
/// Most columns that a key can have (`INDEX_MAX_KEYS`).
pub(in crate::ddl) const KEYS_MAX: usize = 32;

/// Makes a table of a definition, in a schema that is locked, and stores it.
pub(in crate::ddl) async fn build_table(
    ctx: &mut DdlContext<'_>,
    schema: Oid,
    name: &str,
    definition: Definition<'_>,
) -> Result<Arc<Table>> {
    if definition.columns.len() > COLUMNS_MAX {
        let message = format!("tables can have at most {COLUMNS_MAX} columns");
        return Err(PgError::new(SqlState::TOO_MANY_COLUMNS, message));
    }
    let mut sequences = Vec::new();
    let mut columns = Vec::with_capacity(definition.columns.len());
    for spec in &definition.columns {
        let (column, sequence) = new_column(ctx, (schema, name, ctx.session.user_oid), spec, columns.len()).await?;
        columns.push(column);
        sequences.extend(sequence);
    }
    let ids = ctx.transaction.sequences();
    let oid = next_oid(ids)?;
    let row_type = next_oid_pair(ids)?;
    let mut table = Table {
        oid,
        row_type,
        schema,
        name: name.to_owned(),
        owner: ctx.session.user_oid,
        storage: next_storage(ids)?,
        columns,
        layouts: Vec::new(),
        constraints: Vec::new(),
        indexes: Vec::new(),
        primary_key: Vec::new(),
    };
    ctx.claim_relation(schema, name, oid).await?;
    for mut sequence in sequences {
        let attnum = sequence.owned_by.map_or(0, |(_, attnum)| attnum);
        sequence.owned_by = Some((oid.0, attnum));
        ctx.catalog.put(ctx.transaction, ctx.statement, sequence);
    }
    add_layout(ctx, &mut table)?;
    let bare = Arc::new(table.clone());
    for (index, spec) in definition.columns.iter().enumerate() {
        column_expressions(ctx, &bare, &mut table.columns[index], spec)?;
    }
    for spec in &definition.checks {
        let shape = Arc::new(table.clone());
        let constraint = check_constraint(ctx, &shape, spec)?;
        table.constraints.push(constraint);
    }
    for spec in &definition.not_nulls {
        add_not_null(ctx, &mut table, spec)?;
    }
    for spec in definition.keys.iter().filter(|key| key.primary) {
        require_not_null(ctx, &mut table, spec)?;
    }
    let mut keys: Vec<&KeySpec<'_>> = definition.keys.iter().collect();
    keys.sort_by_key(|key| !key.primary);
    let mut indexes = Vec::new();
    for spec in keys {
        let index = key_index(ctx, &mut table, spec).await?;
        indexes.push(index);
    }
    let table = Arc::new(table);
    ctx.catalog.put(ctx.transaction, ctx.statement, Table::clone(&table));
    for index in indexes {
        ctx.catalog.put(ctx.transaction, ctx.statement, index);
    }
    Ok(table)
}

/// A column without expressions, and the sequence behind it, whose owner is not known yet.
pub(in crate::ddl) async fn new_column(
    ctx: &mut DdlContext<'_>,
    (schema, table, owner): (Oid, &str, Oid),
    spec: &ColumnSpec<'_>,
    before: usize,
) -> Result<(Column, Option<Sequence>)> {
    let attnum = i16::try_from(before + 1).map_err(|_| PgError::internal("too many columns"))?;
    let mut column = Column {
        attnum,
        name: spec.name.to_owned(),
        type_oid: spec.type_oid,
        typmod: spec.typmod,
        collation: spec.collation,
        not_null: false,
        default: None,
        identity: spec.identity.map(|(kind, _)| kind),
        // That it is one matters to the expressions of others before its own is known.
        generated: spec.generated.map(|_| String::new()),
        sequence: None,
        missing: None,
        dropped: false,
    };
    let given = match spec.identity {
        Some((_, options)) => options,
        None if spec.serial => &[],
        None => return Ok((column, None)),
    };
    let mut sequence = column_sequence(ctx, (schema, table, owner), spec, given).await?;
    sequence.owned_by = Some((0, attnum));
    sequence.identity = spec.identity.is_some();
    column.sequence = Some(sequence.oid);
    if spec.serial {
        let schema = ctx.snapshot().schema_name(schema).unwrap_or_default();
        let quoted = quote_qualified(schema, &sequence.name).replace('\'', "''");
        column.default = Some(format!("nextval('{quoted}'::regclass)"));
    }
    Ok((column, Some(sequence)))
}

/// The sequence of a serial or identity column (`generateSerialExtraStmts`).
pub(in crate::ddl) async fn column_sequence(
    ctx: &mut DdlContext<'_>,
    (schema, table, owner): (Oid, &str, Oid),
    spec: &ColumnSpec<'_>,
    given: &[crate::parse::protobuf::Node],
) -> Result<Sequence> {
    let is_identity = spec.identity.is_some();
    let mut options = SequenceOptions::read(given, is_identity, &ctx.analysis())?;
    options.set_type(spec.type_oid, is_identity)?;
    if options.owned_by.is_some() {
        return Err(PgError::unsupported("OWNED BY of an identity column's sequence"));
    }
    let mut sequence = new_sequence(ctx, schema, owner, &options)?;
    match &options.name {
        Some(name) => {
            let there = ctx.lock_creation_schema(name, false).await?;
            sequence.schema = there;
            ctx.claim_relation(there, &name.relname, sequence.oid).await?;
            sequence.name.clone_from(&name.relname);
        }
        None => {
            let parts = (table, Some(spec.name), "seq");
            sequence.name = ctx.claim_new_relation(parts, schema, sequence.oid, false).await?;
        }
    }
    Ok(sequence)
}

/// Analyzes a column's default and generation expression. `table` has all the columns.
pub(in crate::ddl) fn column_expressions(
    ctx: &DdlContext<'_>,
    table: &Arc<Table>,
    column: &mut Column,
    spec: &ColumnSpec<'_>,
) -> Result<()> {
    let analysis = ctx.analysis();
    if let Some(raw) = spec.default {
        let analyzed = analyze_expression(raw, Some(table), ExpressionUse::Default(column), &analysis)?;
        // DEFAULT NULL is no default.
        let is_null = analyzed.expr.as_const().is_some_and(helios_types::Datum::is_null);
        column.default =
            if is_null { None } else { Some(stored_expression(raw, &analyzed.expr, table, ctx.snapshot())?) };
        column.sequence = crate::ddl::stored::named_relations(&analyzed.expr)
            .into_iter()
            .find(|&relation| ctx.snapshot().sequence(relation).is_some());
    }
    if let Some(raw) = spec.generated {
        let analyzed = analyze_expression(raw, Some(table), ExpressionUse::Generated(column), &analysis)?;
        column.generated = Some(stored_expression(raw, &analyzed.expr, table, ctx.snapshot())?);
    }
    Ok(())
}

/// A layout for new rows, which hold all columns that there are now.
pub(in crate::ddl) fn add_layout(ctx: &mut DdlContext<'_>, table: &mut Table) -> Result<()> {
    let LayoutId(id) = next_layout(ctx.transaction.sequences())?;
    let physical: Vec<_> = table.columns.iter().map(|column| physical_of(column.type_oid)).collect();
    let columns = u16::try_from(physical.len()).map_err(|_| PgError::internal("too many columns"))?;
    table.layouts.push(TableLayout { id, columns });
    ctx.catalog.add_layout(Layout::new(LayoutId(id), physical));
    Ok(())
}

/// A CHECK constraint, analyzed, with a name of its own.
pub(in crate::ddl) fn check_constraint(
    ctx: &DdlContext<'_>,
    table: &Arc<Table>,
    spec: &CheckSpec<'_>,
) -> Result<Constraint> {
    let analyzed = analyze_expression(spec.expression, Some(table), ExpressionUse::Check, &ctx.analysis())?;
    let live: Vec<&Column> = table.live_columns().collect();
    let columns: Vec<&Column> = used_columns(&analyzed.expr).into_iter().map(|column| live[column]).collect();
    let name = match spec.name {
        Some(name) => {
            if table.constraints.iter().any(|known| known.name == name) {
                let is_check = table
                    .constraints
                    .iter()
                    .any(|known| known.name == name && matches!(known.kind, ConstraintKind::Check { .. }));
                let message = if is_check && table.indexes.is_empty() && ctx.snapshot().table(table.oid).is_none() {
                    format!("check constraint \"{name}\" already exists")
                } else {
                    format!("constraint \"{name}\" for relation \"{}\" already exists", table.name)
                };
                return Err(PgError::new(SqlState::DUPLICATE_OBJECT, message));
            }
            name.to_owned()
        }
        None => {
            let column = match columns.as_slice() {
                [only] => Some(only.name.as_str()),
                _ => None,
            };
            choose_constraint_name(
                ctx.snapshot(),
                table.schema,
                &constraint_names(table),
                (&table.name, column, "check"),
            )
        }
    };
    let expression = stored_expression(spec.expression, &analyzed.expr, table, ctx.snapshot())?;
    let columns = columns.iter().map(|column| column.attnum).collect();
    let kind = ConstraintKind::Check { expression, columns };
    Ok(Constraint { oid: next_oid(ctx.transaction.sequences())?, name, kind })
}

pub(in crate::ddl) fn constraint_names(table: &Table) -> Vec<String> {
    table.constraints.iter().map(|constraint| constraint.name.clone()).collect()
}

/// Adds NOT NULL and its constraint; a column that has it already keeps its own.
pub(in crate::ddl) fn add_not_null(ctx: &DdlContext<'_>, table: &mut Table, spec: &NotNullSpec<'_>) -> Result<()> {
    let Some(column) = table.column(spec.column) else {
        let message = format!("column \"{}\" of relation \"{}\" does not exist", spec.column, table.name);
        return Err(PgError::new(SqlState::UNDEFINED_COLUMN, message));
    };
    let attnum = column.attnum;
    let known = |constraint: &Constraint| constraint.kind == ConstraintKind::NotNull { column: attnum };
    if table.constraints.iter().any(known) {
        return Ok(());
    }
    let name = match spec.name {
        Some(name) => {
            check_constraint_name_free(table, name)?;
            name.to_owned()
        }
        None => choose_constraint_name(
            ctx.snapshot(),
            table.schema,
            &constraint_names(table),
            (&table.name, Some(spec.column), "not_null"),
        ),
    };
    let oid = next_oid(ctx.transaction.sequences())?;
    table.constraints.push(Constraint { oid, name, kind: ConstraintKind::NotNull { column: attnum } });
    for column in table.columns.iter_mut().filter(|column| column.attnum == attnum) {
        column.not_null = true;
    }
    Ok(())
}

pub(in crate::ddl) fn check_constraint_name_free(table: &Table, name: &str) -> Result<()> {
    if table.constraints.iter().all(|known| known.name != name) {
        return Ok(());
    }
    let message = format!("constraint \"{name}\" for relation \"{}\" already exists", table.name);
    Err(PgError::new(SqlState::DUPLICATE_OBJECT, message))
}

/// The columns of a primary key are NOT NULL.
pub(in crate::ddl) fn require_not_null(ctx: &DdlContext<'_>, table: &mut Table, key: &KeySpec<'_>) -> Result<()> {
    for column in &key.columns {
        if table.column(column).is_none() {
            return Err(missing_key_column(column, key));
        }
        add_not_null(ctx, table, &NotNullSpec { name: None, column })?;
    }
    Ok(())
}

fn missing_key_column(column: &str, key: &KeySpec<'_>) -> PgError {
    let message = format!("column \"{column}\" named in key does not exist");
    PgError::new(SqlState::UNDEFINED_COLUMN, message).at(key.location)
}

/// The index behind PRIMARY KEY or UNIQUE, with a name that is claimed; the table gets its constraint. Neither is stored
/// yet.
pub(in crate::ddl) async fn key_index(
    ctx: &mut DdlContext<'_>,
    table: &mut Table,
    spec: &KeySpec<'_>,
) -> Result<Index> {
    let _: RelationOptions = read_options(spec.options, crate::ddl::options::Kind::Index)?;
    if spec.columns.len() + spec.include.len() > KEYS_MAX {
        let message = format!("cannot use more than {KEYS_MAX} columns in an index");
        return Err(PgError::new(SqlState::TOO_MANY_COLUMNS, message));
    }
    let mut keys: Vec<IndexKey> = Vec::with_capacity(spec.columns.len());
    for name in &spec.columns {
        let column = table.column(name).ok_or_else(|| missing_key_column(name, spec))?;
        if keys.iter().any(|key| key.attnum == column.attnum) {
            let kind = if spec.primary { "primary key" } else { "unique" };
            let message = format!("column \"{name}\" appears twice in {kind} constraint");
            return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message).at(spec.location));
        }
        keys.push(IndexKey {
            attnum: column.attnum,
            expression: None,
            type_oid: column.type_oid,
            collation: column.collation,
            opclass: default_opclass(ctx, column.type_oid)?,
            descending: false,
            nulls_first: false,
        });
    }
    let mut include = Vec::with_capacity(spec.include.len());
    for name in &spec.include {
        include.push(table.column(name).ok_or_else(|| missing_key_column(name, spec))?.attnum);
    }
    let ids = ctx.transaction.sequences();
    let oid = next_oid(ids)?;
    let name = match spec.name {
        Some(name) => {
            ctx.claim_relation(table.schema, name, oid).await?;
            check_constraint_name_free(table, name)?;
            name.to_owned()
        }
        None if spec.primary => ctx.claim_new_relation((&table.name, None, "pkey"), table.schema, oid, true).await?,
        None => {
            let columns = spec.columns.iter().chain(&spec.include).copied();
            let addition = index_name_addition(columns);
            ctx.claim_new_relation((&table.name, Some(&addition), "key"), table.schema, oid, true).await?
        }
    };
    let index = Index {
        oid,
        table: table.oid,
        schema: table.schema,
        name: name.clone(),
        storage: if spec.primary { table.storage } else { next_storage(ids)? },
        unique: true,
        primary: spec.primary,
        nulls_not_distinct: spec.nulls_not_distinct,
        keys,
        include,
        predicate: None,
    };
    let kind = if spec.primary {
        table.primary_key = index.keys.iter().map(|key| key.attnum).collect();
        table.indexes.insert(0, oid);
        ConstraintKind::PrimaryKey { index: oid }
    } else {
        table.indexes.push(oid);
        ConstraintKind::Unique { index: oid }
    };
    table.constraints.push(Constraint { oid: next_oid(ids)?, name, kind });
    Ok(index)
}

/// The operator class that orders a type by default.
pub(in crate::ddl) fn default_opclass(ctx: &DdlContext<'_>, type_oid: Oid) -> Result<Oid> {
    let lookup = Lookup { catalog: ctx.snapshot(), search_path: ctx.search_path };
    let class = lookup.default_operator_class(BTREE, type_oid).ok_or_else(|| {
        let shown = lookup.format_type(type_oid);
        let message = format!("data type {shown} has no default operator class for access method \"btree\"");
        let hint = "You must specify an operator class for the index or define a default operator class for the \
                    data type.";
        PgError::new(SqlState::UNDEFINED_OBJECT, message).with_hint(hint)
    })?;
    let _: &facts::OperatorClass = class;
    Ok(class.oid)
}
