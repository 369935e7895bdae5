//! Addition, subtraction, multiplication, division and remainder, with PostgreSQL's scales.

use num_bigint::{BigInt, Sign};

use super::round::{Rounding, divide_rounded, divide_rounded_i128};
use super::{
    MAX_RESULT_DISPLAY_SCALE, MAX_SCALE, MIN_SIGNIFICANT_DIGITS, Numeric, POWERS_OF_TEN, Special, View, power_of_ten,
};
use crate::{PgError, Result, SqlState};

fn division_by_zero() -> PgError {
    PgError::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}

/// Both coefficients at the greater of the two scales.
fn aligned(left: (BigInt, u16), right: (BigInt, u16)) -> (BigInt, BigInt, u16) {
    let scale = left.1.max(right.1);
    let widen = |(value, from): (BigInt, u16)| {
        if from == scale { value } else { value * power_of_ten(u32::from(scale - from)) }
    };
    (widen(left), widen(right), scale)
}

impl Numeric {
    /// `self + other`.
    #[inline]
    pub fn add(&self, other: &Numeric) -> Result<Numeric> {
        if let (Some((left, left_scale)), Some((right, right_scale))) = (self.as_small(), other.as_small()) {
            if left_scale == right_scale {
                return Ok(Numeric::from_i128(i128::from(left) + i128::from(right), left_scale));
            }
            let difference = left_scale.abs_diff(right_scale) as usize;
            if difference <= 18 {
                let power = POWERS_OF_TEN[difference];
                let (left, right) = (i128::from(left), i128::from(right));
                return Ok(if left_scale < right_scale {
                    Numeric::from_i128(left * power + right, right_scale)
                } else {
                    Numeric::from_i128(left + right * power, left_scale)
                });
            }
        }
        self.add_slow(other)
    }

    fn add_slow(&self, other: &Numeric) -> Result<Numeric> {
        match (self.to_big(), other.to_big()) {
            (Ok(left), Ok(right)) => {
                let (left, right, scale) = aligned(left, right);
                Numeric::checked(left + right, scale)
            }
            (Err(Special::NaN), _) | (_, Err(Special::NaN)) => Ok(Numeric::NAN),
            (Err(left), Err(right)) if left != right => Ok(Numeric::NAN),
            (Err(special), _) | (_, Err(special)) => Ok(Numeric::special(special)),
        }
    }

    /// `self - other`.
    #[inline]
    pub fn subtract(&self, other: &Numeric) -> Result<Numeric> {
        self.add(&other.negate())
    }

    /// `self * other`.
    #[inline]
    pub fn multiply(&self, other: &Numeric) -> Result<Numeric> {
        if let (Some((left, left_scale)), Some((right, right_scale))) = (self.as_small(), other.as_small())
            && left_scale + right_scale <= MAX_SCALE
        {
            return Ok(Numeric::from_i128(i128::from(left) * i128::from(right), left_scale + right_scale));
        }
        match (self.to_big(), other.to_big()) {
            (Ok((left, left_scale)), Ok((right, right_scale))) => {
                let scale = left_scale + right_scale;
                let product = left * right;
                if scale > MAX_SCALE {
                    let divisor = power_of_ten(u32::from(scale - MAX_SCALE));
                    return Numeric::checked(divide_rounded(&product, &divisor, Rounding::HalfAway), MAX_SCALE);
                }
                Numeric::checked(product, scale)
            }
            (Err(Special::NaN), _) | (_, Err(Special::NaN)) => Ok(Numeric::NAN),
            _ => Ok(match self.signum() * other.signum() {
                0 => Numeric::NAN,
                1 => Numeric::INFINITY,
                _ => Numeric::NEGATIVE_INFINITY,
            }),
        }
    }

    /// `self / other`, rounded to the scale that PostgreSQL's `select_div_scale` gives: at least 16 significant
    /// digits (by an estimate in base-10000 digits), and no less than either input's scale.
    pub fn divide(&self, other: &Numeric) -> Result<Numeric> {
        if let Some(result) = self.divide_special(other, false)? {
            return Ok(result);
        }
        self.divide_to_scale(other, self.quotient_scale(other), Rounding::HalfAway)
    }

    /// The scale of `self / other`.
    pub(crate) fn quotient_scale(&self, other: &Numeric) -> i32 {
        let (left_weight, left_digit) = self.leading_digit();
        let (right_weight, right_digit) = other.leading_digit();
        let weight = left_weight - right_weight - i32::from(left_digit <= right_digit);
        (MIN_SIGNIFICANT_DIGITS - weight * 4)
            .max(i32::from(self.scale()))
            .max(i32::from(other.scale()))
            .clamp(0, MAX_RESULT_DISPLAY_SCALE)
    }

