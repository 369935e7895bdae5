//! What clients were told, against what the database shows.
//!
//! Everything that a client writes is a *group*: a few rows that one transaction inserts, all of them or none, and perhaps
//! one more in a counter. Its number is the marker. What is known of a group:
//!
//! ```text
//!            COMMIT is sent             CommandComplete, ReadyForQuery 'I'
//!   Open ──────────────────▶ Asked ──────────────────────────────────────▶ There
//!     │ ErrorResponse, ROLLBACK │ ErrorResponse, a tombstone in its place     ▲
//!     │ connection lost         ▼                                             │
//!     └─────────────────────▶ Never          seen, in any snapshot ───────────┘
//! ```
//!
//! `There` and `Never` are for ever. A group whose client could not see the outcome stays `Asked` until it is seen, until
//! a recovery does not show it, or until a *tombstone* settles it: somebody inserts a row with the key of its first one.
//! Either that meets the group's row, or the group can never come, however long its statement is still under way in some
//! buffer. Looking alone would not do: what is not there yet may come after the look.

use std::collections::BTreeMap;

use helios_sim::{Stats, Violation};

/// Counters that groups add one to.
pub(super) const COUNTERS: u64 = 4;

pub(super) const SCHEMA: &str = "CREATE TABLE ledger (g bigint, part int, parts int NOT NULL, counter int, payload text NOT NULL, \
     PRIMARY KEY (g, part)); \
     CREATE TABLE counters (id int PRIMARY KEY, n bigint NOT NULL); \
     INSERT INTO counters SELECT i, 0 FROM generate_series(0, 3) AS i";

/// Both tables in one snapshot, as [`Ledger::judge`] reads them.
pub(super) const SNAPSHOT: &str = "SELECT g, part, parts, counter::bigint, payload FROM ledger \
     UNION ALL SELECT -1 - id, 0, 0, n, '' FROM counters";

/// What a tombstone's row has for a payload.
pub(super) const TOMBSTONE: &str = "tombstone";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Open,
    Asked,
    /// Since the ledger's clock showed this.
    There(u64),
    Never,
}

/// Rows that one transaction inserts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) number: usize,
    pub(super) parts: u64,
    /// Which counter it adds one to.
    pub(super) counter: Option<u64>,
}

impl Group {
    /// What its rows have for a payload, of different lengths.
    pub(super) fn payload(&self, part: u64) -> String {
        let filler = (self.number * 37 + part as usize * 101) % 160;
        format!("group {} part {part} {}", self.number, "x".repeat(filler))
    }

    fn counter_value(&self) -> Option<i64> {
        self.counter.map(|counter| counter as i64)
    }

    /// Its rows as they stand in VALUES.
    pub(super) fn values(&self) -> String {
        let counter = self.counter.map_or("NULL".to_owned(), |counter| counter.to_string());
        let row = |part| format!("({}, {part}, {}, {counter}, '{}')", self.number, self.parts, self.payload(part));
        (0..self.parts).map(row).collect::<Vec<_>>().join(", ")
    }

    /// Its rows as COPY reads them.
    pub(super) fn copy_lines(&self) -> String {
        let counter = self.counter.map_or("\\N".to_owned(), |counter| counter.to_string());
        let row = |part| format!("{}\t{part}\t{}\t{counter}\t{}\n", self.number, self.parts, self.payload(part));
        (0..self.parts).map(row).collect()
    }
}

struct Known {
    group: Group,
    client: u64,
    outcome: Outcome,
}

/// One row of [`SNAPSHOT`].
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) group: i64,
    pub(super) part: i64,
    pub(super) parts: i64,
    pub(super) counter: Option<i64>,
    pub(super) payload: String,
}

/// See the [module](self).
#[derive(Default)]
pub(super) struct Ledger {
    groups: Vec<Known>,
    clock: u64,
    pub(super) stats: Stats,
    /// Commits that each client was told.
    told: BTreeMap<u64, u64>,
}

impl Ledger {
    /// A moment; what is certain now must be in every snapshot that is asked for later.
    pub(super) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// A client is going to write a group.
    pub(super) fn begin(&mut self, client: u64, parts: u64, counter: Option<u64>) -> Group {
        let group = Group { number: self.groups.len(), parts, counter };
        self.groups.push(Known { group, client, outcome: Outcome::Open });
        group
    }

