//! Indexes, views, schemas, roles and their kin as statements of other transactions meet them. What is expected was
//! observed on PostgreSQL 18.

mod support;

use std::pin::pin;
use std::task::Poll;

use heliosdb::{Database, Session};
use support::{collect, database, script, session};

fn two_sessions(setup: &str) -> (Database, Session, Session) {
    let database = database();
    let (mut one, two) = (session(&database), session(&database));
    let outcome = script(&mut one, setup);
    assert!(outcome.iter().all(|line| !line.starts_with("ERROR")), "{outcome:?}");
    (database, one, two)
}

/// Both, the first one a step ahead.
async fn both<A, B>(first: impl Future<Output = A>, second: impl Future<Output = B>) -> (A, B) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut one, mut two) = (None, None);
    std::future::poll_fn(|cx| {
        if one.is_none()
            && let Poll::Ready(value) = first.as_mut().poll(cx)
        {
            one = Some(value);
        }
        if two.is_none()
            && let Poll::Ready(value) = second.as_mut().poll(cx)
        {
            two = Some(value);
        }
        if one.is_some() && two.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (one.expect("it is done"), two.expect("it is done"))
}

const ROWS: &str = "create table t (id int primary key, a int, b text); \
                    insert into t select n, n % 10, 'v' || n from generate_series(1, 1000) n";

#[test]
fn an_old_snapshot_does_not_read_a_younger_index() {
    let (_database, mut one, mut two) = two_sessions(ROWS);
    script(&mut one, "begin isolation level repeatable read");
    assert_eq!(script(&mut one, "select count(*) from t where a = 3"), ["count", "100", "SELECT 1"]);
    script(&mut one, "commit");
    // The snapshot is taken by a statement that does not touch the table, so that the index need not wait for it.
    script(&mut one, "begin isolation level repeatable read; select 1");
    script(&mut two, "delete from t where id <= 500; update t set a = 3 where a = 4");
    assert_eq!(script(&mut two, "create index t_a on t (a)"), ["CREATE INDEX"]);
    assert_eq!(script(&mut one, "select count(*) from t where a = 3"), ["count", "100", "SELECT 1"]);
    assert_eq!(script(&mut one, "select count(*) from t where a = 4"), ["count", "100", "SELECT 1"]);
    assert_eq!(script(&mut one, "select id from t where a = 3 order by a, id limit 2"), ["id", "3", "13", "SELECT 2"]);
    // What it writes goes into the index all the same.
    assert_eq!(script(&mut one, "insert into t values (2000, 3, 'new')"), ["INSERT 0 1"]);
    assert_eq!(script(&mut one, "select count(*) from t where a = 3"), ["count", "101", "SELECT 1"]);
    script(&mut one, "commit");
    assert_eq!(script(&mut one, "select count(*) from t where a = 3"), ["count", "101", "SELECT 1"]);
    assert_eq!(script(&mut one, "explain (costs off) select * from t where a = 3")[1], "Index Scan using t_a on t");
}

#[test]
fn an_index_of_an_old_snapshots_own_transaction_is_not_read_either() {
    let (_database, mut one, mut two) = two_sessions(ROWS);
    script(&mut one, "begin isolation level repeatable read; select 1");
    script(&mut two, "delete from t where id <= 500");
    assert_eq!(script(&mut one, "create index t_a on t (a)"), ["CREATE INDEX"]);
    assert_eq!(script(&mut one, "select count(*) from t where a = 3"), ["count", "100", "SELECT 1"]);
    script(&mut one, "commit");
    assert_eq!(script(&mut one, "select count(*) from t where a = 3"), ["count", "50", "SELECT 1"]);
}

#[test]
fn an_index_takes_in_what_its_transaction_has_written() {
    let (_database, mut one, mut two) = two_sessions(ROWS);
    script(
        &mut one,
        "begin; insert into t values (2000, 77, 'x'); update t set a = 77 where id = 5; delete from t where id = 7",
    );
    assert_eq!(script(&mut one, "create index t_a on t (a)"), ["CREATE INDEX"]);
    assert_eq!(script(&mut one, "select id from t where a = 77 order by id"), ["id", "5", "2000", "SELECT 2"]);
    script(&mut one, "delete from t where id = 2000; update t set a = 78 where id = 5");
    assert_eq!(script(&mut one, "select id from t where a = 77"), ["id", "SELECT 0"]);
    assert_eq!(script(&mut one, "select id from t where a = 78"), ["id", "5", "SELECT 1"]);
    script(&mut one, "commit");
    assert_eq!(script(&mut two, "select id from t where a = 78"), ["id", "5", "SELECT 1"]);
    assert_eq!(script(&mut two, "select count(*) from t where a = 7"), ["count", "99", "SELECT 1"]);
}

#[test]
fn a_kept_plan_notices_a_new_index() {
    let (_database, mut one, mut two) = two_sessions(ROWS);
    let env = one.database().env().clone();
    env.block_on(async {
        one.prepare("insert", "insert into t values ($1, $2, 'p')", &[]).await.expect("prepared");
    });
    script(&mut two, "create unique index t_u on t (a) where id > 5000");
    let mut insert = |id: &str, a: &str| {
        env.block_on(async {
            one.bind("", "insert", &[], &[Some(id.as_bytes()), Some(a.as_bytes())], &[]).await.expect("bound");
            one.execute("", 0).expect("begun");
            let lines = collect(&mut one, None).await;
            let _ = one.sync().await;
            lines
        })
    };
    assert_eq!(insert("6000", "1"), ["INSERT 0 1"]);
    assert_eq!(insert("6001", "1"), ["ERROR 23505 duplicate key value violates unique constraint \"t_u\""]);
    script(&mut two, "drop index t_u");
    assert_eq!(insert("6001", "1"), ["INSERT 0 1"]);
}

#[test]
fn building_an_index_waits_for_writers_and_keeps_them_out() {
    let (_database, mut one, mut two) = two_sessions(ROWS);
    script(&mut two, "set lock_timeout = 20");
    script(&mut one, "begin; insert into t values (2000, 1, 'x')");
    assert_eq!(script(&mut two, "create index t_a on t (a)"), ["ERROR 55P03 canceling statement due to lock timeout"]);
    script(&mut one, "rollback; begin; create index t_a on t (a)");
    assert_eq!(
        script(&mut two, "insert into t values (2001, 1, 'x')"),
        ["ERROR 55P03 canceling statement due to lock timeout"]
    );
    assert_eq!(script(&mut two, "select count(*) from t where a = 1"), ["count", "100", "SELECT 1"]);
    script(&mut one, "rollback");
    assert_eq!(script(&mut two, "insert into t values (2001, 1, 'x')"), ["INSERT 0 1"]);
    assert_eq!(script(&mut two, "drop index t_a"), ["ERROR 42704 index \"t_a\" does not exist"]);
}

#[test]
fn two_indexes_made_at_a_time_are_both_there() {
    let (_database, mut one, mut two) = two_sessions(ROWS);
    script(&mut one, "begin; create index t_a on t (a)");
    let env = one.database().env().clone();
    let (waiting, wrote) = env.block_on(both(
        async {
            two.query("create index t_b on t (b)");
            collect(&mut two, None).await
        },
        async {
            // Whoever waits keeps nobody from writing.
            one.query("insert into t values (2000, 1, 'x')");
            let mut lines = collect(&mut one, None).await;
            one.query("commit");
            lines.extend(collect(&mut one, None).await);
            lines
        },
    ));
    assert_eq!(wrote, ["INSERT 0 1", "COMMIT"]);
    assert_eq!(waiting, ["CREATE INDEX"]);
    assert_eq!(
        script(&mut one, "select indexname from pg_indexes where tablename = 't' order by 1"),
        ["indexname", "t_a", "t_b", "t_pkey", "SELECT 3"]
    );
    assert_eq!(script(&mut one, "select id from t where b = 'x'"), ["id", "2000", "SELECT 1"]);
}

#[test]
fn objects_are_there_after_reopening() {
    let directory = tempfile::tempdir().expect("a directory");
    let open = || Database::open(directory.path()).expect("it opens");
    let database = open();
    let mut one = session(&database);
    let outcome = script(
        &mut one,
        "create schema app; create table app.t (a int, b text); \
         insert into app.t select n, 'v' || n from generate_series(1, 50) n; \
         create unique index t_expr on app.t ((a * 2)) where b <> 'none'; \
         create index t_desc on app.t (b desc, a); \
         create view app.v as select a, upper(b) as shout from app.t where a > 48; \
         comment on view app.v is 'loud'; create role keeper login password 'secret'",
    );
    assert!(outcome.iter().all(|line| !line.starts_with("ERROR")), "{outcome:?}");
    let env = database.env().clone();
    env.block_on(async { database.close().await }).expect("closed");
    drop(one);
    drop(database);
    let database = open();
    let mut one = session(&database);
    assert_eq!(script(&mut one, "select * from app.v order by a"), ["a,shout", "49|V49", "50|V50", "SELECT 2"]);
    assert_eq!(
        script(&mut one, "insert into app.t values (25, 'again')"),
        ["ERROR 23505 duplicate key value violates unique constraint \"t_expr\""]
    );
    assert_eq!(script(&mut one, "insert into app.t values (25, 'none')"), ["INSERT 0 1"]);
    assert_eq!(script(&mut one, "select a from app.t where a * 2 = 50 and b <> 'none'"), ["a", "25", "SELECT 1"]);
    assert_eq!(
        script(&mut one, "select obj_description('app.v'::regclass, 'pg_class')"),
        ["obj_description", "loud", "SELECT 1"]
    );
    let report = env_verify(&database);
    assert!(report.is_empty(), "{report:?}");
    assert!(database.role_verifier("keeper").is_some_and(|verifier| verifier.starts_with("SCRAM-SHA-256$4096:")));
}

fn env_verify(database: &Database) -> Vec<String> {
    let env = database.env().clone();
    let report = env.block_on(async { database.verify().await }).expect("it can be read");
    report.problems
}

#[test]
fn rolled_back_objects_leave_nothing() {
    let (_database, mut one, mut two) = two_sessions(ROWS);
    script(
        &mut one,
        "begin; create schema s; create view s.v as select 1 as x; create role r; create index t_a on t (a); \
         savepoint p; create table s.made as select * from t; rollback to p",
    );
    assert_eq!(script(&mut one, "select * from s.v"), ["x", "1", "SELECT 1"]);
    assert_eq!(script(&mut one, "select count(*) from s.made"), ["ERROR 42P01 relation \"s.made\" does not exist"]);
    script(&mut one, "rollback");
    for sql in ["create schema s", "create role r", "create index t_a on t (a)", "create view s.v as select 2 as x"] {
        let outcome = script(&mut two, sql);
        assert!(!outcome[0].starts_with("ERROR"), "{sql}: {outcome:?}");
    }
}

#[test]
fn a_table_is_made_of_a_query() {
    let (_database, mut one, _two) = two_sessions(ROWS);
    assert_eq!(script(&mut one, "create table u (x, y) as select id, b from t where id < 4"), ["SELECT 3"]);
    assert_eq!(script(&mut one, "select * from u order by x"), ["x,y", "1|v1", "2|v2", "3|v3", "SELECT 3"]);
    assert_eq!(
        script(&mut one, "create table if not exists u as select 1 / 0 as z"),
        ["NOTICE 42P07 relation \"u\" already exists, skipping", "CREATE TABLE AS"]
    );
    assert_eq!(script(&mut one, "create table e as select * from t with no data"), ["CREATE TABLE AS"]);
    assert_eq!(script(&mut one, "select count(*) from e"), ["count", "0", "SELECT 1"]);
    assert_eq!(script(&mut one, "select 1 as a into i union select 2"), ["SELECT 2"]);
    assert_eq!(script(&mut one, "select a from i order by a"), ["a", "1", "2", "SELECT 2"]);
    script(&mut one, "prepare p as select id from t where id <= $1");
    assert_eq!(script(&mut one, "create table x as execute p(5)"), ["SELECT 5"]);
    assert_eq!(
        script(&mut one, "begin read only; create table r as select 1 as a"),
        ["BEGIN", "ERROR 25006 cannot execute CREATE TABLE AS in a read-only transaction"]
    );
    script(&mut one, "rollback");
    assert_eq!(script(&mut one, "create table bad as select 1 / 0 as z"), ["ERROR 22012 division by zero"]);
    assert_eq!(script(&mut one, "select * from bad"), ["ERROR 42P01 relation \"bad\" does not exist"]);
}

#[test]
fn explain_shows_and_analyze_runs() {
    let (_database, mut one, _two) = two_sessions(ROWS);
    assert_eq!(
        script(&mut one, "explain (costs off) select * from t where id = 7"),
        ["QUERY PLAN", "Index Scan using t_pkey on t", "  Index Cond: (id = 7)", "EXPLAIN"]
    );
    let lines =
        script(&mut one, "explain (analyze, timing off, costs off, summary off) select count(*) from t where a = 3");
    assert_eq!(lines[1], "Aggregate (actual rows=1.00 loops=1)");
    assert_eq!(lines[2], "  ->  Seq Scan on t (actual rows=100.00 loops=1)");
    script(&mut one, "explain analyze delete from t where id = 7");
    assert_eq!(script(&mut one, "select count(*) from t where id = 7"), ["count", "0", "SELECT 1"]);
    script(&mut one, "explain delete from t");
    assert_eq!(script(&mut one, "select count(*) from t"), ["count", "999", "SELECT 1"]);
}
