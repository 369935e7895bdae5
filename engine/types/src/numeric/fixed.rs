//! Exponential and logarithm of binary fixed-point numbers: the engine under exp, ln, log and power.
//!
//! A number is an integer times `2^-bits`. Every routine is accurate to a few units of the last place, so callers ask for
//! guard bits and round.

use num_bigint::{BigInt, Sign};

use super::power_of_ten;

/// Bits that hold so many decimal digits, and 64 to spare for rounding errors.
pub(super) fn bits_for_digits(digits: i32) -> u64 {
    (f64::from(digits.max(0)) * 3.321_928_094_887_363).ceil() as u64 + 64
}

/// `coefficient / 10^scale` in fixed point.
pub(super) fn from_decimal(coefficient: &BigInt, scale: u32, bits: u64) -> BigInt {
    (coefficient << bits) / power_of_ten(scale)
}

/// A fixed-point number with `scale` decimal digits behind the point, rounded half away from zero.
pub(super) fn to_decimal(value: &BigInt, scale: u32, bits: u64) -> BigInt {
    let scaled = value * power_of_ten(scale);
    let half = BigInt::from(1) << (bits - 1);
    if scaled.sign() == Sign::Minus { -((-scaled + half) >> bits) } else { (scaled + half) >> bits }
}

/// `atanh(1 / n)`.
fn atanh_of_inverse(n: u32, bits: u64) -> BigInt {
    let square = BigInt::from(u64::from(n) * u64::from(n));
    let mut power = (BigInt::from(1) << bits) / n;
    let mut sum = power.clone();
    let mut divisor = 3u32;
    loop {
        power /= &square;
        if power.sign() == Sign::NoSign {
            return sum;
        }
        sum += &power / divisor;
        divisor += 2;
    }
}

/// The natural logarithm of 2.
fn ln_2(bits: u64) -> BigInt {
    // A Machin-like formula.
    atanh_of_inverse(26, bits) * 18 - atanh_of_inverse(4801, bits) * 2 + atanh_of_inverse(8749, bits) * 8
}

/// `e^x` as `(m, k)`: `m * 2^k` with `m` between 1/2 and 2 in fixed point.
pub(super) fn exp(x: &BigInt, bits: u64) -> (BigInt, i64) {
    let work = bits + 64;
    let x = x << 64u32;
    let ln_2 = ln_2(work);
    // x = k ln 2 + r with |r| <= ln 2 / 2
    let half = &ln_2 >> 1u32;
    let shifted = &x + &half;
    let mut k = &shifted / &ln_2;
    if shifted.sign() == Sign::Minus && &k * &ln_2 != shifted {
        k -= 1;
    }
    let mut r = x - &k * &ln_2;
    // Fewer terms for a smaller r, at the price of a squaring for each halving.
    let halvings = ((work as f64).sqrt() / 2.0) as u32;
    let work_extra = u64::from(halvings) + 8;
    let precision = work + work_extra;
    r <<= work_extra;
    r >>= halvings;
    let one = BigInt::from(1) << precision;
    let (mut term, mut sum, mut n) = (one.clone(), one, 1u32);
    loop {
        term = ((term * &r) >> precision) / n;
        // Rounding towards -Infinity ends at -1, not 0.
        if term.bits() <= 1 {
            break;
        }
        sum += &term;
        n += 1;
    }
    for _ in 0..halvings {
        sum = (&sum * &sum) >> precision;
    }
    let k = i64::try_from(&k).expect("callers bound the argument");
    (sum >> (precision - bits), k)
}

/// `ln(x)` of a positive `x`.
pub(super) fn ln(coefficient: &BigInt, scale: u32, bits: u64) -> BigInt {
    let work = bits + 32;
    // coefficient / 10^scale = m * 2^k with m near 1: no precision is lost in scaling exactly.
    let divisor = power_of_ten(scale);
    let k = coefficient.bits() as i64 - divisor.bits() as i64;
    let (numerator, denominator) =
        if k >= 0 { (coefficient.clone(), divisor << k as u64) } else { (coefficient << (-k) as u64, divisor) };
    // 2 atanh((m - 1) / (m + 1))
    let mut power = ((&numerator - &denominator) << work) / (&numerator + &denominator);
    let square = (&power * &power) >> work;
    let mut sum = power.clone();
    let mut divisor = 3u32;
    loop {
        power = (power * &square) >> work;
        if power.bits() <= 1 {
            break;
        }
        sum += &power / divisor;
        divisor += 2;
    }
    let mut result: BigInt = sum << 1u32;
    if k != 0 {
        // k has at most 20 bits.
        result += (ln_2(work + 24) * k) >> 24u32;
    }
    result >> 32u32
}
