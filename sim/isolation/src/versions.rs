//! In which order the versions of an object followed each other, as far as that can be known.
//!
//! ```text
//!   list      [] ─▶ 1 ─▶ 2 ─▶ 3 ─▶ { 4, 5 }     the longest read is the order; what committed and is in no read comes
//!                                               after it, in an order that nobody knows
//!   register  nil ─▶ 1 ─▶ 3                     from reads before writes, locks, and real time; the rest is open
//!              └───▶ 2
//! ```
//!
//! A version is named by the value that made it: the last element of a list, what a register holds. For each the map
//! has the versions of which it is known that they came after it, the nearest ones if there are several on one path.
//!
//! A register's versions are ordered by these facts, each sound in a database that keeps its promises, at READ
//! COMMITTED too:
//!
//! * before any write it held nothing;
//! * whoever read a version and then wrote replaced that version or one after it; if he held a lock, that very one;
//! * what was visible to somebody, or acknowledged, before a writer sent its statement is older than what that wrote (only
//!   where real time counts); likewise in a session.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{History, Isolation, Object, name};
use crate::observation::{Lock, Observations, Read, finding};
use crate::text::seen_text;
use crate::verdict::{Anomaly, Finding, Level, Order};

/// A version: the value that made it, or the initial state.
pub(crate) type Version = Option<i64>;

/// For each version the ones after it.
pub(crate) type Successors = BTreeMap<Version, BTreeSet<i64>>;

/// The version orders of all objects.
pub(crate) struct Versions {
    pub(crate) successors: BTreeMap<Object, Successors>,
    pub(crate) findings: Vec<Finding>,
}

impl Versions {
    pub(crate) fn new(history: &History, level: Level, observations: &Observations<'_>) -> Versions {
        let mut versions = Versions { successors: BTreeMap::new(), findings: Vec::new() };
        let mut reads: BTreeMap<Object, Vec<&Read<'_>>> = BTreeMap::new();
        observations.reads.iter().for_each(|read| reads.entry(read.object).or_default().push(read));
        for (object, _) in observations.written.keys() {
            reads.entry(*object).or_default();
        }
        for (object, reads) in reads {
            let of = OfObject { history, level, observations, object, reads };
            let successors = match object {
                Object::List(_) => of.list(&mut versions.findings),
                Object::Register(_) => of.register(&mut versions.findings),
            };
            of.lost_updates(&mut versions.findings);
            versions.successors.insert(object, successors);
        }
        versions
    }
}

/// The version that a read shows: what was rolled back is no version, and what its writer replaced is taken for what it
/// left in the end.
pub(crate) fn version_of(observations: &Observations<'_>, read: &Read<'_>) -> Version {
    let object = read.object;
    let stands = |value: &&i64| observations.writers.get(&(object, **value)).is_some_and(|it| observations.stands(it));
    let last = read.seen.iter().rev().find(stands)?;
    match object {
        Object::List(_) => Some(*last),
        Object::Register(_) => {
            let writer = observations.writers[&(object, *last)].transaction;
            observations.written[&(object, writer)].last().copied()
        }
    }
}

struct OfObject<'a> {
    history: &'a History,
    level: Level,
    observations: &'a Observations<'a>,
    object: Object,
    reads: Vec<&'a Read<'a>>,
}

/// A transaction that wrote the object and committed.
struct Write {
    transaction: usize,
    /// What it left.
    value: i64,
    /// Its statement was sent then.
    invoked: u64,
    /// From then on it was visible for certain.
    visible: Option<u64>,
}

