//! COPY FROM STDIN: lines become rows, rows become batches, batches are inserted.
//!
//! The insertion is an ordinary INSERT's plan whose rows come from a computed relation of our own, so that defaults,
//! generated columns, constraints and indexes are kept as INSERT keeps them. A batch that fails is undone and inserted
//! again row by row, to learn which line is to blame.

use std::sync::Arc;

use helios_catalog::model::Table;
use helios_env::BoxFuture;
use helios_env::sync::Mutex;
use helios_sql::analyze::{
    AnalyzeContext, ExpressionUse, ParamTypes, analyze_expression, analyze_statement, for_each_expr_mut,
    for_each_query_expr_mut,
};
use helios_sql::execute::context::{Doors, Setting};
use helios_sql::execute::{Batch, CancelToken, Execution, MemoryBudget, SystemRelations, Tables};
use helios_sql::expr::{Expr, ExprKind, ExprType, Var};
use helios_sql::parse::{Notice, Severity, protobuf as pb};
use helios_sql::plan::Plan;
use helios_sql::planner::plan_statement;
use helios_sql::query::{FromItem, Query, RangeTblEntry, RteColumn, RteKind};
use helios_sql::session::SessionContext;
use helios_txn::{TableLockMode, Wait};
use helios_types::io::{InputContext, checked_text, input};
use helios_types::{ColumnBuilder, Datum, Oid, PgError, Result, SqlState, TypeMod, oid};

use super::Session;
use super::copy::flags;
use super::reply::CopySpec;
use super::source::{Source, StatementRef, notice};
use crate::copy::{CopyOptions, FieldReader, Header, LineReader, OnError, RawField, shown};
use crate::doors::{SessionTypes, StatementDoors};
use crate::plan_catalog::SnapshotCatalog;

/// Rows of a batch.
const BATCH_ROWS: usize = 1000;
/// Bytes of text at which a batch is inserted, however few rows it has.
const BATCH_BYTES: usize = 4 << 20;
/// What the plan calls the relation that the rows come from: no relation has this OID.
const SOURCE: Oid = Oid(1);

/// COPY FROM STDIN under way.
pub(super) struct CopyIn {
    options: CopyOptions,
    table_name: String,
    table: Oid,
    columns: Vec<CopiedColumn>,
    lines: LineReader,
    fields: FieldReader,
    header_seen: bool,
    batch: Pending,
    plan: Arc<Plan>,
    rows_source: Arc<RowsSource>,
    doors: Arc<StatementDoors>,
    session: SessionContext,
    memory: Arc<MemoryBudget>,
    cancel: CancelToken,
    tables: Arc<Tables>,
    inserted: u64,
    skipped: u64,
    notices: Vec<Notice>,
}

struct CopiedColumn {
    name: String,
    type_oid: Oid,
    typmod: TypeMod,
    force_not_null: bool,
    force_null: bool,
}

/// Rows that were read and are not inserted yet.
struct Pending {
    builders: Vec<ColumnBuilder>,
    /// Per row: the line's number, and where its text ends in `texts`.
    lines: Vec<(u64, usize)>,
    texts: Vec<u8>,
}

/// The computed relation that the rows come from.
struct RowsSource(Mutex<Option<Batch>>);

impl SystemRelations for RowsSource {
    fn scan<'a>(&'a self, _relation: Oid, columns: &'a [usize]) -> BoxFuture<'a, Result<Vec<Batch>>> {
        let batch = self.0.lock().take();
        Box::pin(std::future::ready(Ok(batch.map_or(Vec::new(), |batch| {
            let wanted = columns.iter().map(|&index| batch.column(index).clone()).collect();
            vec![Batch::new(wanted, batch.rows())]
        }))))
    }
}

impl Pending {
    fn new(columns: &[CopiedColumn]) -> Pending {
        let builders = columns.iter().map(|column| ColumnBuilder::new(column.type_oid, BATCH_ROWS)).collect();
        Pending { builders, lines: Vec::new(), texts: Vec::new() }
    }

    fn line_text(&self, row: usize) -> &[u8] {
        let start = row.checked_sub(1).map_or(0, |before| self.lines[before].1);
        &self.texts[start..self.lines[row].1]
    }
}

