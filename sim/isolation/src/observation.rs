//! What each transaction read and wrote, and what is wrong with a read by itself, before any order is known.
//!
//! Two passes. The first walks through every transaction with its own writes in hand: it knows which of them a savepoint
//! has undone, and that a read must end with those that stand. What is left of a read when they are taken off was written
//! by others. The second asks of each thing that was read who wrote it: nobody (garbage), somebody who took it back
//! (G1a), somebody who had not finished (G1b).
//!
//! The reads of aborted transactions count like all others: PostgreSQL shows dirty data to nobody, where Adya asks only of
//! what committed. A transaction with an unknown outcome has committed if anybody else has read from it.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{History, Isolation, Object, Operation, Outcome, Statement, name};
use crate::text::seen_text;
use crate::verdict::{Anomaly, Finding, Level, Order};

/// How a read was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lock {
    /// In the snapshot.
    None,
    /// As it was then, under a lock that was let go of with a savepoint.
    Released,
    /// Nobody else could replace it from then on until the transaction's end.
    Held,
}

/// What a read shows of others' writes.
pub(crate) struct Read<'a> {
    pub(crate) transaction: usize,
    pub(crate) statement: usize,
    pub(crate) object: Object,
    pub(crate) seen: &'a [i64],
    pub(crate) lock: Lock,
    /// The statement in which the transaction had written the object itself, if it had: this is what is below.
    pub(crate) own_since: Option<usize>,
}

impl Read<'_> {
    /// The transaction had not written the object itself.
    pub(crate) fn before_own_writes(&self) -> bool {
        self.own_since.is_none()
    }
}

/// Who wrote a value.
#[derive(Clone, Copy)]
pub(crate) struct Writer {
    pub(crate) transaction: usize,
    pub(crate) statement: usize,
    /// A savepoint was rolled back over it.
    pub(crate) undone: bool,
}

/// See the [module](self).
pub(crate) struct Observations<'a> {
    pub(crate) reads: Vec<Read<'a>>,
    pub(crate) writers: BTreeMap<(Object, i64), Writer>,
    /// What each transaction wrote of an object and did not take back, in order.
    pub(crate) written: BTreeMap<(Object, usize), Vec<i64>>,
    /// Which transactions committed, as far as anybody can know.
    pub(crate) happened: Vec<bool>,
    pub(crate) findings: Vec<Finding>,
}

