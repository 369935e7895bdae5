//! ADD COLUMN, DROP COLUMN, SET and DROP DEFAULT, SET and DROP NOT NULL.

use std::sync::Arc;

use helios_catalog::facts::Volatility;
use helios_catalog::model::{Column, ConstraintKind, Table};
use helios_types::{Datum, Oid, PgError, Result, SqlState};

use super::{Alteration, live_column, locked_table, missing_column};
use crate::analyze::{ExpressionUse, analyze_expression_text, volatility};
use crate::ddl::DdlContext;
use crate::ddl::create_table::build;
use crate::ddl::create_table::definition::{ColumnSpec, Definition, NotNullSpec, SYSTEM_COLUMNS};
use crate::ddl::dependency::Address;
use crate::ddl::drop::{drop_addresses, edit_column};
use crate::ddl::rows::RowExpressions;
use crate::expr::{Expr, ExprKind, ExprType};
use crate::parse::protobuf::node::Node;
use crate::parse::protobuf::{self as pb, DropBehavior};

/// DROP COLUMN.
pub(super) async fn drop_column(ctx: &mut DdlContext<'_>, oid: Oid, command: &pb::AlterTableCmd) -> Result<()> {
    let table = locked_table(ctx, oid)?;
    let name = command.name.as_str();
    let Some(column) = table.column(name) else {
        if SYSTEM_COLUMNS.contains(&name) {
            let message = format!("cannot drop system column \"{name}\"");
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        let missing = missing_column(&table, name);
        if !command.missing_ok {
            return Err(missing);
        }
        ctx.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{}, skipping", missing.message()));
        return Ok(());
    };
    let cascade = command.behavior() == DropBehavior::DropCascade;
    drop_addresses(ctx, &[Address::Column(oid, column.attnum)], cascade).await
}

/// DROP NOT NULL.
pub(super) async fn drop_not_null(ctx: &mut DdlContext<'_>, oid: Oid, name: &str) -> Result<()> {
    let table = locked_table(ctx, oid)?;
    let column = live_column(&table, name)?;
    let attnum = column.attnum;
    check_may_be_null(&table, column)?;
    let constraint = table.constraints.iter().find(|known| known.kind == ConstraintKind::NotNull { column: attnum });
    let Some(constraint) = constraint.map(|constraint| constraint.oid) else { return Ok(()) };
    drop_addresses(ctx, &[Address::Constraint(oid, constraint)], false).await
}

/// Refuses to let a column be NULL that must not be.
pub(super) fn check_may_be_null(table: &Table, column: &Column) -> Result<()> {
    if column.identity.is_some() {
        let message = format!("column \"{}\" of relation \"{}\" is an identity column", column.name, table.name);
        return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
    }
    if table.primary_key.contains(&column.attnum) {
        let message = format!("column \"{}\" is in a primary key", column.name);
        return Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message));
    }
    Ok(())
}

/// DROP DEFAULT.
pub(super) fn drop_default(ctx: &mut DdlContext<'_>, oid: Oid, name: &str) -> Result<()> {
    let table = locked_table(ctx, oid)?;
    let column = live_column(&table, name)?;
    check_takes_default(&table, column, true)?;
    edit_column(ctx, oid, column.attnum, |column| {
        column.default = None;
        column.sequence = None;
    });
    Ok(())
}

/// Refuses a default for a column that makes its own values.
fn check_takes_default(table: &Table, column: &Column, drop: bool) -> Result<()> {
    let refuse = |what: &str| {
        let message = format!("column \"{}\" of relation \"{}\" is {what}", column.name, table.name);
        PgError::new(SqlState::SYNTAX_ERROR, message)
    };
    if column.identity.is_some() {
        let refusal = refuse("an identity column");
        return Err(if drop {
            refusal.with_hint("Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY instead.")
        } else {
            refusal
        });
    }
    if column.generated.is_some() {
        let verb = if drop { "DROP" } else { "SET" };
        let hint = format!("Use ALTER TABLE ... ALTER COLUMN ... {verb} EXPRESSION instead.");
        return Err(refuse("a generated column").with_hint(hint));
    }
    Ok(())
}

/// The expression in a subcommand.
pub(super) fn expression_of(command: &pb::AlterTableCmd) -> Result<&Node> {
    let def = command.def.as_deref().and_then(|def| def.node.as_ref());
    def.ok_or_else(|| PgError::internal("a subcommand without its expression"))
}

/// A column's specification when only its default or generation expression is of interest.
pub(super) fn spec_of(column: &Column) -> ColumnSpec<'_> {
    ColumnSpec {
        name: &column.name,
        type_oid: column.type_oid,
        typmod: column.typmod,
        collation: column.collation,
        not_null: false,
        default: None,
        generated: None,
        identity: None,
        serial: false,
    }
}