    /// The quotient of finite numbers at a scale (not negative). The divisor is not zero.
    pub(crate) fn divide_to_scale(&self, other: &Numeric, scale: i32, rounding: Rounding) -> Result<Numeric> {
        let shown = scale as u16;
        if let (Some((left, left_scale)), Some((right, right_scale))) = (self.as_small(), other.as_small()) {
            // left / 10^ls / (right / 10^rs) * 10^scale = left * 10^(scale + rs - ls) / right
            let shift = scale + i32::from(right_scale) - i32::from(left_scale);
            let (mut dividend, mut divisor) = (i128::from(left), i128::from(right));
            let scaled = if (0..=38).contains(&shift) {
                dividend.checked_mul(POWERS_OF_TEN[shift as usize]).map(|product| dividend = product)
            } else if (-19..0).contains(&shift) {
                divisor.checked_mul(POWERS_OF_TEN[-shift as usize]).map(|product| divisor = product)
            } else {
                None
            };
            if scaled.is_some() {
                if divisor < 0 {
                    (dividend, divisor) = (-dividend, -divisor);
                }
                return Ok(Numeric::from_i128(divide_rounded_i128(dividend, divisor, rounding), shown));
            }
        }
        let (mut dividend, left_scale) = self.to_big().expect("the caller handles special values");
        let (mut divisor, right_scale) = other.to_big().expect("the caller handles special values");
        let shift = scale + i32::from(right_scale) - i32::from(left_scale);
        if shift >= 0 {
            dividend *= power_of_ten(shift as u32);
        } else {
            divisor *= power_of_ten(-shift as u32);
        }
        if divisor.sign() == Sign::Minus {
            (dividend, divisor) = (-dividend, -divisor);
        }
        Numeric::checked(divide_rounded(&dividend, &divisor, rounding), shown)
    }

    /// The quotient where an operand is special, or the error where the divisor is zero.
    fn divide_special(&self, other: &Numeric, integral: bool) -> Result<Option<Numeric>> {
        if self.is_nan() || other.is_nan() {
            return Ok(Some(Numeric::NAN));
        }
        match (self.as_special(), other.as_special()) {
            (Some(_), Some(_)) => Ok(Some(Numeric::NAN)),
            (Some(_), None) => match self.signum() * other.signum() {
                0 => Err(division_by_zero()),
                1 => Ok(Some(Numeric::INFINITY)),
                _ => Ok(Some(Numeric::NEGATIVE_INFINITY)),
            },
            (None, Some(_)) => Ok(Some(Numeric::ZERO)),
            (None, None) if other.is_zero() => Err(division_by_zero()),
            (None, None) if integral && self.is_zero() => Ok(Some(Numeric::ZERO)),
            (None, None) => Ok(None),
        }
    }

    /// `div(self, other)`: the quotient truncated to an integer.
    pub fn divide_truncated(&self, other: &Numeric) -> Result<Numeric> {
        match self.divide_special(other, true)? {
            Some(result) => Ok(result),
            None => self.divide_to_scale(other, 0, Rounding::Truncate),
        }
    }

    /// `self % other`: the remainder of the truncated division, with the sign of `self`.
    pub fn modulo(&self, other: &Numeric) -> Result<Numeric> {
        if self.is_nan() || other.is_nan() {
            return Ok(Numeric::NAN);
        }
        if !self.is_finite() {
            return if other.is_zero() { Err(division_by_zero()) } else { Ok(Numeric::NAN) };
        }
        if !other.is_finite() {
            return Ok(self.clone());
        }
        if other.is_zero() {
            return Err(division_by_zero());
        }
        if let (Some((left, left_scale)), Some((right, right_scale))) = (self.as_small(), other.as_small())
            && left_scale == right_scale
        {
            return Ok(Numeric::new((i128::from(left) % i128::from(right)) as i64, left_scale));
        }
        let (left, right, scale) = aligned(self.to_big().expect("finite"), other.to_big().expect("finite"));
        Ok(Numeric::from_big(left % right, scale))
    }

    /// `-self`.
    #[inline]
    pub fn negate(&self) -> Numeric {
        match self.view() {
            View::Small(coefficient, scale) => match coefficient.checked_neg() {
                Some(negated) => Numeric::new(negated, scale),
                None => Numeric::from_i128(-i128::from(coefficient), scale),
            },
            View::Big(coefficient, scale) => Numeric::from_big(-coefficient, scale),
            View::Special(Special::NaN) => Numeric::NAN,
            View::Special(Special::Infinity) => Numeric::NEGATIVE_INFINITY,
            View::Special(Special::NegativeInfinity) => Numeric::INFINITY,
        }
    }

    /// `abs(self)`.
    pub fn abs(&self) -> Numeric {
        if self.is_negative() { self.negate() } else { self.clone() }
    }

    /// `sign(self)`.
    pub fn sign(&self) -> Numeric {
        if self.is_nan() { Numeric::NAN } else { Numeric::from(self.signum()) }
    }

    /// `gcd(self, other)`.
    pub fn gcd(&self, other: &Numeric) -> Result<Numeric> {
        match (self.to_big(), other.to_big()) {
            (Ok(left), Ok(right)) => {
                let (mut left, mut right, scale) = aligned(left, right);
                while right.sign() != Sign::NoSign {
                    (left, right) = (right.clone(), left % right);
                }
                Numeric::checked(if left.sign() == Sign::Minus { -left } else { left }, scale)
            }
            _ => Ok(Numeric::NAN),
        }
    }

    /// `lcm(self, other)`.
    pub fn lcm(&self, other: &Numeric) -> Result<Numeric> {
        if !self.is_finite() || !other.is_finite() {
            return Ok(Numeric::NAN);
        }
        let scale = self.scale().max(other.scale());
        if self.is_zero() || other.is_zero() {
            return Ok(Numeric::new(0, scale));
        }
        let quotient = self.divide_truncated(&self.gcd(other)?)?;
        quotient.multiply(other)?.abs().round(i32::from(scale))
    }

    /// `factorial(n)`.
    pub fn factorial(n: i64) -> Result<Numeric> {
        if n < 0 {
            return Err(PgError::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                "factorial of a negative number is undefined",
            ));
        }
        if n > 32177 {
            return Err(super::overflow());
        }
        Numeric::checked((2..=n).fold(BigInt::from(1), |product, factor| product * factor), 0)
    }
}
