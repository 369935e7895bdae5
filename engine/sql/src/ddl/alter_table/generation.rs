//! Columns that make their own values: identity, and generation expressions.

use std::sync::Arc;

use helios_catalog::model::{Column, Identity, Table};
use helios_types::{Oid, PgError, Result, SqlState};

use super::columns::{expression_of, spec_of};
use super::{Alteration, live_column, locked_table};
use crate::ddl::DdlContext;
use crate::ddl::create_table::build;
use crate::ddl::create_table::definition::ColumnSpec;
use crate::ddl::drop::edit_column;
use crate::ddl::sequence::{self, SequenceOptions};
use crate::parse::protobuf::node::Node;
use crate::parse::protobuf::{self as pb};

/// DROP IDENTITY [IF EXISTS]; the sequence goes too.
pub(super) async fn drop_identity(ctx: &mut DdlContext<'_>, oid: Oid, command: &pb::AlterTableCmd) -> Result<()> {
    let table = locked_table(ctx, oid)?;
    let column = live_column(&table, &command.name)?.clone();
    if column.identity.is_none() {
        let refusal = not_identity(&table, &column);
        return skip_or_fail(ctx, command.missing_ok, refusal);
    }
    edit_column(ctx, oid, column.attnum, |column| {
        column.identity = None;
        column.sequence = None;
    });
    let Some(found) = column.sequence.and_then(|sequence| ctx.snapshot().sequence(sequence).cloned()) else {
        return Ok(());
    };
    ctx.lock(found.oid, helios_txn::TableLockMode::AccessExclusive).await?;
    sequence::remove(ctx, &found);
    crate::ddl::drop::remove_comments(ctx, crate::ddl::drop::PG_CLASS, found.oid, None);
    Ok(())
}

/// DROP EXPRESSION [IF EXISTS]; the values stay.
pub(super) fn drop_expression(ctx: &mut DdlContext<'_>, oid: Oid, command: &pb::AlterTableCmd) -> Result<()> {
    let table = locked_table(ctx, oid)?;
    let column = live_column(&table, &command.name)?;
    if column.generated.is_none() {
        let refusal = not_generated(&table, column);
        return skip_or_fail(ctx, command.missing_ok, refusal);
    }
    edit_column(ctx, oid, column.attnum, |column| column.generated = None);
    Ok(())
}

fn skip_or_fail(ctx: &mut DdlContext<'_>, skip: bool, refusal: PgError) -> Result<()> {
    if !skip {
        return Err(refusal);
    }
    ctx.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{}, skipping", refusal.message()));
    Ok(())
}

fn wrong_state(table: &Table, column: &Column, what: &str) -> PgError {
    let message = format!("column \"{}\" of relation \"{}\" {what}", column.name, table.name);
    PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
}

fn not_identity(table: &Table, column: &Column) -> PgError {
    wrong_state(table, column, "is not an identity column")
}

fn not_generated(table: &Table, column: &Column) -> PgError {
    wrong_state(table, column, "is not a generated column")
}

fn identity_kind(letter: &str) -> Identity {
    if letter == "a" { Identity::Always } else { Identity::ByDefault }
}

impl<'s> Alteration<'s> {
    /// SET EXPRESSION: the rows get the new values.
    pub(super) fn set_expression(&mut self, ctx: &DdlContext<'_>, command: &'s pb::AlterTableCmd) -> Result<()> {
        let raw = expression_of(command)?;
        let position = self.position(&command.name)?;
        if self.table.columns[position].generated.is_none() {
            return Err(not_generated(&self.table, &self.table.columns[position]));
        }
        // The column may not refer to itself, as none of its kind.
        let shape = self.shape();
        let column = &mut self.table.columns[position];
        let of = column.clone();
        let spec = ColumnSpec { generated: Some(raw), ..spec_of(&of) };
        build::column_expressions(ctx, &shape, column, &spec).map_err(PgError::without_position)?;
        let column = column.clone();
        let text = column.generated.clone().unwrap_or_default();
        self.generate(ctx, &column, &text)?;
        self.recheck(ctx, &[column.attnum])
    }

