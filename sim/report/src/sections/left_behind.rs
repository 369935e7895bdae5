//! What commands that take long have left in `reports/`: broken engines, and the hour of everything.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Section, Table};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Fewer mistakes than this would not test the simulator.
const MUTANTS_MIN: usize = 25;

/// The simulator is tested by breaking the engine.
pub(crate) fn mutants(results: &Path) -> Result<Section, String> {
    const TITLE: &str = "Broken engines";
    const COMMAND: &str = "just mutants";
    let file = results.join("mutants.json");
    let Some(mutants) = read::<Map<String, Value>>(&file)? else { return Ok(missing(TITLE, &file, COMMAND)) };
    let mut caught = Table::new(["mutant", "what is broken", "seen by", "seeds", "seconds"]);
    let mut shrunk = Table::new(["mutant", "decisions", "other than the dull one", "seconds"]);
    let (mut count, mut survivors) = (0, Vec::new());
    for (name, line) in &mutants {
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
    let mut section = Section::new(TITLE, COMMAND)
        .says(format!(
            "The simulator is held to {count} mistakes, planted one at a time as patches ([sim/mutants/patches](../sim/mutants/patches)) \
             into the storage and transaction floors: {} caught. {}",
            count - survivors.len(),
            control(results)?
        ))
        .shows(caught)
        .says("How small the failing schedules became, by delta debugging over the decision log:")
        .shows(shrunk);
    section.is_bad = !survivors.is_empty() || count < MUTANTS_MIN;
    section.made = recorded(&file);
    Ok(section)
}

/// What the same simulations found in the engine as it is: without that, what they find in a broken one says little.
fn control(results: &Path) -> Result<String, String> {
    let Some(control) = read::<Map<String, Value>>(&results.join("mutants-control.json"))? else {
        return Ok("The engine as it is was not looked at beside them.".to_owned());
    };
    let one = |(name, whole): (&String, &Value)| match whole["seeds"].as_u64() {
        Some(seeds) => format!("{name} {seeds} seeds"),
        None => format!("{name} once"),
    };
    let all: Vec<String> = control.iter().map(one).collect();
    Ok(format!("In the engine as it is the same simulations find nothing: {}.", all.join(", ")))
}

/// What `just swarm` writes: `helios sim swarm --json`.
#[derive(Deserialize)]
struct Hour {
    seconds: u64,
    workloads: Vec<OfWorkload>,
    scripts: OfScripts,
    marks: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct OfWorkload {
    workload: String,
    seeds: u64,
    commits: u64,
    commits_median: u64,
    crashes: u64,
    io_events: u64,
    marks_missing: Vec<String>,
    failures: Vec<Value>,
}

#[derive(Deserialize)]
struct OfScripts {
    statements: u64,
    events: u64,
    images: u64,
    recoveries: u64,
    violations: u64,
}

/// Everything in turn, for an hour.
pub(crate) fn swarm(results: &Path) -> Result<Section, String> {
    const TITLE: &str = "Everything in turn";
    const COMMAND: &str = "just swarm";
    let file = results.join("swarm.json");
    let Some(Hour { seconds, workloads, scripts, marks: hits }) = read(&file)? else {
        return Ok(missing(TITLE, &file, COMMAND));
    };
    let mut table =
        Table::new(["workload", "seeds", "commits", "median a seed", "crashes", "I/O events", "violations"]);
    let is_bad = |it: &OfWorkload| !it.failures.is_empty() || it.commits == 0 || !it.marks_missing.is_empty();
    for it in &workloads {
        let numbers = [it.seeds, it.commits, it.commits_median, it.crashes, it.io_events, it.failures.len() as u64];
        let [seeds, commits, median, crashes, events, failures] = numbers.map(|number| number.to_string());
        table.row([it.workload.clone(), seeds, commits, median, crashes, events, failures]);
    }
    let mut marks = Table::new(["mark", "hits"]);
    hits.iter().for_each(|(mark, hits)| marks.row([mark.clone(), hits.to_string()]));
    let never = workloads.iter().flat_map(|it| it.marks_missing.iter().map(move |mark| (mark, &it.workload)));
    never.for_each(|(mark, workload)| marks.row([format!("{mark}, in {workload}"), "NEVER".to_owned()]));
    let OfScripts { statements, events, images, recoveries, violations } = scripts;
    let mut section = Section::new(TITLE, &format!("{COMMAND} --seconds {seconds}"))
        .says(format!(
            "{seconds} seconds of every workload on ever new seeds, and of the scripts with ever other crashes: {statements} \
             statements, {events} events, {images} images, {recoveries} recoveries crashed."
        ))
        .shows(table)
        .says("States that the engine marks as worth reaching, and how often they were:")
        .shows(marks);
    section.is_bad = violations > 0 || workloads.iter().any(is_bad);
    section.made = recorded(&file);
    Ok(section)
}

/// A failing life as a person sees it.
pub(crate) fn viewer(results: &Path) -> Section {
    const TITLE: &str = "A failing life, to be looked at";
    const COMMAND: &str = "helios sim replay DIR --html FILE";
    const FILE: &str = "trace-viewer.png";
    let file = results.join(FILE);
    if !file.exists() {
        return missing(TITLE, &file, COMMAND);
    }
    let mut section = Section::new(TITLE, COMMAND)
        .says("Every failure leaves a bundle: its decisions, the smallest that still fail, a trace, and this page.")
        .pictures(FILE, "A shrunk life: tasks, disk, what is durable and what is only cached");
    section.made = recorded(&file);
    section
}

/// The section of a file that is not there.
fn missing(title: &str, file: &Path, command: &str) -> Section {
    let mut section =
        Section::new(title, command).says(format!("`{}` is missing: `{command}` makes it.", name_of(file)));
    section.is_bad = true;
    section
}

fn name_of(file: &Path) -> std::borrow::Cow<'_, str> {
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy()
}

/// When a file was recorded: the commit that has it, if no later run has changed it.
fn recorded(file: &Path) -> Vec<(String, String)> {
    let path = file.to_string_lossy();
    let is_as_committed = crate::git(&["status", "--porcelain", "--", &path]).is_none();
    let commit = crate::git(&["log", "-1", "--format=%h", "--", &path]).filter(|_| is_as_committed);
    let commit = commit.unwrap_or_else(|| "none yet".to_owned());
    vec![(format!("`{}` recorded in commit", name_of(file)), commit)]
}

/// What a file holds; `None` if there is no such file.
pub(crate) fn read<T: DeserializeOwned>(file: &Path) -> Result<Option<T>, String> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("could not read \"{}\": {error}", file.display())),
    };
    let parsed = serde_json::from_str(&text);
    parsed.map(Some).map_err(|error| format!("\"{}\" is not what it should be: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_and_what_does_not_parse_is_an_error() {
        let directory = std::env::temp_dir().join(format!("crash-report-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory for tests");
        let section = swarm(&directory).expect("nothing to parse");
        assert!(section.is_bad && format!("{:?}", section.parts).contains("swarm.json"), "{section:?}");
        std::fs::write(directory.join("swarm.json"), "{}").expect("it is writable");
        let error = swarm(&directory).expect_err("it has no workloads");
        assert!(error.contains("swarm.json"), "{error}");
        std::fs::remove_dir_all(&directory).expect("it is ours");
    }
}
