//! A store that works as it should, and the same store with mistakes, each of which must be caught.
//!
//! The right store gives no finding in thousands of orders at any level: the checker accuses nobody wrongly. For each
//! mistake the test prints in how many orders it was caught and under which names, and demands the name that it has.

mod interleaver;
mod store;

use std::collections::BTreeMap;

use helios_isolation::{Counts, Isolation, Level, check};
use interleaver::live;
use store::Mistake;

/// Orders; `HELIOS_SEEDS=n` asks for others.
fn seeds(usual: u64) -> u64 {
    std::env::var("HELIOS_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(usual)
}

fn level(isolation: Isolation) -> Level {
    Level { isolation, ..Level::READ_COMMITTED }.strict()
}

#[test]
fn the_right_store_is_accused_of_nothing() {
    for isolation in [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable] {
        let mut counts = Counts::default();
        for seed in 0..seeds(2_000) {
            let history = live(isolation, Mistake::None, seed);
            let verdict = check(&history, level(isolation));
            counts.add(&verdict.counts);
            assert!(verdict.is_legal(), "seed {seed}: {verdict}\n{history}");
        }
        println!("{isolation}: nothing in {} orders ({counts})", seeds(2_000));
    }
}

/// The weaker level's store is not what the stronger one promises.
#[test]
fn a_level_is_told_from_the_next() {
    use Isolation::{ReadCommitted, RepeatableRead, Serializable};
    let steps = [
        (ReadCommitted, RepeatableRead, "lost update"),
        (ReadCommitted, RepeatableRead, "G-single"),
        (RepeatableRead, Serializable, "G2-item"),
    ];
    for (given, promised, name) in steps {
        let caught = catch(given, Mistake::None, promised, 300);
        print_caught(&format!("{given} for {promised}"), &caught, 300);
        assert!(caught.names.contains_key(name), "{given} passes for {promised}: no {name}");
    }
}

/// In how many orders a mistake was caught, and under which names.
struct Caught {
    orders: u64,
    first: Option<u64>,
    names: BTreeMap<String, u64>,
}

fn catch(isolation: Isolation, mistake: Mistake, held_against: Isolation, orders: u64) -> Caught {
    let mut caught = Caught { orders: 0, first: None, names: BTreeMap::new() };
    for seed in 0..orders {
        let verdict = check(&live(isolation, mistake, seed), level(held_against));
        if !verdict.is_legal() {
            caught.orders += 1;
            caught.first = caught.first.or(Some(seed));
        }
        for name in verdict.names() {
            *caught.names.entry(name).or_default() += 1;
        }
    }
    caught
}

fn print_caught(what: &str, caught: &Caught, orders: u64) {
    let names: Vec<String> = caught.names.iter().map(|(name, orders)| format!("{name} {orders}")).collect();
    let after = caught.first.map_or_else(|| "never".to_owned(), |seed| format!("after {}", seed + 1));
    println!("{what}: caught in {} of {orders} orders, {after}: {}", caught.orders, names.join(", "));
}

#[test]
fn every_mistake_is_caught_by_its_name() {
    use Isolation::{ReadCommitted, RepeatableRead, Serializable};
    let mistakes = [
        (ReadCommitted, Mistake::ReadsUncommitted, "G1a"),
        (ReadCommitted, Mistake::ReadsUncommitted, "G1c"),
        (RepeatableRead, Mistake::ReadsUncommitted, "G1b"),
        (ReadCommitted, Mistake::KeepsAborted, "G1a"),
        (ReadCommitted, Mistake::KeepsAborted, "dirty update"),
        (ReadCommitted, Mistake::PublishesHalf, "G1b"),
        (RepeatableRead, Mistake::LastUpdaterWins, "lost update"),
        (RepeatableRead, Mistake::ChecksAtCommit, "internal"),
        (RepeatableRead, Mistake::HalfSnapshot, "G-single"),
        (RepeatableRead, Mistake::TwoSites, "long fork"),
        (ReadCommitted, Mistake::DirtyWrites, "G0"),
        (ReadCommitted, Mistake::DirtyWrites, "incompatible order"),
        (Serializable, Mistake::NoValidation, "G2-item"),
        (RepeatableRead, Mistake::StaleSnapshot, "G-single-realtime"),
        (ReadCommitted, Mistake::LosesCommit, "G-single-realtime"),
        (ReadCommitted, Mistake::ForgetsOwnWrites, "internal"),
        (ReadCommitted, Mistake::SnapshotPerRow, "statement skew"),
        (ReadCommitted, Mistake::SnapshotGoesBack, "G-monotonic"),
        (ReadCommitted, Mistake::ForgetsSavepoint, "G1a"),
        (ReadCommitted, Mistake::LocksNothing, "lost update"),
        (ReadCommitted, Mistake::ReleasesLocksEarly, "lost update"),
        (RepeatableRead, Mistake::ReleasesLocksEarly, "G-single-realtime"),
        (ReadCommitted, Mistake::ReversesWrites, "incompatible order"),
        (ReadCommitted, Mistake::StatementSeesItself, "internal"),
        (ReadCommitted, Mistake::AppendsTwice, "duplicate element"),
        (ReadCommitted, Mistake::WrongValue, "garbage read"),
        (RepeatableRead, Mistake::TearsUnknown, "G-single"),
    ];
    let orders = seeds(150);
    let mut missed = Vec::new();
    for (isolation, mistake, name) in mistakes {
        let caught = catch(isolation, mistake, isolation, orders);
        print_caught(&format!("{mistake:?} at {isolation}"), &caught, orders);
        if !caught.names.contains_key(name) {
            missed.push(format!("{mistake:?} at {isolation} is never called {name}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
