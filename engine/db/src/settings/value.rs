//! Reading and printing the values of settings.

use helios_catalog::facts::Setting;
use helios_types::{PgError, Result, SqlState};

/// Units of memory in bytes and of time in microseconds.
const MEMORY_UNITS: [(&str, i64); 5] =
    [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10), ("B", 1)];
const TIME_UNITS: [(&str, i64); 6] =
    [("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];

/// The canonical form of a value, or PostgreSQL's error: booleans as `on` and `off`, numbers in the setting's base
/// unit, enums in lower case.
pub(super) fn canonical(fact: &Setting, key: &str, value: &str) -> Result<String> {
    match fact.kind {
        "bool" => match parse_bool(value) {
            Some(true) => Ok("on".into()),
            Some(false) => Ok("off".into()),
            None => Err(PgError::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("parameter \"{}\" requires a Boolean value", fact.name),
            )),
        },
        "integer" => integer(fact, value),
        "real" => real(fact, value),
        "enum" => enumerated(fact, key, value),
        _ => string(fact, key, value),
    }
}

/// PostgreSQL's `parse_bool`: any unique prefix of true, false, yes, no; on, of(f), 1, 0.
fn parse_bool(value: &str) -> Option<bool> {
    let value = value.to_ascii_lowercase();
    let is_prefix = |word: &str, least: usize| value.len() >= least && word.starts_with(value.as_str());
    if is_prefix("true", 1) || is_prefix("yes", 1) || value == "on" || value == "1" {
        return Some(true);
    }
    (is_prefix("false", 1) || is_prefix("no", 1) || is_prefix("off", 2) || value == "0").then_some(false)
}

fn invalid(fact: &Setting, value: &str) -> PgError {
    PgError::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("invalid value for parameter \"{}\": \"{value}\"", fact.name),
    )
}

fn units(fact: &Setting) -> Option<(&'static [(&'static str, i64)], i64, &'static str)> {
    let unit = fact.unit?;
    if let Some((name, size)) = TIME_UNITS.iter().find(|(name, _)| *name == unit) {
        return Some((&TIME_UNITS, *size, name));
    }
    let (count, name) = unit.find(|c: char| !c.is_ascii_digit()).map(|at| unit.split_at(at))?;
    let (name, size) = MEMORY_UNITS.iter().find(|(known, _)| *known == name)?;
    Some((&MEMORY_UNITS, size * count.parse().unwrap_or(1), name))
}

fn number_with_unit(fact: &Setting, value: &str) -> Result<f64> {
    let value = value.trim();
    let end = value.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E'))).unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    let number: f64 = number.parse().map_err(|_| invalid(fact, value))?;
    let unit = unit.trim();
    if unit.is_empty() {
        return Ok(number);
    }
    let Some((known, base, _)) = units(fact) else { return Err(invalid(fact, value)) };
    let hint = if known.len() == MEMORY_UNITS.len() {
        "Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\"."
    } else {
        "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\"."
    };
    let (_, size) = known
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(|| invalid(fact, value).with_hint(hint))?;
    #[allow(clippy::cast_precision_loss)]
    Ok(number * (*size as f64) / (base as f64))
}

#[allow(clippy::cast_possible_truncation)]
fn integer(fact: &Setting, value: &str) -> Result<String> {
    let hexadecimal = value.trim().strip_prefix("0x").and_then(|digits| i64::from_str_radix(digits, 16).ok());
    let number = match hexadecimal {
        Some(number) => number,
        None => number_with_unit(fact, value)?.round_ties_even() as i64,
    };
    let bound = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    if bound(fact.min).is_some_and(|min| number < min) || bound(fact.max).is_some_and(|max| number > max) {
        let unit = units(fact).map_or(String::new(), |(_, _, name)| format!(" {name}"));
        return Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!(
                "{number}{unit} is outside the valid range for parameter \"{}\" ({}{unit} .. {}{unit})",
                fact.name,
                fact.min.unwrap_or_default(),
                fact.max.unwrap_or_default(),
            ),
        ));
    }
    Ok(number.to_string())
}

fn real(fact: &Setting, value: &str) -> Result<String> {
    let number = number_with_unit(fact, value)?;
    let bound = |text: Option<&str>| text.and_then(|text| text.parse::<f64>().ok());
    if bound(fact.min).is_some_and(|min| number < min) || bound(fact.max).is_some_and(|max| number > max) {
        return Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!(
                "{number} is outside the valid range for parameter \"{}\" ({} .. {})",
                fact.name,
                fact.min.unwrap_or_default(),
                fact.max.unwrap_or_default(),
            ),
        ));
    }
    Ok(number.to_string())
}

