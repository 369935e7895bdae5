//! Bugs that the simulation and the model found, each told as a story that must not happen again.

use bytes::Bytes;
use helios_env::{Env, OpenOptions};
use helios_sim::{FaultKind, Faults, World};
use helios_storage::{
    CommitTs, Direction, Durability, Error, KeyRange, Options, Space, Storage, Value, Write, WriteBatch,
};

const SPACE: Space = Space::new(0, 1);

fn put(key: &'static str, payload: usize) -> WriteBatch {
    let write = Write {
        space: SPACE,
        key: Bytes::from_static(key.as_bytes()),
        value: Value::Row(vec![7; payload].into()),
        is_insert: true,
        birth: CommitTs::ZERO,
    };
    WriteBatch { writes: vec![write], ..WriteBatch::default() }
}

async fn keys(storage: &Storage) -> Vec<Bytes> {
    let mut scan = storage.scan(SPACE, KeyRange::all(), Direction::Forward, CommitTs::NEWEST);
    let mut entries = Vec::new();
    while scan.next_rows(10, &mut entries).await.unwrap() {}
    entries.into_iter().map(|entry| entry.key).collect()
}

/// Files of level 0 held a, a and z; level 1 held m. Only what lay below each input was merged, so m stayed, and the
/// output, one file from a to z, overlapped it.
#[test]
fn a_compaction_takes_in_the_gap_between_its_inputs() {
    let env = Env::memory().unwrap();
    env.clone().block_on(async {
        let options = Options { background: false, level0_files: 3, ..Options::tiny() };
        let (storage, _) = Storage::open(env, options).await.unwrap();
        storage.commit(put("m", 10), Durability::Sync).await.unwrap();
        storage.compact().await.unwrap();
        for key in ["a", "a", "z"] {
            storage.commit(put(key, 10), Durability::Sync).await.unwrap();
            storage.flush().await.unwrap();
        }
        storage.compact().await.unwrap();
        let report = storage.verify().await;
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(keys(&storage).await, ["a", "m", "z"]);
    });
}

/// A dropped space lay between the keys of a file that held nothing of it: the file was written again and again to be rid
/// of it.
#[test]
fn a_dropped_space_within_a_files_range_is_collected_once() {
    let env = Env::memory().unwrap();
    env.clone().block_on(async {
        let (storage, _) = Storage::open(env, Options { background: false, ..Options::tiny() }).await.unwrap();
        for storage_id in [1, 3] {
            let mut batch = put("k", 10);
            batch.writes[0].space = Space::new(0, storage_id);
            storage.commit(batch, Durability::Sync).await.unwrap();
        }
        storage.flush().await.unwrap();
        let dropped = WriteBatch { dropped_spaces: vec![Space::new(0, 2)], ..WriteBatch::default() };
        storage.commit(dropped, Durability::Sync).await.unwrap();
        storage.compact().await.unwrap();
        assert!(storage.stats().compactions < 5, "{:?}", storage.stats());
    });
}

/// A segment prepared ahead was numbered when its preparation began, and was used after one with a higher number: the
/// newest segment was then not the one with the highest number, and the next open took its end for the log's.
#[test]
fn segments_are_numbered_in_the_order_in_which_they_are_used() {
    let env = Env::memory().unwrap();
    env.clone().block_on(async {
        for _ in 0..20 {
            let (storage, _) = Storage::open(env.clone(), Options::tiny()).await.unwrap();
            for number in 0..40 {
                // Some do not fit into a prepared segment, and get one of their own.
                let payload = if number % 7 == 0 { 20_000 } else { 500 };
                storage.commit(put("k", payload), Durability::Sync).await.unwrap();
            }
            storage.close().await.unwrap();
        }
    });
}

/// A database was closed, opened again, and killed. Recovery had begun the new segment with the log's last batch, the old
/// seal, and a segment cut behind it passed for one that had been closed in order: what had been committed since was
/// silently gone.
#[test]
fn a_segment_cut_behind_the_seal_of_the_one_before_it() {
    let options = || Options { background: false, ..Options::tiny() };
    let env = Env::memory().unwrap();
    env.block_on(async {
        for blocks in 1..6 {
            let env = Env::memory().unwrap();
            let (storage, _) = Storage::open(env.clone(), options()).await.unwrap();
            storage.commit(put("before", 10), Durability::Sync).await.unwrap();
            storage.close().await.unwrap();
            drop(storage);
            let (storage, _) = Storage::open(env.clone(), options()).await.unwrap();
            storage.commit(put("since", 2000), Durability::Sync).await.unwrap();
            drop(storage);
            let newest = format!("wal/{}", env.disk.list("wal").await.unwrap().pop().unwrap());
            let file = env.disk.open(&newest, OpenOptions { write: true, ..OpenOptions::read() }).await.unwrap();
            file.truncate(blocks * 512).await.unwrap();
            match Storage::open(env, options()).await.map(|_| ()) {
                Err(Error::Corruption { file, offset, .. }) => assert_eq!((&*file, offset), (&*newest, blocks * 512)),
                other => panic!("cut after {blocks} blocks: {other:?}"),
            }
        }
    });
}

/// An edit of the manifest was cut a byte short by a full disk, and that byte was padding: it could be read, as the next
/// opening would have read it. That is provided for; but verify took it for damage.
#[test]
fn an_edit_that_a_full_disk_has_cut_short_is_no_damage() {
    let mut refused = 0;
    for seed in 0..400 {
        let world = World::seeded(seed);
        let is_refused = world.run(async {
            let options = Options { background: false, ..Options::tiny() };
            let (storage, _) = Storage::open(world.env(), options).await.unwrap();
            storage.commit(put("k", 10), Durability::Sync).await.unwrap();
            // A manifest is opened as ".new", and that is what it is called here for ever.
            world.set_faults(Faults::none().with(FaultKind::NoSpace, 400_000).within(FaultKind::NoSpace, ".new"));
            let flushed = storage.flush().await;
            world.heal();
            let report = storage.verify().await;
            assert!(report.is_clean(), "seed {seed}: {report:?}");
            storage.flush().await.unwrap();
            assert!(storage.verify().await.is_clean(), "seed {seed}");
            flushed.is_err()
        });
        let is_cut = world.marks().hits("storage: a manifest edit failed for want of space") > 0;
        refused += u64::from(is_refused.expect("nothing crashes unasked") && is_cut);
    }
    assert!(refused > 0, "no edit met a full disk");
}
