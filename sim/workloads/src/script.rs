//! SQL scripts, cut off before every change that they make to the disk.
//!
//! A script runs once on a disk where nothing fails, and the state after each of its statements is noted: the catalog, and
//! every row of every table, as they are committed by then. Then every crash point is looked at: what a recovery shows
//! must be the state after the last statement that was acknowledged or, if one was under way, after that one. No class of
//! statements is exempt. Every index must fit its table, SQL must count as many rows as the store holds, and a further
//! commit must hold. What one recovery has shown, the next one shows too.

use std::fmt::Write as _;
use std::sync::Arc;

use helios_env::Env;
use helios_sim::{Explore, Explored, Ledger, Violation, World, explore};
use helios_sql::table::TableAccess;
use helios_storage::{CommitTs, Direction, Entry, KeyRange, Options, Value};
use heliosdb::{Config, Database, SqlState};

use crate::life::verify;

/// The table in which recoveries leave a row each.
const RECOVERIES: &str = "recoveries";

/// What exploring a script came to.
#[derive(Clone, Debug)]
pub struct ScriptReport {
    /// What was looked at.
    pub explored: Explored,
    /// Statements that were explored.
    pub statements: usize,
    /// Statements that the database does not support (0A000), left out.
    pub unsupported: Vec<String>,
}

/// What the outside world was told.
#[derive(Clone)]
struct Promised {
    /// The state before the first statement, and after each.
    states: Arc<Vec<String>>,
    /// Statements that were acknowledged, and whether the next one is under way.
    acknowledged: usize,
    under_way: bool,
    /// The same of rows that recoveries leave.
    recoveries: i64,
    recovery_under_way: bool,
}

/// Looks at everything that a crash could make of these statements, run one after the other in one session.
///
/// # Panics
///
/// When the script itself fails, before any crash.
pub fn explore_script(config: &Explore, statements: &[&str]) -> ScriptReport {
    let (supported, states, unsupported) = dry_run(statements);
    let (setup, script) = (Arc::new(supported), Arc::new(states));
    let promised =
        Promised { states: script, acknowledged: 0, under_way: false, recoveries: 0, recovery_under_way: false };
    let explored = explore(
        config,
        promised,
        |env, ledger| run(env, ledger, setup.clone()),
        |env, ledger| async move { check(env, &ledger).await },
    );
    ScriptReport { explored, statements: setup.len(), unsupported }
}

fn database_config() -> Config {
    // A segment per few commits, so that rotation, flushes and compactions happen in a short script.
    let storage = Options { segment_bytes: 8 << 10, memtable_bytes: 6 << 10, ..Options::tiny() };
    Config { memory_limit_mb: 64, storage: Some(storage), ..Config::default() }
}

/// Statements that are supported, the states around them, and the others.
fn dry_run(statements: &[&str]) -> (Vec<String>, Vec<String>, Vec<String>) {
    let world = World::seeded(0);
    let env = world.env();
    let statements: Vec<String> = statements.iter().map(|statement| (*statement).to_owned()).collect();
    let run = async {
        let database = Database::open_in(env, database_config()).await?;
        let connection = database.connect()?;
        let (mut supported, mut unsupported) = (Vec::new(), Vec::new());
        let mut states = vec![state(&database).await?];
        for statement in statements {
            match connection.execute_batch_async(&statement).await {
                Ok(()) => supported.push(statement),
                // A statement that names what an unsupported one would have made is left out with it.
                Err(error) if error.code() == SqlState::FEATURE_NOT_SUPPORTED || !unsupported.is_empty() => {
                    unsupported.push(format!("{statement}: {}", error.message()));
                    continue;
                }
                Err(error) => return Err(Violation::from(error).with(statement)),
            }
            states.push(state(&database).await?);
        }
        Ok::<_, Violation>((supported, states, unsupported))
    };
    world.run(run).expect("nothing crashes unasked").expect("the script runs where nothing fails")
}

