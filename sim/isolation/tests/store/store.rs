//! A multiversion store in memory, at three levels of isolation, right or with one mistake.
//!
//! Committed versions have a timestamp; what a transaction has written waits beside them under a lock for each object. At
//! SERIALIZABLE a transaction is refused if what it read has changed by its commit.

use std::collections::BTreeMap;

use helios_isolation::{Isolation, Object};

/// What the store does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    None,
    /// Reads show what is not committed.
    ReadsUncommitted,
    /// A rollback leaves what was written.
    KeepsAborted,
    /// A second write of an object publishes the first one.
    PublishesHalf,
    /// Repeatable read without "the first updater wins".
    LastUpdaterWins,
    /// Repeatable read whose conflicts are looked for at the commit: until then there is new data below own writes.
    ChecksAtCommit,
    /// Objects with odd numbers are read in a later snapshot.
    HalfSnapshot,
    /// What is committed at one of two sites is seen late at the other.
    TwoSites,
    /// No locks: a list has its elements in the order in which they were written, not committed.
    DirtyWrites,
    /// Serializable without a look at what was read.
    NoValidation,
    /// Snapshots lag behind.
    StaleSnapshot,
    /// A commit that was acknowledged is gone.
    LosesCommit,
    /// A transaction sees none of its writes.
    ForgetsOwnWrites,
    /// Each row of a statement is read as it is when its turn comes.
    SnapshotPerRow,
    /// Some statement's snapshot is older than the one before.
    SnapshotGoesBack,
    /// ROLLBACK TO undoes nothing.
    ForgetsSavepoint,
    /// What is locked can be locked again.
    LocksNothing,
    /// What a transaction appended comes out in the opposite order.
    ReversesWrites,
    /// What a write replaces is read after it, and shows it.
    StatementSeesItself,
    /// Locks are let go of at the next statement.
    ReleasesLocksEarly,
    /// An append is done twice.
    AppendsTwice,
    /// A register is read wrongly.
    WrongValue,
    /// Of a commit that nobody hears of, only half happens.
    TearsUnknown,
}

/// Why a step could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Somebody else has the lock.
    Busy,
    /// The transaction cannot go on.
    Serialization,
}

/// A committed version.
#[derive(Clone)]
struct Version {
    commit: u64,
    writer: usize,
    seen: Vec<i64>,
}

/// A transaction under way.
#[derive(Default)]
struct Pending {
    /// Since its first statement.
    snapshot: Option<u64>,
    /// For objects with odd numbers.
    late_snapshot: Option<u64>,
    writes: Vec<(Object, i64)>,
    locks: Vec<Object>,
    savepoints: Vec<(usize, usize)>,
    /// What it read.
    read: Vec<Object>,
}

pub(crate) struct Store {
    isolation: Isolation,
    mistake: Mistake,
    clock: u64,
    versions: BTreeMap<Object, Vec<Version>>,
    pending: BTreeMap<usize, Pending>,
    locks: BTreeMap<Object, usize>,
    /// When each element was written.
    written: BTreeMap<(Object, i64), u64>,
}

impl Store {
    pub(crate) fn new(isolation: Isolation, mistake: Mistake) -> Store {
        let (versions, pending, locks, written) = Default::default();
        Store { isolation, mistake, clock: 0, versions, pending, locks, written }
    }

