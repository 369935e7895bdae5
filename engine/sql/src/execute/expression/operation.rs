//! What a node that needs all its arguments does to their values.

use std::cmp::Ordering;
use std::sync::Arc;

use helios_types::{Array, Datum, Oid, PgError, Physical, Result, SqlState};

use super::EvalContext;
use super::call::Call;
use super::subscript;
use crate::expr::{BoolTest, ExprType, RowCompareOp, SqlValue};

/// An operation on values.
#[derive(Debug)]
pub(crate) enum Operation {
    Call(Call),
    Not,
    /// By the equality of the call.
    DistinctFrom {
        equal: Call,
        negated: bool,
    },
    /// By the equality of the call.
    NullIf(Call),
    /// Scalar, then array.
    ScalarArray {
        compare: Call,
        any: bool,
    },
    NullTest {
        negated: bool,
        row: bool,
    },
    BooleanTest(BoolTest),
    MinMax {
        greatest: bool,
        ty: ExprType,
    },
    /// Through the text form.
    CoerceViaIo {
        from: Oid,
        to: ExprType,
    },
    /// The same bits under another physical class: oid and its kin are unsigned, int4 is not.
    Relabel(Physical),
    ApplyTypmod {
        ty: ExprType,
        explicit: bool,
    },
    Array {
        element: Oid,
        multidimensional: bool,
    },
    /// The array, then per dimension the lower bound (when `lower` says so) and the upper bound.
    Subscript {
        slice: bool,
        bounds: Box<[(bool, bool)]>,
    },
    /// As `Subscript`, with the new value last.
    SubscriptAssign {
        slice: bool,
        bounds: Box<[(bool, bool)]>,
        element: Oid,
    },
    Row {
        types: Arc<[Oid]>,
    },
    Field(usize),
    /// The left values, then the right ones; each pair has its type and collation.
    RowCompare {
        op: RowCompareOp,
        columns: Box<[ExprType]>,
    },
    SqlValue(SqlValue, ExprType),
}

impl Operation {
    /// The operation's value.
    pub(crate) fn apply(&self, args: &[Datum], env: &EvalContext<'_>) -> Result<Datum> {
        match self {
            Operation::Call(call) => call.row(args, env),
            Operation::Not => Ok(match &args[0] {
                Datum::Bool(value) => Datum::Bool(!value),
                _ => Datum::Null,
            }),
            Operation::DistinctFrom { equal, negated } => {
                let distinct = match (args[0].is_null(), args[1].is_null()) {
                    (true, true) => false,
                    (false, false) => equal.row(args, env)? != Datum::Bool(true),
                    _ => true,
                };
                Ok(Datum::Bool(distinct != *negated))
            }
            Operation::NullIf(equal) => {
                if !args[0].is_null() && !args[1].is_null() && equal.row(args, env)? == Datum::Bool(true) {
                    return Ok(Datum::Null);
                }
                Ok(args[0].clone())
            }
            Operation::ScalarArray { compare, any } => scalar_array(compare, *any, args, env),
            Operation::NullTest { negated, row } => Ok(Datum::Bool(null_test(&args[0], *negated, *row))),
            Operation::BooleanTest(test) => Ok(Datum::Bool(boolean_test(&args[0], *test))),
            Operation::MinMax { greatest, ty } => Ok(min_max(args, *greatest, *ty)),
            Operation::CoerceViaIo { from, to } => env.coerce_via_io(&args[0], *from, *to),
            Operation::Relabel(physical) => Ok(relabel(&args[0], *physical)),
            Operation::ApplyTypmod { ty, explicit } => match &args[0] {
                Datum::Null => Ok(Datum::Null),
                value => helios_types::apply_typmod(ty.oid, ty.typmod, value.clone(), *explicit),
            },
            Operation::Array { element, multidimensional } => array(args, *element, *multidimensional),
            Operation::Subscript { slice, bounds } => subscript::fetch(args, *slice, bounds),
            Operation::SubscriptAssign { slice, bounds, element } => subscript::assign(args, *slice, bounds, *element),
            Operation::Row { types } => Ok(Datum::record(types.clone(), args.to_vec())),
            Operation::Field(index) => match &args[0] {
                Datum::Null => Ok(Datum::Null),
                Datum::Record(record) => Ok(record.values.get(*index).cloned().unwrap_or(Datum::Null)),
                other => Err(PgError::internal(format_args!("a field of {other:?}"))),
            },
            Operation::RowCompare { op, columns } => Ok(row_compare(args, *op, columns)),
            Operation::SqlValue(value, ty) => super::sql_value::value(*value, *ty, env.session),
        }
    }

    /// Whether no argument can make it fail, so that it may run over rows that nobody asked for.
    pub(crate) fn infallible(&self) -> bool {
        match self {
            Operation::Call(call) => call.infallible,
            Operation::Not | Operation::NullTest { .. } | Operation::BooleanTest(_) | Operation::Relabel(_) => true,
            Operation::DistinctFrom { equal, .. } | Operation::NullIf(equal) => equal.infallible,
            _ => false,
        }
    }
}

