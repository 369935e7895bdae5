//! `information_schema`: the SQL standard's views. Their columns say little of PostgreSQL and much of the standard.
//!
//! As in PostgreSQL, they show what the current user may use: everything to a superuser, else what the user owns and
//! what everyone may read.

use helios_types::Oid;

use super::definition::constraint_definition;
use super::information_schema_columns;
use super::value::{Null, row};
use super::{Row, Source};
use crate::facts;
use crate::model::{Constraint, ConstraintKind, POSTGRES_ROLE, Table};
use crate::resolve::Lookup;

/// A table or view, built in or a user's.
pub(super) struct Named<'a> {
    pub(super) oid: Oid,
    pub(super) schema: &'a str,
    pub(super) name: &'a str,
    pub(super) is_view: bool,
    /// `pg_relation_is_updatable`: bits 4 (UPDATE), 8 (INSERT), 16 (DELETE).
    pub(super) updatable: i32,
}

/// What a base table may do: UPDATE, INSERT, DELETE.
const ALL_EVENTS: i32 = 4 | 8 | 16;

pub(super) fn yes_or_no(yes: bool) -> &'static str {
    if yes { "YES" } else { "NO" }
}

impl<'a> Source<'a> {
    /// Whether the current user has the privileges of a role.
    pub(super) fn may_act_as(&self, role: Oid) -> bool {
        let user = self.context.user();
        user == role || self.catalog.role(user).is_some_and(|user| user.superuser)
    }

    /// The tables and views that the user may see.
    pub(super) fn tables_and_views(&self) -> Vec<Named<'a>> {
        let system = facts::relations().all().filter(|relation| relation.kind != b'i').map(|relation| Named {
            oid: relation.oid,
            schema: self.schema_name(relation.namespace),
            name: relation.name,
            is_view: relation.kind == b'v',
            updatable: relation.updatable,
        });
        let tables = self.catalog.tables().filter(|table| self.may_act_as(table.owner)).map(|table| Named {
            oid: table.oid,
            schema: self.schema_name(table.schema),
            name: &table.name,
            is_view: false,
            updatable: ALL_EVENTS,
        });
        // Views cannot be written to.
        let views = self.catalog.views().filter(|view| self.may_act_as(view.owner)).map(|view| Named {
            oid: view.oid,
            schema: self.schema_name(view.schema),
            name: &view.name,
            is_view: true,
            updatable: 0,
        });
        system.chain(tables).chain(views).collect()
    }
}

pub(super) fn rows(source: &Source<'_>, name: &str) -> Option<Vec<Row>> {
    Some(match name {
        "information_schema_catalog_name" => vec![row![source.context.database()]],
        "tables" => tables(source),
        "columns" => information_schema_columns::columns(source),
        "views" => views(source),
        "schemata" => schemata(source),
        "sequences" => sequences(source),
        "table_constraints" => table_constraints(source),
        "key_column_usage" => key_column_usage(source),
        "constraint_column_usage" => constraint_column_usage(source),
        "constraint_table_usage" => constraint_table_usage(source),
        "check_constraints" => check_constraints(source),
        "collations" => collations(source),
        "character_sets" => {
            let database = source.context.database();
            vec![row![Null, Null, "UTF8", "UCS", "UTF8", database, "pg_catalog", "C"]]
        }
        "enabled_roles" => enabled_roles(source),
        "sql_features" => plain(facts::sql_features()),
        "sql_sizing" => sql_sizing(),
        "sql_implementation_info" => sql_implementation_info(),
        // Objects that HeliosDB does not have.
        "_pg_foreign_data_wrappers"
        | "_pg_foreign_servers"
        | "_pg_foreign_table_columns"
        | "_pg_foreign_tables"
        | "_pg_user_mappings"
        | "administrable_role_authorizations"
        | "attributes"
        | "check_constraint_routine_usage"
        | "column_column_usage"
        | "column_options"
        | "foreign_data_wrapper_options"
        | "foreign_data_wrappers"
        | "foreign_server_options"
        | "foreign_servers"
        | "foreign_table_options"
        | "foreign_tables"
        | "referential_constraints"
        | "routine_column_usage"
        | "routine_sequence_usage"
        | "routine_table_usage"
        | "transforms"
        | "triggered_update_columns"
        | "triggers"
        | "user_defined_types"
        | "user_mapping_options"
        | "user_mappings" => Vec::new(),
        _ => return None,
    })
}

fn plain(rows: facts::PlainRows) -> Vec<Row> {
    let field = |field: &Option<&'static str>| super::value::IntoDatum::into_datum(*field);
    rows.iter().map(|fields| fields.iter().map(field).collect()).collect()
}

fn integer(text: Option<&str>) -> Option<i32> {
    text?.parse().ok()
}

