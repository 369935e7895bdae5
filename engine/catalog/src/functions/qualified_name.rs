//! Names inside strings: `'public."My table"'::regclass`.

use helios_types::{PgError, Result, SqlState};

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// The parts of a dotted name, folded to lower case unless in double quotes, cut to the length of a name.
///
/// # Errors
///
/// 42602 `invalid name syntax`.
pub fn parse_qualified_name(text: &str) -> Result<Vec<String>> {
    split(text).ok_or_else(|| PgError::new(SqlState::INVALID_NAME, "invalid name syntax"))
}

fn split(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let part;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut collected = String::new();
            let mut characters = quoted.char_indices().peekable();
            rest = loop {
                match characters.next()? {
                    (_, '"') if characters.next_if(|&(_, next)| next == '"').is_some() => collected.push('"'),
                    (at, '"') => break &quoted[at + 1..],
                    (_, other) => collected.push(other),
                }
            };
            part = collected;
        } else {
            let end = rest.find(|c: char| c == '.' || c.is_ascii_whitespace()).unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            part = rest[..end].to_ascii_lowercase();
            rest = &rest[end..];
        }
        let cut = (0..=NAME_BYTES_MAX.min(part.len())).rev().find(|&at| part.is_char_boundary(at))?;
        parts.push(part[..cut].to_owned());
        rest = rest.trim_start();
        match rest.strip_prefix('.') {
            Some(after) => rest = after.trim_start(),
            None => return rest.is_empty().then_some(parts),
        }
    }
}
