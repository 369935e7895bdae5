//! What the report is made of, in its order.

mod faults;
mod histories;
mod left_behind;
mod others;
mod rates;
mod scripts;

use helios_sim::{Class, FaultKind, SwarmReport};

use crate::Effort;
use crate::document::{Section, Table};

pub(crate) fn all(effort: &Effort) -> Vec<Section> {
    let mut sections = vec![
        faults::of_heliosdb(effort),
        scripts::under_crash(effort),
        histories::isolation(effort),
        others::engines_side_by_side(effort),
    ];
    sections.extend(left_behind::mutants(&effort.results));
    sections.extend(left_behind::swarm(&effort.results));
    sections.push(rates::of_the_simulator());
    sections.extend(left_behind::viewer(&effort.results));
    sections
}

/// What a program owes when it meets a fault of this class, in two words.
fn class_name(class: Class) -> &'static str {
    match class {
        Class::Recoverable => "recoverable",
        Class::FatalUntilReopened => "fatal until reopened",
        Class::Detectable => "detectable",
    }
}
