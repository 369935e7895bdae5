//! The simulator finds in redb 4.1.0 what the changelog of 4.2.0 says was repaired: see `helios_sim_engines::calibration`.
//! The same explorations find nothing in 4.2.0: see the tests of the other engines.

use helios_sim::DeviceProfile;
use helios_sim_engines::calibration::{TORN_REPAIR_RECOVERIES, growing, torn_repair};
use helios_sim_engines::{Redb, crash_everywhere};

#[test]
fn a_crash_while_the_file_grows_leaves_a_database_that_does_not_open() {
    for profile in DeviceProfile::HONEST {
        let name = profile.name;
        let explored = crash_everywhere(&Redb, &growing(profile));
        println!("{name}: {explored}");
        let violation = explored.violations.first().expect("redb 4.1.0 breaks");
        println!("{violation}");
        assert!(violation.message.contains("does not open"), "{violation}");
    }
}

#[test]
fn a_crash_in_the_repair_of_a_torn_commit_takes_an_acknowledged_commit_back() {
    let explored = crash_everywhere(&Redb, &torn_repair());
    println!("{explored}");
    let violation = explored.violations.first().expect("redb 4.1.0 breaks");
    println!("{violation}");
    assert!(violation.message.contains("none of the"), "{violation}");
    assert!(violation.context.iter().any(|line| line.contains("of the recovery from a crash")), "{violation}");
    let recoveries: u64 = explored.figures.in_recovery.iter().sum();
    assert!(recoveries <= TORN_REPAIR_RECOVERIES, "found only after {recoveries} images of crashed recoveries");
}
