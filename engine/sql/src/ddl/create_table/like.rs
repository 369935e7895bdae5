//! LIKE in CREATE TABLE: another relation's columns, and what else INCLUDING asks for.
//!
//! Expressions are kept as text that names columns by their names, which are the same in the new table: they are parsed
//! and become the new table's like any that were written. Indexes become statements of their own, run once the table is
//! there.

use std::sync::Arc;

use helios_catalog::facts;
use helios_catalog::model::{Column, Comment, ConstraintKind, Index, IndexKey, Relation, Sequence, Table};
use helios_txn::TableLockMode;
use helios_types::{PgError, Result, SqlState};

use super::build::default_opclass;
use super::definition::{CheckSpec, ColumnSpec, Definition, KeySpec, NotNullSpec};
use crate::ddl::drop::PG_CLASS;
use crate::ddl::locks::{not_supported_for, position, relation_of};
use crate::ddl::{DdlContext, create_index, next_oid};
use crate::parse::protobuf::node::Node;
use crate::parse::protobuf::{self as pb, SortByDir, SortByNulls};

/// `TableLikeOption`'s bits.
const COMMENTS: u32 = 1;
const CONSTRAINTS: u32 = 1 << 2;
const DEFAULTS: u32 = 1 << 3;
const GENERATED: u32 = 1 << 4;
const IDENTITY: u32 = 1 << 5;
const INDEXES: u32 = 1 << 6;

/// A relation to be like.
pub(super) struct LikeSource {
    /// None for a view.
    table: Option<Arc<Table>>,
    options: u32,
    columns: Vec<LikeColumn>,
    checks: Vec<(String, Node)>,
    not_nulls: Vec<(String, String)>,
    /// Those behind constraints, with the names of their columns and included ones.
    keys: Vec<(Arc<Index>, Vec<String>, Vec<String>)>,
    /// Others.
    indexes: Vec<Arc<Index>>,
}

struct LikeColumn {
    column: Column,
    default: Option<Node>,
    generated: Option<Node>,
    identity: Vec<pb::Node>,
}

