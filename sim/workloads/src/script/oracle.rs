//! What a recovery is held to.

use std::sync::Arc;

use helios_env::Env;
use helios_sim::{Ledger, Violation};
use helios_sql::table::space;
use helios_storage::{CommitTs, Direction, KeyRange};
use heliosdb::Database;

use super::state::State;
use super::{RECOVERIES, Recording, Script, database_config};
use crate::life::verify;

/// What the outside world was told.
#[derive(Clone)]
pub(crate) struct Promised {
    script: Arc<Script>,
    recording: Arc<Recording>,
    /// The newest state that was noted, and the first one that a crash may go back to.
    pub(super) newest: usize,
    pub(super) durable: usize,
    /// The same for the values of sequences.
    pub(super) sequences_durable: usize,
    /// The step that runs or was the last to run, and whether it runs.
    pub(super) step: Option<usize>,
    pub(super) under_way: bool,
    /// What a recovery has shown.
    shown: Option<Arc<State>>,
    /// Rows that recoveries have left, and whether another one is being left.
    recoveries: i64,
    recovery_under_way: bool,
}

impl Promised {
    pub(super) fn new(script: Arc<Script>, recording: Arc<Recording>) -> Promised {
        Promised {
            script,
            recording,
            newest: 0,
            durable: 0,
            sequences_durable: 0,
            step: None,
            under_way: false,
            shown: None,
            recoveries: 0,
            recovery_under_way: false,
        }
    }

    /// Whether what a recovery found is what was promised.
    fn judge(&self, found: &State) -> Result<(), Violation> {
        if let Some(shown) = &self.shown {
            return self.judge_again(found, shown);
        }
        let states = self.recording.states.lock();
        let end = (self.newest + 1 + usize::from(self.under_way)).min(states.len());
        if !states[self.durable..end].iter().any(|state| state.contents == found.contents) {
            let what = match self.under_way {
                true => "neither the one before the statement under way nor the one after it",
                false => "not the one after the last statement",
            };
            let mut violation = Violation::new(format!("the state is {what}")).with(self.whereabouts());
            for (index, state) in states.iter().enumerate().take(end).skip(self.durable) {
                let when = if index > self.newest { "after" } else { "before" };
                violation = violation.with(format!("compared with the state {when}:"));
                violation = found.contents.differences(&state.contents).into_iter().fold(violation, Violation::with);
            }
            return Err(violation);
        }
        for sequence in &found.sequences {
            let before = states[self.sequences_durable..end].iter().flat_map(|state| &state.sequences);
            let ever = states[..end].iter().flat_map(|state| &state.sequences);
            sequence.judge(before, ever).map_err(|violation| violation.with(self.whereabouts()))?;
        }
        Ok(())
    }

    /// What one recovery has shown, the next one shows too.
    fn judge_again(&self, found: &State, shown: &State) -> Result<(), Violation> {
        if found.contents == shown.contents && found.sequences == shown.sequences {
            return Ok(());
        }
        let violation = Violation::new("a second recovery shows another state than the first").with(self.whereabouts());
        let violation = found.contents.differences(&shown.contents).into_iter().fold(violation, Violation::with);
        Err(match found.sequences == shown.sequences {
            true => violation,
            false => violation.with(format!("sequences {:?}, before {:?}", found.sequences, shown.sequences)),
        })
    }

    fn whereabouts(&self) -> String {
        let Some(step) = self.step.and_then(|step| self.script.steps.get(step)) else {
            return "before the first statement".to_owned();
        };
        let when = if self.under_way { "while this ran" } else { "after this was acknowledged" };
        format!("{when}: {}", step.sql)
    }
}

/// Recovers, and looks at everything.
pub(super) async fn check(env: Env, ledger: &Ledger<Promised>, script: &Script) -> Result<(), Violation> {
    let is_thorough = env.rng.fork("thorough").next_u64().is_multiple_of(script.one_in);
    let database = Database::open_in(env, database_config()).await?;
    let found = Arc::new(State::read(&database).await?);
    ledger.get().judge(&found)?;
    ledger.update(|promised| (promised.shown, promised.under_way) = (Some(found.clone()), false));
    verify(&database).await.map_err(Violation::from)?;
    if is_thorough {
        count_by_sql(&database, &found).await?;
    }
    Box::pin(leave_a_row(&database, ledger)).await?;
    if is_thorough {
        database.close().await?;
    }
    Ok(())
}

/// SQL finds as many rows as the store holds.
async fn count_by_sql(database: &Database, found: &State) -> Result<(), Violation> {
    let connection = database.connect()?;
    for (table, rows) in found.contents.tables(&database.catalog()) {
        let sql = format!("SELECT count(*) FROM {table}");
        let counted: i64 = connection.query_one_async(&sql, &[]).await?.get(0)?;
        if counted != rows as i64 {
            return Err(Violation::new(format!("{sql} is {counted}, the store holds {rows}")));
        }
    }
    Ok(())
}

/// Makes the table that recoveries leave a row in.
pub(super) fn create_recoveries() -> String {
    format!("CREATE SCHEMA {RECOVERIES}; CREATE TABLE {RECOVERIES}.{RECOVERIES} (n bigint PRIMARY KEY)")
}

/// A commit after a recovery holds as any other does.
async fn leave_a_row(database: &Database, ledger: &Ledger<Promised>) -> Result<(), Violation> {
    let catalog = database.catalog();
    let schema = catalog.schemas().find(|schema| schema.name == RECOVERIES);
    let table = catalog.tables().find(|table| schema.is_some_and(|schema| schema.oid == table.schema));
    let found = match table {
        Some(table) => count(database, space(table.storage)).await?,
        None => 0,
    };
    let Promised { recoveries, recovery_under_way, .. } = *ledger.get();
    if found != recoveries && !(recovery_under_way && found == recoveries + 1) {
        return Err(Violation::new(format!("{recoveries} recoveries have left a row, {found} are there")));
    }
    ledger.update(|promised| (promised.recoveries, promised.recovery_under_way) = (found, true));
    let insert = format!("INSERT INTO {RECOVERIES}.{RECOVERIES} VALUES ({found})");
    let script = if table.is_some() { insert } else { format!("{}; {insert}", create_recoveries()) };
    database.connect()?.execute_batch_async(&script).await?;
    ledger.update(|promised| (promised.recoveries, promised.recovery_under_way) = (found + 1, false));
    Ok(())
}

async fn count(database: &Database, space: helios_storage::Space) -> Result<i64, Violation> {
    let mut scan = database.storage().scan(space, KeyRange::all(), Direction::Forward, CommitTs::NEWEST);
    let (mut entries, mut live) = (Vec::new(), 0);
    loop {
        let more = scan.next_rows(256, &mut entries).await?;
        live += entries.drain(..).filter(|entry| entry.version.value.is_live()).count() as i64;
        if !more {
            return Ok(live);
        }
    }
}
