//! What is known of every transaction, and what follows from it.
//!
//! A transaction writes a row into `markers` beside whatever else it does. Which markers there are says which transactions
//! happened; the timestamps under which the store holds them say in what order. What a transaction changes is noted as
//! RETURNING reported it, before its COMMIT is sent: every row carries the stamp of the statement that wrote it, and that
//! of the one before. So the table is what the changes of the transactions that happened leave behind, one after the other,
//! and every change must follow from what the one before it left: an update that overwrites what it has not seen does not
//! fit.

use std::collections::BTreeMap;
use std::sync::Arc;

use helios_sim::{Stats, Violation};
use helios_storage::{CommitTs, Durability};

use super::statements::Write;

/// A row of `items` without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) grp: i64,
    pub(super) code: Option<i64>,
    pub(super) value: i64,
    pub(super) note: String,
    /// The stamp of the statement that wrote it.
    pub(super) writer: i64,
}

/// The table `items`.
pub(super) type Items = BTreeMap<i64, Image>;

/// What a statement knows of the row that it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing.
    Unseen,
    /// There was no row.
    Absent,
    /// It was written by the statement with this stamp.
    WrittenBy(i64),
    /// All of it.
    Was(Image),
}

/// What a statement did to one key.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) id: i64,
    pub(super) before: Before,
    pub(super) after: Option<Image>,
    pub(super) write: Arc<Write>,
}

impl Change {
    /// Makes the change; an error if it does not follow from what the row is.
    pub(super) fn apply(&self, items: &mut Items) -> Result<(), String> {
        let found = match &self.after {
            Some(image) => items.insert(self.id, image.clone()),
            None => items.remove(&self.id),
        };
        let Change { id, before, after, write } = self;
        let fits = match (before, &found) {
            (Before::Unseen, _) | (Before::Absent, None) => true,
            (Before::WrittenBy(writer), Some(found)) => *writer == found.writer,
            (Before::Was(before), Some(found)) => before == found,
            _ => false,
        };
        if !fits {
            return Err(format!("{write:?} changed row {id} from {before:?}, but the row was {found:?}"));
        }
        if !write.explains(*id, found.as_ref(), after.as_ref()) {
            return Err(format!("{write:?} made of row {id}, {found:?}, this: {after:?}"));
        }
        Ok(())
    }
}

/// What is known of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// COMMIT was sent; nobody knows.
    Unknown,
    /// Acknowledged, durable or not, at this timestamp if there was time to ask for it.
    Acknowledged(Durability, Option<CommitTs>),
    /// Seen by a recovery.
    Happened(CommitTs),
    /// Rolled back, refused, or not seen by a recovery: so it is for good.
    Never,
}

/// One transaction.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) changes: Vec<Change>,
    pub(super) outcome: Outcome,
}

/// See the [module](self).
#[derive(Default)]
pub(super) struct Oracle {
    pub(super) attempts: Vec<Attempt>,
    pub(super) stats: Stats,
    stamps: i64,
    /// The disk may rot: acknowledged commits at the very end may be taken for a torn write.
    pub(super) disk_rots: bool,
}

/// Transactions by the order of their commits.
pub(super) type Happened = BTreeMap<CommitTs, i64>;

impl Oracle {
    /// A transaction begins; its marker.
    pub(super) fn begin(&mut self) -> i64 {
        self.attempts.push(Attempt { changes: Vec::new(), outcome: Outcome::Never });
        self.attempts.len() as i64 - 1
    }

    /// What tells a statement that writes from all others.
    pub(super) fn stamp(&mut self) -> i64 {
        self.stamps += 1;
        self.stamps
    }

    pub(super) fn attempt(&mut self, id: i64) -> &mut Attempt {
        &mut self.attempts[id as usize]
    }

    /// What the transactions that happened leave behind.
    pub(super) fn contents(&self, happened: &Happened) -> Result<Items, Violation> {
        let mut items = Items::new();
        for (&commit_ts, &id) in happened {
            let attempt = self.attempts.get(id as usize);
            let attempt = attempt.ok_or_else(|| Violation::new(format!("marker {id} is nobody's")))?;
            for change in &attempt.changes {
                change.apply(&mut items).map_err(|what| {
                    Violation::new(format!("transaction {id}, {commit_ts}, does not follow from those before it"))
                        .with(what)
                })?;
            }
        }
        Ok(items)
    }

    /// Judges what a recovery shows, and takes it as the truth from here on.
    pub(super) fn judge(&mut self, happened: &Happened) -> Result<(), Violation> {
        let newest = happened.keys().next_back().copied().unwrap_or_default();
        let by_id: BTreeMap<i64, CommitTs> = happened.iter().map(|(&ts, &id)| (id, ts)).collect();
        for (id, attempt) in self.attempts.iter_mut().enumerate() {
            let found = by_id.get(&(id as i64)).copied();
            let is_right = match (attempt.outcome, found) {
                (Outcome::Unknown, _) | (Outcome::Never, None) | (Outcome::Acknowledged(_, None), Some(_)) => true,
                (Outcome::Never, Some(_)) => false,
                (Outcome::Happened(ts) | Outcome::Acknowledged(_, Some(ts)), Some(found)) => ts == found,
                (Outcome::Happened(ts) | Outcome::Acknowledged(Durability::Sync, Some(ts)), None) => {
                    self.disk_rots && ts > newest
                }
                (Outcome::Acknowledged(Durability::Sync, None), None) => self.disk_rots,
                // Lost: allowed only if nothing behind it is there.
                (Outcome::Acknowledged(Durability::Async, ts), None) => ts.is_none_or(|ts| ts > newest),
            };
            if !is_right {
                let outcome = attempt.outcome;
                return Err(Violation::new(format!(
                    "transaction {id} is {outcome:?}, recovery shows {found:?} with {newest} as the newest"
                ))
                .with(format!("its changes: {:?}", attempt.changes)));
            }
            attempt.outcome = found.map_or(Outcome::Never, Outcome::Happened);
        }
        self.stats.checks += 1;
        Ok(())
    }
}
