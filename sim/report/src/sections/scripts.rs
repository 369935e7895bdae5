//! Every SQL script, crashed at every change that it makes to the disk.

use super::{Section, Table};
use crate::Effort;
use helios_workloads::script::{Sweep, sweep};

pub(crate) fn under_crash(effort: &Effort) -> Section {
    let config = Sweep { images_per_statement: effort.images_per_statement, jobs: effort.jobs, ..Sweep::default() };
    let report = sweep(&config, &|script| eprintln!("{script}"));
    let totals = report.totals();
    let mut table = Table::new(["what", "count"]);
    let mut row = |what: &str, count: u64| table.row([what.to_owned(), count.to_string()]);
    row("scripts", totals.scripts as u64);
    row("statements", totals.statements as u64);
    row("of these, refused as PostgreSQL refuses them", totals.refused as u64);
    row("statements that are not supported (0A000), left out", totals.unsupported as u64);
    row("I/O events", totals.explored.events);
    row("crash images", totals.explored.images);
    row("of these distinct, opened and compared", totals.explored.distinct);
    for (depth, images) in (1..).zip(totals.explored.in_recovery) {
        row(&format!("of these in a recovery, crashed to depth {depth}"), images);
    }
    row("processes killed", totals.explored.kills);
    row("violations", totals.violations as u64);
    let command = format!("helios sim scripts --images-per-statement {}", effort.images_per_statement);
    let mut section = Section::new("SQL under crash", &command)
        .says(format!(
            "Every script of `sqllogic/` runs with the power failing before every change that each of its statements makes to \
             the disk: DML, DDL, CREATE TABLE AS, COPY, transactions, several clients. What is found is the state before the \
             statement or after it, byte by byte: the catalog, every row, every index entry. Of what the disk could hold at those moments, at most {} images a statement are looked at, \
             and their recoveries are crashed in turn.",
            effort.images_per_statement
        ))
        .shows(table);
    section.is_bad = !report.is_clean();
    section
}
