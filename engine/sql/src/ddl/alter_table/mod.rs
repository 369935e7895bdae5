//! ALTER TABLE.
//!
//! A statement is a list of subcommands, which are carried out in passes (`AlterTablePass`), whatever their order in the
//! text: what is dropped goes first, then types change, columns come, and constraints are added to what has become of
//! the table. Rows are looked at once, at the end:
//!
//! ```text
//!   catalog ──Drop pass──▶ before ──AlterType, AddColumn, ...──▶ table, indexes     Changes: values of columns
//!                            │                                      │               Demands: NOT NULL, CHECK
//!                            └── rows ──── copied, or only ─────────┴──▶ rows, entries of indexes
//!                                          checked and indexed
//! ```
//!
//! Rows are copied into a new key space when a column's values must be computed row by row, when a type changes its
//! form, and when the primary key, which is the rows' key, changes. A column with a constant default is added without
//! that: rows that are older than the column do not have it, and read as the [`missing`](helios_catalog::model::Column)
//! value that the default had when the column was added. The number of a dropped column is never given again.
//!
//! | module | subcommands |
//! |---|---|
//! | [`columns`] | ADD COLUMN, DROP COLUMN, defaults, NOT NULL |
//! | [`column_type`] | ALTER COLUMN TYPE, and what it does to defaults, constraints and indexes |
//! | [`generation`] | identity, generation expressions |
//! | [`constraints`] | ADD CONSTRAINT, DROP CONSTRAINT, VALIDATE CONSTRAINT |
//! | [`subcommand`] | their passes, locks and names |
//! | [`rewrite`] | rows in their table's new form |

mod column_type;
mod columns;
mod constraints;
mod generation;
mod rewrite;
mod subcommand;

pub(super) use constraints::remove_constraint;

use std::sync::Arc;

use helios_catalog::model::{Column, Index, Relation, Table};
use helios_txn::TableLockMode;
use helios_types::{Oid, PgError, Result, SqlState};

use self::rewrite::{indexes_of, rewrite};
use self::subcommand::Pass;
use super::DdlContext;
use super::create_table::build::add_layout;
use super::create_table::definition::{Definition, SYSTEM_COLUMNS};
use super::locks::{not_supported_for, relation_of};
use super::options::Kind;
use super::rows::{Changes, Check, Demands};
use super::sequence::range;
use super::unsupported::object_name;
use crate::expr::Expr;
use crate::parse::protobuf::node::Node;
use crate::parse::protobuf::{self as pb, AlterTableType, ObjectType};

/// A table on its way to another form.
struct Alteration<'s> {
    /// Its form before, without what the statement drops: what its rows are in.
    before: Arc<Table>,
    /// Its form now.
    table: Table,
    /// Its indexes now.
    indexes: Vec<Index>,
    /// Those of them that have no entries yet.
    fresh: Vec<Oid>,
    /// What becomes of the rows' columns, when the rows are copied.
    changes: Changes,
    /// Values of added columns that are the same in all rows: they are in the catalog unless the rows are copied.
    constants: Vec<(i16, Expr)>,
    /// What the rows must meet.
    demands: Demands,
    /// Whether the rows must be copied.
    rewrite: bool,
    /// Columns whose type has changed.
    retyped: Vec<i16>,
    /// Constraints of added columns, for later passes.
    later: Definition<'s>,
}

/// ALTER TABLE, and ALTER INDEX, SEQUENCE and VIEW with subcommands; the command tag.
pub(super) async fn alter(statement: &pb::AlterTableStmt, ctx: &mut DdlContext<'_>) -> Result<String> {
    let name = range(statement.relation.as_ref())?;
    let tag = format!("ALTER {}", object_name(statement.objtype()));
    let mut commands = Vec::with_capacity(statement.cmds.len());
    for command in &statement.cmds {
        match &command.node {
            Some(Node::AlterTableCmd(command)) => commands.push((subcommand::pass(command)?, command.as_ref())),
            _ => return Err(PgError::internal("a subcommand of ALTER TABLE that is none")),
        }
    }
    let modes = commands.iter().map(|(_, command)| subcommand::lock_mode(command.subtype()));
    let mode = modes.max_by_key(|mode| *mode as u8).unwrap_or(TableLockMode::AccessExclusive);
    let Some(oid) = ctx.lock_relation(name, mode).await? else {
        if statement.missing_ok {
            ctx.notice(
                SqlState::SUCCESSFUL_COMPLETION,
                format!("relation \"{}\" does not exist, skipping", name.relname),
            );
            return Ok(tag);
        }
        ctx.lock_existing_relation(name, mode).await?;
        return Err(PgError::internal("a relation came to be while it was looked for"));
    };
    check_kind(ctx, oid, statement.objtype())?;
    ctx.check_relation_owner(oid)?;
    for (_, command) in &commands {
        subcommand::check_relation(ctx, oid, command)?;
    }
    if ctx.snapshot().table(oid).is_none() {
        for (_, command) in commands {
            alter_other(ctx, oid, command).await?;
        }
        return Ok(tag);
    }
    commands.sort_by_key(|(pass, _)| *pass);
    let dropped = commands.partition_point(|(pass, _)| *pass == Pass::Drop);
    for (_, command) in &commands[..dropped] {
        drop_pass(ctx, oid, command).await?;
    }
    if commands.len() > dropped {
        let mut alteration = Alteration::begin(ctx, oid)?;
        alteration.run(ctx, &commands[dropped..]).await?;
    }
    Ok(tag)
}