impl<'s> Alteration<'s> {
    /// ADD COLUMN. Its constraints wait for their passes.
    pub(super) async fn add_column(&mut self, ctx: &mut DdlContext<'_>, command: &'s pb::AlterTableCmd) -> Result<()> {
        let Some(Node::ColumnDef(written)) = command.def.as_deref().and_then(|def| def.node.as_ref()) else {
            return Err(PgError::internal("ADD COLUMN without a column"));
        };
        if self.table.column(&written.colname).is_some() {
            let message = format!("column \"{}\" of relation \"{}\" already exists", written.colname, self.table.name);
            if !command.missing_ok {
                return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
            }
            ctx.notice(SqlState::DUPLICATE_COLUMN, format!("{message}, skipping"));
            return Ok(());
        }
        if self.table.columns.len() >= build::COLUMNS_MAX {
            let message = format!("tables can have at most {} columns", build::COLUMNS_MAX);
            return Err(PgError::new(SqlState::TOO_MANY_COLUMNS, message));
        }
        let mut definition = Definition::default();
        definition.add_column(written, &self.table.name, &ctx.analysis())?;
        let spec = definition.columns.pop().ok_or_else(|| PgError::internal("a column was read as none"))?;
        let place = (self.table.schema, self.table.name.as_str(), self.table.owner);
        let (column, sequence) = build::new_column(ctx, place, &spec, self.table.columns.len()).await?;
        if let Some(mut sequence) = sequence {
            sequence.owned_by = Some((self.table.oid.0, column.attnum));
            ctx.doors.sequences.admit(Arc::new(sequence.clone()));
            ctx.catalog.put(ctx.transaction, ctx.statement, sequence);
        }
        self.table.columns.push(column);
        let shape = self.shape();
        let column = self.table.columns.last_mut().expect("one was pushed");
        build::column_expressions(ctx, &shape, column, &spec).map_err(PgError::without_position)?;
        let column = column.clone();
        self.fill(ctx, &column).await?;
        self.later.not_nulls.append(&mut definition.not_nulls);
        self.later.keys.append(&mut definition.keys);
        self.later.checks.append(&mut definition.checks);
        Ok(())
    }

    /// What rows that are there have in a new column.
    async fn fill(&mut self, ctx: &mut DdlContext<'_>, column: &Column) -> Result<()> {
        let ty = ExprType { oid: column.type_oid, typmod: column.typmod, collation: column.collation };
        if let Some(text) = &column.generated {
            return self.generate(ctx, column, text);
        }
        if let (Some(_), Some(sequence)) = (column.identity, column.sequence) {
            let next = Expr { kind: ExprKind::NextValue(sequence), ty, location: None };
            self.changes.from_old.push((column.attnum, next));
            self.rewrite = true;
            return Ok(());
        }
        let Some(text) = &column.default else { return Ok(()) };
        let usage = ExpressionUse::Default(column);
        let expr = analyze_expression_text(text, None, usage, ctx.snapshot(), ctx.session)?.expr;
        if volatility(&expr) == Volatility::Volatile {
            self.changes.from_old.push((column.attnum, expr));
            self.rewrite = true;
            return Ok(());
        }
        // Everybody who reads an old row reads what the expression is now.
        let bare = Arc::new(Table { columns: Vec::new(), ..self.table.clone() });
        let mut evaluated = RowExpressions::new(ctx, &bare, &[expr])?;
        let rows = vec![(bytes::Bytes::new(), Vec::new())];
        let value = evaluated.values(&rows).await?.into_iter().flatten().next().unwrap_or(Datum::Null);
        if value.is_null() {
            return Ok(());
        }
        self.constants.push((column.attnum, Expr { kind: ExprKind::Const(value.clone()), ty, location: None }));
        let mut missing = Vec::new();
        match helios_types::io::send(column.type_oid, &value, &mut missing) {
            Ok(()) => self.table.columns.last_mut().expect("one was pushed").missing = Some(missing),
            // A value that cannot be kept in the catalog goes into the rows.
            Err(_) => self.rewrite = true,
        }
        Ok(())
    }

    /// The rows get the values of a generation expression.
    pub(super) fn generate(&mut self, ctx: &DdlContext<'_>, column: &Column, text: &str) -> Result<()> {
        let shape = self.shape();
        let usage = ExpressionUse::Generated(column);
        let expr = analyze_expression_text(text, Some(&shape), usage, ctx.snapshot(), ctx.session)?.expr;
        self.changes.generated.retain(|(attnum, _)| *attnum != column.attnum);
        self.changes.generated.push((column.attnum, expr));
        self.rewrite = true;
        Ok(())
    }

    /// SET DEFAULT.
    pub(super) fn set_default(&mut self, ctx: &DdlContext<'_>, command: &'s pb::AlterTableCmd) -> Result<()> {
        let raw = expression_of(command)?;
        let position = self.position(&command.name)?;
        check_takes_default(&self.table, &self.table.columns[position], false)?;
        let shape = self.shape();
        let column = &mut self.table.columns[position];
        let of = column.clone();
        let spec = ColumnSpec { default: Some(raw), ..spec_of(&of) };
        build::column_expressions(ctx, &shape, column, &spec).map_err(PgError::without_position)
    }

    /// SET NOT NULL.
    pub(super) fn set_not_null(&mut self, ctx: &DdlContext<'_>, name: &str) -> Result<()> {
        live_column(&self.table, name)?;
        self.add_not_null(ctx, &NotNullSpec { name: None, column: name })
    }

    /// NOT NULL, which the rows must meet unless they did already.
    pub(super) fn add_not_null(&mut self, ctx: &DdlContext<'_>, spec: &NotNullSpec<'_>) -> Result<()> {
        let column = live_column(&self.table, spec.column)?;
        let (attnum, was) = (column.attnum, column.not_null);
        // No row that is older than the column has a NULL in it when there is a value for them.
        let known = column.missing.is_some() && self.before.column_by_attnum(attnum).is_none();
        build::add_not_null(ctx, &mut self.table, spec)?;
        if !was && !known && !self.demands.not_null.contains(&attnum) {
            self.demands.not_null.push(attnum);
        }
        Ok(())
    }
}
