//! Rows: from values to bytes and back into columns.

use bytes::Bytes;
use helios_catalog::model::Table;
use helios_storage::row::{ColumnValue, PhysicalType, RowBuilder, RowRef};
use helios_types::{ColumnBuilder, Datum, Interval, Oid, PgError, Physical, Result, SqlState};

use super::TableAccess;

/// How storage holds values of a type.
pub fn physical_of(type_oid: Oid) -> PhysicalType {
    match Physical::of(type_oid) {
        Physical::Bool => PhysicalType::Bool,
        Physical::I16 => PhysicalType::Int16,
        Physical::I32 | Physical::U32 => PhysicalType::Int32,
        Physical::I64 => PhysicalType::Int64,
        Physical::F32 => PhysicalType::Float32,
        Physical::F64 => PhysicalType::Float64,
        Physical::Interval | Physical::Uuid => PhysicalType::Int128,
        Physical::Numeric | Physical::Text | Physical::Bytes | Physical::Any => PhysicalType::Bytes,
    }
}

/// What each column reads as in rows that are older than it.
pub(super) fn column_defaults(table: &Table) -> Result<Vec<Datum>> {
    table
        .columns
        .iter()
        .map(|column| match &column.missing {
            Some(bytes) => helios_types::io::receive(column.type_oid, bytes),
            None => Ok(Datum::Null),
        })
        .collect()
}

impl TableAccess {
    /// Encodes a row. `values` has one value per attnum, dropped columns (NULL) included.
    pub fn encode_row(&self, values: &[Datum]) -> Result<Bytes> {
        let mut builder = RowBuilder::new(self.layout());
        let mut scratch = Vec::new();
        for (column, value) in self.table.columns.iter().zip(values) {
            push(&mut builder, column.type_oid, value, &mut scratch)?;
        }
        Ok(builder.finish())
    }

    /// Decodes every column of a row, by attnum - 1; dropped ones are NULL.
    pub fn decode_row(&self, row: &[u8]) -> Result<Vec<Datum>> {
        let row = self.row(row)?;
        self.table
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| match row.column(index) {
                _ if column.dropped => Ok(Datum::Null),
                ColumnValue::Absent => Ok(self.missing[index].clone()),
                value => datum(column.type_oid, value),
            })
            .collect()
    }

    fn row<'a>(&'a self, bytes: &'a [u8]) -> Result<RowRef<'a>> {
        let id = RowRef::layout_id(bytes).ok_or_else(|| self.corrupt("a row is too short"))?;
        let layout = self.layout_of(id).ok_or_else(|| self.corrupt("a row has a layout that is not the table's"))?;
        RowRef::new(layout, bytes).map_err(|error| self.corrupt(&error.to_string()))
    }

    pub(super) fn corrupt(&self, what: &str) -> PgError {
        PgError::new(SqlState::DATA_CORRUPTED, format!("relation \"{}\": {what}", self.table.name))
    }
}

/// Decodes chosen columns of rows straight into column builders.
#[derive(Clone, Debug)]
pub struct RowDecoder {
    columns: Vec<(usize, Oid, Physical)>,
}

impl RowDecoder {
    /// For these columns (attnums), in this order.
    pub fn new(access: &TableAccess, attnums: &[i16]) -> RowDecoder {
        let columns = attnums
            .iter()
            .map(|attnum| {
                let index = usize::try_from(*attnum - 1).expect("attnums of user columns start at 1");
                let type_oid = access.table.columns[index].type_oid;
                (index, type_oid, Physical::of(type_oid))
            })
            .collect();
        RowDecoder { columns }
    }

    /// A builder per column.
    pub fn builders(&self, capacity: usize) -> Vec<ColumnBuilder> {
        self.columns.iter().map(|(_, type_oid, _)| ColumnBuilder::new(*type_oid, capacity)).collect()
    }

