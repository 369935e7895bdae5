//! The moment of a crash: what was durable, what was under way, and everything that may have become of it.
//!
//! ```text
//!   durable ──┬── change 1 ── change 2 ── ... ── change n      (in the order made; none was synced)
//!             │      │           │                  │
//!             │    kept?       lost?        torn after sector 3?     one Fate each
//!             ▼
//!   resolve(fates) = one DiskImage
//! ```
//!
//! A [`PowerCut`] is the left side: a picture and a list, cheap to take before every single I/O event. Whoever holds
//! one decides: a random crash draws the fates, [`crate::explore()`] enumerates them. Reordering needs no machinery of
//! its own: a change that is kept after one that was lost *is* reordering.

use std::sync::Arc;

use helios_env::hash::HashMap;

use super::content::Content;
use super::image::{DiskImage, Entries, ImageNode, Ino, ROOT};
use super::profile::{Crash, SECTOR};
use crate::choices::Choices;
use crate::faults::{FaultCounts, FaultKind};

/// A change that no sync has made durable.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// Orders changes over the whole disk.
    pub(crate) seq: u64,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Write { ino: Ino, offset: u64, data: Arc<[u8]> },
    Truncate { ino: Ino, len: u64 },
    Allocate { ino: Ino, len: u64 },
    Link { dir: Ino, name: Arc<str>, ino: Ino },
    Unlink { dir: Ino, name: Arc<str> },
    Rename { from: (Ino, Arc<str>), to: (Ino, Arc<str>), ino: Ino },
}

impl What {
    pub(crate) fn is_entry(&self) -> bool {
        matches!(self, What::Link { .. } | What::Unlink { .. } | What::Rename { .. })
    }
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It is on the disk.
    Kept,
    /// It is not.
    Lost,
    /// The first so many atomic units of the write are there.
    Prefix(u32),
    /// All but the first so many atomic units are there.
    Suffix(u32),
    /// Each unit survived or not, by the bits of this number's hash.
    Scattered(u32),
    /// The file grew, its new bytes are zeros.
    LengthOnly,
    /// The renamed file has both names.
    BothNames,
}

/// A disk at the moment of a crash, unresolved.
#[derive(Clone)]
pub struct PowerCut {
    pub(crate) durable: DiskImage,
    pub(crate) changes: Vec<Change>,
    pub(crate) atomic_bytes: u64,
    pub(crate) ordered_entries: bool,
    pub(crate) half_renames: bool,
}

/// How a random crash treats the changes as a whole: drawing each fate alone would hardly ever show the plain cases.
const MOODS: [&str; 4] = ["all kept", "all lost", "in order", "mixed"];

impl PowerCut {
    /// Changes that no sync had made durable.
    pub fn changes(&self) -> usize {
        self.changes.len()
    }

    /// The disk if nothing unsynced survived.
    pub fn durable(&self) -> &DiskImage {
        &self.durable
    }

    /// Everything that may have become of change `index`, the dull answer first, with at most `cuts_max` places to
    /// tear a write at.
    pub fn fates(&self, index: usize, crash: Crash, cuts_max: u32) -> Vec<Fate> {
        let mut fates = vec![Fate::Kept];
        match &self.changes[index].what {
            What::Write { ino, offset, data } => {
                if crash.lose_writes {
                    fates.push(Fate::Lost);
                }
                let end = offset + data.len() as u64;
                let units = units(*offset, data.len(), self.atomic_bytes);
                if crash.tear_writes && !data.is_empty() {
                    let grows = end > self.durable_len(*ino);
                    fates.extend(grows.then_some(Fate::LengthOnly));
                    for cut in cuts(units, cuts_max) {
                        fates.push(Fate::Prefix(cut));
                        if crash.reorder {
                            fates.push(Fate::Suffix(cut));
                        }
                    }
                }
            }
            What::Truncate { .. } | What::Allocate { .. } => {
                if crash.lose_writes {
                    fates.push(Fate::Lost);
                }
            }
            What::Link { .. } | What::Unlink { .. } | What::Rename { .. } => {
                if crash.lose_entries {
                    fates.push(Fate::Lost);
                }
                if crash.half_renames && self.half_renames && matches!(self.changes[index].what, What::Rename { .. }) {
                    fates.push(Fate::BothNames);
                }
            }
        }
        fates
    }

