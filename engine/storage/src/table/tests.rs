use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use helios_env::sync::Arc;
use helios_env::{Env, OpenOptions, Rng, SplitMix64, write_full};

use super::find::{HeldBlocks, TableFound, Target};
use super::*;
use crate::cache::BlockCache;
use crate::checksum::FileIdentity;
use crate::{CommitTs, Direction, Error, Options, Result, Space, Value, Version};

const DATABASE: u128 = 77;

/// Keys and versions in file order.
type Model = BTreeMap<Vec<u8>, BTreeMap<std::cmp::Reverse<u64>, Version>>;

fn encoded(key: &[u8]) -> Vec<u8> {
    [&Space::new(1, 5).encode()[..], key].concat()
}

/// Random keys over a tiny alphabet, so that many are prefixes of one another, with random versions.
fn random_model(seed: u64, keys: u64, versions: u64) -> Model {
    let rng = SplitMix64::new(seed);
    let mut model = Model::new();
    for _ in 0..keys {
        let key: Vec<u8> = (0..rng.next_u64() % 6).map(|_| [0, 1, 0xff][rng.next_u64() as usize % 3]).collect();
        let chain = model.entry(encoded(&key)).or_default();
        for _ in 0..=rng.next_u64() % versions {
            let ts = 1 + rng.next_u64() % 1000;
            let payload = Bytes::from(vec![ts as u8; rng.next_u64() as usize % 40]);
            let value = match rng.next_u64() % 4 {
                0 => Value::Deleted,
                1 => Value::Moved { to: payload },
                _ => Value::Row(payload),
            };
            let birth = if rng.next_u64().is_multiple_of(2) { ts } else { rng.next_u64() % ts };
            let version = Version { commit_ts: CommitTs(ts), birth: CommitTs(birth), value };
            chain.insert(std::cmp::Reverse(ts), version);
        }
    }
    model
}

fn options(compress: bool, filters: bool) -> Options {
    Options { block_bytes: 120, index_block_bytes: 150, compress, filters, ..Options::tiny() }
}

fn context(env: &Env, cache_bytes: usize) -> TableContext {
    TableContext {
        disk: env.disk.clone(),
        database: DATABASE,
        direct: false,
        cache: Arc::new(BlockCache::new(cache_bytes)),
        graveyard: Arc::default(),
    }
}

async fn write(env: &Env, options: &Options, id: u64, model: &Model) -> TableSummary {
    env.disk.create_dir("sst").await.unwrap();
    let identity = FileIdentity { database: DATABASE, file: id };
    let mut writer = TableWriter::create(env, options, identity).await.unwrap();
    for (key, chain) in model {
        for version in chain.values() {
            writer.add(key, version);
            if writer.wants_to_write() || version.commit_ts.0.is_multiple_of(7) {
                writer.write_out().await.unwrap();
            }
        }
    }
    writer.finish().await.unwrap()
}

async fn get(table: &Arc<Table>, key: &[u8], at: CommitTs) -> Result<Option<Version>> {
    let (mut held, mut target) = (HeldBlocks::default(), Target::new(key));
    loop {
        match table.find(&mut target, at, &held)? {
            TableFound::Version(version) => return Ok(Some(version)),
            TableFound::Absent => return Ok(None),
            TableFound::Needs(handle, kind) => {
                let block = table.read(handle, kind, true).await?;
                held.hold(table, handle, block);
            }
        }
    }
}

async fn walk(table: &Arc<Table>, direction: Direction, bounds: Bounds) -> Result<Vec<(Vec<u8>, Version)>> {
    let mut cursor = TableCursor::new(table.clone(), direction, bounds, true);
    let mut entries = Vec::new();
    loop {
        std::future::poll_fn(|cx| cursor.poll_ready(cx)).await?;
        let Some(entry) = cursor.entry() else { return Ok(entries) };
        assert_eq!(entry.commit_ts(), cursor.version()?.commit_ts);
        entries.push((entry.key.to_vec(), cursor.version()?));
        cursor.advance()?;
    }
}

fn flat(model: &Model) -> Vec<(Vec<u8>, Version)> {
    model.iter().flat_map(|(key, chain)| chain.values().map(|version| (key.clone(), version.clone()))).collect()
}

