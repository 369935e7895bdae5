//! Running sums of numerics and integers, for sum, avg, variance and window frames.

use num_bigint::BigInt;

use super::{Numeric, POWERS_OF_TEN, Special, View, power_of_ten};
use crate::Result;

/// A sum of numerics that takes values in and out. Finite values add up exactly: in 128 bits while they fit, in a big
/// integer afterwards; the special values are counted.
#[derive(Clone, Debug, Default)]
pub struct NumericSum {
    /// Finite values' sum is `(small + big) / 10^scale`.
    small: i128,
    big: Option<Box<BigInt>>,
    scale: u16,
    /// How many values have been added at the current (greatest) scale.
    at_scale: i64,
    finite: i64,
    nans: i64,
    infinities: i64,
    negative_infinities: i64,
}

impl NumericSum {
    /// Nothing added yet.
    pub fn new() -> NumericSum {
        NumericSum::default()
    }

    /// Adds a value.
    #[inline]
    pub fn add(&mut self, value: &Numeric) {
        if let Some((coefficient, scale)) = value.as_small()
            && scale == self.scale
            && let Some(sum) = self.small.checked_add(i128::from(coefficient))
        {
            self.small = sum;
            self.finite += 1;
            self.at_scale += 1;
            return;
        }
        self.accumulate(value, 1);
    }

    /// Adds an integer.
    #[inline]
    pub fn add_integer(&mut self, value: i64) {
        self.add(&Numeric::new(value, 0));
    }

    /// Takes out a value that was added before. `false` when the remaining values' greatest scale is no longer
    /// known, and the sum must be computed anew (what PostgreSQL's inverse transition function answers then).
    #[must_use]
    pub fn remove(&mut self, value: &Numeric) -> bool {
        if value.is_finite() && value.scale() == self.scale && self.at_scale == 1 && self.scale > 0 && self.finite > 1 {
            return false;
        }
        self.accumulate(value, -1);
        if self.finite == 0 {
            (self.small, self.big, self.scale, self.at_scale) = (0, None, 0, 0);
        }
        true
    }

    fn accumulate(&mut self, value: &Numeric, sign: i64) {
        let special = match value.view() {
            View::Special(Special::NaN) => &mut self.nans,
            View::Special(Special::Infinity) => &mut self.infinities,
            View::Special(Special::NegativeInfinity) => &mut self.negative_infinities,
            View::Small(coefficient, scale) => {
                self.finite += sign;
                self.raise_scale(scale);
                self.at_scale += if scale == self.scale { sign } else { 0 };
                let by = usize::from(self.scale - scale);
                let widened = POWERS_OF_TEN
                    .get(by)
                    .and_then(|power| i128::from(coefficient).checked_mul(*power))
                    .and_then(|addend| self.small.checked_add(addend * i128::from(sign)));
                match widened {
                    Some(sum) => self.small = sum,
                    None => self.add_big(BigInt::from(coefficient) * power_of_ten(by as u32) * sign),
                }
                return;
            }
            View::Big(coefficient, scale) => {
                self.finite += sign;
                self.raise_scale(scale);
                self.at_scale += if scale == self.scale { sign } else { 0 };
                self.add_big(coefficient * power_of_ten(u32::from(self.scale - scale)) * sign);
                return;
            }
        };
        *special += sign;
    }

    fn raise_scale(&mut self, scale: u16) {
        if scale <= self.scale {
            return;
        }
        let by = u32::from(scale - self.scale);
        if let Some(big) = &mut self.big {
            **big *= power_of_ten(by);
        }
        match POWERS_OF_TEN.get(by as usize).and_then(|power| self.small.checked_mul(*power)) {
            Some(small) => self.small = small,
            None => {
                let small = std::mem::take(&mut self.small);
                self.add_big(BigInt::from(small) * power_of_ten(by));
            }
        }
        self.scale = scale;
        self.at_scale = 0;
    }

