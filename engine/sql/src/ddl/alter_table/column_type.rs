//! ALTER COLUMN TYPE.
//!
//! What mentions the column is made anew for its new type, from its text as it was understood with the old one
//! (`ATPostAlterTypeCleanup`): defaults, checks, keys, index expressions and predicates. Views and generated columns
//! that use it stand in the way.

use std::sync::Arc;

use helios_catalog::facts::quote_identifier;
use helios_catalog::model::{Column, ConstraintKind, Index, Table};
use helios_catalog::resolve::Lookup;
use helios_types::{Oid, PgError, Result, SqlState, TypeMod, oid};

use super::Alteration;
use super::generation::retype_sequence;
use crate::analyze::{
    CoercionContext, ExpressionUse, analyze_expression, analyze_expression_text, coerce_to_target_type,
    transform_collation, transform_type_name,
};
use crate::ddl::DdlContext;
use crate::ddl::create_table::build::default_opclass;
use crate::ddl::create_table::definition::check_column_type;
use crate::ddl::locks::position;
use crate::ddl::stored::{expression_text, used_columns};
use crate::expr::{CoercionForm, Expr, ExprKind, ExprType, Var};
use crate::parse::protobuf as pb;
use crate::parse::protobuf::node::Node;

/// A column's new type.
#[derive(Clone, Copy)]
struct NewType {
    oid: Oid,
    typmod: TypeMod,
    collation: Oid,
}

