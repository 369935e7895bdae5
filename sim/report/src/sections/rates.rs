//! How fast the laboratory is.

use super::{Section, SwarmReport, Table};
use helios_sim::{Explore, Swarm, swarm};
use helios_workloads::{Bank, Disks, Operations, script::explore_script};

/// A script short enough to be looked at whole.
const SCRIPT: [&str; 6] = [
    "CREATE TABLE t (id int PRIMARY KEY, code int UNIQUE, note text)",
    "INSERT INTO t VALUES (1, 10, 'one'), (2, 20, 'two'), (3, NULL, 'three')",
    "UPDATE t SET code = code + 1 WHERE id < 3",
    "DELETE FROM t WHERE code = 21",
    "ALTER TABLE t ADD COLUMN extra int DEFAULT 3",
    "INSERT INTO t SELECT i, i, repeat('x', 100) FROM generate_series(200, 230) AS i",
];

pub(crate) fn of_the_simulator() -> Section {
    let mut table = Table::new(["what", "per second, on one core"]);
    let mut of_swarm = |name: &str, report: &SwarmReport| {
        let seconds = report.elapsed.as_secs_f64();
        let transactions = report.commits as f64 / seconds;
        table.row([
            format!("seeds of {name}, {} commits each", report.commits_median),
            format!("{:.0}", report.seeds_per_second()),
        ]);
        table.row([format!("transactions of {name}"), format!("{transactions:.0}")]);
    };
    let config = Swarm { recheck_every: 0, ..Swarm::new("rates", 0..60) };
    of_swarm("operations", &swarm(&config, &Operations::new(Disks::Honest)));
    of_swarm("bank", &swarm(&config, &Bank::new(Disks::Honest)));
    let explored = explore_script(&Explore { images_max: 2_000, ..Explore::default() }, &SCRIPT).explored;
    table.row(["crash images of a SQL script".to_owned(), format!("{:.0}", explored.images_per_second())]);
    Section::new("Rates", "just report-crash --only rates").shows(table)
}
