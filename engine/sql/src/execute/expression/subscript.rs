//! Subscripts of arrays, as `array_get_element`, `array_get_slice` and `array_set_element` (`arrayfuncs.c`) do them.

use std::sync::Arc;

use helios_types::{Array, Datum, Oid, PgError, Result, SqlState};

/// A subscript that is there: int4.
fn subscript(value: &Datum) -> Option<i32> {
    match value {
        Datum::I32(value) => Some(*value),
        _ => None,
    }
}

/// The given bounds of each dimension; `None` when a given one is NULL.
fn given_bounds(values: &[Datum], bounds: &[(bool, bool)]) -> Option<Vec<(Option<i32>, Option<i32>)>> {
    let mut values = values.iter();
    let mut next =
        |given: bool| -> Option<Option<i32>> { if given { subscript(values.next()?).map(Some) } else { Some(None) } };
    bounds.iter().map(|(lower, upper)| Some((next(*lower)?, next(*upper)?))).collect()
}

/// `a[i]...` or `a[i:j]...`: the first argument is the array, then come the bounds that are given.
pub(crate) fn fetch(args: &[Datum], slice: bool, bounds: &[(bool, bool)]) -> Result<Datum> {
    let array = match &args[0] {
        Datum::Null => return Ok(Datum::Null),
        Datum::Array(array) => array,
        _ => return Err(PgError::unsupported("subscripting a value that is not an array")),
    };
    let Some(given) = given_bounds(&args[1..], bounds) else {
        return Ok(Datum::Null);
    };
    if slice { Ok(fetch_slice(array, &given)) } else { Ok(fetch_element(array, &given)) }
}

fn fetch_element(array: &Array, given: &[(Option<i32>, Option<i32>)]) -> Datum {
    if array.dimensions.len() != given.len() {
        return Datum::Null;
    }
    let mut offset = 0usize;
    for ((length, lower), (_, index)) in array.dimensions.iter().zip(given) {
        let position = i64::from(index.unwrap_or(i32::MIN)) - i64::from(*lower);
        if position < 0 || position >= i64::from(*length) {
            return Datum::Null;
        }
        offset = offset * *length as usize + position as usize;
    }
    array.elements.get(offset).cloned().unwrap_or(Datum::Null)
}

fn fetch_slice(array: &Array, given: &[(Option<i32>, Option<i32>)]) -> Datum {
    let empty = || Datum::Array(Arc::new(Array::vector(array.element_type, Vec::new())));
    if array.dimensions.len() < given.len() || array.dimensions.is_empty() {
        return empty();
    }
    let mut ranges = Vec::with_capacity(array.dimensions.len());
    for (index, (length, lower)) in array.dimensions.iter().enumerate() {
        let (from, to) = given.get(index).copied().unwrap_or((None, None));
        let upper = lower + length - 1;
        let from = from.unwrap_or(*lower).max(*lower);
        let to = to.unwrap_or(upper).min(upper);
        if from > to {
            return empty();
        }
        ranges.push((from - lower, to - from + 1));
    }
    let mut elements = Vec::new();
    copy_slice(array, &ranges, 0, 0, &mut elements);
    let dimensions = ranges.iter().map(|(_, length)| (*length, 1)).collect();
    Datum::Array(Arc::new(Array { element_type: array.element_type, dimensions, elements }))
}

fn copy_slice(array: &Array, ranges: &[(i32, i32)], dimension: usize, offset: usize, out: &mut Vec<Datum>) {
    let (from, length) = ranges[dimension];
    let base = offset * array.dimensions[dimension].0 as usize;
    for position in from..from + length {
        let at = base + position as usize;
        if dimension + 1 == ranges.len() {
            out.push(array.elements[at].clone());
        } else {
            copy_slice(array, ranges, dimension + 1, at, out);
        }
    }
}

/// The array with an element (or a slice of one dimension) replaced: array, given bounds, new value.
pub(crate) fn assign(args: &[Datum], slice: bool, bounds: &[(bool, bool)], element: Oid) -> Result<Datum> {
    let (value, rest) = args.split_last().expect("an assignment has a value");
    let Some(given) = given_bounds(&rest[1..], bounds) else {
        return Err(PgError::new(SqlState::NULL_VALUE_NOT_ALLOWED, "array subscript in assignment must not be null"));
    };
    let array = match &rest[0] {
        Datum::Null => Arc::new(Array::vector(element, Vec::new())),
        Datum::Array(array) => array.clone(),
        _ => return Err(PgError::unsupported("assigning to a subscript of a value that is not an array")),
    };
    if slice {
        return assign_slice(&array, &given, value, element);
    }
    let indexes: Vec<i32> = given.iter().map(|(_, index)| index.unwrap_or(1)).collect();
    if array.dimensions.is_empty() {
        let dimensions = indexes.iter().map(|index| (1, *index)).collect();
        let elements = vec![value.clone()];
        return Ok(Datum::Array(Arc::new(Array { element_type: element, dimensions, elements })));
    }
    if array.dimensions.len() != indexes.len() {
        return Err(PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts"));
    }
    if let [index] = indexes[..] {
        return assign_range(&array, index, std::slice::from_ref(value), element);
    }
    let mut offset = 0usize;
    for ((length, lower), index) in array.dimensions.iter().zip(&indexes) {
        let position = i64::from(*index) - i64::from(*lower);
        if position < 0 || position >= i64::from(*length) {
            return Err(out_of_range());
        }
        offset = offset * *length as usize + position as usize;
    }
    let mut changed = (*array).clone();
    changed.elements[offset] = value.clone();
    Ok(Datum::Array(Arc::new(changed)))
}

fn out_of_range() -> PgError {
    PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "array subscript out of range")
}

