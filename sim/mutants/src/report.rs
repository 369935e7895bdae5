//! What became of each mutant: a table for people, and the same as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::control::{self, Whole};
use crate::mutant::Mutant;
use crate::simulation::Simulation;

/// A violation that a swarm found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Caught {
    /// Which simulation found it.
    pub simulation: String,
    /// The workload's name.
    pub workload: String,
    /// Seeds until then, the failing one included; `None`: a test without seeds found it.
    pub seeds: Option<u64>,
    /// Seconds until then.
    pub seconds: f64,
    /// The violation's first line.
    pub violation: String,
    /// Decisions that were not dull, in the failing life and in the smallest one found.
    pub interesting: Option<[u64; 2]>,
    /// All decisions, likewise.
    pub decisions: Option<[u64; 2]>,
    /// Seconds that shrinking took.
    pub shrink_seconds: Option<f64>,
}

impl Caught {
    pub(crate) fn new(simulation: Simulation, figures: &Value, failure: &Value) -> Caught {
        let pair = |value: &Value| Some([value[0].as_u64()?, value[1].as_u64()?]);
        let text = |value: &Value| value.as_str().unwrap_or_default().lines().next().unwrap_or_default().to_owned();
        Caught {
            simulation: simulation.name().to_owned(),
            workload: text(&figures["workload"]),
            // Not how many lives several threads had lived by then: that is another number each time.
            seeds: failure["seed"].as_u64().map(|seed| seed + 1),
            seconds: failure["seconds"].as_f64().unwrap_or_default(),
            violation: text(&failure["violation"]),
            interesting: pair(&failure["interesting"]),
            decisions: pair(&failure["decisions"]),
            shrink_seconds: failure["shrink_seconds"].as_f64(),
        }
    }
}

/// A mutant's line in the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// What is broken.
    pub broken: String,
    /// Which promise dies of it.
    pub promise: String,
    /// The crate that it changes.
    pub package: String,
    /// How it was caught; `None`: it survived.
    pub caught: Option<Caught>,
    /// Why it survived.
    pub why: String,
}

impl Line {
    /// What became of `mutant`.
    pub fn new(mutant: &Mutant, outcome: Result<Caught, String>) -> Line {
        let Mutant { broken, promise, package, .. } = mutant.clone();
        let (caught, why) = match outcome {
            Ok(caught) => (Some(caught), String::new()),
            Err(why) => (None, why),
        };
        Line { broken, promise, package, caught, why }
    }
}

/// Lines by the mutant's name.
pub type Table = BTreeMap<String, Line>;

/// Reads a table that [`write()`] wrote; an empty one when there is none.
pub fn read(path: &Path) -> io::Result<Table> {
    read_json(path)
}

/// Writes the table as JSON to `path`, and as Markdown beside it.
pub fn write(path: &Path, table: &Table) -> io::Result<()> {
    write_json(path, table)?;
    let control = read_json(&control::beside(path))?;
    std::fs::write(path.with_extension("md"), markdown(table, &control))
}

pub(crate) fn read_json<T: DeserializeOwned + Default>(path: &Path) -> io::Result<T> {
    let unreadable = |error: serde_json::Error| io::Error::other(format!("{}: {error}", path.display()));
    match std::fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map_err(unreadable),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(error),
    }
}

pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(path, serde_json::to_string_pretty(value).map_err(io::Error::other)? + "\n")
}

/// The table for people.
pub fn markdown(table: &Table, control: &BTreeMap<String, Whole>) -> String {
    let caught = table.values().filter(|line| line.caught.is_some()).count();
    let mut text = format!(
        "# Broken engines, and how long the simulator takes to notice\n\n\
         {caught} of {} mutants are caught. Each is a patch in `sim/mutants/patches/`; `just mutants` makes this table again, \
         and `just mutants --only NAME` a line of it. Seeds are those of the simulation named up to the one that breaks the \
         promise; a test that looks once at every byte of every file has none. *Shrunk* counts the decisions that differ from \
         the dullest life, in the failing life and in the smallest found.\n\n{}\n\n\
         | mutant | what is broken | the promise that dies | caught by | seeds | seconds | shrunk | in | the violation |\n\
         |---|---|---|---|--:|--:|--:|--:|---|\n",
        table.len(),
        control::told(control)
    );
    for (name, line) in table {
        let Line { broken, promise, caught, why, .. } = line;
        let (found, said) = match caught {
            None => ("**survived** | | | | ".to_owned(), why.clone()),
            Some(caught) => {
                let Caught { simulation, seconds, .. } = caught;
                let seeds = caught.seeds.map(|seeds| seeds.to_string()).unwrap_or_default();
                let shrunk =
                    caught.interesting.map(|[before, after]| format!("{before} → {after}")).unwrap_or_default();
                let took = caught.shrink_seconds.map(|seconds| format!("{seconds:.1} s")).unwrap_or_default();
                (format!("{simulation} | {seeds} | {seconds:.1} | {shrunk} | {took}"), caught.violation.clone())
            }
        };
        let said = cut(&said).replace('|', "\\|");
        writeln!(text, "| {name} | {broken} | {promise} | {found} | {said} |").expect("writing to a string");
    }
    text
}

/// The first hundred characters.
fn cut(text: &str) -> String {
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}
