//! Filters: which user keys a partition certainly does not hold.
//!
//! Binary fuse filters (Graf and Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor Filters", 2022) with 8-bit
//! fingerprints: about nine bits per key, one false positive in 256. Keys enter by their XXH3; two keys with one
//! hash share an entry, which costs nothing.

use bytes::Bytes;
use xorf::{BinaryFuse8, BinaryFuse8Ref, DmaSerializable, Filter as _, FilterRef as _};

use crate::coding::Reader;

const DESCRIPTOR_LEN: usize = BinaryFuse8::DESCRIPTOR_LEN;

/// What represents an encoded key in a filter.
pub(crate) fn key_hash(key: &[u8]) -> u64 {
    crate::checksum::checksum(key)
}

/// The payload of a filter over these hashes, which are sorted and deduplicated on the way. `None` when there is no
/// such filter (of an unlucky set, one in very many): readers do without.
pub(crate) fn build(hashes: &mut Vec<u64>) -> Option<Vec<u8>> {
    hashes.sort_unstable();
    hashes.dedup();
    let filter = BinaryFuse8::try_from(&hashes[..]).ok()?;
    let mut payload = vec![0; DESCRIPTOR_LEN];
    filter.dma_copy_descriptor_to(&mut payload);
    payload.extend_from_slice(filter.dma_fingerprints());
    Some(payload)
}

/// Whether the payload is one that [`may_contain`] can read without leaving it.
pub(crate) fn is_well_formed(payload: &Bytes) -> bool {
    let mut reader = Reader::at(payload, 8);
    let mut descriptor = || Some((u64::from(reader.u32()?), u64::from(reader.u32()?), u64::from(reader.u32()?)));
    let Some((segment, mask, count)) = descriptor() else { return false };
    segment.is_power_of_two()
        && mask == segment - 1
        && count > 0
        && count % segment == 0
        && count + 2 * segment <= (payload.len() - DESCRIPTOR_LEN) as u64
}

/// `false`: no key with this hash is there. `true`: one may be. The payload is well-formed.
pub(crate) fn may_contain(payload: &Bytes, hash: u64) -> bool {
    BinaryFuse8Ref::from_dma(&payload[..DESCRIPTOR_LEN], &payload[DESCRIPTOR_LEN..]).contains(&hash)
}

/// Whether the filter knows that this encoded key is there, as it must.
pub(crate) fn check_filter(payload: &Bytes, key: &[u8]) -> bool {
    may_contain(payload, key_hash(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_forgets_no_key_and_invents_few() {
        for count in [1, 2, 3, 7, 100, 5000_u64] {
            let hashes: Vec<u64> = (0..count).map(|key| key_hash(&key.to_be_bytes())).collect();
            let payload = Bytes::from(build(&mut hashes.clone()).expect("a filter over these keys"));
            assert!(is_well_formed(&payload));
            assert!(hashes.iter().all(|&hash| may_contain(&payload, hash)));
            let strangers = (count..count + 10_000).filter(|key| may_contain(&payload, key_hash(&key.to_be_bytes())));
            assert!(strangers.count() < 200, "{count} keys");
        }
    }

    #[test]
    fn a_malformed_filter_is_noticed() {
        let payload = build(&mut vec![1, 2, 3]).unwrap();
        assert!(!is_well_formed(&Bytes::copy_from_slice(&payload[..payload.len() - 1])));
        assert!(!is_well_formed(&Bytes::copy_from_slice(&payload[..9])));
        for at in 8..20 {
            let mut damaged = payload.clone();
            damaged[at] ^= 0x41;
            let damaged = Bytes::from(damaged);
            if is_well_formed(&damaged) {
                (0..1000)
                    .for_each(|hash| assert!([true, false].contains(&may_contain(&damaged, key_hash(&[hash as u8])))));
            }
        }
    }
}
