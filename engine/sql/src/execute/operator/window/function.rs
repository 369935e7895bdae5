//! What window functions compute over a partition.

use helios_types::{Bitmap, Column, ColumnBuilder, Datum, PgError, Result, SqlState};

use super::Partition;
use super::frame::Frames;
use crate::execute::context::ExecutionContext;
use crate::execute::expression::true_bits;
use crate::functions::aggregates::{Accumulator, Groups, Input};
use crate::functions::{CallCache, FunctionContext};
use crate::plan::{WindowFunction, WindowKind};

/// A call's value for every row of the partition.
pub(super) fn compute(
    call: &WindowFunction,
    partition: &Partition<'_>,
    frames: &Frames,
    context: &ExecutionContext,
) -> Result<Column> {
    let mut builder = ColumnBuilder::new(call.ty.oid, partition.len);
    match call.kind {
        WindowKind::Builtin(source) => builtin(source, call, partition, frames, &mut builder)?,
        WindowKind::Aggregate(factory) => {
            let cache = CallCache::default();
            let function_context = FunctionContext {
                session: &context.session,
                collation: call.collation,
                arg_types: &call.arg_types,
                result: call.ty,
                variadic: false,
                cache: &cache,
            };
            let accumulator = factory(&function_context)?;
            let mut moving = Moving::new(call, partition, accumulator, function_context);
            for row in 0..partition.len {
                builder.push(&moving.value(frames, row)?);
            }
        }
    }
    Ok(builder.finish())
}

/// An aggregate whose frame moves from row to row.
struct Moving<'a> {
    accumulator: Box<dyn Accumulator>,
    context: FunctionContext<'a>,
    args: Vec<Column>,
    skip: Option<Bitmap>,
    /// The rows that were added.
    added: (usize, usize),
    last: Option<Datum>,
}

impl<'a> Moving<'a> {
    fn new(
        call: &WindowFunction,
        partition: &Partition<'_>,
        mut accumulator: Box<dyn Accumulator>,
        context: FunctionContext<'a>,
    ) -> Moving<'a> {
        accumulator.resize(1);
        let slice = |column: usize| partition.columns[column].slice(partition.from, partition.len);
        let skip = call.filter.map(|filter| {
            let mut skip = true_bits(&slice(filter));
            skip.invert();
            skip
        });
        Moving {
            accumulator,
            context,
            args: call.args.iter().map(|arg| slice(*arg)).collect(),
            skip,
            added: (0, 0),
            last: None,
        }
    }

    fn value(&mut self, frames: &Frames, row: usize) -> Result<Datum> {
        if !frames.is_contiguous() {
            self.accumulator.reset(0);
            for (from, to) in frames.ranges(row) {
                self.feed(from, to)?;
            }
            return self.accumulator.finish(&self.context, 0, &[]);
        }
        let (start, end) = frames.bounds(row);
        if self.added == (start, end)
            && let Some(last) = &self.last
        {
            return Ok(last.clone());
        }
        let (old_start, old_end) = self.added;
        let overlaps = start >= old_start && start <= old_end && end >= old_end;
        let kept = overlaps && (start == old_start || self.retract(old_start, start)?);
        if kept {
            self.feed(old_end, end)?;
        } else {
            self.accumulator.reset(0);
            self.feed(start, end)?;
        }
        self.added = (start, end);
        let value = self.accumulator.finish(&self.context, 0, &[])?;
        self.last = Some(value.clone());
        Ok(value)
    }

    fn with_rows<T>(
        &mut self,
        from: usize,
        to: usize,
        work: impl FnOnce(&mut dyn Accumulator, &FunctionContext<'_>, &Input<'_>) -> Result<T>,
    ) -> Result<T> {
        let columns: Vec<Column> = self.args.iter().map(|arg| arg.slice(from, to - from)).collect();
        let args: smallvec::SmallVec<[&Column; 4]> = columns.iter().collect();
        let skip = self.skip.as_ref().map(|skip| skip.gather(from..to));
        let input = Input { groups: Groups::One { group: 0, rows: to - from }, args: &args, skip: skip.as_ref() };
        work(&mut *self.accumulator, &self.context, &input)
    }

    fn feed(&mut self, from: usize, to: usize) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        self.with_rows(from, to, |accumulator, context, input| accumulator.feed(context, input))
    }

    fn retract(&mut self, from: usize, to: usize) -> Result<bool> {
        self.with_rows(from, to, |accumulator, context, input| accumulator.retract(context, input))
    }
}