#[test]
fn what_was_added_is_found_and_walked() {
    let env = Env::memory().unwrap();
    env.clone().block_on(async {
        for seed in 0..24 {
            let model = random_model(seed, 1 + seed * 20, if seed % 3 == 0 { 60 } else { 3 });
            let summary = write(&env, &options(seed % 2 == 0, seed % 4 < 2), seed + 1, &model).await;
            let cache_bytes = [0, 1000, 1 << 20][seed as usize % 3];
            let table = Table::open(&context(&env, cache_bytes), summary).await.unwrap();
            let all = flat(&model);
            assert_eq!(walk(&table, Direction::Forward, Bounds::ALL).await.unwrap(), all);
            let mut reversed = walk(&table, Direction::Backward, Bounds::ALL).await.unwrap();
            reversed.reverse();
            assert_eq!(reversed, all);
            let rng = SplitMix64::new(seed);
            for (key, _) in random_model(seed + 100, 60, 1) {
                let at = CommitTs(rng.next_u64() % 1001);
                let expected =
                    model.get(&key).and_then(|chain| chain.range(std::cmp::Reverse(at.0)..).next()).map(|(_, v)| v);
                assert_eq!(get(&table, &key, at).await.unwrap().as_ref(), expected, "{key:?} at {at}");
                let other = random_model(rng.next_u64(), 1, 1).into_keys().next().unwrap();
                for (lower, upper) in [
                    (Bound::Included(key.clone()), Bound::Excluded(other.clone())),
                    (Bound::Excluded(key.clone()), Bound::Included(other.clone())),
                    (Bound::Unbounded, Bound::Included(key.clone())),
                    (Bound::Excluded(key.clone()), Bound::Unbounded),
                    (Bound::Included(key.clone()), Bound::Included(key.clone())),
                ] {
                    let bounds = Bounds { lower: lower.map(Bytes::from), upper: upper.map(Bytes::from) };
                    let within =
                        |(key, _): &&(Vec<u8>, Version)| bounds.is_above_lower(key) && bounds.is_below_upper(key);
                    let expected: Vec<_> = all.iter().filter(within).cloned().collect();
                    assert_eq!(walk(&table, Direction::Forward, bounds.clone()).await.unwrap(), expected);
                    let mut reversed = walk(&table, Direction::Backward, bounds.clone()).await.unwrap();
                    reversed.reverse();
                    assert_eq!(reversed, expected, "backwards over {bounds:?}");
                }
            }
        }
    });
}

#[test]
fn a_cached_lookup_needs_no_io() {
    let env = Env::memory().unwrap();
    env.clone().block_on(async {
        let model = random_model(3, 200, 3);
        let summary = write(&env, &options(true, true), 1, &model).await;
        let table = Table::open(&context(&env, 1 << 20), summary).await.unwrap();
        let key = model.keys().nth(50).unwrap();
        let found = |table: &Arc<Table>| table.find(&mut Target::new(key), CommitTs(1000), &HeldBlocks::default());
        assert!(matches!(found(&table), Ok(TableFound::Needs(..))));
        get(&table, key, CommitTs(1000)).await.unwrap();
        assert!(matches!(found(&table), Ok(TableFound::Version(_))));
    });
}

#[test]
fn a_damaged_byte_is_an_error_or_nothing() {
    let env = Env::memory().unwrap();
    env.clone().block_on(async {
        let model = random_model(5, 40, 3);
        let summary = write(&env, &options(true, true), 1, &model).await;
        let path = table_path(1);
        let file = env.disk.open(&path, OpenOptions { write: true, ..OpenOptions::read() }).await.unwrap();
        let whole = helios_env::read_full(&*file, 0, helios_env::Buf::zeroed(summary.bytes as usize)).await.buf;
        let mut noticed = 0;
        for at in 0..whole.len() {
            let byte = helios_env::Buf::from(&[whole[at] ^ (1 << (at % 8))][..]);
            write_full(&*file, at as u64, byte).await.0.unwrap();
            let read = async {
                let table = Table::open(&context(&env, 0), summary.clone()).await?;
                assert_eq!(walk(&table, Direction::Forward, Bounds::ALL).await?, flat(&model));
                for (key, chain) in &model {
                    let found = get(&table, key, CommitTs::NEWEST).await?;
                    assert_eq!(found.as_ref(), chain.values().next());
                }
                Ok(())
            };
            match read.await {
                Ok(()) => (),
                Err(Error::Corruption { file, .. } | Error::UnsupportedFormat { file, .. }) => {
                    assert_eq!(&*file, path);
                    noticed += 1;
                }
                Err(error) => panic!("{error}"),
            }
            write_full(&*file, at as u64, helios_env::Buf::from(&whole[at..=at])).await.0.unwrap();
        }
        // What is not noticed is the padding before the footer, which nobody reads.
        assert!(noticed > whole.len() - FILE_ALIGNMENT as usize, "{noticed} of {}", whole.len());
        file.truncate(summary.bytes - 1).await.unwrap();
        assert!(matches!(Table::open(&context(&env, 0), summary.clone()).await, Err(Error::Corruption { .. })));
    });
}

#[test]
fn another_databases_file_is_refused() {
    let env = Env::memory().unwrap();
    env.clone().block_on(async {
        let summary = write(&env, &options(false, true), 1, &random_model(5, 40, 3)).await;
        let stranger = TableContext { database: DATABASE + 1, ..context(&env, 0) };
        assert!(matches!(Table::open(&stranger, summary).await, Err(Error::Corruption { .. })));
    });
}
