//! Roots, exponentials, logarithms and powers, with the scales that PostgreSQL gives their results.
//!
//! The rules for the scale estimate the magnitude of the result in floating point and ask for at least 16 significant
//! digits, no fewer digits behind the point than the inputs have, and no more than 1000. The results themselves are
//! computed with guard digits and rounded.

use num_bigint::{BigInt, Sign};

use super::fixed::{self, bits_for_digits, from_decimal, to_decimal};
use super::round::{Rounding, divide_rounded};
use super::{
    MAX_RESULT_DISPLAY_SCALE, MAX_WEIGHT, MIN_SIGNIFICANT_DIGITS, Numeric, Special, decimal_digits, overflow,
    power_of_ten,
};
use crate::{PgError, Result, SqlState};

/// log10(e) as PostgreSQL writes it: the estimates must fall on the same side.
#[allow(clippy::approx_constant)]
const LOG10_E: f64 = 0.434_294_481_903_252;
/// Where exp gives up (PostgreSQL's NUMERIC_MAX_RESULT_SCALE * 3).
const EXP_LIMIT: f64 = 6000.0;
/// Digits computed beyond those shown.
const GUARD_DIGITS: i32 = 20;

fn logarithm_error(sign: i32) -> PgError {
    let what = if sign == 0 { "zero" } else { "a negative number" };
    PgError::new(SqlState::INVALID_ARGUMENT_FOR_LOG, format!("cannot take logarithm of {what}"))
}

fn power_error(message: &'static str) -> PgError {
    PgError::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message)
}

/// A computed scale within its limits, no less than those of the inputs.
fn result_scale(scale: i32, inputs: &[&Numeric]) -> i32 {
    let least = inputs.iter().map(|input| i32::from(input.scale())).max().unwrap_or(0);
    scale.max(least).clamp(0, MAX_RESULT_DISPLAY_SCALE)
}

impl Numeric {
    fn finite(&self) -> (BigInt, u16) {
        self.to_big().expect("the caller handles special values")
    }

    /// `sqrt(self)`.
    pub fn sqrt(&self) -> Result<Numeric> {
        match self.as_special() {
            Some(Special::NegativeInfinity) => {}
            Some(_) => return Ok(self.clone()),
            None if !self.is_negative() => {
                let digits_before_point = (self.weight() + 1) * 2 - 1;
                let scale = result_scale(MIN_SIGNIFICANT_DIGITS - digits_before_point, &[self]);
                return self.sqrt_to_scale(scale);
            }
            None => {}
        }
        Err(power_error("cannot take square root of a negative number"))
    }

    /// `sqrt(self)` with this many digits after the point; the value is finite and not negative.
    pub fn sqrt_to_scale(&self, scale: i32) -> Result<Numeric> {
        // sqrt(c / 10^s) * 10^(scale + 1) = sqrt(c * 10^(2 scale + 2 - s)), truncated, then one digit rounded away.
        let (coefficient, from) = self.finite();
        let shift = 2 * scale + 2 - i32::from(from);
        let scaled = if shift >= 0 {
            coefficient * power_of_ten(shift as u32)
        } else {
            coefficient / power_of_ten(-shift as u32)
        };
        Numeric::checked(divide_rounded(&scaled.sqrt(), &BigInt::from(10), Rounding::HalfAway), scale as u16)
    }

    /// `exp(self)`.
    pub fn exp(&self) -> Result<Numeric> {
        match self.as_special() {
            Some(Special::NegativeInfinity) => return Ok(Numeric::ZERO),
            Some(_) => return Ok(self.clone()),
            None => {}
        }
        let decimal_weight = (self.to_f64_lossy() * LOG10_E).clamp(-2000.0, 2000.0);
        self.exp_to_scale(result_scale(MIN_SIGNIFICANT_DIGITS - decimal_weight as i32, &[self]))
    }

    fn exp_to_scale(&self, scale: i32) -> Result<Numeric> {
        let approximately = self.to_f64_lossy();
        if approximately.abs() >= EXP_LIMIT {
            return if approximately > 0.0 { Err(overflow()) } else { Ok(Numeric::new(0, scale as u16)) };
        }
        let digits = scale + (approximately * LOG10_E) as i32 + GUARD_DIGITS;
        let bits = bits_for_digits(digits);
        let (coefficient, from) = self.finite();
        Numeric::checked(exp_fixed(&from_decimal(&coefficient, u32::from(from), bits), bits, scale), scale as u16)
    }