impl LikeSource {
    /// Locks the relation and reads what is asked for.
    pub(super) async fn read(clause: &pb::TableLikeClause, ctx: &mut DdlContext<'_>) -> Result<LikeSource> {
        let name = clause.relation.as_ref().ok_or_else(|| PgError::internal("LIKE without a relation"))?;
        let place = position(name.location);
        let found = ctx
            .lock_existing_relation(name, TableLockMode::AccessShare)
            .await
            .map_err(|refusal| if refusal.code() == SqlState::UNDEFINED_TABLE { refusal.at(place) } else { refusal })?;
        let options = clause.options;
        let (table, columns) = match relation_of(ctx.snapshot(), found)? {
            Relation::Table(table) => (Some(table.clone()), table.columns.clone()),
            Relation::View(view) => (None, view.columns.clone()),
            other @ (Relation::Index(_) | Relation::Sequence(_)) => {
                let message = format!("relation \"{}\" is invalid in LIKE clause", other.name());
                return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message)
                    .with_detail(not_supported_for(other.kind()))
                    .at(place));
            }
            Relation::System(_) => return Err(PgError::unsupported("LIKE of a system relation").at(place)),
        };
        let mut source = LikeSource {
            table,
            options,
            columns: Vec::new(),
            checks: Vec::new(),
            not_nulls: Vec::new(),
            keys: Vec::new(),
            indexes: Vec::new(),
        };
        for column in columns.into_iter().filter(|column| !column.dropped) {
            let parsed = |text: &Option<String>, option: u32| match text {
                Some(text) if options & option != 0 => parse_expression(text).map(Some),
                _ => Ok(None),
            };
            let sequence = column.sequence.and_then(|oid| ctx.snapshot().sequence(oid));
            let identity = match (column.identity, sequence) {
                (Some(_), Some(sequence)) if options & IDENTITY != 0 => sequence_options(sequence),
                _ => Vec::new(),
            };
            source.columns.push(LikeColumn {
                default: parsed(&column.default, DEFAULTS)?,
                generated: parsed(&column.generated, GENERATED)?,
                identity,
                column,
            });
        }
        source.read_constraints(ctx)?;
        Ok(source)
    }

    fn read_constraints(&mut self, ctx: &DdlContext<'_>) -> Result<()> {
        let Some(table) = self.table.clone() else { return Ok(()) };
        let name_of =
            |attnum: i16| table.column_by_attnum(attnum).map_or_else(String::new, |column| column.name.clone());
        let mut behind = Vec::new();
        for constraint in &table.constraints {
            match &constraint.kind {
                ConstraintKind::NotNull { column } => {
                    self.not_nulls.push((constraint.name.clone(), name_of(*column)));
                }
                ConstraintKind::Check { expression, .. } if self.options & CONSTRAINTS != 0 => {
                    self.checks.push((constraint.name.clone(), parse_expression(expression)?));
                }
                ConstraintKind::Check { .. } => {}
                ConstraintKind::PrimaryKey { index } | ConstraintKind::Unique { index } => behind.push(*index),
            }
        }
        // PostgreSQL finds them by their names.
        self.not_nulls.sort();
        self.checks.sort_by(|one, other| one.0.cmp(&other.0));
        if self.options & INDEXES == 0 {
            return Ok(());
        }
        for index in table.indexes.iter().filter_map(|&oid| ctx.snapshot().index(oid)) {
            if behind.contains(&index.oid) {
                let columns = index.keys.iter().map(|key| name_of(key.attnum)).collect();
                let include = index.include.iter().map(|attnum| name_of(*attnum)).collect();
                self.keys.push((index.clone(), columns, include));
            } else {
                self.indexes.push(index.clone());
            }
        }
        Ok(())
    }

    /// Adds the columns and constraints.
    pub(super) fn add_to<'s>(&'s self, definition: &mut Definition<'s>) -> Result<()> {
        for like in &self.columns {
            let column = &like.column;
            if definition.columns.iter().any(|known| known.name == column.name) {
                let message = format!("column \"{}\" specified more than once", column.name);
                return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
            }
            let identity = column.identity.filter(|_| self.options & IDENTITY != 0);
            definition.columns.push(ColumnSpec {
                name: &column.name,
                type_oid: column.type_oid,
                typmod: column.typmod,
                collation: column.collation,
                not_null: column.not_null,
                default: like.default.as_ref(),
                generated: like.generated.as_ref(),
                identity: identity.map(|kind| (kind, like.identity.as_slice())),
                serial: false,
            });
        }
        for (name, column) in &self.not_nulls {
            definition.not_nulls.push(NotNullSpec { name: Some(name), column });
        }
        for (name, expression) in &self.checks {
            definition.checks.push(CheckSpec { name: Some(name), expression });
        }
        for (index, columns, include) in &self.keys {
            definition.keys.push(KeySpec {
                name: None,
                primary: index.primary,
                columns: columns.iter().map(String::as_str).collect(),
                include: include.iter().map(String::as_str).collect(),
                nulls_not_distinct: index.nulls_not_distinct,
                options: &[],
                location: None,
            });
        }
        Ok(())
    }

    /// Makes the indexes and comments of the table that is there now.
    pub(super) async fn finish(&self, made: &Table, ctx: &mut DdlContext<'_>) -> Result<()> {
        let Some(table) = &self.table else { return Ok(()) };
        for index in &self.indexes {
            let statement = index_statement(index, table, made, ctx)?;
            create_index::create(&statement, ctx).await?;
        }
        if self.options & COMMENTS == 0 {
            return Ok(());
        }
        for like in &self.columns {
            let text = ctx.snapshot().comment_on(PG_CLASS, table.oid, i32::from(like.column.attnum));
            let text = text.map(|comment| comment.text.clone());
            if let (Some(text), Some(column)) = (text, made.column(&like.column.name)) {
                let oid = next_oid(ctx.transaction.sequences())?;
                let sub_id = i32::from(column.attnum);
                let comment = Comment { oid, object: made.oid, class: PG_CLASS, sub_id, text };
                ctx.catalog.put(ctx.transaction, ctx.statement, comment);
            }
        }
        Ok(())
    }
}

