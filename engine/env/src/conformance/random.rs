//! The same random operations on several disks.
//!
//! A sequence of operations is drawn from a seed: never from what the disk answered, except that a handle exists only
//! if opening it succeeded. Each operation adds a line to the transcript: what was done, and the result, the sizes, a
//! hash of the bytes, or the kind of error. Disks that keep the contract return equal transcripts.
//!
//! Few names, few handles and small files make for many collisions, which is where backends would differ: renames over
//! open files, directories where files should be, reads across ends, direct handles beside cached ones.

use std::sync::Arc;

use super::{DIRECTORY, Failure, pattern, remove_tree};
use crate::{
    ALIGNMENT, Buf, Env, ErrorKind, File, IoError, OpenOptions, Result, SplitMix64, SyncMode, read_full, write_full,
    write_full_and_sync,
};

/// Handles open at the same time, at most.
const HANDLES_MAX: usize = 6;
/// Offsets and lengths go up to here, in bytes.
const LEN_MAX: u64 = 40_000;

/// Runs `steps` random operations drawn from `seed`, and tells what happened, a line per operation.
///
/// # Panics
/// When the directory could not be cleared before or after.
pub async fn random_operations(env: &Env, seed: u64, steps: usize) -> Vec<String> {
    let root = format!("{DIRECTORY}/random");
    let prepared: std::result::Result<(), Failure> = async {
        env.disk.create_dir(&root).await?;
        remove_tree(env, &root).await?;
        Ok(env.disk.create_dir(&root).await?)
    }
    .await;
    if let Err(Failure(failure)) = prepared {
        panic!("could not prepare {root}: {failure}");
    }
    let mut run = Run { env, root, state: seed, handles: Vec::new(), transcript: Vec::new() };
    for _ in 0..steps {
        Box::pin(run.step()).await;
    }
    run.finish().await
}

struct Handle {
    file: Arc<dyn File>,
    direct: bool,
}

struct Run<'a> {
    env: &'a Env,
    root: String,
    state: u64,
    handles: Vec<Handle>,
    transcript: Vec<String>,
}

