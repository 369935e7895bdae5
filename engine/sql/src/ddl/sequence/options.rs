//! The options of CREATE SEQUENCE and ALTER SEQUENCE, read and checked as PostgreSQL does (`init_params`).

use helios_catalog::model::Sequence;
use helios_types::{Oid, PgError, Result, SqlState, oid};

use crate::analyze::{AnalyzeContext, name_list, transform_type_name};
use crate::ddl::locks::position;
use crate::parse::protobuf::node::Node;
use crate::parse::protobuf::{self as pb};

/// OWNED BY, not looked up yet.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::ddl) enum OwnedBy {
    None,
    Column { relation: pb::RangeVar, column: String },
}

/// Where a sequence's value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ddl) enum Restart {
    /// RESTART: to the start.
    AtStart,
    /// RESTART WITH.
    At(i64),
}

/// The options as they were written, each at most once.
#[derive(Debug, Default)]
pub(in crate::ddl) struct SequenceOptions {
    pub(in crate::ddl) type_oid: Option<Oid>,
    increment: Option<i64>,
    start: Option<i64>,
    restart: Option<Restart>,
    /// `Some(None)`: NO MAXVALUE.
    max: Option<Option<i64>>,
    min: Option<Option<i64>>,
    cache: Option<i64>,
    cycle: Option<bool>,
    pub(in crate::ddl) owned_by: Option<OwnedBy>,
    /// SEQUENCE NAME, which only identity columns have.
    pub(in crate::ddl) name: Option<pb::RangeVar>,
}

/// What options make of a sequence.
pub(in crate::ddl) struct Applied {
    /// With everything but its identity and value.
    pub(in crate::ddl) sequence: Sequence,
    /// Its new value, if it is to have one.
    pub(in crate::ddl) restart: Option<i64>,
}

impl SequenceOptions {
    /// Reads a list of options.
    pub(in crate::ddl) fn read(
        options: &[pb::Node],
        for_identity: bool,
        context: &AnalyzeContext<'_>,
    ) -> Result<SequenceOptions> {
        let mut read = SequenceOptions::default();
        for option in options {
            let Some(Node::DefElem(option)) = &option.node else {
                return Err(PgError::internal("a sequence option that is none"));
            };
            read.option(option, for_identity, context)?;
        }
        Ok(read)
    }

    fn option(&mut self, option: &pb::DefElem, for_identity: bool, context: &AnalyzeContext<'_>) -> Result<()> {
        let again =
            || PgError::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options").at(position(option.location));
        macro_rules! once {
            ($field:ident, $value:expr) => {{
                if self.$field.is_some() {
                    return Err(again());
                }
                self.$field = Some($value);
            }};
        }
        match option.defname.as_str() {
            "as" => once!(type_oid, sequence_type(option, for_identity, context)?),
            "increment" => once!(increment, required(option)?),
            "start" => once!(start, required(option)?),
            "restart" => once!(restart, integer(option)?.map_or(Restart::AtStart, Restart::At)),
            "maxvalue" => once!(max, integer(option)?),
            "minvalue" => once!(min, integer(option)?),
            "cache" => once!(cache, required(option)?),
            "cycle" => once!(cycle, boolean(option)?),
            "owned_by" => once!(owned_by, owned_by(option)?),
            "sequence_name" if for_identity => once!(name, sequence_name(option)?),
            "sequence_name" => {
                let message = "invalid sequence option SEQUENCE NAME";
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message).at(position(option.location)));
            }
            other => return Err(PgError::unsupported(format_args!("the sequence option {}", other.to_uppercase()))),
        }
        Ok(())
    }

    /// The type of the column that the sequence is for.
    pub(in crate::ddl) fn set_type(&mut self, type_oid: Oid, for_identity: bool) -> Result<()> {
        if self.type_oid.is_some() {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options"));
        }
        if !matches!(type_oid, oid::INT2 | oid::INT4 | oid::INT8) {
            return Err(wrong_type(for_identity));
        }
        self.type_oid = Some(type_oid);
        Ok(())
    }

    /// Whether anything but OWNED BY was said.
    pub(in crate::ddl) fn change_value(&self) -> bool {
        self.type_oid.is_some()
            || self.increment.is_some()
            || self.start.is_some()
            || self.restart.is_some()
            || self.max.is_some()
            || self.min.is_some()
            || self.cache.is_some()
            || self.cycle.is_some()
    }

    /// The sequence with these options: `old` is the one that is altered, whose value is `last`; for a new one it is a
    /// blank of type int8.
    pub(in crate::ddl) fn apply(&self, old: &Sequence, last: Option<i64>) -> Result<Applied> {
        let is_new = last.is_none();
        let mut new = old.clone();
        let (mut reset_max, mut reset_min) = (is_new, is_new);
        if let Some(type_oid) = self.type_oid {
            let (min, max) = type_range(old.type_oid);
            reset_max |= old.max == max;
            reset_min |= old.min == min;
            new.type_oid = type_oid;
        }
        let (type_min, type_max) = type_range(new.type_oid);
        if let Some(increment) = self.increment {
            if increment == 0 {
                return Err(invalid("INCREMENT must not be zero".to_owned()));
            }
            new.increment = increment;
        }
        new.cycle = self.cycle.unwrap_or(new.cycle);
        let ascending = new.increment > 0;
        match self.max {
            Some(Some(max)) => new.max = max,
            Some(None) => new.max = if ascending { type_max } else { -1 },
            None if reset_max => new.max = if ascending { type_max } else { -1 },
            None => {}
        }
        let type_name = helios_types::format_type(new.type_oid, -1);
        let out_of_range = |what: &str, value: i64| {
            invalid(format!("{what} ({value}) is out of range for sequence data type {type_name}"))
        };
        if new.max < type_min || new.max > type_max {
            return Err(out_of_range("MAXVALUE", new.max));
        }
        match self.min {
            Some(Some(min)) => new.min = min,
            Some(None) => new.min = if ascending { 1 } else { type_min },
            None if reset_min => new.min = if ascending { 1 } else { type_min },
            None => {}
        }
        if new.min < type_min || new.min > type_max {
            return Err(out_of_range("MINVALUE", new.min));
        }
        if new.min >= new.max {
            return Err(invalid(format!("MINVALUE ({}) must be less than MAXVALUE ({})", new.min, new.max)));
        }
        match self.start {
            Some(start) => new.start = start,
            None if is_new => new.start = if ascending { new.min } else { new.max },
            None => {}
        }
        check_within("START", new.start, &new)?;
        let restart = match self.restart {
            Some(Restart::At(value)) => Some(value),
            Some(Restart::AtStart) => Some(new.start),
            None if is_new => Some(new.start),
            None => None,
        };
        check_within("RESTART", restart.or(last).unwrap_or(new.start), &new)?;
        if let Some(cache) = self.cache {
            if cache <= 0 {
                return Err(invalid(format!("CACHE ({cache}) must be greater than zero")));
            }
            new.cache = cache;
        }
        Ok(Applied { sequence: new, restart })
    }
}

