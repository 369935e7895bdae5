//! A bounded share of the table: what `just engines` does at length.

use std::time::Duration;

use helios_sim::{Explore, FaultKind};
use helios_sim_engines::{
    Effort, Engine, HeliosStorage, Redb, Sqlite, Trouble, Verdict, crash_everywhere, live_through,
};

/// Few images, and deep enough for a recovery that is cut off.
fn glance() -> Explore {
    Explore {
        images_max: 6,
        points_max: 40,
        recovery_points_max: 2,
        recovery_images_max: 3,
        time_max: Some(Duration::from_secs(8)),
        ..Explore::default()
    }
}

fn survives_a_glance(engine: &dyn Engine) {
    let explored = crash_everywhere(engine, &glance());
    println!("{} {}: {explored}; {:.0} images/s", engine.name(), engine.version(), explored.images_per_second());
    explored.assert_clean();
    assert!(explored.distinct > 20, "{explored}");
}

#[test]
fn heliosdb_survives_every_crash_point() {
    survives_a_glance(&HeliosStorage);
}

#[test]
fn redb_4_2_survives_every_crash_point() {
    survives_a_glance(&Redb);
}

#[test]
fn sqlite_survives_every_crash_point() {
    for engine in [Sqlite::DeleteFull, Sqlite::DeleteExtra, Sqlite::WalFull] {
        survives_a_glance(&engine);
    }
}

#[test]
fn power_cuts_at_random_are_survived() {
    let effort = Effort { row_time_max: Duration::from_secs(2), ..Effort::usual(12) };
    for engine in [&HeliosStorage as &dyn Engine, &Redb, &Sqlite::DeleteFull, &Sqlite::DeleteExtra, &Sqlite::WalFull] {
        let row = live_through(engine, Trouble::Alone(FaultKind::PowerCut), &effort);
        println!("{} {}: {row:?}", engine.name(), engine.version());
        assert!(matches!(row.verdict, Verdict::Survived { .. }), "{row:?}");
        assert!(row.commits > 0 && row.crashes > 0, "{row:?}");
    }
}
