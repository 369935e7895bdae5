//! The environment: everything the engine may ask of the outside world.
//!
//! HeliosDB's engine never touches the operating system. It is handed an [`Env`], which bundles four object-safe
//! traits, and reaches files, time, randomness and tasks through it alone:
//!
//! ```text
//!              engine crates (storage, txn, sql, db)
//!                              │
//!        ┌─────────┬───────────┼───────────┬──────────┐
//!        │  Disk   │   Clock   │    Rng    │  Spawn   │      Probe: buggify, sometimes
//!        └────┬────┴─────┬─────┴─────┬─────┴────┬─────┘
//!             │          │           │          │
//!   Env::io_uring  Env::portable  Env::memory  helios-sim's World
//!  io_uring,O_DIRECT pread/pwrite    no disk   crashes, torn writes, lost syncs
//! ```
//!
//! [`Env::open_directory`] takes the best that works. A program without a runtime calls [`Env::block_on`]; one with a
//! runtime awaits in it, since every future here is woken by ordinary wakers:
//!
//! ```
//! # use helios_env::{Buf, Env, OpenOptions, Result, SyncMode, write_full};
//! # fn main() -> Result<()> {
//! let env = Env::memory()?;
//! env.block_on(async {
//!     let file = env.disk.open("greeting", OpenOptions::create_new()).await?;
//!     let (written, _buf) = write_full(&*file, 0, Buf::from(&b"hello"[..])).await;
//!     written?;
//!     file.sync(SyncMode::Data).await?;
//!     env.disk.sync_dir("").await
//! })
//! # }
//! ```
//!
//! The contract that every backend keeps, and that [`conformance`] checks on all of them:
//!
//! * Buffers ([`Buf`]) are owned, 4 KiB-aligned, handed in by value and given back on success *and* on error.
//! * Short reads and short writes are legal; callers cope ([`File::read_at`], [`read_full`], [`write_full`]).
//! * Every operation returns a [`Pending`]. Dropping it stops the waiting, never the operation: the kernel's use of
//!   the buffer ends when the completion arrives, wherever the waiter went.
//! * An error ([`IoError`]) carries the errno, the operation and the path; code asks [`IoError::kind`].
//! * Nothing is durable until [`File::sync`] (contents) or [`Disk::sync_dir`] (directory entries) has succeeded.
//!   A failed sync is final: what was pending may be gone, and a retry that succeeds means nothing. No backend retries
//!   one; whoever gets the error must not go on.
#![warn(missing_docs)]

mod backend;
mod buf;
mod clock;
pub mod conformance;
mod disk;
mod error;
pub mod hash;
mod memory;
mod os;
mod path;
mod pending;
mod portable;
mod probe;
mod rng;
mod runtime;
mod spawn;
pub mod sync;
#[cfg_attr(not(target_os = "linux"), path = "uring/absent.rs")]
mod uring;

use std::sync::Arc;

pub use backend::{BACKEND_VARIABLE, Backend};
pub use buf::{ALIGNMENT, Buf};
pub use clock::{Clock, Instant, Timestamp};
pub use disk::{Disk, File, FileLock, Io, OpenOptions, SECTOR, SyncMode, read_full, write_full, write_full_and_sync};
pub use error::{ErrorKind, IoError, Result};
pub use pending::{Completer, Pending, pending};
pub use probe::Probe;
pub use rng::{Rng, SplitMix64};
pub use spawn::{BoxFuture, Spawn, Task};

/// Files, time, randomness and tasks: one handle, cheap to clone, passed to everything that needs the world.
#[derive(Clone)]
pub struct Env {
    /// The directory that the database owns.
    pub disk: Arc<dyn Disk>,
    /// Monotonic and wall time.
    pub clock: Arc<dyn Clock>,
    /// Root of the named random streams.
    pub rng: Arc<dyn Rng>,
    /// Background tasks.
    pub spawn: Arc<dyn Spawn>,
    /// The simulator's probe; `None` in production, where [`Env::buggify`] and [`Env::sometimes`] cost one branch.
    pub probe: Option<Arc<dyn Probe>>,
}

impl Env {
    /// Whether to perturb legal behaviour at `site` this time (flush early, cut a batch short, yield here).
    /// Always `false` outside the simulator.
    #[inline]
    pub fn buggify(&self, site: &'static str) -> bool {
        match &self.probe {
            None => false,
            Some(probe) => probe.buggify(site),
        }
    }

    /// Marks a state that the simulator's swarm must reach at least once ("recovery found a torn tail").
    #[inline]
    pub fn sometimes(&self, mark: &'static str) {
        if let Some(probe) = &self.probe {
            probe.sometimes(mark);
        }
    }

    /// Completes after `duration`.
    pub fn sleep(&self, duration: std::time::Duration) -> Pending<()> {
        self.clock.sleep_until(self.clock.monotonic() + duration)
    }

    /// Starts a background task; awaiting the [`Task`] waits for its end, dropping it lets the task run on.
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) -> Task {
        self.spawn.spawn(name, Box::pin(future))
    }

    /// Runs CPU-heavy `work` off the I/O path and waits for its result.
    ///
    /// # Panics
    /// When `work` panicked.
    pub async fn offload<T: Send + 'static>(&self, name: &'static str, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (completer, result) = pending();
        let ended = self.spawn.offload(
            name,
            Box::new(move || {
                completer.complete(work());
            }),
        );
        ended.await;
        let mut result = std::pin::pin!(result);
        std::future::poll_fn(move |cx| match result.as_mut().poll(cx) {
            std::task::Poll::Ready(value) => std::task::Poll::Ready(value),
            std::task::Poll::Pending => panic!("offloaded work \"{name}\" panicked"),
        })
        .await
    }

    /// Runs `future` to its end on this thread, driving the backend's completions meanwhile.
    pub fn block_on<T: Send>(&self, future: impl Future<Output = T> + Send) -> T {
        let mut output = None;
        {
            let mut wrapped = std::pin::pin!(async { output = Some(future.await) });
            self.spawn.block_on(wrapped.as_mut());
        }
        output.expect("block_on returns only when the future is done")
    }
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Env").finish_non_exhaustive()
    }
}
