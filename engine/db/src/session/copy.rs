//! COPY: which table or query, and the conversation about its data.

use std::sync::Arc;

use bytes::Bytes;
use helios_catalog::facts;
use helios_catalog::model::{Column, Relation, Table};
use helios_sql::execute::{Batch, Execution};
use helios_sql::parse::protobuf as pb;
use helios_sql::parse::protobuf::node::Node;
use helios_types::{PgError, Result, SqlState};

use super::Session;
use super::copy_in::CopyIn;
use super::guard::guarded;
use super::portal::{State, Step};
use super::reply::{CopySpec, Reply};
use super::source::{Source, StatementRef};
use super::statement::read_only;
use crate::copy::{Columns, CopyOptions, Header, RowWriter};
use crate::doors::StatementDoors;

/// COPY TO STDOUT under way.
pub(super) struct CopyOut {
    execution: Execution,
    doors: Arc<StatementDoors>,
    writer: RowWriter,
    spec: CopySpec,
    announced: bool,
    header: Option<Vec<u8>>,
    batch: Option<(Batch, usize)>,
    rows: u64,
    done: bool,
}

/// The columns that a list names: all that COPY moves when there is none.
fn chosen_columns<'t>(table: &'t Table, names: &[pb::Node]) -> Result<Vec<&'t Column>> {
    if names.is_empty() {
        return Ok(table.live_columns().filter(|column| column.generated.is_none()).collect());
    }
    let names = names.iter().filter_map(|name| match &name.node {
        Some(Node::String(name)) => Some(name.sval.as_str()),
        _ => None,
    });
    let mut chosen: Vec<&Column> = Vec::new();
    for name in names {
        let column = column_named(table, name)?;
        if column.generated.is_some() {
            let message = format!("column \"{name}\" is a generated column");
            return Err(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message)
                .with_detail("Generated columns cannot be used in COPY."));
        }
        if chosen.iter().any(|other| other.attnum == column.attnum) {
            let message = format!("column \"{name}\" specified more than once");
            return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
        }
        chosen.push(column);
    }
    Ok(chosen)
}

fn column_named<'t>(table: &'t Table, name: &str) -> Result<&'t Column> {
    table.column(name).ok_or_else(|| {
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
        PgError::new(SqlState::UNDEFINED_COLUMN, message)
    })
}

/// Which of the columns copied an option names.
pub(super) fn flags(
    columns: &Columns,
    copied: &[&str],
    option: &str,
    known: &dyn Fn(&str) -> Result<()>,
) -> Result<Vec<bool>> {
    Ok(match columns {
        Columns::None => vec![false; copied.len()],
        Columns::All => vec![true; copied.len()],
        Columns::Named(names) => {
            let mut flags = vec![false; copied.len()];
            for name in names {
                known(name)?;
                let at = copied.iter().position(|copied| copied == name).ok_or_else(|| {
                    let message = format!("{option} column \"{name}\" not referenced by COPY");
                    PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message)
                })?;
                if std::mem::replace(&mut flags[at], true) {
                    let message = format!("column \"{name}\" specified more than once");
                    return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
                }
            }
            flags
        }
    })
}

