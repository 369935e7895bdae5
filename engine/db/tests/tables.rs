//! Tables, transactions over them, COPY. What is expected was observed on PostgreSQL 18.

mod support;

use heliosdb::{Database, Session};
use support::{collect, copy, database, script, session};

fn with_table(ddl: &str) -> (Database, Session) {
    let database = database();
    let mut session = session(&database);
    assert_eq!(script(&mut session, ddl), ["CREATE TABLE"]);
    (database, session)
}

#[test]
fn rows_are_written_and_read() {
    let (_database, mut session) =
        with_table("create table t (id int primary key, name text not null, n numeric(8,2) default 1.5)");
    assert_eq!(script(&mut session, "insert into t values (1, 'one', default), (2, 'two', 2)"), ["INSERT 0 2"]);
    assert_eq!(
        script(&mut session, "select * from t order by id"),
        ["id,name,n", "1|one|1.50", "2|two|2.00", "SELECT 2"]
    );
    assert_eq!(script(&mut session, "update t set n = n + 1 where id = 1 returning n"), ["n", "2.50", "UPDATE 1"]);
    assert_eq!(script(&mut session, "delete from t where name = 'two'"), ["DELETE 1"]);
    assert_eq!(
        script(&mut session, "insert into t values (1, 'again')"),
        ["ERROR 23505 duplicate key value violates unique constraint \"t_pkey\""]
    );
    assert_eq!(
        script(&mut session, "insert into t (id) values (5)"),
        ["ERROR 23502 null value in column \"name\" of relation \"t\" violates not-null constraint"]
    );
    assert_eq!(script(&mut session, "select count(*) from t"), ["count", "1", "SELECT 1"]);
}

#[test]
fn a_script_is_one_transaction() {
    let (database, mut session) = with_table("create table t (a int primary key)");
    let mut other = support::session(&database);
    assert_eq!(
        script(&mut session, "insert into t values (1); insert into t values (1)"),
        ["INSERT 0 1", "ERROR 23505 duplicate key value violates unique constraint \"t_pkey\""]
    );
    assert_eq!(script(&mut other, "select * from t"), ["a", "SELECT 0"]);
    script(&mut session, "begin; insert into t values (1); savepoint s; insert into t values (2)");
    assert_eq!(script(&mut other, "select * from t"), ["a", "SELECT 0"]);
    assert_eq!(script(&mut session, "select * from t order by a"), ["a", "1", "2", "SELECT 2"]);
    script(&mut session, "rollback to s; insert into t values (3); commit");
    assert_eq!(script(&mut other, "select * from t order by a"), ["a", "1", "3", "SELECT 2"]);
    assert_eq!(
        script(&mut session, "begin read only; insert into t values (4)"),
        ["BEGIN", "ERROR 25006 cannot execute INSERT in a read-only transaction"]
    );
    script(&mut session, "rollback");
}

#[test]
fn ddl_is_transactional() {
    let database = database();
    let (mut session, mut other) = (session(&database), support::session(&database));
    script(&mut session, "begin; create table t (a int); insert into t values (1)");
    assert_eq!(script(&mut session, "select * from t"), ["a", "1", "SELECT 1"]);
    assert_eq!(script(&mut other, "select * from t"), ["ERROR 42P01 relation \"t\" does not exist"]);
    script(&mut session, "rollback");
    assert_eq!(script(&mut session, "select * from t"), ["ERROR 42P01 relation \"t\" does not exist"]);
    script(&mut session, "create table t (a int)");
    assert_eq!(script(&mut other, "select * from t"), ["a", "SELECT 0"]);
}

