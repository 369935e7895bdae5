//! Mathematical functions of float8.
//!
//! Arguments outside a function's domain are errors, and so are results that overflow or underflow; NaN and infinities
//! pass where mathematics has an answer. Functions of degrees give exact answers at the angles where people expect
//! them (`sind(30) = 0.5`): they are scaled by what the platform's own functions answer there, as in PostgreSQL.

use std::f64::consts::PI;

use helios_types::{Datum, PgError, Result, SqlState};

use super::arguments::{f64_at, i32_at};
use super::float::{overflow, underflow};
use super::native::{fallible, map};
use super::{Entry, Implementation};

const RADIANS_PER_DEGREE: f64 = PI / 180.0;

#[cold]
fn input_out_of_range() -> PgError {
    PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range")
}

/// An infinite result of a finite argument is an overflow.
fn checked(result: f64, finite_input: bool) -> Result<f64> {
    if result.is_infinite() && finite_input { Err(overflow()) } else { Ok(result) }
}

fn sqrt(x: f64) -> Result<f64> {
    if x < 0.0 {
        return Err(PgError::new(
            SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            "cannot take square root of a negative number",
        ));
    }
    Ok(x.sqrt())
}

fn exp(x: f64) -> Result<f64> {
    if x.is_nan() {
        return Ok(x);
    }
    if x.is_infinite() {
        return Ok(if x > 0.0 { x } else { 0.0 });
    }
    let result = x.exp();
    if result == 0.0 {
        return Err(underflow());
    }
    checked(result, true)
}

fn logarithm(x: f64, f: fn(f64) -> f64) -> Result<f64> {
    let refuse = |message| Err(PgError::new(SqlState::INVALID_ARGUMENT_FOR_LOG, message));
    if x == 0.0 {
        return refuse("cannot take logarithm of zero");
    }
    if x < 0.0 {
        return refuse("cannot take logarithm of a negative number");
    }
    checked(f(x), !x.is_infinite())
}

/// The POSIX rules for special values, with errors where they say so.
pub(super) fn power(x: f64, y: f64) -> Result<f64> {
    if x.is_nan() {
        return Ok(if y == 0.0 { 1.0 } else { f64::NAN });
    }
    if y.is_nan() {
        return Ok(if x == 1.0 { 1.0 } else { f64::NAN });
    }
    let refuse = |message| Err(PgError::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message));
    if x == 0.0 && y < 0.0 {
        return refuse("zero raised to a negative power is undefined");
    }
    if x < 0.0 && y.floor() != y {
        return refuse("a negative number raised to a non-integer power yields a complex result");
    }
    let result = x.powf(y);
    if x.is_infinite() || y.is_infinite() {
        return Ok(result);
    }
    if result.is_infinite() {
        return Err(overflow());
    }
    if result == 0.0 && x != 0.0 {
        return Err(underflow());
    }
    Ok(result)
}

/// A function that is periodic, and so has no value at infinity.
fn periodic(x: f64, f: fn(f64) -> f64) -> Result<f64> {
    if x.is_infinite() { Err(input_out_of_range()) } else { Ok(f(x)) }
}

/// A function with a bounded domain.
fn within(x: f64, low: f64, high: f64, f: fn(f64) -> f64) -> Result<f64> {
    if x < low || x > high { Err(input_out_of_range()) } else { Ok(f(x)) }
}

/// Sine and cosine of degrees in the first quadrant, and the arcs back.
mod degrees {
    use super::RADIANS_PER_DEGREE;

    fn sine_to_30(x: f64) -> f64 {
        (x * RADIANS_PER_DEGREE).sin() / (30.0 * RADIANS_PER_DEGREE).sin() / 2.0
    }

    fn cosine_to_60(x: f64) -> f64 {
        let one_minus = 1.0 - (x * RADIANS_PER_DEGREE).cos();
        1.0 - one_minus / (1.0 - (60.0 * RADIANS_PER_DEGREE).cos()) / 2.0
    }

    pub(super) fn sine(x: f64) -> f64 {
        if x <= 30.0 { sine_to_30(x) } else { cosine_to_60(90.0 - x) }
    }

    pub(super) fn cosine(x: f64) -> f64 {
        if x <= 60.0 { cosine_to_60(x) } else { sine_to_30(90.0 - x) }
    }

    pub(super) fn arc_sine(x: f64) -> f64 {
        if x <= 0.5 { x.asin() / 0.5f64.asin() * 30.0 } else { 90.0 - x.acos() / 0.5f64.acos() * 60.0 }
    }

