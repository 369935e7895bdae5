//! Runs the calls of the `.tsv` files, in scalar form and as a batch, against what PostgreSQL answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use helios_catalog::facts::{self, Proc};
use helios_env::{Clock, Instant, Pending, SplitMix64, Timestamp};
use helios_types::io::{self, InputContext};
use helios_types::{Bitmap, Column, Datum, Oid, Result, oid};

use crate::expr::ExprType;
use crate::functions::aggregates::{self, Aggregate, Groups, Input};
use crate::functions::{CallCache, FunctionContext, Implementation, bind};
use crate::session::{SessionContext, text_style};

const FILES: &[(&str, &str)] = &[
    ("sampled", include_str!("sampled.tsv")),
    ("arrays", include_str!("arrays.tsv")),
    ("strings", include_str!("strings.tsv")),
    ("regular_expressions", include_str!("regular_expressions.tsv")),
    ("aggregates", include_str!("aggregates.tsv")),
    ("templates", include_str!("templates.tsv")),
    ("texts", include_str!("texts.tsv")),
    ("sends", include_str!("sends.tsv")),
];

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn monotonic(&self) -> Instant {
        Instant(0)
    }
    fn wall(&self) -> Timestamp {
        Timestamp(1_700_000_000_000_000)
    }
    fn sleep_until(&self, _: Instant) -> Pending<()> {
        unreachable!("no function under test sleeps")
    }
}

/// A session with PostgreSQL's default settings in UTC.
pub(super) fn session(settings: BTreeMap<String, String>) -> SessionContext {
    SessionContext {
        database: "postgres".into(),
        database_oid: Oid(5),
        user: "postgres".into(),
        user_oid: Oid(10),
        session_user: "postgres".into(),
        backend_pid: 42,
        style: Arc::new(text_style(&settings)),
        settings: Arc::new(settings),
        transaction_timestamp: Timestamp(1_700_000_000_000_000),
        statement_timestamp: Timestamp(1_700_000_000_000_000),
        clock: Arc::new(Still),
        rng: Arc::new(SplitMix64::new(1)),
        random: Arc::default(),
    }
}

/// The `OID` of a type by its internal name.
fn type_named(name: &str) -> Oid {
    facts::types().by_name(Oid(11), name).unwrap_or_else(|| panic!("no type {name}")).oid
}

fn types_named(names: &str) -> Vec<Oid> {
    names.split(',').filter(|name| !name.is_empty()).map(type_named).collect()
}

/// What calls follow: `@ name(types) [= types] [-> type]`.
struct Target {
    heading: String,
    proc: &'static Proc,
    implementation: Option<Implementation>,
    aggregate: Option<Aggregate>,
    direct: usize,
    arg_types: Vec<Oid>,
    result: Oid,
    cache: CallCache,
}

