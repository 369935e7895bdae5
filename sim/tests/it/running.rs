//! Tasks, time, and runs that do not end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use helios_env::sync::Mutex;
use helios_env::{Buf, Instant, OpenOptions, pending};
use helios_sim::{Buggify, Cancelled, CrashKind, FaultKind, Faults, Stop, Timing, World, WorldConfig, cancel_at};

#[test]
fn time_passes_only_by_waiting() {
    let world = World::seeded(1);
    let env = world.env();
    world
        .run(async move {
            let begin = env.clock.monotonic();
            env.sleep(Duration::from_secs(3_000)).await;
            assert_eq!(env.clock.monotonic().since(begin), Duration::from_secs(3_000));
            env.spawn.yield_now().await;
            assert_eq!(env.clock.monotonic().since(begin), Duration::from_secs(3_000));
        })
        .expect("it ends");
}

#[test]
fn any_ready_task_may_run_first() {
    let orders: std::collections::BTreeSet<Vec<u32>> = (0..50)
        .map(|seed| {
            let world = World::seeded(seed);
            let (env, order) = (world.env(), Arc::new(Mutex::new(Vec::new())));
            let seen = order.clone();
            world
                .run(async move {
                    let tasks: Vec<_> = (0..3)
                        .map(|number| {
                            let order = order.clone();
                            env.spawn("counter", async move { order.lock().push(number) })
                        })
                        .collect();
                    for task in tasks {
                        task.await;
                    }
                })
                .expect("it ends");
            seen.lock().clone()
        })
        .collect();
    assert_eq!(orders.len(), 6);
}

#[test]
fn a_deadlock_names_those_who_wait() {
    let world = World::seeded(1);
    let env = world.env();
    let (completer, never) = pending::<()>();
    let end = world.run(async move {
        let _task = env.spawn("waits for godot", never);
        std::future::pending::<()>().await
    });
    assert_eq!(end, Err(Stop::Deadlock(vec!["main".to_owned(), "waits for godot".to_owned()])));
    drop(completer);
}

#[test]
fn spinning_and_hanging_are_told_apart() {
    let world = World::new(WorldConfig { polls_max: 1_000, ..WorldConfig::seeded(1) });
    let env = world.env();
    let end = world.run(async move {
        loop {
            env.spawn.yield_now().await;
        }
    });
    assert!(matches!(&end, Err(Stop::Spinning(tasks)) if tasks[0].starts_with("main (")), "{end:?}");
    let env = world.env();
    let end = world.run(async move {
        loop {
            env.sleep(Duration::from_secs(1)).await;
        }
    });
    assert_eq!(end, Err(Stop::TimeLimit(vec!["main".to_owned()])));
}

#[test]
fn tasks_go_on_between_runs_and_end_with_their_node() {
    let world = World::seeded(1);
    let (env, ticks) = (world.env(), Arc::new(AtomicU64::new(0)));
    let ticking = ticks.clone();
    world
        .run(async move {
            let clock = env.clone();
            let _task = env.spawn("ticker", async move {
                loop {
                    clock.sleep(Duration::from_secs(1)).await;
                    ticking.fetch_add(1, Relaxed);
                }
            });
        })
        .expect("it ends");
    world.settle(Duration::from_millis(5_500)).expect("nothing stops it");
    assert_eq!(ticks.load(Relaxed), 5);
    world.handle().pause(0, Duration::from_secs(10));
    world.settle(Duration::from_secs(2)).expect("the pause ends");
    assert!(ticks.load(Relaxed) <= 6 && world.now() >= Instant(15_500_000_000));
    world.crash(CrashKind::Process);
    let before = ticks.load(Relaxed);
    world.settle(Duration::from_secs(5)).expect("nothing stops it");
    assert_eq!(ticks.load(Relaxed), before);
    // The ticker is gone, and what it captured with it.
    assert_eq!(Arc::strong_count(&ticks), 1);
}

