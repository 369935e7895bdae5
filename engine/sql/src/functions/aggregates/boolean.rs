//! bool_and (every) and bool_or.

use helios_types::{Datum, Result, oid};

use super::{Accumulator, Entry, FunctionContext, Input};

/// Aggregates of this module.
pub(super) const AGGREGATES: &[Entry] = &[
    ("bool_and", &[oid::BOOL], |_| Ok(Box::new(Truth { counts: Vec::new(), any: false }))),
    ("every", &[oid::BOOL], |_| Ok(Box::new(Truth { counts: Vec::new(), any: false }))),
    ("bool_or", &[oid::BOOL], |_| Ok(Box::new(Truth { counts: Vec::new(), any: true }))),
];

/// How many rows were false and true per group; so that rows can be taken out again.
struct Truth {
    counts: Vec<[i64; 2]>,
    any: bool,
}

impl Accumulator for Truth {
    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, [0, 0]);
    }

    fn feed(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        input.each_value(|group, value: bool| {
            self.counts[group][usize::from(value)] += 1;
            Ok(())
        })
    }

    fn finish(&mut self, _: &FunctionContext<'_>, group: usize, _: &[Datum]) -> Result<Datum> {
        let [falses, trues] = self.counts[group];
        Ok(if falses + trues == 0 { Datum::Null } else { Datum::Bool(if self.any { trues > 0 } else { falses == 0 }) })
    }

    fn retract(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<bool> {
        input.each_value(|group, value: bool| {
            self.counts[group][usize::from(value)] -= 1;
            Ok(())
        })?;
        Ok(true)
    }

    fn reset(&mut self, group: usize) {
        self.counts[group] = [0, 0];
    }

    fn memory(&self) -> usize {
        self.counts.capacity() * 16
    }
}
