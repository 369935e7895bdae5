//! string_agg and array_agg: aggregates that keep what they are fed.

use std::sync::Arc;

use helios_types::{Array, Datum, PgError, Result, SqlState, oid};

use super::{Accumulator, Entry, FunctionContext, Input};
use crate::functions::bytes::byte_column;

/// Aggregates of this module.
pub(super) const AGGREGATES: &[Entry] = &[
    ("string_agg", &[oid::TEXT, oid::TEXT], |_| Ok(Box::new(StringAgg { values: Vec::new(), text: true }))),
    ("string_agg", &[oid::BYTEA, oid::BYTEA], |_| Ok(Box::new(StringAgg { values: Vec::new(), text: false }))),
    ("array_agg", &[oid::ANYNONARRAY], |_| Ok(Box::new(ArrayAgg(Vec::new())))),
    ("array_agg", &[oid::ANYARRAY], |_| Ok(Box::new(ArrayOfArrays(Vec::new())))),
];

/// Strings joined; a delimiter stands before each value but the first, and a NULL one is nothing.
struct StringAgg {
    values: Vec<Option<Vec<u8>>>,
    text: bool,
}

impl Accumulator for StringAgg {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, None);
    }

    fn feed(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        let (strings, delimiters) = (byte_column(input.args[0]), byte_column(input.args[1]));
        input.each_row(|row, group| {
            if input.args[0].is_null(row) {
                return Ok(());
            }
            match &mut self.values[group] {
                None => self.values[group] = Some(strings.get(row).to_vec()),
                Some(joined) => {
                    if !input.args[1].is_null(row) {
                        joined.extend_from_slice(delimiters.get(row));
                    }
                    joined.extend_from_slice(strings.get(row));
                }
            }
            Ok(())
        })
    }

    fn finish(&mut self, _: &FunctionContext<'_>, group: usize, _: &[Datum]) -> Result<Datum> {
        Ok(match &self.values[group] {
            None => Datum::Null,
            Some(joined) if self.text => {
                Datum::text(std::str::from_utf8(joined).expect("joined from valid UTF-8 strings"))
            }
            Some(joined) => Datum::Bytes(Arc::from(joined.as_slice())),
        })
    }

    fn reset(&mut self, group: usize) {
        self.values[group] = None;
    }

    fn memory(&self) -> usize {
        self.values.capacity() * size_of::<Option<Vec<u8>>>()
            + self.values.iter().flatten().map(Vec::capacity).sum::<usize>()
    }
}

/// Values, NULLs too, as an array; NULL when there were none.
struct ArrayAgg(Vec<Vec<Datum>>);

impl Accumulator for ArrayAgg {
    fn resize(&mut self, groups: usize) {
        self.0.resize(groups, Vec::new());
    }

    fn feed(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        input.each_row(|row, group| {
            self.0[group].push(input.args[0].get(row));
            Ok(())
        })
    }

    fn finish(&mut self, ctx: &FunctionContext<'_>, group: usize, _: &[Datum]) -> Result<Datum> {
        let values = &self.0[group];
        if values.is_empty() {
            return Ok(Datum::Null);
        }
        Ok(Datum::Array(Arc::new(Array::vector(ctx.arg_types[0], values.clone()))))
    }

    fn reset(&mut self, group: usize) {
        self.0[group].clear();
    }

    fn memory(&self) -> usize {
        let of = |values: &Vec<Datum>| {
            values.capacity() * size_of::<Datum>() + values.iter().map(Datum::heap_memory).sum::<usize>()
        };
        self.0.capacity() * size_of::<Vec<Datum>>() + self.0.iter().map(of).sum::<usize>()
    }
}

/// Arrays of one shape, as an array of one dimension more.
struct ArrayOfArrays(Vec<Vec<Arc<Array>>>);

impl Accumulator for ArrayOfArrays {
    fn resize(&mut self, groups: usize) {
        self.0.resize(groups, Vec::new());
    }

    fn feed(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        input.each_row(|row, group| {
            let Datum::Array(array) = input.args[0].get(row) else {
                return Err(PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "cannot accumulate null arrays"));
            };
            let refuse = |message| Err(PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
            if array.dimensions.is_empty() {
                return refuse("cannot accumulate empty arrays");
            }
            let lengths = |array: &Array| array.dimensions.iter().map(|(length, _)| *length).collect::<Vec<i32>>();
            if self.0[group].first().is_some_and(|first| lengths(first) != lengths(&array)) {
                return refuse("cannot accumulate arrays of different dimensionality");
            }
            self.0[group].push(array);
            Ok(())
        })
    }

    fn finish(&mut self, _: &FunctionContext<'_>, group: usize, _: &[Datum]) -> Result<Datum> {
        let arrays = &self.0[group];
        let Some(first) = arrays.first() else { return Ok(Datum::Null) };
        let mut dimensions = vec![(arrays.len() as i32, 1)];
        dimensions.extend(first.dimensions.iter().copied());
        Ok(Datum::Array(Arc::new(Array {
            element_type: first.element_type,
            dimensions,
            elements: arrays.iter().flat_map(|array| array.elements.iter().cloned()).collect(),
        })))
    }

    fn reset(&mut self, group: usize) {
        self.0[group].clear();
    }

    fn memory(&self) -> usize {
        let of = |array: &Arc<Array>| Datum::Array(array.clone()).heap_memory();
        self.0.iter().flatten().map(of).sum::<usize>() + self.0.capacity() * size_of::<Vec<Arc<Array>>>()
    }
}
