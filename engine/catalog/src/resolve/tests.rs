//! Calls with names, defaults and VARIADIC. All answers were observed on PostgreSQL 18; `tests/resolution.rs` compares
//! some thousands more.

use helios_types::{Oid, SqlState, oid};

use super::*;

fn with_lookup<R>(work: impl FnOnce(Lookup<'_>) -> R) -> R {
    let catalog = CatalogSnapshot::initial();
    let search_path = catalog.search_path("public", "postgres");
    work(Lookup { catalog: &catalog, search_path: &search_path })
}

fn call(name: &str, types: &[Oid], names: &[&str], variadic: bool) -> Result<FunctionCall, PgError> {
    with_lookup(|lookup| {
        match lookup.function(FunctionName { schema: None, name }, CallArguments { types, names, variadic })? {
            FunctionDetail::Call(call) => Ok(call),
            other => panic!("{other:?}"),
        }
    })
}

#[test]
fn named_arguments_take_their_places_and_defaults_the_others() {
    let found = call("make_interval", &[oid::INT4, oid::NUMERIC], &["days", "secs"], false).unwrap();
    let sources: Vec<ArgumentSource> = found.arguments.iter().map(|argument| argument.source).collect();
    let default = ArgumentSource::Default("0");
    assert_eq!(sources[..6], [default, default, default, ArgumentSource::Given(0), default, default]);
    assert_eq!(found.arguments[6], Argument { source: ArgumentSource::Given(1), type_oid: oid::FLOAT8 });

    let found = call("make_interval", &[oid::INT4, oid::INT4], &["hours"], false).unwrap();
    assert_eq!(found.arguments[0].source, ArgumentSource::Given(0));
    assert_eq!(found.arguments[4].source, ArgumentSource::Given(1));

    let types = [oid::UNKNOWN, oid::UNKNOWN, oid::UNKNOWN, oid::UNKNOWN];
    let found = call("jsonb_set_lax", &types, &["null_value_treatment"], false).unwrap();
    assert_eq!(found.arguments[3].source, ArgumentSource::Default("true"));
    assert_eq!(found.arguments[4].source, ArgumentSource::Given(3));

    for (types, names, signature) in [
        (vec![oid::INT4, oid::INT4], vec!["years"], "make_interval(integer, years => integer)"),
        (vec![oid::INT4], vec!["foo"], "make_interval(foo => integer)"),
    ] {
        let error = call("make_interval", &types, &names, false).unwrap_err();
        assert_eq!(error.message(), format!("function {signature} does not exist"));
        assert_eq!(error.code(), SqlState::UNDEFINED_FUNCTION);
        assert!(error.hint().unwrap().starts_with("No function matches"));
    }
}

#[test]
fn variadic_arguments_are_gathered() {
    let found = call("jsonb_extract_path", &[oid::UNKNOWN, oid::UNKNOWN, oid::UNKNOWN], &[], false).unwrap();
    assert_eq!(found.gathered, Some((2, oid::TEXT_ARRAY)));
    assert_eq!(found.arguments[2], Argument { source: ArgumentSource::Given(2), type_oid: oid::TEXT });
    let found = call("jsonb_extract_path", &[oid::UNKNOWN, oid::TEXT_ARRAY], &[], true).unwrap();
    assert_eq!((found.gathered, found.arguments[1].type_oid), (None, oid::TEXT_ARRAY));
    // VARIADIC "any" takes them one by one.
    let found = call("concat", &[oid::INT4, oid::UNKNOWN, oid::UNKNOWN], &[], false).unwrap();
    assert_eq!((found.gathered, found.arguments.len()), (None, 3));
    let error = call("concat", &[oid::INT4], &[], true).unwrap_err();
    assert_eq!((error.code(), error.message()), (SqlState::DATATYPE_MISMATCH, "VARIADIC argument must be an array"));
}

#[test]
fn polymorphic_results_follow_the_arguments() {
    let found = call("array_fill", &[oid::INT4, oid::INT4_ARRAY], &[], false).unwrap();
    assert_eq!((found.result, found.arguments[0].type_oid), (oid::INT4_ARRAY, oid::INT4));
    let found = call("array_append", &[oid::INT4_ARRAY, oid::NUMERIC], &[], false).unwrap();
    assert_eq!((found.result, found.arguments[0].type_oid), (oid::NUMERIC_ARRAY, oid::NUMERIC_ARRAY));
}

#[test]
fn operators_are_named_as_written() {
    with_lookup(|lookup| {
        let error = lookup.binary_operator(Some("pg_catalog"), "!!!", oid::INT4, oid::INT4).unwrap_err();
        assert_eq!(error.message(), "operator does not exist: integer pg_catalog.!!! integer");
        let error = lookup.binary_operator(Some("nosuch"), "+", oid::INT4, oid::INT4).unwrap_err();
        assert_eq!(
            (error.code(), error.message()),
            (SqlState::INVALID_SCHEMA_NAME, "schema \"nosuch\" does not exist")
        );
        let error = lookup.prefix_operator(None, "-", oid::UNKNOWN).unwrap_err();
        assert_eq!(
            (error.code(), error.message()),
            (SqlState::AMBIGUOUS_FUNCTION, "operator is not unique: - unknown")
        );
    });
}

#[test]
fn types_are_written_as_format_type_writes_them() {
    with_lookup(|lookup| {
        let with = |type_oid, typmod| lookup.format_type_with(type_oid, typmod);
        assert_eq!(with(oid::BPCHAR, -1), "bpchar");
        assert_eq!(with(oid::BPCHAR, 9), "character(5)");
        assert_eq!(lookup.format_type(oid::BPCHAR), "character");
        assert_eq!(with(oid::BIT, -1), "\"bit\"");
        assert_eq!(with(oid::NUMERIC, (10 << 16 | 2) + 4), "numeric(10,2)");
        assert_eq!(with(oid::NUMERIC_ARRAY, (3 << 16 | 0x7fe) + 4), "numeric(3,-2)[]");
        assert_eq!(with(oid::TIMESTAMPTZ, 3), "timestamp(3) with time zone");
        assert_eq!(with(oid::TIME, -1), "time without time zone");
        assert_eq!(with(oid::INTERVAL, (0x1c08 << 16) | 3), "interval day to second(3)");
        assert_eq!(with(oid::INTERVAL, (4 << 16) | 0xffff), "interval year");
        assert_eq!(with(oid::CHAR, -1), "\"char\"");
        assert_eq!(with(oid::OIDVECTOR, -1), "oidvector");
        assert_eq!((with(Oid::NONE, -1), with(Oid(9_999_999), -1)), ("-".to_owned(), "???".to_owned()));
    });
}
