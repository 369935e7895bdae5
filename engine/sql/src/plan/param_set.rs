//! Sets of executor parameters: what a part of a plan depends on, what has changed.

use smallvec::SmallVec;

/// A set of executor parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParamSet(SmallVec<[u64; 1]>);

impl ParamSet {
    /// Adds a parameter.
    pub fn insert(&mut self, param: usize) {
        let word = param / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (param % 64);
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, param: usize) {
        if let Some(word) = self.0.get_mut(param / 64) {
            *word &= !(1 << (param % 64));
        }
    }

    /// Whether the parameter is in the set.
    pub fn contains(&self, param: usize) -> bool {
        self.0.get(param / 64).is_some_and(|word| word >> (param % 64) & 1 == 1)
    }

    /// Whether the sets have a parameter in common.
    pub fn intersects(&self, other: &ParamSet) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Adds all parameters of another set.
    pub fn union(&mut self, other: &ParamSet) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    /// The parameters, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0
            .iter()
            .enumerate()
            .flat_map(|(index, word)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index * 64 + bit))
    }
}

impl FromIterator<usize> for ParamSet {
    fn from_iter<I: IntoIterator<Item = usize>>(params: I) -> ParamSet {
        let mut set = ParamSet::default();
        params.into_iter().for_each(|param| set.insert(param));
        set
    }
}
