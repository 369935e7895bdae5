//! A short script, cut off before every change that it makes to the disk, with everything that the disk could then hold; and
//! the recovery from each of these, cut off in turn.

use std::collections::BTreeMap;

use bytes::Bytes;
use helios_env::Env;
use helios_sim::{Explore, Ledger, Violation, explore};
use helios_storage::{CommitTs, Direction, Durability, KeyRange, Options, Space, Storage, Value, Write, WriteBatch};

const SPACE: Space = Space::new(0, 1);

/// What the outside world was told: rows as acknowledged, and those of the commit that is under way.
#[derive(Clone, Default)]
struct Promised {
    rows: BTreeMap<u8, u8>,
    under_way: Option<BTreeMap<u8, u8>>,
}

fn options() -> Options {
    // A segment per two or three commits, a file per flush, a compaction per two files.
    Options { segment_bytes: 2 << 10, memtable_bytes: 1 << 20, ..Options::tiny() }
}

fn batch(rows: &[(u8, u8)]) -> WriteBatch {
    let write = |(key, value): &(u8, u8)| Write {
        space: SPACE,
        key: Bytes::copy_from_slice(&[*key]),
        value: if *value == 0 { Value::Deleted } else { Value::Row(vec![*value; 40].into()) },
        is_insert: true,
        birth: CommitTs::ZERO,
    };
    WriteBatch { writes: rows.iter().map(write).collect(), ..WriteBatch::default() }
}

async fn rows(storage: &Storage) -> Result<BTreeMap<u8, u8>, Violation> {
    let mut scan = storage.scan(SPACE, KeyRange::all(), Direction::Forward, CommitTs::NEWEST);
    let mut entries = Vec::new();
    while scan.next_rows(64, &mut entries).await? {}
    let row = |entry: helios_storage::Entry| match entry.version.value {
        Value::Row(row) if row.len() == 40 && row.iter().all(|byte| *byte == row[0]) => Ok((entry.key[0], row[0])),
        other => Err(Violation::new(format!("not a row that was written: {other:?}"))),
    };
    entries.into_iter().map(row).collect()
}

fn after(rows: &BTreeMap<u8, u8>, writes: &[(u8, u8)]) -> BTreeMap<u8, u8> {
    let mut rows = rows.clone();
    rows.extend(writes.iter().copied());
    rows.retain(|_, value| *value != 0);
    rows
}

async fn commit(storage: &Storage, ledger: &Ledger<Promised>, writes: &[(u8, u8)]) -> Result<(), Violation> {
    let rows = after(&ledger.get().rows, writes);
    ledger.update(|promised| promised.under_way = Some(rows.clone()));
    storage.commit(batch(writes), Durability::Sync).await?;
    ledger.update(|promised| *promised = Promised { rows, under_way: None });
    Ok(())
}

async fn script(env: Env, ledger: Ledger<Promised>) -> Result<(), Violation> {
    let (storage, _) = Storage::open(env.clone(), options()).await?;
    commit(&storage, &ledger, &[(1, 1), (2, 1)]).await?;
    commit(&storage, &ledger, &[(2, 2), (3, 2)]).await?;
    storage.flush().await?;
    commit(&storage, &ledger, &[(1, 0), (4, 3)]).await?;
    commit(&storage, &ledger, &[(3, 4)]).await?;
    storage.flush().await?;
    commit(&storage, &ledger, &[(2, 0), (3, 5)]).await?;
    storage.compact().await?;
    commit(&storage, &ledger, &[(5, 6)]).await?;
    storage.close().await?;
    let (storage, _) = Storage::open(env, options()).await?;
    commit(&storage, &ledger, &[(1, 7), (2, 7), (3, 7)]).await?;
    storage.close().await?;
    Ok(())
}

async fn check(env: Env, ledger: Ledger<Promised>) -> Result<(), Violation> {
    let (storage, _) = Storage::open(env, options()).await?;
    let (found, promised) = (rows(&storage).await?, ledger.get());
    if found != promised.rows && Some(&found) != promised.under_way.as_ref() {
        let Promised { rows, under_way } = &*promised;
        return Err(Violation::new(format!("found {found:?}, promised {rows:?}, under way {under_way:?}")));
    }
    // What was shown stays.
    ledger.update(|promised| *promised = Promised { rows: found, under_way: None });
    commit(&storage, &ledger, &[(9, 9)]).await?;
    if rows(&storage).await? != ledger.get().rows {
        return Err(Violation::new("a commit after recovery is not read back"));
    }
    let report = storage.verify().await;
    if !report.is_clean() {
        return Err(Violation::new(format!("verify is not clean: {report:?}")));
    }
    storage.close().await?;
    Ok(())
}

#[test]
fn every_crash_of_a_script_is_recovered_from() {
    let config = Explore { images_max: 64, recovery_points_max: 6, recovery_images_max: 8, ..Explore::default() };
    let explored = explore(&config, Promised::default(), script, check);
    println!("{explored}; {:.0} images/s", explored.images_per_second());
    explored.assert_clean();
    assert!(explored.figures.events > 100, "{explored}");
}
