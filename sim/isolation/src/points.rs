//! Transactions as points in time, and everything that must be earlier than something else.
//!
//! A level of isolation says at how many moments a transaction happens:
//!
//! ```text
//!   read committed     statement 0 ─▶ statement 1 ─▶ ... ─▶ commit     reads at each statement, writes at the commit
//!   repeatable read    snapshot ─▶ commit                              reads at the snapshot, writes at the commit
//!   serializable       ●                                               everything at once
//! ```
//!
//! A dependency then is an order of two points:
//!
//! | edge | read committed | repeatable read |
//! |---|---|---|
//! | wr | commit ─▶ the statement that read | commit ─▶ snapshot |
//! | rw | the statement that read ─▶ commit | snapshot ─▶ commit |
//! | ww | commit ─▶ what came after the statement that wrote | commit ─▶ snapshot: the first updater wins |
//! | wr under a lock | commit ─▶ what came after the statement that read | commit ─▶ snapshot |
//! | rw under a lock | also commit ─▶ commit, unless a savepoint let go of the lock | the same |
//!
//! A history is legal if the points can be put in a row: if there is no cycle. At REPEATABLE READ that leaves cycles of
//! transactions in which two anti-dependencies follow each other, because a snapshot can be earlier than a commit that it
//! does not see while its own commit is later (Adya's PL-SI, condition for condition; Fekete and others, "Making snapshot
//! isolation serializable", 2005). At READ COMMITTED it forbids more than Adya's PL-2, which has no statements: each of
//! them sees one state (PostgreSQL's manual, 13.2.1), and a later statement sees no earlier state (his PL-2L, G-monotonic).
//! Who writes a row that somebody else has just written waits for his commit, and so does whoever locks it; what is read
//! under a lock may be newer than the statement's snapshot.
//!
//! By the clock a statement's point, a snapshot and a commit are after whatever was over when they were asked for.
//!
//! A transaction that did not commit has no commit, and at SERIALIZABLE no point: what it saw may have been the reason
//! why it was refused.

use std::collections::BTreeMap;

use crate::dependency::{Dependency, Kind};
use crate::history::{History, Isolation, Transaction};
use crate::observation::Lock;
use crate::verdict::{Level, Order};

/// Edges of a point: to which point, and by which dependency; none within a transaction.
pub(crate) type Edges = Vec<(usize, Option<usize>)>;

/// See the [module](self).
pub(crate) struct Points {
    pub(crate) edges: Vec<Edges>,
    pub(crate) dependencies: Vec<Dependency>,
    /// Of each point: the transaction, and whether it is its commit.
    pub(crate) owners: Vec<(usize, bool)>,
    spans: Vec<Option<Span>>,
}

/// The points of a transaction.
#[derive(Clone, Copy)]
struct Span {
    isolation: Isolation,
    first: usize,
    statements: usize,
    commit: Option<usize>,
}

impl Span {
    fn at(&self, statement: usize) -> usize {
        match self.isolation {
            Isolation::ReadCommitted => self.first + statement,
            Isolation::RepeatableRead | Isolation::Serializable => self.first,
        }
    }

    /// What comes after a statement whose locks it waited for; where reads are of one snapshot, that snapshot.
    fn after(&self, statement: usize) -> Option<usize> {
        match self.isolation {
            Isolation::ReadCommitted if statement + 1 < self.statements => Some(self.first + statement + 1),
            Isolation::ReadCommitted => self.commit,
            Isolation::RepeatableRead | Isolation::Serializable => Some(self.first),
        }
    }

    /// Points that the clock tells something of, in their order: each is after the statement beside it was sent. Where
    /// there is one snapshot, the commit is after every statement, and until then locks are held.
    fn moments(&self, transaction: &Transaction) -> Vec<(usize, usize)> {
        match self.isolation {
            Isolation::ReadCommitted => (0..self.statements).map(|at| (at, self.first + at)).collect(),
            Isolation::RepeatableRead => {
                let last = (0..transaction.statements.len()).max_by_key(|at| transaction.invoked_at(*at));
                let commit = self.commit.map(|commit| (last.unwrap_or_default(), commit));
                std::iter::once((0, self.first)).chain(commit).collect()
            }
            Isolation::Serializable => vec![(0, self.first)],
        }
    }

    fn last(&self) -> usize {
        self.commit.unwrap_or(match self.isolation {
            Isolation::ReadCommitted => self.first + self.statements - 1,
            Isolation::RepeatableRead | Isolation::Serializable => self.first,
        })
    }
}

impl Points {
    pub(crate) fn new(history: &History, level: Level, happened: &[bool], dependencies: Vec<Dependency>) -> Points {
        let mut points = Points { edges: Vec::new(), dependencies: Vec::new(), owners: Vec::new(), spans: Vec::new() };
        for (index, happened) in happened.iter().enumerate() {
            points.add_transaction(history, level, index, *happened);
        }
        dependencies.into_iter().for_each(|dependency| points.add(dependency));
        match level.order {
            Order::Dependencies => (),
            Order::Sessions => points.add_sessions(history),
            Order::Realtime => points.add_realtime(history),
        }
        points
    }