    /// PostgreSQL's estimate of the decimal weight of `ln(self)`.
    fn ln_weight_estimate(&self) -> i32 {
        if self.signum() <= 0 {
            return 0;
        }
        if *self >= Numeric::new(9, 1) && *self <= Numeric::new(11, 1) {
            let beyond_one = self.subtract(&Numeric::ONE).expect("smaller than the operand");
            let (weight, digit) = beyond_one.leading_digit();
            return if digit == 0 { 0 } else { weight * 4 + digit.ilog10() as i32 };
        }
        let (digits, weight) = self.base_10000();
        let (mut leading, mut decimal_weight) = (f64::from(digits[0]), weight * 4);
        if let Some(second) = digits.get(1) {
            leading = leading * 10_000.0 + f64::from(*second);
            decimal_weight -= 4;
        }
        let ln = leading.ln() + f64::from(decimal_weight) * std::f64::consts::LN_10;
        ln.abs().log10() as i32
    }

    /// `ln(self)`.
    pub fn ln(&self) -> Result<Numeric> {
        match self.as_special() {
            Some(Special::NegativeInfinity) => return Err(logarithm_error(-1)),
            Some(_) => return Ok(self.clone()),
            None if self.signum() <= 0 => return Err(logarithm_error(self.signum())),
            None => {}
        }
        let scale = result_scale(MIN_SIGNIFICANT_DIGITS - self.ln_weight_estimate(), &[self]);
        let (coefficient, from) = self.finite();
        let bits = bits_for_digits(scale + GUARD_DIGITS);
        let ln = fixed::ln(&coefficient, u32::from(from), bits);
        Numeric::checked(to_decimal(&ln, scale as u32, bits), scale as u16)
    }

    /// `log(self)`: to base 10.
    pub fn log10(&self) -> Result<Numeric> {
        Numeric::from(10).log_of(self)
    }

    /// `log(self, number)`: of a number to this base.
    pub fn log_of(&self, number: &Numeric) -> Result<Numeric> {
        if self.is_nan() || number.is_nan() {
            return Ok(Numeric::NAN);
        }
        // Of finite values the base is looked at first; beside an infinity, signs come before zeros.
        let signs = [self.signum(), number.signum()];
        let refused = if self.is_finite() && number.is_finite() {
            signs.into_iter().find(|sign| *sign <= 0)
        } else {
            signs.into_iter().filter(|sign| *sign <= 0).min()
        };
        if let Some(sign) = refused {
            return Err(logarithm_error(sign));
        }
        match (self.is_finite(), number.is_finite()) {
            (false, false) => return Ok(Numeric::NAN),
            (false, true) => return Ok(Numeric::ZERO),
            (true, false) => return Ok(Numeric::INFINITY),
            (true, true) => {}
        }
        let base_weight = self.ln_weight_estimate();
        let result_weight = number.ln_weight_estimate() - base_weight;
        let scale = result_scale(MIN_SIGNIFICANT_DIGITS - result_weight, &[self, number]);
        // The quotient's error is that of the parts over the base's logarithm, which may be tiny.
        let digits = scale + 2 * (-base_weight).max(0) + result_weight.max(0) + GUARD_DIGITS;
        let bits = bits_for_digits(digits);
        let (base, base_scale) = self.finite();
        let (number, number_scale) = number.finite();
        let ln_base = fixed::ln(&base, u32::from(base_scale), bits);
        if *self == Numeric::ONE {
            return Err(PgError::new(SqlState::DIVISION_BY_ZERO, "division by zero"));
        }
        let ln_number = fixed::ln(&number, u32::from(number_scale), bits);
        let quotient = (ln_number << bits) / ln_base;
        Numeric::checked(to_decimal(&quotient, scale as u32, bits), scale as u16)
    }

    /// Whether a finite number has no fraction.
    fn is_integral(&self) -> bool {
        self.min_scale() == Some(0)
    }

    fn is_odd(&self) -> bool {
        self.trim_scale().to_big().is_ok_and(|(value, scale)| scale == 0 && value.bit(0))
    }

