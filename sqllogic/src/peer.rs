//! What statements are sent to: a session in this process, or a connection.
//!
//! Both answer in the same text, PostgreSQL's text output, so that one recorded answer serves for all. In it NULL is
//! `NULL`, an empty string `(empty)`, a line break `\n`, a tab `\t`, and a blank at either end of a value `\s`, so that a
//! row is one line and no editor can spoil it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use helios_types::PgError;
use heliosdb::{Database, Reply, Session, SessionOptions};
use postgres::error::ErrorPosition;
use postgres::{Client, NoTls, SimpleQueryMessage};
use sqllogictest::{DB, DBOutput, DefaultColumnType};

/// No statement may run longer, in milliseconds: a script that waits for itself ends.
const STATEMENT_TIMEOUT_MS: u32 = 60_000;

/// A statement refused: the fields of an ErrorResponse that a client acts on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}{}{}{}", line("DETAIL", .detail), line("HINT", .hint), line("POSITION", .position))]
pub struct Refusal {
    /// SQLSTATE.
    pub code: String,
    /// The primary message.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where in the statement, in characters from 1.
    pub position: Option<usize>,
}

fn line(label: &str, value: &Option<impl ToString>) -> String {
    value.as_ref().map(|value| format!("\n{label}: {}", value.to_string().replace('\n', "\\n"))).unwrap_or_default()
}

impl Refusal {
    /// A failure that is no answer to a statement.
    fn outside(code: &str, message: impl ToString) -> Refusal {
        let message = message.to_string();
        Refusal { code: code.to_owned(), message, detail: None, hint: None, position: None }
    }

    fn of_engine(error: &PgError, sql: &str) -> Refusal {
        let characters = |byte: usize| sql.char_indices().take_while(|(at, _)| *at < byte).count() + 1;
        Refusal {
            code: error.code().as_str().to_owned(),
            message: error.message().to_owned(),
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
            position: error.position().map(characters),
        }
    }

    fn of_wire(error: &postgres::Error) -> Refusal {
        let Some(answer) = error.as_db_error() else { return Refusal::outside("08006", error) };
        Refusal {
            code: answer.code().code().to_owned(),
            message: answer.message().to_owned(),
            detail: answer.detail().map(str::to_owned),
            hint: answer.hint().map(str::to_owned),
            position: match answer.position() {
                Some(ErrorPosition::Original(position)) => Some(*position as usize),
                _ => None,
            },
        }
    }
}

/// How values are written.
#[derive(Clone, Debug, Default)]
pub enum Rendering {
    /// As the [module](self) says.
    #[default]
    Ours,
    /// As SQLite's scripts have them: by the column types of the record that runs (`I`, `R`, `T`).
    Sqlite(Arc<Mutex<String>>),
}

impl Rendering {
    fn value(&self, value: Option<&str>, column: usize) -> String {
        let Some(value) = value else { return "NULL".to_owned() };
        let types = match self {
            Rendering::Ours => return ours(value),
            Rendering::Sqlite(types) => types.lock().unwrap_or_else(PoisonError::into_inner),
        };
        let number = || value.parse::<f64>().unwrap_or(0.0);
        match types.as_bytes().get(column) {
            #[allow(clippy::cast_possible_truncation)]
            Some(b'I') => value.parse::<i64>().unwrap_or_else(|_| number() as i64).to_string(),
            Some(b'R') => format!("{:.3}", number()),
            _ if value.is_empty() => "(empty)".to_owned(),
            _ => value.chars().map(|c| if (' '..='~').contains(&c) { c } else { '@' }).collect(),
        }
    }
}

fn ours(value: &str) -> String {
    if value.is_empty() {
        return "(empty)".to_owned();
    }
    let inner = value.trim_matches(' ');
    let leading = value.len() - value.trim_start_matches(' ').len();
    let trailing = value.len() - leading - inner.len();
    let inner = inner.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t");
    format!("{}{inner}{}", "\\s".repeat(leading), "\\s".repeat(trailing))
}

/// What statements are sent to.
pub struct Peer {
    link: Link,
    rendering: Rendering,
}

enum Link {
    Embedded { database: Database, session: Box<Session> },
    Wire(Box<Client>),
}

/// Rows and the count of the last command tag.
#[derive(Default)]
struct Answer {
    columns: Option<usize>,
    rows: Vec<Vec<String>>,
    count: u64,
}

