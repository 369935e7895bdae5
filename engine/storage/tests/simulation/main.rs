//! The storage in simulated worlds: swarms of them.

mod commits;

use commits::Commits;
use helios_sim::{Swarm, swarm};

/// More with `HELIOS_SEEDS=n`.
fn seeds() -> u64 {
    std::env::var("HELIOS_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(80)
}

#[test]
fn commits_survive_what_the_world_does() {
    let config = Swarm {
        jobs: 2,
        replay_command: "HELIOS_SIM_REPLAY={bundle} cargo test -p helios-storage --test simulation".to_owned(),
        ..Swarm::new("storage", 0..seeds())
    };
    let report = swarm(&config, &Commits { disk_rots: false });
    println!("{report}");
    report.assert_clean();
    assert!(report.seeds == 1 || report.commits_median >= 100, "{report}");
}

#[test]
fn rotten_disks_are_reported_and_never_believed() {
    let config = Swarm {
        jobs: 2,
        replay_command: "HELIOS_SIM_REPLAY={bundle} cargo test -p helios-storage --test simulation".to_owned(),
        ..Swarm::new("storage-rot", 0..seeds())
    };
    let report = swarm(&config, &Commits { disk_rots: true });
    println!("{report}");
    report.assert_clean();
}
