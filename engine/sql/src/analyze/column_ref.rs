//! `a`, `t.a`, `s.t.a`, `t.*` as expressions (`transformColumnRef`), and fields of composite values.

use helios_types::{PgError, Result, SqlState, oid};

use super::context::ExprContext;
use super::namespace::NamespaceItem;
use super::{Analyzer, at, error, inner, place, string_of};
use crate::expr::{Expr, ExprKind, ExprType, Var, system_column};
use crate::parse::protobuf::{self as pb, node::Node};
use crate::query::RteKind;

impl Analyzer<'_> {
    pub(super) fn column_ref(&mut self, column: &pb::ColumnRef) -> Result<Expr> {
        let location = column.location;
        if let Some(refusal) = self.current().context.column_refusal() {
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, refusal).at(at(location)));
        }
        let [qualifiers @ .., last] = column.fields.as_slice() else {
            return Err(PgError::internal("a column without a name"));
        };
        let (schema, relation) = match qualifiers {
            [] => return self.unqualified_column(string_of(last)?, location),
            [relation] => (None, string_of(relation)?),
            [schema, relation] => (Some(string_of(schema)?), string_of(relation)?),
            [catalog, schema, relation] => {
                if string_of(catalog)? != &*self.session.database {
                    let message = format!("cross-database references are not implemented: {}", dotted(&column.fields)?);
                    return Err(error(SqlState::FEATURE_NOT_SUPPORTED, message).at(at(location)));
                }
                (Some(string_of(schema)?), string_of(relation)?)
            }
            _ => {
                let message = format!("improper qualified name (too many dotted names): {}", dotted(&column.fields)?);
                return Err(error(SqlState::SYNTAX_ERROR, message).at(at(location)));
            }
        };
        let Some((item, levels_up)) = self.find_name(schema, relation, location)? else {
            return Err(self.missing_relation(schema, relation, location));
        };
        let item = item.clone();
        if matches!(inner(last)?, Node::AStar(_)) {
            self.refuse_old_and_new(&item, levels_up, location)?;
            return Ok(self.whole_row(&item, levels_up, location));
        }
        let name = string_of(last)?;
        match self.column_of_item(&item, levels_up, name, location)? {
            Some(column) => Ok(column),
            None => Err(self.missing_column(Some(relation), name, location)),
        }
    }

    fn unqualified_column(&mut self, name: &str, location: i32) -> Result<Expr> {
        if let Some(column) = self.column_by_name(name, false, location)? {
            return Ok(column);
        }
        if let Some((item, levels_up)) = self.find_name(None, name, location)? {
            let item = item.clone();
            self.refuse_old_and_new(&item, levels_up, location)?;
            return Ok(self.whole_row(&item, levels_up, location));
        }
        Err(self.missing_column(None, name, location))
    }

    /// RETURNING's `old` and `new` as one value each, which are NULL where there is no such row.
    fn refuse_old_and_new(&self, item: &NamespaceItem, levels_up: u32, location: i32) -> Result<()> {
        let level = &self.levels[self.levels.len() - 1 - levels_up as usize];
        let is_row = matches!(level.range_table[item.rte].kind, RteKind::Excluded);
        if is_row && level.context == ExprContext::Returning {
            return Err(PgError::unsupported("RETURNING of OLD or NEW as one value").at(at(location)));
        }
        Ok(())
    }

    /// A row as one value (`transformWholeRowRef`).
    pub(super) fn whole_row(&self, item: &NamespaceItem, levels_up: u32, location: i32) -> Expr {
        if item.merged_only {
            let columns = item.columns.iter().map(|column| column.reference(levels_up, location));
            let kind = ExprKind::Row(columns.collect());
            return Expr { kind, ty: ExprType::new(oid::RECORD), location: place(location) };
        }
        let level = &self.levels[self.levels.len() - 1 - levels_up as usize];
        let entry = &level.range_table[item.rte];
        let (column, ty) = match &entry.kind {
            RteKind::Relation { table, .. } => (system_column::WHOLE_ROW, ExprType::new(table.row_type)),
            RteKind::Excluded => match &level.target {
                Some(target) => match &level.range_table[target.rte].kind {
                    RteKind::Relation { table, .. } => (system_column::WHOLE_ROW, ExprType::new(table.row_type)),
                    _ => (system_column::WHOLE_ROW, ExprType::new(oid::RECORD)),
                },
                None => (system_column::WHOLE_ROW, ExprType::new(oid::RECORD)),
            },
            RteKind::Functions { functions, ordinality: false } => match functions.as_slice() {
                // A scalar function's row is its value.
                [only] if only.ty.oid != oid::RECORD && !self.is_row_type(only.ty.oid) => (0, entry.columns[0].ty),
                [only] => (system_column::WHOLE_ROW, only.ty),
                _ => (system_column::WHOLE_ROW, ExprType::new(oid::RECORD)),
            },
            RteKind::Subquery(_) if !entry.view.is_none() => {
                let row_type = self.row_type_of(entry.view).unwrap_or(oid::RECORD);
                (system_column::WHOLE_ROW, ExprType::new(row_type))
            }
            _ => (system_column::WHOLE_ROW, ExprType::new(oid::RECORD)),
        };
        let var = Var { rte: item.rte, column, levels_up };
        Expr { kind: ExprKind::Var(var), ty, location: place(location) }
    }

    /// `(composite).field`.
    pub(super) fn field_selection(&mut self, value: Expr, name: &str, location: Option<usize>) -> Result<Expr> {
        if let Some(field) = self.project_field(&value, name)? {
            return Ok(field);
        }
        if let ExprKind::Var(var) = &value.kind
            && var.column == system_column::WHOLE_ROW
        {
            let entry = &self.levels[self.levels.len() - 1 - var.levels_up as usize].range_table[var.rte];
            let message = format!("column {}.{name} does not exist", entry.alias);
            return Err(error(SqlState::UNDEFINED_COLUMN, message).at(location));
        }
        let type_oid = value.ty.oid;
        if type_oid == oid::RECORD {
            let message = format!("could not identify column \"{name}\" in record data type");
            return Err(error(SqlState::UNDEFINED_COLUMN, message).at(location));
        }
        if self.is_row_type(type_oid) {
            let message = format!("column \"{name}\" not found in data type {}", self.format_type(type_oid, -1));
            return Err(error(SqlState::UNDEFINED_COLUMN, message).at(location));
        }
        let message = format!(
            "column notation .{name} applied to type {}, which is not a composite type",
            self.format_type(type_oid, -1)
        );
        Err(error(SqlState::WRONG_OBJECT_TYPE, message).at(location))
    }

    /// A field of a composite value by name (`ParseComplexProjection`); `None` when it has none of that name.
    pub(super) fn project_field(&mut self, value: &Expr, name: &str) -> Result<Option<Expr>> {
        // A whole row's field is simply the column.
        if let ExprKind::Var(var) = &value.kind
            && var.column == system_column::WHOLE_ROW
        {
            let entry = &self.levels[self.levels.len() - 1 - var.levels_up as usize].range_table[var.rte];
            let found = entry.columns.iter().position(|column| column.name == name);
            return Ok(found.map(|index| {
                let column = i32::try_from(index).expect("a relation has at most 1,600 columns");
                let ty = entry.columns[index].ty;
                Expr { kind: ExprKind::Var(Var { column, ..*var }), ty, location: value.location }
            }));
        }
        let Some(fields) = self.composite_columns(value) else { return Ok(None) };
        let found = fields.iter().position(|(field, _)| field == name);
        Ok(found.map(|index| {
            let ty = fields[index].1;
            let location = value.location;
            Expr { kind: ExprKind::Field(Box::new(value.clone()), index), ty, location }
        }))
    }

    /// Names and types of a composite value's fields, as far as its expression tells (`expandRecordVariable`).
    pub(super) fn composite_columns(&self, value: &Expr) -> Option<Vec<(String, ExprType)>> {
        if let ExprKind::Var(var) = &value.kind
            && var.column == system_column::WHOLE_ROW
        {
            let entry = &self.levels[self.levels.len() - 1 - var.levels_up as usize].range_table[var.rte];
            return Some(entry.columns.iter().map(|column| (column.name.clone(), column.ty)).collect());
        }
        if value.ty.oid != oid::RECORD {
            return self.row_type_columns(value.ty.oid);
        }
        match &value.kind {
            ExprKind::Row(fields) => {
                Some((1..).zip(fields).map(|(n, field): (usize, _)| (format!("f{n}"), field.ty)).collect())
            }
            ExprKind::Func(call) | ExprKind::SetReturning(call) => self.result_columns(call, value.ty.oid).flatten(),
            ExprKind::Var(var) => {
                let entry = &self.levels[self.levels.len() - 1 - var.levels_up as usize].range_table[var.rte];
                let column = usize::try_from(var.column).ok()?;
                match &entry.kind {
                    RteKind::Subquery(query) => {
                        let entry = query.target_list.iter().filter(|entry| !entry.junk).nth(column)?;
                        match &entry.expr.kind {
                            ExprKind::Row(_) | ExprKind::Func(_) | ExprKind::SetReturning(_) => {
                                self.composite_columns(&entry.expr)
                            }
                            ExprKind::Var(inner)
                                if inner.column == system_column::WHOLE_ROW && inner.levels_up == 0 =>
                            {
                                let inner = &query.range_table[inner.rte];
                                Some(inner.columns.iter().map(|c| (c.name.clone(), c.ty)).collect())
                            }
                            _ => None,
                        }
                    }
                    RteKind::Join { join_columns } => self.composite_columns(join_columns.get(column)?),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// A qualified name as messages show it.
pub(super) fn dotted(fields: &[pb::Node]) -> Result<String> {
    let part = |node: &pb::Node| match inner(node)? {
        Node::AStar(_) => Ok("*".to_owned()),
        _ => Ok(string_of(node)?.to_owned()),
    };
    Ok(fields.iter().map(part).collect::<Result<Vec<String>>>()?.join("."))
}
