//! Statements dropped at every one of their waits.
//!
//! A client that leaves drops the future of its statement wherever that waits: for a lock, for a block, for the log.
//! For each statement of a script there is a world for its first wait, one for its second, and so on until it gets
//! through. Each time what is left must be as if the statement had not begun, or as if it had ended; its connection
//! works on; no lock, no memory and no half of an index entry stays behind; and the statement, run again, does what it
//! would have done.

use std::fmt::Write as _;
use std::time::Duration;

use helios_env::Env;
use helios_sim::{Violation, World, cancel_at};
use helios_sql::table::TableAccess;
use helios_storage::{CommitTs, Direction, Entry, KeyRange, Options, Value};
use heliosdb::{Config, Connection, Database};

use crate::life::{nothing_is_held, verify};

fn config() -> Config {
    let storage = Options { cache_bytes: 0, memtable_bytes: 6 << 10, ..Options::tiny() };
    Config { memory_limit_mb: 64, storage: Some(storage), ..Config::default() }
}

/// What dropping the statements of a script came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cancellations {
    /// Statements.
    pub statements: u64,
    /// Waits at which one was dropped.
    pub dropped: u64,
    /// Of those, how many had taken effect all the same: the commit was under way.
    pub happened: u64,
}

impl std::fmt::Display for Cancellations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Cancellations { statements, dropped, happened } = self;
        write!(f, "{statements} statements dropped at {dropped} waits, {happened} of them too late")
    }
}

/// How one world ended.
enum End {
    Through,
    Dropped { happened: bool },
}

/// Drops each of `statements`, which are run one after the other, at every wait that it has.
pub fn cancel_everywhere(statements: &[&str]) -> Result<Cancellations, Violation> {
    let states = states(statements)?;
    let mut total = Cancellations::default();
    for index in 0..statements.len() {
        total.statements += 1;
        for waits in 0.. {
            let ended =
                drop_one(&statements[..=index], &states[index], &states[index + 1], waits).map_err(|violation| {
                    violation.with(format!("statement {index}, dropped at wait {waits}: {}", statements[index]))
                });
            match ended? {
                End::Through => break,
                End::Dropped { happened } => {
                    total.dropped += 1;
                    total.happened += u64::from(happened);
                }
            }
        }
    }
    Ok(total)
}

/// Runs all statements, and drops the last one at a wait.
fn drop_one(statements: &[&str], before: &str, after: &str, waits: u64) -> Result<End, Violation> {
    let world = World::seeded(waits);
    let env = world.env();
    let run = async {
        let database = Database::open_in(env.clone(), config()).await?;
        let connection = database.connect()?;
        let (last, earlier) = statements.split_last().expect("at least one statement");
        for statement in earlier {
            connection.execute_batch_async(statement).await?;
        }
        // Everything is in tables, and no block is cached: reading waits too. And somebody is in the way for a moment.
        database.checkpoint().await?;
        let rival = env.spawn("rival", hold_all_rows(env.clone(), database.connect()?));
        env.sleep(Duration::from_millis(5)).await;
        if let Some(outcome) = cancel_at(waits, connection.execute_batch_async(last)).await {
            outcome?;
            rival.await;
            nothing_is_held(&database).await?;
            is_what_it_must_be(&state(&database).await?, before, after)?;
            return Ok(End::Through);
        }
        connection.execute_batch_async("ROLLBACK").await?;
        rival.await;
        // A commit that was under way when its client left ends later; it holds its locks until then.
        env.sleep(Duration::from_secs(1)).await;
        nothing_is_held(&database).await?;
        let found = state(&database).await?;
        let happened = found != before;
        if !happened {
            connection.execute_batch_async(last).await?;
        }
        let reached = state(&database).await?;
        is_what_it_must_be(&reached, before, after)?;
        verify(&database).await.map_err(Violation::from)?;
        drop(connection);
        let bytes = database.memory().used_bytes();
        if bytes > 0 {
            return Err(Violation::new(format!("{bytes} bytes of query memory belong to nobody")));
        }
        Ok(End::Dropped { happened })
    };
    world.run(run).map_err(Violation::from)?
}

