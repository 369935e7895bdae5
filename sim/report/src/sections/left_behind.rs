//! What commands that take long have left in `reports/`: broken engines, and the hour of everything.

use std::path::Path;

use super::{Section, Table};
use crate::document::Picture;
use serde_json::Value;

/// Fewer mistakes than this would not test the simulator.
const MUTANTS_MIN: usize = 25;

/// The simulator is tested by breaking the engine.
pub(crate) fn mutants(results: &Path) -> Option<Section> {
    let mutants = read(&results.join("mutants.json"))?;
    let mut caught = Table::new(["mutant", "what is broken", "seen by", "seeds", "seconds"]);
    let mut shrunk = Table::new(["mutant", "decisions", "other than the dull one", "seconds"]);
    let (mut count, mut survivors) = (0, Vec::new());
    for (name, line) in mutants.as_object()? {
        count += 1;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found = &line["caught"];
        if found.is_null() {
            survivors.push(name.clone());
            caught.row([name.clone(), text(&line["broken"]), "SURVIVED".to_owned(), String::new(), String::new()]);
            continue;
        }
        let seconds = |value: &Value| value.as_f64().map_or_else(String::new, |seconds| format!("{seconds:.1}"));
        let workload = text(&found["workload"]);
        caught.row([
            name.clone(),
            text(&line["broken"]),
            workload,
            // A test without seeds has none.
            found["seeds"].as_u64().map(|seeds| seeds.to_string()).unwrap_or_default(),
            seconds(&found["seconds"]),
        ]);
        let before_after = |value: &Value| Some(format!("{} to {}", value.get(0)?, value.get(1)?));
        if let (Some(all), Some(interesting)) = (before_after(&found["decisions"]), before_after(&found["interesting"]))
        {
            shrunk.row([name.clone(), all, interesting, seconds(&found["shrink_seconds"])]);
        }
    }
    let mut section = Section::new("Broken engines", "just mutants")
        .says(format!(
            "The simulator is held to {count} mistakes, planted one at a time as patches ([sim/mutants/patches](../sim/mutants/patches)) \
             into the storage and transaction floors: {} caught. {}",
            count - survivors.len(),
            control(results)
        ))
        .shows(caught)
        .says("How small the failing schedules became, by delta debugging over the decision log:")
        .shows(shrunk);
    section.is_bad = !survivors.is_empty() || count < MUTANTS_MIN;
    Some(section)
}

/// What the same simulations found in the engine as it is: without that, what they find in a broken one says little.
fn control(results: &Path) -> String {
    let Some(Value::Object(control)) = read(&results.join("mutants-control.json")) else {
        return "The engine as it is was not looked at beside them.".to_owned();
    };
    let one = |(name, whole): (&String, &Value)| match whole["seeds"].as_u64() {
        Some(seeds) => format!("{name} {seeds} seeds"),
        None => format!("{name} once"),
    };
    let all: Vec<String> = control.iter().map(one).collect();
    format!("In the engine as it is the same simulations find nothing: {}.", all.join(", "))
}

/// Everything in turn, for an hour.
pub(crate) fn swarm(results: &Path) -> Option<Section> {
    let swarm = read(&results.join("swarm.json"))?;
    let mut table =
        Table::new(["workload", "seeds", "commits", "median a seed", "crashes", "I/O events", "violations"]);
    let mut violations = 0;
    for workload in swarm["workloads"].as_array()? {
        violations += workload["violations"].as_u64().unwrap_or(0);
        let number = |field: &str| workload[field].to_string();
        let name = workload["name"].as_str().unwrap_or_default().to_owned();
        let [seeds, commits, median, crashes, events, bad] =
            ["seeds", "commits", "commits_median", "crashes", "io_events", "violations"].map(number);
        table.row([name, seeds, commits, median, crashes, events, bad]);
    }
    let scripts = &swarm["scripts"];
    violations += scripts["violations"].as_u64().unwrap_or(0);
    let mut marks = Table::new(["mark", "hits"]);
    for (mark, hits) in swarm["marks"].as_object()? {
        marks.row([mark.clone(), hits.to_string()]);
    }
    let mut section = Section::new("Everything in turn", "just swarm")
        .says(format!(
            "{} seconds of every workload on ever new seeds, and of the scripts with ever other crashes: {} statements, {} \
             events, {} images, {} recoveries crashed.",
            swarm["seconds"], scripts["statements"], scripts["events"], scripts["images"], scripts["recoveries"]
        ))
        .shows(table)
        .says("States that the engine marks as worth reaching, and how often they were:")
        .shows(marks);
    section.is_bad = violations > 0;
    Some(section)
}

/// A failing life as a person sees it.
pub(crate) fn viewer(results: &Path) -> Option<Section> {
    const FILE: &str = "trace-viewer.png";
    results.join(FILE).exists().then(|| {
        let mut section = Section::new("A failing life, to be looked at", "helios sim replay DIR --html FILE").says(
            "Every failure leaves a bundle: its decisions, the smallest that still fail, a trace, and this page.",
        );
        let caption = "A shrunk life: tasks, disk, what is durable and what is only cached".to_owned();
        section.picture = Some(Picture { file: FILE.to_owned(), caption });
        section
    })
}

fn read(file: &Path) -> Option<Value> {
    serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()
}
