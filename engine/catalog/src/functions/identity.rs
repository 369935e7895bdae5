//! Names and numbers of objects: the `reg*` types, visibility, users, encodings, schemas.

use helios_types::{Datum, Oid, PgError, Result, SqlState, oid};

use super::definitions::relation_named;
use super::qualified_name::parse_qualified_name;
use super::{Call, text_or_null};
use crate::facts::{self, Proc, quote_identifier, quote_qualified};
use crate::model::Relation;
use crate::resolve::Lookup;
use crate::system::array_of;

pub(super) const SOURCES: &[&str] = &[
    "pg_table_is_visible",
    "pg_type_is_visible",
    "pg_function_is_visible",
    "pg_operator_is_visible",
    "pg_opclass_is_visible",
    "pg_opfamily_is_visible",
    "pg_collation_is_visible",
    "pg_ts_config_is_visible",
    "pg_ts_dict_is_visible",
    "pg_ts_parser_is_visible",
    "pg_ts_template_is_visible",
    "pg_statistics_obj_is_visible",
    "pg_conversion_is_visible",
    "pg_get_userbyid",
    "PG_encoding_to_char",
    "PG_char_to_encoding",
    "current_schema",
    "current_schemas",
    "pg_my_temp_schema",
    "pg_is_other_temp_schema",
    "pg_tablespace_location",
    "pg_relation_is_publishable",
    "pg_relation_is_updatable",
    "pg_column_is_updatable",
    "regclassin",
    "regclassout",
    "text_regclass",
    "to_regclass",
    "regtypein",
    "regtypeout",
    "to_regtype",
    "regprocin",
    "regprocout",
    "to_regproc",
    "regprocedureout",
    "regrolein",
    "regroleout",
    "to_regrole",
    "regnamespacein",
    "regnamespaceout",
    "to_regnamespace",
    "regoperout",
    "regoperatorout",
    "regcollationout",
];

/// PostgreSQL's number of UTF8, the one encoding there is.
const UTF8: i32 = 6;

pub(super) fn call(call: &Call<'_>) -> Option<Result<Datum>> {
    SOURCES.contains(&call.source).then(|| run(call))
}

fn run(call: &Call<'_>) -> Result<Datum> {
    let lookup = call.lookup;
    Ok(match call.source {
        "pg_get_userbyid" => {
            let oid = call.oid(0)?;
            let unknown = || format!("unknown (OID={oid})");
            Datum::text(lookup.catalog.role_name(oid).map_or_else(unknown, str::to_owned))
        }
        "PG_encoding_to_char" => Datum::text(if call.integer(0)? == UTF8 { "UTF8" } else { "" }),
        "PG_char_to_encoding" => {
            let plain: String = call.text(0)?.chars().filter(char::is_ascii_alphanumeric).collect();
            let known = matches!(plain.to_ascii_lowercase().as_str(), "utf8" | "unicode");
            Datum::I32(if known { UTF8 } else { -1 })
        }
        "current_schema" => {
            let first = lookup.search_path.iter().find(|&&schema| schema != facts::PG_CATALOG);
            text_or_null(first.and_then(|&schema| lookup.catalog.schema_name(schema)).map(str::to_owned))
        }
        "current_schemas" => current_schemas(lookup, call.bool(0)?),
        "pg_my_temp_schema" => Datum::U32(0),
        "pg_is_other_temp_schema" => Datum::Bool(false),
        "pg_tablespace_location" => Datum::text(""),
        "pg_relation_is_publishable" => Datum::Bool(lookup.catalog.table(call.oid(0)?).is_some()),
        "pg_relation_is_updatable" => Datum::I32(updatable(lookup, call.oid(0)?)),
        "pg_column_is_updatable" => {
            let (relation, number) = (call.oid(0)?, call.integer(1)?);
            let system = facts::attributes().of(relation).iter().find(|column| i32::from(column.number) == number);
            let all = updatable(lookup, relation) & 20 == 20 && number > 0;
            Datum::Bool(system.map_or(all, |column| column.updatable))
        }
        "regclassin" | "text_regclass" => {
            Datum::U32(numeric_or(call, |name| Ok(relation_named(lookup, name)?.oid()))?.0)
        }
        "to_regclass" => to_reg(call, |name| Ok(relation_named(lookup, name)?.oid()))?,
        "regtypein" => Datum::U32(numeric_or(call, |name| type_named(lookup, name))?.0),
        "to_regtype" => to_reg(call, |name| type_named(lookup, name))?,
        "regprocin" => Datum::U32(numeric_or(call, |name| proc_named(lookup, name))?.0),
        "to_regproc" => to_reg(call, |name| proc_named(lookup, name))?,
        "regrolein" => Datum::U32(numeric_or(call, |name| role_named(lookup, name))?.0),
        "to_regrole" => to_reg(call, |name| role_named(lookup, name))?,
        "regnamespacein" => Datum::U32(numeric_or(call, |name| schema_named(lookup, name))?.0),
        "to_regnamespace" => to_reg(call, |name| schema_named(lookup, name))?,
        "regclassout" | "regtypeout" | "regprocout" | "regprocedureout" | "regroleout" | "regnamespaceout"
        | "regoperout" | "regoperatorout" | "regcollationout" => {
            let oid = call.oid(0)?;
            if oid.is_none() {
                Datum::text(if is_operator(call.source) { "0" } else { "-" })
            } else {
                Datum::text(reg_out(lookup, call.source, oid).unwrap_or_else(|| oid.to_string()))
            }
        }
        visibility => visible(lookup, visibility, call.oid(0)?).map_or(Datum::Null, Datum::Bool),
    })
}

