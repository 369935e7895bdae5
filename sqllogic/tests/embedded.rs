//! The scripts on the embedded engine: none may answer worse than `ratchet.tsv` says.

use helios_sqllogic::place::Place;
use helios_sqllogic::{ratchet, script};

#[test]
fn scripts_answer_no_worse_than_before() {
    let scripts = script::files(&[script::directory()]);
    assert!(scripts.len() >= 60, "{} scripts", scripts.len());
    let report = ratchet::hold(&Place::Embedded, &scripts, false).expect("figures");
    println!("{report}");
    assert!(report.fallen.is_empty(), "{report}");
}
