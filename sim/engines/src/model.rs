//! What an engine has promised so far: the states that it may show.
//!
//! ```text
//!    s3        s4        s5        s6
//!    │         │         │         └ under way: asked for, not acknowledged
//!    │         │         └ acknowledged: what reads show
//!    │         └ acknowledged, but may still be taken back by a crash
//!    └ lasts: nothing before it may ever be seen again
//! ```
//!
//! An opening after a crash must show exactly one of these, whole. Where transactions last at once the list has one
//! entry, or two while one is under way.

use std::collections::BTreeMap;
use std::sync::Arc;

use helios_sim::Violation;

use crate::engine::{Lasting, Write};

/// The bytes of a value are made from a number that no other value has, and so tell where they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) stamp: u32,
    /// In bytes; at least four.
    pub(crate) len: u32,
}

impl Value {
    pub(crate) fn bytes(self) -> Vec<u8> {
        let words = (0..self.len.div_ceil(4)).flat_map(|i| Value::word(self.stamp, i).to_le_bytes());
        words.take(self.len as usize).collect()
    }

    fn word(stamp: u32, index: u32) -> u32 {
        stamp ^ index.wrapping_mul(0x9e37_79b9)
    }

    /// The value that has these bytes, if any has.
    fn of(bytes: &[u8]) -> Option<Value> {
        let stamp = u32::from_le_bytes(bytes.first_chunk().copied()?);
        let is_whole =
            bytes.chunks(4).zip(0..).all(|(chunk, i)| chunk == &Value::word(stamp, i).to_le_bytes()[..chunk.len()]);
        is_whole.then_some(Value { stamp, len: bytes.len() as u32 })
    }
}

/// All rows at one moment.
pub(crate) type Rows = BTreeMap<u16, Value>;

/// A transaction, as the model sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transaction {
    pub(crate) changes: Vec<(u16, Option<Value>)>,
    /// Asks for the engine's durable commit.
    pub(crate) durable: bool,
}

impl Transaction {
    pub(crate) fn writes(&self) -> Vec<Write> {
        self.changes.iter().map(|(key, value)| (*key, value.map(Value::bytes))).collect()
    }

    fn after(&self, rows: &Rows) -> Rows {
        let mut rows = rows.clone();
        for (key, value) in &self.changes {
            match value {
                Some(value) => rows.insert(*key, *value),
                None => rows.remove(key),
            };
        }
        rows
    }
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub(crate) struct Promised {
    /// Oldest first; never empty.
    states: Vec<Arc<Rows>>,
    /// The last of them was asked for and not acknowledged.
    under_way: bool,
    /// What one opening has shown stays.
    keeps_what_it_shows: bool,
    /// The disk damages what it holds: any state that ever was may come back, but none that never was.
    disk_rots: bool,
}

impl Promised {
    pub(crate) fn new(keeps_what_it_shows: bool, disk_rots: bool) -> Promised {
        Promised { states: vec![Arc::default()], under_way: false, keeps_what_it_shows, disk_rots }
    }

    /// What reads show while the database stays open.
    pub(crate) fn rows(&self) -> &Rows {
        self.states.last().expect("there is always a state")
    }

    /// A transaction is asked for.
    pub(crate) fn ask(&mut self, transaction: &Transaction) {
        assert!(!self.under_way, "one transaction at a time, and an opening after one that failed");
        self.states.push(Arc::new(transaction.after(self.rows())));
        self.under_way = true;
    }

    /// It was acknowledged.
    pub(crate) fn acknowledge(&mut self, lasting: Lasting) {
        assert!(self.under_way, "what is acknowledged was asked for");
        self.under_way = false;
        let gone = match lasting {
            Lasting::AtOnce => self.states.len() - 1,
            // One that changes nothing writes nothing, and so is not the next.
            Lasting::AfterTheNext => self.states.iter().rposition(|rows| **rows != *self.rows()).unwrap_or(0),
            Lasting::AfterTheNextThatLasts => 0,
        };
        if !self.disk_rots {
            self.states.drain(..gone);
        }
    }

    /// Judges what an opening shows, and takes it as the truth from here on.
    pub(crate) fn judge(&mut self, found: &BTreeMap<u16, Vec<u8>>) -> Result<(), Violation> {
        let found = rows_of(found)?;
        let Some(shown) = self.states.iter().rposition(|rows| **rows == found) else {
            let what = if self.under_way { "acknowledged or under way" } else { "acknowledged" };
            let mut violation = Violation::new(format!(
                "the database shows rows that are none of the {} states {what}: {}",
                self.states.len(),
                difference(self.rows(), &found)
            ));
            for rows in self.states.iter().rev().take(3) {
                violation = violation.with(format!("allowed {rows:?}"));
            }
            return Err(violation.with(format!("found   {found:?}")));
        };
        self.under_way = false;
        if self.disk_rots {
            // Whatever else there was may show again when the disk heals.
            let shown = self.states.remove(shown);
            self.states.push(shown);
        } else {
            self.states.truncate(shown + 1);
            if self.keeps_what_it_shows {
                self.states.drain(..shown);
            }
        }
        Ok(())
    }

