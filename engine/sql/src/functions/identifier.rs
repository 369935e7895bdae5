//! `parse_ident`: a qualified name taken apart as SQL would.

use std::sync::Arc;

use helios_types::{Array, Datum, PgError, Result, oid};

use super::arguments::{bool_at, text_at};
use super::errors::invalid_parameter;
use super::{Entry, Implementation};

const SPACE: [char; 6] = [' ', '\t', '\n', '\r', '\x0b', '\x0c'];

fn begins_identifier(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphabetic() || !byte.is_ascii()
}

fn continues_identifier(byte: u8) -> bool {
    begins_identifier(byte) || byte.is_ascii_digit() || byte == b'$'
}

fn invalid(name: &str) -> PgError {
    invalid_parameter(format!("string is not a valid identifier: \"{name}\""))
}

/// A quoted identifier behind its opening quote: what it says, and what follows its closing quote.
fn quoted<'a>(name: &str, text: &'a str) -> Result<(String, &'a str)> {
    let mut said = String::new();
    let mut rest = text;
    loop {
        let (before, behind) =
            rest.split_once('"').ok_or_else(|| invalid(name).with_detail("String has unclosed double quotes."))?;
        said.push_str(before);
        let Some(more) = behind.strip_prefix('"') else {
            if said.is_empty() {
                return Err(invalid(name).with_detail("Quoted identifier must not be empty."));
            }
            return Ok((said, behind));
        };
        said.push('"');
        rest = more;
    }
}

/// The identifiers between the dots of a name. What is not strict ignores what follows the last of them.
fn parse(name: &str, strict: bool) -> Result<Vec<Datum>> {
    let mut parts = Vec::new();
    let mut rest = name.trim_start_matches(SPACE);
    loop {
        if let Some(text) = rest.strip_prefix('"') {
            let (part, behind) = quoted(name, text)?;
            parts.push(Datum::text(part));
            rest = behind;
        } else if rest.bytes().next().is_some_and(begins_identifier) {
            let length = rest.bytes().take_while(|byte| continues_identifier(*byte)).count();
            parts.push(Datum::text(rest[..length].to_ascii_lowercase()));
            rest = &rest[length..];
        } else if rest.starts_with('.') {
            return Err(invalid(name).with_detail("No valid identifier before \".\"."));
        } else if !parts.is_empty() {
            return Err(invalid(name).with_detail("No valid identifier after \".\"."));
        } else {
            return Err(invalid(name));
        }
        rest = rest.trim_start_matches(SPACE);
        match rest.strip_prefix('.') {
            Some(behind) => rest = behind.trim_start_matches(SPACE),
            None if rest.is_empty() || !strict => return Ok(parts),
            None => return Err(invalid(name)),
        }
    }
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[(
    "parse_ident",
    Implementation::Scalar(|_, args| {
        let parts = parse(text_at(args, 0), bool_at(args, 1))?;
        Ok(Datum::Array(Arc::new(Array::vector(oid::TEXT, parts))))
    }),
)]];
