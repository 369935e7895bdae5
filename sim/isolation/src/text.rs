//! Histories as text, for golden files and for reading.
//!
//! A line is a transaction, an expectation, or a comment after `#`:
//!
//! ```text
//! # T2 read what T1 took back.
//! expect read committed: G1a
//! expect strict repeatable read: G1a
//! T1 s1 1..4 aborted: write r1 1
//! T2 s2 2..5 committed: read r1 1 & read l1 [3 4]; @3 append l1 5
//! ```
//!
//! | part | meaning |
//! |---|---|
//! | `T2` | its name; transactions are numbered from 1, in order |
//! | `s2` | its session; another one for each transaction when it is left out |
//! | `2..5` | when it began and ended; `2..` if it never did; left out, it may have happened at any time |
//! | `rc`, `rr`, `ser` | the isolation that it asked for, if it is not that of the check |
//! | `committed`, `aborted`, `unknown` | how it ended |
//! | `;` | between statements; `@3` before one is when it was sent |
//! | `&` | between operations of one statement |
//! | `read r1 1`, `read r1 nil`, `read l1 [1 2]` | a plain read of a register, of a list |
//! | `lock r1 1` | a read under a lock: SELECT FOR UPDATE, or what an UPDATE replaces |
//! | `write r1 2`, `append l1 3` | a write |
//! | `savepoint`, `rollback to`, `release` | of the innermost one |
//!
//! An expectation names a level (`strict` with real time, `session` with the order of sessions) and what is found there,
//! separated by commas, or `legal`.

use std::collections::BTreeSet;
use std::fmt;

use crate::history::{History, Isolation, Object, Operation, Outcome, Statement, Transaction, name};
use crate::verdict::{Level, Order};

/// A history and what it is expected to break.
#[derive(Clone, Debug)]
pub struct Golden {
    /// What happened.
    pub history: History,
    /// The names of what a check at a level finds.
    pub expectations: Vec<(Level, BTreeSet<String>)>,
}

/// Why a text is no history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

/// Reads a text of the form that the [module](self) shows.
pub fn parse(text: &str) -> Result<Golden, ParseError> {
    let mut golden = Golden { history: History::default(), expectations: Vec::new() };
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let parsed = match line.strip_prefix("expect ") {
            Some(expectation) => parse_expectation(expectation).map(|found| golden.expectations.push(found)),
            None => parse_transaction(line, golden.history.transactions.len())
                .map(|transaction| golden.history.transactions.push(transaction)),
        };
        parsed.map_err(|message| ParseError { line: number + 1, message })?;
    }
    Ok(golden)
}

fn parse_expectation(text: &str) -> Result<(Level, BTreeSet<String>), String> {
    let (level, names) = text.split_once(':').ok_or("an expectation needs a colon")?;
    let names = names.split(',').map(|name| name.trim().to_owned()).filter(|name| name != "legal").collect();
    Ok((parse_level(level.trim())?, names))
}

fn parse_level(text: &str) -> Result<Level, String> {
    let (order, isolation) = match text.split_once(' ') {
        Some(("strict", rest)) => (Order::Realtime, rest),
        Some(("session", rest)) => (Order::Sessions, rest),
        _ => (Order::Dependencies, text),
    };
    let isolation = match isolation {
        "read committed" => Isolation::ReadCommitted,
        "repeatable read" => Isolation::RepeatableRead,
        "serializable" => Isolation::Serializable,
        _ => return Err(format!("there is no level {text}")),
    };
    Ok(Level { isolation, order })
}

fn parse_transaction(line: &str, index: usize) -> Result<Transaction, String> {
    let (head, body) = line.split_once(':').ok_or("a transaction needs a colon")?;
    let mut words = head.split_whitespace();
    if words.next() != Some(name(index).as_str()) {
        return Err(format!("the next transaction is {}", name(index)));
    }
    let mut transaction = Transaction {
        session: 1_000_000 + index as u32,
        invoked: 0,
        completed: None,
        isolation: None,
        outcome: Outcome::Unknown,
        statements: Vec::new(),
    };
    let mut outcome = None;
    for word in words {
        match word {
            "committed" => outcome = Some(Outcome::Committed),
            "aborted" => outcome = Some(Outcome::Aborted),
            "unknown" => outcome = Some(Outcome::Unknown),
            "rc" => transaction.isolation = Some(Isolation::ReadCommitted),
            "rr" => transaction.isolation = Some(Isolation::RepeatableRead),
            "ser" => transaction.isolation = Some(Isolation::Serializable),
            _ => parse_place(word, &mut transaction)?,
        }
    }
    transaction.outcome = outcome.ok_or("committed, aborted or unknown?")?;
    for statement in body.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        transaction.statements.push(parse_statement(statement)?);
    }
    Ok(transaction)
}

