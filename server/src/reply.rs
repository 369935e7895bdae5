//! Rows of a result as DataRow messages.

use bytes::{BufMut, BytesMut};
use helios_types::{PgError, Result};
use heliosdb::{Batch, RowEncoder};

/// Appends a DataRow per row of the batch.
pub(crate) fn data_rows(outbox: &mut BytesMut, batch: &Batch, encoder: &RowEncoder, columns: usize) -> Result<()> {
    let count = u16::try_from(columns).map_err(|_| PgError::internal("more than 65535 columns"))?;
    let mut value = Vec::with_capacity(64);
    for row in 0..batch.rows() {
        outbox.put_u8(b'D');
        let start = outbox.len();
        outbox.put_u32(0);
        outbox.put_u16(count);
        for column in 0..columns {
            value.clear();
            if encoder.value(batch, row, column, &mut value)? {
                outbox.put_u32(length(value.len())?);
                outbox.put_slice(&value);
            } else {
                outbox.put_u32(u32::MAX);
            }
        }
        let whole = length(outbox.len() - start)?;
        outbox[start..start + 4].copy_from_slice(&whole.to_be_bytes());
    }
    Ok(())
}

fn length(bytes: usize) -> Result<u32> {
    u32::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes < 0x3fff_ffff)
        .ok_or_else(|| PgError::new(helios_types::SqlState::PROGRAM_LIMIT_EXCEEDED, "a row is larger than 1 GB"))
}
