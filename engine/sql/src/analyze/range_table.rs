//! Entries of the range table: relations, views, subqueries, functions, VALUES, WITH queries.

use std::sync::Arc;

use helios_types::{Oid, PgError, Result, SqlState, oid};

use super::lookup::Relation;
use super::namespace::NamespaceItem;
use super::{Analyzer, at, error, name_list};
use crate::expr::{Expr, ExprType};
use crate::parse::protobuf as pb;
use crate::query::{Command, Query, RangeFunction, RangeTblEntry, RteColumn, RteKind};

/// An alias as written: the name and the column names.
pub(super) struct Alias<'r> {
    pub(super) name: &'r str,
    pub(super) columns: Vec<&'r str>,
}

impl<'r> Alias<'r> {
    pub(super) fn of(alias: Option<&'r pb::Alias>) -> Result<Option<Alias<'r>>> {
        alias.map(|alias| Ok(Alias { name: &alias.aliasname, columns: name_list(&alias.colnames)? })).transpose()
    }
}

/// A function of FROM, analyzed.
pub(super) struct FunctionItem<'r> {
    pub(super) function: RangeFunction,
    /// The function's name, for a scalar function's column.
    pub(super) name: String,
    /// Names and types of its result's columns when it is composite; `None` for a scalar.
    pub(super) columns: Option<Vec<(String, ExprType)>>,
    /// The name of a single OUT parameter.
    pub(super) result_name: Option<&'r str>,
}