/// Refuses ALTER VIEW of what is no view, and so on (`RangeVarCallbackForAlterRelation`).
pub(super) fn check_kind(ctx: &DdlContext<'_>, oid: Oid, wanted: ObjectType) -> Result<()> {
    let found = relation_of(ctx.snapshot(), oid)?;
    let (noun, what) = match wanted {
        ObjectType::ObjectIndex => ("index", "an index"),
        ObjectType::ObjectSequence => ("sequence", "a sequence"),
        ObjectType::ObjectView => ("view", "a view"),
        ObjectType::ObjectMatview => ("materialized view", "a materialized view"),
        ObjectType::ObjectForeignTable => ("foreign table", "a foreign table"),
        _ => return Ok(()),
    };
    if found.kind().noun() == noun {
        return Ok(());
    }
    Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not {what}", found.name())))
}

/// A subcommand on an index, a sequence or a view.
async fn alter_other(ctx: &mut DdlContext<'_>, oid: Oid, command: &pb::AlterTableCmd) -> Result<()> {
    match command.subtype() {
        AlterTableType::AtChangeOwner => super::owner::change_owner(ctx, oid, command.newowner.as_ref()).await,
        AlterTableType::AtSetRelOptions | AlterTableType::AtResetRelOptions | AlterTableType::AtSetTableSpace
            if ctx.snapshot().index(oid).is_some() =>
        {
            subcommand::without_effect(command, Kind::Index)
        }
        other => {
            let kind = relation_of(ctx.snapshot(), oid)?.kind();
            let name = subcommand::action(other);
            Err(PgError::unsupported(format_args!("ALTER {} ... {name}", kind.noun().to_uppercase())))
        }
    }
}

/// A subcommand that takes something away. The catalog has it gone at once.
async fn drop_pass(ctx: &mut DdlContext<'_>, oid: Oid, command: &pb::AlterTableCmd) -> Result<()> {
    match command.subtype() {
        AlterTableType::AtDropColumn => columns::drop_column(ctx, oid, command).await,
        AlterTableType::AtDropConstraint => constraints::drop_constraint(ctx, oid, command).await,
        AlterTableType::AtDropNotNull => columns::drop_not_null(ctx, oid, &command.name).await,
        AlterTableType::AtColumnDefault => columns::drop_default(ctx, oid, &command.name),
        AlterTableType::AtDropIdentity => generation::drop_identity(ctx, oid, command).await,
        AlterTableType::AtDropExpression => generation::drop_expression(ctx, oid, command),
        other => Err(PgError::internal(format_args!("the subcommand {other:?} drops nothing"))),
    }
}

