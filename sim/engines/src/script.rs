//! A short script, cut off before each of its events, with everything that the disk could then hold.
//!
//! It is shaped by the places where engines of all kinds have been wrong: a file that grows within a commit (large
//! values), space that was freed and is used again (overwrites and deletions), a commit that does not last followed by
//! one that does, an orderly end, and work after it. Each image is opened, judged, written to and closed.

use std::collections::BTreeSet;

use helios_env::Env;
use helios_sim::{Explore, Explored, Ledger, Violation, explore};

use crate::engine::Engine;
use crate::model::{Promised, Transaction, Value};
use crate::session::Session;

/// The script's transactions: how many keys each writes, how long the values are, and whether it lasts.
const TRANSACTIONS: [(u16, u32, bool); 6] =
    [(4, 60, true), (2, 9_000, true), (6, 200, false), (3, 40_000, true), (1, 700_000, true), (5, 300, true)];

/// Before this one the database is closed and opened again.
const REOPENED_BEFORE: usize = 5;

fn transaction(number: usize) -> Transaction {
    let (keys, len, durable) = TRANSACTIONS[number];
    let put = |i: u16| {
        // Keys of earlier transactions are overwritten, and some of them deleted.
        let key = (i * 3 + number as u16) % 8;
        let value = Value { stamp: (number as u32 + 1) * 100 + u32::from(i), len: len + u32::from(i) };
        (key, Some(value))
    };
    let mut changes: Vec<_> = (0..keys).map(put).collect();
    changes.push(((number as u16 + 5) % 8, None));
    let mut seen = BTreeSet::new();
    changes.retain(|(key, _)| seen.insert(*key));
    Transaction { changes, durable }
}

/// Runs the script on `engine` and looks at every image that `config` asks for.
pub fn crash_everywhere(engine: &dyn Engine, config: &Explore) -> Explored {
    let promised = Promised::new(engine.keeps_what_it_shows(), false);
    explore(
        config,
        promised,
        |env, ledger| async move { script(engine, env, &ledger) },
        |env, ledger| async move { check(engine, env, &ledger) },
    )
}

fn script(engine: &dyn Engine, env: Env, ledger: &Ledger<Promised>) -> Result<(), Violation> {
    let mut session = Session::new(engine, env);
    session.open()?;
    let mut promised = (*ledger.get()).clone();
    for number in 0..TRANSACTIONS.len() {
        if number == REOPENED_BEFORE {
            session.close()?;
            session.open()?;
        }
        session.commit(&transaction(number), &mut promised, |now| ledger.update(|page| *page = now.clone()))?;
    }
    session.close()?;
    Ok(())
}

fn check(engine: &dyn Engine, env: Env, ledger: &Ledger<Promised>) -> Result<(), Violation> {
    let mut session = Session::new(engine, env);
    let mut promised = (*ledger.get()).clone();
    session.open().map_err(|error| Violation::new(format!("the database does not open after a crash: {error}")))?;
    session.judge_opening(&mut promised)??;
    ledger.update(|page| *page = promised.clone());
    let probe = Transaction { changes: vec![(9, Some(Value { stamp: 9, len: 5_000 })), (1, None)], durable: true };
    session.commit(&probe, &mut promised, |now| ledger.update(|page| *page = now.clone()))?;
    promised.judge_open(&session.scan()?)?;
    session.close()?;
    Ok(())
}
