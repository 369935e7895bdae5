//! SQLite's sample of sqllogictest, where it is: what passed may not fail.

use helios_sqllogic::corpora;
use helios_sqllogic::place::Place;
use helios_sqllogic::script::{Dialect, run};

#[test]
fn sqlite_select1_to_3() {
    let Some(paths) = corpora::sqlite(&["select1.test", "select2.test", "select3.test"]) else {
        println!("skipped: SQLite's scripts are not here (HELIOS_CORPORA)");
        return;
    };
    for path in paths {
        let outcome = run(&path, Dialect::Sqlite, &Place::Embedded).expect("a script");
        println!("{} of {}: {}", outcome.passed, outcome.total, path.display());
        assert_eq!(outcome.passed, outcome.total, "{:?}", outcome.failures.first());
    }
}
