//! A client: it connects, does one thing after the other, loses its connection, connects again, and finds out what became
//! of what it could not see.

use std::sync::Arc;
use std::time::Duration;

use helios_env::{Env, Rng};
use helios_sim::{CrashKind, NetworkError, SimNet, Violation};
use postgres_protocol::message::frontend;

use super::ledger::{Group, SNAPSHOT, Seen, TOMBSTONE};
use super::server::KEEPALIVE;
use super::wire::{Answer, Failure, Loss, Refusal, Session};
use super::{PORT, SERVER, Shared};

/// Codes with which anything may be refused without anything being wrong: serialization failure, deadlock, a lock that is
/// not available, cancelled, disk full, out of memory, a tombstone in a group's place.
const REFUSALS: [&str; 7] = ["40001", "40P01", "55P03", "57014", "53100", "53200", "23505"];
/// The store refuses to go on until it is opened again.
const IO_ERROR: &str = "58030";
/// With which a session may be ended by the server: the same, shut down, starting up, too many connections.
const FAREWELLS: [&str; 4] = [IO_ERROR, "57P01", "57P03", "53300"];

/// One client, on a node of its own.
pub(super) struct Client {
    pub(super) env: Env,
    pub(super) network: SimNet,
    pub(super) shared: Shared,
    pub(super) node: usize,
    pub(super) number: u64,
    pub(super) rng: Arc<dyn Rng>,
    pub(super) session: Option<Session>,
}

/// What a client's machine runs when it boots.
pub(super) async fn boot(env: Env, network: SimNet, shared: Shared, node: usize, (number, start): (u64, u64)) {
    let mut client = Client::new(env, network, shared, node, number);
    // A program that is started again without a crash would do the same again.
    client.rng = client.rng.fork(&format!("start {start}"));
    while client.shared.goes_on(number, start) {
        let outcome = match client.connect().await {
            Ok(()) => client.step().await,
            Err(failure) => Err(failure),
        };
        let was_connected = client.session.is_some();
        if let Err(failure) = client.lose(outcome) {
            client.shared.fail(failure.with(format!("seen by client {number}")));
            return;
        }
        if was_connected {
            client.shared.stepped(number);
        } else {
            client.env.sleep(Duration::from_millis(20)).await;
        }
    }
    client.leave().await;
}

impl Client {
    pub(super) fn new(env: Env, network: SimNet, shared: Shared, node: usize, number: u64) -> Client {
        let rng = env.rng.fork(&format!("client {number}"));
        Client { env, network, shared, node, number, rng, session: None }
    }

    /// A number below `n`.
    pub(super) fn below(&self, n: u64) -> u64 {
        self.rng.next_u64() % n
    }