    pub(super) fn arc_cosine(x: f64) -> f64 {
        if x <= 0.5 { 90.0 - x.asin() / 0.5f64.asin() * 30.0 } else { x.acos() / 0.5f64.acos() * 60.0 }
    }

    pub(super) fn arc(radians: f64) -> f64 {
        radians / 1f64.atan() * 45.0
    }
}

/// Folds degrees into the first quadrant; says whether the sign changes by the half turn and by the quarter turn.
fn fold(x: f64) -> (f64, bool, bool, bool) {
    let mut angle = x % 360.0;
    let negative = angle < 0.0;
    if negative {
        angle = -angle;
    }
    let beyond_half = angle > 180.0;
    if beyond_half {
        angle = 360.0 - angle;
    }
    let beyond_quarter = angle > 90.0;
    if beyond_quarter {
        angle = 180.0 - angle;
    }
    (angle, negative, beyond_half, beyond_quarter)
}

fn signed(value: f64, negate: bool) -> f64 {
    if negate { -value } else { value }
}

fn sind(x: f64) -> f64 {
    let (angle, negative, half, _) = fold(x);
    signed(degrees::sine(angle), negative ^ half)
}

fn cosd(x: f64) -> f64 {
    let (angle, _, _, quarter) = fold(x);
    signed(degrees::cosine(angle), quarter)
}

fn tand(x: f64) -> f64 {
    let (angle, negative, half, quarter) = fold(x);
    let at_45 = degrees::sine(45.0) / degrees::cosine(45.0);
    // No negative zero.
    signed(degrees::sine(angle) / degrees::cosine(angle) / at_45, negative ^ half ^ quarter) + 0.0
}

fn cotd(x: f64) -> f64 {
    let (angle, negative, half, quarter) = fold(x);
    let at_45 = degrees::cosine(45.0) / degrees::sine(45.0);
    signed(degrees::cosine(angle) / degrees::sine(angle) / at_45, negative ^ half ^ quarter) + 0.0
}

/// Where the square of an argument would swallow the 1 beside it.
const LARGE: f64 = 268_435_456.0;

/// As in C libraries, which do not overflow; the standard library's formula does.
fn asinh(x: f64) -> f64 {
    if x.abs() > LARGE { (x.abs().ln() + std::f64::consts::LN_2).copysign(x) } else { x.asinh() }
}

/// See [`asinh`].
fn acosh(x: f64) -> f64 {
    if x > LARGE {
        x.ln() + std::f64::consts::LN_2
    } else if x > 2.0 {
        (2.0 * x - 1.0 / (x + (x * x - 1.0).sqrt())).ln()
    } else {
        let t = x - 1.0;
        (t + (2.0 * t + t * t).sqrt()).ln_1p()
    }
}

/// The gamma function, which has poles at zero and at the negative integers.
fn gamma(x: f64) -> Result<f64> {
    if x.is_nan() || x == f64::INFINITY {
        return Ok(x);
    }
    let result = libm::tgamma(x);
    if x.is_infinite() || !result.is_finite() {
        return Err(overflow());
    }
    if result == 0.0 { Err(underflow()) } else { Ok(result) }
}

/// The logarithm of the gamma function's absolute value.
///
/// It crosses zero between its first poles, where the reflection formula of most C libraries loses digits to
/// cancellation; there it is taken from the gamma function's recurrence.
fn log_gamma(x: f64) -> f64 {
    if !(-5.0..-2.0).contains(&x) || x.floor() == x {
        return libm::lgamma(x);
    }
    let (mut factors, mut above) = (1.0, x);
    while above < 1.0 {
        factors *= above;
        above += 1.0;
    }
    libm::lgamma(above) - f64::ln(f64::abs(factors))
}

