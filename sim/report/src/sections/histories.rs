//! What transactions see of each other.

use super::{Section, Table};
use crate::Effort;
use helios_isolation::Isolation;
use helios_sim::{Swarm, swarm};
use helios_workloads::{Disks, Histories};

pub(crate) fn isolation(effort: &Effort) -> Section {
    let mut table = Table::new(["level", "seeds", "transactions committed", "checks", "crashes", "violations"]);
    let mut is_bad = false;
    for (name, level) in [("READ COMMITTED", Isolation::ReadCommitted), ("REPEATABLE READ", Isolation::RepeatableRead)]
    {
        eprintln!("histories at {name}");
        let config = Swarm { jobs: effort.jobs, ..Swarm::new("report", 0..effort.history_seeds) };
        let report = swarm(&config, &Histories::new(Disks::Honest, level));
        is_bad |= !report.is_clean();
        let numbers = [report.seeds, report.commits, report.checks, report.crashes, report.failures.len() as u64];
        let [seeds, commits, checks, crashes, failures] = numbers.map(|number| number.to_string());
        table.row([name.to_owned(), seeds, commits, checks, crashes, failures]);
    }
    let command = format!("just report-crash --only isolation --history-seeds {}", effort.history_seeds);
    let mut section = Section::new("Isolation", &command)
        .says(
            "Clients append to lists and write registers; what they wrote, read and were told, over a whole life with its \
             crashes, is a history. The checker infers who must have come before whom and names what the level forbids after \
             Adya: G0, G1a, G1b, G1c, G-single, lost update, long fork, G2-item. It is calibrated on golden histories of each \
             and on a store with a planted mistake for each (`cargo test -p helios-isolation`).",
        )
        .shows(table);
    section.is_bad = is_bad;
    section
}
