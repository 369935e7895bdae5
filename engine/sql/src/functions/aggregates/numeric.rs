//! Aggregates of numeric: sum and avg.

use helios_types::{ColumnData, Datum, NumericSum, Result, oid};

use super::{Accumulator, Entry, FunctionContext, Input};
use crate::functions::native::mismatch;

/// Aggregates of this module.
pub(super) const AGGREGATES: &[Entry] = &[
    ("sum", &[oid::NUMERIC], |_| Ok(Box::new(Sum { sums: Vec::new(), average: false }))),
    ("avg", &[oid::NUMERIC], |_| Ok(Box::new(Sum { sums: Vec::new(), average: true }))),
];

struct Sum {
    sums: Vec<NumericSum>,
    average: bool,
}

impl Accumulator for Sum {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, NumericSum::new());
    }

    fn feed(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        let ColumnData::Numeric(values) = &input.args[0].data else {
            mismatch("Numeric", &input.args[0].data.physical())
        };
        input.each_strict(|row, group| {
            self.sums[group].add(&values[row]);
            Ok(())
        })
    }

    fn retract(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<bool> {
        let ColumnData::Numeric(values) = &input.args[0].data else {
            mismatch("Numeric", &input.args[0].data.physical())
        };
        // All or nothing: what the greatest scale was is forgotten with the last value that had it.
        let before = self.sums.clone();
        let mut possible = true;
        input.each_strict(|row, group| {
            possible = possible && self.sums[group].remove(&values[row]);
            Ok(())
        })?;
        if !possible {
            self.sums = before;
        }
        Ok(possible)
    }

    fn finish(&mut self, _: &FunctionContext<'_>, group: usize, _: &[Datum]) -> Result<Datum> {
        let sum = &self.sums[group];
        Ok(match (sum.count(), self.average) {
            (0, _) => Datum::Null,
            (_, true) => Datum::Numeric(sum.average()?),
            (_, false) => Datum::Numeric(sum.sum()),
        })
    }

    fn reset(&mut self, group: usize) {
        self.sums[group] = NumericSum::new();
    }

    fn memory(&self) -> usize {
        self.sums.capacity() * size_of::<NumericSum>() + self.sums.iter().map(NumericSum::heap_memory).sum::<usize>()
    }
}