impl<'s> Alteration<'s> {
    /// ALTER COLUMN ... TYPE.
    pub(super) async fn alter_column_type(
        &mut self,
        ctx: &mut DdlContext<'_>,
        command: &'s pb::AlterTableCmd,
    ) -> Result<()> {
        let Some(Node::ColumnDef(written)) = command.def.as_deref().and_then(|def| def.node.as_ref()) else {
            return Err(PgError::internal("ALTER COLUMN TYPE without a type"));
        };
        let at = self.position(&command.name)?;
        let old = self.before.columns[at].clone();
        let using = written.raw_default.as_deref().and_then(|raw| raw.node.as_ref());
        if using.is_some() && old.generated.is_some() {
            let message = "cannot specify USING when altering type of generated column";
            return Err(PgError::new(SqlState::INVALID_COLUMN_DEFINITION, message)
                .with_detail(format!("Column \"{}\" is a generated column.", old.name))
                .at(position(written.location)));
        }
        let new = new_type(ctx, written)?;
        check_column_type(&old.name, new.oid, &ctx.analysis())?;
        if self.table.columns[at].type_oid != old.type_oid
            || self.changes.from_old.iter().any(|(attnum, _)| *attnum == old.attnum)
        {
            let message = format!("cannot alter type of column \"{}\" twice", old.name);
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        let value = match old.generated {
            Some(_) => None,
            None => Some(self.new_value(ctx, &old, new, using)?),
        };
        self.check_dependents(ctx, &old)?;
        let default = self.new_default(ctx, &old, new)?;
        retype_sequence(ctx, &old, new.oid)?;
        let column = &mut self.table.columns[at];
        (column.type_oid, column.typmod, column.collation) = (new.oid, new.typmod, new.collation);
        column.default = default;
        let column = column.clone();
        if let Some(text) = &column.generated {
            self.generate(ctx, &column, &text.clone())?;
        } else if using.is_some() || !keeps_form(&old, new) {
            self.changes.from_old.extend(value.map(|value| (old.attnum, value)));
            self.rewrite = true;
        }
        self.retyped.push(old.attnum);
        Ok(())
    }

    /// Makes anew what mentions columns whose type has changed, once all of them have changed.
    pub(super) fn rebuild_dependents(&mut self, ctx: &DdlContext<'_>) -> Result<()> {
        if self.retyped.is_empty() {
            return Ok(());
        }
        let indexes = self.index_texts(ctx)?;
        self.rebuild_checks(ctx)?;
        self.rebuild_indexes(ctx, indexes)
    }

    /// What a row's value becomes (`ATPrepAlterColumnType`).
    fn new_value(&self, ctx: &DdlContext<'_>, old: &Column, new: NewType, using: Option<&Node>) -> Result<Expr> {
        let expr = match using {
            Some(raw) => analyze_expression(raw, Some(&self.before), ExpressionUse::AlterColumn, &ctx.analysis())?.expr,
            None => column_var(&self.before, old)?,
        };
        let target = (new.oid, new.typmod);
        let coerced = coerce_to_target_type(expr, target, CoercionContext::Assignment, &ctx.analysis())?;
        coerced.ok_or_else(|| {
            let lookup = Lookup { catalog: ctx.snapshot(), search_path: ctx.search_path };
            let shown = lookup.format_type(new.oid);
            let mismatch = |message: String| PgError::new(SqlState::DATATYPE_MISMATCH, message);
            if using.is_some() {
                let message = format!(
                    "result of USING clause for column \"{}\" cannot be cast automatically to type {shown}",
                    old.name
                );
                return mismatch(message).with_hint("You might need to add an explicit cast.");
            }
            let cast = lookup.format_type_with(new.oid, new.typmod);
            mismatch(format!("column \"{}\" cannot be cast automatically to type {shown}", old.name))
                .with_hint(format!("You might need to specify \"USING {}::{cast}\".", quote_identifier(&old.name)))
        })
    }

    /// Refuses a column that views or generated columns use.
    fn check_dependents(&self, ctx: &DdlContext<'_>, old: &Column) -> Result<()> {
        for view in ctx.snapshot().views().filter(|view| view.depends_on.contains(&self.table.oid)) {
            let used = crate::ddl::view::columns_used(view, ctx.snapshot(), ctx.session)?;
            if used.contains(&(self.table.oid, old.attnum)) {
                let what = ctx.describe(crate::ddl::dependency::Address::Relation(view.oid));
                let detail = format!("rule _RETURN on {what} depends on column \"{}\"", old.name);
                let message = "cannot alter type of a column used by a view or rule";
                return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_detail(detail));
            }
        }
        for column in self.before.live_columns().filter(|column| column.attnum != old.attnum) {
            let Some(text) = &column.generated else { continue };
            let usage = ExpressionUse::Generated(column);
            if self.mentions(ctx, text, usage, &[old.attnum])? {
                let message = "cannot alter type of a column used by a generated column";
                return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                    .with_detail(format!("Column \"{}\" is used by generated column \"{}\".", old.name, column.name)));
            }
        }
        Ok(())
    }

    /// Whether a stored expression of the old table uses one of some columns.
    fn mentions(&self, ctx: &DdlContext<'_>, text: &str, usage: ExpressionUse<'_>, attnums: &[i16]) -> Result<bool> {
        let analyzed = analyze_expression_text(text, Some(&self.before), usage, ctx.snapshot(), ctx.session)?;
        let live: Vec<i16> = self.before.live_columns().map(|column| column.attnum).collect();
        Ok(used_columns(&analyzed.expr)
            .into_iter()
            .any(|column| live.get(column).is_some_and(|attnum| attnums.contains(attnum))))
    }

    /// The default, cast to the new type.
    fn new_default(&self, ctx: &DdlContext<'_>, old: &Column, new: NewType) -> Result<Option<String>> {
        let Some(text) = &old.default else { return Ok(None) };
        let usage = ExpressionUse::Default(old);
        let expr = analyze_expression_text(text, None, usage, ctx.snapshot(), ctx.session)?.expr;
        let expr = strip_implicit_coercions(expr);
        let target = (new.oid, new.typmod);
        let coerced = coerce_to_target_type(expr, target, CoercionContext::Assignment, &ctx.analysis())?;
        let coerced = coerced.ok_or_else(|| {
            let lookup = Lookup { catalog: ctx.snapshot(), search_path: ctx.search_path };
            let shown = lookup.format_type(new.oid);
            let message = format!("default for column \"{}\" cannot be cast automatically to type {shown}", old.name);
            PgError::new(SqlState::DATATYPE_MISMATCH, message)
        })?;
        Ok(Some(expression_text(&coerced, &self.before, ctx.snapshot())))
    }

    /// The checks that mention the columns, from their text as it was understood.
    fn rebuild_checks(&mut self, ctx: &DdlContext<'_>) -> Result<()> {
        let shape = self.shape();
        let mut constraints = self.table.constraints.clone();
        for constraint in &mut constraints {
            let ConstraintKind::Check { expression, columns } = &mut constraint.kind else { continue };
            if !columns.iter().any(|attnum| self.retyped.contains(attnum)) {
                continue;
            }
            let understood = self.restated(ctx, expression, ExpressionUse::Check)?;
            let usage = ExpressionUse::Check;
            let analyzed = analyze_expression_text(&understood, Some(&shape), usage, ctx.snapshot(), ctx.session)?;
            *expression = expression_text(&analyzed.expr, &shape, ctx.snapshot());
        }
        self.table.constraints = constraints;
        self.recheck(ctx, &self.retyped.clone())
    }

    /// A stored expression of the old table as it is understood with the old types.
    fn restated(&self, ctx: &DdlContext<'_>, text: &str, usage: ExpressionUse<'_>) -> Result<String> {
        let analyzed = analyze_expression_text(text, Some(&self.before), usage, ctx.snapshot(), ctx.session)?;
        Ok(expression_text(&analyzed.expr, &self.before, ctx.snapshot()))
    }

    /// The indexes that mention the columns, with their expressions and predicates as they are understood.
    fn index_texts(&self, ctx: &DdlContext<'_>) -> Result<Vec<Index>> {
        let attnums = self.retyped.as_slice();
        let mut found = Vec::new();
        for index in &self.indexes {
            let mut uses = index.keys.iter().any(|key| attnums.contains(&key.attnum))
                || index.include.iter().any(|attnum| attnums.contains(attnum));
            let mut restated = index.clone();
            for key in &mut restated.keys {
                if let Some(text) = &mut key.expression
                    && self.mentions(ctx, text, ExpressionUse::IndexExpression, attnums)?
                {
                    uses = true;
                    *text = self.restated(ctx, text, ExpressionUse::IndexExpression)?;
                }
            }
            if let Some(text) = &mut restated.predicate
                && self.mentions(ctx, text, ExpressionUse::IndexPredicate, attnums)?
            {
                uses = true;
                *text = self.restated(ctx, text, ExpressionUse::IndexPredicate)?;
            }
            if uses {
                found.push(restated);
            }
        }
        Ok(found)
    }

    /// Indexes on the columns, for their new types.
    fn rebuild_indexes(&mut self, ctx: &DdlContext<'_>, restated: Vec<Index>) -> Result<()> {
        let shape = self.shape();
        for mut index in restated {
            for key in &mut index.keys {
                let (type_oid, collation) = match &mut key.expression {
                    None if !self.retyped.contains(&key.attnum) => continue,
                    None => {
                        let old = self.before.column_by_attnum(key.attnum);
                        let old = old.map_or(Oid::NONE, |column| column.collation);
                        let column = shape.column_by_attnum(key.attnum);
                        let column = column.ok_or_else(|| PgError::internal("an index on a column that is gone"))?;
                        let chosen = key.collation != old && !column.collation.is_none();
                        (column.type_oid, if chosen { key.collation } else { column.collation })
                    }
                    Some(text) => {
                        let usage = ExpressionUse::IndexExpression;
                        let analyzed = analyze_expression_text(text, Some(&shape), usage, ctx.snapshot(), ctx.session)?;
                        *text = expression_text(&analyzed.expr, &shape, ctx.snapshot());
                        (analyzed.expr.ty.oid, analyzed.expr.ty.collation)
                    }
                };
                if type_oid != key.type_oid {
                    key.opclass = default_opclass(ctx, type_oid)?;
                }
                (key.type_oid, key.collation) = (type_oid, collation);
            }
            if let Some(text) = &mut index.predicate {
                let usage = ExpressionUse::IndexPredicate;
                let analyzed = analyze_expression_text(text, Some(&shape), usage, ctx.snapshot(), ctx.session)?;
                *text = expression_text(&analyzed.expr, &shape, ctx.snapshot());
            }
            if let Some(known) = self.indexes.iter_mut().find(|known| known.oid == index.oid) {
                // Entries of an index on other than the plain column may have become others.
                let plain = index.predicate.is_none() && index.keys.iter().all(|key| key.expression.is_none());
                self.rewrite |= !plain;
                *known = index;
            }
        }
        Ok(())
    }
}

