//! A disk in memory, for databases that need not outlive their process.
//!
//! It keeps the contract of every [`Disk`] except durability, which ends with the last handle: a sync has nothing to do
//! and succeeds. Every operation is complete when it returns, so nothing that runs on it ever waits for I/O, and a
//! whole database can live without a single thread hop.
//!
//! The tree is one sorted map from path to entry. Files are shared with their open handles, so that one removed or
//! replaced while open goes on existing for those who hold it, as on a real disk.

mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::path::{ancestors, check_directory, check_entry};
use crate::{Disk, ErrorKind, File, FileLock, IoError, OpenOptions, Pending, Result};
use file::{Contents, MemoryFile};

/// A tree of directories and files in memory.
#[derive(Default)]
pub(crate) struct MemoryDisk {
    tree: Mutex<Tree>,
    locked: Arc<Mutex<BTreeSet<String>>>,
}

enum Entry {
    Directory,
    File(Arc<Contents>),
}

/// Path to entry; the root is there without an entry.
#[derive(Default)]
struct Tree(BTreeMap<String, Entry>);

impl Tree {
    /// Whether every directory above `path` is there.
    fn check_ancestors(&self, path: &str, operation: &'static str) -> Result<()> {
        for ancestor in ancestors(path) {
            match self.0.get(ancestor) {
                Some(Entry::Directory) => {}
                Some(Entry::File(_)) => return Err(IoError::new(ErrorKind::Directory, operation).at(path)),
                None => return Err(IoError::new(ErrorKind::NotFound, operation).at(path)),
            }
        }
        Ok(())
    }

    fn check_is_directory(&self, path: &str, operation: &'static str) -> Result<()> {
        self.check_ancestors(path, operation)?;
        match self.0.get(path) {
            _ if path.is_empty() => Ok(()),
            Some(Entry::Directory) => Ok(()),
            Some(Entry::File(_)) => Err(IoError::new(ErrorKind::Directory, operation).at(path)),
            None => Err(IoError::new(ErrorKind::NotFound, operation).at(path)),
        }
    }

    /// The file at `path`.
    fn file(&self, path: &str, operation: &'static str) -> Result<&Arc<Contents>> {
        self.check_ancestors(path, operation)?;
        match self.0.get(path) {
            Some(Entry::File(contents)) => Ok(contents),
            Some(Entry::Directory) => Err(IoError::new(ErrorKind::Directory, operation).at(path)),
            None => Err(IoError::new(ErrorKind::NotFound, operation).at(path)),
        }
    }

    /// Paths of everything below `dir`, at any depth.
    fn below<'a>(&'a self, dir: &str) -> impl Iterator<Item = &'a str> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        self.0.range(prefix.clone()..).map(|(path, _)| path.as_str()).map_while(move |path| path.strip_prefix(&*prefix))
    }

    fn open(&mut self, path: &str, options: OpenOptions) -> Result<MemoryFile> {
        const OPERATION: &str = "open";
        check_entry(path, OPERATION)?;
        self.check_ancestors(path, OPERATION)?;
        if options.create_new && self.0.contains_key(path) {
            return Err(IoError::new(ErrorKind::AlreadyExists, OPERATION).at(path));
        }
        if (options.create || options.create_new) && !self.0.contains_key(path) {
            self.0.insert(path.to_owned(), Entry::File(Arc::default()));
        }
        Ok(MemoryFile::new(path, options.write, self.file(path, OPERATION)?.clone()))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        const OPERATION: &str = "rename";
        check_entry(from, OPERATION)?;
        check_entry(to, OPERATION)?;
        // In Linux's order, should several errors apply: both parents first.
        self.check_ancestors(from, OPERATION)?;
        self.check_ancestors(to, OPERATION)?;
        let contents = self.file(from, OPERATION)?.clone();
        if let Some(Entry::Directory) = self.0.get(to) {
            return Err(IoError::new(ErrorKind::Directory, OPERATION).at(to));
        }
        self.0.remove(from);
        self.0.insert(to.to_owned(), Entry::File(contents));
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<()> {
        check_entry(path, "remove")?;
        self.file(path, "remove")?;
        self.0.remove(path);
        Ok(())
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        check_directory(dir, "list")?;
        self.check_is_directory(dir, "list")?;
        let mut names: Vec<String> = self.below(dir).filter(|path| !path.contains('/')).map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn create_dir(&mut self, dir: &str) -> Result<()> {
        const OPERATION: &str = "create directory";
        check_directory(dir, OPERATION)?;
        for part in ancestors(dir).chain((!dir.is_empty()).then_some(dir)) {
            match self.0.get(part) {
                Some(Entry::Directory) => {}
                Some(Entry::File(_)) => return Err(IoError::new(ErrorKind::Directory, OPERATION).at(dir)),
                None => {
                    self.0.insert(part.to_owned(), Entry::Directory);
                }
            }
        }
        Ok(())
    }

    fn remove_dir(&mut self, dir: &str) -> Result<()> {
        const OPERATION: &str = "remove directory";
        check_entry(dir, OPERATION)?;
        self.check_is_directory(dir, OPERATION)?;
        if self.below(dir).next().is_some() {
            return Err(IoError::new(ErrorKind::Directory, OPERATION).at(dir));
        }
        self.0.remove(dir);
        Ok(())
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &str, options: OpenOptions) -> Pending<Result<Arc<dyn File>>> {
        let opened = self.tree.lock().open(path, options);
        Pending::ready(opened.map(|file| Arc::new(file) as Arc<dyn File>))
    }

    fn rename(&self, from: &str, to: &str) -> Pending<Result<()>> {
        Pending::ready(self.tree.lock().rename(from, to))
    }

    fn remove(&self, path: &str) -> Pending<Result<()>> {
        Pending::ready(self.tree.lock().remove(path))
    }

    fn list(&self, dir: &str) -> Pending<Result<Vec<String>>> {
        Pending::ready(self.tree.lock().list(dir))
    }

    fn create_dir(&self, dir: &str) -> Pending<Result<()>> {
        Pending::ready(self.tree.lock().create_dir(dir))
    }

    fn remove_dir(&self, dir: &str) -> Pending<Result<()>> {
        Pending::ready(self.tree.lock().remove_dir(dir))
    }

    fn sync_dir(&self, dir: &str) -> Pending<Result<()>> {
        let checked = check_directory(dir, "sync directory");
        Pending::ready(checked.and_then(|()| self.tree.lock().check_is_directory(dir, "sync directory")))
    }

    fn lock(&self, path: &str) -> Pending<Result<Box<dyn FileLock>>> {
        let options = OpenOptions { write: true, create: true, ..OpenOptions::default() };
        if let Err(error) = self.tree.lock().open(path, options) {
            return Pending::ready(Err(error));
        }
        if !self.locked.lock().insert(path.to_owned()) {
            return Pending::ready(Err(IoError::new(ErrorKind::Locked, "lock").at(path)));
        }
        Pending::ready(Ok(Box::new(MemoryLock { path: path.to_owned(), locked: self.locked.clone() })))
    }

    fn describe(&self) -> String {
        ":memory:".to_owned()
    }
}

struct MemoryLock {
    path: String,
    locked: Arc<Mutex<BTreeSet<String>>>,
}

impl FileLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.locked.lock().remove(&self.path);
    }
}
