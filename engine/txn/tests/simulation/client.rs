//! One client: transactions of a few statements over a handful of rows that everybody wants.
//!
//! Whatever it does is drawn from the world's choices, the dull answer first, so that a failure shrinks to the few
//! statements that make it. Beside what the ledger judges, each statement is held to what it must see:
//!
//! * the transaction's own earlier statements, and never itself;
//! * at READ COMMITTED, whatever was acknowledged before it began;
//! * at REPEATABLE READ, no row that is newer than the transaction's snapshot: those fail.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use helios_sim::{Handle, Violation};
use helios_storage::{Direction, Durability, Entry, Error as StorageError, KeyRange, Space, Version};
use helios_txn::{
    CommitOptions, Error, Inserted, IsolationLevel, RowLock, RowLockMode, SavepointId, SequenceLimits, Statement,
    TableLockMode, Transaction, TransactionOptions, Transactions, Wait,
};

use crate::ledger::{Change, Happened, Outcome, RowLocks, Writers};
use crate::life::Shared;

const MARKERS: Space = Space::new(0, 1);
const ROWS: Space = Space::new(1, 2);
const KEYS: usize = 6;
const TABLE: u32 = 1;
const SEQUENCE: SequenceLimits =
    SequenceLimits { state: 7, first: 1, increment: 1, min: 1, max: i64::MAX, cycle: false };

/// Why a client could not go on as planned.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A statement or a COMMIT was refused, as it may be.
    Refused,
    /// The client left.
    Left,
    /// The store was closed.
    Closed,
    /// It refuses to go on until it is opened again.
    Stopped(Violation),
    Violation(Violation),
}

impl From<Violation> for Trouble {
    fn from(violation: Violation) -> Trouble {
        Trouble::Violation(violation)
    }
}

impl From<Trouble> for Violation {
    fn from(trouble: Trouble) -> Violation {
        match trouble {
            Trouble::Violation(violation) | Trouble::Stopped(violation) => violation,
            other => Violation::new(format!("a client ends as {other:?}")),
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        match error {
            Error::SerializationFailure(_) | Error::Deadlock { .. } | Error::LockNotAvailable(_) => Trouble::Refused,
            Error::Storage(StorageError::Full { .. }) => Trouble::Refused,
            Error::Storage(StorageError::Closed) => Trouble::Closed,
            error @ Error::Storage(StorageError::Poisoned { .. }) => Trouble::Stopped(error.into()),
            error => Trouble::Violation(error.into()),
        }
    }
}

async fn scan(
    transaction: &Transaction,
    statement: &Statement,
    space: Space,
    direction: Direction,
) -> Result<Vec<Entry>, Trouble> {
    let mut scan = transaction.scan(statement, space, KeyRange::all(), direction);
    let mut entries = Vec::new();
    while scan.next_rows(16, &mut entries).await? {}
    if direction == Direction::Backward {
        entries.reverse();
    }
    Ok(entries)
}

fn writer_of(version: &Version) -> Result<u64, Violation> {
    let row = version.value.row().and_then(|row| row.first_chunk::<8>());
    let row = row.ok_or_else(|| Violation::new(format!("not a row that was written: {version:?}")))?;
    Ok(u64::from_be_bytes(*row))
}

/// What a snapshot of its own shows: the transactions that happened, and who wrote each row.
pub(crate) async fn look(transactions: &Transactions) -> Result<(Happened, Writers), Trouble> {
    let options = TransactionOptions { isolation: IsolationLevel::RepeatableRead, ..TransactionOptions::default() };
    let transaction = transactions.begin(options);
    let mut happened = Happened::new();
    for entry in scan(&transaction, &transaction.statement(), MARKERS, Direction::Forward).await? {
        let id = writer_of(&entry.version)?;
        if happened.insert(entry.version.commit_ts, id).is_some() {
            return Err(Violation::new(format!("two transactions at {}", entry.version.commit_ts)).into());
        }
    }
    let mut writers = Writers::new();
    for entry in scan(&transaction, &transaction.statement(), ROWS, Direction::Backward).await? {
        let (writer, at) = (writer_of(&entry.version)?, entry.version.commit_ts);
        if happened.get(&at) != Some(&writer) || writers.insert(entry.key[0], writer).is_some() {
            let key = entry.key[0];
            return Err(
                Violation::new(format!("row {key} is of transaction {writer} at {at}, which is not there")).into()
            );
        }
    }
    Ok((happened, writers))
}

pub(crate) struct Client {
    pub(crate) transactions: Transactions,
    pub(crate) ledger: Shared,
    pub(crate) world: Handle,
    pub(crate) number: usize,
    pub(crate) deadlock_timeout: Duration,
}

impl Client {
    fn pick(&self, n: usize) -> usize {
        self.world.choices().pick("client", n)
    }

