//! Explicit locks: on tables, and on rows that are locked without having been written.
//!
//! ```text
//!   stripe = hash(tag)          one mutex each
//!     tag ▶ Queue { holders: [(owner, modes)], waiting: [ticket, ticket, ...] }   FIFO
//! ```
//!
//! A row that is in another transaction's write set is held *implicitly* by that transaction. The stripe's mutex is
//! held while the write sets are probed and the holder is entered, and a key enters a write set only after its lock was
//! entered here, so that two transactions cannot both find a key free.
//!
//! Waiting is fair: a newcomer that conflicts with a waiter ahead queues behind it, unless it holds the lock already
//! and only strengthens it. Whoever releases wakes all who conflict with nobody ahead of them, and those who strengthen; the
//! woken try again, keeping their place.
//!
//! An implicit holder learns that somebody waits from a note in its [`Contended`], under whose mutex it also says that it
//! has ended. The waiter leaves its note with the very holders that it has found in its way, and looks again when one of
//! them holds the key no more: whichever of the two comes second sees the other.
//!
//! Deadlocks are looked for by the waiter itself once it has waited `deadlock_timeout`: a depth-first search over who
//! waits for whom. One search behind each look at who is in the way is enough: only a new answer to that can close
//! a cycle, and that waiter will search.

use std::collections::VecDeque;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use helios_env::hash::HashMap;
use helios_env::sync::{Arc, AtomicU64, Mutex, Ordering, RwLock};
use helios_env::{Completer, Env, Pending, pending};
use helios_storage::Space;
use smallvec::SmallVec;

use crate::error::{Error, Result};
use crate::mode::{Mode, RowLockMode, Wait};
use crate::transaction::CommandId;
use crate::write_set::WriteSet;

const STRIPES: usize = 64;

/// What can be locked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LockTag {
    /// A relation, by OID.
    Table(u32),
    /// A key.
    Row(Space, Bytes),
}

/// A transaction as the lock table sees it.
pub(crate) struct Owner {
    pub(crate) id: u64,
    /// What `pg_backend_pid()` says in that session, for deadlock reports.
    pub(crate) pid: i32,
    pub(crate) write_set: Mutex<WriteSet>,
    contended: Mutex<Contended>,
    held: Mutex<Vec<Held>>,
}

/// Tags that others wait for because of this owner's write set.
#[derive(Default)]
struct Contended {
    ended: bool,
    tags: Vec<LockTag>,
}

/// An entry of an owner's log of explicit locks: what it held before.
struct Held {
    tag: LockTag,
    mode: u16,
    before: u16,
    /// The statement that took it, where one may drop it again.
    command: Option<CommandId>,
}

impl Owner {
    pub(crate) fn new(id: u64, pid: i32) -> Arc<Owner> {
        Arc::new(Owner { id, pid, write_set: Mutex::default(), contended: Mutex::default(), held: Mutex::default() })
    }

    pub(crate) fn held_position(&self) -> usize {
        self.held.lock().len()
    }

    /// Whether its write set locks `tag`.
    fn has_written(&self, tag: &LockTag) -> bool {
        matches!(tag, LockTag::Row(space, key) if self.write_set.lock().lock_on(*space, key).is_some())
    }
}

#[derive(Default)]
struct Queue {
    holders: SmallVec<[(u64, u16); 2]>,
    waiting: VecDeque<Waiter>,
}

struct Waiter {
    ticket: u64,
    owner: u64,
    mode: Mode,
    /// It holds a part of it already and waits for more: it does not queue.
    strengthens: bool,
    wake: Option<Completer<()>>,
}

impl Queue {
    fn held_by(&self, owner: u64) -> u16 {
        self.holders.iter().find(|holder| holder.0 == owner).map_or(0, |holder| holder.1)
    }

    fn set_held(&mut self, owner: u64, modes: u16) {
        self.holders.retain(|holder| holder.0 != owner);
        if modes != 0 {
            self.holders.push((owner, modes));
        }
    }

