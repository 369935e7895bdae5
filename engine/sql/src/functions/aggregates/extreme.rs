//! min and max of every ordered type, and any_value.

use std::cmp::Ordering;

use helios_types::{Column, ColumnData, Datum, Oid, Result, compare, oid};

use super::{Accumulator, Entry, FunctionContext, Input};
use crate::functions::bytes::without_padding;
use crate::functions::float;
use crate::functions::native::{Native, mismatch};

macro_rules! extremes {
    ($($oid:ident => $state:expr,)*) => {
        &[
            $(
                ("min", &[oid::$oid], |_| Ok($state(Ordering::Less))),
                ("max", &[oid::$oid], |_| Ok($state(Ordering::Greater))),
            )*
            ("any_value", &[oid::ANYELEMENT], |_| Ok(Box::new(AnyValue(Vec::new())))),
        ]
    };
}

/// Aggregates of this module.
pub(super) const AGGREGATES: &[Entry] = extremes! {
    INT2 => Extreme::<i16>::boxed,
    INT4 => Extreme::<i32>::boxed,
    INT8 => Extreme::<i64>::boxed,
    OID => Extreme::<u32>::boxed,
    XID8 => Extreme::<i64>::boxed,
    FLOAT4 => Extreme::<f32>::boxed,
    FLOAT8 => Extreme::<f64>::boxed,
    DATE => Extreme::<i32>::boxed,
    TIME => Extreme::<i64>::boxed,
    TIMESTAMP => Extreme::<i64>::boxed,
    TIMESTAMPTZ => Extreme::<i64>::boxed,
    NUMERIC => General::numeric,
    TEXT => General::bytes,
    BYTEA => General::bytes,
    BPCHAR => General::padded,
    INTERVAL => General::any,
    TIMETZ => General::any,
    TID => General::any,
    ANYARRAY => General::any,
    RECORD => General::any,
};

/// Types whose values are compared where they lie.
trait Ordered: Native + Send {
    fn order(self, other: Self) -> Ordering;
}

macro_rules! ordered {
    ($($type:ty: |$a:ident, $b:ident| $order:expr,)*) => {
        $(
            impl Ordered for $type {
                #[inline]
                fn order(self, other: $type) -> Ordering {
                    let ($a, $b) = (self, other);
                    $order
                }
            }
        )*
    };
}

ordered! {
    i16: |a, b| a.cmp(&b),
    i32: |a, b| a.cmp(&b),
    i64: |a, b| a.cmp(&b),
    u32: |a, b| a.cmp(&b),
    f32: |a, b| float::compare(f64::from(a), f64::from(b)),
    f64: |a, b| float::compare(a, b),
}

struct Extreme<T> {
    values: Vec<T>,
    seen: Vec<bool>,
    keep: Ordering,
}

impl<T: Ordered + 'static> Extreme<T> {
    fn boxed(keep: Ordering) -> Box<dyn Accumulator> {
        Box::new(Extreme::<T> { values: Vec::new(), seen: Vec::new(), keep })
    }
}

impl<T: Ordered> Accumulator for Extreme<T> {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, T::default());
        self.seen.resize(groups, false);
    }

    fn feed(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        let (values, seen, keep) = (&mut self.values[..], &mut self.seen[..], self.keep);
        input.each_value(|group, value: T| {
            // Of equal values (0 and -0) the last one stays.
            if !seen[group] || value.order(values[group]) != keep.reverse() {
                values[group] = value;
                seen[group] = true;
            }
            Ok(())
        })
    }

    fn finish(&mut self, _: &FunctionContext<'_>, group: usize, _: &[Datum]) -> Result<Datum> {
        Ok(if self.seen[group] { self.values[group].datum() } else { Datum::Null })
    }

    fn reset(&mut self, group: usize) {
        self.seen[group] = false;
    }

    fn memory(&self) -> usize {
        self.values.capacity() * size_of::<T>() + self.seen.capacity()
    }
}

