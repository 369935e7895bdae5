//! What redb 4.2.0 has repaired and 4.1.0 breaks: the same two explorations must find it in the older one, and nothing in
//! the newer.
//!
//! The changelog of 4.2.0 says what was wrong:
//!
//! * "A crash during a transaction that grows the database file leaving the database permanently unopenable": on every
//!   kind of disk. [`growing`].
//! * "A bug that could silently roll back or corrupt durably committed transactions if a crash occurred while recovering
//!   from an earlier crash": on a disk that tears a commit slot of 128 bytes, as redb's design document allows
//!   ("single byte writes are atomic"), and sectors do not. [`torn_repair`].
//!
//! That the newer one is clean means something only if it was asked as much as the older one needed to be found out:
//! [`TORN_REPAIR_RECOVERIES`].

use helios_sim::{DeviceProfile, Explore};

/// A crash while the file grows.
pub fn growing(profile: DeviceProfile) -> Explore {
    Explore { depth: 0, images_max: 64, profile, ..Explore::default() }
}

/// A crash in the repair of a commit slot that a disk of atomic words has torn.
pub fn torn_repair() -> Explore {
    Explore {
        profile: DeviceProfile { name: "words", atomic_bytes: 8, ..DeviceProfile::posix() },
        cuts_max: 64,
        images_max: 300,
        recovery_points_max: 6,
        recovery_images_max: 6,
        kills: false,
        ..Explore::default()
    }
}

/// Images of crashed recoveries by which [`torn_repair`] has found 4.1.0 out (it takes about 10,700), and beyond which 4.2.0
/// must get unharmed (it has 108,000).
pub const TORN_REPAIR_RECOVERIES: u64 = 12_000;
