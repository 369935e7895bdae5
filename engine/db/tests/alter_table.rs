//! ALTER TABLE and RENAME as they meet other sessions, savepoints and a reopened database. What is expected was observed
//! on PostgreSQL 18.

mod support;

use helios_env::Env;
use heliosdb::{Config, Database, Session};
use support::{database, script, session};

/// Every file is sound and every index agrees with its table.
fn assert_sound(database: &Database) {
    let report = database.env().block_on({
        let database = database.clone();
        async move { database.verify().await }
    });
    let report = report.expect("the database can be read");
    assert_eq!(report.problems, Vec::<String>::new());
}

/// The database after its process has ended and begun again.
fn reopened(env: &Env, database: Database, session: Session) -> (Database, Session) {
    drop(session);
    env.block_on({
        let database = database.clone();
        async move { database.close().await }
    })
    .expect("it closes");
    drop(database);
    opened(env)
}

fn opened(env: &Env) -> (Database, Session) {
    let inside = env.clone();
    let database = env.block_on(async move { Database::open_in(inside, Config::default()).await });
    let database = database.expect("it opens");
    let session = session(&database);
    (database, session)
}

/// Rows alone, without names of columns and tag.
fn rows(session: &mut Session, sql: &str) -> Vec<String> {
    let mut lines = script(session, sql);
    assert!(!lines.is_empty() && !lines[lines.len() - 1].starts_with("ERROR"), "{sql}: {lines:?}");
    lines.pop();
    lines.split_off(1)
}

#[test]
fn altered_tables_survive_reopening() {
    let env = Env::memory().expect("an environment in memory");
    let (database, mut session) = opened(&env);
    script(&mut session, "create table t (a int primary key, b text, c int unique)");
    script(&mut session, "insert into t values (1, 'x', 10), (2, 'y', 20)");
    script(&mut session, "alter table t add column d numeric(6,2) default 1.5, add column e timestamptz default now()");
    script(&mut session, "alter table t alter column d set default 9");
    let when = rows(&mut session, "select distinct e from t");
    script(&mut session, "insert into t (a, c) values (3, 30)");
    script(&mut session, "alter table t drop column b; alter table t rename column c to cc");
    script(&mut session, "alter table t alter column e set default '2024-01-01'");
    let (database, mut session) = reopened(&env, database, session);
    assert_eq!(rows(&mut session, "select a, cc, d from t order by a"), ["1|10|1.50", "2|20|1.50", "3|30|9.00"]);
    assert_eq!(rows(&mut session, "select distinct e from t where a < 3"), when);
    assert_eq!(rows(&mut session, "select a from t where cc = 20"), ["2"]);
    assert_sound(&database);
    script(&mut session, "alter table t drop constraint t_pkey");
    script(&mut session, "alter table t alter column cc type text using 'k' || cc, add column f serial");
    let (database, mut session) = reopened(&env, database, session);
    assert_eq!(
        rows(&mut session, "select a, cc, d, f from t order by f"),
        ["1|k10|1.50|1", "2|k20|1.50|2", "3|k30|9.00|3"]
    );
    assert_eq!(rows(&mut session, "select a from t where cc = 'k20'"), ["2"]);
    script(&mut session, "insert into t (a, cc, f) values (1, 'k40', 4)");
    script(&mut session, "alter table t add primary key (cc)");
    let (database, mut session) = reopened(&env, database, session);
    assert_eq!(rows(&mut session, "select a, f from t order by cc"), ["1|1", "2|2", "3|3", "1|4"]);
    assert_eq!(
        script(&mut session, "insert into t (a, cc) values (9, 'k40')"),
        ["ERROR 23505 duplicate key value violates unique constraint \"t_pkey\""]
    );
    // The number of a dropped column is not given again.
    script(&mut session, "alter table t add column b text");
    assert_eq!(
        rows(&mut session, "select attnum from pg_attribute where attrelid = 't'::regclass and attname = 'b'"),
        ["7"]
    );
    assert_eq!(rows(&mut session, "select count(b) from t"), ["0"]);
    assert_sound(&database);
}

#[test]
fn a_rewrite_is_undone_to_a_savepoint() {
    let env = Env::memory().expect("an environment in memory");
    let (database, mut session) = opened(&env);
    script(&mut session, "create table t (a int primary key, b int unique)");
    script(&mut session, "insert into t values (1, 10), (2, 20)");
    script(&mut session, "begin; insert into t values (3, 30); savepoint s");
    script(&mut session, "alter table t alter column b type text, drop constraint t_pkey");
    script(&mut session, "insert into t values (1, 'again'); update t set b = b || '!'");
    assert_eq!(rows(&mut session, "select a, b from t order by a, b"), ["1|10!", "1|again!", "2|20!", "3|30!"]);
    script(&mut session, "rollback to s");
    assert_eq!(rows(&mut session, "select a, b from t order by a"), ["1|10", "2|20", "3|30"]);
    assert_eq!(rows(&mut session, "select a from t where b = 30"), ["3"]);
    script(&mut session, "alter table t add column c int default 5; update t set c = a where a > 1; savepoint s2");
    script(&mut session, "alter table t drop column c; rollback to s2; commit");
    assert_eq!(rows(&mut session, "select * from t order by a"), ["1|10|5", "2|20|2", "3|30|3"]);
    assert_eq!(
        script(&mut session, "insert into t values (3, 40)"),
        ["ERROR 23505 duplicate key value violates unique constraint \"t_pkey\""]
    );
    assert_sound(&database);
    let (database, mut session) = reopened(&env, database, session);
    assert_eq!(rows(&mut session, "select * from t order by a"), ["1|10|5", "2|20|2", "3|30|3"]);
    assert_eq!(rows(&mut session, "select c from t where b = 20"), ["2"]);
    assert_sound(&database);
}

