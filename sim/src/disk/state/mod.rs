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

mod names;

use std::sync::Arc;

use helios_env::{IoError, Result};

use crate::choices::Choices;
use crate::disk::content::Content;
use crate::disk::crash::{Change, PowerCut, What};
use crate::disk::image::{DiskImage, Entries, ImageNode, Ino};
use crate::disk::overlay::{Damage, Overlays};
use crate::disk::picture::{DiskEvent, Recorder};
use crate::disk::profile::{DeviceProfile, FailedSync, Honesty, SECTOR};

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
    /// Where a full trace is kept.
    pub(crate) recorder: Option<Recorder>,
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
            recorder: None,
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
        let in_flight = (self.next_seq + 1..).zip(&self.in_flight);
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

    /// Whether a change is pending that can be made in part.
    pub(crate) fn is_exposed(&self) -> bool {
        let unit = self.profile.atomic_bytes;
        let in_parts = |offset: u64, len: usize| offset / unit != (offset + len as u64).saturating_sub(1) / unit;
        let is_half_done = |change: &Change| match &change.what {
            What::Write { offset, data, .. } => in_parts(*offset, data.len()),
            What::Rename { .. } => self.profile.half_renames,
            _ => false,
        };
        let pending = self.nodes.iter().flatten().flat_map(|node| match node {
            Node::File(file) => file.pending.as_slice(),
            Node::Dir(_) => &[],
        });
        self.in_flight.iter().any(|write| in_parts(write.offset, write.data.len()))
            || pending.chain(&self.entry_changes).any(is_half_done)
    }

    /// What reads show, as if all of it were durable.
    pub(crate) fn cached_image(&self) -> DiskImage {
        let show = |node: &Node| match node {
            Node::File(file) => ImageNode::File(file.cached.clone()),
            Node::Dir(dir) => ImageNode::Dir(dir.cached.clone()),
        };
        let nodes = self.nodes.iter().map(|node| node.as_ref().map(show)).collect();
        let mut image = DiskImage { nodes, overlays: self.overlays.clone() };
        image.drop_unreachable();
        image
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
        let what = What::Write { ino, offset, data };
        file.pending.push(Change { seq, what: what.clone() });
        self.tell_change(seq, &what);
        self.tell_length(ino);
    }

    pub(crate) fn truncate(&mut self, ino: Ino, len: u64) {
        let seq = self.seq();
        let file = self.file(ino);
        Arc::make_mut(&mut file.cached).set_len(len);
        file.pending.push(Change { seq, what: What::Truncate { ino, len } });
        self.tell_change(seq, &What::Truncate { ino, len });
        self.tell_length(ino);
        self.overlays.repair(ino, len.div_ceil(SECTOR), u64::MAX);
    }

    pub(crate) fn allocate(&mut self, ino: Ino, len: u64) {
        let seq = self.seq();
        let file = self.file(ino);
        if len > file.cached.len() {
            Arc::make_mut(&mut file.cached).extend_to(len);
            file.pending.push(Change { seq, what: What::Allocate { ino, len } });
            self.tell_change(seq, &What::Allocate { ino, len });
            self.tell_length(ino);
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
            let covered: Vec<Change> = file.pending.drain(..covered).collect();
            for change in &covered {
                replay(durable, &change.what);
            }
            self.tell(|_| DiskEvent::Durable(covered.iter().map(|change| change.seq).collect()));
            self.tell_length(ino);
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
        let [mut survivors, mut forgotten] = [Vec::new(), Vec::new()];
        for change in file.pending.drain(..covered) {
            if kept() {
                replay(durable, &change.what);
                survivors.push(change.seq);
            } else {
                forgotten.push(change.seq);
            }
        }
        if behaviour == FailedSync::Reverts {
            file.cached = file.durable.clone();
            let cached = Arc::make_mut(&mut file.cached);
            for change in &file.pending {
                replay(cached, &change.what);
            }
        }
        self.tell(|_| DiskEvent::Durable(survivors));
        self.tell(|_| DiskEvent::Dropped(forgotten));
        self.tell_length(ino);
    }

    /// Lies over the true bytes of a sector from now on.
    pub(crate) fn damage(&mut self, ino: Ino, sector: u64, damage: Damage) {
        self.tell(|_| DiskEvent::Damaged { ino, sector, readable: !matches!(damage, Damage::Unreadable) });
        self.overlays.damage(ino, sector, damage);
    }

    /// Inodes have numbers below this.
    pub(crate) fn inodes(&self) -> Ino {
        Ino::try_from(self.nodes.len()).expect("fewer than 2^32 inodes")
    }

    /// A file's length, as reads show it and on the medium.
    pub(crate) fn lengths(&self, ino: Ino) -> Option<[u64; 2]> {
        match self.nodes.get(ino as usize)? {
            Some(Node::File(file)) => Some([file.cached.len(), file.durable.len()]),
            _ => None,
        }
    }

    /// A directory, as programs see it and on the medium.
    pub(crate) fn both_entries(&self, dir: Ino) -> Option<(&Entries, &Entries)> {
        match self.nodes.get(dir as usize)? {
            Some(Node::Dir(dir)) => Some((&dir.cached, &dir.durable)),
            _ => None,
        }
    }
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
