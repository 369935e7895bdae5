//! int2, int4, int8 and oid: comparison, arithmetic, bits, and the casts among them and to bool.
//!
//! PostgreSQL has a function of its own for every pair of widths (`int24pl`, `int84lt`, ...); the result of arithmetic
//! has the wider type, and says that type's name when it does not fit.

use std::cmp::Ordering;

use helios_types::{PgError, Result, SqlState};

use super::native::{comparisons, fallible, map, wrap};
use super::{Entry, errors};

/// The operations that all three widths share.
trait Integer: Copy + Ord {
    fn add(self, other: Self) -> (Self, bool);
    fn subtract(self, other: Self) -> (Self, bool);
    fn multiply(self, other: Self) -> (Self, bool);
    fn divide(self, other: Self) -> Result<Self>;
    fn modulo(self, other: Self) -> Result<Self>;
    fn out_of_range() -> PgError;
}

macro_rules! integer {
    ($type:ty, $name:literal) => {
        impl Integer for $type {
            #[inline]
            fn add(self, other: $type) -> ($type, bool) {
                // Overflowed when both have a sign that the sum has not: no branch, so that loops vectorise.
                let sum = self.wrapping_add(other);
                (sum, ((self ^ sum) & (other ^ sum)) < 0)
            }
            #[inline]
            fn subtract(self, other: $type) -> ($type, bool) {
                let difference = self.wrapping_sub(other);
                (difference, ((self ^ other) & (self ^ difference)) < 0)
            }
            #[inline]
            fn multiply(self, other: $type) -> ($type, bool) {
                self.overflowing_mul(other)
            }
            #[inline]
            fn divide(self, other: $type) -> Result<$type> {
                if other == 0 {
                    return Err(errors::division_by_zero());
                }
                self.checked_div(other).ok_or_else(Self::out_of_range)
            }
            #[inline]
            fn modulo(self, other: $type) -> Result<$type> {
                if other == 0 {
                    return Err(errors::division_by_zero());
                }
                Ok(self.wrapping_rem(other))
            }
            #[cold]
            fn out_of_range() -> PgError {
                PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, concat!($name, " out of range"))
            }
        }
    };
}

integer!(i16, "smallint");
integer!(i32, "integer");
integer!(i64, "bigint");

