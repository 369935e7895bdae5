//! Definitions mixed with data: tables created, indexed, altered, truncated and dropped while rows come and go.
//!
//! Every client has tables and a sequence of its own, so that its transactions follow one another; what they share is the
//! catalog, the log, and the files below. Each transaction leaves a row in `history`. So the rows there say which
//! transactions happened, and catalog and tables must be exactly what these make of an empty database: each transaction
//! is there as a whole or not at all, its definitions, its rows and its index entries alike. Values of sequences are drawn
//! outside of transactions; none is ever drawn twice into a row that stays.
//!
//! A statement that the database does not support (0A000) is left out, and counted as a mark.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use helios_env::sync::Mutex;
use helios_sim::{Class, DeviceProfile, FaultKind, Stats, Violation, Workload, World};
use helios_storage::Durability;
use heliosdb::{Connection, Database, SqlState};

use crate::Disks;
use crate::life::{self, Client, Scenario, verify};
use crate::trouble::Trouble;

/// The workload. See the [module](self).
pub struct Definitions {
    disks: Disks,
}

impl Definitions {
    /// On these disks, which may lie but not rot.
    pub fn new(disks: Disks) -> Definitions {
        Definitions { disks }
    }
}

impl Workload for Definitions {
    fn name(&self) -> &str {
        "definitions"
    }

    fn faults(&self) -> Vec<FaultKind> {
        FaultKind::ALL.iter().copied().filter(|kind| kind.class() != Class::Detectable).collect()
    }

    fn profiles(&self) -> Vec<DeviceProfile> {
        self.disks.profiles()
    }

    fn expected_marks(&self) -> Vec<&'static str> {
        vec!["db: a catalog with tables was recovered", "txn: a commit's client left"]
    }

    fn run(&self, world: &World) -> Result<Stats, Violation> {
        life::live(world, &Shared::default())
    }
}

/// A table as its client knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Table {
    rows: BTreeMap<i64, i64>,
    indexes: BTreeSet<String>,
    /// Columns behind `id` and `n`.
    added: usize,
}

/// What one client's transactions leave behind.
type Tables = BTreeMap<String, Table>;

/// A statement, with everything that decides what it does.
#[derive(Clone, Debug)]
enum Step {
    Create {
        table: String,
        unique: bool,
    },
    Drop {
        table: String,
    },
    Truncate {
        table: String,
    },
    Index {
        table: String,
        index: String,
    },
    AddColumn {
        table: String,
        number: usize,
    },
    /// Rows of these ids, where there are none.
    Insert {
        table: String,
        first: i64,
        last: i64,
    },
    Update {
        table: String,
        first: i64,
        last: i64,
    },
    Delete {
        table: String,
        first: i64,
        last: i64,
    },
    /// A row under the sequence's next value, which is known afterwards.
    Draw {
        table: String,
        id: i64,
    },
}

impl Step {
    fn draw(client: &Client, tables: &Tables) -> Step {
        let table = format!("c{}_{}", client.number, client.below(3));
        let Some(known) = tables.get(&table) else {
            return Step::Create { table, unique: client.one_in(2) };
        };
        let first = client.below(60) as i64;
        let last = first + client.below(12) as i64;
        match client.below(16) {
            0 => Step::Drop { table },
            1 => Step::Truncate { table },
            2..=3 => {
                let index = format!("{table}_i{}", client.below(2));
                if known.indexes.contains(&index) {
                    return Step::Update { table, first, last };
                }
                Step::Index { table, index }
            }
            4 if known.added < 3 => Step::AddColumn { table, number: known.added },
            5..=6 => Step::Draw { table, id: 0 },
            7..=9 => Step::Update { table, first, last },
            10..=11 => Step::Delete { table, first, last },
            _ => Step::Insert { table, first, last },
        }
    }

    fn sql(&self, client: u64) -> String {
        match self {
            Step::Create { table, unique } => {
                let unique = if *unique { ", UNIQUE (n, id)" } else { "" };
                format!("CREATE TABLE {table} (id bigint PRIMARY KEY, n bigint NOT NULL{unique})")
            }
            Step::Drop { table } => format!("DROP TABLE {table}"),
            Step::Truncate { table } => format!("TRUNCATE {table}"),
            Step::Index { table, index } => format!("CREATE INDEX {index} ON {table} (n)"),
            Step::AddColumn { table, number } => {
                format!("ALTER TABLE {table} ADD COLUMN e{number} bigint DEFAULT {number}")
            }
            Step::Insert { table, first, last } => format!(
                "INSERT INTO {table} (id, n) SELECT i, 3 * i FROM generate_series({first}, {last}) AS i \
                 ON CONFLICT DO NOTHING"
            ),
            Step::Update { table, first, last } => {
                format!("UPDATE {table} SET n = n + 1 WHERE id BETWEEN {first} AND {last}")
            }
            Step::Delete { table, first, last } => format!("DELETE FROM {table} WHERE id BETWEEN {first} AND {last}"),
            Step::Draw { table, .. } => {
                format!("INSERT INTO {table} (id, n) VALUES (1000 + nextval('s{client}'), 0) RETURNING id")
            }
        }
    }

