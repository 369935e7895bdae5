//! Each fault, alone: it fires, it does what it says, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use helios_env::{Buf, Disk, ErrorKind, File, OpenOptions, SyncMode, read_full, write_full};
use helios_sim::{CrashKind, DeviceProfile, DiskImage, FaultKind, Faults, Timing, World, WorldConfig};

const ALWAYS: u32 = 1_000_000;
const SIZE: usize = 8192;

/// Files "a" and "b", durable, of 8 KiB of 1s and 2s.
fn world(seed: u64, profile: DeviceProfile) -> World {
    let image = DiskImage::with_files([("a", &[1; SIZE][..]), ("b", &[2; SIZE])]);
    World::new(WorldConfig { image, profile, faults: Faults::none(), ..WorldConfig::seeded(seed) })
}

/// What `work` makes of a world in which `kind` happens at every opportunity, and how often it did.
fn with<T, F: Future<Output = T>>(
    world: &World,
    kind: FaultKind,
    work: impl FnOnce(Arc<dyn Disk>, Arc<dyn File>) -> F,
) -> (T, u64) {
    let disk = world.env().disk;
    let options = OpenOptions { write: true, ..OpenOptions::default() };
    let file = world.run(disk.open("a", options)).expect("no crash").expect("it is there");
    let before = world.fault_counts().of(kind);
    world.set_faults(Faults::none().with(kind, ALWAYS));
    let value = world.run(work(disk, file)).expect("no crash");
    world.set_faults(Faults::none());
    (value, world.fault_counts().of(kind) - before)
}

async fn read(file: &dyn File, offset: u64, len: usize) -> Result<Vec<u8>, ErrorKind> {
    let io = read_full(file, offset, Buf::zeroed(len)).await;
    io.result.map(|n| io.buf[..n].to_vec()).map_err(|error| error.kind())
}

/// The file's bytes once nothing fails any more.
fn reread(world: &World, path: &str) -> Result<Vec<u8>, ErrorKind> {
    let disk = world.env().disk;
    world
        .run(async move { read(&*disk.open(path, OpenOptions::read()).await.expect("it is there"), 0, 2 * SIZE).await })
        .expect("no crash")
}

fn write_ones_over(world: &World, kind: FaultKind, len: usize) -> (Result<usize, ErrorKind>, u64) {
    with(world, kind, |_, file| async move {
        file.write_at(0, Buf::from(&vec![9; len][..])).await.result.map_err(|error| error.kind())
    })
}

#[test]
fn short_reads_and_writes_move_a_part() {
    let world = world(1, DeviceProfile::posix());
    let (n, fired) = with(&world, FaultKind::ShortRead, |_, file| async move {
        file.read_at(0, Buf::zeroed(1000)).await.result.expect("short is no error")
    });
    assert!(fired == 1 && (1..1000).contains(&n), "{n}");
    let (n, fired) = write_ones_over(&world, FaultKind::ShortWrite, 1000);
    let n = n.expect("short is no error");
    assert!(fired == 1 && (1..1000).contains(&n), "{n}");
    let bytes = reread(&world, "a").expect("healthy");
    assert!(bytes[..n].iter().all(|b| *b == 9) && bytes[n..].iter().all(|b| *b == 1));
    // Whoever copes gets everything done.
    let (result, _) = with(&world, FaultKind::ShortWrite, |_, file| async move {
        write_full(&*file, 0, Buf::from(&[7; SIZE][..])).await.0
    });
    assert_eq!((result, reread(&world, "a")), (Ok(()), Ok(vec![7; SIZE])));
}

#[test]
fn short_direct_io_stops_at_sectors() {
    let world = world(2, DeviceProfile::posix());
    let (n, _) = with(&world, FaultKind::ShortRead, |disk, _| async move {
        let file = disk.open("a", OpenOptions::read().direct(true)).await.expect("it is there");
        assert!(file.read_at(1, Buf::zeroed(512)).await.result.is_err_and(|e| e.kind() == ErrorKind::Invalid));
        file.read_at(0, Buf::zeroed(4096)).await.result.expect("short is no error")
    });
    assert!(n > 0 && n < 4096 && n.is_multiple_of(512), "{n}");
}

#[test]
fn a_transient_read_error_passes() {
    let world = world(3, DeviceProfile::posix());
    let (result, fired) = with(&world, FaultKind::ReadError, |_, file| async move { read(&*file, 0, SIZE).await });
    assert_eq!((result, fired), (Err(ErrorKind::Device), 1));
    assert_eq!(reread(&world, "a"), Ok(vec![1; SIZE]));
}

