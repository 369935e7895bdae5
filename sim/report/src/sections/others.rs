//! redb and SQLite beside HeliosDB's storage.

use std::time::Duration;

use super::{Section, Table};
use crate::Effort;
use helios_sim_engines::{EngineReport, Verdict, engines, examine};

/// What another build of the engines wrote: redb 4.1, which cannot stand beside redb 4.2 in one program.
const OTHER_BUILD: &str = "target/redb-4.1/report.json";

pub(crate) fn engines_side_by_side(effort: &Effort) -> Section {
    let limits = helios_sim_engines::Effort::usual(effort.seeds).within(Duration::from_secs(effort.engine_seconds));
    let mut reports: Vec<EngineReport> = engines()
        .iter()
        .map(|engine| examine(engine.as_ref(), &limits, &mut |line: &str| eprintln!("{}: {line}", engine.name())))
        .collect();
    if let Some(others) = std::fs::read_to_string(OTHER_BUILD).ok().and_then(|text| serde_json::from_str(&text).ok()) {
        let mut others: Vec<EngineReport> = others;
        reports.append(&mut others);
    }
    let mut section = Section::new("Engines side by side", "just report-crash")
        .says(
            "The same key-value workload, the same faults and the same oracle for each engine, at the durability that its \
             documents promise. *Not promised* does not count against it. HeliosDB's column is its storage alone.",
        )
        .shows(table(&reports));
    for report in &reports {
        for violation in first_sentences(report) {
            section = section.says(format!("{} {}: {violation}", report.engine, report.version));
        }
    }
    section.is_bad =
        reports.iter().any(|report| report.engine.starts_with("HeliosDB") && !report.violations().is_empty());
    section
}

/// What was broken, a sentence each; where it can be replayed is this machine's affair.
fn first_sentences(report: &EngineReport) -> Vec<String> {
    let explored = report.crash_points.violations.iter().chain(&report.recoveries.violations).cloned();
    let lived = report.faults.iter().filter_map(|row| match &row.verdict {
        Verdict::Violated { sentence, .. } => Some(format!("{}: {sentence}", row.fault)),
        _ => None,
    });
    let first_line = |violation: String| violation.lines().next().unwrap_or_default().to_owned();
    explored.chain(lived).map(first_line).collect()
}

fn table(reports: &[EngineReport]) -> Table {
    let mut table = Table { columns: vec!["fault".to_owned(), "class".to_owned()], rows: Vec::new() };
    table.columns.extend(reports.iter().map(|report| format!("{} {}", report.engine, report.version)));
    let mut line = |fault: &str, class: &str, cells: Vec<String>| {
        table.rows.push([fault.to_owned(), class.to_owned()].into_iter().chain(cells).collect());
    };
    line("durability", "", reports.iter().map(|report| report.durability.clone()).collect());
    let explored = |explored: &helios_sim_engines::Exhaustive| {
        let verdict = if explored.violations.is_empty() { "survived" } else { "VIOLATED" };
        format!("{verdict}: {} images, {} distinct", explored.images, explored.distinct)
    };
    line("every crash point", "recoverable", reports.iter().map(|report| explored(&report.crash_points)).collect());
    line("recoveries crashed", "recoverable", reports.iter().map(|report| explored(&report.recoveries)).collect());
    let rows = reports.first().map(|report| report.faults.as_slice()).unwrap_or_default();
    for row in rows {
        let cell = |report: &EngineReport| {
            let row = report.faults.iter().find(|other| other.fault == row.fault)?;
            let verdict = match &row.verdict {
                Verdict::Survived { .. } => "survived",
                Verdict::NotMet { .. } => "nothing to meet",
                Verdict::Violated { .. } => "VIOLATED",
                Verdict::NotPromised { observed: None, .. } => "not promised",
                Verdict::NotPromised { observed: Some(_), .. } => "not promised, and lost",
            };
            Some(format!("{verdict} ({} in {})", row.fired, row.seeds))
        };
        line(&row.fault, &row.class, reports.iter().map(|report| cell(report).unwrap_or_default()).collect());
    }
    table
}
