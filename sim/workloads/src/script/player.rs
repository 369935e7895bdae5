//! Runs a script where nothing fails, and notes what is promised meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use helios_env::Env;
use helios_sim::{Ledger, Violation};
use helios_sqllogic::steps::{Answer, Step};
use helios_storage::CommitTs;
use heliosdb::{Database, Error, Reply, Session, SessionOptions, SqlState, TransactionStatus};

use super::oracle::Promised;
use super::state::{Contents, State};
use super::{Recording, Script, database_config};

/// No statement waits longer, in milliseconds: one that waits for another connection of its own script fails.
const STATEMENT_TIMEOUT_MS: u32 = 60_000;

/// A statement that did not answer as PostgreSQL did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// Its line in the script.
    pub line: u32,
    /// It.
    pub sql: String,
    /// What it answered.
    pub answer: String,
}

/// The clients of a script.
pub(super) struct Player {
    database: Database,
    ledger: Ledger<Promised>,
    recording: Arc<Recording>,
    clients: BTreeMap<Option<String>, Client>,
    /// The newest commit that the newest state has.
    noted: CommitTs,
    /// Whether there are commits that were acknowledged before they were durable.
    volatile: bool,
}

struct Client {
    session: Session,
    /// Whether its transaction has moved a sequence.
    numbered: bool,
}

/// How a message ended.
struct Ending {
    error: Option<Error>,
    /// Tag of the last command.
    tag: String,
    /// Whether one of its commands was a COMMIT: what came before it has happened, whatever came after.
    committed: bool,
}

impl Player {
    /// Opens a database, runs the script, closes the database.
    pub(super) async fn run(
        env: Env,
        ledger: Ledger<Promised>,
        script: Arc<Script>,
        recording: Arc<Recording>,
    ) -> Result<(), Violation> {
        let database = Database::open_in(env, database_config()).await?;
        let first = State::read(&database).await?;
        recording.states.lock().push(Arc::new(first));
        let noted = database.storage().last_commit();
        let mut player = Player { database, ledger, recording, clients: BTreeMap::new(), noted, volatile: false };
        for (index, step) in script.steps.iter().enumerate() {
            player.ledger.enter(index as u64 + 1);
            player.ledger.update(|promised| (promised.step, promised.under_way) = (Some(index), true));
            let about = || format!("{} line {}: {}", script.name, step.line, step.sql);
            player.play(step).await.map_err(|violation| violation.with(about()))?;
        }
        player.ledger.enter(script.steps.len() as u64 + 1);
        player.clients.clear();
        player.database.close().await?;
        Ok(())
    }

    /// One message, from its arrival to the last thing that the client is told.
    async fn play(&mut self, step: &Step) -> Result<(), Violation> {
        let mut client = match self.clients.remove(&step.connection) {
            Some(client) => client,
            None => {
                let settings = vec![("statement_timeout".to_owned(), STATEMENT_TIMEOUT_MS.to_string())];
                let session = self.database.session(SessionOptions { settings, ..SessionOptions::default() })?;
                Client { session, numbered: false }
            }
        };
        let before = self.newest();
        let ending = self.converse(&mut client, step).await?;
        self.note(&mut client).await?;
        let promised_numbers = ending.error.is_none()
            && ending.tag != "ROLLBACK"
            && client.numbered
            && client.session.status() == TransactionStatus::Idle
            && is_synchronous(&client.session);
        self.ledger.update(|promised| {
            promised.under_way = false;
            if promised_numbers {
                promised.sequences_durable = promised.newest;
            }
        });
        if client.session.status() == TransactionStatus::Idle {
            client.numbered = false;
        }
        self.clients.insert(step.connection.clone(), client);
        // A message of several statements is one transaction, unless it says otherwise.
        if ending.error.is_some() && !ending.committed && self.newest().contents != before.contents {
            let lines = self.newest().contents.differences(&before.contents);
            let violation = Violation::new("a statement that failed has changed something");
            return Err(lines.into_iter().fold(violation, Violation::with));
        }
        self.compare(step, &ending);
        Ok(())
    }

