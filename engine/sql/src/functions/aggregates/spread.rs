//! Variance and standard deviation of integers and numerics: exact sums, rounded once.
//!
//! `(N * sum(x^2) - sum(x)^2) / (N * (N - 1))` for a sample, over `N^2` for a population; the scale is the quotient's.

use std::marker::PhantomData;

use helios_types::{Column, ColumnData, Datum, Numeric, NumericSum, Result, oid};

use super::{Accumulator, Entry, FunctionContext, Input};
use crate::functions::native::{Native, mismatch};

macro_rules! spreads {
    ($($oid:ident => $T:ty,)*) => {
        &[
            $(
                ("var_pop", &[oid::$oid], |_| Ok(Spread::<$T>::boxed(false, false))),
                ("var_samp", &[oid::$oid], |_| Ok(Spread::<$T>::boxed(true, false))),
                ("variance", &[oid::$oid], |_| Ok(Spread::<$T>::boxed(true, false))),
                ("stddev_pop", &[oid::$oid], |_| Ok(Spread::<$T>::boxed(false, true))),
                ("stddev_samp", &[oid::$oid], |_| Ok(Spread::<$T>::boxed(true, true))),
                ("stddev", &[oid::$oid], |_| Ok(Spread::<$T>::boxed(true, true))),
            )*
        ]
    };
}

/// Aggregates of this module.
pub(super) const AGGREGATES: &[Entry] = spreads! {
    INT2 => i16,
    INT4 => i32,
    INT8 => i64,
    NUMERIC => Numeric,
};

/// A type whose values are exact.
trait Exact: Send + 'static {
    fn at(column: &Column, row: usize) -> Numeric;
}

macro_rules! exact_integers {
    ($($T:ty),*) => {
        $(
            impl Exact for $T {
                fn at(column: &Column, row: usize) -> Numeric {
                    Numeric::from(<$T as Native>::slice(column)[row])
                }
            }
        )*
    };
}

exact_integers!(i16, i32, i64);

impl Exact for Numeric {
    fn at(column: &Column, row: usize) -> Numeric {
        match &column.data {
            ColumnData::Numeric(values) => values[row].clone(),
            other => mismatch("Numeric", &other.physical()),
        }
    }
}

#[derive(Clone, Default)]
struct Sums {
    values: NumericSum,
    squares: NumericSum,
}

struct Spread<T> {
    sums: Vec<Sums>,
    sample: bool,
    root: bool,
    of: PhantomData<T>,
}

impl<T: Exact> Spread<T> {
    fn boxed(sample: bool, root: bool) -> Box<dyn Accumulator> {
        Box::new(Spread::<T> { sums: Vec::new(), sample, root, of: PhantomData })
    }
}

impl<T: Exact> Accumulator for Spread<T> {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, Sums::default());
    }

    fn feed(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        input.each_strict(|row, group| {
            let value = T::at(input.args[0], row);
            let sums = &mut self.sums[group];
            sums.squares.add(&value.multiply(&value)?);
            sums.values.add(&value);
            Ok(())
        })
    }

    fn finish(&mut self, _: &FunctionContext<'_>, group: usize, _: &[Datum]) -> Result<Datum> {
        let sums = &self.sums[group];
        let count = sums.values.count();
        if count == 0 || (self.sample && count == 1) {
            return Ok(Datum::Null);
        }
        let (sum, squares) = (sums.values.sum(), sums.squares.sum());
        if !sum.is_finite() {
            return Ok(Datum::Numeric(Numeric::NAN));
        }
        let numerator = Numeric::from(count).multiply(&squares)?.subtract(&sum.multiply(&sum)?)?;
        if numerator.signum() <= 0 {
            return Ok(Datum::Numeric(Numeric::ZERO));
        }
        let denominator = Numeric::from(i128::from(count) * i128::from(count - i64::from(self.sample)));
        let variance = numerator.divide(&denominator)?;
        Ok(Datum::Numeric(if self.root { variance.sqrt_to_scale(i32::from(variance.scale()))? } else { variance }))
    }

    fn reset(&mut self, group: usize) {
        self.sums[group] = Sums::default();
    }

    fn memory(&self) -> usize {
        let heap = |sums: &Sums| sums.values.heap_memory() + sums.squares.heap_memory();
        self.sums.capacity() * size_of::<Sums>() + self.sums.iter().map(heap).sum::<usize>()
    }
}
