//! Answers are compared with those recorded from PostgreSQL 18.

use std::collections::BTreeSet;

#[test]
fn a_name_is_bound_once() {
    let mut names = BTreeSet::new();
    for (name, _) in super::bound() {
        assert!(names.insert(name), "{name} is bound twice");
    }
}
