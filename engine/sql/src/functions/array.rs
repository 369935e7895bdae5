//! Arrays: shape, joining, cutting, filling, containment.
//!
//! An array has up to six dimensions with lower bounds of their own; what most functions see is a vector. Elements are
//! compared by their type's order, NULLs being equal to one another where SQL says `IS NOT DISTINCT FROM`.

use std::sync::Arc;

use helios_types::{Array, Datum, Oid, PgError, Result, SqlState, compare};

use super::arguments::{array_at, i32_at};
use super::{Entry, FunctionContext, Implementation};

const DIMENSIONS_MAX: usize = 6;
const ELEMENTS_MAX: i64 = 134_217_727;

/// An array as a value.
pub(super) fn array(element_type: Oid, dimensions: Vec<(i32, i32)>, elements: Vec<Datum>) -> Datum {
    Datum::Array(Arc::new(Array { element_type, dimensions, elements }))
}

#[cold]
pub(super) fn subscript_error(message: impl Into<String>) -> PgError {
    PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message.into())
}

#[cold]
fn null_not_allowed(message: &'static str) -> PgError {
    PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message)
}

/// The type of the elements, of an array argument or of the call's result.
fn element_type(ctx: &FunctionContext<'_>, args: &[Datum], position: usize) -> Oid {
    match &args[position] {
        Datum::Array(array) => array.element_type,
        _ => helios_types::oid::array_element(ctx.arg_types[position]).unwrap_or(Oid::NONE),
    }
}

fn length(ctx_dimension: i32, array: &Array) -> Option<(i32, i32)> {
    usize::try_from(ctx_dimension).ok()?.checked_sub(1).and_then(|index| array.dimensions.get(index)).copied()
}

fn optional(value: Option<i32>) -> Result<Datum> {
    Ok(value.map_or(Datum::Null, Datum::I32))
}

fn dims(args: &[Datum]) -> Datum {
    let array = array_at(args, 0);
    if array.dimensions.is_empty() {
        return Datum::Null;
    }
    let dims = array.dimensions.iter().map(|(length, lower)| format!("[{lower}:{}]", lower + length - 1));
    Datum::text(dims.collect::<String>())
}

/// `array || element` and `element || array`.
fn push(ctx: &FunctionContext<'_>, args: &[Datum], at: usize, front: bool) -> Result<Datum> {
    let element = args[1 - at].clone();
    let Datum::Array(before) = &args[at] else {
        let element_type = helios_types::oid::array_element(ctx.arg_types[at])
            .or_else(|| helios_types::oid::array_element(ctx.result.oid))
            .unwrap_or(ctx.arg_types[1 - at]);
        return Ok(array(element_type, vec![(1, 1)], vec![element]));
    };
    let (length, lower) = match before.dimensions.as_slice() {
        [] => (0, 1),
        [only] => *only,
        _ => {
            return Err(PgError::new(SqlState::DATA_EXCEPTION, "argument must be empty or one-dimensional array"));
        }
    };
    let bound = if front { lower.checked_sub(1) } else { lower.checked_add(length) };
    if bound.is_none() {
        return Err(PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"));
    }
    let mut elements = before.elements.clone();
    elements.insert(if front { 0 } else { elements.len() }, element);
    Ok(array(before.element_type, vec![(length + 1, lower)], elements))
}

/// `array || array`: side by side, or one as an element of the other.
fn cat(args: &[Datum]) -> Result<Datum> {
    let (Datum::Array(a), Datum::Array(b)) = (&args[0], &args[1]) else {
        return Ok(args[usize::from(args[0].is_null())].clone());
    };
    let (a_dims, b_dims) = (&a.dimensions, &b.dimensions);
    if a_dims.is_empty() {
        return Ok(args[1].clone());
    }
    if b_dims.is_empty() {
        return Ok(args[0].clone());
    }
    let incompatible = |detail: String| subscript_error("cannot concatenate incompatible arrays").with_detail(detail);
    let lengths = |dims: &[(i32, i32)]| dims.iter().map(|(length, _)| *length).collect::<Vec<i32>>();
    let dimensions = if a_dims.len() == b_dims.len() {
        if lengths(&a_dims[1..]) != lengths(&b_dims[1..]) {
            return Err(incompatible(
                "Arrays with differing element dimensions are not compatible for concatenation.".into(),
            ));
        }
        let mut dimensions = a_dims.clone();
        dimensions[0].0 += b_dims[0].0;
        dimensions
    } else {
        let (inner, outer) = if a_dims.len() < b_dims.len() { (a_dims, b_dims) } else { (b_dims, a_dims) };
        if inner.len() + 1 != outer.len() {
            return Err(incompatible(format!(
                "Arrays of {} and {} dimensions are not compatible for concatenation.",
                a_dims.len(),
                b_dims.len()
            )));
        }
        if lengths(inner) != lengths(&outer[1..]) {
            return Err(incompatible("Arrays with differing dimensions are not compatible for concatenation.".into()));
        }
        let mut dimensions = outer.clone();
        dimensions[0].0 += 1;
        dimensions
    };
    let elements = a.elements.iter().chain(&b.elements).cloned().collect();
    Ok(array(a.element_type, dimensions, elements))
}

/// Whether two elements are the same, NULLs included.
pub(super) fn same(element_type: Oid, a: &Datum, b: &Datum) -> bool {
    compare(element_type, a, b).is_eq()
}

/// `array_position` and `array_positions` see vectors only.
fn searchable(array: &Array) -> Result<i32> {
    match array.dimensions.as_slice() {
        [] => Ok(1),
        [(_, lower)] => Ok(*lower),
        _ => Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "searching for elements in multidimensional arrays is not supported",
        )),
    }
}