impl<'s> Alteration<'s> {
    fn begin(ctx: &DdlContext<'_>, oid: Oid) -> Result<Alteration<'s>> {
        let before = ctx.snapshot().table(oid).cloned().ok_or_else(|| PgError::internal("a locked table is gone"))?;
        Ok(Alteration {
            table: Table::clone(&before),
            indexes: indexes_of(ctx, &before),
            before,
            fresh: Vec::new(),
            changes: Changes::default(),
            constants: Vec::new(),
            demands: Demands::default(),
            rewrite: false,
            retyped: Vec::new(),
            later: Definition::default(),
        })
    }

    /// Carries out subcommands that are in the order of their passes.
    async fn run(&mut self, ctx: &mut DdlContext<'_>, commands: &[(Pass, &'s pb::AlterTableCmd)]) -> Result<()> {
        let mut rest = commands.iter().peekable();
        for pass in subcommand::PASSES {
            while let Some((_, command)) = rest.next_if(|(of, _)| *of == pass) {
                self.command(ctx, command).await?;
            }
            self.implied(ctx, pass).await?;
        }
        self.finish(ctx).await?;
        // What acts on other objects too finds the table in the catalog again.
        for (_, command) in rest {
            match command.subtype() {
                AlterTableType::AtChangeOwner => {
                    super::owner::change_owner(ctx, self.table.oid, command.newowner.as_ref()).await?;
                }
                _ => subcommand::without_effect(command, Kind::Table)?,
            }
        }
        Ok(())
    }

    async fn command(&mut self, ctx: &mut DdlContext<'_>, command: &'s pb::AlterTableCmd) -> Result<()> {
        match command.subtype() {
            AlterTableType::AtAlterColumnType => self.alter_column_type(ctx, command).await,
            AlterTableType::AtAddColumn => self.add_column(ctx, command).await,
            AlterTableType::AtSetExpression => self.set_expression(ctx, command),
            AlterTableType::AtSetNotNull => self.set_not_null(ctx, &command.name),
            AlterTableType::AtColumnDefault => self.set_default(ctx, command),
            AlterTableType::AtAddIdentity => self.add_identity(ctx, command).await,
            AlterTableType::AtSetIdentity => self.set_identity(ctx, command),
            AlterTableType::AtAddConstraint => self.add_constraint(ctx, command).await,
            AlterTableType::AtValidateConstraint => self.validate_constraint(ctx, &command.name),
            other => Err(PgError::unsupported(format_args!("ALTER TABLE ... {}", subcommand::action(other)))),
        }
    }

    /// What a pass is for beside the subcommands that were written: among it the constraints of added columns.
    async fn implied(&mut self, ctx: &mut DdlContext<'_>, pass: Pass) -> Result<()> {
        match pass {
            Pass::AlterType => self.rebuild_dependents(ctx)?,
            Pass::ColumnAttributes => {
                for spec in std::mem::take(&mut self.later.not_nulls) {
                    self.add_not_null(ctx, &spec)?;
                }
            }
            Pass::Index => {
                for spec in std::mem::take(&mut self.later.keys) {
                    self.add_key(ctx, &spec).await?;
                }
            }
            Pass::OtherConstraint => {
                for spec in std::mem::take(&mut self.later.checks) {
                    self.add_check(ctx, &spec)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Stores the table's new form, and brings its rows into it.
    async fn finish(&mut self, ctx: &mut DdlContext<'_>) -> Result<()> {
        if self.rewrite {
            self.changes.from_old.append(&mut self.constants);
            for column in self.table.columns.iter().filter(|column| column.not_null && !column.dropped) {
                if !self.demands.not_null.contains(&column.attnum) {
                    self.demands.not_null.push(column.attnum);
                }
            }
            let indexes = std::mem::take(&mut self.indexes);
            rewrite(ctx, &self.before, self.table.clone(), indexes, &self.changes, &self.demands).await?;
            return Ok(());
        }
        if self.table.columns.len() > self.before.columns.len() {
            add_layout(ctx, &mut self.table)?;
        }
        let table = Arc::new(self.table.clone());
        ctx.catalog.put(ctx.transaction, ctx.statement, Table::clone(&table));
        for index in &self.indexes {
            if ctx.snapshot().index(index.oid).is_none_or(|known| **known != *index) {
                ctx.catalog.put(ctx.transaction, ctx.statement, index.clone());
            }
        }
        for &oid in &self.fresh {
            if let Some(index) = ctx.snapshot().index(oid).cloned() {
                ctx.build_index(&table, &index).await?;
            }
        }
        ctx.check_rows(&table, &self.demands).await
    }

    /// The table as what expressions are analyzed over.
    fn shape(&self) -> Arc<Table> {
        Arc::new(self.table.clone())
    }

    /// The place of a column that the statement may change.
    fn position(&self, name: &str) -> Result<usize> {
        let attnum = live_column(&self.table, name)?.attnum;
        usize::try_from(attnum - 1).map_err(|_| PgError::internal("a column's number"))
    }

    /// Rows must meet a condition over the table as it is now.
    fn demand(&mut self, name: &str, condition: Expr) {
        self.demands.checks.push(Check { name: name.to_owned(), condition });
    }
}

/// A column by name, as most subcommands look for it.
///
/// # Errors
///
/// 0A000 for a system column, 42703.
fn live_column<'t>(table: &'t Table, name: &str) -> Result<&'t Column> {
    if let Some(column) = table.column(name) {
        return Ok(column);
    }
    if SYSTEM_COLUMNS.contains(&name) {
        let message = format!("cannot alter system column \"{name}\"");
        return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    Err(missing_column(table, name))
}

pub(super) fn missing_column(table: &Table, name: &str) -> PgError {
    let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
    PgError::new(SqlState::UNDEFINED_COLUMN, message)
}

/// A table of the catalog, which is locked.
fn locked_table(ctx: &DdlContext<'_>, oid: Oid) -> Result<Arc<Table>> {
    ctx.snapshot().table(oid).cloned().ok_or_else(|| PgError::internal("a locked table is gone"))
}

/// `ALTER action ADD COLUMN cannot be performed on relation "v"` (`ATSimplePermissions`).
fn wrong_relation(found: &Relation<'_>, action: &str) -> PgError {
    let message = format!("ALTER action {action} cannot be performed on relation \"{}\"", found.name());
    PgError::new(SqlState::WRONG_OBJECT_TYPE, message).with_detail(not_supported_for(found.kind()))
}
