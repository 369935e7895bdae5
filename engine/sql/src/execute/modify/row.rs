//! New rows: their values, generated columns, NOT NULL, CHECK, and what indexes compute from them.
//!
//! Everything is evaluated by columns for all rows of a batch, before any is written; what failed is raised when the
//! row's turn comes, so that the first error is the one that PostgreSQL would find first.

use std::sync::Arc;

use helios_catalog::model::Table;
use helios_types::{Column, Datum, PgError, Result, SqlState};

use super::{evaluator, pairs};
use crate::execute::batch::{Batch, ColumnRef};
use crate::execute::context::ExecutionContext;
use crate::execute::expression::{Evaluated, Evaluator};
use crate::plan::{ModifyAction, ModifyTable};
use crate::session::SessionContext;
use crate::table::{failing_row, not_null_violation};

/// Rows to be written; values by attnum - 1, dropped columns NULL.
pub(super) struct NewRows {
    rows: Vec<Vec<Datum>>,
    live: Vec<usize>,
}

impl NewRows {
    /// The rows of an INSERT's input: each of its columns is for one attnum, all others are NULL.
    pub(super) fn of_input(table: &Table, columns: &[i16], batch: &Batch) -> NewRows {
        let mut rows = vec![vec![Datum::Null; table.columns.len()]; batch.rows()];
        for (column, attnum) in batch.columns().iter().zip(columns) {
            let index = usize::try_from(*attnum - 1).expect("attnums of user columns start at 1");
            rows.iter_mut().enumerate().for_each(|(at, row)| row[index] = column.get(at));
        }
        NewRows::new(table, rows)
    }

    pub(super) fn new(table: &Table, rows: Vec<Vec<Datum>>) -> NewRows {
        let live = (0..table.columns.len()).filter(|index| !table.columns[*index].dropped).collect();
        NewRows { rows, live }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn values(&self, at: usize) -> &[Datum] {
        &self.rows[at]
    }

    /// The rows as a batch of the table's live columns.
    fn batch(&self, table: &Table) -> Batch {
        let columns = self.live.iter().map(|index| {
            let values = self.rows.iter().map(|row| &row[*index]);
            Arc::new(Column::from_datums(table.columns[*index].type_oid, values))
        });
        Batch::new(columns.collect(), self.rows.len())
    }
}

/// What every new row of a table goes through.
pub(super) struct RowChecks {
    table: Arc<Table>,
    /// Name of the table's schema, for errors.
    schema: String,
    not_null: Vec<usize>,
    generated: Evaluator,
    generated_columns: Vec<usize>,
    checks: Evaluator,
    check_names: Vec<String>,
    /// Per secondary index: how many expression keys it has, and whether it is partial.
    indexes: Vec<(usize, bool)>,
    /// For each of them its predicate, if partial, and its expression keys.
    index_values: Evaluator,
}

/// What checking some rows gave.
pub(super) struct Checked {
    checks: Evaluated,
    expressions: Vec<Vec<Option<Vec<Datum>>>>,
    /// The first row whose index expressions could not be computed, and why.
    failed: Option<(usize, PgError)>,
}

impl RowChecks {
    pub(super) fn new(plan: &ModifyTable, context: &Arc<ExecutionContext>) -> RowChecks {
        let table = plan.table.clone();
        let (ModifyAction::Insert { generated, .. } | ModifyAction::Update { generated, .. }) = &plan.action else {
            return RowChecks::indexes_only(plan, context);
        };
        let not_null = |index: &usize| !table.columns[*index].dropped && table.columns[*index].not_null;
        RowChecks {
            not_null: (0..table.columns.len()).filter(not_null).collect(),
            generated: pairs(context, generated),
            generated_columns: generated.iter().map(|(attnum, _)| column_index(*attnum)).collect(),
            checks: Evaluator::new(context, plan.checks.iter().map(|check| check.condition.program.clone())),
            check_names: plan.checks.iter().map(|check| check.name.clone()).collect(),
            ..RowChecks::indexes_only(plan, context)
        }
    }

    /// For rows that are deleted: only what indexes compute.
    fn indexes_only(plan: &ModifyTable, context: &Arc<ExecutionContext>) -> RowChecks {
        let mut indexes = Vec::new();
        let mut programs = Vec::new();
        for index in plan.indexes.iter().filter(|index| !index.index.primary) {
            programs.extend(index.predicate.iter().map(|predicate| predicate.program.clone()));
            let keys = index.keys.iter().zip(&index.index.keys).filter(|(_, key)| key.attnum == 0);
            let before = programs.len();
            programs.extend(keys.map(|(scalar, _)| scalar.program.clone()));
            indexes.push((programs.len() - before, index.predicate.is_some()));
        }
        RowChecks {
            schema: context.doors.functions.schema_name(plan.table.schema),
            table: plan.table.clone(),
            not_null: Vec::new(),
            generated: evaluator(context, &[]),
            generated_columns: Vec::new(),
            checks: evaluator(context, &[]),
            check_names: Vec::new(),
            indexes,
            index_values: Evaluator::new(context, programs),
        }
    }