impl Run<'_> {
    fn draw(&mut self, bound: u64) -> u64 {
        let (state, output) = SplitMix64::step(self.state);
        self.state = state;
        output % bound
    }

    /// One of a dozen paths; some are below others that may be files.
    fn path(&mut self) -> String {
        const PATHS: [&str; 12] = ["a", "b", "c", "d", "x", "x/a", "x/b", "x/y", "x/y/a", "x/y/b", "a/b", "z/a"];
        let path = PATHS[self.draw(PATHS.len() as u64) as usize];
        format!("{}/{path}", self.root)
    }

    /// An offset or a length; a multiple of the alignment for direct handles.
    fn extent(&mut self, direct: bool) -> u64 {
        let at = self.draw(LEN_MAX);
        if direct { at / ALIGNMENT as u64 * ALIGNMENT as u64 } else { at }
    }

    fn note(&mut self, operation: String, outcome: Result<String>) {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => format!("{:?}", error.kind()),
        };
        self.transcript.push(format!("{operation}: {outcome}"));
    }

    async fn step(&mut self) {
        match self.draw(100) {
            0..12 => self.open().await,
            12..55 if !self.handles.is_empty() => self.on_handle().await,
            55..60 if !self.handles.is_empty() => {
                let which = self.draw(self.handles.len() as u64) as usize;
                self.handles.swap_remove(which);
                self.note(format!("close {which}"), Ok(String::new()));
            }
            _ => self.on_directory().await,
        }
    }

    async fn open(&mut self) {
        let path = self.path();
        let direct = self.draw(4) == 0;
        let (kind, options) = match self.draw(4) {
            0 => ("read", OpenOptions::read()),
            1 => ("write", OpenOptions { write: true, ..OpenOptions::default() }),
            2 => ("create", OpenOptions { write: true, create: true, ..OpenOptions::default() }),
            _ => ("create new", OpenOptions::create_new()),
        };
        if self.handles.len() == HANDLES_MAX {
            self.handles.remove(0);
        }
        let opened = self.env.disk.open(&path, options.direct(direct)).await;
        let outcome = opened.map(|file| {
            self.handles.push(Handle { file, direct });
            "opened".to_owned()
        });
        self.note(format!("open {path} to {kind}, direct {direct}"), outcome);
    }

    async fn on_handle(&mut self) {
        let which = self.draw(self.handles.len() as u64) as usize;
        let (file, direct) = (self.handles[which].file.clone(), self.handles[which].direct);
        let (offset, len) = (self.extent(direct), self.extent(direct));
        let bytes = pattern(self.draw(u64::MAX), len as usize);
        let done = |()| "done".to_owned();
        let (operation, outcome) = match self.draw(12) {
            0..5 => {
                let io = read_full(&*file, offset, Buf::zeroed(len as usize)).await;
                ("read", io.result.map(|count| format!("{count} bytes, {:016x}", hash(&io.buf[..count]))))
            }
            5..7 => ("write", write_full(&*file, offset, Buf::from(&*bytes)).await.0.map(done)),
            7 => ("write and sync", write_full_and_sync(&*file, offset, Buf::from(&*bytes)).await.0.map(done)),
            8 => ("truncate", file.truncate(offset).await.map(done)),
            9 => ("allocate", file.allocate(offset).await.map(done)),
            10 => ("sync", file.sync(SyncMode::Data).await.map(done)),
            _ => ("len", file.len().await.map(|len| format!("{len}"))),
        };
        self.note(format!("{operation} {which} at {offset}, {len}"), outcome);
    }

    async fn on_directory(&mut self) {
        let (path, other) = (self.path(), self.path());
        let choice = self.draw(8);
        let done = |()| "done".to_owned();
        let disk = &self.env.disk;
        let (operation, outcome) = match choice {
            0 => (format!("remove {path}"), disk.remove(&path).await.map(done)),
            // The contract leaves open what becomes of a directory that is renamed to a free name.
            1 | 2 if !self.is_directory(&path).await => {
                (format!("rename {path} to {other}"), disk.rename(&path, &other).await.map(done))
            }
            3 => (format!("create directory {path}"), disk.create_dir(&path).await.map(done)),
            4 => (format!("remove directory {path}"), disk.remove_dir(&path).await.map(done)),
            5 => (format!("sync directory {path}"), disk.sync_dir(&path).await.map(done)),
            _ => (format!("list {path}"), disk.list(&path).await.map(|names| names.join(" "))),
        };
        self.note(operation, outcome);
    }

    async fn is_directory(&self, path: &str) -> bool {
        self.env.disk.list(path).await.is_ok()
    }

    /// Adds what is left on the disk to the transcript, and removes it.
    async fn finish(mut self) -> Vec<String> {
        let root = self.root.clone();
        let cleared = self.walk(&root).await;
        let cleared = match cleared {
            Ok(()) => remove_tree(self.env, &root).await,
            Err(error) => Err(error.into()),
        };
        if let Err(Failure(failure)) = cleared {
            panic!("could not clear {root}: {failure}");
        }
        self.transcript
    }

    async fn walk(&mut self, dir: &str) -> Result<()> {
        for name in self.env.disk.list(dir).await? {
            let path = format!("{dir}/{name}");
            match super::contents(self.env, &path).await {
                Ok(bytes) => {
                    self.note(format!("left {path}"), Ok(format!("{} bytes, {:016x}", bytes.len(), hash(&bytes))));
                }
                Err(error) if error.kind() == ErrorKind::Directory => Box::pin(self.walk(&path)).await?,
                Err(error) => return Err::<(), IoError>(error),
            }
        }
        Ok(())
    }
}

/// FNV-1a, in words: enough to tell contents apart.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