fn sql_sizing() -> Vec<Row> {
    facts::sql_sizing().iter().map(|f| row![integer(f[0]), f[1], integer(f[2]), f[3]]).collect()
}

fn sql_implementation_info() -> Vec<Row> {
    facts::sql_implementation_info().iter().map(|f| row![f[0], f[1], integer(f[2]), f[3], f[4]]).collect()
}

fn tables(source: &Source<'_>) -> Vec<Row> {
    let database = source.context.database();
    let one = |named: Named<'_>| {
        let kind = if named.is_view { "VIEW" } else { "BASE TABLE" };
        let insertable = !named.is_view || named.updatable & 8 == 8;
        row![database, named.schema, named.name, kind, Null, Null, Null, Null, Null, yes_or_no(insertable), "NO", Null]
    };
    source.tables_and_views().into_iter().map(one).collect()
}

fn views(source: &Source<'_>) -> Vec<Row> {
    let database = source.context.database();
    let one = |named: Named<'_>| {
        let query = source.catalog.view(named.oid).map(|view| source.view_definition(view));
        let updatable = yes_or_no(named.updatable & 20 == 20);
        let insertable = yes_or_no(named.updatable & 8 == 8);
        row![database, named.schema, named.name, query, "NONE", updatable, insertable, "NO", "NO", "NO"]
    };
    source.tables_and_views().into_iter().filter(|named| named.is_view).map(one).collect()
}

fn schemata(source: &Source<'_>) -> Vec<Row> {
    let database = source.context.database();
    let one = |name: &str, owner| row![database, name, source.role_name(owner), Null, Null, Null, Null];
    // Everyone may use pg_catalog, information_schema and public; pg_toast only its owner.
    let system = facts::namespaces().by_oids();
    let system = system.filter(|schema| schema.name != "pg_toast" || source.may_act_as(POSTGRES_ROLE));
    let system = system.map(|schema| one(schema.name, POSTGRES_ROLE));
    let visible = |owner| source.may_act_as(owner);
    let users = source.catalog.schemas().filter(|s| s.oid == crate::model::PUBLIC_SCHEMA || visible(s.owner));
    system.chain(users.map(|schema| one(&schema.name, schema.owner))).collect()
}

fn sequences(source: &Source<'_>) -> Vec<Row> {
    let database = source.context.database();
    let shown = source.catalog.sequences().filter(|sequence| !sequence.identity && source.may_act_as(sequence.owner));
    let one = |s: &std::sync::Arc<crate::model::Sequence>| {
        let precision = information_schema_columns::numeric_precision(s.type_oid, -1);
        row![
            database,
            source.schema_name(s.schema),
            s.name.as_str(),
            source.lookup().format_type(s.type_oid),
            precision,
            2i32,
            0i32,
            s.start.to_string(),
            s.min.to_string(),
            s.max.to_string(),
            s.increment.to_string(),
            yes_or_no(s.cycle),
        ]
    };
    shown.map(one).collect()
}

/// A constraint of a table, built in or a user's.
struct NamedConstraint<'a> {
    name: &'a str,
    schema: &'a str,
    table: &'a str,
    /// `pg_constraint.contype`.
    kind: u8,
    /// Names of the columns of the key (or of those that a CHECK mentions).
    columns: Vec<&'a str>,
    /// For UNIQUE.
    nulls_not_distinct: bool,
    /// For CHECK.
    expression: Option<&'a str>,
}

fn constraints<'a>(source: &Source<'a>) -> Vec<NamedConstraint<'a>> {
    let system = facts::constraints().iter().filter_map(|constraint| {
        let relation = facts::relations().by_oid(constraint.relation)?;
        let columns = facts::attributes().of(relation.oid);
        let name = |&attnum: &i16| columns.iter().find(|column| column.number == attnum).map(|column| column.name);
        Some(NamedConstraint {
            name: constraint.name,
            schema: source.schema_name(relation.namespace),
            table: relation.name,
            kind: constraint.kind,
            columns: constraint.keys.iter().filter_map(name).collect(),
            nulls_not_distinct: false,
            expression: constraint.definition.strip_prefix("CHECK (").and_then(|text| text.strip_suffix(')')),
        })
    });
    let users = source.catalog.tables().filter(|table| source.may_act_as(table.owner)).flat_map(|table| {
        table.constraints.iter().map(|constraint| user_constraint(source, table, constraint)).collect::<Vec<_>>()
    });
    system.chain(users).collect()
}

