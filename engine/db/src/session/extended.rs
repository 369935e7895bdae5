//! Prepared statements and portals: PostgreSQL's extended protocol.

use std::sync::Arc;

use helios_sql::analyze::ParamTypes;
use helios_sql::parse::protobuf::node::Node;
use helios_types::io::InputContext;
use helios_types::{Datum, Oid, PgError, Result, SqlState};

use super::guard::guarded;
use super::portal::Portal;
use super::reply::{ColumnDescription, Format, PortalDescription, StatementDescription};
use super::run::Run;
use super::source::{StatementRef, failed_block, is_exit};
use super::statement::is_planned;
use super::{Block, Session};
use crate::doors::{SessionTypes, is_named_object};

/// A prepared statement.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// `None` for a text without a statement.
    pub(super) statement: Option<StatementRef>,
    /// Types of its parameters.
    pub(super) params: Vec<Oid>,
    /// Its columns, if it returns rows.
    pub(super) columns: Option<Arc<[ColumnDescription]>>,
}

impl Prepared {
    /// Types of its parameters.
    pub(crate) fn params(&self) -> &[Oid] {
        &self.params
    }

    /// Its columns, if it returns rows.
    pub(crate) fn columns(&self) -> Option<&Arc<[ColumnDescription]>> {
        self.columns.as_ref()
    }
}

impl Session {
    /// Parse: prepares a statement. `types` are those that the client knows, 0 for "to be inferred"; the name may be
    /// empty, for the statement that the next one without a name replaces.
    ///
    /// # Errors
    ///
    /// Those of the statement; 42P05 when the name is taken; 42601 for several statements.
    pub async fn prepare(&mut self, name: &str, sql: &str, types: &[Oid]) -> Result<()> {
        self.arrive(&sql.into());
        let (env, activity, deadline) = (self.database.env().clone(), self.activity.clone(), self.deadline);
        let outcome = guarded(&env, &activity, deadline, self.prepare_now(name, sql, types)).await;
        self.failing(outcome)
    }