fn position(args: &[Datum]) -> Result<Datum> {
    let Datum::Array(array) = &args[0] else { return Ok(Datum::Null) };
    let lower = searchable(array)?;
    let from = match args.get(2) {
        None => lower,
        Some(Datum::Null) => return Err(null_not_allowed("initial position must not be null")),
        Some(_) => i32_at(args, 2),
    };
    let found = array
        .elements
        .iter()
        .enumerate()
        .map(|(index, element)| (lower + index as i32, element))
        .find(|(place, element)| *place >= from && same(array.element_type, element, &args[1]));
    optional(found.map(|(place, _)| place))
}

fn positions(args: &[Datum]) -> Result<Datum> {
    let Datum::Array(array) = &args[0] else { return Ok(Datum::Null) };
    let lower = searchable(array)?;
    let found = array
        .elements
        .iter()
        .enumerate()
        .filter(|(_, element)| same(array.element_type, element, &args[1]))
        .map(|(index, _)| Datum::I32(lower + index as i32));
    Ok(Datum::Array(Arc::new(Array::vector(helios_types::oid::INT4, found.collect()))))
}

fn remove(args: &[Datum]) -> Result<Datum> {
    let Datum::Array(before) = &args[0] else { return Ok(Datum::Null) };
    if before.dimensions.len() > 1 {
        return Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "removing elements from multidimensional arrays is not supported",
        ));
    }
    let kept: Vec<Datum> =
        before.elements.iter().filter(|element| !same(before.element_type, element, &args[1])).cloned().collect();
    if kept.is_empty() {
        return Ok(array(before.element_type, Vec::new(), Vec::new()));
    }
    let lower = before.dimensions[0].1;
    Ok(array(before.element_type, vec![(kept.len() as i32, lower)], kept))
}

fn replace(args: &[Datum]) -> Result<Datum> {
    let Datum::Array(before) = &args[0] else { return Ok(Datum::Null) };
    let new =
        |element: &Datum| if same(before.element_type, element, &args[1]) { args[2].clone() } else { element.clone() };
    Ok(array(before.element_type, before.dimensions.clone(), before.elements.iter().map(new).collect()))
}

/// The integers of a one-dimensional array without NULLs.
fn integers(datum: &Datum) -> Result<Vec<i32>> {
    let Datum::Array(array) = datum else {
        return Err(null_not_allowed("dimension array or low bound array cannot be null"));
    };
    if array.dimensions.len() > 1 {
        return Err(
            subscript_error("wrong number of array subscripts").with_detail("Dimension array must be one dimensional.")
        );
    }
    let integer = |element: &Datum| match element {
        Datum::I32(value) => Ok(*value),
        _ => Err(null_not_allowed("dimension values cannot be null")),
    };
    array.elements.iter().map(integer).collect()
}

