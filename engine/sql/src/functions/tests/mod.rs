//! Answers are compared with those recorded from PostgreSQL 18: see `record` beside this file.

mod recorded;

use std::collections::BTreeSet;

use helios_catalog::facts::{self, ProcKind};

#[test]
fn a_name_is_bound_once() {
    let mut names = BTreeSet::new();
    for (name, _) in super::bound() {
        assert!(names.insert(name), "{name} is bound twice");
    }
}

#[test]
fn every_bound_name_is_a_builtin() {
    let sources: BTreeSet<&str> = facts::procs().all().map(|proc| proc.source).collect();
    for (name, _) in super::bound() {
        assert!(sources.contains(name), "{name} is no prosrc of PostgreSQL's");
    }
    for (name, declared) in super::aggregates::bound() {
        let known = facts::procs().by_name(name).iter().any(|proc| *proc.arg_types == *declared);
        assert!(known, "{name}({declared:?}) is no aggregate of PostgreSQL's");
    }
}

/// Run with `--nocapture` to see it.
#[test]
fn how_much_is_bound() {
    let (mut functions, mut aggregates) = ([0, 0], [0, 0]);
    for proc in facts::procs().all() {
        let (count, bound) = match proc.kind {
            ProcKind::Aggregate => (&mut aggregates, super::aggregates::lookup(proc.name, &proc.arg_types).is_some()),
            ProcKind::Window => continue,
            _ => (&mut functions, super::bind(proc.oid, proc.source).is_some()),
        };
        count[0] += usize::from(bound);
        count[1] += 1;
    }
    println!("functions bound: {} of {}", functions[0], functions[1]);
    println!("aggregates bound: {} of {}", aggregates[0], aggregates[1]);
}