    fn durable_len(&self, ino: Ino) -> u64 {
        match self.durable.nodes.get(ino as usize) {
            Some(Some(ImageNode::File(content))) => content.len(),
            _ => 0,
        }
    }

    /// Draws a fate for every change.
    pub fn draw(&self, crash: Crash, choices: &Choices) -> Vec<Fate> {
        let count = self.changes.len();
        if count == 0 {
            return Vec::new();
        }
        let unordered = u32::from(crash.reorder) * 4;
        match MOODS[choices.pick_weighted("crash.mood", &[1, 1, 3, unordered])] {
            "all kept" => vec![Fate::Kept; count],
            "all lost" => (0..count).map(|i| self.lost(i, crash)).collect(),
            "in order" => {
                // 0 loses nothing; the change at the cut may be torn.
                let survivors = count - choices.pick("crash.cut", count + 1);
                let fate = |i: usize| match i.cmp(&survivors) {
                    std::cmp::Ordering::Less => Fate::Kept,
                    std::cmp::Ordering::Equal => self.draw_fate(i, crash, choices),
                    std::cmp::Ordering::Greater => self.lost(i, crash),
                };
                (0..count).map(fate).collect()
            }
            _ => (0..count).map(|i| self.draw_fate(i, crash, choices)).collect(),
        }
    }

    fn lost(&self, index: usize, crash: Crash) -> Fate {
        let may_lose = if self.changes[index].what.is_entry() { crash.lose_entries } else { crash.lose_writes };
        if may_lose { Fate::Lost } else { Fate::Kept }
    }

    fn draw_fate(&self, index: usize, crash: Crash, choices: &Choices) -> Fate {
        let change = &self.changes[index].what;
        let lost = u32::from(self.lost(index, crash) == Fate::Lost) * 4;
        match change {
            What::Write { ino, offset, data } => {
                let units = units(*offset, data.len(), self.atomic_bytes);
                let tear = u32::from(crash.tear_writes && units > 1);
                let scatter = u32::from(crash.tear_writes && crash.reorder && units > 2);
                let grows = offset + data.len() as u64 > self.durable_len(*ino) && crash.tear_writes;
                let cut = || choices.pick("crash.tear", units.saturating_sub(1) as usize) as u32 + 1;
                match choices.pick_weighted("crash.write", &[4, lost, tear * 2, scatter, scatter, u32::from(grows)]) {
                    0 => Fate::Kept,
                    1 => Fate::Lost,
                    2 => Fate::Prefix(cut()),
                    3 => Fate::Suffix(cut()),
                    4 => Fate::Scattered(choices.pick("crash.scatter", 1 << 16) as u32),
                    _ => Fate::LengthOnly,
                }
            }
            What::Rename { .. } => {
                let half = u32::from(crash.half_renames && self.half_renames) * 6;
                match choices.pick_weighted("crash.entry", &[4, lost, half]) {
                    0 => Fate::Kept,
                    1 => Fate::Lost,
                    _ => Fate::BothNames,
                }
            }
            _ => match choices.pick_weighted("crash.entry", &[4, lost]) {
                0 => Fate::Kept,
                _ => Fate::Lost,
            },
        }
    }

    /// The disk after these fates, one per change.
    pub fn resolve(&self, fates: &[Fate]) -> DiskImage {
        assert_eq!(fates.len(), self.changes.len(), "one fate per change");
        let mut image = self.durable.clone();
        for (change, fate) in self.changes.iter().zip(self.effective(fates)) {
            apply(&mut image, &change.what, fate, self.atomic_bytes);
        }
        image.drop_unreachable();
        image
    }

