//! Storage parameters: `WITH (fillfactor = 70)`. They tune PostgreSQL's heap and vacuum, of which there is nothing here;
//! they are checked as PostgreSQL checks them and have no effect.

use helios_types::{PgError, Result, SqlState};

use crate::parse::protobuf as pb;
use crate::parse::protobuf::node::Node;

/// What the parameters are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Table,
    Index,
}

/// Checked parameters, as `pg_class.reloptions` would show them.
pub(super) type RelationOptions = Vec<String>;

enum Values {
    Integer(i64, i64),
    Real(f64, f64),
    Boolean,
    Choice(&'static [&'static str]),
}

const AUTO: &[&str] = &["auto", "on", "off", "true", "false", "yes", "no", "0", "1"];

fn values_of(kind: Kind, in_toast: bool, name: &str) -> Option<Values> {
    use Values::{Boolean, Choice, Integer, Real};
    Some(match (kind, in_toast, name) {
        (Kind::Table, false, "fillfactor") => Integer(10, 100),
        (Kind::Table, false, "toast_tuple_target") => Integer(128, 8160),
        (Kind::Table, false, "parallel_workers") => Integer(0, 1024),
        (Kind::Table, false, "user_catalog_table") => Boolean,
        (Kind::Table, false, "autovacuum_analyze_threshold") => Integer(0, i64::from(i32::MAX)),
        (Kind::Table, false, "autovacuum_analyze_scale_factor") => Real(0.0, 100.0),
        (Kind::Table, _, "autovacuum_enabled" | "vacuum_truncate") => Boolean,
        (Kind::Table, _, "vacuum_index_cleanup") => Choice(AUTO),
        (Kind::Table, _, "autovacuum_vacuum_threshold") => Integer(0, i64::from(i32::MAX)),
        (Kind::Table, _, "autovacuum_vacuum_max_threshold" | "autovacuum_vacuum_insert_threshold") => {
            Integer(-1, i64::from(i32::MAX))
        }
        (Kind::Table, _, "autovacuum_vacuum_scale_factor" | "autovacuum_vacuum_insert_scale_factor") => {
            Real(0.0, 100.0)
        }
        (Kind::Table, _, "vacuum_max_eager_freeze_failure_rate") => Real(0.0, 1.0),
        (Kind::Table, _, "autovacuum_vacuum_cost_delay") => Real(0.0, 100.0),
        (Kind::Table, _, "autovacuum_vacuum_cost_limit") => Integer(1, 10_000),
        (Kind::Table, _, "autovacuum_freeze_min_age" | "autovacuum_multixact_freeze_min_age") => {
            Integer(0, 1_000_000_000)
        }
        (Kind::Table, _, "autovacuum_freeze_max_age") => Integer(100_000, 2_000_000_000),
        (Kind::Table, _, "autovacuum_multixact_freeze_max_age") => Integer(10_000, 2_000_000_000),
        (Kind::Table, _, "autovacuum_freeze_table_age" | "autovacuum_multixact_freeze_table_age") => {
            Integer(0, 2_000_000_000)
        }
        (Kind::Table, _, "log_autovacuum_min_duration") => Integer(-1, i64::from(i32::MAX)),
        (Kind::Index, false, "fillfactor") => Integer(10, 100),
        (Kind::Index, false, "deduplicate_items") => Boolean,
        _ => return None,
    })
}

/// Checks `WITH (...)`.
///
/// # Errors
///
/// PostgreSQL's, for parameters that it does not know and values that it does not take.
pub(super) fn read_options(options: &[pb::Node], kind: Kind) -> Result<RelationOptions> {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    let mut shown = Vec::new();
    for option in options {
        let Some(Node::DefElem(option)) = &option.node else {
            return Err(PgError::internal("a storage parameter that is none"));
        };
        let (namespace, name) = (option.defnamespace.as_str(), option.defname.as_str());
        let in_toast = namespace == "toast" && kind == Kind::Table;
        if !namespace.is_empty() && !in_toast {
            return Err(invalid(format!("unrecognized parameter namespace \"{namespace}\"")));
        }
        let value = text_of(option);
        if namespace.is_empty() && kind == Kind::Table && name == "oids" {
            if value != "false" {
                let message = "tables declared WITH OIDS are not supported";
                return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            continue;
        }
        let values = values_of(kind, in_toast, name);
        let values = values.ok_or_else(|| invalid(format!("unrecognized parameter \"{name}\"")))?;
        if seen.contains(&(namespace, name)) {
            return Err(invalid(format!("parameter \"{name}\" specified more than once")));
        }
        seen.push((namespace, name));
        check_value(name, &value, &values)?;
        if !in_toast {
            shown.push(format!("{name}={value}"));
        }
    }
    Ok(shown)
}

fn check_value(name: &str, value: &str, values: &Values) -> Result<()> {
    let out_of_bounds = |min: String, max: String| {
        invalid(format!("value {value} out of bounds for option \"{name}\""))
            .with_detail(format!("Valid values are between \"{min}\" and \"{max}\"."))
    };
    let malformed = |what: &str| invalid(format!("invalid value for {what} option \"{name}\": {value}"));
    match values {
        Values::Integer(min, max) => {
            let number: i64 = value.parse().map_err(|_| malformed("integer"))?;
            if number < *min || number > *max {
                return Err(out_of_bounds(min.to_string(), max.to_string()));
            }
        }
        Values::Real(min, max) => {
            let number: f64 = value.parse().map_err(|_| malformed("floating point"))?;
            if number < *min || number > *max {
                return Err(out_of_bounds(format!("{min:.6}"), format!("{max:.6}")));
            }
        }
        Values::Boolean => {
            let lower = value.to_ascii_lowercase();
            let is_prefix = |word: &str| !lower.is_empty() && word.starts_with(&lower);
            let known = ["true", "false", "yes", "no"].into_iter().any(is_prefix)
                || matches!(lower.as_str(), "on" | "of" | "off" | "1" | "0");
            if !known {
                return Err(malformed("boolean"));
            }
        }
        Values::Choice(choices) => {
            if !choices.contains(&value.to_ascii_lowercase().as_str()) {
                return Err(invalid(format!("invalid value for enum option \"{name}\": {value}"))
                    .with_detail("Valid values are \"on\", \"off\", and \"auto\"."));
            }
        }
    }
    Ok(())
}

fn invalid(message: String) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

/// The value as text; nothing is `true` (`defGetString`).
fn text_of(option: &pb::DefElem) -> String {
    match option.arg.as_ref().and_then(|arg| arg.node.as_ref()) {
        None => "true".to_owned(),
        Some(Node::Integer(integer)) => integer.ival.to_string(),
        Some(Node::Float(float)) => float.fval.clone(),
        Some(Node::Boolean(boolean)) => boolean.boolval.to_string(),
        Some(Node::String(string)) => string.sval.clone(),
        Some(Node::TypeName(name)) => {
            name.names.last().and_then(|part| crate::analyze::string_of(part).ok()).unwrap_or_default().to_owned()
        }
        Some(_) => String::new(),
    }
}
