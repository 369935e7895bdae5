//! The namespace: which names can be seen at this point of a statement, and what columns they mean.
//!
//! A range table entry is visible by its name, by its columns, by both or not at all: after `a JOIN b USING (x) AS j`,
//! `a` and `b` are visible by name only, `j` by name, the join's columns without a name. Inside FROM, the items to the
//! left are *lateral only*: seen from a LATERAL item, and refused there when the join between is RIGHT or FULL.

use helios_types::{Oid, PgError, Result, SqlState};

use super::{Analyzer, Level, at, error};
use crate::expr::{Expr, ExprKind, ExprType, Var, system_column};
use crate::query::{RangeTblEntry, RteKind};

/// A name in the namespace: PostgreSQL's `ParseNamespaceItem`.
#[derive(Clone, Debug)]
pub(super) struct NamespaceItem {
    /// The name.
    pub(super) name: String,
    /// The entry, in the range table of the item's level.
    pub(super) rte: usize,
    /// For a relation without an alias: its OID, so that `schema.table.column` finds it.
    pub(super) relation: Option<Oid>,
    /// Columns, in the entry's order.
    pub(super) columns: Vec<NamespaceColumn>,
    /// Visible as `name.*`.
    pub(super) rel_visible: bool,
    /// Visible as bare column names.
    pub(super) cols_visible: bool,
    /// Visible from LATERAL items only.
    pub(super) lateral_only: bool,
    /// Whether such a reference is allowed.
    pub(super) lateral_ok: bool,
    /// `JOIN ... USING (...) AS name`: only the merged columns go by that name.
    pub(super) merged_only: bool,
}

/// A column in the namespace.
#[derive(Clone, Debug)]
pub(super) struct NamespaceColumn {
    /// Its name.
    pub(super) name: String,
    /// The column it stands for: of the entry itself, or of a join's side.
    pub(super) rte: usize,
    /// Column of that entry.
    pub(super) column: i32,
    /// Its type.
    pub(super) ty: ExprType,
}

impl NamespaceItem {
    /// An entry under its own name, visible in every way.
    pub(super) fn of(rte: usize, entry: &RangeTblEntry) -> NamespaceItem {
        let columns = entry.columns.iter().enumerate().map(|(index, column)| NamespaceColumn {
            name: column.name.clone(),
            rte,
            column: i32::try_from(index).expect("a relation has at most 1,600 columns"),
            ty: column.ty,
        });
        NamespaceItem {
            name: entry.alias.clone(),
            rte,
            relation: None,
            columns: columns.collect(),
            rel_visible: true,
            cols_visible: true,
            lateral_only: false,
            lateral_ok: true,
            merged_only: false,
        }
    }
}

impl Level {
    /// Whether an item can be seen from here at all.
    fn sees(&self, item: &NamespaceItem) -> bool {
        !item.lateral_only || self.lateral_active
    }
}

