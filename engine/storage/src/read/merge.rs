//! Merging sources into one order.
//!
//! The source in front is compared with the runner-up only: as long as it stays in front, a step costs one comparison,
//! however many sources there are. Sources are few (a handful of memtables and files of level 0, one per deeper level),
//! so when the lead changes all are looked at.

use std::cmp::Ordering;
use std::task::{Context, Poll, ready};

use super::Source;
use crate::{Direction, Result};

/// See the module's documentation.
pub(crate) struct Merge {
    sources: Vec<Source>,
    direction: Direction,
    /// Sources whose [`Source::poll_ready`] must be polled before the next look.
    moved: Moved,
    front: Option<usize>,
    runner_up: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Moved {
    All,
    Front,
    None,
}

impl Merge {
    pub(crate) fn new(sources: Vec<Source>, direction: Direction) -> Merge {
        Merge { sources, direction, moved: Moved::All, front: None, runner_up: None }
    }

    /// Ready with whether there is an entry in front.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool>> {
        match (self.moved, self.front) {
            (Moved::Front, Some(front)) => {
                ready!(self.sources[front].poll_ready(cx))?;
                let leads = match self.runner_up {
                    None => self.sources[front].entry().is_some(),
                    Some(runner_up) => self.compare(front, runner_up) == Ordering::Less,
                };
                if !leads {
                    self.choose();
                }
            }
            (Moved::All, _) => {
                // All are asked before any is waited for, so that their reads are under way together.
                let mut pending = false;
                for source in &mut self.sources {
                    match source.poll_ready(cx) {
                        Poll::Ready(result) => result?,
                        Poll::Pending => pending = true,
                    }
                }
                if pending {
                    return Poll::Pending;
                }
                self.choose();
            }
            (Moved::Front | Moved::None, _) => (),
        }
        self.moved = Moved::None;
        Poll::Ready(Ok(self.front.is_some()))
    }

    /// The source in front. There is one.
    #[inline]
    pub(crate) fn front(&self) -> &Source {
        &self.sources[self.front.expect("the merge stands on an entry")]
    }

    /// Moves on; [`Merge::poll_ready`] comes before the next look.
    pub(crate) fn advance(&mut self) -> Result<()> {
        self.moved = Moved::Front;
        self.sources[self.front.expect("the merge stands on an entry")].advance()
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        let ordering = match (self.sources[a].entry(), self.sources[b].entry()) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => return Ordering::Greater,
            (Some(_), None) => return Ordering::Less,
            (Some((key_a, ts_a)), Some((key_b, ts_b))) => key_a.cmp(key_b).then(ts_b.cmp(&ts_a)),
        };
        match self.direction {
            Direction::Forward => ordering,
            Direction::Backward => ordering.reverse(),
        }
    }

    fn choose(&mut self) {
        let (mut front, mut runner_up) = (None, None);
        for source in 0..self.sources.len() {
            if self.sources[source].entry().is_none() {
                continue;
            }
            match front {
                None => front = Some(source),
                Some(best) if self.compare(source, best) == Ordering::Less => {
                    runner_up = front;
                    front = Some(source);
                }
                Some(_) => match runner_up {
                    Some(second) if self.compare(source, second) != Ordering::Less => (),
                    _ => runner_up = Some(source),
                },
            }
        }
        (self.front, self.runner_up) = (front, runner_up);
    }
}
