//! A bank: transfers between a few accounts, by several clients, in every way that people write them.
//!
//! Money is neither made nor lost: in every snapshot, and after every recovery, the balances are what the transfers that are
//! there make of the initial ones. Accounts are locked in any order, so that transfers deadlock; some are left unlocked, so
//! that they fail to serialize. Whoever is refused tries again.
//!
//! Asynchronous commits may be lost, but only together with everything that was begun after they were acknowledged: the
//! log has no holes.

use std::collections::BTreeMap;
use std::sync::Arc;

use helios_env::sync::Mutex;
use helios_sim::{Class, DeviceProfile, FaultKind, Stats, Violation, Workload, World};
use helios_storage::Durability;
use heliosdb::{Connection, Database, Row, SqlState};

use crate::Disks;
use crate::life::{self, Client, Scenario};
use crate::trouble::Trouble;

const ACCOUNTS: i64 = 8;
const INITIAL: i64 = 1_000;
/// How often a transfer that was refused is tried again.
const ATTEMPTS: u32 = 4;

const SCHEMA: &str = "CREATE TABLE accounts (id bigint PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0));
    CREATE TABLE transfers (id bigint PRIMARY KEY, giver bigint NOT NULL, taker bigint NOT NULL, amount bigint NOT NULL);
    INSERT INTO accounts SELECT i, 1000 FROM generate_series(0, 7) AS i";

/// The workload. See the [module](self).
pub struct Bank {
    disks: Disks,
}

impl Bank {
    /// On these disks, which may lie but not rot.
    pub fn new(disks: Disks) -> Bank {
        Bank { disks }
    }
}

impl Workload for Bank {
    fn name(&self) -> &str {
        "bank"
    }

    fn faults(&self) -> Vec<FaultKind> {
        FaultKind::ALL.iter().copied().filter(|kind| kind.class() != Class::Detectable).collect()
    }

    fn profiles(&self) -> Vec<DeviceProfile> {
        self.disks.profiles()
    }

    fn expected_marks(&self) -> Vec<&'static str> {
        vec![
            "db: a catalog with tables was recovered",
            "txn: a commit's client left",
            "txn: a deadlock was detected",
            "txn: a row was newer than its statement's snapshot",
            "txn: the first updater won",
        ]
    }

    fn run(&self, world: &World) -> Result<Stats, Violation> {
        life::live(world, &Shared::default())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Unknown,
    /// Acknowledged when the ledger's clock showed this.
    Acknowledged(Durability, u64),
    Happened,
    Never,
}

#[derive(Clone, Copy, Debug)]
struct Transfer {
    giver: i64,
    taker: i64,
    amount: i64,
    /// When it began, by the ledger's clock.
    begun: u64,
    outcome: Outcome,
}

/// What clients were told.
#[derive(Default)]
struct Ledger {
    transfers: Vec<Transfer>,
    clock: u64,
    stats: Stats,
}

impl Ledger {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// A transfer begins; its number.
    fn begin(&mut self, giver: i64, taker: i64, amount: i64) -> i64 {
        let begun = self.tick();
        self.transfers.push(Transfer { giver, taker, amount, begun, outcome: Outcome::Never });
        self.transfers.len() as i64 - 1
    }

    /// What a snapshot shows must be true; the transfers that it shows.
    fn explain(&mut self, seen: &Seen) -> Result<(), Violation> {
        let mut balances: BTreeMap<i64, i64> = (0..ACCOUNTS).map(|id| (id, INITIAL)).collect();
        for (id, (giver, taker, amount)) in &seen.transfers {
            let known = usize::try_from(*id).ok().and_then(|id| self.transfers.get(id));
            if known.is_none_or(|known| (known.giver, known.taker, known.amount) != (*giver, *taker, *amount)) {
                return Err(Violation::new(format!("transfer {id} is {giver} to {taker}, {amount}; it was {known:?}")));
            }
            *balances.entry(*giver).or_default() -= amount;
            *balances.entry(*taker).or_default() += amount;
        }
        self.stats.checks += 1;
        if balances == seen.balances {
            return Ok(());
        }
        Err(Violation::new("the balances are not what the transfers make of them")
            .with(format!("found    {:?}", seen.balances))
            .with(format!("expected {balances:?}"))
            .with(format!("{} transfers", seen.transfers.len())))
    }

