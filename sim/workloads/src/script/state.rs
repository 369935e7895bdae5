//! The committed state: everything that the store holds for the catalog and for what the catalog names.
//!
//! It is read from the store's own records and not asked for by SQL, so that no kind of object and no attribute of one
//! can be forgotten: descriptors, claimed names, rows and index entries are compared byte by byte, by their hash. What
//! recoveries leave behind is left out.

use std::sync::Arc;

use helios_catalog::CatalogSnapshot;
use helios_catalog::model::{Change, ObjectKey, Table};
use helios_sim::Violation;
use helios_sql::ddl::{CATALOG, NAMES};
use helios_sql::table::{TableAccess, space};
use helios_storage::{CommitTs, Direction, KeyRange, Space, Value};
use helios_types::Oid;
use heliosdb::Database;
use xxhash_rust::xxh3::Xxh3;

use super::RECOVERIES;
use super::sequences::SequenceState;

/// Rows read together.
const CHUNK_ROWS: usize = 1024;
/// Rows of one space that a violation shows.
const SHOWN_MAX: usize = 12;
/// Characters of a row that a violation shows.
const SHOWN_CHARACTERS: usize = 400;

/// A key and what is stored under it.
type Row = (bytes::Bytes, bytes::Bytes);

/// The committed state at one moment.
pub(super) struct State {
    pub(super) contents: Arc<Contents>,
    pub(super) sequences: Vec<SequenceState>,
}

/// Catalog, tables and indexes.
pub(super) struct Contents {
    hash: u64,
    spaces: Vec<Contained>,
}

/// A key space that the catalog names, or one of its own.
struct Contained {
    what: What,
    space: Space,
    hash: u64,
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
enum What {
    Catalog,
    Names,
    Table(Arc<Table>),
    Index { name: String, table: String },
}

impl State {
    /// What is committed now.
    pub(super) async fn read(database: &Database) -> Result<State, Violation> {
        let contents = Arc::new(Contents::read(database).await?);
        Ok(State { contents, sequences: SequenceState::all(database) })
    }

    /// The same tables, and sequences as they are now.
    pub(super) fn with_sequences_now(&self, database: &Database) -> State {
        State { contents: self.contents.clone(), sequences: SequenceState::all(database) }
    }
}

impl PartialEq for Contents {
    fn eq(&self, other: &Contents) -> bool {
        self.hash == other.hash
    }
}

impl Contents {
    pub(super) async fn read(database: &Database) -> Result<Contents, Violation> {
        let catalog = database.catalog();
        let own = own_objects(&catalog);
        let snapshot = database.storage().snapshot();
        let mut spaces = Vec::new();
        for (what, space) in spaces_of(&catalog, &own) {
            let mut rows = scan(database, space, snapshot.commit_ts()).await?;
            match what {
                What::Catalog => {
                    rows.retain(|(key, _)| ObjectKey::decode(key).is_ok_and(|key| !own.contains(&key.oid)))
                }
                What::Names => rows.retain(|(_, oid)| !own.iter().any(|own| own.0.to_be_bytes() == oid[..])),
                What::Table(_) | What::Index { .. } => (),
            }
            spaces.push(Contained { hash: hash(space, &rows), what, space, rows });
        }
        let mut hasher = Xxh3::new();
        spaces.iter().for_each(|space| hasher.update(&space.hash.to_le_bytes()));
        Ok(Contents { hash: hasher.digest(), spaces })
    }

    /// The catalog in memory is the one that is stored.
    pub(super) fn hold_against(&self, catalog: &CatalogSnapshot) -> Result<(), Violation> {
        let own = own_objects(catalog);
        let objects = catalog.objects().filter(|object| !own.contains(&object.key().oid));
        let mut encoded: Vec<_> = objects.map(|object| Change::Put(object.clone()).encode()).collect();
        encoded.sort_unstable();
        let stored = self.spaces.iter().find(|space| matches!(space.what, What::Catalog));
        let stored = stored.map_or(&[][..], |space| &space.rows[..]);
        let same = stored.len() == encoded.len()
            && stored
                .iter()
                .zip(&encoded)
                .all(|((key, value), (known, row))| key[..] == known[..] && row.as_deref() == Some(&value[..]));
        if same { Ok(()) } else { Err(Violation::new("the catalog in memory is not the one that is stored")) }
    }

