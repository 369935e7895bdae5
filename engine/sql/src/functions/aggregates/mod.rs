//! Aggregates: states for many groups at once.
//!
//! The executor gives every group a number, counting from 0, and feeds batches of arguments with the group of each row;
//! a state keeps its values per group side by side in vectors, so that a batch costs one dynamic call.
//!
//! ```text
//!   groups   2  0  2  1          sums  [ 7, 5, 3+4 ]
//!   x        3  7  4  5    ──▶   seen  [ 1, 1, 1   ]
//! ```
//!
//! DISTINCT and ORDER BY are the feeder's business: it leaves out duplicates, or feeds rows in order. FILTER is a
//! `skip` bitmap, or rows that are not handed over. NULL arguments are the state's business, since `count(x)` and `array_agg(x)` differ there. The state of
//! an ordered-set aggregate is fed its sorted column alone and gets the direct arguments when it finishes.
//!
//! An aggregate is found by its name and its *declared* argument types (`pg_proc.proname`, `proargtypes`: polymorphic
//! ones are `anyelement` and so on), because all of them share one `prosrc`.

mod boolean;
mod collect;
mod count;
mod extreme;
mod float;
mod input;
mod integer;
mod interval;
mod numeric;
mod ordered;
mod regression;
mod spread;

use helios_types::{Column, Datum, Oid, Result};

use super::FunctionContext;

pub use input::{Groups, Input};

/// The running states of one aggregate call, for many groups at once.
pub trait Accumulator: Send {
    /// Makes room for the groups `0..groups`; those that were there stay. Called before any of them is fed.
    fn resize(&mut self, groups: usize);

    /// Adds rows to their groups. An error is the statement's.
    fn feed(&mut self, context: &FunctionContext<'_>, input: &Input<'_>) -> Result<()>;

    /// Adds `groups.len()` rows: row `i` of every column goes to the group `groups[i]`. `args` is empty for `count(*)`.
    fn update(&mut self, context: &FunctionContext<'_>, groups: &[u32], args: &[&Column]) -> Result<()> {
        self.feed(context, &Input { groups: Groups::Each(groups), args, skip: None })
    }

    /// Adds `rows` rows, all to the group `group`: the ungrouped case.
    fn update_one(&mut self, context: &FunctionContext<'_>, group: u32, args: &[&Column], rows: usize) -> Result<()> {
        self.feed(context, &Input { groups: Groups::One { group, rows }, args, skip: None })
    }

    /// Takes rows out again that were added first (a window frame's start moved on). `false`: it cannot, nothing
    /// happened, and the caller must bring the group back with [`Accumulator::reset`] and add what remains.
    fn retract(&mut self, _context: &FunctionContext<'_>, _input: &Input<'_>) -> Result<bool> {
        Ok(false)
    }

    /// Brings a group back to where nothing was added.
    fn reset(&mut self, group: usize);

    /// The aggregate's value for a group, which keeps its state: a window function goes on adding. `direct` are the
    /// direct arguments of an ordered-set aggregate.
    fn finish(&mut self, context: &FunctionContext<'_>, group: usize, direct: &[Datum]) -> Result<Datum>;

    /// About how many bytes the states occupy.
    fn memory(&self) -> usize;
}

/// Makes the states of an aggregate call; argument and result types are in the context.
pub type Aggregate = fn(&FunctionContext<'_>) -> Result<Box<dyn Accumulator>>;

/// A bound aggregate: name, declared argument types, what makes its states.
type Entry = (&'static str, &'static [Oid], Aggregate);

/// The tables of all topics.
const TOPICS: &[&[Entry]] = &[
    boolean::AGGREGATES,
    collect::AGGREGATES,
    count::AGGREGATES,
    extreme::AGGREGATES,
    float::AGGREGATES,
    integer::AGGREGATES,
    interval::AGGREGATES,
    numeric::AGGREGATES,
    ordered::AGGREGATES,
    regression::AGGREGATES,
    spread::AGGREGATES,
];

/// Every bound aggregate: name and declared argument types.
pub fn bound() -> impl Iterator<Item = (&'static str, &'static [Oid])> {
    TOPICS.iter().flat_map(|topic| topic.iter()).map(|(name, args, _)| (*name, *args))
}

/// What makes the states of a builtin aggregate, by its name and declared argument types, if it is bound.
pub fn lookup(name: &str, declared: &[Oid]) -> Option<Aggregate> {
    TOPICS
        .iter()
        .flat_map(|topic| topic.iter())
        .find(|(entry, args, _)| *entry == name && *args == declared)
        .map(|(_, _, factory)| *factory)
}
