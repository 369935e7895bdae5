//! Numbers for keys.

use std::hash::BuildHasher as _;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use helios_env::hash::BuildHasher;
use helios_types::{Column, ColumnData, Oid, Physical};

use super::key;
use crate::execute::batch::ColumnRef;

/// The number of a row without a key, or whose key is not in the table.
pub(crate) const NO_KEY: u32 = u32::MAX;

/// A number for each distinct key, counted from 0 in order of appearance.
#[derive(Debug)]
pub(crate) struct KeyTable {
    types: Box<[Oid]>,
    /// Whether NULLs are keys like others (grouping) or make a row keyless (joins).
    nulls_are_keys: bool,
    hasher: BuildHasher,
    keys: Keys,
    len: u32,
    scratch: Vec<u8>,
}

#[derive(Debug)]
enum Keys {
    /// A single column of integers.
    Integer { table: HashTable<(i64, u32)>, null: Option<u32> },
    /// A single column of strings.
    Text { table: HashTable<Span>, arena: Vec<u8>, null: Option<u32> },
    /// Anything.
    Bytes { table: HashTable<Span>, arena: Vec<u8> },
}

/// Where a key's bytes are.
#[derive(Clone, Copy, Debug)]
struct Span {
    hash: u64,
    start: usize,
    len: u32,
    number: u32,
}

impl Span {
    #[inline]
    fn bytes<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        &arena[self.start..self.start + self.len as usize]
    }
}

