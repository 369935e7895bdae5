//! Histories: transactions over registers and lists, and whether any order explains what their clients saw.
//!
//! Several clients read and write a few objects in every way that SQL has for it: point reads, reads of many rows by
//! keys and by an index, SELECT FOR UPDATE, UPDATE, INSERT ... ON CONFLICT, appending with `||` and by rows under a
//! unique index; in blocks with savepoints, in single statements and in scripts; cancelled and left half way. All that
//! they saw and were told is one [history](helios_isolation::History) over the whole life, across every crash. It is held
//! against the level at each opening, when everything has been read, and at the end.
//!
//! Nothing but the clients' own knowledge is used. What must hold:
//!
//! | | each block at READ COMMITTED | each block at REPEATABLE READ |
//! |---|---|---|
//! | between blocks | no G0, G1a, G1b, G1c, dirty update | the same, and no lost update, G-single, long fork |
//! | in a statement | its plain reads see one state (manual, 13.2.1), that of its beginning or a later one | |
//! | between statements | no earlier state after a later one (Adya's PL-2L) | one snapshot |
//! | what is locked | is the newest version, and stays so until the end | and is that of the snapshot |
//! | in real time | what was acknowledged before a statement was sent is seen by it, also after a crash | likewise for the first statement |
//!
//! At READ COMMITTED, lost updates between a SELECT and an UPDATE, read skew between two statements and write skew are
//! legal, and they happen; at REPEATABLE READ (snapshot isolation) only write skew is. A row that an UPDATE at READ
//! COMMITTED has waited for is newer than the statement's snapshot, so what it replaces and what FOR UPDATE returns are
//! no part of that snapshot. All commits are synchronous: a COMMIT that was answered has happened for good, one that
//! nobody answered may have happened.

mod record;
mod statements;

use std::sync::Arc;

use helios_env::sync::{Mutex, MutexGuard};
use helios_isolation::{Counts, Isolation, Level, Operation, Outcome};
use helios_sim::{Class, DeviceProfile, FaultKind, Stats, Violation, Workload, World};
use heliosdb::{Connection, Database, SqlState};

use crate::Disks;
use crate::life::{self, Client, Scenario};
use crate::trouble::Trouble;
use record::Record;
use statements::{Kind, SCHEMA, read_everything};

/// The workload. See the [module](self).
pub struct Histories {
    disks: Disks,
    isolation: Isolation,
    tally: Mutex<Counts>,
}

impl Histories {
    /// On these disks, which may lie but not rot, with blocks at this level (which is not SERIALIZABLE).
    pub fn new(disks: Disks, isolation: Isolation) -> Histories {
        Histories { disks, isolation, tally: Mutex::default() }
    }

    /// What there was to look at in all lives so far.
    pub fn counts(&self) -> Counts {
        *self.tally.lock()
    }
}

impl Workload for Histories {
    fn name(&self) -> &str {
        match self.isolation {
            Isolation::ReadCommitted => "histories at read committed",
            _ => "histories at repeatable read",
        }
    }

    fn faults(&self) -> Vec<FaultKind> {
        FaultKind::ALL.iter().copied().filter(|kind| kind.class() != Class::Detectable).collect()
    }

    fn profiles(&self) -> Vec<DeviceProfile> {
        self.disks.profiles()
    }

    fn expected_marks(&self) -> Vec<&'static str> {
        let mut marks = vec!["db: a catalog with tables was recovered"];
        match self.isolation {
            Isolation::ReadCommitted => marks.push("txn: a row was newer than its statement's snapshot"),
            _ => marks.push("txn: the first updater won"),
        }
        marks
    }

    fn run(&self, world: &World) -> Result<Stats, Violation> {
        let level = Level { isolation: self.isolation, ..Level::READ_COMMITTED }.strict();
        let shared = Shared(Arc::new(Mutex::new(Record::new(level))), self.isolation);
        let outcome = life::live(world, &shared);
        self.tally.lock().add(&shared.lock().counts);
        outcome
    }
}

/// The history that all clients write, and the level of their blocks.
#[derive(Clone)]
struct Shared(Arc<Mutex<Record>>, Isolation);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock()
    }
}

impl Scenario for Shared {
    async fn create(&self, connection: &Connection) -> Result<(), Trouble> {
        if connection.database().catalog().tables().any(|table| table.name == "registers") {
            return Ok(());
        }
        let created = connection.execute_batch_async(SCHEMA).await;
        created.map_err(|error| Trouble::of(error, "creating the schema"))
    }

