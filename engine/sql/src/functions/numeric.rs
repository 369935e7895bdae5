//! numeric: comparison, arithmetic, rounding and the casts to and from the other numbers.

use helios_types::{Datum, Numeric};

use super::arguments::{i32_at, numeric_at};
use super::strings::value;
use super::{Entry, Implementation};

/// The six comparisons, and the one that orders.
macro_rules! comparison {
    ($name:literal, |$a:ident, $b:ident| -> $R:ty $body:block) => {
        value!($name, |_, $a: &Numeric, $b: &Numeric| -> $R { Ok($body) })
    };
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    comparison!("numeric_eq", |a, b| -> bool { a == b }),
    comparison!("numeric_ne", |a, b| -> bool { a != b }),
    comparison!("numeric_lt", |a, b| -> bool { a < b }),
    comparison!("numeric_le", |a, b| -> bool { a <= b }),
    comparison!("numeric_gt", |a, b| -> bool { a > b }),
    comparison!("numeric_ge", |a, b| -> bool { a >= b }),
    comparison!("numeric_cmp", |a, b| -> i32 { a.cmp(b) as i32 }),
    comparison!("numeric_larger", |a, b| -> Numeric { if a > b { a.clone() } else { b.clone() } }),
    comparison!("numeric_smaller", |a, b| -> Numeric { if a < b { a.clone() } else { b.clone() } }),
    value!("numeric_add", |_, a: &Numeric, b: &Numeric| -> Numeric { a.add(b) }),
    value!("numeric_sub", |_, a: &Numeric, b: &Numeric| -> Numeric { a.subtract(b) }),
    value!("numeric_mul", |_, a: &Numeric, b: &Numeric| -> Numeric { a.multiply(b) }),
    value!("numeric_div", |_, a: &Numeric, b: &Numeric| -> Numeric { a.divide(b) }),
    value!("numeric_div_trunc", |_, a: &Numeric, b: &Numeric| -> Numeric { a.divide_truncated(b) }),
    value!("numeric_mod", |_, a: &Numeric, b: &Numeric| -> Numeric { a.modulo(b) }),
    value!("numeric_gcd", |_, a: &Numeric, b: &Numeric| -> Numeric { a.gcd(b) }),
    value!("numeric_lcm", |_, a: &Numeric, b: &Numeric| -> Numeric { a.lcm(b) }),
    value!("numeric_fac", |_, n: i64| -> Numeric { Numeric::factorial(n) }),
    value!("numeric_inc", |_, a: &Numeric| -> Numeric { a.add(&Numeric::ONE) }),
    value!("numeric_uminus", |_, a: &Numeric| -> Numeric { Ok(a.negate()) }),
    value!("numeric_uplus", |_, a: &Numeric| -> Numeric { Ok(a.clone()) }),
    value!("numeric_abs", |_, a: &Numeric| -> Numeric { Ok(a.abs()) }),
    value!("numeric_sign", |_, a: &Numeric| -> Numeric { Ok(a.sign()) }),
    value!("numeric_ceil", |_, a: &Numeric| -> Numeric { a.ceil() }),
    value!("numeric_floor", |_, a: &Numeric| -> Numeric { a.floor() }),
    value!("numeric_round", |_, a: &Numeric, scale: i32| -> Numeric { a.round(scale) }),
    value!("numeric_trunc", |_, a: &Numeric, scale: i32| -> Numeric { a.trunc(scale) }),
    value!("numeric_sqrt", |_, a: &Numeric| -> Numeric { a.sqrt() }),
    value!("numeric_exp", |_, a: &Numeric| -> Numeric { a.exp() }),
    value!("numeric_ln", |_, a: &Numeric| -> Numeric { a.ln() }),
    value!("numeric_log", |_, base: &Numeric, a: &Numeric| -> Numeric { base.log_of(a) }),
    value!("numeric_power", |_, a: &Numeric, exponent: &Numeric| -> Numeric { a.power(exponent) }),
    value!("numeric_trim_scale", |_, a: &Numeric| -> Numeric { Ok(a.trim_scale()) }),
    (
        "numeric_scale",
        Implementation::Scalar(|_, args| {
            let value = numeric_at(args, 0);
            Ok(if value.is_finite() { Datum::I32(i32::from(value.scale())) } else { Datum::Null })
        }),
    ),
    (
        "numeric_min_scale",
        Implementation::Scalar(|_, args| {
            Ok(numeric_at(args, 0).min_scale().map_or(Datum::Null, |scale| Datum::I32(i32::from(scale))))
        }),
    ),
    (
        "width_bucket_numeric",
        Implementation::Scalar(|_, args| {
            numeric_at(args, 0).width_bucket(numeric_at(args, 1), numeric_at(args, 2), i32_at(args, 3)).map(Datum::I32)
        }),
    ),
    // Casts.
    value!("int2_numeric", |_, a: i16| -> Numeric { Ok(Numeric::from(a)) }),
    value!("int4_numeric", |_, a: i32| -> Numeric { Ok(Numeric::from(a)) }),
    value!("int8_numeric", |_, a: i64| -> Numeric { Ok(Numeric::from(a)) }),
    value!("float4_numeric", |_, a: f32| -> Numeric { Ok(Numeric::from_f32(a)) }),
    value!("float8_numeric", |_, a: f64| -> Numeric { Ok(Numeric::from_f64(a)) }),
    value!("numeric_int2", |_, a: &Numeric| -> i16 { a.to_i16() }),
    value!("numeric_int4", |_, a: &Numeric| -> i32 { a.to_i32() }),
    value!("numeric_int8", |_, a: &Numeric| -> i64 { a.to_i64() }),
    value!("numeric_float4", |_, a: &Numeric| -> f32 { a.to_f32() }),
    value!("numeric_float8", |_, a: &Numeric| -> f64 { a.to_f64() }),
    // The length coercion.
    value!("numeric", |_, a: &Numeric, typmod: i32| -> Numeric { a.apply_typmod(typmod) }),
]];

/// SQL-language builtins of this module, by `pg_proc.oid`: `round(x)`, `trunc(x)`, `log(x)`, `log10(x)`.
pub(super) const SQL_FUNCTIONS: &[(u32, Implementation)] = &[
    (1481, Implementation::Scalar(|_, args| numeric_at(args, 0).log10().map(Datum::Numeric))),
    (1741, Implementation::Scalar(|_, args| numeric_at(args, 0).log10().map(Datum::Numeric))),
    (1708, Implementation::Scalar(|_, args| numeric_at(args, 0).round(0).map(Datum::Numeric))),
    (1710, Implementation::Scalar(|_, args| numeric_at(args, 0).trunc(0).map(Datum::Numeric))),
];
