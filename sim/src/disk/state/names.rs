//! The tree of names: lookups, changes of entries, and what a directory's sync makes durable.

use std::sync::Arc;

use helios_env::{ErrorKind, IoError, OpenOptions, Result};

use super::{DirNode, DiskState, FileNode, Node};
use crate::disk::content::Content;
use crate::disk::crash::{Change, What};
use crate::disk::image::{Entries, Ino, ROOT};
use crate::disk::picture::DiskEvent;
use crate::disk::profile::Honesty;

/// A path cut into its directory, found, and its last name, which may be absent there.
struct Place<'a> {
    dir: Ino,
    name: &'a str,
    found: Option<Ino>,
}

impl DiskState {
    fn entries(&self, dir: Ino) -> Option<&Entries> {
        match self.nodes.get(dir as usize)? {
            Some(Node::Dir(dir)) => Some(&dir.cached),
            _ => None,
        }
    }

    pub(super) fn dir(&mut self, ino: Ino) -> &mut DirNode {
        match &mut self.nodes[ino as usize] {
            Some(Node::Dir(dir)) => dir,
            _ => unreachable!("a directory with entries stays"),
        }
    }

    fn is_dir(&self, ino: Ino) -> bool {
        matches!(self.nodes[ino as usize], Some(Node::Dir(_)))
    }

