//! Commits by several clients in worlds that fail: power cuts, kills, torn and lost and reordered writes, failed syncs, full
//! disks, short and failing I/O, cancelled commits, and recoveries that are themselves cut off.
//!
//! Every transaction writes a *marker*, a row of its own, beside rows that many transactions fight over. So after each
//! recovery the markers say which transactions happened and in what order, and everything else follows from that:
//!
//! * what was acknowledged as durable is there, under the timestamp that was acknowledged;
//! * commits are in the order in which they were enqueued;
//! * under faults that are all recoverable it never refuses to go on until it is opened again;
//! * what was refused is not there, ever; what one recovery has shown, there or not, is so for good;
//! * whatever is missing is a suffix: no transaction is there while one before it is not;
//! * when disks rot or misplace what they were given, operations may fail, naming the damage, and the log's last batch
//!   may be taken for a torn write; but nothing is ever answered wrongly;
//! * every row, sequence and deletion is exactly what the transactions that happened leave behind, at the newest timestamp
//!   and, while the clients run, at every snapshot that they take, for as long as they keep it.

mod client;
mod oracle;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use helios_env::sync::Mutex;
use helios_env::{Env, ErrorKind};
use helios_sim::{Class, FaultKind, Handle, OpenFailure, Stats, Violation, Workload, World, open_patiently};
use helios_storage::{
    CommitTs, Direction, Durability, Entry, Error, KeyRange, Options, Snapshot, Space, Storage, Value, Write,
    WriteBatch,
};

use client::Client;
use oracle::{Attempt, Contents, Excuse, Happened, Oracle};

const MARKERS: Space = Space::new(0, 1);
const ROWS: Space = Space::new(1, 2);
/// Keys in [`ROWS`].
const KEYS: u64 = 40;
/// Spaces from here on are filled and dropped.
const SCRATCH: u64 = 100;

/// Why looking at the storage failed.
enum Trouble {
    Storage(Error),
    Violation(Violation),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Storage(error)
    }
}

impl From<Violation> for Trouble {
    fn from(violation: Violation) -> Trouble {
        Trouble::Violation(violation)
    }
}

impl From<Trouble> for Violation {
    fn from(trouble: Trouble) -> Violation {
        match trouble {
            Trouble::Storage(error) => error.into(),
            Trouble::Violation(violation) => violation,
        }
    }
}

impl Trouble {
    /// Whether a rotten disk excuses it.
    fn is_damage(&self) -> bool {
        matches!(
            self,
            Trouble::Storage(
                Error::Corruption { .. } | Error::Io(_) | Error::UnsupportedFormat { .. } | Error::Foreign { .. }
            )
        )
    }
}

type Shared = Arc<Mutex<Oracle>>;

async fn read_all(storage: &Storage, space: Space, at: CommitTs, direction: Direction) -> Result<Vec<Entry>, Error> {
    let mut scan = storage.scan(space, KeyRange::all(), direction, at);
    let mut entries = Vec::new();
    while scan.next_rows(64, &mut entries).await? {}
    if direction == Direction::Backward {
        entries.reverse();
    }
    Ok(entries)
}

/// Which transactions are there by now, and whether everything else fits.
async fn look(storage: &Storage, oracle: &Shared, with_sequences: bool) -> Result<Happened, Trouble> {
    look_at(storage, &storage.snapshot(), oracle, with_sequences).await
}

/// Which transactions a snapshot shows, and whether everything else fits. Sequences are read when asked for: they have no
/// snapshots.
async fn look_at(
    storage: &Storage,
    snapshot: &Snapshot,
    oracle: &Shared,
    with_sequences: bool,
) -> Result<Happened, Trouble> {
    let at = snapshot.commit_ts();
    let direction = if at.0.is_multiple_of(2) { Direction::Forward } else { Direction::Backward };
    let mut happened = BTreeMap::new();
    for entry in read_all(storage, MARKERS, at, direction).await? {
        let id = u64::from_be_bytes(entry.key[..].try_into().expect("markers have eight bytes"));
        if happened.insert(entry.version.commit_ts, id).is_some() {
            return Err(Violation::new(format!("two transactions at {}", entry.version.commit_ts)).into());
        }
    }
    oracle.lock().check_order(&happened)?;
    let mut expected = oracle.lock().contents(&happened);
    let mut found = Contents::default();
    for entry in read_all(storage, ROWS, at, direction).await? {
        let Value::Row(row) = entry.version.value else {
            return Err(Violation::new("a scan yields a deletion").into());
        };
        found.rows.insert(entry.key, (entry.version.commit_ts, row));
    }
    if with_sequences {
        for &sequence in expected.sequences.keys() {
            let reserved = storage.sequence(sequence).map(|reservation| reservation.reserved_up_to);
            found.sequences.extend(reserved.map(|reserved| (sequence, reserved)));
        }
    } else {
        expected.sequences.clear();
    }
    for &id in expected.scratch.keys() {
        let version = storage.get(Space::new(1, SCRATCH + id), b"scratch", at).await?;
        let right = version.filter(|version| version.value.row() == Some(&Attempt::value(id, 300)));
        found.scratch.extend(right.map(|version| (id, version.commit_ts)));
    }
    if found != expected {
        return Err(Violation::new(format!("at {at} the rows do not fit the transactions that happened"))
            .with(format!("found    {found:?}"))
            .with(format!("expected {expected:?}"))
            .into());
    }
    for key in (at.0 % 3..KEYS).step_by(3).map(|key| key as u8) {
        let version = storage.get(ROWS, &[key], at).await?;
        let row = version.as_ref().and_then(|version| version.value.row());
        if row != expected.rows.get(&[key][..]).map(|(_, row)| row) {
            return Err(Violation::new(format!("get and scan disagree on key {key} at {at}: {version:?}")).into());
        }
    }
    Ok(happened)
}