/// Session and times.
fn parse_place(word: &str, transaction: &mut Transaction) -> Result<(), String> {
    let unknown = || format!("what is {word}?");
    if let Some((from, to)) = word.split_once("..") {
        transaction.invoked = from.parse().map_err(|_| unknown())?;
        transaction.completed = (!to.is_empty()).then(|| to.parse()).transpose().map_err(|_| unknown())?;
    } else {
        let session = word.strip_prefix('s').ok_or_else(unknown)?;
        transaction.session = session.parse().map_err(|_| unknown())?;
    }
    Ok(())
}

fn parse_statement(text: &str) -> Result<Statement, String> {
    let (invoked, text) = match text.strip_prefix('@') {
        Some(rest) => {
            let (time, rest) = rest.split_once(' ').ok_or("a time and nothing after it")?;
            (Some(time.parse().map_err(|_| format!("{time} is no time"))?), rest)
        }
        None => (None, text),
    };
    let operations = text.split('&').map(|operation| parse_operation(operation.trim())).collect::<Result<_, _>>()?;
    Ok(Statement { invoked, operations })
}

fn parse_operation(text: &str) -> Result<Operation, String> {
    match text {
        "savepoint" => return Ok(Operation::Savepoint),
        "rollback to" => return Ok(Operation::RollBackTo),
        "release" => return Ok(Operation::Release),
        _ => (),
    }
    let wrong = || format!("what is \"{text}\"?");
    let mut parts = text.splitn(3, ' ');
    let (verb, object, value) = (parts.next(), parts.next(), parts.next());
    let (verb, object, value) = (verb.ok_or_else(wrong)?, object.ok_or_else(wrong)?, value.ok_or_else(wrong)?);
    let object = match (object.get(..1), object.get(1..).and_then(|number| number.parse().ok())) {
        (Some("l"), Some(number)) => Object::List(number),
        (Some("r"), Some(number)) => Object::Register(number),
        _ => return Err(wrong()),
    };
    match (verb, object) {
        ("read", _) => Ok(Operation::read(object, parse_seen(object, value).ok_or_else(wrong)?)),
        ("lock", _) => Ok(Operation::lock(object, parse_seen(object, value).ok_or_else(wrong)?)),
        ("write", Object::Register(_)) | ("append", Object::List(_)) => {
            Ok(Operation::write(object, value.parse().map_err(|_| wrong())?))
        }
        _ => Err(wrong()),
    }
}

fn parse_seen(object: Object, text: &str) -> Option<Vec<i64>> {
    match object {
        Object::Register(_) if text == "nil" => Some(Vec::new()),
        Object::Register(_) => text.parse().ok().map(|value| vec![value]),
        Object::List(_) => {
            let elements = text.strip_prefix('[')?.strip_suffix(']')?;
            elements.split_whitespace().map(|element| element.parse().ok()).collect()
        }
    }
}

/// What a read shows, as it is written.
pub(crate) fn seen_text(object: Object, seen: &[i64]) -> String {
    match (object, seen) {
        (Object::Register(_), []) => "nil".to_owned(),
        (Object::Register(_), [value]) => value.to_string(),
        _ => format!("[{}]", seen.iter().map(i64::to_string).collect::<Vec<_>>().join(" ")),
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Read { object, seen, locking } => {
                write!(f, "{} {object} {}", if *locking { "lock" } else { "read" }, seen_text(*object, seen))
            }
            Operation::Write { object: object @ Object::List(_), value } => write!(f, "append {object} {value}"),
            Operation::Write { object, value } => write!(f, "write {object} {value}"),
            Operation::Savepoint => f.write_str("savepoint"),
            Operation::RollBackTo => f.write_str("rollback to"),
            Operation::Release => f.write_str("release"),
        }
    }
}

impl fmt::Display for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let completed = self.completed.map(|at| at.to_string()).unwrap_or_default();
        write!(f, "s{} {}..{completed} ", self.session, self.invoked)?;
        f.write_str(match self.isolation {
            None => "",
            Some(Isolation::ReadCommitted) => "rc ",
            Some(Isolation::RepeatableRead) => "rr ",
            Some(Isolation::Serializable) => "ser ",
        })?;
        f.write_str(match self.outcome {
            Outcome::Committed => "committed:",
            Outcome::Aborted => "aborted:",
            Outcome::Unknown => "unknown:",
        })?;
        for (number, statement) in self.statements.iter().filter(|it| !it.operations.is_empty()).enumerate() {
            f.write_str(if number > 0 { "; " } else { " " })?;
            if let Some(invoked) = statement.invoked {
                write!(f, "@{invoked} ")?;
            }
            for (number, operation) in statement.operations.iter().enumerate() {
                write!(f, "{}{operation}", if number > 0 { " & " } else { "" })?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.transactions.iter().enumerate().try_for_each(|(index, it)| writeln!(f, "{} {it}", name(index)))
    }
}
