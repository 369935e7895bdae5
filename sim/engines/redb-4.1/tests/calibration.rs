//! The simulator finds in redb 4.1.0 what the changelog of 4.2.0 says was repaired: "a crash during a transaction that
//! grows the database file leaving the database permanently unopenable afterward". It does so on every kind of disk;
//! the same script finds nothing in 4.2.0 (`redb_survives_every_crash_point_on_every_disk` beside the other engines).
//!
//! Two more repairs of 4.2.0 are out of the simulator's reach. One needs a commit slot of 128 bytes that is torn within,
//! and the smallest thing that a disk tears here is a sector. The other needs `check_integrity()`, which nothing here
//! calls.

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
