//! Rounding, and the effect of numeric(precision, scale).

use num_bigint::{BigInt, Sign};

use super::{MAX_SCALE, Numeric, POWERS_OF_TEN, Special, View, decimal_digits, decimal_weight, power_of_ten};
use crate::{PgError, Result, SqlState, TypeMod};

/// What to do with digits that are cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// To the nearest, ties away from zero.
    HalfAway,
    /// Towards zero.
    Truncate,
    /// Towards -Infinity.
    Floor,
    /// Towards Infinity.
    Ceiling,
}

/// `dividend / divisor` rounded to an integer. The divisor is positive.
pub(crate) fn divide_rounded(dividend: &BigInt, divisor: &BigInt, rounding: Rounding) -> BigInt {
    debug_assert!(divisor.sign() == Sign::Plus);
    let quotient = dividend / divisor;
    let remainder = dividend - &quotient * divisor;
    let away = match rounding {
        Rounding::Truncate => false,
        Rounding::HalfAway => (remainder.magnitude() << 1u32) >= *divisor.magnitude(),
        Rounding::Floor => remainder.sign() == Sign::Minus,
        Rounding::Ceiling => remainder.sign() == Sign::Plus,
    };
    match (away, dividend.sign()) {
        (false, _) => quotient,
        (true, Sign::Minus) => quotient - 1,
        (true, _) => quotient + 1,
    }
}

/// [`divide_rounded`] for machine integers.
pub(crate) fn divide_rounded_i128(dividend: i128, divisor: i128, rounding: Rounding) -> i128 {
    let quotient = dividend / divisor;
    let remainder = dividend % divisor;
    let away = match rounding {
        Rounding::Truncate => false,
        Rounding::HalfAway => remainder.unsigned_abs() >= divisor.unsigned_abs() - remainder.unsigned_abs(),
        Rounding::Floor => remainder < 0,
        Rounding::Ceiling => remainder > 0,
    };
    if away { quotient + if dividend < 0 { -1 } else { 1 } } else { quotient }
}

impl Numeric {
    /// The value with `scale` digits after the point; a negative scale cuts digits before it. The shown scale of the result is
    /// `max(scale, 0)`.
    pub(crate) fn rescale(&self, scale: i32, rounding: Rounding) -> Result<Numeric> {
        let shown = scale.clamp(0, i32::from(MAX_SCALE)) as u16;
        match self.view() {
            View::Special(_) => Ok(self.clone()),
            View::Small(0, _) => Ok(Numeric::new(0, shown)),
            View::Small(coefficient, from) => {
                let by = scale - i32::from(from);
                if by >= 0 {
                    if by < 20 {
                        return Ok(Numeric::from_i128(i128::from(coefficient) * POWERS_OF_TEN[by as usize], shown));
                    }
                    return Ok(Numeric::from_big(BigInt::from(coefficient) * power_of_ten(by as u32), shown));
                }
                let rounded = if -by > 19 {
                    match rounding {
                        Rounding::Truncate | Rounding::HalfAway => 0,
                        Rounding::Floor => -i128::from(coefficient < 0),
                        Rounding::Ceiling => i128::from(coefficient > 0),
                    }
                } else {
                    divide_rounded_i128(i128::from(coefficient), POWERS_OF_TEN[-by as usize], rounding)
                };
                if scale >= 0 || rounded == 0 {
                    return Ok(Numeric::from_i128(rounded, shown));
                }
                Numeric::checked(BigInt::from(rounded) * power_of_ten(-scale as u32), 0)
            }
            View::Big(coefficient, from) => {
                let by = scale - i32::from(from);
                if by >= 0 {
                    return Ok(Numeric::from_big(coefficient * power_of_ten(by as u32), shown));
                }
                let digits = decimal_digits(coefficient);
                if matches!(rounding, Rounding::HalfAway | Rounding::Truncate) && -by > digits as i32 {
                    return Ok(Numeric::new(0, shown));
                }
                let rounded = divide_rounded(coefficient, &power_of_ten(-by as u32), rounding);
                if scale >= 0 {
                    return Numeric::checked(rounded, shown);
                }
                Numeric::checked(rounded * power_of_ten(-scale as u32), 0)
            }
        }
    }

