//! The bytes that stand for a value where only equality counts.

use helios_types::{Column, ColumnData, Datum, Interval, Numeric, Oid, oid};

/// Appends the key of a row's value. NULL is a value of its own.
#[inline]
pub(super) fn append(column: &Column, row: usize, type_oid: Oid, out: &mut Vec<u8>) {
    if column.is_null(row) {
        out.push(0);
        return;
    }
    out.push(1);
    match &column.data {
        ColumnData::Bool(values) => out.push(u8::from(values[row])),
        ColumnData::I16(values) => integer(i64::from(values[row]), out),
        ColumnData::I32(values) => integer(i64::from(values[row]), out),
        ColumnData::I64(values) => integer(values[row], out),
        ColumnData::U32(values) => integer(i64::from(values[row]), out),
        ColumnData::F32(values) => float(f64::from(values[row]), out),
        ColumnData::F64(values) => float(values[row], out),
        ColumnData::Numeric(values) => numeric(&values[row], out),
        ColumnData::Text(values) => bytes(text(values.get(row), type_oid), out),
        ColumnData::Bytes(values) => bytes(values.get(row), out),
        ColumnData::Interval(values) => interval(values[row], out),
        ColumnData::Uuid(values) => out.extend_from_slice(&values[row]),
        ColumnData::Any(values) => datum(&values[row], out),
    }
}

/// The bytes of a string that count: char(n) is compared without its padding.
#[inline]
pub(super) fn text(value: &[u8], type_oid: Oid) -> &[u8] {
    if type_oid == oid::BPCHAR { value.trim_ascii_end_spaces() } else { value }
}

trait TrimSpaces {
    fn trim_ascii_end_spaces(&self) -> &Self;
}

impl TrimSpaces for [u8] {
    fn trim_ascii_end_spaces(&self) -> &[u8] {
        let end = self.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
        &self[..end]
    }
}

#[inline]
fn integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn float(value: f64, out: &mut Vec<u8>) {
    // All NaNs are equal, and so are the two zeros.
    let value = if value.is_nan() { f64::NAN } else { value + 0.0 };
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

fn bytes(value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    out.extend_from_slice(value);
}

fn numeric(value: &Numeric, out: &mut Vec<u8>) {
    let trimmed = value.trim_scale();
    match trimmed.as_small() {
        Some((coefficient, scale)) => {
            out.push(1);
            integer(coefficient, out);
            out.extend_from_slice(&scale.to_le_bytes());
        }
        None => {
            out.push(2);
            let mut printed = Vec::new();
            trimmed.write_text(&mut printed);
            bytes(&printed, out);
        }
    }
}

fn interval(value: Interval, out: &mut Vec<u8>) {
    // A month is 30 days and a day 24 hours, as interval_cmp has it.
    let days = i128::from(value.months) * 30 + i128::from(value.days);
    out.extend_from_slice(&(days * 86_400_000_000 + i128::from(value.micros)).to_le_bytes());
}

fn datum(value: &Datum, out: &mut Vec<u8>) {
    match value {
        Datum::Null => out.push(0),
        Datum::Bool(value) => out.push(1 + u8::from(*value)),
        Datum::I16(value) => integer(i64::from(*value), out),
        Datum::I32(value) => integer(i64::from(*value), out),
        Datum::I64(value) => integer(*value, out),
        Datum::U32(value) => integer(i64::from(*value), out),
        Datum::F32(value) => float(f64::from(*value), out),
        Datum::F64(value) => float(*value, out),
        Datum::Numeric(value) => numeric(value, out),
        Datum::Text(value) => bytes(value.as_bytes(), out),
        Datum::Bytes(value) => bytes(value, out),
        Datum::Interval(value) => interval(*value, out),
        Datum::Uuid(value) => out.extend_from_slice(value),
        Datum::Array(array) => {
            for (length, lower) in &array.dimensions {
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(&lower.to_le_bytes());
            }
            parts(&array.elements, out);
        }
        Datum::Record(record) => parts(&record.values, out),
        Datum::TimeTz(value) => {
            // The zone breaks ties, as timetz_cmp has it.
            integer(value.micros + i64::from(value.zone) * 1_000_000, out);
            out.extend_from_slice(&value.zone.to_le_bytes());
        }
    }
}

fn parts(values: &[Datum], out: &mut Vec<u8>) {
    for value in values {
        out.push(u8::from(!value.is_null()));
        datum(value, out);
    }
}

/// The key bytes of each of a row's values; `None` for NULL.
pub(crate) fn of_row(columns: &[crate::execute::batch::ColumnRef], row: usize, types: &[Oid]) -> Vec<Option<Vec<u8>>> {
    let value = |(column, oid): (&crate::execute::batch::ColumnRef, &Oid)| {
        (!column.is_null(row)).then(|| {
            let mut bytes = Vec::new();
            append(column, row, *oid, &mut bytes);
            bytes
        })
    };
    columns.iter().zip(types).map(value).collect()
}
