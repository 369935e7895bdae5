//! Text form of tid, `(block,offset)`. Kept as `block << 16 | offset` in an [`Datum::I64`].

use super::{integer, invalid_syntax};
use crate::{Datum, Result};

/// Reads `(block,offset)`.
pub(crate) fn parse(text: &str) -> Result<Datum> {
    let parts = || {
        let (block, offset) = text.trim_start().strip_prefix('(')?.split_once(')')?.0.split_once(',')?;
        Some(i64::from(block.parse::<u32>().ok()?) << 16 | i64::from(offset.parse::<u16>().ok()?))
    };
    parts().map(Datum::I64).ok_or_else(|| invalid_syntax("tid", text))
}

/// Appends a tid.
pub(crate) fn write(value: i64, out: &mut Vec<u8>) {
    out.push(b'(');
    integer::write_u64((value >> 16) as u64, out);
    out.push(b',');
    integer::write_u64((value & 0xffff) as u64, out);
    out.push(b')');
}
