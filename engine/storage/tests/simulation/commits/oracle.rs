//! What is known of every transaction, and what must follow from it.

use std::collections::BTreeMap;

use bytes::Bytes;
use helios_sim::{FaultKind, Handle, Stats, Violation};
use helios_storage::{CommitTs, Durability};

/// Transactions that happened, by timestamp.
pub(super) type Happened = BTreeMap<CommitTs, u64>;

/// What is known of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Enqueued; nobody knows.
    Unknown,
    /// Acknowledged with this timestamp, durable or not.
    Acknowledged(CommitTs, Durability),
    /// Seen by a recovery, or refused: so it is for good.
    Happened(CommitTs),
    Never,
}

#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// Key, and the length of the value's padding; `None` deletes.
    pub(super) writes: BTreeMap<u8, Option<usize>>,
    pub(super) sequence: u64,
    pub(super) outcome: Outcome,
    /// When it was enqueued and when its client was told, by the oracle's clock.
    begun: u64,
    told: u64,
}

impl Attempt {
    pub(super) fn value(id: u64, padding: usize) -> Bytes {
        [&id.to_be_bytes()[..], &vec![id as u8; padding]].concat().into()
    }

    /// Whether it fills a space of its own.
    pub(super) fn fills_scratch(id: u64) -> bool {
        id.is_multiple_of(8)
    }

    /// The transaction whose space it drops.
    pub(super) fn drops_scratch_of(id: u64) -> Option<u64> {
        if Attempt::fills_scratch(id) { id.checked_sub(80) } else { None }
    }
}

/// Rows as transactions leave them, and sequences.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) rows: BTreeMap<Bytes, (CommitTs, Bytes)>,
    pub(super) sequences: BTreeMap<u64, i64>,
    /// Spaces that were filled and not dropped, by the transaction that filled them.
    pub(super) scratch: BTreeMap<u64, CommitTs>,
}

/// How much of the log's end a disk that rots may take back. Damage to the last batch of the log cannot be told from a
/// torn write, but a batch that was begun after another was acknowledged states that that one is durable: for each
/// further one that is gone, another batch must have been damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excuse {
    /// The disk is honest.
    None,
    /// As many damages as happened, of one sector each.
    Damages(u64),
    /// A write or a read went to another place: any number of sectors at once.
    Anything,
}

impl Excuse {
    /// What the damage that the world has done so far excuses.
    pub(super) fn of(disk_rots: bool, world: &Handle) -> Excuse {
        let counts = world.fault_counts();
        let fired = |kinds: &[FaultKind]| kinds.iter().map(|kind| counts.of(*kind)).sum::<u64>();
        if !disk_rots {
            Excuse::None
        } else if fired(&[FaultKind::MisdirectedWrite, FaultKind::MisdirectedRead]) > 0 {
            Excuse::Anything
        } else {
            Excuse::Damages(fired(&[FaultKind::BitRot, FaultKind::TransitRot, FaultKind::LatentSector]))
        }
    }
}

#[derive(Default)]
pub(super) struct Oracle {
    pub(super) attempts: Vec<Attempt>,
    pub(super) stats: Stats,
    /// The disk may rot.
    pub(super) disk_rots: bool,
    /// The world's faults entitle the storage to refuse everything until it is opened again.
    pub(super) may_stop: bool,
    clock: u64,
    /// Batches that recoveries have taken for torn writes, over the whole life: as damages are counted.
    batches_taken_back: u64,
}

impl Oracle {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// A transaction is about to be enqueued; its number.
    pub(super) fn begin(&mut self, writes: BTreeMap<u8, Option<usize>>, sequence: u64) -> u64 {
        let begun = self.tick();
        self.attempts.push(Attempt { writes, sequence, outcome: Outcome::Unknown, begun, told: u64::MAX });
        self.attempts.len() as u64 - 1
    }

    /// A client was told what became of its transaction.
    pub(super) fn settle(&mut self, id: u64, outcome: Outcome) {
        let told = self.tick();
        let attempt = &mut self.attempts[id as usize];
        (attempt.outcome, attempt.told) = (outcome, told);
        self.stats.commits += u64::from(matches!(outcome, Outcome::Acknowledged(..)));
    }

