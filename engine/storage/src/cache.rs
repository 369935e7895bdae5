//! The block cache: unpacked blocks within a hard budget of bytes.
//!
//! Keys are (file, offset); file numbers are never reused, so nothing is ever invalidated. A reader holds a slice of
//! a block as long as it likes: eviction drops the cache's reference only.

use bytes::Bytes;
use helios_env::hash::BuildHasher;
use helios_env::sync::{AtomicU64, Ordering};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

/// Charged per block besides its bytes.
const ENTRY_OVERHEAD_BYTES: u64 = 96;
/// A shard is not made smaller than this, so that large blocks fit into one.
const SHARD_BYTES_MIN: usize = 4 << 20;
const SHARDS_MAX: usize = 16;

type Key = (u64, u64);
type Blocks = Cache<Key, Bytes, BlockWeight, BuildHasher, DefaultLifecycle<Key, Bytes>>;

#[derive(Clone)]
struct BlockWeight;

impl Weighter<Key, Bytes> for BlockWeight {
    fn weight(&self, _key: &Key, block: &Bytes) -> u64 {
        block.len() as u64 + ENTRY_OVERHEAD_BYTES
    }
}

/// See the module's documentation.
pub(crate) struct BlockCache {
    blocks: Blocks,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl BlockCache {
    /// A cache of at most `bytes`; 0 keeps nothing.
    pub(crate) fn new(bytes: usize) -> BlockCache {
        // The number of shards depends on the budget alone: evictions are the same on every machine.
        let shards = (bytes / SHARD_BYTES_MIN).clamp(1, SHARDS_MAX);
        let options = OptionsBuilder::new()
            .shards(shards)
            .estimated_items_capacity((bytes / (8 << 10)).max(16))
            .weight_capacity(bytes as u64)
            .build()
            .expect("both capacities are set");
        let blocks = Cache::with_options(options, BlockWeight, BuildHasher::default(), DefaultLifecycle::default());
        BlockCache { blocks, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// The block at `offset` of `file`, if it is here.
    #[inline]
    pub(crate) fn get(&self, file: u64, offset: u64) -> Option<Bytes> {
        let block = self.blocks.get(&(file, offset));
        let counter = if block.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        block
    }

    /// Keeps a block, evicting others as needed.
    pub(crate) fn insert(&self, file: u64, offset: u64, block: Bytes) {
        self.blocks.insert((file, offset), block);
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        self.blocks.weight()
    }

    /// Lookups that found their block, and those that did not.
    pub(crate) fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_hard() {
        for budget in [0, 1000, 100_000] {
            let cache = BlockCache::new(budget);
            for offset in 0..1000 {
                cache.insert(1, offset, Bytes::from(vec![0; 500]));
                assert!(cache.bytes() <= budget as u64);
            }
            assert_eq!(cache.get(1, 999).is_some() || cache.bytes() > 0, budget > 600);
        }
    }
}
