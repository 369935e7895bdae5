//! The options of COPY.

use helios_sql::parse::protobuf as pb;
use helios_sql::parse::protobuf::node::Node;
use helios_types::{PgError, Result, SqlState};

use crate::session::CopyFormat;

/// The options of a COPY, complete and checked against one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyOptions {
    pub(crate) format: CopyFormat,
    pub(crate) header: Header,
    pub(crate) delimiter: u8,
    pub(crate) null: String,
    pub(crate) default: Option<String>,
    /// CSV only.
    pub(crate) quote: u8,
    /// CSV only.
    pub(crate) escape: u8,
    pub(crate) force_quote: Columns,
    pub(crate) force_not_null: Columns,
    pub(crate) force_null: Columns,
    pub(crate) on_error: OnError,
    /// Rows that ON_ERROR ignore may skip.
    pub(crate) reject_limit: Option<u64>,
    /// LOG_VERBOSITY verbose: says which rows were skipped.
    pub(crate) verbose: bool,
    /// LOG_VERBOSITY silent: says nothing about skipped rows.
    pub(crate) silent: bool,
}

/// HEADER.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Header {
    #[default]
    No,
    Yes,
    Match,
}

/// ON_ERROR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnError {
    #[default]
    Stop,
    Ignore,
}

/// Some columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Columns {
    #[default]
    None,
    All,
    Named(Vec<String>),
}

#[derive(Default)]
struct Given {
    format: Option<String>,
    header: Option<Header>,
    delimiter: Option<String>,
    null: Option<String>,
    default: Option<String>,
    quote: Option<String>,
    escape: Option<String>,
    force_quote: Option<Columns>,
    force_not_null: Option<Columns>,
    force_null: Option<Columns>,
    freeze: Option<bool>,
    encoding: Option<()>,
    on_error: Option<OnError>,
    reject_limit: Option<i64>,
    verbosity: Option<String>,
}

fn syntax(message: String) -> PgError {
    PgError::new(SqlState::SYNTAX_ERROR, message)
}

fn invalid(message: String) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn unsupported(message: String) -> PgError {
    PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
}

/// The encodings whose text is ours as it is.
pub(crate) fn encoding_is_supported(name: &str) -> bool {
    let squeezed: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    matches!(squeezed.as_str(), "utf8" | "unicode")
}

impl CopyOptions {
    /// Reads the options of a COPY.
    pub(crate) fn parse(options: &[pb::Node], is_from: bool) -> Result<CopyOptions> {
        let mut given = Given::default();
        for option in options {
            let Some(Node::DefElem(option)) = &option.node else {
                return Err(PgError::internal("an option of COPY is no option"));
            };
            given.add(option, is_from)?;
        }
        given.finish(is_from)
    }

    pub(crate) fn is_csv(&self) -> bool {
        self.format == CopyFormat::Csv
    }
}

/// The text of an option's argument.
fn text(option: &pb::DefElem) -> Result<String> {
    let arg = option.arg.as_ref().and_then(|arg| arg.node.as_ref());
    match arg {
        None => Err(syntax(format!("{} requires a parameter", option.defname))),
        Some(Node::String(text)) => Ok(text.sval.clone()),
        Some(Node::Integer(number)) => Ok(number.ival.to_string()),
        Some(Node::Float(number)) => Ok(number.fval.clone()),
        Some(Node::Boolean(value)) => Ok(if value.boolval { "true" } else { "false" }.to_owned()),
        Some(Node::AStar(_)) => Ok("*".to_owned()),
        Some(_) => Err(PgError::internal("an option of COPY has an argument of an unknown kind")),
    }
}

/// The value of an option that is on when nothing else is said; `None` for what is no boolean.
fn boolean(option: &pb::DefElem) -> Option<bool> {
    if option.arg.is_none() {
        return Some(true);
    }
    match text(option).ok()?.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Some(true),
        "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn columns(option: &pb::DefElem) -> Result<Columns> {
    match option.arg.as_ref().and_then(|arg| arg.node.as_ref()) {
        Some(Node::AStar(_)) => Ok(Columns::All),
        Some(Node::List(list)) => {
            let names = list.items.iter().filter_map(|item| match &item.node {
                Some(Node::String(name)) => Some(name.sval.clone()),
                _ => None,
            });
            Ok(Columns::Named(names.collect()))
        }
        _ => {
            let message = format!("argument to option \"{}\" must be a list of column names", option.defname);
            Err(invalid(message))
        }
    }
}

fn once<T>(slot: &mut Option<T>, value: T, option: &pb::DefElem) -> Result<()> {
    if slot.is_some() {
        return Err(syntax("conflicting or redundant options".to_owned()).at(place(option)));
    }
    *slot = Some(value);
    Ok(())
}