    /// What a recovery shows is true from here on.
    fn judge(&mut self, seen: &Seen) -> Result<(), Violation> {
        self.explain(seen)?;
        let last = seen.transfers.keys().map(|id| self.transfers[*id as usize].begun).max().unwrap_or_default();
        for (id, transfer) in self.transfers.iter_mut().enumerate() {
            let found = seen.transfers.contains_key(&(id as i64));
            let is_right = match transfer.outcome {
                Outcome::Unknown => true,
                Outcome::Happened | Outcome::Acknowledged(Durability::Sync, _) => found,
                Outcome::Acknowledged(Durability::Async, at) => found || at > last,
                Outcome::Never => !found,
            };
            if !is_right {
                let there = if found { "there" } else { "not there" };
                return Err(Violation::new(format!("transfer {id} is {there} after a recovery: {transfer:?}"))
                    .with(format!("the last one that is there began at {last}")));
            }
            transfer.outcome = if found { Outcome::Happened } else { Outcome::Never };
        }
        Ok(())
    }
}

/// What a snapshot shows.
struct Seen {
    balances: BTreeMap<i64, i64>,
    transfers: BTreeMap<i64, (i64, i64, i64)>,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Ledger>>);

impl Scenario for Shared {
    async fn create(&self, connection: &Connection) -> Result<(), Trouble> {
        if connection.database().catalog().tables().any(|table| table.name == "accounts") {
            return Ok(());
        }
        let created = connection.execute_batch_async(SCHEMA).await;
        created.map_err(|error| Trouble::of(error, "creating the schema"))
    }

    async fn judge(&self, database: &Database) -> Result<(), Trouble> {
        let connection = database.connect().map_err(|error| Trouble::of(error, "connecting"))?;
        let seen = look(&connection).await?;
        Ok(self.0.lock().judge(&seen)?)
    }

    async fn step(&self, client: &Client) -> Result<(), Trouble> {
        match client.below(12) {
            0 => {
                let seen = look(&client.connection).await?;
                Ok(self.0.lock().explain(&seen)?)
            }
            1 => count(&client.connection).await,
            _ => self.transfer(client).await,
        }
    }

    fn stats(&self) -> Stats {
        self.0.lock().stats.clone()
    }
}

/// Balances and transfers in one snapshot: of one statement, or of one transaction.
async fn look(connection: &Connection) -> Result<Seen, Trouble> {
    let sql = "SELECT id, balance, NULL::bigint, NULL::bigint FROM accounts UNION ALL \
               SELECT id, giver, taker, amount FROM transfers";
    let rows = connection.query_async(sql, &[]).await.map_err(|error| Trouble::of(error, sql))?;
    let mut seen = Seen { balances: BTreeMap::new(), transfers: BTreeMap::new() };
    let mut read = |row: Row| -> heliosdb::Result<()> {
        let (id, second) = (row.get(0)?, row.get(1)?);
        match (row.get(2)?, row.get(3)?) {
            (Some(taker), Some(amount)) => drop(seen.transfers.insert(id, (second, taker, amount))),
            (_, _) => drop(seen.balances.insert(id, second)),
        }
        Ok(())
    };
    rows.into_iter().try_for_each(&mut read).map_err(|error| Trouble::of(error, sql))?;
    Ok(seen)
}

