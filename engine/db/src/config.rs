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

    /// The memory limit in bytes.
    fn memory_limit(&self) -> usize {
        usize::try_from(self.memory_limit_mb.saturating_mul(1 << 20)).unwrap_or(usize::MAX)
    }

    /// Bytes that all running queries may take together: half of the limit.
    pub(crate) fn query_memory(&self) -> usize {
        self.memory_limit() / 2
    }

    /// A quarter of the limit is the block cache's; the memtables (one that fills, those that wait for their flush) share
    /// an eighth, and are no larger than what a flush turns into a few files.
    pub(crate) fn storage_options(&self) -> helios_storage::Options {
        const MEMTABLE_BYTES: std::ops::RangeInclusive<usize> = 1 << 20..=32 << 20;
        self.storage.clone().unwrap_or_else(|| {
            let defaults = helios_storage::Options::default();
            let memtables = 1 + defaults.immutable_memtables_max;
            let memtable_bytes = self.memory_limit() / 8 / memtables;
            helios_storage::Options {
                cache_bytes: self.memory_limit() / 4,
                memtable_bytes: memtable_bytes.clamp(*MEMTABLE_BYTES.start(), *MEMTABLE_BYTES.end()),
                ..defaults
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn every_share_of_the_memory_follows_the_limit() {
        for memory_limit_mb in [64, 1024, 16 << 10] {
            let config = Config { memory_limit_mb, ..Config::default() };
            let storage = config.storage_options();
            let memtables = storage.memtable_bytes * (1 + storage.immutable_memtables_max);
            let together = config.query_memory() + storage.cache_bytes + memtables;
            assert!(together <= (memory_limit_mb as usize) << 20, "{together} of {memory_limit_mb} MB");
            assert_eq!(storage.cache_bytes, (memory_limit_mb as usize) << 18);
        }
    }
}
