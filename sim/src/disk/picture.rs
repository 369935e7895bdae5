//! What a disk tells a full trace about itself, so that somebody can see it at any instant.
//!
//! An I/O event says what a program asked for and what it was told. These events say what became of it: which change
//! each write made, which sync made that change durable, which crash tore it. They are told only where a full trace is
//! kept, and the hash does not take them in: every one of them follows from what the hash does take in.
//!
//! A change is known by its number, which counts from one again when the disk is mounted anew ([`DiskEvent::Files`]
//! after a power cut). A write has a number from its submission on, and [`DiskEvent::Landed`] ties the two.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::crash::{Fate, PowerCut, What};
use super::image::{Entries, Ino, ROOT};
use super::state::DiskState;

/// A change of what a disk holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskEvent {
    /// All files, whenever names change or the disk is mounted.
    Files(Vec<FilePicture>),
    /// A write is on its way.
    Submitted {
        /// Its number, never used twice.
        write: u64,
        /// The task that asked for it.
        task: Option<u64>,
        /// The file's inode.
        ino: u32,
        /// At which byte.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
    /// A write has arrived; the next change is what it did.
    Landed {
        /// Its number.
        write: u64,
    },
    /// A change is in the cache (or, told right before a crash, was under way to it) and no sync has covered it.
    Changed {
        /// Its number.
        seq: u64,
        /// The file's inode.
        ino: u32,
        /// `write`, `truncate`, `allocate`, `create`, `remove` or `rename`.
        what: &'static str,
        /// The first byte, of a write.
        offset: u64,
        /// How many bytes, of a write; the new length, of a truncation or allocation.
        len: u64,
        /// The name, of a change of names.
        name: Box<str>,
    },
    /// A file's lengths have changed.
    Length {
        /// The file's inode.
        ino: u32,
        /// Its length as reads show it.
        cached: u64,
        /// Its length on the medium.
        durable: u64,
    },
    /// A sync has made these changes durable.
    Durable(Vec<u64>),
    /// A failed sync has forgotten these changes; whether reads still show them depends on the disk's profile.
    Dropped(Vec<u64>),
    /// What a power cut made of a change.
    Resolved {
        /// Its number.
        seq: u64,
        /// Its fate, after the order of the journal has had its say.
        fate: Fate,
        /// Of a write, the bytes that are there: pairs of first byte and end.
        kept: Vec<[u64; 2]>,
    },
    /// A sector does not hold what was written to it.
    Damaged {
        /// The file's inode.
        ino: u32,
        /// The sector's number.
        sector: u64,
        /// Whether it can be read at all.
        readable: bool,
    },
    /// All damage is gone.
    Healed,
}

/// A file, as [`DiskEvent::Files`] lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePicture {
    /// Its inode.
    pub ino: u32,
    /// Its path as programs see it.
    pub cached_path: Option<String>,
    /// Its path on the medium.
    pub durable_path: Option<String>,
    /// Its length as reads show it.
    pub cached_len: u64,
    /// Its length on the medium.
    pub durable_len: u64,
}

/// Who is told.
pub(crate) type Recorder = Arc<dyn Fn(DiskEvent) + Send + Sync>;

impl DiskState {
    /// Tells the trace, where there is a full one.
    pub(crate) fn tell(&self, event: impl FnOnce(&DiskState) -> DiskEvent) {
        if let Some(recorder) = &self.recorder {
            recorder(event(self));
        }
    }

    /// Tells that `what` has become change `seq`.
    pub(crate) fn tell_change(&self, seq: u64, what: &What) {
        self.tell(|_| changed(seq, what));
    }

    pub(crate) fn tell_files(&self) {
        self.tell(|state| DiskEvent::Files(state.files()));
    }

    pub(crate) fn tell_length(&self, ino: Ino) {
        self.tell(|state| {
            let [cached, durable] = state.lengths(ino).expect("its file has just changed");
            DiskEvent::Length { ino, cached, durable }
        });
    }

    /// Tells what a power cut finds under way, and what becomes of every change.
    pub(crate) fn tell_resolved(&self, cut: &PowerCut, fates: &[Fate]) {
        if self.recorder.is_none() {
            return;
        }
        let landed = cut.changes.len() - self.in_flight.len();
        for (write, change) in self.in_flight.iter().zip(&cut.changes[landed..]) {
            self.tell(|_| DiskEvent::Landed { write: write.id });
            self.tell_change(change.seq, &change.what);
        }
        for (change, fate) in cut.changes.iter().zip(cut.effective(fates)) {
            let kept = cut.kept_bytes(&change.what, fate);
            self.tell(|_| DiskEvent::Resolved { seq: change.seq, fate, kept });
        }
    }

    fn files(&self) -> Vec<FilePicture> {
        let (cached, durable) = (self.paths(|cached, _| cached), self.paths(|_, durable| durable));
        let file = |ino| {
            let [cached_len, durable_len] = self.lengths(ino)?;
            let (cached_path, durable_path) = (cached.get(&ino).cloned(), durable.get(&ino).cloned());
            Some(FilePicture { ino, cached_path, durable_path, cached_len, durable_len })
        };
        (0..self.inodes()).filter_map(file).collect()
    }

    /// Paths by inode, in one of the two views. Of several names the last one counts.
    fn paths(&self, view: for<'a> fn(&'a Entries, &'a Entries) -> &'a Entries) -> BTreeMap<Ino, String> {
        let mut paths = BTreeMap::new();
        let mut directories = vec![(ROOT, String::new())];
        while let Some((dir, prefix)) = directories.pop() {
            let Some((cached, durable)) = self.both_entries(dir) else { continue };
            for (name, ino) in view(cached, durable) {
                let path = format!("{prefix}{name}");
                directories.push((*ino, format!("{path}/")));
                paths.insert(*ino, path);
            }
        }
        paths
    }
}

fn changed(seq: u64, what: &What) -> DiskEvent {
    let (ino, kind, [offset, len], name) = match what {
        What::Write { ino, offset, data } => (*ino, "write", [*offset, data.len() as u64], String::new()),
        What::Truncate { ino, len } => (*ino, "truncate", [0, *len], String::new()),
        What::Allocate { ino, len } => (*ino, "allocate", [0, *len], String::new()),
        What::Link { name, ino, .. } => (*ino, "create", [0, 0], name.to_string()),
        What::Unlink { dir, name } => (*dir, "remove", [0, 0], name.to_string()),
        What::Rename { from, to, ino } => (*ino, "rename", [0, 0], format!("{} to {}", from.1, to.1)),
    };
    DiskEvent::Changed { seq, ino, what: kind, offset, len, name: name.into() }
}