/// The sum of all balances, twice in one snapshot with something between.
async fn count(connection: &Connection) -> Result<(), Trouble> {
    let of = |error| Trouble::of(error, "counting the money");
    connection.execute_batch_async("BEGIN ISOLATION LEVEL REPEATABLE READ").await.map_err(of)?;
    let counted = async {
        for sql in
            ["SELECT sum(balance)::bigint FROM accounts", "SELECT sum(balance)::bigint FROM accounts WHERE id >= 0"]
        {
            let row = connection.query_one_async(sql, &[]).await.map_err(of)?;
            let sum: i64 = row.get(0).map_err(of)?;
            if sum != ACCOUNTS * INITIAL {
                return Err(Violation::new(format!("{sql} is {sum}, not {}", ACCOUNTS * INITIAL)).into());
            }
        }
        Ok(())
    };
    let counted = counted.await;
    connection.execute_batch_async("COMMIT").await.map_err(of)?;
    counted
}

impl Shared {
    async fn transfer(&self, client: &Client) -> Result<(), Trouble> {
        let giver = client.below(ACCOUNTS as u64) as i64;
        let taker = (giver + 1 + client.below(ACCOUNTS as u64 - 1) as i64) % ACCOUNTS;
        let amount = 1 + client.below(60) as i64;
        let mut attempts = 0;
        loop {
            let id = self.0.lock().begin(giver, taker, amount);
            match self.attempt(client, id, giver, taker, amount).await {
                Err(trouble)
                    if attempts < ATTEMPTS
                        && (trouble.is(SqlState::DEADLOCK_DETECTED) || trouble.is(SqlState::SERIALIZATION_FAILURE)) =>
                {
                    attempts += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt(&self, client: &Client, id: i64, giver: i64, taker: i64, amount: i64) -> Result<(), Trouble> {
        let durability = if client.one_in(4) { Durability::Async } else { Durability::Sync };
        let moved = self.write(client, id, (giver, taker, amount), durability).await;
        match moved {
            Ok(true) => (),
            Ok(false) => return client.roll_back().await,
            Err(Trouble::Refused(_) | Trouble::Left) => {
                client.roll_back().await?;
                return moved.map(drop);
            }
            Err(trouble) => return Err(trouble),
        }
        let settle = |outcome| self.0.lock().transfers[id as usize].outcome = outcome;
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

    /// Everything but the COMMIT; `false` when there is not enough money.
    async fn write(
        &self,
        client: &Client,
        id: i64,
        (giver, taker, amount): (i64, i64, i64),
        durability: Durability,
    ) -> Result<bool, Trouble> {
        let begin = if client.one_in(3) { "BEGIN ISOLATION LEVEL REPEATABLE READ" } else { "BEGIN" };
        client.query(begin, &[]).await?;
        if durability == Durability::Async {
            client.query("SET LOCAL synchronous_commit = off", &[]).await?;
        }
        match client.below(4) {
            0 => {
                let sql = "SELECT id, balance FROM accounts WHERE id IN ($1, $2) ORDER BY id FOR UPDATE";
                for row in client.query(sql, &[&giver, &taker]).await? {
                    let read = || Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
                    let (account, balance) = read().map_err(|error| Trouble::of(error, sql))?;
                    if account == giver && balance < amount {
                        return Ok(false);
                    }
                }
            }
            1 => {
                let sql = "SELECT balance FROM accounts WHERE id = $1 FOR NO KEY UPDATE";
                for account in [giver, taker] {
                    client.query(sql, &[&account]).await?;
                }
            }
            _ => (),
        }
        let mut steps = [(giver, -amount), (taker, amount)];
        if client.one_in(2) {
            steps.reverse();
        }
        for (account, change) in steps {
            let sql = "UPDATE accounts SET balance = balance + $2 WHERE id = $1 RETURNING balance";
            let rows = client.query(sql, &[&account, &change]).await?.count();
            if rows != 1 {
                return Err(Violation::new(format!("account {account} was updated {rows} times")).into());
            }
        }
        let sql = "INSERT INTO transfers VALUES ($1, $2, $3, $4)";
        client.query(sql, &[&id, &giver, &taker, &amount]).await?;
        Ok(true)
    }
}