    fn known(&mut self, group: Group) -> &mut Known {
        &mut self.groups[group.number]
    }

    /// From here on the group may be committed.
    pub(super) fn asked(&mut self, group: Group) {
        let known = self.known(group);
        if known.outcome == Outcome::Open {
            known.outcome = Outcome::Asked;
        }
    }

    /// The server has said that it is committed.
    pub(super) fn acknowledged(&mut self, group: Group) -> Result<(), Violation> {
        self.stats.commits += 1;
        let client = self.known(group).client;
        *self.told.entry(client).or_default() += 1;
        self.is_there(group, "it was acknowledged")
    }

    /// How many commits a client was told.
    pub(super) fn told(&self, client: u64) -> u64 {
        self.told.get(&client).copied().unwrap_or_default()
    }

    /// It is there, as `whence` says; it must stay so.
    pub(super) fn is_there(&mut self, group: Group, whence: &str) -> Result<(), Violation> {
        let now = self.tick();
        let known = self.known(group);
        match known.outcome {
            Outcome::Open | Outcome::Never => {
                let violation = Violation::new(format!("group {} is {:?}, and there", group.number, known.outcome));
                Err(violation.with(whence))
            }
            Outcome::Asked => {
                known.outcome = Outcome::There(now);
                Ok(())
            }
            Outcome::There(_) => Ok(()),
        }
    }

    /// It is not there, as `whence` says, and must never be.
    pub(super) fn is_not_there(&mut self, group: Group, whence: &str) -> Result<(), Violation> {
        let known = self.known(group);
        if let Outcome::There(_) = known.outcome {
            return Err(Violation::new(format!("group {} is lost", group.number)).with(whence));
        }
        known.outcome = Outcome::Never;
        Ok(())
    }

    /// The connection was lost: whoever has not asked for a commit gets none. Whether the outcome is unknown.
    pub(super) fn lost(&mut self, group: Group) -> bool {
        let known = self.known(group);
        if known.outcome == Outcome::Open {
            known.outcome = Outcome::Never;
        }
        known.outcome == Outcome::Asked
    }

    /// A group of this client, or of any, whose outcome is not known.
    pub(super) fn unresolved(&self, client: Option<u64>) -> Option<Group> {
        let is_wanted =
            |known: &&Known| known.outcome == Outcome::Asked && client.is_none_or(|client| client == known.client);
        self.groups.iter().find(is_wanted).map(|known| known.group)
    }

    /// A snapshot that was asked for at `begun` shows these rows. `recovered`: nobody else is at work, so that what it does
    /// not show is gone.
    pub(super) fn judge(&mut self, rows: &[Seen], begun: u64, recovered: bool) -> Result<(), Violation> {
        self.stats.checks += 1;
        let mut counters: BTreeMap<i64, i64> = BTreeMap::new();
        let mut there: BTreeMap<i64, Vec<&Seen>> = BTreeMap::new();
        for row in rows {
            match row.group {
                0.. => there.entry(row.group).or_default().push(row),
                negative => drop(counters.insert(-1 - negative, row.counter.unwrap_or_default())),
            }
        }
        let mut expected: BTreeMap<i64, i64> = (0..COUNTERS as i64).map(|id| (id, 0)).collect();
        for (number, rows) in &there {
            let group = usize::try_from(*number).ok().and_then(|number| self.groups.get(number));
            let Some(group) = group.map(|known| known.group) else {
                return Err(Violation::new(format!("group {number} is there, and nobody wrote it")));
            };
            if rows.iter().any(|row| row.payload == TOMBSTONE) {
                self.is_not_there(group, "a snapshot shows its tombstone")?;
                if rows.len() > 1 {
                    return Err(Violation::new(format!("group {number} is there beside its tombstone")));
                }
                continue;
            }
            whole(group, rows)?;
            self.is_there(group, "a snapshot shows it")?;
            if let Some(counter) = group.counter_value() {
                *expected.entry(counter).or_default() += 1;
            }
        }
        for known in &mut self.groups {
            if there.contains_key(&(known.group.number as i64)) {
                continue;
            }
            match known.outcome {
                Outcome::There(since) if since <= begun => {
                    let violation = Violation::new(format!("group {} is lost", known.group.number));
                    return Err(violation
                        .with(format!("a snapshot asked for at {begun} does not show it"))
                        .with(format!("it was certain at {since}")));
                }
                Outcome::Asked if recovered => known.outcome = Outcome::Never,
                _ => (),
            }
        }
        if counters == expected {
            return Ok(());
        }
        Err(Violation::new("the counters are not what the groups make of them")
            .with(format!("found    {counters:?}"))
            .with(format!("expected {expected:?}")))
    }
}

