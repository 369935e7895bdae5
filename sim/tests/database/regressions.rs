//! What swarms found, as short as it can be told.

use helios_sim::{CrashKind, FaultKind, World};
use heliosdb::{Config, Connection, Database, SqlState};

async fn connect(world: &World) -> (Database, Connection) {
    let database = Database::open_in(world.env(), Config::default()).await.expect("a disk without faults");
    let connection = database.connect().expect("the superuser");
    (database, connection)
}

/// Somebody who was in the way has moved out of it while we waited. The row that moved used to be followed to its new
/// key, and updated there. (What PostgreSQL 18 leaves: the row that was proposed, and the one that moved as it is.)
#[test]
fn on_conflict_begins_anew_when_the_row_in_the_way_has_moved() {
    let world = World::seeded(1);
    let rows = world
        .run(async {
            let (database, mover) = connect(&world).await;
            let schema = "CREATE TABLE t (i int PRIMARY KEY, note text); INSERT INTO t VALUES (1, 'old')";
            mover.execute_batch_async(schema).await.expect("a table");
            mover.execute_batch_async("BEGIN; UPDATE t SET i = 2, note = 'moved'").await.expect("nobody else");
            let upserter = database.connect().expect("the superuser");
            let upsert = world.env().spawn("upsert", async move {
                let sql = "INSERT INTO t VALUES (1, 'new') ON CONFLICT (i) DO UPDATE SET note = t.note || ' updated'";
                upserter.execute_async(sql, &[]).await.expect("1 is free by then");
            });
            world.env().sleep(std::time::Duration::from_millis(10)).await;
            mover.execute_batch_async("COMMIT").await.expect("a disk without faults");
            upsert.await;
            let rows = mover.query_async("SELECT i || ' ' || note FROM t ORDER BY i", &[]).await.expect("a table");
            rows.map(|row| row.get::<_, String>(0).expect("a text")).collect::<Vec<_>>()
        })
        .expect("nothing crashes unasked");
    assert_eq!(rows, ["1 new", "2 moved"]);
}

/// A row was moved, at REPEATABLE READ, to a key whose row somebody had deleted after the snapshot. It stood before the old
/// row from then on, which the index still had: `WHERE g = 3` found a row with 0. (PostgreSQL 18 shows both rows.)
#[test]
fn no_row_is_hidden_from_the_snapshot_that_shows_it() {
    for write in [
        "UPDATE t SET i = 18 WHERE i = 0",
        "INSERT INTO t VALUES (18, 5, 50)",
        "INSERT INTO t VALUES (1, 5, 30)",
        "INSERT INTO t VALUES (18, 5, 50) ON CONFLICT (i) DO UPDATE SET g = 5",
    ] {
        let world = World::seeded(1);
        let code = world
            .run(async {
                let (database, reader) = connect(&world).await;
                let schema = "CREATE TABLE t (i int PRIMARY KEY, g int, u int UNIQUE); CREATE INDEX ON t (g); \
                              INSERT INTO t VALUES (18, 3, 30), (0, 0, 0)";
                reader.execute_batch_async(schema).await.expect("a table");
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM t";
                reader.execute_batch_async(begin).await.expect("a snapshot");
                let deleter = database.connect().expect("the superuser");
                deleter.execute_batch_async("DELETE FROM t WHERE i = 18").await.expect("nobody else");
                reader.execute_batch_async(write).await.expect_err("it would hide a row").code()
            })
            .expect("nothing crashes unasked");
        assert_eq!(code, SqlState::SERIALIZATION_FAILURE, "{write}");
    }
}

/// A client leaves while its COMMIT waits for a sync that fails, and wants to know what became of it: it writes the same
/// row. That used to succeed, since the failed commit had let go of its locks; so the client took the row for gone, and
/// after the next opening it was there.
#[test]
fn nobody_concludes_from_a_free_lock_that_a_commit_with_a_failed_sync_did_not_happen() {
    let world = World::seeded(1);
    let after = world
        .run(async {
            let (_database, connection) = connect(&world).await;
            connection.execute_batch_async("CREATE TABLE t (i int PRIMARY KEY)").await.expect("a table");
            world.set_faults(world.faults().with(FaultKind::SyncError, 1_000_000));
            let failed = connection.execute_async("INSERT INTO t VALUES (1)", &[]).await;
            assert_eq!(failed.expect_err("the sync fails").code(), SqlState::IO_ERROR);
            world.heal();
            let seen = connection.query_async("SELECT i FROM t", &[]).await.expect("what was published is readable");
            assert_eq!(seen.count(), 0);
            connection.execute_async("INSERT INTO t VALUES (1)", &[]).await.map(drop)
        })
        .expect("nothing crashes unasked");
    assert_eq!(after.expect_err("whether the row is there nobody knows").code(), SqlState::IO_ERROR);
    world.crash(CrashKind::Process);
    world
        .run(async {
            let (_database, connection) = connect(&world).await;
            connection.query_async("SELECT i FROM t", &[]).await.expect("the table is there");
        })
        .expect("nothing crashes unasked");
}

/// A client draws a number and is told it; then the power fails. Nobody had waited for the reservation, since the
/// transaction wrote nothing else, and the next client was given the same number.
#[test]
fn a_number_that_a_client_was_told_is_not_given_again_after_a_crash() {
    for seed in 0..32 {
        let world = World::seeded(seed);
        let draw = async |statements: &str| -> i64 {
            let (_database, connection) = connect(&world).await;
            connection.execute_batch_async(statements).await.expect("a sequence, or nothing");
            let row = connection.query_one_async("SELECT nextval('s')", &[]).await.expect("there are numbers");
            row.get(0).expect("a number")
        };
        let told = world.run(draw("CREATE SEQUENCE s")).expect("nothing crashes unasked");
        world.crash(CrashKind::Power);
        let next = world.run(draw("")).expect("nothing crashes unasked");
        assert!(next > told, "seed {seed}: {told} was told, and {next} after the crash");
    }
}
