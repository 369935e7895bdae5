//! Every kind of fault, one at a time: it fires, and the database answers as its class demands.

use helios_sim::FaultKind;
use helios_workloads::{cancel_everywhere, fault_table};

#[test]
fn every_fault_fires_and_is_answered_as_its_class_demands() {
    let seeds = std::env::var("HELIOS_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(4);
    let table = fault_table(FaultKind::ALL, seeds, 2, |row| {
        let (commits, failures) = (row.report.commits, row.report.failures.len());
        println!(
            "{:28} {:20} fired {:7}, {commits} commits, {failures} violations",
            row.kind.name(),
            format!("{:?}", row.kind.class()),
            row.fired(),
        );
    });
    for row in &table {
        assert!(row.report.failures.is_empty(), "{}", row.report);
        assert!(row.fired() > 0, "{} never fires", row.kind.name());
        assert!(row.report.commits > 0, "with {} nothing commits", row.kind.name());
    }
}

#[test]
fn statements_are_dropped_at_every_wait() {
    let statements = [
        "CREATE TABLE t (id int PRIMARY KEY, code int UNIQUE, note text)",
        "INSERT INTO t VALUES (1, 10, 'one'), (2, 20, 'two'), (3, NULL, 'three')",
        "UPDATE t SET code = code + 1, note = note || '!' WHERE id < 3",
        "INSERT INTO t VALUES (1, 1, 'again'), (4, 40, 'four') ON CONFLICT (id) DO UPDATE SET note = excluded.note",
        "BEGIN; DELETE FROM t WHERE code = 21; SAVEPOINT a; INSERT INTO t VALUES (5); ROLLBACK TO a; UPDATE t SET id = 9 WHERE id = 1; COMMIT",
        "CREATE INDEX t_note ON t (note)",
        "ALTER TABLE t ADD COLUMN extra int DEFAULT 3",
        "INSERT INTO t SELECT i, i, repeat('x', 100) FROM generate_series(200, 230) AS i",
        "CREATE TABLE b AS SELECT id, code FROM t WHERE id > 210",
        "CREATE SEQUENCE s; CREATE VIEW v AS SELECT id FROM b",
        "TRUNCATE b",
        "ALTER TABLE t DROP COLUMN note",
        "DROP VIEW v; DROP TABLE b; DROP SEQUENCE s",
    ];
    let cancellations = cancel_everywhere(&statements).unwrap_or_else(|violation| panic!("{violation}"));
    println!("{cancellations}");
    assert!(cancellations.dropped > 100 && cancellations.happened > 0, "{cancellations}");
}
