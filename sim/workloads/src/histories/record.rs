//! The history as it is written down, by all clients and over the whole life.
//!
//! Whatever a statement may write is noted before it is sent: if its client dies, it has written that or nothing. What
//! it did is noted when it answers. A transaction that was under way when the database was opened again is over from
//! then on, whatever became of it.

use helios_isolation::{Counts, History, Isolation, Level, Operation, Outcome, Statement, Transaction, check};
use helios_sim::{Stats, Violation};

/// See the [module](self).
pub(super) struct Record {
    level: Level,
    history: History,
    clock: u64,
    values: i64,
    opening: u32,
    /// Objects have numbers below this.
    pub(super) numbers: u32,
    pub(super) stats: Stats,
    /// What the last check looked at.
    pub(super) counts: Counts,
}

impl Record {
    pub(super) fn new(level: Level) -> Record {
        let (history, stats, counts) = (History::default(), Stats::default(), Counts::default());
        Record { level, history, clock: 0, values: 0, opening: 0, numbers: 1, stats, counts }
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// A value that nobody has written yet.
    pub(super) fn value(&mut self) -> i64 {
        self.values += 1;
        self.values
    }

    /// A transaction of a client of this opening begins; its index.
    pub(super) fn begin(&mut self, client: u64, isolation: Isolation) -> usize {
        let invoked = self.tick();
        self.history.transactions.push(Transaction {
            session: self.opening * 16 + client as u32,
            invoked,
            completed: None,
            isolation: (isolation != self.level.isolation).then_some(isolation),
            outcome: Outcome::Aborted,
            statements: Vec::new(),
        });
        self.history.transactions.len() - 1
    }

    /// A statement is sent, with what it may write.
    pub(super) fn send(&mut self, index: usize, writes: Vec<Operation>) {
        let invoked = self.tick();
        let transaction = &mut self.history.transactions[index];
        if transaction.statements.is_empty() {
            transaction.invoked = invoked;
        }
        transaction.statements.push(Statement { invoked: Some(invoked), operations: writes });
    }

    /// What the statement that was sent last has done.
    pub(super) fn answered(&mut self, index: usize, operations: Vec<Operation>) {
        let statement = self.history.transactions[index].statements.last_mut();
        statement.expect("it was sent").operations = operations;
    }

    /// A savepoint, or what becomes of one.
    pub(super) fn note(&mut self, index: usize, operation: Operation) {
        let statement = Statement { invoked: None, operations: vec![operation] };
        self.history.transactions[index].statements.push(statement);
    }

    /// COMMIT is sent.
    pub(super) fn commits(&mut self, index: usize) {
        self.history.transactions[index].outcome = Outcome::Unknown;
    }

    /// The client was told how it ended.
    pub(super) fn ended(&mut self, index: usize, outcome: Outcome) {
        let completed = self.tick();
        let transaction = &mut self.history.transactions[index];
        (transaction.outcome, transaction.completed) = (outcome, Some(completed));
        if outcome == Outcome::Committed {
            self.stats.commits += 1;
        }
    }

    /// The database was opened: what was under way is over.
    pub(super) fn opened(&mut self) {
        let now = self.tick();
        self.opening += 1;
        for transaction in &mut self.history.transactions {
            transaction.completed = transaction.completed.or(Some(now));
        }
    }

    /// Holds everything that happened so far against the level.
    pub(super) fn judge(&mut self) -> Result<(), Violation> {
        let verdict = check(&self.history, self.level);
        self.stats.checks += 1;
        self.counts = verdict.counts;
        if verdict.is_legal() {
            return Ok(());
        }
        let names: Vec<String> = verdict.names().into_iter().collect();
        let violation = Violation::new(format!("the history is not {}: {}", verdict.level, names.join(", ")));
        let lines = verdict
            .findings
            .iter()
            .map(ToString::to_string)
            .flat_map(|told| told.lines().map(str::to_owned).collect::<Vec<_>>());
        Err(lines.fold(violation, Violation::with).with(verdict.counts.to_string()))
    }
}
