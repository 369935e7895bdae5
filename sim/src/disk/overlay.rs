//! Damage to the medium, kept apart from the bytes that were written: switch it off and the disk is whole again.

use std::collections::BTreeMap;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use super::image::Ino;
use super::profile::SECTOR;

/// What stands in for a sector's true bytes.
#[derive(Clone)]
pub(crate) enum Damage {
    /// Reading it fails.
    Unreadable,
    /// Other bytes.
    Shows(Box<[u8; SECTOR as usize]>),
}

/// Damaged sectors by file and sector number.
#[derive(Clone, Default)]
pub(crate) struct Overlays(Option<Arc<BTreeMap<(Ino, u64), Damage>>>);

impl Overlays {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn damage(&mut self, ino: Ino, sector: u64, damage: Damage) {
        Arc::make_mut(self.0.get_or_insert_default()).insert((ino, sector), damage);
    }

    /// A sector that is written is whole again; a file that is gone has no sectors.
    pub(crate) fn repair(&mut self, ino: Ino, from: u64, to: u64) {
        let Some(map) = &mut self.0 else { return };
        if map.range((ino, from)..(ino, to)).next().is_some() {
            Arc::make_mut(map).retain(|(i, sector), _| *i != ino || !(from..to).contains(sector));
            if map.is_empty() {
                self.0 = None;
            }
        }
    }

    fn within(&self, ino: Ino, offset: u64, len: usize) -> impl Iterator<Item = (u64, &Damage)> {
        let sectors = offset / SECTOR..(offset + len as u64).div_ceil(SECTOR);
        let range = (ino, sectors.start)..(ino, sectors.end);
        self.0.iter().filter(move |_| len > 0).flat_map(move |map| map.range(range.clone())).map(|((_, s), d)| (*s, d))
    }

    /// Whether a read of these bytes fails.
    pub(crate) fn unreadable(&self, ino: Ino, offset: u64, len: usize) -> bool {
        self.within(ino, offset, len).any(|(_, damage)| matches!(damage, Damage::Unreadable))
    }

    /// Puts the damage over the true `bytes` of the file from `offset`.
    pub(crate) fn show(&self, ino: Ino, offset: u64, bytes: &mut [u8]) {
        for (sector, damage) in self.within(ino, offset, bytes.len()) {
            if let Damage::Shows(shown) = damage {
                let start = sector * SECTOR;
                let from = offset.max(start);
                let to = (offset + bytes.len() as u64).min(start + SECTOR);
                let part = &shown[(from - start) as usize..(to - start) as usize];
                bytes[(from - offset) as usize..(to - offset) as usize].copy_from_slice(part);
            }
        }
    }

    /// Adds the damage of one file to a hash.
    pub(crate) fn hash(&self, ino: Ino, hasher: &mut Xxh3) {
        for ((_, sector), damage) in self.0.iter().flat_map(|map| map.range((ino, 0)..(ino, u64::MAX))) {
            hasher.update(&sector.to_le_bytes());
            if let Damage::Shows(bytes) = damage {
                hasher.update(&bytes[..]);
            }
        }
    }
}