#[test]
fn other_sessions_see_the_new_form_once_it_is_committed() {
    let database = database();
    let (mut session, mut other) = (session(&database), support::session(&database));
    script(&mut session, "create table t (a int primary key, b int); insert into t values (1, 10), (2, 20)");
    script(&mut other, "prepare p as select b from t where a = $1");
    script(&mut other, "prepare q as select * from t");
    script(&mut other, "prepare w as insert into t (a) values ($1)");
    assert_eq!(script(&mut other, "execute p (1)"), ["b", "10", "SELECT 1"]);
    assert_eq!(script(&mut other, "execute q"), ["a,b", "1|10", "2|20", "SELECT 2"]);
    script(&mut session, "alter table t rename to u; alter table u rename to t");
    script(&mut session, "alter table t add column c int default 7 check (c > 0)");
    assert_eq!(script(&mut other, "execute p (2)"), ["b", "20", "SELECT 1"]);
    assert_eq!(script(&mut other, "execute q"), ["ERROR 0A000 cached plan must not change result type"]);
    assert_eq!(script(&mut other, "execute w (3)"), ["INSERT 0 1"]);
    assert_eq!(rows(&mut other, "select * from t order by a"), ["1|10|7", "2|20|7", "3|NULL|7"]);
    script(&mut session, "alter table t alter column b type text using 'n' || b");
    assert_eq!(script(&mut other, "execute p (2)"), ["ERROR 0A000 cached plan must not change result type"]);
    script(&mut session, "alter table t drop column b");
    assert_eq!(script(&mut other, "execute p (2)"), ["ERROR 42703 column \"b\" does not exist"]);
    script(&mut session, "alter table t drop constraint t_pkey");
    assert_eq!(
        script(&mut session, "alter table t add unique (c)"),
        ["ERROR 23505 could not create unique index \"t_c_key\""]
    );
    assert_eq!(script(&mut other, "execute w (3)"), ["INSERT 0 1"]);
    assert_eq!(rows(&mut other, "select count(*) from t where a = 3"), ["2"]);
    assert_sound(&database);
}

#[test]
fn an_alteration_is_nobodys_before_commit() {
    let database = database();
    let (mut session, mut other) = (session(&database), support::session(&database));
    script(&mut session, "create table t (a int primary key); insert into t values (1)");
    script(&mut other, "set lock_timeout = 20");
    script(&mut session, "begin; alter table t add column b int default 3");
    assert_eq!(script(&mut other, "select * from t"), ["ERROR 55P03 canceling statement due to lock timeout"]);
    assert_eq!(rows(&mut session, "select * from t"), ["1|3"]);
    script(&mut session, "rollback");
    assert_eq!(rows(&mut other, "select * from t"), ["1"]);
    // A reader keeps the table as it is.
    script(&mut other, "begin; select * from t");
    script(&mut session, "set lock_timeout = 20");
    assert_eq!(
        script(&mut session, "alter table t add column b int"),
        ["ERROR 55P03 canceling statement due to lock timeout"]
    );
    script(&mut other, "commit");
    assert_eq!(script(&mut session, "alter table t add column b int"), ["ALTER TABLE"]);
    assert_eq!(
        script(&mut session, "begin read only; alter table t rename to u"),
        ["BEGIN", "ERROR 25006 cannot execute ALTER TABLE in a read-only transaction"]
    );
    script(&mut session, "rollback");
}

#[test]
fn notices_say_what_is_skipped() {
    let database = database();
    let mut session = session(&database);
    script(&mut session, "create table t (a int)");
    for (sql, notice) in [
        (
            "alter table t add column if not exists a int",
            "42701 column \"a\" of relation \"t\" already exists, skipping",
        ),
        ("alter table t drop column if exists b", "00000 column \"b\" of relation \"t\" does not exist, skipping"),
        (
            "alter table t drop constraint if exists b",
            "00000 constraint \"b\" of relation \"t\" does not exist, skipping",
        ),
        ("alter table if exists u add column b int", "00000 relation \"u\" does not exist, skipping"),
        ("alter table if exists u rename to v", "00000 relation \"u\" does not exist, skipping"),
        (
            "alter table t alter column a drop identity if exists",
            "00000 column \"a\" of relation \"t\" is not an identity column, skipping",
        ),
    ] {
        assert_eq!(script(&mut session, sql), [format!("NOTICE {notice}"), "ALTER TABLE".to_owned()], "{sql}");
    }
}