    /// What this state has and the other one has not, and the other way round, a line each.
    pub(super) fn differences(&self, promised: &Contents) -> Vec<String> {
        let mut lines = Vec::new();
        for found in &self.spaces {
            let before = lines.len();
            match promised.spaces.iter().find(|other| other.space == found.space) {
                Some(other) if other.hash == found.hash => continue,
                Some(other) => {
                    lines.extend(found.only_here(other).map(|row| format!("  found    {}", found.what.show(row))));
                    lines.extend(other.only_here(found).map(|row| format!("  promised {}", other.what.show(row))));
                }
                None => lines.push(format!("  found, and promised nothing of it: {} rows", found.rows.len())),
            }
            lines.insert(before, format!("{}:", found.what));
        }
        let is_missing = |other: &&Contained| self.spaces.iter().all(|found| found.space != other.space);
        let missing = promised.spaces.iter().filter(is_missing);
        lines.extend(missing.map(|other| format!("{}: promised {} rows, found nothing", other.what, other.rows.len())));
        lines
    }

    /// Rows of the tables, with their names as SQL has them.
    pub(super) fn tables(&self, catalog: &CatalogSnapshot) -> Vec<(String, usize)> {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let table = |contained: &Contained| match &contained.what {
            What::Table(table) => {
                let schema = catalog.schema_name(table.schema).unwrap_or("?");
                Some((format!("{}.{}", quoted(schema), quoted(&table.name)), contained.rows.len()))
            }
            _ => None,
        };
        self.spaces.iter().filter_map(table).collect()
    }
}

impl Contained {
    fn only_here<'a>(&'a self, other: &'a Contained) -> impl Iterator<Item = &'a Row> {
        let is_there =
            |row: &Row| other.rows.binary_search_by(|(key, _)| key.cmp(&row.0)).is_ok_and(|at| other.rows[at] == *row);
        self.rows.iter().filter(move |row| !is_there(row)).take(SHOWN_MAX)
    }
}

impl What {
    /// A row for a person to read.
    fn show(&self, (key, value): &Row) -> String {
        let decoded = match self {
            What::Catalog => Change::decode(key, Some(value)).ok().map(|change| format!("{change:?}")),
            What::Table(table) => TableAccess::new(table.clone(), [])
                .and_then(|access| access.decode_row(value))
                .ok()
                .map(|values| format!("{values:?}")),
            What::Names | What::Index { .. } => None,
        };
        let text = decoded.unwrap_or_else(|| format!("{} -> {}", key.escape_ascii(), value.escape_ascii()));
        text.chars().take(SHOWN_CHARACTERS).collect()
    }
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            What::Catalog => f.write_str("the catalog"),
            What::Names => f.write_str("claimed names"),
            What::Table(table) => write!(f, "table \"{}\"", table.name),
            What::Index { name, table } => write!(f, "index \"{name}\" of \"{table}\""),
        }
    }
}

/// OIDs of what recoveries make.
fn own_objects(catalog: &CatalogSnapshot) -> Vec<Oid> {
    let Some(schema) = catalog.schemas().find(|schema| schema.name == RECOVERIES) else { return Vec::new() };
    let tables = catalog.tables().filter(|table| table.schema == schema.oid).map(|table| table.oid);
    let indexes = catalog.indexes().filter(|index| index.schema == schema.oid).map(|index| index.oid);
    [schema.oid].into_iter().chain(tables).chain(indexes).collect()
}

fn spaces_of(catalog: &CatalogSnapshot, own: &[Oid]) -> Vec<(What, Space)> {
    let mut spaces = vec![(What::Catalog, CATALOG), (What::Names, NAMES)];
    for table in catalog.tables().filter(|table| !own.contains(&table.oid)) {
        spaces.push((What::Table(table.clone()), space(table.storage)));
        let indexes = table.indexes.iter().filter_map(|oid| catalog.index(*oid));
        // The primary key's is the table itself.
        for index in indexes.filter(|index| index.storage != table.storage) {
            let what = What::Index { name: index.name.clone(), table: table.name.clone() };
            spaces.push((what, space(index.storage)));
        }
    }
    spaces
}

async fn scan(database: &Database, space: Space, at: CommitTs) -> Result<Vec<Row>, Violation> {
    let mut scan = database.storage().scan(space, KeyRange::all(), Direction::Forward, at);
    let (mut entries, mut rows) = (Vec::new(), Vec::new());
    loop {
        let more = scan.next_rows(CHUNK_ROWS, &mut entries).await?;
        rows.extend(entries.drain(..).filter_map(|entry| match entry.version.value {
            Value::Row(row) => Some((entry.key, row)),
            Value::Deleted | Value::Moved { .. } => None,
        }));
        if !more {
            return Ok(rows);
        }
    }
}

fn hash(space: Space, rows: &[Row]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(&space.storage.0.to_le_bytes());
    for part in rows.iter().flat_map(|(key, value)| [key, value]) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.digest()
}