    async fn prepare_now(&mut self, name: &str, sql: &str, types: &[Oid]) -> Result<()> {
        if name.is_empty() {
            self.statements.remove("");
        }
        let source = self.parse(sql)?;
        self.notices.extend(source.notices.iter().cloned());
        if source.len() > 1 {
            return Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                "cannot insert multiple commands into a prepared statement",
            ));
        }
        let statement = (source.len() == 1).then(|| StatementRef::new(&source, 0));
        if self.block == Block::Failed && !statement.as_ref().is_some_and(|statement| is_exit(statement.node())) {
            return Err(failed_block());
        }
        let prepared = self.analyze(statement, types, true)?;
        if self.statements.contains_key(name) {
            return Err(PgError::new(
                SqlState::DUPLICATE_PREPARED_STATEMENT,
                format!("prepared statement \"{name}\" already exists"),
            ));
        }
        self.statements.insert(name.to_owned(), Arc::new(prepared));
        Ok(())
    }

    /// What a statement needs and returns, before it runs.
    pub(super) fn analyze(
        &mut self,
        statement: Option<StatementRef>,
        types: &[Oid],
        inferred: bool,
    ) -> Result<Prepared> {
        let (params, columns) = match &statement {
            None => (types.to_vec(), None),
            Some(statement) if is_planned(statement.node()) => {
                let params =
                    if inferred { ParamTypes::inferred(types.to_vec()) } else { ParamTypes::fixed(types.to_vec()) };
                let planned = self.plan(statement, params, inferred)?;
                (planned.params.clone(), planned.columns.clone())
            }
            Some(statement) => {
                let params = self.params_inside(statement, types, inferred)?;
                (params.unwrap_or_else(|| types.to_vec()), self.utility_columns(statement.node())?)
            }
        };
        Ok(Prepared { statement, params, columns })
    }

    /// A prepared statement, by name.
    pub(crate) fn prepared(&self, name: &str) -> Result<Arc<Prepared>> {
        self.statements.get(name).cloned().ok_or_else(|| {
            let message = match name {
                "" => "unnamed prepared statement does not exist".to_owned(),
                name => format!("prepared statement \"{name}\" does not exist"),
            };
            PgError::new(SqlState::INVALID_SQL_STATEMENT_NAME, message)
        })
    }

    fn portal_missing(name: &str) -> PgError {
        PgError::new(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
    }

    /// Describe, of a prepared statement.
    ///
    /// # Errors
    ///
    /// 26000 when there is none of that name.
    pub fn describe_statement(&mut self, name: &str) -> Result<StatementDescription> {
        let outcome = self.prepared(name).and_then(|prepared| {
            if self.block == Block::Failed && prepared.columns.is_some() {
                return Err(failed_block());
            }
            Ok(StatementDescription { params: prepared.params.clone(), columns: prepared.columns.clone() })
        });
        self.failing(outcome)
    }

    /// Describe, of a portal.
    ///
    /// # Errors
    ///
    /// 34000 when there is none of that name.
    pub fn describe_portal(&mut self, name: &str) -> Result<PortalDescription> {
        let outcome = self.portals.get(name).ok_or_else(|| Session::portal_missing(name)).and_then(|portal| {
            if self.block == Block::Failed && portal.columns().is_some() {
                return Err(failed_block());
            }
            Ok(PortalDescription { columns: portal.columns().cloned(), formats: portal.formats.clone() })
        });
        self.failing(outcome)
    }

    /// The columns of a portal that returns rows, and the formats that were asked for: what a server needs to send them.
    pub fn portal_rows(&self, name: &str) -> Option<(Arc<[ColumnDescription]>, Arc<[Format]>)> {
        let portal = self.portals.get(name)?;
        Some((portal.columns()?.clone(), portal.formats.clone()))
    }

    /// Bind: makes a portal of a prepared statement. `formats` are none (all text), one for all, or one a value; so
    /// are `result_formats`.
    ///
    /// # Errors
    ///
    /// 26000, 42P03 when the portal's name is taken, 08P01 for a wrong number of values or formats, and what reading
    /// the values may fail with.
    pub async fn bind(
        &mut self,
        portal: &str,
        statement: &str,
        formats: &[Format],
        values: &[Option<&[u8]>],
        result_formats: &[Format],
    ) -> Result<()> {
        let outcome = self.bind_raw(portal, statement, formats, values, result_formats);
        self.failing(outcome)
    }

    fn bind_raw(
        &mut self,
        portal: &str,
        statement: &str,
        formats: &[Format],
        values: &[Option<&[u8]>],
        result_formats: &[Format],
    ) -> Result<()> {
        let prepared = self.prepared(statement)?;
        if let Some(statement) = &prepared.statement {
            self.arrive(&statement.source.text);
        }
        if formats.len() > 1 && formats.len() != values.len() {
            let message =
                format!("bind message has {} parameter formats but {} parameters", formats.len(), values.len());
            return Err(PgError::new(SqlState::PROTOCOL_VIOLATION, message));
        }
        if values.len() != prepared.params.len() {
            let message = format!(
                "bind message supplies {} parameters, but prepared statement \"{statement}\" requires {}",
                values.len(),
                prepared.params.len()
            );
            return Err(PgError::new(SqlState::PROTOCOL_VIOLATION, message));
        }
        let exits = prepared.statement.as_ref().is_none_or(|statement| is_exit(statement.node()));
        if self.block == Block::Failed && (!exits || !values.is_empty()) {
            return Err(failed_block());
        }
        let mut params = Vec::with_capacity(values.len());
        for (number, (value, type_oid)) in values.iter().zip(&prepared.params).enumerate() {
            let format = match formats {
                [] => Format::Text,
                [one] => *one,
                each => each[number],
            };
            params.push(match value {
                None => Datum::Null,
                Some(bytes) => self.read_param(number, *type_oid, format, bytes)?,
            });
        }
        self.bind_datums(portal, prepared, params, result_formats)
    }

    fn read_param(&mut self, number: usize, type_oid: Oid, format: Format, bytes: &[u8]) -> Result<Datum> {
        let read = match format {
            Format::Binary => helios_types::io::receive(type_oid, bytes).map_err(|error| in_parameter(error, number)),
            Format::Text => helios_types::io::checked_text(bytes).and_then(|text| {
                if is_named_object(type_oid) {
                    let doors = self.doors()?;
                    return doors.named_object_input(type_oid, text).unwrap_or_else(|| {
                        Err(PgError::unsupported(format!(
                            "a parameter of type {}",
                            helios_types::format_type(type_oid, -1)
                        )))
                    });
                }
                let catalog = self.database.catalog();
                let types = SessionTypes(&catalog);
                let context = InputContext { style: &self.context.style, now: self.context.now(), types: &types };
                helios_types::io::input(type_oid, -1, text, &context)
            }),
        };
        read.map_err(|error| match error.context() {
            Some(_) => error,
            None => {
                let named = match (format, std::str::from_utf8(bytes)) {
                    (Format::Text, Ok(text)) => format!("unnamed portal parameter ${} = '{text}'", number + 1),
                    _ => format!("unnamed portal parameter ${}", number + 1),
                };
                error.with_context(named)
            }
        })
    }

    /// Makes a portal with values that are values already.
    pub(crate) fn bind_datums(
        &mut self,
        portal: &str,
        prepared: Arc<Prepared>,
        params: Vec<Datum>,
        result_formats: &[Format],
    ) -> Result<()> {
        if !portal.is_empty() && self.portals.contains_key(portal) {
            let message = format!("portal \"{portal}\" already exists");
            return Err(PgError::new(SqlState::DUPLICATE_CURSOR, message));
        }
        let columns = prepared.columns.as_ref().map_or(0, |columns| columns.len());
        let formats = match result_formats {
            [] => vec![Format::Text; columns],
            [one] => vec![*one; columns],
            each if each.len() == columns => each.to_vec(),
            each => {
                let message = format!("bind message has {} result formats but query has {columns} columns", each.len());
                return Err(PgError::new(SqlState::PROTOCOL_VIOLATION, message));
            }
        };
        // A portal lives in a transaction; that of a statement that ends one does not begin one.
        if !matches!(prepared.statement.as_ref().map(StatementRef::node), Some(Node::TransactionStmt(_)) | None) {
            self.transaction()?;
        }
        let made = Portal::new(prepared, params, formats.into(), self.depth());
        self.portals.insert(portal.to_owned(), made);
        Ok(())
    }

    /// Execute: [`Session::next`] then runs the portal, for at most `max_rows` rows (0 for all).
    ///
    /// # Errors
    ///
    /// 34000 when there is none of that name.
    pub fn execute(&mut self, portal: &str, max_rows: usize) -> Result<()> {
        let Some(found) = self.portals.get_mut(portal) else {
            return self.failing(Err(Session::portal_missing(portal)));
        };
        found.given = 0;
        let text = found.text();
        self.arrive(&text);
        self.run = Run::Portal { name: portal.to_owned(), remaining: (max_rows > 0).then_some(max_rows) };
        Ok(())
    }

    /// Close, of a prepared statement; one that is not there is closed already.
    pub fn close_statement(&mut self, name: &str) {
        self.statements.remove(name);
    }

    /// Close, of a portal; one that is not there is closed already.
    pub fn close_portal(&mut self, name: &str) {
        self.portals.remove(name);
    }

    /// Sync: ends what has been going on since the last one. An implicit transaction commits.
    ///
    /// # Errors
    ///
    /// Those of the commit.
    pub async fn sync(&mut self) -> Result<()> {
        self.run = Run::Idle;
        let outcome = self.end_implicit().await;
        self.report_idle();
        outcome
    }

    /// Fails the transaction if `outcome` is an error.
    pub(super) fn failing<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            self.fail();
        }
        outcome
    }
}

/// PostgreSQL says which parameter it was that has bytes left over, and only then.
fn in_parameter(error: PgError, number: usize) -> PgError {
    if error.code() == SqlState::INVALID_BINARY_REPRESENTATION && error.message() == "incorrect binary data format" {
        let message = format!("incorrect binary data format in bind parameter {}", number + 1);
        return PgError::new(SqlState::INVALID_BINARY_REPRESENTATION, message);
    }
    error
}
