//! Drives sessions as a server would, and writes down what they answer.

#![allow(dead_code)]

use heliosdb::{ColumnDescription, Database, Format, Reply, Session, SessionOptions, Severity};
use std::sync::Arc;

/// A database in memory.
pub(crate) fn database() -> Database {
    Database::open(":memory:").expect("a database in memory opens")
}

/// A session of its superuser.
pub(crate) fn session(database: &Database) -> Session {
    database.session(SessionOptions::default()).expect("the superuser may connect")
}

/// Everything that a script answers, a line each: `WARNING 25P01 ...`, column names, rows (`1|a|NULL`), tags, the error.
pub(crate) fn script(session: &mut Session, sql: &str) -> Vec<String> {
    let env = session.database().env().clone();
    env.block_on(async {
        session.query(sql);
        collect(session, None).await
    })
}

/// COPY FROM STDIN with this data; an error comes with its context.
pub(crate) fn copy(session: &mut Session, sql: &str, data: &str) -> Vec<String> {
    let env = session.database().env().clone();
    env.block_on(async {
        session.query(sql);
        let mut lines = collect(session, None).await;
        if lines.last().is_none_or(|last| last != "copy in") {
            return lines;
        }
        let mut outcome = Ok(());
        for piece in data.as_bytes().chunks(7) {
            outcome = session.copy_in(piece).await;
            if outcome.is_err() {
                break;
            }
        }
        if outcome.is_ok() {
            outcome = session.copy_in_done().await;
        }
        match outcome {
            Ok(()) => lines.extend(collect(session, None).await),
            Err(error) => {
                let context = error.context().unwrap_or_default();
                lines.push(format!("ERROR {} {} {context}", error.code(), error.message()));
            }
        }
        lines
    })
}

/// What [`Session::next`] answers until it is done.
pub(crate) async fn collect(session: &mut Session, columns: Option<Arc<[ColumnDescription]>>) -> Vec<String> {
    let mut columns = columns;
    let mut lines = Vec::new();
    loop {
        let reply = session.next().await;
        for notice in session.take_notices() {
            let severity = if notice.severity == Severity::Warning { "WARNING" } else { "NOTICE" };
            lines.push(format!("{severity} {} {}", notice.code, notice.message));
        }
        match reply {
            Ok(None) => return lines,
            Ok(Some(Reply::Columns(described))) => {
                lines.push(described.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(","));
                columns = Some(described);
            }
            Ok(Some(Reply::Rows(batch))) => {
                let columns = columns.as_ref().expect("rows come after their columns");
                let encoder = session.encoder(columns, &[Format::Text]);
                for row in 0..batch.rows() {
                    let value = |column| {
                        let mut bytes = Vec::new();
                        match encoder.value(&batch, row, column, &mut bytes) {
                            Ok(true) => String::from_utf8(bytes).expect("text"),
                            Ok(false) => "NULL".to_owned(),
                            Err(error) => error.to_string(),
                        }
                    };
                    lines.push((0..columns.len()).map(value).collect::<Vec<_>>().join("|"));
                }
            }
            Ok(Some(Reply::Complete(tag))) => lines.push(tag),
            Ok(Some(Reply::Suspended)) => {
                lines.push("suspended".to_owned());
                return lines;
            }
            Ok(Some(Reply::Empty)) => lines.push("empty".to_owned()),
            Ok(Some(Reply::CopyData(bytes))) => {
                lines.push(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
            }
            Ok(Some(Reply::CopyIn(_))) => {
                lines.push("copy in".to_owned());
                return lines;
            }
            Ok(Some(Reply::CopyOut(_) | Reply::CopyDone)) => {}
            Err(error) => {
                lines.push(format!("ERROR {} {}", error.code(), error.message()));
                return lines;
            }
        }
    }
}
