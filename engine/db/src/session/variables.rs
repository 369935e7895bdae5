//! SET, RESET, SHOW, DISCARD.

use std::collections::VecDeque;
use std::sync::Arc;

use helios_catalog::facts;
use helios_sql::execute::Batch;
use helios_sql::parse::Severity;
use helios_sql::parse::protobuf as pb;
use helios_sql::parse::protobuf::node::Node;
use helios_types::{Datum, Oid, PgError, Result, SqlState, oid};

use super::portal::State;
use super::reply::ColumnDescription;
use super::source::notice;
use super::{Block, Session};
use crate::settings::SetScope;

/// Settings whose values are lists of identifiers, quoted where they have to be.
const QUOTED_LISTS: [&str; 5] = [
    "search_path",
    "temp_tablespaces",
    "session_preload_libraries",
    "local_preload_libraries",
    "shared_preload_libraries",
];
/// Settings whose values are lists of words.
const LISTS: [&str; 3] = ["datestyle", "debug_io_direct", "log_destination"];

/// A text column.
pub(super) fn text_column(name: &str) -> ColumnDescription {
    ColumnDescription {
        name: name.to_owned(),
        table: Oid::NONE,
        attnum: 0,
        type_oid: oid::TEXT,
        type_size: -1,
        typmod: -1,
    }
}

/// Rows of text.
pub(super) fn text_rows(columns: usize, rows: &[Vec<Option<String>>], tag: impl Into<String>) -> State {
    let types = vec![oid::TEXT; columns];
    let datum = |value: &Option<String>| value.as_deref().map_or(Datum::Null, Datum::text);
    let rows: Vec<Vec<Datum>> = rows.iter().map(|row| row.iter().map(datum).collect()).collect();
    let batches: VecDeque<Batch> = rows.chunks(1024).map(|rows| Batch::of_rows(&types, rows)).collect();
    State::Rows(batches, tag.into())
}

/// As PostgreSQL spells the name of a setting.
fn spelled(name: &str) -> &str {
    facts::setting(name).map_or(name, |setting| setting.name)
}

/// The value of an argument of SET.
fn argument(node: &pb::Node) -> Result<String> {
    let constant = match &node.node {
        Some(Node::AConst(constant)) => constant,
        // SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE.
        Some(Node::TypeCast(cast)) => match cast.arg.as_ref().and_then(|arg| arg.node.as_ref()) {
            Some(Node::AConst(constant)) => {
                return Ok(format!("INTERVAL '{}'", constant_text(constant)?));
            }
            _ => return Err(PgError::internal("SET of a cast that is no constant")),
        },
        _ => return Err(PgError::internal("SET of what is no constant")),
    };
    constant_text(constant)
}

fn constant_text(constant: &pb::AConst) -> Result<String> {
    match &constant.val {
        Some(pb::a_const::Val::Sval(text)) => Ok(text.sval.clone()),
        Some(pb::a_const::Val::Ival(number)) => Ok(number.ival.to_string()),
        Some(pb::a_const::Val::Fval(number)) => Ok(number.fval.clone()),
        Some(pb::a_const::Val::Boolval(value)) => Ok(if value.boolval { "true" } else { "false" }.to_owned()),
        _ => Err(PgError::internal("SET of a constant of an unknown kind")),
    }
}