/// Which of `count` equal buckets between the bounds holds the operand; 0 and `count + 1` are outside.
fn width_bucket(operand: f64, low: f64, high: f64, count: i32) -> Result<i32> {
    let refuse = |message| Err(PgError::new(SqlState::INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, message));
    if count <= 0 {
        return refuse("count must be greater than zero");
    }
    if operand.is_nan() || low.is_nan() || high.is_nan() {
        return refuse("operand, lower bound, and upper bound cannot be NaN");
    }
    if low.is_infinite() || high.is_infinite() {
        return refuse("lower and upper bounds must be finite");
    }
    if low == high {
        return refuse("lower bound cannot equal upper bound");
    }
    let (before, beyond) = if low < high { (operand < low, operand >= high) } else { (operand > low, operand <= high) };
    if before {
        return Ok(0);
    }
    if beyond {
        return count
            .checked_add(1)
            .ok_or_else(|| PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"));
    }
    let portion = if (high - low).is_infinite() {
        (operand / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0)
    } else {
        (operand - low) / (high - low)
    };
    // The quotient can round to 1.
    Ok(((f64::from(count) * portion) as i32).min(count - 1) + 1)
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    ("dpi", Implementation::Scalar(|_, _| Ok(Datum::F64(PI)))),
    map!("dround", |x: f64| -> f64 { x.round_ties_even() }),
    map!("dceil", |x: f64| -> f64 { x.ceil() }),
    map!("dfloor", |x: f64| -> f64 { x.floor() }),
    map!("dtrunc", |x: f64| -> f64 { x.trunc() }),
    map!("dsign", |x: f64| -> f64 {
        if x > 0.0 {
            1.0
        } else if x < 0.0 {
            -1.0
        } else {
            0.0
        }
    }),
    fallible!("dsqrt", |x: f64| -> f64 { sqrt(x) }),
    map!("dcbrt", |x: f64| -> f64 { x.cbrt() }),
    fallible!("dpow", |x: f64, y: f64| -> f64 { power(x, y) }),
    fallible!("dexp", |x: f64| -> f64 { exp(x) }),
    fallible!("dlog1", |x: f64| -> f64 { logarithm(x, f64::ln) }),
    fallible!("dlog10", |x: f64| -> f64 { logarithm(x, f64::log10) }),
    fallible!("dacos", |x: f64| -> f64 { within(x, -1.0, 1.0, f64::acos) }),
    fallible!("dasin", |x: f64| -> f64 { within(x, -1.0, 1.0, f64::asin) }),
    map!("datan", |x: f64| -> f64 { x.atan() }),
    map!("datan2", |y: f64, x: f64| -> f64 { y.atan2(x) }),
    fallible!("dcos", |x: f64| -> f64 { periodic(x, f64::cos) }),
    fallible!("dsin", |x: f64| -> f64 { periodic(x, f64::sin) }),
    fallible!("dtan", |x: f64| -> f64 { periodic(x, f64::tan) }),
    fallible!("dcot", |x: f64| -> f64 { periodic(x, |x| 1.0 / x.tan()) }),
    fallible!("dacosd", |x: f64| -> f64 {
        within(x, -1.0, 1.0, |x| if x >= 0.0 { degrees::arc_cosine(x) } else { 90.0 + degrees::arc_sine(-x) })
    }),
    fallible!("dasind", |x: f64| -> f64 {
        within(x, -1.0, 1.0, |x| if x >= 0.0 { degrees::arc_sine(x) } else { -degrees::arc_sine(-x) })
    }),
    map!("datand", |x: f64| -> f64 { degrees::arc(x.atan()) }),
    map!("datan2d", |y: f64, x: f64| -> f64 { degrees::arc(y.atan2(x)) }),
    fallible!("dsind", |x: f64| -> f64 { periodic(x, sind) }),
    fallible!("dcosd", |x: f64| -> f64 { periodic(x, cosd) }),
    fallible!("dtand", |x: f64| -> f64 { periodic(x, tand) }),
    fallible!("dcotd", |x: f64| -> f64 { periodic(x, cotd) }),
    map!("dsinh", |x: f64| -> f64 { x.sinh() }),
    map!("dcosh", |x: f64| -> f64 { x.cosh() }),
    map!("dtanh", |x: f64| -> f64 { x.tanh() }),
    map!("dasinh", |x: f64| -> f64 { asinh(x) }),
    fallible!("dacosh", |x: f64| -> f64 { within(x, 1.0, f64::INFINITY, acosh) }),
    fallible!("datanh", |x: f64| -> f64 { within(x, -1.0, 1.0, f64::atanh) }),
    map!("derf", |x: f64| -> f64 { libm::erf(x) }),
    map!("derfc", |x: f64| -> f64 { libm::erfc(x) }),
    fallible!("dgamma", |x: f64| -> f64 { gamma(x) }),
    fallible!("dlgamma", |x: f64| -> f64 { checked(log_gamma(x), !x.is_infinite()) }),
    fallible!("degrees", |x: f64| -> f64 { checked(x / RADIANS_PER_DEGREE, !x.is_infinite()) }),
    fallible!("radians", |x: f64| -> f64 {
        let result = x * RADIANS_PER_DEGREE;
        if result == 0.0 && x != 0.0 { Err(underflow()) } else { Ok(result) }
    }),
    (
        "width_bucket_float8",
        Implementation::Scalar(|_, args| {
            width_bucket(f64_at(args, 0), f64_at(args, 1), f64_at(args, 2), i32_at(args, 3)).map(Datum::I32)
        }),
    ),
]];
