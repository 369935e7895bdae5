//! Which promises of isolation a history of transactions breaks.
//!
//! A database promises a level of isolation; nobody sees from outside how it goes about it. What can be seen is what
//! clients wrote, what they read and what they were told of their commits: a [`History`]. From that alone [`check`]
//! finds anomalies, names them after Adya ("Weak Consistency", 1999) and explains each by the operations that make it. It
//! works as Elle does (Kingsbury and Alvaro, "Elle: inferring isolation anomalies from experimental observations", 2020):
//!
//! ```text
//!   History ─▶ observations    who wrote what was read; garbage, G1a, G1b, internal          observation.rs
//!           ─▶ versions        in which order the versions of each object came                versions.rs
//!           ─▶ dependencies    ww, wr, rw between transactions; sessions, real time           dependency.rs
//!           ─▶ points          transactions as moments, dependencies as an order of moments   points.rs
//!           ─▶ cycles          G0, G1c, G-single, lost update, long fork, G2-item, ...        cycles.rs
//!           ─▶ Verdict
//! ```
//!
//! Objects are made so that reads tell much. A list is only appended to: a read of it shows all versions that it had, in
//! their order. A register is overwritten, with values that nobody writes twice: whoever reads it names its writer.
//!
//! What each [`Level`] forbids:
//!
//! | level | forbidden | allowed |
//! |---|---|---|
//! | read committed | garbage, internal, G1a, G1b, G0, G1c, dirty updates; statement skew, G-monotonic; lost updates under a lock | lost updates, read skew, write skew between statements |
//! | repeatable read | the same, and lost update, G-single, long fork, G-nonadjacent | write skew: two adjacent anti-dependencies |
//! | serializable | every cycle | nothing |
//!
//! [`Level::strict`] adds real time: what was over before a statement was sent is seen by it. With that a history may
//! go on across crashes: a commit that was acknowledged and is gone after a recovery is a `G-single-realtime`. A commit of
//! which nobody heard may have happened or not; it has when anybody has read from it.
//!
//! Missing is what cannot be seen in objects that are read one by one: phantoms of predicates; what a register held below
//! a transaction's own writes; and that an answer to one statement came before another transaction's was sent, as long as
//! the first transaction went on.
//!
//! ```
//! use helios_isolation::{Level, check, parse};
//!
//! let golden = parse("T1 committed: read r1 nil; write r2 1\nT2 committed: read r2 nil; write r1 2")?;
//! assert!(check(&golden.history, Level::REPEATABLE_READ).is_legal());
//! let verdict = check(&golden.history, Level::SERIALIZABLE);
//! assert_eq!(verdict.findings[0].name(), "G2-item");
//! assert_eq!(verdict.findings[0].explanation[0], "T1 -rw-> T2: T1 read r1 before anything was written to it, T2 wrote 2 over it");
//! # Ok::<(), helios_isolation::ParseError>(())
//! ```

mod components;
mod cycles;
mod dependency;
mod history;
mod observation;
mod points;
mod text;
mod verdict;
mod versions;

pub use history::{History, Isolation, Object, Operation, Outcome, Statement, Transaction};
pub use text::{Golden, ParseError, parse};
pub use verdict::{Anomaly, Counts, Finding, Level, Order, Verdict};

use std::collections::BTreeSet;

use cycles::Search;
use dependency::Kind;
use observation::Observations;
use points::Points;
use versions::Versions;

/// Holds a history against a level.
///
/// # Panics
///
/// If two writes of one object have the same value: nobody can say then who was read.
pub fn check(history: &History, level: Level) -> Verdict {
    let observations = Observations::new(history, level);
    let versions = Versions::new(history, level, &observations);
    let dependencies = dependency::dependencies(&observations, &versions);
    let points = Points::new(history, level, &observations.happened, dependencies);
    let counts = count(history, &observations, &versions, &points);
    let mut findings = observations.findings;
    findings.extend(versions.findings);
    let lost: BTreeSet<usize> = of(&findings, Anomaly::LostUpdate).flat_map(|it| it.transactions.clone()).collect();
    let is_known = |finding: &Finding| {
        // The same two transactions, found by the cycle that they make.
        finding.anomaly == Anomaly::LostUpdate && finding.transactions.iter().all(|index| lost.contains(index))
    };
    findings.extend(Search::new(history, level, &points).findings().into_iter().filter(|finding| !is_known(finding)));
    findings.sort_by_key(|finding| finding.anomaly);
    Verdict { level, findings, counts }
}

fn of(findings: &[Finding], anomaly: Anomaly) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(move |finding| finding.anomaly == anomaly)
}

fn count(history: &History, observations: &Observations<'_>, versions: &Versions, points: &Points) -> Counts {
    let outcomes = |outcome| history.transactions.iter().filter(|it| it.outcome == outcome).count() as u64;
    let edges = |kind| points.dependencies.iter().filter(|edge| edge.kind == kind).count() as u64;
    let happened = observations.happened.iter().filter(|happened| **happened).count() as u64;
    let committed = outcomes(Outcome::Committed);
    Counts {
        transactions: history.transactions.len() as u64,
        committed,
        aborted: outcomes(Outcome::Aborted),
        unknown: outcomes(Outcome::Unknown),
        unknown_seen: happened - committed,
        objects: versions.successors.len() as u64,
        reads: observations.reads.len() as u64,
        writes: observations.writers.len() as u64,
        write_write: edges(Kind::WriteWrite),
        write_read: edges(Kind::WriteRead),
        read_write: edges(Kind::ReadWrite),
        order: edges(Kind::Session) + edges(Kind::Realtime),
        points: points.edges.len() as u64,
    }
}