    /// True once in `n` times.
    pub(super) fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// The connection; whoever asks has one.
    pub(super) fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("a step begins with a session")
    }

    /// Connects if it is not connected.
    pub(super) async fn connect(&mut self) -> Result<(), Failure> {
        if self.session.is_none() {
            let stream = self.network.connect(self.node, SERVER, PORT).await?;
            stream.keep_alive(KEEPALIVE);
            let name = format!("client {}", self.number);
            let tls = self.one_in(4);
            self.session = Some(Session::begin(stream, self.shared.plan.read_bytes, &name, tls).await?);
        }
        Ok(())
    }

    /// What is left of a failure when the loss of a connection is none.
    pub(super) fn lose(&mut self, outcome: Result<(), Failure>) -> Result<(), Violation> {
        match outcome {
            Ok(()) => return Ok(()),
            Err(Failure::Violation(violation)) => return Err(violation),
            Err(Failure::Lost(Loss::Fatal(code))) if !FAREWELLS.contains(&code.as_str()) => {
                return Err(Violation::new(format!("the server ended a session with {code}")));
            }
            Err(Failure::Lost(Loss::Fatal(code))) if code == IO_ERROR => {
                self.shared.plan.entitled.allow_code(&code, "the server ended a session")?;
                self.shared.want_restart(CrashKind::Process);
            }
            Err(Failure::Lost(Loss::Network(NetworkError::TimedOut))) => {
                self.env.sometimes("gateway: a server was silent for too long");
            }
            Err(Failure::Lost(_)) => {}
        }
        self.session = None;
        Ok(())
    }

    /// Says goodbye.
    pub(super) async fn leave(&mut self) {
        if let Some(mut session) = self.session.take() {
            frontend::terminate(&mut session.outbox);
            drop(session.flush().await);
        }
    }

    // ---- groups

    /// A group that this client is going to write.
    pub(super) fn begin(&self, counted: bool) -> Group {
        let counter = (counted && self.one_in(2)).then(|| self.below(super::ledger::COUNTERS));
        self.shared.ledger().begin(self.number, 1 + self.below(4), counter)
    }

    /// Takes the answer to what should have committed `group`; `letters` without the ReadyForQuery.
    pub(super) fn settle(
        &mut self,
        group: Group,
        outcome: Result<Answer, Failure>,
        letters: &str,
        what: &str,
    ) -> Result<(), Failure> {
        let letters = format!("{letters}Z");
        let answer = self.heard(group, outcome)?;
        if let Some(refusal) = &answer.refusal {
            answer.expect_refused(&letters, what)?;
            return self.refused(Some(group), refusal, &[], what);
        }
        answer.expect(&letters, what)?;
        if answer.status != Some('I') {
            return Err(Violation::new(format!("after {what} the status is {:?}", answer.status)).into());
        }
        Ok(self.shared.ledger().acknowledged(group)?)
    }

    /// An answer about `group`, or the loss of it.
    pub(super) fn heard<T>(&self, group: Group, outcome: Result<T, Failure>) -> Result<T, Failure> {
        if outcome.is_err() {
            self.shared.ledger().lost(group);
        }
        outcome
    }

    /// Something was refused: `group` is not there, and never will be. `expected`: further codes that may be.
    pub(super) fn refused(
        &mut self,
        group: Option<Group>,
        refusal: &Refusal,
        expected: &[&str],
        what: &str,
    ) -> Result<(), Failure> {
        let Refusal { code, message } = refusal;
        if code == IO_ERROR {
            self.shared.plan.entitled.allow_code(code, &format!("{what} was refused, {message}"))?;
            // Whether a commit whose sync failed is there, the next opening decides.
            group.map(|group| self.shared.ledger().lost(group));
            self.shared.want_restart(CrashKind::Process);
            return Err(Failure::Lost(Loss::Left));
        }
        if !REFUSALS.contains(&code.as_str()) && !expected.contains(&code.as_str()) {
            return Err(Violation::new(format!("{what}: {code} {message}")).into());
        }
        if let Some(group) = group {
            self.shared.ledger().is_not_there(group, &format!("{what} was refused with {code}"))?;
        }
        Ok(())
    }

    /// Asks for something outside of any group; `None` when it is refused as anything may be.
    pub(super) async fn ask(&mut self, sql: &str, letters: &str) -> Result<Option<Answer>, Failure> {
        let answer = self.session().ask(sql).await?;
        match &answer.refusal {
            None => {
                answer.expect(letters, sql)?;
                Ok(Some(answer))
            }
            Some(refusal) => {
                answer.expect_refused(letters, sql)?;
                self.refused(None, refusal, &[], sql)?;
                Ok(None)
            }
        }
    }

    /// Looks at everything, in the way of `copy` or as rows.
    pub(super) async fn look(&mut self, copy: bool) -> Result<(), Failure> {
        let begun = self.shared.ledger().tick();
        let rows = if copy {
            let sql = format!("COPY ({SNAPSHOT}) TO STDOUT");
            let Some(answer) = self.ask(&sql, "HdcCZ").await? else { return Ok(()) };
            let text = String::from_utf8_lossy(&answer.copied).into_owned();
            let fields = |line: &str| -> Vec<Option<String>> {
                line.split('\t').map(|field| (field != "\\N").then(|| field.to_owned())).collect()
            };
            text.lines().map(fields).collect()
        } else {
            let Some(answer) = self.ask(SNAPSHOT, "TDCZ").await? else { return Ok(()) };
            answer.rows
        };
        let rows: Option<Vec<Seen>> = rows.iter().map(|row| seen(row)).collect();
        let rows = rows.ok_or_else(|| Violation::new("a row of the ledger cannot be read"))?;
        Ok(self.shared.ledger().judge(&rows, begun, false)?)
    }

    /// Finds out what became of a group whose outcome nobody saw: whether it is there, and if it is not, that it never
    /// will be.
    pub(super) async fn resolve(&mut self, group: Group) -> Result<(), Failure> {
        let number = group.number;
        let bury = format!("INSERT INTO ledger VALUES ({number}, 0, 0, NULL, '{TOMBSTONE}') ON CONFLICT DO NOTHING");
        if self.ask(&bury, "CZ").await?.is_none() {
            return Ok(());
        }
        let sql = format!("SELECT payload FROM ledger WHERE g = {number} AND part = 0");
        let Some(answer) = self.ask(&sql, "TDCZ").await? else { return Ok(()) };
        let payload = answer.rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
        match payload {
            Some(TOMBSTONE) => {
                self.env.sometimes("gateway: an outcome that nobody saw was none");
                self.shared.ledger().is_not_there(group, "its tombstone stands")?;
            }
            Some(payload) if payload == group.payload(0) => {
                self.env.sometimes("gateway: an outcome that nobody saw was a commit");
                self.shared.ledger().is_there(group, "a tombstone met it")?;
            }
            other => {
                let found = format!("{other:?} stands where group {number} or its tombstone must");
                return Err(Violation::new(found).into());
            }
        }
        Ok(())
    }
}

fn seen(row: &[Option<String>]) -> Option<Seen> {
    let [Some(group), Some(part), Some(parts), counter, Some(payload)] = row else { return None };
    Some(Seen {
        group: group.parse().ok()?,
        part: part.parse().ok()?,
        parts: parts.parse().ok()?,
        counter: counter.as_ref().map(|counter| counter.parse()).transpose().ok()?,
        payload: payload.clone(),
    })
}