    /// Nothing, a look at everything, or a transaction.
    pub(crate) async fn step(&self) -> Result<(), Trouble> {
        match self.pick(12) {
            0 => Ok(()),
            1 => {
                let (happened, found) = look(&self.transactions).await?;
                Ok(self.ledger.lock().explain(&happened, &found)?)
            }
            _ => self.transaction().await,
        }
    }

    pub(crate) async fn transaction(&self) -> Result<(), Trouble> {
        let isolation = match self.pick(3) {
            2 => IsolationLevel::RepeatableRead,
            _ => IsolationLevel::ReadCommitted,
        };
        let pid = self.number as i32;
        let options = TransactionOptions { isolation, pid, deadlock_timeout: self.deadlock_timeout };
        let transaction = self.transactions.begin(options);
        let id = self.ledger.lock().begin();
        let mut work = Work { client: self, transaction, id, changes: BTreeMap::new(), savepoints: Vec::new() };
        let statements = self.world.cancellable("leave a statement", work.statements());
        match statements.await.unwrap_or(Err(Trouble::Left)) {
            Ok(true) => work.commit().await,
            Ok(false) => {
                work.roll_back();
                Ok(())
            }
            Err(trouble) => {
                work.roll_back();
                Err(trouble)
            }
        }
    }
}

struct Savepoint {
    id: SavepointId,
    changes: BTreeMap<u8, Change>,
    locks: RowLocks,
}

/// A transaction at work.
struct Work<'a> {
    client: &'a Client,
    transaction: Transaction,
    id: u64,
    changes: BTreeMap<u8, Change>,
    savepoints: Vec<Savepoint>,
}

