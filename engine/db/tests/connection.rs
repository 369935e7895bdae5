//! The embedded API.

use heliosdb::{Connection, Database, Result, SqlState, Value};

fn connection() -> Connection {
    Connection::open(":memory:").expect("a database in memory opens")
}

#[test]
fn values_go_in_and_come_out() -> Result<()> {
    let connection = connection();
    let row = connection.query_one(
        "SELECT $1::int2 AS a, $2::int8 AS b, $3::float8 AS c, $4::text AS d, $5::bytea AS e, $6::uuid AS f,
                $7::date AS g, $8::bool AS h, $9::numeric AS i, $10::int4 AS j",
        &[
            &7i16,
            &8,
            &1.5,
            &"text",
            &vec![1u8, 2],
            &"00112233-4455-6677-8899-aabbccddeeff",
            &"2024-02-29",
            &true,
            &12,
            &None::<i32>,
        ],
    )?;
    assert_eq!(row.get::<_, i16>("a")?, 7);
    assert_eq!(row.get::<_, i64>("b")?, 8);
    assert_eq!(row.get::<_, f64>("c")?, 1.5);
    assert_eq!(row.get::<_, String>(3)?, "text");
    assert_eq!(row.get::<_, Vec<u8>>("e")?, [1, 2]);
    assert_eq!(row.get::<_, [u8; 16]>("f")?[0..2], [0, 0x11]);
    assert_eq!(row.get::<_, String>("g")?, "2024-02-29");
    assert!(row.get::<_, bool>("h")?);
    assert_eq!(row.get::<_, String>("i")?, "12");
    assert_eq!(row.get::<_, Option<i32>>("j")?, None);
    assert_eq!(row.get::<_, Value>("j")?, Value::Null);
    assert_eq!(row.get::<_, i32>("j").expect_err("NULL is no i32").column(), Some("j"));
    assert_eq!(row.get::<_, i32>("z").expect_err("there is none").code(), SqlState::UNDEFINED_COLUMN);
    Ok(())
}

#[test]
fn rows_are_counted_and_read() -> Result<()> {
    let connection = connection();
    assert_eq!(connection.execute("SELECT x FROM generate_series(1, 3000) x", &[])?, 3000);
    let rows = connection.query("SELECT x FROM generate_series(1, 3000) x", &[])?;
    assert_eq!(rows.column_names(), ["x"]);
    assert_eq!(rows.map(|row| row.get::<_, i32>(0)).sum::<Result<i32>>()?, 4_501_500);
    let none = connection.query_row("SELECT 1 WHERE false", &[], |row| row.get::<_, i32>(0));
    assert_eq!(none.expect_err("there is no row").code(), SqlState::NO_DATA);
    let many = connection.query_one("VALUES (1), (2)", &[]);
    assert_eq!(many.expect_err("there are two").code(), SqlState::CARDINALITY_VIOLATION);
    Ok(())
}

#[test]
fn transactions_are_guards() -> Result<()> {
    let connection = connection();
    let show = || connection.query_row("SHOW application_name", &[], |row| row.get::<_, String>(0));
    let transaction = connection.transaction()?;
    transaction.execute("SET application_name = 'one'", &[])?;
    assert!(connection.transaction().is_err());
    transaction.commit()?;
    assert_eq!(show()?, "one");
    {
        let transaction = connection.transaction()?;
        transaction.execute("SET application_name = 'two'", &[])?;
    }
    assert_eq!(show()?, "one");
    let failed = connection.with_transaction(|tx| tx.execute("SELECT 1/0", &[]));
    assert_eq!(failed.expect_err("division by zero").code(), SqlState::DIVISION_BY_ZERO);
    assert_eq!(show()?, "one");
    let hidden = connection.with_transaction(|tx| {
        let _ignored = tx.execute("SELECT 1/0", &[]);
        Ok(())
    });
    assert_eq!(hidden.expect_err("nothing was committed").code(), SqlState::IN_FAILED_SQL_TRANSACTION);
    Ok(())
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the connection is shared between real threads")]
fn a_connection_can_be_cancelled_from_elsewhere() -> Result<()> {
    let database = Database::open(":memory:")?;
    let connection = database.connect()?;
    let (pid, secret) = (connection.activity().pid(), connection.activity().secret());
    let outcome = std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| connection.execute("SELECT pg_sleep(60)", &[]));
        while !sleeper.is_finished() {
            database.cancel(pid, secret.wrapping_add(1));
            if database.activities().iter().any(|report| report.query.contains("pg_sleep")) {
                database.cancel(pid, secret);
            }
            std::thread::yield_now();
        }
        sleeper.join().expect("no panic")
    });
    assert_eq!(outcome.expect_err("cancelled").code(), SqlState::QUERY_CANCELED);
    connection.execute("SET statement_timeout = '20ms'", &[])?;
    let timed_out = connection.execute("SELECT pg_sleep(60)", &[]).expect_err("it takes too long");
    assert_eq!(timed_out.message(), "canceling statement due to statement timeout");
    Ok(())
}

#[test]
fn connections_are_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Connection>();
    check::<Database>();
}
