//! SQL scripts, cut off before every change that they make to the disk; and the recoveries, cut off in turn.
//!
//! Two short scripts here, exhaustively from the creation of the database on; and a share of all scripts that there are.
//! `HELIOS_SCRIPTS=all` runs all of them, as `helios sim scripts` does.

use helios_sim::{DeviceProfile, Explore};
use helios_sqllogic::corpora;
use helios_workloads::script::{ScriptReport, Sweep, SweepReport, directory, explore_script, sweep};

/// Images that a script is worth at least.
fn explored(name: &str, statements: &[&str], images_min: u64) {
    let config = Explore { images_max: 400, recovery_points_max: 8, recovery_images_max: 9, ..Explore::default() };
    let report = explore_script(&config, statements);
    let explored = &report.explored;
    println!("{name}: {} statements, {explored}; {:.0} images/s", report.statements, explored.images_per_second());
    for statement in &report.unsupported {
        println!("  not supported: {}: {}", statement.sql, statement.answer);
    }
    explored.assert_clean();
    assert!(explored.figures.distinct >= images_min, "{explored}");
}

#[test]
fn rows_are_exactly_before_or_after() {
    let statements = [
        "CREATE TABLE t (id int PRIMARY KEY, code int UNIQUE, note text)",
        "INSERT INTO t VALUES (1, 10, 'one'), (2, 20, 'two'), (3, NULL, 'three')",
        "UPDATE t SET code = code + 1, note = note || '!' WHERE id < 3",
        "INSERT INTO t VALUES (1, 1, 'again'), (4, 40, 'four') ON CONFLICT (id) DO UPDATE SET note = excluded.note",
        "BEGIN",
        "DELETE FROM t WHERE code = 21",
        "SAVEPOINT a",
        "INSERT INTO t VALUES (5, 50, 'five')",
        "ROLLBACK TO SAVEPOINT a",
        "UPDATE t SET id = id + 100 WHERE id = 1",
        "COMMIT",
        "INSERT INTO t SELECT i, i, repeat('x', 100) FROM generate_series(200, 230) AS i",
        "BEGIN; UPDATE t SET note = 'gone'; ROLLBACK",
        "UPDATE t SET code = NULL WHERE id BETWEEN 210 AND 220",
        "DELETE FROM t WHERE id > 205",
        "INSERT INTO t VALUES (6, 60, 'six') RETURNING id",
    ];
    explored("rows", &statements, 5_000);
}

#[test]
fn definitions_are_exactly_before_or_after() {
    let statements = [
        "CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL DEFAULT 7, t text)",
        "INSERT INTO a (id, t) SELECT i, repeat('a', 60) FROM generate_series(1, 20) AS i",
        "CREATE INDEX a_n ON a (n)",
        "CREATE UNIQUE INDEX a_t ON a (id, t)",
        "CREATE SEQUENCE s START 5",
        "INSERT INTO a SELECT 100 + nextval('s')",
        "ALTER TABLE a ADD COLUMN extra int DEFAULT 3",
        "UPDATE a SET extra = id WHERE id < 5",
        "CREATE TABLE b AS SELECT id, n FROM a WHERE id < 10",
        "CREATE VIEW v AS SELECT id FROM b",
        "BEGIN",
        "CREATE TABLE c (id serial PRIMARY KEY, a_id int)",
        "INSERT INTO c (a_id) SELECT id FROM a",
        "TRUNCATE a",
        "COMMIT",
        "BEGIN; DROP TABLE c; ROLLBACK",
        "ALTER TABLE a DROP COLUMN t",
        "ALTER TABLE c RENAME COLUMN a_id TO of",
        "DROP VIEW v",
        "DROP TABLE b, c",
        "DROP SEQUENCE s",
        "INSERT INTO a (id) VALUES (1)",
    ];
    explored("definitions", &statements, 5_000);
}

fn swept(config: &Sweep) -> SweepReport {
    let report = sweep(config, &|script: &ScriptReport| println!("{script}"));
    print!("{report}");
    assert!(report.is_clean(), "{report}");
    report
}

/// Statements that sqllogic's scripts do not have: COPY with data, writes in queries, asynchronous commits, two clients.
#[test]
fn whatever_writes_is_exactly_before_or_after() {
    let config = Sweep { paths: vec![directory()], images_per_statement: 16, ..Sweep::default() };
    let report = swept(&config);
    let totals = report.totals();
    assert!(totals.unsupported + totals.deviating == 0, "{:?}", report.scripts);
    assert!(totals.explored.distinct > 1_000 && totals.explored.in_recovery[2] > 0, "{totals:?}");
}

/// A share of sqllogic's scripts, the same each time.
#[test]
fn scripts_recorded_from_postgresql_survive_crashes() {
    let scripts = helios_sqllogic::script::files(&[helios_sqllogic::script::directory()]);
    let config = match std::env::var("HELIOS_SCRIPTS").as_deref() {
        Ok("all") => Sweep::default(),
        _ => {
            let paths = scripts.into_iter().skip(3).step_by(9).collect();
            Sweep { paths, images_per_statement: 8, ..Sweep::default() }
        }
    };
    let totals = swept(&config).totals();
    assert!(totals.explored.distinct > 1_000, "{totals:?}");
}

/// No database survives a disk whose syncs do nothing, and an oracle that does not notice is none.
#[test]
fn a_disk_that_ignores_syncs_is_noticed_at_a_statement() {
    let profile = DeviceProfile::ignores_sync();
    let paths = vec![directory().join("copy.slt")];
    let report = sweep(&Sweep { paths, profile, bundles: None, ..Sweep::default() }, &|_| ());
    let violations = &report.scripts[0].explored.violations;
    let is_about = |line: &String| line.starts_with("copy.slt line");
    let noticed = violations.iter().find(|violation| violation.context.iter().any(is_about));
    println!("{}", noticed.expect("something acknowledged is gone"));
}

/// A slice of SQLite's sample, where it is.
#[test]
fn scripts_of_sqlite_survive_crashes() {
    let Some(paths) = corpora::sqlite(&["select1.test"]) else {
        println!("skipped: SQLite's scripts are not here (HELIOS_CORPORA)");
        return;
    };
    let config = Sweep { paths, images_per_statement: 4, depth: 1, ..Sweep::default() };
    let totals = swept(&config).totals();
    assert!(totals.explored.distinct > 30, "{totals:?}");
}