    /// Appends one row's columns to the builders.
    pub fn decode(&self, access: &TableAccess, row: &[u8], out: &mut [ColumnBuilder]) -> Result<()> {
        let row = access.row(row)?;
        for ((index, type_oid, physical), out) in self.columns.iter().zip(out) {
            match (physical, row.column(*index)) {
                (_, ColumnValue::Null) => out.push_null(),
                (_, ColumnValue::Absent) => out.push(&access.missing[*index]),
                (Physical::Bool, ColumnValue::Bool(value)) => out.push_bool(value),
                (Physical::I16, ColumnValue::Int16(value)) => out.push_i16(value),
                (Physical::I32, ColumnValue::Int32(value)) => out.push_i32(value),
                (Physical::U32, ColumnValue::Int32(value)) => out.push_u32(value.cast_unsigned()),
                (Physical::I64, ColumnValue::Int64(value)) => out.push_i64(value),
                (Physical::F32, ColumnValue::Float32(value)) => out.push_f32(value),
                (Physical::F64, ColumnValue::Float64(value)) => out.push_f64(value),
                (Physical::Text, ColumnValue::Bytes(value)) => out.push_str(text(value)?),
                (_, value) => out.push(&datum(*type_oid, value)?),
            }
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| PgError::new(SqlState::DATA_CORRUPTED, "a stored text is not valid UTF-8"))
}

fn push(builder: &mut RowBuilder<'_>, type_oid: Oid, value: &Datum, scratch: &mut Vec<u8>) -> Result<()> {
    builder.push(match value {
        Datum::Null => ColumnValue::Null,
        Datum::Bool(value) => ColumnValue::Bool(*value),
        Datum::I16(value) => ColumnValue::Int16(*value),
        Datum::I32(value) => ColumnValue::Int32(*value),
        Datum::U32(value) => ColumnValue::Int32(value.cast_signed()),
        Datum::I64(value) => ColumnValue::Int64(*value),
        Datum::F32(value) => ColumnValue::Float32(*value),
        Datum::F64(value) => ColumnValue::Float64(*value),
        Datum::Text(value) if Physical::of(type_oid) == Physical::Text => ColumnValue::Bytes(value.as_bytes()),
        Datum::Bytes(value) => ColumnValue::Bytes(value),
        Datum::Interval(value) => ColumnValue::Int128(pack_interval(*value)),
        Datum::Uuid(value) => ColumnValue::Int128(i128::from_be_bytes(*value)),
        other => {
            scratch.clear();
            helios_types::io::send(type_oid, other, scratch)?;
            ColumnValue::Bytes(scratch)
        }
    });
    Ok(())
}

fn datum(type_oid: Oid, value: ColumnValue<'_>) -> Result<Datum> {
    let physical = Physical::of(type_oid);
    Ok(match (physical, value) {
        (_, ColumnValue::Null | ColumnValue::Absent) => Datum::Null,
        (_, ColumnValue::Bool(value)) => Datum::Bool(value),
        (_, ColumnValue::Int16(value)) => Datum::I16(value),
        (Physical::U32, ColumnValue::Int32(value)) => Datum::U32(value.cast_unsigned()),
        (_, ColumnValue::Int32(value)) => Datum::I32(value),
        (_, ColumnValue::Int64(value)) => Datum::I64(value),
        (_, ColumnValue::Float32(value)) => Datum::F32(value),
        (_, ColumnValue::Float64(value)) => Datum::F64(value),
        (Physical::Interval, ColumnValue::Int128(value)) => Datum::Interval(unpack_interval(value)),
        (_, ColumnValue::Int128(value)) => Datum::Uuid(value.to_be_bytes()),
        (Physical::Text, ColumnValue::Bytes(value)) => Datum::Text(text(value)?.into()),
        (Physical::Bytes, ColumnValue::Bytes(value)) => Datum::Bytes(value.into()),
        (_, ColumnValue::Bytes(value)) => helios_types::io::receive(type_oid, value)?,
    })
}

fn pack_interval(interval: Interval) -> i128 {
    i128::from(interval.months) << 96
        | i128::from(interval.days.cast_unsigned()) << 64
        | i128::from(interval.micros.cast_unsigned())
}

#[allow(clippy::cast_possible_truncation)]
fn unpack_interval(packed: i128) -> Interval {
    Interval { months: (packed >> 96) as i32, days: (packed >> 64) as i32, micros: packed as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_survive_packing() {
        for interval in [
            Interval { months: -1, days: 2, micros: -3 },
            Interval { months: i32::MAX, days: i32::MIN, micros: i64::MAX },
            Interval { months: i32::MIN, days: -1, micros: i64::MIN },
        ] {
            assert_eq!(unpack_interval(pack_interval(interval)), interval);
        }
    }
}
