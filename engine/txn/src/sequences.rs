//! Sequences: counters outside transactions.
//!
//! A sequence's value advances in shared memory. Storage holds, per sequence, the value up to which numbers are
//! *reserved*: [`RESERVE`] ahead, so that one record serves many calls. A reservation is an ordinary commit enqueued
//! before the first number of it is handed out. Nobody waits for it, and it may fail alone: a full disk voids one batch
//! of the log and takes the next. So a reservation is *owed* until a commit that carried it is durable (one that is
//! acknowledged before its sync settles nothing): every
//! transaction carries what is owed in its own record, and one that used a number and commits finds it reserved, also
//! when using it was all that it did: its client may have written the number down elsewhere. A crash loses at most the
//! numbers reserved and not used, as PostgreSQL's does.

use std::collections::BTreeMap;

use helios_env::hash::HashMap;
use helios_env::sync::{Arc, Mutex};
use helios_storage::{Committing, Durability, SequenceReservation, Storage, WriteBatch};

use crate::error::{Error, Result};

/// Numbers reserved by one log record (PostgreSQL's SEQ_LOG_VALS).
const RESERVE: i64 = 32;

/// What a sequence may yield.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceLimits {
    /// Identity of its value: another one starts afresh.
    pub state: u64,
    /// The first number.
    pub first: i64,
    /// Distance between numbers; negative ones descend.
    pub increment: i64,
    /// Least number.
    pub min: i64,
    /// Greatest number.
    pub max: i64,
    /// Start again at the other end when exhausted.
    pub cycle: bool,
}

/// The values of all sequences. Cheap to clone.
#[derive(Clone)]
pub struct Sequences {
    storage: Storage,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    counters: HashMap<u64, Counter>,
    /// Reservations that no commit is known to have carried, by state.
    owed: Owed,
}

type Owed = BTreeMap<u64, SequenceReservation>;

#[derive(Clone, Copy, Debug)]
struct Counter {
    /// Last number handed out, if any was.
    last: Option<i64>,
    /// The next number, where it does not follow from the last one.
    pending: Option<i64>,
    /// Numbers that may still be handed out without a new reservation.
    reserved: i64,
}

impl Sequences {
    pub(crate) fn new(storage: Storage) -> Sequences {
        Sequences { storage, state: Arc::default() }
    }

    /// The next number. `name` is for the error when there is none.
    pub fn next(&self, limits: &SequenceLimits, name: &str) -> Result<i64> {
        let mut state = self.state.lock();
        let State { counters, owed } = &mut *state;
        let counter = counters.entry(limits.state).or_insert_with(|| self.stored(limits));
        self.advance(counter, owed, limits, name)
    }

    fn advance(&self, counter: &mut Counter, owed: &mut Owed, limits: &SequenceLimits, name: &str) -> Result<i64> {
        let next = counter.following(limits).ok_or_else(|| exhausted(limits, name))?;
        if counter.reserved == 0 {
            // Reserve the numbers up to and including the last of the run that begins with `next`.
            let mut reserved_to = next;
            let mut count = 1;
            while count < RESERVE {
                match reserved_to.checked_add(limits.increment) {
                    Some(further) if (limits.min..=limits.max).contains(&further) => reserved_to = further,
                    _ => break,
                }
                count += 1;
            }
            self.record(owed, limits.state, reserved_to, true);
            counter.reserved = count;
        }
        counter.reserved -= 1;
        counter.last = Some(next);
        counter.pending = None;
        Ok(next)
    }

    /// `setval(seq, value, is_called)`. The caller has checked the limits.
    pub fn set(&self, limits: &SequenceLimits, value: i64, is_called: bool) {
        let mut state = self.state.lock();
        self.record(&mut state.owed, limits.state, value, is_called);
        let counter = if is_called {
            Counter { last: Some(value), pending: None, reserved: 0 }
        } else {
            Counter { last: None, pending: Some(value), reserved: 0 }
        };
        state.counters.insert(limits.state, counter);
    }

    /// `last_value` and `is_called`, as `SELECT * FROM seq` shows them.
    pub fn current(&self, limits: &SequenceLimits) -> (i64, bool) {
        let mut state = self.state.lock();
        let counter = state.counters.entry(limits.state).or_insert_with(|| self.stored(limits));
        match (counter.pending, counter.last) {
            (Some(next), _) => (next, false),
            (None, Some(last)) => (last, true),
            (None, None) => (limits.first, false),
        }
    }

