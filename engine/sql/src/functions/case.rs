//! Upper and lower case, as PostgreSQL's builtin provider has them under `C.UTF-8`: Unicode's *simple* mappings, one
//! character to one character, independent of language.
//!
//! The standard library offers the full mappings. The two agree but where the full one is longer than a character;
//! there the simple one is given here: mostly "none", so that `upper('ß')` is `ß`.

use super::Entry;
use super::strings::string;

/// Simple uppercase mapping.
pub(super) fn upper(char: char) -> char {
    if char.is_ascii() {
        return char.to_ascii_uppercase();
    }
    let mut full = char.to_uppercase();
    match (full.next(), full.next()) {
        (Some(single), None) => single,
        _ => match char as u32 {
            // Greek with iota subscript has a capital of its own.
            code @ (0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7) => from_code(code + 8),
            code @ (0x1fb3 | 0x1fc3 | 0x1ff3) => from_code(code + 9),
            _ => char,
        },
    }
}

/// Simple lowercase mapping.
pub(super) fn lower(char: char) -> char {
    if char.is_ascii() {
        return char.to_ascii_lowercase();
    }
    let mut full = char.to_lowercase();
    match (full.next(), full.next()) {
        (Some(single), None) => single,
        // The only one: capital I with a dot above.
        _ => 'i',
    }
}

fn from_code(code: u32) -> char {
    char::from_u32(code).expect("a Greek letter")
}

/// Words are runs of letters and ASCII digits; their first characters become uppercase (not titlecase), the others lowercase.
fn initcap(text: &str, out: &mut String) {
    let mut inside = false;
    for char in text.chars() {
        out.push(if inside { lower(char) } else { upper(char) });
        inside = char.is_ascii_digit() || char.is_alphabetic();
    }
}

/// Lowercases a whole string.
pub(super) fn lower_text(text: &str, out: &mut String) {
    if text.is_ascii() {
        let from = out.len();
        out.push_str(text);
        out[from..].make_ascii_lowercase();
    } else {
        out.extend(text.chars().map(lower));
    }
}

fn upper_text(text: &str, out: &mut String) {
    if text.is_ascii() {
        let from = out.len();
        out.push_str(text);
        out[from..].make_ascii_uppercase();
    } else {
        out.extend(text.chars().map(upper));
    }
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    string!("lower", |_, text: &str; out| { lower_text(text, out); Ok(()) }),
    string!("casefold", |_, text: &str; out| { lower_text(text, out); Ok(()) }),
    string!("upper", |_, text: &str; out| { upper_text(text, out); Ok(()) }),
    string!("initcap", |_, text: &str; out| { initcap(text, out); Ok(()) }),
]];
