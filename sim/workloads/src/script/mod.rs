//! SQL scripts, cut off before every change that they make to the disk.
//!
//! ```text
//!   clients    BEGIN   INSERT   COMMIT      CREATE TABLE ... AS      one message after the other; each is a stage
//!   disk     ────●────────●───●───●───●───────●────●────●────●───▶
//!   states   0        0          1                        2          noted after each command: what is committed
//!                             ✂
//!                             └─▶ open ── judge ── verify ── one commit more ── (close)      cut off in turn, thrice
//! ```
//!
//! A script runs once on a disk where nothing fails, all of its connections in one database, and the committed state is
//! noted after each command: every record of the catalog, every row of every table, every entry of every index (see
//! [`state`]), and how far each sequence has got. Then every crash point is looked at. What a recovery shows must be the
//! state after the last command that was acknowledged or, if one was under way, after that one; a session that commits
//! asynchronously may lose its newest commits. No class of statements is exempt, and a message that fails leaves nothing
//! behind but what it has committed itself. Each sequence has gone on as far as the last acknowledged commit knew (see
//! [`sequences`]). Then every checksum and every index against its table must be right, SQL must count as many rows as the
//! store holds, and a further commit must hold. What one recovery has shown, the next one shows too.
//!
//! [`explore_script`] does this for one script; [`sweep`] for files of them, within bounds per statement.

mod oracle;
mod player;
mod sequences;
mod state;
mod sweep;

use std::sync::Arc;

use helios_env::sync::Mutex;
use helios_sim::{DiskImage, Explore, Explored, World, explore};
use helios_sqllogic::steps::Step;
use helios_storage::Options;
use heliosdb::{Config, Database};

use oracle::Promised;
use player::Player;
use state::State;

pub use player::Deviation;
pub use sweep::{Sweep, SweepReport, Totals, directory, sweep};

/// The schema, and the table in it, in which recoveries leave a row each. States are told without them.
const RECOVERIES: &str = "recoveries";

/// What exploring a script came to.
#[derive(Clone, Debug)]
pub struct ScriptReport {
    /// What the script is called.
    pub name: String,
    /// What was looked at.
    pub explored: Explored,
    /// Statements that were explored.
    pub statements: usize,
    /// Of these, those that were refused as they should be.
    pub refused: usize,
    /// Statements that the database does not support (0A000), not counted above.
    pub unsupported: Vec<Deviation>,
    /// Statements that succeeded or failed when PostgreSQL did not. They are explored like any other.
    pub deviating: Vec<Deviation>,
}

/// A script, and how thoroughly each recovery is looked at.
pub(crate) struct Script {
    name: String,
    steps: Vec<Step>,
    /// One recovery in so many counts rows by SQL, and one closes the database in order.
    one_in: u64,
}

/// What became of a script where nothing failed. The run writes it, the oracle reads it.
#[derive(Default)]
pub(crate) struct Recording {
    /// The state before the first command, and after each.
    states: Mutex<Vec<Arc<State>>>,
    refused: Mutex<usize>,
    unsupported: Mutex<Vec<Deviation>>,
    deviating: Mutex<Vec<Deviation>>,
}

/// Looks at everything that a crash could make of these statements, run one after the other in one session.
pub fn explore_script(config: &Explore, statements: &[&str]) -> ScriptReport {
    let steps = (1..).zip(statements).map(|(line, sql)| Step::statement(line, sql)).collect();
    explore_steps(config, Script { name: "script".to_owned(), steps, one_in: 1 })
}

fn explore_steps(config: &Explore, script: Script) -> ScriptReport {
    let (script, recording) = (Arc::new(script), Arc::new(Recording::default()));
    let explored = explore(
        config,
        Promised::new(script.clone(), recording.clone()),
        |env, ledger| Player::run(env, ledger, script.clone(), recording.clone()),
        |env, ledger| {
            let script = script.clone();
            async move { oracle::check(env, &ledger, &script).await }
        },
    );
    let unsupported = std::mem::take(&mut *recording.unsupported.lock());
    ScriptReport {
        name: script.name.clone(),
        explored,
        statements: script.steps.len() - unsupported.len(),
        refused: *recording.refused.lock(),
        unsupported,
        deviating: std::mem::take(&mut *recording.deviating.lock()),
    }
}

fn database_config() -> Config {
    // A segment per few commits, so that rotation, flushes and compactions happen in a short script.
    let storage = Options { segment_bytes: 8 << 10, memtable_bytes: 6 << 10, ..Options::tiny() };
    Config { memory_limit_mb: 64, storage: Some(storage), ..Config::default() }
}

/// A new database in which recoveries find their table: without, each would have to make it.
fn new_database() -> DiskImage {
    let world = World::seeded(0);
    let made = world.run(async {
        let database = Database::open_in(world.env(), database_config()).await?;
        database.connect()?.execute_batch_async(&oracle::create_recoveries()).await?;
        database.close().await
    });
    made.expect("nothing crashes unasked").expect("no fault is switched on");
    world.disk().image()
}
