//! The type of UNION, CASE, COALESCE, ARRAY, VALUES, ... when their parts differ.

use helios_types::{Oid, Result, TypeMod, oid};

use super::{CoercionContext, Lookup, mismatch};

impl Lookup<'_> {
    /// The common type of expressions of these types, in a construct that is called `context` in the error message
    /// (`UNION`, `CASE`, `COALESCE`, `ARRAY`, ...). Unknown literals count for nothing; all unknown, it is text.
    ///
    /// # Errors
    ///
    /// 42804 `CASE types integer and text cannot be matched`, with the index of the offending type.
    pub fn select_common_type(
        &self,
        types: &[Oid],
        context: &str,
    ) -> std::result::Result<Oid, (usize, helios_types::PgError)> {
        self.common_type(types).map_err(|(index, left, right)| {
            let (left, right) = (self.format_type(left), self.format_type(right));
            (index, mismatch(format!("{context} types {left} and {right} cannot be matched")))
        })
    }

    /// The common type, or the index of the type that does not fit and the two that do not match.
    pub(super) fn common_type(&self, types: &[Oid]) -> std::result::Result<Oid, (usize, Oid, Oid)> {
        let Some((&first, rest)) = types.split_first() else { return Ok(oid::TEXT) };
        if first != oid::UNKNOWN && rest.iter().all(|&other| other == first) {
            return Ok(first);
        }
        let mut chosen = self.base_type(first);
        let mut category = self.category(chosen);
        let mut preferred = self.is_preferred(category, chosen);
        for (index, &candidate) in rest.iter().enumerate() {
            let candidate = self.base_type(candidate);
            if candidate == oid::UNKNOWN || candidate == chosen {
                continue;
            }
            let candidate_category = self.category(candidate);
            let better = if chosen == oid::UNKNOWN {
                true
            } else if candidate_category != category {
                return Err((index + 1, chosen, candidate));
            } else {
                let implicitly = |from, to| self.can_coerce(&[from], &[to], CoercionContext::Implicit);
                !preferred && implicitly(chosen, candidate) && !implicitly(candidate, chosen)
            };
            if better {
                (chosen, category) = (candidate, candidate_category);
                preferred = self.is_preferred(category, chosen);
            }
        }
        Ok(if chosen == oid::UNKNOWN { oid::TEXT } else { chosen })
    }

    /// Whether all of these types can become the common type by themselves.
    pub(super) fn common_type_works(&self, common: Oid, types: &[Oid]) -> bool {
        types.iter().all(|&input| self.can_coerce(&[input], &[common], CoercionContext::Implicit))
    }
}

/// The modifier that expressions coerced to a common type have: theirs, if all have that type and the same one.
pub fn select_common_typmod(parts: &[(Oid, TypeMod)], common: Oid) -> TypeMod {
    match parts.split_first() {
        Some((&first, rest)) if first.0 == common && rest.iter().all(|&part| part == first) => first.1,
        _ => -1,
    }
}

impl Lookup<'_> {
    /// As [`Lookup::select_common_type`], with the error placed at the offending expression.
    ///
    /// # Errors
    ///
    /// As [`Lookup::select_common_type`], at `locations[index]`.
    pub fn select_common_type_at(&self, types: &[Oid], context: &str, locations: &[Option<usize>]) -> Result<Oid> {
        let place = |index: usize| locations.get(index).copied().flatten();
        self.select_common_type(types, context).map_err(|(index, error)| error.at(place(index)))
    }
}