    /// Wakes whoever conflicts with nobody ahead, and whoever does not queue: the rule of [`LockTable::in_the_way`].
    fn wake(&mut self) {
        let mut ahead = 0u16;
        for waiter in &mut self.waiting {
            let may_go = waiter.strengthens || waiter.mode.conflicts & ahead == 0;
            ahead |= waiter.mode.bit;
            if may_go && let Some(wake) = waiter.wake.take() {
                wake.complete(());
            }
        }
    }
}

/// Who stands in a waiter's way.
#[derive(Default)]
struct InTheWay {
    /// All of them, sorted: holders, implicit holders, and conflicting waiters ahead.
    owners: Vec<u64>,
    /// Those who hold a row by having written it.
    implicit: SmallVec<[Arc<Owner>; 2]>,
}

/// How an attempt to lock ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquired {
    /// The lock is new (or stronger than before); it can be dropped alone by [`LockTable::drop_last`].
    New,
    /// It was held already, strongly enough.
    Already,
    /// SKIP LOCKED, and somebody holds it.
    Skipped,
}

/// All explicit locks, and the write sets in flight.
pub(crate) struct LockTable {
    env: Env,
    stripes: Vec<Mutex<HashMap<LockTag, Queue>>>,
    writers: RwLock<Vec<Arc<Owner>>>,
    waits: Mutex<HashMap<u64, Edge>>,
    tickets: AtomicU64,
}

/// Who waits for whom, and for what.
struct Edge {
    pid: i32,
    what: String,
    blockers: Vec<u64>,
}

impl LockTable {
    pub(crate) fn new(env: Env) -> LockTable {
        LockTable {
            env,
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            writers: RwLock::default(),
            waits: Mutex::default(),
            tickets: AtomicU64::new(0),
        }
    }

    fn stripe(&self, tag: &LockTag) -> &Mutex<HashMap<LockTag, Queue>> {
        use std::hash::BuildHasher;
        let hash = helios_env::hash::BuildHasher::default().hash_one(tag);
        &self.stripes[(hash >> 48) as usize % STRIPES]
    }

    /// Enters a transaction's write set among those that are probed.
    pub(crate) fn add_writer(&self, owner: &Arc<Owner>) {
        self.writers.write().push(owner.clone());
    }

    /// Locks `tag` in `mode` for `owner`, at the request of a statement.
    pub(crate) async fn acquire(
        &self,
        owner: &Arc<Owner>,
        command: Option<CommandId>,
        tag: LockTag,
        mode: Mode,
        wait: Wait,
        deadlock_timeout: Duration,
    ) -> Result<Acquired> {
        let mut place = Place { table: self, owner: owner.id, tag: &tag, ticket: None };
        let mut deadlock_check = None;
        let mut search = false;
        let mut deadline = None;
        loop {
            let woken = {
                let mut stripe = self.stripe(&tag).lock();
                let queue = stripe.entry(tag.clone()).or_default();
                let held = queue.held_by(owner.id);
                if held & mode.bit != 0 || covers(held, mode, &tag) {
                    place.leave(&mut stripe);
                    return Ok(Acquired::Already);
                }
                let strengthens = held != 0 || owner.has_written(&tag);
                let in_the_way = self.in_the_way(queue, owner, &tag, mode, strengthens, place.ticket);
                if in_the_way.owners.is_empty() {
                    queue.set_held(owner.id, held | mode.bit);
                    owner.held.lock().push(Held { tag: tag.clone(), mode: mode.bit, before: held, command });
                    place.leave(&mut stripe);
                    return Ok(Acquired::New);
                }
                match wait {
                    Wait::Skip => {
                        place.leave(&mut stripe);
                        return Ok(Acquired::Skipped);
                    }
                    Wait::Error => {
                        place.leave(&mut stripe);
                        return Err(not_available(&tag));
                    }
                    Wait::Block(_) => {}
                }
                let (completer, woken) = pending();
                let ticket = place.ticket.unwrap_or_else(|| self.tickets.fetch_add(1, Ordering::Relaxed));
                match queue.waiting.iter_mut().find(|waiter| waiter.ticket == ticket) {
                    Some(waiter) => (waiter.wake, waiter.strengthens) = (Some(completer), strengthens),
                    None => {
                        let wake = Some(completer);
                        queue.waiting.push_back(Waiter { ticket, owner: owner.id, mode, strengthens, wake });
                    }
                }
                place.ticket = Some(ticket);
                if !note_contention(&in_the_way.implicit, &tag) {
                    continue;
                }
                let (what, blockers) = (describe(&tag, mode), in_the_way.owners);
                self.waits.lock().insert(owner.id, Edge { pid: owner.pid, what, blockers });
                woken
            };
            if std::mem::take(&mut search) {
                self.check_deadlock(owner.id)?;
            }
            let now = self.env.clock.monotonic();
            let check_at = *deadlock_check.get_or_insert(Some(now + deadlock_timeout));
            let give_up_at = *deadline.get_or_insert(match wait {
                Wait::Block(limit) => limit.map(|limit| now + limit),
                _ => None,
            });
            let timer = match (check_at, give_up_at) {
                (Some(check), Some(give_up)) => Some(check.min(give_up)),
                (check, give_up) => check.or(give_up),
            };
            if first(woken, timer.map(|at| self.env.clock.sleep_until(at))).await {
                // Whoever is in the way now need not be who was: if it must wait on, it must search again.
                deadlock_check = deadlock_check.filter(Option::is_some);
                continue;
            }
            let now = self.env.clock.monotonic();
            if check_at.is_some_and(|at| now >= at) {
                // Behind one more look: others may be in the way than at the last one.
                (deadlock_check, search) = (Some(None), true);
            }
            if give_up_at.is_some_and(|at| now >= at) {
                return Err(Error::LockNotAvailable("canceling statement due to lock timeout".into()));
            }
        }
    }

