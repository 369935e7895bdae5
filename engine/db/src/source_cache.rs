//! Parsed texts, with the plans that were made of them, for whoever comes with the same text.

use std::sync::Arc;

use helios_env::hash::BuildHasher;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::session::Source;

/// Texts longer than this are rarely said twice.
const TEXT_BYTES_MAX: usize = 16 << 10;
/// Bytes of text kept.
const BYTES_MAX: u64 = 4 << 20;
/// Charged per text besides its bytes: trees and plans are larger than texts.
const OVERHEAD_BYTES: u64 = 4 << 10;

#[derive(Clone)]
struct TextWeight;

impl Weighter<Arc<str>, Arc<Source>> for TextWeight {
    fn weight(&self, text: &Arc<str>, _source: &Arc<Source>) -> u64 {
        OVERHEAD_BYTES + text.len() as u64
    }
}

type Sources = Cache<Arc<str>, Arc<Source>, TextWeight, BuildHasher, DefaultLifecycle<Arc<str>, Arc<Source>>>;

/// See the module's documentation.
pub(crate) struct SourceCache(Sources);

impl SourceCache {
    pub(crate) fn new() -> SourceCache {
        let items = usize::try_from(BYTES_MAX / OVERHEAD_BYTES).expect("it is small");
        let hasher = BuildHasher::default();
        SourceCache(Cache::with(items, BYTES_MAX, TextWeight, hasher, DefaultLifecycle::default()))
    }

    /// The parsed text, if it is here.
    pub(crate) fn get(&self, text: &str) -> Option<Arc<Source>> {
        self.0.get(text)
    }

    /// Keeps a parsed text.
    pub(crate) fn put(&self, source: &Arc<Source>) {
        if source.text.len() <= TEXT_BYTES_MAX {
            self.0.insert(source.text.clone(), source.clone());
        }
    }
}
