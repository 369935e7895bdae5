//! Which combinations of fates to look at.
//!
//! While all of them fit the bound, all of them. Otherwise the combinations that real disks and real bugs favour, in
//! this order: everything kept; everything lost; a prefix kept with the change behind it in every fate (a disk that
//! writes in order); each change alone in each fate against a background of everything lost, and of everything kept.
//! If there are more of these than the bound, a sample of them; if there are fewer, the rest is drawn at random.

use crate::choices::Choices;
use crate::disk::{Crash, Fate, PowerCut};

/// The combinations of one crash point.
pub(super) struct Combinations<'a> {
    cut: &'a PowerCut,
    crash: Crash,
    choices: &'a Choices,
    fates: Vec<Vec<Fate>>,
    plan: Plan,
}

enum Plan {
    /// A number in the mixed radix of the changes' fates, and how many there are.
    All { next: u64, count: u64 },
    /// Recipes yet to be followed, the last first, and random draws after them.
    Some { recipes: Vec<Recipe>, random: usize },
}

#[derive(Clone, Copy)]
enum Recipe {
    Kept,
    Lost,
    /// Before the change everything is kept, behind it everything lost.
    InOrder {
        change: usize,
        fate: Fate,
    },
    /// Everything else is lost, or kept.
    Alone {
        change: usize,
        fate: Fate,
        others_kept: bool,
    },
}

/// How many combinations [`combinations`] would give.
pub(super) fn count(cut: &PowerCut, crash: Crash, cuts_max: u32, max: usize) -> usize {
    let fates = |i| cut.fates(i, crash, cuts_max).len() as u64;
    let product = (0..cut.changes()).try_fold(1u64, |product, i| product.checked_mul(fates(i)));
    product.map_or(max, |count| usize::try_from(count).unwrap_or(max).min(max))
}

/// At most `max` combinations of fates of the changes in `cut`.
pub(super) fn combinations<'a>(
    cut: &'a PowerCut,
    crash: Crash,
    cuts_max: u32,
    max: usize,
    choices: &'a Choices,
) -> Combinations<'a> {
    let fates: Vec<Vec<Fate>> = (0..cut.changes()).map(|i| cut.fates(i, crash, cuts_max)).collect();
    let product = fates.iter().try_fold(1u64, |product, list| product.checked_mul(list.len() as u64));
    let plan = match product {
        Some(count) if count <= max as u64 && crash.reorder => Plan::All { next: 0, count },
        _ => {
            let mut recipes = vec![Recipe::Kept, Recipe::Lost];
            for (change, list) in fates.iter().enumerate() {
                recipes.extend(list.iter().map(|fate| Recipe::InOrder { change, fate: *fate }));
            }
            for (change, list) in fates.iter().enumerate().filter(|_| crash.reorder) {
                for others_kept in [false, true] {
                    recipes.extend(list.iter().map(|fate| Recipe::Alone { change, fate: *fate, others_kept }));
                }
            }
            while recipes.len() > max.max(2) {
                // The first two stay.
                recipes.swap_remove(2 + choices.pick("explore.sample", recipes.len() - 2));
            }
            let random = if crash.reorder { max.saturating_sub(recipes.len()) } else { 0 };
            recipes.reverse();
            Plan::Some { recipes, random }
        }
    };
    Combinations { cut, crash, choices, fates, plan }
}

impl Combinations<'_> {
    fn lost(&self, change: usize) -> Fate {
        if self.fates[change].contains(&Fate::Lost) { Fate::Lost } else { Fate::Kept }
    }

    fn follow(&self, recipe: Recipe) -> Vec<Fate> {
        let fate_of = |i: usize| match recipe {
            Recipe::Kept => Fate::Kept,
            Recipe::Lost => self.lost(i),
            Recipe::InOrder { change, fate } => match i.cmp(&change) {
                std::cmp::Ordering::Less => Fate::Kept,
                std::cmp::Ordering::Equal => fate,
                std::cmp::Ordering::Greater => self.lost(i),
            },
            Recipe::Alone { change, fate, .. } if i == change => fate,
            Recipe::Alone { others_kept: true, .. } => Fate::Kept,
            Recipe::Alone { .. } => self.lost(i),
        };
        (0..self.fates.len()).map(fate_of).collect()
    }
}

impl Iterator for Combinations<'_> {
    type Item = Vec<Fate>;

    fn next(&mut self) -> Option<Vec<Fate>> {
        let recipe = match &mut self.plan {
            Plan::All { next, count } => {
                let mut number = *next;
                if number == *count {
                    return None;
                }
                *next += 1;
                let digit = |list: &Vec<Fate>| {
                    let digit = (number % list.len() as u64) as usize;
                    number /= list.len() as u64;
                    list[digit]
                };
                return Some(self.fates.iter().map(digit).collect());
            }
            Plan::Some { recipes, random } => match recipes.pop() {
                Some(recipe) => recipe,
                None => {
                    *random = random.checked_sub(1)?;
                    return Some(self.cut.draw(self.crash, self.choices));
                }
            },
        };
        Some(self.follow(recipe))
    }
}
