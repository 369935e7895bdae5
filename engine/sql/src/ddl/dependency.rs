//! What stands or falls with what (`dependency.c`).
//!
//! PostgreSQL walks `pg_depend` from the objects to be dropped; here the same edges follow from the descriptors:
//!
//! ```text
//!   schema  ◀─ normal ── table, sequence, view
//!   table   ◀─ auto ──── index, default, constraint;   ◀─ normal ── view
//!   column  ◀─ auto ──── serial's sequence;            ◀─ internal ─ identity's sequence
//!   constraint ◀─ internal ── its index
//!   sequence ◀─ normal ── the default that draws from it
//! ```
//!
//! What depends normally needs CASCADE and is named in the error or the NOTICE; what depends automatically goes silently.

use helios_catalog::CatalogSnapshot;
use helios_catalog::model::{ConstraintKind, Index, Relation, Table};
use helios_types::{Oid, PgError, Result, SqlState};

use super::DdlContext;
use super::stored::{named_relations, used_columns};
use crate::analyze::{ExpressionUse, analyze_expression_text};
use crate::session::SessionContext;

/// Most dependents that a message lists (`MAX_REPORTED_DEPS`).
const REPORTED_MAX: usize = 100;

/// An object, or a part of one, that can be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Schema(Oid),
    Relation(Oid),
    Column(Oid, i16),
    Default(Oid, i16),
    Constraint(Oid, Oid),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    /// It was named by the statement.
    Original,
    Normal,
    /// It goes silently.
    Silent,
}

/// An object that is to go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) address: Address,
    strength: Strength,
    /// What it was reached from.
    dependee: Option<Address>,
}

impl Address {
    /// The OID that dependents are sorted by, newest first.
    fn oid(self) -> Oid {
        match self {
            Address::Schema(oid) | Address::Relation(oid) | Address::Column(oid, _) => oid,
            Address::Default(table, _) => Oid(table.0 + 1),
            Address::Constraint(_, oid) => oid,
        }
    }

    /// Whether the other one is this, or a part of it that goes with it without more.
    fn covers(self, other: Address) -> bool {
        self == other
            || match (self, other) {
                (Address::Relation(table), Address::Column(of, _) | Address::Default(of, _)) => table == of,
                (Address::Column(table, attnum), Address::Default(of, of_attnum)) => (table, attnum) == (of, of_attnum),
                _ => false,
            }
    }
}

/// The edges.
struct Graph<'a> {
    catalog: &'a CatalogSnapshot,
    session: &'a SessionContext,
    originals: &'a [Address],
    targets: Vec<Target>,
}

impl DdlContext<'_> {
    /// Everything that goes when these go, dependents first (`findDependentObjects`).
    pub(super) fn find_targets(&self, originals: &[Address]) -> Result<Vec<Target>> {
        let mut graph = Graph { catalog: self.snapshot(), session: self.session, originals, targets: Vec::new() };
        for &original in originals {
            graph.visit(original, Strength::Original, &mut Vec::new())?;
        }
        Ok(graph.targets)
    }

    /// Refuses, or tells of, what was not named and goes all the same (`reportDependentObjects`).
    pub(super) fn report_targets(&mut self, targets: &[Target], cascade: bool, only: Option<Address>) -> Result<()> {
        let reported: Vec<&Target> =
            targets.iter().rev().filter(|target| target.strength == Strength::Normal).collect();
        if reported.is_empty() {
            return Ok(());
        }
        let mut lines = Vec::new();
        for target in reported.iter().take(REPORTED_MAX) {
            let what = self.describe(target.address);
            lines.push(match target.dependee {
                _ if cascade => format!("drop cascades to {what}"),
                Some(dependee) => format!("{what} depends on {}", self.describe(dependee)),
                None => what,
            });
        }
        match reported.len() - lines.len() {
            0 => {}
            1 => lines.push("and 1 other object (see server log for list)".to_owned()),
            more => lines.push(format!("and {more} other objects (see server log for list)")),
        }
        if cascade {
            let code = SqlState::SUCCESSFUL_COMPLETION;
            if reported.len() == 1 {
                self.notice(code, lines.remove(0));
            } else {
                let message = format!("drop cascades to {} other objects", reported.len());
                self.notice_with_detail(code, message, Some(lines.join("\n")));
            }
            return Ok(());
        }
        let message = match only {
            Some(original) => {
                format!("cannot drop {} because other objects depend on it", self.describe(original))
            }
            None => "cannot drop desired object(s) because other objects depend on them".to_owned(),
        };
        Err(PgError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
            .with_detail(lines.join("\n"))
            .with_hint("Use DROP ... CASCADE to drop the dependent objects too."))
    }

    /// An object's name in messages (`getObjectDescription`).
    pub(super) fn describe(&self, address: Address) -> String {
        describe(self.snapshot(), self.search_path, address)
    }
}

