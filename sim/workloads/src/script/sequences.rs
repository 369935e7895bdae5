//! How far sequences have got, and how far they may have got after a crash.
//!
//! A sequence is no part of a transaction, in PostgreSQL and here: its numbers are reserved in the log some at a time, and
//! a crash may lose those that were reserved and not given. What must not happen is that a number is given twice. So the
//! next number after a crash is at least the one that was next when the last commit that can know of it was acknowledged
//! (one of the same transaction that drew the number, or any later one that wrote), and lies at most a reservation ahead of
//! what was next at the end.

use helios_sim::Violation;
use heliosdb::Database;

/// Of 32 numbers that are reserved at once (PostgreSQL's SEQ_LOG_VALS, and ours) one is given at least.
const LOST_MAX: i128 = 31;

/// A sequence at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SequenceState {
    /// Its name.
    name: String,
    /// Identity of its value: RESTART makes another one.
    state: u64,
    increment: i64,
    min: i64,
    max: i64,
    cycle: bool,
    last_value: i64,
    is_called: bool,
}

impl SequenceState {
    /// Every committed sequence, in the order of the catalog.
    pub(super) fn all(database: &Database) -> Vec<SequenceState> {
        let catalog = database.catalog();
        let state = |sequence: &std::sync::Arc<helios_catalog::model::Sequence>| {
            let (last_value, is_called) = database.sequence_value(sequence.oid)?;
            Some(SequenceState {
                name: sequence.name.clone(),
                state: sequence.state,
                increment: sequence.increment,
                min: sequence.min,
                max: sequence.max,
                cycle: sequence.cycle,
                last_value,
                is_called,
            })
        };
        catalog.sequences().filter_map(state).collect()
    }

    fn next(&self) -> i128 {
        i128::from(self.last_value) + if self.is_called { i128::from(self.increment) } else { 0 }
    }

    /// Whether a recovery may show the sequence like this. `before`: what it was like at each moment that the recovery may
    /// have brought back, and on the way from one to the next; `ever`: all moments that there were.
    pub(super) fn judge<'a>(
        &self,
        before: impl Iterator<Item = &'a SequenceState>,
        ever: impl Iterator<Item = &'a SequenceState>,
    ) -> Result<(), Violation> {
        if self.last_value < self.min || self.last_value > self.max {
            return Err(Violation::new(format!("a sequence is out of its bounds: {self:?}")));
        }
        let known: Vec<i128> = before.filter(|other| other.state == self.state).map(SequenceState::next).collect();
        let (Some(least), Some(most)) = (known.iter().min(), known.iter().max()) else { return Ok(()) };
        // ALTER SEQUENCE may have changed the steps since the reservation.
        let (mut down, mut up) = (0, 0);
        for increment in ever.filter(|other| other.state == self.state).map(|other| i128::from(other.increment)) {
            (down, up) = (down.min(increment), up.max(increment));
        }
        let (from, to) = (least + down * LOST_MAX, most + up * LOST_MAX);
        if self.cycle || (from..=to).contains(&self.next()) {
            return Ok(());
        }
        let violation = Violation::new(format!("the next number of sequence \"{}\" is {}", self.name, self.next()));
        Err(violation.with(format!("it must be one from {from} to {to}")))
    }
}
