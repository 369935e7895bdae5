//! Window functions: rank, lag, first_value and their kin.
//!
//! The executor sorts a partition, finds its peers and frames, evaluates the arguments for all of its rows, and asks
//! for the whole partition's results at once. Aggregates over a window are not here: the executor runs their
//! [`super::Accumulator`] over the frames.
//!
//! ```text
//!   row     0    1    2    3    4        args[0]  10   20   20   30   40
//!   peers  0..1 1..3 1..3 3..4 4..5      frame(3)  [0..4]          RANGE UNBOUNDED PRECEDING
//!                                        frame(3)  [0..3]          ... EXCLUDE CURRENT ROW
//! ```

use std::ops::Range;

use helios_types::{Column, ColumnBuilder, Datum, PgError, Result, SqlState};

use super::FunctionContext;

/// A sorted partition.
pub struct Partition<'a> {
    /// Number of rows.
    pub rows: usize,
    /// The call's arguments, one value a row.
    pub args: &'a [Column],
    /// For each row, the rows that ORDER BY does not tell apart from it, itself among them.
    pub peers: &'a [Range<u32>],
    /// For each row, its frame after EXCLUDE: ranges of rows in ascending order, none of them empty.
    pub frame: &'a dyn Fn(usize) -> Frame,
}

/// A frame: at most three ranges, since EXCLUDE takes out at most two.
pub type Frame = smallvec::SmallVec<[Range<u32>; 3]>;

/// Appends one result a row.
pub type WindowFunction = fn(&FunctionContext<'_>, &Partition<'_>, &mut ColumnBuilder) -> Result<()>;

/// The bound window functions, by `prosrc`.
const FUNCTIONS: &[(&str, WindowFunction)] = &[
    ("window_row_number", |_, partition, out| {
        (0..partition.rows).for_each(|row| out.push_i64(row as i64 + 1));
        Ok(())
    }),
    ("window_rank", |_, partition, out| {
        partition.peers.iter().for_each(|peers| out.push_i64(i64::from(peers.start) + 1));
        Ok(())
    }),
    ("window_dense_rank", |_, partition, out| {
        let mut rank = 0;
        for (row, peers) in partition.peers.iter().enumerate() {
            rank += i64::from(peers.start as usize == row);
            out.push_i64(rank);
        }
        Ok(())
    }),
    ("window_percent_rank", |_, partition, out| {
        let others = partition.rows.saturating_sub(1).max(1) as f64;
        partition.peers.iter().for_each(|peers| out.push_f64(f64::from(peers.start) / others));
        Ok(())
    }),
    ("window_cume_dist", |_, partition, out| {
        partition.peers.iter().for_each(|peers| out.push_f64(f64::from(peers.end) / partition.rows as f64));
        Ok(())
    }),
    ("window_ntile", ntile),
    ("window_lag", |_, partition, out| shifted(partition, out, -1)),
    ("window_lag_with_offset", |_, partition, out| shifted(partition, out, -1)),
    ("window_lag_with_offset_and_default", |_, partition, out| shifted(partition, out, -1)),
    ("window_lead", |_, partition, out| shifted(partition, out, 1)),
    ("window_lead_with_offset", |_, partition, out| shifted(partition, out, 1)),
    ("window_lead_with_offset_and_default", |_, partition, out| shifted(partition, out, 1)),
    ("window_first_value", |_, partition, out| {
        framed(partition, out, |_, frame| Ok(frame.first().map(|range| range.start)))
    }),
    ("window_last_value", |_, partition, out| {
        framed(partition, out, |_, frame| Ok(frame.last().map(|range| range.end - 1)))
    }),
    ("window_nth_value", |_, partition, out| framed(partition, out, |row, frame| nth(partition, row, frame))),
];

/// The window function behind a builtin's `prosrc`, if it is bound.
pub fn lookup(prosrc: &str) -> Option<WindowFunction> {
    FUNCTIONS.iter().find(|(name, _)| *name == prosrc).map(|(_, function)| *function)
}

/// Every bound window function.
pub fn bound() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name)
}

fn integer(column: &Column, row: usize) -> Option<i64> {
    match column.get(row) {
        Datum::Null => None,
        Datum::I32(value) => Some(i64::from(value)),
        other => super::native::mismatch("I32", &other),
    }
}

/// Buckets whose sizes differ by at most one, the larger ones first. Their number is asked once, of the first row.
fn ntile(_: &FunctionContext<'_>, partition: &Partition<'_>, out: &mut ColumnBuilder) -> Result<()> {
    if partition.rows == 0 {
        return Ok(());
    }
    let Some(buckets) = integer(&partition.args[0], 0) else {
        (0..partition.rows).for_each(|_| out.push_null());
        return Ok(());
    };
    if buckets <= 0 {
        return Err(PgError::new(SqlState(*b"22014"), "argument of ntile must be greater than zero"));
    }
    let rows = partition.rows as i64;
    let (size, larger) = (rows / buckets, rows % buckets);
    for row in 0..rows {
        let bucket =
            if row < larger * (size + 1) { row / (size + 1) } else { larger + (row - larger * (size + 1)) / size };
        out.push_i32(bucket as i32 + 1);
    }
    Ok(())
}

/// lag and lead: the value so many rows away, or the default.
fn shifted(partition: &Partition<'_>, out: &mut ColumnBuilder, direction: i64) -> Result<()> {
    let args = partition.args;
    for row in 0..partition.rows {
        let offset = match args.get(1) {
            None => Some(1),
            Some(offsets) => integer(offsets, row),
        };
        let Some(offset) = offset else {
            out.push_null();
            continue;
        };
        let target = row as i64 + direction * offset;
        if (0..partition.rows as i64).contains(&target) {
            out.push_row(&args[0], target as usize);
        } else {
            match args.get(2) {
                Some(defaults) => out.push_row(defaults, row),
                None => out.push_null(),
            }
        }
    }
    Ok(())
}

/// The first argument at the row of the frame that is picked.
fn framed(
    partition: &Partition<'_>,
    out: &mut ColumnBuilder,
    pick: impl Fn(usize, &Frame) -> Result<Option<u32>>,
) -> Result<()> {
    for row in 0..partition.rows {
        match pick(row, &(partition.frame)(row))? {
            Some(picked) => out.push_row(&partition.args[0], picked as usize),
            None => out.push_null(),
        }
    }
    Ok(())
}

fn nth(partition: &Partition<'_>, row: usize, frame: &Frame) -> Result<Option<u32>> {
    let Some(n) = integer(&partition.args[1], row) else { return Ok(None) };
    if n <= 0 {
        return Err(PgError::new(SqlState(*b"22016"), "argument of nth_value must be greater than zero"));
    }
    let mut left = n - 1;
    for range in frame {
        let length = i64::from(range.end - range.start);
        if left < length {
            return Ok(Some(range.start + left as u32));
        }
        left -= length;
    }
    Ok(None)
}