    /// Name of the table's schema.
    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    /// Computes generated columns.
    pub(super) async fn generate(&mut self, rows: &mut NewRows) -> Result<()> {
        if self.generated_columns.is_empty() {
            return Ok(());
        }
        let evaluated = project(&mut self.generated, &rows.batch(&self.table)).await?;
        if let Some(error) = evaluated.error {
            return Err(error);
        }
        for (index, column) in self.generated_columns.iter().zip(&evaluated.columns) {
            rows.rows.iter_mut().enumerate().for_each(|(at, row)| row[*index] = column.get(at));
        }
        Ok(())
    }

    /// Evaluates CHECK constraints and what indexes compute.
    pub(super) async fn check(&mut self, rows: &NewRows) -> Result<Checked> {
        let needs_batch = !self.checks.is_empty() || !self.index_values.is_empty();
        let batch = if needs_batch { rows.batch(&self.table) } else { Batch::new(Vec::new(), rows.len()) };
        let checks = project(&mut self.checks, &batch).await?;
        let values = project(&mut self.index_values, &batch).await?;
        Ok(Checked {
            checks,
            expressions: (0..values.rows).map(|row| self.row_expressions(&values.columns, row)).collect(),
            failed: values.error.map(|error| (values.rows, error)),
        })
    }

    /// Per secondary index the values of its expression keys; `None` when it does not take the row.
    fn row_expressions(&self, columns: &[ColumnRef], row: usize) -> Vec<Option<Vec<Datum>>> {
        let mut columns = columns.iter();
        let mut next = || columns.next().map_or(Datum::Null, |column| column.get(row));
        self.indexes
            .iter()
            .map(|(keys, partial)| {
                let taken = !partial || next() == Datum::Bool(true);
                let values: Vec<Datum> = (0..*keys).map(|_| next()).collect();
                taken.then_some(values)
            })
            .collect()
    }

    /// What indexes compute from a row that is there.
    pub(super) async fn expressions(&mut self, values: &[Datum]) -> Result<Vec<Option<Vec<Datum>>>> {
        if self.index_values.is_empty() {
            return Ok(self.indexes.iter().map(|_| Some(Vec::new())).collect());
        }
        let rows = NewRows::new(&self.table, vec![values.to_vec()]);
        let evaluated = project(&mut self.index_values, &rows.batch(&self.table)).await?;
        match evaluated.error {
            Some(error) => Err(error),
            None => Ok(self.row_expressions(&evaluated.columns, 0)),
        }
    }

    /// Everything for one row: generated columns are computed, constraints checked; what indexes compute.
    pub(super) async fn one(
        &mut self,
        values: &mut Vec<Datum>,
        session: &SessionContext,
    ) -> Result<Vec<Option<Vec<Datum>>>> {
        let mut rows = NewRows::new(&self.table, vec![std::mem::take(values)]);
        self.generate(&mut rows).await?;
        let mut checked = self.check(&rows).await?;
        *values = rows.rows.swap_remove(0);
        checked.row(0, self, values, session)?;
        Ok(checked.expressions.swap_remove(0))
    }
}

impl Checked {
    /// Fails if the row violates something.
    pub(super) fn row(&self, at: usize, checks: &RowChecks, values: &[Datum], session: &SessionContext) -> Result<()> {
        let table = &checks.table;
        if let Some(index) = checks.not_null.iter().find(|index| values[**index].is_null()) {
            let column = &table.columns[*index].name;
            return Err(not_null_violation(table, &checks.schema, column, values, &session.style));
        }
        if at >= self.checks.rows {
            let error = self.checks.error.clone();
            return Err(error.unwrap_or_else(|| PgError::internal("a row was not checked")));
        }
        for (column, name) in self.checks.columns.iter().zip(&checks.check_names) {
            if column.get(at) == Datum::Bool(false) {
                return Err(check_violation(checks, name, values, session));
            }
        }
        match &self.failed {
            Some((row, error)) if at >= *row => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// What indexes compute from a row.
    pub(super) fn expressions(&self, at: usize) -> &[Option<Vec<Datum>>] {
        &self.expressions[at]
    }
}

fn check_violation(checks: &RowChecks, name: &str, values: &[Datum], session: &SessionContext) -> PgError {
    let table = &checks.table;
    PgError::new(
        SqlState::CHECK_VIOLATION,
        format!("new row for relation \"{}\" violates check constraint \"{name}\"", table.name),
    )
    .with_detail(format!("Failing row contains {}.", failing_row(table, values, &session.style)))
    .with_schema(checks.schema.as_str())
    .with_table(table.name.as_str())
    .with_constraint(name)
}

pub(super) fn column_index(attnum: i16) -> usize {
    usize::try_from(attnum - 1).expect("attnums of user columns start at 1")
}

async fn project(evaluator: &mut Evaluator, batch: &Batch) -> Result<Evaluated> {
    if evaluator.is_empty() {
        return Ok(Evaluated { columns: Vec::new(), rows: batch.rows(), error: None });
    }
    std::future::poll_fn(|cx| evaluator.poll_project(cx, batch)).await
}
