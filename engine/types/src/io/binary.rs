//! The binary protocol forms: what a type's send and receive functions write and read. All integers are big-endian.
//!
//! ```text
//!   bool, "char"      one byte                         date              i32 days since 2000-01-01
//!   int2/4/8, oid..   as they are                      time, timestamp   i64 microseconds
//!   float4/8          IEEE 754 bits                    timetz            i64 microseconds, i32 seconds west
//!   text, json..      UTF-8, no terminator             interval          i64 microseconds, i32 days, i32 months
//!   numeric           i16 digits, i16 weight, u16 sign, u16 display scale, i16 base-10000 digits
//!   array             i32 dimensions, i32 has NULLs, u32 element type, {i32 length, i32 lower bound}, elements
//!   composite         i32 fields, {u32 type, field}    elements and fields: i32 length (-1 for NULL), bytes
//! ```

use std::sync::Arc;

use super::string::{char_byte, char_text};
use super::{array, integer, json};
use crate::{
    Array, Column, ColumnData, Datum, Interval, Numeric, Oid, PgError, Result, SqlState, TimeTz, datetime, oid,
};

/// Appends a value's binary form. NULL has none: nothing is appended.
pub fn send(type_oid: Oid, value: &Datum, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Datum::Null => {}
        Datum::Bool(value) => out.push(u8::from(*value)),
        Datum::I16(value) => out.extend_from_slice(&value.to_be_bytes()),
        Datum::I32(value) => out.extend_from_slice(&value.to_be_bytes()),
        Datum::I64(value) => send_i64(type_oid, *value, out),
        Datum::U32(value) => out.extend_from_slice(&value.to_be_bytes()),
        Datum::F32(value) => out.extend_from_slice(&value.to_be_bytes()),
        Datum::F64(value) => out.extend_from_slice(&value.to_be_bytes()),
        Datum::Numeric(value) => value.send(out),
        Datum::Text(text) if type_oid == oid::CHAR => out.push(char_byte(text)),
        Datum::Text(text) => out.extend_from_slice(text.as_bytes()),
        Datum::Bytes(bytes) => out.extend_from_slice(bytes),
        Datum::Interval(value) => send_interval(value, out),
        Datum::Uuid(value) => out.extend_from_slice(value),
        Datum::TimeTz(value) => {
            out.extend_from_slice(&value.micros.to_be_bytes());
            out.extend_from_slice(&value.zone.to_be_bytes());
        }
        Datum::Array(array) => {
            out.extend_from_slice(&(array.dimensions.len() as i32).to_be_bytes());
            out.extend_from_slice(&i32::from(array.elements.iter().any(Datum::is_null)).to_be_bytes());
            out.extend_from_slice(&array.element_type.0.to_be_bytes());
            for (length, lower) in &array.dimensions {
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(&lower.to_be_bytes());
            }
            for element in &array.elements {
                send_field(array.element_type, element, out)?;
            }
        }
        Datum::Record(record) => {
            out.extend_from_slice(&(record.values.len() as i32).to_be_bytes());
            for (field, value) in record.types.iter().zip(&record.values) {
                out.extend_from_slice(&field.0.to_be_bytes());
                send_field(*field, value, out)?;
            }
        }
    }
    Ok(())
}

/// Appends length and binary form; -1 for NULL.
fn send_field(type_oid: Oid, value: &Datum, out: &mut Vec<u8>) -> Result<()> {
    let length_at = out.len();
    if value.is_null() {
        out.extend_from_slice(&(-1i32).to_be_bytes());
        return Ok(());
    }
    out.extend_from_slice(&[0; 4]);
    send(type_oid, value, out)?;
    let length = i32::try_from(out.len() - length_at - 4)
        .map_err(|_| PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "value is too large for the binary format"))?;
    out[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

#[inline]
fn send_i64(type_oid: Oid, value: i64, out: &mut Vec<u8>) {
    if type_oid == oid::TID {
        out.extend_from_slice(&((value >> 16) as u32).to_be_bytes());
        out.extend_from_slice(&(value as u16).to_be_bytes());
    } else {
        out.extend_from_slice(&value.to_be_bytes());
    }
}

fn send_interval(value: &Interval, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.micros.to_be_bytes());
    out.extend_from_slice(&value.days.to_be_bytes());
    out.extend_from_slice(&value.months.to_be_bytes());
}

