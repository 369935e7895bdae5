//! A mounted disk: for every file what is durable, what reads see, and the changes that lie between.
//!
//! ```text
//!   cached  = what the page cache shows: every completed change is in it
//!   pending = completed changes that no sync has covered, in order
//!   durable = what is on the medium for certain
//! ```
//!
//! Directories are the same thing with names instead of bytes; their pending changes stand in one list for the whole
//! disk, because a rename belongs to two directories. This module is the file system without its failures: those are
//! chosen in [`super::submit`], and [`super::crash`] decides what becomes of the pending changes.

use std::sync::Arc;

use helios_env::{ErrorKind, IoError, OpenOptions, Result};

use super::content::Content;
use super::crash::{Change, PowerCut, What};
use super::image::{DiskImage, Entries, ImageNode, Ino, ROOT};
use super::overlay::Overlays;
use super::profile::{DeviceProfile, FailedSync, Honesty, SECTOR};
use crate::choices::Choices;

pub(crate) struct DiskState {
    pub(crate) profile: DeviceProfile,
    nodes: Vec<Option<Node>>,
    /// Unsynced changes of directories.
    entry_changes: Vec<Change>,
    next_seq: u64,
    pub(crate) overlays: Overlays,
    /// Writes handed to the disk and not yet completed.
    pub(crate) in_flight: Vec<InFlight>,
    /// Write-like operations that will still find the disk full.
    pub(crate) full_for: u32,
    /// After a failed sync on a file system that shuts down.
    pub(crate) shut_down: bool,
    /// Locked inodes and who holds them (an incarnation's number).
    pub(crate) locks: Vec<(Ino, u64)>,
}

enum Node {
    File(FileNode),
    Dir(DirNode),
}

struct FileNode {
    durable: Arc<Content>,
    cached: Arc<Content>,
    pending: Vec<Change>,
    handles: u32,
}

struct DirNode {
    durable: Arc<Entries>,
    cached: Arc<Entries>,
}

pub(crate) struct InFlight {
    pub(crate) id: u64,
    pub(crate) ino: Ino,
    pub(crate) offset: u64,
    pub(crate) data: Arc<[u8]>,
}

/// A path cut into its directory, found, and its last name, which may be absent there.
struct Place<'a> {
    dir: Ino,
    name: &'a str,
    found: Option<Ino>,
}

impl DiskState {
    pub(crate) fn mount(image: &DiskImage, profile: DeviceProfile) -> DiskState {
        let mount = |node: &ImageNode| match node {
            ImageNode::File(content) => Node::File(FileNode {
                durable: content.clone(),
                cached: content.clone(),
                pending: Vec::new(),
                handles: 0,
            }),
            ImageNode::Dir(entries) => Node::Dir(DirNode { durable: entries.clone(), cached: entries.clone() }),
        };
        DiskState {
            profile,
            nodes: image.nodes.iter().map(|node| node.as_ref().map(mount)).collect(),
            entry_changes: Vec::new(),
            next_seq: 0,
            overlays: image.overlays.clone(),
            in_flight: Vec::new(),
            full_for: 0,
            shut_down: false,
            locks: Vec::new(),
        }
    }

    /// The disk of which `cut` is a picture, all changes still pending.
    pub(crate) fn resume(cut: &PowerCut, profile: DeviceProfile) -> DiskState {
        let mut state = DiskState::mount(&cut.durable, profile);
        for change in &cut.changes {
            let what = &change.what;
            match what {
                What::Write { ino, .. } | What::Truncate { ino, .. } | What::Allocate { ino, .. } => {
                    let file = state.file(*ino);
                    replay(Arc::make_mut(&mut file.cached), what);
                    file.pending.push(change.clone());
                }
                What::Link { dir, name, ino } => {
                    Arc::make_mut(&mut state.dir(*dir).cached).insert(name.clone(), *ino);
                }
                What::Unlink { dir, name } => {
                    Arc::make_mut(&mut state.dir(*dir).cached).remove(name);
                }
                What::Rename { from, to, ino } => {
                    Arc::make_mut(&mut state.dir(from.0).cached).remove(&from.1);
                    Arc::make_mut(&mut state.dir(to.0).cached).insert(to.1.clone(), *ino);
                }
            }
            if what.is_entry() {
                state.entry_changes.push(change.clone());
            }
            state.next_seq = state.next_seq.max(change.seq);
        }
        state
    }

