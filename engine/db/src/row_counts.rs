//! About how many rows tables have: what the planner goes by.
//!
//! ANALYZE counts exactly; COPY and large INSERTs add what they wrote. Nothing is stored: after a restart nobody knows,
//! and the planner assumes.

use helios_env::hash::HashMap;
use helios_env::sync::Mutex;
use helios_types::Oid;

/// Row counts by table.
#[derive(Debug, Default)]
pub(crate) struct RowCounts(Mutex<HashMap<Oid, f64>>);

impl RowCounts {
    /// The count of a table, if anybody has counted.
    pub(crate) fn estimate(&self, table: Oid) -> Option<f64> {
        self.0.lock().get(&table).copied()
    }

    /// Exactly so many.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn set(&self, table: Oid, rows: u64) {
        self.0.lock().insert(table, rows as f64);
    }

    /// So many more.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn add(&self, table: Oid, rows: u64) {
        *self.0.lock().entry(table).or_default() += rows as f64;
    }
}
