use helios_types::{Oid, SqlState, oid};

use super::*;
use crate::facts::PG_CATALOG;

fn column(attnum: i16, name: &str, type_oid: Oid) -> Column {
    Column {
        attnum,
        name: name.to_owned(),
        type_oid,
        typmod: -1,
        collation: Oid::NONE,
        not_null: false,
        default: None,
        identity: None,
        generated: None,
        sequence: None,
        missing: None,
        dropped: false,
    }
}

fn table(oid: u32, name: &str) -> Table {
    Table {
        oid: Oid(oid),
        row_type: Oid(oid + 1),
        schema: PUBLIC_SCHEMA,
        name: name.to_owned(),
        owner: POSTGRES_ROLE,
        storage: u64::from(oid),
        columns: vec![column(1, "id", oid::INT4), column(2, "body", oid::TEXT)],
        constraints: Vec::new(),
        indexes: Vec::new(),
        primary_key: Vec::new(),
        layouts: Vec::new(),
    }
}

#[test]
fn a_new_database_has_what_initdb_makes() {
    let catalog = CatalogSnapshot::initial();
    assert_eq!(catalog.schema_oid("public"), Some(PUBLIC_SCHEMA));
    assert_eq!(catalog.schema_name(PG_CATALOG), Some("pg_catalog"));
    assert_eq!(catalog.role_by_name("postgres").unwrap().oid, POSTGRES_ROLE);
    assert_eq!(catalog.role_oid("pg_monitor"), Some(Oid(3373)));
    assert_eq!(catalog.databases().map(|database| database.oid.0).collect::<Vec<_>>(), [1, 4, 5]);
    assert_eq!(catalog.comment_on(Oid(2615), PUBLIC_SCHEMA, 0).unwrap().text, "standard public schema");
}

#[test]
fn snapshots_do_not_change() {
    let before = CatalogSnapshot::initial();
    let after = before.apply(&[Change::Put(table(16384, "t").into())]);
    assert!(before.table(Oid(16384)).is_none());
    assert!(after.version() > before.version());
    let path = after.search_path("\"$user\", public", "postgres");
    assert_eq!(path, [PG_CATALOG, PUBLIC_SCHEMA]);
    let Relation::Table(found) = after.lookup_relation(&path, None, "t").unwrap() else { panic!("a table") };
    assert_eq!(found.columns[1].name, "body");
    assert_eq!(after.type_by_name(PUBLIC_SCHEMA, "t").unwrap().array, Oid(16386));
    assert_eq!(after.type_by_oid(Oid(16386)).unwrap().name, "_t");
    assert!(after.is_visible(&path, Oid(16384)));

    let mut renamed = (**found).clone();
    renamed.name = "u".to_owned();
    let renamed = after.apply(&[Change::Put(renamed.into())]);
    assert!(renamed.find_relation(&path, None, "t").is_none());
    assert!(renamed.type_by_name(PUBLIC_SCHEMA, "_t").is_none());
    assert_eq!(renamed.find_relation(&path, Some("public"), "u").unwrap().oid(), Oid(16384));
    let dropped = renamed.apply(&[Change::Remove(ObjectKey { kind: ObjectKind::Table, oid: Oid(16384) })]);
    assert!(dropped.schema_is_empty(PUBLIC_SCHEMA));
    assert!(dropped.type_by_oid(Oid(16385)).is_none());
    assert!(!after.schema_is_empty(PUBLIC_SCHEMA));
}

#[test]
fn array_type_names_avoid_taken_names() {
    let catalog = CatalogSnapshot::initial()
        .apply(&[Change::Put(table(16384, "_t").into()), Change::Put(table(16390, "t").into())]);
    assert_eq!(catalog.type_by_oid(Oid(16392)).unwrap().name, "_t_1");
}

#[test]
fn names_that_are_not_there_are_postgresqls_errors() {
    let catalog = CatalogSnapshot::initial();
    let path = catalog.search_path("public", "postgres");
    let error = catalog.lookup_relation(&path, None, "nope").unwrap_err();
    assert_eq!((error.code(), error.message()), (SqlState::UNDEFINED_TABLE, "relation \"nope\" does not exist"));
    let error = catalog.lookup_relation(&path, Some("nosuch"), "t").unwrap_err();
    assert_eq!((error.code(), error.message()), (SqlState::UNDEFINED_TABLE, "relation \"nosuch.t\" does not exist"));
    let error = catalog.lookup_schema("nope").unwrap_err();
    assert_eq!((error.code(), error.message()), (SqlState::INVALID_SCHEMA_NAME, "schema \"nope\" does not exist"));
    assert_eq!(catalog.lookup_relation(&path, None, "pg_class").unwrap().oid(), Oid(1259));
}

#[test]
fn search_paths_are_read_as_postgresql_reads_them() {
    let list = |text: &str| parse_identifier_list(text);
    assert_eq!(list("\"$user\", Public").unwrap(), ["$user", "public"]);
    assert_eq!(list("\"a \"\"b\", c").unwrap(), ["a \"b", "c"]);
    assert_eq!(list("").unwrap(), Vec::<String>::new());
    assert!(list("a,,b").is_none() && list("a b").is_none() && list("\"a").is_none());
    let catalog = CatalogSnapshot::initial();
    assert_eq!(catalog.search_path("public, pg_catalog", "x"), [PUBLIC_SCHEMA, PG_CATALOG]);
    assert_eq!(catalog.search_path("nope", "x"), [PG_CATALOG]);
    assert_eq!(catalog.creation_schema("\"$user\", public", "x").unwrap(), PUBLIC_SCHEMA);
    let error = catalog.creation_schema("nope", "x").unwrap_err();
    assert_eq!(error.message(), "no schema has been selected to create in");
}

#[test]
fn changes_survive_storage() {
    let mut changes = initial_changes();
    changes.push(Change::Put(table(16384, "t").into()));
    changes.push(Change::Remove(ObjectKey { kind: ObjectKind::View, oid: Oid(7) }));
    for change in changes {
        let (key, value) = change.encode();
        assert_eq!(Change::decode(&key, value.as_deref()).unwrap(), change);
    }
    let (key, value) = Change::Put(table(16384, "t").into()).encode();
    let value = value.unwrap();
    assert!(Change::decode(&key[..4], Some(&value)).is_err());
    assert!(Change::decode(&key, Some(&value[..value.len() - 1])).is_err());
    assert!(Change::decode(&key, Some(&[9])).is_err());
    assert!(Change::decode(&[3, 0, 0, 64, 0], Some(&value)).is_err());
}
