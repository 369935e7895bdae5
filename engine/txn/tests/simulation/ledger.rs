//! What is known of every transaction, and what must follow from it.
//!
//! A transaction says, for each row that it wrote, whose version it was shown when it held the lock. So the order of the
//! commits, which the markers tell, must be one in which every transaction wrote over exactly the version that it had
//! been shown: a lost update, a lock that came too early and a row inserted twice are all the same contradiction.
//!
//! Beside that stands who holds which lock at this moment. It is exact: a lock is entered when its holder hears of it, and
//! taken out in the very step in which it is released, so two entries that exclude one another are two holders.

use std::collections::BTreeMap;

use helios_sim::{Stats, Violation};
use helios_storage::{CommitTs, Durability};
use helios_txn::{RowLockMode, TableLockMode};

/// Transactions that happened, by timestamp.
pub(crate) type Happened = BTreeMap<CommitTs, u64>;
/// Who wrote the row that is under a key.
pub(crate) type Writers = BTreeMap<u8, u64>;
pub(crate) type RowLocks = BTreeMap<u8, RowLockMode>;

/// What a transaction did to one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Whether it left a row there.
    pub(crate) is_live: bool,
    /// Whose row was there; `None`: there was none.
    pub(crate) previous: Option<u64>,
}

/// How a transaction ended, as far as anybody was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its COMMIT is under way, or nobody heard the answer.
    Unknown,
    Acknowledged(CommitTs, Durability),
    /// Seen by a recovery, or refused, or not committed: so it is for good.
    Happened(CommitTs),
    Never,
}

#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) changes: BTreeMap<u8, Change>,
    /// Numbers of the sequence that it used.
    pub(crate) numbers: Vec<i64>,
    pub(crate) outcome: Outcome,
}

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) stats: Stats,
    /// The newest transaction that was acknowledged in this session.
    pub(crate) newest: Option<u64>,
    rows: BTreeMap<u64, RowLocks>,
    tables: BTreeMap<u64, TableLockMode>,
    /// Numbers that were handed out, and must not be again.
    numbers: BTreeMap<i64, u64>,
}

impl Ledger {
    /// A transaction begins; its number.
    pub(crate) fn begin(&mut self) -> u64 {
        self.attempts.push(Attempt { changes: BTreeMap::new(), numbers: Vec::new(), outcome: Outcome::Never });
        self.attempts.len() as u64 - 1
    }

    /// A transaction was given this lock on a row.
    pub(crate) fn lock_row(&mut self, id: u64, key: u8, mode: RowLockMode) -> Result<(), Violation> {
        for (other, locks) in self.rows.iter().filter(|(other, _)| **other != id) {
            // KeyShare, Share, NoKeyUpdate, Update: each excludes as many as it is strong.
            if let Some(held) = locks.get(&key).filter(|held| **held as u8 + mode as u8 >= 3) {
                return Err(Violation::new(format!(
                    "transaction {id} was given {mode:?} on row {key} while transaction {other} holds {held:?}"
                )));
            }
        }
        let locks = self.rows.entry(id).or_default();
        let held = locks.entry(key).or_insert(mode);
        *held = mode.max(*held);
        Ok(())
    }

    /// A transaction was given this lock on the table.
    pub(crate) fn lock_table(&mut self, id: u64, mode: TableLockMode) -> Result<(), Violation> {
        use TableLockMode::{Exclusive, RowExclusive, Share};
        let excludes =
            |a, b| matches!((a, b), (Exclusive, _) | (_, Exclusive) | (Share, RowExclusive) | (RowExclusive, Share));
        if let Some((other, held)) = self.tables.iter().find(|(other, held)| **other != id && excludes(**held, mode)) {
            return Err(Violation::new(format!(
                "transaction {id} was given {mode:?} on the table while transaction {other} holds {held:?}"
            )));
        }
        let held = self.tables.entry(id).or_insert(mode);
        *held = mode.max(*held);
        Ok(())
    }

    /// The locks on rows that a transaction holds.
    pub(crate) fn row_locks(&self, id: u64) -> RowLocks {
        self.rows.get(&id).cloned().unwrap_or_default()
    }

    /// A transaction holds these locks on rows, and no others.
    pub(crate) fn restore_row_locks(&mut self, id: u64, locks: RowLocks) {
        self.rows.insert(id, locks);
    }

    /// A transaction has let go of all its locks.
    pub(crate) fn release(&mut self, id: u64) {
        self.rows.remove(&id);
        self.tables.remove(&id);
    }

    /// The sequence has yielded a number.
    pub(crate) fn draw(&mut self, id: u64, number: i64) -> Result<(), Violation> {
        self.attempts[id as usize].numbers.push(number);
        match self.numbers.insert(number, id) {
            None => Ok(()),
            Some(other) => Err(Violation::new(format!(
                "the sequence yields {number} to transaction {id}, and transaction {other} has it already"
            ))),
        }
    }

    /// What a snapshot shows must follow from what the transactions did.
    pub(crate) fn explain(&mut self, happened: &Happened, found: &Writers) -> Result<(), Violation> {
        let mut writers = Writers::new();
        for (at, &id) in happened {
            let attempt = self.attempts.get(id as usize);
            let attempt = attempt.ok_or_else(|| Violation::new(format!("nobody began transaction {id}")))?;
            if attempt.outcome == Outcome::Never {
                return Err(Violation::new(format!("transaction {id} was not committed, and is seen at {at}")));
            }
            for (key, change) in &attempt.changes {
                let there = writers.get(key).copied();
                if there != change.previous {
                    return Err(Violation::new(format!(
                        "transaction {id} wrote row {key} over that of {there:?}, and had been shown that of {:?}",
                        change.previous
                    )));
                }
                if change.is_live {
                    writers.insert(*key, id)
                } else {
                    writers.remove(key)
                };
            }
        }
        self.stats.checks += 1;
        if writers == *found {
            return Ok(());
        }
        Err(Violation::new("the rows are not those that the transactions leave behind")
            .with(format!("found    {found:?}"))
            .with(format!("expected {writers:?}")))
    }

    /// Judges what a recovery shows, and takes it as the truth from here on.
    pub(crate) fn judge(&mut self, happened: &Happened, found: &Writers) -> Result<(), Violation> {
        self.explain(happened, found)?;
        let newest = happened.keys().next_back().copied().unwrap_or_default();
        let by_id: BTreeMap<u64, CommitTs> = happened.iter().map(|(&at, &id)| (id, at)).collect();
        for (id, attempt) in self.attempts.iter_mut().enumerate() {
            let found = by_id.get(&(id as u64)).copied();
            let is_right = match (attempt.outcome, found) {
                (Outcome::Unknown, _) | (Outcome::Never, None) => true,
                (Outcome::Never, Some(_)) => false,
                (Outcome::Happened(at) | Outcome::Acknowledged(at, _), Some(found)) => at == found,
                (Outcome::Happened(_) | Outcome::Acknowledged(_, Durability::Sync), None) => false,
                (Outcome::Acknowledged(at, Durability::Async), None) => at > newest,
            };
            if !is_right {
                let outcome = attempt.outcome;
                return Err(Violation::new(format!(
                    "transaction {id} is {outcome:?}, and recovery shows {found:?}, up to {newest}"
                )));
            }
            attempt.outcome = found.map_or(Outcome::Never, Outcome::Happened);
        }
        // Numbers that only transactions without a trace had used may come again.
        let attempts = &self.attempts;
        self.numbers.retain(|_, id| matches!(attempts[*id as usize].outcome, Outcome::Happened(_)));
        (self.newest, self.rows, self.tables) = Default::default();
        Ok(())
    }
}