    fn add_transaction(&mut self, history: &History, level: Level, index: usize, happened: bool) {
        let transaction = &history.transactions[index];
        let isolation = transaction.isolation.unwrap_or(level.isolation);
        let statements = match isolation {
            Isolation::ReadCommitted => transaction.statements.len().max(1),
            Isolation::RepeatableRead => 1,
            Isolation::Serializable if happened => 1,
            Isolation::Serializable => return self.spans.push(None),
        };
        let first = self.edges.len();
        (0..statements).for_each(|_| self.add_point(index, false));
        let commit = match isolation {
            Isolation::Serializable => Some(first),
            _ if happened => {
                self.add_point(index, true);
                Some(first + statements)
            }
            _ => None,
        };
        for point in first + 1..self.edges.len() {
            self.edges[point - 1].push((point, None));
        }
        self.spans.push(Some(Span { isolation, first, statements, commit }));
    }

    fn add_point(&mut self, transaction: usize, is_commit: bool) {
        self.edges.push(Vec::new());
        self.owners.push((transaction, is_commit));
    }

    fn connect(&mut self, from: usize, to: usize, dependency: Dependency) {
        let number = self.dependencies.len();
        self.dependencies.push(dependency);
        self.edges[from].push((to, Some(number)));
    }

    fn add(&mut self, edge: Dependency) {
        let (Some(from), Some(to)) = (self.spans[edge.from], self.spans[edge.to]) else { return };
        match edge.kind {
            Kind::WriteWrite => {
                if let (Some(commit), Some(later)) = (from.commit, to.after(edge.statement)) {
                    self.connect(commit, later, edge);
                }
            }
            Kind::WriteRead => {
                let is_snapshot = edge.lock == Lock::None || to.isolation != Isolation::ReadCommitted;
                let later = if is_snapshot { Some(to.at(edge.statement)) } else { to.after(edge.statement) };
                if let (Some(commit), Some(later)) = (from.commit, later) {
                    self.connect(commit, later, edge);
                }
            }
            Kind::ReadWrite => {
                let Some(commit) = to.commit else { return };
                let reader = from.at(edge.statement);
                self.connect(reader, commit, edge);
                if let Some(holder) = from.commit.filter(|holder| edge.lock == Lock::Held && *holder != reader) {
                    self.connect(holder, commit, edge);
                }
            }
            Kind::Session | Kind::Realtime => unreachable!("edges of order are made here"),
        }
    }

    fn add_order(&mut self, kind: Kind, from: usize, (to, point): (usize, usize), statement: usize) {
        let Some(earlier) = self.spans[from] else { return };
        let edge = Dependency { kind, from, to, statement, lock: Lock::None, object: None, version: None, next: None };
        self.connect(earlier.last(), point, edge);
    }

    fn add_sessions(&mut self, history: &History) {
        let mut newest: BTreeMap<u32, usize> = BTreeMap::new();
        for (index, transaction) in history.transactions.iter().enumerate() {
            let Some(span) = self.spans[index] else { continue };
            if let Some(before) = newest.insert(transaction.session, index) {
                self.add_order(Kind::Session, before, (index, span.first), 0);
            }
        }
    }

    /// Whatever was over before a transaction, or a statement of one that takes a snapshot for each, was sent. Only the
    /// latest of these are named: the others are before one of them.
    fn add_realtime(&mut self, history: &History) {
        let counted: Vec<usize> = (0..history.transactions.len()).filter(|it| self.spans[*it].is_some()).collect();
        let mut over: Vec<(u64, u64, usize)> = Vec::new();
        for &index in &counted {
            let transaction = &history.transactions[index];
            over.extend(transaction.completed.map(|completed| (completed, transaction.invoked, index)));
        }
        over.sort_unstable();
        // Of the first n that were over, the latest beginning.
        let mut latest: Vec<u64> = vec![0];
        for (_, invoked, _) in &over {
            latest.push((*invoked).max(latest[latest.len() - 1]));
        }
        for &index in &counted {
            let span = self.spans[index].expect("it is counted");
            let mut since = 0;
            for (statement, point) in span.moments(&history.transactions[index]) {
                let invoked = history.transactions[index].invoked_at(statement);
                let before = over.partition_point(|(completed, ..)| *completed < invoked);
                let named = over.partition_point(|(completed, ..)| *completed < latest[before]);
                for (_, _, earlier) in over[named.max(since).min(before)..before].iter().copied() {
                    if earlier != index {
                        self.add_order(Kind::Realtime, earlier, (index, point), statement);
                    }
                }
                since = before;
            }
        }
    }
}