    /// These fates with the journal's order: it replays up to where it ends, whatever was drawn for later entries.
    pub(crate) fn effective(&self, fates: &[Fate]) -> Vec<Fate> {
        let mut entries_end = false;
        let effective = |(change, fate): (&Change, &Fate)| {
            let journaled = self.ordered_entries && change.what.is_entry();
            entries_end |= journaled && *fate == Fate::Lost;
            if journaled && entries_end { Fate::Lost } else { *fate }
        };
        self.changes.iter().zip(fates).map(effective).collect()
    }

    /// The bytes of a write that are there after its fate, as pairs of first byte and end.
    pub(crate) fn kept_bytes(&self, what: &What, fate: Fate) -> Vec<[u64; 2]> {
        match what {
            What::Write { offset, data, .. } => surviving(*offset, data.len(), fate, self.atomic_bytes),
            _ => Vec::new(),
        }
    }

    /// Counts what these fates amount to.
    pub(crate) fn count(&self, fates: &[Fate], counts: &mut FaultCounts) {
        let mut lost_before = false;
        for (change, fate) in self.changes.iter().zip(fates) {
            match fate {
                Fate::Lost if change.what.is_entry() => counts.fire(FaultKind::LostEntry),
                Fate::Lost => {
                    counts.fire(FaultKind::LostWrite);
                    lost_before = true;
                }
                Fate::BothNames => counts.fire(FaultKind::HalfRename),
                Fate::Kept => {
                    if lost_before && !change.what.is_entry() {
                        counts.fire(FaultKind::ReorderedWrite);
                    }
                }
                Fate::Prefix(_) | Fate::Suffix(_) | Fate::Scattered(_) | Fate::LengthOnly => {
                    counts.fire(FaultKind::TornWrite);
                    lost_before = true;
                }
            }
        }
    }

    /// One line per unsynced change, for a person.
    pub fn describe(&self) -> Vec<String> {
        let mut names: HashMap<Ino, String> = HashMap::default();
        self.durable.visit(ROOT, "", &mut |path, _, ino| drop(names.insert(ino, path.to_owned())));
        let inside = |names: &HashMap<Ino, String>, dir: Ino, name: &str| match names.get(&dir) {
            Some(dir) => format!("{dir}/{name}"),
            None => name.to_owned(),
        };
        let mut lines = Vec::with_capacity(self.changes.len());
        for change in &self.changes {
            let file = |ino: &Ino| names.get(ino).map_or_else(|| format!("inode {ino}"), |name| format!("\"{name}\""));
            lines.push(match &change.what {
                What::Write { ino, offset, data } => {
                    format!("write {} at {offset}, {} bytes", file(ino), data.len())
                }
                What::Truncate { ino, len } => format!("truncate {} to {len} bytes", file(ino)),
                What::Allocate { ino, len } => format!("allocate {} up to {len} bytes", file(ino)),
                What::Link { dir, name, ino } => {
                    let path = inside(&names, *dir, name);
                    let line = format!("create \"{path}\"");
                    names.insert(*ino, path);
                    line
                }
                What::Unlink { dir, name } => format!("remove \"{}\"", inside(&names, *dir, name)),
                What::Rename { from, to, ino } => {
                    let (old, new) = (inside(&names, from.0, &from.1), inside(&names, to.0, &to.1));
                    let line = format!("rename \"{old}\" to \"{new}\"");
                    names.insert(*ino, new);
                    line
                }
            });
        }
        lines
    }
}

/// Atomic units that a write touches, on the absolute grid.
fn units(offset: u64, len: usize, unit: u64) -> u32 {
    let end = offset + len as u64;
    u32::try_from(end.div_ceil(unit) - offset / unit).expect("a write is smaller than 2^32 sectors")
}

/// Places to cut a write of so many units: all, or the first, the last and some between.
fn cuts(units: u32, cuts_max: u32) -> Vec<u32> {
    let all = units.saturating_sub(1);
    let count = all.min(cuts_max);
    (0..count).map(|i| if count == all || count == 1 { i + 1 } else { 1 + i * (all - 1) / (count - 1) }).collect()
}

