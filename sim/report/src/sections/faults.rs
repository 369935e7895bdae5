//! Every kind of fault, one at a time, against the whole database.

use super::{FaultKind, Section, Table};
use crate::Effort;
use helios_workloads::{FaultRow, fault_table};

pub(crate) fn of_heliosdb(effort: &Effort) -> Section {
    let mut table = Table::new(["fault", "class asserted", "fired", "worlds", "commits", "crashes", "violations"]);
    let mut is_bad = false;
    let each = |row: &FaultRow| eprintln!("{}: fired {} times", row.kind.name(), row.fired());
    for row in fault_table(FaultKind::ALL, effort.seeds, effort.jobs, each) {
        let report = &row.report;
        is_bad |= row.fired() == 0 || !report.is_clean();
        table.row([
            row.kind.name().to_owned(),
            row.kind.class().name().to_owned(),
            row.fired().to_string(),
            report.seeds.to_string(),
            report.commits.to_string(),
            report.crashes.to_string(),
            report.failures.len().to_string(),
        ]);
    }
    let mut section = Section::new("HeliosDB under every fault", &format!("just report-crash --only faults --seeds {}", effort.seeds))
        .says(
            "Each row is a set of worlds of its own, in which several clients work through SQL while this fault, and nothing \
             else but crashes, happens. A model that knows what every client was told judges every opening and every read. \
             *Recoverable*: nothing acknowledged is lost, no statement fails with an I/O error, the store does not stop. *Fatal \
             until reopened*: after the first failure nothing is acknowledged, and the next opening shows everything that was. \
             *Detectable*: what is damaged is refused or reported, never answered.",
        )
        .shows(table);
    section.is_bad = is_bad;
    section
}