    fn apply(&self, tables: &mut Tables) {
        match self {
            Step::Create { table, unique } => {
                let indexes = unique.then(|| format!("{table}_n_id_key")).into_iter().collect();
                tables.insert(table.clone(), Table { indexes, ..Table::default() });
            }
            Step::Drop { table } => drop(tables.remove(table)),
            Step::Truncate { table } => tables.entry(table.clone()).or_default().rows.clear(),
            Step::Index { table, index } => {
                tables.entry(table.clone()).or_default().indexes.insert(index.clone());
            }
            Step::AddColumn { table, .. } => tables.entry(table.clone()).or_default().added += 1,
            Step::Insert { table, first, last } => {
                let rows = &mut tables.entry(table.clone()).or_default().rows;
                for id in *first..=*last {
                    rows.entry(id).or_insert(3 * id);
                }
            }
            Step::Update { table, first, last } => {
                let rows = &mut tables.entry(table.clone()).or_default().rows;
                rows.range_mut(first..=last).for_each(|(_, n)| *n += 1);
            }
            Step::Delete { table, first, last } => {
                tables.entry(table.clone()).or_default().rows.retain(|id, _| !(*first..=*last).contains(id));
            }
            Step::Draw { table, id } => drop(tables.entry(table.clone()).or_default().rows.insert(*id, 0)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Unknown,
    /// Acknowledged when the oracle's clock showed this.
    Acknowledged(Durability, u64),
    Happened,
    Never,
}

#[derive(Clone, Debug)]
struct Attempt {
    client: u64,
    steps: Vec<Step>,
    begun: u64,
    outcome: Outcome,
}

#[derive(Default)]
struct Oracle {
    attempts: Vec<Attempt>,
    clock: u64,
    stats: Stats,
}

impl Oracle {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn begin(&mut self, client: u64) -> i64 {
        let begun = self.tick();
        self.attempts.push(Attempt { client, steps: Vec::new(), begun, outcome: Outcome::Never });
        self.attempts.len() as i64 - 1
    }

    /// What a client's transactions leave behind; `None` when it does not know whether one of them happened.
    fn tables(&self, client: u64) -> Option<Tables> {
        let mut tables = Tables::new();
        for attempt in self.attempts.iter().filter(|attempt| attempt.client == client) {
            match attempt.outcome {
                Outcome::Unknown => return None,
                Outcome::Never => (),
                Outcome::Happened | Outcome::Acknowledged(..) => {
                    attempt.steps.iter().for_each(|step| step.apply(&mut tables));
                }
            }
        }
        Some(tables)
    }

    /// Which transactions a recovery shows is true from here on; the tables that they make.
    fn judge(&mut self, happened: &BTreeSet<i64>) -> Result<Tables, Violation> {
        let begun = |id: &i64| self.attempts.get(*id as usize).map_or(0, |attempt| attempt.begun);
        let last = happened.iter().map(begun).max().unwrap_or_default();
        let mut tables = Tables::new();
        for (id, attempt) in self.attempts.iter_mut().enumerate() {
            let found = happened.contains(&(id as i64));
            let is_right = match attempt.outcome {
                Outcome::Unknown => true,
                Outcome::Happened | Outcome::Acknowledged(Durability::Sync, _) => found,
                Outcome::Acknowledged(Durability::Async, at) => found || at > last,
                Outcome::Never => !found,
            };
            if !is_right {
                let there = if found { "there" } else { "not there" };
                return Err(Violation::new(format!("transaction {id} is {there} after a recovery: {attempt:?}")));
            }
            attempt.outcome = if found { Outcome::Happened } else { Outcome::Never };
            if found {
                attempt.steps.iter().for_each(|step| step.apply(&mut tables));
            }
        }
        self.stats.checks += 1;
        Ok(tables)
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Oracle>>);

impl Scenario for Shared {
    async fn create(&self, connection: &Connection) -> Result<(), Trouble> {
        if connection.database().catalog().tables().any(|table| table.name == "history") {
            return Ok(());
        }
        let sequences = (0..8).map(|client| format!("CREATE SEQUENCE s{client};")).collect::<String>();
        let schema = format!("CREATE TABLE history (id bigint PRIMARY KEY); {sequences}");
        let created = connection.execute_batch_async(&schema).await;
        created.map_err(|error| Trouble::of(error, "creating the schema"))
    }

    async fn judge(&self, database: &Database) -> Result<(), Trouble> {
        let connection = database.connect().map_err(|error| Trouble::of(error, "connecting"))?;
        let sql = "SELECT id FROM history";
        let rows = connection.query_async(sql, &[]).await.map_err(|error| Trouble::of(error, sql))?;
        let happened: heliosdb::Result<BTreeSet<i64>> = rows.map(|row| row.get(0)).collect();
        let happened = happened.map_err(|error| Trouble::of(error, sql))?;
        let expected = self.0.lock().judge(&happened)?;
        let found = tables_of(&connection).await?;
        if found != expected {
            return Err(Violation::new("catalog and tables are not what the transactions that happened make of them")
                .with(format!("found    {found:?}"))
                .with(format!("expected {expected:?}"))
                .into());
        }
        verify(database).await
    }

    async fn step(&self, client: &Client) -> Result<(), Trouble> {
        self.resolve(client).await?;
        let Some(mut tables) = self.0.lock().tables(client.number) else { return Ok(()) };
        let id = self.0.lock().begin(client.number);
        let durability = if client.one_in(4) { Durability::Async } else { Durability::Sync };
        let commits = match self.write(client, id, &mut tables, durability).await {
            Ok(()) => !client.one_in(8),
            // Nobody else uses these tables, and no value of a sequence comes twice.
            Err(trouble) if trouble.is(SqlState::UNIQUE_VIOLATION) => {
                return Err(Violation::from(trouble).with("in a client's own table").into());
            }
            Err(Trouble::Refused(_) | Trouble::Left) => false,
            Err(trouble) => return Err(trouble),
        };
        if !commits {
            return client.roll_back().await;
        }
        let settle = |outcome| self.0.lock().attempts[id as usize].outcome = outcome;
        settle(Outcome::Unknown);
        let outcome = client.query("COMMIT", &[]).await.map(drop);
        match &outcome {
            Ok(()) => {
                let at = self.0.lock().tick();
                settle(Outcome::Acknowledged(durability, at));
                self.0.lock().stats.commits += 1;
            }
            Err(Trouble::Refused(_)) => settle(Outcome::Never),
            Err(Trouble::Stopped(error)) if error.code() == SqlState::ADMIN_SHUTDOWN => settle(Outcome::Never),
            Err(_) => (),
        }
        outcome
    }

    fn stats(&self) -> Stats {
        self.0.lock().stats.clone()
    }
}

impl Shared {
    /// Finds out whether a transaction happened whose outcome its client did not wait for: to write its row waits for it.
    async fn resolve(&self, client: &Client) -> Result<(), Trouble> {
        let is_open = |attempt: &Attempt| attempt.client == client.number && attempt.outcome == Outcome::Unknown;
        let Some(id) = self.0.lock().attempts.iter().rposition(is_open) else { return Ok(()) };
        let row = id as i64;
        client.query("BEGIN", &[]).await?;
        let written = client.query("INSERT INTO history VALUES ($1)", &[&row]).await.map(drop);
        client.roll_back().await?;
        let outcome = match written {
            Ok(()) => Outcome::Never,
            Err(trouble) if trouble.is(SqlState::UNIQUE_VIOLATION) => {
                Outcome::Acknowledged(Durability::Async, u64::MAX)
            }
            Err(trouble) => return Err(trouble),
        };
        self.0.lock().attempts[id].outcome = outcome;
        Ok(())
    }

    async fn write(
        &self,
        client: &Client,
        id: i64,
        tables: &mut Tables,
        durability: Durability,
    ) -> Result<(), Trouble> {
        client.query("BEGIN", &[]).await?;
        if durability == Durability::Async {
            client.query("SET LOCAL synchronous_commit = off", &[]).await?;
        }
        client.query("INSERT INTO history VALUES ($1)", &[&id]).await?;
        for _ in 0..1 + client.below(3) {
            let mut step = Step::draw(client, tables);
            let undo = client.one_in(6);
            client.query("SAVEPOINT a", &[]).await?;
            let outcome = client.query(&step.sql(client.number), &[]).await;
            match (outcome, &mut step) {
                (Ok(rows), Step::Draw { id, .. }) => {
                    for row in rows {
                        *id = row.get(0).map_err(|error| Trouble::of(error, "a sequence's value"))?;
                    }
                }
                (Ok(_), _) => (),
                (Err(trouble), _) if trouble.is(SqlState::FEATURE_NOT_SUPPORTED) => {
                    client.database.env().sometimes("definitions: a statement is not supported");
                    client.query("ROLLBACK TO SAVEPOINT a", &[]).await?;
                    continue;
                }
                (Err(trouble), _) => return Err(trouble),
            }
            if undo {
                client.query("ROLLBACK TO SAVEPOINT a", &[]).await?;
                continue;
            }
            step.apply(tables);
            self.0.lock().attempts[id as usize].steps.push(step);
        }
        Ok(())
    }
}

/// The clients' tables: their definitions from the catalog, their rows by SQL.
async fn tables_of(connection: &Connection) -> Result<Tables, Trouble> {
    let catalog = connection.database().catalog();
    let mut tables = Tables::new();
    for table in catalog.tables().filter(|table| table.name != "history") {
        let sql = format!("SELECT id, n FROM {}", table.name);
        let mut rows = BTreeMap::new();
        for row in connection.query_async(&sql, &[]).await.map_err(|error| Trouble::of(error, &sql))? {
            let read = || Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
            let (id, n) = read().map_err(|error| Trouble::of(error, &sql))?;
            rows.insert(id, n);
        }
        let indexes = table.indexes.iter().filter_map(|oid| catalog.index(*oid)).filter(|index| !index.primary);
        let indexes = indexes.map(|index| index.name.clone()).collect();
        let added = table.live_columns().count().saturating_sub(2);
        tables.insert(table.name.clone(), Table { rows, indexes, added });
    }
    Ok(tables)
}
