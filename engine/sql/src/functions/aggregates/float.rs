//! Aggregates of floats: sum, avg, variance and standard deviation.
//!
//! The moments are kept as PostgreSQL keeps them since version 12: count, sum, and the sum of squared differences from
//! the mean, updated by the method of Youngs and Cramer ("Some results relevant to choice of sum and sum-of-product
//! algorithms", 1971). avg shares the state, and so its overflow errors.

use helios_types::{Datum, Result, oid};

use super::{Accumulator, Entry, FunctionContext, Input};
use crate::functions::float::overflow;
use crate::functions::native::Native;

/// Aggregates of this module.
pub(super) const AGGREGATES: &[Entry] = &[
    ("sum", &[oid::FLOAT4], |_| Ok(Box::new(Sum::<f32>(Vec::new())))),
    ("sum", &[oid::FLOAT8], |_| Ok(Box::new(Sum::<f64>(Vec::new())))),
    ("avg", &[oid::FLOAT4], |_| Ok(Spread::<f32>::boxed(Moments::mean))),
    ("avg", &[oid::FLOAT8], |_| Ok(Spread::<f64>::boxed(Moments::mean))),
    ("var_pop", &[oid::FLOAT4], |_| Ok(Spread::<f32>::boxed(Moments::population_variance))),
    ("var_pop", &[oid::FLOAT8], |_| Ok(Spread::<f64>::boxed(Moments::population_variance))),
    ("var_samp", &[oid::FLOAT4], |_| Ok(Spread::<f32>::boxed(Moments::sample_variance))),
    ("var_samp", &[oid::FLOAT8], |_| Ok(Spread::<f64>::boxed(Moments::sample_variance))),
    ("variance", &[oid::FLOAT4], |_| Ok(Spread::<f32>::boxed(Moments::sample_variance))),
    ("variance", &[oid::FLOAT8], |_| Ok(Spread::<f64>::boxed(Moments::sample_variance))),
    ("stddev_pop", &[oid::FLOAT4], |_| Ok(Spread::<f32>::boxed(|m| m.population_variance().map(f64::sqrt)))),
    ("stddev_pop", &[oid::FLOAT8], |_| Ok(Spread::<f64>::boxed(|m| m.population_variance().map(f64::sqrt)))),
    ("stddev_samp", &[oid::FLOAT4], |_| Ok(Spread::<f32>::boxed(|m| m.sample_variance().map(f64::sqrt)))),
    ("stddev_samp", &[oid::FLOAT8], |_| Ok(Spread::<f64>::boxed(|m| m.sample_variance().map(f64::sqrt)))),
    ("stddev", &[oid::FLOAT4], |_| Ok(Spread::<f32>::boxed(|m| m.sample_variance().map(f64::sqrt)))),
    ("stddev", &[oid::FLOAT8], |_| Ok(Spread::<f64>::boxed(|m| m.sample_variance().map(f64::sqrt)))),
];

/// What float4 and float8 have in common here.
trait Float: Native + Send + Into<f64> {
    fn plus(self, other: Self) -> Self;
    fn infinite(self) -> bool;
}

impl Float for f32 {
    fn plus(self, other: f32) -> f32 {
        self + other
    }
    fn infinite(self) -> bool {
        self.is_infinite()
    }
}

impl Float for f64 {
    fn plus(self, other: f64) -> f64 {
        self + other
    }
    fn infinite(self) -> bool {
        self.is_infinite()
    }
}

/// Sums in the argument's own width.
struct Sum<T>(Vec<Option<T>>);

impl<T: Float> Accumulator for Sum<T> {
    fn resize(&mut self, groups: usize) {
        self.0.resize(groups, None);
    }

    fn feed(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        input.each_value(|group, value: T| {
            let slot = &mut self.0[group];
            *slot = Some(match *slot {
                None => value,
                Some(before) => {
                    let sum = before.plus(value);
                    if sum.infinite() && !before.infinite() && !value.infinite() {
                        return Err(overflow());
                    }
                    sum
                }
            });
            Ok(())
        })
    }

    fn finish(&mut self, _: &FunctionContext<'_>, group: usize, _: &[Datum]) -> Result<Datum> {
        Ok(self.0[group].map_or(Datum::Null, Native::datum))
    }

    fn reset(&mut self, group: usize) {
        self.0[group] = None;
    }

    fn memory(&self) -> usize {
        self.0.capacity() * size_of::<Option<T>>()
    }
}

/// Count, sum, and sum of squared differences from the mean.
#[derive(Clone, Copy, Default)]
struct Moments {
    n: f64,
    sx: f64,
    sxx: f64,
}

impl Moments {
    fn add(&mut self, value: f64) -> Result<()> {
        let before = *self;
        self.n += 1.0;
        self.sx += value;
        if before.n > 0.0 {
            let difference = value * self.n - self.sx;
            self.sxx += difference * difference / (self.n * before.n);
            if self.sx.is_infinite() || self.sxx.is_infinite() {
                if !before.sx.is_infinite() && !value.is_infinite() {
                    return Err(overflow());
                }
                self.sxx = f64::NAN;
            }
        } else if !value.is_finite() {
            self.sxx = f64::NAN;
        }
        Ok(())
    }

    fn mean(&self) -> Option<f64> {
        (self.n > 0.0).then(|| self.sx / self.n)
    }

    fn population_variance(&self) -> Option<f64> {
        (self.n > 0.0).then(|| self.sxx / self.n)
    }

    fn sample_variance(&self) -> Option<f64> {
        (self.n > 1.0).then(|| self.sxx / (self.n - 1.0))
    }
}

struct Spread<T> {
    moments: Vec<Moments>,
    result: fn(&Moments) -> Option<f64>,
    of: std::marker::PhantomData<T>,
}

impl<T: Float + 'static> Spread<T> {
    fn boxed(result: fn(&Moments) -> Option<f64>) -> Box<dyn Accumulator> {
        Box::new(Spread::<T> { moments: Vec::new(), result, of: std::marker::PhantomData })
    }
}

impl<T: Float> Accumulator for Spread<T> {
    fn resize(&mut self, groups: usize) {
        self.moments.resize(groups, Moments::default());
    }

    fn feed(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        input.each_value(|group, value: T| self.moments[group].add(value.into()))
    }

    fn finish(&mut self, _: &FunctionContext<'_>, group: usize, _: &[Datum]) -> Result<Datum> {
        Ok((self.result)(&self.moments[group]).map_or(Datum::Null, Datum::F64))
    }

    fn reset(&mut self, group: usize) {
        self.moments[group] = Moments::default();
    }

    fn memory(&self) -> usize {
        self.moments.capacity() * size_of::<Moments>()
    }
}
