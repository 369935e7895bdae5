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

/// Names are not looked up in the transaction's snapshot, so nothing that it has a right to see is in the way.
#[test]
fn a_name_that_was_freed_after_the_snapshot_may_be_taken() {
    let database = database();
    let mut one = session(&database);
    let mut two = session(&database);
    script(&mut one, "create table x (i int); create table t (i int); insert into t values (1)");
    script(&mut one, "begin isolation level repeatable read; select count(*) from x");
    assert_eq!(script(&mut two, "drop table t"), ["DROP TABLE"]);
    assert_eq!(script(&mut one, "create table t (j int)"), ["CREATE TABLE"]);
    assert_eq!(script(&mut one, "insert into t values (2); select j from t"), ["INSERT 0 1", "j", "2", "SELECT 1"]);
    assert_eq!(script(&mut one, "commit"), ["COMMIT"]);
}