fn is_operator(source: &str) -> bool {
    matches!(source, "regoperout" | "regoperatorout")
}

/// Whether an object's name alone finds it; `None` when there is no such object.
fn visible(lookup: &Lookup<'_>, source: &str, oid: Oid) -> Option<bool> {
    // Built-in objects of these kinds are all in pg_catalog.
    let in_catalog = || lookup.search_path.contains(&facts::PG_CATALOG);
    match source {
        "pg_table_is_visible" => {
            lookup.catalog.relation(oid)?;
            Some(lookup.catalog.is_visible(lookup.search_path, oid))
        }
        "pg_type_is_visible" => Some(lookup.type_is_visible(lookup.type_by_oid(oid)?)),
        "pg_function_is_visible" => Some(lookup.search_path.contains(&facts::procs().by_oid(oid)?.namespace)),
        "pg_operator_is_visible" => facts::operators().by_oid(oid).map(|_| in_catalog()),
        "pg_opclass_is_visible" => facts::operator_classes().by_oid(oid).map(|_| in_catalog()),
        "pg_opfamily_is_visible" => facts::operator_families().by_oid(oid).map(|_| in_catalog()),
        "pg_collation_is_visible" => facts::collations().by_oid(oid).map(|_| in_catalog()),
        "pg_ts_config_is_visible" => plain_oid(facts::ts_configurations(), oid).map(|()| in_catalog()),
        "pg_ts_dict_is_visible" => plain_oid(facts::ts_dictionaries(), oid).map(|()| in_catalog()),
        "pg_ts_parser_is_visible" => plain_oid(facts::ts_parsers(), oid).map(|()| in_catalog()),
        "pg_ts_template_is_visible" => plain_oid(facts::ts_templates(), oid).map(|()| in_catalog()),
        _ => None,
    }
}

fn plain_oid(rows: facts::PlainRows, oid: Oid) -> Option<()> {
    let number = oid.to_string();
    rows.iter().any(|row| row[0] == Some(&number)).then_some(())
}

fn current_schemas(lookup: &Lookup<'_>, implicit: bool) -> Datum {
    // pg_catalog is implicit when it stands first; that it was written first oneself makes no difference here.
    let skip = usize::from(!implicit && lookup.search_path.first() == Some(&facts::PG_CATALOG));
    let names = lookup.search_path.iter().skip(skip).filter_map(|&schema| lookup.catalog.schema_name(schema));
    array_of(oid::NAME, names)
}