    /// Judges what an open database shows.
    pub(crate) fn judge_open(&self, found: &BTreeMap<u16, Vec<u8>>) -> Result<(), Violation> {
        let found = rows_of(found)?;
        if found == *self.rows() {
            return Ok(());
        }
        Err(Violation::new(format!("a scan differs from what was committed: {}", difference(self.rows(), &found))))
    }

    /// Judges one read.
    pub(crate) fn judge_get(&self, key: u16, found: Option<&[u8]>) -> Result<(), Violation> {
        let expected = self.rows().get(&key).copied();
        if found.map(Value::of) == expected.map(Some) {
            return Ok(());
        }
        let found = found.map(|bytes| (bytes.len(), Value::of(bytes)));
        Err(Violation::new(format!("key {key} reads as {found:?}, committed was {expected:?}")))
    }
}

fn rows_of(found: &BTreeMap<u16, Vec<u8>>) -> Result<Rows, Violation> {
    let row = |(key, bytes): (&u16, &Vec<u8>)| match Value::of(bytes) {
        Some(value) => Ok((*key, value)),
        None => Err(Violation::new(format!("key {key} has {} bytes that were never written", bytes.len()))),
    };
    found.iter().map(row).collect()
}

/// The first row that differs.
fn difference(expected: &Rows, found: &Rows) -> String {
    let mut keys: Vec<u16> = expected.keys().chain(found.keys()).copied().collect();
    keys.sort_unstable();
    let differing: Vec<u16> = keys.into_iter().filter(|key| expected.get(key) != found.get(key)).collect();
    let Some(key) = differing.first() else { return "no difference".to_owned() };
    let (expected, found) = (expected.get(key), found.get(key));
    format!("key {key} is {found:?} instead of {expected:?}, as the first of {}", differing.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: u16, stamp: u32) -> Transaction {
        Transaction { changes: vec![(key, Some(Value { stamp, len: 10 }))], durable: true }
    }

    fn shown(rows: &[(u16, u32)]) -> BTreeMap<u16, Vec<u8>> {
        rows.iter().map(|(key, stamp)| (*key, Value { stamp: *stamp, len: 10 }.bytes())).collect()
    }

    /// These rows are none of the states that may be shown; how many there are of those.
    fn none_of(promised: &mut Promised, rows: &[(u16, u32)]) -> usize {
        let states = promised.states.len();
        let message = promised.judge(&shown(rows)).expect_err("no state has these rows").message;
        assert!(message.contains(&format!("none of the {states} states")), "{message}");
        states
    }

    #[test]
    fn a_value_is_known_by_its_bytes() {
        for len in [4, 5, 11, 5_000] {
            let value = Value { stamp: 77, len };
            let mut bytes = value.bytes();
            assert_eq!((bytes.len() as u32, Value::of(&bytes)), (len, Some(value)));
            *bytes.last_mut().expect("it is not empty") ^= 1;
            assert!(len == 4 || Value::of(&bytes).is_none());
        }
        assert_eq!(Value::of(b"abc"), None);
    }

    #[test]
    fn what_lasts_is_never_missing_and_what_is_under_way_is_whole_or_not_at_all() {
        let mut promised = Promised::new(true, false);
        promised.ask(&put(1, 1));
        promised.acknowledge(Lasting::AtOnce);
        promised.ask(&put(2, 2));
        for (rows, is_right) in
            [(&[][..], false), (&[(1, 1)], true), (&[(1, 1), (2, 2)], true), (&[(2, 2)], false), (&[(1, 9)], false)]
        {
            assert_eq!(promised.clone().judge(&shown(rows)).is_ok(), is_right, "{rows:?}");
        }
        // What was shown stays, either way.
        promised.judge(&shown(&[(1, 1)])).expect("it is one of the two");
        assert_eq!(none_of(&mut promised, &[(1, 1), (2, 2)]), 1);
    }

    /// SQLite with a rollback journal answers a deletion of what is not there without touching the disk, and may still take
    /// back the commit before it.
    #[test]
    fn a_transaction_that_changes_nothing_makes_nothing_last() {
        let mut promised = Promised::new(false, false);
        let nothing = Transaction { changes: vec![(7, None)], durable: true };
        for transaction in [put(1, 1), put(2, 2), nothing.clone(), nothing] {
            promised.ask(&transaction);
            promised.acknowledge(Lasting::AfterTheNext);
        }
        promised.clone().judge(&shown(&[(1, 1)])).expect("the second is the last that changed anything");
        assert_eq!(none_of(&mut promised, &[]), 4);
    }

    #[test]
    fn what_does_not_last_goes_from_the_end() {
        let mut promised = Promised::new(false, false);
        for stamp in 1..=4 {
            promised.ask(&put(stamp as u16, stamp));
            promised.acknowledge(Lasting::AfterTheNext);
        }
        promised.clone().judge(&shown(&[(1, 1), (2, 2), (3, 3), (4, 4)])).expect("all of them");
        promised.clone().judge(&shown(&[(1, 1), (2, 2), (3, 3)])).expect("all but the last");
        assert_eq!(none_of(&mut promised.clone(), &[(1, 1), (2, 2)]), 2);
        assert_eq!(none_of(&mut promised, &[(1, 1), (2, 2), (4, 4)]), 2);
    }
}
