//! What a statement knows about its session: explicit, passed along, never a global.

use std::collections::BTreeMap;
use std::sync::Arc;

use helios_env::{Clock, Rng, Timestamp};
use helios_types::Oid;

/// A session as the SQL floor sees it.
#[derive(Clone)]
pub struct SessionContext {
    /// Current database.
    pub database: Arc<str>,
    /// Its `pg_database.oid`.
    pub database_oid: Oid,
    /// Current user.
    pub user: Arc<str>,
    /// Its `pg_authid.oid`.
    pub user_oid: Oid,
    /// The user who logged in.
    pub session_user: Arc<str>,
    /// What `pg_backend_pid()` says.
    pub backend_pid: i32,
    /// Run-time settings (GUCs) by lower-case name, as text in canonical form; every known one is there.
    pub settings: Arc<BTreeMap<String, String>>,
    /// `now()`: when the transaction began.
    pub transaction_timestamp: Timestamp,
    /// When the statement arrived.
    pub statement_timestamp: Timestamp,
    /// For `clock_timestamp()` and sleeping.
    pub clock: Arc<dyn Clock>,
    /// For `random()` and `gen_random_uuid()`.
    pub rng: Arc<dyn Rng>,
}

impl SessionContext {
    /// A setting's value, by lower-case name.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }
}
