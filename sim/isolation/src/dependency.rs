//! Who depends on whom, and why.
//!
//! | edge | between | because |
//! |---|---|---|
//! | ww | T1 and T2 | T2 wrote the version after T1's |
//! | wr | T1 and T2 | T2 read the version that T1 wrote |
//! | rw | T1 and T2 | T1 read the version before T2's: T1 did not see T2 |
//! | session, realtime | T1 and T2 | T1 was over before T2 began, for their client or by the clock |
//!
//! Only transactions that committed have written anything. Those that did not have still read, and what they saw had to
//! be right. What is below a transaction's own writes is a read as well: nobody wrote after it before the transaction was
//! over. It comes from whoever the write waited for, which the ww edge says already where that write stands.

use std::collections::BTreeMap;
use std::fmt;

use crate::history::{History, Object, name};
use crate::observation::{Lock, Observations, Read};
use crate::verdict::Order;
use crate::versions::{Version, Versions, version_of};

/// The kind of a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    WriteWrite,
    WriteRead,
    ReadWrite,
    Session,
    Realtime,
}

impl Kind {
    pub(crate) fn order(self) -> Order {
        match self {
            Kind::Session => Order::Sessions,
            Kind::Realtime => Order::Realtime,
            _ => Order::Dependencies,
        }
    }
}

/// An edge between two transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dependency {
    pub(crate) kind: Kind,
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// The statement of `from` that read, if the kind is rw; of `to` that read or wrote or began, if it is another.
    pub(crate) statement: usize,
    /// How the read was made.
    pub(crate) lock: Lock,
    /// What the edge is about, unless it is one of order.
    pub(crate) object: Option<Object>,
    /// The version that was overwritten or read.
    pub(crate) version: Version,
    /// What was written over it, unless the kind is wr.
    pub(crate) next: Version,
}

/// All edges of a history, but for those of session and real time.
pub(crate) fn dependencies(observations: &Observations<'_>, versions: &Versions) -> Vec<Dependency> {
    let mut edges = Vec::new();
    for (object, successors) in &versions.successors {
        let writer = |value: &i64| &observations.writers[&(*object, *value)];
        for (version, after) in successors {
            let Some(from) = version.as_ref().map(|value| writer(value).transaction) else { continue };
            for next in after {
                let to = writer(next).transaction;
                if from != to {
                    let statement = first_write(observations, *object, to);
                    edges.push(Dependency {
                        kind: Kind::WriteWrite,
                        from,
                        to,
                        statement,
                        lock: Lock::None,
                        object: Some(*object),
                        version: *version,
                        next: Some(*next),
                    });
                }
            }
        }
    }
    let mut followers = Followers { observations, versions, known: BTreeMap::new() };
    for read in &observations.reads {
        let version = version_of(observations, read);
        let edge = |kind, from, to, next| {
            let (statement, lock, object) = (read.statement, read.lock, Some(read.object));
            Dependency { kind, from, to, statement, lock, object, version, next }
        };
        let writer = version.map(|value| observations.writers[&(read.object, value)].transaction);
        if let Some(writer) = writer.filter(|writer| *writer != read.transaction) {
            let waited = edge(Kind::WriteRead, writer, read.transaction, None);
            match read.own_since {
                None => edges.push(waited),
                Some(statement) if is_first_write(observations, read, statement) => (),
                Some(statement) => edges.push(Dependency { statement, ..waited }),
            }
        }
        for (next, writer) in followers.of(read.object, version) {
            if *writer != read.transaction {
                edges.push(edge(Kind::ReadWrite, read.transaction, *writer, Some(*next)));
            }
        }
    }
    edges
}

/// Whether what the reader had then written of the object is in a version that committed.
fn is_first_write(observations: &Observations<'_>, read: &Read<'_>, statement: usize) -> bool {
    observations.happened[read.transaction]
        && observations.written.contains_key(&(read.object, read.transaction))
        && first_write(observations, read.object, read.transaction) == statement
}

/// The first statement in which `transaction` wrote of an object what it did not take back.
fn first_write(observations: &Observations<'_>, object: Object, transaction: usize) -> usize {
    let first = observations.written.get(&(object, transaction)).and_then(|values| values.first());
    first.map_or(0, |value| observations.writers[&(object, *value)].statement)
}

/// What somebody else wrote after a version: its writer's own further versions are passed over.
struct Followers<'a> {
    observations: &'a Observations<'a>,
    versions: &'a Versions,
    known: BTreeMap<(Object, Version), Vec<(i64, usize)>>,
}

impl Followers<'_> {
    fn of(&mut self, object: Object, version: Version) -> &[(i64, usize)] {
        let (observations, versions) = (self.observations, self.versions);
        self.known.entry((object, version)).or_insert_with(|| {
            let writer = |value: &i64| observations.writers[&(object, *value)].transaction;
            let mine = version.as_ref().map(writer);
            let (mut found, mut passed, mut queue) = (Vec::new(), Vec::new(), vec![version]);
            while let Some(version) = queue.pop() {
                for next in versions.successors[&object].get(&version).into_iter().flatten() {
                    if Some(writer(next)) != mine {
                        found.push((*next, writer(next)));
                    } else if !passed.contains(next) {
                        passed.push(*next);
                        queue.push(Some(*next));
                    }
                }
            }
            found
        })
    }
}

/// An edge, told to somebody who knows the history.
pub(crate) struct Told<'a> {
    pub(crate) edge: &'a Dependency,
    pub(crate) history: &'a History,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Dependency { kind, from, to, object, version, next, lock, .. } = *self.edge;
        let (from_index, (from, to)) = (from, (name(from), name(to)));
        let Some(object) = object else {
            let (one, other) = (&self.history.transactions[from_index], &self.history.transactions[self.edge.to]);
            return match kind {
                Kind::Session => write!(f, "{from} -session-> {to}: session {} ran {from} before {to}", one.session),
                _ => {
                    let completed = one.completed.unwrap_or_default();
                    let invoked = other.invoked_at(self.edge.statement);
                    write!(f, "{from} -realtime-> {to}: {from} was over at {completed}, {to} went on at {invoked}")
                }
            };
        };
        let value = |version: Version| version.map(|value| value.to_string()).unwrap_or_default();
        let is_list = matches!(object, Object::List(_));
        let read = match (is_list, version) {
            (_, None) => format!("{object} before anything was written to it"),
            (true, Some(last)) => format!("{object} up to {last}"),
            (false, Some(held)) => format!("{object} when it held {held}"),
        };
        let locked = if lock != Lock::None { "locked and read" } else { "read" };
        match (kind, is_list) {
            (Kind::WriteWrite, true) => {
                write!(
                    f,
                    "{from} -ww-> {to}: {to} appended {} to {object} after {from}'s {}",
                    value(next),
                    value(version)
                )
            }
            (Kind::WriteWrite, false) => {
                write!(f, "{from} -ww-> {to}: {to} wrote {} to {object} over {from}'s {}", value(next), value(version))
            }
            (Kind::WriteRead, true) => {
                write!(f, "{from} -wr-> {to}: {from} appended {} to {object}, {to} {locked} it", value(version))
            }
            (Kind::WriteRead, false) => {
                write!(f, "{from} -wr-> {to}: {from} wrote {} to {object}, {to} {locked} it", value(version))
            }
            (_, true) => write!(f, "{from} -rw-> {to}: {from} {locked} {read}, {to} appended {} after it", value(next)),
            (_, false) => write!(f, "{from} -rw-> {to}: {from} {locked} {read}, {to} wrote {} over it", value(next)),
        }
    }
}
