//! `just mutants`: every broken engine must be caught. See [`helios_mutants`].

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use helios_mutants::mutant::{Mutant, draw};
use helios_mutants::report::{self, Caught, Line};
use helios_mutants::simulation::Simulation;
use helios_mutants::tree::{self, Tree};

const USAGE: &str = "\
Breaks the engine with each patch of sim/mutants/patches, and says which simulation notices, after how many seeds.

  --only NAME   this mutant, or those whose names contain NAME; may be given more than once
  --draw N      N mutants that are seen without SQL, drawn by the hash of the commit
  --json FILE   keep what became of them in FILE, and as a table beside it; mutants that are not run now keep their lines
  --seconds N   the longest that one simulation may run (600)
  --list        only say what there is";

#[derive(Default)]
struct Arguments {
    only: Vec<String>,
    draw: Option<usize>,
    json: Option<PathBuf>,
    seconds: Option<u64>,
    list: bool,
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    let mut given = std::env::args().skip(1);
    while let Some(option) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("{option} needs a value\n\n{USAGE}"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("{text} is no number\n\n{USAGE}"));
        match option.as_str() {
            "--only" => arguments.only.push(value()?),
            "--draw" => arguments.draw = Some(number(value()?)? as usize),
            "--json" => arguments.json = Some(value()?.into()),
            "--seconds" => arguments.seconds = Some(number(value()?)?),
            "--list" => arguments.list = true,
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(arguments)
}

/// Breaks the tree, looks, and makes it whole again.
fn look(tree: &Tree, mutant: &Mutant, time_max: Duration) -> Result<Caught, String> {
    tree.apply(mutant).map_err(|error| format!("it does not apply: {error}"))?;
    let others = Simulation::ALL.into_iter().filter(|simulation| *simulation != mutant.expected);
    // What is expected to see it comes first, then the others; SQL is built only for what SQL must see.
    let wanted =
        |simulation: &Simulation| *simulation != Simulation::Database || mutant.expected == Simulation::Database;
    let mut outcome = Err("no simulation notices".to_owned());
    for simulation in std::iter::once(mutant.expected).chain(others.filter(wanted)) {
        match simulation.look(tree, &mutant.name, time_max) {
            Ok(None) => (),
            Ok(Some(caught)) => {
                outcome = Ok(caught);
                break;
            }
            Err(error) => outcome = Err(error.to_string()),
        }
    }
    let whole = tree.unapply(mutant).map_err(|error| format!("the tree is left broken: {error}"));
    whole.and(outcome)
}

fn run(arguments: Arguments) -> io::Result<bool> {
    let tree = Tree::copy(tree::workspace()?)?;
    let patches = tree.workspace.join("sim/mutants/patches");
    let all = Mutant::read_all(&patches)?;
    let names: Vec<String> = all.iter().map(|mutant| mutant.name.clone()).collect();
    let is_wanted = |mutant: &Mutant| {
        arguments.only.is_empty() || arguments.only.iter().any(|name| mutant.name.contains(name.as_str()))
    };
    let mut mutants: Vec<Mutant> = all.into_iter().filter(is_wanted).collect();
    if let Some(count) = arguments.draw {
        mutants = draw(mutants, &tree::commit(&tree.workspace)?, count);
    }
    if arguments.list {
        mutants.iter().for_each(|mutant| println!("{}: {}", mutant.name, mutant.broken));
        return Ok(true);
    }
    let time_max = Duration::from_secs(arguments.seconds.unwrap_or(600));
    let (begun, mut survivors) = (Instant::now(), Vec::new());
    for mutant in &mutants {
        let from = Instant::now();
        let outcome = look(&tree, mutant, time_max);
        let took = from.elapsed().as_secs_f64();
        match &outcome {
            Ok(caught) => {
                let Caught { simulation, seeds, seconds, violation, interesting: [before, after], .. } = caught;
                println!(
                    "{}: caught by {simulation} after {seeds} seeds and {seconds:.1} s ({took:.0} s in all): {violation}; \
                     shrunk from {before} to {after} decisions in {:.1} s",
                    mutant.name, caught.shrink_seconds
                );
            }
            Err(why) => {
                println!("{}: SURVIVED ({took:.0} s): {why}", mutant.name);
                survivors.push(mutant.name.as_str());
            }
        }
        if let Some(path) = &arguments.json {
            let mut table = report::read(path)?;
            table.retain(|name, _| names.contains(name));
            table.insert(mutant.name.clone(), Line::new(mutant, outcome));
            report::write(path, &table)?;
        }
    }
    let (count, took) = (mutants.len(), begun.elapsed().as_secs());
    println!("{} of {count} mutants caught in {took} s", count - survivors.len());
    if !survivors.is_empty() {
        println!("survivors: {}", survivors.join(", "));
    }
    Ok(survivors.is_empty() && count > 0)
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    match run(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