fn new_type(ctx: &DdlContext<'_>, written: &pb::ColumnDef) -> Result<NewType> {
    let analysis = ctx.analysis();
    let name = written.type_name.as_ref().ok_or_else(|| PgError::internal("ALTER COLUMN TYPE without a type"))?;
    let (oid, typmod) = transform_type_name(name, &analysis)?;
    let type_collation = ctx.snapshot().type_by_oid(oid).map_or(Oid::NONE, |row| row.collation);
    let collation = match &written.coll_clause {
        None => type_collation,
        Some(clause) if type_collation.is_none() => {
            let shown = Lookup { catalog: ctx.snapshot(), search_path: ctx.search_path }.format_type(oid);
            let message = format!("collations are not supported by type {shown}");
            return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).at(position(clause.location)));
        }
        Some(clause) => transform_collation(&clause.collname, clause.location, &analysis)?,
    };
    Ok(NewType { oid, typmod, collation })
}

/// A column as an expression over its table.
fn column_var(table: &Arc<Table>, column: &Column) -> Result<Expr> {
    let at = table.live_columns().position(|known| known.attnum == column.attnum);
    let at = at.and_then(|at| i32::try_from(at).ok()).ok_or_else(|| PgError::internal("a column that is gone"))?;
    let ty = ExprType { oid: column.type_oid, typmod: column.typmod, collation: column.collation };
    Ok(Expr { kind: ExprKind::Var(Var { rte: 0, column: at, levels_up: 0 }), ty, location: None })
}

