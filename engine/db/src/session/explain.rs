//! EXPLAIN.
//!
//! With ANALYZE the statement is run, in the transaction that EXPLAIN is part of, and its rows are thrown away.

use std::sync::Arc;
use std::time::Duration;

use helios_sql::execute::PlanFigures;
use helios_sql::explain::{ExplainFormat, ExplainOptions, Explained};
use helios_sql::parse::protobuf as pb;
use helios_sql::parse::protobuf::node::Node;
use helios_types::{Datum, Oid, PgError, Result, SqlState, oid};

use super::Session;
use super::create_as::TableFromQuery;
use super::portal::State;
use super::reply::ColumnDescription;
use super::source::StatementRef;
use super::statement::is_planned;
use super::variables::{text_column, text_rows};

/// The options as they were written, with PostgreSQL's defaults.
struct Options {
    analyze: bool,
    shown: ExplainOptions,
    format: ExplainFormat,
}

impl Options {
    /// `ParseExplainOptionList`.
    fn read(explain: &pb::ExplainStmt) -> Result<Options> {
        let (mut analyze, mut verbose, mut costs) = (false, false, true);
        let (mut timing, mut summary) = (None, None);
        let (mut wal, mut generic) = (false, false);
        let mut format = ExplainFormat::Text;
        for option in &explain.options {
            let Some(Node::DefElem(option)) = &option.node else { continue };
            let place = usize::try_from(option.location).ok();
            match option.defname.as_str() {
                "analyze" => analyze = boolean(option)?,
                "verbose" => verbose = boolean(option)?,
                "costs" => costs = boolean(option)?,
                "timing" => timing = Some(boolean(option)?),
                "summary" => summary = Some(boolean(option)?),
                "wal" => wal = boolean(option)?,
                // Counts that are all zero are not printed by PostgreSQL either.
                "buffers" | "settings" => {
                    boolean(option)?;
                }
                "generic_plan" => generic = boolean(option)?,
                "memory" if !boolean(option)? => {}
                "memory" => return Err(PgError::unsupported("EXPLAIN (MEMORY)").at(place)),
                "serialize" if word(option) == "none" => {}
                "serialize" => return Err(PgError::unsupported("EXPLAIN (SERIALIZE)").at(place)),
                "format" => {
                    format = match word(option).as_str() {
                        "text" => ExplainFormat::Text,
                        "json" => ExplainFormat::Json,
                        known @ ("xml" | "yaml") => {
                            let what = format!("EXPLAIN (FORMAT {})", known.to_uppercase());
                            return Err(PgError::unsupported(what).at(place));
                        }
                        unknown => {
                            let message = format!("unrecognized value for EXPLAIN option \"format\": \"{unknown}\"");
                            return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message).at(place));
                        }
                    };
                }
                unknown => {
                    let message = format!("unrecognized EXPLAIN option \"{unknown}\"");
                    return Err(PgError::new(SqlState::SYNTAX_ERROR, message).at(place));
                }
            }
        }
        let needs = |what: &str| {
            let message = format!("EXPLAIN option {what} requires ANALYZE");
            Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message))
        };
        if wal && !analyze {
            return needs("WAL");
        }
        if timing == Some(true) && !analyze {
            return needs("TIMING");
        }
        if generic && analyze {
            let message = "EXPLAIN options ANALYZE and GENERIC_PLAN cannot be used together";
            return Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message));
        }
        if generic {
            return Err(PgError::unsupported("EXPLAIN (GENERIC_PLAN)"));
        }
        let timing = timing.unwrap_or(analyze);
        let summary = summary.unwrap_or(analyze);
        Ok(Options { analyze, shown: ExplainOptions { verbose, costs, timing, summary }, format })
    }
}

/// `defGetBoolean`.
fn boolean(option: &pb::DefElem) -> Result<bool> {
    let refusal = || {
        let message = format!("{} requires a Boolean value", option.defname);
        PgError::new(SqlState::SYNTAX_ERROR, message)
    };
    match option.arg.as_deref().and_then(|arg| arg.node.as_ref()) {
        None => Ok(true),
        Some(Node::Integer(number)) => match number.ival {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(refusal()),
        },
        Some(Node::Boolean(value)) => Ok(value.boolval),
        Some(Node::String(text)) => match text.sval.to_ascii_lowercase().as_str() {
            "true" | "on" => Ok(true),
            "false" | "off" => Ok(false),
            _ => Err(refusal()),
        },
        Some(_) => Err(refusal()),
    }
}

fn word(option: &pb::DefElem) -> String {
    match option.arg.as_deref().and_then(|arg| arg.node.as_ref()) {
        Some(Node::String(text)) => text.sval.to_ascii_lowercase(),
        _ => String::new(),
    }
}

/// The column that EXPLAIN returns.
pub(super) fn explain_column(explain: &pb::ExplainStmt) -> ColumnDescription {
    let json = matches!(Options::read(explain), Ok(Options { format: ExplainFormat::Json, .. }));
    let column = text_column("QUERY PLAN");
    if json { ColumnDescription { type_oid: oid::JSON, ..column } } else { column }
}

impl Session {
    /// EXPLAIN.
    pub(super) async fn explain(
        &mut self,
        explain: &pb::ExplainStmt,
        statement: &StatementRef,
        params: Vec<Datum>,
        types: &[Oid],
    ) -> Result<State> {
        let options = Options::read(explain)?;
        let mut inner = statement.inner()?;
        if let Some(from_query) = TableFromQuery::of(&inner)? {
            if options.analyze {
                return Err(PgError::unsupported("EXPLAIN ANALYZE of CREATE TABLE AS"));
            }
            inner = from_query.query;
        }
        let (query, params, types) = self.executable(&inner, statement, params, types).await?;
        if !is_planned(query.node()) {
            return Err(PgError::unsupported("EXPLAIN of this statement"));
        }
        let clock = self.database.env().clock.clone();
        let before = clock.monotonic();
        let planned = self.plan_under_locks(&query, &types).await?;
        let planning = clock.monotonic() - before;
        if let Some(failure) = &planned.plan.failure {
            return Err(failure.clone());
        }
        let mut execution = Duration::ZERO;
        let figures = options.analyze.then(|| Arc::new(PlanFigures::new(clock.clone())));
        if let Some(figures) = &figures {
            let before = clock.monotonic();
            let (mut running, doors) =
                self.begin_watched(planned.plan.clone(), params, &query, Some(figures.clone()))?;
            while running.next().await?.is_some() {}
            self.take_over(&doors)?;
            execution = clock.monotonic() - before;
        }
        let catalog = self.newest_catalog();
        let search_path = self.search_path(&catalog);
        let explained = Explained {
            plan: &planned.plan,
            figures: figures.as_deref(),
            planning,
            execution,
            catalog: &catalog,
            search_path: &search_path,
            style: &self.context.style,
        };
        let lines = explained.lines(options.shown, options.format);
        let rows: Vec<Vec<Option<String>>> = lines.into_iter().map(|line| vec![Some(line)]).collect();
        Ok(text_rows(1, &rows, "EXPLAIN"))
    }
}