impl CopyIn {
    /// Locks the table, plans the insertion.
    pub(super) async fn begin(
        session: &mut Session,
        table_name: &str,
        table: Oid,
        names: Vec<String>,
        options: CopyOptions,
        condition: Option<&pb::Node>,
    ) -> Result<CopyIn> {
        if options.default.is_some() {
            return Err(PgError::unsupported("COPY option DEFAULT"));
        }
        let lock_timeout = session.settings.millis("lock_timeout");
        let transaction = session.transaction()?.transaction.clone();
        transaction.lock_table(table.0, TableLockMode::RowExclusive, Wait::Block(lock_timeout)).await?;
        let catalog = session.newest_catalog();
        let found = catalog.table(table).cloned().ok_or_else(|| {
            PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{table_name}\" does not exist"))
        })?;
        let columns = copied_columns(&found, &names, &options)?;
        let plan = insertion(session, table_name, &found, &columns, condition)?;
        let active = session.transaction()?;
        active.settled = true;
        let statement = transaction.statement().with_lock_timeout(lock_timeout);
        let row_ids = active.row_ids.clone();
        let doors = session.doors()?;
        Ok(CopyIn {
            lines: LineReader::new(&options),
            fields: FieldReader::new(&options),
            header_seen: options.header == Header::No,
            options,
            table_name: found.name.clone(),
            table,
            batch: Pending::new(&columns),
            columns,
            plan: Arc::new(plan),
            rows_source: Arc::new(RowsSource(Mutex::new(None))),
            doors,
            session: session.context.clone(),
            memory: session.database.memory().child(session.database.memory_limit()),
            cancel: session.activity.token().clone(),
            tables: Arc::new(Tables { transaction, statement, row_ids }),
            inserted: 0,
            skipped: 0,
            notices: Vec::new(),
        })
    }

    pub(super) fn spec(&self) -> CopySpec {
        CopySpec { format: self.options.format, columns: self.columns.len() }
    }

    pub(super) fn table(&self) -> Oid {
        self.table
    }

    pub(super) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// `COPY t, line 3`: where reading stands.
    pub(super) fn context(&self) -> String {
        format!("COPY {}, line {}", self.table_name, self.lines.number())
    }

    /// More data.
    pub(super) async fn push(&mut self, data: &[u8]) -> Result<()> {
        self.lines.push(data);
        self.read_lines().await
    }

    /// There is no more; how many rows were inserted.
    pub(super) async fn finish(&mut self) -> Result<u64> {
        self.lines.push(&[]);
        self.lines.complete();
        self.read_lines().await?;
        self.insert().await?;
        if self.skipped > 0 && !self.options.silent {
            let message = match self.skipped {
                1 => "1 row was skipped due to data type incompatibility".to_owned(),
                many => format!("{many} rows were skipped due to data type incompatibility"),
            };
            self.notices.push(notice(Severity::Notice, SqlState::SUCCESSFUL_COMPLETION, message));
        }
        Ok(self.inserted)
    }

    async fn read_lines(&mut self) -> Result<()> {
        loop {
            let outcome = self.read_line();
            match outcome {
                Ok(false) => return Ok(()),
                Ok(true) if self.batch.lines.len() >= BATCH_ROWS || self.batch.texts.len() >= BATCH_BYTES => {
                    self.insert().await?;
                }
                Ok(true) => {}
                Err(error) => {
                    // What comes before the bad line is inserted first: it may be what is wrong.
                    self.insert().await?;
                    return Err(error);
                }
            }
        }
    }

    /// Reads a line into the batch; `false` when there is none yet.
    fn read_line(&mut self) -> Result<bool> {
        let name = &self.table_name;
        let number = self.lines.number();
        let at_line = |error: PgError, number: u64| with_context(error, || format!("COPY {name}, line {number}"));
        let line = match self.lines.next() {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(false),
            Err(error) => return Err(at_line(error, number)),
        };
        let bytes = &self.lines.bytes()[line.range.clone()];
        let text = checked_text(bytes).map_err(|error| at_line(error, line.number))?;
        let in_line =
            |error: PgError| with_context(error, || format!("COPY {name}, line {}: \"{}\"", line.number, shown(bytes)));
        let fields = self.fields.read(text).map_err(in_line)?;
        if !self.header_seen {
            self.header_seen = true;
            if self.options.header == Header::Match {
                check_header(fields, &self.columns, &self.options.null).map_err(in_line)?;
            }
            return Ok(true);
        }
        if fields.len() > self.columns.len() {
            return Err(in_line(bad("extra data after last expected column")));
        }
        let types = SessionTypes(&self.doors.catalog);
        let context = InputContext { style: &self.session.style, now: self.session.now(), types: &types };
        let mut row = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            if index >= fields.len() {
                return Err(in_line(bad(format!("missing data for column \"{}\"", column.name))));
            }
            let field = column.adjusted(fields.get(index), &self.options.null);
            if self.options.on_error == OnError::Ignore {
                match column.read(field, &context, &self.doors) {
                    Ok(value) => row.push(value),
                    Err(_) => break,
                }
                continue;
            }
            let pushed = column.push(field, &context, &self.doors, &mut self.batch.builders[index]);
            pushed.map_err(|error| {
                with_context(error, || match field {
                    RawField::Text(text) => format!(
                        "COPY {name}, line {}, column {}: \"{}\"",
                        line.number,
                        column.name,
                        shown(text.as_bytes())
                    ),
                    _ => format!("COPY {name}, line {}, column {}: null input", line.number, column.name),
                })
            })?;
        }
        if self.options.on_error == OnError::Ignore {
            if row.len() < self.columns.len() {
                self.skipped += 1;
                if self.options.reject_limit.is_some_and(|limit| self.skipped > limit) {
                    let limit = self.options.reject_limit.unwrap_or_default();
                    let message =
                        format!("skipped more than REJECT_LIMIT ({limit}) rows due to data type incompatibility");
                    return Err(in_line(PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, message)));
                }
                return Ok(true);
            }
            for (builder, value) in self.batch.builders.iter_mut().zip(&row) {
                builder.push(value);
            }
        }
        self.batch.texts.extend_from_slice(bytes);
        self.batch.lines.push((line.number, self.batch.texts.len()));
        Ok(true)
    }

    /// Inserts the batch.
    async fn insert(&mut self) -> Result<()> {
        let batch = std::mem::replace(&mut self.batch, Pending::new(&self.columns));
        let rows = batch.lines.len();
        if rows == 0 {
            return Ok(());
        }
        let columns = batch.builders.into_iter().map(|builder| Arc::new(builder.finish())).collect();
        let all = Batch::new(columns, rows);
        let batch = Pending { builders: Vec::new(), ..batch };
        let savepoint = self.tables.transaction.savepoint();
        let outcome = self.insert_rows(all.clone()).await;
        let Err(error) = outcome else {
            self.tables.transaction.release(savepoint);
            self.inserted += outcome.unwrap_or_default();
            return Ok(());
        };
        if matches!(error.code(), SqlState::QUERY_CANCELED | SqlState::ADMIN_SHUTDOWN) {
            return Err(error);
        }
        self.tables.transaction.rollback_to(savepoint);
        for row in 0..rows {
            if let Err(error) = self.insert_rows(all.slice(row, 1)).await {
                let context = self.row_context(&error, &batch, row);
                return Err(with_context(error, || context));
            }
        }
        Err(error)
    }

    /// What is wrong with the row itself is shown with it; what others have to do with is not.
    fn row_context(&self, error: &PgError, batch: &Pending, row: usize) -> String {
        let place = format!("COPY {}, line {}", self.table_name, batch.lines[row].0);
        match error.code() {
            SqlState::NOT_NULL_VIOLATION | SqlState::CHECK_VIOLATION => {
                format!("{place}: \"{}\"", shown(batch.line_text(row)))
            }
            _ => place,
        }
    }

    async fn insert_rows(&self, batch: Batch) -> Result<u64> {
        *self.rows_source.0.lock() = Some(batch);
        let doors =
            Doors { sequences: self.doors.clone(), functions: self.doors.clone(), relations: self.rows_source.clone() };
        let setting = Setting {
            session: self.session.clone(),
            params: Vec::new(),
            memory: self.memory.clone(),
            cancel: self.cancel.clone(),
            doors,
            tables: Some(self.tables.clone()),
        };
        let mut execution = Execution::new(self.plan.clone(), setting)?;
        while execution.next().await?.is_some() {}
        Ok(execution.processed())
    }
}

