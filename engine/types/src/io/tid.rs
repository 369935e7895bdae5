//! Text form of tid, `(block,offset)`. Kept as `block << 16 | offset` in an [`Datum::I64`].

use super::{integer, invalid_syntax};
use crate::{Datum, Result};

/// Reads `(block,offset)`. As C's `strtoul` reads the numbers, they may have blanks and a sign in front.
pub(crate) fn parse(text: &str) -> Result<Datum> {
    let parts = || {
        let (block, offset) = text.split_once('(')?.1.split_once(')')?.0.split_once(',')?;
        let (block, offset) = (integer::parse_i64(block.trim_start()).ok()?, integer::parse_i64(offset).ok()?);
        let whole = !block_has_tail(text);
        let block = u32::try_from(block).or_else(|_| i32::try_from(block).map(|block| block as u32)).ok()?;
        whole.then_some(i64::from(block) << 16 | i64::from(u16::try_from(offset).ok()?))
    };
    parts().map(Datum::I64).ok_or_else(|| invalid_syntax("tid", text))
}

/// Whether blanks stand between the block number and the comma, or between the offset and the parenthesis.
fn block_has_tail(text: &str) -> bool {
    text.contains(" ,") || text.contains(" )")
}

/// Appends a tid.
pub(crate) fn write(value: i64, out: &mut Vec<u8>) {
    out.push(b'(');
    integer::write_u64((value >> 16) as u64, out);
    out.push(b',');
    integer::write_u64((value & 0xffff) as u64, out);
    out.push(b')');
}