impl Analyzer<'_> {
    /// The item that a name means, with the number of levels up (`refnameNamespaceItem`).
    pub(super) fn find_name(
        &self,
        schema: Option<&str>,
        name: &str,
        location: i32,
    ) -> Result<Option<(&NamespaceItem, u32)>> {
        let relation = match schema {
            None => None,
            // A qualified name means the unaliased relation of that name and schema.
            Some(schema) => match self.relation_oid_in_schema(schema, name) {
                Some(oid) => Some(oid),
                None => return Ok(None),
            },
        };
        for (levels_up, level) in (0u32..).zip(self.levels.iter().rev()) {
            let mut found: Option<&NamespaceItem> = None;
            for item in level.namespace.iter().filter(|item| item.rel_visible && level.sees(item)) {
                let matches = match relation {
                    None => item.name == name,
                    Some(oid) => item.relation == Some(oid),
                };
                if !matches {
                    continue;
                }
                if found.is_some() {
                    let message = match relation {
                        None => format!("table reference \"{name}\" is ambiguous"),
                        Some(oid) => format!("table reference {oid} is ambiguous"),
                    };
                    return Err(error(SqlState::AMBIGUOUS_ALIAS, message).at(at(location)));
                }
                self.check_lateral_allowed(levels_up, item, location)?;
                found = Some(item);
            }
            if let Some(item) = found {
                return Ok(Some((item, levels_up)));
            }
        }
        Ok(None)
    }

    /// Refuses a lateral reference across a RIGHT or FULL join (`check_lateral_ref_ok`).
    pub(super) fn check_lateral_allowed(&self, levels_up: u32, item: &NamespaceItem, location: i32) -> Result<()> {
        if !item.lateral_only || item.lateral_ok {
            return Ok(());
        }
        let level = &self.levels[self.levels.len() - 1 - levels_up as usize];
        let name = &item.name;
        let message = format!("invalid reference to FROM-clause entry for table \"{name}\"");
        let refusal = error(SqlState::INVALID_COLUMN_REFERENCE, message).at(at(location));
        Err(if level.target.as_ref().is_some_and(|target| target.rte == item.rte) {
            refusal.with_hint(format!(
                "There is an entry for table \"{name}\", but it cannot be referenced from this part of the query."
            ))
        } else {
            refusal.with_detail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.")
        })
    }

    /// A bare column name, looked up outwards level by level (`colNameToVar`).
    pub(super) fn column_by_name(&mut self, name: &str, local_only: bool, location: i32) -> Result<Option<Expr>> {
        for levels_up in 0..self.levels.len() {
            let level = &self.levels[self.levels.len() - 1 - levels_up];
            let mut found = None;
            for item in level.namespace.iter().filter(|item| item.cols_visible && level.sees(item)) {
                let Some(column) = self.column_of_item(item, levels_up as u32, name, location)? else { continue };
                if found.is_some() {
                    return Err(ambiguous_column(name, location));
                }
                self.check_lateral_allowed(levels_up as u32, item, location)?;
                found = Some(column);
            }
            if found.is_some() || local_only {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// A column of one item (`scanNSItemForColumn`).
    pub(super) fn column_of_item(
        &self,
        item: &NamespaceItem,
        levels_up: u32,
        name: &str,
        location: i32,
    ) -> Result<Option<Expr>> {
        let mut matching = item.columns.iter().filter(|column| column.name == name);
        let found = matching.next();
        if matching.next().is_some() {
            return Err(ambiguous_column(name, location));
        }
        if let Some(column) = found {
            return Ok(Some(column.reference(levels_up, location)));
        }
        let level = &self.levels[self.levels.len() - 1 - levels_up as usize];
        let kind = &level.range_table[item.rte].kind;
        if let RteKind::System { oid } = kind
            && let Some(hidden) = hidden_column(*oid, name)
        {
            return Ok(Some(hidden.at(super::place(location))));
        }
        match kind {
            RteKind::Relation { .. } | RteKind::System { .. } if !item.merged_only => {
                self.system_column(item.rte, levels_up, name, location)
            }
            _ => Ok(None),
        }
    }

    /// `ctid`, `xmin`, ... of a table.
    fn system_column(&self, rte: usize, levels_up: u32, name: &str, location: i32) -> Result<Option<Expr>> {
        if !matches!(name, "ctid" | "xmin" | "cmin" | "xmax" | "cmax" | "tableoid") {
            return Ok(None);
        }
        let context = self.current().context;
        if name != "tableoid" {
            let refusal = match context {
                super::ExprContext::CheckConstraint => {
                    format!("system column \"{name}\" reference in check constraint is invalid")
                }
                super::ExprContext::GeneratedColumn => {
                    format!("cannot use system column \"{name}\" in column generation expression")
                }
                _ => return Err(PgError::unsupported(format!("system column \"{name}\"")).at(at(location))),
            };
            return Err(error(SqlState::INVALID_COLUMN_REFERENCE, refusal).at(at(location)));
        }
        let var = Var { rte, column: system_column::TABLEOID, levels_up };
        let ty = ExprType::new(helios_types::oid::OID);
        Ok(Some(Expr { kind: ExprKind::Var(var), ty, location: super::place(location) }))
    }

    /// Adds an item to the current level's namespace.
    pub(super) fn show(&mut self, item: NamespaceItem, rel_visible: bool, cols_visible: bool) {
        self.level().namespace.push(NamespaceItem {
            rel_visible,
            cols_visible,
            lateral_only: false,
            lateral_ok: true,
            ..item
        });
    }
}

impl NamespaceColumn {
    /// A Var for the column.
    pub(super) fn reference(&self, levels_up: u32, location: i32) -> Expr {
        let var = Var { rte: self.rte, column: self.column, levels_up };
        Expr { kind: ExprKind::Var(var), ty: self.ty, location: super::place(location) }
    }
}

fn ambiguous_column(name: &str, location: i32) -> PgError {
    error(SqlState::AMBIGUOUS_COLUMN, format!("column reference \"{name}\" is ambiguous")).at(at(location))
}

/// Two items of one FROM may not have the same name (`checkNameSpaceConflicts`).
pub(super) fn check_name_conflicts(left: &[NamespaceItem], right: &[NamespaceItem]) -> Result<()> {
    for a in left.iter().filter(|item| item.rel_visible) {
        for b in right.iter().filter(|item| item.rel_visible) {
            // The same name for two relations of different schemas is no conflict: qualification tells them apart.
            let both_plain = matches!((a.relation, b.relation), (Some(x), Some(y)) if x != y);
            if a.name == b.name && !both_plain {
                let message = format!("table name \"{}\" specified more than once", a.name);
                return Err(error(SqlState::DUPLICATE_ALIAS, message));
            }
        }
    }
    Ok(())
}

/// Marks items as visible from LATERAL items only, or ends that.
pub(super) fn set_lateral(namespace: &mut [NamespaceItem], lateral_only: bool, lateral_ok: bool) {
    for item in namespace {
        item.lateral_only = lateral_only;
        item.lateral_ok = lateral_ok;
    }
}

/// A column that older clients ask for and PostgreSQL 18 does not have: always NULL.
fn hidden_column(relation: Oid, name: &str) -> Option<Expr> {
    let hidden = helios_catalog::system::hidden_columns(relation).iter().find(|column| column.name == name)?;
    Some(Expr::null(ExprType { oid: hidden.type_oid, typmod: hidden.modifier, collation: hidden.collation }))
}

/// Hides the columns' bare names (a join's sides, once its own columns stand for them).
pub(super) fn hide_columns(namespace: &mut [NamespaceItem]) {
    for item in namespace {
        item.cols_visible = false;
    }
}
