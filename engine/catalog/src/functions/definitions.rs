//! Functions that write objects as SQL: `pg_get_*def`, `format_type`.

use std::sync::Arc;

use helios_types::{Datum, Oid, PgError, Result, SqlState};

use super::qualified_name::parse_qualified_name;
use super::{Call, text_or_null};
use crate::facts::{self, Proc, quote_identifier, quote_qualified};
use crate::model::{Relation, Sequence, Table};
use crate::resolve::Lookup;
use crate::system::{constraint_definition_by_oid, index_column_definition, index_definition, visible_expression};

pub(super) const SOURCES: &[&str] = &[
    "format_type",
    "pg_get_expr",
    "pg_get_expr_ext",
    "pg_get_indexdef",
    "pg_get_indexdef_ext",
    "pg_get_constraintdef",
    "pg_get_constraintdef_ext",
    "pg_get_viewdef",
    "pg_get_viewdef_ext",
    "pg_get_viewdef_wrap",
    "pg_get_viewdef_name",
    "pg_get_viewdef_name_ext",
    "pg_get_serial_sequence",
    "pg_get_function_arguments",
    "pg_get_function_identity_arguments",
    "pg_get_function_result",
    "pg_get_function_arg_default",
    "pg_get_partkeydef",
    "pg_get_statisticsobjdef_columns",
];

pub(super) fn call(call: &Call<'_>) -> Option<Result<Datum>> {
    SOURCES.contains(&call.source).then(|| run(call))
}

fn run(call: &Call<'_>) -> Result<Datum> {
    let lookup = call.lookup;
    Ok(match call.source {
        "format_type" => match (call.args.first(), call.args.get(1)) {
            (Some(Datum::U32(oid)), Some(Datum::I32(typmod))) => {
                Datum::text(lookup.format_type_with(Oid(*oid), *typmod))
            }
            (Some(Datum::U32(oid)), _) => Datum::text(lookup.format_type(Oid(*oid))),
            _ => Datum::Null,
        },
        // A pg_node_tree is the expression's text already.
        "pg_get_expr" | "pg_get_expr_ext" => Datum::text(visible_expression(lookup, call.text(0)?)),
        "pg_get_indexdef" => index(lookup, call.oid(0)?, 0, false),
        "pg_get_indexdef_ext" => index(lookup, call.oid(0)?, call.integer(1)?, call.bool(2)?),
        "pg_get_constraintdef" => text_or_null(constraint_definition_by_oid(lookup, call.oid(0)?, false)),
        "pg_get_constraintdef_ext" => text_or_null(constraint_definition_by_oid(lookup, call.oid(0)?, call.bool(1)?)),
        "pg_get_viewdef" | "pg_get_viewdef_ext" | "pg_get_viewdef_wrap" => view(lookup, call.oid(0)?),
        "pg_get_viewdef_name" | "pg_get_viewdef_name_ext" => view(lookup, relation_named(lookup, call.text(0)?)?.oid()),
        "pg_get_serial_sequence" => serial_sequence(lookup, call.text(0)?, call.text(1)?)?,
        "pg_get_function_arguments" => text_or_null(proc(call)?.map(|proc| arguments(lookup, proc, true))),
        "pg_get_function_identity_arguments" => text_or_null(proc(call)?.map(|proc| arguments(lookup, proc, false))),
        "pg_get_function_result" => text_or_null(proc(call)?.and_then(|proc| result(lookup, proc))),
        "pg_get_function_arg_default" => {
            let (proc, number) = (proc(call)?, call.integer(1)?);
            text_or_null(proc.and_then(|proc| argument_default(proc, number)))
        }
        // There are no partitioned tables and no statistics objects.
        "pg_get_partkeydef" | "pg_get_statisticsobjdef_columns" => Datum::Null,
        other => return Err(PgError::internal(format!("{other} is listed and not written"))),
    })
}

fn index(lookup: &Lookup<'_>, oid: Oid, column: i32, pretty: bool) -> Datum {
    if let Some(index) = lookup.catalog.index(oid) {
        return Datum::text(match usize::try_from(column) {
            Ok(0) => index_definition(lookup, index, !pretty),
            Ok(column) => index_column_definition(lookup, index, column, pretty).unwrap_or_default(),
            Err(_) => String::new(),
        });
    }
    let Some(system) = facts::indexes().iter().find(|index| index.index == oid) else { return Datum::Null };
    if column == 0 {
        return text_or_null(crate::system::system_index_definition(lookup, system));
    }
    let attnum = usize::try_from(column - 1).ok().and_then(|at| system.keys.get(at));
    let name = attnum.and_then(|attnum| {
        facts::attributes().of(system.relation).iter().find(|column| column.number == *attnum).map(|column| column.name)
    });
    Datum::text(name.map_or("".into(), quote_identifier).into_owned())
}

fn view(lookup: &Lookup<'_>, oid: Oid) -> Datum {
    text_or_null(lookup.catalog.view(oid).map(|view| {
        let query = view.query.trim_end();
        if query.ends_with(';') { query.to_owned() } else { format!("{query};") }
    }))
}

