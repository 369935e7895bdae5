//! Random operations against a multiversion model: whatever was committed is what is read, at every snapshot, forwards
//! and backwards, whichever mixture of memtables and files it comes from, and after every reopening.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use helios_env::{Env, Rng, SplitMix64};
use helios_storage::{
    CommitTs, Direction, Durability, Entry, Error, KeyRange, Lookup, Options, Snapshot, Space, Storage, Value, Version,
    Write, WriteBatch,
};

/// Versions by space and key, newest last.
type Versions = BTreeMap<(Space, Bytes), BTreeMap<CommitTs, Version>>;

struct Model {
    env: Env,
    options: Options,
    storage: Storage,
    rng: SplitMix64,
    versions: Versions,
    dropped: Vec<Space>,
    snapshots: Vec<Snapshot>,
    next_space: u64,
    spaces: Vec<Space>,
}

impl Model {
    async fn new(seed: u64) -> Model {
        let rng = SplitMix64::new(seed);
        let env = Env::memory().unwrap();
        let options = Options {
            compress: seed.is_multiple_of(2),
            filters: !seed.is_multiple_of(3),
            background: !seed.is_multiple_of(5),
            cache_bytes: [0, 2 << 10, 1 << 20][(rng.next_u64() % 3) as usize],
            ..Options::tiny()
        };
        let (storage, report) = Storage::open(env.clone(), options.clone()).await.unwrap();
        assert!(report.created);
        let spaces = vec![Space::new(0, 1), Space::new(0, 2), Space::new(1, 1), Space::new(u32::MAX, u64::MAX)];
        let (versions, dropped, snapshots) = Default::default();
        Model { env, options, storage, rng, versions, dropped, snapshots, next_space: 10, spaces }
    }

    fn below(&self, n: u64) -> u64 {
        self.rng.next_u64() % n
    }

    fn key(&self) -> Bytes {
        (0..self.below(5)).map(|_| [0, b'a', 0xff][self.below(3) as usize]).collect()
    }

    fn space(&self) -> Space {
        self.spaces[self.below(self.spaces.len() as u64) as usize]
    }

    async fn commit(&mut self) {
        let mut batch = WriteBatch { xid: self.rng.next_u64() >> 20, ..WriteBatch::default() };
        let mut keys = BTreeMap::new();
        for _ in 0..=self.below(6) {
            let payload = Bytes::from(vec![self.rng.next_u64() as u8; self.below(60) as usize]);
            let value = match self.below(6) {
                0 => Value::Deleted,
                1 => Value::Moved { to: payload },
                _ => Value::Row(payload),
            };
            let is_insert = self.below(2) == 0;
            keys.insert((self.space(), self.key()), (value, is_insert, CommitTs(self.below(9))));
        }
        for ((space, key), (value, is_insert, birth)) in keys.clone() {
            batch.writes.push(Write { space, key, value, is_insert, birth });
        }
        let durability = if self.below(3) == 0 { Durability::Async } else { Durability::Sync };
        let commit_ts = self.storage.commit(batch, durability).await.unwrap();
        for ((space, key), (value, is_insert, birth)) in keys {
            let birth = if is_insert { commit_ts } else { birth };
            self.versions.entry((space, key)).or_default().insert(commit_ts, Version { commit_ts, birth, value });
        }
    }

    async fn drop_space(&mut self) {
        let place = self.below(self.spaces.len() as u64) as usize;
        let space = std::mem::replace(&mut self.spaces[place], Space::new(1, self.next_space));
        self.next_space += 1;
        self.dropped.push(space);
        let batch = WriteBatch { dropped_spaces: vec![space], ..WriteBatch::default() };
        self.storage.commit(batch, Durability::Sync).await.unwrap();
        self.snapshots.clear();
    }

    /// A readable timestamp: the oldest of what it may be given.
    fn timestamp(&self) -> CommitTs {
        match self.below(self.snapshots.len() as u64 + 1).checked_sub(1) {
            None => CommitTs::NEWEST,
            Some(snapshot) => self.snapshots[snapshot as usize].commit_ts(),
        }
    }