/// The functions that are nothing but window functions.
fn builtin(
    source: &str,
    call: &WindowFunction,
    partition: &Partition<'_>,
    frames: &Frames,
    out: &mut ColumnBuilder,
) -> Result<()> {
    let len = partition.len;
    let peers = &partition.peers;
    match source {
        "window_row_number" => (1..=len as i64).for_each(|number| out.push_i64(number)),
        "window_rank" => peers.iter().for_each(|(first, _)| out.push_i64(i64::from(*first) + 1)),
        "window_dense_rank" => {
            let mut rank = 0;
            for (row, (first, _)) in peers.iter().enumerate() {
                rank += i64::from(*first as usize == row);
                out.push_i64(rank);
            }
        }
        "window_percent_rank" => {
            let rank = |first: u32| if len > 1 { f64::from(first) / (len - 1) as f64 } else { 0.0 };
            peers.iter().for_each(|(first, _)| out.push_f64(rank(*first)));
        }
        "window_cume_dist" => peers.iter().for_each(|(_, last)| out.push_f64(f64::from(*last) / len as f64)),
        "window_ntile" => ntile(&partition.value(call.args[0], 0), len, out)?,
        "window_lag" | "window_lag_with_offset" | "window_lag_with_offset_and_default" => {
            shifted(call, partition, -1, out);
        }
        "window_lead" | "window_lead_with_offset" | "window_lead_with_offset_and_default" => {
            shifted(call, partition, 1, out);
        }
        "window_first_value" | "window_last_value" | "window_nth_value" => {
            for row in 0..len {
                let found = picked(source, call, partition, frames, row)?;
                match found {
                    Some(found) => out.push(&partition.value(call.args[0], found)),
                    None => out.push_null(),
                }
            }
        }
        other => return Err(PgError::unsupported(format_args!("window function {other}"))),
    }
    Ok(())
}

/// `ntile(n)`: as equal parts as can be, larger ones first.
fn ntile(count: &Datum, len: usize, out: &mut ColumnBuilder) -> Result<()> {
    let Datum::I32(count) = count else {
        (0..len).for_each(|_| out.push_null());
        return Ok(());
    };
    let count = usize::try_from(*count)
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| PgError::new(SqlState(*b"22014"), "argument of ntile must be greater than zero"))?;
    let (size, larger) = (len / count, len % count);
    for row in 0..len {
        let boundary = larger * (size + 1);
        let tile = if row < boundary { row / (size + 1) } else { larger + (row - boundary) / size };
        out.push_i32(i32::try_from(tile + 1).expect("there are no more parts than an int4 says"));
    }
    Ok(())
}

/// `lag` and `lead`: the value so many rows away.
fn shifted(call: &WindowFunction, partition: &Partition<'_>, direction: i64, out: &mut ColumnBuilder) {
    for row in 0..partition.len {
        let offset = match call.args.get(1) {
            None => 1,
            Some(offset) => match partition.value(*offset, row) {
                Datum::I32(offset) => i64::from(offset),
                _ => {
                    out.push_null();
                    continue;
                }
            },
        };
        let wanted = usize::try_from(row as i64 + direction * offset).ok().filter(|wanted| *wanted < partition.len);
        match (wanted, call.args.get(2)) {
            (Some(wanted), _) => out.push(&partition.value(call.args[0], wanted)),
            (None, Some(default)) => out.push(&partition.value(*default, row)),
            (None, None) => out.push_null(),
        }
    }
}

/// The row of the frame that `first_value`, `last_value` or `nth_value` wants.
fn picked(
    source: &str,
    call: &WindowFunction,
    partition: &Partition<'_>,
    frames: &Frames,
    row: usize,
) -> Result<Option<usize>> {
    let ranges = frames.ranges(row);
    match source {
        "window_first_value" => Ok(ranges.first().map(|(from, _)| *from)),
        "window_last_value" => Ok(ranges.last().map(|(_, to)| to - 1)),
        _ => {
            let Datum::I32(nth) = partition.value(call.args[1], row) else { return Ok(None) };
            let mut left =
                usize::try_from(nth).ok().filter(|nth| *nth > 0).ok_or_else(|| {
                    PgError::new(SqlState(*b"22016"), "argument of nth_value must be greater than zero")
                })? - 1;
            for (from, to) in ranges {
                if left < to - from {
                    return Ok(Some(from + left));
                }
                left -= to - from;
            }
            Ok(None)
        }
    }
}