fn parse_expression(text: &str) -> Result<Node> {
    let parsed = crate::parse::parse(&format!("SELECT {text}"))?;
    let target = match parsed.first().map(|statement| statement.node()) {
        Some(Node::SelectStmt(select)) => select.target_list.first().and_then(|target| target.node.as_ref()),
        _ => None,
    };
    match target {
        Some(Node::ResTarget(target)) => target.val.as_deref().and_then(|value| value.node.clone()),
        _ => None,
    }
    .ok_or_else(|| PgError::internal(format_args!("the stored expression {text:?}")))
}

/// The options of a sequence, as they would be written.
fn sequence_options(sequence: &Sequence) -> Vec<pb::Node> {
    let option = |name: &str, value: Node| {
        let arg = Some(Box::new(pb::Node { node: Some(value) }));
        let element = pb::DefElem { defname: name.to_owned(), arg, location: -1, ..pb::DefElem::default() };
        pb::Node { node: Some(Node::DefElem(Box::new(element))) }
    };
    let number = |value: i64| Node::Float(pb::Float { fval: value.to_string() });
    vec![
        option("increment", number(sequence.increment)),
        option("minvalue", number(sequence.min)),
        option("maxvalue", number(sequence.max)),
        option("start", number(sequence.start)),
        option("cache", number(sequence.cache)),
        option("cycle", Node::Boolean(pb::Boolean { boolval: sequence.cycle })),
    ]
}

fn string(text: &str) -> pb::Node {
    pb::Node { node: Some(Node::String(pb::String { sval: text.to_owned() })) }
}

/// CREATE INDEX of an index like this one (`generateClonedIndexStmt`).
fn index_statement(index: &Index, table: &Table, made: &Table, ctx: &DdlContext<'_>) -> Result<pb::IndexStmt> {
    let element = |key: &IndexKey| -> Result<pb::Node> {
        let column = table.column_by_attnum(key.attnum);
        let expr = match &key.expression {
            Some(text) => Some(Box::new(pb::Node { node: Some(parse_expression(text)?) })),
            None => None,
        };
        let class = facts::operator_classes().by_oid(key.opclass);
        let is_default = default_opclass(ctx, key.type_oid).is_ok_and(|default| default == key.opclass);
        let opclass = class.filter(|_| !is_default).map(|class| string(class.name));
        let collation = facts::collations().by_oid(key.collation);
        let own = column.filter(|_| key.expression.is_none()).map(|column| column.collation);
        let collation = collation.filter(|_| own != Some(key.collation)).map(|found| string(found.name));
        let ordering = if key.descending { SortByDir::SortbyDesc } else { SortByDir::SortbyAsc };
        let nulls = if key.nulls_first { SortByNulls::SortbyNullsFirst } else { SortByNulls::SortbyNullsLast };
        let element = pb::IndexElem {
            name: column.filter(|_| key.expression.is_none()).map_or_else(String::new, |column| column.name.clone()),
            expr,
            opclass: opclass.into_iter().collect(),
            collation: collation.into_iter().collect(),
            ordering: ordering.into(),
            nulls_ordering: nulls.into(),
            ..pb::IndexElem::default()
        };
        Ok(pb::Node { node: Some(Node::IndexElem(Box::new(element))) })
    };
    let included = |attnum: &i16| {
        let name = table.column_by_attnum(*attnum).map_or_else(String::new, |column| column.name.clone());
        pb::Node { node: Some(Node::IndexElem(Box::new(pb::IndexElem { name, ..pb::IndexElem::default() }))) }
    };
    let predicate = match &index.predicate {
        Some(text) => Some(Box::new(pb::Node { node: Some(parse_expression(text)?) })),
        None => None,
    };
    let schema = ctx.snapshot().schema_name(made.schema).unwrap_or_default();
    let relation = pb::RangeVar {
        schemaname: schema.to_owned(),
        relname: made.name.clone(),
        inh: true,
        relpersistence: "p".to_owned(),
        location: -1,
        ..pb::RangeVar::default()
    };
    Ok(pb::IndexStmt {
        relation: Some(relation),
        index_params: index.keys.iter().map(element).collect::<Result<_>>()?,
        index_including_params: index.include.iter().map(included).collect(),
        where_clause: predicate,
        unique: index.unique,
        nulls_not_distinct: index.nulls_not_distinct,
        ..pb::IndexStmt::default()
    })
}