    fn visible<'a>(&'a self, space: Space, key: &Bytes, at: CommitTs) -> Option<&'a Version> {
        Some(self.versions.get(&(space, key.clone()))?.range(..=at).next_back()?.1)
    }

    async fn get(&self) {
        let (space, key, at) = (self.space(), self.key(), self.timestamp());
        let expected = self.visible(space, &key, at);
        let found = self.storage.get(space, &key, at).await.unwrap();
        // A deletion below every snapshot may be gone: nobody can tell it from a key that never was.
        let is_same = found.as_ref() == expected || found.is_none() && expected.is_none_or(|v| !v.value.is_live());
        assert!(is_same, "{space} {key:?} at {at}: {found:?}, expected {expected:?}");
        match self.storage.try_get(space, &key, at).unwrap() {
            Lookup::Found(version) => assert_eq!(Some(version), found),
            // Between the two a compaction in the background may have dropped a deletion that nobody needs.
            Lookup::Absent if self.options.background => assert!(found.is_none_or(|version| !version.value.is_live())),
            Lookup::Absent => assert_eq!(None, found),
            Lookup::NeedsIo => assert!(self.options.background || self.options.cache_bytes < 1 << 20),
        }
    }

    async fn scan(&self) {
        let (space, at) = (self.space(), self.timestamp());
        let bound = |key| match self.below(3) {
            0 => Bound::Unbounded,
            1 => Bound::Included(key),
            _ => Bound::Excluded(key),
        };
        let range = KeyRange { start: bound(self.key()), end: bound(self.key()) };
        let direction = if self.below(2) == 0 { Direction::Forward } else { Direction::Backward };
        let with_deleted = self.below(4) == 0;
        let mut expected: Vec<Entry> = self
            .versions
            .keys()
            .filter(|(owner, key)| *owner == space && range.contains(key))
            .filter_map(|(_, key)| Some(Entry { key: key.clone(), version: self.visible(space, key, at)?.clone() }))
            .filter(|entry| entry.version.value.is_live())
            .collect();
        if direction == Direction::Backward {
            expected.reverse();
        }
        let mut scan = self.storage.scan(space, range, direction, at);
        if with_deleted {
            scan = scan.with_deleted();
        }
        let (mut found, limit) = (Vec::new(), 1 + self.below(20) as usize);
        loop {
            let before = found.len();
            let more = scan.next_rows(limit, &mut found).await.unwrap();
            assert_eq!(more, found.len() > before);
            assert!(found.len() - before <= limit);
            if !more {
                break;
            }
        }
        found.retain(|entry| entry.version.value.is_live());
        assert_eq!(found, expected, "{space} at {at} {direction:?}");
    }

    async fn reopen(&mut self) {
        self.snapshots.clear();
        self.storage.close().await.unwrap();
        let error = self.storage.commit(WriteBatch::default(), Durability::Sync).await;
        assert_eq!(error, Err(Error::Closed));
        let (storage, report) = Storage::open(self.env.clone(), self.options.clone()).await.unwrap();
        assert!(!report.created && report.torn_tail.is_none(), "{report:?}");
        let newest = self.versions.values().filter_map(|chain| chain.keys().next_back()).max();
        assert!(storage.last_commit() >= newest.copied().unwrap_or_default());
        self.storage = storage;
    }

    async fn step(&mut self) {
        let operation = self.below(100);
        match operation {
            0..=49 => self.commit().await,
            50..=64 => self.get().await,
            65..=79 => self.scan().await,
            80..=85 => self.snapshots.push(self.storage.snapshot()),
            86..=91 if !self.snapshots.is_empty() => {
                let place = self.below(self.snapshots.len() as u64) as usize;
                drop(self.snapshots.swap_remove(place));
            }
            92..=94 => self.storage.flush().await.unwrap(),
            95 => self.storage.compact().await.unwrap(),
            96 => self.drop_space().await,
            97 => self.reopen().await,
            98 => {
                let report = self.storage.verify().await;
                assert!(report.is_clean(), "{report:?}");
            }
            _ => (),
        }
    }
}

fn run(seed: u64, steps: u64) {
    let env = Env::memory().unwrap();
    env.block_on(async {
        let mut model = Model::new(seed).await;
        for _ in 0..steps {
            model.step().await;
        }
        for _ in 0..50 {
            model.get().await;
            model.scan().await;
        }
        let report = model.storage.verify().await;
        assert!(report.is_clean(), "seed {seed}: {report:?}");
        model.snapshots.clear();
        model.storage.compact().await.unwrap();
        let stats = model.storage.stats();
        let files: usize = stats.levels.iter().map(|(files, _)| files).sum();
        assert!(
            stats.levels.iter().filter(|(files, _)| *files > 0).count() <= 1,
            "seed {seed}: {files} files, {stats:?}"
        );
        let listed = model.env.disk.list("sst").await.unwrap();
        assert_eq!(listed.len(), files, "seed {seed}: {listed:?} {stats:?}");
        model.storage.close().await.unwrap();
    });
}

/// More with `HELIOS_MODEL_SEEDS=n`.
fn seeds() -> u64 {
    std::env::var("HELIOS_MODEL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(100)
}

#[test]
fn random_operations_agree_with_the_model() {
    for seed in 0..seeds() {
        run(seed, 400);
    }
}
