//! A TPC-B-like load whose clients remember what was acknowledged, and the audit that holds the database to it.
//!
//! ```text
//!   one transfer:  BEGIN; UPDATE accounts; SELECT; UPDATE tellers; UPDATE branches;
//!                  INSERT INTO history (client, number, ...); COMMIT        some of them ROLLBACK instead
//! ```
//!
//! A transfer is known by (client, number), and each client keeps what became of each of its transfers:
//!
//! | the client saw | the database may hold |
//! |---|---|
//! | COMMIT answered | it, once |
//! | ROLLBACK answered, or an error | nothing |
//! | COMMIT sent, then the connection broke | it, once, or nothing: and from the next audit on, the same for ever |
//!
//! `history` has no key on purpose: a transfer that was applied twice would not be refused, but found.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use helios_env::{Rng, SplitMix64};
use postgres::error::SqlState;
use postgres::{Client, Error, Statement};

use crate::process::connect;

/// How large the bank is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Accounts; ten thousand of them are a branch, and a branch has ten tellers.
    pub accounts: u32,
}

impl Size {
    fn branches(self) -> u32 {
        self.accounts.div_ceil(10_000).max(1)
    }

    fn tellers(self) -> u32 {
        self.branches() * 10
    }
}

/// Makes the bank's tables.
///
/// # Errors
///
/// When the server refuses.
pub fn create(client: &mut Client, size: Size) -> Result<(), Error> {
    let Size { accounts } = size;
    let (branches, tellers) = (size.branches(), size.tellers());
    client.batch_execute(&format!(
        "CREATE TABLE branches (bid int PRIMARY KEY, balance bigint NOT NULL);
         CREATE TABLE tellers (tid int PRIMARY KEY, bid int NOT NULL, balance bigint NOT NULL);
         CREATE TABLE accounts (aid int PRIMARY KEY, bid int NOT NULL, balance bigint NOT NULL, filler char(84));
         CREATE TABLE history (client int NOT NULL, number int NOT NULL, tid int NOT NULL, bid int NOT NULL,
                               aid int NOT NULL, delta int NOT NULL, at timestamptz NOT NULL DEFAULT now());
         INSERT INTO branches SELECT b, 0 FROM generate_series(1, {branches}) b;
         INSERT INTO tellers SELECT t, (t - 1) / 10 + 1, 0 FROM generate_series(1, {tellers}) t;
         INSERT INTO accounts SELECT a, (a - 1) / 10000 + 1, 0, '' FROM generate_series(1, {accounts}) a"
    ))
}

/// What became of a transfer, as far as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// COMMIT was answered, or an audit has seen it.
    There,
    /// ROLLBACK was answered, or an error before COMMIT, or an audit has not seen it.
    Nowhere,
    /// The connection broke before COMMIT was answered.
    Unknown,
}

#[derive(Clone, Copy, Debug)]
struct Transfer {
    delta: i32,
    outcome: Outcome,
}

/// A client between connections: who it is, and its memory.
pub struct Teller {
    client: i32,
    size: Size,
    random: Arc<dyn Rng>,
    transfers: Vec<Transfer>,
}

impl Teller {
    /// The `client`th client; what it does is determined by `root`.
    #[must_use]
    pub fn new(client: i32, size: Size, root: &SplitMix64) -> Teller {
        Teller { client, size, random: root.fork(&format!("client {client}")), transfers: Vec::new() }
    }

    fn pick(&self, most: u32) -> i32 {
        (self.random.next_u64() % u64::from(most)) as i32
    }

