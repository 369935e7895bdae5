//! A small store that is right, and eight ways to get it wrong.
//!
//! One log file of records of 600 bytes (a record straddles sectors), each with a checksum over its position. Opening
//! reads the valid prefix and rewrites it to a new file, which replaces the old one: what can be read need not be
//! durable. A write error or a failed sync poisons the store until it is opened again.

use std::collections::BTreeMap;
use std::sync::Arc;

use helios_env::sync::{AsyncMutex, Mutex};
use helios_env::{Buf, Env, ErrorKind, File, IoError, OpenOptions, Result, SyncMode, read_full, write_full};
use helios_sim::{CrashKind, DeviceProfile, FaultKind, Handle, Stats, Stop, Violation, Workload, World};

pub(crate) const RECORD: usize = 600;

/// A mistake in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    NoSync,
    NoSyncDir,
    ReusesNewLog,
    SyncBeforeWrite,
    IgnoresShortWrite,
    RetriesFailedSync,
    NoChecksum,
    TrustsCache,
}

impl Bug {
    pub(crate) const ALL: [Bug; 8] = [
        Bug::NoSync,
        Bug::NoSyncDir,
        Bug::ReusesNewLog,
        Bug::SyncBeforeWrite,
        Bug::IgnoresShortWrite,
        Bug::RetriesFailedSync,
        Bug::NoChecksum,
        Bug::TrustsCache,
    ];
}

pub(crate) struct Store {
    env: Env,
    bug: Bug,
    log: AsyncMutex<Log>,
}

struct Log {
    file: Arc<dyn File>,
    end: u64,
    values: BTreeMap<u32, u32>,
    poisoned: bool,
}

fn checksum(position: u64, payload: &[u8]) -> u32 {
    let bytes = position.to_le_bytes();
    bytes.iter().chain(payload).fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

fn encode(position: u64, key: u32, value: u32) -> Vec<u8> {
    let mut payload = [key.to_le_bytes(), value.to_le_bytes()].concat();
    payload.resize(RECORD - 4, value as u8 | 1);
    let mut record = checksum(position, &payload).to_le_bytes().to_vec();
    record.extend(payload);
    record
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes[..4].try_into().expect("four bytes"))
}

