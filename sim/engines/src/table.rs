//! What engines survive, for people: a line for each fault, a column for each engine, and below it on what grounds.

use std::fmt::Write as _;

use crate::report::{CRASH_POINTS, EngineReport, Exhaustive, FaultRow, Judged, RECOVERIES, Verdict, row_names};

/// Columns, and below them rows with a cell for each.
pub type Cells = (Vec<String>, Vec<Vec<String>>);

/// What was seen, a column for each engine. Rows that nobody was asked for are left out.
pub fn table(reports: &[EngineReport]) -> Cells {
    let engines = reports.iter().map(|report| format!("{} {}", report.engine, report.version));
    let columns = ["fault", "class"].map(str::to_owned).into_iter().chain(engines).collect();
    let line = |name: &str, class: &str, cell: &dyn Fn(&EngineReport) -> Option<String>| {
        let cells: Vec<Option<String>> = reports.iter().map(cell).collect();
        let is_wanted = cells.iter().any(Option::is_some);
        let cells = cells.into_iter().map(Option::unwrap_or_default);
        is_wanted.then(|| [name.to_owned(), class.to_owned()].into_iter().chain(cells).collect::<Vec<String>>())
    };
    let explored = |explored: &Option<Exhaustive>| explored.as_ref().map(exhaustive_cell);
    let durability = line("durability", "", &|report| Some(report.durability.clone()));
    let rows = row_names().into_iter().filter_map(|name| match name {
        CRASH_POINTS => line(name, "recoverable", &|report| explored(&report.crash_points)),
        RECOVERIES => line(name, "recoverable", &|report| explored(&report.recoveries)),
        _ => {
            let row = |report: &EngineReport| report.faults.iter().find(|row| row.fault == name).cloned();
            let class = reports.iter().find_map(row).map_or_else(String::new, |row| row.class);
            line(name, &class, &|report| row(report).map(|row| row_cell(&row)))
        }
    });
    (columns, durability.into_iter().chain(rows).collect())
}

/// On what grounds: what each engine's documents say of each fault, and what was seen. Faults of which the same is to be
/// said share a row.
pub fn grounds(reports: &[EngineReport]) -> Cells {
    let columns = ["engine", "faults", "promised?", "where, or why not", "seen"].map(str::to_owned).to_vec();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for report in reports {
        let engine = format!("{} {}", report.engine, report.version);
        for row in &report.faults {
            let (is_promised, document, seen) = ground(row);
            let rest = [is_promised, &document, &seen].map(str::to_owned);
            let same = rows.iter_mut().find(|other| other[0] == engine && other[2..] == rest);
            match same {
                Some(other) => write!(other[1], ", {}", row.fault).expect("into a string"),
                None => rows.push([engine.clone(), row.fault.clone()].into_iter().chain(rest).collect()),
            }
        }
    }
    (columns, rows)
}

fn ground(row: &FaultRow) -> (&'static str, String, String) {
    match &row.verdict {
        Verdict::Survived { promised } => ("yes", promised.clone(), cell(row).to_owned()),
        Verdict::NotMet { promised } => ("yes", promised.clone(), cell(row).to_owned()),
        Verdict::Violated { promised, sentence, .. } => ("yes", promised.clone(), format!("VIOLATED: {sentence}")),
        Verdict::NotPromised { because, observed } => {
            ("no", because.clone(), observed.clone().unwrap_or_else(|| "nothing went wrong".to_owned()))
        }
    }
}

/// The tables in Markdown, with what was broken and what to type to see it again.
pub fn markdown(reports: &[EngineReport]) -> String {
    let mut text = String::new();
    for (columns, rows) in [table(reports), grounds(reports)] {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        text += &line(&columns);
        text += &format!("|{}\n", "---|".repeat(columns.len()));
        rows.iter().for_each(|row| text += &line(row));
        text.push('\n');
    }
    for report in reports {
        writeln!(text, "{} {}, again: `{}`", report.engine, report.version, report.command).expect("into a string");
        for violation in report.violations() {
            writeln!(text, "* violated: {}", violation.lines().next().unwrap_or_default()).expect("into a string");
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

fn exhaustive_cell(exhaustive: &Exhaustive) -> String {
    let Exhaustive { events, images, distinct, violations, images_per_second, out_of_time, .. } = exhaustive;
    let verdict = match (violations.is_empty(), out_of_time) {
        (false, _) => "VIOLATED",
        (true, false) => "survived",
        (true, true) => "nothing found before time ran out",
    };
    format!("{verdict}: {events} events, {images} images, {distinct} distinct, {images_per_second:.0}/s")
}

fn row_cell(row: &FaultRow) -> String {
    format!("{} ({} in {} worlds)", cell(row), row.fired, row.seeds)
}

/// The verdict in a few words.
pub(crate) fn cell(row: &FaultRow) -> &'static str {
    match (&row.verdict, row.judged) {
        (Verdict::Violated { .. }, _) => "VIOLATED",
        (Verdict::NotPromised { observed: None, .. }, _) => "not promised, stood it",
        (Verdict::NotPromised { observed: Some(_), .. }, _) => "not promised, and lost",
        (Verdict::NotMet { .. }, _) => "nothing to meet",
        (Verdict::Survived { .. }, _) if row.out_of_time => "nothing found before time ran out",
        (Verdict::Survived { .. }, Judged::Class) => "survived",
        (Verdict::Survived { .. }, Judged::WholeWhenReopened) => "whole when reopened",
        (Verdict::Survived { .. }, Judged::NothingInvented) => "nothing invented",
        (Verdict::Survived { .. }, Judged::NothingInventedThenWhole) => "nothing invented, whole when healed",
    }
}
