//! Keys back to values, and past values.
//!
//! A key gives back exactly the value that went in for bool, the integers, oids and their kin, dates, times, timestamps,
//! timetz, uuid, bytea and the string types but bpchar ([`is_invertible`] says so). It does not for floats (-0 has become
//! 0), numeric (the display scale is gone), interval (only its length is left), bpchar (its blanks are gone), arrays and
//! records. Any value whose type is built in can be stepped over ([`skip`]), to get at what follows it in a key.

use std::sync::Arc;

use super::{NULL_FIRST, NULL_LAST, PRESENT};
use crate::{Datum, Oid, PgError, Physical, Result, TimeTz, oid};

/// Bytes of a key, inverted where the column is descending.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    mask: u8,
}

fn damaged() -> PgError {
    PgError::new(crate::SqlState::INDEX_CORRUPTED, "a key ends within a value")
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8> {
        let byte = *self.bytes.get(self.at).ok_or_else(damaged)?;
        self.at += 1;
        Ok(byte ^ self.mask)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.bytes.get(self.at..self.at + N).ok_or_else(damaged)?;
        self.at += N;
        let mut array = [0; N];
        array.iter_mut().zip(taken).for_each(|(to, from)| *to = from ^ self.mask);
        Ok(array)
    }

    /// An escaped string, up to and with its end.
    fn string(&mut self) -> Result<Vec<u8>> {
        let mut string = Vec::new();
        loop {
            match self.byte()? {
                0 => match self.byte()? {
                    1 => return Ok(string),
                    0xff => string.push(0),
                    _ => return Err(damaged()),
                },
                byte => string.push(byte),
            }
        }
    }

    fn skip_numeric(&mut self) -> Result<()> {
        let class = self.byte()?;
        if class != super::NUMERIC_NEGATIVE && class != super::NUMERIC_POSITIVE {
            return Ok(());
        }
        let end = if class == super::NUMERIC_NEGATIVE { [0xff, 0xff] } else { [0, 0] };
        self.array::<4>()?;
        while self.array::<2>()? != end {}
        Ok(())
    }

    fn skip_array(&mut self, element: Oid) -> Result<()> {
        loop {
            match self.byte()? {
                0 => break,
                PRESENT => self.skip_value(element)?,
                _ => {}
            }
        }
        for _ in 0..self.byte()? {
            self.array::<8>()?;
        }
        Ok(())
    }

    fn skip_value(&mut self, type_oid: Oid) -> Result<()> {
        match Physical::of(type_oid) {
            Physical::Bool => self.array::<1>().map(|_| ()),
            Physical::I16 => self.array::<2>().map(|_| ()),
            Physical::I32 | Physical::U32 | Physical::F32 => self.array::<4>().map(|_| ()),
            Physical::I64 | Physical::F64 => self.array::<8>().map(|_| ()),
            Physical::Uuid | Physical::Interval => self.array::<16>().map(|_| ()),
            Physical::Numeric => self.skip_numeric(),
            Physical::Text if type_oid == oid::CHAR => self.array::<1>().map(|_| ()),
            Physical::Text | Physical::Bytes => self.string().map(|_| ()),
            Physical::Any => match type_oid {
                oid::TIMETZ => self.array::<12>().map(|_| ()),
                oid::TID => self.array::<8>().map(|_| ()),
                oid::INT2VECTOR => self.skip_array(oid::INT2),
                oid::OIDVECTOR => {
                    self.array::<4>()?;
                    self.skip_array(oid::OID)
                }
                _ => match oid::array_element(type_oid) {
                    Some(element) => self.skip_array(element),
                    None => Err(PgError::unsupported(format_args!("reading a key of type {type_oid}"))),
                },
            },
        }
    }
}

/// Whether [`decode`] gives back what went into a key of this type.
pub fn is_invertible(type_oid: Oid) -> bool {
    match Physical::of(type_oid) {
        Physical::Bool | Physical::I16 | Physical::I32 | Physical::I64 | Physical::U32 => true,
        Physical::Uuid | Physical::Bytes => true,
        Physical::Text => type_oid != oid::BPCHAR,
        Physical::F32 | Physical::F64 | Physical::Numeric | Physical::Interval => false,
        Physical::Any => matches!(type_oid, oid::TIMETZ | oid::TID),
    }
}

/// The value at the front of a key, and how many bytes it took. `None` for types that keys do not give back.
pub fn decode(type_oid: Oid, key: &[u8], descending: bool) -> Result<Option<(Datum, usize)>> {
    if !is_invertible(type_oid) {
        return Ok(None);
    }
    match key.first() {
        Some(&(NULL_FIRST | NULL_LAST)) => return Ok(Some((Datum::Null, 1))),
        Some(&PRESENT) => {}
        _ => return Err(damaged()),
    }
    let mut reader = Reader { bytes: key, at: 1, mask: if descending { 0xff } else { 0 } };
    let i64_of = |bytes| (u64::from_be_bytes(bytes) ^ 1 << 63).cast_signed();
    let i32_of = |bytes| (u32::from_be_bytes(bytes) ^ 1 << 31).cast_signed();
    let text_of = |bytes| String::from_utf8(bytes).map(Datum::text).map_err(|_| damaged());
    let value = match Physical::of(type_oid) {
        Physical::Bool => Datum::Bool(reader.byte()? != 0),
        Physical::I16 => Datum::I16((u16::from_be_bytes(reader.array()?) ^ 1 << 15).cast_signed()),
        Physical::I32 => Datum::I32(i32_of(reader.array()?)),
        Physical::I64 if type_oid == oid::XID8 => Datum::I64(u64::from_be_bytes(reader.array()?).cast_signed()),
        Physical::I64 => Datum::I64(i64_of(reader.array()?)),
        Physical::U32 => Datum::U32(u32::from_be_bytes(reader.array()?)),
        Physical::Uuid => Datum::Uuid(reader.array()?),
        Physical::Bytes => Datum::Bytes(Arc::from(reader.string()?)),
        Physical::Text if type_oid == oid::CHAR => Datum::text(crate::io::char_text(reader.byte()?)),
        Physical::Text => text_of(reader.string()?)?,
        _ if type_oid == oid::TID => Datum::I64(i64_of(reader.array()?)),
        _ => {
            let (utc, zone) = (i64_of(reader.array()?), i32_of(reader.array()?));
            Datum::TimeTz(TimeTz { micros: utc - i64::from(zone) * 1_000_000, zone })
        }
    };
    Ok(Some((value, reader.at)))
}

/// How many bytes the value at the front of a key takes.
pub fn skip(type_oid: Oid, key: &[u8], descending: bool) -> Result<usize> {
    match key.first() {
        Some(&(NULL_FIRST | NULL_LAST)) => return Ok(1),
        Some(&PRESENT) => {}
        _ => return Err(damaged()),
    }
    let mut reader = Reader { bytes: key, at: 1, mask: if descending { 0xff } else { 0 } };
    reader.skip_value(type_oid)?;
    Ok(reader.at)
}
