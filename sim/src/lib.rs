//! A deterministic world for storage engines.
//!
//! `helios-sim` stands behind the four traits of `helios-env`. A program that reaches disk, clock, randomness and tasks
//! through an [`helios_env::Env`] runs in a [`World`] unchanged, in plain `cargo test`, on one thread, without cfg flags:
//! its writes are torn, its syncs fail, its process is killed, and everything that happened can be made to happen
//! again from a small file.
//!
//! ```
//! use helios_env::{Buf, OpenOptions, SyncMode};
//! use helios_sim::{CrashKind, World};
//!
//! let world = World::seeded(7);
//! let env = world.env();
//! world
//!     .run(async move {
//!         let file = env.disk.open("greeting", OpenOptions::create_new()).await?;
//!         file.write_at(0, Buf::from(&b"hello"[..])).await.result?;
//!         file.sync(SyncMode::Data).await?;
//!         env.disk.sync_dir("").await
//!     })
//!     .expect("nothing crashes unasked")
//!     .expect("no fault is switched on");
//! world.crash(CrashKind::Power);
//! assert_eq!(world.disk().image().read("greeting").as_deref(), Some(&b"hello"[..]));
//! ```
#![warn(missing_docs)]

mod cancel;
pub mod choices;
mod core;
mod disk;
mod executor;
mod explore;
mod marks;
mod panics;
mod swarm;
mod timeline;
mod trace;
mod violation;
mod world;

pub use cancel::{Cancellable, Cancelled, cancellable};
pub use choices::{Choices, DecisionLog};
pub use core::CrashKind;
pub use disk::{
    Class, Crash, DeviceProfile, DiskImage, FailedSync, Fate, FaultCounts, FaultKind, Faults, Honesty, PowerCut,
    SECTOR, SimDisk, Timing,
};
pub use explore::{Explore, Explored, Ledger, explore};
pub use marks::{Buggify, Marks};
pub use swarm::{
    Bundle, Failure, Life, Shrunk, Stats, Swarm, SwarmReport, Workload, failures_directory, live, replay, shrink, swarm,
};
pub use trace::{Entry, Event, TraceLevel, render};
pub use violation::Violation;
pub use world::{Handle, Stop, World, WorldConfig};
