//! `just mutants`: every broken engine must be caught. See [`helios_mutants`].

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use helios_mutants::control::Control;
use helios_mutants::mutant::{Mutant, draw};
use helios_mutants::report::{self, Caught, Line};
use helios_mutants::simulation::{Look, Simulation};
use helios_mutants::tree::{self, Tree};

/// Breaks the engine with each patch of sim/mutants/patches, and says which simulation notices, after how many seeds.
#[derive(Parser)]
#[command(name = "mutants")]
struct Arguments {
    /// This mutant, or those whose names contain NAME; may be given more than once.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// N mutants, drawn by the hash of the commit.
    #[arg(long, value_name = "N")]
    draw: Option<usize>,
    /// Keep what became of them in FILE, and as a table beside it; mutants that are not run now keep their lines.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The longest that one simulation may run.
    #[arg(long, value_name = "S", default_value_t = 600)]
    seconds: u64,
    /// Only say what there is.
    #[arg(long)]
    list: bool,
}

/// Has simulations look at the broken tree until one notices: first the one that is expected to, then the others. Each has
/// looked at the whole tree before. The outer error is one after which nothing can be said.
fn look(tree: &Tree, mutant: &Mutant, control: &mut Control, time_max: Duration) -> io::Result<Result<Caught, String>> {
    let others = Simulation::ALL.into_iter().filter(|simulation| *simulation != mutant.expected);
    let mut outcome = Err("no simulation notices".to_owned());
    for simulation in std::iter::once(mutant.expected).chain(others) {
        control.hold(simulation, tree, time_max)?;
        if let Err(error) = tree.apply(mutant) {
            return Ok(Err(format!("it does not apply: {error}")));
        }
        let looked = simulation.look(tree, &mutant.name, time_max);
        tree.unapply(mutant).map_err(|error| io::Error::other(format!("the tree is left broken: {error}")))?;
        match looked {
            Ok(Look { caught: Some(caught), .. }) => return Ok(Ok(caught)),
            Ok(_) => (),
            Err(error) => outcome = Err(error.to_string()),
        }
    }
    Ok(outcome)
}

fn print(mutant: &Mutant, outcome: &Result<Caught, String>, took: f64) {
    let name = &mutant.name;
    match outcome {
        Ok(caught) => {
            let Caught { simulation, seconds, violation, .. } = caught;
            let seeds = caught.seeds.map(|seeds| format!("{seeds} seeds and ")).unwrap_or_default();
            let shrunk = match (caught.interesting, caught.shrink_seconds) {
                (Some([before, after]), Some(seconds)) => {
                    format!("; shrunk from {before} to {after} decisions in {seconds:.1} s")
                }
                _ => String::new(),
            };
            println!(
                "{name}: caught by {simulation} after {seeds}{seconds:.1} s ({took:.0} s in all): {violation}{shrunk}"
            );
        }
        Err(why) => println!("{name}: SURVIVED ({took:.0} s): {why}"),
    }
}

/// The mutants that are asked for.
fn choose(arguments: &Arguments, all: &[Mutant], workspace: &Path) -> io::Result<Vec<Mutant>> {
    if let Some(name) = arguments.only.iter().find(|name| !all.iter().any(|it| it.name.contains(name.as_str()))) {
        return Err(io::Error::other(format!("no mutant is called {name}; `--list` names them")));
    }
    let is_wanted = |mutant: &&Mutant| {
        arguments.only.is_empty() || arguments.only.iter().any(|name| mutant.name.contains(name.as_str()))
    };
    let wanted: Vec<Mutant> = all.iter().filter(is_wanted).cloned().collect();
    match arguments.draw {
        Some(count) => Ok(draw(wanted, &tree::commit(workspace)?, count)),
        None => Ok(wanted),
    }
}

fn run(arguments: &Arguments) -> io::Result<bool> {
    let workspace = tree::workspace()?;
    let all = Mutant::read_all(&workspace.join("sim/mutants/patches"))?;
    let mutants = choose(arguments, &all, &workspace)?;
    if arguments.list {
        mutants.iter().for_each(|mutant| println!("{}: {}", mutant.name, mutant.broken));
        return Ok(true);
    }
    let tree = Tree::copy(workspace)?;
    let time_max = Duration::from_secs(arguments.seconds);
    let mut control = Control::new(arguments.json.as_deref());
    let (begun, mut survivors) = (Instant::now(), Vec::new());
    for mutant in &mutants {
        let from = Instant::now();
        let outcome = look(&tree, mutant, &mut control, time_max)?;
        print(mutant, &outcome, from.elapsed().as_secs_f64());
        if outcome.is_err() {
            survivors.push(mutant.name.as_str());
        }
        if let Some(path) = &arguments.json {
            let mut table = report::read(path)?;
            table.retain(|name, _| all.iter().any(|mutant| mutant.name == *name));
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
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