fn check_within(what: &str, value: i64, sequence: &Sequence) -> Result<()> {
    if value < sequence.min {
        return Err(invalid(format!("{what} value ({value}) cannot be less than MINVALUE ({})", sequence.min)));
    }
    if value > sequence.max {
        return Err(invalid(format!("{what} value ({value}) cannot be greater than MAXVALUE ({})", sequence.max)));
    }
    Ok(())
}

fn type_range(type_oid: Oid) -> (i64, i64) {
    match type_oid {
        oid::INT2 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        oid::INT4 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    }
}

fn invalid(message: String) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn sequence_type(option: &pb::DefElem, for_identity: bool, context: &AnalyzeContext<'_>) -> Result<Oid> {
    let Some(Node::TypeName(name)) = option.arg.as_ref().and_then(|arg| arg.node.as_ref()) else {
        return Err(PgError::internal("AS without a type"));
    };
    let (type_oid, _) = transform_type_name(name, context)?;
    if matches!(type_oid, oid::INT2 | oid::INT4 | oid::INT8) {
        return Ok(type_oid);
    }
    Err(wrong_type(for_identity))
}

fn wrong_type(for_identity: bool) -> PgError {
    let what = if for_identity { "identity column" } else { "sequence" };
    invalid(format!("{what} type must be smallint, integer, or bigint"))
}

/// The option's number; `None` when it has no argument (`defGetInt64`).
fn integer(option: &pb::DefElem) -> Result<Option<i64>> {
    let text = match option.arg.as_ref().and_then(|arg| arg.node.as_ref()) {
        None => return Ok(None),
        Some(Node::Integer(integer)) => return Ok(Some(i64::from(integer.ival))),
        Some(Node::Float(float)) => &float.fval,
        Some(_) => return Err(requires(option, "a numeric value")),
    };
    text.parse().map(Some).map_err(|_| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let message = format!("value \"{text}\" is out of range for type bigint");
            PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
        } else {
            let message = format!("invalid input syntax for type bigint: \"{text}\"");
            PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)
        }
    })
}

fn required(option: &pb::DefElem) -> Result<i64> {
    integer(option)?.ok_or_else(|| requires(option, "a numeric value"))
}

fn boolean(option: &pb::DefElem) -> Result<bool> {
    match option.arg.as_ref().and_then(|arg| arg.node.as_ref()) {
        None => Ok(true),
        Some(Node::Boolean(boolean)) => Ok(boolean.boolval),
        Some(Node::Integer(integer)) => Ok(integer.ival != 0),
        Some(_) => Err(requires(option, "a Boolean value")),
    }
}

fn requires(option: &pb::DefElem, what: &str) -> PgError {
    PgError::new(SqlState::SYNTAX_ERROR, format!("{} requires {what}", option.defname))
}

fn names(option: &pb::DefElem) -> Result<Vec<&str>> {
    match option.arg.as_ref().and_then(|arg| arg.node.as_ref()) {
        Some(Node::List(list)) => name_list(&list.items),
        _ => Err(PgError::internal("a sequence option without its name")),
    }
}

fn owned_by(option: &pb::DefElem) -> Result<OwnedBy> {
    let names = names(option)?;
    match names.as_slice() {
        ["none"] => Ok(OwnedBy::None),
        [_] | [] => Err(PgError::new(SqlState::SYNTAX_ERROR, "invalid OWNED BY option")
            .with_hint("Specify OWNED BY table.column or OWNED BY NONE.")),
        [relation @ .., column] => Ok(OwnedBy::Column { relation: range_var(relation)?, column: (*column).to_owned() }),
    }
}

fn sequence_name(option: &pb::DefElem) -> Result<pb::RangeVar> {
    range_var(&names(option)?)
}

/// A qualified name as a relation's (`makeRangeVarFromNameList`).
pub(in crate::ddl) fn range_var(names: &[&str]) -> Result<pb::RangeVar> {
    let (catalog, schema, name) = match names {
        [name] => ("", "", *name),
        [schema, name] => ("", *schema, *name),
        [catalog, schema, name] => (*catalog, *schema, *name),
        _ => {
            let message = format!("improper relation name (too many dotted names): {}", names.join("."));
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
    };
    Ok(pb::RangeVar {
        catalogname: catalog.to_owned(),
        schemaname: schema.to_owned(),
        relname: name.to_owned(),
        inh: true,
        relpersistence: "p".to_owned(),
        alias: None,
        location: -1,
    })
}
