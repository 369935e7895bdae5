//! SQL text: parsed, analyzed, planned and executed, in one session of a new database.
//!
//! An input is a number of scripts, an empty line between them; each is one message of the simple protocol, and the next
//! begins whatever became of the one before. No text makes the engine panic, none makes it fail with an internal error (XX000),
//! and afterwards the session still answers.
#![no_main]

use helios_fuzz::session::{Watch, database};
use heliosdb::{Format, Reply, Session, SessionOptions, SqlState};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|input: &[u8]| -> Corpus {
    // A NUL does not get past the protocol.
    let Ok(text) = std::str::from_utf8(input) else { return Corpus::Reject };
    if text.contains('\0') {
        return Corpus::Reject;
    }
    let database = database();
    let mut session = database.session(SessionOptions::default()).expect("the superuser may connect");
    let env = database.env().clone();
    env.block_on(async {
        let watch = Watch::over(session.activity().clone());
        for script in text.split("\n\n") {
            run(&mut session, script).await;
        }
        drop(watch);
        // Out of a failed block, and of the role, the path and the time limit that the scripts have set.
        run(&mut session, "ROLLBACK").await;
        run(&mut session, "RESET ALL").await;
        let rows = run(&mut session, "SELECT 42").await;
        assert_eq!(rows, ["42"], "the session does not answer any more");
    });
    Corpus::Keep
});

/// Runs a script to its end; what its rows say.
async fn run(session: &mut Session, sql: &str) -> Vec<String> {
    session.query(sql);
    let mut encoder = None;
    let mut values = Vec::new();
    loop {
        match session.next().await {
            Ok(None) => return values,
            Ok(Some(Reply::Columns(columns))) => {
                encoder = Some((columns.len(), session.encoder(&columns, &[Format::Text])));
            }
            Ok(Some(Reply::Rows(batch))) => {
                let (width, encoder) = encoder.as_ref().expect("rows come after their columns");
                for (row, column) in (0..batch.rows()).flat_map(|row| (0..*width).map(move |column| (row, column))) {
                    let mut value = Vec::new();
                    encoder.value(&batch, row, column, &mut value).expect("every type has a text form");
                    values.push(String::from_utf8(value).expect("text"));
                }
            }
            Ok(Some(Reply::CopyIn(_))) => {
                let copied = session.copy_in(b"1\t2\n").await;
                if copied.is_ok() {
                    // What it says about the data, `next` says again or goes on behind it.
                    drop(session.copy_in_done().await);
                }
            }
            Ok(Some(_)) => {}
            Err(error) => {
                let internal = SqlState::INTERNAL_ERROR;
                assert!(error.code() != internal, "{sql}: {error}");
                return values;
            }
        }
        drop(session.take_notices());
    }
}
