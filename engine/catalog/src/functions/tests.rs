//! All answers were observed on PostgreSQL 18.

use helios_types::{Datum, Oid, SqlState, oid};

use super::*;
use crate::CatalogSnapshot;
use crate::model::{
    Change, Column, Constraint, ConstraintKind, Index, IndexKey, POSTGRES_ROLE, PUBLIC_SCHEMA, Sequence, Table,
};

struct Context {
    search_path: Vec<Oid>,
}

impl SystemContext for Context {
    fn database(&self) -> &str {
        "postgres"
    }
    fn user(&self) -> Oid {
        POSTGRES_ROLE
    }
    fn search_path(&self) -> &[Oid] {
        &self.search_path
    }
    fn setting(&self, _name: &str) -> Option<String> {
        None
    }
}

fn column(attnum: i16, name: &str, type_oid: Oid) -> Column {
    Column {
        attnum,
        name: name.to_owned(),
        type_oid,
        typmod: -1,
        collation: if type_oid == oid::TEXT { Oid(100) } else { Oid::NONE },
        not_null: false,
        default: None,
        identity: None,
        generated: None,
        sequence: None,
        missing: None,
        dropped: false,
    }
}

/// `create table dt (id serial primary key, n text check (n <> ''), p numeric, unique (n, p));
/// create index dti on dt (lower(n) desc) where p > 1`
fn catalog() -> CatalogSnapshot {
    let (table, primary, unique, partial) = (Oid(16384), Oid(16387), Oid(16388), Oid(16389));
    let key = |attnum, type_oid, opclass| IndexKey {
        attnum,
        expression: None,
        type_oid,
        collation: if type_oid == oid::TEXT { Oid(100) } else { Oid::NONE },
        opclass: Oid(opclass),
        descending: false,
        nulls_first: false,
    };
    let index = |oid: Oid, name: &str, keys| Index {
        oid,
        table,
        schema: PUBLIC_SCHEMA,
        name: name.to_owned(),
        storage: u64::from(oid.0),
        unique: true,
        primary: oid == primary,
        nulls_not_distinct: false,
        keys,
        include: Vec::new(),
        predicate: None,
    };
    let class = |type_oid| crate::facts::operator_classes().default_for(crate::facts::BTREE, type_oid).unwrap().oid.0;
    let expression = IndexKey {
        attnum: 0,
        expression: Some("lower(n)".to_owned()),
        descending: true,
        nulls_first: true,
        ..key(0, oid::TEXT, class(oid::TEXT))
    };
    let constraint = |oid, name: &str, kind| Constraint { oid: Oid(oid), name: name.to_owned(), kind };
    let objects = [
        Table {
            oid: table,
            row_type: Oid(16385),
            schema: PUBLIC_SCHEMA,
            name: "dt".to_owned(),
            owner: POSTGRES_ROLE,
            storage: 16384,
            columns: vec![column(1, "id", oid::INT4), column(2, "n", oid::TEXT), column(3, "p", oid::NUMERIC)],
            layouts: Vec::new(),
            constraints: vec![
                constraint(16390, "dt_pkey", ConstraintKind::PrimaryKey { index: primary }),
                constraint(16391, "dt_n_p_key", ConstraintKind::Unique { index: unique }),
                constraint(
                    16392,
                    "dt_n_check",
                    ConstraintKind::Check { expression: "(n <> ''::text)".to_owned(), columns: vec![2] },
                ),
                constraint(16393, "dt_id_not_null", ConstraintKind::NotNull { column: 1 }),
            ],
            indexes: vec![primary, unique, partial],
            primary_key: vec![1],
        }
        .into(),
        index(primary, "dt_pkey", vec![key(1, oid::INT4, class(oid::INT4))]).into(),
        index(
            unique,
            "dt_n_p_key",
            vec![key(2, oid::TEXT, class(oid::TEXT)), key(3, oid::NUMERIC, class(oid::NUMERIC))],
        )
        .into(),
        Index {
            unique: false,
            predicate: Some("(p > (1)::numeric)".to_owned()),
            ..index(partial, "dti", vec![expression])
        }
        .into(),
        Sequence {
            oid: Oid(16394),
            schema: PUBLIC_SCHEMA,
            name: "dt_id_seq".to_owned(),
            owner: POSTGRES_ROLE,
            state: 16394,
            type_oid: oid::INT4,
            start: 1,
            first: 1,
            increment: 1,
            min: 1,
            max: 2_147_483_647,
            cache: 1,
            cycle: false,
            owned_by: Some((table.0, 1)),
            identity: false,
        }
        .into(),
    ];
    CatalogSnapshot::initial().apply(&objects.map(Change::Put))
}

