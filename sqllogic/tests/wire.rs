//! The scripts over the wire: a server in this process, and PostgreSQL 18 where `HELIOS_REFERENCE_URI` names one.

use helios_sqllogic::place::Place;
use helios_sqllogic::{ratchet, script};

fn hold(place: &Place) {
    let report = ratchet::hold(place, &script::files(&[script::directory()]), false).expect("figures");
    println!("{report}");
    assert!(report.fallen.is_empty(), "{report}");
}

#[test]
fn scripts_answer_no_worse_than_before() {
    hold(&Place::Wire);
}

#[test]
fn postgresql_answers_as_was_recorded() {
    match Place::reference() {
        Ok(place) => hold(&place),
        Err(reason) => println!("skipped: {reason}"),
    }
}