/// Appends the binary form of a column's row, which must not be NULL.
#[inline]
pub fn send_column(type_oid: Oid, column: &Column, row: usize, out: &mut Vec<u8>) -> Result<()> {
    match &column.data {
        ColumnData::Bool(values) => out.push(u8::from(values[row])),
        ColumnData::I16(values) => out.extend_from_slice(&values[row].to_be_bytes()),
        ColumnData::I32(values) => out.extend_from_slice(&values[row].to_be_bytes()),
        ColumnData::I64(values) => send_i64(type_oid, values[row], out),
        ColumnData::U32(values) => out.extend_from_slice(&values[row].to_be_bytes()),
        ColumnData::F32(values) => out.extend_from_slice(&values[row].to_be_bytes()),
        ColumnData::F64(values) => out.extend_from_slice(&values[row].to_be_bytes()),
        ColumnData::Numeric(values) => values[row].send(out),
        ColumnData::Text(values) if type_oid == oid::CHAR => out.push(char_byte(values.get_str(row))),
        ColumnData::Text(values) | ColumnData::Bytes(values) => out.extend_from_slice(values.get(row)),
        ColumnData::Interval(values) => send_interval(&values[row], out),
        ColumnData::Uuid(values) => out.extend_from_slice(&values[row]),
        ColumnData::Any(values) => send(type_oid, &values[row], out)?,
    }
    Ok(())
}

/// Takes big-endian integers off the front of a message.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(insufficient)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(insufficient)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn i16(&mut self) -> Result<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64> {
        self.array().map(i64::from_be_bytes)
    }
}

fn insufficient() -> PgError {
    PgError::new(SqlState::PROTOCOL_VIOLATION, "insufficient data left in message")
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> PgError {
    PgError::new(SqlState::INVALID_BINARY_REPRESENTATION, message)
}

/// UTF-8 without zero bytes, or PostgreSQL's error naming the first wrong bytes.
pub fn checked_text(bytes: &[u8]) -> Result<&str> {
    let bad = match std::str::from_utf8(bytes) {
        Ok(text) if !bytes.contains(&0) => return Ok(text),
        Ok(_) => return Err(not_utf8(&[0])),
        Err(error) => error.valid_up_to(),
    };
    if let Some(zero) = bytes[..bad].iter().position(|byte| *byte == 0) {
        return Err(not_utf8(&bytes[zero..=zero]));
    }
    // As many bytes as the first one announces.
    let announced = match bytes[bad] {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    };
    Err(not_utf8(&bytes[bad..bytes.len().min(bad + announced)]))
}

fn not_utf8(bytes: &[u8]) -> PgError {
    let shown: Vec<String> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
    PgError::new(
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" ")),
    )
}

/// Reads a value's binary form. Bytes left over are an error.
pub fn receive(type_oid: Oid, bytes: &[u8]) -> Result<Datum> {
    let mut reader = Reader::new(bytes);
    let value = receive_from(type_oid, &mut reader)?;
    if reader.rest.is_empty() { Ok(value) } else { Err(invalid("incorrect binary data format")) }
}

fn receive_from(type_oid: Oid, reader: &mut Reader<'_>) -> Result<Datum> {
    Ok(match type_oid {
        oid::BOOL => Datum::Bool(reader.array::<1>()?[0] != 0),
        oid::INT2 => Datum::I16(reader.i16()?),
        oid::INT4 => Datum::I32(reader.i32()?),
        oid::INT8 => Datum::I64(reader.i64()?),
        oid::XID8 => Datum::I64(reader.i64()?),
        oid::FLOAT4 => Datum::F32(f32::from_be_bytes(reader.array()?)),
        oid::FLOAT8 => Datum::F64(f64::from_be_bytes(reader.array()?)),
        oid::NUMERIC => Datum::Numeric(Numeric::receive(reader)?),
        oid::DATE => Datum::I32(datetime::check_date(reader.i32()?)?),
        oid::TIME => Datum::I64(datetime::check_time(reader.i64()?)?),
        oid::TIMETZ => {
            let micros = datetime::check_time(reader.i64()?)?;
            Datum::TimeTz(TimeTz { micros, zone: datetime::check_zone_displacement(reader.i32()?)? })
        }
        oid::TIMESTAMP | oid::TIMESTAMPTZ => Datum::I64(datetime::check_timestamp(reader.i64()?)?),
        oid::INTERVAL => {
            let (micros, days, months) = (reader.i64()?, reader.i32()?, reader.i32()?);
            Datum::Interval(Interval { months, days, micros })
        }
        oid::UUID => Datum::Uuid(reader.array()?),
        oid::TID => {
            let (block, offset) = (reader.u32()?, reader.u16()?);
            Datum::I64(i64::from(block) << 16 | i64::from(offset))
        }
        oid::CHAR => Datum::text(char_text(reader.array::<1>()?[0])),
        oid::NAME => {
            let text = rest_as_text(reader)?;
            if text.len() > super::NAME_BYTES_MAX {
                return Err(PgError::new(SqlState::NAME_TOO_LONG, "identifier too long")
                    .with_detail(format!("Identifier must be less than {} characters.", super::NAME_BYTES_MAX + 1)));
            }
            Datum::text(text)
        }
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::UNKNOWN | oid::CSTRING => Datum::text(rest_as_text(reader)?),
        oid::VOID => Datum::text(""),
        oid::JSON => {
            let text = rest_as_text(reader)?;
            json::validate(text)?;
            Datum::text(text)
        }
        oid::BYTEA => Datum::Bytes(Arc::from(reader.take(reader.rest.len())?)),
        oid::OID | oid::XID | oid::CID => Datum::U32(reader.u32()?),
        _ if integer::is_registered(type_oid) => Datum::U32(reader.u32()?),
        oid::INT2VECTOR => receive_vector(oid::INT2, reader)?,
        oid::OIDVECTOR => receive_vector(oid::OID, reader)?,
        _ => match oid::array_element(type_oid) {
            Some(element) => receive_array(element, reader)?,
            None => {
                let name = crate::format_type(type_oid, -1);
                return Err(PgError::unsupported(format_args!("binary input of type {name}")));
            }
        },
    })
}