    fn in_the_way(
        &self,
        queue: &Queue,
        owner: &Owner,
        tag: &LockTag,
        mode: Mode,
        strengthens: bool,
        ticket: Option<u64>,
    ) -> InTheWay {
        let conflicting = |holder: &&(u64, u16)| holder.0 != owner.id && holder.1 & mode.conflicts != 0;
        let mut owners: Vec<u64> = queue.holders.iter().filter(conflicting).map(|holder| holder.0).collect();
        let mut implicit = SmallVec::new();
        if let LockTag::Row(space, key) = tag {
            for writer in self.writers.read().iter().filter(|writer| writer.id != owner.id) {
                let strength = writer.write_set.lock().lock_on(*space, key);
                if strength.is_some_and(|strength| Mode::from(strength).bit & mode.conflicts != 0) {
                    owners.push(writer.id);
                    implicit.push(writer.clone());
                }
            }
        }
        // Whoever holds a part of it already must not queue behind those who wait for that part.
        if !strengthens {
            let ahead = queue.waiting.iter().take_while(|waiter| Some(waiter.ticket) != ticket);
            let conflicting = |waiter: &&Waiter| waiter.owner != owner.id && waiter.mode.bit & mode.conflicts != 0;
            owners.extend(ahead.filter(conflicting).map(|waiter| waiter.owner));
        }
        owners.sort_unstable();
        owners.dedup();
        InTheWay { owners, implicit }
    }

    fn check_deadlock(&self, from: u64) -> Result<()> {
        let waits = self.waits.lock();
        let mut path = vec![from];
        let mut visited = vec![from];
        if find_cycle(&waits, from, &mut path, &mut visited) {
            let mut lines = Vec::new();
            for (index, id) in path.iter().enumerate() {
                let next = path.get(index + 1).unwrap_or(&from);
                if let (Some(edge), Some(blocker)) = (waits.get(id), waits.get(next)) {
                    lines.push(format!(
                        "Process {} waits for {}; blocked by process {}.",
                        edge.pid, edge.what, blocker.pid
                    ));
                }
            }
            self.env.sometimes("txn: a deadlock was detected");
            return Err(Error::Deadlock { detail: lines.join("\n") });
        }
        Ok(())
    }

