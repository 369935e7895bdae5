//! Other storage engines in HeliosDB's simulated world.
//!
//! A simulator that has only ever seen the engine it was built for proves little: its faults may be too tame, or its
//! oracle blind. So other engines run in it too, each through its own seam, under the same workloads and judged by the
//! same oracle, and each only by what its own documents promise:
//!
//! ```text
//!      script (every crash point)      life (swarm)            one oracle: model
//!                  └───────────┬────────────┘
//!                           session                            opens, retries, drops what failed
//!                              │  trait Engine, trait Store
//!        ┌─────────────────────┼──────────────────────┐
//!      redb                 SQLite                 helios
//!   StorageBackend     VFS (files, vfs)        helios_storage
//!        └─────────────────────┼──────────────────────┘
//!               helios_sim::Blocking ──> the world
//! ```
//!
//! redb 4.1.0 beside 4.2.0 is a calibration: the newer one's changelog says that crashes could make a database
//! unopenable, and that is what the simulator must find in the older one and not in the newer. The older one has a build
//! of its own, the package in `redb-4.1/`, whose report [`examine`] makes as well.
//!
//! [`engines`] lists them, [`examine`] makes one's column of the table as data, [`table()`] and [`grounds`] are what is printed of it. From the
//! command line: `just engines`.

#![warn(missing_docs)]

pub mod calibration;
pub mod command_line;
mod engine;
#[cfg(feature = "peers")]
mod helios;
mod life;
mod model;
mod redb;
mod report;
mod script;
mod session;
#[cfg(feature = "peers")]
mod sqlite;
mod table;

pub use engine::{Engine, EngineError, Lasting, Promise, Result, Store, Write};
#[cfg(feature = "peers")]
pub use helios::HeliosStorage;
pub use life::{Life, Trouble};
pub use redb::Redb;
pub use report::{Effort, EngineReport, Exhaustive, FaultRow, Judged, Verdict, examine, live_through, row_names};
pub use script::crash_everywhere;
#[cfg(feature = "peers")]
pub use sqlite::Sqlite;
pub use table::{Cells, grounds, markdown, table};

/// Every engine of this build, HeliosDB first.
pub fn engines() -> Vec<Box<dyn Engine>> {
    vec![
        #[cfg(feature = "peers")]
        Box::new(HeliosStorage),
        Box::new(Redb),
        #[cfg(feature = "peers")]
        Box::new(Sqlite::DeleteFull),
        #[cfg(feature = "peers")]
        Box::new(Sqlite::DeleteExtra),
        #[cfg(feature = "peers")]
        Box::new(Sqlite::WalFull),
    ]
}
