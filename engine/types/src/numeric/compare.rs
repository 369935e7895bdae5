//! Order, equality and hash of numerics: by value, whatever the scale.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use num_bigint::BigInt;

use super::{Numeric, POWERS_OF_TEN, Special, View, power_of_ten};

impl Ord for Numeric {
    fn cmp(&self, other: &Numeric) -> Ordering {
        match (self.view(), other.view()) {
            (View::Small(left, left_scale), View::Small(right, right_scale)) => {
                if left_scale == right_scale {
                    return left.cmp(&right);
                }
                let difference = left_scale.abs_diff(right_scale) as usize;
                if difference > 19 || left.signum() != right.signum() {
                    return compare_apart(self, other);
                }
                let power = POWERS_OF_TEN[difference];
                if left_scale < right_scale {
                    (i128::from(left) * power).cmp(&i128::from(right))
                } else {
                    i128::from(left).cmp(&(i128::from(right) * power))
                }
            }
            (View::Special(left), View::Special(right)) => left.cmp(&right),
            (View::Special(Special::NegativeInfinity), _) => Ordering::Less,
            (View::Special(_), _) => Ordering::Greater,
            (_, View::Special(Special::NegativeInfinity)) => Ordering::Greater,
            (_, View::Special(_)) => Ordering::Less,
            _ => compare_apart(self, other),
        }
    }
}

/// Compares two finite values by sign, then magnitude, then digits.
fn compare_apart(left: &Numeric, right: &Numeric) -> Ordering {
    let sign = left.signum();
    if sign != right.signum() || sign == 0 {
        return sign.cmp(&right.signum());
    }
    let by_leading = left.leading_digit().cmp(&right.leading_digit());
    if by_leading != Ordering::Equal {
        return if sign > 0 { by_leading } else { by_leading.reverse() };
    }
    let (left, left_scale) = left.to_big().expect("finite");
    let (right, right_scale) = right.to_big().expect("finite");
    let widen = |value: BigInt, by: u16| if by == 0 { value } else { value * power_of_ten(u32::from(by)) };
    let scale = left_scale.max(right_scale);
    widen(left, scale - left_scale).cmp(&widen(right, scale - right_scale))
}

impl PartialOrd for Numeric {
    fn partial_cmp(&self, other: &Numeric) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Numeric {
    fn eq(&self, other: &Numeric) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Numeric {}

impl Hash for Numeric {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.view() {
            View::Special(special) => state.write_u8(special as u8),
            View::Small(coefficient, scale) => {
                state.write_u8(4);
                let (mut coefficient, mut scale) = (coefficient, scale);
                while scale > 0 && coefficient % 10 == 0 {
                    // Zero loses its whole scale here.
                    coefficient /= 10;
                    scale = if coefficient == 0 { 0 } else { scale - 1 };
                }
                state.write_i64(coefficient);
                state.write_u16(scale);
            }
            View::Big(..) => {
                let stripped = self.trim_scale();
                if let View::Big(coefficient, scale) = stripped.view() {
                    state.write_u8(5);
                    for word in coefficient.iter_u64_digits() {
                        state.write_u64(word);
                    }
                    state.write_u16(scale);
                } else {
                    stripped.hash(state);
                }
            }
        }
    }
}
