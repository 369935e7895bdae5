//! `encode` and `decode`: bytes as hexadecimal, base64 or escaped text.

use helios_types::{PgError, Result, SqlState};

use super::Entry;
use super::errors::invalid_parameter;
use super::strings::{binary, string};

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[derive(Clone, Copy)]
enum Encoding {
    Hex,
    Base64,
    Escape,
}

fn encoding(name: &str) -> Result<Encoding> {
    [("hex", Encoding::Hex), ("base64", Encoding::Base64), ("escape", Encoding::Escape)]
        .into_iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, encoding)| encoding)
        .ok_or_else(|| invalid_parameter(format!("unrecognized encoding: \"{name}\"")))
}

/// Encodings of characters, as `convert_to` and `convert_from` name them. Text is UTF-8 and there are no conversions.
fn check_utf8(name: &str, role: &str) -> Result<()> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    match plain.as_str() {
        "utf8" | "unicode" => Ok(()),
        _ if is_encoding(&plain) => Err(PgError::unsupported(format_args!("the encoding {name}"))),
        _ => Err(invalid_parameter(format!("invalid {role} encoding name \"{name}\""))),
    }
}

/// Whether PostgreSQL has an encoding of this name, which is in lower case and of letters and digits alone.
fn is_encoding(plain: &str) -> bool {
    let numbered = |prefix: &str| plain.strip_prefix(prefix).is_some_and(|number| number.parse::<u16>().is_ok());
    numbered("latin")
        || numbered("iso8859")
        || numbered("win")
        || numbered("windows")
        || [
            "sqlascii", "euc", "sjis", "shiftjis", "big5", "gbk", "gb18030", "uhc", "johab", "koi8", "abc", "mule",
            "alt",
        ]
        .iter()
        .any(|known| plain.starts_with(known))
}

/// Appends bytes as lower-case hexadecimal digits.
pub(super) fn push_hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        out.push(char::from_digit(u32::from(byte >> 4), 16).expect("four bits"));
        out.push(char::from_digit(u32::from(byte & 15), 16).expect("four bits"));
    }
}

/// Base64 in lines of 76 characters, as MIME has it.
fn push_base64(bytes: &[u8], out: &mut String) {
    for (index, chunk) in bytes.chunks(3).enumerate() {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            if place <= chunk.len() {
                out.push(char::from(BASE64[(bits >> (18 - 6 * place) & 63) as usize]));
            } else {
                out.push('=');
            }
        }
        // A full last line ends too.
        if index % 19 == 18 {
            out.push('\n');
        }
    }
}

/// Zero and bytes above ASCII as octal escapes, the backslash doubled.
fn push_escaped(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        match byte {
            0 | 0x80.. => {
                out.push('\\');
                for shift in [6, 3, 0] {
                    out.push(char::from(b'0' + (byte >> shift & 7)));
                }
            }
            b'\\' => out.push_str("\\\\"),
            _ => out.push(char::from(*byte)),
        }
    }
}

/// The whole character that begins at a byte, for messages.
fn char_at(text: &str, offset: usize) -> &str {
    let rest = &text[offset..];
    &rest[..rest.chars().next().map_or(0, char::len_utf8)]
}

fn decode_hex(text: &str, out: &mut Vec<u8>) -> Result<()> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let digit = |at: usize| {
        (bytes[at] as char)
            .to_digit(16)
            .map(|digit| digit as u8)
            .ok_or_else(|| invalid_parameter(format!("invalid hexadecimal digit: \"{}\"", char_at(text, at))))
    };
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let high = digit(at)?;
        if at + 1 >= bytes.len() {
            return Err(invalid_parameter("invalid hexadecimal data: odd number of digits"));
        }
        out.push(high << 4 | digit(at + 1)?);
        at += 2;
    }
    Ok(())
}

fn decode_base64(text: &str, out: &mut Vec<u8>) -> Result<()> {
    let mut bits = 0u32;
    let mut position = 0;
    // How many bytes the last group lacks; 0 while no padding was seen.
    let mut end = 0;
    for (offset, byte) in text.bytes().enumerate() {
        let value = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => continue,
            b'=' => {
                if end == 0 {
                    end = match position {
                        2 => 1,
                        3 => 2,
                        _ => {
                            return Err(invalid_parameter("unexpected \"=\" while decoding base64 sequence"));
                        }
                    };
                }
                0
            }
            _ => BASE64.iter().position(|symbol| *symbol == byte).ok_or_else(|| {
                invalid_parameter(format!(
                    "invalid symbol \"{}\" found while decoding base64 sequence",
                    char_at(text, offset)
                ))
            })? as u32,
        };
        bits = bits << 6 | value;
        position += 1;
        if position == 4 {
            out.push((bits >> 16) as u8);
            if end == 0 || end > 1 {
                out.push((bits >> 8) as u8);
            }
            if end == 0 || end > 2 {
                out.push(bits as u8);
            }
            (bits, position) = (0, 0);
        }
    }
    if position != 0 {
        return Err(invalid_parameter("invalid base64 end sequence")
            .with_hint("Input data is missing padding, is truncated, or is otherwise corrupted."));
    }
    Ok(())
}

fn decode_escape(text: &str, out: &mut Vec<u8>) -> Result<()> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                at += 4;
            }
            [b'\\', b'\\', ..] => {
                out.push(b'\\');
                at += 2;
            }
            [b'\\', ..] => {
                return Err(PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea"));
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    Ok(())
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    string!("binary_encode", |_, bytes: &[u8], name: &str; out| {
        match encoding(name)? {
            Encoding::Hex => push_hex(bytes, out),
            Encoding::Base64 => push_base64(bytes, out),
            Encoding::Escape => push_escaped(bytes, out),
        }
        Ok(())
    }),
    binary!("pg_convert_to", |_, text: &str, name: &str; out| {
        check_utf8(name, "destination")?;
        out.extend_from_slice(text.as_bytes());
        Ok(())
    }),
    string!("pg_convert_from", |_, bytes: &[u8], name: &str; out| {
        check_utf8(name, "source")?;
        out.push_str(helios_types::io::checked_text(bytes)?);
        Ok(())
    }),
    binary!("binary_decode", |_, text: &str, name: &str; out| {
        match encoding(name)? {
            Encoding::Hex => decode_hex(text, out),
            Encoding::Base64 => decode_base64(text, out),
            Encoding::Escape => decode_escape(text, out),
        }
    }),
]];
