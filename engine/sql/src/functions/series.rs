//! generate_series of numbers. (Of timestamps: [`super::datetime`].)

use helios_types::{Datum, Numeric, PgError, Result, SqlState};

use super::arguments::{i32_at, i64_at, numeric_at};
use super::errors::invalid_parameter;
use super::{Entry, Implementation};

/// The emitter of a set's rows.
pub(super) type Emit<'a> = &'a mut dyn FnMut(&[Datum]) -> Result<()>;

#[cold]
pub(super) fn zero_step() -> PgError {
    invalid_parameter("step size cannot equal zero")
}

/// Counts from start to stop; ends where the type's range ends.
fn integers(start: i64, stop: i64, step: i64, wrap: impl Fn(i64) -> Option<Datum>, emit: Emit<'_>) -> Result<()> {
    if step == 0 {
        return Err(zero_step());
    }
    let mut at = start;
    while if step > 0 { at <= stop } else { at >= stop } {
        let Some(datum) = wrap(at) else { return Ok(()) };
        emit(&[datum])?;
        match at.checked_add(step) {
            Some(next) => at = next,
            None => return Ok(()),
        }
    }
    Ok(())
}

fn int4(args: &[Datum], emit: Emit<'_>) -> Result<()> {
    let step = if args.len() > 2 { i32_at(args, 2) } else { 1 };
    let wrap = |value: i64| i32::try_from(value).ok().map(Datum::I32);
    integers(i64::from(i32_at(args, 0)), i64::from(i32_at(args, 1)), i64::from(step), wrap, emit)
}

fn int8(args: &[Datum], emit: Emit<'_>) -> Result<()> {
    let step = if args.len() > 2 { i64_at(args, 2) } else { 1 };
    integers(i64_at(args, 0), i64_at(args, 1), step, |value| Some(Datum::I64(value)), emit)
}

fn numerics(args: &[Datum], emit: Emit<'_>) -> Result<()> {
    let (start, stop) = (numeric_at(args, 0), numeric_at(args, 1));
    let step = if args.len() > 2 { numeric_at(args, 2) } else { &Numeric::ONE };
    for (value, name) in [(start, "start value"), (stop, "stop value"), (step, "step size")] {
        if !value.is_finite() {
            let what = if value.is_nan() { "NaN" } else { "infinity" };
            return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, format!("{name} cannot be {what}")));
        }
    }
    if step.is_zero() {
        return Err(zero_step());
    }
    let mut at = start.clone();
    while if step.is_negative() { at >= *stop } else { at <= *stop } {
        emit(&[Datum::Numeric(at.clone())])?;
        at = at.add(step)?;
    }
    Ok(())
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    ("generate_series_int4", Implementation::Set(|_, args, emit| int4(args, emit))),
    ("generate_series_step_int4", Implementation::Set(|_, args, emit| int4(args, emit))),
    ("generate_series_int8", Implementation::Set(|_, args, emit| int8(args, emit))),
    ("generate_series_step_int8", Implementation::Set(|_, args, emit| int8(args, emit))),
    ("generate_series_numeric", Implementation::Set(|_, args, emit| numerics(args, emit))),
    ("generate_series_step_numeric", Implementation::Set(|_, args, emit| numerics(args, emit))),
]];
