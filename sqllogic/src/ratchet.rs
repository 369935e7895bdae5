//! What passed once must not fail again unnoticed.
//!
//! `ratchet.tsv` has for each script its statements and how many of them answered as recorded, embedded and over the
//! wire. A run may be better, and `--ratchet` then writes the better figures; a worse one fails.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::place::Place;
use crate::script::{Dialect, Outcome, run};

/// The figures of a script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Statements.
    pub total: usize,
    /// Those that pass embedded.
    pub embedded: usize,
    /// Those that pass over the wire.
    pub wire: usize,
}

impl Figures {
    /// The figure of a place that is held to one.
    pub fn at(&mut self, place: &Place) -> Option<&mut usize> {
        match place {
            Place::Embedded => Some(&mut self.embedded),
            Place::Wire => Some(&mut self.wire),
            Place::Postgres(_) => None,
        }
    }
}

/// The figures of every script, by its path below `scripts`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ratchet(pub BTreeMap<String, Figures>);

impl Ratchet {
    /// Where they are kept.
    #[must_use]
    pub fn path() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("ratchet.tsv")
    }

    /// Reads them; nothing is held to anything where there is no file.
    ///
    /// # Errors
    ///
    /// When a line is not four fields.
    pub fn read() -> Result<Ratchet, String> {
        Ratchet::parse(&std::fs::read_to_string(Ratchet::path()).unwrap_or_default())
    }

    fn parse(text: &str) -> Result<Ratchet, String> {
        let mut scripts = BTreeMap::new();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split('\t').collect();
            let number = |index: usize| fields.get(index).and_then(|field| field.parse::<usize>().ok());
            let figures = (number(1), number(2), number(3));
            let (Some(total), Some(embedded), Some(wire)) = figures else {
                return Err(format!("ratchet.tsv: not a script and three figures: {line}"));
            };
            scripts.insert(fields[0].to_owned(), Figures { total, embedded, wire });
        }
        Ok(Ratchet(scripts))
    }

    /// Writes them.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self) -> Result<(), String> {
        std::fs::write(Ratchet::path(), self.to_string()).map_err(|error| error.to_string())
    }
}

impl std::fmt::Display for Ratchet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "script\tstatements\tembedded\twire")?;
        for (script, figures) in &self.0 {
            writeln!(f, "{script}\t{}\t{}\t{}", figures.total, figures.embedded, figures.wire)?;
        }
        Ok(())
    }
}

/// The name that a script of this project is known by.
#[must_use]
pub fn name(path: &Path) -> String {
    let path = path.strip_prefix(crate::script::directory()).unwrap_or(path);
    path.to_string_lossy().into_owned()
}

/// A run of scripts against what they passed before.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Statements that answered as recorded.
    pub passed: usize,
    /// Statements.
    pub total: usize,
    /// Scripts that pass in full.
    pub whole: usize,
    /// Scripts.
    pub scripts: usize,
    /// Scripts that did worse than before, in words, with what failed.
    pub fallen: Vec<String>,
    /// Scripts that did better than the ratchet says.
    pub risen: usize,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for fallen in &self.fallen {
            writeln!(f, "{fallen}")?;
        }
        let Report { passed, total, whole, scripts, risen, .. } = self;
        writeln!(f, "{passed} of {total} statements answer as PostgreSQL does, {whole} of {scripts} scripts in full")?;
        if *risen > 0 {
            writeln!(f, "{risen} scripts do better than ratchet.tsv says: raise it with --ratchet")?;
        }
        Ok(())
    }
}

/// Runs scripts; those that pass fewer statements than before have fallen. PostgreSQL is held to all of them.
///
/// # Errors
///
/// When the figures cannot be read or, if they are to be raised, written.
pub fn hold(place: &Place, scripts: &[PathBuf], raise: bool) -> Result<Report, String> {
    let mut ratchet = Ratchet::read()?;
    let mut report = Report::default();
    for path in scripts {
        let name = name(path);
        report.scripts += 1;
        let outcome = match run(path, Dialect::Ours, place) {
            Ok(outcome) => outcome,
            Err(error) => {
                report.fallen.push(error);
                continue;
            }
        };
        report.passed += outcome.passed;
        report.total += outcome.total;
        report.whole += usize::from(outcome.passed == outcome.total);
        let figures = ratchet.0.entry(name.clone()).or_default();
        let grown = figures.total != outcome.total;
        figures.total = outcome.total;
        let Some(before) = figures.at(place) else {
            if outcome.passed < outcome.total {
                report.fallen.push(failures(&name, outcome.total, &outcome));
            }
            continue;
        };
        if outcome.passed < *before {
            report.fallen.push(failures(&name, *before, &outcome));
        } else if outcome.passed > *before || grown {
            report.risen += 1;
            *before = outcome.passed;
        }
    }
    if raise {
        ratchet.write()?;
        report.risen = 0;
    }
    Ok(report)
}

fn failures(name: &str, before: usize, outcome: &Outcome) -> String {
    let mut text = format!("{name}: {} of {} statements, {before} before", outcome.passed, outcome.total);
    for failure in &outcome.failures {
        let _ = write!(text, "\n  line {}: {}", failure.line, failure.report.replace('\n', "\n    "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_survive_the_file() {
        let figures = Figures { total: 3, embedded: 2, wire: 1 };
        let ratchet = Ratchet(BTreeMap::from([("a/b.slt".to_owned(), figures)]));
        assert_eq!(Ratchet::parse(&ratchet.to_string()), Ok(ratchet));
        assert!(Ratchet::parse("header\na.slt\t1").is_err());
    }
}