    /// ADD GENERATED AS IDENTITY.
    pub(super) async fn add_identity(
        &mut self,
        ctx: &mut DdlContext<'_>,
        command: &'s pb::AlterTableCmd,
    ) -> Result<()> {
        let Some(Node::Constraint(written)) = command.def.as_deref().and_then(|def| def.node.as_ref()) else {
            return Err(PgError::internal("ADD IDENTITY without its options"));
        };
        let position = self.position(&command.name)?;
        let column = self.table.columns[position].clone();
        let kind = identity_kind(&written.generated_when);
        let place = (self.table.schema, self.table.name.as_str(), self.table.owner);
        let spec = ColumnSpec { identity: Some((kind, &written.options)), ..spec_of(&column) };
        let mut made = build::column_sequence(ctx, place, &spec, &written.options).await?;
        if !column.not_null {
            return Err(wrong_state(&self.table, &column, "must be declared NOT NULL before identity can be added"));
        }
        if column.identity.is_some() {
            return Err(wrong_state(&self.table, &column, "is already an identity column"));
        }
        if column.default.is_some() {
            return Err(wrong_state(&self.table, &column, "already has a default value"));
        }
        made.owned_by = Some((self.table.oid.0, column.attnum));
        made.identity = true;
        let changed = &mut self.table.columns[position];
        changed.identity = Some(kind);
        changed.sequence = Some(made.oid);
        ctx.catalog.put(ctx.transaction, ctx.statement, made);
        Ok(())
    }

    /// SET GENERATED, and options of the sequence.
    pub(super) fn set_identity(&mut self, ctx: &mut DdlContext<'_>, command: &'s pb::AlterTableCmd) -> Result<()> {
        let Some(Node::List(list)) = command.def.as_deref().and_then(|def| def.node.as_ref()) else {
            return Err(PgError::internal("SET GENERATED without options"));
        };
        let position = self.position(&command.name)?;
        let column = &self.table.columns[position];
        let (kinds, options): (Vec<_>, Vec<_>) = list
            .items
            .iter()
            .cloned()
            .partition(|item| matches!(&item.node, Some(Node::DefElem(option)) if option.defname == "generated"));
        let found = column.sequence.and_then(|sequence| ctx.snapshot().sequence(sequence).cloned());
        let (Some(_), Some(found)) = (column.identity, found) else {
            return Err(not_identity(&self.table, column));
        };
        if kinds.len() > 1 {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options"));
        }
        if !options.is_empty() {
            let options = SequenceOptions::read(&options, true, &ctx.analysis())?;
            if options.owned_by.is_some() {
                return Err(PgError::unsupported("OWNED BY of an identity column's sequence"));
            }
            let altered = sequence::altered(ctx, &found, &options)?;
            ctx.catalog.put(ctx.transaction, ctx.statement, altered);
        }
        if let Some(Node::DefElem(option)) = kinds.first().and_then(|kind| kind.node.as_ref()) {
            // The grammar gives the letter of `attidentity` as a number.
            let letter = match option.arg.as_ref().and_then(|arg| arg.node.as_ref()) {
                Some(Node::Integer(letter)) => letter.ival,
                _ => return Err(PgError::internal("SET GENERATED without a kind")),
            };
            let kind = if letter == i32::from(b'a') { Identity::Always } else { Identity::ByDefault };
            self.table.columns[position].identity = Some(kind);
        }
        Ok(())
    }
}

/// The type of an identity column's sequence follows the column's.
pub(super) fn retype_sequence(ctx: &mut DdlContext<'_>, column: &Column, type_oid: Oid) -> Result<()> {
    let found = column.sequence.and_then(|sequence| ctx.snapshot().sequence(sequence).cloned());
    let Some(found) = found.filter(|_| column.identity.is_some()) else { return Ok(()) };
    let mut options = SequenceOptions::default();
    options.set_type(type_oid, true)?;
    let altered = sequence::altered(ctx, &Arc::clone(&found), &options)?;
    ctx.catalog.put(ctx.transaction, ctx.statement, altered);
    Ok(())
}
