//! Transactions in simulated worlds: swarms of them.

mod client;
mod ledger;
mod life;

use helios_sim::{Swarm, swarm};
use life::Transactions;

/// More with `HELIOS_SEEDS=n`.
fn seeds() -> u64 {
    std::env::var("HELIOS_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(80)
}

#[test]
fn transactions_are_isolated_and_locks_are_kept() {
    let config = Swarm {
        jobs: 2,
        replay_command: "HELIOS_SIM_REPLAY={bundle} cargo test -p helios-txn --test simulation".to_owned(),
        ..Swarm::new("txn", 0..seeds())
    };
    let report = swarm(&config, &Transactions);
    println!("{report}");
    report.assert_clean();
    assert!(report.seeds == 1 || report.commits_median >= 100, "{report}");
}