/// Applies a change to an image as far as its fate lets it.
fn apply(image: &mut DiskImage, what: &What, fate: Fate, unit: u64) {
    match what {
        What::Write { ino, offset, data } => {
            if fate == Fate::Lost {
                return;
            }
            let content = file(image, *ino);
            for [from, to] in surviving(*offset, data.len(), fate, unit) {
                content.write(from, &data[(from - offset) as usize..(to - offset) as usize]);
            }
            let end = offset + data.len() as u64;
            // A cut write ends where its last unit did; one with holes has its whole length.
            if matches!(fate, Fate::Suffix(_) | Fate::Scattered(_) | Fate::LengthOnly) {
                content.extend_to(end);
            }
            let sectors = *offset / SECTOR..end.div_ceil(SECTOR);
            image.overlays.repair(*ino, sectors.start, sectors.end);
        }
        What::Truncate { ino, len } if fate != Fate::Lost => file(image, *ino).set_len(*len),
        What::Allocate { ino, len } if fate != Fate::Lost => file(image, *ino).extend_to(*len),
        What::Link { dir, name, ino } if fate != Fate::Lost => {
            directory(image, *dir).insert(name.clone(), *ino);
        }
        What::Unlink { dir, name } if fate != Fate::Lost => {
            directory(image, *dir).remove(name);
        }
        What::Rename { from, to, ino } if fate != Fate::Lost => {
            directory(image, to.0).insert(to.1.clone(), *ino);
            let old = directory(image, from.0);
            if fate == Fate::Kept && old.get(&from.1) == Some(ino) {
                old.remove(&from.1);
            }
        }
        _ => {}
    }
}

/// Runs of a write's bytes that survive its fate.
fn surviving(offset: u64, len: usize, fate: Fate, unit: u64) -> Vec<[u64; 2]> {
    let survives = |index: u32| match fate {
        Fate::Prefix(cut) => index < cut,
        Fate::Suffix(cut) => index >= cut,
        Fate::Scattered(bits) => scatter(bits, index),
        Fate::LengthOnly | Fate::Lost => false,
        Fate::Kept | Fate::BothNames => true,
    };
    let (first, end) = (offset / unit, offset + len as u64);
    let units = units(offset, len, unit);
    let mut runs = Vec::new();
    let mut index = 0;
    while index < units {
        let run = (index..units).take_while(|i| survives(*i)).count() as u32;
        if run > 0 {
            let from = ((first + u64::from(index)) * unit).max(offset);
            let to = ((first + u64::from(index + run)) * unit).min(end);
            runs.push([from, to]);
        }
        index += run.max(1);
    }
    runs
}

fn scatter(bits: u32, index: u32) -> bool {
    helios_env::SplitMix64::step(u64::from(bits) << 32 | u64::from(index)).1 & 1 == 0
}

fn file(image: &mut DiskImage, ino: Ino) -> &mut Content {
    match &mut image.nodes[ino as usize] {
        Some(ImageNode::File(content)) => Arc::make_mut(content),
        _ => unreachable!("an inode with changes exists and keeps its kind"),
    }
}

fn directory(image: &mut DiskImage, ino: Ino) -> &mut Entries {
    match &mut image.nodes[ino as usize] {
        Some(ImageNode::Dir(entries)) => Arc::make_mut(entries),
        _ => unreachable!("an inode with changes exists and keeps its kind"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_cover_all_or_both_ends() {
        assert_eq!(cuts(1, 8), [0; 0]);
        assert_eq!(cuts(4, 8), [1, 2, 3]);
        let some = cuts(129, 8);
        assert_eq!((some.len(), some[0], some[7]), (8, 1, 128));
    }

    #[test]
    fn the_grid_is_absolute() {
        // 100 bytes around a sector boundary are two units, 512 bytes off the grid are two as well.
        assert_eq!(units(500, 100, 512), 2);
        assert_eq!(units(1, 512, 512), 2);
        assert_eq!(units(512, 512, 512), 1);
        assert_eq!(units(512, 512, 4096), 1);
    }
}
