//! A bounded share of the table: what `just engines` does at length.

use std::sync::Arc;
use std::time::Duration;

use helios_sim::{Blocking, DeviceProfile, Explore, FaultKind};
use helios_sim_engines::{
    Effort, Engine, EngineReport, HeliosStorage, Lasting, Life, Promise, Redb, Sqlite, Store, Trouble, Verdict,
    crash_everywhere, engines, examine, live_through, markdown,
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
    assert!(explored.figures.distinct > 20, "{explored}");
}

#[test]
fn heliosdb_survives_every_crash_point() {
    survives_a_glance(&HeliosStorage);
}

/// Where redb 4.1 is found out: see redb-4.1/.
#[test]
fn redb_survives_every_crash_point_on_every_disk() {
    survives_a_glance(&Redb);
    for profile in DeviceProfile::HONEST {
        let config = Explore { depth: 0, images_max: 16, kills: false, profile, ..Explore::default() };
        let explored = crash_everywhere(&Redb, &config);
        println!("{}: {explored}", config.profile.name);
        explored.assert_clean();
    }
}

/// A disk that tears within a sector, as redb's documents allow, and a crash in the repair after that: what takes an
/// acknowledged commit of redb 4.1 back. For as many seconds as `HELIOS_ENGINES_SECONDS` says; 3 by default.
#[test]
fn redb_survives_a_crash_in_the_repair_of_a_torn_commit() {
    let seconds = std::env::var("HELIOS_ENGINES_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let config = Explore {
        profile: DeviceProfile { name: "words", atomic_bytes: 8, ..DeviceProfile::posix() },
        cuts_max: 64,
        images_max: 300,
        recovery_points_max: 6,
        recovery_images_max: 6,
        kills: false,
        time_max: Some(Duration::from_secs(seconds)),
        ..Explore::default()
    };
    let explored = crash_everywhere(&Redb, &config);
    println!("{explored}");
    explored.assert_clean();
}

#[test]
fn sqlite_survives_every_crash_point() {
    for engine in [Sqlite::DeleteFull, Sqlite::DeleteExtra, Sqlite::WalFull] {
        survives_a_glance(&engine);
    }
}

#[test]
fn a_report_is_data_and_a_table() {
    let tiny = Explore { images_max: 2, points_max: 4, ..Explore::default() };
    let effort = Effort { crash_points: tiny.clone(), recoveries: tiny, ..Effort::usual(1) };
    let report = examine(&Redb, &effort, &mut |_| ());
    assert!(report.violations().is_empty(), "{:?}", report.violations());
    let table = markdown(std::slice::from_ref(&report));
    for kind in FaultKind::ALL {
        assert!(table.contains(&format!("\n| {} | ", kind.name())), "{table}");
    }
    let text = serde_json::to_string(&report).expect("it is data");
    let again: EngineReport = serde_json::from_str(&text).expect("and data again");
    assert_eq!(again.faults.len(), FaultKind::ALL.len() + 1);
    let engines = engines();
    assert!(Life::named(&engines, &format!("redb {} under failed sync", Redb.version())).is_some());
}

#[test]
fn power_cuts_at_random_are_survived() {
    let effort = Effort { row_time_max: Duration::from_secs(20), ..Effort::usual(12) };
    for engine in [&HeliosStorage as &dyn Engine, &Redb, &Sqlite::DeleteFull, &Sqlite::DeleteExtra, &Sqlite::WalFull] {
        let row = live_through(engine, Trouble::Alone(FaultKind::PowerCut), &effort);
        println!("{} {}: {row:?}", engine.name(), engine.version());
        assert!(matches!(row.verdict, Verdict::Survived { .. }), "{row:?}");
        assert!(row.commits > 0 && row.crashes > 0, "{row:?}");
    }
}

/// No engine survives a disk whose syncs do nothing: an oracle that does not notice is none.
#[test]
fn a_disk_that_lies_is_noticed_under_every_engine() {
    let lying = Explore { depth: 0, images_max: 8, profile: DeviceProfile::ignores_sync(), ..Explore::default() };
    for engine in [&HeliosStorage as &dyn Engine, &Redb, &Sqlite::DeleteFull, &Sqlite::DeleteExtra, &Sqlite::WalFull] {
        let explored = crash_everywhere(engine, &lying);
        println!("{}: {explored}", engine.name());
        assert!(!explored.violations.is_empty(), "{}: {explored}", engine.name());
    }
}

/// SQLite with `synchronous=FULL`, held to more than it promises.
struct FullAsIfDurable;

impl Engine for FullAsIfDurable {
    fn name(&self) -> &'static str {
        "SQLite, journal, FULL, as if its commits were durable"
    }

    fn version(&self) -> String {
        Sqlite::DeleteFull.version()
    }

    fn durability(&self) -> &'static str {
        Sqlite::DeleteFull.durability()
    }

    fn promise(&self, kind: FaultKind) -> Promise {
        Sqlite::DeleteFull.promise(kind)
    }

    fn lasting(&self, _durable: bool) -> Lasting {
        Lasting::AtOnce
    }

    fn keeps_what_it_shows(&self) -> bool {
        false
    }

    fn open(&self, world: &Arc<Blocking>) -> helios_sim_engines::Result<Box<dyn Store>> {
        Sqlite::DeleteFull.open(world)
    }
}

/// What its documents say that `EXTRA` adds is what is missing without: the last commit may be rolled back, because the
/// directory from which its journal was removed is not synced.
#[test]
fn a_journal_whose_removal_is_not_synced_takes_the_last_commit_back() {
    let explored = crash_everywhere(&FullAsIfDurable, &Explore { depth: 0, images_max: 8, ..Explore::default() });
    println!("{explored}");
    let violation = explored.violations.first().expect("FULL is not durable with a rollback journal");
    assert!(violation.context.iter().any(|line| line.contains("-journal") && line.contains("Lost")), "{violation}");
}