fn fill(ctx: &FunctionContext<'_>, args: &[Datum]) -> Result<Datum> {
    let lengths = integers(&args[1])?;
    let lowers = args.get(2).map(integers).transpose()?.unwrap_or_else(|| vec![1; lengths.len()]);
    if lengths.len() > DIMENSIONS_MAX {
        return Err(PgError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("number of array dimensions ({}) exceeds the maximum allowed ({DIMENSIONS_MAX})", lengths.len()),
        ));
    }
    if lowers.len() != lengths.len() {
        return Err(subscript_error("wrong number of array subscripts")
            .with_detail("Low bound array has different size than dimensions array."));
    }
    let too_large = || {
        PgError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("array size exceeds the maximum allowed ({ELEMENTS_MAX})"),
        )
    };
    let mut count = 1i64;
    for length in &lengths {
        if *length < 0 {
            return Err(too_large());
        }
        count = count.saturating_mul(i64::from(*length));
    }
    if count > ELEMENTS_MAX {
        return Err(too_large());
    }
    let element_type = ctx.arg_types[0];
    if count == 0 || lengths.is_empty() {
        return Ok(array(element_type, Vec::new(), Vec::new()));
    }
    for (length, lower) in lengths.iter().zip(&lowers) {
        if lower.checked_add(*length).is_none() {
            return Err(PgError::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!("array lower bound is too large: {lower}"),
            ));
        }
    }
    let dimensions = lengths.into_iter().zip(lowers).collect();
    Ok(array(element_type, dimensions, vec![args[0].clone(); count as usize]))
}

/// Leaves out the last elements of the first dimension.
fn trim(args: &[Datum]) -> Result<Datum> {
    let (before, count) = (array_at(args, 0), i32_at(args, 1));
    let length = before.dimensions.first().map_or(0, |(length, _)| *length);
    if !(0..=length).contains(&count) {
        return Err(subscript_error(format!("number of elements to trim must be between 0 and {length}")));
    }
    if before.dimensions.is_empty() || count == length {
        return Ok(array(before.element_type, Vec::new(), Vec::new()));
    }
    let mut dimensions: Vec<(i32, i32)> = before.dimensions.iter().map(|(length, _)| (*length, 1)).collect();
    let slice = before.elements.len() / length as usize;
    dimensions[0].0 -= count;
    let kept = dimensions[0].0 as usize * slice;
    Ok(array(before.element_type, dimensions, before.elements[..kept].to_vec()))
}

/// Whether every element of `b` is in `a`. A NULL is in nothing.
fn contains(a: &Array, b: &Array) -> bool {
    b.elements
        .iter()
        .all(|wanted| !wanted.is_null() && a.elements.iter().any(|element| same(a.element_type, element, wanted)))
}

fn overlaps(a: &Array, b: &Array) -> bool {
    b.elements
        .iter()
        .any(|wanted| !wanted.is_null() && a.elements.iter().any(|element| same(a.element_type, element, wanted)))
}

/// The slices of the first dimension.
fn slices(array: &Array) -> Vec<&[Datum]> {
    match array.dimensions.first() {
        Some((length, _)) => array.elements.chunks(array.elements.len() / *length as usize).collect(),
        None => Vec::new(),
    }
}

/// The array with its slices in another order.
fn rearranged(before: &Array, slices: Vec<&[Datum]>) -> Datum {
    array(before.element_type, before.dimensions.clone(), slices.concat())
}

