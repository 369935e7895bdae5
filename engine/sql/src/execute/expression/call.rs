//! A resolved function call: what runs and what it is told.

use std::sync::Arc;

use helios_types::{Bitmap, Column, ColumnBuilder, Datum, Oid, PgError, Result};

use super::EvalContext;
use crate::execute::batch::ColumnRef;
use crate::expr::ExprType;
use crate::functions::{CallCache, FunctionContext, Implementation};

/// A call of a pure function.
pub(crate) struct Call {
    pub(crate) name: Arc<str>,
    pub(crate) implementation: Implementation,
    pub(crate) strict: bool,
    /// Whether no argument can make it fail, so that it may run over rows that nobody asked for.
    pub(crate) infallible: bool,
    pub(crate) arg_types: Box<[Oid]>,
    pub(crate) result: ExprType,
    pub(crate) collation: Oid,
    pub(crate) variadic: bool,
    pub(crate) cache: CallCache,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Call {
    fn context<'a>(&'a self, env: &EvalContext<'a>) -> FunctionContext<'a> {
        FunctionContext {
            session: env.session,
            collation: self.collation,
            arg_types: &self.arg_types,
            result: self.result,
            variadic: self.variadic,
            cache: &self.cache,
        }
    }

    /// One row.
    pub(crate) fn row(&self, args: &[Datum], env: &EvalContext<'_>) -> Result<Datum> {
        if self.strict && args.iter().any(Datum::is_null) {
            return Ok(Datum::Null);
        }
        match self.implementation {
            Implementation::Scalar(scalar) | Implementation::Kernel(scalar, _) => scalar(&self.context(env), args),
            Implementation::Set(_) | Implementation::Suspending(_) => {
                Err(PgError::internal(format_args!("{} is not a plain function", self.name)))
            }
        }
    }

    /// `rows` rows; those in `skip` are not looked at.
    pub(crate) fn columns(
        &self,
        args: &[ColumnRef],
        rows: usize,
        skip: Option<&Bitmap>,
        env: &EvalContext<'_>,
    ) -> Result<Column> {
        let Implementation::Kernel(_, kernel) = self.implementation else {
            return self.row_by_row(args, rows, skip, env);
        };
        let args: smallvec::SmallVec<[&Column; 4]> = args.iter().map(|arg| &**arg).collect();
        let nulls = union(args.iter().filter_map(|arg| arg.nulls.as_ref()));
        let context = self.context(env);
        let data = match (skip, &nulls) {
            (None, None) => kernel(&context, &args, None, rows)?,
            (Some(skip), None) => kernel(&context, &args, Some(skip), rows)?,
            (None, Some(nulls)) => kernel(&context, &args, Some(nulls), rows)?,
            (Some(skip), Some(nulls)) => {
                let both = union([skip, nulls].into_iter());
                kernel(&context, &args, both.as_ref(), rows)?
            }
        };
        Ok(Column { data, nulls })
    }

    fn row_by_row(
        &self,
        args: &[ColumnRef],
        rows: usize,
        skip: Option<&Bitmap>,
        env: &EvalContext<'_>,
    ) -> Result<Column> {
        let mut builder = ColumnBuilder::new(self.result.oid, rows);
        let mut values = vec![Datum::Null; args.len()];
        for row in 0..rows {
            if skip.is_some_and(|skip| skip.get(row)) {
                builder.push_null();
                continue;
            }
            for (value, arg) in values.iter_mut().zip(args) {
                *value = arg.get(row);
            }
            builder.push(&self.row(&values, env)?);
        }
        Ok(builder.finish())
    }
}

/// The bits that are set in any of the bitmaps.
pub(crate) fn union<'a>(mut bitmaps: impl Iterator<Item = &'a Bitmap>) -> Option<Bitmap> {
    let mut all = bitmaps.next()?.clone();
    for bitmap in bitmaps {
        all.union(bitmap);
    }
    Some(all)
}