impl OfObject<'_> {
    fn list(&self, findings: &mut Vec<Finding>) -> Successors {
        let longest = self.reads.iter().max_by_key(|read| (read.seen.len(), std::cmp::Reverse(read.transaction)));
        let order = longest.map(|read| read.seen).unwrap_or_default();
        if let (Some(longest), Some(other)) = (longest, self.reads.iter().find(|read| !order.starts_with(read.seen))) {
            let shown = |read: &Read<'_>| {
                format!("{} read {} as {}", name(read.transaction), self.object, seen_text(self.object, read.seen))
            };
            let transactions = vec![longest.transaction, other.transaction];
            let explanation = vec![shown(longest), shown(other), "neither is the beginning of the other".to_owned()];
            findings.push(finding(Anomaly::IncompatibleOrder, transactions, explanation));
        }
        self.dirty_update(order, findings);
        let mut successors = Successors::new();
        let mut version = None;
        for value in order {
            let writer = self.observations.writers.get(&(self.object, *value));
            if writer.is_some_and(|writer| self.observations.stands(writer)) && version != Some(*value) {
                successors.entry(version).or_default().insert(*value);
                version = Some(*value);
            }
        }
        for (_, values) in self.written() {
            successors.entry(version).or_default().extend(values.iter().find(|value| !order.contains(value)));
        }
        successors
    }

    /// What each transaction that committed wrote.
    fn written(&self) -> impl Iterator<Item = (usize, &Vec<i64>)> {
        let written = self.observations.written.range((self.object, 0)..=(self.object, usize::MAX));
        written.map(|((_, index), values)| (*index, values)).filter(|(index, _)| self.observations.happened[*index])
    }

    fn dirty_update(&self, order: &[i64], findings: &mut Vec<Finding>) {
        let writer = |value: &i64| self.observations.writers.get(&(self.object, *value));
        let is_dirty = |value: &i64| writer(value).is_some_and(|writer| !self.observations.stands(writer));
        let is_clean = |value: &i64| writer(value).is_some_and(|writer| self.observations.stands(writer));
        let Some(dirty) = order.iter().position(is_dirty) else { return };
        let Some(clean) = order[dirty..].iter().position(is_clean).map(|at| dirty + at) else { return };
        let by = |at: usize| writer(&order[at]).map(|writer| writer.transaction).unwrap_or_default();
        let why = format!(
            "{} appended {} to {} after {}, which {} rolled back",
            name(by(clean)),
            order[clean],
            self.object,
            order[dirty],
            name(by(dirty))
        );
        findings.push(finding(Anomaly::DirtyUpdate, vec![by(clean), by(dirty)], vec![why]));
    }

    /// The reads with which a transaction that committed began before it wrote the object itself.
    fn reads_before(&self, transaction: usize) -> impl Iterator<Item = &&Read<'_>> {
        self.reads.iter().filter(move |read| read.transaction == transaction && read.before_own_writes())
    }

    fn register(&self, findings: &mut Vec<Finding>) -> Successors {
        let writes = self.writes();
        let mut successors = Successors::new();
        let mut replaced: BTreeMap<Version, BTreeSet<i64>> = BTreeMap::new();
        for write in &writes {
            for read in self.reads_before(write.transaction) {
                let version = version_of(self.observations, read);
                successors.entry(version).or_default().insert(write.value);
                if read.lock == Lock::Held {
                    replaced.entry(version).or_default().insert(write.value);
                }
                self.dirty_replacement(write, read, findings);
            }
        }
        match self.level.order {
            Order::Dependencies => (),
            Order::Sessions => order_sessions(self.history, &writes, &mut successors),
            Order::Realtime => order_in_time(&writes, &mut successors),
        }
        squeeze(&replaced, &mut successors);
        let followers: BTreeSet<i64> = successors.values().flatten().copied().collect();
        let first = writes.iter().map(|write| write.value).filter(|value| !followers.contains(value));
        successors.entry(None).or_default().extend(first);
        if let Some(cyclic) = find_cycle(&successors) {
            let values: Vec<String> = cyclic.iter().map(|value| seen_text(self.object, value.as_slice())).collect();
            let writers =
                cyclic.iter().flatten().filter_map(|value| self.observations.writers.get(&(self.object, *value)));
            let transactions = writers.map(|writer| writer.transaction).collect();
            let why =
                format!("each of these versions of {} is older than the next: {}", self.object, values.join(", "));
            findings.push(finding(Anomaly::IncompatibleOrder, transactions, vec![why]));
            return Successors::from([(None, writes.iter().map(|write| write.value).collect())]);
        }
        successors
    }

    fn writes(&self) -> Vec<Write> {
        let writes = self.written().filter_map(|(transaction, values)| {
            let value = *values.last()?;
            let statement = self.observations.writers[&(self.object, value)].statement;
            let it = &self.history.transactions[transaction];
            Some(Write { transaction, value, invoked: it.invoked_at(statement), visible: it.completed })
        });
        let mut writes: Vec<Write> = writes.collect();
        let places: BTreeMap<i64, usize> =
            writes.iter().enumerate().map(|(place, write)| (write.value, place)).collect();
        for read in &self.reads {
            let place = version_of(self.observations, read).and_then(|value| places.get(&value));
            if let (Some(place), Some(completed)) = (place, self.history.transactions[read.transaction].completed) {
                let visible = &mut writes[*place].visible;
                *visible = Some(visible.map_or(completed, |at| at.min(completed)));
            }
        }
        writes
    }

    fn dirty_replacement(&self, write: &Write, read: &Read<'_>, findings: &mut Vec<Finding>) {
        let writer = read.seen.last().and_then(|value| self.observations.writers.get(&(self.object, *value)));
        if let Some(writer) = writer.filter(|writer| read.lock == Lock::Held && !self.observations.stands(writer)) {
            let (mine, other) = (name(write.transaction), name(writer.transaction));
            let why = format!("{mine} replaced {}, which {other} rolled back", seen_text(self.object, read.seen));
            findings.push(finding(Anomaly::DirtyUpdate, vec![write.transaction, writer.transaction], vec![why]));
        }
    }

    /// Transactions that read the same version, could not be unaware of its end, and both replaced it.
    fn lost_updates(&self, findings: &mut Vec<Finding>) {
        let mut updates: BTreeMap<Version, BTreeSet<usize>> = BTreeMap::new();
        for (transaction, _) in self.written() {
            let isolation = self.history.transactions[transaction].isolation.unwrap_or(self.level.isolation);
            for read in self.reads_before(transaction) {
                if read.lock == Lock::Held || isolation != Isolation::ReadCommitted {
                    updates.entry(version_of(self.observations, read)).or_default().insert(transaction);
                }
            }
        }
        for (version, transactions) in updates.into_iter().filter(|(_, transactions)| transactions.len() > 1) {
            let version = match (self.object, version) {
                (Object::List(_), Some(last)) => format!("with {last} at its end"),
                (object, version) => format!("as {}", seen_text(object, version.as_slice())),
            };
            let object = self.object;
            let line = |index: &usize| {
                let last = self.observations.written[&(object, *index)].last().copied().unwrap_or_default();
                format!("{} read {object} {version} and wrote {last}", name(*index))
            };
            let explanation = transactions.iter().map(line).collect();
            findings.push(finding(Anomaly::LostUpdate, transactions.into_iter().collect(), explanation));
        }
    }
}