    fn lookup_dir(&self, path: &str, operation: &'static str) -> Result<Ino> {
        check(path, operation)?;
        let mut dir = ROOT;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let entries = self.entries(dir).ok_or_else(|| IoError::from_errno(libc::ENOTDIR, operation))?;
            dir = *entries.get(part).ok_or_else(|| IoError::from_errno(libc::ENOENT, operation))?;
        }
        if self.is_dir(dir) { Ok(dir) } else { Err(IoError::from_errno(libc::ENOTDIR, operation)) }
    }

    fn place<'a>(&self, path: &'a str, operation: &'static str) -> Result<Place<'a>> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        check(path, operation)?;
        if name.is_empty() {
            return Err(IoError::new(ErrorKind::Invalid, operation));
        }
        let dir = self.lookup_dir(parent, operation)?;
        let found = self.entries(dir).and_then(|entries| entries.get(name)).copied();
        Ok(Place { dir, name, found })
    }

    fn new_node(&mut self, node: Node) -> Ino {
        self.nodes.push(Some(node));
        Ino::try_from(self.nodes.len() - 1).expect("fewer than 2^32 inodes")
    }

    fn link(&mut self, dir: Ino, name: &str, ino: Ino) {
        let name: Arc<str> = name.into();
        let seq = self.seq();
        Arc::make_mut(&mut self.dir(dir).cached).insert(name.clone(), ino);
        self.push_entry_change(seq, What::Link { dir, name, ino });
    }

    fn unlink(&mut self, dir: Ino, name: &str) {
        let seq = self.seq();
        Arc::make_mut(&mut self.dir(dir).cached).remove(name);
        self.push_entry_change(seq, What::Unlink { dir, name: name.into() });
    }

    fn push_entry_change(&mut self, seq: u64, what: What) {
        self.tell_change(seq, &what);
        self.entry_changes.push(Change { seq, what });
        self.tell_files();
    }

    /// Whether [`DiskState::open`] would make a file.
    pub(crate) fn would_create(&self, path: &str, options: OpenOptions) -> bool {
        (options.create || options.create_new) && self.place(path, "open").is_ok_and(|place| place.found.is_none())
    }

    /// Opens or creates; the caller owns one handle.
    pub(crate) fn open(&mut self, path: &str, options: OpenOptions) -> Result<Ino> {
        let place = self.place(path, "open")?;
        let ino = match place.found {
            Some(_) if options.create_new => return Err(IoError::from_errno(libc::EEXIST, "open")),
            Some(ino) if self.is_dir(ino) => return Err(IoError::from_errno(libc::EISDIR, "open")),
            Some(ino) => ino,
            None if options.create || options.create_new => {
                let empty = Arc::new(Content::default());
                let file = FileNode { durable: empty.clone(), cached: empty, pending: Vec::new(), handles: 0 };
                let ino = self.new_node(Node::File(file));
                self.link(place.dir, place.name, ino);
                ino
            }
            None => return Err(IoError::from_errno(libc::ENOENT, "open")),
        };
        self.file(ino).handles += 1;
        Ok(ino)
    }

    /// Another handle to an open file: an operation under way keeps it, wherever its file's owner went.
    pub(crate) fn hold(&mut self, ino: Ino) {
        self.file(ino).handles += 1;
    }

    /// Gives up a handle.
    pub(crate) fn close(&mut self, ino: Ino) {
        let file = self.file(ino);
        file.handles -= 1;
        if file.handles == 0 {
            self.collect_one(ino);
        }
    }

    pub(crate) fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        let source = self.place(from, "rename")?;
        let target = self.place(to, "rename")?;
        let ino = source.found.ok_or_else(|| IoError::from_errno(libc::ENOENT, "rename"))?;
        if self.is_dir(ino) || target.found.is_some_and(|replaced| self.is_dir(replaced)) {
            return Err(IoError::from_errno(libc::EISDIR, "rename"));
        }
        if target.found == Some(ino) {
            return Ok(());
        }
        let seq = self.seq();
        let (from, to): (Arc<str>, Arc<str>) = (source.name.into(), target.name.into());
        Arc::make_mut(&mut self.dir(source.dir).cached).remove(&from);
        Arc::make_mut(&mut self.dir(target.dir).cached).insert(to.clone(), ino);
        let what = What::Rename { from: (source.dir, from), to: (target.dir, to), ino };
        self.push_entry_change(seq, what);
        Ok(())
    }

    pub(crate) fn remove(&mut self, path: &str) -> Result<()> {
        let place = self.place(path, "remove")?;
        match place.found {
            None => Err(IoError::from_errno(libc::ENOENT, "remove")),
            Some(ino) if self.is_dir(ino) => Err(IoError::from_errno(libc::EISDIR, "remove")),
            Some(_) => {
                self.unlink(place.dir, place.name);
                Ok(())
            }
        }
    }

    pub(crate) fn remove_dir(&mut self, path: &str) -> Result<()> {
        let place = self.place(path, "remove directory")?;
        let ino = place.found.ok_or_else(|| IoError::from_errno(libc::ENOENT, "remove directory"))?;
        match self.entries(ino) {
            None => Err(IoError::from_errno(libc::ENOTDIR, "remove directory")),
            Some(entries) if !entries.is_empty() => Err(IoError::from_errno(libc::ENOTEMPTY, "remove directory")),
            Some(_) => {
                self.unlink(place.dir, place.name);
                Ok(())
            }
        }
    }

    pub(crate) fn create_dir(&mut self, path: &str) -> Result<()> {
        check(path, "create directory")?;
        let mut dir = ROOT;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let found = self.entries(dir).expect("checked below").get(part).copied();
            dir = match found {
                Some(ino) if self.is_dir(ino) => ino,
                Some(_) => return Err(IoError::from_errno(libc::ENOTDIR, "create directory")),
                None => {
                    let empty: Arc<Entries> = Arc::default();
                    let ino = self.new_node(Node::Dir(DirNode { durable: empty.clone(), cached: empty }));
                    self.link(dir, part, ino);
                    ino
                }
            };
        }
        Ok(())
    }

    pub(crate) fn list(&self, path: &str) -> Result<Vec<String>> {
        let dir = self.lookup_dir(path, "list")?;
        Ok(self.entries(dir).expect("just found").keys().map(|name| name.to_string()).collect())
    }

    pub(crate) fn find_dir(&self, path: &str) -> Result<Ino> {
        self.lookup_dir(path, "sync directory")
    }

    /// Makes the changes of a directory's entries up to `seq` durable.
    pub(crate) fn sync_dir(&mut self, dir: Ino, seq: u64) {
        if self.profile.honest != Honesty::IgnoresSyncDir {
            self.sync_entries(seq, |what| match what {
                What::Link { dir: d, .. } | What::Unlink { dir: d, .. } => *d == dir,
                What::Rename { from, to, .. } => from.0 == dir || to.0 == dir,
                _ => false,
            });
            // In another directory than it came from, a renamed file's other half waits for the other sync.
            if !self.profile.ordered_entries {
                self.split_renames(dir, seq);
            }
            self.tell_files();
            self.collect();
        }
    }

    /// Makes entry changes up to `seq` durable: the covered ones, and with a journal all before the last of them.
    pub(super) fn sync_entries(&mut self, seq: u64, covered: impl Fn(&What) -> bool) {
        let ordered = self.profile.ordered_entries;
        let whole = |what: &What| match what {
            What::Rename { from, to, .. } => ordered || from.0 == to.0,
            _ => true,
        };
        let takes = |change: &Change| change.seq <= seq && covered(&change.what) && whole(&change.what);
        let last = self.entry_changes.iter().rposition(takes);
        let Some(last) = last else { return };
        let changes = std::mem::take(&mut self.entry_changes);
        let mut durable = Vec::new();
        for (index, change) in changes.into_iter().enumerate() {
            if (ordered && index <= last) || takes(&change) {
                self.replay_entry(&change.what);
                durable.push(change.seq);
            } else {
                self.entry_changes.push(change);
            }
        }
        self.tell(|_| DiskEvent::Durable(durable));
        self.tell_files();
    }

    /// A rename between directories, one of which is synced: that half becomes durable, the other stays pending.
    fn split_renames(&mut self, dir: Ino, seq: u64) {
        for index in 0..self.entry_changes.len() {
            let Change { seq: made, what: What::Rename { from, to, ino } } = self.entry_changes[index].clone() else {
                continue;
            };
            if made <= seq && (from.0 == dir || to.0 == dir) {
                let unlink = What::Unlink { dir: from.0, name: from.1 };
                let link = What::Link { dir: to.0, name: to.1, ino };
                let (durable, pending) = if from.0 == dir { (unlink, link) } else { (link, unlink) };
                self.replay_entry(&durable);
                self.entry_changes[index].what = pending;
            }
        }
    }

    fn replay_entry(&mut self, what: &What) {
        match what {
            What::Link { dir, name, ino } => {
                Arc::make_mut(&mut self.dir(*dir).durable).insert(name.clone(), *ino);
            }
            What::Unlink { dir, name } => {
                Arc::make_mut(&mut self.dir(*dir).durable).remove(name);
            }
            What::Rename { from, to, ino } => {
                let old = Arc::make_mut(&mut self.dir(from.0).durable);
                if old.get(&from.1) == Some(ino) {
                    old.remove(&from.1);
                }
                Arc::make_mut(&mut self.dir(to.0).durable).insert(to.1.clone(), *ino);
            }
            _ => unreachable!("a change of an entry"),
        }
    }

    /// Frees inodes that no name, no handle and no pending change refers to.
    pub(super) fn collect(&mut self) {
        let mut named = vec![false; self.nodes.len()];
        named[ROOT as usize] = true;
        for node in self.nodes.iter().flatten() {
            if let Node::Dir(dir) = node {
                for ino in dir.durable.values().chain(dir.cached.values()) {
                    named[*ino as usize] = true;
                }
            }
        }
        for change in &self.entry_changes {
            match change.what {
                What::Link { ino, dir, .. } => {
                    named[ino as usize] = true;
                    named[dir as usize] = true;
                }
                What::Unlink { dir, .. } => named[dir as usize] = true,
                What::Rename { ino, ref from, ref to } => {
                    for kept in [ino, from.0, to.0] {
                        named[kept as usize] = true;
                    }
                }
                _ => {}
            }
        }
        let mut freed = false;
        for (ino, named) in (0..).zip(named) {
            let open = matches!(&self.nodes[ino as usize], Some(Node::File(file)) if file.handles > 0);
            if !named && !open && self.nodes[ino as usize].take().is_some() {
                self.overlays.repair(ino, 0, u64::MAX);
                freed = true;
            }
        }
        if freed {
            self.tell_files();
        }
    }

    fn collect_one(&mut self, ino: Ino) {
        let entries = self.nodes.iter().flatten().filter_map(|node| match node {
            Node::Dir(dir) => Some(dir),
            Node::File(_) => None,
        });
        let named = entries.flat_map(|dir| dir.cached.values().chain(dir.durable.values())).any(|i| *i == ino);
        if !named {
            self.collect();
        }
    }
}

/// Refuses a path that is not as [`helios_env::Disk`] wants it.
fn check(path: &str, operation: &'static str) -> Result<()> {
    let good = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    if path.is_empty() || path.split('/').all(good) { Ok(()) } else { Err(IoError::new(ErrorKind::Invalid, operation)) }
}