/// Compares a row with a kept value, if possible without making a value of the row.
type Compare = fn(Oid, &Datum, &Column, usize) -> Ordering;

/// Any type with an order, one value a group.
struct General {
    values: Vec<Datum>,
    compare: Compare,
    keep: Ordering,
    /// Equal values may print differently (1.0 and 1.00): PostgreSQL keeps the last, but for bpchar.
    last_of_equals: bool,
}

fn contents(column: &Column, row: usize) -> &[u8] {
    match &column.data {
        ColumnData::Text(values) | ColumnData::Bytes(values) => values.get(row),
        other => mismatch("Text or Bytes", &other.physical()),
    }
}

fn kept(datum: &Datum) -> &[u8] {
    match datum {
        Datum::Text(text) => text.as_bytes(),
        Datum::Bytes(bytes) => bytes,
        other => mismatch("Text or Bytes", other),
    }
}

impl General {
    fn boxed(keep: Ordering, compare: Compare) -> Box<dyn Accumulator> {
        Box::new(General { values: Vec::new(), compare, keep, last_of_equals: true })
    }

    fn bytes(keep: Ordering) -> Box<dyn Accumulator> {
        General::boxed(keep, |_, before, column, row| contents(column, row).cmp(kept(before)))
    }

    fn padded(keep: Ordering) -> Box<dyn Accumulator> {
        let compare: Compare =
            |_, before, column, row| without_padding(contents(column, row)).cmp(without_padding(kept(before)));
        Box::new(General { values: Vec::new(), compare, keep, last_of_equals: false })
    }

    fn any(keep: Ordering) -> Box<dyn Accumulator> {
        General::boxed(keep, |ty, before, column, row| compare(ty, &column.get(row), before))
    }

    fn numeric(keep: Ordering) -> Box<dyn Accumulator> {
        General::boxed(keep, |_, before, column, row| match (before, &column.data) {
            (Datum::Numeric(before), ColumnData::Numeric(values)) => values[row].cmp(before),
            (_, other) => mismatch("Numeric", &other.physical()),
        })
    }
}

impl Accumulator for General {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, Datum::Null);
    }

    fn feed(&mut self, ctx: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        let (column, ty) = (input.args[0], ctx.arg_types[0]);
        input.each_strict(|row, group| {
            let before = &mut self.values[group];
            let replaces = |order: Ordering| order == self.keep || (order.is_eq() && self.last_of_equals);
            if before.is_null() || replaces((self.compare)(ty, before, column, row)) {
                *before = column.get(row);
            }
            Ok(())
        })
    }

    fn finish(&mut self, _: &FunctionContext<'_>, group: usize, _: &[Datum]) -> Result<Datum> {
        Ok(self.values[group].clone())
    }

    fn reset(&mut self, group: usize) {
        self.values[group] = Datum::Null;
    }

    fn memory(&self) -> usize {
        self.values.capacity() * size_of::<Datum>() + self.values.iter().map(Datum::heap_memory).sum::<usize>()
    }
}

/// The first value that is not NULL.
struct AnyValue(Vec<Datum>);

impl Accumulator for AnyValue {
    fn resize(&mut self, groups: usize) {
        self.0.resize(groups, Datum::Null);
    }

    fn feed(&mut self, _: &FunctionContext<'_>, input: &Input<'_>) -> Result<()> {
        input.each_strict(|row, group| {
            if self.0[group].is_null() {
                self.0[group] = input.args[0].get(row);
            }
            Ok(())
        })
    }

    fn finish(&mut self, _: &FunctionContext<'_>, group: usize, _: &[Datum]) -> Result<Datum> {
        Ok(self.0[group].clone())
    }

    fn reset(&mut self, group: usize) {
        self.0[group] = Datum::Null;
    }

    fn memory(&self) -> usize {
        self.0.capacity() * size_of::<Datum>() + self.0.iter().map(Datum::heap_memory).sum::<usize>()
    }
}