/// The workload. Fuzz targets run it too, on choices of their own.
pub(crate) struct Commits {
    /// Whether disks damage what they hold.
    pub(crate) disk_rots: bool,
}

/// Sizes of memtables.
const MEMTABLES_BYTES: [usize; 3] = [2 << 10, 6 << 10, 40 << 10];

impl Commits {
    /// `None`: the file system has shut itself down, and only a restart of the machine helps.
    async fn open(env: &Env, options: &Options, may_stop: bool) -> Result<Option<Storage>, Trouble> {
        let open = || Storage::open(env.clone(), options.clone());
        let opened = open_patiently(env, open, |error| match error {
            Error::Locked { .. } => OpenFailure::Locked,
            Error::Io(error) if may_stop || error.kind() == ErrorKind::NoSpace => OpenFailure::Transient,
            _ => OpenFailure::Final,
        });
        Ok(opened.await?.map(|(storage, _)| storage))
    }

    /// One opening of the storage: judge what it shows, work, and perhaps close. `false`: see [`Commits::open`].
    async fn session(env: Env, options: Options, oracle: Shared, world: Handle) -> Result<bool, Trouble> {
        let (disk_rots, faults) = (oracle.lock().disk_rots, world.faults());
        // Recovery reads each byte of the log once: at the usual rates, damage would rarely be there.
        if disk_rots && world.choices().chance("rot while opening", 300_000) {
            world.set_faults(faults.clone().with(FaultKind::TransitRot, 150_000));
        }
        let may_stop = oracle.lock().may_stop;
        let opened = Commits::open(&env, &options, may_stop).await;
        world.set_faults(faults);
        let Some(storage) = opened? else { return Ok(false) };
        let happened = match look(&storage, &oracle, true).await {
            Err(trouble) if trouble.is_damage() && disk_rots => return Ok(true),
            other => other?,
        };
        oracle.lock().judge(&happened, Excuse::of(disk_rots, &world))?;
        let choices = world.choices();
        let verdict = Arc::new(Mutex::new(Ok(())));
        let clients = 1 + choices.pick("clients", 5) as u64;
        let mut tasks = Vec::new();
        for number in 0..clients {
            let client = Client {
                storage: storage.clone(),
                oracle: oracle.clone(),
                world: world.clone(),
                number,
                verdict: verdict.clone(),
                kept: Mutex::default(),
            };
            tasks.push(env.spawn("client", async move { client.run(80).await }));
        }
        if choices.pick("poke", 3) == 2 {
            let poked = storage.clone();
            tasks.push(env.spawn("poke", async move {
                // Its outcome shows in what the clients see.
                drop(poked.flush().await);
                drop(poked.compact().await);
            }));
        }
        for task in tasks {
            task.await;
        }
        std::mem::replace(&mut *verdict.lock(), Ok(()))?;
        if choices.pick("close", 2) == 0 {
            // A close that fails has still let go of the directory.
            drop(storage.close().await);
        } else {
            drop(storage);
        }
        Ok(true)
    }

    /// The disk heals, and what was written wrongly stays so: it is refused or reported, or what is shown is right.
    async fn last_look(env: Env, options: Options, oracle: Shared, world: Handle) -> Result<(), Violation> {
        let looked = async {
            let Some(storage) = Commits::open(&env, &options, true).await? else { return Ok(()) };
            let happened = look(&storage, &oracle, true).await?;
            oracle.lock().judge(&happened, Excuse::of(true, &world))?;
            Ok::<(), Trouble>(())
        };
        match looked.await {
            Err(trouble) if trouble.is_damage() => Ok(()),
            other => Ok(other?),
        }
    }