impl Session {
    /// COPY.
    pub(super) async fn copy(&mut self, copy: &pb::CopyStmt, statement: &StatementRef) -> Result<State> {
        if copy.is_program {
            return Err(PgError::unsupported("COPY with a program"));
        }
        if !copy.filename.is_empty() {
            return Err(PgError::unsupported("COPY with a file of the server"));
        }
        if !copy.is_from && copy.where_clause.is_some() {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "WHERE clause not allowed with COPY TO"));
        }
        let options = CopyOptions::parse(&copy.options, copy.is_from)?;
        let Some(name) = &copy.relation else {
            let inner = statement.inner()?;
            check_query(inner.node())?;
            return self.copy_out(inner, options).await;
        };
        let (oid, catalog) = self.find_relation(name)?;
        let relation = catalog.relation(oid).ok_or_else(|| PgError::internal("a relation is gone"))?;
        if !copy.is_from {
            let text = select_text(&relation, &catalog, &copy.attlist)?;
            let source = Source::parse(&text)?;
            return self.copy_out(StatementRef::new(&source, 0), options).await;
        }
        let Relation::Table(table) = relation else {
            let (kind, name) = (relation.kind().noun(), relation.name());
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("cannot copy to {kind} \"{name}\"")));
        };
        if self.transaction()?.read_only {
            return Err(read_only("COPY FROM"));
        }
        let names: Vec<String> =
            chosen_columns(table, &copy.attlist)?.iter().map(|column| column.name.clone()).collect();
        let schema = catalog.schema_name(table.schema).unwrap_or_default().to_owned();
        let table_name = facts::quote_qualified(&schema, &table.name);
        let copy_in = CopyIn::begin(self, &table_name, oid, names, options, copy.where_clause.as_deref()).await?;
        let spec = copy_in.spec();
        self.copy_in = Some(copy_in);
        Ok(State::CopyIn(Some(spec)))
    }

    async fn copy_out(&mut self, statement: StatementRef, options: CopyOptions) -> Result<State> {
        let prepared = self.analyze(Some(statement.clone()), &[], false)?;
        let columns = prepared
            .columns()
            .cloned()
            .ok_or_else(|| PgError::new(SqlState::FEATURE_NOT_SUPPORTED, "COPY query must have a RETURNING clause"))?;
        let (execution, doors) = self.start_plan(&statement, Vec::new(), &[], Some(&columns)).await?;
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let known = |name: &str| {
            let message = format!("column \"{name}\" does not exist");
            names.contains(&name).then_some(()).ok_or_else(|| PgError::new(SqlState::UNDEFINED_COLUMN, message))
        };
        let force_quote = flags(&options.force_quote, &names, "FORCE_QUOTE", &known)?;
        let spec = CopySpec { format: options.format, columns: columns.len() };
        let wants_header = options.header != Header::No;
        let writer = RowWriter::new(options, self.encoder(&columns, &[]), force_quote);
        let header = wants_header.then(|| {
            let mut line = Vec::new();
            writer.header(&names, &mut line);
            line
        });
        Ok(State::CopyOut(Box::new(CopyOut {
            execution,
            doors,
            writer,
            spec,
            announced: false,
            header,
            batch: None,
            rows: 0,
            done: false,
        })))
    }

    /// The next piece of COPY TO STDOUT.
    pub(super) async fn copy_out_step(&mut self, copy: &mut CopyOut) -> Result<Step> {
        if !copy.announced {
            copy.announced = true;
            return Ok(Step::Copy(Reply::CopyOut(copy.spec)));
        }
        if let Some(header) = copy.header.take() {
            return Ok(Step::Copy(Reply::CopyData(header.into())));
        }
        loop {
            if let Some((batch, at)) = &mut copy.batch
                && *at < batch.rows()
            {
                let mut line = Vec::new();
                copy.writer.row(batch, *at, &mut line)?;
                *at += 1;
                copy.rows += 1;
                return Ok(Step::Copy(Reply::CopyData(Bytes::from(line))));
            }
            if copy.done {
                return Ok(Step::Complete(format!("COPY {}", copy.rows)));
            }
            copy.batch = copy.execution.next().await?.map(|batch| (batch, 0));
            self.take_over(&copy.doors)?;
            if copy.batch.is_none() {
                copy.done = true;
                return Ok(Step::Copy(Reply::CopyDone));
            }
        }
    }

    /// A piece of the data of COPY FROM STDIN, cut anywhere.
    ///
    /// # Errors
    ///
    /// Those of the data and of the insertion.
    pub async fn copy_in(&mut self, data: &[u8]) -> Result<()> {
        let Some(mut copy) = self.copy_in.take() else { return self.failing(Err(no_copy())) };
        let (env, activity, deadline) = (self.database.env().clone(), self.activity.clone(), self.deadline);
        let outcome = guarded(&env, &activity, deadline, copy.push(data)).await;
        self.copy_in = Some(copy);
        self.failing(outcome)
    }

    /// The data is complete; [`Session::next`] goes on.
    ///
    /// # Errors
    ///
    /// Those of the data and of the insertion.
    pub async fn copy_in_done(&mut self) -> Result<()> {
        let Some(mut copy) = self.copy_in.take() else { return self.failing(Err(no_copy())) };
        let (env, activity, deadline) = (self.database.env().clone(), self.activity.clone(), self.deadline);
        let outcome = guarded(&env, &activity, deadline, copy.finish()).await;
        self.notices.extend(copy.take_notices());
        if let Ok(rows) = outcome {
            self.copied = Some(rows);
            self.database.row_counts().add(copy.table(), rows);
        }
        self.failing(outcome).map(|_| ())
    }

    /// The client gives up; the error that the statement ends in.
    pub fn copy_in_fail(&mut self, message: &str) -> PgError {
        let context = self.copy_in.take().map(|copy| copy.context());
        self.fail();
        let error = PgError::new(SqlState::QUERY_CANCELED, format!("COPY from stdin failed: {message}"));
        match context {
            Some(context) => error.with_context(context),
            None => error,
        }
    }
}

fn no_copy() -> PgError {
    PgError::new(SqlState::PROTOCOL_VIOLATION, "there is no COPY FROM STDIN in progress")
}

/// What COPY (query) refuses.
fn check_query(node: &Node) -> Result<()> {
    let refusal = match node {
        Node::SelectStmt(select) if select.into_clause.is_some() => "COPY (SELECT INTO) is not supported",
        Node::InsertStmt(insert) if insert.returning_clause.is_none() => "COPY query must have a RETURNING clause",
        Node::UpdateStmt(update) if update.returning_clause.is_none() => "COPY query must have a RETURNING clause",
        Node::DeleteStmt(delete) if delete.returning_clause.is_none() => "COPY query must have a RETURNING clause",
        _ => return Ok(()),
    };
    Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, refusal))
}

/// The query that COPY table TO stands for.
fn select_text(
    relation: &Relation<'_>,
    catalog: &helios_catalog::CatalogSnapshot,
    names: &[pb::Node],
) -> Result<String> {
    let schema = catalog.schema_name(relation.schema()).unwrap_or_default();
    let from = facts::quote_qualified(schema, relation.name());
    let columns: Vec<String> = match relation {
        Relation::Table(table) => {
            let chosen = chosen_columns(table, names)?;
            chosen.iter().map(|column| facts::quote_identifier(&column.name).into_owned()).collect()
        }
        Relation::System(system) if system.kind == b'r' && names.is_empty() => vec!["*".to_owned()],
        Relation::System(system) if system.kind == b'r' => {
            return Err(PgError::unsupported("COPY of some columns of a system catalog"));
        }
        Relation::Index(index) => {
            let message = format!("cannot open relation \"{}\"", index.name);
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message)
                .with_detail("This operation is not supported for indexes."));
        }
        other => {
            let message = format!("cannot copy from {} \"{}\"", other.kind().noun(), other.name());
            let error = PgError::new(SqlState::WRONG_OBJECT_TYPE, message);
            return Err(match other {
                Relation::Sequence(_) => error,
                _ => error.with_hint("Try the COPY (SELECT ...) TO variant."),
            });
        }
    };
    Ok(format!("SELECT {} FROM ONLY {from}", columns.join(", ")))
}
