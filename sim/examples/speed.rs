//! How fast the simulator is, on the store that its own tests use: `cargo run -p helios-sim --example speed`.
//!
//! The goals, for one core: 5,000 distinct crash images per second on a short script, and 100 seeds per second of 100
//! transactions each.

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/it/store.rs"]
mod store;

use helios_env::Env;
use helios_sim::{Explore, Ledger, Swarm, Violation, explore, swarm};
use store::{Bug, Model, Puts, Store};

fn main() {
    let report = swarm(&Swarm::new("speed", 0..2_000), &Puts::new(Bug::None));
    let per_second = report.commits as f64 / report.elapsed.as_secs_f64();
    println!("{report}  {per_second:.0} transactions/s\n");

    let script = |env: Env, ledger: Ledger<Model>| async move {
        let store = Store::open(&env, Bug::None).await?;
        for turn in 0..20 {
            let (key, value) = (turn % 5, 1000 + turn);
            ledger.update(|model| model.begin(key, value));
            store.put(key, value).await?;
            ledger.update(|model| model.acknowledge(key, value));
        }
        Ok::<_, Violation>(())
    };
    let check = |env: Env, ledger: Ledger<Model>| async move {
        let found = Store::open(&env, Bug::None).await?.values().await;
        ledger.update(|model| model.check(&found))
    };
    for depth in 0..=3 {
        let explored = explore(&Explore { depth, ..Explore::default() }, Model::default(), script, check);
        println!("recovery crashed to depth {depth}: {explored}; {:.0} images/s", explored.images_per_second());
    }
}
