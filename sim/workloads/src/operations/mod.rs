//! Random operations against a model.
//!
//! Several clients insert, update, move, delete and read rows of one small table with a primary key, a secondary and a
//! unique index: single statements and blocks, at READ COMMITTED and REPEATABLE READ, with savepoints, durable and not,
//! left half way. What they were told goes to the [`oracle`], which explains every state that anybody sees:
//!
//! * after each recovery: what was acknowledged is there, what was refused or rolled back is not, what is missing is a
//!   suffix of the order of commits, what one recovery has shown stays;
//! * in every snapshot, while the clients run: the rows are those that the visible transactions leave behind, whichever
//!   index finds them;
//! * at REPEATABLE READ: statements write exactly the rows that the snapshot and their own transaction show them.

mod oracle;
mod statements;

use std::collections::BTreeSet;
use std::sync::Arc;

use helios_env::sync::Mutex;
use helios_sim::{Class, DeviceProfile, FaultKind, Stats, Violation, Workload, World};
use helios_sql::table::TableAccess;
use helios_storage::{CommitTs, Direction, Durability, Entry, KeyRange, Value};
use helios_types::Datum;
use heliosdb::{Connection, Database, Rows, SqlState};

use crate::Disks;
use crate::life::{self, Client, Scenario};
use crate::trouble::Trouble;
use oracle::{Attempt, Before, Change, Happened, Image, Items, Oracle, Outcome};
use statements::{IDS, Kind, Which, Write, row_at};

const SCHEMA: &str = "CREATE TABLE markers (id bigint PRIMARY KEY);
    CREATE TABLE items (id bigint PRIMARY KEY, grp bigint NOT NULL, code bigint UNIQUE, value bigint NOT NULL,
                        note text NOT NULL, writer bigint NOT NULL, previous bigint, UNIQUE (grp, id))";

/// The workload. See the [module](self).
pub struct Operations {
    disks: Disks,
}

impl Operations {
    /// On these disks.
    pub fn new(disks: Disks) -> Operations {
        Operations { disks }
    }
}

impl Workload for Operations {
    fn name(&self) -> &str {
        match self.disks {
            Disks::Rotten => "operations on rotten disks",
            _ => "operations",
        }
    }

    fn faults(&self) -> Vec<FaultKind> {
        // A disk that acknowledges a write and never makes it can take a commit back without a trace.
        let mine = |kind: &FaultKind| match kind.class() {
            Class::Detectable => self.disks == Disks::Rotten && *kind != FaultKind::StaleRead,
            _ => true,
        };
        FaultKind::ALL.iter().copied().filter(mine).collect()
    }

    fn profiles(&self) -> Vec<DeviceProfile> {
        self.disks.profiles()
    }

    fn expected_marks(&self) -> Vec<&'static str> {
        match self.disks {
            Disks::Honest => vec![
                "db: a catalog with tables was recovered",
                "storage: recovery removed an unfinished file",
                "storage: recovery wrote the unproven tail of the log again",
                "storage: the log rotated to a new segment",
                "txn: a commit's client left",
                "txn: a row was newer than its statement's snapshot",
                "txn: the first updater won",
            ],
            Disks::Rotten | Disks::Lying => Vec::new(),
        }
    }

    fn run(&self, world: &World) -> Result<Stats, Violation> {
        let scenario = Shared::default();
        scenario.0.lock().disk_rots = self.disks == Disks::Rotten;
        life::live(world, &scenario)
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Oracle>>);

impl Scenario for Shared {
    async fn create(&self, connection: &Connection) -> Result<(), Trouble> {
        if access(connection.database(), "markers").is_ok() {
            return Ok(());
        }
        let created = connection.execute_batch_async(SCHEMA).await;
        created.map_err(|error| Trouble::of(error, "creating the schema"))
    }

    async fn judge(&self, database: &Database) -> Result<(), Trouble> {
        let connection = database.connect().map_err(|error| Trouble::of(error, "connecting"))?;
        let happened = self.look(&connection).await?;
        Ok(self.0.lock().judge(&happened)?)
    }

    async fn step(&self, client: &Client) -> Result<(), Trouble> {
        match client.below(16) {
            0 => self.look_beside_others(client).await,
            1..=3 => self.script(client).await,
            _ => self.block(client).await,
        }
    }

    fn stats(&self) -> Stats {
        self.0.lock().stats.clone()
    }

    fn disk_rots(&self) -> bool {
        self.0.lock().disk_rots
    }
}

/// A table as the floors below see it.
fn access(database: &Database, name: &str) -> Result<TableAccess, Trouble> {
    let catalog = database.catalog();
    let table = catalog.tables().find(|table| table.name == name);
    let table = table.ok_or_else(|| Violation::new(format!("table {name} is gone")))?;
    let indexes: Vec<_> = table.indexes.iter().filter_map(|oid| catalog.index(*oid).cloned()).collect();
    TableAccess::new(table.clone(), indexes).map_err(|error| Trouble::of(error, "the catalog"))
}

