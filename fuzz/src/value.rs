//! Values of every type that has text and binary forms, made from an input.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use helios_types::io::char_text;
use helios_types::{Array, Datum, Interval, Numeric, Oid, TimeTz, oid};

/// The types, but for their arrays.
pub const TYPES: &[Oid] = &[
    oid::BOOL,
    oid::INT2,
    oid::INT4,
    oid::INT8,
    oid::OID,
    oid::XID8,
    oid::TID,
    oid::FLOAT4,
    oid::FLOAT8,
    oid::NUMERIC,
    oid::TEXT,
    oid::VARCHAR,
    oid::BPCHAR,
    oid::NAME,
    oid::CHAR,
    oid::BYTEA,
    oid::UUID,
    oid::JSON,
    oid::DATE,
    oid::TIME,
    oid::TIMETZ,
    oid::TIMESTAMP,
    oid::TIMESTAMPTZ,
    oid::INTERVAL,
    oid::OIDVECTOR,
];

/// Microseconds of the timestamps that PostgreSQL has, from 4714 BC to AD 294276.
const TIMESTAMPS: std::ops::RangeInclusive<i64> = -211_813_488_000_000_000..=9_223_371_331_199_999_999;
const DAY_MICROS: i64 = 86_400_000_000;

/// One of the types, or an array of one.
pub fn any_type(u: &mut Unstructured<'_>) -> Result<Oid> {
    let element = *u.choose(TYPES)?;
    let array = u.ratio(1, 5)?.then(|| oid::array_of(element)).flatten();
    Ok(array.unwrap_or(element))
}

/// Any value of a type that the type can hold.
pub fn datum(type_oid: Oid, u: &mut Unstructured<'_>) -> Result<Datum> {
    if let Some(element) = oid::array_element(type_oid) {
        return array(element, u);
    }
    Ok(match type_oid {
        oid::BOOL => Datum::Bool(u.arbitrary()?),
        oid::INT2 => Datum::I16(u.arbitrary()?),
        oid::INT4 | oid::DATE => Datum::I32(u.arbitrary()?),
        oid::OID => Datum::U32(u.arbitrary()?),
        oid::FLOAT4 => Datum::F32(u.arbitrary()?),
        oid::FLOAT8 => Datum::F64(u.arbitrary()?),
        oid::NUMERIC => Datum::Numeric(numeric(u)?),
        oid::CHAR => Datum::text(char_text(u.arbitrary()?)),
        oid::BYTEA => Datum::Bytes(u.arbitrary::<Vec<u8>>()?.into()),
        oid::UUID => Datum::Uuid(u.arbitrary()?),
        oid::TID => Datum::I64(u.int_in_range(0..=(1 << 48) - 1)?),
        oid::TIME => Datum::I64(u.int_in_range(0..=DAY_MICROS)?),
        oid::TIMETZ => {
            Datum::TimeTz(TimeTz { micros: u.int_in_range(0..=DAY_MICROS)?, zone: u.int_in_range(-57_599..=57_599)? })
        }
        oid::TIMESTAMP | oid::TIMESTAMPTZ => Datum::I64(match u.int_in_range(0..=9)? {
            0 => i64::MIN,
            1 => i64::MAX,
            2 => u.int_in_range(-DAY_MICROS..=DAY_MICROS)?,
            _ => u.int_in_range(TIMESTAMPS)?,
        }),
        oid::INTERVAL => {
            Datum::Interval(Interval { months: u.arbitrary()?, days: u.arbitrary()?, micros: u.arbitrary()? })
        }
        oid::OIDVECTOR => {
            let elements: Vec<Datum> = u.arbitrary::<Vec<u32>>()?.into_iter().take(9).map(Datum::U32).collect();
            let dimensions = vec![(elements.len() as i32, 0)];
            Datum::Array(Arc::new(Array { element_type: oid::OID, dimensions, elements }))
        }
        oid::INT8 | oid::XID8 => Datum::I64(u.arbitrary()?),
        // The kinds of text.
        _ => Datum::text(u.arbitrary::<String>()?.replace('\0', "")),
    })
}

fn numeric(u: &mut Unstructured<'_>) -> Result<Numeric> {
    Ok(match u.int_in_range(0..=7)? {
        0 => u.choose(&[Numeric::NAN, Numeric::INFINITY, Numeric::NEGATIVE_INFINITY])?.clone(),
        1 => Numeric::from_i128(u.arbitrary()?, u.int_in_range(0..=40)?),
        2 => Numeric::new(i64::from(u.arbitrary::<i8>()?) * 10_000, u.int_in_range(0..=9)?),
        _ => Numeric::new(u.arbitrary()?, u.int_in_range(0..=20)?),
    })
}

fn array(element: Oid, u: &mut Unstructured<'_>) -> Result<Datum> {
    let mut elements = Vec::new();
    for _ in 0..u.int_in_range(0..=5)? {
        elements.push(if u.ratio(1, 6)? { Datum::Null } else { datum(element, u)? });
    }
    let mut array = Array::vector(element, elements);
    if let [(length, lower)] = array.dimensions[..] {
        let lower = lower + i32::from(u.arbitrary::<i8>()?);
        array.dimensions =
            if length % 2 == 0 && u.arbitrary()? { vec![(2, 1), (length / 2, lower)] } else { vec![(length, lower)] };
    }
    Ok(Datum::Array(Arc::new(array)))
}

/// The same to the last bit, whatever equality says; one NaN is as good as another.
pub fn same(left: &Datum, right: &Datum) -> bool {
    match (left, right) {
        (Datum::F32(left), Datum::F32(right)) => left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan()),
        (Datum::F64(left), Datum::F64(right)) => left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan()),
        (Datum::Numeric(left), Datum::Numeric(right)) => left == right && left.scale() == right.scale(),
        (Datum::Array(left), Datum::Array(right)) => {
            left.dimensions == right.dimensions
                && left.element_type == right.element_type
                && left.elements.len() == right.elements.len()
                && left.elements.iter().zip(&right.elements).all(|(left, right)| same(left, right))
        }
        _ => left == right,
    }
}