fn rest_as_text<'a>(reader: &mut Reader<'a>) -> Result<&'a str> {
    checked_text(reader.take(reader.rest.len())?)
}

fn receive_array(element: Oid, reader: &mut Reader<'_>) -> Result<Datum> {
    let dimension_count = reader.i32()?;
    if dimension_count < 0 {
        return Err(invalid(format!("invalid number of dimensions: {dimension_count}")));
    }
    if dimension_count as usize > array::DIMENSIONS_MAX {
        return Err(PgError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!(
                "number of array dimensions ({dimension_count}) exceeds the maximum allowed ({})",
                array::DIMENSIONS_MAX
            ),
        ));
    }
    if !matches!(reader.i32()?, 0 | 1) {
        return Err(invalid("invalid array flags"));
    }
    let sent = Oid(reader.u32()?);
    if sent != element {
        return Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!(
                "binary data has array element type {sent} ({}) instead of expected {element} ({})",
                crate::format_type(sent, -1),
                crate::format_type(element, -1)
            ),
        ));
    }
    let mut dimensions = Vec::new();
    let mut count = 1i64;
    for _ in 0..dimension_count {
        let (length, lower) = (reader.i32()?, reader.i32()?);
        if length < 0 || lower.checked_add(length).is_none() {
            return Err(PgError::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!("array lower bound is too large: {lower}"),
            ));
        }
        count = count.saturating_mul(i64::from(length));
        if count > array::ELEMENTS_MAX {
            return Err(array::too_many_elements());
        }
        dimensions.push((length, lower));
    }
    if dimensions.is_empty() || count == 0 {
        return Ok(Datum::Array(Arc::new(Array {
            element_type: element,
            dimensions: Vec::new(),
            elements: Vec::new(),
        })));
    }
    // Each element takes four bytes at least: what is announced must be there before memory is.
    if reader.rest.len() / 4 < count as usize {
        return Err(insufficient());
    }
    let elements = (0..count).map(|_| receive_field(element, reader)).collect::<Result<_>>()?;
    Ok(Datum::Array(Arc::new(Array { element_type: element, dimensions, elements })))
}

/// int2vector and oidvector have one dimension from 0, even without elements.
fn receive_vector(element: Oid, reader: &mut Reader<'_>) -> Result<Datum> {
    match receive_array(element, reader)? {
        Datum::Array(array) if array.dimensions.is_empty() => {
            let (dimensions, elements) = (vec![(0, 0)], Vec::new());
            Ok(Datum::Array(Arc::new(Array { element_type: element, dimensions, elements })))
        }
        Datum::Array(array) if matches!(array.dimensions.as_slice(), [(_, 0)]) => Ok(Datum::Array(array)),
        _ => {
            let name = if element == oid::INT2 { "invalid int2vector data" } else { "invalid oidvector data" };
            Err(invalid(name))
        }
    }
}

fn receive_field(type_oid: Oid, reader: &mut Reader<'_>) -> Result<Datum> {
    match reader.i32()? {
        -1 => Ok(Datum::Null),
        length => {
            let length = usize::try_from(length).map_err(|_| insufficient())?;
            let mut field = Reader::new(reader.take(length)?);
            let value = receive_from(type_oid, &mut field)?;
            if field.rest.is_empty() { Ok(value) } else { Err(invalid("improper binary format in array element")) }
        }
    }
}

/// Reads a composite value whose columns have these types.
pub fn receive_record(types: &[Oid], bytes: &[u8]) -> Result<Datum> {
    let mut reader = Reader::new(bytes);
    let count = reader.i32()?;
    if count < 0 || count as usize != types.len() {
        return Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("wrong number of columns: {count}, expected {}", types.len()),
        ));
    }
    let mut values = Vec::with_capacity(types.len());
    for (index, type_oid) in types.iter().enumerate() {
        let sent = Oid(reader.u32()?);
        if sent != *type_oid {
            return Err(PgError::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "binary data has type {sent} ({}) instead of expected {type_oid} ({}) in record column {}",
                    crate::format_type(sent, -1),
                    crate::format_type(*type_oid, -1),
                    index + 1
                ),
            ));
        }
        values.push(receive_field(*type_oid, &mut reader)?);
    }
    if reader.rest.is_empty() {
        Ok(Datum::record(types.to_vec(), values))
    } else {
        Err(invalid("improper binary format in record"))
    }
}
