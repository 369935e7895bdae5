//! The record of what was decided, and its file format.
//!
//! ```text
//! helios-decisions 1
//! executor.task
//! disk.latency
//!
//! 0 3 1        site (index into the table above), answers possible, answer given
//! 1 8 0
//! ```
//!
//! Text, because people read and edit it while hunting a bug.

use std::borrow::Cow;
use std::fmt::Write as _;

use helios_env::hash::HashMap;

/// One question and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who asked.
    pub site: Cow<'static, str>,
    /// How many answers there were.
    pub n: u32,
    /// The answer, below `n`.
    pub value: u32,
}

/// Everything that was decided in one run, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecisionLog {
    /// The decisions.
    pub decisions: Vec<Decision>,
}

/// Why a text is no decision log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogError {
    /// Line number, from 1.
    pub line: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl std::fmt::Display for LogError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {} of the decision log is not {}", self.line, self.expected)
    }
}

impl std::error::Error for LogError {}

const HEADER: &str = "helios-decisions 1";

impl DecisionLog {
    /// Decisions other than the dull zero: what a shrinker brings down.
    pub fn interesting(&self) -> usize {
        self.decisions.iter().filter(|d| d.value != 0).count()
    }

    /// The text form.
    pub fn to_text(&self) -> String {
        let mut sites: Vec<&str> = Vec::new();
        let mut index: HashMap<&str, usize> = HashMap::default();
        let mut body = String::new();
        for Decision { site, n, value } in &self.decisions {
            let number = *index.entry(site).or_insert_with(|| {
                sites.push(site);
                sites.len() - 1
            });
            writeln!(body, "{number} {n} {value}").expect("writing to a string");
        }
        format!("{HEADER}\n{}\n\n{body}", sites.join("\n"))
    }

    /// Reads the text form.
    pub fn from_text(text: &str) -> Result<DecisionLog, LogError> {
        let mut lines = (1..).zip(text.lines());
        if lines.next().map(|(_, line)| line) != Some(HEADER) {
            return Err(LogError { line: 1, expected: HEADER });
        }
        let sites: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| !line.is_empty()).collect();
        let decision = |line: &str| -> Option<Decision> {
            let mut numbers = line.split(' ').map(|word| word.parse::<u32>().ok());
            let site = sites.get(numbers.next()?? as usize)?;
            let decision = Decision { site: Cow::Owned((*site).into()), n: numbers.next()??, value: numbers.next()?? };
            numbers.next().is_none().then_some(decision)
        };
        let decisions = lines
            .filter(|(_, text)| !text.is_empty())
            .map(|(line, text)| decision(text).ok_or(LogError { line, expected: "a site, its answers and an answer" }))
            .collect::<Result<_, _>>()?;
        Ok(DecisionLog { decisions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_round_trips() {
        let decision = |site: &'static str, n, value| Decision { site: site.into(), n, value };
        let log = DecisionLog { decisions: vec![decision("a b", 3, 1), decision("c", 9, 0), decision("a b", 2, 0)] };
        assert_eq!(DecisionLog::from_text(&log.to_text()), Ok(log));
        assert_eq!(DecisionLog::from_text(&DecisionLog::default().to_text()), Ok(DecisionLog::default()));
    }

    #[test]
    fn other_texts_are_refused_with_their_line() {
        assert_eq!(DecisionLog::from_text("x").map_err(|e| e.line), Err(1));
        let bad = format!("{HEADER}\nsite\n\n0 2 1\n0 2\n");
        assert_eq!(DecisionLog::from_text(&bad).map_err(|e| e.line), Err(5));
        assert_eq!(DecisionLog::from_text(&format!("{HEADER}\n\n7 2 1\n")).map_err(|e| e.line), Err(3));
    }
}
