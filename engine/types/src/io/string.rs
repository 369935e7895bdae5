//! Text form of name and "char".

/// The most bytes that a name keeps (PostgreSQL's NAMEDATALEN - 1).
pub const NAME_BYTES_MAX: usize = 63;

/// The longest prefix of whole characters that fits a name.
pub fn truncate_name(text: &str) -> &str {
    if text.len() <= NAME_BYTES_MAX {
        return text;
    }
    let end = (0..=NAME_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

/// "char" is one byte. It is kept as its text form: empty for zero, `\ooo` for bytes beyond ASCII.
pub(crate) fn parse_char(text: &str) -> String {
    let byte = match text.as_bytes() {
        // Of a first digit above 3, the ninth bit is lost.
        [b'\\', a @ b'0'..=b'7', b @ b'0'..=b'7', c @ b'0'..=b'7'] => (a & 3) << 6 | (b & 7) << 3 | (c & 7),
        [first, ..] => *first,
        [] => 0,
    };
    char_text(byte)
}

/// The text form of a "char".
pub fn char_text(byte: u8) -> String {
    match byte {
        0 => String::new(),
        1..=127 => char::from(byte).to_string(),
        _ => format!("\\{byte:03o}"),
    }
}

/// The byte that a "char" is.
pub fn char_byte(text: &str) -> u8 {
    match text.as_bytes() {
        [] => 0,
        [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7'] => (a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'),
        [first, ..] => *first,
    }
}