async fn run(env: Env, ledger: Ledger<Promised>, statements: Arc<Vec<String>>) -> Result<(), Violation> {
    let database = Database::open_in(env, database_config()).await?;
    let connection = database.connect()?;
    for statement in statements.iter() {
        ledger.update(|promised| promised.under_way = true);
        let outcome = connection.execute_batch_async(statement).await;
        outcome.map_err(|error| Violation::from(error).with(statement.clone()))?;
        ledger.update(|promised| (promised.acknowledged, promised.under_way) = (promised.acknowledged + 1, false));
    }
    drop(connection);
    database.close().await?;
    Ok(())
}

async fn check(env: Env, ledger: &Ledger<Promised>) -> Result<(), Violation> {
    let database = Database::open_in(env, database_config()).await?;
    let (promised, found) = (ledger.get(), state(&database).await?);
    let Promised { states, acknowledged, under_way, .. } = &*promised;
    let is_next = *under_way && states.get(acknowledged + 1).is_some_and(|next| *next == found);
    if states[*acknowledged] != found && !is_next {
        let mut violation =
            Violation::new(format!("after statement {acknowledged} the state is neither its own nor the next one's"))
                .with(format!("found {found}"))
                .with(format!("promised {}", states[*acknowledged]));
        if *under_way && *acknowledged + 1 < states.len() {
            violation = violation.with(format!("or {}", states[acknowledged + 1]));
        }
        return Err(violation);
    }
    // What was shown stays.
    ledger.update(|promised| {
        promised.acknowledged += usize::from(is_next);
        promised.under_way = false;
    });
    verify(&database).await.map_err(Violation::from)?;
    count_by_sql(&database).await?;
    leave_a_row(&database, ledger).await?;
    database.close().await?;
    Ok(())
}

/// SQL finds as many rows as the store holds.
async fn count_by_sql(database: &Database) -> Result<(), Violation> {
    let connection = database.connect()?;
    for table in database.catalog().tables() {
        let stored = rows(database, &access(database, &table.name)?).await?.len() as i64;
        let sql = format!("SELECT count(*) FROM \"{}\"", table.name);
        let counted: i64 = connection.query_one_async(&sql, &[]).await?.get(0)?;
        if counted != stored {
            return Err(Violation::new(format!("{sql} is {counted}, the store holds {stored}")));
        }
    }
    Ok(())
}

/// A commit after a recovery holds as any other does.
async fn leave_a_row(database: &Database, ledger: &Ledger<Promised>) -> Result<(), Violation> {
    let connection = database.connect()?;
    let exists = database.catalog().tables().any(|table| table.name == RECOVERIES);
    let found: i64 = match exists {
        true => connection.query_one_async("SELECT count(*) FROM recoveries", &[]).await?.get(0)?,
        false => 0,
    };
    let Promised { recoveries, recovery_under_way, .. } = *ledger.get();
    if found != recoveries && !(recovery_under_way && found == recoveries + 1) {
        return Err(Violation::new(format!("{recoveries} recoveries have left a row, {found} are there")));
    }
    ledger.update(|promised| (promised.recoveries, promised.recovery_under_way) = (found, true));
    let create = "CREATE TABLE recoveries (n bigint PRIMARY KEY);";
    let insert = format!("{} INSERT INTO recoveries VALUES ({found})", if exists { "" } else { create });
    connection.execute_batch_async(&insert).await?;
    ledger.update(|promised| (promised.recoveries, promised.recovery_under_way) = (found + 1, false));
    Ok(())
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

/// The committed state as text: definitions, and rows in the order of their keys.
pub(crate) async fn state(database: &Database) -> Result<String, Violation> {
    let catalog = database.catalog();
    let mut text = String::new();
    let mut names: Vec<String> = catalog.tables().map(|table| table.name.clone()).collect();
    names.retain(|name| name != RECOVERIES);
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
