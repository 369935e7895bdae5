//! Locks: who waits, for how long, and what is left when a statement fails. What is expected was observed on PostgreSQL 18.

mod support;

use support::{database, script, session};

/// The operators of a WITH query and the statement's context refer to one another, and that circle once outlived the
/// failed statement with its transaction and every lock in it.
#[test]
fn a_failed_with_query_lets_go_of_its_locks() {
    let database = database();
    let mut one = session(&database);
    let mut two = session(&database);
    script(&mut one, "create table w (i int primary key); insert into w values (1)");
    assert_eq!(
        script(&mut one, "with x as (insert into w values (1) returning i) select * from x"),
        ["i", "ERROR 23505 duplicate key value violates unique constraint \"w_pkey\""]
    );
    script(&mut two, "set lock_timeout = '200ms'");
    assert_eq!(script(&mut two, "drop table w"), ["DROP TABLE"]);
}

#[test]
fn an_insertion_waits_for_another_no_longer_than_lock_timeout() {
    let database = database();
    let mut one = session(&database);
    let mut two = session(&database);
    script(&mut one, "create table t (i int primary key, u int unique)");
    script(&mut one, "begin; insert into t values (1, 10)");
    script(&mut two, "set lock_timeout = '50ms'");
    let refused = ["ERROR 55P03 canceling statement due to lock timeout"];
    assert_eq!(script(&mut two, "insert into t values (1, 20)"), refused);
    assert_eq!(script(&mut two, "insert into t values (2, 10)"), refused);
    assert_eq!(script(&mut two, "insert into t values (3, 30)"), ["INSERT 0 1"]);
    script(&mut one, "rollback");
    assert_eq!(script(&mut two, "insert into t values (1, 10)"), ["INSERT 0 1"]);
}
