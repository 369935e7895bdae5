//! Checks this crate against what PostgreSQL 18 answered: `tests/recorded/*.tsv`, written by `tests/record`.

use std::fmt::Write as _;

use helios_types::datetime::{DateOrder, DateStyle, IntervalStyle, TimeZone};
use helios_types::io::{ByteaOutput, InputContext, Style, input, output};
use helios_types::{Datum, Oid, PgError, Result, TypeMod, apply_typmod, oid, typmod_in};

mod functions;

/// The transaction's time that `now` means; no recorded case depends on it.
const NOW: i64 = 800_000_000_000_000;

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('t') => out.push('\t'),
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n")
}

/// The fields of `interval day to second(3)`.
fn interval_by_fields(fields: &str) -> (Oid, TypeMod) {
    use helios_types::datetime::interval_fields as f;
    let (fields, precision) = match fields.split_once('(') {
        Some((fields, precision)) => (fields, precision.trim_end_matches(')').parse().expect("a number")),
        None => (fields, f::NO_PRECISION),
    };
    let masks = [f::YEAR, f::MONTH, f::DAY, f::HOUR, f::MINUTE, f::SECOND]
        .into_iter()
        .chain([f::YEAR | f::MONTH, f::DAY | f::HOUR, f::DAY | f::HOUR | f::MINUTE, f::HOUR | f::MINUTE])
        .chain([f::HOUR | f::MINUTE | f::SECOND, f::MINUTE | f::SECOND, f::DAY | f::HOUR | f::MINUTE | f::SECOND]);
    let mask = masks.into_iter().find(|mask| f::name(*mask) == Some(&format!(" {fields}"))).expect("fields");
    (oid::INTERVAL, mask << 16 | precision)
}

fn type_by_name(name: &str) -> (Oid, TypeMod) {
    if let Some(fields) = name.strip_prefix("interval ") {
        return interval_by_fields(fields);
    }
    if let Some(element) = name.strip_suffix("[]") {
        let (element, typmod) = type_by_name(element);
        return (oid::array_of(element).expect("has an array type"), typmod);
    }
    let (name, numbers) = match name.split_once('(') {
        Some((name, numbers)) => {
            (name, numbers.trim_end_matches(')').split(',').map(|number| number.parse().expect("a number")).collect())
        }
        None => (name, Vec::new()),
    };
    let type_oid = match name {
        "bool" => oid::BOOL,
        "int2" => oid::INT2,
        "int4" => oid::INT4,
        "int8" => oid::INT8,
        "float4" => oid::FLOAT4,
        "float8" => oid::FLOAT8,
        "numeric" => oid::NUMERIC,
        "text" => oid::TEXT,
        "varchar" => oid::VARCHAR,
        "bpchar" | "char" => oid::BPCHAR,
        "\"char\"" => oid::CHAR,
        "name" => oid::NAME,
        "bytea" => oid::BYTEA,
        "date" => oid::DATE,
        "time" => oid::TIME,
        "timetz" => oid::TIMETZ,
        "timestamp" => oid::TIMESTAMP,
        "timestamptz" => oid::TIMESTAMPTZ,
        "interval" => oid::INTERVAL,
        "uuid" => oid::UUID,
        "oid" => oid::OID,
        "xid" => oid::XID,
        "cid" => oid::CID,
        "xid8" => oid::XID8,
        "tid" => oid::TID,
        "json" => oid::JSON,
        "int2vector" => oid::INT2VECTOR,
        "oidvector" => oid::OIDVECTOR,
        "void" => oid::VOID,
        "cstring" => oid::CSTRING,
        other => panic!("type {other} in a recorded case"),
    };
    let typmod = match numbers.as_slice() {
        [] => -1,
        numbers => {
            let interval = [helios_types::datetime::interval_fields::ALL, numbers[0]];
            typmod_in(type_oid, if type_oid == oid::INTERVAL { &interval } else { numbers }).expect("a modifier").0
        }
    };
    (type_oid, typmod)
}

