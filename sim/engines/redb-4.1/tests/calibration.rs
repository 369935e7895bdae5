//! The simulator finds in redb 4.1.0 what the changelog of 4.2.0 says was repaired. The same explorations find nothing in
//! 4.2.0: see the tests of the other engines.
//!
//! * "A crash during a transaction that grows the database file leaving the database permanently unopenable": on every
//!   kind of disk.
//! * "A bug that could silently roll back or corrupt durably committed transactions if a crash occurred while recovering
//!   from an earlier crash": on a disk that tears a commit slot of 128 bytes, as redb's design document allows
//!   ("single byte writes are atomic"), and sectors do not.

use helios_sim::{DeviceProfile, Explore};
use helios_sim_engines::{Redb, crash_everywhere};

#[test]
fn a_crash_while_the_file_grows_leaves_a_database_that_does_not_open() {
    for profile in DeviceProfile::HONEST {
        let name = profile.name;
        let explored = crash_everywhere(&Redb, &Explore { depth: 0, images_max: 64, profile, ..Explore::default() });
        println!("{name}: {explored}");
        let violation = explored.violations.first().expect("redb 4.1.0 breaks");
        println!("{violation}");
        assert!(violation.message.contains("does not open"), "{violation}");
    }
}

#[test]
fn a_crash_in_the_repair_of_a_torn_commit_takes_an_acknowledged_commit_back() {
    let config = Explore {
        profile: DeviceProfile { name: "words", atomic_bytes: 8, ..DeviceProfile::posix() },
        cuts_max: 64,
        images_max: 300,
        recovery_points_max: 6,
        recovery_images_max: 6,
        kills: false,
        ..Explore::default()
    };
    let explored = crash_everywhere(&Redb, &config);
    println!("{explored}");
    let violation = explored.violations.first().expect("redb 4.1.0 breaks");
    println!("{violation}");
    assert!(violation.message.contains("none of the"), "{violation}");
    assert!(violation.context.iter().any(|line| line.contains("of the recovery from a crash")), "{violation}");
}
