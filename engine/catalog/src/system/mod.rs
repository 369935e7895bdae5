//! The relations of `pg_catalog` and `information_schema`, computed when they are read.
//!
//! Nothing of them is stored. Their columns are facts (exactly PostgreSQL 18's); their rows are the built-in ones, from
//! the facts, and those of users' objects, from a snapshot:
//!
//! ```text
//!   facts (types, functions, pg_class's own rows, ...) ─┐
//!   CatalogSnapshot (tables, indexes, roles, ...) ──────┼──► rows(pg_class) ──► executor
//!   SystemContext (settings, row counts, sessions) ─────┘
//! ```
//!
//! What PostgreSQL has and HeliosDB cannot have yet (triggers, publications, ...) is empty, as it is in a PostgreSQL
//! without such objects. A relation that would have rows in PostgreSQL and is not computed here is refused with 0A000:
//! an empty answer would be a wrong one.
//!
//! Conventions: a `pg_node_tree` holds the expression's SQL text, which is what `pg_get_expr` returns. OIDs of objects
//! that have none of their own (column defaults, view rules) are derived from their owner's.

mod attributes;
mod columns;
mod definition;
mod dependencies;
mod information_schema;
mod information_schema_columns;
mod objects;
mod procs;
mod relations;
mod settings;
mod types;
mod value;
mod views;

use helios_types::{Datum, Oid, PgError, Result};

pub use attributes::attribute_default_oid;
pub use columns::{SystemColumn, columns, hidden_columns};
pub use definition::{
    constraint_definition, index_column_definition, index_definition, index_key_text, visible_expression,
};
pub(crate) use value::array as array_of;
pub(crate) use views::system_index_definition;

pub use information_schema::definition_by_oid as constraint_definition_by_oid;

use crate::CatalogSnapshot;
use crate::facts::{self, PG_CATALOG};
use crate::model::{Sequence, View};
use crate::resolve::Lookup;

/// A row of a system relation: a value per column of [`columns`].
pub type Row = Vec<Datum>;

/// What the rows of system relations show beside the catalog.
pub trait SystemContext {
    /// Name of the current database.
    fn database(&self) -> &str;
    /// The current user's OID.
    fn user(&self) -> Oid;
    /// Schemas of unqualified names, in order: decides how types and tables are written.
    fn search_path(&self) -> &[Oid];
    /// A setting, by its name in lower case, as `pg_settings.setting` has it (in the unit of `pg_settings.unit`);
    /// `None` for the compiled-in default.
    fn setting(&self, name: &str) -> Option<String>;
    /// About how many rows a table has; -1 when nobody counted.
    fn row_estimate(&self, _table: Oid) -> f32 {
        -1.0
    }
    /// The last value that a sequence gave; `None` before the first.
    fn last_value(&self, _sequence: &Sequence) -> Option<i64> {
        None
    }
    /// A view's query as `pg_get_viewdef` shows it, names that the search path finds bare; `None` for the text as it is
    /// kept.
    fn view_definition(&self, _view: &View) -> Option<String> {
        None
    }
    /// The rows of a relation that shows the running system (`pg_stat_activity`, `pg_locks`, ...), by its name; `None`
    /// when it is not known.
    fn running_system(&self, _relation: &str) -> Option<Vec<Row>> {
        None
    }
}

/// What makes rows looks at.
struct Source<'a> {
    catalog: &'a CatalogSnapshot,
    context: &'a dyn SystemContext,
}

impl<'a> Source<'a> {
    fn lookup(&self) -> Lookup<'_> {
        Lookup { catalog: self.catalog, search_path: self.context.search_path() }
    }

    fn schema_name(&self, oid: Oid) -> &'a str {
        self.catalog.schema_name(oid).unwrap_or("")
    }

    fn view_definition(&self, view: &View) -> String {
        self.context.view_definition(view).unwrap_or_else(|| view.query.clone())
    }

    fn role_name(&self, oid: Oid) -> &'a str {
        self.catalog.role_name(oid).unwrap_or("")
    }
}

/// The rows of a relation of `pg_catalog` or `information_schema`.
///
/// # Errors
///
/// 0A000 for a relation that has rows in PostgreSQL and is not computed.
pub fn rows(relation: Oid, catalog: &CatalogSnapshot, context: &dyn SystemContext) -> Result<Vec<Row>> {
    let found = facts::relations().by_oid(relation);
    let relation = found.ok_or_else(|| PgError::internal(format!("relation {relation} is none of the system's")))?;
    let source = Source { catalog, context };
    if let Some(rows) = context.running_system(relation.name) {
        return Ok(rows);
    }
    let rows = match relation.namespace {
        PG_CATALOG => pg_catalog(&source, relation.name),
        _ => information_schema::rows(&source, relation.name),
    };
    rows.ok_or_else(|| {
        let schema = facts::namespaces().by_oid(relation.namespace).map_or("", |schema| schema.name);
        PgError::unsupported(format!("reading {schema}.{}", relation.name))
    })
}