    /// What the transactions `happened`, by timestamp, leave behind.
    pub(super) fn contents(&self, happened: &Happened) -> Contents {
        let mut contents = Contents::default();
        for (&commit_ts, &id) in happened {
            let attempt = &self.attempts[id as usize];
            for (key, padding) in &attempt.writes {
                let key = Bytes::copy_from_slice(&[*key]);
                match padding {
                    Some(padding) => contents.rows.insert(key, (commit_ts, Attempt::value(id, *padding))),
                    None => contents.rows.remove(&key),
                };
            }
            contents.sequences.insert(attempt.sequence, id as i64);
            if Attempt::fills_scratch(id) {
                contents.scratch.insert(id, commit_ts);
            }
            if let Some(dropped) = Attempt::drops_scratch_of(id) {
                contents.scratch.remove(&dropped);
            }
        }
        contents
    }

    /// Commits are in the order in which they were enqueued, and nobody sees what was refused.
    pub(super) fn check_order(&self, happened: &Happened) -> Result<(), Violation> {
        let ids: Vec<u64> = happened.values().copied().collect();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] >= pair[1]) {
            let [first, second] = pair else { unreachable!("windows of two") };
            return Err(Violation::new(format!("transaction {first} is before {second}, which was enqueued earlier")));
        }
        match ids.iter().find(|id| self.attempts[**id as usize].outcome == Outcome::Never) {
            Some(id) => Err(Violation::new(format!("transaction {id} did not happen, and is seen"))),
            None => Ok(()),
        }
    }

    /// Judges what a recovery shows, and takes it as the truth from here on.
    pub(super) fn judge(&mut self, happened: &Happened, excuse: Excuse) -> Result<(), Violation> {
        let newest = happened.keys().next_back().copied().unwrap_or_default();
        let by_id: BTreeMap<u64, CommitTs> = happened.iter().map(|(&ts, &id)| (id, ts)).collect();
        let mut taken_back = Vec::new();
        for (id, attempt) in self.attempts.iter_mut().enumerate() {
            let found = by_id.get(&(id as u64)).copied();
            let is_right = match (attempt.outcome, found) {
                (Outcome::Unknown, _) | (Outcome::Never, None) => true,
                (Outcome::Never, Some(_)) => false,
                (Outcome::Happened(ts) | Outcome::Acknowledged(ts, _), Some(found)) => ts == found,
                // Its segment's header says that it is durable.
                (Outcome::Happened(ts), None) => excuse == Excuse::Anything && ts > newest,
                (Outcome::Acknowledged(ts, Durability::Sync), None) => {
                    taken_back.push((attempt.begun, attempt.told));
                    excuse != Excuse::None && ts > newest
                }
                // Lost: allowed only if nothing behind it is there.
                (Outcome::Acknowledged(ts, Durability::Async), None) => ts > newest,
            };
            if !is_right {
                let outcome = attempt.outcome;
                return Err(Violation::new(format!(
                    "transaction {id} is {outcome:?}, recovery shows {found:?} of {newest} commits"
                )));
            }
            attempt.outcome = found.map_or(Outcome::Never, Outcome::Happened);
        }
        self.stats.checks += 1;
        self.batches_taken_back += one_after_another(taken_back);
        let batches = self.batches_taken_back;
        match excuse {
            Excuse::Damages(damages) if batches > damages => Err(Violation::new(format!(
                "{batches} batches at the log's end were taken for torn writes, and {damages} damages have happened"
            ))),
            _ => Ok(()),
        }
    }
}

/// The greatest number among these spans of time of which each begins after the one before has ended.
fn one_after_another(mut spans: Vec<(u64, u64)>) -> u64 {
    spans.sort_unstable_by_key(|(_, end)| *end);
    let (mut count, mut last) = (0, 0);
    for (begin, end) in spans {
        if begin > last {
            (count, last) = (count + 1, end);
        }
    }
    count
}