    async fn judge(&self, database: &Database) -> Result<(), Trouble> {
        let connection = database.connect().map_err(|error| Trouble::of(error, "connecting"))?;
        let (index, numbers) = {
            let mut record = self.lock();
            record.opened();
            (record.begin(15, Isolation::RepeatableRead), record.numbers)
        };
        let run = async |sql: &str| connection.execute_batch_async(sql).await.map_err(|error| Trouble::of(error, sql));
        run("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
        self.lock().send(index, Vec::new());
        let everything = read_everything(&connection, numbers).await;
        run("ROLLBACK").await?;
        let mut record = self.lock();
        for operations in everything? {
            record.send(index, operations);
        }
        record.ended(index, Outcome::Aborted);
        Ok(record.judge()?)
    }

    async fn step(&self, client: &Client) -> Result<(), Trouble> {
        match client.below(14) {
            0 => self.statement(client, Kind::read(client, self)).await,
            1 => self.statement(client, Kind::autonomous_write(client, self)).await,
            2 => self.script(client).await,
            _ => self.block(client).await,
        }
    }

    fn stats(&self) -> Stats {
        self.lock().stats.clone()
    }
}

impl Shared {
    /// Notes what became of a COMMIT, or of a statement that commits by itself.
    fn settle(&self, index: usize, outcome: Result<(), Trouble>) -> Result<(), Trouble> {
        match &outcome {
            Ok(()) => self.lock().ended(index, Outcome::Committed),
            Err(Trouble::Refused(_)) => self.lock().ended(index, Outcome::Aborted),
            // A store that was closed has not taken it.
            Err(Trouble::Stopped(error)) if error.code() == SqlState::ADMIN_SHUTDOWN => {
                self.lock().ended(index, Outcome::Aborted);
            }
            // Whether it happens, the log decides; perhaps somebody will see it.
            Err(_) => (),
        }
        outcome
    }

    /// A statement that is a transaction.
    async fn statement(&self, client: &Client, kind: Kind) -> Result<(), Trouble> {
        let index = self.lock().begin(client.number, Isolation::ReadCommitted);
        self.lock().commits(index);
        let outcome = kind.run(client, self, index).await;
        self.settle(index, outcome)
    }

    /// A script in an implicit transaction: nobody is told what its statements met.
    async fn script(&self, client: &Client) -> Result<(), Trouble> {
        let index = self.lock().begin(client.number, Isolation::ReadCommitted);
        let mut texts = Vec::new();
        for _ in 0..2 + client.below(2) {
            let kind = Kind::blind_write(client, self);
            self.lock().send(index, kind.writes());
            texts.push(kind.literal());
        }
        self.lock().commits(index);
        let outcome = client.script(&texts.join("; ")).await;
        self.settle(index, outcome)
    }

    /// A transaction block.
    async fn block(&self, client: &Client) -> Result<(), Trouble> {
        let index = self.lock().begin(client.number, self.1);
        let commits = match self.work(client, index).await {
            Ok(()) => !client.one_in(10),
            Err(Trouble::Refused(_) | Trouble::Left) => false,
            Err(trouble) => return Err(trouble),
        };
        if !commits {
            client.roll_back().await?;
            self.lock().ended(index, Outcome::Aborted);
            return Ok(());
        }
        self.lock().commits(index);
        let outcome = client.query("COMMIT", &[]).await.map(drop);
        self.settle(index, outcome)
    }

    /// Everything between BEGIN and COMMIT.
    async fn work(&self, client: &Client, index: usize) -> Result<(), Trouble> {
        let begin = match self.1 {
            Isolation::ReadCommitted => "BEGIN",
            _ => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        };
        client.query(begin, &[]).await?;
        for _ in 0..1 + client.below(4) {
            let kind = match client.below(12) {
                0..=4 => Kind::read(client, self),
                5 => Kind::lock(client, self),
                _ => Kind::write(client, self),
            };
            if client.one_in(5) {
                self.savepoint(client, index, &kind).await?;
            } else {
                kind.run(client, self, index).await?;
            }
        }
        Ok(())
    }

    /// A statement inside a savepoint, which is rolled back if it fails, and now and then if it does not.
    async fn savepoint(&self, client: &Client, index: usize, kind: &Kind) -> Result<(), Trouble> {
        client.query("SAVEPOINT a", &[]).await?;
        self.lock().note(index, Operation::Savepoint);
        let undo = match kind.run(client, self, index).await {
            Ok(()) => client.one_in(3),
            Err(Trouble::Refused(_)) => true,
            Err(trouble) => return Err(trouble),
        };
        if undo {
            client.query("ROLLBACK TO SAVEPOINT a", &[]).await?;
            self.lock().note(index, Operation::RollBackTo);
        } else if client.one_in(2) {
            client.query("RELEASE SAVEPOINT a", &[]).await?;
            self.lock().note(index, Operation::Release);
        }
        Ok(())
    }
}
