//! Checksums that know where they belong.
//!
//! XXH3 over a block's bytes, seeded by the database, the file and the offset: a block that is intact but in the wrong
//! place (a misdirected write or read, a file copied from another database) fails as a damaged one does.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Which file of which database a block belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    /// The database's identity, from its FORMAT file.
    pub(crate) database: u128,
    /// The file's number.
    pub(crate) file: u64,
}

impl FileIdentity {
    /// The checksum of `bytes` at `offset` of this file.
    pub(crate) fn checksum(self, offset: u64, bytes: &[u8]) -> u64 {
        let mut place = [0; 32];
        place[..16].copy_from_slice(&self.database.to_le_bytes());
        place[16..24].copy_from_slice(&self.file.to_le_bytes());
        place[24..].copy_from_slice(&offset.to_le_bytes());
        xxh3_64_with_seed(bytes, xxh3_64(&place))
    }
}

/// The checksum of `bytes` wherever they are.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_elsewhere_have_another_checksum() {
        let here = FileIdentity { database: 1, file: 2 };
        let sum = here.checksum(4096, b"block");
        assert_ne!(sum, here.checksum(8192, b"block"));
        assert_ne!(sum, FileIdentity { database: 1, file: 3 }.checksum(4096, b"block"));
        assert_ne!(sum, FileIdentity { database: 2, file: 2 }.checksum(4096, b"block"));
        assert_eq!(sum, here.checksum(4096, b"block"));
    }
}
