//! A bounded share of the table: what `just engines` does at length.

use std::sync::Arc;
use std::time::Duration;

use helios_sim::{Blocking, DeviceProfile, Explore, FaultKind};
use helios_sim_engines::calibration::{TORN_REPAIR_RECOVERIES, growing, torn_repair};
use helios_sim_engines::{
    Effort, Engine, EngineReport, HeliosStorage, Lasting, Life, Promise, Redb, Sqlite, Store, Trouble, Verdict,
    crash_everywhere, engines, examine, live_through, markdown, row_names,
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

#[test]
fn redb_survives_every_crash_point() {
    survives_a_glance(&Redb);
}

/// Where redb 4.1 is found out: see redb-4.1/.
#[test]
fn redb_survives_a_crash_while_its_file_grows_on_every_disk() {
    for profile in DeviceProfile::HONEST {
        let name = profile.name;
        let explored = crash_everywhere(&Redb, &growing(profile));
        println!("{name}: {explored}; {:.1} s", explored.elapsed.as_secs_f64());
        explored.assert_clean();
    }
}

/// What takes an acknowledged commit of redb 4.1 back: some seconds of it, or with `HELIOS_ENGINES_WHOLE=1` all, which is
/// several times what finds 4.1 out.
#[test]
fn redb_survives_a_crash_in_the_repair_of_a_torn_commit() {
    let is_whole = std::env::var_os("HELIOS_ENGINES_WHOLE").is_some_and(|value| value == "1");
    let time_max = (!is_whole).then_some(Duration::from_secs(4));
    let explored = crash_everywhere(&Redb, &Explore { time_max, ..torn_repair() });
    println!("{explored}; {:.1} s", explored.elapsed.as_secs_f64());
    explored.assert_clean();
    let recoveries: u64 = explored.figures.in_recovery.iter().sum();
    let recoveries_min = if is_whole { TORN_REPAIR_RECOVERIES } else { 0 };
    assert!(recoveries > recoveries_min, "of crashed recoveries, it was asked less than 4.1: {explored}");
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
    for name in row_names() {
        assert!(table.contains(&format!("\n| {name} | ")), "{table}");
    }
    let text = serde_json::to_string(&report).expect("it is data");
    let again: EngineReport = serde_json::from_str(&text).expect("and data again");
    assert_eq!(again.faults.len(), row_names().len() - 2);
    let engines = engines();
    assert!(Life::named(&engines, &format!("redb {} under failed sync", Redb.version())).is_some());
}

#[test]
fn power_cuts_at_random_are_survived() {
    let effort = Effort { row_time_max: Duration::from_secs(60), ..Effort::usual(12) };
    for engine in [&HeliosStorage as &dyn Engine, &Redb, &Sqlite::DeleteFull, &Sqlite::DeleteExtra, &Sqlite::WalFull] {
        let row = live_through(engine, Trouble::Alone(FaultKind::PowerCut), &effort);
        println!("{} {}: {row:?}", engine.name(), engine.version());
        assert!(matches!(row.verdict, Verdict::Survived { .. }) && !row.out_of_time, "{row:?}");
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
