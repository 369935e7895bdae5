//! Which operator an expression means.

use helios_types::{Oid, PgError, Result, SqlState, oid};

use super::Lookup;
use super::select::Candidate;
use crate::facts::{self, Operator};

/// An operator and the types that its arguments are to be coerced to.
#[derive(Clone, Debug)]
pub struct OperatorCall {
    /// The operator.
    pub operator: &'static Operator,
    /// Types of the arguments, polymorphic ones made concrete: one for a prefix operator, two for others.
    pub arg_types: Vec<Oid>,
    /// Type of the result.
    pub result: Oid,
}

/// An operator among others of its name.
struct OperatorCandidate {
    operator: &'static Operator,
    parameters: Vec<Oid>,
}

impl Candidate for OperatorCandidate {
    fn parameters(&self) -> &[Oid] {
        &self.parameters
    }
}

enum Outcome {
    Found(&'static Operator),
    Ambiguous,
    Missing,
}

impl Lookup<'_> {
    /// The operator `left name right`.
    ///
    /// # Errors
    ///
    /// 42883 `operator does not exist: integer + text`, 42725 `operator is not unique: unknown + unknown`, with
    /// PostgreSQL's hints; 3F000 when the schema does not exist.
    pub fn binary_operator(&self, schema: Option<&str>, name: &str, left: Oid, right: Oid) -> Result<OperatorCall> {
        let candidates = self.operators(schema, name, false)?;
        let found = match self.exact_binary(&candidates, left, right) {
            Some(operator) => Outcome::Found(operator),
            None => self.best_operator(candidates, &[left, right]),
        };
        self.operator_call(found, schema, name, &[left, right])
    }

    /// The operator `name right`.
    ///
    /// # Errors
    ///
    /// As [`Lookup::binary_operator`].
    pub fn prefix_operator(&self, schema: Option<&str>, name: &str, right: Oid) -> Result<OperatorCall> {
        let candidates = self.operators(schema, name, true)?;
        let found = match candidates.iter().find(|operator| operator.right == right) {
            Some(operator) => Outcome::Found(operator),
            None => self.best_operator(candidates, &[right]),
        };
        self.operator_call(found, schema, name, &[right])
    }

    /// The visible operators of a name and kind; of those with the same types, the first in the path.
    fn operators(&self, schema: Option<&str>, name: &str, prefix: bool) -> Result<Vec<&'static Operator>> {
        let only_schema = schema.map(|schema| self.catalog.lookup_schema(schema)).transpose()?;
        let place = |operator: &Operator| match only_schema {
            Some(schema) => (operator.namespace == schema).then_some(0),
            None => self.search_path.iter().position(|&schema| schema == operator.namespace),
        };
        let mut found: Vec<(usize, &'static Operator)> = Vec::new();
        for operator in facts::operators().by_name(name).iter().filter(|operator| operator.prefix == prefix) {
            let Some(place) = place(operator) else { continue };
            let same = |other: &(usize, &Operator)| (other.1.left, other.1.right) == (operator.left, operator.right);
            match found.iter_mut().find(|other| same(other)) {
                Some(other) if place < other.0 => *other = (place, operator),
                Some(_) => {}
                None => found.push((place, operator)),
            }
        }
        Ok(found.into_iter().map(|(_, operator)| operator).collect())
    }

    /// An operator of exactly these types, an unknown one taken for the other.
    fn exact_binary(&self, candidates: &[&'static Operator], left: Oid, right: Oid) -> Option<&'static Operator> {
        let find = |left: Oid, right: Oid| {
            candidates.iter().find(|operator| (operator.left, operator.right) == (left, right)).copied()
        };
        let assumed = match (left, right) {
            (oid::UNKNOWN, other) | (other, oid::UNKNOWN) if !other.is_none() => other,
            _ => return find(left, right),
        };
        find(assumed, assumed).or_else(|| {
            let base = self.base_type(assumed);
            if base == assumed { None } else { find(base, base) }
        })
    }

    fn best_operator(&self, candidates: Vec<&'static Operator>, inputs: &[Oid]) -> Outcome {
        let candidate = |operator: &'static Operator| {
            let parameters = if operator.prefix { vec![operator.right] } else { vec![operator.left, operator.right] };
            OperatorCandidate { operator, parameters }
        };
        let mut matching = self.matching(inputs, candidates.into_iter().map(candidate).collect());
        match matching.len() {
            0 => Outcome::Missing,
            1 => Outcome::Found(matching.remove(0).operator),
            _ => match self.select_candidate(inputs, matching) {
                Some(best) => Outcome::Found(best.operator),
                None => Outcome::Ambiguous,
            },
        }
    }

    fn operator_call(
        &self,
        outcome: Outcome,
        schema: Option<&str>,
        name: &str,
        inputs: &[Oid],
    ) -> Result<OperatorCall> {
        match outcome {
            Outcome::Found(operator) => {
                let declared: &[Oid] = &[operator.left, operator.right];
                let declared = if operator.prefix { &declared[1..] } else { declared };
                let (arg_types, result) = self.resolve_polymorphic(inputs, declared, operator.result)?;
                Ok(OperatorCall { operator, arg_types, result })
            }
            Outcome::Ambiguous => {
                let message = format!("operator is not unique: {}", self.operator_signature(schema, name, inputs));
                Err(PgError::new(SqlState::AMBIGUOUS_FUNCTION, message).with_hint(
                    "Could not choose a best candidate operator. You might need to add explicit type casts.",
                ))
            }
            Outcome::Missing => {
                let message = format!("operator does not exist: {}", self.operator_signature(schema, name, inputs));
                let hint = match inputs.len() {
                    1 => {
                        "No operator matches the given name and argument type. You might need to add an explicit type cast."
                    }
                    _ => {
                        "No operator matches the given name and argument types. You might need to add explicit type casts."
                    }
                };
                Err(PgError::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(hint))
            }
        }
    }

    /// `integer + text`, `- text`.
    fn operator_signature(&self, schema: Option<&str>, name: &str, inputs: &[Oid]) -> String {
        let name = schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"));
        match inputs {
            [right] => format!("{name} {}", self.format_type(*right)),
            [left, right] => format!("{} {name} {}", self.format_type(*left), self.format_type(*right)),
            _ => name,
        }
    }
}