/// Writers of one session, each before the next.
fn order_sessions(history: &History, writes: &[Write], successors: &mut Successors) {
    let mut newest: BTreeMap<u32, i64> = BTreeMap::new();
    for write in writes {
        let session = history.transactions[write.transaction].session;
        if let Some(before) = newest.insert(session, write.value) {
            successors.entry(Some(before)).or_default().insert(write.value);
        }
    }
}

/// What was visible before a statement was sent is older than what that wrote. Only the latest of these are named.
fn order_in_time(writes: &[Write], successors: &mut Successors) {
    for write in writes {
        let is_older = |it: &&Write| {
            it.transaction != write.transaction && it.visible.is_some_and(|visible| visible < write.invoked)
        };
        let older = || writes.iter().filter(is_older);
        let latest = older().map(|it| it.invoked).max().unwrap_or_default();
        for before in older().filter(|it| it.visible.is_some_and(|visible| visible >= latest)) {
            successors.entry(Some(before.value)).or_default().insert(write.value);
        }
    }
}

/// Nothing is between a version and the one that replaced it under a lock. (Two that did are a lost update.)
fn squeeze(replaced: &Successors, successors: &mut Successors) {
    for (version, next) in replaced.iter().filter(|(_, next)| next.len() == 1) {
        let next = next.first().expect("there is one");
        let later: Vec<i64> = successors.get(version).into_iter().flatten().copied().filter(|it| it != next).collect();
        successors.entry(Some(*next)).or_default().extend(later);
        let earlier = successors.iter().filter(|(older, after)| *older != version && after.contains(next));
        let earlier: Vec<Version> = earlier.map(|(older, _)| *older).collect();
        if let Some(version) = version {
            for older in earlier.into_iter().filter(|older| *older != Some(*next)) {
                successors.entry(older).or_default().insert(*version);
            }
        }
    }
    successors.retain(|_, after| !after.is_empty());
}

/// Versions each of which is before the next and the last before the first.
fn find_cycle(successors: &Successors) -> Option<Vec<Version>> {
    let mut left: BTreeMap<Version, BTreeSet<i64>> = successors.clone();
    // Versions that nothing comes after are in no cycle.
    loop {
        let ends = |after: &BTreeSet<i64>, left: &Successors| after.iter().all(|it| !left.contains_key(&Some(*it)));
        let done: Vec<Version> = left.iter().filter(|(_, after)| ends(after, &left)).map(|(it, _)| *it).collect();
        if done.is_empty() {
            break;
        }
        done.iter().for_each(|version| drop(left.remove(version)));
    }
    let mut version = *left.keys().next()?;
    let mut path: Vec<Version> = Vec::new();
    while !path.contains(&version) {
        path.push(version);
        let next = left[&version].iter().find(|it| left.contains_key(&Some(**it)));
        version = Some(*next.expect("what is left has something after it"));
    }
    let begin = path.iter().position(|it| *it == version).unwrap_or_default();
    Some(path.split_off(begin))
}
