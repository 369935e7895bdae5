//! A directory of the operating system as a [`Disk`].

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::directory::Root;
use super::file::OsFile;
use super::{Handle, Lane, Work};
use crate::runtime::here::{Deferred, defer};
use crate::runtime::pool::{Job, Pool};
use crate::{Completer, Disk, ErrorKind, File, FileLock, OpenOptions, Pending, Result, pending};

/// A directory, threads for its entries, and a [`Lane`] for its files.
pub(crate) struct OsDisk {
    root: Arc<Root>,
    pool: Arc<Pool<Work>>,
    lane: Arc<dyn Lane>,
    /// Cleared, with a word in the log, when the file system refuses O_DIRECT.
    direct: Arc<AtomicBool>,
}

/// An operation on a directory.
struct InDirectory<T, F> {
    root: Arc<Root>,
    pool: Arc<Pool<Work>>,
    work: F,
    done: Completer<Result<T>>,
}

impl<T: Send + 'static, F: FnOnce(&Root) -> Result<T> + Send + 'static> Deferred for InDirectory<T, F> {
    fn perform_here(self: Box<Self>) {
        let InDirectory { root, work, done, .. } = *self;
        done.complete(work(&root));
    }

    fn hand_over(self: Box<Self>) {
        let InDirectory { root, pool, work, done } = *self;
        let work = move || {
            done.complete(work(&root));
        };
        if let Err(work) = pool.push(Work::Directory(Box::new(work))) {
            work.run();
        }
    }
}

impl OsDisk {
    pub(crate) fn open(path: &Path, pool: Arc<Pool<Work>>, lane: Arc<dyn Lane>) -> Result<OsDisk> {
        let root = Arc::new(Root::open(path)?);
        let direct = Arc::new(AtomicBool::new(lane.bypasses_cache()));
        Ok(OsDisk { root, pool, lane, direct })
    }

    fn start<T, F>(&self, work: F) -> Pending<Result<T>>
    where
        T: Send + 'static,
        F: FnOnce(&Root) -> Result<T> + Send + 'static,
    {
        let (done, pending) = pending();
        defer(Box::new(InDirectory { root: self.root.clone(), pool: self.pool.clone(), work, done }));
        pending
    }
}

/// Opens a file past the cache if that is wanted and possible.
fn open_file(root: &Root, path: &str, options: OpenOptions, direct: &AtomicBool) -> Result<Arc<Handle>> {
    if options.direct && direct.load(Ordering::Relaxed) {
        match root.open_file(path, options, true) {
            Err(error) if error.kind() == ErrorKind::Invalid && error.errno() != 0 => {
                // Some file systems create the file before they refuse.
                let again = OpenOptions { create: options.create || options.create_new, create_new: false, ..options };
                let opened = root.open_file(path, again, false)?;
                if direct.swap(false, Ordering::Relaxed) {
                    tracing::warn!(directory = %root.path.display(), "the file system refuses O_DIRECT: going through the page cache");
                }
                return Ok(opened);
            }
            result => return result,
        }
    }
    root.open_file(path, options, false)
}

impl Disk for OsDisk {
    fn open(&self, path: &str, options: OpenOptions) -> Pending<Result<Arc<dyn File>>> {
        let (path, lane, direct) = (path.to_owned(), self.lane.clone(), self.direct.clone());
        self.start(move |root| {
            let handle = open_file(root, &path, options, &direct)?;
            Ok(Arc::new(OsFile { handle, writable: options.write, lane }) as Arc<dyn File>)
        })
    }

    fn rename(&self, from: &str, to: &str) -> Pending<Result<()>> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.start(move |root| root.rename(&from, &to))
    }

    fn remove(&self, path: &str) -> Pending<Result<()>> {
        let path = path.to_owned();
        self.start(move |root| root.remove(&path))
    }

    fn list(&self, dir: &str) -> Pending<Result<Vec<String>>> {
        let dir = dir.to_owned();
        self.start(move |root| root.list(&dir))
    }

    fn create_dir(&self, dir: &str) -> Pending<Result<()>> {
        let dir = dir.to_owned();
        self.start(move |root| root.create_dir(&dir))
    }

    fn remove_dir(&self, dir: &str) -> Pending<Result<()>> {
        let dir = dir.to_owned();
        self.start(move |root| root.remove_dir(&dir))
    }

    fn sync_dir(&self, dir: &str) -> Pending<Result<()>> {
        let dir = dir.to_owned();
        self.start(move |root| root.sync_dir(&dir))
    }

    fn lock(&self, path: &str) -> Pending<Result<Box<dyn FileLock>>> {
        let path = path.to_owned();
        self.start(move |root| root.lock(&path))
    }

    fn describe(&self) -> String {
        self.root.path.display().to_string()
    }
}
