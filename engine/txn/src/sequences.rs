//! Sequences: counters outside transactions.
//!
//! A sequence's value advances in shared memory. Storage holds, per sequence, the value up to which numbers are
//! *reserved*: [`RESERVE`] ahead, so that one record serves many calls. A reservation is an ordinary commit enqueued
//! before the first number of it is handed out, and the log is sequential: a transaction that used the number and
//! commits durably finds the reservation durable too. A crash loses at most the numbers reserved and not used, as
//! PostgreSQL's does.

use helios_env::hash::HashMap;
use helios_env::sync::{Arc, Mutex};
use helios_storage::{Durability, SequenceReservation, Storage, WriteBatch};

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
    counters: Arc<Mutex<HashMap<u64, Counter>>>,
}

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
        Sequences { storage, counters: Arc::default() }
    }

    /// The next number. `name` is for the error when there is none.
    pub fn next(&self, limits: &SequenceLimits, name: &str) -> Result<i64> {
        let mut counters = self.counters.lock();
        let counter = counters.entry(limits.state).or_insert_with(|| self.stored(limits));
        self.advance(counter, limits, name)
    }

    fn advance(&self, counter: &mut Counter, limits: &SequenceLimits, name: &str) -> Result<i64> {
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
            self.record(limits.state, reserved_to, true);
            counter.reserved = count;
        }
        counter.reserved -= 1;
        counter.last = Some(next);
        counter.pending = None;
        Ok(next)
    }

    /// `setval(seq, value, is_called)`. The caller has checked the limits.
    pub fn set(&self, limits: &SequenceLimits, value: i64, is_called: bool) {
        let mut counters = self.counters.lock();
        self.record(limits.state, value, is_called);
        let counter = if is_called {
            Counter { last: Some(value), pending: None, reserved: 0 }
        } else {
            Counter { last: None, pending: Some(value), reserved: 0 }
        };
        counters.insert(limits.state, counter);
    }

    /// `last_value` and `is_called`, as `SELECT * FROM seq` shows them.
    pub fn current(&self, limits: &SequenceLimits) -> (i64, bool) {
        let mut counters = self.counters.lock();
        let counter = counters.entry(limits.state).or_insert_with(|| self.stored(limits));
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

    /// Enqueues the reservation. It is not awaited: every later commit of the log waits for it.
    fn record(&self, state: u64, value: i64, is_called: bool) {
        let reservation = SequenceReservation { sequence_id: state, reserved_up_to: value, is_called };
        let batch = WriteBatch { sequences: vec![reservation], ..WriteBatch::default() };
        let _enqueued = self.storage.enqueue_commit(batch, Durability::Async);
    }
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
