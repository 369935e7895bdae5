//! What the report is made of, in its order.

mod faults;
mod histories;
mod left_behind;
mod others;
mod rates;
mod scripts;

use helios_sim::{FaultKind, SwarmReport};

use crate::Effort;
use crate::document::{Section, Table};

/// A section that is made anew, or `None` where there is nothing to make it of.
type Make = fn(&Effort) -> Option<Section>;

/// The sections, by the names that `--only` knows.
const SECTIONS: [(&str, Make); 8] = [
    ("faults", |effort| Some(faults::of_heliosdb(effort))),
    ("scripts", |effort| Some(scripts::under_crash(effort))),
    ("isolation", |effort| Some(histories::isolation(effort))),
    ("engines", |effort| Some(others::engines_side_by_side(effort))),
    ("mutants", |effort| left_behind::mutants(&effort.results)),
    ("swarm", |effort| left_behind::swarm(&effort.results)),
    ("rates", |_| Some(rates::of_the_simulator())),
    ("viewer", |effort| left_behind::viewer(&effort.results)),
];

/// Those named in `only` anew, or all when it is empty; the others as they are in `before`.
pub(crate) fn all(effort: &Effort, only: &[String], before: Vec<Section>) -> Vec<Section> {
    let mut before: Vec<Option<Section>> = before.into_iter().map(Some).collect();
    let mut make = |(name, make): &(&'static str, Make)| {
        if only.is_empty() || only.iter().any(|wanted| wanted == name) {
            return make(effort).map(|section| Section { name: (*name).to_owned(), ..section });
        }
        before.iter_mut().find_map(|section| section.take_if(|section| section.name == *name))
    };
    SECTIONS.iter().filter_map(&mut make).collect()
}
