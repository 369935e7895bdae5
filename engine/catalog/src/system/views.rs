//! PostgreSQL's convenience views over its catalogs: `pg_tables`, `pg_views`, `pg_indexes`, `pg_sequences`.

use super::definition::index_definition;
use super::value::{Null, row};
use super::{Row, Source};
use crate::facts;
use crate::model::POSTGRES_ROLE;
use crate::resolve::Lookup;

/// Where shared catalogs are.
fn tablespace(relation: &facts::Relation) -> Option<&'static str> {
    relation.shared.then_some("pg_global")
}

pub(super) fn pg_tables(source: &Source<'_>) -> Vec<Row> {
    let owner = source.role_name(POSTGRES_ROLE);
    let system = facts::relations().all().filter(|relation| relation.kind == b'r').map(|relation| {
        let schema = source.schema_name(relation.namespace);
        let rules = relation.has_rules;
        row![schema, relation.name, owner, tablespace(relation), relation.has_index, rules, false, false]
    });
    let users = source.catalog.tables().map(|table| {
        let (schema, owner) = (source.schema_name(table.schema), source.role_name(table.owner));
        row![schema, table.name.as_str(), owner, Null, !table.indexes.is_empty(), false, false, false]
    });
    system.chain(users).collect()
}

/// The definitions of PostgreSQL's own views are not shown.
pub(super) fn pg_views(source: &Source<'_>) -> Vec<Row> {
    let owner = source.role_name(POSTGRES_ROLE);
    let system = facts::relations().all().filter(|relation| relation.kind == b'v');
    let system = system.map(|view| row![source.schema_name(view.namespace), view.name, owner, Null]);
    let users = source.catalog.views().map(|view| {
        let (schema, owner) = (source.schema_name(view.schema), source.role_name(view.owner));
        row![schema, view.name.as_str(), owner, source.view_definition(view)]
    });
    system.chain(users).collect()
}

pub(super) fn pg_indexes(source: &Source<'_>) -> Vec<Row> {
    let system = facts::indexes().iter().filter_map(|index| {
        let (own, of) = (facts::relations().by_oid(index.index)?, facts::relations().by_oid(index.relation)?);
        Some(row![
            source.schema_name(of.namespace),
            of.name,
            own.name,
            tablespace(own),
            system_index_definition(&source.lookup(), index)
        ])
    });
    let users = source.catalog.indexes().filter_map(|index| {
        let table = source.catalog.table(index.table)?;
        let definition = index_definition(&source.lookup(), index, true);
        Some(row![source.schema_name(table.schema), table.name.as_str(), index.name.as_str(), Null, definition])
    });
    system.chain(users).collect()
}

/// `CREATE UNIQUE INDEX pg_class_oid_index ON pg_catalog.pg_class USING btree (oid)`.
pub(crate) fn system_index_definition(lookup: &Lookup<'_>, index: &facts::SystemIndex) -> Option<String> {
    let (own, of) = (facts::relations().by_oid(index.index)?, facts::relations().by_oid(index.relation)?);
    let columns = facts::attributes().of(index.relation);
    let key = |(at, &attnum): (usize, &i16)| {
        let column = usize::try_from(attnum).ok()?.checked_sub(1).and_then(|at| columns.get(at))?;
        let class = facts::operator_classes().by_oid(index.classes[at])?;
        let default = lookup.default_operator_class(facts::BTREE, column.type_oid)?;
        let class = if class.oid == default.oid { String::new() } else { format!(" {}", class.name) };
        Some(format!("{}{class}", facts::quote_identifier(column.name)))
    };
    let keys = index.keys.iter().enumerate().map(key).collect::<Option<Vec<String>>>()?;
    let unique = if index.unique { "UNIQUE " } else { "" };
    let on = facts::quote_qualified(lookup.catalog.schema_name(of.namespace).unwrap_or(""), of.name);
    Some(format!("CREATE {unique}INDEX {} ON {on} USING btree ({})", own.name, keys.join(", ")))
}

pub(super) fn pg_sequences(source: &Source<'_>) -> Vec<Row> {
    let one = |s: &std::sync::Arc<crate::model::Sequence>| {
        row![
            source.schema_name(s.schema),
            s.name.as_str(),
            source.role_name(s.owner),
            s.type_oid,
            s.start,
            s.min,
            s.max,
            s.increment,
            s.cycle,
            s.cache,
            source.context.last_value(s),
        ]
    };
    source.catalog.sequences().map(one).collect()
}