impl Analyzer<'_> {
    /// Adds an entry to the current level's range table.
    pub(super) fn add_entry(&mut self, entry: RangeTblEntry) -> NamespaceItem {
        let table = &mut self.level().range_table;
        table.push(entry);
        let index = table.len() - 1;
        NamespaceItem::of(index, &table[index])
    }

    /// A table, view or WITH query by name (`getNSItemForSpecialRelationTypes`, `transformTableEntry`).
    pub(super) fn add_range_var(&mut self, range_var: &pb::RangeVar) -> Result<NamespaceItem> {
        let alias = Alias::of(range_var.alias.as_ref())?;
        if range_var.schemaname.is_empty()
            && range_var.catalogname.is_empty()
            && let Some((levels_up, index)) = self.find_cte(&range_var.relname)
        {
            return self.add_cte(range_var, alias, levels_up, index);
        }
        let relation = self.open_relation(range_var)?;
        self.add_relation(relation, alias)
    }

    /// An entry for an opened relation; a view is expanded.
    pub(super) fn add_relation(&mut self, relation: Relation, alias: Option<Alias<'_>>) -> Result<NamespaceItem> {
        let unaliased = alias.is_none();
        let oid = relation.oid();
        self.dependencies.insert(oid);
        let (name, kind, columns, view) = match relation {
            Relation::Table(table) => {
                let columns = table.live_columns().map(|column| RteColumn {
                    name: column.name.clone(),
                    ty: ExprType { oid: column.type_oid, typmod: column.typmod, collation: column.collation },
                    attnum: column.attnum,
                });
                let columns = columns.collect();
                (table.name.clone(), RteKind::Relation { table, inherited: false }, columns, Oid::NONE)
            }
            Relation::System { oid, name, columns } => (name, RteKind::System { oid }, columns, Oid::NONE),
            Relation::View(view) => {
                let query = self.expand_view(&view)?;
                let columns = view.columns.iter().filter(|column| !column.dropped).map(|column| RteColumn {
                    name: column.name.clone(),
                    ty: ExprType { oid: column.type_oid, typmod: column.typmod, collation: column.collation },
                    attnum: column.attnum,
                });
                (view.name.clone(), RteKind::Subquery(Arc::new(query)), columns.collect(), view.oid)
            }
        };
        let columns = rename_columns(columns, alias.as_ref())?;
        let alias = alias.map_or(name, |alias| alias.name.to_owned());
        let mut item = self.add_entry(RangeTblEntry { kind, alias, columns, lateral: false, view });
        item.relation = unaliased.then_some(oid);
        Ok(item)
    }

    /// A subquery in FROM.
    pub(super) fn add_subquery(
        &mut self,
        query: Query,
        alias: Option<Alias<'_>>,
        lateral: bool,
    ) -> Result<NamespaceItem> {
        let name = alias.as_ref().map_or("unnamed_subquery", |alias| alias.name).to_owned();
        let columns = rename_columns(query_columns(&query), alias.as_ref())?;
        let visible = alias.is_some();
        let kind = RteKind::Subquery(Arc::new(query));
        let mut item = self.add_entry(RangeTblEntry { kind, alias: name, columns, lateral, view: Oid::NONE });
        item.rel_visible = visible;
        Ok(item)
    }

    /// VALUES lists: `columns` are the types of the columns.
    pub(super) fn add_values(&mut self, rows: Vec<Vec<Expr>>, types: Vec<ExprType>, lateral: bool) -> NamespaceItem {
        let columns = types.into_iter().enumerate();
        let columns = columns.map(|(i, ty)| RteColumn { name: format!("column{}", i + 1), ty, attnum: 0 });
        let columns = columns.collect();
        self.add_entry(RangeTblEntry {
            kind: RteKind::Values(rows),
            alias: "*VALUES*".to_owned(),
            columns,
            lateral,
            view: Oid::NONE,
        })
    }

    /// Functions in FROM (`addRangeTableEntryForFunction`).
    pub(super) fn add_functions(
        &mut self,
        functions: Vec<FunctionItem<'_>>,
        ordinality: bool,
        alias: Option<Alias<'_>>,
        lateral: bool,
    ) -> Result<NamespaceItem> {
        let name = alias.as_ref().map_or_else(|| functions[0].name.clone(), |alias| alias.name.to_owned());
        let several = functions.len() > 1;
        let mut columns = Vec::new();
        let mut calls = Vec::new();
        for item in functions {
            match item.columns {
                Some(composite) => {
                    columns.extend(composite.into_iter().map(|(name, ty)| RteColumn { name, ty, attnum: 0 }));
                }
                None => {
                    let column = match (item.result_name, &alias) {
                        (Some(name), _) => name.to_owned(),
                        (None, Some(alias)) if !several => alias.name.to_owned(),
                        _ => item.name,
                    };
                    columns.push(RteColumn { name: column, ty: item.function.ty, attnum: 0 });
                }
            }
            calls.push(item.function);
        }
        if ordinality {
            columns.push(RteColumn { name: "ordinality".to_owned(), ty: ExprType::new(oid::INT8), attnum: 0 });
        }
        let columns = rename_columns(columns, alias.as_ref())?;
        let kind = RteKind::Functions { functions: calls, ordinality };
        Ok(self.add_entry(RangeTblEntry { kind, alias: name, columns, lateral, view: Oid::NONE }))
    }

    /// A reference to a WITH query (`addRangeTableEntryForCTE`).
    fn add_cte(
        &mut self,
        range_var: &pb::RangeVar,
        alias: Option<Alias<'_>>,
        levels_up: u32,
        index: usize,
    ) -> Result<NamespaceItem> {
        let depth = self.levels.len() - 1 - levels_up as usize;
        let slot = &mut self.levels[depth].ctes[index];
        slot.references += 1;
        let self_reference = slot.in_progress;
        if self_reference && !slot.columns_known {
            return Err(PgError::internal("a recursive query's columns are not known yet"));
        }
        if slot.without_returning {
            let message = format!("WITH query \"{}\" does not have a RETURNING clause", slot.cte.name);
            return Err(error(SqlState::FEATURE_NOT_SUPPORTED, message).at(at(range_var.location)));
        }
        let name = slot.cte.name.clone();
        let columns = slot.cte.columns.clone();
        let columns = rename_columns(columns, alias.as_ref())?;
        let alias = alias.map_or_else(|| name.clone(), |alias| alias.name.to_owned());
        let kind = RteKind::Cte { name, levels_up, index, self_reference };
        Ok(self.add_entry(RangeTblEntry { kind, alias, columns, lateral: false, view: Oid::NONE }))
    }

    /// The WITH query of this name that is visible here: levels up, and index there (`scanNameSpaceForCTE`).
    pub(super) fn find_cte(&self, name: &str) -> Option<(u32, usize)> {
        (0u32..).zip(self.levels.iter().rev()).find_map(|(levels_up, level)| {
            let index = level.ctes.iter().rposition(|slot| slot.cte.name == name)?;
            Some((levels_up, index))
        })
    }

    /// 42P01, with the hint about WITH (`parserOpenTable`).
    pub(super) fn undefined_relation(&self, range_var: &pb::RangeVar) -> PgError {
        let name = &range_var.relname;
        let undefined = |name: String| {
            error(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist")).at(at(range_var.location))
        };
        if !range_var.schemaname.is_empty() {
            return undefined(format!("{}.{name}", range_var.schemaname));
        }
        if self.levels.iter().any(|level| level.future_ctes.contains(name)) {
            return undefined(name.clone())
                .with_detail(format!(
                    "There is a WITH item named \"{name}\", but it cannot be referenced from this part of the query."
                ))
                .with_hint("Use WITH RECURSIVE, or re-order the WITH items to remove forward references.");
        }
        undefined(name.clone())
    }
}

/// The columns that a query returns, as an entry's.
pub(super) fn query_columns(query: &Query) -> Vec<RteColumn> {
    let list = if query.command == Command::Select { &query.target_list } else { &query.returning };
    let visible = list.iter().filter(|entry| !entry.junk);
    visible.map(|entry| RteColumn { name: entry.name.clone(), ty: entry.expr.ty, attnum: 0 }).collect()
}

/// Applies an alias's column names to the first columns (`buildRelationAliases`).
fn rename_columns(mut columns: Vec<RteColumn>, alias: Option<&Alias<'_>>) -> Result<Vec<RteColumn>> {
    let Some(alias) = alias else { return Ok(columns) };
    if alias.columns.len() > columns.len() {
        return Err(error(
            SqlState::INVALID_COLUMN_REFERENCE,
            format!(
                "table \"{}\" has {} columns available but {} columns specified",
                alias.name,
                columns.len(),
                alias.columns.len()
            ),
        ));
    }
    for (column, renamed) in columns.iter_mut().zip(&alias.columns) {
        column.name = (*renamed).to_owned();
    }
    Ok(columns)
}