#[test]
fn copy_reads_text() {
    let (_database, mut session) = with_table("create table t (a int, b text, c int default 7)");
    let all = |session: &mut Session| {
        let mut lines = script(session, "select * from t; delete from t");
        lines.truncate(lines.len() - 2);
        lines.split_off(1)
    };
    assert_eq!(copy(&mut session, "copy t from stdin", "1\tx\t2\n2\t\\N\t\\N\n"), ["copy in", "COPY 2"]);
    assert_eq!(all(&mut session), ["1|x|2", "2|NULL|NULL"]);
    assert_eq!(copy(&mut session, "copy t(a,b) from stdin", "1\tx\n2\ty"), ["copy in", "COPY 2"]);
    assert_eq!(all(&mut session), ["1|x|7", "2|y|7"]);
    assert_eq!(
        copy(&mut session, "copy t from stdin", "1\tx\n"),
        ["copy in", "ERROR 22P04 missing data for column \"c\" COPY t, line 1: \"1\tx\""]
    );
    assert_eq!(
        copy(&mut session, "copy t from stdin", "1\tx\t3\nz\tx\t3\n"),
        ["copy in", "ERROR 22P02 invalid input syntax for type integer: \"z\" COPY t, line 2, column a: \"z\""]
    );
    assert_eq!(
        copy(&mut session, "copy t from stdin csv", "1,\"a,\"\"b\nc\",3\n2,,\n3,\"\",4\n"),
        ["copy in", "COPY 3"]
    );
    assert_eq!(all(&mut session), ["1|a,\"b\nc|3", "2|NULL|NULL", "3||4"]);
    assert_eq!(copy(&mut session, "copy t from stdin where a > 1", "1\tx\t2\n2\ty\t3\n"), ["copy in", "COPY 1"]);
    assert_eq!(all(&mut session), ["2|y|3"]);
    assert_eq!(
        copy(&mut session, "copy t from stdin (on_error ignore)", "1\tx\t2\nz\ty\t3\n"),
        ["copy in", "NOTICE 00000 1 row was skipped due to data type incompatibility", "COPY 1"]
    );
    assert_eq!(all(&mut session), ["1|x|2"]);
    assert_eq!(
        copy(&mut session, "copy t from stdin (format csv, header match)", "a,b,d\n1,x,3\n"),
        [
            "copy in",
            "ERROR 22P04 column name mismatch in header line field 3: got \"d\", expected \"c\" COPY t, line 1: \"a,b,d\""
        ]
    );
}

#[test]
fn copy_names_the_line_that_breaks_a_constraint() {
    let (_database, mut session) = with_table("create table u (a int primary key, b text not null check (b <> 'bad'))");
    assert_eq!(
        copy(&mut session, "copy u from stdin", "1\tx\n1\ty\n"),
        ["copy in", "ERROR 23505 duplicate key value violates unique constraint \"u_pkey\" COPY u, line 2"]
    );
    assert_eq!(
        copy(&mut session, "copy u from stdin", "1\tx\n2\tbad\n"),
        [
            "copy in",
            "ERROR 23514 new row for relation \"u\" violates check constraint \"u_b_check\" COPY u, line 2: \"2\tbad\""
        ]
    );
    assert_eq!(
        copy(&mut session, "copy u (a) from stdin", "1\n"),
        [
            "copy in",
            "ERROR 23502 null value in column \"b\" of relation \"u\" violates not-null constraint COPY u, line 1: \"1\""
        ]
    );
    let many: String = (0..5000).map(|n| format!("{n}\tx{n}\n")).collect();
    assert_eq!(copy(&mut session, "copy u from stdin", &many), ["copy in", "COPY 5000"]);
    assert_eq!(script(&mut session, "select count(*), max(b) from u"), ["count,max", "5000|x999", "SELECT 1"]);
}

#[test]
fn copy_writes() {
    let (_database, mut session) = with_table("create table t (a int, b text)");
    script(&mut session, "insert into t values (1, E'a\\tb\\\\c\\nd'), (2, null)");
    assert_eq!(script(&mut session, "copy t to stdout"), ["1\ta\\tb\\\\c\\nd", "2\t\\N", "COPY 2"]);
    assert_eq!(
        script(&mut session, "copy (select b, a from t) to stdout (format csv, header)"),
        ["b,a", "\"a\tb\\c\nd\",1", ",2", "COPY 2"]
    );
}

