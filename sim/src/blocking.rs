//! Engines whose calls block: the bridge between them and a world whose crashes do not return.
//!
//! An engine that was not written for `helios-env` reaches its files through a seam of its own, a trait with blocking
//! methods or a table of C functions. Behind the seam [`Blocking::wait`] waits for the simulated disk:
//!
//! ```text
//!   world.run_sync(|| {                                   the world
//!       engine.commit() ──> backend.write() ──> blocking.wait(file.write_at(..)) ──┐
//!                                    ▲                                             │ other tasks run,
//!                    Ok(..) or Err(NodeEnded) <────────────────────────────────────┘ time passes, the node may crash
//!       blocking.resume();                                no frame of the engine is left: the dead may go
//!   })                     ──> Err(Stop::Crashed(..))
//! ```
//!
//! When the node crashes while such a call waits, there is nothing to return to: [`helios_env::Env::block_on`] unwinds
//! the stack. An engine whose destructors do I/O, or one in C, must not be unwound. So the crash ends here, as an error
//! like any other of the disk's, and so does all further I/O: nothing that the engine does then reaches the disk. Once
//! its last frame has returned and its handles are dropped, [`Blocking::resume`] goes on to the world.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use helios_env::Env;
use helios_env::sync::Mutex;

/// The node of a blocking engine has crashed: nothing that was asked of the disk happens any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeEnded;

impl fmt::Display for NodeEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the node has ended")
    }
}

impl std::error::Error for NodeEnded {}

impl From<NodeEnded> for std::io::Error {
    fn from(ended: NodeEnded) -> std::io::Error {
        std::io::Error::other(ended)
    }
}

/// An environment for code that blocks; see the [module](self). One for each incarnation of a node.
pub struct Blocking {
    env: Env,
    ended: AtomicBool,
    /// What was unwinding when it ended.
    unwinding: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Blocking {
    /// A bridge to `env`.
    pub fn new(env: Env) -> Blocking {
        Blocking { env, ended: AtomicBool::new(false), unwinding: Mutex::new(None) }
    }

    /// What is on the other side.
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// Runs `future` to its end. Does not unwind: if the node crashes meanwhile (or a run in the world cannot go on,
    /// which [`Blocking::resume`] reports), this and all later calls return [`NodeEnded`].
    pub fn wait<T: Send>(&self, future: impl Future<Output = T> + Send) -> Result<T, NodeEnded> {
        if self.has_ended() {
            return Err(NodeEnded);
        }
        // What the future borrows is the caller's, who learns from the error that it was left half way.
        catch_unwind(AssertUnwindSafe(|| self.env.block_on(future))).map_err(|unwinding| {
            self.ended.store(true, Relaxed);
            *self.unwinding.lock() = Some(unwinding);
            NodeEnded
        })
    }

    /// Whether the node has ended.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// Does nothing while the node lives; otherwise unwinds to the world. To be called when no frame of the engine is
    /// left on the stack, and best when none of its handles is either.
    pub fn resume(&self) {
        if let Some(unwinding) = self.unwinding.lock().take() {
            resume_unwind(unwinding);
        }
    }
}

impl fmt::Debug for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking").field("ended", &self.has_ended()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use helios_env::{Buf, File, OpenOptions, SyncMode};

    use super::*;
    use crate::{CrashKind, Stop, World};

    /// A handle whose destructor does I/O, as many have.
    struct Handle(Arc<Blocking>, Arc<dyn File>);

    impl Handle {
        fn open(world: &Arc<Blocking>) -> std::io::Result<Handle> {
            let options = OpenOptions { write: true, create: true, ..OpenOptions::default() };
            let file = world.wait(world.env().disk.open("file", options))?.map_err(std::io::Error::other)?;
            Ok(Handle(world.clone(), file))
        }

        fn write(&self) -> std::io::Result<usize> {
            self.0.wait(self.1.write_at(0, Buf::from(&b"written"[..])))?.result.map_err(std::io::Error::other)
        }
    }

    impl Drop for Handle {
        fn drop(&mut self) {
            drop(self.0.wait(self.1.sync(SyncMode::Data)));
        }
    }

    #[test]
    fn a_crash_in_a_call_that_blocks_is_an_error_and_then_the_end() {
        let world = World::seeded(1);
        let blocking = Arc::new(Blocking::new(world.env()));
        let mut failed = None;
        let end = world.run_sync(|| {
            let handle = Handle::open(&blocking).expect("nothing crashes yet");
            assert_eq!(handle.write().expect("nothing crashes yet"), 7);
            world.handle().crash(CrashKind::Process);
            failed = Some(handle.write().map_err(|error| error.to_string()));
            assert!(blocking.has_ended());
            drop(handle);
            blocking.resume();
            unreachable!("the node has ended");
        });
        assert_eq!((end, failed), (Err::<(), _>(Stop::Crashed(CrashKind::Process)), Some(Err(NodeEnded.to_string()))));
        // The next incarnation goes on where the last one stopped.
        let blocking = Arc::new(Blocking::new(world.env()));
        let end = world.run_sync(|| Handle::open(&blocking).and_then(|handle| handle.write()).expect("it lives"));
        assert_eq!(end, Ok(7));
    }
}