    /// `power(self, exponent)`.
    pub fn power(&self, exponent: &Numeric) -> Result<Numeric> {
        if self.is_nan() {
            return Ok(if exponent.is_zero() { Numeric::ONE } else { Numeric::NAN });
        }
        if exponent.is_nan() {
            return Ok(if *self == Numeric::ONE { Numeric::ONE } else { Numeric::NAN });
        }
        let (base_sign, exponent_sign) = (self.signum(), exponent.signum());
        if base_sign == 0 && exponent_sign < 0 {
            return Err(power_error("zero raised to a negative power is undefined"));
        }
        if base_sign < 0 && exponent.is_finite() && !exponent.is_integral() {
            return Err(power_error("a negative number raised to a non-integer power yields a complex result"));
        }
        if !self.is_finite() || !exponent.is_finite() {
            return Ok(self.power_infinite(exponent));
        }
        if exponent.is_integral()
            && let Ok(integer) = exponent.to_i32()
        {
            return self.power_integer(integer, exponent);
        }
        if base_sign == 0 {
            return Ok(Numeric::new(0, MIN_SIGNIFICANT_DIGITS as u16));
        }
        let magnitude = self.abs().power_real(exponent)?;
        Ok(if base_sign < 0 && exponent.is_odd() { magnitude.negate() } else { magnitude })
    }

    /// POSIX's rules for pow with an infinite argument.
    fn power_infinite(&self, exponent: &Numeric) -> Numeric {
        let positive = exponent.signum() > 0;
        if *self == Numeric::ONE || exponent.is_zero() {
            return Numeric::ONE;
        }
        if self.is_zero() {
            return Numeric::ZERO;
        }
        if !exponent.is_finite() {
            if *self == Numeric::from(-1) {
                return Numeric::ONE;
            }
            let grows = (self.abs() > Numeric::ONE) == positive;
            return if grows { Numeric::INFINITY } else { Numeric::ZERO };
        }
        match (positive, self.signum() < 0 && exponent.is_odd()) {
            (false, _) => Numeric::ZERO,
            (true, true) => Numeric::NEGATIVE_INFINITY,
            (true, false) => Numeric::INFINITY,
        }
    }

    fn power_integer(&self, exponent: i32, written: &Numeric) -> Result<Numeric> {
        // Decimal weight of the result, from up to 16 leading digits of the base.
        let weight = if self.is_zero() {
            0.0
        } else {
            let (digits, weight) = self.base_10000();
            let (mut leading, mut decimal_weight) = (f64::from(digits[0]), weight * 4);
            for digit in digits.iter().take(4).skip(1) {
                leading = leading * 10_000.0 + f64::from(*digit);
                decimal_weight -= 4;
            }
            f64::from(exponent) * (leading.log10() + f64::from(decimal_weight))
        };
        if weight > f64::from((MAX_WEIGHT + 1) * 4) {
            return Err(overflow());
        }
        if weight + 1.0 < -f64::from(MAX_RESULT_DISPLAY_SCALE) {
            return Ok(Numeric::new(0, MAX_RESULT_DISPLAY_SCALE as u16));
        }
        let scale = result_scale(MIN_SIGNIFICANT_DIGITS - weight as i32, &[self, written]);
        match exponent {
            0 => return Numeric::ONE.round(scale),
            1 => return self.round(scale),
            -1 => return Numeric::ONE.divide_to_scale(self, scale, Rounding::HalfAway),
            2 => return self.multiply(self)?.round(scale),
            _ if self.is_zero() => return Ok(Numeric::new(0, scale as u16)),
            _ => {}
        }
        let (coefficient, from) = self.trim_scale().finite();
        let digits = 1 + scale + weight as i32 + (f64::from(exponent).abs().ln() as i32) + GUARD_DIGITS;
        let (power, decimal_exponent) = power_rounded(&coefficient, -i64::from(from), exponent.unsigned_abs(), digits);
        // coefficient^|e| = power * 10^decimal_exponent, exactly unless it had more digits than asked for.
        let shift = i64::from(scale) + if exponent > 0 { decimal_exponent } else { -decimal_exponent };
        let (mut dividend, mut divisor) =
            if exponent > 0 { (power, BigInt::from(1)) } else { (BigInt::from(1), power) };
        if shift >= 0 {
            dividend *= power_of_ten(shift as u32);
        } else {
            divisor *= power_of_ten(-shift as u32);
        }
        if divisor.sign() == Sign::Minus {
            (dividend, divisor) = (-dividend, -divisor);
        }
        Numeric::checked(divide_rounded(&dividend, &divisor, Rounding::HalfAway), scale as u16)
    }

