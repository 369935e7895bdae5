//! Ordered-set aggregates: mode, percentile_disc, percentile_cont. They are fed in WITHIN GROUP's order.

use std::sync::Arc;

use helios_types::datetime::{interval_minus, interval_plus, interval_times};
use helios_types::{Array, Datum, Oid, PgError, Result, SqlState, compare, io, oid};

use super::{Accumulator, Entry, FunctionContext, Input};
use crate::functions::arguments::{f64_at, interval_at};

const FLOAT8_ARRAY: Oid = oid::FLOAT8_ARRAY;

/// Aggregates of this module.
pub(super) const AGGREGATES: &[Entry] = &[
    ("mode", &[oid::ANYELEMENT], |_| Ok(Sorted::boxed(mode))),
    ("percentile_disc", &[oid::FLOAT8, oid::ANYELEMENT], |_| Ok(Sorted::boxed(percentile_disc))),
    ("percentile_disc", &[FLOAT8_ARRAY, oid::ANYELEMENT], |_| Ok(Sorted::boxed(percentiles_disc))),
    ("percentile_cont", &[oid::FLOAT8, oid::FLOAT8], |_| Ok(Sorted::boxed(percentile_cont))),
    ("percentile_cont", &[oid::FLOAT8, oid::INTERVAL], |_| Ok(Sorted::boxed(percentile_cont))),
    ("percentile_cont", &[FLOAT8_ARRAY, oid::FLOAT8], |_| Ok(Sorted::boxed(percentiles_cont))),
    ("percentile_cont", &[FLOAT8_ARRAY, oid::INTERVAL], |_| Ok(Sorted::boxed(percentiles_cont))),
];

/// The result for a group's sorted values, of which there is at least one.
type Finish = fn(&FunctionContext<'_>, &[Datum], &[Datum]) -> Result<Datum>;

/// Each group's values that are not NULL, in order.
struct Sorted {
    values: Vec<Vec<Datum>>,
    finish: Finish,
}

impl Sorted {
    fn boxed(finish: Finish) -> Box<dyn Accumulator> {
        Box::new(Sorted { values: Vec::new(), finish })
    }
}

impl Accumulator for Sorted {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, Vec::new());
    }

    fn feed(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        let column = input.args[input.args.len() - 1];
        input.each_strict(|row, group| {
            self.values[group].push(column.get(row));
            Ok(())
        })
    }

    fn finish(&mut self, ctx: &FunctionContext<'_>, group: usize, direct: &[Datum]) -> Result<Datum> {
        (self.finish)(ctx, &self.values[group], direct)
    }

    fn reset(&mut self, group: usize) {
        self.values[group].clear();
    }

    fn memory(&self) -> usize {
        let of = |values: &Vec<Datum>| {
            values.capacity() * size_of::<Datum>() + values.iter().map(Datum::heap_memory).sum::<usize>()
        };
        self.values.capacity() * size_of::<Vec<Datum>>() + self.values.iter().map(of).sum::<usize>()
    }
}

/// The most frequent value; of several, the first.
fn mode(ctx: &FunctionContext<'_>, values: &[Datum], _: &[Datum]) -> Result<Datum> {
    let ty = *ctx.arg_types.last().unwrap_or(&Oid::NONE);
    let mut best: (usize, &Datum) = (0, &Datum::Null);
    for run in values.chunk_by(|a, b| compare(ty, a, b).is_eq()) {
        if run.len() > best.0 {
            best = (run.len(), &run[0]);
        }
    }
    Ok(best.1.clone())
}

fn check(fraction: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&fraction) {
        return Ok(fraction);
    }
    let mut shown = String::new();
    io::output(oid::FLOAT8, &Datum::F64(fraction), &io::Style::default(), &mut shown);
    Err(PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("percentile value {shown} is not between 0 and 1")))
}

/// The first value that so large a part of the values is not behind.
fn discrete(values: &[Datum], fraction: f64) -> Datum {
    let place = (fraction * values.len() as f64).ceil() as usize;
    values[place.max(1) - 1].clone()
}

/// The value at so large a part of the way, between two values if need be.
fn continuous(values: &[Datum], fraction: f64) -> Result<Datum> {
    let place = fraction * (values.len() - 1) as f64;
    let (below, above) = (place.floor(), place.ceil());
    let pair = [values[below as usize].clone(), values[above as usize].clone()];
    if below == above {
        return Ok(pair[0].clone());
    }
    let part = place - below;
    Ok(match &pair[0] {
        Datum::Interval(low) => {
            let way = interval_times(interval_minus(interval_at(&pair, 1), *low)?, part)?;
            Datum::Interval(interval_plus(way, *low)?)
        }
        _ => {
            let (low, high) = (f64_at(&pair, 0), f64_at(&pair, 1));
            Datum::F64(low + part * (high - low))
        }
    })
}

fn percentile_disc(_: &FunctionContext<'_>, values: &[Datum], direct: &[Datum]) -> Result<Datum> {
    if direct[0].is_null() {
        return Ok(Datum::Null);
    }
    let fraction = check(f64_at(direct, 0))?;
    Ok(if values.is_empty() { Datum::Null } else { discrete(values, fraction) })
}

fn percentile_cont(_: &FunctionContext<'_>, values: &[Datum], direct: &[Datum]) -> Result<Datum> {
    if direct[0].is_null() {
        return Ok(Datum::Null);
    }
    let fraction = check(f64_at(direct, 0))?;
    if values.is_empty() { Ok(Datum::Null) } else { continuous(values, fraction) }
}

/// One result per fraction, in an array of the same shape.
fn each(
    ctx: &FunctionContext<'_>,
    values: &[Datum],
    direct: &[Datum],
    one: impl Fn(f64) -> Result<Datum>,
) -> Result<Datum> {
    let Datum::Array(fractions) = &direct[0] else { return Ok(Datum::Null) };
    if values.is_empty() {
        return Ok(Datum::Null);
    }
    let element = oid::array_element(ctx.result.oid).unwrap_or(*ctx.arg_types.last().unwrap_or(&Oid::NONE));
    let result = |fraction: &Datum| match fraction {
        Datum::F64(fraction) => one(check(*fraction)?),
        _ => Ok(Datum::Null),
    };
    Ok(Datum::Array(Arc::new(Array {
        element_type: element,
        dimensions: fractions.dimensions.clone(),
        elements: fractions.elements.iter().map(result).collect::<Result<Vec<Datum>>>()?,
    })))
}

fn percentiles_disc(ctx: &FunctionContext<'_>, values: &[Datum], direct: &[Datum]) -> Result<Datum> {
    each(ctx, values, direct, |fraction| Ok(discrete(values, fraction)))
}

fn percentiles_cont(ctx: &FunctionContext<'_>, values: &[Datum], direct: &[Datum]) -> Result<Datum> {
    each(ctx, values, direct, |fraction| continuous(values, fraction))
}
