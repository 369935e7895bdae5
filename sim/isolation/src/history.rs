//! What clients did and were told: the only thing that a checker knows.
//!
//! ```text
//!   History ── Transaction ── Statement ── Operation
//!                 │               │           ├ read an object: plainly, or while locking it
//!                 │               │           ├ write a register, append to a list
//!                 │               │           └ savepoint, rollback to it, release
//!                 │               └ when it was sent, if that is known
//!                 └ session, when it began and when its client heard of its end, outcome
//! ```
//!
//! Times are ticks of one counter that all clients share: of two events the earlier one has the smaller tick. A
//! transaction begins where its snapshot can be taken at the earliest: at its first statement, not at BEGIN.

use std::fmt;

/// What is read and written. Before the first write a list is empty and a register holds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// It is only appended to, so that a read of it shows every version that was before.
    List(u32),
    /// A write replaces what it held.
    Register(u32),
}

/// The isolation that a transaction asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isolation {
    /// A snapshot per statement.
    ReadCommitted,
    /// PostgreSQL's: one snapshot, the first updater wins.
    RepeatableRead,
    /// As if one after the other.
    Serializable,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Its COMMIT was acknowledged.
    Committed,
    /// It was rolled back or refused, or its COMMIT was never sent.
    Aborted,
    /// COMMIT was sent and nobody heard of it again.
    Unknown,
}

/// A step of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The object was read.
    Read {
        /// Which.
        object: Object,
        /// All elements of a list in their order; of a register its value, or nothing.
        seen: Vec<i64>,
        /// It was locked against writers and read as it is now (SELECT FOR UPDATE, what an UPDATE replaces). A plain
        /// read shows it as it was in the snapshot.
        locking: bool,
    },
    /// The object was written.
    Write {
        /// Which.
        object: Object,
        /// A register's new value, a list's new last element. No two writes of one object have the same.
        value: i64,
    },
    /// SAVEPOINT.
    Savepoint,
    /// ROLLBACK TO the innermost savepoint, which stays.
    RollBackTo,
    /// RELEASE of the innermost savepoint.
    Release,
}

impl Operation {
    /// A plain read.
    pub fn read(object: Object, seen: impl Into<Vec<i64>>) -> Operation {
        Operation::Read { object, seen: seen.into(), locking: false }
    }

    /// A read under a lock.
    pub fn lock(object: Object, seen: impl Into<Vec<i64>>) -> Operation {
        Operation::Read { object, seen: seen.into(), locking: true }
    }

    /// A write.
    pub fn write(object: Object, value: i64) -> Operation {
        Operation::Write { object, value }
    }
}

/// A statement: its plain reads see one snapshot at every level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// When it was sent; as early as its transaction, if that is not known.
    pub invoked: Option<u64>,
    /// In the order of their effects.
    pub operations: Vec<Operation>,
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Who ran it: a session runs one after the other, in the order of the history.
    pub session: u32,
    /// When its first statement was sent.
    pub invoked: u64,
    /// From when on its outcome cannot change any more: its client has heard of it, or there was a recovery since.
    pub completed: Option<u64>,
    /// What it asked for, where that is not what the history as a whole is held against.
    pub isolation: Option<Isolation>,
    /// How it ended.
    pub outcome: Outcome,
    /// What it did. Writes that failed are among them: nobody may see them.
    pub statements: Vec<Statement>,
}

/// Transactions, those of one session in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The first one is called T1.
    pub transactions: Vec<Transaction>,
}

/// The name of the transaction at `index`.
pub(crate) fn name(index: usize) -> String {
    format!("T{}", index + 1)
}

impl Transaction {
    /// When a statement was sent, at the earliest.
    pub(crate) fn invoked_at(&self, statement: usize) -> u64 {
        self.statements.get(statement).and_then(|statement| statement.invoked).unwrap_or(self.invoked)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::List(number) => write!(f, "l{number}"),
            Object::Register(number) => write!(f, "r{number}"),
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isolation::ReadCommitted => "read committed",
            Isolation::RepeatableRead => "repeatable read",
            Isolation::Serializable => "serializable",
        })
    }
}
