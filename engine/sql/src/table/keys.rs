//! Keys of rows and of index entries.

use bytes::Bytes;
use helios_catalog::model::{Index, IndexKey};
use helios_storage::KeyRange;
use helios_types::{Datum, Oid, PgError, Result};

use super::{IndexAccess, TableAccess};

/// How one part of a composite key is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPart {
    /// Type of the value.
    pub type_oid: Oid,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

impl From<&IndexKey> for KeyPart {
    fn from(key: &IndexKey) -> KeyPart {
        KeyPart { type_oid: key.type_oid, descending: key.descending, nulls_first: key.nulls_first }
    }
}

impl KeyPart {
    /// Appends a value of this part to a key.
    pub fn encode(self, value: &Datum, out: &mut Vec<u8>) -> Result<()> {
        helios_types::key::encode(self.type_oid, value, self.descending, self.nulls_first, out)
    }
}

impl TableAccess {
    /// The parts of the row key: the primary key's columns. Empty when the table has a hidden row id.
    pub fn key_parts(&self) -> Vec<KeyPart> {
        let Some(primary) = &self.primary else { return Vec::new() };
        primary.keys.iter().map(KeyPart::from).collect()
    }

    /// The key of a row by its values (by attnum - 1); `None` when the table has no primary key.
    pub fn row_key(&self, values: &[Datum]) -> Result<Option<Bytes>> {
        let Some(primary) = &self.primary else { return Ok(None) };
        let mut key = Vec::with_capacity(16);
        for part in &primary.keys {
            KeyPart::from(part).encode(column(values, part)?, &mut key)?;
        }
        Ok(Some(key.into()))
    }
}

fn column<'a>(values: &'a [Datum], key: &IndexKey) -> Result<&'a Datum> {
    usize::try_from(key.attnum - 1)
        .ok()
        .and_then(|index| values.get(index))
        .ok_or_else(|| PgError::internal("an index key names a column that the row does not have"))
}

/// Whether a row with these index values belongs to the entries whose key is the constraint.
fn is_constrained(index: &Index, values: &[Datum]) -> bool {
    index.unique && (index.nulls_not_distinct || !values.iter().any(Datum::is_null))
}

/// An index entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) key: Bytes,
    /// Whether two rows may not share the key.
    pub(super) constrained: bool,
}

impl IndexAccess {
    /// The values of the index's keys in a row (by attnum - 1). `expressions` holds the values of expression keys, in
    /// their order among them.
    pub fn key_values(&self, values: &[Datum], expressions: &[Datum]) -> Result<Vec<Datum>> {
        let mut expressions = expressions.iter();
        self.index
            .keys
            .iter()
            .map(|key| {
                if key.attnum == 0 {
                    expressions
                        .next()
                        .cloned()
                        .ok_or_else(|| PgError::internal("an index expression was not evaluated"))
                } else {
                    column(values, key).cloned()
                }
            })
            .collect()
    }

    /// The entry of a row with these key values and this row key.
    pub(super) fn entry(&self, key_values: &[Datum], row_key: &[u8]) -> Result<IndexEntry> {
        let mut key = Vec::with_capacity(16 + row_key.len());
        for (part, value) in self.index.keys.iter().zip(key_values) {
            KeyPart::from(part).encode(value, &mut key)?;
        }
        let constrained = is_constrained(&self.index, key_values);
        if !constrained {
            key.extend_from_slice(row_key);
        }
        Ok(IndexEntry { key: key.into(), constrained })
    }

    /// The key of the entry of a row with these key values and this row key.
    pub fn entry_key(&self, key_values: &[Datum], row_key: &[u8]) -> Result<Bytes> {
        Ok(self.entry(key_values, row_key)?.key)
    }

    /// The key that no two rows may share, for these key values; `None` when they are not constrained.
    pub fn constraint_key(&self, key_values: &[Datum]) -> Result<Option<Bytes>> {
        let entry = self.entry(key_values, &[])?;
        Ok(entry.constrained.then_some(entry.key))
    }

    /// Entries whose leading keys are these values.
    pub fn prefix_range(&self, leading: &[Datum]) -> Result<KeyRange> {
        let mut key = Vec::with_capacity(16);
        for (part, value) in self.index.keys.iter().zip(leading) {
            KeyPart::from(part).encode(value, &mut key)?;
        }
        Ok(KeyRange::prefix(key.into()))
    }
}

/// The row key that an index entry points to.
pub fn decode_entry(entry: &Bytes) -> Bytes {
    entry.clone()
}