fn storage_trouble(error: helios_storage::Error) -> Trouble {
    Trouble::of(helios_txn::Error::from(error).into(), "looking at the markers below SQL")
}

/// Every transaction that has committed by now, by its timestamp.
async fn committed(database: &Database) -> Result<Happened, Trouble> {
    let markers = access(database, "markers")?;
    let mut scan = database.storage().scan(markers.space, KeyRange::all(), Direction::Forward, CommitTs::NEWEST);
    let mut entries: Vec<Entry> = Vec::new();
    while scan.next_rows(256, &mut entries).await.map_err(storage_trouble)? {}
    let mut happened = Happened::new();
    for entry in entries {
        let Value::Row(row) = &entry.version.value else { continue };
        let values = markers.decode_row(row).map_err(|error| Trouble::of(error, "a marker"))?;
        let Some(Datum::I64(id)) = values.first() else {
            return Err(Violation::new(format!("a marker that is {values:?}")).into());
        };
        if let Some(other) = happened.insert(entry.version.commit_ts, *id) {
            let at = entry.version.commit_ts;
            return Err(Violation::new(format!("transactions {other} and {id} are both of {at}")).into());
        }
    }
    Ok(happened)
}

/// When a transaction that was acknowledged has committed.
async fn committed_at(database: &Database, id: i64) -> Result<CommitTs, Trouble> {
    let markers = access(database, "markers")?;
    let key = markers.row_key(&[Datum::I64(id)]).map_err(|error| Trouble::of(error, "a marker's key"))?;
    let key = key.ok_or_else(|| Violation::new("markers have no primary key"))?;
    let found = database.storage().get(markers.space, &key, CommitTs::NEWEST).await.map_err(storage_trouble)?;
    match found {
        Some(version) if version.value.row().is_some() => Ok(version.commit_ts),
        other => Err(Violation::new(format!("commit {id} was acknowledged and reads back as {other:?}")).into()),
    }
}

async fn ask(connection: &Connection, sql: &str) -> Result<Rows, Trouble> {
    connection.query_async(sql, &[]).await.map_err(|error| Trouble::of(error, sql))
}

fn items_of(rows: Rows) -> Result<Items, Trouble> {
    let mut items = Items::new();
    for row in rows {
        let (id, image) = row_at(&row, 0)?.ok_or_else(|| Violation::new("a row without a key"))?;
        if items.insert(id, image).is_some() {
            return Err(Violation::new(format!("row {id} is there twice")).into());
        }
    }
    Ok(items)
}

/// Numbers in the first column.
fn numbers(rows: Rows) -> Result<BTreeSet<i64>, Trouble> {
    let read = |row: heliosdb::Row| row.get(0);
    rows.map(read).collect::<heliosdb::Result<_>>().map_err(|error| Trouble::of(error, "reading a number"))
}

const COLUMNS: &str = "SELECT id, grp, code, value, note, writer FROM items";

