//! A promise that was not kept.

use std::fmt;

/// What an oracle found wrong, and what a reader needs to know about where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// In one sentence.
    pub message: String,
    /// Further lines: where, when, after what.
    pub context: Vec<String>,
}

impl Violation {
    /// A violation without context.
    pub fn new(message: impl Into<String>) -> Violation {
        Violation { message: message.into(), context: Vec::new() }
    }

    /// The same with one more line of context.
    #[must_use]
    pub fn with(mut self, line: impl Into<String>) -> Violation {
        self.context.push(line.into());
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for line in &self.context {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

impl<T: std::error::Error> From<T> for Violation {
    fn from(error: T) -> Violation {
        let mut violation = Violation::new(error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            violation = violation.with(format!("because {cause}"));
            source = cause.source();
        }
        violation
    }
}
