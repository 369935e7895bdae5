//! `has_*_privilege` and `pg_has_role`.
//!
//! Without GRANT there are the privileges that come by themselves: everything to superusers and owners, and to everyone
//! what PostgreSQL grants PUBLIC: reading the system's relations, USAGE of the built-in schemas and of `public`, CONNECT
//! and TEMPORARY on databases, EXECUTE of functions, USAGE of types and languages.

use helios_types::{Datum, Oid, PgError, Result, SqlState};

use super::Call;
use super::definitions::{column_number, relation_named};
use super::identity::no_role;
use crate::facts;
use crate::model::{POSTGRES_ROLE, PUBLIC_SCHEMA, Relation};

/// Kinds of object that privileges are on, with the privileges that they have.
const KINDS: &[(&str, &[&str])] = &[
    ("has_table_privilege", TABLE),
    ("has_any_column_privilege", COLUMN),
    ("has_column_privilege", COLUMN),
    ("has_sequence_privilege", &["usage", "select", "update"]),
    ("has_database_privilege", &["create", "temporary", "temp", "connect"]),
    ("has_schema_privilege", &["create", "usage"]),
    ("has_function_privilege", &["execute"]),
    ("has_language_privilege", &["usage"]),
    ("has_type_privilege", &["usage"]),
    ("has_tablespace_privilege", &["create"]),
    ("pg_has_role", &["usage", "member", "set"]),
];
const TABLE: &[&str] =
    &["select", "insert", "update", "delete", "truncate", "references", "trigger", "maintain", "rule"];
const COLUMN: &[&str] = &["select", "insert", "update", "references"];

