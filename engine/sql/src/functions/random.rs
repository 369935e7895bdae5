//! Random numbers, and uuids made of them.
//!
//! `random()` and its kin draw from the session's generator, which `setseed` makes repeatable: after the same seed the
//! numbers are PostgreSQL's (xoroshiro128**, Blackman and Vigna, "Scrambled linear pseudorandom number generators",
//! 2018; seeded by SplitMix64). uuids draw from the environment, so no seed repeats them.

use std::f64::consts::PI;

use helios_types::datetime::timestamptz_plus_interval;
use helios_types::{Datum, Numeric, Result};

use super::arguments::{array_at, f64_at, i32_at, i64_at, interval_at, numeric_at, uuid_at};
use super::errors::invalid_parameter;
use super::{Entry, FunctionContext, Implementation, since_2000};
use crate::session::SessionContext;

const MICROS_FROM_1970_TO_2000: i64 = 946_684_800_000_000;

/// A uniform number of 0 up to, not including, 1.
fn uniform(session: &SessionContext) -> f64 {
    (session.random.next(&*session.rng) >> 12) as f64 / (1u64 << 52) as f64
}

/// A uniform integer of 0 up to, including, `range`.
fn up_to(session: &SessionContext, range: u64) -> u64 {
    if range == 0 {
        return 0;
    }
    loop {
        let value = session.random.next(&*session.rng) >> range.leading_zeros();
        if value <= range {
            return value;
        }
    }
}

/// Box and Muller's method.
fn normal(session: &SessionContext, mean: f64, deviation: f64) -> f64 {
    let (u1, u2) = (1.0 - uniform(session), 1.0 - uniform(session));
    mean + deviation * ((-2.0 * u1.ln()).sqrt() * (2.0 * PI * u2).sin())
}

fn check_bounds(ordered: bool) -> Result<()> {
    if ordered {
        return Ok(());
    }
    Err(invalid_parameter("lower bound must be less than or equal to upper bound"))
}

fn between_integers(ctx: &FunctionContext<'_>, low: i64, high: i64) -> Result<i64> {
    check_bounds(low <= high)?;
    Ok(low.wrapping_add(up_to(ctx.session, high.wrapping_sub(low) as u64) as i64))
}

/// A uniform numeric with as many digits after the point as the bounds have.
fn between_numerics(ctx: &FunctionContext<'_>, low: &Numeric, high: &Numeric) -> Result<Numeric> {
    for (value, name) in [(low, "lower"), (high, "upper")] {
        if !value.is_finite() {
            let what = if value.is_nan() { "NaN" } else { "infinity" };
            return Err(invalid_parameter(format!("{name} bound cannot be {what}")));
        }
    }
    check_bounds(low <= high)?;
    let scale = low.scale().max(high.scale());
    let unit = Numeric::new(1, scale);
    let steps = high.subtract(low)?.divide_truncated(&unit)?;
    let drawn = match steps.to_exact_i128().and_then(|steps| u64::try_from(steps).ok()) {
        Some(steps) => Numeric::from(i128::from(up_to(ctx.session, steps))),
        None => {
            // Digits in groups of nine, until they are a number in range.
            let groups = steps.to_string().len().div_ceil(9);
            loop {
                let mut digits = String::new();
                (0..groups).for_each(|_| digits.push_str(&format!("{:09}", up_to(ctx.session, 999_999_999))));
                let excess = digits.len() - steps.to_string().len();
                let candidate = Numeric::parse(&digits[excess..])?;
                if candidate <= steps {
                    break candidate;
                }
            }
        }
    };
    low.add(&drawn.multiply(&unit)?)?.round(i32::from(scale))
}

fn setseed(ctx: &FunctionContext<'_>, args: &[Datum]) -> Result<Datum> {
    let seed = f64_at(args, 0);
    if !(-1.0..=1.0).contains(&seed) {
        let mut shown = String::new();
        helios_types::io::output(helios_types::oid::FLOAT8, &args[0], &ctx.session.style, &mut shown);
        return Err(invalid_parameter(format!("setseed parameter {shown} is out of allowed range [-1,1]")));
    }
    ctx.session.random.seed((((1i64 << 52) - 1) as f64 * seed) as i64 as u64);
    Ok(Datum::text(""))
}

/// A uuid's fixed bits: RFC 9562's variant, and a version.
fn marked(mut bytes: [u8; 16], version: u8) -> Datum {
    bytes[6] = bytes[6] & 0x0f | version << 4;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Datum::Uuid(bytes)
}

fn random_bytes(session: &SessionContext) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&session.rng.next_u64().to_le_bytes());
    bytes[8..].copy_from_slice(&session.rng.next_u64().to_le_bytes());
    bytes
}

