//! Unicode's own business: normal forms, and escapes that name code points.
//!
//! A text has four normal forms (Unicode Standard Annex 15): composed or decomposed, and each of these canonical (NFC,
//! NFD) or compatible (NFKC, NFKD). What a form makes of assigned characters never changes between versions of Unicode;
//! characters that PostgreSQL's tables do not know yet are all that could differ.

use helios_types::{PgError, Result, SqlState};
use unicode_normalization::UnicodeNormalization;

use super::Entry;
use super::errors::invalid_parameter;
use super::strings::{string, value};

/// The names of forms, in either case.
#[derive(Clone, Copy)]
enum Form {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
}

fn form_named(name: &str) -> Result<Form> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "nfc" => Form::Nfc,
        "nfd" => Form::Nfd,
        "nfkc" => Form::Nfkc,
        "nfkd" => Form::Nfkd,
        _ => return Err(invalid_parameter(format!("invalid normalization form: {name}"))),
    })
}

fn normalize(text: &str, form: Form, out: &mut String) {
    match form {
        Form::Nfc => out.extend(text.nfc()),
        Form::Nfd => out.extend(text.nfd()),
        Form::Nfkc => out.extend(text.nfkc()),
        Form::Nfkd => out.extend(text.nfkd()),
    }
}

fn is_normalized(text: &str, form: Form) -> bool {
    match form {
        Form::Nfc => unicode_normalization::is_nfc(text),
        Form::Nfd => unicode_normalization::is_nfd(text),
        Form::Nfkc => unicode_normalization::is_nfkc(text),
        Form::Nfkd => unicode_normalization::is_nfkd(text),
    }
}

fn invalid_pair() -> PgError {
    PgError::new(SqlState::SYNTAX_ERROR, "invalid Unicode surrogate pair")
}

fn invalid_escape() -> PgError {
    PgError::new(SqlState::SYNTAX_ERROR, "invalid Unicode escape")
        .with_hint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
}

/// The forms of an escape behind its backslash: what introduces the digits, and how many there are.
const ESCAPES: [(&str, usize); 4] = [("", 4), ("u", 4), ("+", 6), ("U", 8)];

/// The code that the text begins with behind a backslash, and what follows it.
fn escaped_code(text: &str) -> Result<(u32, &str)> {
    for (introducer, length) in ESCAPES {
        let digits = text.strip_prefix(introducer).and_then(|rest| rest.get(..length));
        let Some(digits) = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())) else {
            continue;
        };
        let code = u32::from_str_radix(digits, 16).expect("at most eight hexadecimal digits");
        if code == 0 || code > char::MAX as u32 {
            return Err(invalid_parameter(format!("invalid Unicode code point: {code:04X}")));
        }
        return Ok((code, &text[introducer.len() + length..]));
    }
    Err(invalid_escape())
}

/// Replaces escapes by what they name. A character beyond the first 65536 may come as two escapes, UTF-16's surrogates,
/// which must stand next to each other.
fn unistr(text: &str, out: &mut String) -> Result<()> {
    let mut rest = text;
    let mut high: Option<u32> = None;
    while let Some(char) = rest.chars().next() {
        let behind = &rest[char.len_utf8()..];
        if char != '\\' || behind.starts_with('\\') {
            if high.is_some() {
                return Err(invalid_pair());
            }
            out.push(char);
            rest = behind.strip_prefix('\\').filter(|_| char == '\\').unwrap_or(behind);
            continue;
        }
        let (code, after) = escaped_code(behind)?;
        rest = after;
        match (high.take(), code) {
            (None, 0xd800..=0xdbff) => high = Some(code),
            (Some(first), 0xdc00..=0xdfff) => {
                let code = 0x10000 + ((first & 0x3ff) << 10) + (code & 0x3ff);
                out.push(char::from_u32(code).expect("a pair of surrogates names a character"));
            }
            (None, code) => out.push(char::from_u32(code).ok_or_else(invalid_pair)?),
            (Some(_), _) => return Err(invalid_pair()),
        }
    }
    if high.is_some() { Err(invalid_pair()) } else { Ok(()) }
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    string!("unicode_normalize_func", |_, text: &str, form: &str; out| {
        normalize(text, form_named(form)?, out);
        Ok(())
    }),
    value!("unicode_is_normalized", |_, text: &str, form: &str| -> bool { Ok(is_normalized(text, form_named(form)?)) }),
    string!("unistr", |_, text: &str; out| { unistr(text, out) }),
]];