/// The relation that a name in a string means.
pub fn relation_named<'a>(lookup: &Lookup<'a>, name: &str) -> Result<Relation<'a>> {
    let parts = parse_qualified_name(name)?;
    match parts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [name] => lookup.catalog.lookup_relation(lookup.search_path, None, name),
        [schema, name] => lookup.catalog.lookup_relation(lookup.search_path, Some(schema), name),
        [_, _, _] => {
            let message = format!("cross-database references are not implemented: \"{}\"", parts.join("."));
            Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message))
        }
        _ => {
            let message = format!("improper relation name (too many dotted names): {}", parts.join("."));
            Err(PgError::new(SqlState::SYNTAX_ERROR, message))
        }
    }
}

fn serial_sequence(lookup: &Lookup<'_>, table: &str, column: &str) -> Result<Datum> {
    let Relation::Table(table) = relation_named(lookup, table)? else { return Ok(Datum::Null) };
    let column = table.column(column).ok_or_else(|| {
        let message = format!("column \"{column}\" of relation \"{}\" does not exist", table.name);
        PgError::new(SqlState::UNDEFINED_COLUMN, message)
    })?;
    let owns = |sequence: &&Arc<Sequence>| sequence.owned_by == Some((table.oid.0, column.attnum));
    let Some(sequence) = lookup.catalog.sequences().find(owns) else { return Ok(Datum::Null) };
    let schema = lookup.catalog.schema_name(sequence.schema).unwrap_or("");
    Ok(Datum::text(quote_qualified(schema, &sequence.name)))
}

fn proc(call: &Call<'_>) -> Result<Option<&'static Proc>> {
    Ok(facts::procs().by_oid(call.oid(0)?))
}

/// The parameters as in CREATE FUNCTION, with or without their defaults.
fn arguments(lookup: &Lookup<'_>, proc: &Proc, with_defaults: bool) -> String {
    let types = proc.all_arg_types.as_deref().unwrap_or(&proc.arg_types);
    let first_default = usize::from(proc.arg_count) - usize::from(proc.default_count);
    let aggregate = facts::aggregates().by_oid(proc.oid).filter(|aggregate| aggregate.kind != b'n');
    let direct = aggregate.map(|aggregate| usize::from(aggregate.direct_arg_count));
    let (mut text, mut printed, mut inputs, mut index) = (String::new(), 0, 0, 0);
    while index < types.len() {
        let mode = proc.arg_modes.map_or(b'i', |modes| modes.as_bytes()[index]);
        if mode == b't' {
            index += 1;
            continue;
        }
        // The direct arguments of an ordered-set aggregate stand before ORDER BY.
        if direct == Some(printed) {
            text.push_str(if printed > 0 { " ORDER BY " } else { "ORDER BY " });
        } else if printed > 0 {
            text.push_str(", ");
        }
        text.push_str(match mode {
            b'o' => "OUT ",
            b'b' => "INOUT ",
            b'v' => "VARIADIC ",
            _ => "",
        });
        let name = proc.arg_names.as_ref().map_or("", |names| names[index]);
        if !name.is_empty() {
            text.push_str(&quote_identifier(name));
            text.push(' ');
        }
        text.push_str(&lookup.format_type(types[index]));
        let default = if mode == b'o' { None } else { proc.defaults.get(usize::wrapping_sub(inputs, first_default)) };
        if let Some(default) = default.filter(|_| with_defaults) {
            text.push_str(" DEFAULT ");
            text.push_str(default);
        }
        inputs += usize::from(mode != b'o');
        printed += 1;
        // A VARIADIC that is both a direct and an ordered argument is written twice.
        if direct != Some(printed) || index + 1 < types.len() {
            index += 1;
        }
    }
    text
}

fn result(lookup: &Lookup<'_>, proc: &Proc) -> Option<String> {
    if proc.kind == facts::ProcKind::Procedure {
        return None;
    }
    let columns = proc.output_columns();
    if proc.arg_modes.is_some_and(|modes| modes.contains('t')) {
        let column =
            |(name, type_oid): &(&str, Oid)| format!("{} {}", quote_identifier(name), lookup.format_type(*type_oid));
        return Some(format!("TABLE({})", columns.iter().map(column).collect::<Vec<_>>().join(", ")));
    }
    let set = if proc.returns_set { "SETOF " } else { "" };
    Some(format!("{set}{}", lookup.format_type(proc.result)))
}

/// The default of the `number`-th parameter, of all of them, counted from 1.
fn argument_default(proc: &Proc, number: i32) -> Option<String> {
    let at = usize::try_from(number).ok()?.checked_sub(1)?;
    let is_input = |mode: u8| matches!(mode, b'i' | b'b' | b'v');
    let modes = proc.arg_modes.map(str::as_bytes);
    if modes.is_some_and(|modes| !modes.get(at).copied().is_some_and(is_input)) {
        return None;
    }
    let before = modes.map_or(at, |modes| modes[..at].iter().filter(|&&mode| is_input(mode)).count());
    let first_default = usize::from(proc.arg_count) - usize::from(proc.default_count);
    proc.defaults.get(before.checked_sub(first_default)?).map(|&default| default.to_owned())
}

/// The attnum of a live column.
pub(super) fn column_number(table: &Table, name: &str) -> Option<i16> {
    table.column(name).map(|column| column.attnum)
}