impl Work<'_> {
    fn is_repeatable(&self) -> bool {
        self.transaction.isolation() == IsolationLevel::RepeatableRead
    }

    fn key(&self) -> u8 {
        self.client.pick(KEYS) as u8
    }

    /// A row of this transaction, by this statement.
    fn row(&self, statement: &Statement) -> Bytes {
        let padding = vec![self.id as u8; self.client.pick(100)];
        [&self.id.to_be_bytes()[..], &statement.command.0.to_be_bytes(), &padding].concat().into()
    }

    /// Whether to commit.
    async fn statements(&mut self) -> Result<bool, Trouble> {
        let mode = match self.client.pick(24) {
            22 => TableLockMode::Share,
            23 => TableLockMode::Exclusive,
            _ => TableLockMode::RowExclusive,
        };
        self.transaction.lock_table(TABLE, mode, Wait::Block(None)).await?;
        self.client.ledger.lock().lock_table(self.id, mode)?;
        for _ in 0..=self.client.pick(6) {
            match self.client.pick(16) {
                0..=2 => self.read().await?,
                3..=8 => self.change().await?,
                9..=11 => self.lock().await?,
                12 | 13 => self.savepoint(),
                14 => self.roll_back_to_savepoint(),
                _ => self.draw_number()?,
            }
        }
        Ok(self.client.pick(8) != 7)
    }

    /// Looks at everything twice, by scan and by key.
    async fn read(&mut self) -> Result<(), Trouble> {
        let acknowledged = self.client.ledger.lock().newest;
        let statement = self.transaction.statement();
        let direction = if self.client.pick(2) == 0 { Direction::Forward } else { Direction::Backward };
        let scanned = scan(&self.transaction, &statement, ROWS, direction).await?;
        let mut scanned: BTreeMap<u8, Version> =
            scanned.into_iter().map(|entry| (entry.key[0], entry.version)).collect();
        for key in 0..KEYS as u8 {
            let found = self.transaction.get(&statement, ROWS, &[key]).await?;
            self.check_own(key, found.as_ref())?;
            let by_scan = scanned.remove(&key);
            if found != by_scan {
                return Err(Violation::new(format!("row {key} is {found:?} by key and {by_scan:?} by scan")).into());
            }
        }
        if let Some(id) = acknowledged.filter(|_| !self.is_repeatable()) {
            let marker = self.transaction.get(&statement, MARKERS, &id.to_be_bytes()).await?;
            if marker.is_none() {
                let what = format!("a statement does not see transaction {id}, which was acknowledged before it began");
                return Err(Violation::new(what).into());
            }
        }
        Ok(())
    }

    /// What this transaction did to a row is what a later statement of it finds.
    fn check_own(&self, key: u8, found: Option<&Version>) -> Result<(), Violation> {
        let writer = found.map(writer_of).transpose()?;
        let is_right = match self.changes.get(&key) {
            Some(change) => writer == change.is_live.then_some(self.id),
            None => writer != Some(self.id),
        };
        if is_right {
            return Ok(());
        }
        let change = self.changes.get(&key);
        Err(Violation::new(format!("transaction {} finds row {key} of {writer:?} behind its own {change:?}", self.id)))
    }

    /// Inserts, updates or deletes a row.
    async fn change(&mut self) -> Result<(), Trouble> {
        let statement = self.transaction.statement();
        let key = self.key();
        let seen = self.transaction.get(&statement, ROWS, &[key]).await?;
        self.check_own(key, seen.as_ref())?;
        match &seen {
            None => self.insert(&statement, key).await?,
            Some(version) => self.write_over(&statement, key, version).await?,
        }
        let again = self.transaction.get(&statement, ROWS, &[key]).await?;
        if again != seen {
            let what = format!("a statement found row {key} as {seen:?}, changed it, and finds {again:?}");
            return Err(Violation::new(what).into());
        }
        Ok(())
    }

    async fn insert(&mut self, statement: &Statement, key: u8) -> Result<(), Trouble> {
        let row = self.row(statement);
        let inserted = self.transaction.insert(statement, ROWS, Bytes::copy_from_slice(&[key]), row).await?;
        match inserted {
            Inserted::Done => {
                let previous = self.changes.get(&key).and_then(|change| change.previous);
                self.changes.insert(key, Change { is_live: true, previous });
                self.client.ledger.lock().lock_row(self.id, key, RowLockMode::Update)?;
            }
            // The statement has seen no row there: somebody else's, and newer than what it sees.
            Inserted::Exists(version) => {
                let at = statement.timestamp();
                if writer_of(&version)? == self.id || version.commit_ts <= at {
                    let what = format!("a statement that sees no row {key} at {at} is told that there is {version:?}");
                    return Err(Violation::new(what).with(format!("in transaction {}", self.id)).into());
                }
            }
        }
        Ok(())
    }

    async fn write_over(&mut self, statement: &Statement, key: u8, seen: &Version) -> Result<(), Trouble> {
        let is_live = self.client.pick(4) != 3;
        let mode = if is_live { RowLockMode::NoKeyUpdate } else { RowLockMode::Update };
        let Some(version) = self.lock_row(statement, key, seen, mode, Wait::Block(None)).await? else { return Ok(()) };
        let previous = match self.changes.get(&key) {
            Some(change) => change.previous,
            None => Some(writer_of(&version)?),
        };
        let bytes = Bytes::copy_from_slice(&[key]);
        if is_live {
            self.transaction.update(statement, ROWS, bytes, self.row(statement), &version);
        } else {
            self.transaction.delete(statement, ROWS, bytes, &version);
        }
        self.changes.insert(key, Change { is_live, previous });
        Ok(())
    }

    /// SELECT ... FOR something.
    async fn lock(&mut self) -> Result<(), Trouble> {
        let statement = self.transaction.statement();
        let key = self.key();
        let Some(seen) = self.transaction.get(&statement, ROWS, &[key]).await? else { return Ok(()) };
        let mode = match self.client.pick(4) {
            0 => RowLockMode::Share,
            1 => RowLockMode::KeyShare,
            2 => RowLockMode::NoKeyUpdate,
            _ => RowLockMode::Update,
        };
        let wait = match self.client.pick(6) {
            3 => Wait::Error,
            4 => Wait::Skip,
            5 => Wait::Block(Some(Duration::from_millis(10))),
            _ => Wait::Block(None),
        };
        self.lock_row(&statement, key, &seen, mode, wait).await.map(drop)
    }

    /// The row as it is now that it is locked; `None` when it is gone, or was skipped.
    async fn lock_row(
        &mut self,
        statement: &Statement,
        key: u8,
        seen: &Version,
        mode: RowLockMode,
        wait: Wait,
    ) -> Result<Option<Version>, Trouble> {
        let bytes = Bytes::copy_from_slice(&[key]);
        let locked = self.transaction.lock_row(statement, ROWS, &bytes, seen, mode, wait).await?;
        let version = match locked {
            RowLock::Current(version) => version,
            RowLock::Newer { version, .. } if !self.is_repeatable() => version,
            RowLock::Gone if !self.is_repeatable() => return Ok(None),
            RowLock::Skipped => return Ok(None),
            other => {
                let what = format!("row {key} was seen as {seen:?}, and locking it yields {other:?}");
                return Err(Violation::new(what).with(format!("at {:?}", self.transaction.isolation())).into());
            }
        };
        self.client.ledger.lock().lock_row(self.id, key, mode)?;
        Ok(Some(version))
    }

    fn savepoint(&mut self) {
        let locks = self.client.ledger.lock().row_locks(self.id);
        self.savepoints.push(Savepoint { id: self.transaction.savepoint(), changes: self.changes.clone(), locks });
    }

    fn roll_back_to_savepoint(&mut self) {
        let Some(savepoint) = self.savepoints.last() else { return };
        self.transaction.rollback_to(savepoint.id);
        self.changes = savepoint.changes.clone();
        self.client.ledger.lock().restore_row_locks(self.id, savepoint.locks.clone());
    }

    fn draw_number(&mut self) -> Result<(), Trouble> {
        let number = self.transaction.sequences().next(&SEQUENCE, "numbers")?;
        Ok(self.client.ledger.lock().draw(self.id, number)?)
    }

    fn roll_back(self) {
        self.transaction.rollback();
        self.client.ledger.lock().release(self.id);
    }

    async fn commit(self) -> Result<(), Trouble> {
        let id = self.id;
        let statement = self.transaction.statement();
        let marker = Bytes::copy_from_slice(&id.to_be_bytes());
        self.transaction.put(&statement, MARKERS, marker.clone(), marker, false);
        let durability = if self.client.pick(4) == 3 { Durability::Async } else { Durability::Sync };
        let settle = |outcome| self.client.ledger.lock().attempts[id as usize].outcome = outcome;
        self.client.ledger.lock().attempts[id as usize].changes = self.changes;
        settle(Outcome::Unknown);
        let commit = self.transaction.commit(CommitOptions { durability, ..CommitOptions::default() });
        let outcome = self.client.world.cancellable("leave a commit", commit).await;
        self.client.ledger.lock().release(id);
        match outcome {
            Err(_) => Err(Trouble::Left),
            Ok(Ok(at)) => {
                let at = at.ok_or_else(|| Violation::new("a commit with a marker has written nothing"))?;
                settle(Outcome::Acknowledged(at, durability));
                let mut ledger = self.client.ledger.lock();
                ledger.newest = Some(id);
                ledger.stats.commits += 1;
                Ok(())
            }
            Ok(Err(error)) => {
                if matches!(error, Error::Storage(StorageError::Full { .. } | StorageError::Closed)) {
                    settle(Outcome::Never);
                }
                Err(error.into())
            }
        }
    }
}
