//! What an aggregate is fed: a batch of argument columns and the group of each row.

use helios_types::{Bitmap, Column, Result};

use crate::functions::native::Native;

/// The groups of a batch's rows.
#[derive(Clone, Copy, Debug)]
pub enum Groups<'a> {
    /// All rows belong to one group (no GROUP BY, or a window's frame).
    One {
        /// The group.
        group: u32,
        /// How many rows there are.
        rows: usize,
    },
    /// The group of each row.
    Each(&'a [u32]),
}

impl Groups<'_> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Groups::One { rows, .. } => *rows,
            Groups::Each(groups) => groups.len(),
        }
    }
}

/// A batch for an aggregate.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The group of each row.
    pub groups: Groups<'a>,
    /// The arguments, one column each, as long as there are rows; none for `count(*)`.
    pub args: &'a [&'a Column],
    /// Rows that do not count: FILTER was not true, DISTINCT had seen them.
    pub skip: Option<&'a Bitmap>,
}

impl Input<'_> {
    /// Visits the rows that count, whether their arguments are NULL or not.
    #[inline]
    pub(super) fn each_row(&self, f: impl FnMut(usize, usize) -> Result<()>) -> Result<()> {
        self.walk(self.skip, f)
    }

    /// Visits the rows that count and have no NULL argument.
    #[inline]
    pub(super) fn each_strict(&self, f: impl FnMut(usize, usize) -> Result<()>) -> Result<()> {
        let mut absent = self.skip.into_iter().chain(self.args.iter().filter_map(|column| column.nulls.as_ref()));
        match (absent.next(), absent.next()) {
            (None, _) => self.walk(None, f),
            (Some(single), None) => self.walk(Some(single), f),
            (Some(first), Some(second)) => {
                let mut union = first.clone();
                second.ones().for_each(|row| union.set(row, true));
                absent.for_each(|more| more.ones().for_each(|row| union.set(row, true)));
                self.walk(Some(&union), f)
            }
        }
    }

    /// Visits the rows that count and have no NULL argument, with the first argument's value.
    #[inline]
    pub(super) fn each_value<T: Native>(&self, mut f: impl FnMut(usize, T) -> Result<()>) -> Result<()> {
        let values = T::slice(self.args[0]);
        self.each_strict(|row, group| f(group, values[row]))
    }

    #[inline]
    fn walk(&self, absent: Option<&Bitmap>, mut f: impl FnMut(usize, usize) -> Result<()>) -> Result<()> {
        match (self.groups, absent) {
            (Groups::One { group, rows }, None) => (0..rows).try_for_each(|row| f(row, group as usize)),
            (Groups::One { group, rows }, Some(absent)) => {
                (0..rows).filter(|row| !absent.get(*row)).try_for_each(|row| f(row, group as usize))
            }
            (Groups::Each(groups), None) => {
                groups.iter().enumerate().try_for_each(|(row, group)| f(row, *group as usize))
            }
            (Groups::Each(groups), Some(absent)) => groups
                .iter()
                .enumerate()
                .filter(|(row, _)| !absent.get(*row))
                .try_for_each(|(row, group)| f(row, *group as usize)),
        }
    }
}
