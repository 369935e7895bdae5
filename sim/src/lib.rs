//! A deterministic world for storage engines.
//!
//! `helios-sim` stands behind the four traits of `helios-env`. A program that reaches disk, clock, randomness and tasks
//! through an [`helios_env::Env`] runs in a [`World`] unchanged, in plain `cargo test`, on one thread, without cfg flags:
//! its writes are torn, its syncs fail, its process is killed, and everything that happened can be made to happen
//! again from a small file.
//!
//! ```text
//!        swarm(workload)        explore(script, check)          many worlds
//!              │                        │
//!              └───────────┬────────────┘
//!                          ▼
//!   World ── nodes ── incarnations ── Env { disk, clock, rng, spawn, probe } ──> the program under test
//!     │
//!     ├── Executor    which ready task runs
//!     ├── Timeline    when things happen
//!     ├── SimDisk     cached, pending, durable; faults; what a crash leaves
//!     ├── SimNet      connections between nodes; what delays, cuts and ends them
//!     ├── Trace       what happened, and a hash of it
//!     └── Choices     every decision of all of the above, recorded
//! ```
//!
//! A first test:
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
//!
//! Without either sync some seed loses the file. [`explore()`] does not need the luck: it visits every crash point of a
//! script and every image that the disk could then hold. [`swarm()`] needs luck and has plenty of it: it runs a
//! [`Workload`] with several clients in thousands of worlds that fail in different ways.
//!
//! # What is deterministic, and by whose leave
//!
//! A world is a function of its [`WorldConfig`]. Everything that it leaves open is asked of [`Choices`], where each
//! question names its site and each answer is recorded in a [`DecisionLog`]. Replaying the log gives the same
//! [`World::trace_hash`], in this process and in another. The log is matched site by site and answer 0 is the dull
//! one, so that an old log survives unrelated changes of the code, and shrinks by turning answers into zeros.
//!
//! In return the program under test uses nothing but its environment: no threads, no clock, no files, no randomly
//! seeded maps of its own, no globals that change, no destructor that does I/O. The crate's README has the full table
//! of where each decision comes from and what a program may not use.

mod blocking;
mod cancel;
pub mod choices;
mod core;
pub mod disk;
mod executor;
pub mod explore;
mod faults;
pub mod marks;
pub mod network;
mod panics;
mod patience;
pub mod swarm;
mod timeline;
pub mod trace;
pub mod viewer;
mod violation;
pub mod world;

pub use blocking::{Blocking, NodeEnded};
pub use cancel::{Cancellable, Cancelled, cancel_at};
pub use choices::{Choices, DecisionLog};
pub use core::CrashKind;
pub use disk::{
    Crash, DeviceProfile, DiskEvent, DiskImage, FailedSync, Fate, FilePicture, Honesty, PowerCut, SECTOR, SimDisk,
    Timing,
};
pub use explore::{Explore, Explored, Figures, Ledger, explore};
pub use faults::{Class, FaultCounts, FaultKind, Faults};
pub use marks::{Buggify, Marks};
pub use network::{NetworkError, NetworkOptions, SimListener, SimNet, SimStream};
pub use patience::{OpenFailure, open_patiently};
pub use swarm::{
    Bundle, Failure, Life, Shrunk, Stats, Swarm, SwarmReport, Workload, failures_directory, live, replay, shrink, swarm,
};
pub use trace::{Entry, Event, TraceLevel, render};
pub use violation::Violation;
pub use world::{Handle, Stop, World, WorldConfig};