#[test]
fn portals_are_suspended_and_taken_up_again() {
    let (database, mut session) = with_table("create table t (a int primary key)");
    script(&mut session, "insert into t select * from generate_series(1, 5)");
    let env = database.env().clone();
    let lines = env.block_on(async {
        session.prepare("s", "select a from t where a > $1 order by a", &[]).await.expect("prepares");
        let described = session.describe_statement("s").expect("it is there");
        assert_eq!(described.params.iter().map(|oid| oid.0).collect::<Vec<_>>(), [23]);
        session.bind("p", "s", &[], &[Some(b"1")], &[]).await.expect("binds");
        let mut lines = Vec::new();
        for _ in 0..3 {
            session.execute("p", 2).expect("it is there");
            lines.extend(collect(&mut session, described.columns.clone()).await);
        }
        session.sync().await.expect("commits");
        let gone = session.execute("p", 2).expect_err("portals end with their transaction");
        lines.push(format!("{} {}", gone.code(), gone.message()));
        lines
    });
    assert_eq!(lines, ["2", "3", "suspended", "4", "5", "suspended", "SELECT 0", "34000 portal \"p\" does not exist"]);
}

#[test]
fn cursors_and_prepared_statements() {
    let (_database, mut session) = with_table("create table t (a int primary key)");
    script(&mut session, "insert into t select * from generate_series(1, 5)");
    script(&mut session, "begin; declare c cursor for select a from t order by a");
    assert_eq!(script(&mut session, "fetch 2 from c"), ["a", "1", "2", "FETCH 2"]);
    assert_eq!(script(&mut session, "move 1 from c"), ["MOVE 1"]);
    assert_eq!(script(&mut session, "fetch all from c"), ["a", "4", "5", "FETCH 2"]);
    assert_eq!(script(&mut session, "fetch c"), ["a", "FETCH 0"]);
    assert_eq!(script(&mut session, "close c"), ["CLOSE CURSOR"]);
    assert_eq!(script(&mut session, "fetch c"), ["ERROR 34000 cursor \"c\" does not exist"]);
    script(&mut session, "rollback");
    assert_eq!(script(&mut session, "prepare q (int) as select a from t where a = $1"), ["PREPARE"]);
    assert_eq!(script(&mut session, "execute q ('3')"), ["a", "3", "SELECT 1"]);
    assert_eq!(script(&mut session, "execute q (1 + 1)"), ["a", "2", "SELECT 1"]);
    assert_eq!(
        script(&mut session, "execute q"),
        ["ERROR 42601 wrong number of parameters for prepared statement \"q\""]
    );
    assert_eq!(script(&mut session, "deallocate q"), ["DEALLOCATE"]);
    assert_eq!(script(&mut session, "execute q (1)"), ["ERROR 26000 prepared statement \"q\" does not exist"]);
}

/// The second statement finds a row that its own transaction has written, with index entries that it has not: they are
/// in storage, and have to be deleted there.
#[test]
fn a_row_that_is_changed_twice_in_one_transaction_takes_its_index_entries_with_it() {
    let (database, mut session) = with_table("create table t (id int primary key, code int unique, n int)");
    assert_eq!(script(&mut session, "insert into t values (1, 10, 0), (2, 20, 0), (3, 30, 0)"), ["INSERT 0 3"]);
    script(&mut session, "begin; update t set n = 1 where id < 4; update t set code = 11 where id = 1; commit");
    script(&mut session, "begin; update t set n = 2 where id < 4; delete from t where id = 2; commit");
    script(&mut session, "begin; update t set n = 3 where id < 4; update t set id = 4 where id = 3; commit");
    let report = database.env().block_on(database.verify()).expect("memory can be read");
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(script(&mut session, "select id from t where code = 10"), ["id", "SELECT 0"]);
    assert_eq!(
        script(&mut session, "insert into t values (5, 10, 0), (6, 20, 0) on conflict do nothing"),
        ["INSERT 0 2"]
    );
}