#[test]
fn a_failed_write_made_a_prefix_or_nothing() {
    let mut parts = 0;
    for seed in 0..20 {
        let world = world(seed, DeviceProfile::posix());
        assert_eq!(write_ones_over(&world, FaultKind::WriteError, SIZE), (Err(ErrorKind::Device), 1));
        let bytes = reread(&world, "a").expect("healthy");
        let made = bytes.iter().take_while(|b| **b == 9).count();
        assert!(bytes[made..].iter().all(|b| *b == 1));
        parts += u32::from(made > 0);
    }
    assert!(parts > 0 && parts < 20, "{parts}");
}

#[test]
fn a_full_disk_has_space_again() {
    let (mut cut, mut refused) = (0, 0);
    for seed in 0..20 {
        let world = world(seed, DeviceProfile::posix());
        match write_ones_over(&world, FaultKind::NoSpace, 100) {
            (Err(ErrorKind::NoSpace), 1) => {
                refused += 1;
                assert_eq!(reread(&world, "a"), Ok(vec![1; SIZE]));
            }
            // What still fits is written; the next write is refused.
            (Ok(n @ 1..100), 1) => {
                cut += 1;
                assert_eq!(reread(&world, "a"), Ok([vec![9; n], vec![1; SIZE - n]].concat()));
                let next = write_ones_over(&world, FaultKind::ShortWrite, 100);
                assert_eq!(next, (Err(ErrorKind::NoSpace), 0));
            }
            other => panic!("a full disk answers {other:?}"),
        }
    }
    assert!(cut > 0 && refused > 0, "{cut} writes were cut and {refused} refused");
    let world = world(4, DeviceProfile::posix());
    write_ones_over(&world, FaultKind::NoSpace, 100).0.ok();
    let disk = world.env().disk;
    let attempts = world.run(async move {
        let mut attempts = 0;
        while disk.open("new", OpenOptions { write: true, create: true, ..OpenOptions::default() }).await.is_err() {
            attempts += 1;
        }
        attempts
    });
    assert!(attempts.expect("no crash") <= 8);
}

#[test]
fn a_failed_sync_drops_pages_as_the_file_system_does() {
    for profile in DeviceProfile::HONEST {
        let (mut lost, mut reverted, mut refused) = (0, 0, 0);
        for seed in 0..20 {
            let world = world(seed, profile.clone());
            let (result, fired) = with(&world, FaultKind::SyncError, |_, file| async move {
                file.write_at(0, Buf::from(&[9; SIZE][..])).await.result.expect("only sync fails");
                file.sync(SyncMode::Data).await.map_err(|error| error.kind())
            });
            assert_eq!((result, fired), (Err(ErrorKind::Device), 1));
            reverted += u32::from(reread(&world, "a") == Ok(vec![1; SIZE]));
            // A second sync that succeeds means nothing.
            let disk = world.env().disk;
            let again = world.run(async move {
                disk.open("a", OpenOptions::read()).await.expect("it is there").sync(SyncMode::Data).await
            });
            refused += u32::from(again.expect("no crash").is_err());
            world.crash(CrashKind::Power);
            lost += u32::from(reread(&world, "a") == Ok(vec![1; SIZE]));
        }
        assert!(lost > 0 && lost < 20, "{}: {lost}", profile.name);
        match profile.name {
            "btrfs" => assert_eq!((reverted, refused), (lost, 0)),
            "xfs" => assert_eq!((reverted, refused), (0, 20)),
            _ => assert_eq!((reverted, refused), (0, 0)),
        }
    }
}

#[test]
fn slow_operations_take_long() {
    for (kind, least) in [(FaultKind::LatencySpike, 80), (FaultKind::StuckIo, 30_000)] {
        let world = world(5, DeviceProfile::posix());
        let before = world.now();
        let (result, fired) = with(&world, kind, |_, file| async move { read(&*file, 0, 10).await });
        assert_eq!(result, Ok(vec![1; 10]));
        assert!(fired >= 1 && world.now().since(before) >= Duration::from_millis(least));
    }
}

fn differences(bytes: &[u8], value: u8) -> u32 {
    bytes.iter().map(|b| (b ^ value).count_ones()).sum()
}

#[test]
fn stored_rot_stays_and_rot_in_transit_does_not() {
    let world = world(6, DeviceProfile::posix());
    let (seen, fired) = with(&world, FaultKind::TransitRot, |_, file| async move { read(&*file, 0, SIZE).await });
    assert_eq!((differences(&seen.expect("no error"), 1), fired), (1, 1));
    assert_eq!(reread(&world, "a"), Ok(vec![1; SIZE]));

    let (seen, fired) = with(&world, FaultKind::BitRot, |_, file| async move { read(&*file, 0, SIZE).await });
    let seen = seen.expect("no error");
    assert_eq!((differences(&seen, 1), fired), (1, 1));
    assert_eq!(reread(&world, "a"), Ok(seen.clone()));
    world.crash(CrashKind::Power);
    assert_eq!(reread(&world, "a"), Ok(seen));
    world.heal();
    assert_eq!(reread(&world, "a"), Ok(vec![1; SIZE]));
}

