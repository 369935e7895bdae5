//! `crash-report`: what HeliosDB and other engines survive, found out anew and written down.
//!
//! Everything in `reports/crash-safety.{md,html,json}` comes from this program: it lives the worlds, counts, and writes one
//! [`document::Document`] in three forms. What takes hours (the broken engines of `just mutants`, the hour of `just swarm`)
//! is read from what those commands left in `reports/`. What they have not left is named in its place, and the report is not
//! as it should be; what cannot be read ends it with 2 before anything is overwritten.

mod document;
mod sections;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;
use clap::builder::PossibleValuesParser;
use document::Document;

/// Write reports/crash-safety.{md,html,json}.
#[derive(Parser)]
#[command(name = "crash-report")]
struct Arguments {
    /// Worlds for each kind of fault.
    #[arg(long, default_value_t = 60, value_name = "N")]
    seeds: u64,
    /// Worlds in which histories are checked, at each isolation level.
    #[arg(long, default_value_t = 200, value_name = "N")]
    history_seeds: u64,
    /// Crash images of each statement of the scripts.
    #[arg(long, default_value_t = 24, value_name = "N")]
    images_per_statement: usize,
    /// The longest that one engine has for one fault.
    #[arg(long, default_value_t = 10, value_name = "S")]
    engine_seconds: u64,
    /// Make only this section anew; the others stay as they are. May be given more than once.
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(sections::names()))]
    only: Vec<String>,
    /// Threads; the number of processors when it is not said.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Where the report goes, and where the results of other commands are.
    #[arg(long, default_value = "reports", value_name = "DIR")]
    out: PathBuf,
}

/// What all sections need to know.
struct Effort {
    seeds: u64,
    history_seeds: u64,
    images_per_statement: usize,
    engine_seconds: u64,
    jobs: usize,
    /// Where other commands have left results.
    results: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let jobs = arguments.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let effort = Effort {
        seeds: arguments.seeds,
        history_seeds: arguments.history_seeds,
        images_per_statement: arguments.images_per_statement,
        engine_seconds: arguments.engine_seconds,
        jobs,
        results: arguments.out.clone(),
    };
    match report(&arguments, &effort) {
        Ok(bad) if bad.is_empty() => ExitCode::SUCCESS,
        Ok(bad) => {
            eprintln!("crash-report: not as it should be: {}", bad.join(", "));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("crash-report: {error}");
            ExitCode::from(2)
        }
    }
}

/// Makes it and writes it down; the titles of the sections that show what must not be.
fn report(arguments: &Arguments, effort: &Effort) -> Result<Vec<String>, String> {
    let before = if arguments.only.is_empty() { Vec::new() } else { before(&arguments.out)? };
    let document = Document {
        title: "Crash safety".to_owned(),
        introduction: "Storage engines in a simulated world: power cuts at every point, torn and lost and reordered writes, \
            failing and lying disks, networks that lose and repeat. A violation is a promise that an engine's documentation \
            makes and that some world saw broken."
            .to_owned(),
        sections: sections::all(effort, &arguments.only, before)?,
    };
    write(&arguments.out, &document)
        .map_err(|error| format!("could not write to \"{}\": {error}", arguments.out.display()))?;
    Ok(document.sections.into_iter().filter(|section| section.is_bad).map(|section| section.title).collect())
}

/// The sections of the report that is there; none if there is no report.
fn before(directory: &Path) -> Result<Vec<document::Section>, String> {
    let document: Option<Document> = sections::left_behind::read(&directory.join("crash-safety.json"))?;
    Ok(document.map_or_else(Vec::new, |document| document.sections))
}

fn write(directory: &Path, document: &Document) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let forms = [("md", document.to_markdown()), ("html", document.to_html()), ("json", document.to_json())];
    for (extension, content) in forms {
        let file = directory.join(format!("crash-safety.{extension}"));
        std::fs::write(&file, content)?;
        eprintln!("written: {}", file.display());
    }
    Ok(())
}

/// Of which code, and on what, a section's figures are.
fn here() -> Vec<(String, String)> {
    let first = |path: &str, key: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':').map_or(line, |(_, value)| value).trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let facts = [
        ("commit", git(&["rev-parse", "--short", "HEAD"])),
        ("processor", first("/proc/cpuinfo", "model name")),
        ("cores", Some(cores.to_string())),
        ("kernel", first("/proc/sys/kernel/osrelease", "")),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// What git says, if it says anything.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