    /// Works until the connection breaks or it is told to stop.
    ///
    /// # Errors
    ///
    /// When the server answers what it should not: an error that no crash explains.
    pub fn work(&mut self, address: SocketAddr, stop: &AtomicBool) -> Result<(), Error> {
        let client = connect(address).and_then(|mut client| Statements::prepare(&mut client).map(|all| (client, all)));
        let (mut client, statements) = match client {
            Ok(ready) => ready,
            Err(error) if broke(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        while !stop.load(Ordering::Relaxed) {
            match self.transfer(&mut client, &statements) {
                Ok(()) => {}
                Err(error) if broke(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn transfer(&mut self, client: &mut Client, statements: &Statements) -> Result<(), Error> {
        let (aid, tid) = (self.pick(self.size.accounts) + 1, self.pick(self.size.tellers()) + 1);
        let bid = self.pick(self.size.branches()) + 1;
        let delta = self.pick(10_001) - 5_000;
        let number = self.transfers.len() as i32;
        let rolls_back = self.pick(10) == 0;
        // Nothing is durable before COMMIT is sent: until then a broken connection leaves nothing.
        self.transfers.push(Transfer { delta, outcome: Outcome::Nowhere });
        let mut transaction = client.transaction()?;
        transaction.execute(&statements.account, &[&delta, &aid])?;
        transaction.query_one(&statements.balance, &[&aid])?;
        transaction.execute(&statements.teller, &[&delta, &tid])?;
        transaction.execute(&statements.branch, &[&delta, &bid])?;
        transaction.execute(&statements.history, &[&self.client, &number, &tid, &bid, &aid, &delta])?;
        if rolls_back {
            return transaction.rollback();
        }
        let last = self.transfers.last_mut().expect("it was just pushed");
        last.outcome = Outcome::Unknown;
        transaction.commit()?;
        last.outcome = Outcome::There;
        Ok(())
    }
}

/// Whether the error says that the server is gone, or going.
fn broke(error: &Error) -> bool {
    error.is_closed() || error.code().is_none() || error.code() == Some(&SqlState::ADMIN_SHUTDOWN)
}

struct Statements {
    account: Statement,
    balance: Statement,
    teller: Statement,
    branch: Statement,
    history: Statement,
}

impl Statements {
    fn prepare(client: &mut Client) -> Result<Statements, Error> {
        Ok(Statements {
            account: client.prepare("UPDATE accounts SET balance = balance + $1::int WHERE aid = $2")?,
            balance: client.prepare("SELECT balance FROM accounts WHERE aid = $1")?,
            teller: client.prepare("UPDATE tellers SET balance = balance + $1::int WHERE tid = $2")?,
            branch: client.prepare("UPDATE branches SET balance = balance + $1::int WHERE bid = $2")?,
            history: client.prepare(
                "INSERT INTO history (client, number, tid, bid, aid, delta) VALUES ($1, $2, $3, $4, $5, $6)",
            )?,
        })
    }
}

/// Runs all clients at once, until `after` has passed and `then` has done what ends them.
///
/// # Errors
///
/// When a client was answered what it should not be.
pub fn load(
    tellers: &mut [Teller],
    address: SocketAddr,
    after: Duration,
    then: impl FnOnce(),
) -> Result<Duration, String> {
    let stop = AtomicBool::new(false);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let working: Vec<_> = tellers
            .iter_mut()
            .map(|teller| {
                let stop = &stop;
                scope.spawn(move || teller.work(address, stop).map_err(|error| describe(teller.client, &error)))
            })
            .collect();
        std::thread::sleep(after);
        then();
        stop.store(true, Ordering::Relaxed);
        for client in working {
            client.join().map_err(|_| "a client panicked".to_owned())??;
        }
        Ok(begin.elapsed())
    })
}

fn describe(client: i32, error: &Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("client {client}: {} {}: {}", said.severity(), said.code().code(), said.message()),
        None => format!("client {client}: {error}"),
    }
}

/// What an audit found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Audit {
    /// Transfers that are in the history.
    pub transfers: usize,
    /// Transfers whose COMMIT was not answered and that are there.
    pub survived: usize,
    /// Transfers whose COMMIT was not answered and that are not there.
    pub vanished: usize,
}

/// Holds the database to what the clients remember; unknown outcomes are known from here on.
///
/// # Errors
///
/// With everything that does not hold.
pub fn audit(client: &mut Client, tellers: &mut [Teller]) -> Result<Audit, String> {
    let mut complaints = Vec::new();
    let text = |error: Error| format!("the audit's own query failed: {error:?}");
    let sums = client
        .query_one(
            "SELECT (SELECT sum(balance)::bigint FROM accounts), (SELECT sum(balance)::bigint FROM tellers),
                    (SELECT sum(balance)::bigint FROM branches),
                    (SELECT coalesce(sum(delta), 0)::bigint FROM history)",
            &[],
        )
        .map_err(text)?;
    let sums: Vec<i64> = (0..4).map(|column| sums.get(column)).collect();
    if sums.iter().any(|sum| *sum != sums[0]) {
        complaints.push(format!("the sums differ: accounts, tellers, branches, history = {sums:?}"));
    }
    for (table, key) in [("accounts", "aid"), ("tellers", "tid"), ("branches", "bid")] {
        let sql = format!(
            "SELECT count(*) FROM {table} t LEFT JOIN (SELECT {key}, sum(delta) AS moved FROM history GROUP BY {key}) h
             ON t.{key} = h.{key} WHERE t.balance <> coalesce(h.moved, 0)"
        );
        let wrong: i64 = client.query_one(&sql, &[]).map_err(text)?.get(0);
        if wrong != 0 {
            complaints.push(format!("{wrong} rows of {table} disagree with the history"));
        }
    }
    let mut found: HashMap<(i32, i32), (i32, u32)> = HashMap::new();
    for row in client.query("SELECT client, number, delta FROM history", &[]).map_err(text)? {
        let entry = found.entry((row.get(0), row.get(1))).or_insert((row.get(2), 0));
        entry.1 += 1;
    }
    let mut audit = Audit { transfers: found.len(), ..Audit::default() };
    for teller in tellers {
        for (number, transfer) in teller.transfers.iter_mut().enumerate() {
            let seen = found.remove(&(teller.client, number as i32));
            let who = || format!("transfer {number} of client {}", teller.client);
            match (transfer.outcome, seen) {
                (Outcome::There, None) => complaints.push(format!("{} was acknowledged and is missing", who())),
                (Outcome::Nowhere, Some(_)) => complaints.push(format!("{} never happened and is there", who())),
                (_, Some((_, times))) if times != 1 => complaints.push(format!("{} is there {times} times", who())),
                (_, Some((delta, _))) if delta != transfer.delta => {
                    complaints.push(format!("{} moved {delta} instead of {}", who(), transfer.delta));
                }
                (Outcome::Unknown, Some(_)) => {
                    transfer.outcome = Outcome::There;
                    audit.survived += 1;
                }
                (Outcome::Unknown, None) => {
                    transfer.outcome = Outcome::Nowhere;
                    audit.vanished += 1;
                }
                (Outcome::There, Some(_)) | (Outcome::Nowhere, None) => {}
            }
        }
    }
    if let Some((client, number)) = found.keys().next() {
        complaints.push(format!("{} transfers are nobody's, such as {number} of client {client}", found.len()));
    }
    let count = complaints.len();
    complaints.truncate(20);
    if complaints.is_empty() { Ok(audit) } else { Err(format!("{count} complaints:\n{}", complaints.join("\n"))) }
}

/// Transfers that were acknowledged so far.
#[must_use]
pub fn acknowledged(tellers: &[Teller]) -> usize {
    tellers.iter().flat_map(|teller| &teller.transfers).filter(|known| known.outcome == Outcome::There).count()
}
