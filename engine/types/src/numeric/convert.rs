//! Numerics from and to integers and floats.

use super::round::Rounding;
use super::{Numeric, Special, View};
use crate::{PgError, Result, SqlState};

/// The value as an integer, rounded half away from zero, where it is finite and fits 128 bits.
fn rounded(value: &Numeric) -> Option<i128> {
    match value.rescale(0, Rounding::HalfAway).ok()?.view() {
        View::Small(coefficient, _) => Some(i128::from(coefficient)),
        View::Big(coefficient, _) => i128::try_from(coefficient).ok(),
        View::Special(_) => None,
    }
}

impl Numeric {
    fn to_integer<T: TryFrom<i128>>(&self, type_name: &str) -> Result<T> {
        if let Some(special) = self.as_special() {
            let what = if special == Special::NaN { "NaN" } else { "infinity" };
            return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, format!("cannot convert {what} to {type_name}")));
        }
        rounded(self)
            .and_then(|value| T::try_from(value).ok())
            .ok_or_else(|| PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{type_name} out of range")))
    }

    /// The cast to smallint.
    pub fn to_i16(&self) -> Result<i16> {
        self.to_integer("smallint")
    }

    /// The cast to integer.
    pub fn to_i32(&self) -> Result<i32> {
        self.to_integer("integer")
    }

    /// The cast to bigint.
    pub fn to_i64(&self) -> Result<i64> {
        self.to_integer("bigint")
    }

    /// The value as an exact 128-bit integer when it is one.
    pub fn to_exact_i128(&self) -> Option<i128> {
        let trimmed = self.trim_scale();
        if trimmed.scale() > 0 { None } else { rounded(&trimmed) }
    }

    /// The nearest float8; infinite beyond its range.
    pub fn to_f64_lossy(&self) -> f64 {
        match self.view() {
            View::Special(Special::NaN) => f64::NAN,
            View::Special(Special::Infinity) => f64::INFINITY,
            View::Special(Special::NegativeInfinity) => f64::NEG_INFINITY,
            View::Small(coefficient, 0) => coefficient as f64,
            // Below 2^53 over an exact power of ten, one division rounds correctly.
            View::Small(coefficient, scale) if scale <= 22 && coefficient.unsigned_abs() < 1 << 53 => {
                const EXACT: [f64; 23] = [
                    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
                    1e18, 1e19, 1e20, 1e21, 1e22,
                ];
                coefficient as f64 / EXACT[usize::from(scale)]
            }
            _ => self.to_string().parse().expect("a numeric's text is a float's"),
        }
    }

    /// The cast to double precision.
    pub fn to_f64(&self) -> Result<f64> {
        let value = self.to_f64_lossy();
        if self.is_finite() && (value.is_infinite() || (value == 0.0 && !self.is_zero())) {
            return Err(PgError::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!("\"{self}\" is out of range for type double precision"),
            ));
        }
        Ok(value)
    }

    /// The cast to real.
    pub fn to_f32(&self) -> Result<f32> {
        let value = match self.view() {
            View::Special(_) => self.to_f64_lossy() as f32,
            _ => self.to_string().parse().expect("a numeric's text is a float's"),
        };
        if self.is_finite() && (value.is_infinite() || (value == 0.0 && !self.is_zero())) {
            return Err(PgError::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!("\"{self}\" is out of range for type real"),
            ));
        }
        Ok(value)
    }

    /// The cast from double precision: 15 significant digits, as PostgreSQL's `%.15g`.
    pub fn from_f64(value: f64) -> Numeric {
        Numeric::from_float(value, 15)
    }

    /// The cast from real: 6 significant digits.
    pub fn from_f32(value: f32) -> Numeric {
        Numeric::from_float(f64::from(value), 6)
    }

    fn from_float(value: f64, digits: usize) -> Numeric {
        if value.is_nan() {
            return Numeric::NAN;
        }
        if value.is_infinite() {
            return if value > 0.0 { Numeric::INFINITY } else { Numeric::NEGATIVE_INFINITY };
        }
        // `%.15g` drops trailing zeros and so does this.
        let text = format!("{:.*e}", digits - 1, value);
        Numeric::parse(&text).expect("a float's text is a numeric's").trim_scale()
    }
}
