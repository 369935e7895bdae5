//! The binary protocol form of numerics.

use num_bigint::BigInt;

use super::round::Rounding;
use super::{MAX_SCALE, Numeric, Special, power_of_ten};
use crate::io::Reader;
use crate::{PgError, Result, SqlState};

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;

impl Numeric {
    /// Appends the binary form.
    pub fn send(&self, out: &mut Vec<u8>) {
        let sign = match self.as_special() {
            Some(Special::NaN) => NAN,
            Some(Special::Infinity) => INFINITY,
            Some(Special::NegativeInfinity) => NEGATIVE_INFINITY,
            None if self.is_negative() => NEGATIVE,
            None => POSITIVE,
        };
        let (digits, weight) = self.base_10000();
        out.extend_from_slice(&(digits.len() as u16).to_be_bytes());
        out.extend_from_slice(&(weight as i16).to_be_bytes());
        out.extend_from_slice(&sign.to_be_bytes());
        // What PostgreSQL sends for the scale of an infinity is a bit of its own representation.
        let scale = if matches!(sign, INFINITY | NEGATIVE_INFINITY) { 0x20 } else { self.scale() };
        out.extend_from_slice(&scale.to_be_bytes());
        for digit in digits {
            out.extend_from_slice(&digit.to_be_bytes());
        }
    }

    /// Reads the binary form.
    pub(crate) fn receive(reader: &mut Reader<'_>) -> Result<Numeric> {
        let invalid = |what: &'static str| PgError::new(SqlState::INVALID_BINARY_REPRESENTATION, what);
        let count = reader.u16()?;
        let weight = i32::from(reader.i16()?);
        let sign = reader.u16()?;
        if !matches!(sign, POSITIVE | NEGATIVE | NAN | INFINITY | NEGATIVE_INFINITY) {
            return Err(invalid("invalid sign in external \"numeric\" value"));
        }
        let scale = reader.u16()?;
        if scale > MAX_SCALE {
            return Err(invalid("invalid scale in external \"numeric\" value"));
        }
        let mut digits = Vec::with_capacity(usize::from(count).min(64) * 4);
        for _ in 0..count {
            let digit = reader.i16()?;
            if !(0..10_000).contains(&digit) {
                return Err(invalid("invalid digit in external \"numeric\" value"));
            }
            digits.extend([digit / 1000, digit / 100 % 10, digit / 10 % 10, digit % 10].map(|digit| digit as u8));
        }
        match sign {
            NAN => return Ok(Numeric::NAN),
            INFINITY => return Ok(Numeric::INFINITY),
            NEGATIVE_INFINITY => return Ok(Numeric::NEGATIVE_INFINITY),
            _ => {}
        }
        let mut value = BigInt::from_radix_be(num_bigint::Sign::Plus, &digits, 10).unwrap_or_default();
        if sign == NEGATIVE {
            value = -value;
        }
        // The last digit's weight is the power of 10000 that the integer stands at.
        let last_weight = weight - (i32::from(count) - 1);
        let exact = if last_weight >= 0 {
            Numeric::checked(value * power_of_ten(last_weight as u32 * 4), 0)?
        } else if -last_weight * 4 <= i32::from(u16::MAX) {
            Numeric::from_big(value, (-last_weight * 4) as u16)
        } else {
            Numeric::ZERO
        };
        // Digits beyond the display scale are cut off, as PostgreSQL does.
        exact.rescale(i32::from(scale), Rounding::Truncate)
    }
}