/// Whether rows and index entries are the same bytes with the new type, and no value can be refused by it.
fn keeps_form(old: &Column, new: NewType) -> bool {
    if old.collation != new.collation {
        return false;
    }
    let same_type = old.type_oid == new.oid;
    if same_type && old.typmod == new.typmod {
        return true;
    }
    let strings = |type_oid: Oid| matches!(type_oid, oid::TEXT | oid::VARCHAR);
    if strings(old.type_oid) && strings(new.oid) {
        return new.typmod < 0 || (old.typmod >= 0 && old.typmod <= new.typmod);
    }
    same_type && new.typmod < 0 && matches!(new.oid, oid::NUMERIC | oid::VARBIT)
}

/// The expression inside casts that nobody wrote (`strip_implicit_coercions`).
fn strip_implicit_coercions(mut expr: Expr) -> Expr {
    loop {
        expr = match expr.kind {
            ExprKind::Relabel(arg, CoercionForm::Implicit) | ExprKind::CoerceViaIo(arg, CoercionForm::Implicit) => *arg,
            ExprKind::ApplyTypmod { arg, explicit: false } => *arg,
            ExprKind::Func(mut call) if call.form == CoercionForm::Implicit && !call.args.is_empty() => {
                call.args.swap_remove(0)
            }
            kind => return Expr { kind, ..expr },
        };
    }
}
