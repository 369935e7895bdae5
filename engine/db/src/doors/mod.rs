//! What a running statement may ask of its session: sequences, functions over the catalog, computed relations.
//!
//! The executor knows nothing above itself; it is handed these doors. Each statement gets its own, with the catalog as
//! the statement sees it. What a function does to the session (`set_config`) is written down, and the session takes it
//! over when the statement gives way.

mod functions;
mod named_objects;
mod relations;
mod sequences;

use std::sync::Arc;

use helios_catalog::CatalogSnapshot;
use helios_catalog::model::Sequence;
use helios_catalog::resolve::Lookup;
use helios_env::sync::Mutex;
use helios_sql::execute::context::Doors;
use helios_sql::session::SessionContext;
use helios_txn::Transaction;
use helios_types::Oid;

pub(crate) use named_objects::{SessionTypes, is_named_object};
pub(crate) use sequences::SequenceMemory;

use crate::database::Database;
use crate::settings::{SetScope, Settings};

/// A statement's doors.
pub(crate) struct StatementDoors {
    pub(crate) database: Database,
    pub(crate) catalog: CatalogSnapshot,
    pub(crate) search_path: Vec<Oid>,
    pub(crate) session: SessionContext,
    pub(crate) transaction: Arc<Transaction>,
    pub(crate) read_only: bool,
    pub(crate) sequences: Arc<SequenceMemory>,
    /// Sequences that the statement itself has created, which the catalog does not have yet.
    pub(crate) created: Mutex<Vec<Arc<Sequence>>>,
    pub(crate) settings: Mutex<SettingsDoor>,
}

/// Settings as the statement sees them, and what it did to them.
pub(crate) struct SettingsDoor {
    pub(crate) settings: Settings,
    pub(crate) changes: Vec<(String, String, SetScope)>,
}

impl StatementDoors {
    /// As the executor takes them.
    pub(crate) fn as_doors(self: &Arc<Self>) -> Doors {
        Doors { sequences: self.clone(), functions: self.clone(), relations: self.clone() }
    }

    fn lookup(&self) -> Lookup<'_> {
        Lookup { catalog: &self.catalog, search_path: &self.search_path }
    }

    /// What was set since the last call.
    pub(crate) fn take_changes(&self) -> Vec<(String, String, SetScope)> {
        std::mem::take(&mut self.settings.lock().changes)
    }
}
