//! Opening a database in a world: small files, and patience with a disk that fails.

use helios_env::Env;
use helios_sim::{OpenFailure, Violation, World, open_patiently};
use helios_storage::Options;
use heliosdb::{Config, Database, SqlState};

use crate::life::Entitled;
use crate::trouble::Trouble;

/// Sizes of memtables.
const MEMTABLES_BYTES: [usize; 3] = [4 << 10, 16 << 10, 64 << 10];

/// A configuration that this world draws.
pub(crate) fn config(world: &World) -> Config {
    let storage = Options::drawn(MEMTABLES_BYTES, &mut |name, sizes| world.knob(name, sizes));
    Config { memory_limit_mb: world.knob("memory", &[64, 2]), storage: Some(storage), ..Config::default() }
}

/// Opens the database; `None` when only a restart of the machine helps (a file system that has shut itself down).
pub(crate) async fn open(env: &Env, config: &Config, entitled: Entitled) -> Result<Option<Database>, Trouble> {
    let open = || Database::open_in(env.clone(), config.clone());
    let opened = open_patiently(env, open, |error| match error.code() {
        SqlState::LOCK_FILE_EXISTS => OpenFailure::Locked,
        SqlState::DISK_FULL => OpenFailure::Transient,
        SqlState::IO_ERROR if entitled.to_stop => OpenFailure::Transient,
        _ => OpenFailure::Final,
    });
    opened.await.map_err(|error| entitled.allow(Trouble::of(error, "opening the database")))
}

/// A disk without faults has to open.
pub(crate) async fn open_healed(env: &Env, config: &Config) -> Result<Database, Violation> {
    open(env, config, Entitled { to_stop: false }).await?.ok_or_else(|| Violation::new("a healed disk does not open"))
}