fn set(style: &mut Style, body: &str) {
    let (name, value) = body.split_once('=').expect("set NAME = VALUE");
    let value = value.trim().trim_matches('\'');
    match name.trim() {
        "timezone" => style.time_zone = TimeZone::named(value).expect("a zone"),
        "datestyle" => {
            for word in value.split(',').map(str::trim) {
                match word.to_ascii_lowercase().as_str() {
                    "iso" => style.date_style = DateStyle::Iso,
                    "sql" => style.date_style = DateStyle::Sql,
                    "postgres" => style.date_style = DateStyle::Postgres,
                    "german" => style.date_style = DateStyle::German,
                    "mdy" => style.date_order = DateOrder::Mdy,
                    "dmy" => style.date_order = DateOrder::Dmy,
                    "ymd" => style.date_order = DateOrder::Ymd,
                    other => panic!("datestyle {other}"),
                }
            }
        }
        "intervalstyle" => {
            style.interval_style = match value {
                "postgres" => IntervalStyle::Postgres,
                "postgres_verbose" => IntervalStyle::PostgresVerbose,
                "sql_standard" => IntervalStyle::SqlStandard,
                "iso_8601" => IntervalStyle::Iso8601,
                other => panic!("intervalstyle {other}"),
            }
        }
        "extra_float_digits" => style.extra_float_digits = value.parse().expect("a number"),
        "bytea_output" => {
            style.bytea_output = if value == "escape" { ByteaOutput::Escape } else { ByteaOutput::Hex };
        }
        other => panic!("setting {other}"),
    }
}

/// The types of a call, as written.
fn split_call(call: &str) -> (&str, Vec<&str>) {
    let (name, rest) = call.split_once('(').expect("NAME(TYPE,...)");
    let rest = rest.strip_suffix(')').expect("a closing parenthesis");
    let mut types = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, character) in rest.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                types.push(&rest[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    types.push(&rest[start..]);
    (name, types)
}

fn evaluate(line: &str, style: &Style) -> Result<Option<String>> {
    let context = InputContext::new(style, NOW);
    let mut parts = line.split('\t');
    let (name, types) = split_call(parts.next().expect("a call"));
    let mut arguments = Vec::new();
    for (type_name, argument) in types.iter().zip(parts) {
        let (type_oid, typmod) = type_by_name(type_name);
        let value = if argument == "\\N" {
            Datum::Null
        } else {
            // The modifier of an interval decides how it is read, all others how it is then cast.
            let read_with = if type_oid == oid::INTERVAL { typmod } else { -1 };
            let value = input(type_oid, read_with, &unescape(argument), &context)?;
            apply_typmod(type_oid, typmod, value, true)?
        };
        arguments.push(value);
    }
    let (type_oid, value) = if name == "input" {
        (type_by_name(types[0]).0, arguments.remove(0))
    } else {
        functions::call(name, &types, &arguments, style)?
    };
    if value.is_null() {
        return Ok(None);
    }
    let mut text = String::new();
    output(type_oid, &value, style, &mut text);
    Ok(Some(text))
}

fn shown_error(error: &PgError) -> String {
    let field = |field: Option<&str>| field.unwrap_or("").to_string();
    format!("ERROR {}|{}|{}|{}", error.code(), error.message(), field(error.detail()), field(error.hint()))
}

fn check(file: &str, text: &str) {
    let mut style = Style { time_zone: TimeZone::utc(), ..Style::default() };
    let mut failures = String::new();
    let (mut cases, mut failed) = (0, 0);
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(body) = line.strip_prefix("set ") {
            set(&mut style, body);
            continue;
        }
        let expected = lines.next().and_then(|(_, line)| line.strip_prefix("  => ")).expect("a recorded result");
        let observed = match evaluate(line, &style) {
            Ok(Some(text)) => escape(&text),
            Ok(None) => "\\N".to_string(),
            Err(error) => escape(&shown_error(&error)),
        };
        cases += 1;
        if observed != expected {
            failed += 1;
            if failed <= 60 {
                let _ =
                    writeln!(failures, "{file}:{}: {line}\n  expected {expected}\n  observed {observed}", number + 1);
            }
        }
    }
    assert!(cases > 0, "{file} has no cases");
    assert!(failed == 0, "{failed} of {cases} cases differ:\n{failures}");
}

macro_rules! recorded {
    ($($name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                let file = concat!("recorded/", stringify!($name), ".tsv");
                check(file, include_str!(concat!("recorded/", stringify!($name), ".tsv")));
            }
        )*
    };
}

recorded! {
    scalars,
    arrays,
    dates,
    forms,
    date_functions,
    intervals,
    numerics,
    numeric_functions,
}

/// `HELIOS_CASES=FILE cargo test -p helios-types --test recorded -- --ignored` checks another recorded file.
#[test]
#[ignore = "needs a file"]
fn another_file() {
    let path = std::env::var("HELIOS_CASES").expect("HELIOS_CASES names a file");
    check(&path, &std::fs::read_to_string(&path).expect("the file is there"));
}