/// `array_sort`: by the elements, or by the slices of a multidimensional array.
fn sort(args: &[Datum], descending: bool, nulls_first: bool) -> Datum {
    let before = array_at(args, 0);
    let mut slices = slices(before);
    let element_type = before.element_type;
    let vector = before.dimensions.len() == 1;
    slices.sort_by(|a, b| {
        let order = if vector && (a[0].is_null() || b[0].is_null()) {
            return if nulls_first { b[0].is_null().cmp(&a[0].is_null()) } else { a[0].is_null().cmp(&b[0].is_null()) };
        } else {
            a.iter().zip(*b).map(|(a, b)| compare(element_type, a, b)).find(|order| order.is_ne())
        };
        let order = order.unwrap_or(std::cmp::Ordering::Equal);
        if descending { order.reverse() } else { order }
    });
    rearranged(before, slices)
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    (
        "array_ndims",
        Implementation::Scalar(|_, args| {
            let count = array_at(args, 0).dimensions.len() as i32;
            optional((count > 0).then_some(count))
        }),
    ),
    ("array_dims", Implementation::Scalar(|_, args| Ok(dims(args)))),
    (
        "array_length",
        Implementation::Scalar(|_, args| {
            optional(length(i32_at(args, 1), array_at(args, 0)).map(|(length, _)| length))
        }),
    ),
    (
        "array_lower",
        Implementation::Scalar(|_, args| optional(length(i32_at(args, 1), array_at(args, 0)).map(|(_, lower)| lower))),
    ),
    (
        "array_upper",
        Implementation::Scalar(|_, args| {
            optional(length(i32_at(args, 1), array_at(args, 0)).map(|(length, lower)| lower + length - 1))
        }),
    ),
    ("array_cardinality", Implementation::Scalar(|_, args| Ok(Datum::I32(array_at(args, 0).elements.len() as i32)))),
    ("array_append", Implementation::Scalar(|ctx, args| push(ctx, args, 0, false))),
    ("array_prepend", Implementation::Scalar(|ctx, args| push(ctx, args, 1, true))),
    ("array_cat", Implementation::Scalar(|_, args| cat(args))),
    ("array_position", Implementation::Scalar(|_, args| position(args))),
    ("array_position_start", Implementation::Scalar(|_, args| position(args))),
    ("array_positions", Implementation::Scalar(|_, args| positions(args))),
    ("array_remove", Implementation::Scalar(|_, args| remove(args))),
    ("array_replace", Implementation::Scalar(|_, args| replace(args))),
    ("array_fill", Implementation::Scalar(fill)),
    ("array_fill_with_lower_bounds", Implementation::Scalar(fill)),
    ("trim_array", Implementation::Scalar(|_, args| trim(args))),
    (
        "arraycontains",
        Implementation::Scalar(|_, args| Ok(Datum::Bool(contains(array_at(args, 0), array_at(args, 1))))),
    ),
    (
        "arraycontained",
        Implementation::Scalar(|_, args| Ok(Datum::Bool(contains(array_at(args, 1), array_at(args, 0))))),
    ),
    ("arrayoverlap", Implementation::Scalar(|_, args| Ok(Datum::Bool(overlaps(array_at(args, 0), array_at(args, 1)))))),
    (
        "array_reverse",
        Implementation::Scalar(|_, args| {
            let before = array_at(args, 0);
            Ok(rearranged(before, slices(before).into_iter().rev().collect()))
        }),
    ),
    ("array_sort", Implementation::Scalar(|_, args| Ok(sort(args, false, false)))),
    (
        "array_sort_order",
        Implementation::Scalar(|_, args| {
            let descending = super::arguments::bool_at(args, 1);
            Ok(sort(args, descending, descending))
        }),
    ),
    (
        "array_sort_order_nulls_first",
        Implementation::Scalar(|_, args| {
            Ok(sort(args, super::arguments::bool_at(args, 1), super::arguments::bool_at(args, 2)))
        }),
    ),
    (
        "array_unnest",
        Implementation::Set(|_, args, emit| {
            array_at(args, 0).elements.iter().try_for_each(|element| emit(std::slice::from_ref(element)))
        }),
    ),
    ("generate_subscripts", Implementation::Set(|_, args, emit| subscripts(args, emit))),
    ("generate_subscripts_nodir", Implementation::Set(|_, args, emit| subscripts(args, emit))),
    ("width_bucket_array", Implementation::Scalar(width_bucket)),
]];

fn subscripts(args: &[Datum], emit: &mut dyn FnMut(&[Datum]) -> Result<()>) -> Result<()> {
    let Some((length, lower)) = length(i32_at(args, 1), array_at(args, 0)) else { return Ok(()) };
    let reverse = args.len() > 2 && super::arguments::bool_at(args, 2);
    (0..length)
        .try_for_each(|index| emit(&[Datum::I32(if reverse { lower + length - 1 - index } else { lower + index })]))
}

/// How many of the sorted thresholds are not above the operand.
fn width_bucket(ctx: &FunctionContext<'_>, args: &[Datum]) -> Result<Datum> {
    let thresholds = array_at(args, 1);
    if thresholds.dimensions.len() > 1 {
        return Err(subscript_error("thresholds must be one-dimensional array"));
    }
    if thresholds.elements.iter().any(Datum::is_null) {
        return Err(null_not_allowed("thresholds array must not contain NULLs"));
    }
    let element = element_type(ctx, args, 1);
    let below = thresholds.elements.partition_point(|threshold| compare(element, threshold, &args[0]).is_le());
    Ok(Datum::I32(below as i32))
}