/// All rows of a group, as they were written.
fn whole(group: Group, rows: &[&Seen]) -> Result<(), Violation> {
    let mut parts: Vec<i64> = rows.iter().map(|row| row.part).collect();
    parts.sort_unstable();
    let are_right = parts.iter().copied().eq(0..group.parts as i64)
        && rows.iter().all(|row| {
            row.parts == group.parts as i64
                && row.counter == group.counter_value()
                && row.payload == group.payload(row.part as u64)
        });
    if are_right {
        return Ok(());
    }
    let violation = Violation::new(format!("group {} is not there as a whole", group.number));
    Err(rows.iter().fold(violation.with(format!("it has {} parts", group.parts)), |violation, row| {
        violation.with(format!("{row:?}"))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(group: Group) -> Vec<Seen> {
        let row = |part| Seen {
            group: group.number as i64,
            part: part as i64,
            parts: group.parts as i64,
            counter: group.counter_value(),
            payload: group.payload(part),
        };
        (0..group.parts).map(row).collect()
    }

    fn with_counters(mut seen: Vec<Seen>, values: [i64; 4]) -> Vec<Seen> {
        for (id, value) in (0..).zip(values) {
            seen.push(Seen { group: -1 - id, part: 0, parts: 0, counter: Some(value), payload: String::new() });
        }
        seen
    }

    #[test]
    fn a_ledger_notices_what_is_lost_and_what_should_not_be_there() {
        let mut ledger = Ledger::default();
        let group = ledger.begin(0, 3, Some(1));
        let nothing = with_counters(Vec::new(), [0; 4]);
        let all = with_counters(rows(group), [0, 1, 0, 0]);
        let now = ledger.tick();
        assert!(ledger.judge(&all, now, false).is_err(), "nobody has asked for it");
        ledger.asked(group);
        ledger.judge(&nothing, now, false).expect("it may not be there yet");
        assert!(ledger.judge(&with_counters(rows(group)[1..].to_vec(), [0, 1, 0, 0]), now, false).is_err(), "a part");
        assert!(ledger.judge(&with_counters(rows(group), [0; 4]), now, false).is_err(), "not counted");
        ledger.judge(&all, now, false).expect("it may be there");
        ledger.judge(&nothing, now, false).expect("the snapshot is older");
        let later = ledger.tick();
        assert!(ledger.judge(&nothing, later, false).is_err(), "it was there");
        assert_eq!(ledger.is_not_there(group, ""), Err(Violation::new("group 0 is lost").with("")));
    }

    #[test]
    fn a_tombstone_and_a_recovery_settle_what_nobody_saw() {
        let mut ledger = Ledger::default();
        let [first, second] = [0; 2].map(|client| ledger.begin(client, 2, None));
        for group in [first, second] {
            ledger.asked(group);
            assert!(ledger.lost(group), "it has asked");
        }
        let tombstone = Seen { group: 0, part: 0, parts: 0, counter: None, payload: TOMBSTONE.to_owned() };
        let seen = with_counters(vec![tombstone], [0; 4]);
        let now = ledger.tick();
        ledger.judge(&seen, now, false).expect("it may be settled");
        let there = ledger.is_there(first, "seen").expect_err("a tombstone has its place");
        assert_eq!(there, Violation::new("group 0 is Never, and there").with("seen"));
        assert_eq!(ledger.unresolved(None).map(|group| group.number), Some(1));
        ledger.judge(&seen, now, true).expect("a recovery may not show it");
        assert!(ledger.unresolved(None).is_none());
        let there = ledger.acknowledged(second).expect_err("a recovery has shown that it is not there");
        assert_eq!(there, Violation::new("group 1 is Never, and there").with("it was acknowledged"));
    }
}
