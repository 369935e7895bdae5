//! Running a script to its end, whatever fails on the way.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sqllogictest::{
    Condition, Control, DefaultColumnType, Normalizer, QueryExpect, Record, ResultMode, Runner, TestErrorKind,
    default_column_validator, parse_with_name, strict_column_validator,
};

use crate::peer::Rendering;
use crate::place::Place;

/// Between the columns of a row.
pub const SEPARATOR: &str = "|";

/// Whose form a script has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The `sqllogictest` crate's, as the scripts of this project: a row is a line.
    Ours,
    /// SQLite's: a value is a line, and column types say how values are written.
    Sqlite,
}

impl Dialect {
    /// That of a file, by its name: SQLite's end in `.test`.
    #[must_use]
    pub fn of(path: &Path) -> Dialect {
        if path.extension().is_some_and(|extension| extension == "test") { Dialect::Sqlite } else { Dialect::Ours }
    }
}

/// What came of a script.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Statements that answered as recorded.
    pub passed: usize,
    /// Statements.
    pub total: usize,
    /// What the others did.
    pub failures: Vec<Failure>,
}

/// A statement that did not answer as recorded.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The line where its record begins.
    pub line: u32,
    /// What was expected and what came.
    pub report: String,
}

/// Every `.slt` and `.test` file under the paths, sorted.
#[must_use]
pub fn files(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = paths.to_vec();
    while let Some(path) = pending.pop() {
        match std::fs::read_dir(&path) {
            Ok(entries) => {
                let entries = entries.flatten().map(|entry| entry.path());
                pending.extend(
                    entries.filter(|path| {
                        path.is_dir() || path.extension().is_some_and(|ext| ext == "slt" || ext == "test")
                    }),
                );
            }
            Err(_) => found.push(path),
        }
    }
    found.sort();
    found
}

/// Where this project's scripts are.
#[must_use]
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

/// The records of a script, in order.
pub(crate) fn records(path: &Path, dialect: Dialect) -> Result<Vec<Record<DefaultColumnType>>, String> {
    let describe = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| describe(&error))?;
    let text = if dialect == Dialect::Sqlite { without_remarks(&text) } else { text };
    parse_with_name(&text, path.to_string_lossy()).map_err(|error| describe(&error))
}

/// Runs a script in a database of its own.
///
/// # Errors
///
/// When the file cannot be read, is no script, or no database is to be had.
pub fn run(path: &Path, dialect: Dialect, place: &Place) -> Result<Outcome, String> {
    let describe = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let records = records(path, dialect)?;
    let room = place.room().map_err(|error| describe(&error))?;
    let types = Arc::new(Mutex::new(String::new()));
    let rendering = match dialect {
        Dialect::Ours => Rendering::Ours,
        Dialect::Sqlite => Rendering::Sqlite(types.clone()),
    };
    let mut runner = Runner::new(|| {
        let peer = room.peer(rendering.clone());
        async { peer }
    });
    let as_it_is: Normalizer = |value| value.clone();
    runner.with_normalizer(as_it_is);
    runner.with_validator(|_, actual, expected| {
        actual.iter().map(|row| row.join(SEPARATOR)).eq(expected.iter().map(String::as_str))
    });
    match dialect {
        Dialect::Ours => runner.with_column_validator(strict_column_validator),
        Dialect::Sqlite => {
            runner.with_column_validator(default_column_validator);
            let valuewise = Record::Control(Control::ResultMode(ResultMode::ValueWise));
            runner.run(valuewise).map_err(|error| describe(&error))?;
        }
    }
    let mut outcome = Outcome::default();
    let mut conditions = Vec::new();
    for record in records {
        let line = match &record {
            Record::Statement { loc, .. } => loc.line(),
            Record::Query { loc, expected, .. } => {
                if let QueryExpect::Results { types: expected, results, .. } = expected {
                    // A digest stands for its values whether or not a threshold was announced.
                    let digested = matches!(&results[..], [only] if only.contains(" values hashing to "));
                    runner.with_hash_threshold(usize::from(digested));
                    *types.lock().unwrap_or_else(PoisonError::into_inner) = letters(expected);
                }
                loc.line()
            }
            Record::Halt { .. } if applies(&conditions) => break,
            Record::Halt { .. } | Record::HashThreshold { .. } => 0,
            Record::Condition(condition) => {
                conditions.push(condition.clone());
                continue;
            }
            _ => 0,
        };
        let met = applies(&conditions);
        if !matches!(record, Record::Comment(_)) {
            conditions.clear();
        }
        if line == 0 {
            if !matches!(record, Record::Halt { .. } | Record::HashThreshold { .. }) {
                runner.run(record).map_err(|error| describe(&error))?;
            }
            continue;
        }
        if !met {
            continue;
        }
        outcome.total += 1;
        match runner.run(record) {
            Ok(_) => outcome.passed += 1,
            Err(error) => outcome.failures.push(Failure { line, report: report(&error.kind()) }),
        }
    }
    runner.shutdown();
    drop(runner);
    Ok(outcome)
}

fn report(kind: &TestErrorKind) -> String {
    kind.to_string()
}

fn letters(types: &[DefaultColumnType]) -> String {
    use sqllogictest::ColumnType as _;
    types.iter().map(|column| column.to_char()).collect()
}

/// Conditions are honoured as for `postgresql`.
pub(crate) fn applies(conditions: &[Condition]) -> bool {
    conditions.iter().all(|condition| match condition {
        Condition::OnlyIf { label } => label == "postgresql",
        Condition::SkipIf { label } => label != "postgresql",
    })
}

/// SQLite's scripts have remarks behind conditions.
fn without_remarks(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for line in text.lines() {
        let conditional = line.starts_with("skipif") || line.starts_with("onlyif") || line.starts_with("halt");
        kept.push_str(if conditional { line.split('#').next().unwrap_or(line).trim_end() } else { line });
        kept.push('\n');
    }
    kept
}
