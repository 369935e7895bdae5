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
        // Digits beyond the display scale are cut off, as PostgreSQL does, however many there are.
        let before_point = (weight + 1) * 4;
        digits.truncate(usize::try_from(before_point + i32::from(scale)).unwrap_or(0));
        let mut value = BigInt::from_radix_be(num_bigint::Sign::Plus, &digits, 10).unwrap_or_default();
        if sign == NEGATIVE {
            value = -value;
        }
        // How many of those that are left stand behind the point.
        let exact = match digits.len() as i32 - before_point {
            _ if digits.is_empty() => Numeric::ZERO,
            behind @ 1.. => Numeric::from_big(value, behind as u16),
            missing => Numeric::checked(value * power_of_ten(missing.unsigned_abs()), 0)?,
        };
        exact.rescale(i32::from(scale), Rounding::Truncate)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Datum, io, oid};

    fn binary(digits: &[i16], weight: i16, sign: u16, scale: u16) -> Vec<u8> {
        let head = [digits.len() as u16, weight.cast_unsigned(), sign, scale];
        let words = head.into_iter().chain(digits.iter().map(|digit| digit.cast_unsigned()));
        words.flat_map(u16::to_be_bytes).collect()
    }

    /// As PostgreSQL 18 reads and sends them: COPY FROM in binary.
    #[test]
    fn digits_behind_the_scale_are_cut_off_however_many_they_are() {
        let many = [&[1, 2345][..], &[6789; 20_000]].concat();
        let cases = [
            (binary(&many, 0, 0, 2), "1.23", "0002000000000002000108fc"),
            (binary(&[5, 5, 5], -4095, 0, 16_383), "0000000000005000", "0001f00100003fff0005"),
            (binary(&[1, 2, 3], -4090, 0x4000, 16_383), "3000000000000000", "0003f00640003fff000100020003"),
            (binary(&[7], -4097, 0, 3), "0.000", "0000000000000003"),
            (binary(&[], -30_000, 0, 4), "0.0000", "0000000000000004"),
            (binary(&[1, 9999], 0, 0, 0), "1", "00010000000000000001"),
        ];
        for (bytes, end, sent) in cases {
            let value = io::receive(oid::NUMERIC, &bytes).unwrap();
            let Datum::Numeric(numeric) = &value else { panic!("{value:?}") };
            let mut text = Vec::new();
            numeric.write_text(&mut text);
            assert!(text.ends_with(end.as_bytes()), "{}", String::from_utf8_lossy(&text));
            let mut again = Vec::new();
            io::send(oid::NUMERIC, &value, &mut again).unwrap();
            assert_eq!(again.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), sent);
        }
    }
}