/// A value as another physical class has it.
pub(crate) fn relabel(value: &Datum, physical: Physical) -> Datum {
    match (value, physical) {
        (Datum::I32(value), Physical::U32) => Datum::U32(value.cast_unsigned()),
        (Datum::U32(value), Physical::I32) => Datum::I32(value.cast_signed()),
        _ => value.clone(),
    }
}

/// `IS [NOT] NULL`; of a row it asks whether all fields are (not) NULL.
pub(crate) fn null_test(value: &Datum, negated: bool, row: bool) -> bool {
    match value {
        Datum::Record(record) if row => record.values.iter().all(|field| field.is_null() != negated),
        value => value.is_null() != negated,
    }
}

/// `IS [NOT] TRUE` and its kin.
pub(crate) fn boolean_test(value: &Datum, test: BoolTest) -> bool {
    let value = match value {
        Datum::Bool(value) => Some(*value),
        _ => None,
    };
    match test {
        BoolTest::IsTrue => value == Some(true),
        BoolTest::IsNotTrue => value != Some(true),
        BoolTest::IsFalse => value == Some(false),
        BoolTest::IsNotFalse => value != Some(false),
        BoolTest::IsUnknown => value.is_none(),
        BoolTest::IsNotUnknown => value.is_some(),
    }
}

fn scalar_array(compare: &Call, any: bool, args: &[Datum], env: &EvalContext<'_>) -> Result<Datum> {
    let array = match &args[1] {
        Datum::Array(array) => array,
        Datum::Null => return Ok(Datum::Null),
        other => return Err(PgError::internal(format_args!("ANY of {other:?}"))),
    };
    if array.elements.is_empty() {
        return Ok(Datum::Bool(!any));
    }
    if args[0].is_null() && compare.strict {
        return Ok(Datum::Null);
    }
    let mut unknown = false;
    let mut pair = [args[0].clone(), Datum::Null];
    for element in &array.elements {
        pair[1] = element.clone();
        match compare.row(&pair, env)? {
            Datum::Bool(value) if value == any => return Ok(Datum::Bool(any)),
            Datum::Null => unknown = true,
            _ => {}
        }
    }
    Ok(if unknown { Datum::Null } else { Datum::Bool(!any) })
}

fn min_max(args: &[Datum], greatest: bool, ty: ExprType) -> Datum {
    let mut best = &Datum::Null;
    for value in args.iter().filter(|value| !value.is_null()) {
        let better = best.is_null() || {
            let order = helios_types::compare(ty.oid, value, best);
            if greatest { order == Ordering::Greater } else { order == Ordering::Less }
        };
        if better {
            best = value;
        }
    }
    best.clone()
}

fn array(args: &[Datum], element: Oid, multidimensional: bool) -> Result<Datum> {
    if !multidimensional {
        return Ok(Datum::Array(Arc::new(Array::vector(element, args.to_vec()))));
    }
    let mismatch = || {
        PgError::new(
            SqlState::ARRAY_SUBSCRIPT_ERROR,
            "multidimensional arrays must have array expressions with matching dimensions",
        )
    };
    let mut dimensions: Option<Vec<(i32, i32)>> = None;
    let mut elements = Vec::new();
    let mut inner = 0i32;
    let mut empty = false;
    for arg in args {
        // As in PostgreSQL, NULL and empty inner arrays are passed over, unless they stand beside others.
        let part = match arg {
            Datum::Null => {
                empty = true;
                continue;
            }
            Datum::Array(part) if part.dimensions.is_empty() => {
                empty = true;
                continue;
            }
            Datum::Array(part) => part,
            other => return Err(PgError::internal(format_args!("an array of {other:?}"))),
        };
        match &dimensions {
            None => dimensions = Some(part.dimensions.clone()),
            Some(first) if *first != part.dimensions => return Err(mismatch()),
            Some(_) => {}
        }
        elements.extend_from_slice(&part.elements);
        inner += 1;
    }
    let Some(first) = dimensions else {
        return Ok(Datum::Array(Arc::new(Array::vector(element, Vec::new()))));
    };
    if empty {
        return Err(mismatch());
    }
    let mut dimensions = vec![(inner, 1)];
    dimensions.extend(first);
    if dimensions.len() > 6 {
        return Err(PgError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("number of array dimensions ({}) exceeds the maximum allowed (6)", dimensions.len()),
        ));
    }
    Ok(Datum::Array(Arc::new(Array { element_type: element, dimensions, elements })))
}

fn row_compare(args: &[Datum], op: RowCompareOp, columns: &[ExprType]) -> Datum {
    let (left, right) = args.split_at(columns.len());
    let mut order = Ordering::Equal;
    for ((left, right), ty) in left.iter().zip(right).zip(columns) {
        if left.is_null() || right.is_null() {
            return Datum::Null;
        }
        order = helios_types::compare(ty.oid, left, right);
        if order != Ordering::Equal {
            break;
        }
    }
    Datum::Bool(match op {
        RowCompareOp::Lt => order.is_lt(),
        RowCompareOp::Le => order.is_le(),
        RowCompareOp::Ge => order.is_ge(),
        RowCompareOp::Gt => order.is_gt(),
    })
}
