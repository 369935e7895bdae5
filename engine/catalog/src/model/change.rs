//! One object made, changed or dropped, and its form as a stored row.
//!
//! ```text
//!   key    kind (1 byte)  oid (4 bytes, big-endian)
//!   value  format (1 byte, now 1)  descriptor (postcard)
//! ```

use helios_types::{Oid, PgError, Result, SqlState};

use super::{Object, ObjectKey, ObjectKind};

/// Version of the stored form of descriptors.
const FORMAT: u8 = 1;

/// What DDL does to one object.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The object is there, as described, whether it was before or not.
    Put(Object),
    /// The object is gone.
    Remove(ObjectKey),
}

impl Change {
    /// Which object it is about.
    pub fn key(&self) -> ObjectKey {
        match self {
            Change::Put(object) => object.key(),
            Change::Remove(key) => *key,
        }
    }

    /// The stored row: its key, and its value (`None`: the row is deleted).
    pub fn encode(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        let key = self.key().encode();
        match self {
            Change::Remove(_) => (key, None),
            Change::Put(object) => {
                let value =
                    postcard::to_extend(object, vec![FORMAT]).expect("descriptors have no unserialisable parts");
                (key, Some(value))
            }
        }
    }

    /// The change that brings a stored row into a snapshot.
    ///
    /// # Errors
    ///
    /// XX001 when the bytes are not what [`Change::encode`] made.
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Change> {
        let key = ObjectKey::decode(key)?;
        let Some(value) = value else { return Ok(Change::Remove(key)) };
        let (format, body) = value.split_first().ok_or_else(|| damaged("is empty"))?;
        if *format != FORMAT {
            return Err(damaged(&format!("has format {format}, which this version does not know")));
        }
        let object: Object = postcard::from_bytes(body).map_err(|error| damaged(&error.to_string()))?;
        if object.key() != key {
            return Err(damaged("is stored under another object's key"));
        }
        Ok(Change::Put(object))
    }
}

impl ObjectKey {
    /// The key's stored form.
    pub fn encode(self) -> Vec<u8> {
        let mut bytes = vec![self.kind as u8];
        bytes.extend_from_slice(&self.oid.0.to_be_bytes());
        bytes
    }

    /// From the stored form.
    ///
    /// # Errors
    ///
    /// XX001 when the bytes are no key.
    pub fn decode(bytes: &[u8]) -> Result<ObjectKey> {
        let (&kind, oid) = bytes.split_first().ok_or_else(|| damaged("has an empty key"))?;
        let kind = match kind {
            1 => ObjectKind::Schema,
            2 => ObjectKind::Table,
            3 => ObjectKind::Index,
            4 => ObjectKind::Sequence,
            5 => ObjectKind::Role,
            6 => ObjectKind::Database,
            7 => ObjectKind::Comment,
            8 => ObjectKind::View,
            other => return Err(damaged(&format!("has a key of unknown kind {other}"))),
        };
        let oid = oid.try_into().map_err(|_| damaged("has a key of the wrong length"))?;
        Ok(ObjectKey { kind, oid: Oid(u32::from_be_bytes(oid)) })
    }
}

fn damaged(why: &str) -> PgError {
    PgError::new(SqlState::DATA_CORRUPTED, format!("a row of the catalog {why}"))
}