/// Version 7: milliseconds since 1970, a fraction of one in 12 bits, then random bits.
fn uuid_v7(session: &SessionContext, micros_since_1970: i64) -> Datum {
    let mut bytes = random_bytes(session);
    let millis = micros_since_1970.div_euclid(1000);
    let fraction = micros_since_1970.rem_euclid(1000) * 4096 / 1000;
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    bytes[6..8].copy_from_slice(&(fraction as u16).to_be_bytes());
    marked(bytes, 7)
}

/// The version, for uuids of RFC 9562's variant.
fn version(uuid: [u8; 16]) -> Option<u8> {
    (uuid[8] & 0xc0 == 0x80).then_some(uuid[6] >> 4)
}

fn timestamp(uuid: [u8; 16]) -> Datum {
    let be = |bytes: &[u8]| bytes.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    match version(uuid) {
        Some(1) => {
            // 100 ns since 1582-10-15.
            let ticks = (be(&uuid[6..8]) & 0xfff) << 48 | be(&uuid[4..6]) << 32 | be(&uuid[..4]);
            let micros = (ticks / 10) as i64 - 12_219_292_800_000_000;
            Datum::I64(micros - MICROS_FROM_1970_TO_2000)
        }
        Some(7) => Datum::I64(be(&uuid[..6]) as i64 * 1000 - MICROS_FROM_1970_TO_2000),
        _ => Datum::Null,
    }
}

/// The array's first-dimension slices in random order, `count` of them.
fn shuffled(ctx: &FunctionContext<'_>, args: &[Datum], count: Option<i32>) -> Result<Datum> {
    let before = array_at(args, 0);
    let length = before.dimensions.first().map_or(0, |(length, _)| *length) as usize;
    if let Some(count) = count
        && !(0..=length as i32).contains(&count)
    {
        return Err(invalid_parameter(format!("sample size must be between 0 and {length}")));
    }
    let wanted = count.map_or(length, |count| count as usize);
    if wanted == 0 {
        return Ok(super::array::array(before.element_type, Vec::new(), Vec::new()));
    }
    let mut slices: Vec<&[Datum]> = before.elements.chunks(before.elements.len() / length).collect();
    for place in 0..wanted {
        let other = place + up_to(ctx.session, (length - place - 1) as u64) as usize;
        slices.swap(place, other);
    }
    let mut dimensions = before.dimensions.clone();
    dimensions[0].0 = wanted as i32;
    if count.is_some() {
        dimensions[0].1 = 1;
    }
    Ok(super::array::array(before.element_type, dimensions, slices[..wanted].concat()))
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    ("drandom", Implementation::Scalar(|ctx, _| Ok(Datum::F64(uniform(ctx.session))))),
    (
        "drandom_normal",
        Implementation::Scalar(|ctx, args| Ok(Datum::F64(normal(ctx.session, f64_at(args, 0), f64_at(args, 1))))),
    ),
    (
        "int4random",
        Implementation::Scalar(|ctx, args| {
            let value = between_integers(ctx, i64::from(i32_at(args, 0)), i64::from(i32_at(args, 1)))?;
            Ok(Datum::I32(value as i32))
        }),
    ),
    (
        "int8random",
        Implementation::Scalar(|ctx, args| between_integers(ctx, i64_at(args, 0), i64_at(args, 1)).map(Datum::I64)),
    ),
    (
        "numeric_random",
        Implementation::Scalar(|ctx, args| {
            between_numerics(ctx, numeric_at(args, 0), numeric_at(args, 1)).map(Datum::Numeric)
        }),
    ),
    ("setseed", Implementation::Scalar(setseed)),
    ("array_shuffle", Implementation::Scalar(|ctx, args| shuffled(ctx, args, None))),
    ("array_sample", Implementation::Scalar(|ctx, args| shuffled(ctx, args, Some(i32_at(args, 1))))),
    ("gen_random_uuid", Implementation::Scalar(|ctx, _| Ok(marked(random_bytes(ctx.session), 4)))),
    ("uuidv7", Implementation::Scalar(|ctx, _| Ok(uuid_v7(ctx.session, ctx.session.clock.wall().0)))),
    (
        "uuidv7_interval",
        Implementation::Scalar(|ctx, args| {
            let now = since_2000(ctx.session.clock.wall());
            let zone = &ctx.session.style.time_zone;
            let shifted = timestamptz_plus_interval(now, interval_at(args, 0), zone)?;
            Ok(uuid_v7(ctx.session, shifted.saturating_add(MICROS_FROM_1970_TO_2000)))
        }),
    ),
    (
        "uuid_extract_version",
        Implementation::Scalar(|_, args| {
            Ok(version(uuid_at(args, 0)).map_or(Datum::Null, |version| Datum::I16(i16::from(version))))
        }),
    ),
    ("uuid_extract_timestamp", Implementation::Scalar(|_, args| Ok(timestamp(uuid_at(args, 0))))),
]];