fn user_constraint<'a>(source: &Source<'a>, table: &'a Table, constraint: &'a Constraint) -> NamedConstraint<'a> {
    let name = |&attnum: &i16| table.column_by_attnum(attnum).map(|column| column.name.as_str());
    let mut named = NamedConstraint {
        name: &constraint.name,
        schema: source.schema_name(table.schema),
        table: &table.name,
        kind: 0,
        columns: Vec::new(),
        nulls_not_distinct: false,
        expression: None,
    };
    match &constraint.kind {
        ConstraintKind::Check { expression, columns } => {
            named.kind = b'c';
            named.expression = Some(expression);
            named.columns = columns.iter().filter_map(name).collect();
        }
        ConstraintKind::NotNull { column } => {
            named.kind = b'n';
            named.columns = name(column).into_iter().collect();
        }
        ConstraintKind::PrimaryKey { index } | ConstraintKind::Unique { index } => {
            let unique = matches!(constraint.kind, ConstraintKind::Unique { .. });
            named.kind = if unique { b'u' } else { b'p' };
            if let Some(index) = source.catalog.index(*index) {
                named.columns = index.keys.iter().filter_map(|key| name(&key.attnum)).collect();
                named.nulls_not_distinct = index.nulls_not_distinct;
            }
        }
    }
    named
}

fn table_constraints(source: &Source<'_>) -> Vec<Row> {
    let database = source.context.database();
    let one = |c: NamedConstraint<'_>| {
        let kind = match c.kind {
            b'p' => "PRIMARY KEY",
            b'u' => "UNIQUE",
            _ => "CHECK",
        };
        let distinct = (c.kind == b'u').then(|| yes_or_no(!c.nulls_not_distinct));
        row![database, c.schema, c.name, database, c.schema, c.table, kind, "NO", "NO", "YES", distinct]
    };
    constraints(source).into_iter().map(one).collect()
}

fn key_column_usage(source: &Source<'_>) -> Vec<Row> {
    let database = source.context.database();
    let mut rows = Vec::new();
    for c in constraints(source).into_iter().filter(|constraint| matches!(constraint.kind, b'p' | b'u')) {
        for (position, column) in (1i32..).zip(&c.columns) {
            rows.push(row![database, c.schema, c.name, database, c.schema, c.table, *column, position, Null]);
        }
    }
    rows
}

fn constraint_column_usage(source: &Source<'_>) -> Vec<Row> {
    let database = source.context.database();
    let one = |c: NamedConstraint<'_>| {
        let row = |column: &&str| row![database, c.schema, c.table, *column, database, c.schema, c.name];
        c.columns.iter().map(row).collect::<Vec<Row>>()
    };
    constraints(source).into_iter().flat_map(one).collect()
}

fn constraint_table_usage(source: &Source<'_>) -> Vec<Row> {
    let database = source.context.database();
    let keys = constraints(source).into_iter().filter(|constraint| matches!(constraint.kind, b'p' | b'u'));
    keys.map(|c| row![database, c.schema, c.table, database, c.schema, c.name]).collect()
}

fn check_constraints(source: &Source<'_>) -> Vec<Row> {
    let database = source.context.database();
    let of_tables = constraints(source).into_iter().filter_map(|c| {
        let clause = match c.kind {
            b'c' => c.expression?.to_owned(),
            b'n' => format!("{} IS NOT NULL", c.columns.first()?),
            _ => return None,
        };
        Some(row![database, c.schema, c.name, clause])
    });
    let of_domains = facts::constraints().iter().filter(|constraint| !constraint.domain.is_none()).map(|c| {
        let clause = c.definition.strip_prefix("CHECK (").and_then(|text| text.strip_suffix(')'));
        row![database, source.schema_name(c.namespace), c.name, clause.unwrap_or(c.definition)]
    });
    of_tables.chain(of_domains).collect()
}

fn collations(source: &Source<'_>) -> Vec<Row> {
    let database = source.context.database();
    let one = |c: &facts::Collation| row![database, source.schema_name(c.namespace), c.name, "NO PAD"];
    facts::collations().by_oids().map(one).collect()
}

fn enabled_roles(source: &Source<'_>) -> Vec<Row> {
    let predefined = facts::roles().by_oids().filter(|role| source.may_act_as(role.oid)).map(|role| row![role.name]);
    let users = source.catalog.roles().filter(|role| source.may_act_as(role.oid)).map(|role| row![role.name.as_str()]);
    predefined.chain(users).collect()
}

/// The text of a constraint for `pg_get_constraintdef`, by its OID.
pub fn definition_by_oid(lookup: &Lookup<'_>, oid: Oid, pretty: bool) -> Option<String> {
    if let Some(system) = facts::constraints().iter().find(|constraint| constraint.oid == oid) {
        return Some(system.definition.to_owned());
    }
    lookup.catalog.tables().find_map(|table| {
        let constraint = table.constraints.iter().find(|constraint| constraint.oid == oid)?;
        Some(constraint_definition(lookup, table, constraint, pretty))
    })
}