/// Absolute value of the greatest common divisor; as wide as it needs to be.
fn gcd<T: Into<i128>>(a: T, b: T) -> i128 {
    let (mut a, mut b): (i128, i128) = (a.into().abs(), b.into().abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn lcm<T: Into<i128> + Copy>(a: T, b: T) -> i128 {
    let divisor = gcd(a, b);
    if divisor == 0 { 0 } else { (a.into() / divisor * b.into()).abs() }
}

fn sign(ordering: Ordering) -> i32 {
    ordering as i32
}

fn narrow<T: Integer + TryFrom<i128>>(value: i128) -> Result<T> {
    T::try_from(value).map_err(|_| T::out_of_range())
}

/// `PREFIXpl`, `PREFIXmi`, `PREFIXmul`, `PREFIXdiv` with the result's type.
macro_rules! arithmetic {
    ($prefix:literal, $A:ty, $B:ty, $R:ty) => {
        &[
            wrap!(
                concat!($prefix, "pl"),
                |a: $A, b: $B| -> $R { <$R>::from(a).add(<$R>::from(b)) },
                <$R>::out_of_range
            ),
            wrap!(
                concat!($prefix, "mi"),
                |a: $A, b: $B| -> $R { <$R>::from(a).subtract(<$R>::from(b)) },
                <$R>::out_of_range
            ),
            wrap!(
                concat!($prefix, "mul"),
                |a: $A, b: $B| -> $R { <$R>::from(a).multiply(<$R>::from(b)) },
                <$R>::out_of_range
            ),
            fallible!(concat!($prefix, "div"), |a: $A, b: $B| -> $R { <$R>::from(a).divide(<$R>::from(b)) }),
        ]
    };
}

/// What exists once for each width.
macro_rules! single_width {
    ($prefix:literal, $T:ty, $shift:ty) => {
        &[
            fallible!(concat!($prefix, "mod"), |a: $T, b: $T| -> $T { a.modulo(b) }),
            wrap!(concat!($prefix, "um"), |a: $T| -> $T { a.overflowing_neg() }, <$T>::out_of_range),
            wrap!(concat!($prefix, "abs"), |a: $T| -> $T { a.overflowing_abs() }, <$T>::out_of_range),
            map!(concat!($prefix, "up"), |a: $T| -> $T { a }),
            map!(concat!($prefix, "and"), |a: $T, b: $T| -> $T { a & b }),
            map!(concat!($prefix, "or"), |a: $T, b: $T| -> $T { a | b }),
            map!(concat!($prefix, "xor"), |a: $T, b: $T| -> $T { a ^ b }),
            map!(concat!($prefix, "not"), |a: $T| -> $T { !a }),
            // The C expression: int2 is shifted as int, and the hardware looks at the low bits of the count.
            map!(concat!($prefix, "shl"), |a: $T, count: i32| -> $T {
                <$shift>::from(a).wrapping_shl(count as u32) as $T
            }),
            map!(concat!($prefix, "shr"), |a: $T, count: i32| -> $T {
                <$shift>::from(a).wrapping_shr(count as u32) as $T
            }),
            map!(concat!($prefix, "larger"), |a: $T, b: $T| -> $T { a.max(b) }),
            map!(concat!($prefix, "smaller"), |a: $T, b: $T| -> $T { a.min(b) }),
        ]
    };
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[
    comparisons!("int2", |a: i16, b: i16| a, b),
    comparisons!("int24", |a: i16, b: i32| i32::from(a), b),
    comparisons!("int28", |a: i16, b: i64| i64::from(a), b),
    comparisons!("int42", |a: i32, b: i16| a, i32::from(b)),
    comparisons!("int4", |a: i32, b: i32| a, b),
    comparisons!("int48", |a: i32, b: i64| i64::from(a), b),
    comparisons!("int82", |a: i64, b: i16| a, i64::from(b)),
    comparisons!("int84", |a: i64, b: i32| a, i64::from(b)),
    comparisons!("int8", |a: i64, b: i64| a, b),
    comparisons!("oid", |a: u32, b: u32| a, b),
    arithmetic!("int2", i16, i16, i16),
    arithmetic!("int24", i16, i32, i32),
    arithmetic!("int28", i16, i64, i64),
    arithmetic!("int42", i32, i16, i32),
    arithmetic!("int4", i32, i32, i32),
    arithmetic!("int48", i32, i64, i64),
    arithmetic!("int82", i64, i16, i64),
    arithmetic!("int84", i64, i32, i64),
    arithmetic!("int8", i64, i64, i64),
    single_width!("int2", i16, i32),
    single_width!("int4", i32, i32),
    single_width!("int8", i64, i64),
    &[
        // btint2cmp is a subtraction; the others answer -1, 0 or 1.
        map!("btint2cmp", |a: i16, b: i16| -> i32 { i32::from(a) - i32::from(b) }),
        map!("btint4cmp", |a: i32, b: i32| -> i32 { sign(a.cmp(&b)) }),
        map!("btint8cmp", |a: i64, b: i64| -> i32 { sign(a.cmp(&b)) }),
        map!("btint24cmp", |a: i16, b: i32| -> i32 { sign(i32::from(a).cmp(&b)) }),
        map!("btint28cmp", |a: i16, b: i64| -> i32 { sign(i64::from(a).cmp(&b)) }),
        map!("btint42cmp", |a: i32, b: i16| -> i32 { sign(a.cmp(&i32::from(b))) }),
        map!("btint48cmp", |a: i32, b: i64| -> i32 { sign(i64::from(a).cmp(&b)) }),
        map!("btint82cmp", |a: i64, b: i16| -> i32 { sign(a.cmp(&i64::from(b))) }),
        map!("btint84cmp", |a: i64, b: i32| -> i32 { sign(a.cmp(&i64::from(b))) }),
        map!("btoidcmp", |a: u32, b: u32| -> i32 { sign(a.cmp(&b)) }),
        map!("oidlarger", |a: u32, b: u32| -> u32 { a.max(b) }),
        map!("oidsmaller", |a: u32, b: u32| -> u32 { a.min(b) }),
        wrap!("int4inc", |a: i32| -> i32 { a.add(1) }, i32::out_of_range),
        wrap!("int8inc", |a: i64| -> i64 { a.add(1) }, i64::out_of_range),
        wrap!("int8dec", |a: i64| -> i64 { a.subtract(1) }, i64::out_of_range),
        fallible!("int4gcd", |a: i32, b: i32| -> i32 { narrow(gcd(a, b)) }),
        fallible!("int8gcd", |a: i64, b: i64| -> i64 { narrow(gcd(a, b)) }),
        fallible!("int4lcm", |a: i32, b: i32| -> i32 { narrow(lcm(a, b)) }),
        fallible!("int8lcm", |a: i64, b: i64| -> i64 { narrow(lcm(a, b)) }),
        // Casts.
        map!("i2toi4", |a: i16| -> i32 { i32::from(a) }),
        map!("int28", |a: i16| -> i64 { i64::from(a) }),
        map!("int48", |a: i32| -> i64 { i64::from(a) }),
        wrap!("i4toi2", |a: i32| -> i16 { (a as i16, i32::from(a as i16) != a) }, i16::out_of_range),
        wrap!("int82", |a: i64| -> i16 { (a as i16, i64::from(a as i16) != a) }, i16::out_of_range),
        wrap!("int84", |a: i64| -> i32 { (a as i32, i64::from(a as i32) != a) }, i32::out_of_range),
        wrap!("i8tooid", |a: i64| -> u32 { (a as u32, i64::from(a as u32) != a) }, oid_out_of_range),
        map!("oidtoi8", |a: u32| -> i64 { i64::from(a) }),
        map!("bool_int4", |a: bool| -> i32 { i32::from(a) }),
        map!("int4_bool", |a: i32| -> bool { a != 0 }),
    ],
];

#[cold]
fn oid_out_of_range() -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "OID out of range")
}
