//! What things cost, on a real directory. Not run by default: `cargo test -p helios-storage --test figures --
//! --ignored --nocapture`.

use bytes::Bytes;
use helios_env::{Env, Instant};
use helios_storage::{
    CommitTs, Direction, Durability, KeyRange, Lookup, Options, Space, Storage, Value, Write, WriteBatch,
};

const SPACE: Space = Space::new(1, 1);

fn write(number: u64) -> Write {
    Write {
        space: SPACE,
        key: Bytes::copy_from_slice(&number.to_be_bytes()),
        value: Value::Row(vec![number as u8; 80].into()),
        is_insert: true,
        birth: CommitTs::ZERO,
    }
}

fn put(numbers: std::ops::Range<u64>) -> WriteBatch {
    WriteBatch { writes: numbers.map(write).collect(), ..WriteBatch::default() }
}

fn micros(env: &Env, since: Instant, count: u64) -> f64 {
    env.clock.monotonic().since(since).as_secs_f64() * 1e6 / count as f64
}

#[test]
#[ignore = "prints figures, for a quiet machine"]
fn figures() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (env, backend) = Env::open_directory(directory.path()).unwrap();
    println!("backend {backend:?}");
    let open = || async { Storage::open(env.clone(), Options::default()).await.unwrap() };
    env.block_on(async {
        let begun = env.clock.monotonic();
        let (storage, _) = open().await;
        println!("create: {:.0} us", micros(&env, begun, 1));
        let begun = env.clock.monotonic();
        for number in 0..2_000 {
            storage.commit(put(number..number + 1), Durability::Sync).await.unwrap();
        }
        println!("durable commit, 1 client: {:.1} us", micros(&env, begun, 2_000));

        let begun = env.clock.monotonic();
        let mut clients = Vec::new();
        for client in 0..16u64 {
            let storage = storage.clone();
            clients.push(env.spawn("client", async move {
                for number in 0..1_000 {
                    let number = 10_000 + client * 1_000 + number;
                    storage.commit(put(number..number + 1), Durability::Sync).await.unwrap();
                }
            }));
        }
        for client in clients {
            client.await;
        }
        println!(
            "durable commit, 16 clients: {:.1} us each; {:?}",
            micros(&env, begun, 16_000),
            storage.stats().log_syncs
        );
        storage.close().await.unwrap();
        let begun = env.clock.monotonic();
        let (storage, _) = open().await;
        println!("open after close: {:.0} us", micros(&env, begun, 1));
        let begun = env.clock.monotonic();
        for number in 0..50_000 {
            storage.commit(put(number..number + 1), Durability::Async).await.unwrap();
        }
        println!("asynchronous commit: {:.1} us", micros(&env, begun, 50_000));
        storage.sync().await.unwrap();
        println!("{:?}", storage.stats());
        drop(storage);
    });
    env.block_on(async {
        // The storage was dropped, not closed: its last tasks end by themselves.
        env.sleep(std::time::Duration::from_millis(500)).await;
        let begun = env.clock.monotonic();
        let (storage, report) = open().await;
        println!("recovery of {} commits: {:.0} us", report.replayed_commits, micros(&env, begun, 1));

        let begun = env.clock.monotonic();
        for chunk in 0..100 {
            let first = 100_000 + chunk * 10_000;
            storage.commit(put(first..first + 10_000), Durability::Sync).await.unwrap();
        }
        println!("bulk load of 1 million rows: {:.2} us each", micros(&env, begun, 1_000_000));
        let begun = env.clock.monotonic();
        storage.compact().await.unwrap();
        println!("compact: {:.0} us; {:?}", micros(&env, begun, 1), storage.stats());
        for round in 0..3 {
            let begun = env.clock.monotonic();
            let mut found = 0;
            for number in 0..100_000u64 {
                let key = (100_000 + number * 7_919 % 200_000).to_be_bytes();
                if let Lookup::NeedsIo = storage.try_get(SPACE, &key, CommitTs::NEWEST).unwrap() {
                    storage.get(SPACE, &key, CommitTs::NEWEST).await.unwrap();
                    found += 1;
                }
            }
            println!("point get, round {round}: {:.3} us, {found} with I/O", micros(&env, begun, 100_000));
        }
        for direction in [Direction::Forward, Direction::Backward] {
            let begun = env.clock.monotonic();
            let mut scan = storage.scan(SPACE, KeyRange::all(), direction, CommitTs::NEWEST);
            let (mut rows, mut count) = (Vec::new(), 0);
            while scan.next_rows(1024, &mut rows).await.unwrap() {
                count += rows.len() as u64;
                rows.clear();
            }
            println!("scan {direction:?} of {count} rows: {:.3} us each", micros(&env, begun, count));
        }
        let begun = env.clock.monotonic();
        for _ in 0..100_000 {
            drop(storage.snapshot());
        }
        println!("snapshot: {:.3} us", micros(&env, begun, 100_000));
        storage.close().await.unwrap();
    });
}
