//! Exhaustive crash points: counted by hand, and on the store.

use helios_env::{Buf, Env, OpenOptions, SyncMode};
use helios_sim::{DeviceProfile, DiskImage, Explore, Ledger, Violation, explore};

use crate::store::{Bug, Model, Store};

/// Two sectors over a durable file of two sectors, then a sync. Counted by hand:
///
/// * before the write nothing is pending: 1 image (old, old)
/// * before the sync one write of two units is pending. Kept, lost, prefix of 1, suffix of 1: 4 images, of which the
///   lost one is the one above
/// * at the end nothing is pending: 1 image (new, new), the kept one above
///
/// That is 6 images, of which 4 are distinct. The script promises nothing, and the check writes nothing, so no
/// recovery adds any. One process is killed: only before the sync does the cache hold what the disk does not.
#[test]
fn a_write_and_a_sync_counted_by_hand() {
    let image = DiskImage::with_files([("a", &[1; 1024][..])]);
    let config = Explore { image, depth: 0, ..Explore::default() };
    let seen = std::sync::Mutex::new(Vec::new());
    let script = |env: Env, _: Ledger<()>| async move {
        let file = env.disk.open("a", OpenOptions { write: true, ..OpenOptions::default() }).await?;
        file.write_at(0, Buf::from(&[2; 1024][..])).await.result?;
        file.sync(SyncMode::Data).await?;
        Ok::<_, Violation>(())
    };
    let check = |env: Env, _: Ledger<()>| {
        let seen = &seen;
        async move {
            let file = env.disk.open("a", OpenOptions::read()).await?;
            let buf = file.read_at(0, Buf::zeroed(1024)).await.buf;
            seen.lock().expect("one thread").push([buf[0], buf[512]]);
            Ok(())
        }
    };
    let explored = explore(&config, (), script, check);
    explored.assert_clean();
    assert_eq!(
        (explored.figures.events, explored.figures.images, explored.figures.distinct, explored.figures.kills),
        (2, 6, 4, 1)
    );
    let mut seen = seen.into_inner().expect("one thread");
    seen.sort_unstable();
    // The killed process sees what it wrote.
    assert_eq!(seen, [[1, 1], [1, 2], [2, 1], [2, 2], [2, 2]]);
}

/// Two writes of one sector each to two files, no sync: each is kept or lost on its own, which is the reordering.
#[test]
fn two_unsynced_writes_have_four_outcomes() {
    let image = DiskImage::with_files([("a", &[1; 512][..]), ("b", &[1; 512])]);
    let write = |env: Env, _: Ledger<()>| async move {
        for path in ["a", "b"] {
            let file = env.disk.open(path, OpenOptions { write: true, ..OpenOptions::default() }).await?;
            file.write_at(0, Buf::from(&[2; 512][..])).await.result?;
        }
        Ok::<_, Violation>(())
    };
    let config = Explore { image, depth: 0, kills: false, ..Explore::default() };
    // 1 before the first write, 2 before the second, 4 at the end.
    let explored = explore(&config, (), write, |_, _| async { Ok(()) });
    assert_eq!((explored.figures.events, explored.figures.images, explored.figures.distinct), (2, 7, 4));
    let mut ordered = config.clone();
    ordered.crash.reorder = false;
    assert_eq!(explore(&ordered, (), write, |_, _| async { Ok(()) }).figures.distinct, 3);
}

fn crash_store(bug: Bug, profile: DeviceProfile) -> helios_sim::Explored {
    let config = Explore { profile, depth: 3, ..Explore::default() };
    let script = |env: Env, ledger: Ledger<Model>| async move {
        let store = Store::open(&env, bug).await?;
        for turn in 0..12 {
            let (key, value) = (turn % 5, 1000 + turn);
            ledger.update(|model| model.begin(key, value));
            store.put(key, value).await?;
            ledger.update(|model| model.acknowledge(key, value));
        }
        Ok::<_, Violation>(())
    };
    let check = |env: Env, ledger: Ledger<Model>| async move {
        let found = Store::open(&env, bug).await?.values().await;
        ledger.update(|model| model.check(&found))
    };
    explore(&config, Model::default(), script, check)
}

#[test]
fn the_right_store_survives_every_crash_point() {
    for profile in DeviceProfile::HONEST {
        let name = profile.name;
        let explored = crash_store(Bug::None, profile);
        println!("{name}: {explored}, {:.0} images/s", explored.images_per_second());
        explored.assert_clean();
        assert!(explored.figures.in_recovery.iter().all(|images| *images > 0), "{explored}");
    }
}

#[test]
fn crash_points_find_what_needs_no_failing_io() {
    for bug in [Bug::NoSync, Bug::NoSyncDir, Bug::ReusesNewLog, Bug::SyncBeforeWrite, Bug::NoChecksum, Bug::TrustsCache]
    {
        let explored = crash_store(bug, DeviceProfile::posix());
        println!("{bug:?}: {explored}");
        assert!(!explored.violations.is_empty(), "{bug:?} survives: {explored}");
    }
}

#[test]
fn crash_points_find_a_lying_disk() {
    for profile in [DeviceProfile::ignores_sync(), DeviceProfile::ignores_sync_dir()] {
        let explored = crash_store(Bug::None, profile);
        assert!(!explored.violations.is_empty(), "{explored}");
    }
}

#[test]
fn a_panic_is_a_violation_and_leaves_its_image() {
    let bundle = std::env::temp_dir().join(format!("helios-sim-explored-{}", std::process::id()));
    let image = DiskImage::with_files([("a", &[1; 512][..])]);
    let config = Explore { image, bundle: Some(bundle.clone()), ..Explore::default() };
    let script = |env: Env, _: Ledger<()>| async move {
        let file = env.disk.open("a", OpenOptions { write: true, ..OpenOptions::default() }).await?;
        file.write_at(0, Buf::from(&[2; 512][..])).await.result?;
        Ok::<_, Violation>(())
    };
    let check = |env: Env, _: Ledger<()>| async move {
        let file = env.disk.open("a", OpenOptions::read()).await?;
        assert_eq!(file.read_at(0, Buf::zeroed(1)).await.buf[0], 1, "it changed");
        Ok(())
    };
    let explored = explore(&config, (), script, check);
    let violation = explored.violations.first().expect("the write may be kept").to_string();
    assert!(violation.contains("it changed") && violation.contains("write \"a\" at 0, 512 bytes: Kept"), "{violation}");
    assert_eq!(std::fs::read(bundle.join("image/a")).expect("it was left"), [2; 512]);
    assert_eq!(std::fs::read(bundle.join("durable/a")).expect("it was left"), [1; 512]);
    std::fs::remove_dir_all(bundle).expect("it was left");
}

#[test]
fn a_bound_on_time_is_kept_and_said() {
    let config = Explore { time_max: Some(std::time::Duration::ZERO), ..Explore::default() };
    let explored = explore(&config, (), |_, _| async { Ok::<_, Violation>(()) }, |_, _| async { Ok(()) });
    assert!(explored.figures.out_of_time && explored.figures.images == 0);
}