fn try_ask(source: &str, args: &[Datum]) -> Result<Datum> {
    let catalog = catalog();
    let search_path = catalog.search_path("\"$user\", public", "postgres");
    let context = Context { search_path: search_path.clone() };
    assert!(knows(source));
    call(source, args, &Lookup { catalog: &catalog, search_path: &search_path }, &context).expect(source)
}

fn ask(source: &str, args: &[Datum]) -> String {
    match try_ask(source, args).unwrap() {
        Datum::Null => "NULL".to_owned(),
        Datum::Text(text) => text.to_string(),
        Datum::U32(number) => number.to_string(),
        Datum::Bool(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}

fn by_oid(source: &str, oid: u32) -> String {
    ask(source, &[Datum::U32(oid)])
}

fn by_text(source: &str, text: &str) -> String {
    ask(source, &[Datum::text(text)])
}

#[test]
fn indexes_and_constraints_are_written_as_postgresql_writes_them() {
    assert_eq!(
        by_oid("pg_get_indexdef", 16389),
        "CREATE INDEX dti ON public.dt USING btree (lower(n) DESC) WHERE (p > (1)::numeric)"
    );
    let pretty = |oid, column| ask("pg_get_indexdef_ext", &[Datum::U32(oid), Datum::I32(column), Datum::Bool(true)]);
    assert!(pretty(16389, 0).starts_with("CREATE INDEX dti ON dt USING btree"));
    assert_eq!((pretty(16389, 1), pretty(16388, 2), pretty(16389, 5)), ("lower(n)".into(), "p".into(), "".into()));
    assert_eq!(by_oid("pg_get_indexdef", 1), "NULL");
    let class = crate::facts::relations().by_name(crate::facts::PG_CATALOG, "pg_class_oid_index").unwrap().oid.0;
    assert_eq!(
        by_oid("pg_get_indexdef", class),
        "CREATE UNIQUE INDEX pg_class_oid_index ON pg_catalog.pg_class USING btree (oid)"
    );
    let constraint = |oid| by_oid("pg_get_constraintdef", oid);
    assert_eq!(constraint(16390), "PRIMARY KEY (id)");
    assert_eq!(constraint(16391), "UNIQUE (n, p)");
    assert_eq!(constraint(16392), "CHECK ((n <> ''::text))");
    assert_eq!(constraint(16393), "NOT NULL id");
    assert_eq!(constraint(1), "NULL");
    assert_eq!(ask("pg_get_serial_sequence", &[Datum::text("dt"), Datum::text("id")]), "public.dt_id_seq");
    assert_eq!(ask("pg_get_serial_sequence", &[Datum::text("dt"), Datum::text("n")]), "NULL");
    let error = try_ask("pg_get_serial_sequence", &[Datum::text("dt"), Datum::text("nope")]).unwrap_err();
    assert_eq!(error.message(), "column \"nope\" of relation \"dt\" does not exist");
}

#[test]
fn functions_are_described() {
    let oid = |name: &str| crate::facts::procs().by_name(name)[0].oid.0;
    assert!(
        by_oid("pg_get_function_arguments", oid("make_interval"))
            .starts_with("years integer DEFAULT 0, months integer DEFAULT 0")
    );
    assert!(by_oid("pg_get_function_arguments", oid("make_interval")).ends_with("secs double precision DEFAULT 0.0"));
    assert_eq!(by_oid("pg_get_function_result", oid("make_interval")), "interval");
    assert_eq!(
        by_oid("pg_get_function_identity_arguments", oid("json_each")),
        "from_json json, OUT key text, OUT value json"
    );
    assert_eq!(by_oid("pg_get_function_result", oid("json_each")), "SETOF record");
    assert_eq!(by_oid("pg_get_function_arguments", oid("concat")), "VARIADIC \"any\"");
    assert_eq!(by_oid("pg_get_function_arguments", 3984), "ORDER BY anyelement");
    let rank = crate::facts::procs().by_name("rank").iter().find(|proc| proc.arg_count == 1).unwrap().oid.0;
    assert_eq!(by_oid("pg_get_function_arguments", rank), "VARIADIC \"any\" ORDER BY VARIADIC \"any\"");
    let populate = oid("json_populate_record");
    let identity = "base anyelement, from_json json, use_json_as_text boolean";
    assert_eq!(by_oid("pg_get_function_identity_arguments", populate), identity);
    assert_eq!(by_oid("pg_get_function_arguments", populate), format!("{identity} DEFAULT false"));
}

#[test]
fn names_and_numbers_lead_to_one_another() {
    assert_eq!(by_oid("pg_get_userbyid", 99999), "unknown (OID=99999)");
    assert_eq!(ask("format_type", &[Datum::U32(23), Datum::Null]), "integer");
    assert_eq!(
        (by_oid("pg_table_is_visible", 99999), by_oid("pg_table_is_visible", 16384)),
        ("NULL".into(), "true".into())
    );
    assert_eq!((by_oid("regprocout", 870), by_oid("regprocout", 177)), ("pg_catalog.lower".into(), "int4pl".into()));
    assert_eq!(by_oid("regprocedureout", 870), "lower(text)");
    assert_eq!((by_oid("regclassout", 99999), by_oid("regclassout", 0)), ("99999".into(), "-".into()));
    assert_eq!((by_oid("regclassout", 16384), by_oid("regclassout", 1259)), ("dt".into(), "pg_class".into()));
    assert_eq!((by_text("to_regclass", "nope"), by_text("to_regclass", "pg_class")), ("NULL".into(), "1259".into()));
    assert_eq!(by_text("to_regtype", "timestamp with time zone"), "1184");
    assert_eq!((by_text("to_regtype", "varchar(10)[]"), by_text("to_regtype", "nope")), ("1015".into(), "NULL".into()));
    assert_eq!((by_text("to_regproc", "int4pl"), by_text("to_regrole", "postgres")), ("177".into(), "10".into()));
    let failed = |source: &str, text: &str| try_ask(source, &[Datum::text(text)]).unwrap_err();
    assert_eq!(failed("regclassin", "a b").message(), "invalid name syntax");
    assert_eq!(failed("regclassin", "a b").code(), SqlState::INVALID_NAME);
    assert_eq!(failed("regclassin", "\"Foo\".x").message(), "relation \"Foo.x\" does not exist");
    assert_eq!(failed("regprocin", "abs").message(), "more than one function named \"abs\"");
    assert_eq!(failed("regprocin", "lowerx").message(), "function \"lowerx\" does not exist");
    assert_eq!(failed("to_regclass", "a.b.c.d").message(), "improper relation name (too many dotted names): a.b.c.d");
}

#[test]
fn owners_and_superusers_may_everything() {
    let may = |source: &str, object: &str, privilege: &str| ask(source, &[Datum::text(object), Datum::text(privilege)]);
    assert_eq!(may("has_table_privilege_name", "dt", "select, insert with grant option"), "true");
    assert_eq!(may("has_schema_privilege_name", "public", "create"), "true");
    assert_eq!(may("pg_has_role_name", "pg_monitor", "usage"), "true");
    let failed = |source: &str, args: &[&str]| {
        let args: Vec<Datum> = args.iter().map(|&arg| Datum::text(arg)).collect();
        try_ask(source, &args).unwrap_err().message().to_owned()
    };
    assert_eq!(failed("has_table_privilege_name", &["nope", "select"]), "relation \"nope\" does not exist");
    assert_eq!(failed("has_table_privilege_name", &["dt", "foo"]), "unrecognized privilege type: \"foo\"");
    assert_eq!(failed("has_table_privilege_name_name", &["nobody", "dt", "select"]), "role \"nobody\" does not exist");
    assert_eq!(failed("has_database_privilege_name", &["nodb", "connect"]), "database \"nodb\" does not exist");
}