fn describe(catalog: &CatalogSnapshot, path: &[Oid], address: Address) -> String {
    let relation = |oid: Oid| {
        let Some(found) = catalog.relation(oid) else { return format!("relation {oid}") };
        let name = helios_catalog::facts::quote_identifier(found.name());
        let name = if catalog.is_visible(path, oid) {
            name.into_owned()
        } else {
            let schema = catalog.schema_name(found.schema()).unwrap_or_default();
            helios_catalog::facts::quote_qualified(schema, found.name())
        };
        format!("{} {name}", found.kind().noun())
    };
    let column = |table: Oid, attnum: i16| match catalog.relation(table) {
        Some(Relation::Table(table)) => table.column_by_attnum(attnum).map(|column| column.name.clone()),
        Some(Relation::View(view)) => {
            view.columns.iter().find(|column| column.attnum == attnum).map(|column| column.name.clone())
        }
        _ => None,
    };
    match address {
        Address::Schema(schema) => format!("schema {}", catalog.schema_name(schema).unwrap_or_default()),
        Address::Relation(oid) => relation(oid),
        Address::Column(table, attnum) => {
            format!("column {} of {}", column(table, attnum).unwrap_or_default(), relation(table))
        }
        Address::Default(table, attnum) => {
            format!("default value for column {} of {}", column(table, attnum).unwrap_or_default(), relation(table))
        }
        Address::Constraint(table, oid) => {
            let found = catalog.table(table).and_then(|table| table.constraints.iter().find(|known| known.oid == oid));
            let name = found.map_or("", |constraint| constraint.name.as_str());
            format!("constraint {name} on {}", relation(table))
        }
    }
}