impl Store {
    pub(crate) async fn open(env: &Env, bug: Bug) -> Result<Store> {
        let mut values = BTreeMap::new();
        let mut end = 0;
        let options = OpenOptions { write: true, ..OpenOptions::default() };
        match env.disk.open("log", options).await {
            Ok(file) => {
                let io = read_full(&*file, 0, Buf::zeroed(file.len().await? as usize)).await;
                io.result?;
                for record in io.buf.chunks_exact(RECORD) {
                    if bug != Bug::NoChecksum && word(record) != checksum(end, &record[4..]) {
                        env.sometimes("recovery found a torn record");
                        break;
                    }
                    values.insert(word(&record[4..]), word(&record[8..]));
                    end += RECORD as u64;
                }
                if bug == Bug::TrustsCache {
                    let log = Log { file, end, values, poisoned: false };
                    return Ok(Store { env: env.clone(), bug, log: AsyncMutex::new(log) });
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // A crash may have left the log under both names: a "log.new" that is there must not be written to.
        if bug != Bug::ReusesNewLog {
            match env.disk.remove("log.new").await {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let create = OpenOptions { write: true, create: true, ..OpenOptions::default() };
        let file = env.disk.open("log.new", create).await?;
        file.truncate(0).await?;
        end = 0;
        for (key, value) in &values {
            write_full(&*file, end, Buf::from(&encode(end, *key, *value)[..])).await.0?;
            end += RECORD as u64;
        }
        file.sync(SyncMode::All).await?;
        env.disk.rename("log.new", "log").await?;
        if bug != Bug::NoSyncDir {
            env.disk.sync_dir("").await?;
        }
        Ok(Store { env: env.clone(), bug, log: AsyncMutex::new(Log { file, end, values, poisoned: false }) })
    }

    pub(crate) async fn values(&self) -> BTreeMap<u32, u32> {
        self.log.lock().await.values.clone()
    }

    /// After an error that is not "no space", the outcome is not known.
    pub(crate) async fn put(&self, key: u32, value: u32) -> Result<()> {
        let mut log = self.log.lock().await;
        if log.poisoned {
            return Err(IoError::new(ErrorKind::Other, "write to a poisoned log"));
        }
        let outcome = self.append(&log, key, value).await;
        match &outcome {
            Ok(()) => {
                log.end += RECORD as u64;
                log.values.insert(key, value);
            }
            // What was written is overwritten by the next record, or torn.
            Err(error) => log.poisoned = error.kind() != ErrorKind::NoSpace,
        }
        outcome
    }

    async fn append(&self, log: &Log, key: u32, value: u32) -> Result<()> {
        let buf = Buf::from(&encode(log.end, key, value)[..]);
        if self.bug == Bug::SyncBeforeWrite {
            log.file.sync(SyncMode::Data).await?;
        }
        if self.bug == Bug::IgnoresShortWrite {
            log.file.write_at(log.end, buf).await.result?;
        } else if self.env.buggify("write and sync in one") && self.bug == Bug::None {
            let io = log.file.write_at_and_sync(log.end, buf).await;
            if io.result? == RECORD {
                return Ok(());
            }
            write_full(&*log.file, log.end, io.buf).await.0?;
        } else {
            write_full(&*log.file, log.end, buf).await.0?;
        }
        match self.bug {
            Bug::NoSync | Bug::SyncBeforeWrite => Ok(()),
            Bug::RetriesFailedSync => match log.file.sync(SyncMode::Data).await {
                Ok(()) => Ok(()),
                Err(_) => log.file.sync(SyncMode::Data).await,
            },
            _ => log.file.sync(SyncMode::Data).await,
        }
    }
}

/// What the clients know: per key the acknowledged value, and values whose outcome they never learnt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    acknowledged: BTreeMap<u32, u32>,
    unknown: BTreeMap<u32, Vec<u32>>,
    commits: u64,
}

impl Model {
    /// Compares, and takes what was found for the truth from now on.
    pub(crate) fn check(&mut self, found: &BTreeMap<u32, u32>) -> std::result::Result<(), Violation> {
        for key in 0..16 {
            let (expected, found) = (self.acknowledged.get(&key).copied(), found.get(&key).copied());
            let unknown = self.unknown.get(&key).map_or(&[][..], Vec::as_slice);
            if found != expected && !found.is_some_and(|value| unknown.contains(&value)) {
                let message = format!("key {key} is {found:?} and not {expected:?} or one of {unknown:?}");
                return Err(Violation::new(message));
            }
        }
        self.acknowledged = found.clone();
        self.unknown.clear();
        Ok(())
    }

    pub(crate) fn begin(&mut self, key: u32, value: u32) {
        self.unknown.entry(key).or_default().push(value);
    }

    pub(crate) fn acknowledge(&mut self, key: u32, value: u32) {
        self.acknowledged.insert(key, value);
        self.unknown.remove(&key);
        self.commits += 1;
    }

    fn refuse(&mut self, key: u32, value: u32) {
        if let Some(unknown) = self.unknown.get_mut(&key) {
            unknown.retain(|v| *v != value);
        }
    }
}

/// Clients that put numbers, crashes, and a check after every recovery.
pub(crate) struct Puts {
    pub(crate) bug: Bug,
    pub(crate) profiles: Vec<DeviceProfile>,
}

impl Puts {
    pub(crate) fn new(bug: Bug) -> Puts {
        Puts { bug, profiles: DeviceProfile::HONEST.to_vec() }
    }
}

async fn client(env: Env, store: Arc<Store>, model: Arc<Mutex<Model>>, world: Handle, number: u32, puts: u32) {
    for turn in 0..puts {
        // Its own keys, so that nobody else's put is between its own and its check.
        let key = number * 4 + turn % 4;
        let value = env.rng.next_u64() as u32 | 1;
        model.lock().begin(key, value);
        match store.put(key, value).await {
            Ok(()) => {
                model.lock().acknowledge(key, value);
                world.note(format!("key {key} = {value} is acknowledged"));
            }
            Err(error) if error.kind() == ErrorKind::NoSpace => model.lock().refuse(key, value),
            Err(_) => return,
        }
    }
}

impl Workload for Puts {
    fn name(&self) -> &str {
        "puts"
    }

    fn faults(&self) -> Vec<FaultKind> {
        use FaultKind::{LatencySpike, NoSpace, ProcessKill, ReadError, ShortRead, ShortWrite, SyncError, WriteError};
        let crashes = [FaultKind::PowerCut, ProcessKill, FaultKind::TornWrite, FaultKind::LostWrite];
        let more = [FaultKind::ReorderedWrite, FaultKind::LostEntry, FaultKind::HalfRename];
        let io = [ShortRead, ShortWrite, ReadError, WriteError, NoSpace, SyncError, LatencySpike];
        [&crashes[..], &more, &io].concat()
    }

    fn profiles(&self) -> Vec<DeviceProfile> {
        self.profiles.clone()
    }

    fn expected_marks(&self) -> Vec<&'static str> {
        vec!["recovery found a torn record"]
    }

    fn run(&self, world: &World) -> std::result::Result<Stats, Violation> {
        let model = Arc::new(Mutex::new(Model::default()));
        let mut checks = 0;
        let rounds = 5 + world.choices().pick("puts.rounds", 4);
        for _ in 0..rounds {
            let kind = match world.choices().pick("puts.crash", 3) {
                0 => None,
                1 => Some(CrashKind::Power),
                _ => Some(CrashKind::Process),
            };
            if let Some(kind) = kind {
                // Opening has a dozen events of its own, and crashes there are worth as much as all others.
                let events = if world.choices().pick("puts.crash early", 2) == 1 { 12 } else { 120 };
                world.disk().crash_after(world.choices().pick("puts.crash after", events) as u64, kind);
            }
            match self.round(world, &model) {
                Ok(()) => checks += 1,
                Err(Ok(Stop::Crashed(_))) => {}
                Err(Ok(stop)) => return Err(stop.into()),
                Err(Err(violation)) => return Err(violation),
            }
            world.disk().cancel_crash();
        }
        world.crash(CrashKind::Power);
        world.heal();
        match self.round(world, &model) {
            Ok(()) => Ok(Stats { commits: model.lock().commits, checks: checks + 1 }),
            Err(Ok(stop)) => Err(stop.into()),
            Err(Err(violation)) => Err(violation),
        }
    }
}

impl Puts {
    fn round(
        &self,
        world: &World,
        model: &Arc<Mutex<Model>>,
    ) -> std::result::Result<(), std::result::Result<Stop, Violation>> {
        let (env, model, bug, handle) = (world.env(), model.clone(), self.bug, world.handle());
        let strict = world.faults().kinds().next().is_none();
        let life = async move {
            let store = match Store::open(&env, bug).await {
                Ok(store) => Arc::new(store),
                Err(error) if strict => return Err(error.into()),
                Err(_) => return Ok(()),
            };
            let found = store.values().await;
            handle.note(format!("the store is open with {} keys", found.len()));
            model.lock().check(&found)?;
            let clients: Vec<_> = (0..3)
                .map(|number| {
                    let life = client(env.clone(), store.clone(), model.clone(), handle.clone(), number, 12);
                    env.spawn("client", life)
                })
                .collect();
            for client in clients {
                client.await;
            }
            if strict && store.log.lock().await.poisoned {
                return Err(Violation::new("a write failed although nothing fails any more"));
            }
            let found = store.values().await;
            if store.log.lock().await.poisoned { Ok(()) } else { model.lock().check(&found) }
        };
        match world.run(life) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(violation)) => Err(Err(violation)),
            Err(stop) => Err(Ok(stop)),
        }
    }
}
