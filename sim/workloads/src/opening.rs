//! Opening a database in a world: small files, and patience with a disk that fails.

use std::time::Duration;

use helios_env::Env;
use helios_sim::{Violation, World};
use helios_storage::Options;
use heliosdb::{Config, Database, SqlState};

use crate::life::Entitled;
use crate::trouble::Trouble;

/// How often opening is tried while faults fire, and while the last tasks of a dropped database end.
const OPEN_ATTEMPTS: u32 = 40;
const UNLOCK_ATTEMPTS: u32 = 2_000;

/// A configuration that this world draws: sizes so small that segments rotate, memtables flush and levels compact
/// within a handful of commits, and now and then sizes at which they do not.
pub(crate) fn config(world: &World) -> Config {
    let storage = Options {
        segment_bytes: world.knob("segment bytes", &[4 << 10, 16 << 10, 64 << 10]),
        log_block_bytes: world.knob("log block", &[512, 4096]),
        batch_bytes_max: world.knob("batch bytes", &[300, 2 << 10, 64 << 10]),
        memtable_bytes: world.knob("memtable bytes", &[4 << 10, 16 << 10, 64 << 10]),
        immutable_memtables_max: world.knob("immutable memtables", &[1, 2]),
        table_bytes: world.knob("table bytes", &[4 << 10, 16 << 10]),
        level1_bytes: world.knob("level 1 bytes", &[8 << 10, 32 << 10]),
        cache_bytes: world.knob("cache bytes", &[0, 4 << 10, 1 << 20]),
        compress: world.knob("compress", &[false, true]),
        filters: world.knob("filters", &[true, false]),
        ..Options::tiny()
    };
    Config { memory_limit_mb: world.knob("memory", &[64, 2]), storage: Some(storage), ..Config::default() }
}

/// Opens the database; `None` when only a restart of the machine helps (a file system that has shut itself down).
pub(crate) async fn open(env: &Env, config: &Config, entitled: Entitled) -> Result<Option<Database>, Trouble> {
    let (mut attempts, mut locked) = (0, 0);
    loop {
        let error = match Database::open_in(env.clone(), config.clone()).await {
            Ok(database) => return Ok(Some(database)),
            Err(error) => error,
        };
        match error.code() {
            SqlState::LOCK_FILE_EXISTS if locked < UNLOCK_ATTEMPTS => locked += 1,
            SqlState::IO_ERROR if !entitled.to_stop => {
                return Err(entitled.allow(Trouble::of(error, "opening the database")));
            }
            SqlState::IO_ERROR | SqlState::DISK_FULL if attempts < OPEN_ATTEMPTS => attempts += 1,
            SqlState::IO_ERROR | SqlState::DISK_FULL => return Ok(None),
            _ => return Err(Trouble::of(error, "opening the database")),
        }
        env.sleep(Duration::from_millis(50)).await;
    }
}

/// A disk without faults has to open.
pub(crate) async fn open_healed(env: &Env, config: &Config) -> Result<Database, Violation> {
    open(env, config, Entitled { to_stop: false }).await?.ok_or_else(|| Violation::new("a healed disk does not open"))
}
