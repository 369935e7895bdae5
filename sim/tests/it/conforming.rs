//! The simulated disk answers as real ones do: the environment's conformance suite, and random operations side by side
//! with a real file system.

use std::time::Duration;

use helios_env::{Env, conformance};
use helios_sim::{CrashKind, DeviceProfile, FaultKind, Faults, Timing, World, WorldConfig};

fn worlds(seed: u64) -> Vec<World> {
    let profiles = DeviceProfile::HONEST.into_iter();
    let timings = [Timing::Immediate, Timing::nvme()];
    let each = profiles.flat_map(|profile| timings.map(|timing| (profile.clone(), timing)));
    each.map(|(profile, timing)| {
        World::new(WorldConfig { profile, timing, faults: Faults::none(), ..WorldConfig::seeded(seed) })
    })
    .collect()
}

#[test]
fn the_suite_passes() {
    for seed in 0..3 {
        for world in worlds(seed) {
            let env = world.env();
            world.run(async move { Box::pin(conformance::run(&env)).await }).expect("it ends");
        }
    }
}

#[test]
fn the_suite_passes_with_short_io() {
    for seed in 0..20 {
        let faults = Faults::none()
            .with(FaultKind::ShortRead, 200_000)
            .with(FaultKind::ShortWrite, 200_000)
            .with(FaultKind::LatencySpike, 10_000);
        let world = World::new(WorldConfig { faults, ..WorldConfig::seeded(seed) });
        let env = world.env();
        world.run(async move { Box::pin(conformance::run(&env)).await }).expect("it ends");
    }
}

/// A new incarnation on a disk that crashed is as good as the first.
#[test]
fn the_suite_passes_after_crashes() {
    for kind in [CrashKind::Power, CrashKind::Process] {
        let world = World::seeded(4);
        world.disk().crash_after(200, kind);
        let env = world.env();
        assert!(world.run(async move { Box::pin(conformance::run(&env)).await }).is_err());
        let env = world.env();
        world.run(async move { empty(&env, conformance::DIRECTORY).await }).expect("it ends");
        let env = world.env();
        world.run(async move { Box::pin(conformance::run(&env)).await }).expect("it ends");
    }
}

async fn empty(env: &Env, dir: &str) {
    for name in env.disk.list(dir).await.unwrap_or_default() {
        let path = format!("{dir}/{name}");
        if env.disk.remove(&path).await.is_err() {
            Box::pin(empty(env, &path)).await;
            env.disk.remove_dir(&path).await.expect("it is empty now");
        }
    }
}

#[test]
fn random_operations_agree_with_a_real_file_system() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory is writable");
    let real = Env::portable(directory.path()).expect("a directory opens");
    let ring = Env::io_uring(directory.path());
    if let Err(error) = &ring {
        println!("SKIPPED: io_uring is not available here: {error}");
    }
    for seed in 0..24 {
        let expected = real.block_on(conformance::random_operations(&real, seed, 150));
        if let Ok(ring) = &ring {
            let seen = ring.block_on(conformance::random_operations(ring, seed, 150));
            assert!(seen == expected, "seed {seed}: the real backends differ");
        }
        for world in worlds(seed) {
            let env = world.env();
            let seen = world.run(async move { conformance::random_operations(&env, seed, 150).await });
            assert!(seen.as_ref() == Ok(&expected), "seed {seed}: {seen:?} where a real disk gives {expected:?}");
            assert!(world.now().0 < Duration::from_secs(60).as_nanos() as u64);
        }
    }
}
