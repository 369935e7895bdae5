//! One suite that every backend passes: io_uring's, the portable one, memory, and the simulator's.
//!
//! The engine is tested against the simulator and trusted with a disk, which is worth nothing unless the two agree on
//! what an operation does. This module says what that is, as checks that run on any [`Env`]:
//!
//! * [`run`] runs the named checks: each operation, its results, sizes, and the kind of error in every bad case.
//! * [`random_operations`] runs a random sequence and returns its transcript; two backends given the same seed must
//!   return the same.
//!
//! Both take short I/O for granted and neither expects faults: a simulated world runs them with its faults switched
//! off. Everything happens in the directory [`DIRECTORY`] of the disk, which is removed in the end.
//!
//! ```
//! # use helios_env::{Env, conformance};
//! let env = Env::memory()?;
//! env.block_on(conformance::run(&env));
//! # Ok::<(), helios_env::IoError>(())
//! ```

mod directories;
mod files;
mod random;
mod tasks;

use std::sync::Arc;

pub use random::random_operations;

use crate::{Buf, Env, ErrorKind, File, IoError, OpenOptions, Result, read_full, write_full};

/// Where on the disk the checks work.
pub const DIRECTORY: &str = "conformance";

/// Why a check failed.
pub struct Failure(String);

impl From<IoError> for Failure {
    fn from(error: IoError) -> Failure {
        Failure(error.to_string())
    }
}

/// The outcome of one check.
type Checked = std::result::Result<(), Failure>;

/// Fails the check unless the condition holds.
macro_rules! ensure {
    ($condition:expr) => { $crate::conformance::ensure!($condition, "{}", stringify!($condition)) };
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::conformance::Failure(format!($($message)+)));
        }
    };
}

/// Fails the check unless both are equal.
macro_rules! ensure_eq {
    ($left:expr, $right:expr) => {{
        let (left, right) = (&$left, &$right);
        $crate::conformance::ensure!(
            left == right,
            "{} is {left:?} and should be {right:?} (line {})",
            stringify!($left),
            line!()
        );
    }};
}

/// Fails the check unless the operation failed with this kind of error.
macro_rules! ensure_fails {
    ($result:expr, $kind:ident) => {{
        match $result {
            Ok(_) => {
                return Err($crate::conformance::Failure(format!(
                    "{} succeeded and should fail with {:?} (line {})",
                    stringify!($result),
                    $crate::ErrorKind::$kind,
                    line!()
                )));
            }
            Err(error) => $crate::conformance::ensure!(
                error.kind() == $crate::ErrorKind::$kind,
                "{} failed with {:?} ({error}) and should with {:?} (line {})",
                stringify!($result),
                error.kind(),
                $crate::ErrorKind::$kind,
                line!()
            ),
        }
    }};
}

pub(crate) use {ensure, ensure_eq, ensure_fails};

/// Runs every check.
///
/// # Panics
/// When one fails, naming it.
pub async fn run(env: &Env) {
    macro_rules! checks {
        ($($module:ident: $($name:ident),+;)+) => {
            $($(
                let name = concat!(stringify!($module), "::", stringify!($name));
                let check = async {
                    let dir = format!("{DIRECTORY}/{}", stringify!($name));
                    env.disk.create_dir(&dir).await?;
                    $module::$name(env, &dir).await?;
                    remove_tree(env, &dir).await?;
                    Ok(())
                };
                if let Err(Failure(failure)) = Box::pin(check).await {
                    panic!("conformance check {name} on {}: {failure}", env.disk.describe());
                }
            )+)+
        };
    }
    checks! {
        files: open_missing, create_new, create_if_absent, open_what_is_no_file, paths_that_leave, read_at_the_end,
            write_extends_with_zeros, overwrite, read_only, truncate, allocate, nothing, sync, write_and_sync,
            buffers_come_back, long, two_handles, direct, dropped_writes, dropped_reads, many_at_once, tasks_at_once;
        directories: list, create_dir, remove_dir, rename, rename_what_is_no_file, remove, remove_while_open,
            replace_while_open, sync_dir, lock;
        tasks: clock, sleep, dropped_sleeps, spawn, spawn_from_task, yield_now, offload, random_numbers;
    }
    if let Err(Failure(failure)) = remove_tree(env, DIRECTORY).await {
        panic!("conformance: could not clean up {}: {failure}", env.disk.describe());
    }
}

/// Removes a directory and everything in it.
async fn remove_tree(env: &Env, dir: &str) -> Checked {
    for name in env.disk.list(dir).await? {
        let path = format!("{dir}/{name}");
        match env.disk.remove(&path).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Directory => Box::pin(remove_tree(env, &path)).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(env.disk.remove_dir(dir).await?)
}

/// A new file, open for reading and writing.
async fn create(env: &Env, path: &str) -> Result<Arc<dyn File>> {
    env.disk.open(path, OpenOptions::create_new()).await
}

/// Writes `bytes` at `offset`, all of them.
async fn write(file: &dyn File, offset: u64, bytes: &[u8]) -> Result<()> {
    write_full(file, offset, Buf::from(bytes)).await.0
}

/// At most `len` bytes at `offset`.
async fn read(file: &dyn File, offset: u64, len: usize) -> Result<Vec<u8>> {
    let io = read_full(file, offset, Buf::zeroed(len)).await;
    let count = io.result?;
    Ok(io.buf[..count].to_vec())
}

/// The whole file.
async fn contents(env: &Env, path: &str) -> Result<Vec<u8>> {
    let file = env.disk.open(path, OpenOptions::read()).await?;
    let len = file.len().await?;
    read(&*file, 0, usize::try_from(len).expect("the checks' files are short") + 1).await
}

/// Bytes that differ from block to block and from seed to seed.
fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        let (next, output) = crate::SplitMix64::step(state);
        state = next;
        bytes.extend_from_slice(&output.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
