//! Correlation, covariance and linear regression of pairs of float8.
//!
//! As with variances, the sums of squared differences are kept by the method of Youngs and Cramer. The first argument is
//! Y, the second X.

use helios_types::{Datum, Result, oid};

use super::{Accumulator, Entry, FunctionContext, Input};
use crate::functions::float::overflow;
use crate::functions::native::Native;

macro_rules! regressions {
    ($($name:literal => |$s:ident| $result:expr,)*) => {
        &[$(($name, &[oid::FLOAT8, oid::FLOAT8], |_| {
            Ok(Box::new(Regression { sums: Vec::new(), result: |$s: &Sums| $result }))
        }),)*]
    };
}

/// Aggregates of this module.
pub(super) const AGGREGATES: &[Entry] = regressions! {
    "regr_sxx" => |s| float(s.n >= 1.0, s.sxx),
    "regr_syy" => |s| float(s.n >= 1.0, s.syy),
    "regr_sxy" => |s| float(s.n >= 1.0, s.sxy),
    "regr_avgx" => |s| float(s.n >= 1.0, s.sx / s.n),
    "regr_avgy" => |s| float(s.n >= 1.0, s.sy / s.n),
    "covar_pop" => |s| float(s.n >= 1.0, s.sxy / s.n),
    "covar_samp" => |s| float(s.n >= 2.0, s.sxy / (s.n - 1.0)),
    "corr" => |s| float(s.n >= 1.0 && s.sxx != 0.0 && s.syy != 0.0, correlation(s)),
    "regr_r2" => |s| float(
        s.n >= 1.0 && s.sxx != 0.0,
        if s.syy == 0.0 { 1.0 } else { s.sxy * s.sxy / (s.sxx * s.syy) }
    ),
    "regr_slope" => |s| float(s.n >= 1.0 && s.sxx != 0.0, s.sxy / s.sxx),
    "regr_intercept" => |s| float(s.n >= 1.0 && s.sxx != 0.0, (s.sy - s.sx * s.sxy / s.sxx) / s.n),
};

fn float(defined: bool, value: f64) -> Datum {
    if defined { Datum::F64(value) } else { Datum::Null }
}

fn correlation(s: &Sums) -> f64 {
    s.sxy / (s.sxx * s.syy).sqrt()
}

#[derive(Clone, Copy, Default)]
struct Sums {
    n: f64,
    sx: f64,
    sxx: f64,
    sy: f64,
    syy: f64,
    sxy: f64,
}

impl Sums {
    fn add(&mut self, y: f64, x: f64) -> Result<()> {
        let before = *self;
        self.n += 1.0;
        self.sx += x;
        self.sy += y;
        if before.n == 0.0 {
            if !x.is_finite() {
                (self.sxx, self.sxy) = (f64::NAN, f64::NAN);
            }
            if !y.is_finite() {
                (self.syy, self.sxy) = (f64::NAN, f64::NAN);
            }
            return Ok(());
        }
        let (dx, dy) = (x * self.n - self.sx, y * self.n - self.sy);
        let scale = 1.0 / (self.n * before.n);
        self.sxx += dx * dx * scale;
        self.syy += dy * dy * scale;
        self.sxy += dx * dy * scale;
        let x_given = before.sx.is_infinite() || x.is_infinite();
        let y_given = before.sy.is_infinite() || y.is_infinite();
        let x_overflowed = self.sx.is_infinite() || self.sxx.is_infinite();
        let y_overflowed = self.sy.is_infinite() || self.syy.is_infinite();
        if (x_overflowed && !x_given) || (y_overflowed && !y_given) || (self.sxy.is_infinite() && !x_given && !y_given)
        {
            return Err(overflow());
        }
        for sum in [&mut self.sxx, &mut self.syy, &mut self.sxy] {
            if sum.is_infinite() {
                *sum = f64::NAN;
            }
        }
        Ok(())
    }
}

struct Regression {
    sums: Vec<Sums>,
    result: fn(&Sums) -> Datum,
}

impl Accumulator for Regression {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, Sums::default());
    }

    fn feed(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        let (ys, xs) = (f64::slice(input.args[0]), f64::slice(input.args[1]));
        input.each_strict(|row, group| self.sums[group].add(ys[row], xs[row]))
    }

    fn finish(&mut self, _: &FunctionContext<'_>, group: usize, _: &[Datum]) -> Result<Datum> {
        Ok((self.result)(&self.sums[group]))
    }

    fn reset(&mut self, group: usize) {
        self.sums[group] = Sums::default();
    }

    fn memory(&self) -> usize {
        self.sums.capacity() * size_of::<Sums>()
    }
}