impl Graph<'_> {
    fn visit(&mut self, address: Address, strength: Strength, stack: &mut Vec<Address>) -> Result<()> {
        if stack.iter().any(|above| above.covers(address)) {
            return Ok(());
        }
        if let Some(known) = self.targets.iter_mut().find(|known| known.address.covers(address)) {
            match (known.strength, strength) {
                (Strength::Original, _) => {}
                (_, Strength::Original | Strength::Silent) => known.strength = strength,
                (_, Strength::Normal) => {}
            }
            return Ok(());
        }
        if let Some(owner) = self.internal_owner(address) {
            let from_owner = stack.last().is_some_and(|&above| above.covers(owner) || owner.covers(above));
            if stack.is_empty() {
                if self.originals.iter().any(|original| original.covers(owner)) {
                    return Ok(());
                }
                let (what, owner) = (self.describe(address), self.describe(owner));
                let message = format!("cannot drop {what} because {owner} requires it");
                return Err(PgError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message)
                    .with_hint(format!("You can drop {owner} instead.")));
            }
            if !from_owner {
                return self.visit(owner, strength, stack);
            }
        }
        let mut dependents = self.dependents(address)?;
        dependents.sort_by_key(|(dependent, _)| std::cmp::Reverse(dependent.oid()));
        stack.push(address);
        for (dependent, strength) in dependents {
            self.visit(dependent, strength, stack)?;
        }
        stack.pop();
        self.targets.push(Target { address, strength, dependee: stack.last().copied() });
        Ok(())
    }

    fn describe(&self, address: Address) -> String {
        let path =
            self.catalog.search_path(self.session.setting("search_path").unwrap_or("public"), &self.session.user);
        describe(self.catalog, &path, address)
    }

    /// What an object is an internal part of.
    fn internal_owner(&self, address: Address) -> Option<Address> {
        let Address::Relation(oid) = address else { return None };
        match self.catalog.relation(oid)? {
            Relation::Sequence(sequence) if sequence.identity => {
                sequence.owned_by.map(|(table, attnum)| Address::Column(Oid(table), attnum))
            }
            Relation::Index(index) => {
                let table = self.catalog.table(index.table)?;
                Some(Address::Constraint(table.oid, constraint_of(table, oid)?))
            }
            _ => None,
        }
    }

    fn dependents(&self, address: Address) -> Result<Vec<(Address, Strength)>> {
        let catalog = self.catalog;
        let mut found = Vec::new();
        match address {
            Address::Schema(schema) => {
                let in_schema = catalog.relations_in(schema).map(|(_, key)| key.oid);
                let is_index = |oid: &Oid| catalog.index(*oid).is_some();
                found.extend(
                    in_schema.filter(|oid| !is_index(oid)).map(|oid| (Address::Relation(oid), Strength::Normal)),
                );
            }
            Address::Relation(oid) => match catalog.relation(oid) {
                Some(Relation::Table(table)) => {
                    let indexes = table.indexes.iter().filter(|&&index| constraint_of(table, index).is_none());
                    found.extend(indexes.map(|&index| (Address::Relation(index), Strength::Silent)));
                    let constraints = table.constraints.iter();
                    found.extend(constraints.map(|known| (Address::Constraint(oid, known.oid), Strength::Silent)));
                    self.owned_sequences(oid, None, &mut found);
                    self.views_of(oid, None, &mut found)?;
                }
                Some(Relation::View(_)) => {
                    self.owned_sequences(oid, None, &mut found);
                    self.views_of(oid, None, &mut found)?;
                }
                Some(Relation::Sequence(_)) => {
                    self.users_of_name(oid, &mut found);
                    self.views_of(oid, None, &mut found)?;
                }
                _ => {}
            },
            Address::Column(table, attnum) => self.column_dependents(table, attnum, &mut found)?,
            Address::Constraint(table, constraint) => {
                let kind = catalog
                    .table(table)
                    .and_then(|table| table.constraints.iter().find(|known| known.oid == constraint))
                    .map(|known| &known.kind);
                if let Some(ConstraintKind::PrimaryKey { index } | ConstraintKind::Unique { index }) = kind {
                    found.push((Address::Relation(*index), Strength::Silent));
                }
            }
            Address::Default(..) => {}
        }
        Ok(found)
    }

    fn owned_sequences(&self, relation: Oid, attnum: Option<i16>, found: &mut Vec<(Address, Strength)>) {
        for sequence in self.catalog.sequences() {
            if let Some((owner, column)) = sequence.owned_by
                && owner == relation.0
                && attnum.is_none_or(|attnum| attnum == column)
            {
                found.push((Address::Relation(sequence.oid), Strength::Silent));
            }
        }
    }

    /// Views that read a relation, or a column of it.
    fn views_of(&self, relation: Oid, attnum: Option<i16>, found: &mut Vec<(Address, Strength)>) -> Result<()> {
        for view in self.catalog.views().filter(|view| view.depends_on.contains(&relation)) {
            let uses = match attnum {
                None => true,
                Some(attnum) => {
                    super::view::columns_used(view, self.catalog, self.session)?.contains(&(relation, attnum))
                }
            };
            if uses {
                found.push((Address::Relation(view.oid), Strength::Normal));
            }
        }
        Ok(())
    }

    /// Defaults that draw from a sequence.
    fn users_of_name(&self, sequence: Oid, found: &mut Vec<(Address, Strength)>) {
        for table in self.catalog.tables() {
            for column in table.live_columns() {
                if column.sequence == Some(sequence) && column.identity.is_none() && column.default.is_some() {
                    found.push((Address::Default(table.oid, column.attnum), Strength::Normal));
                }
            }
        }
    }

    fn column_dependents(&self, table: Oid, attnum: i16, found: &mut Vec<(Address, Strength)>) -> Result<()> {
        self.owned_sequences(table, Some(attnum), found);
        self.views_of(table, Some(attnum), found)?;
        let Some(owner) = self.catalog.table(table) else { return Ok(()) };
        for constraint in &owner.constraints {
            let mentions = match &constraint.kind {
                ConstraintKind::Check { columns, .. } => columns.contains(&attnum),
                ConstraintKind::NotNull { column } => *column == attnum,
                ConstraintKind::PrimaryKey { index } | ConstraintKind::Unique { index } => {
                    let index = self.catalog.index(*index);
                    index.is_some_and(|index| index_attnums(index).any(|known| known == attnum))
                }
            };
            if mentions {
                found.push((Address::Constraint(table, constraint.oid), Strength::Silent));
            }
        }
        for &index in owner.indexes.iter().filter(|&&index| constraint_of(owner, index).is_none()) {
            if let Some(found_index) = self.catalog.index(index)
                && self.index_uses(found_index, owner, attnum)?
            {
                found.push((Address::Relation(index), Strength::Silent));
            }
        }
        for column in owner.live_columns().filter(|column| column.attnum != attnum) {
            if let Some(text) = &column.generated
                && self.text_uses(text, owner, ExpressionUse::Generated(column), attnum)?
            {
                found.push((Address::Column(table, column.attnum), Strength::Normal));
            }
        }
        Ok(())
    }

    fn index_uses(&self, index: &Index, table: &std::sync::Arc<Table>, attnum: i16) -> Result<bool> {
        if index_attnums(index).any(|known| known == attnum) {
            return Ok(true);
        }
        let keys = index.keys.iter().filter_map(|key| key.expression.as_deref());
        for text in keys {
            if self.text_uses(text, table, ExpressionUse::IndexExpression, attnum)? {
                return Ok(true);
            }
        }
        match &index.predicate {
            Some(text) => self.text_uses(text, table, ExpressionUse::IndexPredicate, attnum),
            None => Ok(false),
        }
    }

    fn text_uses(
        &self,
        text: &str,
        table: &std::sync::Arc<Table>,
        usage: ExpressionUse<'_>,
        attnum: i16,
    ) -> Result<bool> {
        let analyzed = analyze_expression_text(text, Some(table), usage, self.catalog, self.session)?;
        let _ = named_relations;
        let live: Vec<i16> = table.live_columns().map(|column| column.attnum).collect();
        Ok(used_columns(&analyzed.expr).into_iter().any(|column| live.get(column) == Some(&attnum)))
    }
}

fn index_attnums(index: &Index) -> impl Iterator<Item = i16> {
    index.keys.iter().map(|key| key.attnum).chain(index.include.iter().copied()).filter(|&attnum| attnum != 0)
}

/// The constraint that an index is behind.
pub(super) fn constraint_of(table: &Table, index: Oid) -> Option<Oid> {
    let behind = |kind: &ConstraintKind| match kind {
        ConstraintKind::PrimaryKey { index: own } | ConstraintKind::Unique { index: own } => *own == index,
        ConstraintKind::Check { .. } | ConstraintKind::NotNull { .. } => false,
    };
    table.constraints.iter().find(|constraint| behind(&constraint.kind)).map(|constraint| constraint.oid)
}
