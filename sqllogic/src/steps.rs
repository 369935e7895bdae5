//! A script as what clients say, in order, for whoever runs it another way than [`crate::script::run`] does.
//!
//! Answers are left out, but for whether PostgreSQL refused the statement and by which SQLSTATE. Data for COPY FROM STDIN
//! stand below the statement as in a file for psql, up to a line `\.`:
//!
//! ```text
//! statement ok
//! copy t from stdin with (format csv);
//! 1,one
//! 2,
//! \.
//! ```

use std::path::Path;

use sqllogictest::{Connection, ExpectedError, QueryExpect, Record, StatementExpect};

use crate::script::{Dialect, applies, records};

/// What ends the data of COPY.
const END_OF_DATA: &str = "\\.";

/// One message of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The line of the script where its record begins.
    pub line: u32,
    /// Whose message it is; `None` is the first client's.
    pub connection: Option<String>,
    /// The text.
    pub sql: String,
    /// What COPY FROM STDIN reads.
    pub data: Option<String>,
    /// What PostgreSQL answered.
    pub answer: Answer,
}

/// What PostgreSQL answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// That it is done.
    Done,
    /// An error, and its SQLSTATE where the script has it.
    Refused(Option<String>),
}

impl Step {
    /// A statement of the first client that is to be done.
    #[must_use]
    pub fn statement(line: u32, sql: &str) -> Step {
        let (sql, data) = without_data(sql);
        Step { line, connection: None, sql, data, answer: Answer::Done }
    }
}

/// The steps of a script, those left out that its conditions exclude for PostgreSQL.
///
/// # Errors
///
/// When the file cannot be read or is no script, or has a record that means something outside of the database.
pub fn read(path: &Path, dialect: Dialect) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut conditions = Vec::new();
    for record in records(path, dialect)? {
        let (loc, connection, sql, answer) = match record {
            Record::Statement { loc, connection, sql, expected, .. } => {
                let answer = match expected {
                    StatementExpect::Error(error) => Answer::Refused(state(&error)),
                    StatementExpect::Ok | StatementExpect::Count(_) => Answer::Done,
                };
                (loc, connection, sql, answer)
            }
            Record::Query { loc, connection, sql, expected, .. } => {
                let answer = match expected {
                    QueryExpect::Error(error) => Answer::Refused(state(&error)),
                    QueryExpect::Results { .. } => Answer::Done,
                };
                (loc, connection, sql, answer)
            }
            Record::Condition(condition) => {
                conditions.push(condition);
                continue;
            }
            Record::Halt { .. } if applies(&conditions) => break,
            Record::System { loc, .. } | Record::Let { loc, .. } | Record::Include { loc, .. } => {
                let what = "a record that is more than statements (system, let, include)";
                return Err(format!("{}:{}: {what}", path.display(), loc.line()));
            }
            Record::Comment(_) | Record::Newline => continue,
            _ => {
                conditions.clear();
                continue;
            }
        };
        if applies(&std::mem::take(&mut conditions)) {
            let connection = match connection {
                Connection::Default => None,
                Connection::Named(name) => Some(name),
            };
            let (sql, data) = without_data(&sql);
            steps.push(Step { line: loc.line(), connection, sql, data, answer });
        }
    }
    Ok(steps)
}

/// A statement, and the data of COPY that stand below it.
fn without_data(text: &str) -> (String, Option<String>) {
    let body = text.trim_end_matches(['\n', ' ']);
    let ended = body.strip_suffix(END_OF_DATA).filter(|body| body.ends_with('\n'));
    let begun = ended.and_then(|body| body.split_once(";\n"));
    match begun {
        Some((statement, data)) => (statement.to_owned(), Some(data.to_owned())),
        None => (text.to_owned(), None),
    }
}

/// The SQLSTATE that an expected error names.
fn state(error: &ExpectedError) -> Option<String> {
    match error {
        ExpectedError::SqlState(state) => Some(state.clone()),
        ExpectedError::Multiline(text) => {
            text.split_once(':').map(|(state, _)| state.trim().to_owned()).filter(|state| state.len() == 5)
        }
        ExpectedError::Empty | ExpectedError::Inline(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_stand_below_their_statement() {
        let step = Step::statement(1, "copy t from stdin;\n1\tone\n2\t\\N\n\\.");
        assert_eq!((step.sql.as_str(), step.data.as_deref()), ("copy t from stdin", Some("1\tone\n2\t\\N\n")));
        assert_eq!(Step::statement(1, "copy t from stdin;\n\\.").data.as_deref(), Some(""));
        assert_eq!(Step::statement(1, "select 1;\nselect 2").sql, "select 1;\nselect 2");
    }

    #[test]
    fn every_script_is_steps() {
        let scripts = crate::script::files(&[crate::script::directory()]);
        let steps: usize = scripts.iter().map(|path| read(path, Dialect::Ours).expect("a script").len()).sum();
        let recorded: usize = crate::ratchet::Ratchet::read().expect("figures").0.values().map(|f| f.total).sum();
        assert_eq!(steps, recorded);
    }
}