impl<'a> Observations<'a> {
    /// # Panics
    ///
    /// If two writes of an object have the same value: such a history cannot be judged.
    pub(crate) fn new(history: &'a History, level: Level) -> Observations<'a> {
        let mut observations = Observations {
            reads: Vec::new(),
            writers: BTreeMap::new(),
            written: BTreeMap::new(),
            happened: Vec::new(),
            findings: Vec::new(),
        };
        for index in 0..history.transactions.len() {
            Walk::new(index, history, level).walk(&mut observations);
        }
        observations.decide_unknown(history);
        observations.judge_reads();
        observations
    }

    /// Whether what was written by `writer` can be in a version that committed.
    pub(crate) fn stands(&self, writer: &Writer) -> bool {
        self.happened[writer.transaction] && !writer.undone
    }

    fn decide_unknown(&mut self, history: &History) {
        let outcomes = history.transactions.iter().map(|transaction| transaction.outcome);
        self.happened = outcomes.map(|outcome| outcome == Outcome::Committed).collect();
        for read in &self.reads {
            for value in read.seen {
                let Some(writer) = self.writers.get(&(read.object, *value)) else { continue };
                let is_unknown = history.transactions[writer.transaction].outcome == Outcome::Unknown;
                if is_unknown && writer.transaction != read.transaction {
                    self.happened[writer.transaction] = true;
                }
            }
        }
    }

    /// Asks of every distinct thing that was read of an object where it comes from. Whose a value is depends on who reads
    /// it: what shows the reader's own values is asked of each reader.
    fn judge_reads(&mut self) {
        let mut judged = BTreeSet::new();
        let mut findings = Vec::new();
        for read in &self.reads {
            let is_own = |value: &i64| {
                self.writers.get(&(read.object, *value)).is_some_and(|writer| writer.transaction == read.transaction)
            };
            if read.seen.iter().any(is_own) || judged.insert((read.object, read.seen)) {
                self.judge_read(read, &mut findings);
            }
        }
        self.findings.append(&mut findings);
    }

    fn judge_read(&self, read: &Read<'_>, findings: &mut Vec<Finding>) {
        let Read { object, seen, transaction, .. } = read;
        let shown = format!("{} read {object} as {}", name(*transaction), seen_text(*object, seen));
        let mut find = |anomaly, transactions: Vec<usize>, why: String| {
            findings.push(finding(anomaly, transactions, vec![shown.clone(), why]));
        };
        let distinct: BTreeSet<&i64> = seen.iter().collect();
        let has_duplicates = distinct.len() < seen.len();
        if has_duplicates {
            find(Anomaly::DuplicateElement, vec![*transaction], "an element is there twice".to_owned());
        }
        if matches!(object, Object::Register(_)) && seen.len() > 1 {
            find(Anomaly::GarbageRead, vec![*transaction], "a register holds one value".to_owned());
        }
        let mut writers = BTreeSet::new();
        for value in distinct {
            let Some(writer) = self.writers.get(&(*object, *value)) else {
                find(Anomaly::GarbageRead, vec![*transaction], format!("nobody wrote {value}"));
                continue;
            };
            let other = name(writer.transaction);
            if writer.transaction == *transaction {
                find(Anomaly::Internal, vec![*transaction], format!("{value} is its own, and it had not written it"));
            } else if writer.undone {
                let why = format!("{other} wrote {value} and rolled back to a savepoint");
                find(Anomaly::G1a, vec![*transaction, writer.transaction], why);
            } else if !self.happened[writer.transaction] {
                find(
                    Anomaly::G1a,
                    vec![*transaction, writer.transaction],
                    format!("{other} wrote {value} and aborted"),
                );
            } else {
                writers.insert(writer.transaction);
            }
        }
        for writer in writers {
            let all = &self.written[&(*object, writer)];
            let missing: Vec<String> = match object {
                Object::List(_) => all.iter().filter(|value| !seen.contains(value)).map(i64::to_string).collect(),
                Object::Register(_) => {
                    all.iter().rev().take(1).filter(|it| !seen.contains(it)).map(i64::to_string).collect()
                }
            };
            if !missing.is_empty() {
                let why = format!("{} also wrote {}", name(writer), missing.join(" and "));
                find(Anomaly::G1b, vec![*transaction, writer], why);
            }
            // Those of one writer are in the order in which he appended them: no cycle between transactions shows it.
            let appended = all.iter().filter(|value| seen.contains(value));
            let mut shown = seen.iter().filter(|value| all.contains(value));
            let misplaced = appended.zip(shown.by_ref()).find(|(one, other)| one != other);
            if let Some((earlier, later)) = misplaced.filter(|_| !has_duplicates) {
                let why = format!("{} appended {earlier} before {later}", name(writer));
                find(Anomaly::IncompatibleOrder, vec![*transaction, writer], why);
            }
        }
    }
}

pub(crate) fn finding(anomaly: Anomaly, transactions: Vec<usize>, explanation: Vec<String>) -> Finding {
    Finding { anomaly, order: Order::Dependencies, transactions, explanation }
}

/// A walk through one transaction.
struct Walk<'a> {
    index: usize,
    history: &'a History,
    isolation: Isolation,
    /// Its own writes that stand, with their statements.
    own: Vec<(Object, i64, usize)>,
    /// What others had written below its own writes of an object.
    bases: BTreeMap<Object, &'a [i64]>,
    /// What it saw of others' writes in a snapshot: in which statement, and what.
    seen: BTreeMap<Object, (usize, &'a [i64])>,
    /// What it saw of others' writes when it locked an object.
    held: BTreeMap<Object, Held<'a>>,
    /// How many writes and how many reads there were.
    savepoints: Vec<(usize, usize)>,
}

/// A lock on an object, and what that was then.
struct Held<'a> {
    statement: usize,
    /// How many reads there were before.
    reads: usize,
    seen: &'a [i64],
}