    /// A positive number to a power that is no 32-bit integer: `e^(exponent * ln(self))`.
    fn power_real(&self, exponent: &Numeric) -> Result<Numeric> {
        let ln_weight = self.ln_weight_estimate();
        let (base, base_scale) = self.finite();
        let (power, power_scale) = exponent.finite();
        let exponent_digits = (decimal_digits(&power) as i32 - i32::from(power_scale)).max(0);
        // A first look for the size of the result, with the digits that PostgreSQL looks at: about eight.
        let rough_scale = (8 - ln_weight).max(0);
        let bits = bits_for_digits(rough_scale);
        let ln = to_decimal(&fixed::ln(&base, u32::from(base_scale), bits), rough_scale as u32, bits);
        let ln = Numeric::from_big(ln, rough_scale as u16);
        let rough = ln.multiply(exponent)?.rescale(rough_scale, Rounding::HalfAway)?.to_f64_lossy();
        if rough.abs() > EXP_LIMIT * 3.01 / 3.0 {
            return if rough > 0.0 { Err(overflow()) } else { Ok(Numeric::new(0, MAX_RESULT_DISPLAY_SCALE as u16)) };
        }
        let weight = (rough * LOG10_E) as i32;
        let scale = result_scale(MIN_SIGNIFICANT_DIGITS - weight, &[self, exponent]);
        if rough.abs() >= EXP_LIMIT {
            return if rough > 0.0 { Err(overflow()) } else { Ok(Numeric::new(0, scale as u16)) };
        }
        let digits = (scale + weight).max(0) + GUARD_DIGITS;
        let ln_bits = bits_for_digits(digits + exponent_digits);
        let ln = fixed::ln(&base, u32::from(base_scale), ln_bits);
        let product = (ln * power) / power_of_ten(u32::from(power_scale));
        let bits = bits_for_digits(digits);
        let argument = product >> (ln_bits - bits);
        Numeric::checked(exp_fixed(&argument, bits, scale), scale as u16)
    }

    /// `width_bucket(self, low, high, count)`.
    pub fn width_bucket(&self, low: &Numeric, high: &Numeric, count: i32) -> Result<i32> {
        let error = |message| PgError::new(SqlState::INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, message);
        if count <= 0 {
            return Err(error("count must be greater than zero"));
        }
        if self.is_nan() || low.is_nan() || high.is_nan() {
            return Err(error("operand, lower bound, and upper bound cannot be NaN"));
        }
        if !low.is_finite() || !high.is_finite() {
            return Err(error("lower and upper bounds must be finite"));
        }
        if low == high {
            return Err(error("lower bound cannot equal upper bound"));
        }
        let ascending = low < high;
        let (before, beyond) = if ascending { (self < low, self >= high) } else { (self > low, self <= high) };
        if before {
            return Ok(0);
        }
        if beyond {
            let out_of_range = || PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range");
            return count.checked_add(1).ok_or_else(out_of_range);
        }
        let (distance, width) = if ascending {
            (self.subtract(low)?, high.subtract(low)?)
        } else {
            (low.subtract(self)?, low.subtract(high)?)
        };
        let bucket = distance.multiply(&Numeric::from(count))?.divide_truncated(&width)?.to_i32()?;
        Ok(bucket + 1)
    }
}

/// `e^x` with `scale` decimals.
fn exp_fixed(x: &BigInt, bits: u64, scale: i32) -> BigInt {
    let (mantissa, exponent) = fixed::exp(x, bits);
    let shift = bits as i64 - exponent;
    if shift > 0 {
        to_decimal(&mantissa, scale as u32, shift as u64)
    } else {
        (mantissa << (-shift) as u64) * power_of_ten(scale as u32)
    }
}

/// `(coefficient * 10^exponent)^power` as an integer times a power of ten, kept to about so many digits.
fn power_rounded(coefficient: &BigInt, exponent: i64, power: u32, digits: i32) -> (BigInt, i64) {
    let limit = digits.max(1) as u32;
    let shorten = |(value, exponent): (BigInt, i64)| {
        let excess = decimal_digits(&value).saturating_sub(limit);
        // Cutting costs a division: let a few digits more stand.
        if excess <= 8 {
            return (value, exponent);
        }
        (divide_rounded(&value, &power_of_ten(excess), Rounding::HalfAway), exponent + i64::from(excess))
    };
    let mut base = (coefficient.clone(), exponent);
    let mut result = (BigInt::from(1), 0i64);
    let mut rest = power;
    loop {
        if rest & 1 == 1 {
            result = shorten((result.0 * &base.0, result.1 + base.1));
        }
        rest >>= 1;
        if rest == 0 {
            return result;
        }
        base = shorten((&base.0 * &base.0, base.1 * 2));
    }
}
