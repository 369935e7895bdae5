//! numeric: decimals of any precision, with PostgreSQL's display scale, NaN and infinities.
//!
//! A finite value is `coefficient / 10^scale`. The scale is what PostgreSQL calls *dscale*: how many digits are shown
//! after the point, and so part of the value (`1.0` and `1.00` are equal, hash and sort alike, and print
//! differently). Coefficients that fit an `i64` sit inline in the sixteen bytes of the value; larger ones are a
//! shared big integer. The representation is canonical: the same coefficient and scale are always the same variant.
//!
//! ```text
//!   Small   12.50          coefficient = 1250, scale = 2           no allocation
//!   Big     a coefficient beyond 64 bits, behind an Arc
//!   NaN, Infinity, -Infinity
//! ```
//!
//! PostgreSQL computes in base 10000 and its rules for the scale of a quotient, root, logarithm or power are worded
//! in such digits; `weight` recovers them. Addition, subtraction, multiplication, division and roots are exact
//! and then rounded half away from zero to the scale that the rules ask for, which is what PostgreSQL's routines
//! give. Limits: 131072 digits before the point (weight 32767 in base 10000) and 16383 after it; a result beyond is
//! 22003 `value overflows numeric format`.
//!
//! Source: PostgreSQL's `src/backend/utils/adt/numeric.c` describes the rules; answers were compared with PostgreSQL 18.

mod arithmetic;
mod binary;
mod compare;
mod convert;
mod digits;
mod fixed;
mod math;
mod round;
mod sum;
mod text;

use std::sync::Arc;

use num_bigint::{BigInt, Sign};

use crate::{PgError, Result, SqlState};

pub(crate) use round::precision_and_scale;
pub use sum::NumericSum;

/// Most digits after the point that any value may have.
pub(crate) const MAX_SCALE: u16 = 16383;
/// Highest base-10000 weight that any value may have.
pub(crate) const MAX_WEIGHT: i32 = 32767;
/// Digits after the point that computed (not given) scales are limited to.
pub(crate) const MAX_RESULT_DISPLAY_SCALE: i32 = 1000;
/// Significant digits that inexact operations give at least.
pub(crate) const MIN_SIGNIFICANT_DIGITS: i32 = 16;

/// An arbitrary-precision decimal; see the module's essay. Equality, order and hash are by value: 1.0 equals 1.00,
/// NaN equals NaN and is greater than everything.
#[derive(Clone)]
pub struct Numeric(Repr);

#[derive(Clone)]
enum Repr {
    Small { scale: u16, coefficient: i64 },
    Big(Arc<Big>),
    Special(Special),
}

/// A coefficient that does not fit an `i64`.
struct Big {
    coefficient: BigInt,
    scale: u16,
}

/// The values that are not finite, in sort order: `-Infinity < finite < Infinity < NaN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Special {
    NegativeInfinity,
    Infinity,
    NaN,
}

/// A view of a value for computing with it.
pub(crate) enum View<'a> {
    Small(i64, u16),
    Big(&'a BigInt, u16),
    Special(Special),
}

const _: () = assert!(size_of::<Numeric>() == 16 && align_of::<Numeric>() == 8);
const _: () = assert!(size_of::<crate::Datum>() == 24);