    pub(crate) fn has(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    pub(crate) fn begin(&mut self, id: usize) {
        self.pending.insert(id, Pending::default());
    }

    fn snapshot(&self) -> u64 {
        if self.has(Mistake::StaleSnapshot) { self.clock.saturating_sub(12) } else { self.clock }
    }

    /// A statement begins, at read committed with a snapshot of its own. `lucky` decides where there is something to
    /// decide.
    pub(crate) fn statement(&mut self, id: usize, lucky: bool) {
        let goes_back = self.has(Mistake::SnapshotGoesBack) && lucky;
        let snapshot = if goes_back { self.snapshot().saturating_sub(20) } else { self.snapshot() };
        if self.has(Mistake::ReleasesLocksEarly) {
            self.locks.retain(|_, owner| *owner != id);
        }
        let is_per_statement = self.isolation == Isolation::ReadCommitted;
        let mine = self.of(id);
        if is_per_statement || mine.snapshot.is_none() {
            mine.snapshot = Some(snapshot);
        }
    }

    fn of(&mut self, id: usize) -> &mut Pending {
        self.pending.get_mut(&id).expect("the transaction is under way")
    }

    fn newest(&self, object: Object) -> Option<&Version> {
        self.versions.get(&object).and_then(|versions| versions.last())
    }

    fn committed(&self, id: usize, object: Object, snapshot: u64) -> Vec<i64> {
        let versions = self.versions.get(&object).into_iter().flatten();
        let is_seen = |it: &&Version| {
            let is_far = self.has(Mistake::TwoSites) && it.writer % 2 != id % 2;
            it.commit <= if is_far { snapshot.saturating_sub(25) } else { snapshot }
        };
        versions.rev().find(is_seen).map(|it| it.seen.clone()).unwrap_or_default()
    }

    fn overlay(&self, object: Object, mut seen: Vec<i64>, writer: usize) -> Vec<i64> {
        for (_, value) in self.pending[&writer].writes.iter().filter(|(other, _)| *other == object) {
            match object {
                Object::List(_) => seen.push(*value),
                Object::Register(_) => seen = vec![*value],
            }
        }
        seen
    }

    fn has_written(&self, id: usize, object: Object) -> bool {
        self.pending[&id].writes.iter().any(|(other, _)| *other == object)
    }

    pub(crate) fn read(&mut self, id: usize, object: Object, locking: bool, lucky: bool) -> Result<Vec<i64>, Refusal> {
        if locking {
            self.lock(id, object)?;
        }
        let (clock, stale) = (self.clock, self.snapshot());
        let is_late = self.has(Mistake::HalfSnapshot) && number(object) % 2 == 1;
        let mine = self.of(id);
        mine.read.push(object);
        let mut snapshot = mine.snapshot.expect("there is a statement");
        if is_late {
            snapshot = *mine.late_snapshot.get_or_insert(stale);
        }
        let is_below = self.has(Mistake::ChecksAtCommit) && self.has_written(id, object);
        if (locking && self.isolation == Isolation::ReadCommitted) || self.has(Mistake::SnapshotPerRow) || is_below {
            snapshot = clock;
        }
        let mut seen = self.committed(id, object, snapshot);
        if self.has(Mistake::ReadsUncommitted) {
            for other in self.pending.keys().filter(|other| **other != id) {
                seen = self.overlay(object, seen, *other);
            }
        }
        if !self.has(Mistake::ForgetsOwnWrites) {
            seen = self.overlay(object, seen, id);
        }
        if self.has(Mistake::WrongValue) && lucky && matches!(object, Object::Register(_)) {
            seen = vec![-1];
        }
        Ok(seen)
    }

    /// Waits for whoever has it; at repeatable read, the object must be as in the snapshot then.
    fn lock(&mut self, id: usize, object: Object) -> Result<(), Refusal> {
        if !self.has(Mistake::DirtyWrites) && !self.has(Mistake::LocksNothing) {
            if self.locks.get(&object).is_some_and(|owner| *owner != id) {
                return Err(Refusal::Busy);
            }
            if self.locks.insert(object, id).is_none() {
                self.of(id).locks.push(object);
            }
        }
        let is_checked = self.isolation != Isolation::ReadCommitted
            && !self.has(Mistake::LastUpdaterWins)
            && !self.has(Mistake::ChecksAtCommit)
            && !self.has(Mistake::DirtyWrites);
        let snapshot = self.of(id).snapshot;
        let is_newer = self.newest(object).is_some_and(|version| Some(version.commit) > snapshot);
        if is_checked && is_newer {
            return Err(Refusal::Serialization);
        }
        Ok(())
    }

    pub(crate) fn write(&mut self, id: usize, object: Object, value: i64) -> Result<(), Refusal> {
        self.lock(id, object)?;
        if self.has(Mistake::PublishesHalf) && self.of(id).writes.iter().any(|(other, _)| *other == object) {
            let commit = self.tick();
            self.install(id, object, commit);
            if matches!(object, Object::List(_)) {
                self.of(id).writes.retain(|(other, _)| *other != object);
            }
        }
        let at = self.tick();
        self.written.insert((object, value), at);
        self.of(id).writes.push((object, value));
        Ok(())
    }

    pub(crate) fn savepoint(&mut self, id: usize) {
        let mine = self.of(id);
        mine.savepoints.push((mine.writes.len(), mine.locks.len()));
    }

    pub(crate) fn roll_back_to(&mut self, id: usize) {
        let forgets = self.has(Mistake::ForgetsSavepoint);
        let mine = self.of(id);
        let (writes, locks) = *mine.savepoints.last().expect("there is a savepoint");
        if forgets {
            return;
        }
        mine.writes.truncate(writes);
        for object in mine.locks.split_off(locks.min(mine.locks.len())) {
            self.locks.remove(&object);
        }
    }

    pub(crate) fn release_savepoint(&mut self, id: usize) {
        self.of(id).savepoints.pop();
    }

    pub(crate) fn is_under_way(&self, id: usize) -> bool {
        self.pending.contains_key(&id)
    }

    fn install(&mut self, id: usize, object: Object, commit: u64) {
        let newest = self.newest(object).map(|it| it.seen.clone()).unwrap_or_default();
        let mut seen = self.overlay(object, newest, id);
        if matches!(object, Object::List(_)) {
            if self.has(Mistake::DirtyWrites) {
                seen.sort_by_key(|value| self.written[&(object, *value)]);
            }
            if self.has(Mistake::ReversesWrites) {
                let mine = self.pending[&id].writes.iter().filter(|(other, _)| *other == object).count();
                let begin = seen.len() - mine;
                seen[begin..].reverse();
            }
            if self.has(Mistake::AppendsTwice) && seen.len() % 7 == 6 {
                seen.extend(seen.last().copied());
            }
        }
        self.versions.entry(object).or_default().push(Version { commit, writer: id, seen });
    }

    fn release(&mut self, id: usize) {
        self.pending.remove(&id);
        self.locks.retain(|_, owner| *owner != id);
    }

    pub(crate) fn roll_back(&mut self, id: usize) {
        if self.has(Mistake::KeepsAborted) {
            let commit = self.tick();
            self.install_all(id, commit, false);
        }
        self.release(id);
    }

    fn install_all(&mut self, id: usize, commit: u64, half: bool) {
        let mut objects: Vec<Object> = self.of(id).writes.iter().map(|(object, _)| *object).collect();
        objects.sort_unstable();
        objects.dedup();
        if half {
            objects.truncate(objects.len().div_ceil(2));
        }
        objects.into_iter().for_each(|object| self.install(id, object, commit));
    }

    /// `unheard`: nobody will be told.
    pub(crate) fn commit(&mut self, id: usize, unheard: bool) -> Result<(), Refusal> {
        let mine = &self.pending[&id];
        let changed =
            |object: &Object| self.newest(*object).is_some_and(|version| Some(version.commit) > mine.snapshot);
        let validates = self.isolation == Isolation::Serializable && !self.has(Mistake::NoValidation);
        let has_conflict = self.has(Mistake::ChecksAtCommit) && mine.writes.iter().any(|(object, _)| changed(object));
        if has_conflict || (validates && !mine.writes.is_empty() && mine.read.iter().any(changed)) {
            self.release(id);
            return Err(Refusal::Serialization);
        }
        let commit = self.tick();
        self.install_all(id, commit, unheard && self.has(Mistake::TearsUnknown));
        self.release(id);
        Ok(())
    }

    /// A crash: nothing happens to what was committed.
    pub(crate) fn crash(&mut self) {
        if !self.has(Mistake::LosesCommit) {
            return;
        }
        let newest = self.versions.values().flatten().max_by_key(|version| version.commit);
        if let Some(lost) = newest.map(|version| version.writer) {
            self.versions.values_mut().for_each(|versions| versions.retain(|version| version.writer != lost));
        }
    }
}

fn number(object: Object) -> u32 {
    match object {
        Object::List(number) | Object::Register(number) => number,
    }
}