impl Session {
    /// SET and RESET; the tag.
    pub(super) fn set_variable(&mut self, statement: &pb::VariableSetStmt) -> Result<&'static str> {
        use pb::VariableSetKind as Kind;
        let scope = if statement.is_local { SetScope::Local } else { SetScope::Session };
        if statement.is_local && self.block != Block::InBlock && statement.kind() != Kind::VarSetMulti {
            self.warn_no_block("SET LOCAL can only be used in transaction blocks");
        }
        match statement.kind() {
            Kind::VarSetValue => {
                let key = statement.name.to_ascii_lowercase();
                let values = statement.args.iter().map(argument).collect::<Result<Vec<_>>>()?;
                let value = if QUOTED_LISTS.contains(&key.as_str()) {
                    values.iter().map(|name| facts::quote_identifier(name)).collect::<Vec<_>>().join(", ")
                } else if LISTS.contains(&key.as_str()) || values.len() == 1 {
                    values.join(", ")
                } else {
                    return Err(PgError::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        format!("SET {} takes only one argument", statement.name),
                    ));
                };
                self.set_setting(&statement.name, &value, scope)?;
                Ok("SET")
            }
            Kind::VarSetDefault => {
                self.reset_setting(&statement.name, scope)?;
                Ok("SET")
            }
            Kind::VarReset => {
                self.reset_setting(&statement.name, scope)?;
                Ok("RESET")
            }
            Kind::VarResetAll => {
                self.settings.reset_all();
                self.settings_changed();
                Ok("RESET")
            }
            Kind::VarSetMulti => match statement.name.as_str() {
                "TRANSACTION" => self.set_transaction(&statement.args, false).map(|()| "SET"),
                "SESSION CHARACTERISTICS" => self.set_transaction(&statement.args, true).map(|()| "SET"),
                other => Err(PgError::unsupported(format!("SET {other}"))),
            },
            Kind::VarSetCurrent | Kind::Undefined => Err(PgError::unsupported("SET FROM CURRENT")),
        }
    }

    /// Sets a setting as SET and `set_config` do.
    pub(crate) fn set_setting(&mut self, name: &str, value: &str, scope: SetScope) -> Result<()> {
        match name.to_ascii_lowercase().as_str() {
            "transaction_isolation" => self.change_isolation(value)?,
            "transaction_read_only" => self.change_read_only(value)?,
            "role" if matches!(value, "none" | "default") || *value == *self.context.session_user => {}
            "role" => return Err(PgError::unsupported("SET ROLE to another role")),
            "session_authorization" if value == "default" || *value == *self.context.session_user => {}
            "session_authorization" => return Err(PgError::unsupported("SET SESSION AUTHORIZATION to another role")),
            _ => self.settings.set(name, value, scope)?,
        }
        self.settings_changed();
        Ok(())
    }

    fn reset_setting(&mut self, name: &str, scope: SetScope) -> Result<()> {
        match name.to_ascii_lowercase().as_str() {
            "role" | "session_authorization" => {}
            "transaction_isolation" | "transaction_read_only" | "transaction_deferrable" => {
                let message = format!("parameter \"{name}\" cannot be reset");
                return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            _ => self.settings.reset(name, scope)?,
        }
        self.settings_changed();
        Ok(())
    }

    /// A setting as SHOW prints it.
    pub(crate) fn show_setting(&self, name: &str) -> Result<String> {
        let on_off = |on: bool| if on { "on" } else { "off" }.to_owned();
        let active = self.active.as_ref();
        match name.to_ascii_lowercase().as_str() {
            "transaction_isolation" => match active {
                Some(active) => Ok(super::control::isolation_name(active.transaction.isolation()).to_owned()),
                None => self.settings.show("default_transaction_isolation"),
            },
            "transaction_read_only" => match active {
                Some(active) => Ok(on_off(active.read_only)),
                None => self.settings.show("default_transaction_read_only"),
            },
            _ => self.settings.show(name),
        }
    }

    /// SHOW.
    pub(super) fn show_variable(&self, name: &str) -> Result<State> {
        if name == "all" {
            let shown = facts::settings().iter().filter(|setting| !setting.flags.contains("NO_SHOW_ALL"));
            let mut rows: Vec<Vec<Option<String>>> = shown
                .map(|setting| {
                    let value = self.show_setting(setting.name)?;
                    Ok(vec![Some(setting.name.to_owned()), Some(value), Some(setting.short_description.to_owned())])
                })
                .collect::<Result<_>>()?;
            rows.sort_by_key(|row| row[0].as_ref().map(|name| name.to_ascii_lowercase()));
            return Ok(text_rows(3, &rows, "SHOW"));
        }
        Ok(text_rows(1, &[vec![Some(self.show_setting(name)?)]], "SHOW"))
    }

    /// The columns of SHOW.
    pub(super) fn show_columns(&self, name: &str) -> Result<Arc<[ColumnDescription]>> {
        if name == "all" {
            return Ok(["name", "setting", "description"].map(text_column).into());
        }
        self.show_setting(name)?;
        Ok([text_column(spelled(name))].into())
    }

    /// DISCARD.
    pub(super) fn discard(&mut self, target: pb::DiscardMode) -> Result<&'static str> {
        match target {
            pb::DiscardMode::DiscardAll => {
                if self.block == Block::InBlock {
                    return Err(PgError::new(
                        SqlState::ACTIVE_SQL_TRANSACTION,
                        "DISCARD ALL cannot run inside a transaction block",
                    ));
                }
                self.portals.clear();
                self.statements.clear();
                self.sequences.forget();
                self.settings.reset_all();
                self.settings_changed();
                Ok("DISCARD ALL")
            }
            pb::DiscardMode::DiscardPlans => Ok("DISCARD PLANS"),
            pb::DiscardMode::DiscardSequences => {
                self.sequences.forget();
                Ok("DISCARD SEQUENCES")
            }
            pb::DiscardMode::DiscardTemp => Ok("DISCARD TEMP"),
            pb::DiscardMode::Undefined => Err(PgError::internal("DISCARD of nothing")),
        }
    }

    pub(super) fn warn_no_block(&mut self, message: &str) {
        self.notices.push(notice(Severity::Warning, SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
    }
}