    /// `round(numeric, integer)`: half away from zero.
    pub fn round(&self, scale: i32) -> Result<Numeric> {
        self.rescale(clamp_scale(scale), Rounding::HalfAway)
    }

    /// `trunc(numeric, integer)`.
    pub fn trunc(&self, scale: i32) -> Result<Numeric> {
        self.rescale(clamp_scale(scale), Rounding::Truncate)
    }

    /// `ceil(numeric)`.
    pub fn ceil(&self) -> Result<Numeric> {
        self.rescale(0, Rounding::Ceiling)
    }

    /// `floor(numeric)`.
    pub fn floor(&self) -> Result<Numeric> {
        self.rescale(0, Rounding::Floor)
    }

    /// `trim_scale(numeric)`: the least scale that keeps the value.
    pub fn trim_scale(&self) -> Numeric {
        match self.view() {
            View::Special(_) => self.clone(),
            View::Small(mut coefficient, mut scale) => {
                if coefficient == 0 {
                    return Numeric::ZERO;
                }
                while scale > 0 && coefficient % 10 == 0 {
                    coefficient /= 10;
                    scale -= 1;
                }
                Numeric::new(coefficient, scale)
            }
            View::Big(coefficient, scale) => {
                let text = coefficient.magnitude().to_radix_le(10);
                let zeros = text.iter().take_while(|digit| **digit == 0).count().min(usize::from(scale));
                if zeros == 0 {
                    return self.clone();
                }
                Numeric::from_big(coefficient / power_of_ten(zeros as u32), scale - zeros as u16)
            }
        }
    }

    /// `min_scale(numeric)`; `None` for special values.
    pub fn min_scale(&self) -> Option<u16> {
        self.is_finite().then(|| self.trim_scale().scale())
    }

    /// The value as a numeric of this type modifier: rounded to its scale, an error if it then has too many digits.
    pub fn apply_typmod(&self, typmod: TypeMod) -> Result<Numeric> {
        let Some((precision, scale)) = precision_and_scale(typmod) else { return Ok(self.clone()) };
        match self.as_special() {
            None => {}
            Some(Special::NaN) => return Ok(self.clone()),
            Some(_) => {
                return Err(field_overflow(format!(
                    "A field with precision {precision}, scale {scale} cannot hold an infinite value."
                )));
            }
        }
        let rounded = self.rescale(scale, Rounding::HalfAway)?;
        let digits = match rounded.view() {
            View::Small(0, _) => return Ok(rounded),
            View::Small(coefficient, _) => coefficient.unsigned_abs().ilog10() + 1,
            View::Big(coefficient, _) => decimal_digits(coefficient),
            View::Special(_) => return Ok(rounded),
        };
        let before_point = decimal_weight(digits, rounded.scale()) + 1;
        if before_point > precision - scale {
            let limit = if precision == scale { "1".to_string() } else { format!("10^{}", precision - scale) };
            return Err(field_overflow(format!(
                "A field with precision {precision}, scale {scale} must round to an absolute value less than {limit}."
            )));
        }
        Ok(rounded)
    }
}

/// The limits that `round` and `trunc` put on their second argument.
fn clamp_scale(scale: i32) -> i32 {
    scale.clamp(-(super::MAX_WEIGHT + 1) * 4 - 1, i32::from(MAX_SCALE))
}

/// Precision and scale of a numeric's type modifier; `None` for an unconstrained one.
pub(crate) fn precision_and_scale(typmod: TypeMod) -> Option<(i32, i32)> {
    if typmod < 4 {
        return None;
    }
    let packed = typmod - 4;
    // The scale is eleven bits, signed.
    let scale = ((packed & 0x7ff) ^ 1024) - 1024;
    Some(((packed >> 16) & 0xffff, scale))
}

fn field_overflow(detail: String) -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").with_detail(detail)
}