    fn stored(&self, limits: &SequenceLimits) -> Counter {
        match self.storage.sequence(limits.state) {
            None => Counter { last: None, pending: Some(limits.first), reserved: 0 },
            Some(stored) if stored.is_called => {
                Counter { last: Some(stored.reserved_up_to), pending: None, reserved: 0 }
            }
            Some(stored) => Counter { last: None, pending: Some(stored.reserved_up_to), reserved: 0 },
        }
    }

    /// Enqueues the reservation, which is owed from here on. It is not awaited.
    fn record(&self, owed: &mut Owed, state: u64, value: i64, is_called: bool) {
        let reservation = SequenceReservation { sequence_id: state, reserved_up_to: value, is_called };
        owed.insert(state, reservation);
        let batch = WriteBatch { sequences: vec![reservation], ..WriteBatch::default() };
        let _enqueued = self.storage.enqueue_commit(batch, Durability::Async);
    }

    /// Enqueues a transaction's batch with everything that is owed. While the lock is held no newer reservation can come
    /// before it in the log.
    pub(crate) fn enqueue(&self, mut batch: WriteBatch, durability: Durability) -> (Committing, Carried) {
        let state = self.state.lock();
        let dropped = batch.dropped_sequences.clone();
        let reservations: Vec<SequenceReservation> =
            state.owed.values().filter(|owed| !dropped.contains(&owed.sequence_id)).copied().collect();
        batch.sequences.extend_from_slice(&reservations);
        (self.storage.enqueue_commit(batch, durability), Carried { reservations, dropped })
    }

    /// Whether there are reservations that no durable commit is known to have carried.
    pub(crate) fn owe(&self) -> bool {
        !self.state.lock().owed.is_empty()
    }

    /// A commit has succeeded: what it carried is owed no longer if it is durable, and what it dropped in any case.
    pub(crate) fn settle(&self, carried: &Carried, durability: Durability) {
        if carried.reservations.is_empty() && carried.dropped.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        let durable = carried.reservations.iter().filter(|_| durability == Durability::Sync);
        for reservation in durable {
            if state.owed.get(&reservation.sequence_id) == Some(reservation) {
                state.owed.remove(&reservation.sequence_id);
            }
        }
        for dropped in &carried.dropped {
            state.owed.remove(dropped);
        }
    }
}

/// What a commit carries for sequences.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    reservations: Vec<SequenceReservation>,
    dropped: Vec<u64>,
}

impl Counter {
    fn following(&self, limits: &SequenceLimits) -> Option<i64> {
        let Some(last) = self.last.filter(|_| self.pending.is_none()) else {
            return Some(self.pending.unwrap_or(limits.first));
        };
        match last.checked_add(limits.increment) {
            Some(next) if (limits.min..=limits.max).contains(&next) => Some(next),
            _ if limits.cycle => Some(if limits.increment > 0 { limits.min } else { limits.max }),
            _ => None,
        }
    }
}

fn exhausted(limits: &SequenceLimits, name: &str) -> Error {
    let (which, bound) = if limits.increment > 0 { ("maximum", limits.max) } else { ("minimum", limits.min) };
    Error::SequenceExhausted(format!("nextval: reached {which} value of sequence \"{name}\" ({bound})"))
}

#[cfg(test)]
mod tests {
    use helios_env::Env;
    use helios_storage::Options;

    use super::*;

    /// A full disk can void the reservation's own record and take the next one: a commit that relied on it would leave
    /// numbers behind that are handed out again after a restart.
    #[test]
    fn a_reservation_is_carried_by_every_commit_until_one_is_durable() {
        let env = Env::memory().expect("memory can be had");
        let opened = env.clone();
        let (storage, _) =
            env.block_on(async move { Storage::open(opened, Options::default()).await }).expect("it opens");
        let sequences = Sequences::new(storage);
        let limits = SequenceLimits { state: 7, first: 1, increment: 1, min: 1, max: 100, cycle: false };
        assert_eq!(sequences.next(&limits, "s").expect("there are numbers"), 1);
        let (_, first) = sequences.enqueue(WriteBatch::default(), Durability::Sync);
        let (_, second) = sequences.enqueue(WriteBatch::default(), Durability::Sync);
        let expected = SequenceReservation { sequence_id: 7, reserved_up_to: 32, is_called: true };
        assert_eq!((&first.reservations[..], &second.reservations[..]), (&[expected][..], &[expected][..]));
        sequences.settle(&first, Durability::Async);
        let (_, third) = sequences.enqueue(WriteBatch::default(), Durability::Sync);
        assert_eq!(third.reservations, [expected]);
        sequences.settle(&second, Durability::Sync);
        let (_, fourth) = sequences.enqueue(WriteBatch::default(), Durability::Sync);
        assert_eq!(fourth.reservations, []);
    }
}