#[test]
fn a_latent_sector_error_lasts_until_it_is_written() {
    let world = world(7, DeviceProfile::posix());
    let (result, fired) = with(&world, FaultKind::LatentSector, |_, file| async move { read(&*file, 0, 512).await });
    assert_eq!((result, fired), (Err(ErrorKind::Device), 1));
    assert_eq!(reread(&world, "a"), Err(ErrorKind::Device));
    assert_eq!(reread(&world, "b"), Ok(vec![2; SIZE]));
    let (rest, _) = with(&world, FaultKind::ClockJump, |_, file| async move { read(&*file, 512, SIZE).await });
    assert_eq!(rest, Ok(vec![1; SIZE - 512]));
    assert_eq!(write_ones_over(&world, FaultKind::ClockJump, 512).0, Ok(512));
    assert_eq!(reread(&world, "a").map(|bytes| bytes.len()), Ok(SIZE));
}

#[test]
fn misdirected_reads_return_another_place() {
    let mut other = 0;
    for seed in 0..20 {
        let world = world(seed, DeviceProfile::posix());
        let (seen, _) = with(&world, FaultKind::MisdirectedRead, |_, file| async move { read(&*file, 0, 512).await });
        other += u32::from(seen == Ok(vec![2; 512]));
        assert_eq!(reread(&world, "a"), Ok(vec![1; SIZE]));
    }
    assert!(other > 0 && other < 20, "{other}");
}

#[test]
fn misdirected_and_lost_writes_leave_the_old_bytes() {
    let mut hit = 0;
    for seed in 0..20 {
        let world = world(seed, DeviceProfile::posix());
        assert_eq!(write_ones_over(&world, FaultKind::MisdirectedWrite, 512), (Ok(512), 1));
        let (a, b) = (reread(&world, "a").expect("readable"), reread(&world, "b").expect("readable"));
        // Unless it went, of all places, where it should.
        let elsewhere = a[512..].contains(&9) || b.contains(&9);
        assert!(elsewhere != (a[..512] == [9; 512]), "seed {seed}");
        hit += u32::from(b.contains(&9));

        assert_eq!(write_ones_over(&world, FaultKind::StaleRead, SIZE), (Ok(SIZE), 1));
        assert_eq!(reread(&world, "a"), Ok(a));
        world.heal();
        assert_eq!((reread(&world, "a"), reread(&world, "b")), (Ok(vec![9; SIZE]), Ok(vec![2; SIZE])));
    }
    assert!(hit > 0, "never the other file");
}

#[test]
fn the_wall_clock_jumps_and_the_monotonic_one_does_not() {
    let world = World::new(WorldConfig { timing: Timing::Immediate, ..WorldConfig::seeded(8) });
    let clock = world.env().clock;
    let (wall, monotonic) = (clock.wall(), clock.monotonic());
    world.set_faults(Faults::none().with(FaultKind::ClockJump, ALWAYS));
    let jumps: Vec<i64> = (0..20).map(|_| clock.wall().0 - wall.0).collect();
    assert!(jumps.iter().any(|jump| *jump < 0) && jumps.iter().any(|jump| *jump > 0));
    assert_eq!(clock.monotonic(), monotonic);
}

#[test]
fn names_are_lost_until_the_directory_is_synced() {
    let mut outcomes = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let world = world(seed, DeviceProfile::posix());
        let disk = world.env().disk;
        world
            .run(async move {
                let file = disk.open("new", OpenOptions::create_new()).await?;
                file.write_at(0, Buf::from(&b"x"[..])).await.result?;
                file.sync(SyncMode::All).await?;
                disk.rename("b", "c").await?;
                disk.remove("a").await
            })
            .expect("no crash")
            .expect("no fault");
        world.set_faults(Faults::crashes_only());
        world.crash(CrashKind::Power);
        let names: Vec<String> = world.disk().image().files().into_iter().map(|(path, _)| path).collect();
        outcomes.insert(names.join(" "));
    }
    for expected in ["a b", "c new", "b", "a c new", "a b c"] {
        assert!(outcomes.contains(expected), "{expected} is not among {outcomes:?}");
    }
    // A rename is never lost half: the file has a name.
    assert!(outcomes.iter().all(|names| names.contains('b') || names.contains('c')));
}
