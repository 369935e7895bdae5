//! Constraints of tables that are there: ADD, DROP, VALIDATE CONSTRAINT.

use std::sync::Arc;

use helios_catalog::model::{Constraint, ConstraintKind, Index, Table};
use helios_types::{Oid, PgError, Result, SqlState};

use super::columns::check_may_be_null;
use super::rewrite::{indexes_of, rewrite};
use super::{Alteration, live_column, locked_table};
use crate::analyze::{ExpressionUse, analyze_expression_text};
use crate::ddl::create_table::build;
use crate::ddl::create_table::definition::{CheckSpec, Definition, KeySpec, NotNullSpec};
use crate::ddl::dependency::{Address, constraint_of};
use crate::ddl::drop::{PG_CONSTRAINT, drop_addresses, remove_comments};
use crate::ddl::rows::{Changes, Demands};
use crate::ddl::{DdlContext, NameSpace, next_oid};
use crate::parse::protobuf::node::Node;
use crate::parse::protobuf::{self as pb, ConstrType, DropBehavior};

/// Removes a constraint from a table that stays. Its index is gone already; without a primary key the rows get hidden
/// keys.
pub(in crate::ddl) async fn remove_constraint(ctx: &mut DdlContext<'_>, table: Oid, constraint: Oid) -> Result<()> {
    let Some(old) = ctx.snapshot().table(table).cloned() else { return Ok(()) };
    let mut new = Table::clone(&old);
    let Some(at) = new.constraints.iter().position(|known| known.oid == constraint) else { return Ok(()) };
    let removed = new.constraints.remove(at);
    remove_comments(ctx, PG_CONSTRAINT, constraint, None);
    match removed.kind {
        ConstraintKind::PrimaryKey { .. } => {
            new.primary_key.clear();
            let indexes = indexes_of(ctx, &new);
            let _: Arc<Table> = rewrite(ctx, &old, new, indexes, &Changes::default(), &Demands::default()).await?;
            return Ok(());
        }
        ConstraintKind::NotNull { column } => {
            for known in new.columns.iter_mut().filter(|known| known.attnum == column) {
                known.not_null = false;
            }
        }
        ConstraintKind::Check { .. } | ConstraintKind::Unique { .. } => {}
    }
    ctx.catalog.put(ctx.transaction, ctx.statement, new);
    Ok(())
}

fn missing_constraint(table: &Table, name: &str) -> PgError {
    let message = format!("constraint \"{name}\" of relation \"{}\" does not exist", table.name);
    PgError::new(SqlState::UNDEFINED_OBJECT, message)
}

/// DROP CONSTRAINT.
pub(super) async fn drop_constraint(ctx: &mut DdlContext<'_>, oid: Oid, command: &pb::AlterTableCmd) -> Result<()> {
    let table = locked_table(ctx, oid)?;
    let Some(found) = table.constraints.iter().find(|known| known.name == command.name) else {
        let missing = missing_constraint(&table, &command.name);
        if !command.missing_ok {
            return Err(missing);
        }
        ctx.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{}, skipping", missing.message()));
        return Ok(());
    };
    if let ConstraintKind::NotNull { column } = found.kind
        && let Some(column) = table.column_by_attnum(column)
    {
        check_may_be_null(&table, column)?;
    }
    let cascade = command.behavior() == DropBehavior::DropCascade;
    drop_addresses(ctx, &[Address::Constraint(oid, found.oid)], cascade).await
}

impl<'s> Alteration<'s> {
    /// ADD CONSTRAINT.
    pub(super) async fn add_constraint(
        &mut self,
        ctx: &mut DdlContext<'_>,
        command: &'s pb::AlterTableCmd,
    ) -> Result<()> {
        let Some(Node::Constraint(written)) = command.def.as_deref().and_then(|def| def.node.as_ref()) else {
            return Err(PgError::internal("ADD CONSTRAINT without a constraint"));
        };
        if written.skip_validation && written.contype() != ConstrType::ConstrForeign {
            return Err(PgError::unsupported("NOT VALID"));
        }
        if !written.indexname.is_empty() {
            return self.add_index_constraint(ctx, written).await;
        }
        let mut definition = Definition::default();
        definition.add_constraint(written, &self.table.name)?;
        for spec in definition.not_nulls {
            self.add_named_not_null(ctx, &spec)?;
        }
        for spec in definition.keys {
            self.add_key(ctx, &spec).await?;
        }
        for spec in definition.checks {
            self.add_check(ctx, &spec)?;
        }
        Ok(())
    }