impl CopiedColumn {
    /// The field after FORCE_NULL and FORCE_NOT_NULL.
    fn adjusted<'f>(&self, field: RawField<'f>, null: &'f str) -> RawField<'f> {
        match field {
            RawField::Null if self.force_not_null => RawField::Text(null),
            RawField::Text(text) if self.force_null && text == null => RawField::Null,
            other => other,
        }
    }

    fn read(&self, field: RawField<'_>, context: &InputContext<'_>, doors: &StatementDoors) -> Result<Datum> {
        match field {
            RawField::Null => Ok(Datum::Null),
            RawField::Default => Err(PgError::internal("a default marker without DEFAULT")),
            RawField::Text(text) => match doors.named_object_input(self.type_oid, text) {
                Some(read) => read,
                None => input(self.type_oid, self.typmod, text, context),
            },
        }
    }

    fn push(
        &self,
        field: RawField<'_>,
        context: &InputContext<'_>,
        doors: &StatementDoors,
        out: &mut ColumnBuilder,
    ) -> Result<()> {
        match (field, self.type_oid) {
            (RawField::Null, _) => out.push_null(),
            (RawField::Text(text), oid::TEXT) => out.push_str(text),
            (RawField::Text(text), oid::INT4) if is_plain_number(text) => match text.parse() {
                Ok(value) => out.push_i32(value),
                Err(_) => out.push(&self.read(field, context, doors)?),
            },
            (RawField::Text(text), oid::INT8) if is_plain_number(text) => match text.parse() {
                Ok(value) => out.push_i64(value),
                Err(_) => out.push(&self.read(field, context, doors)?),
            },
            _ => out.push(&self.read(field, context, doors)?),
        }
        Ok(())
    }
}

fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn bad(message: impl Into<std::borrow::Cow<'static, str>>) -> PgError {
    PgError::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}

fn with_context(error: PgError, context: impl FnOnce() -> String) -> PgError {
    match error.context() {
        Some(_) => error,
        None => error.with_context(context()),
    }
}

fn check_header(fields: &crate::copy::Fields, columns: &[CopiedColumn], null: &str) -> Result<()> {
    if fields.len() != columns.len() {
        let message =
            format!("wrong number of fields in header line: got {}, expected {}", fields.len(), columns.len());
        return Err(bad(message));
    }
    for (index, column) in columns.iter().enumerate() {
        let (number, expected) = (index + 1, &column.name);
        match fields.get(index) {
            RawField::Text(text) if text == column.name => {}
            RawField::Text(text) => {
                let message = format!(
                    "column name mismatch in header line field {number}: got \"{text}\", expected \"{expected}\""
                );
                return Err(bad(message));
            }
            _ => {
                let message = format!(
                    "column name mismatch in header line field {number}: got null value (\"{null}\"), expected \"{expected}\""
                );
                return Err(bad(message));
            }
        }
    }
    Ok(())
}

fn copied_columns(table: &Table, names: &[String], options: &CopyOptions) -> Result<Vec<CopiedColumn>> {
    let copied: Vec<&str> = names.iter().map(String::as_str).collect();
    let missing = |name: &str| {
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
        PgError::new(SqlState::UNDEFINED_COLUMN, message)
    };
    let known = |name: &str| table.column(name).map(|_| ()).ok_or_else(|| missing(name));
    let force_not_null = flags(&options.force_not_null, &copied, "FORCE_NOT_NULL", &known)?;
    let force_null = flags(&options.force_null, &copied, "FORCE_NULL", &known)?;
    names
        .iter()
        .zip(force_not_null.into_iter().zip(force_null))
        .map(|(name, (force_not_null, force_null))| {
            let column = table.column(name).ok_or_else(|| missing(name))?;
            Ok(CopiedColumn {
                name: name.clone(),
                type_oid: column.type_oid,
                typmod: column.typmod,
                force_not_null,
                force_null,
            })
        })
        .collect()
}