/// `pg_relation_is_updatable`.
fn updatable(lookup: &Lookup<'_>, oid: Oid) -> i32 {
    const ALL_EVENTS: i32 = 4 | 8 | 16;
    match lookup.catalog.relation(oid) {
        Some(Relation::Table(_)) => ALL_EVENTS,
        Some(Relation::System(system)) => system.updatable,
        _ => 0,
    }
}

/// Input of a `reg*` type: `-` is none, digits are the OID itself, else a name.
fn numeric_or(call: &Call<'_>, named: impl Fn(&str) -> Result<Oid>) -> Result<Oid> {
    let text = call.text(0)?;
    if text == "-" {
        return Ok(Oid::NONE);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Oid).map_err(|_| {
            let message = format!("value \"{text}\" is out of range for type oid");
            PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
        });
    }
    named(text)
}

/// `to_reg*`: NULL where input would fail because there is no such object.
fn to_reg(call: &Call<'_>, named: impl Fn(&str) -> Result<Oid>) -> Result<Datum> {
    match numeric_or(call, named) {
        Ok(oid) => Ok(Datum::U32(oid.0)),
        Err(error) if matches!(error.code(), SqlState::SYNTAX_ERROR | SqlState::FEATURE_NOT_SUPPORTED) => Err(error),
        Err(_) => Ok(Datum::Null),
    }
}

fn role_named(lookup: &Lookup<'_>, text: &str) -> Result<Oid> {
    let name = single(text)?;
    lookup.catalog.role_oid(&name).ok_or_else(|| no_role(&name))
}

/// 42704 for a role.
pub(super) fn no_role(name: &str) -> PgError {
    PgError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
}

fn schema_named(lookup: &Lookup<'_>, text: &str) -> Result<Oid> {
    lookup.catalog.lookup_schema(&single(text)?)
}

fn single(text: &str) -> Result<String> {
    let mut parts = parse_qualified_name(text)?;
    match (parts.pop(), parts.is_empty()) {
        (Some(name), true) => Ok(name),
        _ => Err(PgError::new(SqlState::INVALID_NAME, "invalid name syntax")),
    }
}

fn proc_named(lookup: &Lookup<'_>, text: &str) -> Result<Oid> {
    let parts = parse_qualified_name(text)?;
    let (schema, name) = match parts.as_slice() {
        [name] => (None, name),
        [schema, name] => (Some(lookup.catalog.lookup_schema(schema)?), name),
        _ => return Err(PgError::new(SqlState::INVALID_NAME, "invalid name syntax")),
    };
    let visible = |proc: &&Proc| match schema {
        Some(schema) => proc.namespace == schema,
        None => lookup.search_path.contains(&proc.namespace),
    };
    let found: Vec<&Proc> = facts::procs().by_name(name).iter().filter(visible).collect();
    match found.as_slice() {
        [one] => Ok(one.oid),
        [] => Err(PgError::new(SqlState::UNDEFINED_FUNCTION, format!("function \"{text}\" does not exist"))),
        _ => Err(PgError::new(SqlState::AMBIGUOUS_FUNCTION, format!("more than one function named \"{text}\""))),
    }
}

/// The type that a name in a string means: SQL's names (`character varying`, `timestamp with time zone`), qualified
/// names, with `[]` behind; a modifier is passed over.
///
/// # Errors
///
/// 42704 when there is none, 42602 when it is malformed.
pub fn type_named(lookup: &Lookup<'_>, text: &str) -> Result<Oid> {
    let unknown = || PgError::new(SqlState::UNDEFINED_OBJECT, format!("type \"{text}\" does not exist"));
    let mut name = text.trim().to_owned();
    let mut array = false;
    while let Some(open) = name.rfind('[').filter(|_| name.ends_with(']')) {
        array = true;
        name.truncate(open);
        name.truncate(name.trim_end().len());
    }
    if let (Some(open), Some(close)) = (name.find('('), name.find(')')) {
        if close < open || name.starts_with('"') {
            return Err(PgError::new(SqlState::INVALID_NAME, "invalid name syntax"));
        }
        name.replace_range(open..=close, "");
    }
    let spaced: Vec<String> = name.split_ascii_whitespace().map(str::to_ascii_lowercase).collect();
    let found = match sql_type(&spaced.join(" ")) {
        Some(known) => known,
        None => {
            let parts = parse_qualified_name(&name)?;
            let found = match parts.as_slice() {
                [name] => lookup.type_by_name(None, name)?,
                [schema, name] => lookup.type_by_name(Some(schema), name)?,
                _ => None,
            };
            found.ok_or_else(unknown)?.oid
        }
    };
    if array { lookup.array_type(found).ok_or_else(unknown) } else { Ok(found) }
}