/// 10^0 to 10^38.
pub(crate) const POWERS_OF_TEN: [i128; 39] = {
    let mut powers = [1i128; 39];
    let mut exponent = 1;
    while exponent < 39 {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// 10^exponent.
pub(crate) fn power_of_ten(exponent: u32) -> BigInt {
    match POWERS_OF_TEN.get(exponent as usize) {
        Some(&power) => BigInt::from(power),
        None => BigInt::from(10).pow(exponent),
    }
}

/// How many decimal digits an integer has; 0 for zero.
pub(crate) fn decimal_digits(coefficient: &BigInt) -> u32 {
    let bits = coefficient.bits();
    if bits == 0 {
        return 0;
    }
    // 2^(bits-1) <= |coefficient| < 2^bits, so at most one of two lengths is possible (log10(2) = 0.30102999566...).
    let least = ((bits - 1) as u128 * 3_010_299_956_639_811 / 10_000_000_000_000_000) as u32 + 1;
    if coefficient.magnitude() >= power_of_ten(least).magnitude() { least + 1 } else { least }
}

pub(crate) fn overflow() -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

impl Numeric {
    /// 0.
    pub const ZERO: Numeric = Numeric(Repr::Small { scale: 0, coefficient: 0 });
    /// 1.
    pub const ONE: Numeric = Numeric(Repr::Small { scale: 0, coefficient: 1 });
    /// Not a number.
    pub const NAN: Numeric = Numeric(Repr::Special(Special::NaN));
    /// Infinity.
    pub const INFINITY: Numeric = Numeric(Repr::Special(Special::Infinity));
    /// -Infinity.
    pub const NEGATIVE_INFINITY: Numeric = Numeric(Repr::Special(Special::NegativeInfinity));

    /// `coefficient / 10^scale`. The scale is at most 16383.
    #[inline]
    pub fn new(coefficient: i64, scale: u16) -> Numeric {
        debug_assert!(scale <= MAX_SCALE);
        Numeric(Repr::Small { scale, coefficient })
    }

    /// `coefficient / 10^scale`.
    #[inline]
    pub fn from_i128(coefficient: i128, scale: u16) -> Numeric {
        match i64::try_from(coefficient) {
            Ok(small) => Numeric::new(small, scale),
            Err(_) => Numeric(Repr::Big(Arc::new(Big { coefficient: BigInt::from(coefficient), scale }))),
        }
    }

    /// `coefficient / 10^scale` of any size. The value must be within the format's limits.
    pub(crate) fn from_big(coefficient: BigInt, scale: u16) -> Numeric {
        match i64::try_from(&coefficient) {
            Ok(small) => Numeric::new(small, scale),
            Err(_) => Numeric(Repr::Big(Arc::new(Big { coefficient, scale }))),
        }
    }

    /// Like [`Numeric::from_big`], checking the format's limit on digits before the point.
    pub(crate) fn checked(coefficient: BigInt, scale: u16) -> Result<Numeric> {
        // Below 2^64 * 10^16383 no value has a weight over the limit.
        if coefficient.bits() > 400_000 && decimal_weight(decimal_digits(&coefficient), scale) / 4 > MAX_WEIGHT {
            return Err(overflow());
        }
        Ok(Numeric::from_big(coefficient, scale))
    }

    pub(crate) fn view(&self) -> View<'_> {
        match &self.0 {
            Repr::Small { scale, coefficient } => View::Small(*coefficient, *scale),
            Repr::Big(big) => View::Big(&big.coefficient, big.scale),
            Repr::Special(special) => View::Special(*special),
        }
    }

    /// Coefficient and scale as a big integer, or which special value it is.
    pub(crate) fn to_big(&self) -> std::result::Result<(BigInt, u16), Special> {
        match self.view() {
            View::Small(coefficient, scale) => Ok((BigInt::from(coefficient), scale)),
            View::Big(coefficient, scale) => Ok((coefficient.clone(), scale)),
            View::Special(special) => Err(special),
        }
    }

    pub(crate) fn special(special: Special) -> Numeric {
        Numeric(Repr::Special(special))
    }

    pub(crate) fn as_special(&self) -> Option<Special> {
        match self.0 {
            Repr::Special(special) => Some(special),
            _ => None,
        }
    }

    /// Coefficient and scale where the coefficient fits an `i64`.
    #[inline]
    pub fn as_small(&self) -> Option<(i64, u16)> {
        match self.0 {
            Repr::Small { scale, coefficient } => Some((coefficient, scale)),
            _ => None,
        }
    }

    /// Digits shown after the point; 0 for special values.
    #[inline]
    pub fn scale(&self) -> u16 {
        match &self.0 {
            Repr::Small { scale, .. } => *scale,
            Repr::Big(big) => big.scale,
            Repr::Special(_) => 0,
        }
    }

    /// Whether this is NaN.
    pub fn is_nan(&self) -> bool {
        matches!(self.0, Repr::Special(Special::NaN))
    }

    /// Whether this is neither NaN nor an infinity.
    #[inline]
    pub fn is_finite(&self) -> bool {
        !matches!(self.0, Repr::Special(_))
    }

    /// Whether this is zero, of whatever scale.
    #[inline]
    pub fn is_zero(&self) -> bool {
        matches!(self.0, Repr::Small { coefficient: 0, .. })
    }

    /// -1, 0 or 1; 0 for NaN.
    pub fn signum(&self) -> i32 {
        match &self.0 {
            Repr::Small { coefficient, .. } => coefficient.signum() as i32,
            Repr::Big(big) if big.coefficient.sign() == Sign::Minus => -1,
            Repr::Big(_) | Repr::Special(Special::Infinity) => 1,
            Repr::Special(Special::NegativeInfinity) => -1,
            Repr::Special(Special::NaN) => 0,
        }
    }

    /// Whether this is less than zero.
    pub fn is_negative(&self) -> bool {
        self.signum() < 0
    }

    /// Bytes kept outside of the value.
    pub fn heap_memory(&self) -> usize {
        match &self.0 {
            Repr::Big(big) => size_of::<Big>() + 16 + (big.coefficient.bits() as usize).div_ceil(64) * 8,
            _ => 0,
        }
    }
}

/// Decimal exponent of the leading digit of a nonzero value: 2 for 123.4, -2 for 0.05.
pub(crate) fn decimal_weight(digits: u32, scale: u16) -> i32 {
    digits as i32 - 1 - i32::from(scale)
}

impl From<i16> for Numeric {
    fn from(value: i16) -> Numeric {
        Numeric::new(i64::from(value), 0)
    }
}

impl From<i32> for Numeric {
    fn from(value: i32) -> Numeric {
        Numeric::new(i64::from(value), 0)
    }
}

impl From<u32> for Numeric {
    fn from(value: u32) -> Numeric {
        Numeric::new(i64::from(value), 0)
    }
}

impl From<i64> for Numeric {
    fn from(value: i64) -> Numeric {
        Numeric::new(value, 0)
    }
}

impl From<i128> for Numeric {
    fn from(value: i128) -> Numeric {
        Numeric::from_i128(value, 0)
    }
}

impl std::fmt::Debug for Numeric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