fn is_what_it_must_be(found: &str, before: &str, after: &str) -> Result<(), Violation> {
    if found == after {
        return Ok(());
    }
    Err(Violation::new("what is left is neither the state before nor the one after")
        .with(format!("before {before}"))
        .with(format!("found {found}"))
        .with(format!("after {after}")))
}

/// The states before the first statement and after each, where none is dropped.
fn states(statements: &[&str]) -> Result<Vec<String>, Violation> {
    let world = World::seeded(0);
    let run = async {
        let database = Database::open_in(world.env(), config()).await?;
        let connection = database.connect()?;
        let mut states = vec![state(&database).await?];
        for statement in statements {
            connection.execute_batch_async(statement).await?;
            states.push(state(&database).await?);
        }
        Ok(states)
    };
    world.run(run).map_err(Violation::from)?
}

/// Locks every row of every table for a while.
async fn hold_all_rows(env: Env, connection: Connection) {
    let tables: Vec<String> = connection.database().catalog().tables().map(|table| table.name.clone()).collect();
    // Where it is refused there is one rival less.
    drop(connection.execute_batch_async("BEGIN").await);
    for table in tables {
        drop(connection.execute_batch_async(&format!("SELECT FROM \"{table}\" FOR UPDATE")).await);
    }
    env.sleep(Duration::from_millis(20)).await;
    drop(connection.execute_batch_async("COMMIT").await);
}

fn access(database: &Database, table: &str) -> Result<TableAccess, Violation> {
    let catalog = database.catalog();
    let table = catalog.tables().find(|candidate| candidate.name == table);
    let table = table.ok_or_else(|| Violation::new("a table is gone"))?;
    let indexes: Vec<_> = table.indexes.iter().filter_map(|oid| catalog.index(*oid).cloned()).collect();
    Ok(TableAccess::new(table.clone(), indexes)?)
}

async fn rows(database: &Database, access: &TableAccess) -> Result<Vec<Entry>, Violation> {
    let mut scan = database.storage().scan(access.space, KeyRange::all(), Direction::Forward, CommitTs::NEWEST);
    let mut entries = Vec::new();
    while scan.next_rows(256, &mut entries).await? {}
    Ok(entries)
}

/// The committed state as text, without the numbers that a second attempt draws anew: definitions, and rows in the order of
/// their keys.
async fn state(database: &Database) -> Result<String, Violation> {
    let catalog = database.catalog();
    let mut text = String::new();
    let mut names: Vec<String> = catalog.tables().map(|table| table.name.clone()).collect();
    names.sort();
    for name in names {
        let access = access(database, &name)?;
        let table = &access.table;
        let columns: Vec<String> = table
            .live_columns()
            .map(|column| format!("{} {:?} {} {:?}", column.name, column.type_oid, column.not_null, column.default))
            .collect();
        let mut indexes: Vec<String> = access
            .indexes
            .iter()
            .map(|index| format!("{} unique {} on {:?}", index.index.name, index.index.unique, index.index.keys))
            .collect();
        indexes.sort();
        let constraints: Vec<&str> = table.constraints.iter().map(|constraint| constraint.name.as_str()).collect();
        writeln!(text, "table {name} ({}) {indexes:?} {constraints:?}", columns.join(", ")).expect("into a string");
        for entry in rows(database, &access).await? {
            let Value::Row(row) = &entry.version.value else { continue };
            let values = access.decode_row(row)?;
            let live: Vec<String> =
                table.live_columns().map(|column| format!("{:?}", values.get(column.attnum as usize - 1))).collect();
            writeln!(text, "  {}", live.join(" | ")).expect("into a string");
        }
    }
    let mut others: Vec<String> = catalog.sequences().map(|sequence| format!("sequence {}", sequence.name)).collect();
    others.extend(catalog.views().map(|view| format!("view {}", view.name)));
    others.sort();
    text.push_str(&others.join("\n"));
    Ok(text)
}
