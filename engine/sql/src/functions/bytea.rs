//! Byte strings: parts, bits, trimming, and the casts to and from integers.

use helios_types::{PgError, Result, SqlState};

use super::Entry;
use super::errors::invalid_parameter;
use super::strings::{binary, value};
use super::text::{overlay_cuts, span};

fn length(count: usize) -> Result<i32> {
    i32::try_from(count).map_err(|_| PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))
}

fn substring(bytes: &[u8], start: i32, length: Option<i32>) -> Result<&[u8]> {
    let (start, end) = span(start, length)?;
    let start = start.min(bytes.len());
    Ok(&bytes[start..end.unwrap_or(bytes.len()).clamp(start, bytes.len())])
}

fn overlay(bytes: &[u8], new: &[u8], start: i32, length: i32, out: &mut Vec<u8>) -> Result<()> {
    let (prefix, suffix) = overlay_cuts(start, length)?;
    out.extend_from_slice(substring(bytes, 1, Some(prefix))?);
    out.extend_from_slice(new);
    out.extend_from_slice(substring(bytes, suffix, None)?);
    Ok(())
}

fn position(bytes: &[u8], wanted: &[u8]) -> Result<i32> {
    if wanted.is_empty() {
        return Ok(1);
    }
    bytes.windows(wanted.len()).position(|window| window == wanted).map_or(Ok(0), |offset| length(offset + 1))
}

fn trim<'a>(bytes: &'a [u8], set: &[u8], left: bool, right: bool) -> &'a [u8] {
    let outside = |byte: &u8| !set.contains(byte);
    let start = if left { bytes.iter().position(outside).unwrap_or(bytes.len()) } else { 0 };
    let end = if right { bytes.iter().rposition(outside).map_or(start, |last| last + 1) } else { bytes.len() };
    &bytes[start..end.max(start)]
}

fn index(n: i64, count: i64) -> Result<usize> {
    if (0..count).contains(&n) {
        return Ok(n as usize);
    }
    Err(PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, format!("index {n} out of valid range, 0..{}", count - 1)))
}

fn bit_index(bytes: &[u8], n: i64) -> Result<(usize, u32)> {
    let bit = index(n, bytes.len() as i64 * 8)?;
    Ok((bit / 8, bit as u32 % 8))
}

fn set_bit(bytes: &[u8], n: i64, bit: i32, out: &mut Vec<u8>) -> Result<()> {
    let (byte, place) = bit_index(bytes, n)?;
    if bit != 0 && bit != 1 {
        return Err(invalid_parameter("new bit must be 0 or 1"));
    }
    out.extend_from_slice(bytes);
    out[byte] = out[byte] & !(1 << place) | (bit as u8) << place;
    Ok(())
}

/// Big-endian two's complement of at most `width` bytes.
fn to_integer(bytes: &[u8], width: usize, message: &'static str) -> Result<i64> {
    if bytes.len() > width {
        return Err(PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
    }
    // Not sign-extended: fewer bytes are a small positive number.
    Ok(bytes.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte)) as i64)
}

/// The reflected CRC-32 of a polynomial.
fn crc(bytes: &[u8], polynomial: u32) -> i64 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ polynomial } else { crc >> 1 };
        }
    }
    i64::from(!crc)
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    value!("byteaoctetlen", |_, bytes: &[u8]| -> i32 { length(bytes.len()) }),
    value!("byteapos", |_, bytes: &[u8], wanted: &[u8]| -> i32 { position(bytes, wanted) }),
    value!("byteaGetByte", |_, bytes: &[u8], n: i32| -> i32 {
        Ok(i32::from(bytes[index(i64::from(n), bytes.len() as i64)?]))
    }),
    value!("byteaGetBit", |_, bytes: &[u8], n: i64| -> i32 {
        let (byte, place) = bit_index(bytes, n)?;
        Ok(i32::from(bytes[byte] >> place & 1))
    }),
    binary!("byteaSetByte", |_, bytes: &[u8], n: i32, byte: i32; out| {
        let place = index(i64::from(n), bytes.len() as i64)?;
        out.extend_from_slice(bytes);
        out[place] = byte as u8;
        Ok(())
    }),
    binary!("byteaSetBit", |_, bytes: &[u8], n: i64, bit: i32; out| { set_bit(bytes, n, bit, out) }),
    value!("bytea_bit_count", |_, bytes: &[u8]| -> i64 {
        Ok(bytes.iter().map(|byte| i64::from(byte.count_ones())).sum())
    }),
    binary!("byteacat", |_, a: &[u8], b: &[u8]; out| { out.extend_from_slice(a); out.extend_from_slice(b); Ok(()) }),
    binary!("bytea_substr", |_, bytes: &[u8], start: i32, length: i32; out| {
        out.extend_from_slice(substring(bytes, start, Some(length))?);
        Ok(())
    }),
    binary!("bytea_substr_no_len", |_, bytes: &[u8], start: i32; out| {
        out.extend_from_slice(substring(bytes, start, None)?);
        Ok(())
    }),
    binary!("byteaoverlay", |_, bytes: &[u8], new: &[u8], start: i32, length: i32; out| {
        overlay(bytes, new, start, length, out)
    }),
    binary!("byteaoverlay_no_len", |_, bytes: &[u8], new: &[u8], start: i32; out| {
        overlay(bytes, new, start, length(new.len())?, out)
    }),
    binary!("byteatrim", |_, bytes: &[u8], set: &[u8]; out| {
        out.extend_from_slice(trim(bytes, set, true, true));
        Ok(())
    }),
    binary!("bytealtrim", |_, bytes: &[u8], set: &[u8]; out| {
        out.extend_from_slice(trim(bytes, set, true, false));
        Ok(())
    }),
    binary!("byteartrim", |_, bytes: &[u8], set: &[u8]; out| {
        out.extend_from_slice(trim(bytes, set, false, true));
        Ok(())
    }),
    binary!("bytea_reverse", |_, bytes: &[u8]; out| { out.extend(bytes.iter().rev()); Ok(()) }),
    value!("bytea_int2", |_, bytes: &[u8]| -> i16 {
        to_integer(bytes, 2, "smallint out of range").map(|value| value as i16)
    }),
    value!("bytea_int4", |_, bytes: &[u8]| -> i32 {
        to_integer(bytes, 4, "integer out of range").map(|value| value as i32)
    }),
    value!("bytea_int8", |_, bytes: &[u8]| -> i64 { to_integer(bytes, 8, "bigint out of range") }),
    binary!("int2_bytea", |_, value: i16; out| { out.extend_from_slice(&value.to_be_bytes()); Ok(()) }),
    binary!("int4_bytea", |_, value: i32; out| { out.extend_from_slice(&value.to_be_bytes()); Ok(()) }),
    binary!("int8_bytea", |_, value: i64; out| { out.extend_from_slice(&value.to_be_bytes()); Ok(()) }),
    value!("crc32_bytea", |_, bytes: &[u8]| -> i64 { Ok(crc(bytes, 0xedb8_8320)) }),
    value!("crc32c_bytea", |_, bytes: &[u8]| -> i64 { Ok(crc(bytes, 0x82f6_3b78)) }),
]];