    /// Without faults everything works, everything is clean, and nothing was leaked.
    async fn epilogue(env: Env, options: Options, oracle: Shared) -> Result<(), Violation> {
        let storage =
            Commits::open(&env, &options, false).await?.ok_or(Violation::new("a healed disk does not open"))?;
        let happened = look(&storage, &oracle, true).await?;
        oracle.lock().judge(&happened, Excuse::None)?;
        let batch = WriteBatch {
            writes: vec![Write {
                space: Space::new(0, 99),
                key: Bytes::new(),
                value: Value::Row(Bytes::new()),
                is_insert: true,
                birth: CommitTs::ZERO,
            }],
            ..WriteBatch::default()
        };
        storage.commit(batch, Durability::Sync).await?;
        storage.compact().await?;
        let report = storage.verify().await;
        if !report.is_clean() {
            return Err(Violation::new(format!("verify is not clean: {report:?}")));
        }
        if look(&storage, &oracle, true).await? != happened {
            return Err(Violation::new("compaction changed what happened"));
        }
        let files: usize = storage.stats().levels.iter().map(|(files, _)| files).sum();
        storage.close().await?;
        let (tables, segments) = (env.disk.list("sst").await?, env.disk.list("wal").await?);
        let manifests = env.disk.list("manifest").await?;
        if tables.len() != files || segments.len() > 2 || manifests.len() != 1 {
            return Err(Violation::new(format!("files are leaked: {tables:?}, {segments:?}, {manifests:?}")));
        }
        let (storage, report) = Storage::open(env.clone(), options).await?;
        if report.replayed_commits > 0 || report.torn_tail.is_some() || report.removed_files > 0 {
            return Err(Violation::new(format!("an orderly close leaves work: {report:?}")));
        }
        storage.close().await?;
        Ok(())
    }
}

impl Workload for Commits {
    fn name(&self) -> &str {
        if self.disk_rots { "storage on rotten disks" } else { "storage commits" }
    }

    fn faults(&self) -> Vec<FaultKind> {
        // A disk that acknowledges a write and never makes it can take a commit back without a trace. And this floor has no
        // budget of memory.
        let mine = |kind: &FaultKind| match kind.class() {
            _ if *kind == FaultKind::MemoryLimit => false,
            Class::Detectable => self.disk_rots && *kind != FaultKind::StaleRead,
            _ => true,
        };
        FaultKind::ALL.iter().copied().filter(mine).collect()
    }

    fn expected_marks(&self) -> Vec<&'static str> {
        if self.disk_rots {
            return Vec::new();
        }
        vec![
            "storage: recovery found a torn tail",
            "storage: recovery wrote the unproven tail of the log again",
            "storage: recovery removed an unfinished file",
            "storage: recovery removed a table that no manifest names",
            "storage: leadership of the log was handed on",
            "storage: the log was driven in the background",
            "storage: the log rotated to a new segment",
            "storage: a log batch was voided for want of space",
            "storage: a manifest edit failed for want of space",
            "storage: a flush failed and was tried again",
            "storage: a compaction failed and was tried again",
            "storage: commits waited for a flush",
            "storage: a flush waited for compaction",
            "storage: poisoned",
        ]
    }

    fn run(&self, world: &World) -> Result<Stats, Violation> {
        let oracle = Shared::default();
        oracle.lock().disk_rots = self.disk_rots;
        oracle.lock().may_stop = self.disk_rots || world.faults().entitles_to_stop();
        // Half a minute each: with thousands of tiny reads in a session, more of them is only waiting.
        world.set_faults(world.faults().at_most(FaultKind::StuckIo, 1_000));
        let options = Options::drawn(MEMTABLES_BYTES, &mut |name, sizes| world.knob(name, sizes));
        let rounds = world.knob("rounds", &[3, 5, 8]);
        let faults = world.faults();
        for _ in 0..rounds {
            world.set_faults(faults.clone());
            let session = Commits::session(world.env(), options.clone(), oracle.clone(), world.handle());
            match world.session(session) {
                Err(Trouble::Storage(_)) if self.disk_rots => break,
                other => other?,
            }
        }
        world.heal();
        if self.disk_rots {
            world.run(Commits::last_look(world.env(), options, oracle.clone(), world.handle()))??;
        } else {
            world.run(Commits::epilogue(world.env(), options, oracle.clone()))??;
        }
        let stats = oracle.lock().stats.clone();
        Ok(stats)
    }
}
