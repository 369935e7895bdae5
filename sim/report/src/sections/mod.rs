//! What the report is made of, in its order.

mod faults;
mod rates;

use helios_sim::{Class, FaultKind, SwarmReport};

use crate::Effort;
use crate::document::{Section, Table};

pub(crate) fn all(effort: &Effort) -> Vec<Section> {
    vec![faults::of_heliosdb(effort), rates::of_the_simulator()]
}

/// What a program owes when it meets a fault of this class, in two words.
fn class_name(class: Class) -> &'static str {
    match class {
        Class::Recoverable => "recoverable",
        Class::FatalUntilReopened => "fatal until reopened",
        Class::Detectable => "detectable",
    }
}