/// Types that the grammar names by words of its own.
fn sql_type(name: &str) -> Option<Oid> {
    Some(match name {
        "int" | "integer" => oid::INT4,
        "smallint" => oid::INT2,
        "bigint" => oid::INT8,
        "real" => oid::FLOAT4,
        "float" | "double precision" => oid::FLOAT8,
        "decimal" | "dec" | "numeric" => oid::NUMERIC,
        "boolean" => oid::BOOL,
        "char" | "character" | "nchar" | "national character" | "national char" => oid::BPCHAR,
        "character varying" | "char varying" | "national character varying" => oid::VARCHAR,
        "bit varying" => oid::VARBIT,
        "time without time zone" => oid::TIME,
        "time with time zone" => oid::TIMETZ,
        "timestamp without time zone" => oid::TIMESTAMP,
        "timestamp with time zone" => oid::TIMESTAMPTZ,
        _ => return None,
    })
}

fn reg_out(lookup: &Lookup<'_>, source: &str, oid: Oid) -> Option<String> {
    let qualified =
        |namespace: Oid, name: &str| quote_qualified(lookup.catalog.schema_name(namespace).unwrap_or(""), name);
    match source {
        "regclassout" => {
            let relation = lookup.catalog.relation(oid)?;
            Some(if lookup.catalog.is_visible(lookup.search_path, oid) {
                quote_identifier(relation.name()).into_owned()
            } else {
                qualified(relation.schema(), relation.name())
            })
        }
        "regtypeout" => lookup.type_by_oid(oid).map(|_| lookup.format_type(oid)),
        "regprocout" => {
            let proc = facts::procs().by_oid(oid)?;
            let visible = lookup.search_path.contains(&proc.namespace);
            let alone =
                facts::procs().by_name(proc.name).iter().filter(|p| lookup.search_path.contains(&p.namespace)).count()
                    == 1;
            Some(if visible && alone {
                quote_identifier(proc.name).into_owned()
            } else {
                qualified(proc.namespace, proc.name)
            })
        }
        "regprocedureout" => {
            let proc = facts::procs().by_oid(oid)?;
            let visible = lookup.search_path.contains(&proc.namespace);
            let name =
                if visible { quote_identifier(proc.name).into_owned() } else { qualified(proc.namespace, proc.name) };
            let types: Vec<String> = proc.arg_types.iter().map(|&type_oid| lookup.format_type(type_oid)).collect();
            Some(format!("{name}({})", types.join(",")))
        }
        "regroleout" => lookup.catalog.role_name(oid).map(|name| quote_identifier(name).into_owned()),
        "regnamespaceout" => lookup.catalog.schema_name(oid).map(|name| quote_identifier(name).into_owned()),
        "regoperout" => {
            let operator = facts::operators().by_oid(oid)?;
            let alone = facts::operators().by_name(operator.name).len() == 1;
            Some(if alone { operator.name.to_owned() } else { format!("pg_catalog.{}", operator.name) })
        }
        "regoperatorout" => {
            let operator = facts::operators().by_oid(oid)?;
            let left = if operator.prefix { "NONE".to_owned() } else { lookup.format_type(operator.left) };
            Some(format!("{}({left},{})", operator.name, lookup.format_type(operator.right)))
        }
        "regcollationout" => {
            facts::collations().by_oid(oid).map(|collation| quote_identifier(collation.name).into_owned())
        }
        _ => None,
    }
}