impl Shared {
    /// Which transactions a snapshot shows, and whether everything else fits, by whichever way it is asked for.
    async fn look(&self, connection: &Connection) -> Result<Happened, Trouble> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ";
        connection.execute_batch_async(begin).await.map_err(|error| Trouble::of(error, begin))?;
        let looked = self.look_inside(connection).await;
        let end = connection.execute_batch_async("ROLLBACK").await.map_err(|error| Trouble::of(error, "ROLLBACK"));
        let happened = looked?;
        end?;
        Ok(happened)
    }

    async fn look_inside(&self, connection: &Connection) -> Result<Happened, Trouble> {
        let visible = numbers(ask(connection, "SELECT id FROM markers").await?)?;
        let mut happened = committed(connection.database()).await?;
        happened.retain(|_, id| visible.contains(id));
        if happened.len() != visible.len() {
            return Err(Violation::new("SQL shows a marker that the store does not have").into());
        }
        let expected = self.0.lock().contents(&happened)?;
        let agree = |what: &str, found: &Items, expected: &Items| {
            if found == expected {
                return Ok(());
            }
            let violation = Violation::new(format!("{what}: the rows do not fit the transactions that happened"));
            Err(violation
                .with(format!("found    {found:?}"))
                .with(format!("expected {expected:?}"))
                .with(format!("happened {happened:?}")))
        };
        let found = items_of(ask(connection, COLUMNS).await?)?;
        agree("all rows", &found, &expected)?;
        let some = happened.len() as i64;
        for which in [
            Which::Id(some % IDS as i64),
            Which::Ids(some % 30, some % 30 + 8),
            Which::Group(some % 5),
            Which::Code(some % 30),
        ] {
            let sql = format!("{COLUMNS} WHERE {}", which.condition());
            let [first, last] = which.bounds();
            let rows = connection.query_async(&sql, &[&first, &last]).await;
            let found = items_of(rows.map_err(|error| Trouble::of(error, &sql))?)?;
            agree(&format!("{which:?}"), &found, &which.of(&expected))?;
        }
        self.0.lock().stats.checks += 5;
        Ok(happened)
    }

    async fn look_beside_others(&self, client: &Client) -> Result<(), Trouble> {
        if client.one_in(2) {
            return self.look(&client.connection).await.map(drop);
        }
        // One statement is one snapshot, at READ COMMITTED too.
        let sql = "SELECT id, NULL::bigint, NULL::bigint, NULL::bigint, NULL::text, NULL::bigint, true FROM markers \
                   UNION ALL SELECT id, grp, code, value, note, writer, false FROM items";
        let (mut visible, mut found) = (BTreeSet::new(), Items::new());
        for row in ask(&client.connection, sql).await? {
            let is_marker: bool = row.get(6).map_err(|error| Trouble::of(error, sql))?;
            if is_marker {
                let id: i64 = row.get(0).map_err(|error| Trouble::of(error, sql))?;
                visible.insert(id);
            } else if let Some((id, image)) = row_at(&row, 0)? {
                found.insert(id, image);
            }
        }
        let mut happened = committed(&client.database).await?;
        happened.retain(|_, id| visible.contains(id));
        let mut oracle = self.0.lock();
        let expected = oracle.contents(&happened)?;
        oracle.stats.checks += 1;
        if found == expected {
            return Ok(());
        }
        Err(Violation::new("one statement shows rows that do not fit the transactions that it shows")
            .with(format!("found    {found:?}"))
            .with(format!("expected {expected:?}"))
            .into())
    }

    /// Notes what became of a COMMIT.
    async fn settle(
        &self,
        client: &Client,
        id: i64,
        durability: Durability,
        outcome: Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        match &outcome {
            Ok(()) => {
                self.0.lock().attempt(id).outcome = Outcome::Acknowledged(durability, None);
                self.0.lock().stats.commits += 1;
                let at = committed_at(&client.database, id).await?;
                self.0.lock().attempt(id).outcome = Outcome::Acknowledged(durability, Some(at));
            }
            Err(Trouble::Refused(_)) => self.0.lock().attempt(id).outcome = Outcome::Never,
            // A store that was closed has not taken it.
            Err(Trouble::Stopped(error)) if error.code() == SqlState::ADMIN_SHUTDOWN => {
                self.0.lock().attempt(id).outcome = Outcome::Never;
            }
            // Whether it happens, the log decides; we may learn it from a recovery.
            Err(_) => (),
        }
        outcome
    }

    /// A script in an implicit transaction that nobody hears from before it has committed, so that it must leave the same
    /// whatever it meets: an upsert of a whole row. (A DELETE would miss a row that is inserted beside it.)
    async fn script(&self, client: &Client) -> Result<(), Trouble> {
        let marker = self.0.lock().begin();
        let id = client.below(IDS) as i64;
        let stamp = self.0.lock().stamp();
        let note = "s".repeat((marker % 50) as usize);
        let image = Image { grp: marker % 5, code: None, value: marker, note, writer: stamp };
        let Image { grp, value, note, .. } = &image;
        let sql = format!(
            "INSERT INTO items VALUES ({id}, {grp}, NULL, {value}, '{note}', {stamp}) ON CONFLICT (id) DO UPDATE \
             SET grp = excluded.grp, code = excluded.code, value = excluded.value, note = excluded.note, \
             writer = excluded.writer, previous = items.writer"
        );
        let after = Some(image.clone());
        let write = Arc::new(Write { stamp, kind: Kind::Replace(id, image) });
        *self.0.lock().attempt(marker) =
            Attempt { changes: vec![Change { id, before: Before::Unseen, after, write }], outcome: Outcome::Unknown };
        let outcome = client.script(&format!("INSERT INTO markers VALUES ({marker}); {sql}")).await;
        self.settle(client, marker, Durability::Sync, outcome).await
    }

    /// A transaction block.
    async fn block(&self, client: &Client) -> Result<(), Trouble> {
        let id = self.0.lock().begin();
        let durability = if client.one_in(4) { Durability::Async } else { Durability::Sync };
        let repeatable = client.one_in(2);
        let written = self.write(client, id, repeatable, durability).await;
        let commits = match written {
            Ok(()) => !client.one_in(10),
            Err(Trouble::Refused(_) | Trouble::Left) => false,
            Err(trouble) => return Err(trouble),
        };
        if !commits {
            return client.roll_back().await;
        }
        self.0.lock().attempt(id).outcome = Outcome::Unknown;
        let outcome = client.query("COMMIT", &[]).await.map(drop);
        self.settle(client, id, durability, outcome).await
    }

    async fn write(&self, client: &Client, id: i64, repeatable: bool, durability: Durability) -> Result<(), Trouble> {
        let begin = if repeatable { "BEGIN ISOLATION LEVEL REPEATABLE READ" } else { "BEGIN" };
        client.query(begin, &[]).await?;
        if durability == Durability::Async {
            client.query("SET LOCAL synchronous_commit = off", &[]).await?;
        }
        let mut view = None;
        if repeatable && client.one_in(2) {
            let visible = numbers(client.query("SELECT id FROM markers", &[]).await?)?;
            let mut happened = committed(&client.database).await?;
            happened.retain(|_, id| visible.contains(id));
            view = Some(self.0.lock().contents(&happened)?);
        }
        client.query("INSERT INTO markers VALUES ($1)", &[&id]).await?;
        for _ in 0..client.below(4) {
            if client.one_in(4) {
                self.savepoint(client, id, &mut view).await?;
            } else if client.one_in(5) {
                read(client, view.as_ref()).await?;
            } else {
                self.statement(client, id, &mut view).await?;
            }
        }
        Ok(())
    }

    /// A statement that may fail, inside a savepoint that may be rolled back.
    async fn savepoint(&self, client: &Client, id: i64, view: &mut Option<Items>) -> Result<(), Trouble> {
        client.query("SAVEPOINT a", &[]).await?;
        let (length, before) = (self.0.lock().attempt(id).changes.len(), view.clone());
        let outcome = self.statement(client, id, view).await;
        let undo = match outcome {
            Ok(()) => client.one_in(3),
            Err(trouble) if trouble.is(SqlState::UNIQUE_VIOLATION) => true,
            Err(trouble) => return Err(trouble),
        };
        if undo {
            client.query("ROLLBACK TO SAVEPOINT a", &[]).await?;
            self.0.lock().attempt(id).changes.truncate(length);
            *view = before;
        } else if client.one_in(2) {
            client.query("RELEASE SAVEPOINT a", &[]).await?;
        }
        Ok(())
    }

    async fn statement(&self, client: &Client, id: i64, view: &mut Option<Items>) -> Result<(), Trouble> {
        let write = Write::draw(client, self.0.lock().stamp());
        let changes = write.clone().run(client).await?;
        if let Some(items) = view {
            let snapshot = items.clone();
            let touched: BTreeSet<i64> = changes.iter().map(|change| change.id).collect();
            let expected = write.predicted(items);
            if let Some(expected) = expected.as_ref().filter(|expected| **expected != touched) {
                let violation = Violation::new(format!("{write:?} changed {touched:?}, its snapshot has {expected:?}"));
                return Err(violation.with(format!("transaction {id}, snapshot {snapshot:?}")).into());
            }
            let fits: Result<(), String> = changes.iter().try_for_each(|change| change.apply(items));
            if let Err(what) = fits {
                return Err(Violation::new("a statement changed what its snapshot does not have")
                    .with(what)
                    .with(format!("transaction {id}: {changes:?}, snapshot {snapshot:?}"))
                    .into());
            }
        }
        self.0.lock().attempt(id).changes.extend(changes);
        Ok(())
    }
}

