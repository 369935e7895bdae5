//! Keys sort as the values do.
//!
//! Two values of one type: their keys compare as they do, ascending and descending, NULLs first and last, alone and behind
//! another column. A key ends where it says, and types whose keys can be read give the value back.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use helios_fuzz::value::{any_type, datum, same};
use helios_types::key::{decode, encode, encode_row, is_invertible, skip};
use helios_types::{Column, Datum, Oid, compare, oid};
use libfuzzer_sys::fuzz_target;

#[derive(Debug)]
struct Case {
    types: [Oid; 2],
    left: [Datum; 2],
    right: [Datum; 2],
    descending: bool,
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Case> {
        let types = [any_key_type(u)?, any_key_type(u)?];
        let left = [nullable(types[0], u)?, nullable(types[1], u)?];
        // Equal first columns let the second ones decide.
        let first = if u.ratio(1, 3)? { left[0].clone() } else { nullable(types[0], u)? };
        let right = [first, nullable(types[1], u)?];
        Ok(Case { types, left, right, descending: u.arbitrary()? })
    }
}

/// Json has no order.
fn any_key_type(u: &mut Unstructured<'_>) -> Result<Oid> {
    let any = any_type(u)?;
    Ok(if [Some(oid::JSON), oid::array_of(oid::JSON)].contains(&Some(any)) { oid::TEXT } else { any })
}

fn nullable(type_oid: Oid, u: &mut Unstructured<'_>) -> Result<Datum> {
    if u.ratio(1, 10)? { Ok(Datum::Null) } else { datum(type_oid, u) }
}

fuzz_target!(|case: Case| {
    let Case { types, left, right, descending } = &case;
    let order = compare(types[0], &left[0], &right[0]);
    let order = if *descending { order.reverse() } else { order };
    let order = order.then_with(|| compare(types[1], &left[1], &right[1]));
    let keys = [left, right].map(|row| {
        let mut key = Vec::new();
        // NULL is above everything: first where the order descends.
        part(types[0], &row[0], *descending, &mut key);
        part(types[1], &row[1], false, &mut key);
        key
    });
    assert_eq!(keys[0].cmp(&keys[1]), order, "{case:?}: {keys:?}");
});

/// Appends a column, and checks the bytes on the way.
fn part(type_oid: Oid, value: &Datum, descending: bool, key: &mut Vec<u8>) {
    let start = key.len();
    encode(type_oid, value, descending, descending, key).expect("the type has an order");
    let mut from_column = Vec::new();
    let column = Column::from_datums(type_oid, [value]);
    encode_row(type_oid, &column, 0, descending, descending, &mut from_column).expect("the type has an order");
    let own = &key[start..];
    assert_eq!(own, from_column, "{value:?} has another key in a column");
    let behind = [own, &[0x5a]].concat();
    assert_eq!(skip(type_oid, &behind, descending).ok(), Some(own.len()), "{value:?} ends elsewhere");
    if is_invertible(type_oid) {
        let (back, len) = decode(type_oid, &behind, descending).expect("a key of ours").expect("an invertible type");
        assert!(len == own.len() && same(&back, value), "{value:?} comes back as {back:?}");
    }
}
