//! From bounds on an index's columns to ranges of its keys.
//!
//! ```text
//!   a = 1 AND b > 5      enc(1) enc(5)+ ..  enc(1) NULL       the last value's encoding stepped over; NULLs left out
//!   a IN (1, 3)          enc(1)..   enc(3)..                  one range each, in key order
//! ```

use std::ops::Bound;

use bytes::Bytes;
use helios_catalog::model::Index;
use helios_storage::KeyRange;
use helios_types::{Datum, Result};

use super::Keys;
use crate::table::KeyPart;

/// First byte of every encoding of a value that is not NULL (see `helios_types::key`).
const PRESENT: u8 = 1;

/// The values that an index scan is bounded by.
pub(super) struct Bounds {
    /// For each of the first columns the values it may be equal to, none of them NULL.
    pub(super) equal: Vec<Vec<Datum>>,
    /// The next column's lower bound, and whether it is itself within.
    pub(super) lower: Option<(Datum, bool)>,
    /// The next column's upper bound, and whether it is itself within.
    pub(super) upper: Option<(Datum, bool)>,
}

/// The keys of an index within bounds, in key order. `whole`: a key with all columns equal names one row.
pub(super) fn keys(index: &Index, bounds: &Bounds, whole: bool, backward: bool) -> Result<Vec<Keys>> {
    let mut prefixes: Vec<Vec<u8>> = vec![Vec::new()];
    for (values, key) in bounds.equal.iter().zip(&index.keys) {
        let part = KeyPart::from(key);
        let mut next = Vec::with_capacity(prefixes.len() * values.len());
        for prefix in &prefixes {
            for value in values {
                let mut longer = prefix.clone();
                part.encode(value, &mut longer)?;
                next.push(longer);
            }
        }
        prefixes = next;
    }
    prefixes.sort_unstable();
    prefixes.dedup();
    if backward {
        prefixes.reverse();
    }
    let all_equal = bounds.equal.len() == index.keys.len();
    prefixes
        .into_iter()
        .map(|prefix| {
            if all_equal && whole {
                return Ok(Keys::Point(prefix.into()));
            }
            if bounds.lower.is_none() && bounds.upper.is_none() {
                return Ok(Keys::Range(if prefix.is_empty() {
                    KeyRange::all()
                } else {
                    KeyRange::prefix(prefix.into())
                }));
            }
            let part = KeyPart::from(&index.keys[bounds.equal.len()]);
            range(&prefix, part, bounds).map(Keys::Range)
        })
        .collect()
}

/// The keys behind a prefix whose next column is within the bounds, NULLs left out.
fn range(prefix: &[u8], part: KeyPart, bounds: &Bounds) -> Result<KeyRange> {
    // In a descending column the upper bound comes first.
    let (first, last) = if part.descending { (&bounds.upper, &bounds.lower) } else { (&bounds.lower, &bounds.upper) };
    let present = |byte: u8| -> Bytes {
        let mut key = prefix.to_vec();
        key.push(byte);
        key.into()
    };
    let encoded = |value: &Datum| -> Result<Bytes> {
        let mut key = prefix.to_vec();
        part.encode(value, &mut key)?;
        Ok(key.into())
    };
    let start = match first {
        None => Bound::Included(present(PRESENT)),
        Some((value, true)) => Bound::Included(encoded(value)?),
        Some((value, false)) => behind(encoded(value)?),
    };
    let end = match last {
        None => Bound::Excluded(present(PRESENT + 1)),
        Some((value, false)) => Bound::Excluded(encoded(value)?),
        Some((value, true)) => KeyRange::prefix(encoded(value)?).end,
    };
    Ok(KeyRange { start, end })
}

/// From the first key that does not begin with this one.
fn behind(key: Bytes) -> Bound<Bytes> {
    match KeyRange::prefix(key.clone()).end {
        Bound::Excluded(end) => Bound::Included(end),
        _ => Bound::Excluded(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use helios_catalog::model::IndexKey;
    use helios_types::{Oid, oid};

    fn index(descending: bool) -> Index {
        let key = |attnum, descending| IndexKey {
            attnum,
            expression: None,
            type_oid: oid::INT4,
            collation: Oid::NONE,
            opclass: Oid::NONE,
            descending,
            nulls_first: descending,
        };
        Index {
            oid: Oid(1),
            table: Oid(2),
            schema: Oid(3),
            name: "i".to_owned(),
            storage: 4,
            unique: false,
            primary: false,
            nulls_not_distinct: false,
            keys: vec![key(1, false), key(2, descending)],
            include: Vec::new(),
            predicate: None,
        }
    }

    fn entry(index: &Index, values: &[Datum]) -> Vec<u8> {
        let mut key = Vec::new();
        index
            .keys
            .iter()
            .zip(values)
            .for_each(|(part, value)| KeyPart::from(part).encode(value, &mut key).expect("int4 has keys"));
        key.extend_from_slice(b"row");
        key
    }

    #[test]
    fn ranges_hold_what_the_bounds_say() {
        for descending in [false, true] {
            let index = index(descending);
            for (low_inclusive, high_inclusive) in [(false, false), (true, true)] {
                let bounds = Bounds {
                    equal: vec![vec![Datum::I32(7)]],
                    lower: Some((Datum::I32(-1), low_inclusive)),
                    upper: Some((Datum::I32(2), high_inclusive)),
                };
                let keys = keys(&index, &bounds, false, false).expect("they encode");
                let [Keys::Range(range)] = &keys[..] else { panic!("one range") };
                for value in -3..5 {
                    let inside =
                        (value > -1 || (low_inclusive && value == -1)) && (value < 2 || (high_inclusive && value == 2));
                    let key = entry(&index, &[Datum::I32(7), Datum::I32(value)]);
                    assert_eq!(range.contains(&key), inside, "{value} {descending} {low_inclusive}");
                }
                assert!(!range.contains(&entry(&index, &[Datum::I32(7), Datum::Null])));
                assert!(!range.contains(&entry(&index, &[Datum::I32(8), Datum::I32(0)])));
            }
        }
    }

    #[test]
    fn one_sided_ranges_leave_nulls_out() {
        for descending in [false, true] {
            let index = index(descending);
            for (lower, upper) in [(Some((Datum::I32(0), true)), None), (None, Some((Datum::I32(0), true)))] {
                let bounds = Bounds { equal: vec![vec![Datum::I32(7)]], lower, upper };
                let keys = keys(&index, &bounds, false, false).expect("they encode");
                let [Keys::Range(range)] = &keys[..] else { panic!("one range") };
                assert!(!range.contains(&entry(&index, &[Datum::I32(7), Datum::Null])));
                assert!(range.contains(&entry(&index, &[Datum::I32(7), Datum::I32(0)])));
            }
        }
    }
}