    /// How strong the row lock is that [`LockTable::drop_last`] would drop.
    pub(crate) fn last_strength(&self, owner: &Owner, command: CommandId, tag: &LockTag) -> Option<RowLockMode> {
        let log = owner.held.lock();
        let last = log.last().filter(|last| last.tag == *tag && last.command == Some(command));
        last.map(|last| RowLockMode::ALL[last.mode.trailing_zeros() as usize])
    }

    /// Drops the lock that the last successful [`LockTable::acquire`] of `owner` took anew, if it was on `tag` and for
    /// this statement: the key is in the write set now, or turned out not to be needed. What an earlier statement has
    /// locked stays: it may be stronger than the write, and outlives it when that is rolled back to a savepoint.
    pub(crate) fn drop_last(&self, owner: &Owner, command: CommandId, tag: &LockTag) {
        let held = {
            let mut log = owner.held.lock();
            match log.last() {
                Some(last) if last.tag == *tag && last.command == Some(command) => log.pop(),
                _ => None,
            }
        };
        if let Some(held) = held {
            self.restore(owner, held);
        }
    }

    /// Drops every explicit lock taken since `position`.
    pub(crate) fn release_to(&self, owner: &Owner, position: usize) {
        let released = {
            let mut log = owner.held.lock();
            let position = position.min(log.len());
            log.split_off(position)
        };
        for held in released.into_iter().rev() {
            self.restore(owner, held);
        }
    }

    fn restore(&self, owner: &Owner, held: Held) {
        let mut stripe = self.stripe(&held.tag).lock();
        if let Some(queue) = stripe.get_mut(&held.tag) {
            queue.set_held(owner.id, held.before);
            queue.wake();
            if queue.holders.is_empty() && queue.waiting.is_empty() {
                stripe.remove(&held.tag);
            }
        }
    }

    /// Wakes those who wait for keys that a rollback took out of the write set.
    pub(crate) fn wake_freed(&self, owner: &Owner, freed: &[(Space, Bytes)]) {
        if freed.is_empty() || owner.contended.lock().tags.is_empty() {
            return;
        }
        for (space, key) in freed {
            self.wake(&LockTag::Row(*space, key.clone()));
        }
    }

    fn wake(&self, tag: &LockTag) {
        if let Some(queue) = self.stripe(tag).lock().get_mut(tag) {
            queue.wake();
        }
    }

    /// Ends an owner: its write set is forgotten, its locks are released, its waiters woken. Its commit, if it had one,
    /// has been published.
    pub(crate) fn end(&self, owner: &Arc<Owner>) {
        let tags = {
            let mut contended = owner.contended.lock();
            contended.ended = true;
            owner.write_set.lock().clear();
            std::mem::take(&mut contended.tags)
        };
        self.writers.write().retain(|writer| writer.id != owner.id);
        for tag in tags {
            self.wake(&tag);
        }
        self.release_to(owner, 0);
    }

    /// Number of explicit lock entries, for tests and statistics.
    pub(crate) fn len(&self) -> usize {
        self.stripes.iter().map(|stripe| stripe.lock().len()).sum()
    }
}

/// Tells implicit holders that somebody waits. `false`: one of them holds the key no more, look again.
fn note_contention(implicit: &[Arc<Owner>], tag: &LockTag) -> bool {
    implicit.iter().all(|holder| {
        let mut contended = holder.contended.lock();
        let holds = !contended.ended && holder.has_written(tag);
        if holds {
            contended.tags.push(tag.clone());
        }
        holds
    })
}

/// A place in a queue; leaves it when dropped, however the wait ended.
struct Place<'a> {
    table: &'a LockTable,
    owner: u64,
    tag: &'a LockTag,
    ticket: Option<u64>,
}

impl Place<'_> {
    fn leave(&mut self, stripe: &mut HashMap<LockTag, Queue>) {
        let Some(queue) = stripe.get_mut(self.tag) else { return };
        if let Some(ticket) = self.ticket.take() {
            queue.waiting.retain(|waiter| waiter.ticket != ticket);
            self.table.waits.lock().remove(&self.owner);
            // The next in line may go now, beside a compatible holder or because this waiter stood in its way.
            queue.wake();
        }
        if queue.holders.is_empty() && queue.waiting.is_empty() {
            stripe.remove(self.tag);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            let mut stripe = self.table.stripe(self.tag).lock();
            self.leave(&mut stripe);
        }
    }
}

