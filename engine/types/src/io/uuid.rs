//! Text form of uuid.

use super::{bytea, invalid_syntax};
use crate::Result;

/// 32 hexadecimal digits, a hyphen allowed after every fourth, braces allowed around all.
pub(crate) fn parse(text: &str) -> Result<[u8; 16]> {
    parse_bytes(text.as_bytes()).ok_or_else(|| invalid_syntax("uuid", text))
}

fn parse_bytes(text: &[u8]) -> Option<[u8; 16]> {
    let mut rest = match text {
        [b'{', inner @ .., b'}'] => inner,
        [b'{', ..] => return None,
        plain => plain,
    };
    let mut uuid = [0u8; 16];
    for (index, byte) in uuid.iter_mut().enumerate() {
        let [high, low, after @ ..] = rest else { return None };
        *byte = (char::from(*high).to_digit(16)? << 4 | char::from(*low).to_digit(16)?) as u8;
        rest = match after {
            [b'-', after @ ..] if index % 2 == 1 && index < 15 => after,
            after => after,
        };
    }
    rest.is_empty().then_some(uuid)
}

/// Appends a uuid in its 8-4-4-4-12 form.
pub(crate) fn write(uuid: &[u8; 16], out: &mut Vec<u8>) {
    for (index, part) in [&uuid[..4], &uuid[4..6], &uuid[6..8], &uuid[8..10], &uuid[10..]].into_iter().enumerate() {
        if index > 0 {
            out.push(b'-');
        }
        bytea::write_hex(part, out);
    }
}
