//! Swarms find what is wrong and nothing else, shrink it, and leave a bundle that replays.

use std::time::{Duration, Instant};

use helios_sim::{Bundle, Choices, DeviceProfile, FaultKind, Swarm, TraceLevel, Workload, live, render, replay, swarm};

use crate::store::{Bug, Puts};

fn quick(name: &str, seeds: u64) -> Swarm {
    let bundles = std::env::temp_dir().join(format!("helios-sim-failures-{}", std::process::id()));
    Swarm { bundles, shrink_for: Duration::from_secs(5), ..Swarm::new(name, 0..seeds) }
}

#[test]
fn a_right_store_survives_and_every_fault_fires() {
    let workload = Puts::new(Bug::None);
    let report = swarm(&quick("right", 600), &workload);
    print!("{report}");
    report.assert_clean();
    assert!(report.commits_median >= 100, "{report}");
    for kind in workload.faults() {
        assert!(report.faults.of(kind) > 0, "{} never fired", kind.name());
    }
}

#[test]
fn every_mistake_is_found_shrunk_and_replayed() {
    for bug in Bug::ALL {
        let workload = Puts::new(bug);
        let begun = Instant::now();
        let config = quick(&format!("{bug:?}"), 2_000);
        let report = swarm(&config, &workload);
        let failure = report.failures.first().unwrap_or_else(|| panic!("{bug:?} survives {} seeds", report.seeds));
        println!(
            "{bug:?}: found after {} seeds, {:.2} s with shrinking; {}; {}",
            report.seeds,
            begun.elapsed().as_secs_f64(),
            failure.violation,
            failure.shrunk
        );
        assert!(failure.shrunk.interesting[1] < failure.shrunk.interesting[0].max(2));
        let bundle =
            Bundle::read(failure.bundle.as_ref().expect("the temporary directory is writable")).expect("just written");
        assert_eq!((bundle.workload.as_str(), bundle.seed), ("puts", failure.seed));
        for minimal in [false, true] {
            let life = replay(&workload, &bundle, minimal);
            assert!(life.result.is_err(), "{bug:?}: the bundle does not fail again");
            assert!(!render(&life.trace).is_empty());
        }
        std::fs::remove_dir_all(&config.bundles).expect("just written");
    }
}

#[test]
fn a_lying_disk_is_caught() {
    for profile in [DeviceProfile::ignores_sync(), DeviceProfile::ignores_sync_dir()] {
        let name = profile.name;
        let workload = Puts { profiles: vec![profile], ..Puts::new(Bug::None) };
        let report = swarm(&Swarm { shrink_for: Duration::ZERO, ..quick("lying", 500) }, &workload);
        assert!(!report.failures.is_empty(), "a disk that {name} is not noticed");
        println!("a disk that {name} is caught after {} seeds", report.seeds);
    }
}

#[test]
fn a_replayed_log_is_the_same_life() {
    for seed in 0..20 {
        let workload = Puts::new(Bug::None);
        let first = live(&workload, Choices::seeded(seed), TraceLevel::Hash);
        let again = live(&workload, Choices::replay(&first.decisions), TraceLevel::Full);
        assert_eq!((first.trace_hash, &first.decisions), (again.trace_hash, &again.decisions));
        assert!(first.faults.of(FaultKind::PowerCut) > 0);
    }
}
