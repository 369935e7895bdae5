//! Checks of everything but the disk: clocks, tasks, random numbers.

use std::sync::Arc;
use std::time::Duration;

use super::{Checked, ensure, ensure_eq};
use crate::sync::{AtomicUsize, Mutex, Notify, Ordering};
use crate::{Env, Instant};

pub(super) async fn clock(env: &Env, _dir: &str) -> Checked {
    let mut last = env.clock.monotonic();
    for _ in 0..1000 {
        let now = env.clock.monotonic();
        ensure!(now >= last, "time ran backwards");
        last = now;
    }
    // The year 2001: whoever simulates time should still call it by a plausible date.
    ensure!(env.clock.wall().0 > 978_307_200_000_000, "{:?} is long ago", env.clock.wall());
    Ok(())
}

pub(super) async fn sleep(env: &Env, _dir: &str) -> Checked {
    for millis in [0, 1, 5] {
        let deadline = env.clock.monotonic() + Duration::from_millis(millis);
        env.clock.sleep_until(deadline).await;
        ensure!(env.clock.monotonic() >= deadline, "woke too early");
    }
    env.clock.sleep_until(Instant(0)).await;
    // Shorter sleeps set later end earlier.
    let order = Arc::new(Mutex::new(Vec::new()));
    let start = env.clock.monotonic();
    let tasks: Vec<_> = [60, 30, 0]
        .map(|millis| {
            let (order, clock) = (order.clone(), env.clock.clone());
            env.spawn("sleep", async move {
                clock.sleep_until(start + Duration::from_millis(millis)).await;
                order.lock().push(millis);
            })
        })
        .into();
    for task in tasks {
        task.await;
    }
    ensure_eq!(*order.lock(), [0, 30, 60]);
    Ok(())
}

/// Timeouts that never fire are the common case.
pub(super) async fn dropped_sleeps(env: &Env, _dir: &str) -> Checked {
    for seconds in 0..5_000 {
        drop(env.sleep(Duration::from_secs(3600 + seconds)));
    }
    env.sleep(Duration::from_millis(1)).await;
    Ok(())
}

pub(super) async fn spawn(env: &Env, _dir: &str) -> Checked {
    let count = Arc::new(AtomicUsize::new(0));
    let done = Arc::new(Notify::new());
    let task = |count: Arc<AtomicUsize>, done: Option<Arc<Notify>>| async move {
        count.fetch_add(1, Ordering::SeqCst);
        if let Some(done) = done {
            done.notify();
        }
    };
    env.spawn("awaited", task(count.clone(), None)).await;
    ensure_eq!(count.load(Ordering::SeqCst), 1);
    // A dropped handle lets the task run on.
    drop(env.spawn("dropped", task(count.clone(), Some(done.clone()))));
    done.notified().await;
    ensure_eq!(count.load(Ordering::SeqCst), 2);
    // A task may be awaited long after its end.
    let ended = env.spawn("ended", task(count.clone(), Some(done.clone())));
    done.notified().await;
    env.sleep(Duration::from_millis(2)).await;
    ended.await;
    ensure_eq!(count.load(Ordering::SeqCst), 3);
    Ok(())
}

pub(super) async fn spawn_from_task(env: &Env, _dir: &str) -> Checked {
    let count = Arc::new(AtomicUsize::new(0));
    let (of_task, counted) = (env.clone(), count.clone());
    env.spawn("parent", async move {
        let children: Vec<_> = (0..50)
            .map(|_| {
                let (of_child, counted) = (of_task.clone(), counted.clone());
                of_task.spawn("child", async move {
                    of_child.spawn.yield_now().await;
                    counted.fetch_add(1, Ordering::SeqCst);
                })
            })
            .collect();
        for child in children {
            child.await;
        }
    })
    .await;
    ensure_eq!(count.load(Ordering::SeqCst), 50);
    Ok(())
}

pub(super) async fn yield_now(env: &Env, _dir: &str) -> Checked {
    // Were yielding not to let the other run, then the first would never end.
    let flag = Arc::new(AtomicUsize::new(0));
    let (of_first, waits) = (env.clone(), flag.clone());
    let first = env.spawn("waits", async move {
        while waits.load(Ordering::SeqCst) == 0 {
            of_first.spawn.yield_now().await;
        }
    });
    let sets = flag.clone();
    let second = env.spawn("sets", async move { sets.store(1, Ordering::SeqCst) });
    while flag.load(Ordering::SeqCst) == 0 {
        env.spawn.yield_now().await;
    }
    first.await;
    second.await;
    Ok(())
}

pub(super) async fn offload(env: &Env, _dir: &str) -> Checked {
    ensure_eq!(env.offload("sum", || (1..=1000_u64).sum::<u64>()).await, 500_500);
    let ran = Arc::new(AtomicUsize::new(0));
    let works: Vec<_> = (0..20)
        .map(|_| {
            let ran = ran.clone();
            let count = move || {
                ran.fetch_add(1, Ordering::SeqCst);
            };
            env.spawn.offload("count", Box::new(count))
        })
        .collect();
    for work in works {
        work.await;
    }
    ensure_eq!(ran.load(Ordering::SeqCst), 20);
    Ok(())
}

pub(super) async fn random_numbers(env: &Env, _dir: &str) -> Checked {
    let (one, two) = (env.rng.fork("one"), env.rng.fork("two"));
    let draw = |rng: &dyn crate::Rng| (0..100).map(|_| rng.next_u64()).collect::<Vec<u64>>();
    let (one, two) = (draw(&*one), draw(&*two));
    ensure!(one != two, "streams of different names are the same");
    let distinct: std::collections::BTreeSet<u64> = one.iter().chain(&two).copied().collect();
    ensure!(distinct.len() == 200, "{} of 200 numbers are distinct", distinct.len());
    let ones: u32 = distinct.iter().map(|number| number.count_ones()).sum();
    ensure!((5_600..=7_200).contains(&ones), "{ones} of 12,800 bits are set");
    Ok(())
}