impl KeyTable {
    /// A table for keys of these types.
    pub(crate) fn new(types: &[Oid], nulls_are_keys: bool) -> KeyTable {
        let keys = match types {
            [single] => match Physical::of(*single) {
                Physical::Bool | Physical::I16 | Physical::I32 | Physical::I64 | Physical::U32 => {
                    Keys::Integer { table: HashTable::new(), null: None }
                }
                Physical::Text => Keys::Text { table: HashTable::new(), arena: Vec::new(), null: None },
                _ => Keys::Bytes { table: HashTable::new(), arena: Vec::new() },
            },
            _ => Keys::Bytes { table: HashTable::new(), arena: Vec::new() },
        };
        KeyTable {
            types: types.into(),
            nulls_are_keys,
            hasher: BuildHasher::default(),
            keys,
            len: 0,
            scratch: Vec::new(),
        }
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Forgets all keys.
    pub(crate) fn clear(&mut self) {
        *self = KeyTable::new(&self.types, self.nulls_are_keys);
    }

    /// About how many bytes it occupies.
    pub(crate) fn memory(&self) -> usize {
        match &self.keys {
            Keys::Integer { table, .. } => table.capacity() * (size_of::<(i64, u32)>() + 2),
            Keys::Text { table, arena, .. } | Keys::Bytes { table, arena } => {
                table.capacity() * (size_of::<Span>() + 2) + arena.capacity()
            }
        }
    }

    /// Makes `numbers` the number of each row's key; a key that was not there becomes the next number.
    pub(crate) fn insert(&mut self, columns: &[ColumnRef], rows: usize, numbers: &mut Vec<u32>) {
        numbers.clear();
        numbers.reserve(rows);
        let len = &mut self.len;
        let hasher = &self.hasher;
        match &mut self.keys {
            Keys::Integer { table, null } => each_integer(&columns[0], rows, |value| {
                numbers.push(match value {
                    Some(value) => {
                        let hash = hasher.hash_one(value);
                        let entry = table.entry(hash, |entry| entry.0 == value, |entry| hasher.hash_one(entry.0));
                        match entry {
                            Entry::Occupied(found) => found.get().1,
                            Entry::Vacant(vacant) => {
                                vacant.insert((value, *len));
                                next(len)
                            }
                        }
                    }
                    None if self.nulls_are_keys => *null.get_or_insert_with(|| next(len)),
                    None => NO_KEY,
                });
            }),
            Keys::Text { table, arena, null } => {
                let ColumnData::Text(values) = &columns[0].data else { panic!("a column of strings") };
                for row in 0..rows {
                    numbers.push(if !columns[0].is_null(row) {
                        insert_bytes(table, arena, len, hasher, key::text(values.get(row), self.types[0]))
                    } else if self.nulls_are_keys {
                        *null.get_or_insert_with(|| next(len))
                    } else {
                        NO_KEY
                    });
                }
            }
            Keys::Bytes { table, arena } => {
                for row in 0..rows {
                    if !self.nulls_are_keys && columns.iter().any(|column| column.is_null(row)) {
                        numbers.push(NO_KEY);
                        continue;
                    }
                    encode(columns, row, &self.types, &mut self.scratch);
                    numbers.push(insert_bytes(table, arena, len, hasher, &self.scratch));
                }
            }
        }
    }

    /// Makes `numbers` the number of each row's key, [`NO_KEY`] for those that are not there.
    pub(crate) fn find(&self, columns: &[ColumnRef], rows: usize, numbers: &mut Vec<u32>) {
        numbers.clear();
        numbers.reserve(rows);
        let hasher = &self.hasher;
        match &self.keys {
            Keys::Integer { table, null } => each_integer(&columns[0], rows, |value| {
                numbers.push(match value {
                    Some(value) => {
                        let found = table.find(hasher.hash_one(value), |entry| entry.0 == value);
                        found.map_or(NO_KEY, |entry| entry.1)
                    }
                    None => null.unwrap_or(NO_KEY),
                });
            }),
            Keys::Text { table, arena, null } => {
                let ColumnData::Text(values) = &columns[0].data else { panic!("a column of strings") };
                for row in 0..rows {
                    numbers.push(if columns[0].is_null(row) {
                        null.unwrap_or(NO_KEY)
                    } else {
                        find_bytes(table, arena, hasher, key::text(values.get(row), self.types[0]))
                    });
                }
            }
            Keys::Bytes { table, arena } => {
                let mut scratch = Vec::new();
                for row in 0..rows {
                    if !self.nulls_are_keys && columns.iter().any(|column| column.is_null(row)) {
                        numbers.push(NO_KEY);
                        continue;
                    }
                    encode(columns, row, &self.types, &mut scratch);
                    numbers.push(find_bytes(table, arena, hasher, &scratch));
                }
            }
        }
    }
}

fn next(len: &mut u32) -> u32 {
    *len += 1;
    *len - 1
}

fn encode(columns: &[ColumnRef], row: usize, types: &[Oid], out: &mut Vec<u8>) {
    out.clear();
    for (column, oid) in columns.iter().zip(types) {
        key::append(column, row, *oid, out);
    }
}

#[inline]
fn insert_bytes(
    table: &mut HashTable<Span>,
    arena: &mut Vec<u8>,
    len: &mut u32,
    hasher: &BuildHasher,
    bytes: &[u8],
) -> u32 {
    let hash = hasher.hash_one(bytes);
    let same = |span: &Span| span.hash == hash && span.bytes(arena) == bytes;
    match table.entry(hash, same, |span| span.hash) {
        Entry::Occupied(found) => found.get().number,
        Entry::Vacant(vacant) => {
            let number = next(len);
            vacant.insert(Span { hash, start: arena.len(), len: bytes.len() as u32, number });
            arena.extend_from_slice(bytes);
            number
        }
    }
}

#[inline]
fn find_bytes(table: &HashTable<Span>, arena: &[u8], hasher: &BuildHasher, bytes: &[u8]) -> u32 {
    let hash = hasher.hash_one(bytes);
    table.find(hash, |span| span.hash == hash && span.bytes(arena) == bytes).map_or(NO_KEY, |span| span.number)
}

/// Calls back with each row's integer.
#[inline]
fn each_integer(column: &Column, rows: usize, mut visit: impl FnMut(Option<i64>)) {
    macro_rules! walk {
        ($values:expr) => {
            match &column.nulls {
                None => $values[..rows].iter().for_each(|value| visit(Some(i64::from(*value)))),
                Some(nulls) => $values[..rows]
                    .iter()
                    .enumerate()
                    .for_each(|(row, value)| visit((!nulls.get(row)).then_some(i64::from(*value)))),
            }
        };
    }
    match &column.data {
        ColumnData::Bool(values) => walk!(values),
        ColumnData::I16(values) => walk!(values),
        ColumnData::I32(values) => walk!(values),
        ColumnData::I64(values) => walk!(values),
        ColumnData::U32(values) => walk!(values),
        other => panic!("a column of integers, not of {:?}", other.physical()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use helios_types::{Datum, oid};

    use super::*;

    fn column(type_oid: Oid, values: &[Datum]) -> ColumnRef {
        Arc::new(Column::from_datums(type_oid, values))
    }

    #[test]
    fn integers_are_numbered_in_order_of_appearance() {
        let mut table = KeyTable::new(&[oid::INT4], true);
        let mut numbers = Vec::new();
        let values = [Datum::I32(7), Datum::Null, Datum::I32(3), Datum::I32(7), Datum::Null];
        table.insert(&[column(oid::INT4, &values)], 5, &mut numbers);
        assert_eq!(numbers, [0, 1, 2, 0, 1]);
        table.find(&[column(oid::INT4, &[Datum::I32(3), Datum::I32(4)])], 2, &mut numbers);
        assert_eq!(numbers, [2, NO_KEY]);
    }

    #[test]
    fn nulls_do_not_join() {
        let mut table = KeyTable::new(&[oid::TEXT], false);
        let mut numbers = Vec::new();
        table.insert(&[column(oid::TEXT, &[Datum::Null, Datum::text("a")])], 2, &mut numbers);
        assert_eq!(numbers, [NO_KEY, 0]);
    }

    #[test]
    fn equal_values_have_one_key() {
        let mut table = KeyTable::new(&[oid::FLOAT8, oid::BPCHAR], true);
        let mut numbers = Vec::new();
        let floats = column(oid::FLOAT8, &[Datum::F64(0.0), Datum::F64(-0.0), Datum::F64(f64::NAN)]);
        let texts = column(oid::BPCHAR, &[Datum::text("a"), Datum::text("a  "), Datum::text("a")]);
        table.insert(&[floats, texts], 3, &mut numbers);
        assert_eq!(numbers, [0, 0, 1]);
        let mut table = KeyTable::new(&[oid::NUMERIC], true);
        let numeric = |text: &str| Datum::Numeric(text.parse().expect("a number"));
        table.insert(&[column(oid::NUMERIC, &[numeric("1.0"), numeric("1.00"), numeric("1.01")])], 3, &mut numbers);
        assert_eq!(numbers, [0, 0, 1]);
    }
}
