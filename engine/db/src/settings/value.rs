//! Reading and printing the values of settings.

use helios_catalog::facts::Setting;
use helios_catalog::model::parse_identifier_list;
use helios_types::datetime::TimeZone;
use helios_types::{PgError, Result, SqlState};

/// Units of memory in bytes and of time in microseconds.
const MEMORY_UNITS: [(&str, i64); 5] = [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10), ("B", 1)];
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
pub(super) fn parse_bool(value: &str) -> Option<bool> {
    let value = value.to_ascii_lowercase();
    let is_prefix = |word: &str, least: usize| value.len() >= least && word.starts_with(value.as_str());
    if is_prefix("true", 1) || is_prefix("yes", 1) || value == "on" || value == "1" {
        return Some(true);
    }
    (is_prefix("false", 1) || is_prefix("no", 1) || is_prefix("off", 2) || value == "0").then_some(false)
}

pub(super) fn invalid(fact: &Setting, value: &str) -> PgError {
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
    let end =
        value.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E'))).unwrap_or(value.len());
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
    let (_, size) = known.iter().find(|(name, _)| *name == unit).ok_or_else(|| invalid(fact, value).with_hint(hint))?;
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
        "timezone" | "log_timezone" => {
            time_zone(value).map(|zone| zone.name().to_owned()).ok_or_else(|| invalid(fact, value))
        }
        "client_encoding" => {
            let squeezed: String =
                value.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
            match squeezed.as_str() {
                "utf8" | "unicode" => Ok("UTF8".into()),
                "sqlascii" | "latin1" | "iso88591" | "win1252" | "windows1252" | "euckr" | "eucjp" | "sjis"
                | "big5" | "gbk" | "koi8r" | "win1251" => Ok(value.to_ascii_uppercase()),
                _ => Err(invalid(fact, value)),
            }
        }
        "search_path" => parse_identifier_list(value)
            .ok_or_else(|| invalid(fact, value).with_detail("List syntax is invalid."))
            .map(|_| value.to_owned()),
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

/// What SET TIME ZONE may say: a name, a POSIX string, hours east of UTC, or an interval.
fn time_zone(value: &str) -> Option<TimeZone> {
    if let Some(literal) = value.strip_prefix("INTERVAL ") {
        let literal = literal.trim().trim_matches('\'');
        let style = helios_types::io::Style::default();
        let context = helios_types::io::InputContext::new(&style, 0);
        let interval = helios_types::datetime::parse_interval(literal, -1, &context).ok()?;
        let seconds = i32::try_from(interval.micros / 1_000_000).ok()?;
        return (interval.months == 0 && interval.days == 0).then(|| TimeZone::fixed(seconds));
    }
    if let Ok(hours) = value.trim().parse::<f64>() {
        #[allow(clippy::cast_possible_truncation)]
        return (hours.abs() <= 168.0).then(|| TimeZone::fixed((hours * 3600.0) as i32));
    }
    TimeZone::named(value)
}

/// DateStyle: its words in any order; what is not said stays as it is in `current`.
pub(super) fn date_style(value: &str, current: &str) -> Option<String> {
    let mut words = current.split(", ");
    let (mut style, mut order) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut has_style, mut has_order) = (false, false);
    for word in parse_identifier_list(value)? {
        let (new_style, new_order) = date_style_word(&word, has_order)?;
        if let Some(new) = new_style {
            if has_style && style != new {
                return None;
            }
            (style, has_style) = (new.to_owned(), true);
        }
        if let Some(new) = new_order {
            if has_order && order != new {
                return None;
            }
            order = new.to_owned();
            has_order |= new_style.is_none();
        }
    }
    Some(format!("{style}, {order}"))
}

/// What a key word of DateStyle chooses: style and order.
fn date_style_word(word: &str, has_order: bool) -> Option<(Option<&'static str>, Option<&'static str>)> {
    Some(match word {
        "iso" => (Some("ISO"), None),
        "sql" => (Some("SQL"), None),
        "german" => (Some("German"), (!has_order).then_some("DMY")),
        word if word.starts_with("postgres") => (Some("Postgres"), None),
        "ymd" => (None, Some("YMD")),
        "dmy" => (None, Some("DMY")),
        word if word.starts_with("euro") => (None, Some("DMY")),
        "mdy" | "us" => (None, Some("MDY")),
        word if word.starts_with("noneuro") => (None, Some("MDY")),
        "default" => (Some("ISO"), Some("MDY")),
        _ => return None,
    })
}

/// Why [`date_style`] refuses a value.
pub(super) fn date_style_fault(value: &str) -> String {
    let Some(words) = parse_identifier_list(value) else { return "List syntax is invalid.".to_owned() };
    match words.iter().find(|word| date_style_word(word, false).is_none()) {
        Some(word) => format!("Unrecognized key word: \"{word}\"."),
        None => "Conflicting \"DateStyle\" specifications.".to_owned(),
    }
}

/// `class.name`: a setting that an extension might own; anyone may make one.
pub(super) fn is_custom_name(key: &str) -> bool {
    let mut parts = key.split('.');
    let is_word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
    };
    key.contains('.') && parts.all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_styles() {
        assert_eq!(date_style("sql", "ISO, MDY").as_deref(), Some("SQL, MDY"));
        assert_eq!(date_style("German", "ISO, MDY").as_deref(), Some("German, DMY"));
        assert_eq!(date_style("dmy, Postgres", "ISO, MDY").as_deref(), Some("Postgres, DMY"));
        assert_eq!(date_style("iso, sql", "ISO, MDY"), None);
        assert_eq!(date_style("nonsense", "ISO, MDY"), None);
    }

    #[test]
    fn booleans() {
        assert_eq!(parse_bool("TR"), Some(true));
        assert_eq!(parse_bool("of"), Some(false));
        assert_eq!(parse_bool("o"), None);
        assert_eq!(parse_bool(""), None);
    }
}
