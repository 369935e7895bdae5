//! count(*), count(x), and regr_count, which counts pairs.

use helios_types::{Datum, Result, oid};

use super::{Accumulator, Entry, FunctionContext, Groups, Input};

/// Aggregates of this module.
pub(super) const AGGREGATES: &[Entry] = &[
    ("count", &[], |_| Ok(Box::new(Count::default()))),
    ("count", &[oid::ANY], |_| Ok(Box::new(Count::default()))),
    ("regr_count", &[oid::FLOAT8, oid::FLOAT8], |_| Ok(Box::new(Count::default()))),
];

/// Rows counted per group; those with a NULL argument are left out.
#[derive(Default)]
struct Count(Vec<i64>);

impl Count {
    fn add(&mut self, input: &Input<'_>, step: i64) -> Result<()> {
        if let (Groups::One { group, rows }, None, true) =
            (input.groups, input.skip, input.args.iter().all(|column| column.nulls.is_none()))
        {
            self.0[group as usize] += step * rows as i64;
            return Ok(());
        }
        input.each_strict(|_, group| {
            self.0[group] += step;
            Ok(())
        })
    }
}

impl Accumulator for Count {
    fn resize(&mut self, groups: usize) {
        self.0.resize(groups, 0);
    }

    fn feed(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        self.add(input, 1)
    }

    fn finish(&mut self, _: &FunctionContext<'_>, group: usize, _: &[Datum]) -> Result<Datum> {
        Ok(Datum::I64(self.0[group]))
    }

    fn retract(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<bool> {
        self.add(input, -1).map(|()| true)
    }

    fn reset(&mut self, group: usize) {
        self.0[group] = 0;
    }

    fn memory(&self) -> usize {
        self.0.capacity() * 8
    }
}