#[test]
fn a_dropped_world_leaves_nothing_behind() {
    let witness = Arc::new(());
    let world = World::new(WorldConfig { timing: Timing::nvme(), ..WorldConfig::seeded(1) });
    let (env, held) = (world.env(), witness.clone());
    world
        .run(async move {
            let inner = env.clone();
            let _task = env.spawn("sleeper", async move {
                inner.sleep(Duration::from_secs(1_000_000)).await;
                drop(held);
            });
        })
        .expect("it ends");
    drop(world);
    assert_eq!(Arc::strong_count(&witness), 1);
}

#[test]
fn futures_are_dropped_at_any_await() {
    let mut steps_seen = [0; 4];
    for seed in 0..100 {
        let world = World::seeded(seed);
        let (env, steps) = (world.env(), Arc::new(AtomicU64::new(0)));
        world.set_faults(Faults::none().with(FaultKind::Cancellation, 300_000));
        let counting = steps.clone();
        let end = world.run(world.handle().cancellable("cancel", async move {
            for _ in 0..3 {
                env.sleep(Duration::from_millis(1)).await;
                counting.fetch_add(1, Relaxed);
            }
        }));
        let done = steps.load(Relaxed);
        assert_eq!(end, Ok(if done == 3 { Ok(()) } else { Err(Cancelled) }));
        assert_eq!(world.fault_counts().of(FaultKind::Cancellation), u64::from(done < 3));
        steps_seen[done as usize] += 1;
    }
    assert!(steps_seen.iter().all(|n| *n > 0), "{steps_seen:?}");
}

#[test]
fn a_future_is_dropped_at_the_wait_that_is_asked_for() {
    let world = World::seeded(1);
    let sleeps = |env: helios_env::Env| async move {
        for _ in 0..3 {
            env.sleep(Duration::from_millis(1)).await;
        }
    };
    let ends: Vec<_> = (0..5).map(|waits| world.run(cancel_at(waits, sleeps(world.env())))).collect();
    assert_eq!(ends, [Ok(None), Ok(None), Ok(None), Ok(Some(())), Ok(Some(()))]);
}

#[test]
fn a_part_of_the_sites_is_perturbed() {
    const SITES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut total = 0;
    for seed in 0..50 {
        let world = World::new(WorldConfig { buggify: Buggify::USUAL, ..WorldConfig::seeded(seed) });
        let env = world.env();
        total += SITES.iter().filter(|site| (0..50).any(|_| env.buggify(site))).count();
        world.heal();
        assert!(!SITES.iter().any(|site| env.buggify(site)));
    }
    // A quarter of 400.
    assert!((60..140).contains(&total), "{total}");
}

#[test]
fn another_node_crashes_and_comes_back_while_the_world_goes_on() {
    let world = World::seeded(1);
    let other = world.add_node(&helios_sim::DiskImage::empty(), Default::default(), Timing::nvme());
    let (env, handle) = (world.env(), world.handle());
    let lives = Arc::new(AtomicU64::new(0));
    let counted = lives.clone();
    let end = world.run(async move {
        for _ in 0..3 {
            let theirs = handle.env_of(other);
            let lives = lives.clone();
            let _task = theirs.spawn("server", async move {
                lives.fetch_add(1, Relaxed);
                std::future::pending::<()>().await;
            });
            env.sleep(Duration::from_secs(1)).await;
            handle.crash_node(other, CrashKind::Power);
            env.spawn.yield_now().await;
        }
    });
    assert_eq!((end, counted.load(Relaxed)), (Ok(()), 3));
    assert_eq!(Arc::strong_count(&counted), 1);
}

/// The file was removed, and its last handle dropped while operations were under way: the inode was collected under them.
#[test]
fn an_operation_keeps_its_file() {
    let world = World::seeded(1);
    let env = world.env();
    let read = world.run(async move {
        let file = env.disk.open("file", OpenOptions::create_new()).await?;
        file.write_at(0, Buf::from(&b"still here"[..])).await.result?;
        env.disk.remove("file").await?;
        env.disk.sync_dir("").await?;
        let (read, synced) = (file.read_at(0, Buf::zeroed(10)), file.write_at_and_sync(10, Buf::from(&b"!"[..])));
        drop(file);
        synced.await.result?;
        let io = read.await;
        io.result.map(|_| io.buf.to_vec())
    });
    assert_eq!(read.expect("nothing crashes unasked").expect("no fault is switched on"), b"still here");
}