    /// The disk as a power failure would find it now.
    pub(crate) fn power_cut(&self) -> PowerCut {
        let mut changes: Vec<Change> = self.entry_changes.clone();
        let mut nodes = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            nodes.push(match node {
                None => None,
                Some(Node::Dir(dir)) => Some(ImageNode::Dir(dir.durable.clone())),
                Some(Node::File(file)) => {
                    changes.extend_from_slice(&file.pending);
                    Some(ImageNode::File(file.durable.clone()))
                }
            });
        }
        changes.sort_by_key(|change| change.seq);
        let in_flight = (self.next_seq..).zip(&self.in_flight);
        changes.extend(
            in_flight.map(|(seq, w)| Change {
                seq,
                what: What::Write { ino: w.ino, offset: w.offset, data: w.data.clone() },
            }),
        );
        PowerCut {
            durable: DiskImage { nodes, overlays: self.overlays.clone() },
            changes,
            atomic_bytes: self.profile.atomic_bytes,
            ordered_entries: self.profile.ordered_entries,
            half_renames: self.profile.half_renames,
        }
    }

    /// The killed process's handles and locks are gone; the cache stays.
    pub(crate) fn release_all(&mut self) {
        self.locks.clear();
        self.in_flight.clear();
        for node in self.nodes.iter_mut().flatten() {
            if let Node::File(file) = node {
                file.handles = 0;
            }
        }
        self.collect();
    }

    fn seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq
    }

    /// Changes made up to now have numbers up to this.
    pub(crate) fn last_seq(&self) -> u64 {
        self.next_seq
    }

    // ---- files ----

    fn file(&mut self, ino: Ino) -> &mut FileNode {
        match &mut self.nodes[ino as usize] {
            Some(Node::File(file)) => file,
            _ => unreachable!("an open file's inode stays"),
        }
    }

    fn file_ref(&self, ino: Ino) -> &FileNode {
        match &self.nodes[ino as usize] {
            Some(Node::File(file)) => file,
            _ => unreachable!("an open file's inode stays"),
        }
    }

    pub(crate) fn len(&self, ino: Ino) -> u64 {
        self.file_ref(ino).cached.len()
    }

    /// Reads what the cache shows, with the medium's damage.
    pub(crate) fn read(&self, ino: Ino, offset: u64, out: &mut [u8]) -> Result<usize> {
        let n = self.file_ref(ino).cached.read(offset, out);
        if !self.overlays.is_empty() {
            if self.overlays.unreadable(ino, offset, n) {
                return Err(IoError::from_errno(libc::EIO, "read"));
            }
            self.overlays.show(ino, offset, &mut out[..n]);
        }
        Ok(n)
    }

    /// A sector as reads show it, zeros behind the end of the file and where it cannot be read.
    pub(crate) fn sector(&self, ino: Ino, sector: u64) -> [u8; SECTOR as usize] {
        let mut bytes = [0; SECTOR as usize];
        self.file_ref(ino).cached.read(sector * SECTOR, &mut bytes);
        self.overlays.show(ino, sector * SECTOR, &mut bytes);
        bytes
    }

    /// Some sector's offset in some file: where a misdirected operation ends up.
    pub(crate) fn elsewhere(&self, choices: &Choices) -> Option<(Ino, u64)> {
        let files = (0..).zip(&self.nodes).filter_map(|(ino, node)| match node {
            Some(Node::File(file)) if file.cached.len() > 0 => Some((ino, file.cached.len().div_ceil(SECTOR))),
            _ => None,
        });
        let files: Vec<(Ino, u64)> = files.collect();
        if files.is_empty() {
            return None;
        }
        let (ino, sectors) = files[choices.pick("disk.elsewhere file", files.len())];
        let sector = choices.pick("disk.elsewhere", usize::try_from(sectors).expect("it fits in memory"));
        Some((ino, sector as u64 * SECTOR))
    }

    pub(crate) fn write(&mut self, ino: Ino, offset: u64, data: Arc<[u8]>) {
        if data.is_empty() {
            return;
        }
        let seq = self.seq();
        self.overlays.repair(ino, offset / SECTOR, (offset + data.len() as u64).div_ceil(SECTOR));
        let file = self.file(ino);
        Arc::make_mut(&mut file.cached).write(offset, &data);
        file.pending.push(Change { seq, what: What::Write { ino, offset, data } });
    }

    pub(crate) fn truncate(&mut self, ino: Ino, len: u64) {
        let seq = self.seq();
        let file = self.file(ino);
        Arc::make_mut(&mut file.cached).set_len(len);
        file.pending.push(Change { seq, what: What::Truncate { ino, len } });
        self.overlays.repair(ino, len.div_ceil(SECTOR), u64::MAX);
    }

    pub(crate) fn allocate(&mut self, ino: Ino, len: u64) {
        let seq = self.seq();
        let file = self.file(ino);
        if len > file.cached.len() {
            Arc::make_mut(&mut file.cached).extend_to(len);
            file.pending.push(Change { seq, what: What::Allocate { ino, len } });
        }
    }

    /// Makes the file's changes up to `seq` durable.
    pub(crate) fn sync(&mut self, ino: Ino, seq: u64) {
        if self.profile.honest == Honesty::IgnoresSync {
            return;
        }
        let keeps_entry = self.profile.file_sync_keeps_entry;
        let file = self.file(ino);
        let covered = file.pending.partition_point(|change| change.seq <= seq);
        if covered > 0 {
            let durable = Arc::make_mut(&mut file.durable);
            for change in file.pending.drain(..covered) {
                replay(durable, &change.what);
            }
        }
        if keeps_entry {
            self.sync_entries(seq, |what| match what {
                What::Link { ino: i, .. } | What::Rename { ino: i, .. } => *i == ino,
                _ => false,
            });
        }
    }

    /// A sync that failed: each change was made durable or forgotten, as `kept` says.
    pub(crate) fn failed_sync(&mut self, ino: Ino, seq: u64, mut kept: impl FnMut() -> bool) {
        let behaviour = self.profile.failed_sync;
        self.shut_down |= behaviour == FailedSync::ShutsDown;
        let file = self.file(ino);
        let covered = file.pending.partition_point(|change| change.seq <= seq);
        let durable = Arc::make_mut(&mut file.durable);
        for change in file.pending.drain(..covered) {
            if kept() {
                replay(durable, &change.what);
            }
        }
        if behaviour == FailedSync::Reverts {
            file.cached = file.durable.clone();
            let cached = Arc::make_mut(&mut file.cached);
            for change in &file.pending {
                replay(cached, &change.what);
            }
        }
    }

    // ---- names ----

    fn entries(&self, dir: Ino) -> Option<&Entries> {
        match self.nodes.get(dir as usize)? {
            Some(Node::Dir(dir)) => Some(&dir.cached),
            _ => None,
        }
    }

    fn dir(&mut self, ino: Ino) -> &mut DirNode {
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
        self.entry_changes.push(Change { seq, what: What::Link { dir, name, ino } });
    }

    fn unlink(&mut self, dir: Ino, name: &str) {
        let seq = self.seq();
        Arc::make_mut(&mut self.dir(dir).cached).remove(name);
        self.entry_changes.push(Change { seq, what: What::Unlink { dir, name: name.into() } });
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
        self.entry_changes.push(Change { seq, what });
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
            self.collect();
        }
    }

    /// Makes entry changes up to `seq` durable: the covered ones, and with a journal all before the last of them.
    fn sync_entries(&mut self, seq: u64, covered: impl Fn(&What) -> bool) {
        let ordered = self.profile.ordered_entries;
        let whole = |what: &What| match what {
            What::Rename { from, to, .. } => ordered || from.0 == to.0,
            _ => true,
        };
        let takes = |change: &Change| change.seq <= seq && covered(&change.what) && whole(&change.what);
        let last = self.entry_changes.iter().rposition(takes);
        let Some(last) = last else { return };
        let changes = std::mem::take(&mut self.entry_changes);
        for (index, change) in changes.into_iter().enumerate() {
            if (ordered && index <= last) || takes(&change) {
                self.replay_entry(&change.what);
            } else {
                self.entry_changes.push(change);
            }
        }
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
    fn collect(&mut self) {
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
        for (ino, named) in (0..).zip(named) {
            let open = matches!(&self.nodes[ino as usize], Some(Node::File(file)) if file.handles > 0);
            if !named && !open && self.nodes[ino as usize].take().is_some() {
                self.overlays.repair(ino, 0, u64::MAX);
            }
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

/// Applies a change of a file in full.
fn replay(content: &mut Content, what: &What) {
    match what {
        What::Write { offset, data, .. } => content.write(*offset, data),
        What::Truncate { len, .. } => content.set_len(*len),
        What::Allocate { len, .. } => content.extend_to(*len),
        _ => unreachable!("a change of a file"),
    }
}