    /// Sends a message and hears the answer out; each command's end is noted.
    async fn converse(&mut self, client: &mut Client, step: &Step) -> Result<Ending, Violation> {
        let mut ending = Ending { error: None, tag: String::new(), committed: false };
        client.session.query(&step.sql);
        loop {
            let reply = match client.session.next().await {
                Ok(Some(Reply::CopyIn(_))) => match copy(&mut client.session, step.data.as_deref()).await {
                    Ok(()) => continue,
                    Err(error) => Err(error),
                },
                other => other,
            };
            match reply {
                Ok(None) => return Ok(ending),
                Ok(Some(Reply::Complete(tag))) => {
                    ending.committed |= tag == "COMMIT";
                    ending.tag = tag;
                    self.note(client).await?;
                }
                Ok(Some(_)) => (),
                Err(error) => {
                    ending.error = Some(error);
                    return Ok(ending);
                }
            }
        }
    }

    fn newest(&self) -> Arc<State> {
        self.recording.states.lock().last().expect("there is one from the beginning").clone()
    }

    /// Notes the committed state, and promises it as far as the client may rely on it.
    async fn note(&mut self, client: &mut Client) -> Result<(), Violation> {
        let before = self.newest();
        let committed = self.database.storage().last_commit();
        let has_committed = committed != self.noted;
        let state = if has_committed {
            let contents = Contents::read(&self.database).await?;
            contents.hold_against(&self.database.catalog())?;
            State { contents: Arc::new(contents), ..before.with_sequences_now(&self.database) }
        } else {
            before.with_sequences_now(&self.database)
        };
        self.noted = committed;
        client.numbered |= state.sequences != before.sequences;
        if has_committed {
            self.volatile = !is_synchronous(&client.session);
        }
        let (all, numbers) = (!self.volatile, has_committed && !self.volatile);
        self.recording.states.lock().push(Arc::new(state));
        self.ledger.update(|promised| {
            promised.newest += 1;
            if all {
                promised.durable = promised.newest;
            }
            if numbers {
                promised.sequences_durable = promised.newest;
            }
        });
        Ok(())
    }

    /// Writes down what PostgreSQL would have answered otherwise.
    fn compare(&self, step: &Step, ending: &Ending) {
        let unsupported = SqlState::FEATURE_NOT_SUPPORTED;
        let list = match (&step.answer, &ending.error) {
            (Answer::Done, None) => return,
            (Answer::Refused(expected), Some(error)) => {
                let is_other = expected.as_ref().is_some_and(|expected| expected != error.code().as_str());
                if !(is_other && error.code() == unsupported) {
                    *self.recording.refused.lock() += 1;
                    return;
                }
                &self.recording.unsupported
            }
            (Answer::Done, Some(error)) if error.code() == unsupported => &self.recording.unsupported,
            (Answer::Done, Some(_)) | (Answer::Refused(_), None) => &self.recording.deviating,
        };
        let answer = ending
            .error
            .as_ref()
            .map_or_else(|| ending.tag.clone(), |error| format!("{}: {}", error.code(), error.message()));
        list.lock().push(Deviation { line: step.line, sql: step.sql.clone(), answer });
    }
}

/// Whether the session's commits are durable before they are acknowledged.
fn is_synchronous(session: &Session) -> bool {
    session.settings().get("synchronous_commit") != Some("off")
}

/// Sends the data of COPY FROM STDIN, or gives up where the script has none.
async fn copy(session: &mut Session, data: Option<&str>) -> Result<(), Error> {
    let Some(data) = data else { return Err(session.copy_in_fail("the script has no data for it")) };
    session.copy_in(data.as_bytes()).await?;
    session.copy_in_done().await
}
