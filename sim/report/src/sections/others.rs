//! redb and SQLite beside HeliosDB's storage.
//!
//! redb 4.1 cannot stand beside redb 4.2 in one program, so its column comes from another one, which is run from here: with
//! the same effort, and a column made with another is refused.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Section, Table, left_behind};
use crate::Effort;
use helios_sim_engines::{EngineReport, Verdict, engines, examine, grounds, table};

/// The package of the other build, where it is built, and what it writes.
const OTHER_PACKAGE: &str = "sim/engines/redb-4.1/Cargo.toml";
const OTHER_TARGET: &str = "target/redb-4.1";
const OTHER_REPORT: &str = "target/redb-4.1/report.json";

pub(crate) fn engines_side_by_side(effort: &Effort) -> Result<Section, String> {
    let others = other_build(effort)?;
    let limits = helios_sim_engines::Effort::usual(effort.seeds).within(Duration::from_secs(effort.engine_seconds));
    let mut reports: Vec<EngineReport> = engines()
        .iter()
        .map(|engine| examine(engine.as_ref(), &limits, &mut |line: &str| eprintln!("{}: {line}", engine.name())))
        .collect();
    reports.extend(others);
    let Effort { seeds, engine_seconds, .. } = effort;
    let command = format!("just report-crash --only engines --seeds {seeds} --engine-seconds {engine_seconds}");
    let mut section = Section::new("Engines side by side", &command)
        .says(format!(
            "The same key-value workload, the same faults and the same oracle for each engine, at the durability that its \
             documents promise, in at most {seeds} worlds a fault and {engine_seconds} s. *Not promised* does not count against \
             it. HeliosDB's column is its storage alone. *Survived* is what the class beside it says. After a failed write or sync an engine is asked for another commit, and \
             must refuse it, if its documents say so; *whole when reopened* is said of the others. Under damage less is \
             asked here than the class says: *nothing invented* is that nothing was shown that never was, while older states \
             may come back and the database may stay closed; *whole when healed* is that it opened and committed again \
             afterwards. (HeliosDB is held to the whole class in the table above.) No engine here has a network, a memory \
             limit or futures to be dropped, so these faults have no row.",
        ))
        .shows(as_table(table(&reports)));
    for report in &reports {
        for violation in first_sentences(report) {
            section = section.says(format!("{} {}: {violation}", report.engine, report.version));
        }
    }
    section = section.says("On what grounds, and what was seen:").shows(as_table(grounds(&reports)));
    section.is_bad =
        reports.iter().any(|report| report.engine.starts_with("HeliosDB") && !report.violations().is_empty());
    Ok(section)
}

/// Runs the other build with the same effort, and reads what it found.
fn other_build(effort: &Effort) -> Result<Vec<EngineReport>, String> {
    let Effort { seeds, engine_seconds: seconds, .. } = effort;
    std::fs::create_dir_all(OTHER_TARGET).map_err(|error| format!("could not make \"{OTHER_TARGET}\": {error}"))?;
    let mut command = Command::new("cargo");
    command.args(["run", "-q", "--manifest-path", OTHER_PACKAGE, "--target-dir", OTHER_TARGET]);
    if cfg!(not(debug_assertions)) {
        command.arg("--release");
    }
    command.args(["--", "--seeds", &seeds.to_string(), "--seconds", &seconds.to_string(), "--json", OTHER_REPORT]);
    let output = command.stderr(std::process::Stdio::inherit()).output();
    let output = output.map_err(|error| format!("could not run {command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("redb 4.1 was not examined: {command:?} ended with {}", output.status));
    }
    let reports: Option<Vec<EngineReport>> = left_behind::read(Path::new(OTHER_REPORT))?;
    let reports = reports.ok_or_else(|| format!("\"{OTHER_REPORT}\" is missing"))?;
    match reports.iter().find(|report| report.seeds != *seeds || report.seconds != *seconds) {
        Some(other) => Err(format!("{} {} was examined with another effort", other.engine, other.version)),
        None => Ok(reports),
    }
}

fn as_table((columns, rows): helios_sim_engines::Cells) -> Table {
    Table { columns, rows }
}

/// What was broken, a sentence each; where it can be replayed is this machine's affair.
fn first_sentences(report: &EngineReport) -> Vec<String> {
    let explored = [&report.crash_points, &report.recoveries].into_iter().flatten();
    let lived = report.faults.iter().filter_map(|row| match &row.verdict {
        Verdict::Violated { sentence, .. } => Some(format!("{}: {sentence}", row.fault)),
        _ => None,
    });
    let first_line = |violation: String| violation.lines().next().unwrap_or_default().to_owned();
    explored.flat_map(|explored| explored.violations.iter().cloned()).chain(lived).map(first_line).collect()
}
