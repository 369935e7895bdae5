//! What the analyzer asks of the catalog: relations, types, functions.

use std::sync::Arc;

use helios_catalog::facts;
use helios_catalog::model::{Relation as Named, RelationKind, Table, View};
use helios_catalog::resolve::{CoercionContext, Lookup};
use helios_types::{Oid, PgError, Result, SqlState, TypeMod, oid};

use super::from_clause::check_range_var;
use super::{Analyzer, at, error, name_list};
use crate::expr::{ExprType, FuncExpr};
use crate::parse::protobuf as pb;
use crate::query::RteColumn;

/// A relation that can be read.
pub(super) enum Relation {
    /// A user's table.
    Table(Arc<Table>),
    /// A user's view.
    View(Arc<View>),
    /// A relation of the system, or a sequence: computed when read.
    System { oid: Oid, name: String, columns: Vec<RteColumn> },
}

impl Relation {
    pub(super) fn oid(&self) -> Oid {
        match self {
            Relation::Table(table) => table.oid,
            Relation::View(view) => view.oid,
            Relation::System { oid, .. } => *oid,
        }
    }
}

impl<'a> Analyzer<'a> {
    pub(super) fn lookup(&self) -> Lookup<'a> {
        Lookup { catalog: self.catalog, search_path: self.search_path }
    }

    pub(super) fn relation_oid(&self, schema: Option<&str>, name: &str) -> Option<Oid> {
        self.catalog.find_relation(self.search_path, schema, name).map(|relation| relation.oid())
    }

    pub(super) fn relation_oid_in_schema(&self, schema: &str, name: &str) -> Option<Oid> {
        self.relation_oid(Some(schema), name)
    }

    /// The relation that a name of FROM means, ready to be read (`parserOpenTable`).
    pub(super) fn open_relation(&self, range_var: &pb::RangeVar) -> Result<Relation> {
        let relation = self.named_relation(range_var)?;
        match relation {
            Named::Table(table) => Ok(Relation::Table(table.clone())),
            Named::View(view) => Ok(Relation::View(view.clone())),
            Named::Sequence(sequence) => {
                Ok(Relation::System { oid: sequence.oid, name: sequence.name.clone(), columns: sequence_columns() })
            }
            Named::System(system) if relation.kind() != RelationKind::Index => Ok(Relation::System {
                oid: system.oid,
                name: system.name.to_owned(),
                columns: system_columns(system.oid),
            }),
            Named::Index(_) | Named::System(_) => {
                let message = format!("cannot open relation \"{}\"", relation.name());
                Err(error(SqlState::WRONG_OBJECT_TYPE, message)
                    .with_detail("This operation is not supported for indexes.")
                    .at(at(range_var.location)))
            }
        }
    }

    /// The relation of any kind that a name means.
    pub(super) fn named_relation(&self, range_var: &pb::RangeVar) -> Result<Named<'a>> {
        check_range_var(range_var)?;
        let schema = (!range_var.schemaname.is_empty()).then_some(range_var.schemaname.as_str());
        self.catalog
            .find_relation(self.search_path, schema, &range_var.relname)
            .ok_or_else(|| self.undefined_relation(range_var))
    }

    pub(super) fn row_type_of(&self, relation: Oid) -> Option<Oid> {
        match self.catalog.relation(relation)? {
            Named::Table(table) => Some(table.row_type),
            Named::View(view) => Some(view.row_type),
            Named::System(system) => Some(system.row_type).filter(|oid| !oid.is_none()),
            Named::Index(_) | Named::Sequence(_) => None,
        }
    }

    /// Names and types of a row type's fields.
    pub(super) fn row_type_columns(&self, row_type: Oid) -> Option<Vec<(String, ExprType)>> {
        let relation = self.lookup().relation_of_row_type(row_type)?;
        let of_columns = |columns: &[helios_catalog::model::Column]| {
            let live = columns.iter().filter(|column| !column.dropped);
            live.map(|column| {
                let ty = ExprType { oid: column.type_oid, typmod: column.typmod, collation: column.collation };
                (column.name.clone(), ty)
            })
            .collect()
        };
        match self.catalog.relation(relation)? {
            Named::Table(table) => Some(of_columns(&table.columns)),
            Named::View(view) => Some(of_columns(&view.columns)),
            Named::System(system) => {
                Some(system_columns(system.oid).into_iter().map(|column| (column.name, column.ty)).collect())
            }
            Named::Index(_) | Named::Sequence(_) => None,
        }
    }

    /// Whether values of the type are rows (`type_is_rowtype`).
    pub(super) fn is_row_type(&self, type_oid: Oid) -> bool {
        type_oid == oid::RECORD || self.lookup().is_complex(type_oid)
    }

    pub(super) fn base_type(&self, type_oid: Oid) -> Oid {
        self.lookup().base_type(type_oid)
    }

    /// The element type of an array type.
    pub(super) fn element_type(&self, array: Oid) -> Option<Oid> {
        self.lookup().element_type(array)
    }

    /// The array type over a type.
    pub(super) fn array_type(&self, element: Oid) -> Option<Oid> {
        self.lookup().array_type(element)
    }

    /// The type's default collation; none when its values are not collated.
    pub(super) fn type_collation(&self, type_oid: Oid) -> Oid {
        self.lookup().type_by_oid(self.base_type(type_oid)).map_or(Oid::NONE, |row| row.collation)
    }

    /// The type's name in messages.
    pub(super) fn format_type(&self, type_oid: Oid, typmod: TypeMod) -> String {
        if typmod < 0 { self.lookup().format_type(type_oid) } else { self.lookup().format_type_with(type_oid, typmod) }
    }

    pub(super) fn can_coerce(&self, source: Oid, target: Oid, context: CoercionContext) -> bool {
        self.lookup().can_coerce(&[source], &[target], context)
    }

    /// Whether a modifier of the type changes its values.
    pub(super) fn has_length_coercion(&self, type_oid: Oid) -> bool {
        let element = self.element_type(type_oid).unwrap_or(type_oid);
        self.lookup().length_coercion(element).is_some()
    }

    /// `anyelement` and its kin.
    pub(super) fn is_polymorphic(&self, type_oid: Oid) -> bool {
        matches!(
            type_oid,
            oid::ANYELEMENT
                | oid::ANYARRAY
                | oid::ANYNONARRAY
                | oid::ANYENUM
                | oid::ANYRANGE
                | ANYMULTIRANGE
                | oid::ANYCOMPATIBLE
                | oid::ANYCOMPATIBLEARRAY
                | oid::ANYCOMPATIBLENONARRAY
                | oid::ANYCOMPATIBLERANGE
                | ANYCOMPATIBLEMULTIRANGE
        )
    }

    /// Polymorphic types whose values must show what they are: an unknown literal is none.
    pub(super) fn is_container_pseudo_type(&self, type_oid: Oid) -> bool {
        self.is_polymorphic(type_oid)
            && !matches!(type_oid, oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY)
    }

    pub(super) fn returns_set(&self, function: Oid) -> bool {
        facts::procs().by_oid(function).is_some_and(|proc| proc.returns_set)
    }

    pub(super) fn argument_count(&self, function: Oid) -> u16 {
        facts::procs().by_oid(function).map_or(1, |proc| proc.arg_count)
    }

    pub(super) fn has_out_parameters(&self, call: &FuncExpr) -> bool {
        facts::procs().by_oid(call.function).is_some_and(|proc| !proc.output_columns().is_empty())
    }

    /// The name of a function's only OUT parameter.
    pub(super) fn single_out_name(&self, call: &FuncExpr) -> Option<&'static str> {
        let columns = facts::procs().by_oid(call.function)?.output_columns();
        match columns.as_slice() {
            [(name, _)] if !name.is_empty() => Some(name),
            _ => None,
        }
    }

    /// The columns of a call's result: `Some(None)` for a scalar, `None` for a record that does not say, or for
    /// a type that cannot stand in FROM.
    pub(super) fn result_columns(&self, call: &FuncExpr, result: Oid) -> Option<Option<Vec<(String, ExprType)>>> {
        if result == oid::RECORD {
            let outputs = facts::procs().by_oid(call.function)?.output_columns();
            if outputs.len() < 2 {
                return None;
            }
            let column = |(index, (name, type_oid)): (usize, (&str, Oid))| {
                let name = if name.is_empty() { format!("column{}", index + 1) } else { name.to_owned() };
                let ty = ExprType { oid: type_oid, typmod: -1, collation: self.type_collation(type_oid) };
                (name, ty)
            };
            return Some(Some(outputs.into_iter().enumerate().map(column).collect()));
        }
        if let Some(columns) = self.row_type_columns(result) {
            return Some(Some(columns));
        }
        let pseudo = self.lookup().type_by_oid(result).is_some_and(|row| row.kind == facts::TypeKind::Pseudo);
        (!pseudo || matches!(result, oid::VOID | oid::CSTRING)).then_some(None)
    }

    /// A collation by name (`get_collation_oid`).
    pub(super) fn collation_by_name(&self, name: &[pb::Node], location: i32) -> Result<Oid> {
        let parts = name_list(name)?;
        let (schema, name) = match parts.as_slice() {
            [name] => (None, *name),
            [schema, name] => (Some(self.catalog.lookup_schema(schema).map_err(|e| e.at(at(location)))?), *name),
            _ => return Err(PgError::internal("a collation's name")),
        };
        let found = facts::collations().all().iter().find(|collation| {
            collation.name == name
                && match schema {
                    Some(schema) => collation.namespace == schema,
                    None => self.search_path.contains(&collation.namespace),
                }
        });
        found.map(|collation| collation.oid).ok_or_else(|| {
            let message = format!("collation \"{}\" for encoding \"UTF8\" does not exist", parts.join("."));
            error(SqlState::UNDEFINED_OBJECT, message).at(at(location))
        })
    }
}

/// `anymultirange`.
const ANYMULTIRANGE: Oid = Oid(4537);
/// `anycompatiblemultirange`.
const ANYCOMPATIBLEMULTIRANGE: Oid = Oid(4538);

/// The columns of a system relation.
fn system_columns(relation: Oid) -> Vec<RteColumn> {
    let columns = facts::attributes().of(relation).iter().filter(|column| column.number > 0);
    columns
        .map(|column| RteColumn {
            name: column.name.to_owned(),
            ty: ExprType { oid: column.type_oid, typmod: column.modifier, collation: column.collation },
            attnum: column.number,
        })
        .collect()
}

/// The columns that a sequence shows when it is read like a table.
fn sequence_columns() -> Vec<RteColumn> {
    [("last_value", oid::INT8), ("log_cnt", oid::INT8), ("is_called", oid::BOOL)]
        .into_iter()
        .zip(1..)
        .map(|((name, type_oid), attnum)| RteColumn { name: name.to_owned(), ty: ExprType::new(type_oid), attnum })
        .collect()
}
