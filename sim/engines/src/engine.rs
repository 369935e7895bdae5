//! What an engine is here: an ordered map of bytes with transactions, and what its documents say of it.
//!
//! The operations are the least that all of them have. What they have beyond it (savepoints, SQL, snapshots) is not
//! compared. What is compared is only what was promised: [`Engine::promise`] says for each fault whether the engine's
//! own documents speak of it, and names the place.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use helios_sim::{Blocking, FaultKind};

/// One write of a transaction: a key, and the bytes to leave there; `None` deletes.
pub type Write = (u16, Option<Vec<u8>>);

/// Why an engine did not do what it was asked for. What it says is for people; what happened is learned by opening the
/// database again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineError {
    /// It returned an error.
    Refused(String),
    /// It panicked.
    Panicked(String),
}

impl EngineError {
    /// An error that the engine returned.
    pub fn refused(error: impl fmt::Display) -> EngineError {
        EngineError::Refused(error.to_string())
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineError::Refused(why) => f.write_str(why),
            EngineError::Panicked(why) => write!(f, "panicked: {why}"),
        }
    }
}

impl std::error::Error for EngineError {}

/// Result of an engine's operation.
pub type Result<T> = std::result::Result<T, EngineError>;

/// From when on no crash takes an acknowledged transaction back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// From its acknowledgement on.
    AtOnce,
    /// From the acknowledgement of the next transaction that changes something on: until then a power cut may roll it back, whole.
    AfterTheNext,
    /// From the acknowledgement of the next transaction that lasts at once.
    AfterTheNextThatLasts,
}

/// What an engine's documents say of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// The engine survives it, as its class demands. Where that is written.
    Made(&'static str),
    /// Nothing is said, or the opposite. What is said, or what is assumed.
    NotMade(&'static str),
}

/// An engine that can be put in the world.
pub trait Engine: Sync {
    /// Its name and its mode.
    fn name(&self) -> &'static str;

    /// Exactly which version runs.
    fn version(&self) -> String;

    /// The durability setting, in its own words.
    fn durability(&self) -> &'static str;

    /// What its documents say of a fault.
    fn promise(&self, kind: FaultKind) -> Promise;

    /// What they say of a transaction committed as durable, or as not.
    fn lasting(&self, durable: bool) -> Lasting;

    /// Whether what one opening has shown is promised to stay, although it was never acknowledged.
    fn keeps_what_it_shows(&self) -> bool;

    /// Whether its documents say that after this fault in a commit nothing more is acknowledged until it is reopened.
    fn refuses_until_reopened(&self, _kind: FaultKind) -> bool {
        false
    }

    /// Whether the same decisions give the same run. Nobody promises it; an engine that iterates randomly seeded maps has
    /// failures that do not replay.
    fn is_deterministic(&self) -> bool {
        true
    }

    /// Opens the database in the environment's directory, creating it when it is missing.
    fn open(&self, world: &Arc<Blocking>) -> Result<Box<dyn Store>>;
}

/// An open database.
pub trait Store {
    /// One transaction: all writes or none. `durable`: as durable as the engine's setting makes it; engines without
    /// another setting ignore it.
    fn commit(&mut self, writes: &[Write], durable: bool) -> Result<()>;

    /// The value under a key.
    fn get(&mut self, key: u16) -> Result<Option<Vec<u8>>>;

    /// Everything.
    fn scan(&mut self) -> Result<BTreeMap<u16, Vec<u8>>>;

    /// An orderly end.
    fn close(self: Box<Self>) -> Result<()>;
}