    fn add_big(&mut self, addend: BigInt) {
        match &mut self.big {
            Some(big) => **big += addend,
            None => self.big = Some(Box::new(addend)),
        }
    }

    /// Adds everything that another sum holds.
    pub fn merge(&mut self, other: &NumericSum) {
        self.raise_scale(other.scale);
        if self.scale == other.scale {
            self.at_scale += other.at_scale;
        }
        let total = other.finite_sum();
        let (finite, at_scale) = (self.finite, self.at_scale);
        self.accumulate(&total, 1);
        (self.finite, self.at_scale) = (finite + other.finite, at_scale);
        self.nans += other.nans;
        self.infinities += other.infinities;
        self.negative_infinities += other.negative_infinities;
    }

    /// How many values are in the sum.
    pub fn count(&self) -> i64 {
        self.finite + self.nans + self.infinities + self.negative_infinities
    }

    fn finite_sum(&self) -> Numeric {
        match &self.big {
            None => Numeric::from_i128(self.small, self.scale),
            Some(big) => Numeric::from_big(&**big + self.small, self.scale),
        }
    }

    /// The sum; the caller decides what an empty one is (SQL's sum of nothing is NULL).
    pub fn sum(&self) -> Numeric {
        if self.nans > 0 || (self.infinities > 0 && self.negative_infinities > 0) {
            Numeric::NAN
        } else if self.infinities > 0 {
            Numeric::INFINITY
        } else if self.negative_infinities > 0 {
            Numeric::NEGATIVE_INFINITY
        } else {
            self.finite_sum()
        }
    }

    /// The mean; an error when there are no values.
    pub fn average(&self) -> Result<Numeric> {
        self.sum().divide(&Numeric::from(self.count()))
    }

    /// Bytes kept outside of the value.
    pub fn heap_memory(&self) -> usize {
        self.big.as_ref().map_or(0, |big| size_of::<BigInt>() + (big.bits() as usize).div_ceil(8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum_of(values: &[&str]) -> NumericSum {
        let mut sum = NumericSum::new();
        values.iter().for_each(|value| sum.add(&value.parse().expect("a numeric")));
        sum
    }

    #[test]
    fn sums_keep_the_greatest_scale() {
        assert_eq!(sum_of(&["1", "2.50", "-0.125"]).sum().to_string(), "3.375");
        assert_eq!(sum_of(&["1.00", "-1"]).sum().to_string(), "0.00");
        let large = "170141183460469231731687303715884105727";
        assert_eq!(sum_of(&[large, large]).sum().to_string(), "340282366920938463463374607431768211454");
        assert_eq!(sum_of(&[large, "0.5", large]).sum().to_string(), "340282366920938463463374607431768211454.5");
    }

    #[test]
    fn special_values_are_counted() {
        assert!(sum_of(&["1", "NaN"]).sum().is_nan());
        assert!(sum_of(&["inf", "-inf"]).sum().is_nan());
        assert_eq!(sum_of(&["inf", "1"]).sum(), Numeric::INFINITY);
    }

    #[test]
    fn removing_undoes_adding_or_says_that_it_cannot() {
        let mut sum = sum_of(&["1", "2.5", "NaN", "3.5"]);
        assert!(sum.remove(&Numeric::NAN));
        assert!(sum.remove(&"2.5".parse().unwrap()));
        assert_eq!(sum.sum().to_string(), "4.5");
        assert!(!sum.remove(&"3.5".parse().unwrap()), "1 would have scale 0 alone");
    }

    #[test]
    fn merging_adds_up() {
        let mut left = sum_of(&["1", "2.50"]);
        left.merge(&sum_of(&["0.125", "NaN"]));
        assert_eq!(left.count(), 4);
        assert!(left.remove(&Numeric::NAN));
        assert_eq!(left.sum().to_string(), "3.625");
        assert_eq!(sum_of(&["1", "2"]).average().unwrap().to_string(), "1.5000000000000000");
    }
}
