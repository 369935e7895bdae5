//! How a database is opened.

use std::path::PathBuf;

use helios_env::Env;
use helios_types::{PgError, Result, SqlState};

/// How a database is opened. `Config::from("app.db")` is enough for most.
#[derive(Clone, Debug)]
pub struct Config {
    /// The directory; `None` is a database in memory.
    pub path: Option<PathBuf>,
    /// Bytes that memtables, caches and running queries may take together, in mebibytes.
    pub memory_limit_mb: u64,
    /// Whether COMMIT waits until the log is durable, unless a session says otherwise.
    pub synchronous_commit: bool,
    /// Knobs of the storage floor; `None` derives them from the memory limit.
    pub storage: Option<helios_storage::Options>,
}

impl Default for Config {
    fn default() -> Self {
        Config { path: None, memory_limit_mb: 1024, synchronous_commit: true, storage: None }
    }
}

impl From<&str> for Config {
    fn from(path: &str) -> Config {
        let path = (path != ":memory:").then(|| PathBuf::from(path));
        Config { path, ..Config::default() }
    }
}

impl From<String> for Config {
    fn from(path: String) -> Config {
        Config::from(path.as_str())
    }
}

impl From<PathBuf> for Config {
    fn from(path: PathBuf) -> Config {
        Config { path: Some(path), ..Config::default() }
    }
}

impl From<&std::path::Path> for Config {
    fn from(path: &std::path::Path) -> Config {
        Config::from(path.to_path_buf())
    }
}

impl Config {
    /// The environment that the configuration asks for.
    pub(crate) fn environment(&self) -> Result<Env> {
        let opened = match &self.path {
            None => Env::memory(),
            Some(path) => Env::open_directory(path).map(|(env, backend)| {
                tracing::debug!(?backend, path = %path.display(), "opening the data directory");
                env
            }),
        };
        opened.map_err(|error| {
            let code = match error.kind() {
                helios_env::ErrorKind::Locked => SqlState::LOCK_FILE_EXISTS,
                _ => SqlState::IO_ERROR,
            };
            PgError::new(code, error.to_string())
        })
    }

    /// Bytes that all running queries may take together.
    pub(crate) fn query_memory(&self) -> usize {
        usize::try_from(self.memory_limit_mb << 20).unwrap_or(usize::MAX) / 2
    }

    pub(crate) fn storage_options(&self) -> helios_storage::Options {
        self.storage.clone().unwrap_or_default()
    }
}
