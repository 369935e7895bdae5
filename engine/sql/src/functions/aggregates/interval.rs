//! sum and avg of intervals. Infinite ones are counted apart, so that they can be taken out again.

use helios_types::datetime::{interval_divided, interval_minus, interval_plus};
use helios_types::{Datum, Interval, PgError, Result, SqlState, oid};

use super::{Accumulator, Entry, FunctionContext, Input};

/// Aggregates of this module.
pub(super) const AGGREGATES: &[Entry] = &[
    ("sum", &[oid::INTERVAL], |_| Ok(Box::new(Sum { sums: Vec::new(), average: false }))),
    ("avg", &[oid::INTERVAL], |_| Ok(Box::new(Sum { sums: Vec::new(), average: true }))),
];

#[derive(Clone, Copy, Default)]
struct Running {
    finite: i64,
    sum: Interval,
    positive: i64,
    negative: i64,
}

struct Sum {
    sums: Vec<Running>,
    average: bool,
}

impl Sum {
    fn step(&mut self, input: &Input<'_>, by: i64, combine: fn(Interval, Interval) -> Result<Interval>) -> Result<()> {
        input.each_value(|group, value: Interval| {
            let running = &mut self.sums[group];
            if value == Interval::INFINITY {
                running.positive += by;
            } else if value == Interval::NEGATIVE_INFINITY {
                running.negative += by;
            } else {
                running.sum = combine(running.sum, value)?;
                running.finite += by;
            }
            Ok(())
        })
    }
}

impl Accumulator for Sum {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, Running::default());
    }

    fn feed(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        self.step(input, 1, interval_plus)
    }

    fn retract(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<bool> {
        self.step(input, -1, interval_minus).map(|()| true)
    }

    fn finish(&mut self, _: &FunctionContext<'_>, group: usize, _: &[Datum]) -> Result<Datum> {
        let running = self.sums[group];
        Ok(match (running.positive > 0, running.negative > 0) {
            (true, true) => {
                return Err(PgError::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range"));
            }
            (true, false) => Datum::Interval(Interval::INFINITY),
            (false, true) => Datum::Interval(Interval::NEGATIVE_INFINITY),
            (false, false) if running.finite == 0 => Datum::Null,
            (false, false) if self.average => Datum::Interval(interval_divided(running.sum, running.finite as f64)?),
            (false, false) => Datum::Interval(running.sum),
        })
    }

    fn reset(&mut self, group: usize) {
        self.sums[group] = Running::default();
    }

    fn memory(&self) -> usize {
        self.sums.capacity() * size_of::<Running>()
    }
}