fn place(option: &pb::DefElem) -> Option<usize> {
    usize::try_from(option.location).ok()
}

impl Given {
    fn add(&mut self, option: &pb::DefElem, is_from: bool) -> Result<()> {
        match option.defname.as_str() {
            "format" => {
                let name = text(option)?;
                if !matches!(name.as_str(), "text" | "csv" | "binary") {
                    return Err(invalid(format!("COPY format \"{name}\" not recognized")).at(place(option)));
                }
                once(&mut self.format, name, option)
            }
            "freeze" => {
                let value =
                    boolean(option).ok_or_else(|| syntax(format!("{} requires a Boolean value", option.defname)))?;
                once(&mut self.freeze, value, option)
            }
            "delimiter" => once(&mut self.delimiter, text(option)?, option),
            "null" => once(&mut self.null, text(option)?, option),
            "default" => once(&mut self.default, text(option)?, option),
            "header" => once(&mut self.header, header(option, is_from)?, option),
            "quote" => once(&mut self.quote, text(option)?, option),
            "escape" => once(&mut self.escape, text(option)?, option),
            "force_quote" => once(&mut self.force_quote, columns(option)?, option),
            "force_not_null" => once(&mut self.force_not_null, columns(option)?, option),
            "force_null" => once(&mut self.force_null, columns(option)?, option),
            "encoding" => {
                let name = text(option)?;
                if !encoding_is_supported(&name) {
                    return Err(PgError::unsupported(format!("COPY with encoding \"{name}\"")).at(place(option)));
                }
                once(&mut self.encoding, (), option)
            }
            "on_error" => {
                if !is_from {
                    return Err(invalid("COPY ON_ERROR cannot be used with COPY TO".to_owned()).at(place(option)));
                }
                let choice = match text(option)?.to_ascii_lowercase().as_str() {
                    "stop" => OnError::Stop,
                    "ignore" => OnError::Ignore,
                    _ => {
                        let message = format!("COPY ON_ERROR \"{}\" not recognized", text(option)?);
                        return Err(invalid(message).at(place(option)));
                    }
                };
                once(&mut self.on_error, choice, option)
            }
            "reject_limit" => {
                let limit: i64 = text(option)?
                    .parse()
                    .map_err(|_| syntax(format!("{} requires a numeric value", option.defname)))?;
                if limit <= 0 {
                    return Err(invalid(format!("REJECT_LIMIT ({limit}) must be greater than zero")));
                }
                once(&mut self.reject_limit, limit, option)
            }
            "log_verbosity" => {
                let word = text(option)?;
                if !["default", "verbose", "silent"].iter().any(|known| word.eq_ignore_ascii_case(known)) {
                    return Err(invalid(format!("COPY LOG_VERBOSITY \"{word}\" not recognized")).at(place(option)));
                }
                once(&mut self.verbosity, word.to_ascii_lowercase(), option)
            }
            other => Err(syntax(format!("option \"{other}\" not recognized")).at(place(option))),
        }
    }

