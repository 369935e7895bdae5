//! Resolution compared, expression by expression, with what PostgreSQL 18 did (`tests/observe`).

use helios_catalog::CatalogSnapshot;
use helios_catalog::facts;
use helios_catalog::resolve::{CallArguments, FunctionDetail, FunctionName, Lookup};
use helios_types::{Oid, PgError, oid};

fn type_named(lookup: &Lookup<'_>, name: &str) -> Oid {
    if let Some(element) = name.strip_suffix("[]") {
        return lookup.array_type(type_named(lookup, element)).expect(name);
    }
    let (schema, plain) = name.split_once('.').map_or((None, name), |(schema, plain)| (Some(schema), plain));
    lookup.type_by_name(schema, plain.trim_matches('"')).unwrap().unwrap_or_else(|| panic!("no type {name}")).oid
}

/// What was called and the type of the result, as the file has it.
fn answer(lookup: &Lookup<'_>, kind: &str, name: &str, types: &[Oid]) -> Result<(String, String), PgError> {
    let found = |callee: Oid, result: Oid| {
        // A view's column cannot be unknown: it becomes text.
        let result = if result == oid::UNKNOWN { oid::TEXT } else { result };
        Ok((callee.to_string(), lookup.format_type_with(result, -1)))
    };
    match kind {
        "binary" => {
            let call = lookup.binary_operator(None, name, types[0], types[1])?;
            found(call.operator.oid, call.result)
        }
        "prefix" => {
            let call = lookup.prefix_operator(None, name, types[0])?;
            found(call.operator.oid, call.result)
        }
        "function" => {
            let arguments = CallArguments { types, ..CallArguments::default() };
            match lookup.function(FunctionName { schema: None, name }, arguments)? {
                FunctionDetail::Call(call) => found(call.proc.oid, call.result),
                FunctionDetail::Coercion(target) => found(Oid::NONE, target),
                FunctionDetail::Ambiguous | FunctionDetail::NotFound => unreachable!("these are errors"),
            }
        }
        "common" => {
            // PostgreSQL takes ELSE for the first of the results.
            let types = [types[2], types[0], types[1]];
            let common = lookup.select_common_type(&types, "CASE").map_err(|(_, error)| error)?;
            for input in types {
                if !lookup.can_coerce(&[input], &[common], helios_catalog::resolve::CoercionContext::Implicit) {
                    let (from, to) = (lookup.format_type(input), lookup.format_type(common));
                    let message = format!("CASE/WHEN could not convert type {from} to {to}");
                    return Err(PgError::new(helios_types::SqlState::CANNOT_COERCE, message));
                }
            }
            found(Oid::NONE, common)
        }
        "order" => {
            let of = type_named(lookup, name);
            let equality = lookup.equality_operator(of)?;
            let less = lookup.ordering_operators(of).map_or(Oid::NONE, |operators| operators.less);
            Ok((equality.to_string(), less.to_string()))
        }
        other => panic!("unknown kind {other}"),
    }
}

#[test]
fn calls_and_operators_resolve_as_in_postgresql() {
    let catalog = CatalogSnapshot::initial();
    let search_path = catalog.search_path("public", "postgres");
    let lookup = Lookup { catalog: &catalog, search_path: &search_path };
    let (mut total, mut wrong) = (0, Vec::new());
    for line in include_str!("resolution.tsv").lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [kind, name, types, callee, result, code, message] = fields[..] else { panic!("{line}") };
        let types: Vec<Oid> = types.split_ascii_whitespace().map(|name| type_named(&lookup, name)).collect();
        total += 1;
        let matches = match answer(&lookup, kind, name, &types) {
            Ok((our_callee, our_result)) => {
                // A cast that looks like a call may be a function's call, or none.
                (callee == "\\N" || our_callee == "0" || our_callee == callee) && our_result == result && code == "\\N"
            }
            Err(error) => error.code().to_string() == code && (message == "\\N" || error.message() == message),
        };
        if !matches {
            wrong.push(format!(
                "{line}\n    but {:?}",
                answer(&lookup, kind, name, &types).map_err(|error| (error.code(), error.message().to_owned()))
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {total} differ:\n{}", wrong.len(), wrong[..wrong.len().min(60)].join("\n"));
    assert!(facts::procs().all().count() > 3000 && total > 5000);
}
