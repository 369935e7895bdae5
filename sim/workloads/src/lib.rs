//! The whole database in the simulated world: SQL at the top, a disk that fails at the bottom.
//!
//! Each workload is several clients that talk SQL to one [`heliosdb::Database`], and an oracle that knows what they were
//! told. All of them live the same life:
//!
//! ```text
//!   open ── judge ── clients at work ──✂── open ── judge ── clients ──✂── ...  heal ── judge, verify, work on
//!     │       │            │           │
//!     │       │            │           └ power cut or kill, also while the database opens
//!     │       │            └ every fault that the workload can judge; statements cancelled, clients that leave
//!     │       └ what recovery shows is a state that the clients' commits explain, and is the truth from here on
//!     └ tiny files, so that everything that large databases do happens within a hundred commits
//! ```
//!
//! | workload | what it is for |
//! |---|---|
//! | [`Operations`] | every kind of DML against a model: markers give the order of commits, the model gives every row |
//! | [`Bank`] | an invariant of many rows in every snapshot; row locks, deadlocks, serialization failures |
//! | [`Definitions`] | DDL mixed with DML: catalog, tables and indexes are exactly before or after |
//! | [`Histories`] | what transactions see of each other, at READ COMMITTED and at REPEATABLE READ, also across crashes |
//! | [`Gateway`] | the protocol on a network that fails: what clients were told, and what they could not see |
//!
//! [`Focus`] puts the first of them into worlds that fail in one way only. [`script`] cuts off any SQL script before
//! every change that it makes to the disk, and [`cancel_everywhere`] drops statements at every wait.

mod bank;
mod cancellation;
mod definitions;
mod focus;
mod gateway;
mod histories;
mod life;
mod opening;
mod operations;
pub mod script;
mod trouble;

pub use bank::Bank;
pub use cancellation::{Cancellations, cancel_everywhere};
pub use definitions::Definitions;
pub use focus::{FaultRow, Focus, fault_table};
pub use gateway::Gateway;
pub use histories::Histories;
pub use operations::Operations;

use helios_isolation::Isolation;
use helios_sim::{DeviceProfile, FaultKind, Workload};

/// The disks that a workload runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disks {
    /// Those that keep the promises that they make.
    Honest,
    /// The same, and they damage what they hold: bit rot, misdirected writes and reads, unreadable sectors.
    Rotten,
    /// One whose syncs succeed and do nothing. No database can survive it; an oracle that does not notice is no oracle.
    Lying,
}

impl Disks {
    fn profiles(self) -> Vec<DeviceProfile> {
        match self {
            Disks::Honest | Disks::Rotten => DeviceProfile::HONEST.to_vec(),
            Disks::Lying => vec![DeviceProfile::ignores_sync()],
        }
    }
}

/// Every workload, in the order of the table above, on honest disks and then on rotten ones.
pub fn all() -> Vec<Box<dyn Workload>> {
    vec![
        Box::new(Operations::new(Disks::Honest)),
        Box::new(Bank::new(Disks::Honest)),
        Box::new(Definitions::new(Disks::Honest)),
        Box::new(Histories::new(Disks::Honest, Isolation::ReadCommitted)),
        Box::new(Histories::new(Disks::Honest, Isolation::RepeatableRead)),
        Box::new(Operations::new(Disks::Rotten)),
        Box::new(Gateway::new(Disks::Honest)),
    ]
}

/// The workload of that name.
pub fn find(name: &str) -> Option<Box<dyn Workload>> {
    let focused = FaultKind::ALL.iter().map(|kind| -> Box<dyn Workload> { Box::new(Focus::new(*kind)) });
    all().into_iter().chain(focused).find(|workload| workload.name() == name)
}
