//! Hash maps whose iteration order is the same in every run: the standard library's random seed would make a
//! simulation irreproducible.

/// Fixed-seed hasher.
pub type BuildHasher = foldhash::fast::FixedState;
/// A hash map with a fixed seed.
pub type HashMap<K, V> = hashbrown::HashMap<K, V, BuildHasher>;
/// A hash set with a fixed seed.
pub type HashSet<T> = hashbrown::HashSet<T, BuildHasher>;
