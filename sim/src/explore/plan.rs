//! Which crash points of a script to look at, and how many images of each.
//!
//! A stage whose images fit its bound is looked at whole. Otherwise each of its points gets the same share, what some do
//! not need goes to the others, and where the shares would fall below [`SHARE_MIN`] there are fewer points.

use std::ops::Range;

use super::{Explore, Point, fates, sample};

/// All kept, all lost, and two between.
const SHARE_MIN: usize = 4;

/// A crash point to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) event: usize,
    pub(super) images_max: usize,
}

/// The crash points to look at, in order.
pub(super) fn plan<S>(config: &Explore, points: &[Point<S>]) -> Vec<Planned> {
    let mut events = sample(points.len(), config.points_max, config.seed);
    let stage = |event: usize| points[event].promised.stage;
    if let Some(stages) = &config.stages {
        events.retain(|event| stages.contains(&stage(*event)));
    }
    let mut planned = Vec::with_capacity(events.len());
    for events in events.chunk_by(|a, b| stage(*a) == stage(*b)) {
        let counts = events
            .iter()
            .map(|event| fates::count(&points[*event].cut, config.crash, config.cuts_max, config.images_max));
        let shares = shares(&counts.collect::<Vec<_>>(), config.stage_images_max, config.seed ^ stage(events[0]));
        planned.extend(shares.into_iter().map(|(index, images_max)| Planned { event: events[index], images_max }));
    }
    planned
}

/// Which of the points that have so many images are looked at, and at how many of each; `max` in all.
fn shares(counts: &[usize], max: usize, seed: u64) -> Vec<(usize, usize)> {
    let chosen = sample(counts.len(), (max / SHARE_MIN).max(1), seed);
    let sum = |share: usize| chosen.iter().fold(0usize, |sum, index| sum.saturating_add(counts[*index].min(share)));
    let most = chosen.iter().map(|index| counts[*index]).max().unwrap_or(0);
    let share = if sum(most) <= max { most } else { last(SHARE_MIN..most, |share| sum(share) <= max) };
    chosen.into_iter().map(|index| (index, counts[index].min(share))).collect()
}

/// The last number of a range for which something holds that ceases to; the first one if it never does.
fn last(range: Range<usize>, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (range.start, range.end);
    while high > low + 1 {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_looked_at_whole() {
        assert_eq!(shares(&[1, 40, 7], usize::MAX, 0), [(0, 1), (1, 40), (2, 7)]);
        assert_eq!(shares(&[1, 40, 7], 48, 0), [(0, 1), (1, 40), (2, 7)]);
    }

    #[test]
    fn what_one_does_not_need_goes_to_the_others() {
        assert_eq!(shares(&[1, 40, 7, 30], 30, 0), [(0, 1), (1, 11), (2, 7), (3, 11)]);
    }

    #[test]
    fn too_many_points_are_sampled() {
        let shares = shares(&[9; 100], 20, 7);
        assert_eq!(shares.len(), 5);
        assert!(shares.iter().all(|(_, images)| *images == 4));
    }
}