/// The kind of a `prosrc` such as `has_table_privilege_name_id`, and how its arguments are given.
fn parse(source: &str) -> Option<(&'static str, &'static [&'static str], Vec<&str>)> {
    KINDS.iter().find_map(|&(kind, privileges)| {
        let shape = source.strip_prefix(kind)?.strip_prefix('_')?;
        let words: Vec<&str> = shape.split('_').collect();
        words.iter().all(|word| matches!(*word, "name" | "id" | "attnum")).then_some((kind, privileges, words))
    })
}

pub(super) fn knows(source: &str) -> bool {
    parse(source).is_some()
}

pub(super) fn call(call: &Call<'_>) -> Option<Result<Datum>> {
    let (kind, privileges, shape) = parse(call.source)?;
    Some(run(call, kind, privileges, &shape))
}

fn run(call: &Call<'_>, kind: &str, known: &[&str], shape: &[&str]) -> Result<Datum> {
    let catalog = call.lookup.catalog;
    // [role] object [column] privilege: the role is there when there is one shape word more than the object needs.
    let object_words = if kind == "has_column_privilege" { 2 } else { 1 };
    let with_role = shape.len() > object_words;
    let role = match (with_role, shape[0]) {
        (false, _) => call.context.user(),
        (true, "id") => call.oid(0)?,
        (true, _) => {
            let name = call.text(0)?;
            catalog.role_oid(name).ok_or_else(|| no_role(name))?
        }
    };
    let at = usize::from(with_role);
    let asked = wanted(call.text(call.args.len() - 1)?, known)?;
    let superuser = catalog.role(role).is_some_and(|role| role.superuser);
    let by_name = shape[at] == "name";
    let acts_as = |owner: Oid| superuser || role == owner;
    let any = |privileges: &[&str]| asked.iter().any(|privilege| privileges.contains(&privilege.as_str()));
    let allowed = match kind {
        "has_table_privilege" | "has_any_column_privilege" | "has_column_privilege" | "has_sequence_privilege" => {
            let relation = if by_name {
                Some(relation_named(call.lookup, call.text(at)?)?)
            } else {
                catalog.relation(call.oid(at)?)
            };
            let Some(relation) = relation else { return Ok(Datum::Null) };
            if kind == "has_column_privilege" && !column_exists(call, &relation, at + 1, shape[at + 1])? {
                return Ok(Datum::Null);
            }
            match relation {
                Relation::System(_) => superuser || any(&["select"]),
                other => acts_as(owner(call, &other)),
            }
        }
        "has_schema_privilege" => {
            let schema = if by_name { catalog.lookup_schema(call.text(at)?)? } else { call.oid(at)? };
            let Some(_) = catalog.schema_name(schema) else { return Ok(Datum::Null) };
            let owner = catalog.schema(schema).map_or(POSTGRES_ROLE, |schema| schema.owner);
            let everyones = schema == PUBLIC_SCHEMA || catalog.schema(schema).is_none();
            acts_as(owner) || (everyones && any(&["usage"]))
        }
        "has_database_privilege" => {
            let database = if by_name {
                let name = call.text(at)?;
                let unknown =
                    || PgError::new(SqlState::INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist"));
                catalog.database_by_name(name).ok_or_else(unknown)?.clone()
            } else {
                let Some(database) = catalog.database(call.oid(at)?) else { return Ok(Datum::Null) };
                database.clone()
            };
            acts_as(database.owner) || any(&["connect", "temporary", "temp"])
        }
        "pg_has_role" => {
            let other = if by_name {
                let name = call.text(at)?;
                catalog.role_oid(name).ok_or_else(|| no_role(name))?
            } else {
                call.oid(at)?
            };
            acts_as(other)
        }
        "has_tablespace_privilege" => superuser,
        // Functions, languages and types: everyone's.
        _ => true,
    };
    Ok(Datum::Bool(allowed))
}

fn owner(call: &Call<'_>, relation: &Relation<'_>) -> Oid {
    match relation {
        Relation::Table(table) => table.owner,
        Relation::View(view) => view.owner,
        Relation::Sequence(sequence) => sequence.owner,
        Relation::Index(index) => call.lookup.catalog.table(index.table).map_or(POSTGRES_ROLE, |table| table.owner),
        Relation::System(_) => POSTGRES_ROLE,
    }
}

/// Whether the column is there; by name it must be.
fn column_exists(call: &Call<'_>, relation: &Relation<'_>, index: usize, shape: &str) -> Result<bool> {
    if shape != "name" {
        let number = call.integer(index)?;
        return Ok(match relation {
            Relation::Table(table) => {
                i16::try_from(number).is_ok_and(|n| table.column_by_attnum(n).is_some_and(|c| !c.dropped))
            }
            Relation::View(view) => usize::try_from(number).is_ok_and(|n| n >= 1 && n <= view.columns.len()),
            Relation::System(system) => number >= 1 && number <= i32::from(system.column_count),
            Relation::Index(_) | Relation::Sequence(_) => number >= 1,
        });
    }
    let name = call.text(index)?;
    let there = match relation {
        Relation::Table(table) => column_number(table, name).is_some(),
        Relation::View(view) => view.columns.iter().any(|column| column.name == name),
        Relation::System(system) => facts::attributes().of(system.oid).iter().any(|column| column.name == name),
        Relation::Index(_) | Relation::Sequence(_) => true,
    };
    if there {
        return Ok(true);
    }
    let message = format!("column \"{name}\" of relation \"{}\" does not exist", relation.name());
    Err(PgError::new(SqlState::UNDEFINED_COLUMN, message))
}

/// The privileges of `select, insert with grant option`, in lower case.
fn wanted(text: &str, known: &[&str]) -> Result<Vec<String>> {
    let one = |word: &str| {
        let word = word.trim();
        let plain = word.to_ascii_lowercase();
        let plain = plain.strip_suffix(" with grant option").unwrap_or(&plain).trim_end();
        let plain = plain.strip_suffix(" with admin option").unwrap_or(plain).trim_end().to_owned();
        if known.contains(&plain.as_str()) {
            Ok(plain)
        } else {
            let message = format!("unrecognized privilege type: \"{word}\"");
            Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
    };
    text.split(',').map(one).collect()
}
