//! The bytes of one file: copy-on-write pages that many disk images share.
//!
//! Forking a disk for one more crash image copies pointers, and a write to the fork copies the pages it touches. A
//! page remembers its hash until it is written, so that the thousands of images that differ in a sector are told
//! apart at the price of that sector's page.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Bytes of a page.
pub(crate) const PAGE: usize = 4096;

/// A file's length and its pages; an absent page is zeros.
#[derive(Default)]
pub(crate) struct Content {
    len: u64,
    pages: Vec<Option<Arc<Page>>>,
    hash: CachedHash,
}

#[derive(Clone)]
struct Page {
    bytes: [u8; PAGE],
    hash: CachedHash,
}

/// A hash computed when first asked for; zero means not known.
#[derive(Default)]
struct CachedHash(AtomicU64);

impl CachedHash {
    fn get(&self, compute: impl FnOnce() -> u64) -> u64 {
        match self.0.load(Relaxed) {
            0 => {
                let hash = compute().max(1);
                self.0.store(hash, Relaxed);
                hash
            }
            known => known,
        }
    }

    fn forget(&mut self) {
        *self.0.get_mut() = 0;
    }
}

impl Clone for CachedHash {
    fn clone(&self) -> CachedHash {
        CachedHash(AtomicU64::new(self.0.load(Relaxed)))
    }
}

impl Clone for Content {
    fn clone(&self) -> Content {
        Content { len: self.len, pages: self.pages.clone(), hash: self.hash.clone() }
    }
}

impl Content {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Copies what there is at `offset` into the front of `out`: how many bytes there were.
    pub(crate) fn read(&self, offset: u64, out: &mut [u8]) -> usize {
        let available = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = out.len().min(available);
        let mut done = 0;
        while done < wanted {
            let (page, within) = locate(offset + done as u64);
            let n = (PAGE - within).min(wanted - done);
            match self.pages.get(page) {
                Some(Some(page)) => out[done..done + n].copy_from_slice(&page.bytes[within..within + n]),
                _ => out[done..done + n].fill(0),
            }
            done += n;
        }
        wanted
    }

    /// Puts `data` at `offset`, extending the file when it ends before.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.hash.forget();
        self.len = self.len.max(offset + data.len() as u64);
        let pages_needed = usize::try_from(self.len.div_ceil(PAGE as u64)).expect("a simulated file fits in memory");
        if self.pages.len() < pages_needed {
            self.pages.resize(pages_needed, None);
        }
        let mut done = 0;
        while done < data.len() {
            let (page, within) = locate(offset + done as u64);
            let n = (PAGE - within).min(data.len() - done);
            let page = self.pages[page].get_or_insert_with(Page::zeroed);
            let page = Arc::make_mut(page);
            page.hash.forget();
            page.bytes[within..within + n].copy_from_slice(&data[done..done + n]);
            done += n;
        }
    }

    /// Cuts the file, or extends it with zeros.
    pub(crate) fn set_len(&mut self, len: u64) {
        self.hash.forget();
        if len < self.len {
            let pages_needed = usize::try_from(len.div_ceil(PAGE as u64)).expect("shorter than it is");
            self.pages.truncate(pages_needed);
            let (last, within) = locate(len);
            if within > 0
                && let Some(Some(page)) = self.pages.get_mut(last)
            {
                // What lies behind the end must read as zeros should the file grow again.
                let page = Arc::make_mut(page);
                page.hash.forget();
                page.bytes[within..].fill(0);
            }
        }
        self.len = len;
    }

    /// Extends the file to `len` bytes; a longer file stays as it is.
    pub(crate) fn extend_to(&mut self, len: u64) {
        if len > self.len {
            self.set_len(len);
        }
    }

    /// A hash of length and bytes; equal files have equal hashes however they came about.
    pub(crate) fn hash(&self) -> u64 {
        self.hash.get(|| {
            let zeros = *HASH_OF_ZEROS.get_or_init(|| xxh3_64(&[0; PAGE]));
            let mut hasher = Xxh3::new();
            hasher.update(&self.len.to_le_bytes());
            for (index, page) in (0u64..).zip(&self.pages) {
                let Some(page) = page else { continue };
                let hash = page.hash.get(|| xxh3_64(&page.bytes));
                // A page of zeros is as good as an absent one.
                if hash != zeros {
                    hasher.update(&index.to_le_bytes());
                    hasher.update(&hash.to_le_bytes());
                }
            }
            hasher.digest()
        })
    }
}

static HASH_OF_ZEROS: OnceLock<u64> = OnceLock::new();

impl Page {
    fn zeroed() -> Arc<Page> {
        Arc::new(Page { bytes: [0; PAGE], hash: CachedHash::default() })
    }
}

/// Page number and offset within the page.
fn locate(offset: u64) -> (usize, usize) {
    let page = usize::try_from(offset / PAGE as u64).expect("a simulated file fits in memory");
    (page, (offset % PAGE as u64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(content: &Content) -> Vec<u8> {
        let mut out = vec![0xee; content.len() as usize + 10];
        let n = content.read(0, &mut out);
        out.truncate(n);
        out
    }

    #[test]
    fn it_is_a_vector_of_bytes_with_holes() {
        let mut content = Content::default();
        let mut model = Vec::new();
        for (offset, len) in [(10usize, 20usize), (5000, 9000), (4090, 10), (20_000, 1), (0, 4096)] {
            let data = vec![offset as u8 | 1; len];
            content.write(offset as u64, &data);
            model.resize(model.len().max(offset + len), 0);
            model[offset..offset + len].copy_from_slice(&data);
            assert!(bytes(&content) == model);
        }
        for len in [14_000usize, 4_100, 9_000, 0, 100] {
            content.set_len(len as u64);
            model.resize(len, 0);
            assert!(bytes(&content) == model);
        }
    }

    #[test]
    fn the_hash_depends_on_bytes_not_on_history() {
        let mut a = Content::default();
        a.write(0, &[1; 5000]);
        let before = a.hash();
        let fork = a.clone();
        a.write(100, &[2]);
        assert_ne!(a.hash(), before);
        a.write(100, &[1]);
        assert_eq!(a.hash(), before);
        assert_eq!(fork.hash(), before);
        let mut hole = Content::default();
        hole.set_len(8192);
        let mut zeros = Content::default();
        zeros.write(0, &[0; 8192]);
        assert_eq!(hole.hash(), zeros.hash());
        assert_ne!(hole.hash(), Content::default().hash());
    }
}