    /// ADD CONSTRAINT ... NOT NULL.
    fn add_named_not_null(&mut self, ctx: &DdlContext<'_>, spec: &NotNullSpec<'_>) -> Result<()> {
        let column = live_column(&self.table, spec.column)?;
        let known = ConstraintKind::NotNull { column: column.attnum };
        if let Some(name) = spec.name
            && let Some(other) = self.table.constraints.iter().find(|other| other.kind == known && other.name != name)
        {
            let message = format!(
                "cannot create not-null constraint \"{name}\" on column \"{}\" of table \"{}\"",
                column.name, self.table.name
            );
            let detail = format!("A not-null constraint named \"{}\" already exists for this column.", other.name);
            return Err(PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message).with_detail(detail));
        }
        self.add_not_null(ctx, spec)
    }

    /// CHECK, which the rows must meet.
    pub(super) fn add_check(&mut self, ctx: &DdlContext<'_>, spec: &CheckSpec<'_>) -> Result<()> {
        let shape = self.shape();
        let constraint = build::check_constraint(ctx, &shape, spec).map_err(PgError::without_position)?;
        self.check_again(ctx, &constraint)?;
        self.table.constraints.push(constraint);
        Ok(())
    }

    /// The rows must meet a check.
    pub(super) fn check_again(&mut self, ctx: &DdlContext<'_>, constraint: &Constraint) -> Result<()> {
        if let ConstraintKind::Check { expression, .. } = &constraint.kind {
            let shape = self.shape();
            let usage = ExpressionUse::Check;
            let analyzed = analyze_expression_text(expression, Some(&shape), usage, ctx.snapshot(), ctx.session)?;
            self.demand(&constraint.name, analyzed.expr);
        }
        Ok(())
    }

    /// The rows must meet the checks that mention one of some columns.
    pub(super) fn recheck(&mut self, ctx: &DdlContext<'_>, attnums: &[i16]) -> Result<()> {
        let mentions = |known: &&Constraint| matches!(&known.kind, ConstraintKind::Check { columns, .. } if columns.iter().any(|c| attnums.contains(c)));
        let checks: Vec<Constraint> = self.table.constraints.iter().filter(mentions).cloned().collect();
        checks.iter().try_for_each(|check| self.check_again(ctx, check))
    }

    /// PRIMARY KEY, UNIQUE.
    pub(super) async fn add_key(&mut self, ctx: &mut DdlContext<'_>, spec: &KeySpec<'_>) -> Result<()> {
        if spec.primary {
            self.check_only_primary_key()?;
            for column in &spec.columns {
                if self.table.column(column).is_some() {
                    self.add_not_null(ctx, &NotNullSpec { name: None, column })?;
                }
            }
        }
        if spec.columns.iter().chain(&spec.include).any(|column| self.table.column(column).is_none()) {
            return build::key_index(ctx, &mut self.table, spec).await.map(drop).map_err(PgError::without_position);
        }
        let index = build::key_index(ctx, &mut self.table, spec).await?;
        if spec.primary {
            self.rewrite = true;
            self.indexes.insert(0, index);
        } else {
            self.fresh.push(index.oid);
            self.indexes.push(index);
        }
        Ok(())
    }

    fn check_only_primary_key(&self) -> Result<()> {
        if self.table.primary_key.is_empty() {
            return Ok(());
        }
        let message = format!("multiple primary keys for table \"{}\" are not allowed", self.table.name);
        Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message))
    }

    /// PRIMARY KEY and UNIQUE with an index that is there (`transformIndexConstraint`).
    async fn add_index_constraint(&mut self, ctx: &mut DdlContext<'_>, written: &pb::Constraint) -> Result<()> {
        let primary = written.contype() == ConstrType::ConstrPrimary;
        let location = crate::ddl::locks::position(written.location);
        if written.deferrable || written.initdeferred {
            return Err(PgError::unsupported("DEFERRABLE").at(location));
        }
        if primary {
            self.check_only_primary_key()?;
        }
        let at = self.usable_index(ctx, &written.indexname, primary).map_err(|refusal| refusal.at(location))?;
        let name = if written.conname.is_empty() { &written.indexname } else { &written.conname };
        build::check_constraint_name_free(&self.table, name)?;
        let oid = self.indexes[at].oid;
        if *name != written.indexname {
            let message = format!(
                "ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index \"{}\" to \"{name}\"",
                written.indexname
            );
            ctx.notice(SqlState::SUCCESSFUL_COMPLETION, message);
            ctx.claim_relation(self.table.schema, name, oid).await?;
            ctx.free_name(NameSpace::Relation, self.table.schema, &written.indexname);
            self.indexes[at].name.clone_from(name);
        }
        let constraint = next_oid(ctx.transaction.sequences())?;
        let kind = if primary { self.become_primary(ctx, at)? } else { ConstraintKind::Unique { index: oid } };
        self.table.constraints.push(Constraint { oid: constraint, name: name.clone(), kind });
        Ok(())
    }

    /// Which of the indexes it is that a constraint is to use.
    fn usable_index(&self, ctx: &DdlContext<'_>, name: &str, primary: bool) -> Result<usize> {
        let wrong = |message: String| PgError::new(SqlState::WRONG_OBJECT_TYPE, message);
        let Some(at) = self.indexes.iter().position(|index| index.name == name) else {
            return Err(match ctx.snapshot().relation_in(self.table.schema, name) {
                Some(helios_catalog::model::Relation::Index(_)) => {
                    let message = format!("index \"{name}\" does not belong to table \"{}\"", self.table.name);
                    PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
                }
                Some(_) => wrong(format!("\"{name}\" is not an index")),
                None => PgError::new(SqlState::UNDEFINED_OBJECT, format!("index \"{name}\" does not exist")),
            });
        };
        let index = &self.indexes[at];
        if constraint_of(&self.table, index.oid).is_some() {
            let message = format!("index \"{name}\" is already associated with a constraint");
            return Err(PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
        }
        let detail = "Cannot create a primary key or unique constraint using such an index.";
        if !index.unique {
            return Err(wrong(format!("\"{name}\" is not a unique index")).with_detail(detail));
        }
        if index.keys.iter().any(|key| key.expression.is_some()) {
            return Err(wrong(format!("index \"{name}\" contains expressions")).with_detail(detail));
        }
        if index.predicate.is_some() {
            return Err(wrong(format!("\"{name}\" is a partial index")).with_detail(detail));
        }
        if primary && index.nulls_not_distinct {
            let message = format!("primary keys cannot use NULLS NOT DISTINCT index \"{name}\"");
            return Err(wrong(message));
        }
        for (number, key) in index.keys.iter().enumerate() {
            let is_default = build::default_opclass(ctx, key.type_oid).is_ok_and(|class| class == key.opclass);
            let collation = self.table.column_by_attnum(key.attnum).map_or(key.collation, |column| column.collation);
            if key.descending || key.nulls_first || !is_default || collation != key.collation {
                let number = number + 1;
                let message = format!("index \"{name}\" column number {number} does not have default sorting behavior");
                return Err(wrong(message).with_detail(detail));
            }
        }
        Ok(at)
    }

    /// An index becomes the primary key's: the rows move under its keys.
    fn become_primary(&mut self, ctx: &DdlContext<'_>, at: usize) -> Result<ConstraintKind> {
        let mut index: Index = self.indexes.remove(at);
        index.primary = true;
        let names: Vec<String> = index
            .keys
            .iter()
            .filter_map(|key| self.table.column_by_attnum(key.attnum))
            .map(|column| column.name.clone())
            .collect();
        for column in &names {
            self.add_not_null(ctx, &NotNullSpec { name: None, column })?;
        }
        self.table.primary_key = index.keys.iter().map(|key| key.attnum).collect();
        self.table.indexes.retain(|known| *known != index.oid);
        self.table.indexes.insert(0, index.oid);
        let kind = ConstraintKind::PrimaryKey { index: index.oid };
        self.indexes.insert(0, index);
        self.rewrite = true;
        Ok(kind)
    }

    /// VALIDATE CONSTRAINT: every one that there is holds already.
    pub(super) fn validate_constraint(&self, _ctx: &DdlContext<'_>, name: &str) -> Result<()> {
        let found = self.table.constraints.iter().find(|known| known.name == name);
        let found = found.ok_or_else(|| missing_constraint(&self.table, name))?;
        if matches!(found.kind, ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. }) {
            let message = format!("cannot validate constraint \"{name}\" of relation \"{}\"", self.table.name);
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message)
                .with_detail("This operation is not supported for this type of constraint."));
        }
        Ok(())
    }
}