fn enumerated(fact: &Setting, key: &str, value: &str) -> Result<String> {
    let lower = value.to_ascii_lowercase();
    let allowed: Vec<&str> = fact.values.as_deref().unwrap_or_default().to_vec();
    if allowed.contains(&lower.as_str()) {
        return Ok(match (key, lower.as_str()) {
            ("synchronous_commit", "true" | "yes" | "1") => "on".into(),
            _ => lower,
        });
    }
    // Enums that grew out of booleans take a boolean's spellings.
    if allowed.contains(&"on")
        && let Some(on) = parse_bool(value)
    {
        return Ok(if on { "on" } else { "off" }.into());
    }
    Err(invalid(fact, value).with_hint(format!("Available values: {}.", allowed.join(", "))))
}

fn string(fact: &Setting, key: &str, value: &str) -> Result<String> {
    match key {
        "datestyle" => helios_types::Style::parse_date_style(value).ok_or_else(|| invalid(fact, value)),
        "timezone" | "log_timezone" => {
            helios_types::TimeZone::from_setting(value).map(|zone| zone.name().to_owned()).ok_or_else(|| invalid(fact, value))
        }
        "client_encoding" => {
            let squeezed: String =
                value.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
            match squeezed.as_str() {
                "utf8" | "unicode" => Ok("UTF8".into()),
                "sqlascii" | "latin1" | "iso88591" | "win1252" | "windows1252" | "euckr" | "eucjp" | "sjis" | "big5"
                | "gbk" | "koi8r" | "win1251" => Ok(value.to_ascii_uppercase()),
                _ => Err(invalid(fact, value)),
            }
        }
        "search_path" => {
            split_identifiers(value)
                .ok_or_else(|| invalid(fact, value).with_detail("List syntax is invalid."))
                .map(|_| value.to_owned())
        }
        "application_name" => {
            let clean: String = value.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect();
            Ok(clean.chars().take(63).collect())
        }
        _ => Ok(value.to_owned()),
    }
}

/// A canonical value as SHOW prints it: numbers in the largest unit that divides them.
pub(super) fn display(fact: &Setting, value: &str) -> String {
    if fact.kind == "integer"
        && let (Some((known, base, name)), Ok(number)) = (units(fact), value.parse::<i64>())
    {
        if number <= 0 {
            return value.to_owned();
        }
        let total = number * base;
        let largest = known.iter().find(|(_, size)| total % size == 0 && *size >= base.min(1024));
        let (unit, size) = largest.copied().unwrap_or((name, base));
        return format!("{}{unit}", total / size);
    }
    value.to_owned()
}

/// `a, "B c", d` as its identifiers, folded to lower case where unquoted; `None` where the list is malformed.
pub(super) fn split_identifiers(list: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = list.trim_start();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut chars = quoted.char_indices().peekable();
            let end = loop {
                match chars.next()? {
                    (_, '"') if chars.peek().is_some_and(|(_, c)| *c == '"') => {
                        chars.next();
                        name.push('"');
                    }
                    (at, '"') => break at + 1,
                    (_, c) => name.push(c),
                }
            };
            names.push(name);
            rest = quoted[end..].trim_start();
        } else {
            let end = rest.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            names.push(rest[..end].to_lowercase());
            rest = rest[end..].trim_start();
        }
        if rest.is_empty() {
            return Some(names);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

/// `class.name`: a setting that an extension might own; anyone may make one.
pub(super) fn is_custom_name(key: &str) -> bool {
    let mut parts = key.split('.');
    let is_word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
    };
    key.contains('.') && parts.all(|part| is_word(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifier_lists() {
        assert_eq!(split_identifiers("\"$user\", public"), Some(vec!["$user".into(), "public".into()]));
        assert_eq!(split_identifiers("A,\"b\"\"c\""), Some(vec!["a".into(), "b\"c".into()]));
        assert_eq!(split_identifiers(""), Some(vec![]));
        assert_eq!(split_identifiers("a,,b"), None);
        assert_eq!(split_identifiers("\"open"), None);
    }

    #[test]
    fn booleans() {
        assert_eq!(parse_bool("TR"), Some(true));
        assert_eq!(parse_bool("of"), Some(false));
        assert_eq!(parse_bool("o"), None);
        assert_eq!(parse_bool(""), None);
    }
}