impl<'a> Walk<'a> {
    fn new(index: usize, history: &'a History, level: Level) -> Walk<'a> {
        let isolation = history.transactions[index].isolation.unwrap_or(level.isolation);
        let (own, savepoints) = (Vec::new(), Vec::new());
        let (bases, seen, held) = Default::default();
        Walk { index, history, isolation, own, bases, seen, held, savepoints }
    }

    fn walk(mut self, into: &mut Observations<'a>) {
        let first_read = into.reads.len();
        let history = self.history;
        for (statement, Statement { operations, .. }) in history.transactions[self.index].statements.iter().enumerate()
        {
            for operation in operations {
                match operation {
                    Operation::Read { object, seen, locking } => self.read(statement, *object, seen, *locking, into),
                    Operation::Write { object, value } => {
                        self.own.push((*object, *value, statement));
                        let writer = Writer { transaction: self.index, statement, undone: false };
                        let other = into.writers.insert((*object, *value), writer);
                        assert!(
                            other.is_none(),
                            "{value} is written to {object} twice: such a history cannot be judged"
                        );
                    }
                    Operation::Savepoint => self.savepoints.push((self.own.len(), into.reads.len())),
                    Operation::Release => drop(self.savepoints.pop()),
                    Operation::RollBackTo => self.roll_back(first_read, into),
                }
            }
        }
        for (object, value, _) in self.own {
            into.written.entry((object, self.index)).or_default().push(value);
        }
    }

    fn roll_back(&mut self, first_read: usize, into: &mut Observations<'a>) {
        let (own, reads) = self.savepoints.last().copied().unwrap_or((0, first_read));
        for (object, value, _) in self.own.drain(own..) {
            into.writers.get_mut(&(object, value)).expect("it was written").undone = true;
        }
        let own = &self.own;
        self.bases.retain(|object, _| own.iter().any(|(other, ..)| other == object));
        // Locks that were taken since the savepoint are let go.
        self.held.retain(|_, held| held.reads < reads);
        let is_written = |read: &Read<'_>| !read.before_own_writes() && own.iter().any(|(it, ..)| *it == read.object);
        into.reads[reads..]
            .iter_mut()
            .filter(|read| read.lock == Lock::Held && !is_written(read))
            .for_each(|read| read.lock = Lock::Released);
    }

    fn read(&mut self, statement: usize, object: Object, seen: &'a [i64], locking: bool, into: &mut Observations<'a>) {
        let (transaction, mine) = (self.index, self.mine(object));
        let lock = if locking { Lock::Held } else { Lock::None };
        let own_since = self.own.iter().find(|(other, ..)| *other == object).map(|(.., statement)| *statement);
        let read = Read { transaction, statement, object, seen, lock, own_since };
        if own_since.is_none() {
            self.compare(&read, seen, into);
            into.reads.push(read);
            return;
        }
        let expected = match object {
            Object::List(_) => &mine[..],
            Object::Register(_) => &mine[mine.len() - 1..],
        };
        let base = seen.strip_suffix(expected).filter(|base| matches!(object, Object::List(_)) || base.is_empty());
        let base_before = self.bases.get(&object).copied();
        let shown = || format!("{} read {object} as {}", name(transaction), seen_text(object, seen));
        match base {
            None => {
                let wrote = format!("it had itself written {}", seen_text(object, expected));
                into.findings.push(finding(Anomaly::Internal, vec![transaction], vec![shown(), wrote]));
            }
            Some(base) if base_before.is_some_and(|before| before != base) => {
                let below = format!("below its own writes there was {}", seen_text(object, base_before.unwrap_or(&[])));
                into.findings.push(finding(Anomaly::Internal, vec![transaction], vec![shown(), below]));
            }
            Some(base) if matches!(object, Object::List(_)) => {
                self.bases.insert(object, base);
                // Whoever has written has the lock, and had waited for it.
                let below = Read { seen: base, lock: Lock::Held, ..read };
                if base_before.is_none() {
                    self.compare(&below, seen, into);
                }
                into.reads.push(below);
            }
            Some(_) => (),
        }
    }

    fn mine(&self, object: Object) -> Vec<i64> {
        self.own.iter().filter(|(other, ..)| *other == object).map(|(_, value, _)| *value).collect()
    }

    /// What others have of an object does not change while it is locked, nor in a snapshot.
    fn compare(&mut self, read: &Read<'a>, shown: &'a [i64], into: &mut Observations<'a>) {
        let Read { statement, object, seen, .. } = *read;
        let (is_one_snapshot, is_locked) = (self.isolation != Isolation::ReadCommitted, read.lock == Lock::Held);
        // At read committed a plain read of the very statement that locks is of a snapshot from before the lock.
        let is_under_lock = |held: &Held<'_>| is_one_snapshot || is_locked || held.statement < statement;
        let mut before =
            self.held.get(&object).filter(|held| is_under_lock(held)).map(|held| (held.seen, "under a lock"));
        if is_one_snapshot || !is_locked {
            let earlier = self.seen.insert(object, (statement, seen));
            let earlier = earlier.filter(|(earlier, _)| is_one_snapshot || *earlier == statement);
            before = earlier.map(|(_, seen)| (seen, "in the same snapshot")).or(before);
        }
        if let Some((before, because)) = before.filter(|(before, _)| *before != seen) {
            let read = |seen| format!("{} read {object} as {}", name(self.index), seen_text(object, seen));
            let explanation = vec![read(before), format!("{}, {because}", read(shown))];
            into.findings.push(finding(Anomaly::Internal, vec![self.index], explanation));
        }
        if is_locked && read.before_own_writes() {
            let reads = into.reads.len();
            self.held.entry(object).or_insert(Held { statement, reads, seen });
        }
    }
}
