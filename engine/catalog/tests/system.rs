//! The rows of system relations compared with those of an empty PostgreSQL 18 database (`tests/observe-system`).
//!
//! `HELIOS_SHOW=pg_catalog.pg_class cargo test -p helios-catalog --test system -- --nocapture` prints ours, to be
//! compared with what `observe-system --rows` prints.

use helios_catalog::CatalogSnapshot;
use helios_catalog::facts;
use helios_catalog::model::POSTGRES_ROLE;
use helios_catalog::system::{SystemContext, columns, rows};
use helios_types::io::{Style, output};
use helios_types::{Datum, Oid};
use sha2::{Digest, Sha256};

struct Context {
    search_path: Vec<Oid>,
}

impl SystemContext for Context {
    fn database(&self) -> &str {
        "helios_observe"
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

fn relation_named(name: &str) -> Oid {
    let (schema, name) = name.split_once('.').unwrap();
    let catalog = CatalogSnapshot::empty();
    facts::relations().by_name(catalog.schema_oid(schema).unwrap(), name).unwrap().oid
}

fn ours(relation: Oid, without: &str) -> Vec<String> {
    let catalog = CatalogSnapshot::initial();
    let context = Context { search_path: catalog.search_path("\"$user\", public", "postgres") };
    let columns = columns(relation);
    let text = |row: Vec<Datum>| {
        assert_eq!(row.len(), columns.len(), "{relation}");
        let shown = row.iter().zip(&columns).filter(|(_, column)| !without.split(' ').any(|name| name == column.name));
        let field = |(value, column): (&Datum, &helios_catalog::system::SystemColumn)| {
            let mut text = String::new();
            match value {
                Datum::Null => text.push_str("\\N"),
                Datum::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
                Datum::U32(value) => text.push_str(&value.to_string()),
                value => output(column.type_oid, value, &Style::default(), &mut text),
            }
            text
        };
        shown.map(field).collect::<Vec<String>>().join("\u{1f}")
    };
    let mut rows: Vec<String> = rows(relation, &catalog, &context).unwrap().into_iter().map(text).collect();
    rows.sort();
    rows
}

#[test]
fn system_relations_have_postgresqls_rows() {
    let mut wrong = Vec::new();
    for line in include_str!("system.tsv").lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [relation, without, count, digest] = fields[..] else { panic!("{line}") };
        let rows = ours(relation_named(relation), without);
        if std::env::var("HELIOS_SHOW").as_deref() == Ok(relation) {
            println!("{}", rows.join("\n"));
        }
        let ours = Sha256::digest(rows.join("\n").as_bytes());
        let ours = ours.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        if (rows.len().to_string().as_str(), ours.as_str()) != (count, digest) {
            wrong.push(format!("{relation}: {} rows, PostgreSQL has {count}", rows.len()));
        }
    }
    assert!(wrong.is_empty(), "these differ:\n{}", wrong.join("\n"));
}

#[test]
fn every_relation_answers_or_refuses() {
    let catalog = CatalogSnapshot::initial();
    let context = Context { search_path: catalog.search_path("public", "postgres") };
    for relation in facts::relations().all().filter(|relation| relation.kind != b'i') {
        match rows(relation.oid, &catalog, &context) {
            Ok(rows) => {
                let width = columns(relation.oid).len();
                assert!(rows.iter().all(|row| row.len() == width), "{}", relation.name);
            }
            Err(error) => assert_eq!(error.code().to_string(), "0A000", "{}", relation.name),
        }
    }
}
