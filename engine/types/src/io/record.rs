//! Text form of composite values: `(1,"a b",)`.

use super::{InputContext, Style, input, is_space, output};
use crate::{Datum, Oid, PgError, Record, Result, SqlState, TypeMod};

/// Reads a composite value with these fields' types.
pub(crate) fn parse(fields: &[(Oid, TypeMod)], text: &str, context: &InputContext<'_>) -> Result<Datum> {
    let malformed = |detail: &str| {
        PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("malformed record literal: \"{text}\""))
            .with_detail(detail)
    };
    let bytes = text.as_bytes();
    let mut at = bytes.iter().take_while(|byte| is_space(**byte)).count();
    if bytes.get(at) != Some(&b'(') {
        return Err(malformed("Missing left parenthesis."));
    }
    at += 1;
    let mut values = Vec::with_capacity(fields.len());
    let mut buffer = Vec::new();
    for (index, (type_oid, typmod)) in fields.iter().enumerate() {
        if index > 0 {
            if bytes.get(at) != Some(&b',') {
                return Err(malformed("Too few columns."));
            }
            at += 1;
        }
        if matches!(bytes.get(at), Some(b',' | b')')) {
            values.push(Datum::Null);
            continue;
        }
        buffer.clear();
        let mut quoted = false;
        loop {
            match bytes.get(at) {
                None => return Err(malformed("Unexpected end of input.")),
                Some(b',' | b')') if !quoted => break,
                Some(b'\\') => {
                    at += 1;
                    buffer.push(*bytes.get(at).ok_or_else(|| malformed("Unexpected end of input."))?);
                }
                Some(b'"') if quoted && bytes.get(at + 1) == Some(&b'"') => {
                    at += 1;
                    buffer.push(b'"');
                }
                Some(b'"') => quoted = !quoted,
                Some(byte) => buffer.push(*byte),
            }
            at += 1;
        }
        let field = std::str::from_utf8(&buffer).expect("escapes keep characters whole");
        values.push(input(*type_oid, *typmod, field, context)?);
    }
    if bytes.get(at) != Some(&b')') {
        return Err(malformed("Too many columns."));
    }
    if !bytes[at + 1..].iter().all(|byte| is_space(*byte)) {
        return Err(malformed("Junk after right parenthesis."));
    }
    let types: Vec<Oid> = fields.iter().map(|(type_oid, _)| *type_oid).collect();
    Ok(Datum::record(types, values))
}

/// Appends a composite value.
pub(crate) fn write(record: &Record, style: &Style, out: &mut Vec<u8>) {
    let mut scratch = Vec::new();
    out.push(b'(');
    for (index, (type_oid, value)) in record.types.iter().zip(&record.values).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if value.is_null() {
            continue;
        }
        scratch.clear();
        output::write(*type_oid, value, style, &mut scratch);
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | b'(' | b')' | b',') || is_space(*byte);
        if !scratch.is_empty() && !scratch.iter().any(special) {
            out.extend_from_slice(&scratch);
            continue;
        }
        out.push(b'"');
        for byte in &scratch {
            if matches!(byte, b'"' | b'\\') {
                out.push(*byte);
            }
            out.push(*byte);
        }
        out.push(b'"');
    }
    out.push(b')');
}
