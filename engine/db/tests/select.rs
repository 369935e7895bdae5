//! Queries. What is expected was observed on PostgreSQL 18.

mod support;

use support::{database, script, session};

#[test]
fn expressions() {
    let database = database();
    let mut session = session(&database);
    assert_eq!(
        script(&mut session, "select 1 + 1 as two, 'x' || 'y', null"),
        ["two,?column?,?column?", "2|xy|NULL", "SELECT 1"]
    );
    assert_eq!(
        script(&mut session, "select 1; select 2 where false"),
        ["?column?", "1", "SELECT 1", "?column?", "SELECT 0"]
    );
    assert_eq!(
        script(&mut session, "select 1 from generate_series(1, 3) x where 1 / (x - 2) > 0"),
        ["?column?", "ERROR 22012 division by zero"]
    );
    assert_eq!(script(&mut session, "select nothing"), ["ERROR 42703 column \"nothing\" does not exist"]);
    assert_eq!(script(&mut session, "values (1, 'a'), (2, 'b')"), ["column1,column2", "1|a", "2|b", "SELECT 2"]);
    assert_eq!(
        script(&mut session, "select count(*), sum(x) from generate_series(1, 5000) x"),
        ["count,sum", "5000|12502500", "SELECT 1"]
    );
}

#[test]
fn catalogs() {
    let database = database();
    let mut session = session(&database);
    assert_eq!(
        script(&mut session, "select rolname, rolsuper from pg_roles where rolname = 'postgres'"),
        ["rolname,rolsuper", "postgres|t", "SELECT 1"]
    );
    assert_eq!(
        script(&mut session, "select datname from pg_database order by 1"),
        ["datname", "postgres", "template0", "template1", "SELECT 3"]
    );
}