fn pg_catalog(source: &Source<'_>, name: &str) -> Option<Vec<Row>> {
    Some(match name {
        "pg_class" => relations::pg_class(source),
        "pg_attribute" => attributes::pg_attribute(source),
        "pg_attrdef" => attributes::pg_attrdef(source),
        "pg_index" => relations::pg_index(source),
        "pg_constraint" => relations::pg_constraint(source),
        "pg_sequence" => relations::pg_sequence(source),
        "pg_rewrite" => relations::pg_rewrite(source),
        "pg_depend" => dependencies::pg_depend(source),
        "pg_type" => types::pg_type(source),
        "pg_range" => types::pg_range(),
        "pg_collation" => types::pg_collation(),
        "pg_cast" => types::pg_cast(),
        "pg_operator" => types::pg_operator(),
        "pg_am" => types::pg_am(),
        "pg_opclass" => types::pg_opclass(),
        "pg_opfamily" => types::pg_opfamily(),
        "pg_amop" => types::pg_amop(),
        "pg_amproc" => types::pg_amproc(),
        "pg_proc" => procs::pg_proc(),
        "pg_aggregate" => procs::pg_aggregate(),
        "pg_language" => procs::pg_language(),
        "pg_ts_parser" | "pg_ts_template" | "pg_ts_dict" | "pg_ts_config" | "pg_ts_config_map" => {
            objects::text_search(name)
        }
        "pg_namespace" => objects::pg_namespace(source),
        "pg_authid" => objects::pg_authid(source),
        "pg_roles" => objects::pg_roles(source),
        "pg_user" => objects::pg_user(source, true),
        "pg_shadow" => objects::pg_user(source, false),
        "pg_group" => objects::pg_group(),
        "pg_auth_members" => objects::pg_auth_members(),
        "pg_database" => objects::pg_database(source),
        "pg_tablespace" => objects::pg_tablespace(),
        "pg_description" => objects::pg_description(source),
        "pg_shdescription" => objects::pg_shdescription(source),
        "pg_settings" => settings::pg_settings(source),
        "pg_tables" => views::pg_tables(source),
        "pg_views" => views::pg_views(source),
        "pg_indexes" => views::pg_indexes(source),
        "pg_sequences" => views::pg_sequences(source),
        // Objects that HeliosDB does not have: as empty as they are in a PostgreSQL without any.
        "pg_aios"
        | "pg_cursors"
        | "pg_db_role_setting"
        | "pg_default_acl"
        | "pg_enum"
        | "pg_event_trigger"
        | "pg_extension"
        | "pg_available_extensions"
        | "pg_available_extension_versions"
        | "pg_foreign_data_wrapper"
        | "pg_foreign_server"
        | "pg_foreign_table"
        | "pg_ident_file_mappings"
        | "pg_inherits"
        | "pg_largeobject"
        | "pg_largeobject_metadata"
        | "pg_matviews"
        | "pg_parameter_acl"
        | "pg_partitioned_table"
        | "pg_policies"
        | "pg_policy"
        | "pg_prepared_statements"
        | "pg_prepared_xacts"
        | "pg_publication"
        | "pg_publication_namespace"
        | "pg_publication_rel"
        | "pg_publication_tables"
        | "pg_replication_origin"
        | "pg_replication_origin_status"
        | "pg_replication_slots"
        | "pg_rules"
        | "pg_seclabel"
        | "pg_seclabels"
        | "pg_shdepend"
        | "pg_shseclabel"
        | "pg_statistic_ext"
        | "pg_statistic_ext_data"
        | "pg_stats_ext"
        | "pg_stats_ext_exprs"
        | "pg_stat_progress_analyze"
        | "pg_stat_progress_basebackup"
        | "pg_stat_progress_cluster"
        | "pg_stat_progress_copy"
        | "pg_stat_progress_create_index"
        | "pg_stat_progress_vacuum"
        | "pg_stat_replication"
        | "pg_stat_replication_slots"
        | "pg_stat_subscription"
        | "pg_stat_subscription_stats"
        | "pg_stat_user_functions"
        | "pg_stat_wal_receiver"
        | "pg_stat_xact_user_functions"
        | "pg_subscription"
        | "pg_subscription_rel"
        | "pg_transform"
        | "pg_trigger"
        | "pg_user_mapping"
        | "pg_user_mappings" => Vec::new(),
        _ => return None,
    })
}
