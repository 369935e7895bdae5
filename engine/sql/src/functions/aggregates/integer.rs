//! sum and avg of int2, int4 and int8, and their bitwise aggregates.
//!
//! `sum(int4)` is a bigint and `sum(int8)` a numeric, as in PostgreSQL; sums of bigints are kept in 128 bits, which no
//! number of rows that fits a disk overflows. Averages are numeric quotients.

use std::marker::PhantomData;

use helios_types::{Datum, Numeric, Result, oid};

use super::{Accumulator, Entry, FunctionContext, Input};
use crate::functions::native::Native;

/// Aggregates of this module.
pub(super) const AGGREGATES: &[Entry] = &[
    ("sum", &[oid::INT2], |_| Ok(Box::new(Sum::<i16, BigintSum>::default()))),
    ("sum", &[oid::INT4], |_| Ok(Box::new(Sum::<i32, BigintSum>::default()))),
    ("sum", &[oid::INT8], |_| Ok(Box::new(Sum::<i64, NumericSum>::default()))),
    ("avg", &[oid::INT2], |_| Ok(Box::new(Sum::<i16, Average>::default()))),
    ("avg", &[oid::INT4], |_| Ok(Box::new(Sum::<i32, Average>::default()))),
    ("avg", &[oid::INT8], |_| Ok(Box::new(Sum::<i64, Average>::default()))),
    ("bit_and", &[oid::INT2], |_| Ok(Box::new(Bits::<i16>::new(|a, b| a & b)))),
    ("bit_and", &[oid::INT4], |_| Ok(Box::new(Bits::<i32>::new(|a, b| a & b)))),
    ("bit_and", &[oid::INT8], |_| Ok(Box::new(Bits::<i64>::new(|a, b| a & b)))),
    ("bit_or", &[oid::INT2], |_| Ok(Box::new(Bits::<i16>::new(|a, b| a | b)))),
    ("bit_or", &[oid::INT4], |_| Ok(Box::new(Bits::<i32>::new(|a, b| a | b)))),
    ("bit_or", &[oid::INT8], |_| Ok(Box::new(Bits::<i64>::new(|a, b| a | b)))),
    ("bit_xor", &[oid::INT2], |_| Ok(Box::new(Bits::<i16>::new(|a, b| a ^ b)))),
    ("bit_xor", &[oid::INT4], |_| Ok(Box::new(Bits::<i32>::new(|a, b| a ^ b)))),
    ("bit_xor", &[oid::INT8], |_| Ok(Box::new(Bits::<i64>::new(|a, b| a ^ b)))),
];

/// What a sum and a count of rows become in the end.
trait Final: Send {
    /// How wide the sum is: 64 bits where PostgreSQL's is.
    type Sum: Copy + Default + Send;
    fn add(sum: &mut Self::Sum, value: i64);
    fn subtract(sum: &mut Self::Sum, value: i64);
    fn finish(sum: Self::Sum, count: i64) -> Result<Datum>;
}

/// `sum(int2)` and `sum(int4)`. PostgreSQL does not check for overflow either: it takes 2^31 rows.
struct BigintSum;

impl Final for BigintSum {
    type Sum = i64;
    fn add(sum: &mut i64, value: i64) {
        *sum = sum.wrapping_add(value);
    }
    fn subtract(sum: &mut i64, value: i64) {
        *sum = sum.wrapping_sub(value);
    }
    fn finish(sum: i64, _: i64) -> Result<Datum> {
        Ok(Datum::I64(sum))
    }
}

/// `sum(int8)`.
struct NumericSum;

impl Final for NumericSum {
    type Sum = i128;
    fn add(sum: &mut i128, value: i64) {
        *sum += i128::from(value);
    }
    fn subtract(sum: &mut i128, value: i64) {
        *sum -= i128::from(value);
    }
    fn finish(sum: i128, _: i64) -> Result<Datum> {
        Ok(Datum::Numeric(Numeric::from_i128(sum, 0)))
    }
}

/// `avg` of all three.
struct Average;

impl Final for Average {
    type Sum = i128;
    fn add(sum: &mut i128, value: i64) {
        *sum += i128::from(value);
    }
    fn subtract(sum: &mut i128, value: i64) {
        *sum -= i128::from(value);
    }
    fn finish(sum: i128, count: i64) -> Result<Datum> {
        Ok(Datum::Numeric(Numeric::from_i128(sum, 0).divide(&Numeric::from(count))?))
    }
}

struct Sum<T, F: Final> {
    sums: Vec<F::Sum>,
    counts: Vec<i64>,
    of: PhantomData<(T, F)>,
}

impl<T, F: Final> Default for Sum<T, F> {
    fn default() -> Self {
        Sum { sums: Vec::new(), counts: Vec::new(), of: PhantomData }
    }
}

impl<T: Native + Into<i64> + Send, F: Final> Accumulator for Sum<T, F> {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, F::Sum::default());
        self.counts.resize(groups, 0);
    }

    fn feed(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        let (sums, counts) = (&mut self.sums[..], &mut self.counts[..]);
        input.each_value(|group, value: T| {
            F::add(&mut sums[group], value.into());
            counts[group] += 1;
            Ok(())
        })
    }

    fn finish(&mut self, _: &FunctionContext<'_>, group: usize, _: &[Datum]) -> Result<Datum> {
        if self.counts[group] == 0 { Ok(Datum::Null) } else { F::finish(self.sums[group], self.counts[group]) }
    }

    fn retract(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<bool> {
        let (sums, counts) = (&mut self.sums[..], &mut self.counts[..]);
        input.each_value(|group, value: T| {
            F::subtract(&mut sums[group], value.into());
            counts[group] -= 1;
            Ok(())
        })?;
        Ok(true)
    }

    fn reset(&mut self, group: usize) {
        self.sums[group] = F::Sum::default();
        self.counts[group] = 0;
    }

    fn memory(&self) -> usize {
        self.sums.capacity() * size_of::<F::Sum>() + self.counts.capacity() * 8
    }
}

/// bit_and, bit_or, bit_xor.
struct Bits<T> {
    values: Vec<Option<T>>,
    combine: fn(T, T) -> T,
}

impl<T> Bits<T> {
    fn new(combine: fn(T, T) -> T) -> Bits<T> {
        Bits { values: Vec::new(), combine }
    }
}

impl<T: Native + Send> Accumulator for Bits<T> {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, None);
    }

    fn feed(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        input.each_value(|group, value: T| {
            let slot = &mut self.values[group];
            *slot = Some(slot.map_or(value, |before| (self.combine)(before, value)));
            Ok(())
        })
    }

    fn finish(&mut self, _: &FunctionContext<'_>, group: usize, _: &[Datum]) -> Result<Datum> {
        Ok(self.values[group].map_or(Datum::Null, Native::datum))
    }

    fn reset(&mut self, group: usize) {
        self.values[group] = None;
    }

    fn memory(&self) -> usize {
        self.values.capacity() * size_of::<Option<T>>()
    }
}
