//! Choosing the best of several candidates (`func_select_candidate`).

use helios_types::{Oid, oid};

use super::types::{CATEGORY_INVALID, CATEGORY_STRING};
use super::{CoercionContext, Lookup};

/// Something that takes arguments of certain types: a function or an operator.
pub(super) trait Candidate {
    /// Parameter types, as many at least as there are arguments.
    fn parameters(&self) -> &[Oid];
}

/// Keeps the candidates with the highest score, in their order.
fn keep_best<C>(candidates: Vec<C>, score: impl Fn(&C) -> usize) -> Vec<C> {
    let best = candidates.iter().map(&score).max().unwrap_or(0);
    candidates.into_iter().filter(|candidate| score(candidate) == best).collect()
}

impl Lookup<'_> {
    /// Those candidates that arguments of these types can be coerced to implicitly.
    pub(super) fn matching<C: Candidate>(&self, inputs: &[Oid], candidates: Vec<C>) -> Vec<C> {
        let fits =
            |candidate: &C| self.can_coerce(inputs, &candidate.parameters()[..inputs.len()], CoercionContext::Implicit);
        candidates.into_iter().filter(fits).collect()
    }

    /// The best candidate; `None` when there is no single one.
    pub(super) fn select_candidate<C: Candidate>(&self, inputs: &[Oid], candidates: Vec<C>) -> Option<C> {
        // Domains count as what they are over.
        let inputs: Vec<Oid> = inputs.iter().map(|&input| self.base_type(input)).collect();
        let positions = 0..inputs.len();
        let unknown = |position: &usize| inputs[*position] == oid::UNKNOWN;
        let known: Vec<usize> = positions.clone().filter(|position| !unknown(position)).collect();
        let unknowns: Vec<usize> = positions.filter(unknown).collect();

        // Most exact matches on known arguments.
        let exact = |candidate: &C, position: usize| candidate.parameters()[position] == inputs[position];
        let candidates =
            keep_best(candidates, |candidate| known.iter().filter(|&&position| exact(candidate, position)).count());
        let candidates = match only(candidates) {
            Ok(one) => return Some(one),
            Err(several) => several,
        };

        // Most exact matches or preferred types of the argument's category.
        let preferred = |candidate: &C, position: usize| {
            exact(candidate, position)
                || self.is_preferred(self.category(inputs[position]), candidate.parameters()[position])
        };
        let candidates =
            keep_best(candidates, |candidate| known.iter().filter(|&&position| preferred(candidate, position)).count());
        let candidates = match only(candidates) {
            Ok(one) => return Some(one),
            Err(several) => several,
        };
        if unknowns.is_empty() {
            return None;
        }

        // Unknown arguments: of the category that the candidates agree on, strings if any of them takes one.
        let candidates = match only(self.by_category_of_unknowns(&unknowns, candidates)) {
            Ok(one) => return Some(one),
            Err(several) => several,
        };

        // All known arguments of one type: take the unknown ones for that type too.
        let (&first, rest) = known.split_first()?;
        if rest.iter().any(|&position| inputs[position] != inputs[first]) {
            return None;
        }
        let assumed = vec![inputs[first]; inputs.len()];
        only(self.matching(&assumed, candidates)).ok()
    }

    fn by_category_of_unknowns<C: Candidate>(&self, unknowns: &[usize], candidates: Vec<C>) -> Vec<C> {
        // Per unknown argument: the category, and whether some candidate takes the preferred type of it.
        let mut slots = Vec::with_capacity(unknowns.len());
        for &position in unknowns {
            let (mut category, mut has_preferred, mut conflict) = (CATEGORY_INVALID, false, false);
            for candidate in &candidates {
                let Some(row) = self.type_by_oid(candidate.parameters()[position]) else { continue };
                if category == CATEGORY_INVALID {
                    (category, has_preferred) = (row.category, row.preferred);
                } else if row.category == category {
                    has_preferred |= row.preferred;
                } else if row.category == CATEGORY_STRING {
                    (category, has_preferred) = (row.category, row.preferred);
                } else {
                    conflict = true;
                }
            }
            if conflict && category != CATEGORY_STRING {
                return candidates;
            }
            slots.push((position, category, has_preferred));
        }
        let fits = |candidate: &C| {
            slots.iter().all(|&(position, category, has_preferred)| {
                self.type_by_oid(candidate.parameters()[position])
                    .is_some_and(|row| row.category == category && (!has_preferred || row.preferred))
            })
        };
        if candidates.iter().any(fits) { candidates.into_iter().filter(fits).collect() } else { candidates }
    }
}

fn only<C>(mut candidates: Vec<C>) -> Result<C, Vec<C>> {
    if candidates.len() == 1 { Ok(candidates.remove(0)) } else { Err(candidates) }
}