/// Reads some rows, and perhaps locks them.
async fn read(client: &Client, view: Option<&Items>) -> Result<(), Trouble> {
    let which = Which::draw(client);
    let locking = match client.below(8) {
        0 => " FOR UPDATE",
        1 => " FOR SHARE",
        2 => " FOR NO KEY UPDATE NOWAIT",
        3 => " FOR UPDATE SKIP LOCKED",
        _ => "",
    };
    let sql = format!("{COLUMNS} WHERE {}{locking}", which.condition());
    let [first, last] = which.bounds();
    let found = items_of(client.query(&sql, &[&first, &last]).await?)?;
    if let Some((id, image)) = found.iter().find(|(id, image)| !which.includes(**id, image)) {
        // These may be refused or left: the violation stands all the same.
        let again = client.query(&sql, &[&first, &last]).await.and_then(items_of);
        let by_key = format!("{COLUMNS} WHERE id = $1");
        let row = client.query(&by_key, &[id]).await.and_then(items_of);
        return Err(Violation::new(format!("{which:?} finds {id}: {image:?}"))
            .with(format!("by {sql} for {which:?}"))
            .with(format!("again: {again:?}"))
            .with(format!("by its key: {row:?}"))
            .into());
    }
    match view {
        Some(items) if !locking.contains("SKIP") && found != which.of(items) => {
            Err(Violation::new(format!("{which:?}{locking} finds {found:?}, its snapshot is {items:?}")).into())
        }
        _ => Ok(()),
    }
}