/// The plan of `INSERT INTO table (columns) ...` from [`SOURCE`].
fn insertion(
    session: &mut Session,
    table_name: &str,
    table: &Arc<Table>,
    columns: &[CopiedColumn],
    condition: Option<&pb::Node>,
) -> Result<Plan> {
    let list = |each: &dyn Fn(usize, &CopiedColumn) -> String| {
        columns.iter().enumerate().map(|(index, column)| each(index, column)).collect::<Vec<_>>().join(", ")
    };
    let names = list(&|_, column| helios_catalog::facts::quote_identifier(&column.name).into_owned());
    let values = list(&|index, _| format!("${}", index + 1));
    let text = format!("INSERT INTO {table_name} ({names}) OVERRIDING SYSTEM VALUE VALUES ({values})");
    let source = Source::parse(&text)?;
    let statement = StatementRef::new(&source, 0);
    let catalog = session.newest_catalog();
    let search_path = session.search_path(&catalog);
    let mut context = AnalyzeContext {
        catalog: &catalog,
        search_path: &search_path,
        session: &session.context,
        params: ParamTypes::fixed(columns.iter().map(|column| column.type_oid).collect()),
        source: &text,
    };
    let mut query = analyze_statement(statement.node(), &mut context)?;
    read_from_source(&mut query, columns)?;
    if let Some(condition) = condition.and_then(|condition| condition.node.as_ref()) {
        let usage = ExpressionUse::CopyWhere;
        let expr = analyze_expression(condition, Some(table), usage, &context)?.expr;
        query.qual = Some(over_targets(expr, table, &query)?);
    }
    let row_counts = session.database.row_counts();
    let catalog = SnapshotCatalog { catalog: &catalog, session: &session.context, row_counts, horizon: None };
    plan_statement(&query, &catalog, &session.context)
}

/// Makes the parameters of a query columns of [`SOURCE`].
fn read_from_source(query: &mut Query, columns: &[CopiedColumn]) -> Result<()> {
    let rte = query.range_table.len();
    let mut types: Vec<Option<ExprType>> = vec![None; columns.len()];
    for_each_query_expr_mut(query, &mut |expr| {
        if let ExprKind::Param(index) = expr.kind {
            types[index] = Some(expr.ty);
            let column = i32::try_from(index).expect("a table has fewer than 2^31 columns");
            expr.kind = ExprKind::Var(Var { rte, column, levels_up: 0 });
        }
    });
    let columns = columns.iter().enumerate().zip(types).map(|((index, column), ty)| RteColumn {
        name: column.name.clone(),
        ty: ty.unwrap_or(ExprType { oid: column.type_oid, typmod: -1, collation: Oid::NONE }),
        attnum: i16::try_from(index + 1).expect("a table has fewer than 2^15 columns"),
    });
    query.range_table.push(RangeTblEntry {
        kind: RteKind::System { oid: SOURCE },
        alias: "copy".to_owned(),
        columns: columns.collect(),
        lateral: false,
        view: Oid::NONE,
    });
    query.from.push(FromItem::Rte(rte));
    Ok(())
}

/// A condition on the table's columns as one on what is about to be inserted.
fn over_targets(mut condition: Expr, table: &Table, query: &Query) -> Result<Expr> {
    let live: Vec<i16> = table.live_columns().map(|column| column.attnum).collect();
    let mut missing = false;
    for_each_expr_mut(&mut condition, &mut |expr| {
        let ExprKind::Var(var) = &expr.kind else { return };
        let attnum = usize::try_from(var.column).ok().and_then(|index| live.get(index));
        match query.target_list.iter().find(|target| Some(&target.attnum) == attnum) {
            Some(target) => *expr = target.expr.clone(),
            None => missing = true,
        }
    });
    if missing {
        return Err(PgError::unsupported("COPY FROM ... WHERE about a column that is not copied"));
    }
    Ok(condition)
}
