//! What a crash keeps and what it may take.

use helios_env::{Buf, Disk, File, OpenOptions, Result, SyncMode};
use helios_sim::{Choices, Crash, CrashKind, DeviceProfile, DiskImage, Fate, Faults, Stop, Timing, World, WorldConfig};

async fn put(file: &dyn File, offset: u64, bytes: &[u8]) {
    assert_eq!(file.write_at(offset, Buf::from(bytes)).await.result, Ok(bytes.len()));
}

async fn synced_file(disk: &dyn Disk, path: &str, bytes: &[u8]) -> Result<std::sync::Arc<dyn File>> {
    let file = disk.open(path, OpenOptions::create_new()).await?;
    put(&*file, 0, bytes).await;
    file.sync(SyncMode::Data).await?;
    disk.sync_dir("").await?;
    Ok(file)
}

fn world(seed: u64, profile: DeviceProfile) -> World {
    World::new(WorldConfig { profile, ..WorldConfig::seeded(seed) })
}

#[test]
fn what_was_synced_survives_every_power_cut() {
    for seed in 0..200 {
        for profile in DeviceProfile::HONEST {
            let world = world(seed, profile);
            let env = world.env();
            world
                .run(async move {
                    let file = synced_file(&*env.disk, "a", &[1; 5000]).await?;
                    put(&*file, 5000, &[2; 5000]).await;
                    env.disk.open("b", OpenOptions::create_new()).await
                })
                .expect("no crash")
                .expect("no fault");
            world.crash(CrashKind::Power);
            let a = world.disk().image().read("a").expect("its entry is durable");
            assert!(a[..5000] == [1; 5000], "seed {seed}");
        }
    }
}

#[test]
fn a_killed_process_leaves_the_cache_and_a_later_power_cut_takes_it() {
    let mut lost = false;
    for seed in 0..50 {
        let world = world(seed, DeviceProfile::posix());
        let env = world.env();
        world
            .run(async move { put(&*synced_file(&*env.disk, "a", b"one").await.expect("no fault"), 0, b"two").await })
            .expect("no crash");
        world.crash(CrashKind::Process);
        let env = world.env();
        let read = world.run(async move {
            let file = env.disk.open("a", OpenOptions::read()).await.expect("it is there");
            file.read_at(0, Buf::zeroed(3)).await.buf.to_vec()
        });
        assert_eq!(read, Ok(b"two".to_vec()));
        world.crash(CrashKind::Power);
        lost |= world.disk().image().read("a").as_deref() == Some(b"one");
    }
    assert!(lost);
}

#[test]
fn a_crash_ends_io_before_anything_is_dropped() {
    struct WritesOnDrop(std::sync::Arc<dyn File>);
    impl Drop for WritesOnDrop {
        fn drop(&mut self) {
            drop(self.0.write_at(0, Buf::from(&b"late"[..])));
        }
    }
    let world = World::new(WorldConfig { timing: Timing::Immediate, faults: Faults::none(), ..WorldConfig::seeded(1) });
    let (env, handle) = (world.env(), world.handle());
    let end = world.run(async move {
        let file = synced_file(&*env.disk, "a", b"fine").await.expect("no fault");
        let _task = env.spawn.spawn("writer", {
            let guard = WritesOnDrop(file.clone());
            Box::pin(async move {
                std::future::pending::<()>().await;
                drop(guard);
            })
        });
        env.spawn.yield_now().await;
        handle.crash(CrashKind::Power);
        let _guard = WritesOnDrop(file.clone());
        let _never = file.read_at(0, Buf::zeroed(4)).await;
        unreachable!("nothing completes after a crash");
    });
    assert_eq!(end, Err(Stop::Crashed(CrashKind::Power)));
    assert_eq!(world.disk().image().read("a").as_deref(), Some(&b"fine"[..]));
}

#[test]
fn a_crash_comes_before_the_event_asked_for() {
    for k in 0..6 {
        let config = WorldConfig { timing: Timing::Immediate, faults: Faults::none(), ..WorldConfig::seeded(1) };
        let world = World::new(config);
        world.disk().crash_after(k, CrashKind::Power);
        let env = world.env();
        let end = world.run(async move {
            // create, write, sync, sync directory
            let _file = synced_file(&*env.disk, "a", b"fine").await.expect("no fault");
            env.disk.remove("a").await.expect("no fault");
        });
        assert_eq!(end.is_ok(), k >= 5, "{k}");
        assert_eq!(world.disk().change_events(), if k >= 5 { 5 } else { k + 1 });
        let expected = match k {
            0 => None,
            1 => Some(&b""[..]),
            2..=4 => Some(&b"fine"[..]),
            _ => None,
        };
        assert_eq!(world.disk().image().read("a").as_deref(), expected, "{k}");
    }
}

/// All images of a single write of three sectors over a durable file.
#[test]
fn the_fates_of_one_write_are_its_cuts() {
    let image = DiskImage::with_files([("a", &[1; 1536][..])]);
    let config = WorldConfig { timing: Timing::Immediate, image, ..WorldConfig::new(Choices::seeded(0)) };
    let world = World::new(config);
    let env = world.env();
    world
        .run(async move {
            let options = OpenOptions { write: true, ..OpenOptions::read() };
            let file = env.disk.open("a", options).await.expect("it is there");
            put(&*file, 0, &[2; 1536]).await;
        })
        .expect("no crash");
    let cut = world.disk().power_cut();
    let fates = cut.fates(0, Crash::ALL, 100);
    assert_eq!(fates, [Fate::Kept, Fate::Lost, Fate::Prefix(1), Fate::Suffix(1), Fate::Prefix(2), Fate::Suffix(2)]);
    let shapes: Vec<Vec<u8>> = fates
        .iter()
        .map(|fate| cut.resolve(&[*fate]).read("a").expect("durable").chunks(512).map(|s| s[0]).collect())
        .collect();
    assert_eq!(shapes, [[2, 2, 2], [1, 1, 1], [2, 1, 1], [1, 2, 2], [2, 2, 1], [1, 1, 2]]);
}

#[test]
fn a_synchronous_call_is_ended_by_a_crash() {
    let world = World::new(WorldConfig { timing: Timing::Immediate, ..WorldConfig::seeded(1) });
    world.disk().crash_after(1, CrashKind::Power);
    let env = world.env();
    let end = world.run_sync(|| env.block_on(async { synced_file(&*env.disk, "a", b"x").await.map(drop) }));
    assert_eq!(end, Err(Stop::Crashed(CrashKind::Power)));
    let env = world.env();
    assert_eq!(world.run_sync(|| env.block_on(env.disk.list("")).map(|names| names.len() < 2)), Ok(Ok(true)));
}

#[test]
fn a_crash_may_come_between_any_two_steps() {
    let mut steps = std::collections::BTreeSet::new();
    for polls in 0..6 {
        let world = World::new(WorldConfig { timing: Timing::Immediate, ..WorldConfig::seeded(1) });
        let (env, handle) = (world.env(), world.handle());
        handle.crash_after_polls(0, polls, CrashKind::Process);
        let step = std::sync::atomic::AtomicUsize::new(0);
        let end = world.run(async {
            for _ in 0..10 {
                env.spawn.yield_now().await;
                step.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        });
        assert_eq!(end, Err(Stop::Crashed(CrashKind::Process)));
        steps.insert(step.into_inner());
    }
    assert_eq!(steps.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
}
