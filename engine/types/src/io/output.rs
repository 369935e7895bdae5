//! Values to text.

use super::{Style, array, boolean_text, bytea, float, integer, record, tid, uuid};
use crate::{Column, ColumnData, Datum, Oid, datetime, oid};

/// Appends a value's text form. NULL has none: nothing is appended.
pub fn output(type_oid: Oid, value: &Datum, style: &Style, out: &mut String) {
    if let Datum::Text(text) = value {
        return out.push_str(text);
    }
    let mut bytes = Vec::new();
    write(type_oid, value, style, &mut bytes);
    out.push_str(std::str::from_utf8(&bytes).expect("text forms are UTF-8"));
}

/// [`output`] into a wire buffer.
pub fn write(type_oid: Oid, value: &Datum, style: &Style, out: &mut Vec<u8>) {
    match value {
        Datum::Null => {}
        Datum::Bool(value) => out.push(boolean_text(*value)),
        Datum::I16(value) => integer::write_i64(i64::from(*value), out),
        Datum::I32(value) => write_i32(type_oid, *value, style, out),
        Datum::I64(value) => write_i64(type_oid, *value, style, out),
        Datum::U32(value) => write_u32(type_oid, *value, out),
        Datum::F32(value) => float::write_f32(*value, style.extra_float_digits, out),
        Datum::F64(value) => float::write_f64(*value, style.extra_float_digits, out),
        Datum::Numeric(value) => value.write_text(out),
        Datum::Text(text) => out.extend_from_slice(text.as_bytes()),
        Datum::Bytes(bytes) => bytea::write(bytes, style.bytea_output, out),
        Datum::Interval(interval) => datetime::write_interval(interval, style, out),
        Datum::Uuid(value) => uuid::write(value, out),
        Datum::Array(value) if matches!(type_oid, oid::INT2VECTOR | oid::OIDVECTOR) => {
            array::write_vector(value, style, out);
        }
        Datum::Array(value) => array::write(value, style, out),
        Datum::TimeTz(value) => datetime::write_timetz(value, style, out),
        Datum::Record(value) => record::write(value, style, out),
    }
}

#[inline]
fn write_i32(type_oid: Oid, value: i32, style: &Style, out: &mut Vec<u8>) {
    if type_oid == oid::DATE {
        datetime::write_date(value, style, out);
    } else {
        integer::write_i64(i64::from(value), out);
    }
}

#[inline]
fn write_i64(type_oid: Oid, value: i64, style: &Style, out: &mut Vec<u8>) {
    match type_oid {
        oid::TIMESTAMP => datetime::write_timestamp(value, style, out),
        oid::TIMESTAMPTZ => datetime::write_timestamptz(value, style, out),
        oid::TIME => datetime::write_time(value, out),
        oid::XID8 => integer::write_u64(value as u64, out),
        oid::TID => tid::write(value, out),
        _ => integer::write_i64(value, out),
    }
}

#[inline]
fn write_u32(type_oid: Oid, value: u32, out: &mut Vec<u8>) {
    if value == 0 && integer::is_registered(type_oid) {
        out.push(b'-');
    } else {
        integer::write_u64(u64::from(value), out);
    }
}

/// Appends the text form of a column's row, which must not be NULL. Allocates nothing for the types of fixed size.
#[inline]
pub fn output_column(type_oid: Oid, column: &Column, row: usize, style: &Style, out: &mut Vec<u8>) {
    match &column.data {
        ColumnData::Bool(values) => out.push(boolean_text(values[row])),
        ColumnData::I16(values) => integer::write_i64(i64::from(values[row]), out),
        ColumnData::I32(values) => write_i32(type_oid, values[row], style, out),
        ColumnData::I64(values) => write_i64(type_oid, values[row], style, out),
        ColumnData::U32(values) => write_u32(type_oid, values[row], out),
        ColumnData::F32(values) => float::write_f32(values[row], style.extra_float_digits, out),
        ColumnData::F64(values) => float::write_f64(values[row], style.extra_float_digits, out),
        ColumnData::Numeric(values) => values[row].write_text(out),
        ColumnData::Text(values) => out.extend_from_slice(values.get(row)),
        ColumnData::Bytes(values) => bytea::write(values.get(row), style.bytea_output, out),
        ColumnData::Interval(values) => datetime::write_interval(&values[row], style, out),
        ColumnData::Uuid(values) => uuid::write(&values[row], out),
        ColumnData::Any(values) => write(type_oid, &values[row], style, out),
    }
}
