//! Numbers of one type to another: what PostgreSQL's casts round, and where they fail.
//!
//! Floats round half to even on their way to integers, numerics half away from zero (see [`crate::Numeric`]). What does not
//! fit is 22003, named after the target.

use crate::{PgError, Result, SqlState};

fn out_of_range(type_name: &'static str) -> PgError {
    PgError::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        match type_name {
            "smallint" => "smallint out of range",
            "integer" => "integer out of range",
            "bigint" => "bigint out of range",
            _ => "OID out of range",
        },
    )
}

/// int4 to int2.
pub fn i32_to_i16(value: i32) -> Result<i16> {
    i16::try_from(value).map_err(|_| out_of_range("smallint"))
}

/// int8 to int2.
pub fn i64_to_i16(value: i64) -> Result<i16> {
    i16::try_from(value).map_err(|_| out_of_range("smallint"))
}

/// int8 to int4.
pub fn i64_to_i32(value: i64) -> Result<i32> {
    i32::try_from(value).map_err(|_| out_of_range("integer"))
}

/// int8 to oid.
pub fn i64_to_oid(value: i64) -> Result<u32> {
    u32::try_from(value).map_err(|_| out_of_range("oid"))
}

/// The float rounded half to even, if it lies in `[least, beyond)`; both are powers of two and so exact.
fn rounded(value: f64, least: f64, beyond: f64) -> Option<f64> {
    let rounded = value.round_ties_even();
    (rounded >= least && rounded < beyond).then_some(rounded)
}

/// float8 to int2.
pub fn f64_to_i16(value: f64) -> Result<i16> {
    rounded(value, -32_768.0, 32_768.0).map(|value| value as i16).ok_or_else(|| out_of_range("smallint"))
}

/// float8 to int4.
pub fn f64_to_i32(value: f64) -> Result<i32> {
    rounded(value, -2_147_483_648.0, 2_147_483_648.0).map(|value| value as i32).ok_or_else(|| out_of_range("integer"))
}

/// float8 to int8.
pub fn f64_to_i64(value: f64) -> Result<i64> {
    let limit = -(i64::MIN as f64);
    rounded(value, -limit, limit).map(|value| value as i64).ok_or_else(|| out_of_range("bigint"))
}

/// float4 to int2.
pub fn f32_to_i16(value: f32) -> Result<i16> {
    f64_to_i16(f64::from(value))
}

/// float4 to int4.
pub fn f32_to_i32(value: f32) -> Result<i32> {
    f64_to_i32(f64::from(value))
}

/// float4 to int8.
pub fn f32_to_i64(value: f32) -> Result<i64> {
    f64_to_i64(f64::from(value))
}

/// float8 to float4.
pub fn f64_to_f32(value: f64) -> Result<f32> {
    let narrow = value as f32;
    let fault = |what| Err(PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, what));
    if narrow.is_infinite() && !value.is_infinite() {
        return fault("value out of range: overflow");
    }
    if narrow == 0.0 && value != 0.0 {
        return fault("value out of range: underflow");
    }
    Ok(narrow)
}
