//! A point read and a commit, by themselves.
#![allow(missing_docs, reason = "criterion's macros make functions without")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use heliosdb::{Config, Connection};

fn point_read(criterion: &mut Criterion) {
    let connection = Connection::open(":memory:").expect("memory is there");
    connection.execute_batch("CREATE TABLE t (a int PRIMARY KEY, b text)").expect("a new database has no t");
    connection
        .execute("INSERT INTO t SELECT a, 'row ' || a FROM generate_series(1, 100000) a", &[])
        .expect("keys are new");
    let statement = connection.prepare("SELECT b FROM t WHERE a = $1").expect("it is correct");
    let mut id = 0;
    criterion.bench_function("point read in memory", |bencher| {
        bencher.iter(|| {
            id = id % 100_000 + 1;
            black_box(statement.query_row(&[&id], |row| row.get::<_, String>(0)).expect("the row is there"))
        });
    });
}

fn commit(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("the temporary directory is writable");
    let connection = Connection::open(Config::from(directory.path())).expect("a new directory");
    connection.execute_batch("CREATE TABLE t (a bigint PRIMARY KEY)").expect("a new database has no t");
    let statement = connection.prepare("INSERT INTO t VALUES ($1)").expect("it is correct");
    let mut next = 0i64;
    criterion.bench_function("durable commit of one row", |bencher| {
        bencher.iter(|| {
            next += 1;
            statement.execute(&[&next]).expect("keys are new")
        });
    });
}

criterion_group!(micro, point_read, commit);
criterion_main!(micro);
