//! The control: what the simulations find in the engine as it is.
//!
//! A defect of the tree, a false alarm at a rare seed or a full disk would be found in every mutant alike, and the table
//! would never have looked better. So before a simulation looks at a mutant it looks at the whole tree, at as many seeds as
//! it may take for a mutant, and must find nothing.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::report::{read_json, write_json};
use crate::simulation::{Look, Simulation};
use crate::tree::{self, Tree};

/// What a simulation did with the engine as it is, and found nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Whole {
    /// Lives that it lived; `None`: it has no seeds.
    pub seeds: Option<u64>,
    /// How long that took.
    pub seconds: f64,
    /// The commit that was checked out.
    pub commit: String,
}

/// Simulations by name, and what they did with the engine as it is.
#[derive(Debug, Default)]
pub struct Control {
    held: BTreeMap<String, Whole>,
    /// Where it is kept.
    path: Option<PathBuf>,
}

impl Control {
    /// A control that is kept beside the table at `table`, where there is one.
    pub fn new(table: Option<&Path>) -> Control {
        Control { held: BTreeMap::new(), path: table.map(beside) }
    }

    /// Has `simulation` look at the whole tree, if it has not yet. An error ends everything: nothing can be said of
    /// mutants then.
    pub fn hold(&mut self, simulation: Simulation, tree: &Tree, time_max: Duration) -> io::Result<()> {
        if self.held.contains_key(simulation.name()) {
            return Ok(());
        }
        let what = |why: String| {
            io::Error::other(format!(
                "the engine as it is fails {}: {why}; nothing can be said of mutants",
                simulation.name()
            ))
        };
        let look = simulation.look(tree, "whole", time_max).map_err(|error| what(error.to_string()))?;
        let Look { seeds, seconds, caught, failed } = look;
        if let Some(why) = caught.map(|caught| caught.violation).or(failed) {
            return Err(what(why));
        }
        let lived = seeds.map(|seeds| format!("{seeds} seeds and ")).unwrap_or_default();
        println!("the engine as it is: {} finds nothing in {lived}{seconds:.1} s", simulation.name());
        let commit = tree::commit(&tree.workspace)?;
        self.held.insert(simulation.name().to_owned(), Whole { seeds, seconds, commit });
        let Some(path) = &self.path else { return Ok(()) };
        let mut kept: BTreeMap<String, Whole> = read_json(path)?;
        kept.extend(self.held.clone());
        kept.retain(|name, _| Simulation::named(name).is_some());
        write_json(path, &kept)
    }
}

/// Where the control of the table at `path` is kept.
pub fn beside(path: &Path) -> PathBuf {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}-control.json"))
}

/// The kept control, as a sentence.
pub fn told(kept: &BTreeMap<String, Whole>) -> String {
    if kept.is_empty() {
        return "The engine as it is was not looked at.".to_owned();
    }
    let one = |(name, whole): (&String, &Whole)| match whole.seeds {
        Some(seeds) => format!("{name} {seeds} seeds in {:.0} s", whole.seconds),
        None => format!("{name} once in {:.1} s", whole.seconds),
    };
    let all: Vec<String> = kept.iter().map(one).collect();
    format!("In the engine as it is the same simulations find nothing: {}.", all.join(", "))
}
