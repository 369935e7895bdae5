//! What the report is made of, in its order.

mod faults;
mod histories;
pub(crate) mod left_behind;
mod others;
mod rates;
mod scripts;

use helios_sim::{FaultKind, SwarmReport};

use crate::Effort;
use crate::document::{Section, Table};

/// Makes a section anew; an error is about what cannot be read or run.
type Make = fn(&Effort) -> Result<Section, String>;

/// The sections, by the names that `--only` knows.
const SECTIONS: [(&str, Make); 8] = [
    ("faults", |effort| Ok(faults::of_heliosdb(effort))),
    ("scripts", |effort| Ok(scripts::under_crash(effort))),
    ("isolation", |effort| Ok(histories::isolation(effort))),
    ("engines", others::engines_side_by_side),
    ("mutants", |effort| left_behind::mutants(&effort.results)),
    ("swarm", |effort| left_behind::swarm(&effort.results)),
    ("rates", |_| Ok(rates::of_the_simulator())),
    ("viewer", |effort| Ok(left_behind::viewer(&effort.results))),
];

/// The names that `--only` knows.
pub(crate) fn names() -> [&'static str; 8] {
    SECTIONS.map(|(name, _)| name)
}

/// Those named in `only` anew, or all when it is empty; the others as they are in `before`.
pub(crate) fn all(effort: &Effort, only: &[String], mut before: Vec<Section>) -> Result<Vec<Section>, String> {
    let mut section = |(name, make): &(&'static str, Make)| {
        if only.is_empty() || only.iter().any(|wanted| wanted == name) {
            let section = make(effort)?;
            let made = if section.made.is_empty() { crate::here() } else { section.made.clone() };
            return Ok(Section { name: (*name).to_owned(), made, ..section });
        }
        let kept = before.iter().position(|section| section.name == *name).map(|index| before.swap_remove(index));
        Ok(kept.unwrap_or_else(|| {
            let title = format!("Not made yet: {name}");
            let section = Section::new(&title, &format!("just report-crash --only {name}"));
            Section { name: (*name).to_owned(), is_bad: true, ..section }
        }))
    };
    SECTIONS.iter().map(&mut section).collect()
}