fn target(heading: &str) -> Target {
    let (rest, result) = heading.split_once(" -> ").map_or((heading, None), |(rest, result)| (rest, Some(result)));
    let (signature, actual) = rest.split_once(" = ").map_or((rest, None), |(rest, actual)| (rest, Some(actual)));
    let (name, declared) = signature.trim_end_matches(')').split_once('(').expect("name(types)");
    let declared = types_named(declared);
    let proc = facts::procs()
        .by_name(name)
        .iter()
        .find(|proc| *proc.arg_types == *declared)
        .unwrap_or_else(|| panic!("no function {signature}"));
    Target {
        heading: heading.to_owned(),
        proc,
        implementation: bind(proc.oid, proc.source),
        aggregate: aggregates::lookup(proc.name, &proc.arg_types),
        direct: facts::aggregates().by_oid(proc.oid).map_or(0, |aggregate| usize::from(aggregate.direct_arg_count)),
        arg_types: actual.map_or(declared, types_named),
        result: result.map_or(proc.result, type_named),
        cache: CallCache::default(),
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match (char, char == '\\') {
            (_, true) => match chars.next() {
                Some('t') => out.push('\t'),
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            _ => out.push(char),
        }
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n")
}

fn shown(result: Result<Datum>, type_oid: Oid, session: &SessionContext) -> String {
    match result {
        Ok(Datum::Null) => "\\N".to_owned(),
        Ok(value) => {
            let mut text = String::new();
            io::output(type_oid, &value, &session.style, &mut text);
            escape(&text)
        }
        Err(error) => escape(&format!("!{} {}", error.code(), error.message())),
    }
}

/// An aggregate's answers: of one group, and of the last of three groups.
fn aggregated(target: &Target, args: &[Datum], session: &SessionContext) -> Vec<String> {
    let ctx = FunctionContext {
        session,
        collation: oid::DEFAULT_COLLATION,
        arg_types: &target.arg_types,
        result: ExprType::new(target.result),
        variadic: false,
        cache: &target.cache,
    };
    let (direct, columns) = args.split_at(target.direct);
    let mut columns: Vec<Vec<Datum>> = columns
        .iter()
        .map(|column| match column {
            Datum::Array(array) => array.elements.clone(),
            other => panic!("{}: {other:?} is no column", target.heading),
        })
        .collect();
    if facts::aggregates().by_oid(target.proc.oid).is_some_and(|aggregate| aggregate.kind == b'o') {
        let ty = target.arg_types[target.direct];
        columns[0].sort_by(|a, b| helios_types::compare(ty, a, b));
    }
    let columns: Vec<Column> = columns
        .iter()
        .zip(&target.arg_types[target.direct..])
        .map(|(column, ty)| Column::from_datums(*ty, column))
        .collect();
    let columns: Vec<&Column> = columns.iter().collect();
    let rows = columns.first().map_or(0, |column| column.len());
    let make = || (target.aggregate.expect("only bound aggregates are asked"))(&ctx);
    let single = make().and_then(|mut states| {
        states.resize(1);
        states.update_one(&ctx, 0, &columns, rows)?;
        states.finish(&ctx, 0, direct)
    });
    let last = make().and_then(|mut states| {
        states.resize(3);
        let other: Vec<u32> = (0..rows).map(|row| row as u32 % 2).collect();
        let skip = Bitmap::new(rows, true);
        states.feed(&ctx, &Input { groups: Groups::Each(&other), args: &columns, skip: Some(&skip) })?;
        states.update(&ctx, &vec![2; rows], &columns)?;
        states.finish(&ctx, 2, direct)
    });
    vec![shown(single, target.result, session), shown(last, target.result, session)]
}

/// The answers of the scalar and, if there is one, of the kernel.
fn answers(target: &Target, args: &[Datum], session: &SessionContext) -> Vec<String> {
    let ctx = FunctionContext {
        session,
        collation: oid::DEFAULT_COLLATION,
        arg_types: &target.arg_types,
        result: ExprType::new(target.result),
        variadic: false,
        cache: &target.cache,
    };
    if target.aggregate.is_some() {
        return aggregated(target, args, session);
    }
    let implementation = target.implementation.expect("only bound functions are asked");
    if target.proc.strict && args.iter().any(Datum::is_null) {
        return vec![if target.proc.returns_set { String::new() } else { "\\N".to_owned() }];
    }
    match implementation {
        Implementation::Scalar(scalar) => vec![shown(scalar(&ctx, args), target.result, session)],
        Implementation::Kernel(scalar, kernel) => {
            let columns: Vec<Column> =
                args.iter().zip(&target.arg_types).map(|(arg, ty)| Column::constant(*ty, arg, 3)).collect();
            let columns: Vec<&Column> = columns.iter().collect();
            let skipped = kernel(&ctx, &columns, Some(&Bitmap::new(3, true)), 3);
            assert!(skipped.is_ok(), "{}: failed for rows that are skipped: {skipped:?}", target.heading);
            let batch = kernel(&ctx, &columns, None, 3)
                .map(|data| Column { data, nulls: None })
                .inspect(|column| assert_eq!(column.len(), 3, "{}", target.heading))
                .map(|column| column.get(2));
            vec![shown(scalar(&ctx, args), target.result, session), shown(batch, target.result, session)]
        }
        Implementation::Set(set) => {
            let mut rows = Vec::new();
            let outcome = set(&ctx, args, &mut |row| {
                let mut text = String::new();
                io::output(target.result, &row[0], &session.style, &mut text);
                rows.push(if row[0].is_null() { "\\N".to_owned() } else { text });
                Ok(())
            });
            vec![outcome.map_or_else(|error| shown(Err(error), target.result, session), |()| escape(&rows.join(" ; ")))]
        }
        Implementation::Suspending(_) => Vec::new(),
    }
}

/// The C library computes the last digit, and there are many C libraries.
fn nearly(got: &str, wanted: &str) -> bool {
    match (got.parse::<f64>(), wanted.parse::<f64>()) {
        (Ok(got), Ok(wanted)) => (got - wanted).abs() <= 4.0 * f64::EPSILON * wanted.abs(),
        _ => false,
    }
}

#[test]
fn functions_answer_as_postgresql_does() {
    let (mut compared, mut functions, mut unbound) = (0, 0, 0);
    let mut differences: Vec<String> = Vec::new();
    let mut missing: Vec<&str> = Vec::new();
    let only = std::env::var("HELIOS_FUNCTION").ok();
    for (file, text) in FILES {
        let mut settings = BTreeMap::new();
        let mut at: Option<Target> = None;
        for (number, line) in text.lines().enumerate() {
            if let Some(heading) = line.strip_prefix("@ ") {
                let next = target(heading);
                functions += usize::from(next.implementation.is_some() || next.aggregate.is_some());
                if next.implementation.is_none() && next.aggregate.is_none() {
                    unbound += 1;
                    missing.push(next.proc.source);
                }
                at = Some(next);
                continue;
            }
            if let Some((name, value)) = line.strip_prefix("set ").and_then(|setting| setting.split_once(" = ")) {
                settings.insert(name.to_lowercase(), value.trim_matches('\'').to_owned());
                continue;
            }
            let call = line.strip_prefix("=> ").map(|answer| (None, answer));
            let call = call.or_else(|| line.split_once("\t=> ").map(|(args, answer)| (Some(args), answer)));
            let (Some((args, wanted)), Some(target)) = (call, &at) else { continue };
            if (target.implementation.is_none() && target.aggregate.is_none())
                || only.as_ref().is_some_and(|only| !target.heading.contains(only))
            {
                continue;
            }
            let session = session(settings.clone());
            let input = InputContext::new(&session.style, session.now());
            let args: Result<Vec<Datum>> = args
                .iter()
                .flat_map(|args| args.split('\t'))
                .zip(&target.arg_types)
                .enumerate()
                .map(|(place, (arg, ty))| {
                    let column = target.aggregate.is_some() && place >= target.direct;
                    let ty = if column { oid::array_of(*ty).expect("an array type") } else { *ty };
                    if arg == "\\N" { Ok(Datum::Null) } else { io::input(ty, -1, &unescape(arg), &input) }
                })
                .collect();
            let args = match args {
                Ok(args) => args,
                Err(error) => {
                    differences.push(format!("{file}:{} {}: {line}: input: {error}", number + 1, target.heading));
                    continue;
                }
            };
            for got in answers(target, &args, &session) {
                compared += 1;
                if got != wanted && !(target.result == oid::FLOAT8 && nearly(&got, wanted)) {
                    differences.push(format!("{file}:{} {}: {line} but got {got}", number + 1, target.heading));
                }
            }
        }
    }
    println!("unbound: {}", missing.join(" "));
    println!("{compared} answers of {functions} functions compared, {unbound} recorded functions not bound");
    let shown: Vec<&String> = differences.iter().take(200).collect();
    assert!(differences.is_empty(), "{} differences:\n{shown:#?}", differences.len());
}
