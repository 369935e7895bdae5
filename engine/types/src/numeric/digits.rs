//! PostgreSQL's base-10000 digits of a value, where its rules are worded in them.

use num_bigint::BigInt;

use super::{Numeric, POWERS_OF_TEN, View, decimal_digits, decimal_weight, power_of_ten};

impl Numeric {
    /// Weight (power of 10000) and value of the leading base-10000 digit; `(0, 0)` for zero and special values.
    pub(crate) fn leading_digit(&self) -> (i32, i32) {
        match self.view() {
            View::Small(0, _) | View::Special(_) => (0, 0),
            View::Small(coefficient, scale) => {
                let magnitude = coefficient.unsigned_abs();
                let digits = magnitude.ilog10() + 1;
                let weight = decimal_weight(digits, scale);
                let wanted = weight.rem_euclid(4) as u32 + 1;
                let leading = if digits >= wanted {
                    magnitude / 10u64.pow(digits - wanted)
                } else {
                    magnitude * 10u64.pow(wanted - digits)
                };
                (weight.div_euclid(4), leading as i32)
            }
            View::Big(coefficient, scale) => {
                let digits = decimal_digits(coefficient);
                let weight = decimal_weight(digits, scale);
                let wanted = weight.rem_euclid(4) as u32 + 1;
                let leading = BigInt::from(coefficient.magnitude().clone()) / power_of_ten(digits - wanted);
                (weight.div_euclid(4), i32::try_from(leading).expect("at most four digits"))
            }
        }
    }

    /// Weight of the leading base-10000 digit; 0 for zero.
    pub(crate) fn weight(&self) -> i32 {
        self.leading_digit().0
    }

    /// The base-10000 digits, most significant first, with the weight of the first, without leading and trailing zero digits.
    /// Empty for zero and special values.
    pub fn base_10000(&self) -> (Vec<i16>, i32) {
        let (mut digits, weight) = match self.view() {
            View::Special(_) | View::Small(0, _) => return (Vec::new(), 0),
            View::Small(coefficient, scale) => {
                // The scale is brought to a multiple of four, so that digits align with the point.
                let padding = (4 - scale % 4) % 4;
                let mut rest = u128::from(coefficient.unsigned_abs()) * POWERS_OF_TEN[padding as usize] as u128;
                let mut digits = Vec::with_capacity(6);
                while rest > 0 {
                    digits.push((rest % 10_000) as i16);
                    rest /= 10_000;
                }
                digits.reverse();
                let weight = digits.len() as i32 - 1 - i32::from((scale + padding) / 4);
                (digits, weight)
            }
            View::Big(coefficient, scale) => {
                let padding = (4 - scale % 4) % 4;
                let decimal = (coefficient * power_of_ten(u32::from(padding))).magnitude().to_radix_be(10);
                let mut digits = Vec::with_capacity(decimal.len() / 4 + 1);
                let head = decimal.len() % 4;
                let value = |digits: &[u8]| digits.iter().fold(0i16, |value, digit| value * 10 + i16::from(*digit));
                if head > 0 {
                    digits.push(value(&decimal[..head]));
                }
                digits.extend(decimal[head..].chunks(4).map(value));
                let weight = digits.len() as i32 - 1 - i32::from((scale + padding) / 4);
                (digits, weight)
            }
        };
        while digits.last() == Some(&0) {
            digits.pop();
        }
        (digits, weight)
    }
}