impl Peer {
    /// A session of a database in this process.
    ///
    /// # Errors
    ///
    /// When the database lets nobody in.
    pub fn embedded(database: &Database, rendering: Rendering) -> Result<Peer, Refusal> {
        let session = database.session(SessionOptions::default()).map_err(|error| Refusal::of_engine(&error, ""))?;
        let link = Link::Embedded { database: database.clone(), session: Box::new(session) };
        Ok(Peer { link, rendering }.limited())
    }

    /// A connection to a server that speaks PostgreSQL's protocol.
    ///
    /// # Errors
    ///
    /// When there is no connection to be had.
    pub fn wire(uri: &str, rendering: Rendering) -> Result<Peer, Refusal> {
        let client = Client::connect(uri, NoTls).map_err(|error| Refusal::of_wire(&error))?;
        Ok(Peer { link: Link::Wire(Box::new(client)), rendering }.limited())
    }

    /// A server that has no such setting is tested without.
    fn limited(mut self) -> Peer {
        let _ = self.run(&format!("SET statement_timeout = {STATEMENT_TIMEOUT_MS}"));
        self
    }
}

impl DB for Peer {
    type Error = Refusal;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refusal> {
        let answer = match &mut self.link {
            Link::Wire(client) => over_wire(client, sql, &self.rendering)?,
            Link::Embedded { database, session } => {
                let run = AssertUnwindSafe(|| embedded(database, session, sql, &self.rendering));
                catch_unwind(run).unwrap_or_else(|panic| {
                    // What the session holds is anybody's guess now.
                    let fresh = database.session(SessionOptions::default());
                    **session = fresh.map_err(|error| Refusal::of_engine(&error, ""))?;
                    let said = panic.downcast_ref::<String>().map(String::as_str);
                    let said = said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?");
                    Err(Refusal::outside("panic", said))
                })?
            }
        };
        Ok(match answer.columns {
            Some(columns) => DBOutput::Rows { types: vec![DefaultColumnType::Text; columns], rows: answer.rows },
            None => DBOutput::StatementComplete(answer.count),
        })
    }

    fn engine_name(&self) -> &str {
        "postgresql"
    }

    fn error_sql_state(error: &Refusal) -> Option<String> {
        Some(error.code.clone())
    }
}

fn over_wire(client: &mut Client, sql: &str, rendering: &Rendering) -> Result<Answer, Refusal> {
    let mut answer = Answer::default();
    for message in client.simple_query(sql).map_err(|error| Refusal::of_wire(&error))? {
        match message {
            SimpleQueryMessage::RowDescription(columns) => answer.columns = Some(columns.len()),
            SimpleQueryMessage::Row(row) => {
                answer.rows.push((0..row.len()).map(|column| rendering.value(row.get(column), column)).collect());
            }
            SimpleQueryMessage::CommandComplete(count) => answer.count = count,
            _ => {}
        }
    }
    Ok(answer)
}

fn embedded(database: &Database, session: &mut Session, sql: &str, rendering: &Rendering) -> Result<Answer, Refusal> {
    let refusal = |error: PgError| Refusal::of_engine(&error, sql);
    let mut answer = Answer::default();
    let mut encoder = None;
    session.query(sql);
    while let Some(reply) = database.env().block_on(session.next()).map_err(refusal)? {
        match reply {
            Reply::Columns(columns) => {
                answer.columns = Some(columns.len());
                encoder = Some(session.encoder(&columns, &[]));
            }
            Reply::Rows(batch) => {
                let encoder = encoder.as_ref().ok_or_else(|| Refusal::outside("08P01", "rows without columns"))?;
                for row in 0..batch.rows() {
                    let mut values = Vec::new();
                    for column in 0..answer.columns.unwrap_or(0) {
                        let mut text = Vec::new();
                        let present = encoder.value(&batch, row, column, &mut text).map_err(refusal)?;
                        let text = String::from_utf8_lossy(&text);
                        values.push(rendering.value(present.then_some(&*text), column));
                    }
                    answer.rows.push(values);
                }
            }
            Reply::Complete(tag) => {
                answer.count = tag.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
            }
            Reply::CopyIn(_) | Reply::CopyOut(_) => {
                session.fail();
                return Err(Refusal::outside("0A000", "a script has no COPY with its client"));
            }
            Reply::Empty | Reply::Suspended | Reply::CopyData(_) | Reply::CopyDone => {}
        }
    }
    Ok(answer)
}
