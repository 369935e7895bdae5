//! The simulator finds in redb 4.1.0 what the changelog of 4.2.0 says was repaired: "a crash during a transaction that
//! grows the database file leaving the database permanently unopenable afterward".

use helios_sim::Explore;
use helios_sim_engines::{Redb, crash_everywhere};

#[test]
fn a_crash_while_the_file_grows_leaves_a_database_that_does_not_open() {
    let explored = crash_everywhere(&Redb, &Explore { depth: 0, images_max: 64, ..Explore::default() });
    println!("{explored}");
    let violation = explored.violations.first().expect("redb 4.1.0 breaks");
    println!("{violation}");
    assert!(violation.message.contains("does not open"), "{violation}");
}