/// Whether modes held already exclude everything that `mode` would: then it adds nothing.
fn covers(held: u16, mode: Mode, tag: &LockTag) -> bool {
    match tag {
        // Row modes are totally ordered.
        LockTag::Row(..) => held >= mode.bit,
        LockTag::Table(_) => held & (1 << 7) != 0,
    }
}

fn describe(tag: &LockTag, mode: Mode) -> String {
    match tag {
        LockTag::Table(oid) => {
            const NAMES: [&str; 8] = [
                "AccessShareLock",
                "RowShareLock",
                "RowExclusiveLock",
                "ShareUpdateExclusiveLock",
                "ShareLock",
                "ShareRowExclusiveLock",
                "ExclusiveLock",
                "AccessExclusiveLock",
            ];
            format!("{} on relation {oid}", NAMES[mode.bit.trailing_zeros() as usize])
        }
        LockTag::Row(space, _) => format!("ShareLock on a row of storage {}", space.storage.0),
    }
}

fn not_available(tag: &LockTag) -> Error {
    Error::LockNotAvailable(match tag {
        LockTag::Table(oid) => format!("could not obtain lock on relation with OID {oid}"),
        LockTag::Row(..) => "could not obtain lock on row".into(),
    })
}

fn find_cycle(waits: &HashMap<u64, Edge>, from: u64, path: &mut Vec<u64>, visited: &mut Vec<u64>) -> bool {
    let at = *path.last().expect("the path starts with the waiter");
    let Some(edge) = waits.get(&at) else { return false };
    for &blocker in &edge.blockers {
        if blocker == from {
            return true;
        }
        if !visited.contains(&blocker) {
            visited.push(blocker);
            path.push(blocker);
            if find_cycle(waits, from, path, visited) {
                return true;
            }
            path.pop();
        }
    }
    false
}

/// Waits for `woken` or for the timer; whether it was the former.
async fn first(woken: Pending<()>, timer: Option<Pending<()>>) -> bool {
    let mut woken = woken;
    let Some(mut timer) = timer else {
        woken.await;
        return true;
    };
    std::future::poll_fn(|cx| {
        if std::pin::Pin::new(&mut woken).poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        std::pin::Pin::new(&mut timer).poll(cx).map(|()| false)
    })
    .await
}

#[cfg(test)]
mod tests {
    use helios_storage::Value;

    use super::*;
    use crate::write_set::OwnVersion;

    /// A holder that ended between the look that found it and the note that was to be left with it woke nobody, and the
    /// waiter slept on a free row until its deadlock timeout. It takes two threads to meet so, and the simulator has one.
    #[test]
    fn a_waiter_looks_again_when_a_holder_has_let_go_since_it_looked() {
        let locks = LockTable::new(Env::memory().expect("memory can be had"));
        let (space, key) = (Space::new(0, 1), Bytes::from_static(b"k"));
        let tag = LockTag::Row(space, key.clone());
        let waiter = Owner::new(1, 1);
        let look = || {
            let mode = RowLockMode::Update.into();
            locks.in_the_way(&Queue::default(), &waiter, &tag, mode, false, None)
        };
        let write = |holder: &Arc<Owner>| {
            let version = OwnVersion { command: CommandId(1), value: Value::Deleted, birth: None };
            holder.write_set.lock().push(space, key.clone(), version, true, RowLockMode::Update);
        };
        let holder = Owner::new(2, 2);
        locks.add_writer(&holder);
        write(&holder);
        let found = look();
        assert_eq!(found.owners, [2]);
        assert!(note_contention(&found.implicit, &tag), "it holds the key and will wake whoever left a note");
        holder.write_set.lock().rollback_to(0);
        assert!(!note_contention(&found.implicit, &tag), "it went back to before it wrote the key");
        write(&holder);
        let found = look();
        locks.end(&holder);
        assert!(!note_contention(&found.implicit, &tag), "it has ended");
        assert_eq!(look().owners, []);
    }
}