fn assign_slice(array: &Array, given: &[(Option<i32>, Option<i32>)], value: &Datum, element: Oid) -> Result<Datum> {
    let source = match value {
        // As in PostgreSQL, assigning NULL to a slice changes nothing.
        Datum::Null => return Ok(Datum::Array(Arc::new(array.clone()))),
        Datum::Array(source) => source,
        other => return Err(PgError::internal(format_args!("a slice of {other:?}"))),
    };
    let ([(lower, upper)], true) = (given, array.dimensions.len() <= 1) else {
        return Err(PgError::unsupported("assigning to a slice of a multidimensional array"));
    };
    let (length, first) = array.dimensions.first().copied().unwrap_or((0, 1));
    if array.dimensions.is_empty() && (lower.is_none() || upper.is_none()) {
        return Err(PgError::new(
            SqlState::ARRAY_SUBSCRIPT_ERROR,
            "array slice subscript must provide both boundaries",
        )
        .with_detail("When assigning to a slice of an empty array value, slice boundaries must be fully specified."));
    }
    let lower = lower.unwrap_or(first);
    let upper = upper.unwrap_or(first + length - 1);
    if lower > upper {
        return Err(PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "upper bound cannot be less than lower bound"));
    }
    let wanted = usize::try_from(i64::from(upper) - i64::from(lower) + 1).expect("upper is not below lower");
    if source.elements.len() < wanted {
        return Err(PgError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, "source array too small"));
    }
    assign_range(array, lower, &source.elements[..wanted], element)
}

/// Replaces elements of an array of at most one dimension, which grows as needed; gaps are NULL.
fn assign_range(array: &Array, index: i32, values: &[Datum], element: Oid) -> Result<Datum> {
    let (length, first) = array.dimensions.first().copied().unwrap_or((0, index));
    let last = i64::from(index) + values.len() as i64 - 1;
    let low = i64::from(first.min(index));
    let high = last.max(i64::from(first) + i64::from(length) - 1);
    let total = usize::try_from(high - low + 1).map_err(|_| out_of_range())?;
    if total > 134_217_727 || i32::try_from(high).is_err() {
        return Err(PgError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            "array size exceeds the maximum allowed (134217727)",
        ));
    }
    let mut elements = vec![Datum::Null; total];
    let old = (i64::from(first) - low) as usize;
    elements[old..old + array.elements.len()].clone_from_slice(&array.elements);
    let new = (i64::from(index) - low) as usize;
    elements[new..new + values.len()].clone_from_slice(values);
    let dimensions = vec![(i32::try_from(total).expect("checked above"), low as i32)];
    Ok(Datum::Array(Arc::new(Array { element_type: element, dimensions, elements })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use helios_types::oid;

    fn ints(values: &[i32]) -> Datum {
        let values = values.iter().map(|value| Datum::I32(*value)).collect();
        Datum::Array(Arc::new(Array::vector(oid::INT4, values)))
    }

    #[test]
    fn elements_outside_are_null() {
        let args = [ints(&[7, 8]), Datum::I32(2)];
        assert_eq!(fetch(&args, false, &[(false, true)]).unwrap(), Datum::I32(8));
        let args = [ints(&[7, 8]), Datum::I32(3)];
        assert_eq!(fetch(&args, false, &[(false, true)]).unwrap(), Datum::Null);
    }

    #[test]
    fn a_slice_is_cut_to_what_is_there() {
        let args = [ints(&[7, 8, 9]), Datum::I32(2), Datum::I32(10)];
        assert_eq!(fetch(&args, true, &[(true, true)]).unwrap(), ints(&[8, 9]));
        let args = [ints(&[7, 8, 9]), Datum::I32(2)];
        assert_eq!(fetch(&args, true, &[(false, true)]).unwrap(), ints(&[7, 8]));
    }

    #[test]
    fn assignment_fills_gaps_with_null() {
        let args = [ints(&[7]), Datum::I32(3), Datum::I32(9)];
        let changed = assign(&args, false, &[(false, true)], oid::INT4).unwrap();
        let Datum::Array(changed) = changed else { panic!("an array") };
        assert_eq!(changed.elements, vec![Datum::I32(7), Datum::Null, Datum::I32(9)]);
    }
}