    fn finish(self, is_from: bool) -> Result<CopyOptions> {
        let csv = self.format.as_deref() == Some("csv");
        if self.format.as_deref() == Some("binary") {
            let refused = [
                ("DELIMITER", self.delimiter.is_some()),
                ("NULL", self.null.is_some()),
                ("DEFAULT", self.default.is_some()),
            ];
            if let Some((name, _)) = refused.iter().find(|(_, given)| *given) {
                return Err(syntax(format!("cannot specify {name} in BINARY mode")));
            }
            return Err(PgError::unsupported("COPY in binary format"));
        }
        let delimiter = self.delimiter.unwrap_or_else(|| if csv { "," } else { "\t" }.to_owned());
        let null = self.null.unwrap_or_else(|| if csv { "" } else { "\\N" }.to_owned());
        let [delimiter_byte] = *delimiter.as_bytes() else {
            return Err(unsupported("COPY delimiter must be a single one-byte character".to_owned()));
        };
        let breaks_lines = |text: &str| text.contains(['\r', '\n']);
        if breaks_lines(&delimiter) {
            return Err(invalid("COPY delimiter cannot be newline or carriage return".to_owned()));
        }
        if breaks_lines(&null) {
            return Err(invalid("COPY null representation cannot use newline or carriage return".to_owned()));
        }
        if self.default.as_deref().is_some_and(breaks_lines) {
            return Err(invalid("COPY default representation cannot use newline or carriage return".to_owned()));
        }
        if !csv && b"\\.abcdefghijklmnopqrstuvwxyz0123456789".contains(&delimiter_byte) {
            return Err(invalid(format!("COPY delimiter cannot be \"{delimiter}\"")));
        }
        let (quote, escape) = quoting(csv, self.quote.as_deref(), self.escape.as_deref(), delimiter_byte)?;
        let (force_quote, force_not_null, force_null) = (
            self.force_quote.unwrap_or_default(),
            self.force_not_null.unwrap_or_default(),
            self.force_null.unwrap_or_default(),
        );
        if !matches!(force_quote, Columns::None) {
            requires_csv(csv, "FORCE_QUOTE")?;
            if is_from {
                return Err(unsupported("COPY FORCE_QUOTE cannot be used with COPY FROM".to_owned()));
            }
        }
        for (name, columns) in [("FORCE_NOT_NULL", &force_not_null), ("FORCE_NULL", &force_null)] {
            if !matches!(columns, Columns::None) {
                requires_csv(csv, name)?;
                if !is_from {
                    return Err(invalid(format!("COPY {name} cannot be used with COPY TO")));
                }
            }
        }
        if null.as_bytes().contains(&delimiter_byte) {
            let message = "COPY delimiter character must not appear in the NULL specification";
            return Err(invalid(message.to_owned()));
        }
        if csv && null.as_bytes().contains(&quote) {
            return Err(invalid("CSV quote character must not appear in the NULL specification".to_owned()));
        }
        if self.freeze == Some(true) && !is_from {
            return Err(invalid("COPY FREEZE cannot be used with COPY TO".to_owned()));
        }
        if let Some(default) = &self.default {
            check_default(default, &null, delimiter_byte, csv.then_some(quote), is_from)?;
        }
        let on_error = self.on_error.unwrap_or_default();
        if self.reject_limit.is_some() && on_error != OnError::Ignore {
            return Err(invalid("COPY REJECT_LIMIT requires ON_ERROR to be set to IGNORE".to_owned()));
        }
        Ok(CopyOptions {
            format: if csv { CopyFormat::Csv } else { CopyFormat::Text },
            header: self.header.unwrap_or_default(),
            delimiter: delimiter_byte,
            null,
            default: self.default,
            quote,
            escape,
            force_quote,
            force_not_null,
            force_null,
            on_error,
            reject_limit: self.reject_limit.map(i64::unsigned_abs),
            verbose: self.verbosity.as_deref() == Some("verbose"),
            silent: self.verbosity.as_deref() == Some("silent"),
        })
    }
}

fn requires_csv(csv: bool, name: &str) -> Result<()> {
    if csv { Ok(()) } else { Err(unsupported(format!("COPY {name} requires CSV mode"))) }
}

fn quoting(csv: bool, quote: Option<&str>, escape: Option<&str>, delimiter: u8) -> Result<(u8, u8)> {
    if quote.is_some() {
        requires_csv(csv, "QUOTE")?;
    }
    let [quote] = *quote.unwrap_or("\"").as_bytes() else {
        return Err(unsupported("COPY quote must be a single one-byte character".to_owned()));
    };
    if csv && quote == delimiter {
        return Err(invalid("COPY delimiter and quote must be different".to_owned()));
    }
    if escape.is_some() {
        requires_csv(csv, "ESCAPE")?;
    }
    match escape.map(str::as_bytes) {
        None => Ok((quote, quote)),
        Some([escape]) => Ok((quote, *escape)),
        Some(_) => Err(unsupported("COPY escape must be a single one-byte character".to_owned())),
    }
}

fn check_default(default: &str, null: &str, delimiter: u8, quote: Option<u8>, is_from: bool) -> Result<()> {
    if !is_from {
        return Err(unsupported("COPY DEFAULT cannot be used with COPY TO".to_owned()));
    }
    if default.as_bytes().contains(&delimiter) {
        let message = "COPY delimiter character must not appear in the DEFAULT specification";
        return Err(unsupported(message.to_owned()));
    }
    if quote.is_some_and(|quote| default.as_bytes().contains(&quote)) {
        return Err(unsupported("CSV quote character must not appear in the DEFAULT specification".to_owned()));
    }
    if default == null {
        return Err(unsupported("NULL specification and DEFAULT specification cannot be the same".to_owned()));
    }
    Ok(())
}

fn header(option: &pb::DefElem, is_from: bool) -> Result<Header> {
    if let Some(on) = boolean(option) {
        return Ok(if on { Header::Yes } else { Header::No });
    }
    if text(option)?.eq_ignore_ascii_case("match") {
        if !is_from {
            return Err(unsupported("cannot use \"match\" with HEADER in COPY TO".to_owned()));
        }
        return Ok(Header::Match);
    }
    Err(syntax(format!("{} requires a Boolean value or \"match\"", option.defname)))
}
